//! [`Storage`], where a store keeps its bytes, and [`MemoryStorage`]. Files are in `file.rs`.

use crate::StoreError;
use redb::StorageBackend;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

/// Where a store keeps its bytes: a file, memory, or whatever the host offers.
///
/// A storage is opened when the store is, and again whenever the store must recover from a failure of it.
pub trait Storage: Debug + Send + Sync {
    /// Opens the storage. The bytes written and synced before must be there; zero bytes make a new store.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] where somebody else has it open, or whatever the host reports.
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError>;

    /// Opens the log beside it, on which a write is durable before it is in the tables. Made, and its name durable,
    /// if `make` says so and it is not there.
    ///
    /// `None` where there is none and none is to be made. A storage that never has a log is for what need not
    /// outlive the process: what is written becomes part of the tables at checkpoints, and when the store is closed.
    ///
    /// # Errors
    ///
    /// Whatever the host reports.
    fn open_log(&self, make: bool) -> Result<Option<LogStorage>, StoreError> {
        let _ = make;
        Ok(None)
    }

    /// Removes the log, after everything in it is in the tables and it was closed.
    ///
    /// # Errors
    ///
    /// Whatever the host reports. A log that is left behind does no harm.
    fn remove_log(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How commits are made safe here.
    fn commit_mode(&self) -> CommitMode {
        CommitMode::QuickRepair
    }
}

/// What a log is kept in.
#[derive(Debug)]
pub enum LogStorage {
    /// A file, or what passes for one. Its length, reads, writes and syncs are as those of any backend; its locks are
    /// not used.
    File(Box<dyn StorageBackend>),
    /// Rows of a database.
    Rows(Box<dyn LogRows>),
}

/// Numbered rows for a log, where a host has a database and no files.
///
/// The host sees to it that rows and tables are lost together or not at all, as in one transaction of its database. A
/// row counts as durable when [`put`](Self::put) returns, so nothing of what follows from it may leave the host before it is.
pub trait LogRows: Debug + Send + Sync {
    /// How many rows there are, at least 4: their numbers are 0 to below that. The more, the more writes share a checkpoint,
    /// which is made after a quarter of them, and the longer it takes to open the store.
    fn count(&self) -> u64;

    /// The most bytes that a row can have. A batch that is longer goes into the tables at once.
    fn row_bytes_max(&self) -> usize;

    /// Puts a row in place of the one of this number, if there was one.
    ///
    /// # Errors
    ///
    /// Whatever the host reports; the old row is still there then.
    fn put(&self, number: u64, row: &[u8]) -> io::Result<()>;

    /// Reads `count` rows, or as many as there are before one that was never put.
    ///
    /// # Errors
    ///
    /// Whatever the host reports.
    fn read(&self, first: u64, count: u64) -> io::Result<Vec<Vec<u8>>>;
}

/// How a commit is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMode {
    /// Two phases, and an unclean end costs nothing at the next open. For storages whose syncs can be trusted. A
    /// single one that lies does no harm, since each is done twice; if all do, the file can be lost.
    QuickRepair,
    /// One phase, and after an unclean end the next open reads and checks the whole file. For storages whose syncs
    /// are only advice.
    OnePhase,
}

/// Bytes in memory, gone with the last clone. There is no log: what was written is in the bytes once the store is
/// closed.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    bytes: Arc<RwLock<Vec<u8>>>,
}

impl MemoryStorage {
    /// A copy of the bytes: once its store is closed, a store file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<Vec<u8>> for MemoryStorage {
    /// A storage that begins with these bytes.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: Arc::new(RwLock::new(bytes)) }
    }
}

impl Storage for MemoryStorage {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn commit_mode(&self) -> CommitMode {
        CommitMode::OnePhase
    }
}

/// What every store begins with.
pub const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Checks the first bytes of a file that must be a store already: an empty one would be made into a new store.
///
/// # Errors
///
/// [`StoreError::NotAStore`].
pub fn check_magic(head: &[u8]) -> Result<(), StoreError> {
    if head == MAGIC {
        return Ok(());
    }
    let what = if head.is_empty() { "the file is empty" } else { "it begins otherwise" };
    Err(StoreError::NotAStore(what.into()))
}

/// What reads and writes beyond the end come to.
pub(crate) fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the storage")
}

impl StorageBackend for MemoryStorage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| out_of_range())?;
        let end = start.checked_add(out.len()).ok_or_else(out_of_range)?;
        out.copy_from_slice(bytes.get(start..end).ok_or_else(out_of_range)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| out_of_range())?;
        self.bytes.write().unwrap_or_else(PoisonError::into_inner).resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| out_of_range())?;
        let end = start.checked_add(data.len()).ok_or_else(out_of_range)?;
        bytes.get_mut(start..end).ok_or_else(out_of_range)?.copy_from_slice(data);
        Ok(())
    }
}

/// The locks of a backend that has another underneath: that one's own.
macro_rules! locks_of {
    ($self:ident, $underneath:expr) => {
        fn try_lock_range(
            &$self,
            start: std::ops::Bound<u64>,
            end: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            $underneath.try_lock_range(start, end)
        }

        fn try_lock_shared_range(
            &$self,
            start: std::ops::Bound<u64>,
            end: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            $underneath.try_lock_shared_range(start, end)
        }

        fn lock_range(
            &$self,
            start: std::ops::Bound<u64>,
            end: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            $underneath.lock_range(start, end)
        }

        fn lock_shared_range(
            &$self,
            start: std::ops::Bound<u64>,
            end: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            $underneath.lock_shared_range(start, end)
        }

        fn unlock_range(
            &$self,
            start: std::ops::Bound<u64>,
            end: std::ops::Bound<u64>,
        ) -> Result<(), redb::BackendError> {
            $underneath.unlock_range(start, end)
        }

        fn query_lock_range(
            &$self,
            start: std::ops::Bound<u64>,
            end: std::ops::Bound<u64>,
        ) -> Result<bool, redb::BackendError> {
            $underneath.query_lock_range(start, end)
        }
    };
}
pub(crate) use locks_of;

/// A backend behind a pointer, as one; locks included.
#[derive(Debug)]
pub(crate) struct Boxed(pub(crate) Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    locks_of!(self, self.0);
}
