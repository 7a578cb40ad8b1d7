//! [`Live`], an open store behind its handles: who writes, what readers see, and how it comes back after a failure.
//!
//! Readers take the published view and never wait. Whoever leads the [queue](Queue) writes: it applies its batch to
//! that view, appends the effects to the log, which makes them durable, lays them over the tables and publishes the
//! next view. A storage that failed is let go of and opened anew before anything else is answered.

use crate::checkpoint::Checkpoints;
use crate::codec;
use crate::commit::{Full, Lead, Queue, Weight};
use crate::disk::{Disk, Snapshot};
use crate::engine::{Batch, Op, State, Written};
use crate::feed::Feed;
use crate::log::{Log, LogMark, Room};
use crate::rows::{Effects, Recent, Rows, View};
use crate::{Connection, Error, Options, Storage, StoreError};
use arc_swap::ArcSwap;
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};
use std::time::Duration;

/// The most rows and bytes that one commit of a bulk operation holds.
pub(crate) const BULK_ROWS: usize = 10_000;
pub(crate) const BULK_BYTES: usize = 4 << 20;

type Answers = Vec<Result<Written, Error>>;
type Writers = Queue<Vec<Op>, Answers>;

/// The lead of a store, until this is dropped.
pub(crate) type Hold = Lead<Arc<Writers>, Vec<Op>, Answers>;

/// An open store.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) this: Weak<Self>,
    pub(crate) storage: Box<dyn Storage>,
    pub(crate) read_only: bool,
    pub(crate) options: Options,
    queue: Arc<Writers>,
    /// Where batches become durable. Nobody but the leader locks this.
    pub(crate) journal: Mutex<Journal>,
    /// Whoever moves rows into the tables locks this; after the journal, if it needs both.
    pub(crate) disk: Mutex<Option<Disk>>,
    pub(crate) checkpoints: Checkpoints,
    published: ArcSwap<Published>,
    /// Held by whoever makes the next of what is published from the last.
    publishing: Mutex<()>,
    feed: RwLock<Feed>,
    /// The number of the last change published, for those who wait for the next.
    last_seq: Mutex<u64>,
    seq_rose: Condvar,
}

/// What readers see.
#[derive(Debug, Clone)]
pub(crate) enum Published {
    Open(Arc<View>),
    /// The storage failed, or must not be read for now; whoever comes next reopens it under these rows.
    Failed(Recent),
    Closed,
}

/// Where batches become durable.
#[derive(Debug)]
pub(crate) enum Journal {
    /// Nothing was written since the store was opened or closed cleanly.
    NotBegun,
    Log(Log),
    /// The storage has no log: nothing is to outlive the process.
    None,
}

