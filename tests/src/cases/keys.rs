//! Takes the JSON of a file of cases apart.

use serde_json::{Map, Value};

/// The members of an object of a case file, each to be taken; whatever is left over is a mistake.
pub(super) struct Keys(pub(super) Map<String, Value>);

impl Keys {
    pub(super) fn of(json: Value) -> Result<Self, String> {
        match json {
            Value::Object(members) => Ok(Self(members)),
            other => Err(format!("{other} is not an object")),
        }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    pub(super) fn require(&mut self, key: &str) -> Result<Value, String> {
        self.take(key).ok_or_else(|| format!("{key} is missing"))
    }

    pub(super) fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("{key} is not a key of a case")),
        }
    }
}

pub(super) fn text(json: Value) -> Result<String, String> {
    match json {
        Value::String(text) => Ok(text),
        other => Err(format!("{other} is not a string")),
    }
}

pub(super) fn number(json: &Value) -> Result<u64, String> {
    json.as_u64().ok_or_else(|| format!("{json} is not a number"))
}

pub(super) fn array(json: Value) -> Result<Vec<Value>, String> {
    match json {
        Value::Array(items) => Ok(items),
        other => Err(format!("{other} is not an array")),
    }
}

pub(super) fn pair(json: Value) -> Result<[Value; 2], String> {
    array(json)?.try_into().map_err(|_| "there should be two items".into())
}

pub(super) fn texts(json: Value) -> Result<[String; 2], String> {
    let [first, second] = pair(json)?;
    Ok([text(first)?, text(second)?])
}
