//! [`HttpSubject`], a store behind the HTTP API: operations as requests, responses as the answers that they are.

use super::reply::{ENSURE, Entry, Reply};
use super::{Answer, Create, Operation, Subject};
use connectory::Missing;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Builder;
use http::{Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// Everything but what an address may have anywhere.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const CONNECTIONS: &str = "/auth/connections";

/// A way to whoever answers requests. Addresses have a path and a query only.
pub trait Transport {
    /// Sends a request and waits for the response to it.
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>>;
}

impl<T: Transport> Transport for &mut T {
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        (**self).send(request)
    }
}

/// A store behind the HTTP API. It can do what the API can, see [`Operation::goes_over_http`].
#[derive(Debug)]
pub struct HttpSubject<T> {
    transport: T,
}

impl<T: Transport> HttpSubject<T> {
    /// The store at the other end.
    pub fn new(transport: T) -> Self {
        Self { transport }
    }

    fn bare(&mut self, request: Builder) -> Reply {
        let request = request.body(Vec::new()).expect("a request");
        Reply::read(self.transport.send(request))
    }

    fn json(&mut self, request: Builder, body: &str) -> Reply {
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = request.body(body.into()).expect("a request");
        Reply::read(self.transport.send(request))
    }

    fn create(&mut self, create: &Create) -> Answer {
        let mut request = Request::post(CONNECTIONS);
        if let Some(key) = &create.key {
            let key = HeaderValue::from_bytes(key.as_bytes()).expect("a key that a header can be");
            request = request.header("idempotency-key", key);
        }
        if create.ensure {
            request = request.header("prefer", ENSURE);
        }
        self.json(request, &create.body).creation(create.ensure)
    }

    /// There is no look-up by a pair; a list with both filters is one.
    fn find(&mut self, profile: &str, domain: &str) -> Answer {
        let listed = self.list(&json!({"profile_name": profile, "domain": domain}));
        if listed.is != "listed" {
            return listed;
        }
        let mut faults = listed.faults;
        if listed.items.len() > 1 {
            faults.push("a pair has one connection at most".into());
        }
        let missing = Missing::Pair(profile.into(), domain.into());
        let found = listed.items.into_iter().next();
        Answer { faults, ..found.unwrap_or_else(|| Answer::error(&missing.into())) }
    }

    fn list(&mut self, query: &Value) -> Answer {
        let has_cursor = query.get("cursor").is_some();
        let entry = if has_cursor { Entry::Cursor } else { Entry::Offset(0) };
        self.bare(Request::get(with_query(CONNECTIONS, query))).page(Some(entry))
    }
}

impl<T: Transport> Subject for HttpSubject<T> {
    fn perform(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Create(create) => self.create(create),
            // There is no such request; one after the other is the same.
            Operation::CreateMany(rows) => {
                let answers: Vec<_> = rows.iter().map(|row| self.create(row)).collect();
                Answer::list(answers.into_iter())
            }
            Operation::Update(id, body) => {
                self.json(Request::patch(below(CONNECTIONS, id)), body).found()
            }
            Operation::Get(id) => self.bare(Request::get(below(CONNECTIONS, id))).found(),
            Operation::Find(profile, domain) => self.find(profile, domain),
            Operation::Delete(id) => self.bare(Request::delete(below(CONNECTIONS, id))).done(),
            Operation::List(query) => self.list(query),
            Operation::Profiles(query) => {
                self.bare(Request::get(with_query("/profiles", query))).page(None)
            }
            Operation::DeleteProfile(name) => {
                self.bare(Request::delete(below("/profiles", name))).done()
            }
            Operation::RegisterProxy(id, None) => {
                self.bare(Request::put(below("/proxies", id))).found()
            }
            Operation::RegisterProxy(id, Some(name)) => {
                let body = json!({"name": name}).to_string();
                self.json(Request::put(below("/proxies", id)), &body).found()
            }
            Operation::Proxies(query) => {
                self.bare(Request::get(with_query("/proxies", query))).page(None)
            }
            Operation::RemoveProxy(id) => self.bare(Request::delete(below("/proxies", id))).done(),
            Operation::Record(..)
            | Operation::Allows(..)
            | Operation::Changes { .. }
            | Operation::Reopen(_) => panic!("{operation:?} has no form over HTTP"),
        }
    }

    fn dump(&mut self) -> String {
        let request = Request::get("/dump").body(Vec::new()).expect("a request");
        let response = self.transport.send(request);
        assert_eq!(response.status(), StatusCode::OK, "a dump");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/jsonl");
        String::from_utf8(response.into_body()).expect("a dump in UTF-8")
    }
}

/// The place of `name` below `path`.
fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", utf8_percent_encode(name, ENCODED))
}

/// Numbers as text, for a query has no other values.
fn with_query(path: &str, query: &Value) -> String {
    let encoded = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), Into::into);
        let [name, value] = [name, &value].map(|text| utf8_percent_encode(text, ENCODED));
        format!("{name}={value}")
    };
    let members = query.as_object().expect("a query is an object");
    match members.iter().map(encoded).collect::<Vec<_>>().as_slice() {
        [] => path.into(),
        pairs => format!("{path}?{}", pairs.join("&")),
    }
}
