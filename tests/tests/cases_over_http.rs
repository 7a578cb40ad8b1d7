//! The HTTP mapping answers every case as the engine does, and keeps the rules that only HTTP has.

use connectory::http::{Access, Api, Stores};
use connectory::{CommitMode, Limits, Options, REQUEST_MAX_BYTES, Store, StoreError};
use connectory_tests::cases::{
    self, Answer, Create, EngineSubject, HttpSubject, Operation, OverHttp, Reply, Subject,
    Transport,
};
use connectory_tests::hooked::{Call, Hooked};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

connectory_tests::replay_every_file!(OverHttp::open);

/// The engine twice, once behind HTTP: both get the same stamps, so both must say the same.
struct Twins {
    engine: EngineSubject,
    http: OverHttp,
}

impl Subject for Twins {
    fn perform(&mut self, operation: &Operation) -> Answer {
        let spoken = self.engine.perform(operation);
        let mut answer = self.http.perform(operation);
        let [spoken, sent] = [&spoken, &answer].map(|answer| match operation {
            // A query is text, and may have an offset: the same is wrong with it, but not in the same words.
            Operation::List(_) | Operation::Profiles(_) | Operation::Proxies(_)
                if answer.is == "bad_request" =>
            {
                format!("bad_request {:?}", details(&answer.body))
            }
            _ => letters(answer),
        });
        // A key is a header here, an option there, and called so.
        if sent != spoken && sent != spoken.replace("idempotency_key: ", "Idempotency-Key: ") {
            answer.faults.push(format!("over HTTP it is {sent}, from the engine {spoken}"));
        }
        answer
    }

    fn dump(&mut self) -> String {
        let (engine, http) = (self.engine.dump(), self.http.dump());
        assert_eq!(engine, http.trim_end(), "dumps of twins");
        http
    }
}

fn letters(answer: &Answer) -> String {
    let items: Vec<String> = answer.items.iter().map(letters).collect();
    format!("{} {} {items:?} {:?}", answer.is, answer.body, answer.next)
}

#[test]
fn every_answer_is_the_engines_to_the_letter() {
    for file in cases::files() {
        let failures = file.replay(&mut |opening| {
            let (engine, http) = (EngineSubject::open(opening), OverHttp::open(opening));
            Box::new(Twins { engine, http })
        });
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    }
}

type Tamper = fn(&mut Response<Vec<u8>>);

/// Spoils every response on its way.
struct Tampered(Api<Store>, Tamper);

impl Transport for Tampered {
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let mut response = self.0.send(request);
        self.1(&mut response);
        response
    }
}

#[test]
fn a_response_that_is_not_as_it_should_be_is_reported() {
    let create = |ensure| Create { body: NETFLIX.into(), key: Some("k-1".into()), ensure };
    let conflict = Create { key: None, ..create(false) };
    let (created, conflict) = (Operation::Create(create(false)), Operation::Create(conflict));
    let existing = Create { key: None, ..create(true) };
    let (replayed, existing) = (created.clone(), Operation::Create(existing));
    let (get, delete) = (Operation::Get("ma_1".into()), Operation::RemoveProxy("px-1".into()));
    let list = Operation::List(json!({"limit": 1}));
    let all = [created, replayed, existing, conflict, get, delete, list];
    let found = |tamper: Tamper| -> Vec<usize> {
        let mut api = api();
        assert_eq!(send(&mut api, "PUT /proxies/px-1", &[], "").status, 200);
        let mut subject = HttpSubject::new(Tampered(api, tamper));
        let answers = all.iter().map(|operation| subject.perform(operation));
        let faulty = answers.enumerate().filter(|(_, answer)| !answer.faults.is_empty());
        faulty.map(|(n, _)| n).collect()
    };
    let cases: &[(Tamper, &[usize])] = &[
        (|_| {}, &[]),
        (|response| drop(response.headers_mut().remove("location")), &[0, 1, 2, 3]),
        (|response| drop(response.headers_mut().remove("preference-applied")), &[2]),
        (|response| drop(response.headers_mut().remove("x-should-retry")), &[3, 4]),
        (|response| drop(response.headers_mut().remove("content-type")), &[0, 1, 2, 3, 4, 6]),
        (|response| drop(response.headers_mut().remove("x-has-more")), &[6]),
        (|response| drop(response.headers_mut().remove("x-next-offset")), &[6]),
        (|response| insert(response, "x-should-retry", "false"), &[0, 1, 2, 5, 6]),
        (|response| insert(response, "preference-applied", "x"), &[0, 1, 2, 3, 4, 5, 6]),
        (|response| insert(response, "idempotency-replayed", "false"), &[0, 1, 2, 3, 4, 5, 6]),
        (|response| insert(response, "x-next-offset", "1"), &[0, 1, 2, 3, 4, 5, 6]),
        (|response| insert(response, "allow", "GET"), &[3, 4]),
        (|response| insert(response, "retry-after", "1"), &[3, 4]),
        (|response| insert(response, "content-type", "text/json"), &[0, 1, 2, 3, 4, 5, 6]),
        (|response| response.body_mut().push(b'}'), &[0, 1, 2, 3, 4, 5, 6]),
        (
            |response| {
                if response.status() == 404 {
                    *response.status_mut() = StatusCode::GONE;
                }
            },
            &[4],
        ),
        (
            |response| {
                let again = response.headers().get("location").cloned();
                again.map(|again| response.headers_mut().append("location", again));
            },
            &[0, 1, 2, 3],
        ),
    ];
    for (n, (tamper, faulty)) in cases.iter().enumerate() {
        assert_eq!(found(*tamper), *faulty, "case {n}");
    }
}

