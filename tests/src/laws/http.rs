//! The law of the HTTP API: whatever is sent, the response is one that the API describes.

use super::steady_stamps;
use connectory::http::{
    Access, Api, Body, Cause, Destination, Route, Shard, Shards, allowed_methods,
};
use connectory::{CheckpointMode, Limits, MemoryStorage, Options, REQUEST_MAX_BYTES, Store};
use http::request::Parts;
use http::{Method, Request, Response};
use serde_json::Value;

/// Stands between two requests: no text has it.
const BETWEEN: u8 = 0xff;
/// More requests are not sent.
const REQUESTS_MAX: usize = 16;

/// Two keys: `reader` may read `default`, `root` may do everything everywhere. There is a project `other`, too.
const KEYS: &str = r#"{"projects":{"default":{"plan":"startup","cap":3},"other":{}},"keys":[
{"sha256":"3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30","projects":["default"],"scopes":["read"]},
{"sha256":"4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2","projects":"*","scopes":["read","write","admin"]}]}"#;

/// Sends the requests of `input` to a store, one after the other. Each is text: a line of method and address, lines of
/// headers, an empty line, the body; byte 255 stands between two. The first letter of all says to which API: `k`
/// wants keys, `s` is one of two shards, any other is open to all.
///
/// # Panics
///
/// Where a response is not as it should be.
pub fn http(input: &[u8]) {
    let Some((kind, requests)) = input.split_first() else { return };
    let options = Options::with_stamps(steady_stamps()).cache_bytes(1 << 20);
    let options = options.checkpoint_mode(CheckpointMode::Inline);
    let options =
        if *kind == b'k' { options.cap(Some(3)).plan(connectory::Plan::Startup) } else { options };
    let store = Store::open_with(MemoryStorage::default(), options).expect("a new store");
    let access = match kind {
        b'k' => Access::from_json(KEYS.as_bytes()).expect("rules"),
        _ => Access::open("default", Limits::default()),
    };
    let mut api = Api::new(access, store.clone());
    if *kind == b's' {
        let shards = Shards::new(2).expect("a power of two");
        api = api.of_shard(Shard::new(shards, 1).expect("one of them"));
    }
    for text in requests.split(|byte| *byte == BETWEEN).take(REQUESTS_MAX) {
        if let Some((head, body)) = parse(text) {
            exchange(&api, &store, &head, body);
        }
    }
    let report = store.check().expect("it can be checked");
    assert!(report.is_sound(), "{report:?}");
}

/// The request that a text stands for, if a server would hand it on.
fn parse(text: &[u8]) -> Option<(Parts, &[u8])> {
    let mut rest = text;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end)?;
        rest = after.get(1..).unwrap_or_default();
        Some(line)
    };
    let first = line()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let (method, address) = (first.get(..space)?, first.get(space + 1..)?);
    let mut request = Request::builder().method(method).uri(address);
    loop {
        let header = line()?;
        if header.is_empty() {
            break;
        }
        let colon = header.iter().position(|byte| *byte == b':')?;
        request = request.header(header.get(..colon)?, header.get(colon + 1..)?.trim_ascii());
    }
    let (head, ()) = request.body(()).ok()?.into_parts();
    Some((head, rest))
}

