//! The API's description against the API: what it describes is there, what its schemas say of a request is what the
//! engine does with it, and whatever is answered is described.
//!
//! `CONNECTORY_SEED` repeats the random requests of a run.

use connectory::http::{Access, Api, Body, OPENAPI, Route, Stores, allowed_methods};
use connectory::{
    Json, Limits, MemoryStorage, NewConnection, Observation, Options, Plan, ProxyName,
    REQUEST_MAX_BYTES, Reauth, Store, StoreError, WebUrl,
};
use fastrand::Rng;
use http::header::HeaderMap;
use http::{Method, Request};
use jsonschema::{Keyword, ValidationError, Validator};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What the server answers by itself, without the API.
const SERVER_PATHS: [&str; 3] = ["/healthz", "/metrics", "/openapi.json"];

/// Codes of details for what no schema can express.
const BEYOND_SCHEMAS: [&str; 5] =
    ["invalid_domain", "below_plan_floor", "unknown_proxy", "ambiguous_proxy", "duplicate_field"];

const SOME_ID: &str = "ma_01jd3k0000abcdefghjkmnpqrs";

/// The description, and its schemas as they are needed.
struct Description {
    json: Value,
    validators: BTreeMap<String, Rc<Validator>>,
}

/// An operation of the description.
struct Operation<'a> {
    path: &'a str,
    method: String,
    json: &'a Value,
}

/// `x-maxBytes`, which bounds a text in bytes as the engine does.
struct MaxBytes(u64);

impl<'i> Keyword<'i> for MaxBytes {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom("too many bytes"))
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        instance.as_str().is_none_or(|text| text.len() as u64 <= self.0)
    }
}

impl Description {
    fn read() -> Self {
        let json = serde_json::from_str(OPENAPI).expect("the description is JSON");
        Self { json, validators: BTreeMap::new() }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.json["paths"].as_object().unwrap() {
            for (method, json) in item.as_object().unwrap() {
                if method != "parameters" {
                    operations.push(Operation { path, method: method.to_uppercase(), json });
                }
            }
        }
        operations
    }

