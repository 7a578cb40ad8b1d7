//! The values that the format is frozen by, each with its bytes. The tests of the file that writes a kind hold it to them.

use crate::ConnectionId;
use serde_json::Value;

/// A value as it is stored.
#[derive(Debug)]
pub(crate) struct Fixture {
    kind: String,
    pub(crate) name: String,
    /// The key that it is stored under, where it has one.
    pub(crate) key: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
    /// What the bytes stand for; how it is told depends on the kind.
    pub(crate) means: Value,
}

const KINDS: [&str; 18] = [
    "connection",
    "proxy",
    "proxy_name",
    "profile",
    "profile_pair",
    "profile_order",
    "domain",
    "domain_order",
    "change",
    "format",
    "state",
    "log",
    "batch",
    "opening",
    "frame",
    "salt",
    "row",
    "id",
];

impl Fixture {
    fn read(entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        Self {
            kind: text("kind"),
            name: text("name"),
            key: bytes(&text("key")),
            bytes: bytes(&text("bytes")),
            means: entry["means"].clone(),
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        text(&self.means[field])
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        number(&self.means[field])
    }

    pub(crate) fn id(&self) -> ConnectionId {
        id(&self.means["id"])
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a number"))
}

pub(crate) fn id(value: &Value) -> ConnectionId {
    text(value).parse().unwrap()
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0, "{hex}");
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn all() -> Vec<Fixture> {
    let entries: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/1/records.json")).unwrap();
    entries.iter().map(Fixture::read).collect()
}

/// Those of one kind; there are some.
pub(crate) fn of_kind(kind: &str) -> Vec<Fixture> {
    assert!(KINDS.contains(&kind), "{kind}");
    let found: Vec<_> = all().into_iter().filter(|fixture| fixture.kind == kind).collect();
    assert!(!found.is_empty(), "there is no {kind}");
    found
}

pub(crate) fn named(kind: &str, name: &str) -> Fixture {
    of_kind(kind).into_iter().find(|fixture| fixture.name == name).unwrap()
}

#[test]
fn every_fixture_is_of_a_kind_that_some_test_reads() {
    for fixture in all() {
        assert!(KINDS.contains(&fixture.kind.as_str()), "{fixture:?}");
    }
}

/// An example is a block of text that begins with kind and name of a fixture; then hexadecimal digits begin every line,
/// and end with two spaces.
#[test]
fn the_examples_of_the_document_are_these_bytes() {
    let document = include_str!("../FORMAT.md");
    let mut examples = 0;
    for block in document.split("```text\n").skip(1) {
        let mut lines = block.split("```").next().unwrap().lines();
        let Some((kind, name)) = lines.next().and_then(|line| line.split_once(": ")) else {
            continue;
        };
        let hex: String = lines.filter_map(|line| line.split("  ").next()).collect();
        assert_eq!(bytes(&hex.replace(' ', "")), named(kind, name).bytes, "{kind}: {name}");
        examples += 1;
    }
    assert_eq!(examples, 6);
}
