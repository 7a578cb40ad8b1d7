//! [`Reply`], a response as it came, and what of it only HTTP has: status, headers, the media type.

use super::Answer;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

/// The status that goes with each code.
const STATUS: [(&str, u16); 18] = [
    ("bad_request", 400),
    ("resource_in_use", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("insufficient_plan", 403),
    ("not_found", 404),
    ("project_not_found", 404),
    ("not_supported", 404),
    ("method_not_allowed", 405),
    ("already_exists", 409),
    ("payload_too_large", 413),
    ("unsupported_media_type", 415),
    ("idempotency_key_reuse", 422),
    ("rate_limited", 429),
    ("internal_error", 500),
    ("outcome_unknown", 500),
    ("unavailable", 503),
    ("storage_full", 507),
];

/// Headers that belong to some answers and to no other.
const PLACED: [&str; 6] = [
    "location",
    "preference-applied",
    "idempotency-replayed",
    "x-has-more",
    "x-next-cursor",
    "x-next-offset",
];

/// The preference by which a create returns what is there.
pub(super) const ENSURE: &str = "resolution=ignore-duplicates";

/// A response, and what is wrong with it as a response.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null where there is none.
    pub body: Value,
    /// What no response should be like; empty for a good one.
    pub faults: Vec<String>,
}

impl Reply {
    /// Reads any response but a dump, and checks what is true of all of them.
    pub fn read(response: Response<Vec<u8>>) -> Self {
        let (head, bytes) = response.into_parts();
        let mut reply =
            Self { status: head.status, headers: head.headers, body: Value::Null, faults: vec![] };
        reply.read_body(&bytes);
        reply.check_code();
        reply.check_retry();
        for name in reply.headers.keys() {
            if reply.headers.get_all(name).iter().count() > 1 {
                reply.faults.push(format!("{name} is sent more than once"));
            }
        }
        reply
    }

    /// The value of a header; empty where it is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    fn read_body(&mut self, bytes: &[u8]) {
        if self.status == StatusCode::NO_CONTENT {
            if !bytes.is_empty() || self.headers.contains_key(CONTENT_TYPE) {
                self.faults.push("a 204 has no body".into());
            }
            return;
        }
        if self.header("content-type") != Some("application/json") {
            let found = self.headers.get(CONTENT_TYPE);
            self.faults.push(format!("content-type should be application/json, not {found:?}"));
        }
        match serde_json::from_slice(bytes) {
            Ok(body) => self.body = body,
            Err(error) => self.faults.push(format!("the body is no JSON: {error}")),
        }
    }

    fn check_code(&mut self) {
        if self.status.is_success() {
            return;
        }
        let Some(code) = self.body["code"].as_str() else {
            return self.faults.push(format!("a {} has a code", self.status));
        };
        if !STATUS.contains(&(code, self.status.as_u16())) {
            self.faults.push(format!("{code} should not be a {}", self.status));
        }
        for (status, name) in [(401, WWW_AUTHENTICATE), (405, ALLOW), (503, RETRY_AFTER)] {
            if (self.status.as_u16() == status) != self.headers.contains_key(&name) {
                self.faults.push(format!("{name} belongs to a {status}, and to nothing else"));
            }
        }
    }

    /// The official clients try again after a 408, 409, 429 and 5xx, unless they are told not to.
    fn check_retry(&mut self) {
        let expected = match self.status.as_u16() {
            429 | 503 => None,
            400..500 | 507 => Some("false"),
            // It depends on what failed.
            500.. => return,
            _ => None,
        };
        self.same("x-should-retry", expected);
    }

    fn same(&mut self, name: &str, expected: Option<&str>) {
        let found = self.header(name);
        if found != expected {
            let fault = format!("{name} should be {expected:?}, not {found:?}");
            self.faults.push(fault);
        }
    }

    /// Checks that of the headers that belong to some answers these are there, and no other.
    fn placed(&mut self, expected: &[(&str, &str)]) {
        for name in PLACED {
            let expected = expected.iter().find(|(of, _)| *of == name);
            self.same(name, expected.map(|(_, value)| *value));
        }
    }

    /// The answer of an operation that shows an object.
    pub(super) fn found(mut self) -> Answer {
        if self.status != StatusCode::OK {
            return self.refused();
        }
        self.placed(&[]);
        Answer { faults: self.faults, ..Answer::found(self.body) }
    }

    /// The answer of an operation that removes something.
    pub(super) fn done(mut self) -> Answer {
        if self.status != StatusCode::NO_CONTENT {
            return self.refused();
        }
        self.placed(&[]);
        Answer { faults: self.faults, ..Answer::done() }
    }

    /// The answer of a create, which was asked to return what is there, or not.
    pub(super) fn creation(mut self, ensure: bool) -> Answer {
        let replayed = self.header("idempotency-replayed") == Some("true");
        let is = match self.status {
            StatusCode::CREATED if replayed => "replayed",
            StatusCode::CREATED => "created",
            StatusCode::OK => "existing",
            StatusCode::CONFLICT => "conflict",
            _ => return self.refused(),
        };
        let id = if is == "conflict" { "existing_id" } else { "id" };
        let location =
            format!("/auth/connections/{}", self.body[id].as_str().unwrap_or("that is missing"));
        let mut expected = vec![("location", location.as_str())];
        if is == "replayed" {
            expected.push(("idempotency-replayed", "true"));
        }
        if ensure {
            expected.push(("preference-applied", ENSURE));
        }
        self.placed(&expected);
        Answer { is: is.into(), body: self.body, faults: self.faults, ..Answer::default() }
    }

    /// The answer of a list: one that can be entered by counting, from `offset` on, or one that cannot.
    pub(super) fn page(mut self, offset: Option<Entry>) -> Answer {
        let items = match &self.body {
            Value::Array(items) if self.status == StatusCode::OK => items.clone(),
            _ => return self.refused(),
        };
        let next = self.header("x-next-cursor").map(str::to_owned);
        // Who goes by cursor is not counted.
        let next_offset = match (&next, offset) {
            (None, Some(Entry::Offset(_))) => Some("0".to_owned()),
            (Some(_), Some(Entry::Offset(offset))) => Some((offset + items.len()).to_string()),
            _ => None,
        };
        let more = if next.is_some() { "true" } else { "false" };
        let mut expected = vec![("x-has-more", more)];
        expected.extend(next.as_deref().map(|next| ("x-next-cursor", next)));
        expected.extend(next_offset.as_deref().map(|offset| ("x-next-offset", offset)));
        self.placed(&expected);
        let items = items.into_iter().map(Answer::found);
        Answer { next, faults: self.faults, ..Answer::list(items) }
    }

    /// The answer by its code; by its status, which no case expects, where nothing was refused.
    pub(super) fn refused(mut self) -> Answer {
        self.placed(&[]);
        let is = self.body["code"].as_str().map_or_else(|| self.status.to_string(), Into::into);
        Answer { is, body: self.body, faults: self.faults, ..Answer::default() }
    }
}

/// Where a page was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// After so many items.
    Offset(usize),
    /// Where a cursor said.
    Cursor,
}
