//! What is released: one version, packages that say what a registry asks, and no dependency without a reason.

mod dependencies;
mod manifests;
mod versions;
mod workflows;

use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file of the workspace.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of the workspace that is JSON.
fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The packages that Cargo sees: those of the workspace, or all.
fn packages(of: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .args(of)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The crates of the workspace.
fn members() -> Vec<Value> {
    packages(&["--no-deps"])
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// A crate that is published, not one with `publish = false`.
fn is_published(package: &Value) -> bool {
    package["publish"].is_null()
}
