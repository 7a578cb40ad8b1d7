//! [`Peer`], what every engine in the comparison can do, and what it is asked and answers.

use crate::record::Record;
use connectory::{Connection, ConnectionId, Domain, NewConnection, ProfileName};
use std::fmt;
use std::str::FromStr;

/// What may go wrong is told, never handled: a run that fails has no figures.
pub(crate) use connectory_benches::Outcome;

/// The same registry on some engine, open.
///
/// A create that is answered is durable, unless the whole registry is in memory.
pub(crate) trait Peer: Send + Sync {
    /// Creates a connection, or says who holds the pair.
    fn create(&self, request: NewConnection) -> Outcome<Creation>;

    /// Creates all of them in one durable commit; later ones see earlier ones.
    fn create_many(&self, requests: Vec<NewConnection>) -> Outcome<Vec<Creation>>;

    fn get(&self, id: Id) -> Outcome<Option<Found>>;

    /// The first page of a list, newest first.
    fn list(&self, list: List, most: usize) -> Outcome<Vec<Found>>;

    /// Waits until the engine does nothing in the background, so that it does not slow down whoever comes next.
    fn settle(&self) -> Outcome<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Outcome<()>;
}

/// The answer to a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    Created(Id),
    Conflict(Id),
}

/// Which connections to list.
#[derive(Debug, Clone)]
pub(crate) enum List {
    All,
    OfProfile(ProfileName),
    OfDomain(Domain),
}

/// A connection's ID: 16 bytes, as an engine hands them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    Ours(ConnectionId),
    Theirs([u8; 16]),
}

impl Id {
    /// The key under which a peer keeps the record.
    pub(crate) fn theirs(self) -> Outcome<[u8; 16]> {
        match self {
            Self::Theirs(id) => Ok(id),
            Self::Ours(id) => Err(format!("{id} is an ID of another engine").into()),
        }
    }

    /// What a peer keeps at the end of a key, or as a value.
    pub(crate) fn read(bytes: &[u8]) -> Outcome<Self> {
        let (_, id) = bytes.split_last_chunk().ok_or("an ID of fewer than 16 bytes")?;
        Ok(Self::Theirs(*id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(id) => id.fmt(out),
            Self::Theirs(id) => write!(out, "{:032x}", u128::from_be_bytes(*id)),
        }
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Ours(id)),
            Err(_) => Ok(Self::Theirs(u128::from_str_radix(text, 16)?.to_be_bytes())),
        }
    }
}

/// A connection as an engine hands it out: decoded, every field in its place.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    Ours(Connection),
    Theirs([u8; 16], Record),
}

impl Found {
    pub(crate) fn id(&self) -> Id {
        match self {
            Self::Ours(connection) => Id::Ours(connection.id),
            Self::Theirs(id, _) => Id::Theirs(*id),
        }
    }

    /// Everything but the ID, to be compared between engines.
    pub(crate) fn into_record(self) -> Record {
        match self {
            Self::Ours(connection) => Record::of_connection(&connection),
            Self::Theirs(_, record) => record,
        }
    }
}
