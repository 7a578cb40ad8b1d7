//! The engine answers every case in `tests/cases` as it is written there.

use connectory_tests::cases::{self, Answer, EngineSubject, File, Operation, Subject};
use serde_json::{Value, json};

connectory_tests::replay_every_file!(EngineSubject::open);

#[test]
fn there_are_many_rows_of_bad_input() {
    let files = cases::files();
    let refusals = files.iter().find(|file| file.name == "refusals").expect("refusals.json");
    let is_bad = |step: &&Value| {
        let is_create = step.get("create").or(step.get("create_text")).is_some();
        is_create && (step["is"] == "bad_request" || step["is"] == "payload_too_large")
    };
    let steps = refusals.scenarios.iter().flat_map(|scenario| &scenario.steps);
    let rows = steps.filter(is_bad).count();
    assert!(rows >= 80, "only {rows}");
}

/// What a replay says of one step on a store that has a connection, `$one`.
fn failures_of(step: &str, subject: fn(EngineSubject) -> Box<dyn Subject>) -> Vec<String> {
    let step: Value = serde_json::from_str(step).expect("a step");
    let before = json!({
        "create": {"domain": "netflix.com", "profile_name": "ada"}, "is": "created", "as": "one"
    });
    let file = json!({"about": "this test", "steps": [before, step]});
    let file = File::parse("this".into(), file).expect("a file");
    file.replay(&mut |opening| subject(EngineSubject::open(opening)))
}

#[test]
fn a_step_that_is_not_as_expected_is_reported() {
    let failures = |step| failures_of(step, |subject| Box::new(subject));
    assert_eq!(failures(r#"{"get": "$one", "is": "found"}"#), [""; 0]);
    for (step, fault) in [
        (r#"{"get": "$one", "is": "not_found"}"#, "it should be not_found, not found"),
        (r#"{"get": "$one", "is": "found", "with": {"domain": "a.com"}}"#, "domain should be"),
        (r#"{"get": "$one", "is": "found", "with": {"login_url": null}}"#, "not \"absent\""),
        (r#"{"get": "$one", "is": "found", "without": ["domain"]}"#, "domain should be absent"),
        (r#"{"get": "$one", "is": "found", "whole": {"id": "$one"}}"#, "the answer should be"),
        (r#"{"get": "$one", "is": "found", "says": "hello"}"#, "the message should say"),
        (r#"{"get": "$one", "is": "found", "sais": "hello"}"#, "sais is not a key of a case"),
        (r#"{"get": "$one"}"#, "is is missing"),
        (r#"{"get": "$one", "list": {}, "is": "found"}"#, "a step has one operation"),
        (r#"{"seek": "one", "is": "found"}"#, "a step has one operation"),
        (r#"{"get": "$two", "is": "found"}"#, "nothing is named two"),
        (r#"{"get": "$one", "is": "found", "as": "one"}"#, "one is named twice"),
        (r#"{"list": {}, "is": "listed", "as": "two"}"#, "nothing to name two"),
        (r#"{"list": {}, "is": "listed", "next": "page_2"}"#, "nothing to name page_2"),
        (r#"{"list": {}, "is": "listed", "more": true}"#, "more should be true"),
        (r#"{"list": {}, "is": "listed", "ids": []}"#, "ids should be []"),
        (r#"{"list": {}, "is": "listed", "each": []}"#, "there should be 0 items"),
        (r#"{"list": {}, "is": "listed", "each": [{"is": "created"}]}"#, "item 0: it should be"),
        (r#"{"profiles": {}, "is": "listed", "items": []}"#, "items should be []"),
        (r#"{"create": {}, "is": "bad_request", "details": []}"#, "should not be among"),
        (
            r#"{"create": {}, "is": "bad_request", "details": ["missing_field id"]}"#,
            "should be among",
        ),
        (r#"{"allows": ["$one", "netflix.com"], "is": false}"#, "it should be false, not true"),
    ] {
        let found = failures(step);
        assert_eq!(found.len(), 1, "{step}");
        assert!(found[0].contains("step 2") && found[0].contains(fault), "{step}: {}", found[0]);
    }
}

/// Leaves a proxy behind whenever it refuses something.
struct Leaky(EngineSubject);

impl Subject for Leaky {
    fn perform(&mut self, operation: &Operation) -> Answer {
        let answer = self.0.perform(operation);
        if answer.is == "bad_request" {
            self.0.perform(&Operation::RegisterProxy("px-leak".into(), None));
        }
        answer
    }

    fn dump(&mut self) -> String {
        self.0.dump()
    }
}

#[test]
fn a_refusal_that_leaves_something_behind_is_reported() {
    let step = r#"{"create": {}, "is": "bad_request"}"#;
    assert_eq!(failures_of(step, |subject| Box::new(subject)), [""; 0]);
    let found = failures_of(step, |subject| Box::new(Leaky(subject)));
    assert!(found[0].contains("it should have left the store as it was"), "{found:?}");
}
