//! [`Description`], what `openapi.json` says, and its schemas as validators.

use connectory::http::OPENAPI;
use jsonschema::{Keyword, ValidationError, Validator};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The description, and its schemas as they are needed.
pub(crate) struct Description {
    pub(crate) json: Value,
    validators: BTreeMap<String, Rc<Validator>>,
}

/// An operation of the description.
pub(crate) struct Operation<'a> {
    pub(crate) path: &'a str,
    pub(crate) method: String,
    pub(crate) json: &'a Value,
}

/// `x-maxBytes`, which bounds a text in bytes as the engine does.
struct MaxBytes(u64);

impl<'i> Keyword<'i> for MaxBytes {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom("too many bytes"))
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        instance.as_str().is_none_or(|text| text.len() as u64 <= self.0)
    }
}

impl Description {
    pub(crate) fn read() -> Self {
        let json = serde_json::from_str(OPENAPI).expect("the description is JSON");
        Self { json, validators: BTreeMap::new() }
    }

    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.json["paths"].as_object().unwrap() {
            for (method, json) in item.as_object().unwrap() {
                if method != "parameters" {
                    operations.push(Operation { path, method: method.to_uppercase(), json });
                }
            }
        }
        operations
    }

    pub(crate) fn operation(&self, id: &str) -> Operation<'_> {
        let found = self.operations().into_iter().find(|of| of.json["operationId"] == id);
        found.unwrap_or_else(|| panic!("{id} is not described"))
    }

    /// What a reference leads to; anything else is itself.
    pub(crate) fn resolve<'a>(&'a self, json: &'a Value) -> &'a Value {
        let Some(reference) = json.get("$ref") else { return json };
        let pointer = reference.as_str().unwrap().trim_start_matches('#');
        self.json.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// The described parameters of an operation, those of its path included.
    pub(crate) fn parameters(&self, operation: &Operation<'_>) -> Vec<&Value> {
        let of_path = &self.json["paths"][operation.path]["parameters"];
        let of_operation = &self.json["paths"][operation.path][operation.method.to_lowercase()];
        [of_path, &of_operation["parameters"]]
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .map(|parameter| self.resolve(parameter))
            .collect()
    }

    fn validator(&mut self, schema: &Value) -> Rc<Validator> {
        if let Some(validator) = self.validators.get(&schema.to_string()) {
            return Rc::clone(validator);
        }
        let mut root = schema.as_object().unwrap().clone();
        // References start at the root of what is compiled.
        root.insert("components".into(), self.json["components"].clone());
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .with_keyword("x-maxBytes", |_, most, _| {
                Ok(Box::new(MaxBytes(most.as_u64().expect("a number of bytes"))))
            })
            .build(&Value::Object(root))
            .unwrap_or_else(|error| panic!("{schema} is no schema: {error}"));
        let validator = Rc::new(validator);
        self.validators.insert(schema.to_string(), Rc::clone(&validator));
        validator
    }

    pub(crate) fn accepts(&mut self, schema: &Value, instance: &Value) -> bool {
        self.validator(schema).is_valid(instance)
    }

    /// Panics with everything that is wrong, where anything is.
    pub(crate) fn must_accept(&mut self, about: &str, schema: &Value, instance: &Value) {
        let validator = self.validator(schema);
        let faults: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{about}: {instance} is not as described: {faults:#?}");
    }
}

/// A reference to a schema.
pub(crate) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A header's or parameter's text as the value that its schema speaks of.
pub(crate) fn as_value(schema: &Value, text: &str) -> Value {
    let is_text = schema.get("type").is_none_or(|kind| kind == "string");
    let read = || serde_json::from_str(text).ok();
    Some(()).filter(|()| !is_text).and_then(|()| read()).unwrap_or_else(|| text.into())
}
