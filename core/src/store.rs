//! [`Store`], the registry itself: who may call what, and what happens when the storage fails.

use crate::check::{self, CheckReport};
use crate::disk::Disk;
use crate::dump::Dump;
use crate::engine::{Op, Settled, State, settle};
use crate::live::{Handle, Live, lock, mismatched};
use crate::load::{self, Load};
use crate::query;
use crate::storage::Storage;
use crate::{
    Changes, Connection, ConnectionId, CreateOptions, Creation, Domain, Error, ListQuery,
    NewConnection, Observation, Options, Page, PageQuery, Patch, Profile, ProfileName, Proxy,
    ProxyId, ProxyName, Refusal, StoreError, Subscription, Used, Write, Written,
};
use std::sync::Arc;

/// A registry of auth connections: one project, one file.
///
/// A `Store` is a handle, cheap to clone; any number of threads may use one. Reads never wait for
/// writes, and see only what is durable. A write returns when it is durable; writes that arrive
/// during a commit share the next one. Every operation either happens wholly or not at all.
///
/// If the storage fails, the store reopens it before it answers again; what could not be written is
/// an error to those who asked for it. The last handle to go closes the store; [`close`](Self::close)
/// does so at once and reports errors.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) live: Arc<Handle>,
}

/// Opening and closing.
impl Store {
    /// Opens the store at `path`, made there if nothing is.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`] at once where another process or handle has it open; a foreign, empty, damaged or
    /// newer file is an error each and stays as it is.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Self, StoreError> {
        Self::open_with(crate::FileStorage::new(path.as_ref()), Options::new())
    }

    /// Opens the store at `path` for reading: on read-only media too, and beside other readers.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); [`StoreError::Damaged`] also where it was not closed cleanly and has to be
    /// opened for writing first. Every write fails with [`StoreError::ReadOnly`].
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn open_read_only(
        path: impl AsRef<std::path::Path>,
        options: Options,
    ) -> Result<Self, StoreError> {
        let storage = crate::FileStorage::read_only(path.as_ref());
        let disk = Disk::open_read_only(&storage, options.cache_bytes)?;
        Self::start(Box::new(storage), options, disk)
    }

    /// Opens a store in memory, gone with its last handle.
    ///
    /// # Errors
    ///
    /// None that can be foreseen.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::open_with(crate::MemoryStorage::default(), Options::new())
    }

    /// Opens the store in `storage`, made there if it is empty.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(
        storage: impl Storage + 'static,
        options: Options,
    ) -> Result<Self, StoreError> {
        let disk = Disk::open(&storage, options.cache_bytes)?;
        Self::start(Box::new(storage), options, disk)
    }

    fn start(storage: Box<dyn Storage>, options: Options, disk: Disk) -> Result<Self, StoreError> {
        Ok(Self { live: Arc::new(Handle(Live::start(storage, options, disk)?)) })
    }

    /// Closes the store for every handle, after the writes that are already waiting.
    ///
    /// # Errors
    ///
    /// Whatever the storage reports. What was acknowledged is durable all the same.
    pub fn close(&self) -> Result<(), StoreError> {
        self.live.close()
    }
}

