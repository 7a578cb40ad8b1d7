//! Compares an answer with what a step expects of it.

use super::Answer;
use super::keys::{Keys, array, text};
use serde_json::Value;

/// The keys of a step that say what it expects.
pub(super) const EXPECTATIONS: [&str; 14] = [
    "is", "as", "whole", "with", "without", "details", "says", "ids", "kinds", "items", "more",
    "next", "each", "about",
];

/// Compares an answer with what a step, or an item of one, expects of it.
pub(super) fn expect(
    mut keys: Keys,
    answer: &Answer,
    faults: &mut Vec<String>,
) -> Result<(), String> {
    let is = keys.require("is")?;
    let is = is.as_str().map_or_else(|| is.to_string(), Into::into);
    if is != answer.is {
        faults.push(format!("it should be {is}, not {}", answer.is));
    }
    // Bound already.
    keys.take("as");
    keys.take("next");
    keys.take("about").map(text).transpose()?;
    let mut same = |what: &str, expected: &Value, found: Value| {
        if *expected != found {
            faults.push(format!("{what} should be {expected}, not {found}"));
        }
    };
    if let Some(whole) = keys.take("whole") {
        same("the answer", &whole, answer.body.clone());
    }
    for (name, expected) in
        keys.take("with").map(Keys::of).transpose()?.into_iter().flat_map(|keys| keys.0)
    {
        match answer.body.get(&name) {
            Some(found) => same(&name, &expected, found.clone()),
            None => same(&name, &expected, Value::from("absent")),
        }
    }
    let items = &answer.items;
    let of_items = |name| items.iter().map(|item| item.body[name].clone()).collect();
    for (key, name) in [("ids", "id"), ("kinds", "kind")] {
        if let Some(expected) = keys.take(key) {
            same(key, &expected, of_items(name));
        }
    }
    if let Some(expected) = keys.take("items") {
        same("items", &expected, items.iter().map(|item| item.body.clone()).collect());
    }
    if let Some(expected) = keys.take("more") {
        same("more", &expected, answer.next.is_some().into());
    }
    for name in keys.take("without").map_or(Ok(Vec::new()), array)? {
        let name = text(name)?;
        if answer.body.get(&name).is_some() {
            faults.push(format!("{name} should be absent"));
        }
    }
    if let Some(expected) = keys.take("details") {
        compare_details(array(expected)?, &answer.body, faults)?;
    }
    let said = match keys.take("says") {
        None => Vec::new(),
        Some(Value::Array(phrases)) => phrases,
        Some(phrase) => vec![phrase],
    };
    for phrase in said {
        let phrase = text(phrase)?;
        if !answer.body["message"].as_str().is_some_and(|message| message.contains(&phrase)) {
            faults.push(format!("the message should say {phrase:?}"));
        }
    }
    if let Some(each) = keys.take("each") {
        let each = array(each)?;
        if each.len() != items.len() {
            faults.push(format!("there should be {} items, not {}", each.len(), items.len()));
        }
        for (n, (expected, item)) in each.into_iter().zip(items).enumerate() {
            let mut of_item = Vec::new();
            expect(Keys::of(expected)?, item, &mut of_item)?;
            faults.extend(of_item.into_iter().map(|fault| format!("item {n}: {fault}")));
        }
    }
    keys.finish()
}

/// Compares `"code field"` with violations, of which each message begins with its field; none where it is the
/// whole request.
fn compare_details(
    expected: Vec<Value>,
    body: &Value,
    faults: &mut Vec<String>,
) -> Result<(), String> {
    let mut left: Vec<(&str, &str)> = body["details"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|detail| {
            (
                detail["code"].as_str().unwrap_or_default(),
                detail["message"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    for detail in expected {
        let detail = text(detail)?;
        let (code, field) = detail.split_once(' ').unwrap_or((&detail, ""));
        let start = if field.is_empty() { String::new() } else { format!("{field}: ") };
        match left.iter().position(|(found, message)| *found == code && message.starts_with(&start))
        {
            Some(n) => drop(left.remove(n)),
            None => faults.push(format!("{detail} should be among the details")),
        }
    }
    faults.extend(left.iter().map(|left| format!("{left:?} should not be among the details")));
    Ok(())
}
