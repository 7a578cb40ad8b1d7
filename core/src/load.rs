//! [`Load`], which fills an empty store from the lines of a dump: all of them, or none.

use crate::disk::{Disk, Snapshot};
use crate::dump;
use crate::engine::{Batch, Op, State};
use crate::live::{BULK_BYTES, BULK_ROWS, Handle, Hold, Live, Published, lock};
use crate::rows::{Effects, View};
use crate::{Error, Problem, Refusal, StoreError, Used};
use std::sync::Arc;

/// A dump on its way into an empty store, a piece at a time: for hosts that it is streamed to.
///
/// What was pushed is committed whenever 10 000 lines or 4 MiB have come together, and by [`commit`](Self::commit), but
/// nobody sees it before [`finish`](Self::finish): the store says that it is loading, readers find it empty, and whoever
/// opens it after a crash does too. Where a line is wrong, something fails, or the load is dropped before it is finished,
/// the store is empty again.
///
/// A load keeps the store open. Writes, and whoever closes the store, wait for its end as for a place in a full queue, and
/// fail with [`StoreError::Busy`] as they do there; where there are no threads, at once.
///
/// ```
/// use connectory::{NewConnection, Store};
///
/// let source = Store::in_memory()?;
/// source.create(NewConnection::new("netflix.com".parse()?, "user-123".parse()?))?;
///
/// let store = Store::in_memory()?;
/// let mut load = store.begin_load()?;
/// for (number, line) in (1..).zip(source.dump()?) {
///     load.push(number, &line?)?;
///     load.commit()?;
///     assert_eq!(store.stats()?.connections, 0);
/// }
/// assert_eq!(load.finish()?, 1);
/// assert_eq!(store.stats()?.connections, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a load that is dropped is undone"]
pub struct Load {
    stage: Stage,
    has_header: bool,
    /// What was pushed since the last commit.
    gathered: Option<Gathered>,
    connections: u64,
    /// What readers see meanwhile: a view of the store itself would keep the pages of every commit from being used again.
    stand_in: Option<Disk>,
    /// Goes before the store does: whoever closes it needs the lead. `None` where the caller has it anyhow.
    hold: Option<Hold>,
    live: Arc<Handle>,
}

#[derive(Debug)]
enum Stage {
    UnderWay,
    /// A call is under way or, if none is, one did not come out.
    InCall,
    /// It came to nothing, and the store is empty again.
    Failed(Error),
    Settled,
}

/// A batch on its way to its commit.
#[derive(Debug)]
struct Gathered {
    view: View,
    effects: Effects,
    state: State,
    rows: usize,
    bytes: usize,
}

impl Load {
    /// Begins a load under a mark that says so, while the caller holds the lead of an open store.
    fn begin(live: &Arc<Handle>, hold: Option<Hold>) -> Result<Self, Error> {
        live.drain()?;
        let before = live.reopened()?.recent.state.clone();
        if (before.connections, before.profiles, before.proxies) != (0, 0, 0) {
            return Err(Refusal::InUse(Used::Store).into());
        }
        on_disk(live, |disk| disk.set_loading(Some(&before))).inspect_err(|_| {
            // If this fails, whoever comes next tries again.
            live.reopen().ok();
        })?;
        let mut load = Self {
            stage: Stage::UnderWay,
            has_header: false,
            gathered: None,
            connections: 0,
            stand_in: None,
            hold,
            live: Arc::clone(live),
        };
        load.attempt(|load| {
            let (disk, tables) = Disk::stand_in(before)?;
            load.live.publish_tables(tables);
            load.stand_in = Some(disk);
            Ok(())
        })?;
        Ok(load)
    }

    /// Takes the next line. `number` is its number in the whole dump, for whoever is told what is wrong with it; the first
    /// line, number 1, is the dump's header.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`], with the line's number, where it is wrong, or a [`StoreError`]. The load is undone then, and
    /// every later call fails with the same error.
    pub fn push(&mut self, number: usize, line: &str) -> Result<(), Error> {
        self.attempt(|load| load.take(number, line))
    }

    /// Commits what was pushed so far, so that nothing of it is left in memory. It stays unseen all the same.
    ///
    /// # Errors
    ///
    /// A [`StoreError`]; the load is undone then, and every later call fails with the same error.
    pub fn commit(&mut self) -> Result<(), Error> {
        self.attempt(Self::commit_gathered)
    }

    /// Commits the rest and has the store hold the whole dump; returns the number of connections.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] where not even a header was pushed, or a [`StoreError`].
    pub fn finish(mut self) -> Result<u64, Error> {
        self.attempt(|load| {
            if load.has_header {
                return load.commit_gathered();
            }
            let message = "the dump is empty; send one that begins with its format";
            Err(Refusal::from(Problem::value(message).at("")).into())
        })?;
        self.stage = Stage::InCall;
        let finished = on_disk(&self.live, |disk| {
            disk.set_loading(None)?;
            disk.snapshot()
        });
        let loaded = match finished {
            Ok(base) => {
                publish(&self.live, base);
                Ok(self.connections)
            }
            Err(error) => {
                // If this fails, whoever comes next tries again.
                self.live.reopen().ok();
                // Opening the store undid the load, unless its very last commit is there.
                Err(match self.live.published() {
                    Published::Open(view) if view.recent.state.connections == 0 => error.into(),
                    _ => StoreError::outcome_unknown(&error).into(),
                })
            }
        };
        self.stage = Stage::Settled;
        loaded
    }