/// Connections.
impl Store {
    /// Creates a connection, or says who holds the pair.
    ///
    /// One commit, shared with whoever writes at the same time; a conflict costs one look-up, or two in a profile with
    /// many connections, and never waits for a writer.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for an interval below the plan's floor and a proxy that is not registered,
    /// [`Refusal::OverCap`]; or a [`StoreError`].
    ///
    /// ```
    /// use connectory::{Creation, NewConnection, Store};
    ///
    /// let store = Store::in_memory()?;
    /// let request = || -> Result<_, connectory::Problem> {
    ///     Ok(NewConnection::new("netflix.com".parse()?, "user-123".parse()?))
    /// };
    /// let Creation::Created(connection) = store.create(request()?)? else { panic!("it is new") };
    /// let Creation::Conflict(conflict) = store.create(request()?)? else { panic!("it is taken") };
    /// assert_eq!(conflict.existing_id, connection.id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn create(&self, request: NewConnection) -> Result<Creation, Error> {
        self.create_with(request, CreateOptions::default())
    }

    /// Creates a connection, or returns the one that holds the pair.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create). Where the pair is taken nothing is written and no cap applies.
    pub fn ensure(&self, request: NewConnection) -> Result<Creation, Error> {
        self.create_with(request, CreateOptions { ensure: true, ..CreateOptions::default() })
    }

    /// Creates a connection as `options` say.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create); [`Refusal::KeyReused`] where the idempotency key made this pair's connection
    /// from another request.
    pub fn create_with(
        &self,
        request: NewConnection,
        options: CreateOptions,
    ) -> Result<Creation, Error> {
        let write = Write::create(request, options);
        // A pair that is taken is answered by readers alone.
        match self.peek(&write)? {
            Some(answer) => answer.into_creation(),
            None => self.live.write(write.0)?.into_creation(),
        }
    }

    /// Creates any number of connections; later ones see earlier ones. Answers in order.
    ///
    /// Not atomic as a whole: committed in batches of at most 10 000 rows or 4 MiB, so an interruption leaves
    /// a prefix.
    pub fn create_many(
        &self,
        requests: impl IntoIterator<Item = NewConnection>,
    ) -> Vec<Result<Creation, Error>> {
        let requests = requests.into_iter();
        self.create_many_with(requests.map(|request| (request, CreateOptions::default())))
    }

    /// As [`create_many`](Self::create_many), each with options of its own.
    pub fn create_many_with(
        &self,
        requests: impl IntoIterator<Item = (NewConnection, CreateOptions)>,
    ) -> Vec<Result<Creation, Error>> {
        let writes = requests.into_iter().map(|(request, options)| Write::create(request, options));
        self.write_many(writes).into_iter().map(|answer| answer?.into_creation()).collect()
    }

    /// The connection with this ID.
    ///
    /// # Errors
    ///
    /// A [`StoreError`]; an unknown ID is `None`.
    pub fn get(&self, id: ConnectionId) -> Result<Option<Connection>, Error> {
        self.live.read(|rows| Ok(query::find_record(rows, id)?.map(|record| record.connection)))
    }

    /// The connection of this pair.
    ///
    /// # Errors
    ///
    /// A [`StoreError`]; a free pair is `None`.
    pub fn find(
        &self,
        profile: &ProfileName,
        domain: &Domain,
    ) -> Result<Option<Connection>, Error> {
        self.live.read(|rows| {
            let Some(id) = query::pair(rows, profile, domain)? else { return Ok(None) };
            Ok(query::find_record(rows, id)?.map(|record| record.connection))
        })
    }

    /// A page of connections, newest first, all or those that match.
    ///
    /// A page costs as much as it is long, wherever it begins; with `query`, as much as the cheaper of
    /// gathering all that match and walking to the last one on the page. A cursor stays good whatever is written
    /// meanwhile: nothing is listed twice, and nothing that was there throughout is missed.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a cursor of another list, or a [`StoreError`].
    pub fn list(&self, query: &ListQuery) -> Result<Page<Connection>, Error> {
        self.list_from(query, 0)
    }

    /// The IDs of the first `count` connections that [`list`](Self::list) would list from the query's cursor on, whatever
    /// its limit: for those who merge the lists of several stores. Costs as much as it returns.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn list_ids(&self, query: &ListQuery, count: usize) -> Result<Vec<ConnectionId>, Error> {
        self.live.read(|rows| query::list_ids(rows, query, count))
    }

    /// As [`list`](Self::list), after passing over the first `offset` connections: for those who count.
    pub(crate) fn list_from(
        &self,
        query: &ListQuery,
        offset: usize,
    ) -> Result<Page<Connection>, Error> {
        self.live.read(|rows| query::list(rows, query, offset))
    }

    /// Changes what `patch` names and returns the connection as it stands then.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`]; [`Refusal::Invalid`] for an interval below the plan's floor and a proxy that is
    /// not registered; or a [`StoreError`].
    pub fn update(&self, id: ConnectionId, patch: Patch) -> Result<Connection, Error> {
        self.live.write_connection(Op::Update(id, Box::new(patch)))
    }

    /// Writes down what a login driver saw and returns the connection as it stands then.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`], or a [`StoreError`].
    pub fn record(&self, id: ConnectionId, seen: Observation) -> Result<Connection, Error> {
        self.live.write_connection(Op::Record(id, Box::new(seen)))
    }

    /// Deletes a connection. Its pair is free at once; its profile stays.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`], also the second time; or a [`StoreError`].
    pub fn delete(&self, id: ConnectionId) -> Result<(), Error> {
        self.live.write(Op::Delete(id)).map(drop)
    }
}

