//! [`Disk`], the tables in redb: opening them, making a batch durable, and [`Snapshot`]s to read from.

use crate::StoreError;
use crate::codec;
use crate::engine::State;
use crate::log::LogMark;
use crate::rows::{Edited, Order, Rows, View};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
use crate::storage::Boxed;
use crate::storage::{CommitMode, MemoryStorage, Storage};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use crate::survey;
use crate::tables::{self, PerTable, Table};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
use crate::verified::{Damage, Verified};
use crate::withheld::Withheld;
use redb::{
    AccessGuard, Database, DatabaseError, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase,
    ReadableTable, StorageBackend, StorageError, TableDefinition, TableError, TransactionError,
    WriteTransaction,
};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

type Bytes = &'static [u8];

/// A key: bytes in their order, compared eight at a time. Most comparisons end with the first eight.
#[derive(Debug)]
struct KeyBytes;

impl redb::Value for KeyBytes {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> redb::TypeName {
        redb::TypeName::new("connectory::key")
    }
}

impl redb::Key for KeyBytes {
    fn compare(one: &[u8], other: &[u8]) -> Ordering {
        tables::compare(one, other)
    }

    fn separator<'a>(left: &'a [u8], right: &'a [u8]) -> Cow<'a, [u8]> {
        <&[u8] as redb::Key>::separator(left, right)
    }
}

/// What a store says of itself: its format, and its [`State`].
const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_STATE: &str = "state";
/// The [`LogMark`] of the log that may hold what is not in the tables; absent after a clean close.
const META_LOG: &str = "log";
/// The state before, while a dump is being loaded: half a dump is never taken for a store.
const META_LOADING: &str = "loading";

/// A store gives back space when it is closed if it is as long as this, and so much of it, in percent, was put or has
/// been added since it was opened: giving it back takes as long as the store is large.
const COMPACT_BYTES: u64 = 1 << 20;
const COMPACT_PERCENT: u64 = 10;

/// The same as bytes, where the pages are read without redb.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) mod meta {
    pub(crate) const TABLE: &[u8] = b"meta";
    pub(crate) const FORMAT: &[u8] = super::META_FORMAT.as_bytes();
    pub(crate) const STATE: &[u8] = super::META_STATE.as_bytes();
    pub(crate) const LOG: &[u8] = super::META_LOG.as_bytes();
    pub(crate) const LOADING: &[u8] = super::META_LOADING.as_bytes();
}

/// What a store says of its log; `None` where that is malformed.
pub(crate) fn read_log_mark(row: &[u8]) -> Option<LogMark> {
    let (id, segment_bytes) = row.split_first_chunk::<8>()?;
    let segment_bytes = u64::from_be_bytes(segment_bytes.try_into().ok()?);
    Some(LogMark { id: u64::from_be_bytes(*id), segment_bytes })
}

fn definition(table: Table) -> TableDefinition<'static, KeyBytes, Bytes> {
    TableDefinition::new(table.name())
}

/// The open tables.
pub(crate) struct Disk {
    database: Opened,
    /// Which opening this is: its snapshots have the same.
    opening: Opening,
    commit_mode: CommitMode,
    /// Bytes of keys and values that were put.
    put_bytes: AtomicU64,
    /// How long the storage was when it was opened.
    opened_bytes: u64,
}

/// One opening of the tables, and what redb reads them through.
#[derive(Clone)]
struct Opening {
    is: Arc<()>,
    /// The module for browsers has no room for it.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pages: Verified,
}

impl Opening {
    /// Whether redb was refused a damaged page: it answers nothing from then on.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    fn found_damage(&self) -> bool {
        self.pages.found_damage()
    }

    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    #[expect(clippy::unused_self, reason = "it is asked elsewhere")]
    fn found_damage(&self) -> bool {
        false
    }
}

/// What redb is to read the tables through.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn watched(
    backend: Box<dyn StorageBackend>,
    is_read_only: bool,
) -> Result<(Verified, Opening), StoreError> {
    let pages = Verified::new(backend, is_read_only)?;
    Ok((pages.clone(), Opening { is: Arc::default(), pages }))
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn watched(
    backend: Box<dyn StorageBackend>,
    _is_read_only: bool,
) -> Result<(Boxed, Opening), StoreError> {
    Ok((Boxed(backend), Opening { is: Arc::default() }))
}

enum Opened {
    Writable(Database, Withheld),
    ReadOnly(ReadOnlyDatabase),
}

impl fmt::Debug for Disk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Disk").field("commit_mode", &self.commit_mode).finish_non_exhaustive()
    }
}

