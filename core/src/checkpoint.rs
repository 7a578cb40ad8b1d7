//! Checkpoints: rows on their way from memory into the tables, and when they go.
//!
//! The leader freezes what is recent and begins anew above it; a thread writes the frozen rows down in one commit,
//! while others read and write. It starts with the first write and is not needed: where there is none, or where it
//! cannot keep up, the leader does its work.

use crate::disk::Disk;
use crate::live::{Journal, Live, Published, lock};
use crate::overlay::Overlay;
use crate::rows::{Edited, Effects, Frozen, Recent, Visit};
use crate::tables::Table;
use crate::{CheckpointMode, StoreError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A store that is not written for so long is written down.
const IDLE: Duration = Duration::from_secs(1);

/// What is known of checkpoints, and the thread that makes them.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    /// The revisions of the last two, the older first.
    last: Mutex<[u64; 2]>,
    /// Whether it is time for the next.
    is_due: AtomicBool,
    /// Bytes written since rows were frozen, where no log counts them.
    pending_bytes: AtomicU64,
    call: Mutex<Call>,
    called: Condvar,
    /// What was written down, until nobody reads it any more. Whoever lets go of it last frees every row, and that
    /// should not be a reader or a writer.
    written: Mutex<Vec<Arc<Frozen>>>,
    thread: Mutex<Thread>,
}

#[derive(Debug)]
enum Thread {
    NotStarted,
    Running(JoinHandle<()>),
    /// It ended, or there are no threads here.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Nothing,
    WriteDown,
    Stop,
}

impl Checkpoints {
    pub(crate) fn new(revision: u64, is_due: bool) -> Self {
        Self {
            last: Mutex::new([0, revision]),
            is_due: AtomicBool::new(is_due),
            pending_bytes: AtomicU64::new(0),
            call: Mutex::new(Call::Nothing),
            called: Condvar::new(),
            written: Mutex::new(Vec::new()),
            thread: Mutex::new(Thread::NotStarted),
        }
    }

    /// The revisions of the last two checkpoints, the older first.
    pub(crate) fn last(&self) -> [u64; 2] {
        *lock(&self.last)
    }

    /// Notes a checkpoint of this revision.
    pub(crate) fn add(&self, revision: u64) {
        let mut last = lock(&self.last);
        let [_, newer] = *last;
        *last = [newer, revision];
    }

    /// Counts bytes that were written; returns how many there are since rows were frozen.
    pub(crate) fn add_pending(&self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Frees what nobody reads any more.
    fn free(&self) {
        lock(&self.written).retain(|frozen| Arc::strong_count(frozen) > 1);
    }

    fn call(&self, call: Call) {
        let mut current = lock(&self.call);
        if *current != Call::Stop {
            *current = call;
            self.called.notify_one();
        }
    }

    /// Waits for a call, or until nothing has come for a while.
    fn wait(&self) -> Call {
        let call = lock(&self.call);
        let (mut call, _) = self
            .called
            .wait_timeout_while(call, IDLE, |call| *call == Call::Nothing)
            .unwrap_or_else(PoisonError::into_inner);
        match *call {
            Call::WriteDown => std::mem::replace(&mut *call, Call::Nothing),
            other => other,
        }
    }

    /// Has the thread end when it is done with what it does.
    pub(crate) fn stop(&self) {
        self.call(Call::Stop);
    }

    /// Waits for the end of the thread.
    pub(crate) fn join(&self) {
        let thread = std::mem::replace(&mut *lock(&self.thread), Thread::None);
        if let Thread::Running(thread) = thread {
            thread.join().ok();
        }
    }
}

/// What the thread does until it is stopped.
fn run(live: &Live) {
    let mut seen = None;
    let mut damaged = None;
    loop {
        live.checkpoints.free();
        match live.checkpoints.wait() {
            Call::Stop => return,
            Call::WriteDown => drop(live.write_down()),
            Call::Nothing => {
                // Nobody called: if nobody wrote either, there is time for what is left.
                let revision = live.peek(|published| match published {
                    Published::Open(view) => Some(view.recent.state.revision),
                    Published::Failed(_) | Published::Closed => None,
                });
                if revision.is_none() {
                    continue;
                }
                // What damaged pages prevent they prevent until something else is written.
                if seen == revision
                    && damaged != revision
                    && let Err(StoreError::Damaged(_)) = live.checkpoint()
                {
                    damaged = revision;
                }
                seen = revision;
            }
        }
    }
}

impl Live {
    /// Freezes what is recent, unless something is frozen already. Only for whoever has the lead.
    pub(crate) fn freeze(&self) {
        self.edit_recent(Recent::frozen);
        self.checkpoints.is_due.store(false, Ordering::Relaxed);
        self.checkpoints.pending_bytes.store(0, Ordering::Relaxed);
    }

