//! [`recover`], which makes a new store of whatever is intact in a damaged one, and [`Recovery`], what came of it.
//!
//! Nothing of the damaged store is trusted but what has its checksum: [`trees`] reads the pages of its tables, the log's
//! frames are read wherever they are whole, [`mod@gather`] puts together what both tell of every row, [`mod@plan`] decides what
//! goes into the new store. That is written as a load is, so that it is sound whatever the old one was.

mod gather;
mod picture;
mod plan;
mod trees;

use crate::disk::Disk;
use crate::engine::State;
use crate::file::FileStorage;
use crate::rows::Effects;
use crate::storage::{LogStorage, Storage};
use crate::tables::{self, Table};
use crate::{Error, Options, Refusal, Store, StoreError, Used, codec, dump};
use gather::{Gathered, gather};
use picture::Origin;
use plan::{Plan, plan};
use redb::StorageBackend;
use serde::Serialize;
use std::path::Path;
use trees::Trees;

/// As many things are named in a report; the others are counted.
const NAMED_MAX: usize = 100;

/// What a recovery came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Connections in the new store.
    pub connections: u64,
    /// Profiles in the new store.
    pub profiles: u64,
    /// Proxies in the new store.
    pub proxies: u64,
    /// Where the connections were found.
    pub found: FoundIn,
    /// Whether all that was found is the last that the store held. Otherwise writes after it may be lost, or things be
    /// there that were deleted; `problems` tells why.
    pub is_newest: bool,
    /// What is lost and can be named: connections that an index lists and whose records are gone, proxies that connections use.
    pub lost: Listed,
    /// Of which of connections, profiles and proxies more may be lost than is named.
    pub unnamed: Vec<&'static str>,
    /// What is in the new store, and may be older than what was lost or have been deleted since.
    pub doubtful: Listed,
    /// What was damaged; at most 100.
    pub problems: Vec<String>,
}

/// So many things, and a sentence for each of the first 100.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub named: Vec<String>,
}

impl Listed {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(what);
        }
    }
}

/// How many connections were found where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FoundIn {
    /// In the tables as the last commit left them.
    pub tables: u64,
    /// In the log.
    pub log: u64,
    /// In the tables as an earlier commit left them.
    pub older: u64,
    /// In pages that nothing leads to any more.
    pub unreached: u64,
}

impl FoundIn {
    fn count(&mut self, origin: Origin) {
        *match origin {
            Origin::Tables => &mut self.tables,
            Origin::Log => &mut self.log,
            Origin::Older => &mut self.older,
            Origin::Unreached => &mut self.unreached,
        } += 1;
    }
}

impl Recovery {
    /// Whether the new store holds everything that the damaged one did, as it last was.
    pub fn is_complete(&self) -> bool {
        self.is_newest
            && self.lost.count == 0
            && self.unnamed.is_empty()
            && self.doubtful.count == 0
    }

    fn problem(&mut self, what: String) {
        if self.problems.len() < NAMED_MAX {
            self.problems.push(what);
        }
    }
}

/// Makes a new store at `target`, which must be free, of what is intact in the damaged one at `source` and in its log beside
/// it. Neither is written to, and both may be on read-only media.
///
/// The new store is made beside its place and takes its name when it is whole and was checked. It has the IDs of the old
/// one, and gives out greater ones; its numbers of changes go on behind the last one known, and those before are not told
/// any more. `progress` is called with how many connections were written, and how many there will be. Memory grows with
/// the number of rows, by some hundred bytes for each connection, not with what they hold.
///
/// # Errors
///
/// [`StoreError::InUse`] where somebody has the store open, [`StoreError::NotAStore`] and [`StoreError::OtherFormat`] for
/// what is none of ours, [`StoreError::Damaged`] where nothing is intact, [`StoreError::Io`] where the target is there
/// already, or whatever else the system reports. There is no new store then.
///
/// ```no_run
/// let recovery = connectory::recover("accounts.connectory", "salvaged.connectory", |_, _| ())?;
/// assert!(recovery.is_complete(), "{recovery:#?}");
/// # Ok::<(), connectory::Error>(())
/// ```
pub fn recover(
    source: impl AsRef<Path>,
    target: impl AsRef<Path>,
    progress: impl FnMut(u64, u64),
) -> Result<Recovery, Error> {
    let (tables, log) = FileStorage::salvaged(source.as_ref())?;
    let log = log.as_deref().map(read_whole).transpose()?;
    FileStorage::place(target.as_ref(), |draft| salvage(&*tables, log.as_deref(), draft, progress))
}

