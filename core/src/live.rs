//! [`Live`], an open store behind its handles: who writes, what readers see, and how it comes back after a failure.
//!
//! Readers take the published snapshot and never wait. Whoever leads the [queue](Queue) writes: it applies its batch
//! to that snapshot, makes the effects durable and publishes the next one. A storage that failed is let go of and
//! opened anew before anything else is answered.

use crate::commit::{Full, Queue, Weight};
use crate::disk::{Disk, Snapshot};
use crate::engine::{Answer, Batch, Create, Op, State};
use crate::request::Idempotency;
use crate::rows::Rows;
use crate::{
    Connection, CreateOptions, Creation, Error, NewConnection, Options, Storage, StoreError,
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// The most rows and bytes that one commit of a bulk operation holds.
pub(crate) const BULK_ROWS: usize = 10_000;
pub(crate) const BULK_BYTES: usize = 4 << 20;

type Answers = Vec<Result<Answer, Error>>;

/// An open store.
#[derive(Debug)]
pub(crate) struct Live {
    storage: Box<dyn Storage>,
    pub(crate) read_only: bool,
    pub(crate) options: Options,
    queue: Queue<Vec<Op>, Answers>,
    /// Whoever leads the queue writes. Nobody else locks this, but to open and close.
    writer: Mutex<Option<Disk>>,
    published: RwLock<Published>,
    /// The number of the last change published, for those who wait for the next.
    last_seq: Mutex<u64>,
    seq_rose: Condvar,
}

/// What readers see.
#[derive(Debug, Clone)]
pub(crate) enum Published {
    Open(Arc<Snapshot>),
    /// The storage failed; whoever comes next reopens it.
    Failed,
    Closed,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Operations on their way to one commit.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    ops: Vec<Op>,
    bytes: usize,
}

impl Bulk {
    pub(crate) fn is_full_for(&self, op: &Op) -> bool {
        self.ops.len() == BULK_ROWS
            || (!self.ops.is_empty() && self.bytes + op.size_bytes() > BULK_BYTES)
    }

    pub(crate) fn push(&mut self, op: Op) {
        self.bytes += op.size_bytes();
        self.ops.push(op);
    }
}

impl Live {
    pub(crate) fn start(
        storage: Box<dyn Storage>,
        options: Options,
        disk: Disk,
    ) -> Result<Self, StoreError> {
        let snapshot = disk.snapshot()?;
        Ok(Self {
            read_only: disk.is_read_only(),
            queue: Queue::new(options.queue),
            storage,
            options,
            last_seq: Mutex::new(snapshot.state.seq),
            seq_rose: Condvar::new(),
            published: RwLock::new(Published::Open(Arc::new(snapshot))),
            writer: Mutex::new(Some(disk)),
        })
    }

    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.alone(|| {
            self.publish(Published::Closed);
            lock(&self.writer).take().map_or(Ok(()), Disk::close)
        })?
    }

    /// Waits for a change after number `seq`, for at most `timeout`; whether there is one.
    pub(crate) fn wait_beyond(&self, seq: u64, timeout: Duration) -> bool {
        self.seq_rose
            .wait_timeout_while(lock(&self.last_seq), timeout, |last| *last <= seq)
            .is_ok_and(|(last, _)| *last > seq)
    }

    pub(crate) fn stamped(&self, request: NewConnection, options: CreateOptions) -> Create {
        let fingerprint = options.idempotency_key.is_some().then(|| request.fingerprint());
        let idempotency = options
            .idempotency_key
            .zip(fingerprint)
            .map(|(key, fingerprint)| Idempotency { key, fingerprint });
        let stamp = self.options.stamps.stamp();
        Create { request, idempotency, ensure: options.ensure, stamp }
    }

    pub(crate) fn published(&self) -> Published {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What readers see, reopened first where the storage failed.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        match self.published() {
            Published::Open(snapshot) => Ok(snapshot),
            Published::Closed => Err(StoreError::Closed),
            Published::Failed => self.alone(|| self.reopened())?,
        }
    }

    pub(crate) fn publish(&self, published: Published) {
        let seq = match &published {
            Published::Open(snapshot) => Some(snapshot.state.seq),
            Published::Failed => None,
            // Whoever waits for a change has nothing left to wait for.
            Published::Closed => Some(u64::MAX),
        };
        let before = std::mem::replace(
            &mut *self.published.write().unwrap_or_else(PoisonError::into_inner),
            published,
        );
        // Pages are given back here, with nobody waiting for the lock.
        drop(before);
        if let Some(seq) = seq {
            *lock(&self.last_seq) = seq;
            self.seq_rose.notify_all();
        }
    }

    /// Runs a read; once more on a reopened storage where the first one failed.
    pub(crate) fn read<T>(&self, read: impl Fn(Rows<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let snapshot = self.snapshot()?;
        match read(Rows::of(&snapshot)) {
            Err(Error::Failed(error)) if error.is_of_storage() => {
                self.note(&snapshot, &error);
                drop(snapshot);
                read(Rows::of(&*self.snapshot()?))
            }
            answer => answer,
        }
    }

    /// Notes that something failed on `snapshot`: if it was the storage, it is reopened before anything else is done.
    pub(crate) fn note(&self, snapshot: &Arc<Snapshot>, error: &StoreError) {
        if !error.is_of_storage() {
            return;
        }
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*published, Published::Open(current) if Arc::ptr_eq(current, snapshot)) {
            *published = Published::Failed;
        }
    }

    /// Waits for the lead and keeps it while `run` runs.
    pub(crate) fn alone<T>(&self, run: impl FnOnce() -> T) -> Result<T, StoreError> {
        self.queue.alone(run).map_err(|Full| StoreError::Busy)
    }

    /// What readers see, reopened first if need be. Only for whoever has the lead.
    pub(crate) fn reopened(&self) -> Result<Arc<Snapshot>, StoreError> {
        match self.published() {
            Published::Open(snapshot) => Ok(snapshot),
            Published::Closed => Err(StoreError::Closed),
            Published::Failed => {
                let mut writer = lock(&self.writer);
                self.reopen(&mut writer)
            }
        }
    }

    /// Lets go of the storage and opens it again.
    fn reopen(
        &self,
        writer: &mut MutexGuard<'_, Option<Disk>>,
    ) -> Result<Arc<Snapshot>, StoreError> {
        self.publish(Published::Failed);
        // The old handle goes first, and its lock on the storage with it.
        writer.take();
        let open = if self.read_only { Disk::open_read_only } else { Disk::open };
        let disk = open(&*self.storage, self.options.cache_bytes)?;
        let snapshot = Arc::new(disk.snapshot()?);
        **writer = Some(disk);
        self.publish(Published::Open(Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// The open tables, for whoever has the lead.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Option<Disk>>, StoreError> {
        self.reopened()?;
        Ok(lock(&self.writer))
    }

    pub(crate) fn write(&self, op: Op) -> Result<Answer, Error> {
        let weight = Weight { ops: 1, bytes: op.size_bytes() };
        self.submit(vec![op], weight).pop().unwrap_or_else(|| Err(mismatched()))
    }

    pub(crate) fn write_connection(&self, op: Op) -> Result<Connection, Error> {
        match self.write(op)? {
            Answer::Connection(connection) => Ok(*connection),
            _ => Err(mismatched()),
        }
    }

    pub(crate) fn create_bulk(
        &self,
        bulk: Bulk,
    ) -> impl Iterator<Item = Result<Creation, Error>> + use<> {
        let weight = Weight { ops: bulk.ops.len(), bytes: bulk.bytes };
        let answers = if bulk.ops.is_empty() { Vec::new() } else { self.submit(bulk.ops, weight) };
        answers.into_iter().map(|answer| match answer? {
            Answer::Creation(creation) => Ok(*creation),
            _ => Err(mismatched()),
        })
    }

    /// Waits until the operations are durable, in a batch with whatever else there is. An answer for each.
    fn submit(&self, ops: Vec<Op>, weight: Weight) -> Answers {
        let count = ops.len();
        let failed = |error: StoreError| vec![Err(error.into()); count];
        match self.queue.submit(ops, weight, |jobs| self.run(jobs)) {
            Ok(Some(answers)) => answers,
            Ok(None) => failed(StoreError::OutcomeUnknown("the batch was abandoned".into())),
            Err(Full) => failed(StoreError::Busy),
        }
    }

    /// Runs one batch: applies, makes durable, publishes, answers.
    fn run(&self, jobs: Vec<Vec<Op>>) -> Vec<Answers> {
        let _on_panic = OnPanic(self);
        if self.read_only {
            return fail_all(&jobs, &StoreError::ReadOnly);
        }
        let (snapshot, mut writer) = match self.reopened() {
            Ok(snapshot) => (snapshot, lock(&self.writer)),
            Err(error) => return fail_all(&jobs, &error),
        };
        let Some(disk) = writer.as_ref() else { return fail_all(&jobs, &StoreError::Closed) };
        let mut batch = Batch::new(&snapshot, &self.options.limits);
        let answers: Vec<Answers> = jobs
            .into_iter()
            .map(|ops| ops.into_iter().map(|op| batch.apply(op)).collect())
            .collect();
        let (effects, state) = batch.finish();
        // What fails while it reads fails for certain, and everything after it would too.
        let mut of_reading = answers.iter().flatten().filter_map(|answer| match answer {
            Err(Error::Failed(error)) if error.is_of_storage() => Some(error.clone()),
            _ => None,
        });
        if let Some(error) = of_reading.next() {
            drop(snapshot);
            self.recover(&mut writer);
            return answers.iter().map(|answers| fail(answers.len(), &error)).collect();
        }
        if effects.is_empty() {
            return answers;
        }
        match disk.commit(&effects, &state) {
            Ok(()) => {
                match disk.snapshot() {
                    Ok(snapshot) => self.publish(Published::Open(Arc::new(snapshot))),
                    Err(_) => self.publish(Published::Failed),
                }
                answers
            }
            Err(error) => {
                drop(snapshot);
                self.recover(&mut writer);
                let outcome = self.outcome_of(error, &state);
                // Even a conflict may have been with a connection that is not there now.
                answers.iter().map(|answers| fail(answers.len(), &outcome)).collect()
            }
        }
    }

    /// Reopens a storage that failed; whoever comes next does so if that fails now.
    pub(crate) fn recover(&self, writer: &mut MutexGuard<'_, Option<Disk>>) {
        self.reopen(writer).ok();
    }

    /// What became of a batch whose commit failed: gone, if the reopened store does not have it.
    fn outcome_of(&self, error: StoreError, state: &State) -> StoreError {
        match self.published() {
            Published::Open(snapshot) if snapshot.state.revision < state.revision => error,
            _ => StoreError::outcome_unknown(&error),
        }
    }
}

/// Whoever panics with the lead leaves it unknown what the tables hold: the next one looks.
struct OnPanic<'a>(&'a Live);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.publish(Published::Failed);
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
