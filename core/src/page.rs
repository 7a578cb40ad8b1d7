//! [`Page`], a part of a list; [`PageLimit`] and [`Cursor`], which part.

use crate::json::Fields;
use crate::{ConnectionId, Domain, Error, Json, Problem, ProfileName, ProxyId, Refusal};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// How many items a page has at most: 1 to 100, by default 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(usize);

impl PageLimit {
    /// The largest page.
    pub const MAX: Self = Self(100);

    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// A [`Problem`] for 0 and above 100.
    pub fn new(items: usize) -> Result<Self, Problem> {
        if (1..=Self::MAX.0).contains(&items) {
            Ok(Self(items))
        } else {
            Err(Problem::value(format!("{items} is out of bounds; send 1 to 100")))
        }
    }

    /// The number of items.
    pub fn items(self) -> usize {
        self.0
    }

    fn read(json: &Json) -> Result<Self, Problem> {
        Ok(Self(json.as_integer(1, 100)? as usize))
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(20)
    }
}

/// Where a list goes on: opaque, and good for as long as the store, whatever is written meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    list: List,
    /// The last item of the page before: an ID or a name.
    after: Box<str>,
}

/// Which list a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum List {
    Connections,
    Profiles,
    Proxies,
}

impl List {
    fn letter(self) -> &'static str {
        match self {
            Self::Connections => "c",
            Self::Profiles => "p",
            Self::Proxies => "x",
        }
    }

    /// Whether an item of this list can be called so.
    fn can_end_with(self, item: &str) -> bool {
        match self {
            Self::Connections => item.parse::<ConnectionId>().is_ok(),
            Self::Profiles => item.parse::<ProfileName>().is_ok(),
            Self::Proxies => item.parse::<ProxyId>().is_ok(),
        }
    }
}

impl Cursor {
    pub(crate) fn after(list: List, item: &impl fmt::Display) -> Self {
        Self { list, after: item.to_string().into() }
    }

    /// The item after which `list` goes on.
    pub(crate) fn position<T: FromStr>(
        cursor: Option<&Self>,
        list: List,
    ) -> Result<Option<T>, Error> {
        let Some(cursor) = cursor else { return Ok(None) };
        match cursor.after.parse() {
            Ok(item) if cursor.list == list => Ok(Some(item)),
            _ => Err(Refusal::from(not_a_cursor().at("cursor")).into()),
        }
    }
}

fn not_a_cursor() -> Problem {
    Problem::value("is not a cursor of this list; send one that a page of it came with")
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.list.letter(), self.after)
    }
}

impl FromStr for Cursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (letter, after) = text.split_once('.').ok_or_else(not_a_cursor)?;
        [List::Connections, List::Profiles, List::Proxies]
            .into_iter()
            .find(|list| list.letter() == letter && list.can_end_with(after))
            .map(|list| Self { list, after: after.into() })
            .ok_or_else(not_a_cursor)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the list goes on; `None` on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<Cursor>,
}

/// Which part of an unfiltered list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// The most items to return.
    pub limit: PageLimit,
    /// Where to go on; `None` for the beginning.
    pub cursor: Option<Cursor>,
}

impl PageQuery {
    /// Reads `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] with every violation.
    pub fn from_json(json: &Json) -> Result<Self, Refusal> {
        let mut fields = Fields::of_request(json)?;
        let query = Self::read(&mut fields);
        fields.finish(Some(query))
    }

    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            limit: fields.read("limit", PageLimit::read).unwrap_or_default(),
            cursor: fields.read("cursor", Json::parse_str),
        }
    }
}

/// Which connections to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only those of this profile.
    pub profile_name: Option<ProfileName>,
    /// Only those of this domain.
    pub domain: Option<Domain>,
    /// Only the one with this ID, and those whose domain or profile name begins with it.
    pub query: Option<String>,
    /// Which part of them.
    pub page: PageQuery,
}

impl ListQuery {
    /// Whether nothing is filtered.
    pub(crate) fn is_of_all(&self) -> bool {
        self.profile_name.is_none()
            && self.domain.is_none()
            && self.query.as_deref().is_none_or(str::is_empty)
    }

    /// Reads `profile_name`, `domain`, `query`, `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] with every violation.
    pub fn from_json(json: &Json) -> Result<Self, Refusal> {
        let mut fields = Fields::of_request(json)?;
        let query = Self::read(&mut fields);
        fields.finish(Some(query))
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            profile_name: fields.read("profile_name", Json::parse_str),
            domain: fields.read("domain", Json::parse_str),
            query: fields.read("query", |json| json.as_str().map(Into::into)),
            page: PageQuery::read(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_belongs_to_its_list() {
        let name: ProfileName = "user.1".parse().unwrap();
        let cursor = Cursor::after(List::Profiles, &name);
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        assert_eq!(Cursor::position(Some(&cursor), List::Profiles).unwrap(), Some(name));
        assert!(Cursor::position::<ProfileName>(Some(&cursor), List::Connections).is_err());
        for bad in ["", "c", "z.a"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_held_to_their_bounds() {
        for (json, ok) in [("1", true), ("100", true), ("0", false), ("101", false), ("-1", false)]
        {
            let json = Json::parse(format!("{{\"limit\":{json}}}").as_bytes()).unwrap();
            assert_eq!(PageQuery::from_json(&json).is_ok(), ok, "{json:?}");
        }
    }
}
