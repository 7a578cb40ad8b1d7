//! Every direct dependency is in DEPENDENCIES.md, with why it is there, and nothing is that is no longer used.

use crate::{json, members, text};
use serde_json::Value;
use std::collections::BTreeSet;

/// The folders of npm packages.
const NPM: [&str; 6] =
    ["bindings/npm", "bindings/edge", "www", "tests", "tests/npm/packages", "benches/javascript"];

/// What the rows of the tables under a heading begin with.
fn listed(heading: &str) -> BTreeSet<String> {
    let document = text("DEPENDENCIES.md");
    let sections = document.split("\n## ").find(|section| section.starts_with(heading));
    let section = sections.unwrap_or_else(|| panic!("DEPENDENCIES.md has no {heading:?}"));
    let mut names = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let cells: Vec<_> = row.split(" | ").collect();
        assert!(cells.len() >= 3 && cells.iter().all(|cell| cell.len() > 1), "{row}");
        for name in cells[0].split('`').step_by(2).filter(|name| !name.trim().is_empty()) {
            assert!(names.insert(name.to_owned()), "{name} is there twice");
        }
    }
    names
}

#[track_caller]
fn assert_same(used: &BTreeSet<String>, listed: &BTreeSet<String>) {
    let missing: Vec<_> = used.difference(listed).collect();
    let left: Vec<_> = listed.difference(used).collect();
    assert!(
        missing.is_empty() && left.is_empty(),
        "DEPENDENCIES.md: without a reason {missing:?}, no longer used {left:?}"
    );
}

/// The direct dependencies of some crates of the workspace, of these kinds, but for each other.
fn direct(is_asked: impl Fn(&str, &Value) -> bool) -> BTreeSet<String> {
    let members = members();
    let ours: BTreeSet<_> =
        members.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for package in &members {
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            if !ours.contains(name)
                && is_asked(package["name"].as_str().unwrap(), &dependency["kind"])
            {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

fn is_shipped(package: &str, kind: &Value) -> bool {
    matches!(package, "connectory" | "connectory-cli" | "connectory-wasm") && kind.is_null()
}

#[test]
fn every_crate_that_is_shipped_has_its_reason() {
    assert_same(&direct(is_shipped), &listed("Shipped"));
}

#[test]
fn every_crate_of_tests_and_benchmarks_has_its_reason() {
    let shipped = direct(is_shipped);
    let others = direct(|package, kind| !is_shipped(package, kind));
    let others = others.difference(&shipped).cloned().collect();
    assert_same(&others, &listed("Tests and benchmarks"));
}

#[test]
fn every_npm_package_has_its_reason() {
    let mut used = BTreeSet::new();
    for folder in NPM {
        let package = json(&format!("{folder}/package.json"));
        for field in ["dependencies", "devDependencies", "optionalDependencies"] {
            let names = package[field].as_object().into_iter().flatten().map(|(name, _)| name);
            used.extend(names.filter(|name| *name != "connectory").cloned());
        }
    }
    assert_same(&used, &listed("From npm"));
}
