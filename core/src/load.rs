//! Fills an empty store from the lines of a dump: all of them, or none.

use crate::disk::{Disk, Snapshot};
use crate::dump;
use crate::engine::{Batch, Op, State};
use crate::live::{BULK_BYTES, BULK_ROWS, Live, Published, lock};
use crate::rows::View;
use crate::{Error, Problem, Refusal, StoreError, Used};

/// Loads `lines` while nobody else writes; returns the number of connections.
///
/// The batches on the way are durable but not published, and the store says that it is loading: neither a reader
/// nor whoever opens it after a crash ever sees a part.
pub(crate) fn load(
    live: &Live,
    lines: impl Iterator<Item = Result<String, Error>>,
) -> Result<u64, Error> {
    if live.read_only {
        return Err(StoreError::ReadOnly.into());
    }
    live.alone(|| {
        live.drain()?;
        let state = live.reopened()?.recent.state.clone();
        if (state.connections, state.profiles, state.proxies) != (0, 0, 0) {
            return Err(Refusal::InUse(Used::Store).into());
        }
        let disk = lock(&live.disk);
        let open = disk.as_ref().ok_or(StoreError::Closed)?;
        let (loaded, settled) = load_into(open, live, &state, lines);
        drop(disk);
        match settled {
            Ok(base) => {
                live.feed_mut().begin_after(base.state.seq);
                live.checkpoints.add(base.state.revision);
                live.publish_tables(base);
                loaded
            }
            Err(error) => {
                // If this fails, whoever comes next tries again.
                live.reopen().ok();
                // Opening the store undid the load, unless its very last commit is there.
                loaded.and_then(|_| match live.published() {
                    Published::Open(view) if view.recent.state.connections == 0 => {
                        Err(error.into())
                    }
                    _ => Err(StoreError::outcome_unknown(&error).into()),
                })
            }
        }
    })?
}

/// Loads under a mark; what came of it, and the tables once it is settled.
fn load_into(
    disk: &Disk,
    live: &Live,
    before: &State,
    lines: impl Iterator<Item = Result<String, Error>>,
) -> (Result<u64, Error>, Result<Snapshot, StoreError>) {
    if let Err(error) = disk.set_loading(Some(before)) {
        return (Err(error.clone().into()), Err(error));
    }
    let loaded = load_lines(live, disk, lines);
    let settled = match &loaded {
        Ok(_) => disk.set_loading(None),
        Err(_) => disk.undo_loading(),
    };
    (loaded, settled.and_then(|()| disk.snapshot()))
}

fn load_lines(
    live: &Live,
    disk: &Disk,
    lines: impl Iterator<Item = Result<String, Error>>,
) -> Result<u64, Error> {
    let mut lines = (1..).zip(lines).peekable();
    let Some((_, header)) = lines.next() else {
        let message = "the dump is empty; send one that begins with its format";
        return Err(Refusal::from(Problem::value(message).at("")).into());
    };
    dump::read_header(&header?).map_err(|refusal| at_line(refusal, 1))?;
    let mut connections = 0;
    while lines.peek().is_some() {
        let view = View::of(disk.snapshot()?);
        let mut batch = Batch::new(&view, &live.options.limits, &*live.options.stamps);
        let mut bytes = 0;
        for (number, text) in lines.by_ref().take(BULK_ROWS) {
            let text = text?;
            bytes += text.len();
            let op = dump::read_line(&text).map_err(|refusal| at_line(refusal, number))?;
            connections += u64::from(matches!(op, Op::Restore(_)));
            batch.apply(op).map_err(|error| match error {
                Error::Refused(refusal) => at_line(refusal, number).into(),
                failed @ Error::Failed(_) => failed,
            })?;
            if bytes > BULK_BYTES {
                break;
            }
        }
        let (effects, state) = batch.finish();
        disk.commit(&effects, &state)?;
    }
    Ok(connections)
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
