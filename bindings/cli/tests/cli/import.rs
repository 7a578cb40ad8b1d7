//! A hundred thousand real requests, imported twice. Needs the list of sites that `tests/run import` installs.

use crate::shell::Shell;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// What a person would import: every site of the list, for 200 profiles.
const PROFILES: usize = 200;

fn sites() -> Vec<String> {
    let path = std::env::var("CONNECTORY_TOP_SITES").expect("set by tests/run import");
    let list: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let sites = list.as_array().unwrap().iter();
    sites.map(|site| site["rootDomain"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "run by tests/run import, which installs the list of sites"]
fn a_hundred_thousand_real_requests_are_imported_once() {
    let shell = Shell::new();
    let sites = sites();
    assert_eq!(sites.len(), 500);
    let mut requests = String::new();
    for profile in 0..PROFILES {
        for site in &sites {
            let request = json!({ "domain": site, "profile_name": format!("user-{profile}") });
            writeln!(requests, "{request}").unwrap();
        }
    }
    let file = shell.path("requests.jsonl");
    std::fs::write(&file, requests).unwrap();
    // The list holds one name that its makers cut short; no host is called that.
    let cut = sites.iter().filter(|site| site.contains("..")).count();
    assert_eq!(cut, 1);
    let (good, bad) = ((sites.len() - cut) * PROFILES, cut * PROFILES);

    let import = || shell.run(&["import", file.to_str().unwrap()]).exits(2);
    let first = import().tells(&format!("{good} created, 0 conflicts, {bad} refused"));
    assert_eq!(first.out.lines().count(), 100_000, "a line of outcome for every row");
    let dump = shell.run(&["dump"]).exits(0).out;
    let second = import().tells(&format!("0 created, {good} conflicts, {bad} refused"));
    assert_eq!(shell.run(&["dump"]).exits(0).out, dump, "a second import changes nothing");
    let report = shell.run(&["check"]).exits(0).json();
    assert_eq!((&report["connections"], &report["problems"]), (&json!(good), &json!([])));

    let outcome = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let mut holders = HashMap::new();
    for (created, conflict) in first.out.lines().map(outcome).zip(second.out.lines().map(outcome)) {
        assert_eq!(created["line"], conflict["line"]);
        if created["outcome"] == "refused" {
            assert_eq!(created["details"][0]["code"], "invalid_domain");
            continue;
        }
        assert_eq!(created["id"], conflict["existing_id"]);
        let row = usize::try_from(created["line"].as_u64().unwrap()).unwrap() - 1;
        holders.insert(created["id"].as_str().unwrap().to_owned(), row);
    }
    assert_eq!(holders.len(), good);

    let list = |arguments: &[&str]| -> Vec<usize> {
        let listed = shell.run(&[&["list", "--all"], arguments].concat()).exits(0).json();
        let listed = listed.as_array().unwrap().iter();
        listed.map(|item| holders[item["id"].as_str().unwrap()]).collect()
    };
    let newest_first = |rows: &mut dyn Iterator<Item = usize>| {
        let mut rows: Vec<usize> = rows.filter(|row| !sites[row % 500].contains("..")).collect();
        rows.reverse();
        rows
    };
    assert_eq!(
        list(&["--domain", &sites[7]]),
        newest_first(&mut (0..PROFILES).map(|n| n * 500 + 7))
    );
    assert_eq!(list(&["--profile-name", "user-9"]), newest_first(&mut (9 * 500..10 * 500)));
    assert_eq!(list(&[]), newest_first(&mut (0..100_000)), "a full walk finds everything once");

    let dumped = shell.path("dump.jsonl");
    std::fs::write(&dumped, &dump).unwrap();
    shell.run_on(&dumped, &["--project", "copy", "load"]).exits(0);
    assert_eq!(shell.run(&["--project", "copy", "dump"]).exits(0).out, dump);
}