/// Why a batch was not made durable.
enum Failure {
    /// It was not begun.
    Clean(StoreError),
    /// It was not begun, because the storage could not be read.
    Unread(StoreError),
    /// It failed half-way: the storage has to be looked at.
    Halfway(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Clean(error)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Operations on their way to one commit.
#[derive(Debug, Default)]
struct Bulk {
    ops: Vec<Op>,
    bytes: usize,
}

impl Bulk {
    fn is_full_for(&self, op: &Op) -> bool {
        self.ops.len() == BULK_ROWS
            || (!self.ops.is_empty() && self.bytes + op.size_bytes() > BULK_BYTES)
    }

    fn push(&mut self, op: Op) {
        self.bytes += op.size_bytes();
        self.ops.push(op);
    }
}

impl Live {
    pub(crate) fn start(
        storage: Box<dyn Storage>,
        options: Options,
        disk: Disk,
    ) -> Result<Arc<Self>, StoreError> {
        let recovered = Recovered::from(&*storage, &disk)?;
        let seq = recovered.view.recent.state.seq;
        let covered = recovered.view.base.state.revision;
        let is_behind = !recovered.view.recent.is_written_down();
        let is_due = match &recovered.journal {
            Journal::Log(log) => is_behind && log.is_due_at_once(),
            Journal::NotBegun | Journal::None => is_behind,
        };
        let live = Arc::new_cyclic(|this| Self {
            this: this.clone(),
            read_only: disk.is_read_only(),
            queue: Arc::new(Queue::new(options.queue)),
            checkpoints: Checkpoints::new(covered, is_due),
            storage,
            options,
            last_seq: Mutex::new(seq),
            seq_rose: Condvar::new(),
            published: ArcSwap::from_pointee(Published::Open(Arc::new(recovered.view))),
            publishing: Mutex::new(()),
            feed: RwLock::new(recovered.feed),
            journal: Mutex::new(recovered.journal),
            disk: Mutex::new(Some(disk)),
        });
        if is_due {
            live.has_thread();
        }
        Ok(live)
    }

    /// Closes the store for every handle, after the writes that wait already.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        let closed = self.alone(|| {
            if matches!(self.published(), Published::Closed) {
                return Ok(());
            }
            let finished = self.finish();
            self.publish(Published::Closed);
            let journal = std::mem::replace(&mut *lock(&self.journal), Journal::NotBegun);
            let had_log = matches!(journal, Journal::Log(_));
            drop(journal);
            let closed = lock(&self.disk).take().map_or(Ok(()), Disk::close);
            finished.and(closed)?;
            if had_log { self.storage.remove_log() } else { Ok(()) }
        })?;
        self.checkpoints.stop();
        closed
    }

    /// Waits for a change after number `seq`, for at most `timeout`; whether there is one.
    pub(crate) fn wait_beyond(&self, seq: u64, timeout: Duration) -> bool {
        self.seq_rose
            .wait_timeout_while(lock(&self.last_seq), timeout, |last| *last <= seq)
            .is_ok_and(|(last, _)| *last > seq)
    }

    pub(crate) fn published(&self) -> Published {
        Published::clone(&self.published.load())
    }

    /// What `look` makes of what is published, which is not replaced meanwhile: whoever takes a view back finds that
    /// nobody has it for such a look.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&Published) -> T) -> T {
        let _publishing = lock(&self.publishing);
        look(&self.published.load())
    }

    pub(crate) fn feed(&self) -> RwLockReadGuard<'_, Feed> {
        self.feed.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn feed_mut(&self) -> RwLockWriteGuard<'_, Feed> {
        self.feed.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What readers see, reopened first where the storage failed.
    pub(crate) fn view(&self) -> Result<Arc<View>, StoreError> {
        match self.published() {
            Published::Open(view) => Ok(view),
            Published::Closed => Err(StoreError::Closed),
            Published::Failed(_) => self.alone(|| self.reopened())?,
        }
    }

    pub(crate) fn publish(&self, published: Published) {
        self.replace(|_| published);
    }

    /// Publishes these tables, with nothing above them.
    pub(crate) fn publish_tables(&self, base: Snapshot) {
        self.publish(Published::Open(Arc::new(View::of(base))));
    }

    /// Publishes what `edit` makes of the recent rows; after a failure too, for whoever reopens the store.
    pub(crate) fn edit_recent(&self, edit: impl FnOnce(&Recent) -> Recent) {
        self.replace(|before| match before {
            Published::Open(view) => {
                let (base, recent) = (Arc::clone(&view.base), edit(&view.recent));
                Published::Open(Arc::new(View { base, recent }))
            }
            Published::Failed(recent) => Published::Failed(edit(recent)),
            Published::Closed => Published::Closed,
        });
    }

    /// Publishes the recent rows over these tables.
    pub(crate) fn rebase(&self, base: Snapshot) {
        self.replace(|before| match before {
            Published::Open(view) => Published::Open(Arc::new(view.recent.over(base))),
            other => other.clone(),
        });
    }

    /// Has the storage reopened before anything else is answered.
    pub(crate) fn fail(&self) {
        self.replace(|before| match before {
            Published::Open(view) => Published::Failed(view.recent.clone()),
            other => other.clone(),
        });
    }

    /// The rows over the tables, whether those can be read or not.
    pub(crate) fn recent(&self) -> Result<Recent, StoreError> {
        match self.published() {
            Published::Open(view) => Ok(view.recent.clone()),
            Published::Failed(recent) => Ok(recent),
            Published::Closed => Err(StoreError::Closed),
        }
    }

    fn replace(&self, next: impl FnOnce(&Published) -> Published) {
        let publishing = lock(&self.publishing);
        let next = next(&self.published.load());
        let seq = match &next {
            Published::Open(view) => Some(view.recent.state.seq),
            Published::Failed(_) => None,
            // Whoever waits for a change has nothing left to wait for.
            Published::Closed => Some(u64::MAX),
        };
        let before = self.published.swap(Arc::new(next));
        drop(publishing);
        // Pages and rows are given back here, with nobody waiting for the lock.
        drop(before);
        if let Some(seq) = seq {
            let mut last = lock(&self.last_seq);
            if *last != seq {
                *last = seq;
                self.seq_rose.notify_all();
            }
        }
    }

    /// Runs a read; once more on a reopened storage where the first one failed.
    pub(crate) fn read<T>(&self, read: impl Fn(Rows<'_>) -> Result<T, Error>) -> Result<T, Error> {
        // Readers on many threads count no references to the view: they would be in each other's way.
        if let Published::Open(view) = &**self.published.load() {
            match read(Rows::of(view)) {
                Err(Error::Failed(error)) if error.is_of_storage() => self.note(view, &error),
                // The page will not be another one for being read again.
                Err(Error::Failed(error)) if view.base.found_damage() => {
                    self.note(view, &error);
                    return Err(error.into());
                }
                answer => return answer,
            }
        }
        let view = self.view()?;
        read(Rows::of(&view)).inspect_err(|error| {
            if let Error::Failed(error) = error {
                self.note(&view, error);
            }
        })
    }

    /// Notes that something failed on `view`: if it was the storage, it is reopened before anything else is done. A
    /// checkpoint since then has published other tables, but of the same opening.
    pub(crate) fn note(&self, view: &View, error: &StoreError) {
        if !error.is_of_storage() && !view.base.found_damage() {
            return;
        }
        self.replace(|before| match before {
            Published::Open(current) if current.base.fails_with(&view.base) => {
                Published::Failed(current.recent.clone())
            }
            other => other.clone(),
        });
    }

    /// Waits for the lead and keeps it while `run` runs.
    pub(crate) fn alone<T>(&self, run: impl FnOnce() -> T) -> Result<T, StoreError> {
        self.queue.alone(run).map_err(|Full| StoreError::Busy)
    }

    /// Waits for the lead, to hold it until it is dropped. Whoever comes meanwhile finds the store busy.
    pub(crate) fn hold(&self) -> Result<Hold, StoreError> {
        Queue::hold(Arc::clone(&self.queue)).map_err(|Full| StoreError::Busy)
    }

    /// What readers see, reopened first if need be. Only for whoever has the lead.
    pub(crate) fn reopened(&self) -> Result<Arc<View>, StoreError> {
        match self.published() {
            Published::Open(view) => Ok(view),
            Published::Closed => Err(StoreError::Closed),
            Published::Failed(_) => self.reopen(),
        }
    }

    /// Lets go of the storage, opens it again and replays the log. Only for whoever has the lead.
    pub(crate) fn reopen(&self) -> Result<Arc<View>, StoreError> {
        let before = self.recent()?;
        self.fail();
        let mut journal = lock(&self.journal);
        let mut disk = lock(&self.disk);
        // The old handles go first, and their locks on the storage with them.
        disk.take();
        let open = if self.read_only { Disk::open_read_only } else { Disk::open };
        let opened = open(&*self.storage, self.options.cache_bytes)?;
        let view = if matches!(*journal, Journal::None) {
            // What is in memory alone is still there.
            before.over(opened.snapshot()?)
        } else {
            *journal = Journal::NotBegun;
            let recovered = Recovered::from(&*self.storage, &opened)?;
            *journal = recovered.journal;
            *self.feed_mut() = recovered.feed;
            recovered.view
        };
        let view = Arc::new(view);
        *disk = Some(opened);
        self.publish(Published::Open(Arc::clone(&view)));
        Ok(view)
    }

    pub(crate) fn write(&self, op: Op) -> Result<Written, Error> {
        let weight = Weight { ops: 1, bytes: op.size_bytes() };
        self.submit(vec![op], weight).pop().unwrap_or_else(|| Err(mismatched()))
    }

    pub(crate) fn write_connection(&self, op: Op) -> Result<Connection, Error> {
        match self.write(op)? {
            Written::Connection(connection) => Ok(*connection),
            _ => Err(mismatched()),
        }
    }

    /// Does any number of operations, in commits of a bearable length. An answer for each.
    pub(crate) fn write_many(&self, ops: impl Iterator<Item = Op>) -> Answers {
        let mut answers = Vec::new();
        let mut bulk = Bulk::default();
        for op in ops {
            if bulk.is_full_for(&op) {
                answers.extend(self.write_bulk(std::mem::take(&mut bulk)));
            }
            bulk.push(op);
        }
        answers.extend(self.write_bulk(bulk));
        answers
    }

    fn write_bulk(&self, bulk: Bulk) -> Answers {
        if bulk.ops.is_empty() {
            return Vec::new();
        }
        let weight = Weight { ops: bulk.ops.len(), bytes: bulk.bytes };
        self.submit(bulk.ops, weight)
    }

    /// Waits until the operations are durable, in a batch with whatever else there is. An answer for each.
    fn submit(&self, ops: Vec<Op>, weight: Weight) -> Answers {
        let count = ops.len();
        match self.queue.submit(ops, weight, |jobs| self.run(jobs)) {
            Ok(Some(answers)) => answers,
            Ok(None) => fail(count, &StoreError::OutcomeUnknown("the batch was abandoned".into())),
            Err(Full) => fail(count, &StoreError::Busy),
        }
    }

    /// Runs one batch: applies, makes durable, publishes, answers.
    fn run(&self, jobs: Vec<Vec<Op>>) -> Vec<Answers> {
        let _on_panic = OnPanic(self);
        if self.read_only {
            return fail_all(&jobs, &StoreError::ReadOnly);
        }
        let view = match self.reopened() {
            Ok(view) => view,
            Err(error) => return fail_all(&jobs, &error),
        };
        let mut batch = Batch::new(&view, &self.options.limits, &*self.options.stamps);
        let answers: Vec<Answers> = jobs
            .into_iter()
            .map(|ops| ops.into_iter().map(|op| batch.apply(op)).collect())
            .collect();
        let (effects, state) = batch.finish();
        // What fails while it reads fails for certain, and everything after it would too.
        let of_reading = answers.iter().flatten().find_map(|answer| match answer {
            Err(Error::Failed(error)) if error.is_of_storage() || view.base.found_damage() => {
                Some(error.clone())
            }
            _ => None,
        });
        let failed = match of_reading {
            Some(error) => Failure::Unread(error),
            None if effects.is_empty() => return answers,
            None => match self.commit(&view, effects, &state) {
                Ok(()) => return answers,
                Err(failure) => failure,
            },
        };
        drop(view);
        let error = match failed {
            Failure::Clean(error) => error,
            // If reopening fails, whoever comes next tries again.
            Failure::Unread(error) => {
                self.reopen().ok();
                error
            }
            Failure::Halfway(error) => {
                self.reopen().ok();
                self.outcome_of(error, &state)
            }
        };
        // Even a conflict may have been with a connection that is not there now.
        answers.iter().map(|answers| fail(answers.len(), &error)).collect()
    }

    /// Makes a batch durable and publishes it.
    fn commit(&self, view: &View, mut effects: Effects, state: &State) -> Result<(), Failure> {
        let mut journal = lock(&self.journal);
        self.begin_log(&mut journal)?;
        let is_due = match &mut *journal {
            Journal::Log(log) => {
                let batch = codec::encode_batch(&effects, state)?;
                match self.make_room(log, state.revision, batch.len(), view.recent.state.seq + 1)? {
                    Room::Never => {
                        drop(journal);
                        return self.commit_to_tables(effects, state);
                    }
                    _ => log.reserve_for(batch.len())?,
                }
                log.append(state.revision, &batch).map_err(Failure::Halfway)?
            }
            Journal::NotBegun | Journal::None => {
                let half = self.options.segment_bytes() / 2;
                self.checkpoints.add_pending(effects.size_bytes()) >= half
            }
        };
        let changes = std::mem::take(&mut effects.changes);
        let mut feed = self.feed_mut();
        feed.add(changes, state.seq);
        if !matches!(&*journal, Journal::Log(log) if log.turns()) {
            feed.trim_to_last();
        }
        drop(feed);
        drop(journal);
        // Making room may have frozen what was recent before: the batch goes over what is there now.
        self.recent()?.active.add(effects, state.revision);
        self.edit_recent(|recent| recent.as_of(state));
        self.checkpoint_if(is_due);
        Ok(())
    }

    /// Begins the log, if this is the first batch since the store was closed.
    fn begin_log(&self, journal: &mut Journal) -> Result<(), Failure> {
        if !matches!(journal, Journal::NotBegun) {
            return Ok(());
        }
        let Some(file) = self.storage.open_log(true)? else {
            *journal = Journal::None;
            return Ok(());
        };
        let stamps = &self.options.stamps;
        let mark = LogMark { id: stamps.salt(), segment_bytes: self.options.segment_bytes() };
        let log = Log::begin(file, mark, stamps.salt())?;
        // The log stands before the tables say that it is needed, and the tables say so before it is.
        let marked = match &*lock(&self.disk) {
            Some(disk) => disk.set_log_mark(mark),
            None => Err(StoreError::Closed),
        };
        marked.map_err(Failure::Halfway)?;
        *journal = Journal::Log(log);
        Ok(())
    }

    /// Finds room for a batch in the log, with checkpoints if there is no other way.
    fn make_room(
        &self,
        log: &mut Log,
        revision: u64,
        batch: usize,
        next_seq: u64,
    ) -> Result<Room, StoreError> {
        loop {
            match log.room(revision, batch, self.checkpoints.last()) {
                Room::AfterTurn => {
                    let oldest_needed = log.turn(next_seq);
                    self.feed_mut().trim(oldest_needed);
                }
                Room::Blocked => {
                    self.freeze();
                    self.write_down()?;
                }
                room => return Ok(room),
            }
        }
    }

    /// Makes a batch durable that is too long for the log: at once in the tables, after all before it.
    fn commit_to_tables(&self, mut effects: Effects, state: &State) -> Result<(), Failure> {
        self.drain()?;
        let changes = std::mem::take(&mut effects.changes);
        let disk = lock(&self.disk);
        let open = disk.as_ref().ok_or(StoreError::Closed)?;
        open.commit(&effects, state).map_err(Failure::Halfway)?;
        let base = open.snapshot().map_err(Failure::Halfway)?;
        self.feed_mut().add(changes, state.seq);
        self.checkpoints.add(state.revision);
        self.publish_tables(base);
        Ok(())
    }

    /// What became of a batch whose commit failed: gone, if the reopened store does not have it.
    fn outcome_of(&self, error: StoreError, state: &State) -> StoreError {
        match self.published() {
            Published::Open(view) if view.recent.state.revision < state.revision => error,
            _ => StoreError::outcome_unknown(&error),
        }
    }
}

