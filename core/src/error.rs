//! What can go wrong: a [`Refusal`] is the request's fault, a [`StoreError`] the environment's, an [`Error`] either.
//!
//! A conflict is neither: it is an answer, see [`Creation`](crate::Creation).

use crate::{ConnectionId, ProfileName, ProxyId};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use std::fmt;
use std::sync::Arc;

/// What is wrong with one value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The stable, machine-readable kind.
    pub code: ViolationCode,
    /// A phrase that continues the name of the field: says what was found and what to send.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(code: ViolationCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::new(ViolationCode::InvalidValue, message)
    }

    /// The same problem, of the field at `path`.
    pub(crate) fn at(self, path: impl Into<String>) -> Violation {
        Violation { code: self.code, field: path.into(), problem: self.message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The stable code of a [`Violation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViolationCode {
    /// A required field is absent.
    MissingField,
    /// A key that the operation does not know.
    UnknownField,
    /// A key that appears more than once in one object.
    DuplicateField,
    /// A value of the wrong JSON type, `null` included.
    InvalidType,
    /// A value of the right type that breaks the field's rule.
    InvalidValue,
    /// A host name that cannot be normalised.
    InvalidDomain,
    /// A health check interval that the project's plan does not allow.
    BelowPlanFloor,
    /// A proxy that is not registered.
    UnknownProxy,
    /// A proxy name that more than one proxy carries.
    AmbiguousProxy,
    /// A field that an update cannot change.
    ImmutableField,
}

impl ViolationCode {
    /// The code as it is sent, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingField => "missing_field",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::InvalidType => "invalid_type",
            Self::InvalidValue => "invalid_value",
            Self::InvalidDomain => "invalid_domain",
            Self::BelowPlanFloor => "below_plan_floor",
            Self::UnknownProxy => "unknown_proxy",
            Self::AmbiguousProxy => "ambiguous_proxy",
            Self::ImmutableField => "immutable_field",
        }
    }
}

impl fmt::Display for ViolationCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One reason why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The stable, machine-readable kind.
    pub code: ViolationCode,
    /// Where: a path such as `profile_name`, `proxy.id` or `allowed_domains[2]`; empty for the whole request.
    pub field: String,
    /// What was found and what would be right, as a phrase that continues the field's name.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            out.write_str(&self.problem)
        } else {
            write!(out, "{}: {}", self.field, self.problem)
        }
    }
}

impl Serialize for Violation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut detail = serializer.serialize_struct("Violation", 2)?;
        detail.serialize_field("code", self.code.as_str())?;
        detail.serialize_field("message", &self.to_string())?;
        detail.end()
    }
}

/// What a request named that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// No connection has this ID. Kept as sent, because a malformed ID is an unknown one.
    Connection(String),
    /// No connection of this profile on this domain.
    Pair(String, String),
    /// No profile has this name.
    Profile(String),
    /// No proxy has this ID.
    Proxy(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => write!(out, "no auth connection has the ID {}", quoted(id)),
            Self::Pair(profile, domain) => write!(
                out,
                "profile {} has no auth connection for {}",
                quoted(profile),
                quoted(domain)
            ),
            Self::Profile(name) => write!(out, "no profile is named {}", quoted(name)),
            Self::Proxy(id) => write!(out, "no proxy has the ID {}", quoted(id)),
        }
    }
}

/// What cannot be removed or replaced, because it is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Used {
    /// The profile has connections.
    Profile {
        /// Its name.
        name: ProfileName,
        /// How many connections it has.
        connections: u64,
    },
    /// Connections refer to the proxy.
    Proxy {
        /// Its ID.
        id: ProxyId,
        /// How many connections refer to it.
        connections: u64,
    },
    /// A dump can only be loaded into an empty store.
    Store,
}

/// A request that is turned down; the same request will be turned down again.
///
/// It has changed nothing. Over HTTP it is a 4xx, in the command line exit code 2 or 4.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The request breaks the rules in these places; never empty.
    Invalid(Vec<Violation>),
    /// The request's text is longer than this many bytes.
    TooLarge(usize),
    /// Something that the request names does not exist.
    NotFound(Missing),
    /// The project already has as many connections as its cap allows.
    OverCap(u64),
    /// Something is in use and cannot go.
    InUse(Used),
    /// The idempotency key was used on this pair with another request; names the connection it made.
    KeyReused(ConnectionId),
}

impl Refusal {
    /// The stable code, as in the HTTP API's error bodies.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "bad_request",
            Self::TooLarge(_) => "payload_too_large",
            Self::NotFound(_) => "not_found",
            Self::OverCap(_) => "insufficient_plan",
            Self::InUse(_) => "resource_in_use",
            Self::KeyReused(_) => "idempotency_key_reuse",
        }
    }

    /// Both refusals of one request as one: every violation, or the graver of the two.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Invalid(mut violations), Self::Invalid(mut more)) => {
                violations.append(&mut more);
                Self::Invalid(violations)
            }
            (first, _) => first,
        }
    }

    /// The violations of an invalid request; empty for every other refusal.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            _ => &[],
        }
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::Invalid(vec![violation])
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(violations) => {
                for (n, violation) in violations.iter().enumerate() {
                    let separator = if n == 0 { "" } else { "; " };
                    write!(out, "{separator}{violation}")?;
                }
                Ok(())
            }
            Self::TooLarge(limit) => {
                write!(
                    out,
                    "the request, or a line of it, is larger than {limit} bytes; send a smaller one"
                )
            }
            Self::NotFound(missing) => missing.fmt(out),
            Self::OverCap(cap) => write!(
                out,
                "the project's plan allows {cap} auth connections and all are in use; delete one or raise the cap"
            ),
            Self::InUse(Used::Profile { name, connections }) => write!(
                out,
                "profile {name} still has {connections} auth connection(s); delete them first"
            ),
            Self::InUse(Used::Proxy { id, connections }) => write!(
                out,
                "proxy {id} is used by {connections} auth connection(s); give them another or none first"
            ),
            Self::InUse(Used::Store) => {
                out.write_str("the store is not empty; load a dump into a new one")
            }
            Self::KeyReused(id) => write!(
                out,
                "this idempotency key created {id} with a different request; send the same request or another key"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = &self.to_string();
        ErrorBody { code: self.code(), message, details: self.violations() }.serialize(serializer)
    }
}

/// A failure of the environment: the disk, the file, another process. The request may be fine.
///
/// Cheap to clone, because one failed batch answers many callers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process, or another handle in this one, has the store open.
    InUse,
    /// The file is not a store: foreign, or empty.
    NotAStore(String),
    /// The file was a store, and is damaged.
    Damaged(String),
    /// The store was written in another format; `dump` and `load` are the way over.
    OtherFormat {
        /// The version in the store.
        found: u32,
        /// The version this library reads and writes.
        supported: u32,
    },
    /// The disk or the quota is full. Nothing was written; the store works again once there is space.
    StorageFull,
    /// The storage failed. What was being written is not there.
    Io(Arc<std::io::Error>),
    /// The storage failed in such a way that the write may or may not survive.
    OutcomeUnknown(String),
    /// Too many writes are waiting, or a [`Load`](crate::Load) is under way; try again later.
    Busy,
    /// The store was opened for reading only.
    ReadOnly,
    /// The store has been closed.
    Closed,
    /// A bug: the operation was abandoned and changed nothing.
    Internal(String),
}

impl StoreError {
    /// The stable code, as in the HTTP API's error bodies.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse | Self::Busy | Self::Closed => "unavailable",
            Self::StorageFull => "storage_full",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            _ => "internal_error",
        }
    }

    /// What failed, more exactly than the code says: for programs that own the store, never sent over HTTP.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::NotAStore(_) => "not_a_store",
            Self::Damaged(_) => "damaged",
            Self::OtherFormat { .. } => "other_format",
            Self::StorageFull => "storage_full",
            Self::Io(_) => "io",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Busy => "busy",
            Self::ReadOnly => "read_only",
            Self::Closed => "closed",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether the storage itself failed, and must be reopened before it is of use again.
    pub(crate) fn is_of_storage(&self) -> bool {
        matches!(self, Self::Io(_) | Self::StorageFull)
    }

    /// That `error` came while a commit may already have been durable.
    pub(crate) fn outcome_unknown(error: &Self) -> Self {
        Self::OutcomeUnknown(match error {
            Self::StorageFull => "the disk was full".into(),
            error => error.to_string(),
        })
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::StorageFull
            }
            _ => Self::Io(Arc::new(error)),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => out.write_str("the store is in use by another process"),
            Self::NotAStore(what) => write!(out, "not a Connectory store: {what}"),
            Self::Damaged(what) => write!(out, "the store is damaged: {what}"),
            Self::OtherFormat { found, supported } => write!(
                out,
                "the store has format {found}, this version reads format {supported}; \
                 dump it with the version that wrote it and load the dump here"
            ),
            Self::StorageFull => out
                .write_str("the disk is full; nothing was written, free some space and try again"),
            Self::Io(error) => write!(out, "the storage failed: {error}"),
            Self::OutcomeUnknown(why) => write!(
                out,
                "the write may or may not have happened ({why}); look before trying again"
            ),
            Self::Busy => {
                out.write_str("too many writes are waiting, or a dump is being loaded; try again")
            }
            Self::ReadOnly => out.write_str("the store is open for reading only"),
            Self::Closed => out.write_str("the store is closed"),
            Self::Internal(what) => write!(out, "internal error: {what}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

/// Why an operation has no answer: it was refused, or it failed.
#[derive(Debug, Clone)]
pub enum Error {
    /// The request's fault.
    Refused(Refusal),
    /// The environment's fault.
    Failed(StoreError),
}

impl Error {
    /// The stable code, as in the HTTP API's error bodies.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Failed(error) => error.code(),
        }
    }

    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(_) => None,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        Self::Refused(Refusal::NotFound(missing))
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(out),
            Self::Failed(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(error) => Some(error),
        }
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Refused(refusal) => refusal.serialize(serializer),
            Self::Failed(error) => {
                let message = &error.to_string();
                ErrorBody { code: error.code(), message, details: &[] }.serialize(serializer)
            }
        }
    }
}

/// The API's error body.
#[derive(Serialize)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) details: &'a [Violation],
}

/// A caller's text in quotes, escaped, and cut where it would drown the message.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?} and {} more bytes", &text[..end], text.len() - end),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_every_violation() {
        let refusal = Refusal::Invalid(vec![
            Problem::value("is wrong").at("proxy.id"),
            Problem::value("the body is not JSON").at(""),
        ]);
        assert_eq!(refusal.to_string(), "proxy.id: is wrong; the body is not JSON");
        assert_eq!(
            serde_json::to_string(&refusal).unwrap(),
            r#"{"code":"bad_request","message":"proxy.id: is wrong; the body is not JSON","details":[{"code":"invalid_value","message":"proxy.id: is wrong"},{"code":"invalid_value","message":"the body is not JSON"}]}"#
        );
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(quoted(&"ü".repeat(65)), format!("{:?} and 2 more bytes", "ü".repeat(64)));
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }
}
