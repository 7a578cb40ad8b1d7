//! The command line as people and scripts use it: what is printed where, and how it ends.

use crate::shell::Shell;
use serde_json::{Value, json};

#[test]
fn a_create_prints_the_connection_and_a_second_one_names_the_holder() {
    let shell = Shell::new();
    let created = shell.create("netflix.com", "user-123").exits(0).json();
    assert_eq!(created["domain"], "netflix.com");
    assert_eq!(created["status"], "NEEDS_AUTH");
    assert_eq!(created["flow_status"], Value::Null);
    assert_eq!(created.get("login_url"), None);

    let conflict = shell.create("NETFLIX.com.", "user-123").exits(3).tells("conflict").json();
    assert_eq!(conflict["existing_id"], created["id"]);
    let keys: Vec<&String> = conflict.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "message", "existing_id"]);

    let ensured = shell
        .run(&["ensure", "--domain", "netflix.com", "--profile-name", "user-123"])
        .exits(0)
        .tells("existing");
    assert_eq!(ensured.json(), created);
}

#[test]
fn a_refusal_names_every_violation_by_its_flag_and_says_what_to_send() {
    let shell = Shell::new();
    let refused = shell
        .create("https://netflix.com/login", "a b")
        .exits(2)
        .tells("--domain: \"https://netflix.com/login\" has a scheme; send the bare host name \"netflix.com\"")
        .tells("--profile-name: \"a b\" has the character ' '");
    let body = refused.json();
    assert_eq!(body["details"][0]["code"], "invalid_domain");
    assert_eq!(body["details"][1]["code"], "invalid_value");
    assert!(!shell.store().exists(), "a refused create leaves nothing behind");

    shell
        .run(&[
            "create",
            "--domain",
            "a.com",
            "--profile-name",
            "p",
            "--proxy-id",
            "x",
            "--proxy-name",
            "y",
            "--credential-auto",
            "--health-check-interval",
            "12",
            "--allowed-domain",
            "*.com",
            "--idempotency-key",
            "a b",
        ])
        .exits(2)
        .tells("--proxy: has both id and name")
        .tells("--credential: mixes or lacks fields")
        .tells("--health-check-interval: 12 is out of bounds")
        .tells("--allowed-domain: ")
        .tells("--idempotency-key: is not an idempotency key");
}

#[test]
fn every_flag_reaches_its_field() {
    let shell = Shell::new();
    shell.run(&["proxies", "register", "px-1", "--name", "Berlin"]).exits(0);
    let created = shell
        .run(&[
            "create",
            "--domain",
            "crm.example.com",
            "--profile-name",
            "sales",
            "--login-url",
            "https://crm.example.com/login",
            "--proxy-name",
            "Berlin",
            "--credential-provider",
            "my-1p",
            "--credential-path",
            "Vault/Item",
            "--allowed-domain",
            "login.example.com",
            "--allowed-domain",
            "*.example.org",
            "--health-check-interval",
            "1800",
            "--no-health-checks",
            "--no-auto-reauth",
            "--no-save-credentials",
            "--record-session",
        ])
        .exits(0)
        .json();
    for (field, value) in [
        ("login_url", json!("https://crm.example.com/login")),
        ("proxy_id", json!("px-1")),
        ("credential", json!({ "provider": "my-1p", "path": "Vault/Item" })),
        ("allowed_domains", json!(["login.example.com", "*.example.org"])),
        ("health_check_interval", json!(1800)),
        ("health_checks", json!(false)),
        ("auto_reauth", json!(false)),
        ("save_credentials", json!(false)),
        ("record_session", json!(true)),
    ] {
        assert_eq!(created[field], value, "{field}");
    }
    let id = created["id"].as_str().unwrap();
    let updated = shell
        .run(&[
            "update",
            id,
            "--login-url",
            "",
            "--no-proxy",
            "--no-credential",
            "--no-allowed-domains",
            "--health-checks",
            "--no-record-session",
        ])
        .exits(0)
        .json();
    for field in ["login_url", "proxy_id", "credential", "allowed_domains"] {
        assert_eq!(updated.get(field), None, "{field}");
    }
    assert_eq!(updated["health_checks"], true);
    assert_eq!(updated["record_session"], false);
    assert_eq!(updated["health_check_interval"], 1800, "what is not named stays");

    let seen = shell
        .run(&["record", id, "--status", "AUTHENTICATED", "--can-reauth-reason", "has_credential"])
        .exits(0)
        .json();
    assert_eq!((&seen["status"], &seen["can_reauth"]), (&json!("AUTHENTICATED"), &json!(true)));
}