    /// Writes down what is frozen, if anything is. Where this fails it stays frozen, and in the log.
    pub(crate) fn write_down(&self) -> Result<(), StoreError> {
        let mut disk = lock(&self.disk);
        let view = match self.published() {
            Published::Open(view) => view,
            Published::Closed => return Ok(()),
            // Whoever counts on it being written down must not go on as if it were.
            Published::Failed(_) => {
                return Err(std::io::Error::other("it failed and has to be reopened").into());
            }
        };
        let (Some(frozen), Some(open)) = (view.recent.frozen.clone(), disk.as_ref()) else {
            return Ok(());
        };
        drop(view);
        let written = open.commit(&*frozen.overlay, &frozen.state);
        match written.and_then(|()| open.snapshot()) {
            Ok(base) => {
                self.checkpoints.add(frozen.state.revision);
                self.rebase(base);
                lock(&self.checkpoints.written).push(frozen);
                self.checkpoints.free();
                Ok(())
            }
            Err(error) => {
                self.reopen_tables(&mut disk);
                Err(error)
            }
        }
    }

    /// Lets go of tables that failed and opens them again, under the same recent rows.
    fn reopen_tables(&self, disk: &mut MutexGuard<'_, Option<Disk>>) {
        disk.take();
        let opened = Disk::open(&*self.storage, self.options.cache_bytes);
        match opened.and_then(|opened| Ok((opened.snapshot()?, opened))) {
            Ok((base, opened)) => {
                **disk = Some(opened);
                self.rebase(base);
            }
            Err(_) => self.fail(),
        }
    }

    /// Writes down everything. Only for whoever has the lead.
    pub(crate) fn drain(&self) -> Result<(), StoreError> {
        while !self.reopened()?.recent.is_written_down() {
            self.freeze();
            self.write_down()?;
        }
        Ok(())
    }

    /// Whether everything is in the tables. A view in hand would keep pages from being verified.
    fn is_written_down(&self) -> Result<bool, StoreError> {
        let found = self.peek(|published| match published {
            Published::Open(view) => Ok(Some(view.recent.is_written_down())),
            Published::Failed(_) => Ok(None),
            Published::Closed => Err(StoreError::Closed),
        })?;
        match found {
            Some(found) => Ok(found),
            None => self.alone(|| Ok(self.reopened()?.recent.is_written_down()))?,
        }
    }

    /// Writes down everything that was written before the call, while others read and write.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        if self.read_only || self.is_written_down()? {
            return Ok(());
        }
        self.write_down()?;
        self.alone(|| self.freeze())?;
        self.write_down()
    }

    /// Writes down everything, the last changes too, and that no log is needed from now on. Only for whoever has
    /// the lead.
    pub(crate) fn finish(&self) -> Result<(), StoreError> {
        if self.read_only {
            return Ok(());
        }
        self.reopened()?;
        self.write_down()?;
        let recent = &self.reopened()?.recent;
        let changes = self.feed().to_write_down(recent.state.seq);
        let has_log = matches!(*lock(&self.journal), Journal::Log(_));
        if !has_log && recent.is_written_down() && changes.is_empty() {
            return Ok(());
        }
        let last = Last { overlay: &recent.active, changes };
        let disk = lock(&self.disk);
        disk.as_ref().ok_or(StoreError::Closed)?.commit_last(&last, &recent.state)
    }

    /// Has the recent rows written down if it is time, or was and something else was still on its way. Only for
    /// whoever has the lead.
    pub(crate) fn checkpoint_if(&self, is_due: bool) {
        let Checkpoints { is_due: was_due, pending_bytes, .. } = &self.checkpoints;
        let has_thread = self.has_thread();
        if !is_due && !was_due.load(Ordering::Relaxed) {
            return;
        }
        was_due.store(true, Ordering::Relaxed);
        let Ok(recent) = self.recent() else { return };
        // Where no log runs out of room, this is what bounds the memory.
        let is_full = pending_bytes.load(Ordering::Relaxed) >= self.options.segment_bytes();
        let is_wanted = self.options.checkpoint_mode != CheckpointMode::OnDemand;
        if is_full || (is_wanted && recent.frozen.is_none()) {
            drop(recent);
            self.freeze();
            if has_thread && !is_full {
                self.checkpoints.call(Call::WriteDown);
            } else {
                self.write_down().ok();
            }
        }
    }

    /// Whether a thread makes the checkpoints; starts it if it was not.
    pub(crate) fn has_thread(&self) -> bool {
        let mut thread = lock(&self.checkpoints.thread);
        if matches!(*thread, Thread::NotStarted) {
            let is_wanted = self.options.checkpoint_mode == CheckpointMode::Background;
            let live = self.this.upgrade().filter(|_| is_wanted);
            let started = live.and_then(|live| {
                let builder = std::thread::Builder::new().name("connectory-checkpoints".into());
                builder.spawn(move || run(&live)).ok()
            });
            *thread = started.map_or(Thread::None, Thread::Running);
        }
        matches!(*thread, Thread::Running(_))
    }
}

/// What is written down when a store is closed.
struct Last<'a> {
    overlay: &'a Overlay,
    changes: Effects,
}

impl Edited for Last<'_> {
    fn each(&self, table: Table, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        match table {
            Table::Changes => self.changes.each(table, visit),
            _ => self.overlay.each(table, visit),
        }
    }
}
