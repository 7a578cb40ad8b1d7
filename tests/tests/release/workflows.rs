//! The workflows run what a person runs, with what the manifests ask for.

use crate::{is_published, json, members, name, text};

const TESTS: &str = ".github/workflows/ci.yml";
const RELEASE: &str = ".github/workflows/release.yml";

/// What follows `key: ` wherever it is the key of a workflow.
fn values(workflow: &str, key: &str) -> Vec<String> {
    let text = text(workflow);
    let start = format!("{key}: ");
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

#[test]
fn everything_is_run_before_a_release_as_on_every_push() {
    assert!(values(TESTS, "run").contains(&"tests/run".to_owned()));
    assert!(text(TESTS).contains("workflow_call:"));
    assert!(values(RELEASE, "uses").contains(&format!("./{TESTS}")));
    assert!(values(RELEASE, "needs").contains(&"[tests, packages, programs]".to_owned()));
}

#[test]
fn every_part_that_a_workflow_runs_is_one_of_tests_run() {
    let parts = text("tests/run");
    let runs = [TESTS, RELEASE].map(|workflow| values(workflow, "run")).concat();
    let named: Vec<_> = runs
        .iter()
        .filter_map(|run| run.strip_prefix("tests/run "))
        .flat_map(str::split_whitespace)
        .collect();
    for part in ["supply", "advisories", "semver", "sbom", "reproducible"] {
        assert!(named.contains(&part), "no workflow runs {part}");
    }
    for part in named {
        assert!(parts.contains(&format!("part_{part}()")), "{part}");
    }
}

#[test]
fn the_oldest_rust_is_the_one_that_the_crates_promise_and_node_the_packages() {
    let members = members();
    let engine = members.iter().find(|package| name(package) == "connectory").unwrap();
    let oldest = engine["rust_version"].as_str().unwrap();
    let containers = values(TESTS, "container");
    let is_oldest = |container: &&String| container.starts_with(&format!("rust:{oldest}."));
    assert_eq!(containers.iter().filter(is_oldest).count(), 1, "{oldest}: {containers:?}");
    let engines = json("bindings/npm/package.json")["engines"]["node"].clone();
    for workflow in [TESTS, RELEASE] {
        for version in values(workflow, "node-version") {
            assert_eq!(format!(">={version}"), engines, "{workflow}");
        }
    }
}

#[test]
fn a_release_publishes_every_crate_that_is_published() {
    let publishes: Vec<_> = values(RELEASE, "run")
        .into_iter()
        .filter(|run| run.contains(" publish --locked"))
        .collect();
    assert_eq!(publishes.len(), 1, "{publishes:?}");
    for package in members().iter().filter(|package| is_published(package)) {
        let words: Vec<_> = publishes[0].split_whitespace().collect();
        assert!(words.contains(&name(package)), "{}: {publishes:?}", name(package));
    }
}