impl Disk {
    fn new(database: Opened, opening: Opening, storage: &dyn Storage, opened_bytes: u64) -> Self {
        let commit_mode = storage.commit_mode();
        let put_bytes = AtomicU64::new(0);
        Self { database, opening, commit_mode, put_bytes, opened_bytes }
    }

    /// Opens the tables in `storage`, making them where it is empty.
    pub(crate) fn open(storage: &dyn Storage, cache_bytes: usize) -> Result<Self, StoreError> {
        let backend = Withheld::new(storage.open()?)?;
        let opened_bytes = backend.len()?;
        let is_new = is_blank(&backend)?;
        if is_new {
            // What an interrupted making left behind.
            backend.set_len(0)?;
        }
        let (watched, opening) = watched(Box::new(backend.clone()), false)?;
        let database = redb::Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(watched)
            .map_err(open_error)?;
        let database = Opened::Writable(database, backend.clone());
        let disk = Self::new(database, opening, storage, opened_bytes);
        if is_new || disk.has_no_tables()? {
            backend.release()?;
            disk.make_tables()?;
        } else {
            disk.check_format()?;
            backend.release()?;
            if disk.is_loading()? {
                disk.undo_loading()?;
            }
        }
        Ok(disk)
    }

    /// Opens the tables without ever writing. Refused where they were not closed cleanly.
    pub(crate) fn open_read_only(
        storage: &dyn Storage,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let (watched, opening) = watched(storage.open()?, true)?;
        let database = redb::Builder::new()
            .set_cache_size(cache_bytes)
            .open_read_only_with_backend(watched)
            .map_err(open_error)?;
        let disk = Self::new(Opened::ReadOnly(database), opening, storage, 0);
        disk.check_format()?;
        if disk.is_loading()? || disk.log_mark()?.is_some() {
            return Err(not_closed());
        }
        Ok(disk)
    }

    /// Empty tables in memory, and a view of them that passes for one of an empty store in this state.
    pub(crate) fn stand_in(state: State) -> Result<(Self, Snapshot), StoreError> {
        let disk = Self::open(&MemoryStorage::default(), 0)?;
        let tables = Snapshot { state, ..disk.snapshot()? };
        Ok((disk, tables))
    }

    fn begin_read(&self) -> Result<redb::ReadTransaction, StoreError> {
        match &self.database {
            Opened::Writable(database, _) => database.begin_read(),
            Opened::ReadOnly(database) => database.begin_read(),
        }
        .map_err(transaction_error)
    }

    fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        match &self.database {
            // There is one writer, so this never has to wait; waiting would be for ever on one thread.
            Opened::Writable(database, _) => {
                let mut transaction = database.try_begin_write().map_err(transaction_error)?;
                transaction.set_quick_repair(self.commit_mode == CommitMode::QuickRepair);
                Ok(transaction)
            }
            Opened::ReadOnly(_) => Err(StoreError::ReadOnly),
        }
    }

    fn make_tables(&self) -> Result<(), StoreError> {
        self.transact(|transaction| {
            set_meta(transaction, META_FORMAT, Some(&codec::FORMAT.to_be_bytes()))?;
            set_meta(transaction, META_STATE, Some(&codec::encode_state(&State::default())?))?;
            for table in Table::ALL {
                transaction.open_table(definition(table)).map_err(table_error)?;
            }
            Ok(())
        })
    }

    /// Whether this is a database in which nothing was ever made: the making of a store was interrupted.
    fn has_no_tables(&self) -> Result<bool, StoreError> {
        let transaction = self.begin_read()?;
        let mut tables = transaction.list_tables().map_err(storage_error)?;
        Ok(tables.next().is_none())
    }

    fn meta<T>(&self, key: &str, read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, StoreError> {
        let meta = match self.begin_read()?.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => {
                return Err(StoreError::NotAStore("a redb database of something else".into()));
            }
            Err(error) => return Err(table_error(error)),
        };
        let row = meta.get(key).map_err(storage_error)?;
        Ok(row.map(|row| read(row.value())))
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let found = self
            .meta(META_FORMAT, |bytes| bytes.try_into().map(u32::from_be_bytes))?
            .and_then(Result::ok)
            .ok_or_else(|| StoreError::NotAStore("it does not say its format".into()))?;
        if found == codec::FORMAT {
            Ok(())
        } else {
            Err(StoreError::OtherFormat { found, supported: codec::FORMAT })
        }
    }

    /// A consistent view of everything committed so far. Keeps pages from being reused while it lives.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = self.begin_read()?;
        let state = transaction
            .open_table(META)
            .map_err(table_error)?
            .get(META_STATE)
            .map_err(storage_error)?
            .ok_or_else(|| StoreError::damaged("its state is missing"))
            .and_then(|row| codec::decode_state(row.value()))?;
        let tables = PerTable::try_new(|table| {
            transaction.open_table(definition(table)).map_err(table_error)
        })?;
        Ok(Snapshot { tables, opening: self.opening.clone(), state })
    }

    /// Puts rows into the tables, durably: all of them or, where this fails, perhaps all and perhaps none.
    pub(crate) fn commit(&self, rows: &dyn Edited, state: &State) -> Result<(), StoreError> {
        self.transact(|transaction| self.put(transaction, rows, state))
    }

    /// The same, and from then on no log is needed.
    pub(crate) fn commit_last(&self, rows: &dyn Edited, state: &State) -> Result<(), StoreError> {
        self.transact(|transaction| {
            self.put(transaction, rows, state)?;
            set_meta(transaction, META_LOG, None)
        })
    }

    fn put(
        &self,
        transaction: &WriteTransaction,
        rows: &dyn Edited,
        state: &State,
    ) -> Result<(), StoreError> {
        let mut bytes = 0;
        for name in Table::ALL {
            let mut table = transaction.open_table(definition(name)).map_err(table_error)?;
            rows.each(name, &mut |key, value| {
                bytes += key.len() + value.map_or(0, <[u8]>::len);
                match value {
                    Some(value) => table.insert(key, value),
                    None => table.remove(key),
                }
                .map(drop)
                .map_err(storage_error)
            })?;
        }
        self.put_bytes.fetch_add(bytes as u64, atomic::Ordering::Relaxed);
        set_meta(transaction, META_STATE, Some(&codec::encode_state(state)?))
    }

    /// Which log holds what is not in the tables yet, if there may be such.
    pub(crate) fn log_mark(&self) -> Result<Option<LogMark>, StoreError> {
        self.meta(META_LOG, read_log_mark)?
            .map(|mark| {
                mark.ok_or_else(|| StoreError::damaged("what it says of its log is malformed"))
            })
            .transpose()
    }

    /// Says, durably, which log is needed from now on.
    pub(crate) fn set_log_mark(&self, mark: LogMark) -> Result<(), StoreError> {
        let row = [mark.id.to_be_bytes(), mark.segment_bytes.to_be_bytes()].concat();
        self.transact(|transaction| set_meta(transaction, META_LOG, Some(&row)))
    }

    /// Runs `write` in a transaction and commits it.
    fn transact(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = self.begin_write()?;
        write(&transaction)?;
        commit(transaction)
    }

    fn is_loading(&self) -> Result<bool, StoreError> {
        Ok(self.meta(META_LOADING, |_| ())?.is_some())
    }

    /// Says, durably, that a dump is being loaded into an empty store of this state, or that it is there whole.
    pub(crate) fn set_loading(&self, before: Option<&State>) -> Result<(), StoreError> {
        let row = before.map(codec::encode_state).transpose()?;
        self.transact(|transaction| set_meta(transaction, META_LOADING, row.as_deref()))
    }

    /// Empties the store again after a load that came to nothing. IDs and numbers of changes that were given out
    /// before it are not given out again, and those changes, which no load touches, can still be told.
    pub(crate) fn undo_loading(&self) -> Result<(), StoreError> {
        let before = self.meta(META_LOADING, codec::decode_state)?.transpose()?.unwrap_or_default();
        self.transact(|transaction| {
            for table in Table::ALL.into_iter().filter(|&table| table != Table::Changes) {
                transaction.delete_table(definition(table)).map_err(table_error)?;
                transaction.open_table(definition(table)).map_err(table_error)?;
            }
            set_meta(transaction, META_STATE, Some(&codec::encode_state(&before)?))?;
            set_meta(transaction, META_LOADING, None)
        })
    }

    /// Copies every row of `view` into these, empty, tables, with the last changes; calls `progress` with the rows so
    /// far.
    pub(crate) fn copy(
        &self,
        view: &View,
        changes: &dyn Edited,
        mut progress: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let mut rows = 0;
        self.transact(|transaction| {
            for name in Table::ALL {
                let mut table = transaction.open_table(definition(name)).map_err(table_error)?;
                let mut scan = Rows::of(view).all(name)?;
                while let Some(()) = scan
                    .next(|key, value| table.insert(key, value).map(drop).map_err(storage_error))?
                {
                    rows += 1;
                    if rows % 1024 == 0 {
                        progress(rows);
                    }
                }
            }
            self.put(transaction, changes, &view.recent.state)
        })?;
        progress(rows);
        Ok(())
    }

    /// Reads every page as it is in the storage, whatever redb thinks of it, and calls `wrong` with what is wrong with any.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub(crate) fn survey(&self, wrong: &mut dyn FnMut(String)) -> Result<(), StoreError> {
        survey::survey(self.opening.pages.raw(), wrong)
    }

    /// Verifies the checksum of every page; `None` where that cannot be done: the tables are open for reading
    /// only, or a snapshot of them is still in use.
    pub(crate) fn check_pages(&mut self) -> Result<Option<bool>, StoreError> {
        match &mut self.database {
            Opened::Writable(database, _) => match database.check_integrity() {
                Err(DatabaseError::TransactionInProgress) => Ok(None),
                checked => checked.map(Some).map_err(open_error),
            },
            Opened::ReadOnly(_) => Ok(None),
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.database, Opened::ReadOnly(_))
    }

    /// Closes the tables cleanly and lets go of the storage. Space that a long life left free is given back first.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let put_bytes = *self.put_bytes.get_mut();
        let opened_bytes = self.opened_bytes;
        match self.database {
            Opened::Writable(mut database, backend) => {
                let bytes = backend.len()?;
                let churned = put_bytes.max(bytes.saturating_sub(opened_bytes));
                if bytes >= COMPACT_BYTES && churned >= bytes / 100 * COMPACT_PERCENT {
                    compact(&mut database)?;
                }
                database.close()
            }
            Opened::ReadOnly(database) => database.close(),
        }
        .map_err(open_error)
    }
}

