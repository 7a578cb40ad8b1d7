//! `changes --follow`: prints changes as they happen, and has the store open only while it looks.

use crate::args::Args;
use crate::commands::CHANGE_COLUMNS;
use crate::outcome::{DONE, Failure, Outcome};
use crate::output::{Output, tell};
use crate::{place, stop};
use connectory::{Change, Changes, FileStorage, Store, StoreError};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// From one look to the next.
const INTERVAL: Duration = Duration::from_millis(500);
/// The most changes that one look takes.
const LOOK_MAX: usize = 1000;
/// The coarsest time of writing that a file system keeps: a file written more recently can be written again without
/// a trace.
const GRAIN: Duration = Duration::from_secs(2);

/// Prints changes after number `since`, `limit` of them or all, until it is told to stop or nobody reads them.
pub(crate) fn follow(args: &Args, output: &Output, since: u64, limit: Option<usize>) -> Outcome {
    let path = place::path(args)?;
    let follower = Follower { args, path, seq: since, left: limit, seen: None, is_waiting: false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(follower, output.is_json()));
    // A reader that takes nothing is not waited for.
    runtime.shutdown_background();
    // Standard output has a change a line and nothing else.
    outcome.map_err(|failure| Failure { body: None, ..failure })
}

async fn run(mut follower: Follower<'_>, json: bool) -> Outcome {
    let mut told_to_stop = std::pin::pin!(stop::told_to_stop()?);
    let mut printed = 0;
    while follower.left != Some(0) {
        // Who stops it meanwhile waits until the store is closed again.
        let changes = follower.look()?;
        if changes.is_empty() {
            if stop::reader_is_gone() {
                break;
            }
            tokio::select! {
                () = &mut told_to_stop => return DONE,
                () = tokio::time::sleep(INTERVAL) => continue,
            }
        }
        let text = render(&changes, json, printed == 0)?;
        printed += changes.len();
        tokio::select! {
            () = &mut told_to_stop => return DONE,
            written = tokio::task::spawn_blocking(move || print(&text)) => {
                written.map_err(io::Error::other)??;
            }
        }
    }
    DONE
}

/// A place in the changes of a store that others may open between two looks.
struct Follower<'a> {
    args: &'a Args,
    path: PathBuf,
    /// The number of the last change that was taken.
    seq: u64,
    /// How many changes are still to be taken.
    left: Option<usize>,
    /// The files as they were when there was nothing more to take from them.
    seen: Option<Marks>,
    /// Whether the last look found the store in use, and this was said.
    is_waiting: bool,
}

impl Follower<'_> {
    /// Takes what happened next: nothing where the store was not written, is not there or is in use.
    fn look(&mut self) -> Result<Vec<Change>, Failure> {
        // Noted before the store is opened, so that what is written later makes a difference.
        let marks = Marks::of(&self.path).map_err(|error| place::at(&self.path, error.into()))?;
        if marks.store.is_none() || self.seen.as_ref() == Some(&marks) {
            return Ok(Vec::new());
        }
        let open = || place::open_to_read_now(&self.path, self.args);
        // A command is done in a moment; who is not then keeps it for longer.
        let opened = if self.is_waiting { open() } else { place::patiently(open) };
        let store = match opened {
            Ok(store) => store,
            Err(StoreError::InUse) => {
                if !self.is_waiting {
                    tell(&format!("{}: in use by another process; waiting", self.path.display()));
                }
                self.is_waiting = true;
                return Ok(Vec::new());
            }
            Err(StoreError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(place::at(&self.path, error)),
        };
        self.is_waiting = false;
        let most = self.left.map_or(LOOK_MAX, |left| left.min(LOOK_MAX));
        let changes = self.take(&store, most)?;
        store.close()?;
        if let Some(left) = &mut self.left {
            *left -= changes.len();
        }
        if changes.len() < most && marks.are_settled() {
            self.seen = Some(marks);
        }
        Ok(changes)
    }

    fn take(&mut self, store: &Store, most: usize) -> Result<Vec<Change>, Failure> {
        let changes = loop {
            match store.changes_since(self.seq, most)? {
                Changes::Since(changes) => break changes,
                Changes::TooOld { oldest } => {
                    let since = self.seq;
                    tell(&format!(
                        "changes after {since} are no longer kept; going on from the oldest, {oldest}"
                    ));
                    self.seq = oldest - 1;
                }
            }
        };
        if let Some(last) = changes.last() {
            self.seq = last.seq;
        }
        Ok(changes)
    }
}

/// When a store's files were written last, and their lengths.
#[derive(PartialEq, Eq)]
struct Marks {
    store: Option<Mark>,
    log: Option<Mark>,
}

type Mark = (SystemTime, u64);

impl Marks {
    fn of(store: &Path) -> io::Result<Self> {
        let log = FileStorage::existing(store).log_path();
        Ok(Self { store: mark(store)?, log: mark(&log)? })
    }

    /// Whether every file that is written from now on will have other marks.
    fn are_settled(&self) -> bool {
        let is_settled = |(written, _): &Mark| written.elapsed().is_ok_and(|age| age > GRAIN);
        self.store.iter().chain(&self.log).all(is_settled)
    }
}

/// The mark of a file; `None` where there is none.
fn mark(path: &Path) -> io::Result<Option<Mark>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.modified()?, metadata.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A line for each change, under the names of the columns where people read from the beginning.
fn render(changes: &[Change], json: bool, is_first: bool) -> Result<String, Failure> {
    let mut text = String::new();
    if is_first && !json {
        let [seq, kind, id] = CHANGE_COLUMNS;
        row(&mut text, seq, kind, id);
    }
    for change in changes {
        if json {
            text.push_str(&serde_json::to_string(change).map_err(io::Error::other)?);
            text.push('\n');
        } else {
            row(&mut text, &change.seq.to_string(), change.kind.as_str(), &change.id.to_string());
        }
    }
    Ok(text)
}

fn row(text: &mut String, seq: &str, kind: &str, id: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{seq:>10}  {kind:<7}  {id}");
}

fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
