//! SQLite, as its documentation advises it for one process that must lose nothing.
//!
//! A write-ahead log that is synced at every commit (`synchronous=FULL`), statements prepared once, a table of its
//! own for profiles with integer keys, and `WITHOUT ROWID` for the connections: their key is no integer, their rows
//! are small. SQLite has one writer, so writers wait for one connection behind a mutex; waiting by `busy_timeout`
//! is by sleeping: a quarter of the creates a second with 64 callers, and some wait for seconds. Reads take that
//! connection if it is free, whose cache is warm, or one of their own.

use crate::ids::Ids;
use crate::peer::{Creation, Found, Id, List, Outcome, Peer};
use crate::record::{Record, Rest, decode, encode};
use connectory::NewConnection;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS profiles (
        key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, connections INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS connections (
        id BLOB PRIMARY KEY, profile INTEGER NOT NULL, domain TEXT NOT NULL, rest BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX IF NOT EXISTS pairs ON connections (profile, domain);
    CREATE INDEX IF NOT EXISTS profile_order ON connections (profile, id);
    CREATE INDEX IF NOT EXISTS domain_order ON connections (domain, id);
";
const HOLDER: &str = "SELECT id FROM connections
    WHERE profile = (SELECT key FROM profiles WHERE name = ?1) AND domain = ?2";
const COUNT: &str = "INSERT INTO profiles (name, connections) VALUES (?1, 1)
    ON CONFLICT (name) DO UPDATE SET connections = connections + 1 RETURNING key";
const INSERT: &str = "INSERT INTO connections (id, profile, domain, rest) VALUES (?1, ?2, ?3, ?4)";
/// The columns that make a connection, and which of them.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT c.id, p.name, c.domain, c.rest
                FROM connections c JOIN profiles p ON p.key = c.profile ",
            $which
        )
    };
}
const GET: &str = select!("WHERE c.id = ?1");
const NEWEST: &str = select!("ORDER BY c.id DESC LIMIT ?1");
const NEWEST_OF_PROFILE: &str = select!(
    "WHERE c.profile = (SELECT key FROM profiles WHERE name = ?2) ORDER BY c.id DESC LIMIT ?1"
);
const NEWEST_OF_DOMAIN: &str = select!("WHERE c.domain = ?2 ORDER BY c.id DESC LIMIT ?1");

#[derive(Debug)]
pub(crate) struct Sqlite {
    /// `None` for a database in memory, which has one connection only.
    file: Option<PathBuf>,
    cache_bytes: Option<usize>,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    ids: Ids,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(file: Option<&Path>, cache_bytes: Option<usize>) -> Outcome<Connection> {
    let connection = match file {
        Some(file) => Connection::open(file)?,
        None => Connection::open_in_memory()?,
    };
    connection.busy_timeout(Duration::from_secs(10))?;
    // Otherwise statements are planned anew whenever other values are bound, which costs more than running them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if file.is_some() {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
    }
    if let Some(bytes) = cache_bytes {
        // Negative for KiB, positive for pages.
        connection.pragma_update(None, "cache_size", -i64::try_from(bytes / 1024)?)?;
    }
    Ok(connection)
}

impl Sqlite {
    pub(crate) fn open(directory: &Path, cache_bytes: Option<usize>) -> Outcome<Self> {
        Self::start(Some(directory.join("peers.sqlite")), cache_bytes)
    }

    pub(crate) fn in_memory(cache_bytes: Option<usize>) -> Outcome<Self> {
        Self::start(None, cache_bytes)
    }