/// A response, all of it.
#[derive(Debug, PartialEq)]
struct Got {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Got {
    fn of(response: Response<Body>) -> Self {
        assert!(response.extensions().get::<Cause>().is_none(), "nothing can fail: {response:?}");
        let (head, body) = response.into_parts();
        let text = |value: &http::HeaderValue| value.to_str().expect("plain text").to_owned();
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = match body {
            Body::Bytes(bytes) => bytes,
            Body::Dump(lines) => {
                lines.flat_map(|line| (line.expect("a line") + "\n").into_bytes()).collect()
            }
        };
        Self { status: head.status.as_u16(), headers, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

fn send(api: &Api<Store>, head: &Parts, body: &[u8]) -> Got {
    if !Route::is_load(&head.method, head.uri.path()) {
        return Got::of(api.respond(head, body));
    }
    let text = String::from_utf8_lossy(body);
    let lines: Vec<_> = text.lines().map(|line| Ok(line.to_owned())).collect();
    Got::of(api.respond_to_load(head, lines))
}

fn exchange(api: &Api<Store>, store: &Store, head: &Parts, body: &[u8]) {
    assert_has_a_destination(head, body);
    let before = store.stats().expect("it is open");
    let got = send(api, head, body);
    let after = store.stats().expect("it is open");
    let method = &head.method;
    match got.status {
        200 | 201 | 204 => assert_is_an_answer(&got),
        409 => assert_is_a_conflict(&got),
        _ => assert_is_a_refusal(&got),
    }
    // A refused one changes nothing; nor does a look, which is answered the same again.
    if got.status >= 400 || method == Method::GET {
        assert_eq!(before, after, "{method} {} {}", head.uri, got.status);
    }
    if method == Method::GET {
        assert_eq!(send(api, head, body), got, "the same once more");
    }
    let path = head.uri.path();
    match got.status {
        405 => {
            let allowed = got.header("allow").expect("what is allowed");
            assert_eq!(Some(allowed), allowed_methods(path).as_deref());
            assert!(
                allowed.split(", ").all(|one| one != method.as_str()),
                "{method} is not allowed"
            );
        }
        413 => assert!(body.len() > REQUEST_MAX_BYTES, "{} bytes are fine", body.len()),
        401 => assert_eq!(got.header("www-authenticate"), Some("Bearer")),
        // What was created is where it says.
        201 => {
            let location = got.header("location").expect("where it is");
            let id = got.json()["id"].as_str().expect("an ID").to_owned();
            assert_eq!(location, format!("/auth/connections/{id}"));
            let connection = store.get(id.parse().expect("an ID")).expect("a look succeeds");
            let shown = serde_json::to_vec(&connection.expect("it is there")).expect("JSON");
            assert_eq!(String::from_utf8_lossy(&shown), String::from_utf8_lossy(&got.body));
        }
        _ => {}
    }
    assert!(body.len() <= REQUEST_MAX_BYTES || !matches!(got.status, 201 | 409), "too large");
}

/// Asserts that a request belongs to some shard that there is, whatever it is.
fn assert_has_a_destination(head: &Parts, body: &[u8]) {
    for count in [1, 4] {
        let shards = Shards::new(count).expect("a power of two");
        if let Destination::Shard(shard) = shards.destination(head, body) {
            assert!(shard < count);
        }
    }
}

fn assert_is_an_answer(got: &Got) {
    if got.status == 204 {
        assert!(got.body.is_empty() && got.header("content-type").is_none());
        return;
    }
    match got.header("content-type") {
        Some("application/json") => drop(got.json()),
        Some("application/jsonl") => {
            let text = std::str::from_utf8(&got.body).expect("text");
            for line in text.lines() {
                serde_json::from_str::<Value>(line).expect("each line is JSON");
            }
        }
        other => panic!("{other:?}"),
    }
}

fn keys(json: &Value) -> Vec<&str> {
    json.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn assert_is_a_conflict(got: &Got) {
    let json = got.json();
    assert_eq!(keys(&json), ["code", "message", "existing_id"]);
    assert_eq!(json["code"], "already_exists");
    assert_eq!(got.header("x-should-retry"), Some("false"));
    let id = json["existing_id"].as_str().expect("an ID");
    assert_eq!(got.header("location"), Some(format!("/auth/connections/{id}").as_str()));
}

/// Asserts that it has a code that belongs to its status, says something, and is not to be sent again.
fn assert_is_a_refusal(got: &Got) {
    let json = got.json();
    let code = json["code"].as_str().expect("a code");
    let codes: &[&str] = match got.status {
        400 => &["bad_request", "resource_in_use"],
        401 => &["unauthorized"],
        403 => &["forbidden", "insufficient_plan"],
        404 => &["not_found", "not_supported", "project_not_found"],
        405 => &["method_not_allowed"],
        413 => &["payload_too_large"],
        415 => &["unsupported_media_type"],
        421 => &["misdirected"],
        422 => &["idempotency_key_reuse"],
        other => panic!("{other} is no status of the API"),
    };
    assert!(codes.contains(&code), "{code} with {}", got.status);
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("x-should-retry"), Some("false"), "it will be refused again");
    assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()));
    if code != "bad_request" {
        return assert_eq!(keys(&json), ["code", "message"]);
    }
    assert_eq!(keys(&json), ["code", "message", "details"]);
    let details = json["details"].as_array().expect("details");
    assert!(!details.is_empty());
    for detail in details {
        assert_eq!(keys(detail), ["code", "message"]);
        assert!(detail["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}