#[test]
fn a_key_replays_and_forgets_with_its_connection() {
    let shell = Shell::new();
    let create = |more: &[&str]| {
        let mut arguments = vec![
            "create",
            "--domain",
            "netflix.com",
            "--profile-name",
            "u",
            "--idempotency-key",
            "k-1",
        ];
        arguments.extend(more);
        shell.run(&arguments)
    };
    let created = create(&[]).exits(0).tells("created").json();
    assert_eq!(create(&[]).exits(0).tells("replayed").json(), created);
    let reused = create(&["--record-session"]).exits(2).json();
    assert_eq!(reused["code"], "idempotency_key_reuse");
    let id = created["id"].as_str().unwrap();
    shell.run(&["delete", id]).exits(0);
    shell.run(&["delete", id]).exits(4);
    assert_ne!(create(&["--record-session"]).exits(0).tells("created").json()["id"], created["id"]);
}

#[test]
fn lists_are_paged_and_filtered() {
    let shell = Shell::new();
    for n in 0..5 {
        shell.create(&format!("site-{n}.example.com"), "user").exits(0);
    }
    shell.create("netflix.com", "other").exits(0);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let listed = shell.run(arguments).exits(0).json();
        listed.as_array().unwrap().iter().map(|item| item["id"].to_string()).collect()
    };
    let all = ids(&["list"]);
    assert_eq!(all.len(), 6);
    assert_eq!(ids(&["list", "--profile-name", "user"]), all[1..]);
    assert_eq!(ids(&["list", "--domain", "Netflix.com"]), all[..1]);
    assert_eq!(ids(&["list", "--query", "site-3"]), all[2..3]);
    assert_eq!(ids(&["list", "--all"]), all);
    let page = shell.run(&["list", "--limit", "2"]).exits(0).tells("--cursor ");
    let cursor = page.err.split("--cursor ").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(ids(&["list", "--limit", "2", "--cursor", cursor]), all[2..4]);

    let profiles = shell.run(&["profiles"]).exits(0).json();
    assert_eq!(
        profiles,
        json!([{ "name": "other", "connections": 1 }, { "name": "user", "connections": 5 }])
    );
    shell.run(&["profiles", "delete", "user"]).exits(2).tells("still has 5");
    shell.run(&["profiles", "delete", "nobody"]).exits(4);
    shell.run(&["list", "--limit", "0"]).exits(2).tells("--limit: 0 is out of bounds");
    shell
        .run(&["list", "--limit", "x"])
        .exits(2)
        .tells("--limit: \"x\" is not an integer; send one");
    shell.run(&["list", "--domain", "a b"]).exits(2);
    shell.run(&["find", "--domain", "netflix.com", "--profile-name", "user"]).exits(4);
    shell.run(&["find", "--domain", "netflix.com", "--profile-name", "other"]).exits(0);
    shell.run(&["get", "nonsense"]).exits(4);
    let changes = shell.run(&["changes", "--since", "4"]).exits(0).json();
    assert_eq!(changes[0]["seq"], 5);
    assert_eq!(changes.as_array().unwrap().len(), 2);
}

#[test]
fn plans_and_caps_hold() {
    let shell = Shell::new();
    let create = |domain: &str, more: &[&str]| {
        let mut arguments = vec!["--plan", "hobbyist", "--cap", "1", "create"];
        arguments.extend(["--profile-name", "u", "--domain", domain]);
        arguments.extend(more);
        shell.run(&arguments)
    };
    create("a.com", &["--health-check-interval", "1200"]).exits(2).tells("below the hobbyist plan");
    create("a.com", &[]).exits(0);
    assert_eq!(create("b.com", &[]).exits(2).json()["code"], "insufficient_plan");
    create("a.com", &[]).exits(3);
    shell.run(&["--plan", "gold", "list"]).exits(2);
}

#[test]
fn a_dump_loads_into_an_equal_store_and_only_into_an_empty_one() {
    let shell = Shell::new();
    shell.run(&["proxies", "register", "px"]).exits(0);
    shell
        .run(&[
            "create",
            "--domain",
            "a.com",
            "--profile-name",
            "u",
            "--proxy-id",
            "px",
            "--idempotency-key",
            "k",
        ])
        .exits(0);
    let gone = shell.create("b.com", "empty").exits(0).json();
    shell.run(&["delete", gone["id"].as_str().unwrap()]).exits(0);
    let dump = shell.run(&["dump"]).exits(0).out;
    let file = shell.path("dump.jsonl");
    std::fs::write(&file, &dump).unwrap();

    shell.run_on(&file, &["--project", "copy", "load"]).exits(0).tells("1 connections loaded");
    assert_eq!(shell.run(&["--project", "copy", "dump"]).exits(0).out, dump);
    shell.run(&["--project", "copy", "check"]).exits(0);
    shell.run(&["load", file.to_str().unwrap()]).exits(2).tells("not empty");

    // Half a dump is no dump: the store stays empty.
    let broken = dump.replace("\"domain\":\"a.com\"", "\"domain\":\"a b\"");
    std::fs::write(&file, broken).unwrap();
    shell
        .run_on(&file, &["--project", "broken", "load"])
        .exits(2)
        .tells("line 5, connection.domain");
    assert_eq!(shell.run(&["--project", "broken", "profiles"]).exits(0).json(), json!([]));
    assert_eq!(shell.run(&["--project", "broken", "proxies"]).exits(0).json(), json!([]));
}