    fn start(file: Option<PathBuf>, cache_bytes: Option<usize>) -> Outcome<Self> {
        let writer = connect(file.as_deref(), cache_bytes)?;
        writer.execute_batch(SCHEMA)?;
        let last = writer
            .query_row("SELECT id FROM connections ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        Ok(Self {
            file,
            cache_bytes,
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            ids: Ids::above(last),
        })
    }

    /// The connection that writes, unless another caller has it and this is a file.
    fn writer_if_free(&self) -> Option<MutexGuard<'_, Connection>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) if self.file.is_none() => Some(lock(&self.writer)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Reads on a connection that nobody else uses meanwhile.
    fn beside_writer<T>(&self, read: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let free = lock(&self.readers).pop();
        let reader = match free {
            Some(reader) => reader,
            None => connect(self.file.as_deref(), self.cache_bytes)?,
        };
        let answer = read(&reader)?;
        lock(&self.readers).push(reader);
        Ok(answer)
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        match self.writer_if_free() {
            Some(writer) => read(&writer),
            None => self.beside_writer(read),
        }
    }

    /// Inserts a connection whose pair is free, inside a transaction.
    fn insert(&self, writer: &Connection, request: &NewConnection) -> Outcome<Creation> {
        let id = self.ids.next();
        let name = request.profile_name.as_str();
        let profile: i64 = writer.prepare_cached(COUNT)?.query_row([name], |row| row.get(0))?;
        let rest = encode(&Rest::of_request(request))?;
        let values = params![id, profile, request.domain.as_str(), rest];
        writer.prepare_cached(INSERT)?.execute(values)?;
        Ok(Creation::Created(Id::Theirs(id)))
    }
}

fn holder(connection: &Connection, request: &NewConnection) -> Outcome<Option<Creation>> {
    let mut holder = connection.prepare_cached(HOLDER)?;
    let pair = [request.profile_name.as_str(), request.domain.as_str()];
    let id = holder.query_row(pair, |row| row.get(0)).optional()?;
    Ok(id.map(|id| Creation::Conflict(Id::Theirs(id))))
}

/// Commits what `write` does, all or nothing. `IMMEDIATE`, for a read that turns into a write can fail.
fn transact<T>(writer: &Connection, write: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    writer.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let done = write();
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    writer.prepare_cached(end)?.execute([])?;
    done
}

fn found(row: &Row<'_>) -> Outcome<Found> {
    let record = Record {
        profile_name: row.get(1)?,
        domain: row.get(2)?,
        rest: decode::<Rest>(row.get_ref(3)?.as_blob()?)?,
    };
    Ok(Found::Theirs(row.get(0)?, record))
}

impl Peer for Sqlite {
    fn create(&self, request: NewConnection) -> Outcome<Creation> {
        let writer = match self.writer_if_free() {
            Some(writer) => writer,
            None => match self.beside_writer(|reader| holder(reader, &request))? {
                Some(conflict) => return Ok(conflict),
                None => lock(&self.writer),
            },
        };
        // Nobody else writes while the mutex is held.
        match holder(&writer, &request)? {
            Some(conflict) => Ok(conflict),
            None => transact(&writer, || self.insert(&writer, &request)),
        }
    }

    fn create_many(&self, requests: Vec<NewConnection>) -> Outcome<Vec<Creation>> {
        let writer = lock(&self.writer);
        let create = |request: NewConnection| match holder(&writer, &request)? {
            Some(conflict) => Ok(conflict),
            None => self.insert(&writer, &request),
        };
        transact(&writer, || requests.into_iter().map(create).collect())
    }

    fn get(&self, id: Id) -> Outcome<Option<Found>> {
        let id = id.theirs()?;
        self.read(|connection| {
            let mut get = connection.prepare_cached(GET)?;
            let mut rows = get.query([id])?;
            rows.next()?.map(found).transpose()
        })
    }

    fn list(&self, list: List, most: usize) -> Outcome<Vec<Found>> {
        let most = i64::try_from(most)?;
        self.read(|connection| {
            let mut select = connection.prepare_cached(match &list {
                List::All => NEWEST,
                List::OfProfile(_) => NEWEST_OF_PROFILE,
                List::OfDomain(_) => NEWEST_OF_DOMAIN,
            })?;
            let mut rows = match &list {
                List::All => select.query([most])?,
                List::OfProfile(name) => select.query(params![most, name.as_str()])?,
                List::OfDomain(domain) => select.query(params![most, domain.as_str()])?,
            };
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push(found(row)?);
            }
            Ok(all)
        })
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        let readers = self.readers.into_inner().unwrap_or_else(PoisonError::into_inner);
        // The last to close moves the log into the database.
        for connection in readers {
            connection.close().map_err(|(_, error)| error)?;
        }
        let writer = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(writer.close().map_err(|(_, error)| error)?)
    }
}