/// Gives free pages back to the file system. Readers that are left prevent that, and it can wait.
fn compact(database: &mut Database) -> Result<(), StoreError> {
    match database.compact() {
        Err(redb::CompactionError::Storage(error)) => Err(storage_error(error)),
        _ => Ok(()),
    }
}

/// Whether the storage holds no database yet: redb writes what a file begins with last.
fn is_blank(backend: &dyn StorageBackend) -> Result<bool, StoreError> {
    let mut head = [0; 9];
    let there = usize::try_from(backend.len()?).unwrap_or(usize::MAX).min(head.len());
    if let Some(head) = head.get_mut(..there).filter(|head| !head.is_empty()) {
        backend.read(0, head)?;
    }
    Ok(head == [0; 9])
}

fn set_meta(
    transaction: &WriteTransaction,
    key: &str,
    value: Option<&[u8]>,
) -> Result<(), StoreError> {
    let mut meta = transaction.open_table(META).map_err(table_error)?;
    match value {
        Some(value) => meta.insert(key, value),
        None => meta.remove(key),
    }
    .map(drop)
    .map_err(storage_error)
}

fn not_closed() -> StoreError {
    StoreError::Damaged("it was not closed cleanly; open it for writing".into())
}

fn commit(transaction: WriteTransaction) -> Result<(), StoreError> {
    transaction.commit().map_err(|error| match error {
        redb::CommitError::Storage(error) => storage_error(error),
        error => StoreError::Internal(error.to_string()),
    })
}

