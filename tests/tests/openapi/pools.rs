//! Pools of values for every field, and random requests out of them.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn seeded(what: &str) -> Rng {
    println!("{what}:");
    Rng::with_seed(connectory_tests::seed())
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

pub(crate) fn changed(rng: &mut Rng, text: &str) -> String {
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
pub(crate) fn pools() -> BTreeMap<&'static str, Vec<Value>> {
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
pub(crate) fn body(
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