    fn operation(&self, id: &str) -> Operation<'_> {
        let found = self.operations().into_iter().find(|of| of.json["operationId"] == id);
        found.unwrap_or_else(|| panic!("{id} is not described"))
    }

    /// What a reference leads to; anything else is itself.
    fn resolve<'a>(&'a self, json: &'a Value) -> &'a Value {
        let Some(reference) = json.get("$ref") else { return json };
        let pointer = reference.as_str().unwrap().trim_start_matches('#');
        self.json.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// The described parameters of an operation, those of its path included.
    fn parameters(&self, operation: &Operation<'_>) -> Vec<&Value> {
        let of_path = &self.json["paths"][operation.path]["parameters"];
        let of_operation = &self.json["paths"][operation.path][operation.method.to_lowercase()];
        [of_path, &of_operation["parameters"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .map(|parameter| self.resolve(parameter))
            .collect()
    }

    fn validator(&mut self, schema: &Value) -> Rc<Validator> {
        if let Some(validator) = self.validators.get(&schema.to_string()) {
            return Rc::clone(validator);
        }
        let mut root = schema.as_object().unwrap().clone();
        // References start at the root of what is compiled.
        root.insert("components".into(), self.json["components"].clone());
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .with_keyword("x-maxBytes", |_, most, _| {
                Ok(Box::new(MaxBytes(most.as_u64().expect("a number of bytes"))))
            })
            .build(&Value::Object(root))
            .unwrap_or_else(|error| panic!("{schema} is no schema: {error}"));
        let validator = Rc::new(validator);
        self.validators.insert(schema.to_string(), Rc::clone(&validator));
        validator
    }

    fn accepts(&mut self, schema: &Value, instance: &Value) -> bool {
        self.validator(schema).is_valid(instance)
    }

    /// Panics with everything that is wrong, where anything is.
    fn must_accept(&mut self, about: &str, schema: &Value, instance: &Value) {
        let validator = self.validator(schema);
        let faults: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{about}: {instance} is not as described: {faults:#?}");
    }
}

/// A reference to a schema.
fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A header's or parameter's text as the value that its schema speaks of.
fn as_value(schema: &Value, text: &str) -> Value {
    let is_text = schema.get("type").is_none_or(|kind| kind == "string");
    let read = || serde_json::from_str(text).ok();
    Some(()).filter(|()| !is_text).and_then(|()| read()).unwrap_or_else(|| text.into())
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<String> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).unwrap()
}

/// A response, its body read.
struct Response {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Response {
    fn of<S: Stores>(api: &Api<S>, request: Request<String>) -> Self {
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

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| self.body.clone().into())
    }

    fn codes_of_details(&self) -> Vec<String> {
        let details = self.json()["details"].as_array().cloned().unwrap_or_default();
        details.iter().map(|detail| detail["code"].as_str().unwrap().to_owned()).collect()
    }
}

/// Checks answers against the description, and remembers which there were.
struct Answers {
    description: Description,
    given: BTreeSet<(String, u16)>,
}

impl Answers {
    fn new() -> Self {
        Self { description: Description::read(), given: BTreeSet::new() }
    }

    /// Sends a request, which should be answered with `status` and as described.
    fn expect<S: Stores>(&mut self, status: u16, api: &Api<S>, request: Request<String>) -> Value {
        let about = format!("{} {}", request.method(), request.uri());
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = Response::of(api, request);
        assert_eq!(response.status, status, "{about}: {}", response.body);
        self.check(&about, &method, &path, &response);
        response.json()
    }

    fn check(&mut self, about: &str, method: &Method, path: &str, response: &Response) {
        let Some(described) = self.responses_of(method, path) else {
            assert_eq!(response.status, 404, "{about}: only what is nowhere is not described");
            self.description.must_accept(about, &schema("Error"), &response.json());
            return;
        };
        let (id, responses) = described;
        let status = response.status;
        let described = responses.get(status.to_string());
        let described = described.unwrap_or_else(|| panic!("{about}: {status} is not described"));
        let described = self.description.resolve(described).clone();
        self.check_headers(about, &described, response);
        let Some(media_type) = response.headers.get("content-type") else {
            assert!(response.body.is_empty() && described.get("content").is_none(), "{about}");
            self.given.insert((id, status));
            return;
        };
        let schema = &described["content"][media_type.to_str().unwrap()]["schema"];
        assert!(schema.is_object(), "{about}: {status} as {media_type:?} is not described");
        let body = if media_type == "application/json" {
            response.json()
        } else {
            response.body.as_str().into()
        };
        self.description.must_accept(about, schema, &body);
        self.given.insert((id, status));
    }

    /// The operation's ID and described responses; of any operation of the path where it does not take the method.
    fn responses_of(&self, method: &Method, path: &str) -> Option<(String, Value)> {
        let id = Route::name_of(method, path);
        let is_at = |template: &str| {
            let (template, path) = (template.split('/'), path.split('/'));
            template.clone().count() == path.clone().count()
                && template.zip(path).all(|(of, it)| of.starts_with('{') || of == it)
        };
        let operations = self.description.operations();
        let mut found = operations
            .iter()
            .filter(|of| if id == "none" { is_at(of.path) } else { of.json["operationId"] == id });
        found.next().map(|of| {
            let id = of.json["operationId"].as_str().unwrap();
            (id.to_owned(), of.json["responses"].clone())
        })
    }

    fn check_headers(&mut self, about: &str, described: &Value, response: &Response) {
        let none = Map::new();
        let headers = described["headers"].as_object().unwrap_or(&none);
        for (name, value) in &response.headers {
            if name == "content-type" {
                continue;
            }
            let found = headers.iter().find(|(of, _)| of.eq_ignore_ascii_case(name.as_str()));
            let (_, header) = found.unwrap_or_else(|| panic!("{about}: {name} is not described"));
            let header = self.description.resolve(header);
            let schema = header["schema"].clone();
            let value = as_value(self.description.resolve(&schema), value.to_str().unwrap());
            self.description.must_accept(&format!("{about}: {name}"), &schema, &value);
        }
        for (name, header) in headers {
            let is_required = self.description.resolve(header)["required"] == true;
            let is_there = response.headers.contains_key(name.to_lowercase());
            assert!(!is_required || is_there, "{about}: {name} should be there");
        }
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const KEY: (&str, &str) = ("authorization", "Bearer all");
const READ_KEY: (&str, &str) = ("authorization", "Bearer read");

fn access() -> Access {
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

fn api(store: &Store) -> Api<Store> {
    Api::new(access(), store.clone())
}

/// A project whose store cannot be opened.
struct Failing(StoreError);

impl Stores for Failing {
    fn store(&self, _project: &str, _limits: Limits) -> Result<Store, StoreError> {
        Err(self.0.clone())
    }
}

/// Every operation of the API, as a request that could be accepted.
fn every_operation() -> Vec<(Method, String, Route)> {
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

/// A described path with names in place of its parameters.
fn filled_in(path: &str) -> String {
    path.replace("{id}", SOME_ID).replace("{name}", "user-123")
}

#[test]
fn every_operation_is_described_and_nothing_else() {
    let description = Description::read();
    let ids = |of: &mut dyn Iterator<Item = String>| of.collect::<BTreeSet<_>>();
    let described = description.operations();
    let (of_server, of_api): (Vec<_>, Vec<_>) =
        described.iter().partition(|of| SERVER_PATHS.contains(&of.path));
    assert_eq!(of_server.len(), SERVER_PATHS.len());
    assert!(of_server.iter().all(|of| of.method == "GET"));
    assert_eq!(
        ids(&mut of_api.iter().map(|of| of.json["operationId"].as_str().unwrap().to_owned())),
        ids(&mut every_operation().iter().map(|(.., route)| route.operation_id().to_owned()))
    );
    for (method, path, route) in every_operation() {
        assert_eq!(Route::name_of(&method, &path), route.operation_id());
    }
    for operation in &of_api {
        let method: Method = operation.method.parse().unwrap();
        let name = Route::name_of(&method, &filled_in(operation.path));
        assert_eq!(operation.json["operationId"], name, "{} {}", method, operation.path);
        let methods = of_api.iter().filter(|of| of.path == operation.path);
        let allowed = allowed_methods(&filled_in(operation.path)).unwrap();
        assert_eq!(
            ids(&mut methods.map(|of| of.method.clone())),
            ids(&mut allowed.split(", ").map(ToOwned::to_owned)),
            "{}",
            operation.path
        );
    }
}

#[test]
fn the_parameters_of_a_path_are_described() {
    let description = Description::read();
    for operation in description.operations() {
        let in_path: Vec<&str> = operation
            .path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let parameters = description.parameters(&operation);
        let described: Vec<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(in_path, described, "{}", operation.path);
    }
}

#[test]
fn the_version_is_that_of_the_workspace() {
    assert_eq!(Description::read().json["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    fn collect<'a>(json: &'a Value, found: &mut BTreeSet<&'a str>) {
        match json {
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| collect(value, found));
            }
            _ => {}
        }
    }
    let description = Description::read();
    let mut references = BTreeSet::new();
    collect(&description.json, &mut references);
    for reference in &references {
        description.resolve(&json!({ "$ref": reference }));
    }
    for (kind, components) in description.json["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            let is_used = if kind == "securitySchemes" {
                description.json["security"] == json!([{ name: [] }])
            } else {
                references.contains(reference.as_str())
            };
            assert!(is_used, "{reference} is not used");
        }
    }
}

#[test]
fn every_object_is_closed_and_every_example_is_right() {
    fn each<'a>(json: &'a Value, visit: &mut impl FnMut(&'a Value)) {
        visit(json);
        match json {
            Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
            Value::Object(fields) => fields.values().for_each(|value| each(value, visit)),
            _ => {}
        }
    }
    let mut description = Description::read();
    let json = description.json.clone();
    let mut examples = Vec::new();
    each(&json, &mut |value| {
        if value["type"] == "object" && value["properties"].is_object() {
            assert_eq!(value["additionalProperties"], false, "{value}");
        }
        if let Some(of_schema) = value["examples"].as_array() {
            examples.extend(of_schema.iter().map(|example| (value, example)));
        }
        let named = value["examples"].as_object().into_iter().flat_map(Map::values);
        for example in named.map(|example| &example["value"]).chain(value.get("example")) {
            examples.push((&value["schema"], example));
        }
    });
    assert!(examples.len() > 20, "examples are found");
    for (schema, example) in examples {
        description.must_accept("an example", schema, example);
    }
    let requests = &json["paths"]["/auth/connections"]["post"]["requestBody"]["content"];
    for example in requests["application/json"]["examples"].as_object().unwrap().values() {
        let text = example["value"].to_string();
        NewConnection::from_json(&Json::parse(text.as_bytes()).unwrap()).unwrap();
    }
}

#[test]
fn the_reasons_of_a_reauth_are_those_that_are_written() {
    let description = Description::read();
    let described = &description.json["components"]["schemas"]["ReauthReason"]["anyOf"][0]["enum"];
    assert_eq!(*described, json!(Reauth::REASONS.map(|(word, _)| word)));
}

/// The fields that a request may have, as the refusal of another one lists them.
fn fields_known_to(api: &Api<Store>, request: Request<String>) -> BTreeSet<String> {
    let answer = Response::of(api, request);
    let details = answer.json()["details"].as_array().cloned().unwrap_or_default();
    let mut messages = details.iter().filter_map(|detail| detail["message"].as_str());
    let known = messages.find_map(|message| message.split_once("send only "));
    let (_, known) = known.unwrap_or_else(|| panic!("no list of fields: {}", answer.body));
    known.split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn fields_are_those_that_the_readers_know() {
    let store = Store::in_memory().unwrap();
    let api = api(&store);
    let description = Description::read();
    let properties = |schema: &Value| {
        schema["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>()
    };
    let component = |name: &str| &description.json["components"]["schemas"][name];
    let known = |method: &str, uri: &str, body: Value| {
        fields_known_to(&api, request(method, uri, &[KEY, JSON], &body.to_string()))
    };
    let of_create = |body| known("POST", "/auth/connections", body);

    assert_eq!(properties(component("NewConnection")), of_create(json!({ "?": 1 })));
    let of_proxy: BTreeSet<_> =
        component("ProxyChoice")["oneOf"].as_array().unwrap().iter().flat_map(properties).collect();
    assert_eq!(of_proxy, of_create(json!({ "proxy": { "?": 1 } })));
    let of_credential: BTreeSet<_> =
        component("Credential")["oneOf"].as_array().unwrap().iter().flat_map(properties).collect();
    assert_eq!(of_credential, of_create(json!({ "credential": { "?": 1 } })));

    // An update knows the pair only to refuse it.
    let path = format!("/auth/connections/{SOME_ID}");
    let mut of_update = known("PATCH", &path, json!({ "?": 1 }));
    for immutable in ["domain", "profile_name"] {
        assert!(of_update.remove(immutable));
        let body = json!({ immutable: "a.com" }).to_string();
        let answer = Response::of(&api, request("PATCH", &path, &[KEY, JSON], &body));
        assert_eq!(answer.codes_of_details(), ["immutable_field"]);
    }
    assert_eq!(properties(component("ConnectionChanges")), of_update);

    assert_eq!(properties(component("NewProxy")), known("PUT", "/proxies/px-1", json!({ "?": 1 })));
    for operation in ["listConnections", "listProfiles", "listProxies"] {
        let operation = description.operation(operation);
        let parameters = description.parameters(&operation);
        let in_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let described: BTreeSet<_> =
            in_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
        let uri = format!("{}?nothing=1", operation.path);
        assert_eq!(described, known("GET", &uri, json!({})), "{uri}");
    }
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

#[test]
fn every_answer_is_described_and_every_described_answer_is_given() {
    let mut answers = Answers::new();
    creates_are_as_described(&mut answers);
    connections_are_as_described(&mut answers);
    profiles_and_proxies_are_as_described(&mut answers);
    dumps_and_loads_are_as_described(&mut answers);
    refusals_are_as_described(&mut answers);
    failures_are_as_described(&mut answers);

    for operation in Description::read().operations() {
        if SERVER_PATHS.contains(&operation.path) {
            continue;
        }
        let id = operation.json["operationId"].as_str().unwrap();
        for status in operation.json["responses"].as_object().unwrap().keys() {
            // Only a server can wait for a body.
            let is_given =
                status == "408" || answers.given.contains(&(id.into(), status.parse().unwrap()));
            assert!(is_given, "{id} never answered {status}");
        }
    }
}

fn creates_are_as_described(answers: &mut Answers) {
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

fn connections_are_as_described(answers: &mut Answers) {
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

fn profiles_and_proxies_are_as_described(answers: &mut Answers) {
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

fn dumps_and_loads_are_as_described(answers: &mut Answers) {
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
    }
}

fn refusals_are_as_described(answers: &mut Answers) {
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
        if statuses.get("413").is_some() {
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

fn failures_are_as_described(answers: &mut Answers) {
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

/// What makes or breaks a value where it is put in.
const CHARACTERS: &[&str] = &[
    "a",
    "A",
    "0",
    "9",
    ".",
    "-",
    "_",
    "~",
    "%",
    "%2F",
    "%g",
    " ",
    "/",
    "?",
    "#",
    "[",
    "]",
    "@",
    ":",
    "::",
    "ü",
    "\u{1f600}",
    "\u{ad}",
    "\n",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "*",
    "*.",
    "v1.",
    "1",
    "255",
    "256",
    "\"",
    "\\",
    "xn--",
];

fn pick<'a>(rng: &mut Rng, pool: &'a [Value]) -> &'a Value {
    rng.choice(pool).expect("a pool is not empty")
}

/// The value, its text sometimes changed at one place.
fn perhaps_changed(rng: &mut Rng, value: &Value) -> Value {
    match value {
        Value::String(text) if rng.u8(..4) == 0 => changed(rng, text).into(),
        other => other.clone(),
    }
}

fn changed(rng: &mut Rng, text: &str) -> String {
    let mut characters: Vec<String> = text.chars().map(String::from).collect();
    let at = rng.usize(..=characters.len());
    let new = rng.choice(CHARACTERS).expect("there are some").to_string();
    match rng.u8(..3) {
        0 => characters.insert(at, new),
        1 if at < characters.len() => characters[at] = new,
        _ if at < characters.len() => drop(characters.remove(at)),
        _ => characters.push(new),
    }
    characters.concat()
}

/// Values of every field, and of one that there is not: in JSON, the good ones first.
const POOLS: [(&str, &str); 12] = [
    (
        "domain",
        r#"["netflix.com", "NetFlix.COM.", "bücher.example", "localhost", "xn--bcher-kva.example", "a.com",
            "127.0.0.1", "a..b", "-a.com", "my_host.com", "https://a.com", "a.com:1", "", " a.com", "*.a.com",
            "a.com/", "me@a.com", "[::1]", 1, null, ["a.com"]]"#,
    ),
    (
        "profile_name",
        r#"["user-123", "a", "A.b_c-D", "aaaaaaaaaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAAAAAAAAAA",
            "aaaaaaaaaaaaaaaaaaaaaaaa", "a1a1a1a1a1a1a1a1a1a1a1a1", "", "a b", "ü", "a/b", 1, null, {}]"#,
    ),
    (
        "login_url",
        r#"["https://netflix.com/login", "HTTP://A.com:8080/a%20b?q=1#top", "https://[::1]/", "http://[v1.a:b]",
            "https://localhost", "http://a:", "http://a?b", "https://1.2.3.4/", "", "https://u:p@a.com/",
            "https://@a.com", "ftp://a.com", "//a.com", "https:///a", "https://a b/", "https://ü.com/",
            "https://a.com/%zz", "http://[::g]/", "http://[1::2::3]", 1, null]"#,
    ),
    (
        "proxy",
        r#"[{"id": "px-1"}, {"name": "Berlin"}, {"id": "px-1"}, {"name": "Berlin"}, {"id": "px-9"}, {"name": "Twin"},
            {"name": "Nobody"}, {"id": ""}, {"name": ""}, {"name": "a\u0085"}, {"id": "a b"}, {}, null, "px-1",
            {"id": "px-1", "name": "Berlin"}, {"id": null}, {"id": "px-1", "name": null}, {"id": "px-1", "x": 1}]"#,
    ),
    (
        "credential",
        r#"[{"name": "n"}, {"provider": "p", "path": "Vault/Item"}, {"provider": "p", "path": "v", "auto": false},
            {"provider": "p", "auto": true}, {"name": "ü\u0000"}, {"name": ""}, {}, {"provider": "p"}, {"path": "v"},
            {"auto": true}, {"provider": "p", "auto": false}, {"provider": "p", "path": "v", "auto": true},
            {"name": "n", "provider": "p"}, {"name": "n", "auto": false}, {"name": null}, {"name": 1}, null, "n",
            {"provider": "p", "path": "v", "auto": null}, {"x": 1, "name": "n"}]"#,
    ),
    (
        "allowed_domains",
        r#"[[], ["a.com"], ["*.a.com", "b.com", "b.com"], ["*.com"], ["*.a..b"], [""], ["*."], ["*.*.a.com"],
            ["a_b.com"], [1], [null], "a.com", null, {}]"#,
    ),
    (
        "health_check_interval",
        r#"[3600, 3600.0, 7200, 86400, 300, 1200, 3599, 299, 86401, 3600.5, -3600, 0, 1e9, "3600", null, true, [3600]]"#,
    ),
    ("health_checks", r#"[true, false, null, "true", 1]"#),
    ("auto_reauth", r#"[true, false, null, "true", 1]"#),
    ("save_credentials", r#"[true, false, null, "true", 1]"#),
    ("record_session", r#"[true, false, null, "true", 1]"#),
    ("recordSession", "[true]"),
];

/// The pools, with what is too long to be written out.
fn pools() -> BTreeMap<&'static str, Vec<Value>> {
    let mut pools: BTreeMap<&str, Vec<Value>> =
        POOLS.map(|(name, pool)| (name, serde_json::from_str(pool).unwrap())).into();
    let mut extend = |name, values: Value| {
        pools.get_mut(name).unwrap().extend(values.as_array().unwrap().iter().cloned());
    };
    let long = |unit: &str, times| unit.repeat(times);
    let url = |bytes: usize| format!("https://a.com/{}", long("a", bytes - 14));
    extend("domain", json!([long("a", 64), long("\u{ad}", 5000), long("a.", 2049)]));
    extend("profile_name", json!([long("x", 255), long("x", 256)]));
    extend("login_url", json!([url(2048), url(2049)]));
    for (name, bytes) in [("proxy", 255), ("credential", 1024)] {
        for text in
            [long("a", bytes), long("a", bytes + 1), long("é", bytes / 2), long("é", bytes / 2 + 1)]
        {
            extend(name, json!([{ "name": text }]));
        }
    }
    let longest = format!("*.{}", long("\u{ad}", 4097));
    extend("allowed_domains", json!([vec!["a.com"; 100], vec!["a.com"; 101], [longest]]));
    pools
}

/// A request, sometimes with one field twice.
fn body(
    rng: &mut Rng,
    pools: &BTreeMap<&str, Vec<Value>>,
    required: &[&str],
    twice: &mut bool,
) -> (Value, String) {
    if rng.u8(..64) == 0 {
        let value =
            pick(rng, &[json!(null), json!([]), json!("{}"), json!(1), json!([{}])]).clone();
        return (value.clone(), value.to_string());
    }
    let mut fields: Vec<(&str, Value)> = Vec::new();
    for (name, pool) in pools {
        let is_sent = match *name {
            "recordSession" => rng.u8(..16) == 0,
            name if required.contains(&name) => rng.u8(..16) != 0,
            "domain" | "profile_name" => rng.u8(..16) == 0,
            _ => rng.u8(..4) == 0,
        };
        if is_sent {
            // Mostly the first few, which are good, or else hardly any request would be.
            let good = pool.len() / 3 + 1;
            let among = if rng.u8(..4) == 0 { &pool[..] } else { &pool[..good] };
            let value = pick(rng, among).clone();
            fields.push((name, perhaps_changed(rng, &value)));
        }
    }
    rng.shuffle(&mut fields);
    let value = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    // What is not a field at all is reported as that, and once.
    let can_be_twice =
        !fields.is_empty() && fields.iter().all(|(name, _)| *name != "recordSession");
    *twice = can_be_twice && rng.u8(..32) == 0;
    if *twice {
        let again = fields[rng.usize(..fields.len())].clone();
        fields.push(again);
    }
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    (Value::Object(value), format!("{{{}}}", fields.join(",")))
}

/// What came of the random requests: nothing that could come of them may be missing in the end.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    /// Compares the schema's verdict with the engine's.
    fn compare(&mut self, is_described: bool, twice: bool, about: &str, answer: &Response) {
        let codes = answer.codes_of_details();
        let beyond = codes.iter().all(|code| BEYOND_SCHEMAS.contains(&code.as_str()));
        let is_accepted = matches!(answer.status, 200 | 201 | 409);
        assert!(
            is_accepted || (answer.status == 400 && !codes.is_empty()),
            "{about}: {}",
            answer.body
        );
        if is_described {
            assert!(is_accepted || beyond, "described, but refused: {about}: {}", answer.body);
        } else {
            assert!(!is_accepted, "not described, but accepted: {about}");
        }
        assert_eq!(twice, codes.contains(&"duplicate_field".into()), "{about}: {}", answer.body);
        let verdict = if is_described { "described" } else { "not described" };
        *self.0.entry(format!("{verdict}, {}", answer.status)).or_default() += 1;
        for code in codes {
            *self.0.entry(code).or_default() += 1;
        }
    }

    fn must_have(&self, kinds: &[&str]) {
        println!("{:?}", self.0);
        for kind in kinds {
            assert!(self.0.contains_key(*kind), "{kind} never happened");
        }
    }
}

fn seeded(what: &str) -> Rng {
    println!("{what}:");
    Rng::with_seed(connectory_tests::seed())
}

/// A store in which some intervals are too short, and some proxies cannot be named.
fn strict_store() -> Store {
    let options = Options::new().plan(Plan::Hobbyist);
    let store = Store::open_with(MemoryStorage::default(), options).unwrap();
    for (id, name) in [("px-1", "Berlin"), ("px-2", "Twin"), ("px-3", "Twin")] {
        store.register_proxy(id.parse().unwrap(), Some(name.parse().unwrap())).unwrap();
    }
    store
}

#[test]
fn random_creates_are_judged_alike_by_the_schema_and_the_engine() {
    let mut rng = seeded("creates");
    let (api, pools) = (api(&strict_store()), pools());
    let mut description = Description::read();
    let mut tally = Tally::default();
    for _ in 0..20_000 {
        let mut twice = false;
        let (value, text) = body(&mut rng, &pools, &["domain", "profile_name"], &mut twice);
        let is_described = description.accepts(&schema("NewConnection"), &value);
        let answer = Response::of(&api, request("POST", "/auth/connections", &[KEY, JSON], &text));
        tally.compare(is_described, twice, &text, &answer);
    }
    let verdicts = ["described, 201", "described, 409", "described, 400", "not described, 400"];
    tally.must_have(&verdicts);
    tally.must_have(&BEYOND_SCHEMAS);
    tally.must_have(&["missing_field", "unknown_field", "invalid_type", "invalid_value"]);
}

#[test]
fn random_updates_are_judged_alike_by_the_schema_and_the_engine() {
    let mut rng = seeded("updates");
    let store = strict_store();
    let (api, mut pools) = (api(&store), pools());
    // What clears is good here.
    for (name, value) in
        [("login_url", json!("")), ("proxy", json!(null)), ("credential", json!(null))]
    {
        pools.get_mut(name).unwrap().insert(0, value);
    }
    let created =
        store.create(NewConnection::new("a.com".parse().unwrap(), "a".parse().unwrap())).unwrap();
    let path = format!("/auth/connections/{}", created.id());
    let mut description = Description::read();
    let mut tally = Tally::default();
    for _ in 0..20_000 {
        let mut twice = false;
        let (value, text) = body(&mut rng, &pools, &[], &mut twice);
        let is_described = description.accepts(&schema("ConnectionChanges"), &value);
        let answer = Response::of(&api, request("PATCH", &path, &[KEY, JSON], &text));
        tally.compare(is_described, twice, &text, &answer);
    }
    tally.must_have(&["described, 200", "described, 400", "not described, 400"]);
    tally.must_have(&BEYOND_SCHEMAS);
    tally.must_have(&["immutable_field", "unknown_field", "invalid_type", "invalid_value"]);
}

#[test]
fn random_parameters_are_judged_alike_by_the_schema_and_the_engine() {
    let mut rng = seeded("parameters");
    let (api, mut description) = (api(&strict_store()), Description::read());
    let long = "a".repeat(24);
    let cursors = [
        format!("c.{SOME_ID}"),
        "c.ma_8".to_owned() + &SOME_ID[4..],
        "p.a".into(),
        "x.px-1".into(),
        format!("p.{long}"),
        format!("x.{long}"),
        "p.".into(),
        "x.".into(),
        "c".into(),
        "z.a".into(),
        format!("x.{}", "a".repeat(256)),
        String::new(),
    ];
    let numbers = ["0", "1", "100", "101", "-1", "100000", "100001", "20", "", "x"];
    let mut tally = Tally::default();
    for _ in 0..20_000 {
        let id = *rng.choice(&["listConnections", "listProfiles", "listProxies"]).unwrap();
        let operation = description.operation(id);
        let parameters = description.parameters(&operation);
        let in_query = parameters.into_iter().filter(|parameter| parameter["in"] == "query");
        let (path, in_query) = (operation.path.to_owned(), in_query.cloned().collect::<Vec<_>>());
        let (mut sent, mut is_described) = (Vec::new(), true);
        for parameter in in_query {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let is_after_cursor = sent.iter().any(|(name, _)| name == "cursor");
            // That these exclude each other is more than parameters can say.
            if rng.bool()
                || (name == "offset" && is_after_cursor)
                || (name == "cursor" && sent.iter().any(|(name, _)| name == "offset"))
            {
                continue;
            }
            let text = match name.as_str() {
                "limit" | "offset" => (*rng.choice(&numbers).unwrap()).to_owned(),
                "cursor" => rng.choice(&cursors).unwrap().clone(),
                "domain" => {
                    (*rng.choice(&["a.com", "Ü.example", "a_b", "", "1.2.3.4"]).unwrap()).into()
                }
                _ => (*rng.choice(&["a", "user-123", &long, "", "a b", "ü"]).unwrap()).into(),
            };
            let text = if text.contains('.') && rng.u8(..4) == 0 {
                changed(&mut rng, &text)
            } else {
                text
            };
            let schema = parameter["schema"].clone();
            let value = as_value(description.resolve(&schema), &text);
            is_described &= description.accepts(&schema, &value);
            sent.push((name, text));
        }
        let twice = !sent.is_empty() && rng.u8(..32) == 0;
        if twice {
            sent.push(sent[0].clone());
        }
        let query: Vec<String> = sent
            .iter()
            .map(|(name, text)| format!("{name}={}", utf8_percent_encode(text, NON_ALPHANUMERIC)))
            .collect();
        let uri = format!("{path}?{}", query.join("&"));
        let answer = Response::of(&api, request("GET", &uri, &[KEY], ""));
        tally.compare(is_described, twice, &format!("{path} {sent:?}"), &answer);
    }
    tally.must_have(&["described, 200", "described, 400", "not described, 400"]);
    tally.must_have(&["invalid_domain", "invalid_value", "invalid_type", "duplicate_field"]);
}

/// An address out of parts that are right, or nearly.
fn address(rng: &mut Rng) -> String {
    const SCHEMES: &[&str] = &["http", "https", "HTTP", "hTTps", "httpss", "ftp", ""];
    const HOSTS: &[&str] = &[
        "a",
        "a.com",
        "1.2.3.4",
        "%41",
        "~!$&'()*+,;=-._",
        "",
        "ü",
        "[v1.x]",
        "[V1F.a:b~]",
        "[vg.x]",
        "[v1.]",
    ];
    const PORTS: &[&str] = &["", "", ":", ":0", ":65536", ":x"];
    const PATHS: &[&str] = &["", "/", "/a/b", "//", "/%2F", "/%2", "/:@!", "a", "/[", "/\u{0}"];
    const QUERIES: &[&str] = &["", "", "?", "?a=b/?:@", "?a[]=1", "?%zz", "?ü"];
    const FRAGMENTS: &[&str] = &["", "", "#", "#/a?b", "##", "# "];
    let mut one = |pool: &[&'static str]| *rng.choice(pool).expect("a pool is not empty");
    let mut parts =
        [one(SCHEMES), "://", one(HOSTS), one(PORTS), one(PATHS), one(QUERIES), one(FRAGMENTS)]
            .map(String::from);
    if rng.bool() {
        parts[2] = format!("[{}]", ip_address(rng));
        if rng.bool() {
            parts[0] = "http".into();
            parts[3..].iter_mut().for_each(String::clear);
        }
    }
    let text = parts.concat();
    if rng.u8(..4) == 0 { changed(rng, &text) } else { text }
}

/// An IPv6 address, or nearly.
fn ip_address(rng: &mut Rng) -> String {
    const GROUPS: &[&str] = &["0", "1", "ab", "ABC", "ffff", "01", "0000", "9", "12345", "g"];
    const TAILS: &[&str] = &[
        "1.2.3.4",
        "255.255.255.255",
        "0.0.0.0",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "a.1.1.1",
    ];
    let count = rng.usize(..10);
    let mut groups: Vec<&str> =
        (0..count).map(|_| GROUPS[rng.usize(..GROUPS.len()).saturating_sub(2)]).collect();
    if rng.u8(..3) == 0 {
        groups.push(rng.choice(TAILS).expect("there are some"));
    }
    let elided = if rng.u8(..8) == 0 { 2 } else { usize::from(rng.u8(..4) != 0) };
    let mut text = groups.join(":");
    for _ in 0..elided {
        let ends: Vec<usize> =
            text.match_indices(':').map(|(at, _)| at).chain([0, text.len()]).collect();
        let at = *rng.choice(&ends).expect("a text has ends");
        text.insert_str(at, if at == 0 || at == text.len() { "::" } else { ":" });
    }
    text
}

#[test]
fn random_addresses_are_judged_alike_by_the_pattern_and_the_parser() {
    let mut rng = seeded("addresses");
    let mut description = Description::read();
    let mut right = BTreeSet::new();
    let mut wrong = 0;
    for _ in 0..100_000 {
        let text = address(&mut rng);
        let is_right = text.parse::<WebUrl>().is_ok();
        let is_described = description.accepts(&schema("WebUrl"), &text.clone().into());
        assert_eq!(is_described, is_right, "{text:?}");
        if is_right { right.extend(text.contains('[').then_some(text)) } else { wrong += 1 }
    }
    println!("{} addresses with brackets are right, {wrong} addresses are wrong", right.len());
    assert!(right.len() > 1000 && wrong > 1000);
}

#[test]
fn the_names_of_proxies_are_bounded_in_bytes() {
    let mut description = Description::read();
    for (text, is_right) in [
        ("a".repeat(255), true),
        ("a".repeat(256), false),
        ("é".repeat(127), true),
        ("é".repeat(128), false),
        ("\u{1f600}".repeat(63), true),
        ("\u{1f600}".repeat(64), false),
        ("\u{a0}\u{2028}".into(), true),
        ("\u{9f}".into(), false),
    ] {
        assert_eq!(text.parse::<ProxyName>().is_ok(), is_right, "{text:?}");
        assert_eq!(
            description.accepts(&schema("ProxyName"), &text.clone().into()),
            is_right,
            "{text:?}"
        );
    }
}
