//! [`Log`], in which a batch is durable before it is in the tables.
//!
//! Hosts with files keep it in [`segments`] of one, hosts with a database in [`rows`]. Either way a batch has
//! a revision, one more than that of the batch before it, and what the tables cover already is not needed any more.

mod rows;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) mod salvage;
mod segments;

use crate::StoreError;
use crate::storage::LogStorage;
use rows::RowLog;
use segments::SegmentLog;

/// Which log belongs to a store, and how it is laid out. Kept in the tables while the log may be needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogMark {
    pub(crate) id: u64,
    pub(crate) segment_bytes: u64,
}

/// Where a batch would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Here,
    /// At the start of the other segment.
    AfterTurn,
    /// Nowhere, before another checkpoint.
    Blocked,
    /// Nowhere at all: it is too long.
    Never,
}

/// An open log.
#[derive(Debug)]
pub(crate) enum Log {
    Segments(SegmentLog),
    Rows(RowLog),
}

impl Log {
    /// Begins an empty log, and makes that durable.
    pub(crate) fn begin(storage: LogStorage, mark: LogMark, salt: u64) -> Result<Self, StoreError> {
        Ok(match storage {
            LogStorage::File(file) => Self::Segments(SegmentLog::begin(file, mark, salt)?),
            LogStorage::Rows(rows) => Self::Rows(RowLog::new(rows, mark)),
        })
    }

    /// Opens a log that is needed by tables of revision `covered`; calls `visit` with the revision and the bytes of
    /// every batch after it, in order, and perhaps of some before. All of it is durable when this returns.
    pub(crate) fn recover(
        storage: LogStorage,
        mark: LogMark,
        covered: u64,
        visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(match storage {
            LogStorage::File(file) => Self::Segments(SegmentLog::recover(file, mark, visit)?),
            LogStorage::Rows(rows) => Self::Rows(RowLog::recover(rows, mark, covered, visit)?),
        })
    }

    /// Where the batch of this revision and of so many bytes would go, after checkpoints of these two revisions, the
    /// older first.
    pub(crate) fn room(&self, revision: u64, batch: usize, checkpoints: [u64; 2]) -> Room {
        let [older, newer] = checkpoints;
        match self {
            // Should the newer one be lost to a sync that lied, the log from the older one on makes up for it.
            Self::Segments(log) => log.room(batch, older),
            // In a database a checkpoint and the rows after it are lost together, if at all.
            Self::Rows(log) => log.room(revision, batch, newer),
        }
    }

    /// Turns to the other segment, whose frames are not needed any more. Returns the number of the first change that
    /// is in the segment before; 0 where that is not known.
    pub(crate) fn turn(&mut self, next_seq: u64) -> u64 {
        match self {
            Self::Segments(log) => log.turn(next_seq),
            Self::Rows(_) => 0,
        }
    }

    /// Makes sure that there is room for a batch of so many bytes. Where this fails nothing has happened.
    pub(crate) fn reserve_for(&mut self, batch: usize) -> Result<(), StoreError> {
        match self {
            Self::Segments(log) => log.reserve_for(batch),
            Self::Rows(_) => Ok(()),
        }
    }

    /// Appends a batch; it is durable when this returns. Where this fails the log must be recovered. Returns whether
    /// it is time for a checkpoint: whenever a quarter of the log was written.
    pub(crate) fn append(&mut self, revision: u64, batch: &[u8]) -> Result<bool, StoreError> {
        match self {
            Self::Segments(log) => log.append(revision, batch),
            Self::Rows(log) => log.append(revision, batch),
        }
    }

    /// Whether it is time for a checkpoint because of what was in the log when it was opened.
    pub(crate) fn is_due_at_once(&self) -> bool {
        match self {
            Self::Segments(_) => true,
            Self::Rows(log) => log.is_due(),
        }
    }

    /// Whether it tells which changes need not be kept any more, by its turns.
    pub(crate) fn turns(&self) -> bool {
        matches!(self, Self::Segments(_))
    }
}
