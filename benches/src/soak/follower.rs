//! One that follows the changes: none is missing, and IDs rise in the order in which connections were made.

use crate::Outcome;
use crate::child::Shared;
use crate::kind::Kind;
use connectory::{Change, ChangeKind, ConnectionId, Delivery, Error, StoreError};
use std::time::{Duration, Instant};

/// How long it waits before it looks whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// Changes taken at once.
const MOST: usize = 500;

/// Follows the changes until the workers are to stop.
pub(crate) fn follow(shared: &Shared) -> Outcome<()> {
    let mut seq = shared.store().stats()?.last_change;
    let mut last_created = None;
    while !shared.is_stopped() {
        // Anew whenever the store was opened again.
        let mut subscription = shared.store().subscribe(Some(seq))?;
        while !shared.is_stopped() {
            if !subscription.wait(PATIENCE) {
                continue;
            }
            let begun = Instant::now();
            match subscription.poll(MOST) {
                Err(Error::Failed(StoreError::Closed)) => break,
                Err(error) => return Err(error.into()),
                // It was not looked at for ten thousand changes.
                Ok(Delivery::Reset(last)) => seq = last,
                Ok(Delivery::Changes(changes)) => {
                    shared.times.add(Kind::Changes, begun.elapsed());
                    seq = look(&changes, seq, &mut last_created)?;
                }
            }
        }
    }
    Ok(())
}

/// Looks at changes after number `seq`; the number of the last.
fn look(changes: &[Change], mut seq: u64, last_created: &mut Option<ConnectionId>) -> Outcome<u64> {
    for change in changes {
        seq += 1;
        if change.seq != seq {
            return Err(format!("change {} came where {seq} should", change.seq).into());
        }
        if change.kind == ChangeKind::Created {
            if *last_created >= Some(change.id) {
                return Err(format!("{} came after {last_created:?}", change.id).into());
            }
            *last_created = Some(change.id);
        }
    }
    Ok(seq)
}