/// What a storage held when it was opened.
struct Recovered {
    view: View,
    journal: Journal,
    feed: Feed,
}

impl Recovered {
    /// Replays the log over the tables, if they say that there is one.
    fn from(storage: &dyn Storage, disk: &Disk) -> Result<Self, StoreError> {
        let mut view = View::of(disk.snapshot()?);
        let mut feed = Feed::open(&view.base)?;
        let Some(mark) = disk.log_mark()? else {
            feed.begin_after(view.recent.state.seq);
            return Ok(Self { view, journal: Journal::NotBegun, feed });
        };
        let file = storage.open_log(false)?.ok_or_else(|| {
            StoreError::damaged("its log, which holds what is not in it yet, is missing")
        })?;
        let covered = view.recent.state.revision;
        let log = Log::recover(file, mark, covered, |revision, bytes| {
            let (mut effects, state) = codec::decode_batch(bytes)?;
            feed.add(std::mem::take(&mut effects.changes), state.seq);
            let recent = &mut view.recent;
            if revision <= recent.state.revision {
                return Ok(());
            }
            if revision != recent.state.revision + 1 || state.revision != revision {
                return Err(StoreError::damaged(format!(
                    "its log goes on with batch {revision} where {} should be",
                    recent.state.revision + 1
                )));
            }
            recent.active.add(effects, revision);
            recent.state = state;
            Ok(())
        })?;
        feed.begin_after(view.recent.state.seq);
        Ok(Self { view, journal: Journal::Log(log), feed })
    }
}

/// An open store, kept open by those who hold this. The last one to let go closes it.
#[derive(Debug)]
pub(crate) struct Handle(pub(crate) Arc<Live>);

impl std::ops::Deref for Handle {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Whoever wants to know whether this works calls `close`.
        self.0.close().ok();
        self.0.checkpoints.stop();
        self.0.checkpoints.join();
    }
}

/// Whoever panics with the lead leaves it unknown what the tables hold: the next one looks.
struct OnPanic<'a>(&'a Live);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail();
        }
    }
}

fn fail(count: usize, error: &StoreError) -> Answers {
    vec![Err(error.clone().into()); count]
}

fn fail_all(jobs: &[Vec<Op>], error: &StoreError) -> Vec<Answers> {
    jobs.iter().map(|ops| fail(ops.len(), error)).collect()
}

/// An answer of the wrong kind: the engine would have to be wrong.
pub(crate) fn mismatched() -> Error {
    StoreError::Internal("an operation got another one's answer".into()).into()
}
