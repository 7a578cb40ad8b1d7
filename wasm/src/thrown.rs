//! [`Thrown`], an error as JavaScript sees it.

use crate::border::answer;
use connectory::{Error, Missing, Problem, Refusal, StoreError, Violation, ViolationCode};
use js_sys::Object;
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};

/// What is thrown: an `Error` with a `code`, and `details` where a request broke the rules or a `reason` where something
/// failed; or whatever the host's own code threw while it was asked for something.
#[derive(Debug)]
pub struct Thrown(pub(crate) JsValue);

/// An error as a plain object: what one that is thrown has beside its stack.
#[derive(Serialize)]
pub(crate) struct Said<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [Violation],
}

impl<'a> Said<'a> {
    pub(crate) fn of(error: &'a Error, message: &'a str) -> Self {
        let reason = match error {
            Error::Refused(_) => None,
            Error::Failed(error) => Some(error.reason()),
        };
        let details = error.refusal().map_or(&[][..], Refusal::violations);
        Self { code: error.code(), message, reason, details }
    }
}

impl From<Thrown> for JsValue {
    fn from(Thrown(value): Thrown) -> Self {
        value
    }
}

impl From<Error> for Thrown {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let thrown = js_sys::Error::new(&message);
        if let Ok(said) = answer(&Said::of(&error, &message)) {
            Object::<JsValue>::assign(thrown.unchecked_ref(), said.unchecked_ref());
        }
        Self(thrown.into())
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