    /// Takes a step, unless one before it failed; undoes the load where this one does.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        match &self.stage {
            Stage::UnderWay => {}
            Stage::Failed(error) => return Err(error.clone()),
            Stage::InCall | Stage::Settled => {
                return Err(StoreError::Internal("a call of the load was cut short".into()).into());
            }
        }
        self.stage = Stage::InCall;
        let taken = step(self);
        self.stage = match &taken {
            Ok(()) => Stage::UnderWay,
            Err(error) => {
                self.undo();
                Stage::Failed(error.clone())
            }
        };
        taken
    }

    fn take(&mut self, number: usize, line: &str) -> Result<(), Error> {
        if !self.has_header {
            dump::read_header(line).map_err(|refusal| at_line(refusal, number))?;
            self.has_header = true;
            return Ok(());
        }
        let Gathered { view, effects, state, rows, bytes } = match self.gathered.take() {
            Some(gathered) => gathered,
            None => Gathered::over(on_disk(&self.live, Disk::snapshot)?),
        };
        let options = &self.live.options;
        let mut batch = Batch::resume(&view, &options.limits, &*options.stamps, (effects, state));
        let op = dump::read_line(line).map_err(|refusal| at_line(refusal, number))?;
        let connections = u64::from(matches!(op, Op::Restore(_)));
        batch.apply(op).map_err(|error| match error {
            Error::Refused(refusal) => at_line(refusal, number).into(),
            failed @ Error::Failed(_) => failed,
        })?;
        let (effects, state) = batch.pause();
        let (rows, bytes) = (rows + 1, bytes + line.len());
        self.gathered = Some(Gathered { view, effects, state, rows, bytes });
        self.connections += connections;
        if rows == BULK_ROWS || bytes > BULK_BYTES { self.commit_gathered() } else { Ok(()) }
    }

    fn commit_gathered(&mut self) -> Result<(), Error> {
        let Some(Gathered { view, effects, state, .. }) = self.gathered.take() else {
            return Ok(());
        };
        let options = &self.live.options;
        let batch = Batch::resume(&view, &options.limits, &*options.stamps, (effects, state));
        let (effects, state) = batch.finish();
        Ok(on_disk(&self.live, |disk| disk.commit(&effects, &state))?)
    }

    /// Empties the store again, and lets others write.
    fn undo(&mut self) {
        self.gathered = None;
        let undone = on_disk(&self.live, |disk| {
            disk.undo_loading()?;
            disk.snapshot()
        });
        match undone {
            Ok(base) => publish(&self.live, base),
            // Opening the store undoes the load too. If this fails, whoever comes next tries again.
            Err(_) => drop(self.live.reopen()),
        }
        self.hold = None;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        match self.stage {
            Stage::Failed(_) | Stage::Settled => {}
            Stage::UnderWay if !std::thread::panicking() => self.undo(),
            // Nobody knows what the tables hold: the next one opens them anew, which undoes the load.
            Stage::UnderWay | Stage::InCall => self.live.fail(),
        }
    }
}

impl Gathered {
    fn over(tables: Snapshot) -> Self {
        let view = View::of(tables);
        let state = view.recent.state.clone();
        Self { view, effects: Effects::default(), state, rows: 0, bytes: 0 }
    }
}

/// Begins a load that keeps others from writing until it ends.
pub(crate) fn begin(live: &Arc<Handle>) -> Result<Load, Error> {
    if live.read_only {
        return Err(StoreError::ReadOnly.into());
    }
    let hold = live.hold()?;
    Load::begin(live, Some(hold))
}

/// Loads `lines` while nobody else writes; returns the number of connections.
pub(crate) fn load(
    live: &Arc<Handle>,
    lines: impl Iterator<Item = Result<String, Error>>,
) -> Result<u64, Error> {
    if live.read_only {
        return Err(StoreError::ReadOnly.into());
    }
    live.alone(|| {
        let mut load = Load::begin(live, None)?;
        for (number, line) in (1..).zip(lines) {
            load.push(number, &line?)?;
        }
        load.finish()
    })?
}

/// Calls the open tables. Only for whoever has the lead.
fn on_disk<T>(
    live: &Live,
    call: impl FnOnce(&Disk) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    call(lock(&live.disk).as_ref().ok_or(StoreError::Closed)?)
}

/// Publishes the tables of a load that is settled.
fn publish(live: &Live, base: Snapshot) {
    live.feed_mut().begin_after(base.state.seq);
    live.checkpoints.add(base.state.revision);
    live.publish_tables(base);
}

/// The same refusal, of a line of the dump.
fn at_line(refusal: Refusal, number: usize) -> Refusal {
    match refusal {
        Refusal::Invalid(mut violations) => {
            for violation in &mut violations {
                violation.field = if violation.field.is_empty() {
                    format!("line {number}")
                } else {
                    format!("line {number}, {}", violation.field)
                };
            }
            Refusal::Invalid(violations)
        }
        other => other,
    }
}