/// Everything as one commit left it. Readable from any thread, at no cost to the writer.
pub(crate) struct Snapshot {
    tables: PerTable<ReadOnlyTable<KeyBytes, Bytes>>,
    opening: Opening,
    pub(crate) state: State,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Snapshot").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Whether what fails for one of the two fails for the other too, until the tables are opened anew.
    pub(crate) fn fails_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.opening.is, &other.opening.is)
    }

    /// Whether a damaged page was found: nothing can be read any more, until the tables are opened anew.
    pub(crate) fn found_damage(&self) -> bool {
        self.opening.found_damage()
    }

    pub(crate) fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        let row = ReadableTable::get(self.tables.of(table), key).map_err(storage_error)?;
        Ok(row.map(|row| read(row.value())))
    }

    pub(crate) fn range(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> Result<SnapshotRange, StoreError> {
        let range = self.tables.of(table).range::<&[u8]>((from, to)).map_err(storage_error)?;
        Ok(SnapshotRange(range))
    }
}

/// Rows of a snapshot, from either end.
pub(crate) struct SnapshotRange(redb::Range<'static, KeyBytes, Bytes>);

impl SnapshotRange {
    pub(crate) fn next(&mut self, order: Order) -> Result<Option<SnapshotRow>, StoreError> {
        let row = match order {
            Order::Rising => self.0.next(),
            Order::Falling => self.0.next_back(),
        };
        row.transpose()
            .map(|row| row.map(|(key, value)| SnapshotRow { key, value }))
            .map_err(storage_error)
    }
}

/// One row, where it lies in its page.
pub(crate) struct SnapshotRow {
    key: AccessGuard<'static, KeyBytes>,
    value: AccessGuard<'static, Bytes>,
}

impl SnapshotRow {
    pub(crate) fn key(&self) -> &[u8] {
        self.key.value()
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.value.value()
    }
}

fn open_error(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse
        }
        DatabaseError::UpgradeRequired(version) => {
            StoreError::NotAStore(format!("a redb database of file format {version}"))
        }
        DatabaseError::RepairAborted => not_closed(),
        DatabaseError::Storage(error) => storage_error(error),
        error => StoreError::Internal(error.to_string()),
    }
}

fn transaction_error(error: TransactionError) -> StoreError {
    match error {
        TransactionError::Storage(error) => storage_error(error),
        error => StoreError::Internal(error.to_string()),
    }
}

fn table_error(error: TableError) -> StoreError {
    match error {
        TableError::Storage(error) => storage_error(error),
        error => StoreError::Damaged(error.to_string()),
    }
}

/// Whether a page was refused that is not what it must be.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn is_damage(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Damage>)
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn is_damage(_: &std::io::Error) -> bool {
    false
}

fn storage_error(error: StorageError) -> StoreError {
    match error {
        StorageError::Corrupted(what) => StoreError::Damaged(what),
        StorageError::Io(error) => match error.kind() {
            _ if is_damage(&error) => StoreError::Damaged(error.to_string()),
            std::io::ErrorKind::InvalidData => StoreError::NotAStore(error.to_string()),
            std::io::ErrorKind::UnexpectedEof => StoreError::Damaged("it ends too early".into()),
            _ => error.into(),
        },
        // What fails after a failure says nothing of its own.
        StorageError::PreviousIo | StorageError::DatabaseClosed => {
            std::io::Error::other("it failed before and has to be reopened").into()
        }
        error => StoreError::Internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// A change of these bytes is a change of the format.
    #[test]
    fn what_a_store_says_of_itself_is_the_frozen_bytes() {
        let disk = Disk::open(&MemoryStorage::default(), 1 << 20).unwrap();
        let meta = |key| disk.meta(key, <[u8]>::to_vec).unwrap();
        let format = fixtures::named("format", "the format");
        assert_eq!((META_FORMAT.as_bytes(), meta(META_FORMAT)), (&*format.key, Some(format.bytes)));
        let state = fixtures::named("state", "of a new store");
        assert_eq!((META_STATE.as_bytes(), meta(META_STATE)), (&*state.key, Some(state.bytes)));
        let log = fixtures::named("log", "which log is needed");
        let mark = LogMark { id: log.number("id"), segment_bytes: log.number("segment_bytes") };
        disk.set_log_mark(mark).unwrap();
        assert_eq!((META_LOG.as_bytes(), meta(META_LOG)), (&*log.key, Some(log.bytes)));
        assert_eq!(disk.log_mark().unwrap(), Some(mark));
        let before = State { seq: 65_536, ..State::default() };
        disk.set_loading(Some(&before)).unwrap();
        assert_eq!(meta("loading"), Some(codec::encode_state(&before).unwrap()));
    }
}