/// Profiles and proxies.
impl Store {
    /// A page of profiles, by name.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn profiles(&self, query: &PageQuery) -> Result<Page<Profile>, Error> {
        self.live.read(|rows| query::profiles(rows, query))
    }

    /// Deletes a profile that has no connections.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`]; [`Refusal::InUse`] while it has connections; or a [`StoreError`].
    pub fn delete_profile(&self, name: ProfileName) -> Result<(), Error> {
        self.live.write(Op::DeleteProfile(name)).map(drop)
    }

    /// Registers a proxy; one that is registered already gets the new name, or none.
    ///
    /// # Errors
    ///
    /// A [`StoreError`].
    pub fn register_proxy(&self, id: ProxyId, name: Option<ProxyName>) -> Result<Proxy, Error> {
        match self.live.write(Op::RegisterProxy(id, name))? {
            Written::Proxy(proxy) => Ok(proxy),
            _ => Err(mismatched()),
        }
    }

    /// A page of proxies, by ID.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub fn proxies(&self, query: &PageQuery) -> Result<Page<Proxy>, Error> {
        self.live.read(|rows| query::proxies(rows, query))
    }

    /// Removes a proxy that no connection uses.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotFound`]; [`Refusal::InUse`] while connections use it; or a [`StoreError`].
    pub fn remove_proxy(&self, id: ProxyId) -> Result<(), Error> {
        self.live.write(Op::RemoveProxy(id)).map(drop)
    }
}

/// Writes as values: for hosts that gather what arrives together.
impl Store {
    /// The answer to a write that needs none: a create whose pair is taken. `None` for every other; one that readers can
    /// tell to be refused is an error here already.
    ///
    /// # Errors
    ///
    /// As the write itself.
    pub fn peek(&self, write: &Write) -> Result<Option<Written>, Error> {
        let Op::Create(create) = &write.0 else { return Ok(None) };
        let limits = &self.live.options.limits;
        Ok(match self.live.read(|rows| settle(rows, limits, create))? {
            Settled::Answered(creation) => Some(Written::Creation(Box::new(creation))),
            Settled::Free { .. } => None,
        })
    }

    /// Does a write and waits until it is durable.
    ///
    /// # Errors
    ///
    /// Those of the operation that it stands for.
    pub fn write(&self, write: Write) -> Result<Written, Error> {
        self.live.write(write.0)
    }

    /// Does any number of writes; later ones see earlier ones. Answers in order.
    ///
    /// Not atomic as a whole: committed in batches of at most 10 000 writes or 4 MiB, so an interruption leaves
    /// a prefix.
    pub fn write_many(
        &self,
        writes: impl IntoIterator<Item = Write>,
    ) -> Vec<Result<Written, Error>> {
        self.live.write_many(writes.into_iter().map(|write| write.0))
    }
}

/// Changes.
impl Store {
    /// At most `most` changes after number `seq`, in commit order; only what is durable.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for a number ahead of the last change, or a [`StoreError`].
    pub fn changes_since(&self, seq: u64, most: usize) -> Result<Changes, Error> {
        self.live.read(|rows| self.live.feed().since(rows, seq, most))
    }

    /// Follows changes from after number `since`, or from now on.
    ///
    /// # Errors
    ///
    /// A [`StoreError`].
    pub fn subscribe(&self, since: Option<u64>) -> Result<Subscription, Error> {
        let seq = match since {
            Some(seq) => seq,
            None => self.stats()?.last_change,
        };
        Ok(Subscription::new(self.clone(), seq))
    }
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Connections.
    pub connections: u64,
    /// Profiles.
    pub profiles: u64,
    /// Proxies.
    pub proxies: u64,
    /// The number of the last change.
    pub last_change: u64,
    /// The number of the oldest change that is kept; 0 where there was none.
    pub oldest_change: u64,
}

/// In and out, and what is inside.
impl Store {
    /// What the store holds, in constant time.
    ///
    /// # Errors
    ///
    /// A [`StoreError`].
    pub fn stats(&self) -> Result<Stats, Error> {
        self.live.read(|rows| {
            let state = rows.state();
            Ok(Stats {
                connections: state.connections,
                profiles: state.profiles,
                proxies: state.proxies,
                last_change: state.seq,
                oldest_change: self.live.feed().oldest(),
            })
        })
    }

    /// This moment of the store as JSON Lines.
    ///
    /// # Errors
    ///
    /// A [`StoreError`].
    pub fn dump(&self) -> Result<Dump, Error> {
        Ok(Dump::new(Arc::clone(&self.live))?)
    }

    /// Fills an empty store from the lines of a dump: all of them or, where one is wrong, none. Returns the
    /// number of connections.
    ///
    /// Writers wait meanwhile, readers find the store empty. Neither plan nor cap applies to what was
    /// created under others.
    ///
    /// # Errors
    ///
    /// [`Refusal::InUse`] where the store is not empty; [`Refusal::Invalid`], with the line's number, where a
    /// line is wrong; whatever `lines` fails with; or a [`StoreError`].
    pub fn load(
        &self,
        lines: impl IntoIterator<Item = Result<String, Error>>,
    ) -> Result<u64, Error> {
        load::load(&self.live, lines.into_iter())
    }

