//! The law of a recovery: what it salvaged is true, and what it did not is covered by what it tells.

use crate::life::{Life, Lines, named};
use connectory::{Listed, Recovery};
use std::collections::BTreeSet;

/// Whether a sentence of a list begins with a name, or may be among those that it has no room for.
fn tells(list: &Listed, name: &str) -> bool {
    let is_first = |text: &String| {
        let text = text.strip_prefix(name);
        text.is_some_and(|rest| rest.starts_with(|c: char| !c.is_ascii_alphanumeric() && c != '-'))
    };
    list.named.iter().any(is_first) || list.count > list.named.len() as u64
}

fn label((kind, name): &(&str, String)) -> String {
    if *kind == "connection" { name.clone() } else { format!("{kind} {name}") }
}

/// Whether what was salvaged, and what was told of it, keep the law; what does not.
pub(crate) fn broken(life: &Life, salvaged: &Lines, report: &Recovery) -> Vec<String> {
    let mut broken = Vec::new();
    let truth = named(&life.truth);
    let there = named(salvaged);
    if report.is_complete() && *salvaged != life.truth {
        broken.push("says that it is complete, and is not".into());
    }
    for (name, line) in &there {
        let is_new_proxy = name.0 == "proxy" && tells(&report.lost, &label(name));
        if !life.ever.contains(*line) && !is_new_proxy {
            broken.push(format!("never was: {line}"));
        }
        let is_told = tells(&report.doubtful, &label(name)) || is_new_proxy || !report.is_newest;
        if truth.get(name) != Some(line) && !is_told {
            broken.push(format!("is not as it last was: {line}"));
        }
    }
    for name in truth.keys().filter(|name| !there.contains_key(*name)) {
        let plural = if name.0 == "proxy" { "proxies" } else { &format!("{}s", name.0) };
        let is_told = tells(&report.lost, &label(name))
            || report.unnamed.contains(&plural)
            || !report.is_newest;
        if !is_told {
            broken.push(format!("is missing, and nothing tells: {name:?}"));
        }
    }
    broken
}

/// The names of the connections that are in one and not in the other.
pub(crate) fn missing(truth: &Lines, salvaged: &Lines) -> BTreeSet<String> {
    let there = named(salvaged);
    let names = named(truth).into_keys().filter(|name| !there.contains_key(name));
    names.map(|name| label(&name)).collect()
}
