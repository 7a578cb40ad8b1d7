//! Requests to the API of a store, and its responses.

use connectory::http::{Access, Api, Body, Route, Stores};
use connectory::{MemoryStorage, Options, Plan, Store};
use http::header::HeaderMap;
use http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const SOME_ID: &str = "ma_01jd3k0000abcdefghjkmnpqrs";

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const KEY: (&str, &str) = ("authorization", "Bearer all");
pub(crate) const READ_KEY: (&str, &str) = ("authorization", "Bearer read");

pub(crate) fn access() -> Access {
    let digest = |key: &str| {
        let digest = Sha256::digest(key);
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    };
    let rules = json!({
        "projects": { "default": {}, "other": {} },
        "keys": [
            { "sha256": digest("all"), "projects": "*", "scopes": ["read", "write", "admin"] },
            { "sha256": digest("read"), "projects": ["default"], "scopes": [] },
        ],
    });
    Access::from_json(rules.to_string().as_bytes()).unwrap()
}

pub(crate) fn api(store: &Store) -> Api<Store> {
    Api::new(access(), store.clone())
}

/// A store in which some intervals are too short, and some proxies cannot be named.
pub(crate) fn strict_store() -> Store {
    let options = Options::new().plan(Plan::Hobbyist);
    let store = Store::open_with(MemoryStorage::default(), options).unwrap();
    for (id, name) in [("px-1", "Berlin"), ("px-2", "Twin"), ("px-3", "Twin")] {
        store.register_proxy(id.parse().unwrap(), Some(name.parse().unwrap())).unwrap();
    }
    store
}

/// Every operation of the API, as a request that could be accepted.
pub(crate) fn every_operation() -> Vec<(Method, String, Route)> {
    let id = || SOME_ID.to_owned();
    let (name, proxy) = ("user-123".to_owned(), "px-1".to_owned());
    let routes = [
        Route::Create,
        Route::List,
        Route::Get(id()),
        Route::Update(id()),
        Route::Delete(id()),
        Route::Profiles,
        Route::DeleteProfile(name),
        Route::Proxies,
        Route::RegisterProxy(proxy.clone()),
        Route::RemoveProxy(proxy),
        Route::Dump,
        Route::Load,
    ];
    let operations = routes.map(|route| {
        // Without a wildcard: a new operation has to be added here, and above.
        let (method, path) = match &route {
            Route::Create => (Method::POST, "/auth/connections".into()),
            Route::List => (Method::GET, "/auth/connections".into()),
            Route::Get(id) => (Method::GET, format!("/auth/connections/{id}")),
            Route::Update(id) => (Method::PATCH, format!("/auth/connections/{id}")),
            Route::Delete(id) => (Method::DELETE, format!("/auth/connections/{id}")),
            Route::Profiles => (Method::GET, "/profiles".into()),
            Route::DeleteProfile(name) => (Method::DELETE, format!("/profiles/{name}")),
            Route::Proxies => (Method::GET, "/proxies".into()),
            Route::RegisterProxy(id) => (Method::PUT, format!("/proxies/{id}")),
            Route::RemoveProxy(id) => (Method::DELETE, format!("/proxies/{id}")),
            Route::Dump => (Method::GET, "/dump".into()),
            Route::Load => (Method::POST, "/load".into()),
        };
        (method, path, route)
    });
    operations.into()
}

pub(crate) fn request(
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<String> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).unwrap()
}

/// A response, its body read.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn of<S: Stores>(api: &Api<S>, request: Request<String>) -> Self {
        let (head, body) = request.into_parts();
        let response = if Route::is_load(&head.method, head.uri.path()) {
            api.respond_to_load(&head, body.lines().map(|line| Ok(line.to_owned())))
        } else {
            api.respond(&head, body.as_bytes())
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match response.into_body() {
            Body::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            Body::Dump(lines) => lines.map(|line| line.unwrap() + "\n").collect(),
        };
        Self { status, headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| self.body.clone().into())
    }

    pub(crate) fn codes_of_details(&self) -> Vec<String> {
        let details = self.json()["details"].as_array().cloned().unwrap_or_default();
        details.iter().map(|detail| detail["code"].as_str().unwrap().to_owned()).collect()
    }
}
