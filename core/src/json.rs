//! [`Json`], a request before it is trusted, and [`Fields`], which reads an object and notes every violation.

use crate::error::quoted;
use crate::{Problem, Refusal, Violation, ViolationCode};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The longest request, in bytes of JSON text.
pub const REQUEST_MAX_BYTES: usize = 64 * 1024;

/// The most violations that are listed one by one.
const VIOLATIONS_MAX: usize = 200;

/// A JSON value as it was sent: keys in order, duplicates kept. Nothing about it is known to be right.
///
/// Every door hands requests over in this form: JSON text by [`Json::parse`], an object of another
/// language by way of serde, command line flags by building one.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, integers beyond 2^53 rounded.
    Number(f64),
    /// A string
    String(String),
    /// An array
    Array(Vec<Json>),
    /// An object; a key may appear more than once.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads JSON text of at most [`REQUEST_MAX_BYTES`].
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`], or [`Refusal::Invalid`] where the text is not one JSON value: bad syntax, bad
    /// UTF-8, a lone surrogate, nesting deeper than 127.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        if text.len() > REQUEST_MAX_BYTES {
            return Err(Refusal::TooLarge(REQUEST_MAX_BYTES));
        }
        Self::parse_unbounded(text)
    }

    pub(crate) fn parse_unbounded(text: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(text).map_err(|error| {
            let message = format!("not valid JSON: {error}; send one JSON object");
            Problem::value(message).at("").into()
        })
    }

    /// The text that an object has under this name.
    pub(crate) fn text_at(&self, name: &str) -> Option<&str> {
        let Self::Object(members) = self else { return None };
        let (_, value) = members.iter().find(|(of, _)| of == name)?;
        value.as_str().ok()
    }

    /// What kind of value it is, with its article.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    fn wrong_type(&self, wanted: &str) -> Problem {
        Problem::new(ViolationCode::InvalidType, format!("is {}; send {wanted}", self.kind()))
    }

    pub(crate) fn as_str(&self) -> Result<&str, Problem> {
        match self {
            Self::String(text) => Ok(text),
            other => Err(other.wrong_type("a string")),
        }
    }

    pub(crate) fn as_bool(&self) -> Result<bool, Problem> {
        match self {
            Self::Bool(value) => Ok(*value),
            other => Err(other.wrong_type("true or false")),
        }
    }

    /// The number, if it is a whole one from `min` to `max`; `3600.0` is whole.
    pub(crate) fn as_integer(&self, min: u32, max: u32) -> Result<u32, Problem> {
        match self {
            Self::Number(number) if number.fract() == 0.0 => {
                if (f64::from(min)..=f64::from(max)).contains(number) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "whole, and within the bounds of the type"
                    )]
                    return Ok(*number as u32);
                }
                Err(Problem::value(format!("{number} is out of bounds; send {min} to {max}")))
            }
            Self::Number(number) => Err(Problem::new(
                ViolationCode::InvalidType,
                format!("{number} is not an integer; send one"),
            )),
            // Flags and query parameters are texts, whatever they mean.
            Self::String(text) => Err(Problem::new(
                ViolationCode::InvalidType,
                format!("{} is not an integer; send one", quoted(text)),
            )),
            other => Err(other.wrong_type("an integer")),
        }
    }

    pub(crate) fn as_array(&self) -> Result<&[Json], Problem> {
        match self {
            Self::Array(items) => Ok(items),
            other => Err(other.wrong_type("an array")),
        }
    }

    /// Parses a string into a type that checks itself.
    pub(crate) fn parse_str<T: std::str::FromStr<Err = Problem>>(&self) -> Result<T, Problem> {
        self.as_str()?.parse()
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "no field takes integers beyond 2^53")]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "no field takes integers beyond 2^53")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Json::Object(object))
    }
}

/// Reads the fields of one object, each once, and collects what is wrong with them.
///
/// Nothing stops at the first violation: [`Fields::finish`] has them all.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// Where the object stands, with a trailing dot; empty for the request itself.
    path: String,
    entries: Vec<Entry<'a>>,
    /// Every name that was asked for: what the object may hold.
    known: Vec<&'static str>,
    violations: Vec<Violation>,
}

#[derive(Debug)]
struct Entry<'a> {
    name: &'a str,
    value: &'a Json,
    read: bool,
}

impl<'a> Fields<'a> {
    /// Begins with the request itself, which must be an object.
    pub(crate) fn of_request(json: &'a Json) -> Result<Self, Refusal> {
        match json {
            Json::Object(_) => Ok(Self::new(String::new(), json)),
            other => {
                let message = format!("the request is {}; send one JSON object", other.kind());
                Err(Problem::new(ViolationCode::InvalidType, message).at("").into())
            }
        }
    }

    fn new(path: String, json: &'a Json) -> Self {
        let entries = match json {
            Json::Object(entries) => {
                entries.iter().map(|(name, value)| Entry { name, value, read: false }).collect()
            }
            _ => Vec::new(),
        };
        Self { path, entries, known: Vec::new(), violations: Vec::new() }
    }

    /// The names that were sent.
    pub(crate) fn names(&self) -> Vec<&'a str> {
        self.entries.iter().map(|entry| entry.name).collect()
    }

    /// Every field as an object of its own, whatever its name; a second one of a name is a violation.
    pub(crate) fn members<T>(
        &mut self,
        mut parse: impl FnMut(&str, &mut Fields<'a>) -> Option<T>,
    ) -> Vec<T> {
        let mut members = Vec::new();
        for n in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(n) else { break };
            entry.read = true;
            let (name, json) = (entry.name, entry.value);
            if self.entries.iter().take(n).any(|before| before.name == name) {
                self.note(name, sent_twice());
            }
            members.extend(self.nested(name, json, |fields| parse(name, fields)));
        }
        members
    }

    /// The value of the field `name`, if it was sent; a second one is a violation.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        let mut found = None;
        let mut again = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.name == name) {
            entry.read = true;
            again |= found.is_some();
            found = found.or(Some(entry.value));
        }
        if again {
            self.note(name, sent_twice());
        }
        found
    }

    /// The field `name` as `parse` reads it; `None` if it was not sent, or is wrong.
    pub(crate) fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Json) -> Result<T, Problem>,
    ) -> Option<T> {
        let parsed = parse(self.take(name)?);
        self.keep(name, parsed)
    }

    /// As [`read`](Self::read), with a violation where the field was not sent.
    pub(crate) fn require<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Json) -> Result<T, Problem>,
    ) -> Option<T> {
        let Some(json) = self.take(name) else {
            self.note(name, Problem::new(ViolationCode::MissingField, "is required; send it"));
            return None;
        };
        self.keep(name, parse(json))
    }

    /// Whether the field `name` was sent as `null`; if so, it counts as read.
    pub(crate) fn take_null(&mut self, name: &'static str) -> bool {
        let is_null = self
            .entries
            .iter()
            .find(|entry| entry.name == name)
            .is_some_and(|entry| *entry.value == Json::Null);
        if is_null {
            self.take(name);
        }
        is_null
    }

    /// As [`read`](Self::read), where `null` means the same as not sending it.
    pub(crate) fn read_or_null<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a Json) -> Result<T, Problem>,
    ) -> Option<T> {
        if self.take_null(name) { None } else { self.read(name, parse) }
    }

    /// The field `name` as an object whose own fields `parse` reads.
    pub(crate) fn object<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&mut Fields<'a>) -> Option<T>,
    ) -> Option<T> {
        let json = self.take(name)?;
        self.nested(name, json, parse)
    }

    /// The field `name` as an array of at most `most` items, each read by `parse`; wrong ones are left out.
    pub(crate) fn array<T>(
        &mut self,
        name: &'static str,
        most: usize,
        mut parse: impl FnMut(&'a Json) -> Result<T, Problem>,
    ) -> Option<Vec<T>> {
        let items = self.items(name, most)?;
        let mut parsed = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            match parse(item) {
                Ok(value) => parsed.push(value),
                Err(problem) => self.note(&format!("{name}[{n}]"), problem),
            }
        }
        Some(parsed)
    }

    /// As [`array`](Self::array), of objects, where `null` means the same as not sending it.
    pub(crate) fn objects_or_null<T>(
        &mut self,
        name: &'static str,
        most: usize,
        mut parse: impl FnMut(&mut Fields<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.take_null(name) {
            return None;
        }
        let items = self.items(name, most)?;
        let mut parsed = Vec::with_capacity(items.len());
        for (n, item) in items.iter().enumerate() {
            parsed.extend(self.nested(&format!("{name}[{n}]"), item, &mut parse));
        }
        Some(parsed)
    }

    fn items(&mut self, name: &'static str, most: usize) -> Option<&'a [Json]> {
        let items = self.read(name, Json::as_array)?;
        if items.len() > most {
            let message = format!("has {} items; send at most {most}", items.len());
            self.note(name, Problem::value(message));
            return None;
        }
        Some(items)
    }

    fn nested<T>(
        &mut self,
        name: &str,
        json: &'a Json,
        parse: impl FnOnce(&mut Fields<'a>) -> Option<T>,
    ) -> Option<T> {
        if !matches!(json, Json::Object(_)) {
            self.note(name, json.wrong_type("an object"));
            return None;
        }
        let mut fields = Fields::new(format!("{}{name}.", self.path), json);
        let parsed = parse(&mut fields);
        self.violations.append(&mut fields.violations_of_the_rest());
        parsed
    }

    /// Notes a violation of the field `name`; of the object itself where `name` is empty.
    pub(crate) fn note(&mut self, name: &str, problem: Problem) {
        let path = match name {
            "" => self.path.trim_end_matches('.').into(),
            name => format!("{}{name}", self.path),
        };
        self.violations.push(problem.at(path));
    }

    fn keep<T>(&mut self, name: &str, parsed: Result<T, Problem>) -> Option<T> {
        parsed.map_err(|problem| self.note(name, problem)).ok()
    }

    fn violations_of_the_rest(mut self) -> Vec<Violation> {
        let mut unknown: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !entry.read && !unknown.contains(&entry.name) {
                unknown.push(entry.name);
            }
        }
        for (n, name) in unknown.into_iter().enumerate() {
            let message = match self.known.iter().find(|known| resembles(known, name)) {
                Some(known) => format!("is not a field; did you mean {known}?"),
                None if self.known.is_empty() => "is not a field; send none".into(),
                None if n == 0 => format!("is not a field; send only {}", self.known.join(", ")),
                None => "is not a field".into(),
            };
            // A key can be anything, and as long as a request.
            let shown = if crate::text::is_name(name) { name.into() } else { quoted(name) };
            self.note(&shown, Problem::new(ViolationCode::UnknownField, message));
        }
        self.violations
    }

    /// `value`, if everything was right and nothing was left unread; otherwise every violation.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Refusal> {
        let mut violations = self.violations_of_the_rest();
        // A request of nothing but mistakes must not be answered with a text many times its size.
        let more = violations.len().saturating_sub(VIOLATIONS_MAX);
        if more > 0 {
            violations.truncate(VIOLATIONS_MAX);
            violations
                .push(Problem::value(format!("{more} more violations are not listed")).at(""));
        }
        match value {
            Some(value) if violations.is_empty() => Ok(value),
            _ => Err(Refusal::Invalid(violations)),
        }
    }
}

/// What is wrong with a field that is there more than once.
pub(crate) fn sent_twice() -> Problem {
    Problem::new(ViolationCode::DuplicateField, "is sent twice; send it once")
}

/// Whether a person who wrote `name` meant `known`: alike but for case and separators.
fn resembles(known: &str, name: &str) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect::<String>()
    };
    plain(known) == plain(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(text: &str) -> Vec<String> {
        let json = Json::parse(text.as_bytes()).unwrap();
        let mut fields = Fields::of_request(&json).unwrap();
        fields.require("name", Json::as_str);
        fields.read("age", |json| json.as_integer(0, 9999));
        fields.array("tags", 2, Json::as_str);
        fields.object("home", |home| home.require("city", Json::as_str));
        match fields.finish(Some(())) {
            Ok(()) => Vec::new(),
            Err(refusal) => refusal
                .violations()
                .iter()
                .map(|violation| format!("{} {violation}", violation.code))
                .collect(),
        }
    }

    #[test]
    fn every_violation_is_found_with_its_path() {
        assert_eq!(
            violations(r#"{"name":"x","age":3600.0,"tags":[],"home":{"city":"y"}}"#),
            [""; 0]
        );
        assert_eq!(
            violations(
                r#"{"age":1.5,"age":2,"Na_me":"x","tags":[1,"a"],"home":{"City":"y"},"zip":1}"#
            ),
            [
                "missing_field name: is required; send it",
                "duplicate_field age: is sent twice; send it once",
                "invalid_type age: 1.5 is not an integer; send one",
                "invalid_type tags[0]: is a number; send a string",
                "missing_field home.city: is required; send it",
                "unknown_field home.City: is not a field; did you mean city?",
                "unknown_field Na_me: is not a field; did you mean name?",
                "unknown_field zip: is not a field",
            ]
        );
        assert_eq!(
            violations(r#"{"name":null,"tags":["a","b","c"],"home":[]}"#),
            [
                "invalid_type name: is null; send a string",
                "invalid_value tags: has 3 items; send at most 2",
                "invalid_type home: is an array; send an object",
            ]
        );
    }

    #[test]
    fn what_is_not_one_json_object_is_refused_whole() {
        let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
        for text in ["", "{", "{}{}", "{\"a\":\"\\ud800\"}", "nul", "\u{feff}{}", &deep] {
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"{\"a\":\"\xff\"}").is_err());
        assert_eq!(
            Json::parse(&vec![b' '; REQUEST_MAX_BYTES + 1]),
            Err(Refusal::TooLarge(REQUEST_MAX_BYTES))
        );
        assert!(Fields::of_request(&Json::Array(Vec::new())).is_err());
    }
}
