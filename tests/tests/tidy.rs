//! The sources keep the order that they promise: files say what they are, and use only what stands above them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust source of the workspace, with its text.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    files(directory, &["rs"])
}

/// Every file of the workspace that ends like one of these, with its text.
fn files(directory: &Path, extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !matches!(name, "target" | "node_modules" | "dist" | ".git") {
            found.extend(files(&path, extensions));
        } else if path.extension().is_some_and(|ends| extensions.iter().any(|one| ends == *one)) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

#[test]
fn the_first_line_of_a_file_says_what_it_is() {
    let sources = sources(&root());
    assert!(sources.len() > 50, "{} found", sources.len());
    for (path, text) in sources {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 20, "{}: {first:?}", path.display());
    }
}

#[test]
fn no_merge_was_left_half_done() {
    let texts = files(&root(), &["rs", "md", "toml", "json", "ts", "tsx", "mjs", "js", "css"]);
    assert!(texts.len() > 200, "{} found", texts.len());
    for (path, text) in texts {
        let is_marker = |line: &&str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
        assert_eq!(text.lines().find(is_marker), None, "{}", path.display());
    }
}

/// The one line of unsafe code that there may be: LMDB, which a benchmark is compared with, can be opened in no other way.
const UNSAFE: &str = "benches/src/peers/lmdb.rs";

/// The folder of every crate, of the workspace and beside it, with its manifest.
fn crates() -> Vec<(PathBuf, String)> {
    let manifests = files(&root(), &["toml"]).into_iter();
    let is_crate = |(path, text): &(PathBuf, String)| {
        path.ends_with("Cargo.toml") && text.contains("[package]")
    };
    let folder = |(path, text): (PathBuf, String)| (path.parent().unwrap().to_owned(), text);
    manifests.filter(is_crate).map(folder).collect()
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate() {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let forbids = |manifest: &str| manifest.contains("\nunsafe_code = \"forbid\"\n");
    assert!(forbids(&workspace));
    let crates = crates();
    assert!(crates.len() >= 5, "{crates:?}");
    for (folder, manifest) in crates {
        let inherits = manifest.contains("\n[lints]\nworkspace = true\n");
        // What is forbidden can be allowed nowhere, so one crate denies it.
        let denies = manifest.contains("\nunsafe_code = \"deny\"\n")
            && root().join(UNSAFE).starts_with(&folder);
        assert!(inherits || forbids(&manifest) || denies, "{}", folder.display());
    }
    let speaks_of_it = |line: &&str| line.contains("unsafe") && !line.trim().starts_with("//");
    for (path, text) in sources(&root()) {
        let expected = if path == root().join(UNSAFE) { 2 } else { 0 };
        let lines: Vec<_> = text.lines().filter(speaks_of_it).collect();
        let is_this_file = path.ends_with("tests/tests/tidy.rs");
        assert!(is_this_file || lines.len() == expected, "{}: {lines:?}", path.display());
    }
}

/// The modules of the engine with the number of their group, and the module of every name that `lib.rs` exports.
fn groups(lib: &str) -> (BTreeMap<&str, usize>, BTreeMap<&str, &str>) {
    let mut groups = BTreeMap::new();
    let mut group = 0;
    for line in lib.lines() {
        if line.starts_with("// ") {
            group += 1;
        }
        let module = line.trim_start_matches("pub ").strip_prefix("mod ");
        if let Some(name) = module.and_then(|rest| rest.strip_suffix(';')) {
            groups.insert(name, group);
        }
    }
    let mut exports = BTreeMap::new();
    for statement in lib.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap();
        let (module, names) = statement.split_once("::").unwrap();
        for name in words(names) {
            exports.insert(name, module);
        }
    }
    (groups, exports)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn a_file_of_the_engine_uses_only_its_own_group_and_those_above() {
    let directory = root().join("core/src");
    let lib = std::fs::read_to_string(directory.join("lib.rs")).unwrap();
    let (groups, exports) = groups(&lib);
    assert!(groups.len() > 25 && exports.len() > 50, "{groups:?} {exports:?}");
    let mut wrong = BTreeSet::new();
    for (module, group) in &groups {
        let Ok(text) = std::fs::read_to_string(directory.join(format!("{module}.rs"))) else {
            assert_eq!(*module, "http", "the only one in a folder");
            continue;
        };
        // Tests may look wherever they like.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let code = code.lines().filter(is_code).collect::<Vec<_>>().join("\n");
        for used in code.split("crate::").skip(1) {
            let list = used.strip_prefix('{').and_then(|list| list.split('}').next());
            for name in
                words(list.unwrap_or(used)).take(if list.is_some() { usize::MAX } else { 1 })
            {
                let used = exports.get(name).copied().unwrap_or(name);
                if groups.get(used).is_some_and(|of| of > group) {
                    wrong.insert(format!("{module} uses {name} of {used}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
