//! How a command ends: [`Failure`], and the exit status that goes with it.

use crate::flags;
use connectory::{Error, Missing, Refusal, StoreError};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

pub(crate) const FAILED: u8 = 1;
pub(crate) const REFUSED: u8 = 2;
pub(crate) const CONFLICT: u8 = 3;
pub(crate) const NOT_FOUND: u8 = 4;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: u8,
    /// What the API would answer; goes to standard output where answers are JSON.
    pub(crate) body: Option<Value>,
    /// What a person is told, a line each.
    pub(crate) lines: Vec<String>,
    /// What could be done about it.
    pub(crate) advice: Option<&'static str>,
}

/// What can be done about a damaged store.
pub(crate) const RECOVER: &str =
    "`connectory recover FILE NEW` salvages what is intact of a damaged store into a new one";

impl Failure {
    fn of(error: &Error) -> Self {
        let exit = match error {
            Error::Refused(Refusal::NotFound(_)) => NOT_FOUND,
            Error::Refused(_) | Error::Failed(StoreError::InUse | StoreError::Busy) => REFUSED,
            Error::Failed(_) => FAILED,
        };
        let lines = match error.refusal().map(Refusal::violations) {
            Some(violations) if !violations.is_empty() => {
                violations.iter().map(flags::describe).collect()
            }
            _ => vec![error.to_string()],
        };
        let is_damaged = matches!(error, Error::Failed(StoreError::Damaged(_)));
        let advice = is_damaged.then_some(RECOVER);
        Self { exit, body: serde_json::to_value(error).ok(), lines, advice }
    }

    /// A refusal by the command line itself.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::with(REFUSED, "bad_request", message.into())
    }

    /// What would be made must not be there.
    pub(crate) fn taken(path: &Path) -> Self {
        Self::refused(format!("{} is there already; name a new file", path.display()))
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::with(NOT_FOUND, "not_found", message.into())
    }

    fn with(exit: u8, code: &str, message: String) -> Self {
        let body = json!({ "code": code, "message": message });
        Self { exit, body: Some(body), lines: vec![message], advice: None }
    }

    /// The same failure, of what was tried as the last thing.
    pub(crate) fn without_advice(mut self) -> Self {
        self.advice = None;
        self
    }

    /// The same failure, said to be about `what`.
    pub(crate) fn about(mut self, what: &str) -> Self {
        for line in &mut self.lines {
            *line = format!("{what}: {line}");
        }
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        Self::of(&missing.into())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::of(&refusal.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::of(&error.into())
    }
}

impl From<std::io::Error> for Failure {
    /// What fails outside the store: reading a file, writing the answer.
    fn from(error: std::io::Error) -> Self {
        // A reader that has seen enough, such as `head`, is no failure.
        let exit = if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { FAILED };
        Self { exit, body: None, lines: vec![error.to_string()], advice: None }
    }
}

/// What a command came to: an exit status.
pub(crate) type Outcome = Result<ExitCode, Failure>;

pub(crate) const DONE: Outcome = Ok(ExitCode::SUCCESS);
