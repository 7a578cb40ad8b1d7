//! [`Pair`], a profile and a domain, and what may be true of them as far as the answers so far tell.

use connectory::{Connection, ConnectionId, Error, NewConnection, StoreError, WebUrl};
use std::collections::BTreeSet;

/// What may be true of a pair: no connection, or one that was last written as this version.
pub(crate) type Version = Option<u32>;

/// A pair, with all that may be true of it as far as the answers so far tell.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) possible: BTreeSet<Version>,
    pub(crate) id: Option<ConnectionId>,
}

/// What a write that got an answer tells of its pair.
#[derive(Clone, Copy)]
pub(crate) enum Told {
    Now(Version),
    /// As before: it failed for certain.
    Unchanged,
    /// It may have come to this.
    Perhaps(Version),
}

impl Told {
    /// What a write tells that failed so and would have come to `version`.
    pub(crate) fn by(error: &StoreError, version: Version) -> Self {
        match error {
            StoreError::OutcomeUnknown(_) => Self::Perhaps(version),
            _ => Self::Unchanged,
        }
    }
}

/// The failure of the storage that an operation failed with; nothing else may come of one.
pub(crate) fn failure(error: Error) -> StoreError {
    match error {
        Error::Failed(
            error @ (StoreError::StorageFull | StoreError::Io(_) | StoreError::OutcomeUnknown(_)),
        ) => error,
        other => panic!("not what a failing storage should lead to: {other:?}"),
    }
}

pub(crate) const PAIRS: usize = 60;
/// Those that are created in one batch.
pub(crate) const TOGETHER: std::ops::Range<usize> = 20..28;
/// Those that are created in one that is longer than a segment of a small log.
pub(crate) const TOO_MANY: std::ops::Range<usize> = 28..PAIRS;

pub(crate) fn request(pair: usize, version: u32) -> NewConnection {
    let domain = format!("d{pair}.example").parse().unwrap();
    let mut request = NewConnection::new(domain, format!("profile-{}", pair % 5).parse().unwrap());
    request.login_url = Some(url(version));
    request
}

pub(crate) fn url(version: u32) -> WebUrl {
    format!("https://login.example/{version}").parse().unwrap()
}

pub(crate) fn version_of(connection: &Connection) -> u32 {
    let url = connection.login_url.as_ref().unwrap().as_str();
    url.rsplit('/').next().unwrap().parse().unwrap()
}
