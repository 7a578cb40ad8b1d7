//! Query parameters and headers, read as the fields of a request are.

use super::reply::Reply;
use crate::json::{Fields, sent_twice};
use crate::page::{ListQuery, PageQuery};
use crate::{IdempotencyKey, Json, Problem, Refusal, ViolationCode};
use http::header::HeaderMap;

/// The furthest that a list can be entered by counting; cursors go on from there.
const OFFSET_MAX: u32 = 100_000;

/// The query parameters as an object; numbers where they look like some.
pub(crate) fn query(text: Option<&str>, numbers: &[&str]) -> Json {
    let pairs = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
    Json::Object(
        pairs
            .map(|(name, value)| {
                let is_number = numbers.contains(&name.as_ref());
                let number = if is_number { whole(&value) } else { None };
                let json = number.map_or_else(|| Json::String(value.into()), Json::Number);
                (name.into(), json)
            })
            .collect(),
    )
}

/// The number that a text of digits stands for, rounded beyond 2^53. Not `str::parse`, which knows fractions and exponents
/// and carries 10 KiB of tables for them.
fn whole(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.bytes().fold(0.0, |sum, digit| sum * 10.0 + f64::from(digit - b'0'));
    Some(if digits.len() < text.len() { -number } else { number })
}

/// The parameters of the list of connections: what to list, and how many to pass over.
pub(crate) fn list(text: Option<&str>) -> Result<(ListQuery, usize), Reply> {
    let json = query(text, &["limit", "offset"]);
    let mut fields = Fields::of_request(&json)?;
    let offset = read_offset(&mut fields);
    let query = ListQuery::read(&mut fields);
    if query.page.cursor.is_some() && offset.is_some() {
        let message = "cannot go with cursor; send either";
        fields.note("offset", Problem::value(message));
    }
    Ok(fields.finish(Some((query, offset.unwrap_or(0) as usize)))?)
}

fn read_offset(fields: &mut Fields<'_>) -> Option<u32> {
    fields.read("offset", |json| match json.as_integer(0, OFFSET_MAX) {
        Err(problem) if problem.code == ViolationCode::InvalidValue => {
            let message = format!("{}; go further with a cursor", problem.message);
            Err(Problem::new(problem.code, message))
        }
        read => read,
    })
}

/// The parameters of an unfiltered list.
pub(crate) fn page(text: Option<&str>) -> Result<PageQuery, Reply> {
    Ok(PageQuery::from_json(&query(text, &["limit"]))?)
}

/// Refuses every query parameter, where an operation has none.
pub(crate) fn none(text: Option<&str>) -> Result<(), Reply> {
    if text.is_none_or(str::is_empty) {
        return Ok(());
    }
    let json = query(text, &[]);
    Ok(Fields::of_request(&json)?.finish(Some(()))?)
}

/// The idempotency key, if one was sent.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Refusal> {
    const NAME: &str = "Idempotency-Key";
    let mut sent = headers.get_all(NAME).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(sent_twice().at(NAME).into());
    }
    // What is not visible ASCII is refused with the key's own words.
    let text = value.to_str().unwrap_or_default();
    text.parse().map(Some).map_err(|problem: Problem| problem.at(NAME).into())
}

/// The preference by which a create returns what is there.
pub(crate) const ENSURE: &str = "resolution=ignore-duplicates";

/// Whether the caller prefers the connection that is there to a conflict. Other preferences are not known here, and
/// may be ignored.
pub(crate) fn prefers_existing(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| {
            // RFC 7240 allows quotes, blanks and parameters.
            let preference = preference.split(';').next().unwrap_or_default();
            let plain = preference.split('=').map(|part| part.trim().trim_matches('"'));
            plain.collect::<Vec<_>>().join("=").eq_ignore_ascii_case(ENSURE)
        })
}
