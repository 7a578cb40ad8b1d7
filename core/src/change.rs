//! [`Change`], something that happened to a connection, and [`Changes`], a run of them.

use crate::text::word_enum;
use crate::{Connection, ConnectionId};
use serde::Serialize;

word_enum! {
    /// What happened.
    ChangeKind {
        /// The connection is new.
        Created = "created",
        /// Something about it changed.
        Updated = "updated",
        /// It is gone.
        Deleted = "deleted",
    }
}

impl ChangeKind {
    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::Created => 1,
            Self::Updated => 2,
            Self::Deleted => 3,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted]
            .into_iter()
            .find(|kind| kind.to_byte() == byte)
    }
}

/// A change as the engine notes it, without its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurrence {
    pub(crate) kind: ChangeKind,
    pub(crate) id: ConnectionId,
    /// The connection's record as the change left it; empty once it is gone.
    pub(crate) record: Box<[u8]>,
}

/// Something that happened to a connection, durably.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its number: one more than that of the change before it.
    pub seq: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// The connection's ID.
    pub id: ConnectionId,
    /// The connection as the change left it; `None` once it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
}

/// The answer to "what happened since".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// The changes after the position, oldest first; empty where nothing happened since.
    Since(Vec<Change>),
    /// What came after the position is no longer kept: read everything anew, then follow from `oldest - 1`
    /// or later. At least the last 10 000 changes are kept.
    TooOld {
        /// The number of the oldest change that is still kept.
        oldest: u64,
    },
}