fn insert(response: &mut Response<Vec<u8>>, name: &'static str, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

const JSON: (&str, &str) = ("content-type", "application/json");
const NETFLIX: &str = r#"{"domain":"netflix.com","profile_name":"ada"}"#;

fn api() -> Api<Store> {
    Api::new(Access::open("default", Limits::default()), Store::in_memory().unwrap())
}

/// Sends one request, and checks of the response what is true of all.
#[track_caller]
fn send<S: Stores>(
    api: &mut Api<S>,
    line: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Reply {
    let (method, path) = line.split_once(' ').unwrap();
    let request = headers
        .iter()
        .fold(Request::builder().method(method).uri(path), |request, (name, value)| {
            request.header(*name, value.as_bytes())
        });
    let reply = Reply::read(api.send(request.body(body.as_ref().to_vec()).unwrap()));
    assert_eq!(reply.faults, [""; 0], "{line}: {reply:?}");
    reply
}

/// Sends one request, which must be refused so.
#[track_caller]
fn refused<S: Stores>(
    api: &mut Api<S>,
    line: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
    (status, code): (u16, &str),
) -> Reply {
    let reply = send(api, line, headers, body);
    assert_eq!(
        (reply.status.as_u16(), reply.body["code"].as_str()),
        (status, Some(code)),
        "{line}"
    );
    reply
}

/// The violations of an error, as `"code field"`.
fn details(body: &Value) -> Vec<String> {
    let detail = |detail: &Value| {
        let field = detail["message"].as_str().unwrap().split(": ").next().unwrap();
        format!("{} {field}", detail["code"].as_str().unwrap())
    };
    body["details"].as_array().into_iter().flatten().map(detail).collect()
}

fn create(api: &mut Api<Store>, domain: &str) -> String {
    let body = json!({"domain": domain, "profile_name": "ada"}).to_string();
    let reply = send(api, "POST /auth/connections", &[JSON], body);
    assert_eq!(reply.status, 201);
    reply.body["id"].as_str().unwrap().into()
}

#[test]
fn there_is_nothing_at_an_unknown_path() {
    let mut api = api();
    for path in [
        "/",
        "/auth",
        "/auth/",
        "/auth/connection",
        "/Auth/connections",
        "/auth/connections/ma_1/",
        "/auth/connections/ma_1/logins",
        "/auth/connections/ma_1/login/again",
        "//auth/connections",
        "/v1/auth/connections",
        "/profiles/ada/connections",
        "/proxies/px-1/name",
        "/dump/all",
        "/load/",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            refused(&mut api, &format!("{method} {path}"), &[JSON], "{}", (404, "not_found"));
        }
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let mut api = api();
    for (path, allowed) in [
        ("/auth/connections", "GET, POST"),
        ("/auth/connections/ma_1", "GET, PATCH, DELETE"),
        ("/profiles", "GET"),
        ("/profiles/ada", "DELETE"),
        ("/proxies", "GET"),
        ("/proxies/px-1", "PUT, DELETE"),
        ("/dump", "GET"),
        ("/load", "POST"),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            if allowed.split(", ").any(|allowed| allowed == method) {
                continue;
            }
            let line = format!("{method} {path}");
            let reply = refused(&mut api, &line, &[JSON], "{}", (405, "method_not_allowed"));
            assert_eq!(reply.header("allow"), Some(allowed));
            assert!(reply.body["message"].as_str().unwrap().contains(allowed));
        }
    }
}

#[test]
fn a_body_is_json_and_says_so() {
    let mut api = api();
    let id = create(&mut api, "github.com");
    let update = format!("PATCH /auth/connections/{id}");
    let unsupported = (415, "unsupported_media_type");
    for line in ["POST /auth/connections", &update, "PUT /proxies/px-1"] {
        for media_type in [
            "",
            "text/plain",
            "text/json",
            "application/x-www-form-urlencoded",
            "application/jsonl",
            "application/merge-patch+json",
            "application/json5",
            "*/*",
        ] {
            refused(&mut api, line, &[("content-type", media_type)], "{}", unsupported);
        }
        refused(&mut api, line, &[], "{}", unsupported);
        for coding in ["gzip", "br", "identity, gzip", ""] {
            let headers = [JSON, ("content-encoding", coding)];
            refused(&mut api, line, &headers, "{}", unsupported);
        }
    }
    for (n, media_type) in
        ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
            .into_iter()
            .enumerate()
    {
        let body = format!(r#"{{"domain":"d{n}.example.com","profile_name":"ada"}}"#);
        let headers = [("content-type", media_type), ("content-encoding", "identity")];
        assert_eq!(send(&mut api, "POST /auth/connections", &headers, body).status, 201);
    }
}

#[test]
fn a_proxy_needs_no_body() {
    let mut api = api();
    for (headers, body) in [(&[][..], ""), (&[JSON], ""), (&[JSON], "{}")] {
        let reply = send(&mut api, "PUT /proxies/px-1", headers, body);
        assert_eq!(reply.body, json!({"id": "px-1", "connections": 0}));
    }
    let line = "PUT /proxies/px%201";
    let body = r#"{"name": "", "names": 1}"#;
    let reply = refused(&mut api, line, &[JSON], body, (400, "bad_request"));
    assert_eq!(
        details(&reply.body),
        ["invalid_value id", "invalid_value name", "unknown_field names"]
    );
}

#[test]
fn a_body_that_is_too_large_is_refused_unread() {
    let mut api = api();
    let id = create(&mut api, "github.com");
    let update = format!("PATCH /auth/connections/{id}");
    for line in ["POST /auth/connections", &update, "PUT /proxies/px-1"] {
        let most = "{}".to_owned() + &" ".repeat(REQUEST_MAX_BYTES - 2);
        assert_ne!(send(&mut api, line, &[JSON], &most).status, 413);
        refused(&mut api, line, &[JSON], most + " ", (413, "payload_too_large"));
    }
}

#[test]
fn unknown_query_parameters_are_refused_everywhere() {
    let mut api = api();
    let id = create(&mut api, "github.com");
    for line in [
        "GET /auth/connections",
        "POST /auth/connections",
        &format!("GET /auth/connections/{id}"),
        &format!("PATCH /auth/connections/{id}"),
        &format!("DELETE /auth/connections/{id}"),
        "GET /profiles",
        "DELETE /profiles/ada",
        "GET /proxies",
        "PUT /proxies/px-1",
        "DELETE /proxies/px-1",
        "GET /dump",
    ] {
        let (line, bad) = (format!("{line}?colour=red"), (400, "bad_request"));
        let reply = refused(&mut api, &line, &[JSON], NETFLIX, bad);
        assert_eq!(details(&reply.body), ["unknown_field colour"], "{line}");
    }
    assert_eq!(send(&mut api, "GET /auth/connections", &[], "").body.as_array().unwrap().len(), 1);
    for (query, found) in [
        ("limit=1&limit=2", "duplicate_field limit"),
        ("limit", "invalid_type limit"),
        ("limit=", "invalid_type limit"),
        ("limit=ten", "invalid_type limit"),
        ("limit=%31%30%31", "invalid_value limit"),
        ("Limit=1", "unknown_field Limit"),
        ("domain=a.com%3A443", "invalid_domain domain"),
        ("profile_name=%ff", "invalid_value profile_name"),
        ("profile_name=a+b", "invalid_value profile_name"),
    ] {
        let line = format!("GET /auth/connections?{query}");
        let reply = refused(&mut api, &line, &[], "", (400, "bad_request"));
        assert_eq!(details(&reply.body), [found], "{query}");
    }
}

#[test]
fn a_list_entered_by_counting_is_the_list_walked_by_cursors() {
    let mut api = api();
    let mut ids: Vec<_> = (0..23).map(|n| create(&mut api, &format!("d{n}.com"))).collect();
    ids.reverse();
    let mut walk = |limit: usize, filter: &str, by: &str, header: &str, end: Option<&str>| {
        let mut found = Vec::new();
        let mut place = String::new();
        loop {
            let line = format!("GET /auth/connections?limit={limit}{filter}{place}");
            let reply = send(&mut api, &line, &[], "");
            let items = reply.body.as_array().unwrap();
            found.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let (next, more) = (reply.header(header), reply.header("x-has-more"));
            assert_eq!(next == end, more == Some("false"), "{line}: {reply:?}");
            if next == end {
                return found;
            }
            assert_eq!(items.len(), limit, "{line}");
            place = format!("&{by}={}", next.unwrap());
        }
    };
    for limit in [1, 4, 22, 23, 100] {
        for (filter, count) in [("", 23), ("&query=d1", 11), ("&profile_name=ada", 23)] {
            let counted = walk(limit, filter, "offset", "x-next-offset", Some("0"));
            let pointed = walk(limit, filter, "cursor", "x-next-cursor", None);
            assert_eq!(counted, pointed, "{limit} {filter}");
            assert_eq!(counted.len(), count, "{limit} {filter}");
        }
    }
    assert_eq!(walk(7, "", "offset", "x-next-offset", Some("0")), ids);
}

#[test]
fn an_offset_has_its_bounds_and_goes_with_no_cursor() {
    let mut api = api();
    create(&mut api, "a.com");
    create(&mut api, "b.com");
    let cursor = send(&mut api, "GET /auth/connections?limit=1", &[], "");
    let cursor = cursor.header("x-next-cursor").unwrap().to_owned();
    for offset in ["2", "100000"] {
        let reply = send(&mut api, &format!("GET /auth/connections?offset={offset}"), &[], "");
        assert_eq!((reply.status.as_u16(), &reply.body), (200, &json!([])));
        assert_eq!(reply.header("x-next-offset"), Some("0"));
    }
    for (query, found) in [
        ("offset=100001".into(), "invalid_value offset"),
        ("offset=-1".into(), "invalid_value offset"),
        ("offset=1.5".into(), "invalid_type offset"),
        ("offset=99999999999999999999".into(), "invalid_value offset"),
        (format!("offset=0&cursor={cursor}"), "invalid_value offset"),
        (format!("offset=1&cursor={cursor}"), "invalid_value offset"),
    ] {
        let line = format!("GET /auth/connections?{query}");
        let reply = refused(&mut api, &line, &[], "", (400, "bad_request"));
        assert_eq!(details(&reply.body), [found], "{query}");
    }
    for path in ["/profiles", "/proxies"] {
        let reply = send(&mut api, &format!("GET {path}"), &[], "");
        assert_eq!(reply.header("x-next-offset"), None, "{path} has cursors alone");
    }
}

#[test]
fn logins_are_run_elsewhere() {
    let mut api = api();
    let id = create(&mut api, "netflix.com");
    for what in ["login", "submit", "events", "timeline", "exchange"] {
        for id in [id.as_str(), "ma_1"] {
            for method in ["GET", "POST", "DELETE"] {
                let line = format!("{method} /auth/connections/{id}/{what}");
                let reply = refused(&mut api, &line, &[JSON], "{}", (404, "not_supported"));
                assert!(reply.body["message"].as_str().unwrap().contains("runs no logins"));
            }
        }
    }
}

#[test]
fn a_key_that_is_no_key_is_refused_with_whatever_else_is_wrong() {
    let mut api = api();
    let long = "k".repeat(256);
    for key in ["", "two words", "two\twords", "cl\u{e9}", &long] {
        let headers = [JSON, ("idempotency-key", key)];
        let line = "POST /auth/connections";
        let reply = refused(&mut api, line, &headers, NETFLIX, (400, "bad_request"));
        assert_eq!(details(&reply.body), ["invalid_value Idempotency-Key"], "{key}");
        let reply = refused(&mut api, line, &headers, "{}", (400, "bad_request"));
        let all =
            ["missing_field domain", "missing_field profile_name", "invalid_value Idempotency-Key"];
        assert_eq!(details(&reply.body), all, "{key}");
    }
    let twice = [JSON, ("idempotency-key", "k-1"), ("Idempotency-Key", "k-1")];
    let reply = refused(&mut api, "POST /auth/connections", &twice, NETFLIX, (400, "bad_request"));
    assert_eq!(details(&reply.body), ["duplicate_field Idempotency-Key"]);
    let key = [JSON, ("idempotency-key", &long[1..])];
    assert_eq!(send(&mut api, "POST /auth/connections", &key, NETFLIX).status, 201);
}

#[test]
fn a_preference_may_stand_among_others() {
    let mut api = api();
    create(&mut api, "netflix.com");
    let line = "POST /auth/connections";
    let ensure = "resolution=ignore-duplicates";
    for headers in [
        &[("prefer", "respond-async, resolution=ignore-duplicates")][..],
        &[("prefer", "wait=10"), ("prefer", "Resolution=ignore-duplicates")],
    ] {
        let reply = send(&mut api, line, &[&[JSON], headers].concat(), NETFLIX);
        assert_eq!(
            (reply.status.as_u16(), reply.header("preference-applied")),
            (200, Some(ensure))
        );
    }
    for other in ["resolution=merge-duplicates", "resolution", "return=minimal", ""] {
        let reply = send(&mut api, line, &[JSON, ("prefer", other)], NETFLIX);
        assert_eq!((reply.status.as_u16(), reply.header("preference-applied")), (409, None));
    }
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap()
}

/// An API for those with keys: `all`, `reader` and `writer` of the default project, and `none`, without a scope.
fn guarded() -> Api<Store> {
    let sha256 = |key: &str| -> String {
        Sha256::digest(key).iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex).collect()
    };
    let access = json!({
        "projects": {"other": {}},
        "keys": [
            {"sha256": sha256("all"), "projects": "*", "scopes": ["read", "write", "admin"]},
            {"sha256": sha256("reader"), "projects": ["default"], "scopes": ["read"]},
            {"sha256": sha256("writer"), "projects": ["default"], "scopes": ["write"]},
            {"sha256": sha256("none"), "projects": "*"},
        ]
    });
    let access = Access::from_json(access.to_string().as_bytes()).unwrap();
    Api::new(access, Store::in_memory().unwrap())
}

const READS: [&str; 4] =
    ["GET /auth/connections", "GET /auth/connections/ma_1", "GET /profiles", "GET /proxies"];
const WRITES: [&str; 6] = [
    "POST /auth/connections",
    "PATCH /auth/connections/ma_1",
    "DELETE /auth/connections/ma_1",
    "DELETE /profiles/ada",
    "PUT /proxies/px-1",
    "DELETE /proxies/px-1",
];
const ADMINISTERS: [&str; 2] = ["GET /dump", "POST /load"];

#[test]
fn whoever_has_no_key_learns_nothing() {
    let mut api = guarded();
    let nowhere = ["GET /nowhere", "BREW /auth/connections"];
    for line in [&READS[..], &WRITES, &ADMINISTERS, &nowhere].concat() {
        refused(&mut api, line, &[], "", (401, "unauthorized"));
        for key in ["", "Bearer", "Bearer nobody", "Bearer all ", "Basic all", "all"] {
            for project in ["default", "nowhere"] {
                let headers = [("authorization", key), ("x-kernel-project-id", project)];
                let reply = refused(&mut api, line, &headers, "", (401, "unauthorized"));
                assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            }
        }
    }
}

#[test]
fn a_key_has_scopes() {
    let mut api = guarded();
    for (lines, with) in [(&READS[..], "reader"), (&WRITES, "writer"), (&ADMINISTERS, "all")] {
        for line in lines {
            for key in ["reader", "writer", "none"].into_iter().filter(|key| *key != with) {
                let headers = [JSON, ("authorization", &format!("Bearer {key}"))];
                refused(&mut api, line, &headers, NETFLIX, (403, "forbidden"));
            }
        }
    }
    for (lines, with) in [(&READS[..], "bearer reader"), (&WRITES, "Bearer writer")] {
        for line in lines {
            let reply = send(&mut api, line, &[JSON, ("authorization", with)], NETFLIX);
            assert!(![401, 403].contains(&reply.status.as_u16()), "{line}: {reply:?}");
        }
    }
    let dump = Request::get("/dump").header("authorization", "Bearer all");
    assert_eq!(api.send(dump.body(Vec::new()).unwrap()).status(), 200);
    let reader = [("authorization", "Bearer reader")];
    refused(&mut api, "GET /nowhere", &reader, "", (404, "not_found"));
}

#[test]
fn a_key_has_projects() {
    let mut api = guarded();
    let list = "GET /auth/connections";
    for header in ["x-kernel-project-id", "x-kernel-project"] {
        for (key, project, outcome) in [
            ("Bearer reader", "other", (403, "forbidden")),
            ("Bearer all", "nowhere", (404, "project_not_found")),
            ("Bearer all", "", (404, "project_not_found")),
        ] {
            let headers = [("authorization", key), (header, project)];
            refused(&mut api, list, &headers, "", outcome);
        }
        let headers = [("authorization", "Bearer all"), (header, "other")];
        assert_eq!(send(&mut api, list, &headers, "").status, 200);
    }
    let both = |one| {
        let key = ("authorization", "Bearer all");
        [key, ("x-kernel-project-id", one), ("x-kernel-project", "other")]
    };
    assert_eq!(send(&mut api, list, &both("other"), "").status, 200);
    refused(&mut api, list, &both("default"), "", (400, "bad_request"));
}

#[test]
fn what_does_not_decode_names_nothing() {
    let mut api = api();
    let id = create(&mut api, "netflix.com");
    for bad in ["%", "%z", "%zz", "%ff", "%e2%82", "%00", "%2F", ""] {
        for line in ["GET /auth/connections", "DELETE /profiles", "DELETE /proxies"] {
            refused(&mut api, &format!("{line}/{bad}"), &[], "", (404, "not_found"));
        }
        let line = format!("PUT /proxies/{bad}");
        let reply = refused(&mut api, &line, &[], "", (400, "bad_request"));
        assert_eq!(details(&reply.body), ["invalid_value id"], "{line}");
    }
    // Dots are names like any other: a path is not walked.
    for dots in [".", "..", "%2e%2E"] {
        refused(&mut api, &format!("DELETE /proxies/{dots}"), &[], "", (404, "not_found"));
        assert_eq!(send(&mut api, &format!("PUT /proxies/{dots}"), &[], "").status, 200);
        assert_eq!(send(&mut api, &format!("DELETE /proxies/{dots}"), &[], "").status, 204);
    }
    let encoded = id.replace('m', "%6D").replace('_', "%5f");
    let reply = send(&mut api, &format!("GET /auth/connections/{encoded}"), &[], "");
    assert_eq!(reply.body["id"], id);
}

/// What an inner error says, which is the operator's alone.
const INNER: &str = "/var/lib/secret is on fire";

/// Stores that cannot be opened.
struct Broken(StoreError);

impl Stores for Broken {
    fn store(&self, _project: &str, _limits: Limits) -> Result<Store, StoreError> {
        Err(self.0.clone())
    }
}

#[test]
fn a_failure_keeps_its_reason_to_itself() {
    let inner = || INNER.to_owned();
    for (error, status, code, retry) in [
        (StoreError::InUse, 503, "unavailable", None),
        (StoreError::Busy, 503, "unavailable", None),
        (StoreError::Closed, 503, "unavailable", None),
        (StoreError::StorageFull, 507, "storage_full", Some("false")),
        (StoreError::OutcomeUnknown(inner()), 500, "outcome_unknown", Some("false")),
        (StoreError::NotAStore(inner()), 500, "internal_error", None),
        (StoreError::Damaged(inner()), 500, "internal_error", None),
        (StoreError::OtherFormat { found: 9, supported: 1 }, 500, "internal_error", None),
        (StoreError::Io(Arc::new(io::Error::other(INNER))), 500, "internal_error", None),
        (StoreError::ReadOnly, 500, "internal_error", None),
        (StoreError::Internal(inner()), 500, "internal_error", None),
    ] {
        let access = Access::open("default", Limits::default());
        let mut api = Api::new(access, Broken(error.clone()));
        for line in ["GET /auth/connections", "POST /auth/connections", "GET /dump"] {
            let reply = refused(&mut api, line, &[JSON], NETFLIX, (status, code));
            assert_eq!(reply.header("x-should-retry"), retry, "{error}");
            let said = reply.body["message"].as_str().unwrap();
            let of_the_error = error.to_string();
            assert!(!said.contains("fire") && !said.contains(&of_the_error), "{said}");
        }
    }
}

#[test]
fn a_write_that_fails_is_told_from_one_that_may_have_happened() {
    let storage = Hooked::new(CommitMode::QuickRepair);
    // The next write fails so, and whether nothing can be opened either.
    let (next, gone) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
    let (failing, missing) = (Arc::clone(&next), Arc::clone(&gone));
    storage.hook(move |_, call| match call {
        Call::Open if missing.load(Ordering::Relaxed) => Err(io::Error::other(INNER)),
        Call::Write => {
            let next: Option<ErrorKind> = failing.lock().unwrap().take();
            next.map_or(Ok(()), |kind| Err(io::Error::new(kind, INNER)))
        }
        _ => Ok(()),
    });
    let store = Store::open_with(storage, Options::new()).unwrap();
    let mut api = Api::new(Access::open("default", Limits::default()), store);
    // From here on a write appends to the log.
    assert_eq!(send(&mut api, "PUT /proxies/px-1", &[], "").status, 200);
    let line = "POST /auth/connections";
    for (kind, outcome, retry) in [
        (ErrorKind::StorageFull, (507, "storage_full"), Some("false")),
        (ErrorKind::QuotaExceeded, (507, "storage_full"), Some("false")),
        (ErrorKind::Other, (500, "internal_error"), None),
    ] {
        for headers in [&[JSON][..], &[JSON, ("idempotency-key", "k-1")]] {
            *next.lock().unwrap() = Some(kind);
            let reply = refused(&mut api, line, headers, NETFLIX, outcome);
            assert_eq!(reply.header("x-should-retry"), retry, "{kind}");
            assert!(!reply.body.to_string().contains("fire"), "{reply:?}");
            let listed = send(&mut api, "GET /auth/connections", &[], "");
            assert_eq!(listed.body, json!([]), "nothing was written");
        }
    }
    for (headers, retry) in
        [(&[JSON][..], Some("false")), (&[JSON, ("idempotency-key", "k-1")], None)]
    {
        assert_eq!(send(&mut api, "GET /profiles", &[], "").body, json!([]), "it is back");
        gone.store(true, Ordering::Relaxed);
        *next.lock().unwrap() = Some(ErrorKind::Other);
        let reply = refused(&mut api, line, headers, NETFLIX, (500, "outcome_unknown"));
        assert_eq!(reply.header("x-should-retry"), retry, "a key makes a second try safe");
        assert!(!reply.body.to_string().contains("fire"), "{reply:?}");
        gone.store(false, Ordering::Relaxed);
    }
    assert_eq!(send(&mut api, line, &[JSON], NETFLIX).status, 201, "and it works again");
}
