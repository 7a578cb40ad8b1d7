//! Values across the border: requests and texts on their way in, answers on their way out.

use crate::thrown::{Thrown, refused};
use connectory::{Json, Refusal, StoreError, ViolationCode};
use js_sys::{JSON, JsString};
use serde::Serialize;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

/// A request: a plain object, or JSON text.
pub(crate) fn request(value: &JsValue) -> Result<Json, Refusal> {
    let not_json = |message: String| refused("", ViolationCode::InvalidValue, message);
    let text = match value.dyn_ref::<JsString>() {
        Some(text) => well_formed(text).ok_or_else(|| {
            not_json("not valid JSON: it has half of a surrogate pair; send whole ones".into())
        })?,
        // What has no form in JSON has no text either: nothing was sent.
        None if value.is_undefined() || value.is_function() || value.is_symbol() => {
            return Ok(Json::Null);
        }
        None => stringified(value).map_err(|thrown| {
            not_json(format!("has no form in JSON: {}; send one plain object", said(&thrown)))
        })?,
    };
    Json::parse(text.as_bytes())
}

/// A text, unless it has half of a surrogate pair. Those come over the border as U+FFFD, so the text is looked at there
/// only where one came.
fn well_formed(text: &JsString) -> Option<String> {
    let copy = String::from(text);
    (!copy.contains('\u{fffd}') || text.is_valid_utf16()).then_some(copy)
}

/// What `JSON.stringify` makes of a value, which has no halves of pairs, but for numbers that it would turn into `null`,
/// which clears fields.
fn stringified(value: &JsValue) -> Result<String, JsValue> {
    let text = String::from(JSON::stringify(value)?);
    if text.contains("null") {
        let finite = Closure::<dyn Fn(JsValue, JsValue) -> Result<JsValue, JsValue>>::new(
            |name: JsValue, value: JsValue| match value.as_f64() {
                Some(number) if !number.is_finite() => {
                    let name = name.as_string().unwrap_or_default();
                    Err(js_sys::Error::new(&format!("{name} is {number}")).into())
                }
                _ => Ok(value),
            },
        );
        JSON::stringify_with_replacer(value, finite.as_ref())?;
    }
    Ok(text)
}

/// As [`request`], of what need not be sent at all.
pub(crate) fn query(value: &JsValue) -> Result<Json, Refusal> {
    if value.is_undefined() { Ok(Json::Object(Vec::new())) } else { request(value) }
}

/// A text that must be one.
pub(crate) fn text(value: &JsValue, field: &str) -> Result<String, Refusal> {
    let Some(text) = value.dyn_ref::<JsString>() else {
        return Err(refused(field, ViolationCode::InvalidType, "is not a string; send one"));
    };
    well_formed(text).ok_or_else(|| {
        let problem = "has half of a surrogate pair; send whole ones";
        refused(field, ViolationCode::InvalidValue, problem)
    })
}

/// A number that must be a whole one.
pub(crate) fn whole(value: &JsValue, field: &str) -> Result<u64, Refusal> {
    // Beyond this a number does not say which one it is.
    const MAX: f64 = 9_007_199_254_740_991.0;
    match value.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and within the bounds of the type"
        )]
        Some(number) if number.fract() == 0.0 && (0.0..=MAX).contains(&number) => Ok(number as u64),
        _ => {
            let problem = "is not a whole number; send 0 or more";
            Err(refused(field, ViolationCode::InvalidType, problem))
        }
    }
}

/// An answer as a plain object.
pub(crate) fn answer(value: &(impl Serialize + ?Sized)) -> Result<JsValue, Thrown> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| StoreError::Internal(error.to_string()).into())
}

/// What something that was thrown says.
pub(crate) fn said(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => format!("{thrown:?}"),
    }
}
