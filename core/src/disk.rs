//! [`Disk`], the tables in redb: opening them, making a batch durable, and [`Snapshot`]s to read from.

use crate::StoreError;
use crate::codec;
use crate::engine::State;
use crate::rows::{Effects, Order};
use crate::storage::{Boxed, CommitMode, Storage};
use crate::tables::{PerTable, Table};
use crate::withheld::Withheld;
use redb::{
    AccessGuard, Database, DatabaseError, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase,
    ReadableTable, StorageBackend, StorageError, TableDefinition, TableError, TransactionError,
};
use std::fmt;
use std::ops::Bound;

type Bytes = &'static [u8];

/// What a store says of itself: its format, and its [`State`].
const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_STATE: &str = "state";
/// The state before, while a dump is being loaded: half a dump is never taken for a store.
const META_LOADING: &str = "loading";

fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

/// The open tables.
pub(crate) struct Disk {
    database: Opened,
    commit_mode: CommitMode,
}

enum Opened {
    Writable(Database),
    ReadOnly(ReadOnlyDatabase),
}

impl fmt::Debug for Disk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Disk").field("commit_mode", &self.commit_mode).finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens the tables in `storage`, making them where it is empty.
    pub(crate) fn open(storage: &dyn Storage, cache_bytes: usize) -> Result<Self, StoreError> {
        let backend = Withheld::new(storage.open()?)?;
        let is_new = is_blank(&backend)?;
        if is_new {
            // What an interrupted making left behind.
            backend.set_len(0)?;
        }
        let database = redb::Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(backend.clone())
            .map_err(open_error)?;
        let disk =
            Self { database: Opened::Writable(database), commit_mode: storage.commit_mode() };
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
        let database = redb::Builder::new()
            .set_cache_size(cache_bytes)
            .open_read_only_with_backend(Boxed(storage.open()?))
            .map_err(open_error)?;
        let disk =
            Self { database: Opened::ReadOnly(database), commit_mode: storage.commit_mode() };
        disk.check_format()?;
        if disk.is_loading()? {
            return Err(StoreError::Damaged("a load was cut short; open it for writing".into()));
        }
        Ok(disk)
    }

    fn begin_read(&self) -> Result<redb::ReadTransaction, StoreError> {
        match &self.database {
            Opened::Writable(database) => database.begin_read(),
            Opened::ReadOnly(database) => database.begin_read(),
        }
        .map_err(transaction_error)
    }

    fn begin_write(&self) -> Result<redb::WriteTransaction, StoreError> {
        match &self.database {
            // There is one writer, so this never has to wait; waiting would be for ever on one thread.
            Opened::Writable(database) => {
                let mut transaction = database.try_begin_write().map_err(transaction_error)?;
                transaction.set_quick_repair(self.commit_mode == CommitMode::QuickRepair);
                Ok(transaction)
            }
            Opened::ReadOnly(_) => Err(StoreError::ReadOnly),
        }
    }

    fn make_tables(&self) -> Result<(), StoreError> {
        let transaction = self.begin_write()?;
        {
            let mut meta = transaction.open_table(META).map_err(table_error)?;
            insert(&mut meta, META_FORMAT, &codec::FORMAT.to_be_bytes())?;
            insert(&mut meta, META_STATE, &codec::encode_state(&State::default())?)?;
            for table in Table::ALL {
                transaction.open_table(definition(table)).map_err(table_error)?;
            }
        }
        commit(transaction)
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
        Ok(Snapshot { tables, state })
    }

    /// Makes a batch durable: all of it or, where this fails, perhaps all and perhaps nothing.
    pub(crate) fn commit(&self, effects: &Effects, state: &State) -> Result<(), StoreError> {
        let transaction = self.begin_write()?;
        for table in Table::ALL {
            let rows = effects.of(table);
            if rows.is_empty() {
                continue;
            }
            let mut table = transaction.open_table(definition(table)).map_err(table_error)?;
            for (key, value) in rows {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice()),
                    None => table.remove(key.as_slice()),
                }
                .map_err(storage_error)?;
            }
        }
        {
            let mut meta = transaction.open_table(META).map_err(table_error)?;
            insert(&mut meta, META_STATE, &codec::encode_state(state)?)?;
        }
        commit(transaction)
    }

    fn is_loading(&self) -> Result<bool, StoreError> {
        Ok(self.meta(META_LOADING, |_| ())?.is_some())
    }

    /// Says, durably, that a dump is being loaded into an empty store of this state, or that it is there whole.
    pub(crate) fn set_loading(&self, before: Option<&State>) -> Result<(), StoreError> {
        let transaction = self.begin_write()?;
        {
            let mut meta = transaction.open_table(META).map_err(table_error)?;
            match before {
                Some(state) => insert(&mut meta, META_LOADING, &codec::encode_state(state)?)?,
                None => drop(meta.remove(META_LOADING).map_err(storage_error)?),
            }
        }
        commit(transaction)
    }

    /// Empties the store again after a load that came to nothing. IDs and numbers of changes that were given out
    /// before it are not given out again.
    pub(crate) fn undo_loading(&self) -> Result<(), StoreError> {
        let before = self.meta(META_LOADING, codec::decode_state)?.transpose()?.unwrap_or_default();
        let state = State { oldest_seq: before.seq + 1, ..before };
        let transaction = self.begin_write()?;
        for table in Table::ALL {
            transaction.delete_table(definition(table)).map_err(table_error)?;
            transaction.open_table(definition(table)).map_err(table_error)?;
        }
        {
            let mut meta = transaction.open_table(META).map_err(table_error)?;
            insert(&mut meta, META_STATE, &codec::encode_state(&state)?)?;
            meta.remove(META_LOADING).map_err(storage_error)?;
        }
        commit(transaction)
    }

    /// Copies every row of `snapshot` into these, empty, tables; calls `progress` with the rows so far.
    pub(crate) fn copy(
        &self,
        snapshot: &Snapshot,
        mut progress: impl FnMut(u64),
    ) -> Result<(), StoreError> {
        let transaction = self.begin_write()?;
        let mut rows = 0;
        for name in Table::ALL {
            let mut table = transaction.open_table(definition(name)).map_err(table_error)?;
            let mut range = snapshot.range(name, Bound::Unbounded, Bound::Unbounded)?;
            while let Some(row) = range.next(Order::Rising)? {
                table.insert(row.key(), row.value()).map_err(storage_error)?;
                rows += 1;
                if rows % 1024 == 0 {
                    progress(rows);
                }
            }
        }
        {
            let mut meta = transaction.open_table(META).map_err(table_error)?;
            insert(&mut meta, META_STATE, &codec::encode_state(&snapshot.state)?)?;
        }
        progress(rows);
        commit(transaction)
    }

    /// Verifies the checksum of every page; `None` where that cannot be done: the tables are open for reading
    /// only, or a snapshot of them is still in use.
    pub(crate) fn check_pages(&mut self) -> Result<Option<bool>, StoreError> {
        match &mut self.database {
            Opened::Writable(database) => match database.check_integrity() {
                Err(DatabaseError::TransactionInProgress) => Ok(None),
                checked => checked.map(Some).map_err(open_error),
            },
            Opened::ReadOnly(_) => Ok(None),
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.database, Opened::ReadOnly(_))
    }

    /// Closes the tables cleanly and lets go of the storage.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        match self.database {
            Opened::Writable(database) => database.close(),
            Opened::ReadOnly(database) => database.close(),
        }
        .map_err(open_error)
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

fn insert(
    meta: &mut redb::Table<'_, &'static str, Bytes>,
    key: &str,
    value: &[u8],
) -> Result<(), StoreError> {
    meta.insert(key, value).map_err(storage_error)?;
    Ok(())
}

fn commit(transaction: redb::WriteTransaction) -> Result<(), StoreError> {
    transaction.commit().map_err(|error| match error {
        redb::CommitError::Storage(error) => storage_error(error),
        error => StoreError::Internal(error.to_string()),
    })
}

/// Everything as one commit left it. Readable from any thread, at no cost to the writer.
pub(crate) struct Snapshot {
    tables: PerTable<ReadOnlyTable<Bytes, Bytes>>,
    pub(crate) state: State,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Snapshot").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Snapshot {
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
pub(crate) struct SnapshotRange(redb::Range<'static, Bytes, Bytes>);

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
    key: AccessGuard<'static, Bytes>,
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
        DatabaseError::RepairAborted => {
            StoreError::Damaged("it was not closed cleanly; open it for writing".into())
        }
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

fn storage_error(error: StorageError) -> StoreError {
    match error {
        StorageError::Corrupted(what) => StoreError::Damaged(what),
        StorageError::Io(error) => match error.kind() {
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
