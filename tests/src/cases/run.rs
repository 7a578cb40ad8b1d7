//! A scenario under way: does its steps, and says what was not as expected.

use super::expectation::{EXPECTATIONS, expect};
use super::keys::{Keys, text};
use super::shape::shape;
use super::{Answer, Operation, Subject};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A scenario under way.
pub(super) struct Run {
    pub(super) subject: Box<dyn Subject>,
    /// What `"$name"` stands for.
    names: HashMap<String, String>,
}

impl Run {
    pub(super) fn on(subject: Box<dyn Subject>) -> Self {
        Self { subject, names: HashMap::new() }
    }

    /// Does a step and says what was not as expected; an error where the step itself makes no sense.
    pub(super) fn step(&mut self, step: &Value) -> Result<Vec<String>, String> {
        let mut keys = Keys::of(step.clone())?;
        for (name, value) in &mut keys.0 {
            // Expectations may name what this very step binds.
            if !EXPECTATIONS.contains(&name.as_str()) {
                self.resolve(value)?;
            }
        }
        let operation = Operation::take(&mut keys)?;
        let before = self.subject.dump();
        let answer = self.subject.perform(&operation);
        self.bind(&keys.0, &answer)?;
        for value in keys.0.values_mut() {
            self.resolve(value)?;
        }
        let mut faults = Vec::new();
        expect(keys, &answer, &mut faults)?;
        shape(&operation, &answer, &mut faults);
        faults.extend(answer.all_faults());
        if !answer.wrote(&operation) && self.subject.dump() != before {
            faults.push("it should have left the store as it was".into());
        }
        if !faults.is_empty() {
            faults.push(format!("the answer was {} {}", answer.is, answer.shown()));
        }
        Ok(faults)
    }

    /// Puts what names stand for in their places.
    fn resolve(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::String(text) => {
                if let Some(name) = text.strip_prefix('$') {
                    let bound = self.names.get(name);
                    *text = bound.ok_or_else(|| format!("nothing is named {name}"))?.clone();
                }
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.resolve(item)),
            Value::Object(members) => {
                members.values_mut().try_for_each(|member| self.resolve(member))
            }
            _ => Ok(()),
        }
    }

    fn bind(&mut self, expected: &Map<String, Value>, answer: &Answer) -> Result<(), String> {
        for (key, bound) in [("as", answer.id()), ("next", answer.next.as_deref())] {
            let Some(name) = expected.get(key) else { continue };
            let name = text(name.clone())?;
            let bound = bound.ok_or_else(|| {
                format!("nothing to name {name} in the answer {} {}", answer.is, answer.shown())
            })?;
            if self.names.insert(name.clone(), bound.into()).is_some() {
                return Err(format!("{name} is named twice"));
            }
        }
        if let Some(Value::Array(each)) = expected.get("each") {
            for (expected, item) in each.iter().zip(&answer.items) {
                self.bind(expected.as_object().ok_or("each has objects")?, item)?;
            }
        }
        Ok(())
    }
}
