//! [`Thrown`], an error as JavaScript sees it.

use crate::border::answer;
use connectory::{Error, Missing, Problem, Refusal, StoreError, Violation, ViolationCode};
use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// What is thrown: an `Error` with a `code`, and `details` where a request broke the rules or a `reason` where something
/// failed; or whatever the host's own code threw while it was asked for something.
#[derive(Debug)]
pub struct Thrown(pub(crate) JsValue);

impl Thrown {
    fn new(code: &str, message: &str, details: &[Violation]) -> Self {
        let error: JsValue = js_sys::Error::new(message).into();
        // Setting a member of an object that was just made does not fail.
        Reflect::set(&error, &"code".into(), &code.into()).ok();
        if let (false, Ok(details)) = (details.is_empty(), answer(details)) {
            Reflect::set(&error, &"details".into(), &details).ok();
        }
        Self(error)
    }
}

impl From<Thrown> for JsValue {
    fn from(Thrown(value): Thrown) -> Self {
        value
    }
}

impl From<Error> for Thrown {
    fn from(error: Error) -> Self {
        let details = error.refusal().map_or(&[][..], Refusal::violations);
        let thrown = Self::new(error.code(), &error.to_string(), details);
        if let Error::Failed(error) = error {
            Reflect::set(&thrown.0, &"reason".into(), &error.reason().into()).ok();
        }
        thrown
    }
}

impl From<Refusal> for Thrown {
    fn from(refusal: Refusal) -> Self {
        Error::from(refusal).into()
    }
}

impl From<Missing> for Thrown {
    fn from(missing: Missing) -> Self {
        Error::from(missing).into()
    }
}

impl From<StoreError> for Thrown {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

/// Refuses a request for what is wrong with `field`; with the request as a whole where that is empty.
pub(crate) fn refused(field: &str, code: ViolationCode, problem: impl Into<String>) -> Refusal {
    Violation { code, field: field.into(), problem: problem.into() }.into()
}

/// As [`refused`], for a text that was parsed.
pub(crate) fn at(field: &str) -> impl Fn(Problem) -> Refusal {
    move |Problem { code, message }| refused(field, code, message)
}
