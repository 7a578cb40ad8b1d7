//! The version is the one of the workspace's Cargo.toml, wherever else it has to be written down.

use crate::{json, members, text};
use std::fmt::Write;

/// Every place that says a version, with what it says.
fn places() -> Vec<(String, String)> {
    let mut places = Vec::new();
    let workspace = text("Cargo.toml");
    let dependency = workspace.lines().find(|line| line.starts_with("connectory = {")).unwrap();
    let required = dependency.split("version = \"").nth(1).unwrap().split('"').next().unwrap();
    places.push(("Cargo.toml, workspace.dependencies".to_owned(), required.to_owned()));
    let lock = text("Cargo.lock");
    for package in members() {
        let name = package["name"].as_str().unwrap();
        let manifest = package["version"].as_str().unwrap();
        places.push((format!("the crate {name}"), manifest.to_owned()));
        let locked = lock.split(&format!("name = \"{name}\"\nversion = \"")).nth(1).unwrap();
        let locked = locked.split('"').next().unwrap();
        places.push((format!("Cargo.lock, {name}"), locked.to_owned()));
    }
    for (file, pointer) in [
        ("core/src/http/openapi.json", "/info/version"),
        ("bindings/npm/package.json", "/version"),
        ("bindings/npm/package-lock.json", "/version"),
        ("bindings/npm/package-lock.json", "/packages//version"),
        ("www/package-lock.json", "/packages/..~1bindings~1npm/version"),
    ] {
        let version = json(file).pointer(pointer).and_then(|v| v.as_str().map(str::to_owned));
        places.push((format!("{file}, {pointer}"), version.unwrap_or_default()));
    }
    let changelog = text("CHANGELOG.md");
    let mut releases = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let latest = releases.find(|heading| *heading != "Unreleased").unwrap();
    let (version, date) = latest.split_once(", ").expect("a version, and its date");
    let is_date = |part: &str| part.len() == 10 && part.chars().filter(|c| *c == '-').count() == 2;
    assert!(is_date(date), "CHANGELOG.md: {latest}");
    places.push(("CHANGELOG.md, the latest release".to_owned(), version.to_owned()));
    places
}

#[test]
fn every_place_says_the_same_version() {
    let version = env!("CARGO_PKG_VERSION");
    let mut wrong = String::new();
    let places = places();
    assert!(places.len() >= 17, "{places:?}");
    for (place, says) in places {
        if says != version {
            writeln!(wrong, "  {place}: {says:?}").unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "the workspace is {version}, but these are not; run tests/release/version {version}, and write CHANGELOG.md:\n{wrong}"
    );
}

#[test]
fn packages_that_are_not_published_have_no_version() {
    for folder in ["bindings/edge", "www", "tests", "tests/npm/packages", "benches/javascript"] {
        let package = json(&format!("{folder}/package.json"));
        assert_eq!(package["private"], true, "{folder}");
        assert!(package.get("version").is_none(), "{folder}: one more place to keep");
    }
}
