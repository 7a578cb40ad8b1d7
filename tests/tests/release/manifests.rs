//! What registries ask of a package is there, and true.

use crate::{is_published, json, members, name, packages, root};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_engine_and_the_command_line_are_published_and_nothing_else() {
    let members = members();
    let published: BTreeSet<_> =
        members.iter().filter(|package| is_published(package)).map(name).collect();
    assert_eq!(published, BTreeSet::from(["connectory", "connectory-cli"]));
}

#[test]
fn a_published_crate_says_what_people_look_for() {
    for package in members().iter().filter(|package| is_published(package)) {
        for field in ["description", "license", "repository", "documentation", "rust_version"] {
            assert!(package[field].is_string(), "{}: no {field}", name(package));
        }
        for (field, most) in [("keywords", 5), ("categories", 5)] {
            let count = package[field].as_array().unwrap().len();
            assert!((1..=most).contains(&count), "{}: {count} {field}", name(package));
        }
        let targets = package.pointer("/metadata/docs/rs/targets");
        assert!(targets.is_some_and(Value::is_array), "{}: nothing for docs.rs", name(package));
        let folder = package["manifest_path"].as_str().unwrap().trim_end_matches("Cargo.toml");
        let readme = format!("{folder}{}", package["readme"].as_str().unwrap());
        let readme = std::fs::read_to_string(&readme).unwrap();
        assert!(readme.contains("connectory"), "{}: {readme}", name(package));
        for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let read = |path: String| std::fs::read_to_string(&path).expect(&path);
            let ours = read(root().join(license).display().to_string());
            assert_eq!(read(format!("{folder}{license}")), ours, "{}: {license}", name(package));
        }
    }
}

#[test]
fn the_npm_package_says_what_the_crates_say_and_depends_on_nothing() {
    let package = json("bindings/npm/package.json");
    let members = members();
    let engine = members.iter().find(|package| name(package) == "connectory").unwrap();
    assert_eq!(package["license"], engine["license"]);
    let repository = format!("git+{}.git", engine["repository"].as_str().unwrap());
    assert_eq!(package["repository"]["url"], repository);
    assert_eq!(package["repository"]["directory"], "bindings/npm");
    for field in ["dependencies", "peerDependencies", "optionalDependencies"] {
        assert!(package.get(field).is_none(), "{field}: its users would get more than it");
    }
    for script in ["preinstall", "install", "postinstall", "prepare"] {
        assert!(package["scripts"].get(script).is_none(), "{script}: would run at its users'");
    }
}

/// Two numbers of a version of Rust.
fn release(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn no_dependency_asks_for_a_later_rust_than_the_crates_do() {
    let all = packages(&[]);
    let engine = all.iter().find(|package| name(package) == "connectory").unwrap();
    let ours = engine["rust_version"].as_str().unwrap();
    let says = |package: &&Value| package["rust_version"].is_string();
    let asking: Vec<_> = all.iter().filter(says).collect();
    assert!(asking.len() > 50, "{} say what they ask for", asking.len());
    for package in asking {
        let asked = package["rust_version"].as_str().unwrap();
        assert!(release(asked) <= release(ours), "{} asks for {asked}", name(package));
    }
}
