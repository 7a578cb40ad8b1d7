//! Situations in which the API gives every answer that it can.

use crate::answers::Answers;
use crate::exchange::{JSON, KEY, READ_KEY, Response, access, api, every_operation, request};
use connectory::http::{Api, Route, Stores};
use connectory::{
    Json, Limits, MemoryStorage, Observation, Options, REQUEST_MAX_BYTES, Store, StoreError,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn creates_are_as_described(answers: &mut Answers) {
    let store = Store::open_with(MemoryStorage::default(), Options::new().cap(Some(2))).unwrap();
    store.register_proxy("px-1".parse().unwrap(), Some("Berlin".parse().unwrap())).unwrap();
    let api = api(&store);
    let create = |headers: &[(&str, &str)], body: &Value| {
        request("POST", "/auth/connections", &[&[KEY, JSON], headers].concat(), &body.to_string())
    };
    let ensure = ("prefer", "resolution=ignore-duplicates");
    let key = ("idempotency-key", "signup-42");
    let least = json!({ "domain": "netflix.com", "profile_name": "user-123" });
    let most = json!({
        "domain": "Bücher.example.", "profile_name": "user-124",
        "login_url": "https://[::1]:8080/login#top", "proxy": { "name": "Berlin" },
        "credential": { "provider": "p", "path": "v", "auto": false },
        "allowed_domains": ["*.sso.example"], "health_check_interval": 300,
        "health_checks": false, "auto_reauth": false, "save_credentials": false, "record_session": true,
    });
    answers.expect(201, &api, create(&[key], &least));
    answers.expect(201, &api, create(&[key], &least));
    answers.expect(409, &api, create(&[], &least));
    answers.expect(200, &api, create(&[ensure], &least));
    let other =
        json!({ "domain": "netflix.com", "profile_name": "user-123", "health_checks": true });
    answers.expect(422, &api, create(&[key], &other));
    answers.expect(201, &api, create(&[ensure], &most));
    let third = json!({ "domain": "third.example", "profile_name": "user-123" });
    answers.expect(403, &api, create(&[], &third));
    let wrong = json!({
        "domain": "https://a.com/", "profile_name": 1, "proxy": {}, "credential": null, "Domain": "a.com",
    });
    answers.expect(400, &api, create(&[("idempotency-key", "two words")], &wrong));
}

/// An observation with everything in it.
fn everything_seen() -> Json {
    let seen = json!({
        "status": "AUTHENTICATED",
        "can_reauth": true,
        "can_reauth_reason": "has_credential",
        "last_auth_check_at": "2026-01-15T10:30:00.5Z",
        "post_login_url": "https://www.netflix.com/browse",
        "flow": {
            "flow_status": "IN_PROGRESS",
            "flow_step": "AWAITING_INPUT",
            "flow_type": "LOGIN",
            "flow_expires_at": "2026-01-15T10:40:00Z",
            "discovered_fields": [
                { "name": "email", "type": "email", "label": "E-mail", "selector": "#email" },
                { "name": "code", "type": "code", "label": "Code", "selector": "#code", "hint": "6 digits",
                  "placeholder": "000000", "required": false, "linked_mfa_type": "sms" },
            ],
            "mfa_options": [
                { "type": "push", "label": "Ask my phone" },
                { "type": "sms", "label": "Text me", "target": "***12", "description": "It may take a minute" },
            ],
            "sign_in_options": [
                { "id": "1", "label": "Work" },
                { "id": "2", "label": "Home", "description": "me@example.com" },
            ],
            "pending_sso_buttons": [{ "selector": "#sso", "provider": "example", "label": "Go on" }],
            "external_action_message": "Tap yes",
            "website_error": "Wrong password",
            "sso_provider": "example",
            "error_message": "It did not work",
            "error_code": "wrong_password",
            "hosted_url": "https://login.example/1",
            "live_view_url": "https://live.example/1",
            "browser_session_id": "bs_1",
        },
    });
    Json::parse(seen.to_string().as_bytes()).unwrap()
}

pub(crate) fn connections_are_as_described(answers: &mut Answers) {
    let store = Store::in_memory().unwrap();
    store.register_proxy("px-1".parse().unwrap(), None).unwrap();
    let api = api(&store);
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let body = json!({
            "domain": "netflix.com", "profile_name": name, "proxy": { "id": "px-1" },
            "login_url": "https://netflix.com/login", "credential": { "name": "n" }, "allowed_domains": ["a.com"],
        });
        let create = request("POST", "/auth/connections", &[KEY, JSON], &body.to_string());
        made.push(answers.expect(201, &api, create)["id"].as_str().unwrap().to_owned());
    }
    let seen = Observation::from_json(&everything_seen()).unwrap();
    store.record(made[0].parse().unwrap(), seen).unwrap();
    let path = format!("/auth/connections/{}", made[0]);
    let whole = answers.expect(200, &api, request("GET", &path, &[KEY], ""));
    let described = &answers.description.json["components"]["schemas"]["Connection"]["properties"];
    let names = |json: &Value| json.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(described), names(&whole), "a connection with everything shows every field");
    assert!(names(&whole).iter().all(|name| !whole[name].is_null()));

    let list = "/auth/connections";
    for (query, more) in [("", false), ("?limit=2", true), ("?limit=2&offset=2", false)] {
        let page = request("GET", &format!("{list}{query}"), &[KEY], "");
        let response = Response::of(&api, page.clone());
        assert_eq!(response.headers["x-has-more"], if more { "true" } else { "false" });
        let cursor = response.headers.get("x-next-cursor");
        assert_eq!(cursor.is_some(), more);
        answers.expect(200, &api, page);
        if let Some(cursor) = cursor {
            let uri = format!("{list}?cursor={}", cursor.to_str().unwrap());
            answers.expect(200, &api, request("GET", &uri, &[KEY], ""));
        }
    }
    let change = |body: &str| request("PATCH", &path, &[KEY, JSON], body);
    answers.expect(200, &api, change("{}"));
    let clears = r#"{"login_url":"","credential":null,"proxy":null,"allowed_domains":[]}"#;
    answers.expect(200, &api, change(clears));
    answers.expect(400, &api, change(r#"{"domain":"netflix.com"}"#));
    answers.expect(204, &api, request("DELETE", &path, &[KEY], ""));
    for method in ["GET", "DELETE"] {
        answers.expect(404, &api, request(method, &path, &[KEY], ""));
    }
    answers.expect(404, &api, change("{}"));
}

pub(crate) fn profiles_and_proxies_are_as_described(answers: &mut Answers) {
    let store = Store::in_memory().unwrap();
    let api = api(&store);
    for (id, body) in [("px-1", r#"{"name":"Büro 1"}"#), ("px-2", "")] {
        let put = request("PUT", &format!("/proxies/{id}"), &[KEY, JSON], body);
        answers.expect(200, &api, put);
    }
    answers.expect(400, &api, request("PUT", "/proxies/a%20b", &[KEY, JSON], r#"{"name":""}"#));
    for name in ["user-1", "user-2"] {
        let body = json!({ "domain": "a.com", "profile_name": name, "proxy": { "id": "px-1" } });
        let create = request("POST", "/auth/connections", &[KEY, JSON], &body.to_string());
        answers.expect(201, &api, create);
    }
    for list in ["/profiles", "/proxies"] {
        answers.expect(200, &api, request("GET", &format!("{list}?limit=1"), &[KEY], ""));
        answers.expect(200, &api, request("GET", list, &[KEY], ""));
        answers.expect(400, &api, request("GET", &format!("{list}?cursor=c.x"), &[KEY], ""));
    }
    for (used, unused, unknown) in [
        ("/proxies/px-1", "/proxies/px-2", "/proxies/px-2"),
        ("/profiles/user-1", "/profiles/user-2", "/profiles/nobody"),
    ] {
        if unused.starts_with("/profiles") {
            let find = request("GET", "/auth/connections?profile_name=user-2", &[KEY], "");
            let found = answers.expect(200, &api, find);
            let path = format!("/auth/connections/{}", found[0]["id"].as_str().unwrap());
            answers.expect(204, &api, request("DELETE", &path, &[KEY], ""));
        }
        answers.expect(400, &api, request("DELETE", used, &[KEY], ""));
        answers.expect(204, &api, request("DELETE", unused, &[KEY], ""));
        answers.expect(404, &api, request("DELETE", unknown, &[KEY], ""));
    }
}

pub(crate) fn dumps_and_loads_are_as_described(answers: &mut Answers) {
    let store = Store::in_memory().unwrap();
    let api = api(&store);
    let body = r#"{"domain":"a.com","profile_name":"a"}"#;
    answers.expect(201, &api, request("POST", "/auth/connections", &[KEY, JSON], body));
    let dump = answers.expect(200, &api, request("GET", "/dump", &[KEY], ""));
    let dump = dump.as_str().unwrap();
    let loads = answers.description.operation("load").json["requestBody"]["content"].clone();
    for media_type in loads.as_object().unwrap().keys() {
        let load = |body| request("POST", "/load", &[KEY, ("content-type", media_type)], body);
        let empty = self::api(&Store::in_memory().unwrap());
        answers.expect(400, &empty, load("{}"));
        assert_eq!(answers.expect(200, &empty, load(dump)), json!({ "connections": 1 }));
        let refused = answers.expect(400, &empty, load(dump));
        assert_eq!(refused["code"], "resource_in_use");
        let empty = self::api(&Store::in_memory().unwrap());
        answers.expect(413, &empty, load(&too_large(dump)));
    }
}

/// The dump with more in its connection than is kept of one.
fn too_large(dump: &str) -> String {
    let (rest, connection) = dump.trim_end().rsplit_once('\n').unwrap();
    let mut line: Value = serde_json::from_str(connection).unwrap();
    let long = "x".repeat(4096);
    let field =
        json!({ "name": long, "type": "text", "label": long, "selector": long, "hint": long });
    let flow = json!({
        "flow_type": "LOGIN", "flow_status": "IN_PROGRESS", "discovered_fields": vec![field; 100],
    });
    line["connection"]["observation"] = json!({
        "status": "NEEDS_AUTH", "can_reauth": false, "can_reauth_reason": "no_credential", "flow": flow,
    });
    format!("{rest}\n{line}\n")
}

pub(crate) fn refusals_are_as_described(answers: &mut Answers) {
    let store = Store::in_memory().unwrap();
    let api = api(&store);
    let long = " ".repeat(REQUEST_MAX_BYTES + 1);
    for (method, path, route) in every_operation() {
        let method = method.as_str();
        let jsonl = ("content-type", "application/jsonl");
        let media_type = if route == Route::Load { jsonl } else { JSON };
        let mut ask = |status, path: &str, headers: &[(&str, &str)], body: &str| {
            answers.expect(status, &api, request(method, path, headers, body));
        };
        ask(401, &path, &[media_type], "");
        ask(401, &path, &[media_type, ("authorization", "Bearer none")], "");
        ask(403, &path, &[media_type, READ_KEY], "");
        ask(403, &path, &[READ_KEY, ("x-kernel-project-id", "other")], "");
        ask(404, &path, &[KEY, ("x-kernel-project-id", "nowhere")], "");
        let projects = [("x-kernel-project-id", "other"), ("x-kernel-project", "default")];
        ask(400, &path, &[&[KEY, media_type], &projects[..]].concat(), "");
        if route != Route::Load {
            ask(400, &format!("{path}?nothing=1"), &[KEY, media_type], "{}");
        }
        let described = answers.description.operation(route.operation_id()).json;
        let (described, statuses) =
            (described["requestBody"].clone(), described["responses"].clone());
        if described.is_object() {
            for wrong in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
                answers.expect(415, &api, request(method, &path, &[KEY, wrong], "{}"));
            }
        }
        if statuses.get("413").is_some() && route != Route::Load {
            answers.expect(413, &api, request(method, &path, &[KEY, media_type], &long));
        }
        for other in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if Route::name_of(&other.parse().unwrap(), &path) == "none" {
                answers.expect(405, &api, request(other, &path, &[KEY], ""));
            }
        }
        // Described for each operation, answered for the path: one operation's answer stands for all.
        answers.given.insert((route.operation_id().into(), 405));
    }
    for path in ["/", "/nothing", "/auth/connections/a/b", "/auth/connections/a/login"] {
        answers.expect(404, &api, request("GET", path, &[KEY], ""));
    }
}

/// A project whose store cannot be opened.
struct Failing(StoreError);

impl Stores for Failing {
    fn store(&self, _project: &str, _limits: Limits) -> Result<Store, StoreError> {
        Err(self.0.clone())
    }
}

pub(crate) fn failures_are_as_described(answers: &mut Answers) {
    let full = StoreError::StorageFull;
    let unknown = StoreError::OutcomeUnknown("the disk is gone".into());
    let internal = StoreError::Internal("a bug".into());
    for (status, error) in [(503, StoreError::Busy), (507, full), (500, unknown), (500, internal)] {
        let api = Api::new(access(), Failing(error));
        for (method, path, route) in every_operation() {
            let jsonl = ("content-type", "application/jsonl");
            let media_type = if route == Route::Load { jsonl } else { JSON };
            let ask = request(method.as_str(), &path, &[KEY, media_type], "{}");
            answers.expect(status, &api, ask);
        }
    }
}