    /// Begins to fill an empty store from a dump that comes a piece at a time.
    ///
    /// # Errors
    ///
    /// [`Refusal::InUse`] where the store is not empty, or a [`StoreError`]: [`StoreError::Busy`] where another load is
    /// under way for longer than a write waits for a place in the queue.
    pub fn begin_load(&self) -> Result<Load, Error> {
        load::begin(&self.live)
    }

    /// Copies this moment of the store into `storage`, which must be empty, while others read and write.
    /// `progress` is called with the number of rows so far.
    ///
    /// # Errors
    ///
    /// [`Refusal::InUse`] where `storage` is not empty, or a [`StoreError`].
    pub fn backup_to(&self, storage: &dyn Storage, progress: impl FnMut(u64)) -> Result<(), Error> {
        let disk = Disk::open(storage, self.live.options.cache_bytes)?;
        if disk.snapshot()?.state != State::default() {
            return Err(Refusal::InUse(Used::Store).into());
        }
        let view = self.live.view()?;
        let changes = self.live.feed().to_write_down(view.recent.state.seq);
        disk.copy(&view, &changes, progress).inspect_err(|error| self.live.note(&view, error))?;
        Ok(disk.close()?)
    }

    /// Copies this moment of the store into a new file at `path`, while others read and write. The file gets its name when
    /// it is whole and durable: half a backup would pass for a store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where there is a file already; otherwise as [`backup_to`](Self::backup_to).
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn backup(&self, path: impl AsRef<std::path::Path>) -> Result<(), Error> {
        self.backup_with(path, |_| ())
    }

    /// As [`backup`](Self::backup); `progress` is called with the number of rows so far.
    ///
    /// # Errors
    ///
    /// As [`backup`](Self::backup).
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn backup_with(
        &self,
        path: impl AsRef<std::path::Path>,
        progress: impl FnMut(u64),
    ) -> Result<(), Error> {
        crate::FileStorage::place(path.as_ref(), |draft| self.backup_to(&draft, progress))
    }

    /// Moves what was written before the call from memory into the tables, while others read and write. It happens by
    /// itself now and then; where there are no threads, an idle moment is a good one to call this.
    ///
    /// # Errors
    ///
    /// A [`StoreError`]. What was acknowledged is durable all the same.
    pub fn checkpoint(&self) -> Result<(), Error> {
        Ok(self.live.checkpoint()?)
    }

    /// Reads everything and checks that it agrees: records with indexes, counts with rows, pages with their
    /// checksums. Writers wait meanwhile. Where pages are damaged the report names them, and nothing else is looked at.
    ///
    /// # Errors
    ///
    /// A [`StoreError`] where the store cannot be read at all.
    pub fn check(&self) -> Result<CheckReport, Error> {
        let live = &self.live;
        live.alone(|| {
            let drained = live.drain();
            let mut report = CheckReport::default();
            #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
            if let Some(disk) = &*lock(&live.disk) {
                disk.survey(&mut |problem| report.problem(problem))?;
                report.pages_checked = true;
                if !report.is_sound() {
                    return Ok(report);
                }
            }
            drained?;
            let view = live.reopened()?;
            check::check(&view, &live.feed(), &mut report)
                .inspect_err(|error| live.note(&view, error))?;
            if live.read_only {
                return Ok(report);
            }
            // Checksums can be verified only while nobody reads: whoever comes waits behind this for a view.
            live.fail();
            drop(view);
            let mut disk = lock(&live.disk);
            let open = disk.as_mut().ok_or(StoreError::Closed)?;
            // Where these fail, whoever comes next reopens them.
            let pages = open.check_pages()?;
            let base = open.snapshot()?;
            live.publish_tables(base);
            if let Some(sound) = pages {
                report.pages_checked = true;
                if !sound {
                    report.problem("pages were damaged, and could be repaired".into());
                }
            }
            Ok(report)
        })?
    }

    /// Checks the pages of the store at `path`, which may be too damaged to be opened: its header, and every page that it
    /// leads to. Nothing is written. What [`check`](Self::check) looks at besides is not looked at.
    ///
    /// # Errors
    ///
    /// As [`open_read_only`](Self::open_read_only), but for damage.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn check_file(path: impl AsRef<std::path::Path>) -> Result<CheckReport, StoreError> {
        let backend = crate::FileStorage::read_only(path.as_ref()).open()?;
        // The lock goes with the file.
        let everything = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        if matches!(backend.try_lock_shared_range(everything.0, everything.1), Ok(false)) {
            return Err(StoreError::InUse);
        }
        let mut report = CheckReport { pages_checked: true, ..CheckReport::default() };
        crate::survey::survey(&*backend, &mut |problem| report.problem(problem))?;
        Ok(report)
    }
}