#[test]
fn a_backup_is_a_store() {
    let shell = Shell::new();
    shell.create("a.com", "u").exits(0);
    std::fs::create_dir(shell.path("copy")).unwrap();
    let copy = shell.path("copy").join("default.connectory");
    shell.run(&["backup", copy.to_str().unwrap()]).exits(0);
    shell.run(&["backup", copy.to_str().unwrap()]).exits(2).tells("is there already");
    let directory = shell.path("copy");
    let of_copy = ["--store", directory.to_str().unwrap()];
    assert_eq!(
        shell.run(&[&of_copy[..], &["dump"]].concat()).exits(0).out,
        shell.run(&["dump"]).exits(0).out
    );
    shell.run(&[&of_copy[..], &["check"]].concat()).exits(0);
}

#[test]
fn a_check_names_what_is_damaged_and_what_helps() {
    let shell = Shell::new();
    let file = shell.path("many.jsonl");
    let lines = (0..300).map(|n| format!("{{\"domain\":\"d{n}.com\",\"profile_name\":\"u\"}}\n"));
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    shell.run(&["import", file.to_str().unwrap()]).exits(0);
    let sound = shell.run(&["check"]).exits(0).json();
    assert_eq!((&sound["problems"], &sound["pages_checked"]), (&json!([]), &json!(true)));

    // The end of a text that a record has: in a leaf, wherever that is.
    let whole = std::fs::read(shell.store()).unwrap();
    let at = whole
        .windows(9)
        .position(|text| text == b"d123.com\0" || text == b"d123.comu")
        .or(whole.windows(8).position(|text| text == b"d123.com"));
    let mut bytes = whole.clone();
    bytes[at.unwrap()] ^= 1;
    std::fs::write(shell.store(), &bytes).unwrap();
    let page = at.unwrap() / 4096;
    let ran = shell.run(&["check"]).exits(1);
    let problems = ran.json()["problems"].to_string();
    let named =
        format!("page {page} at byte {} of the file does not match its checksum", page * 4096);
    assert!(problems.contains(&named), "{problems}");
    assert!(problems.contains("rows can be read"), "{problems}");
    let ran = ran.tells(&named);
    ran.tells("`connectory recover FILE NEW` salvages what is intact");

    // Its roots: it does not open, and the check says where that is.
    let mut bytes = whole.clone();
    for slot in [64, 192] {
        bytes[slot + 10] ^= 1;
    }
    std::fs::write(shell.store(), &bytes).unwrap();
    shell.run(&["list"]).exits(1).tells("its header is damaged");
    shell.run(&["check"]).exits(1).tells("its header is damaged").tells("connectory recover");

    std::fs::write(shell.store(), &whole[..whole.len() / 2]).unwrap();
    shell.run(&["check"]).exits(1).tells("it ends too early");
}

#[test]
fn tables_are_for_people_and_completions_for_shells() {
    let shell = Shell::new();
    shell.create("a.com", "u").exits(0);
    let table = shell.run(&["-o", "table", "list"]).exits(0).out;
    assert!(table.contains("a.com") && table.contains('│'), "{table}");
    assert!(shell.run(&["completions", "bash"]).exits(0).out.contains("connectory"));
    assert!(shell.run(&["create", "--help"]).exits(0).out.contains("Examples:"));
}

#[test]
fn reading_where_there_is_no_store_makes_none() {
    let shell = Shell::new();
    shell.run(&["list"]).exits(4).tells("there is no store at");
    assert!(!shell.path("store").exists());
    shell.run(&["--project", "../x", "list"]).exits(2).tells("is not a project ID");
}

#[test]
fn reading_leaves_no_trace() {
    let shell = Shell::new();
    shell.create("a.com", "u").exits(0);
    let before = std::fs::read(shell.store()).unwrap();
    for command in ["list", "profiles", "proxies", "changes", "dump", "stats"] {
        shell.run(&[command]).exits(0);
    }
    assert_eq!(std::fs::read(shell.store()).unwrap(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let read_only = std::fs::Permissions::from_mode(0o444);
        std::fs::set_permissions(shell.store(), read_only).unwrap();
        shell.run(&["list"]).exits(0);
    }
}
