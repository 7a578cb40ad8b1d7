//! The API's description against the API: what it describes is there, what its schemas say of a request is what the
//! engine does with it, and whatever is answered is described.
//!
//! `CONNECTORY_SEED` repeats the random requests of a run.

mod addresses;
mod answers;
mod description;
mod exchange;
mod pools;
mod situations;
mod tally;

use addresses::address;
use answers::Answers;
use connectory::http::{Api, Route, allowed_methods};
use connectory::{Json, NewConnection, ProxyName, Reauth, Store, WebUrl};
use description::{Description, as_value, schema};
use exchange::{JSON, KEY, Response, SOME_ID, api, every_operation, request, strict_store};
use http::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pools::{body, changed, pools, seeded};
use serde_json::{Map, Value, json};
use situations::{
    connections_are_as_described, creates_are_as_described, dumps_and_loads_are_as_described,
    failures_are_as_described, profiles_and_proxies_are_as_described, refusals_are_as_described,
};
use std::collections::BTreeSet;
use tally::{BEYOND_SCHEMAS, Tally};

/// What the server answers by itself, without the API.
const SERVER_PATHS: [&str; 3] = ["/healthz", "/metrics", "/openapi.json"];

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