/// The same from and into any storage: `target` must be empty, and holds a store if this succeeds.
///
/// # Errors
///
/// As [`recover`]; [`Refusal::InUse`] where `target` is not empty.
pub fn recover_from(
    source: &dyn Storage,
    target: impl Storage + 'static,
    progress: impl FnMut(u64, u64),
) -> Result<Recovery, Error> {
    let tables = source.open()?;
    let log = match source.open_log(false)? {
        Some(LogStorage::File(file)) => Some(read_whole(&*file)?),
        // Where the log is rows of a database it is lost with the tables or not at all.
        Some(LogStorage::Rows(_)) | None => None,
    };
    salvage(&*tables, log.as_deref(), target, progress)
}

fn read_whole(file: &dyn StorageBackend) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(usize::MAX)];
    if !bytes.is_empty() {
        file.read(0, &mut bytes)?;
    }
    Ok(bytes)
}

fn salvage(
    tables: &dyn StorageBackend,
    log: Option<&[u8]>,
    target: impl Storage + 'static,
    progress: impl FnMut(u64, u64),
) -> Result<Recovery, Error> {
    let trees = Trees::new(tables).map_err(StoreError::from)?;
    let gathered = gather(&trees, log)?;
    let mut report = Recovery::default();
    let plan = plan(&trees, &gathered, &mut report);
    let store = begin(target, &plan.state)?;
    store.load(lines(&trees, &gathered, &plan, progress))?;
    let checked = store.check()?;
    if let Some(problem) = checked.problems.first() {
        let what = format!("what was made of it is not sound: {problem}");
        return Err(StoreError::Internal(what).into());
    }
    report.connections = checked.connections;
    report.profiles = checked.profiles;
    report.proxies = checked.proxies;
    store.close()?;
    Ok(report)
}

/// An empty store that gives out no ID and no number of a change again.
fn begin(target: impl Storage + 'static, state: &State) -> Result<Store, Error> {
    let options = Options::new();
    let disk = Disk::open(&target, options.cache_bytes)?;
    if disk.snapshot()?.state != State::default() {
        return Err(Refusal::InUse(Used::Store).into());
    }
    // Whoever followed the old store finds that this is another.
    let state = State { seq: state.seq + 1, ..state.clone() };
    disk.commit(&Effects::default(), &state)?;
    disk.close()?;
    Ok(Store::open_with(target, options)?)
}

/// The plan as a dump.
fn lines<'a>(
    trees: &'a Trees<'a>,
    gathered: &'a Gathered,
    plan: &'a Plan,
    mut progress: impl FnMut(u64, u64) + 'a,
) -> impl Iterator<Item = Result<String, Error>> + 'a {
    let line = |table, key: &[u8], value: &[u8]| {
        let line = dump::line(table, key, value)?;
        Ok(line.ok_or_else(|| StoreError::Internal("a row has no line".into()))?)
    };
    let proxies = plan.proxies.iter().map(move |(id, name)| {
        let row = codec::encode_proxy(0, name.as_ref())?;
        line(Table::Proxies, &tables::proxy(id), &row)
    });
    let profiles = plan.profiles.iter();
    let profiles = profiles.map(move |name| line(Table::Profiles, &tables::profile(name), &[]));
    let count = plan.connections.len() as u64;
    let connections = (0..).zip(&plan.connections).map(move |(n, id)| {
        progress(n, count);
        let key = id.to_bytes();
        let found = gathered.tables.of(Table::Connections).get(&key);
        let row = found.and_then(|found| found.bytes(trees));
        let row = row.ok_or_else(|| StoreError::damaged(format!("{id} cannot be read again")))?;
        line(Table::Connections, &key, &row)
    });
    let header = std::iter::once_with(|| Ok(dump::header()?));
    header.chain(proxies).chain(profiles).chain(connections)
}
