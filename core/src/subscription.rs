//! [`Subscription`], a place in the changes of a store.

use crate::{Change, Changes, Error, Store};
use std::time::Duration;

/// A place in the changes of a store. It reads at its own pace and holds up nobody.
#[derive(Debug, Clone)]
pub struct Subscription {
    store: Store,
    seq: u64,
}

/// What a [`Subscription`] has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// What happened next, without a gap; empty where nothing has.
    Changes(Vec<Change>),
    /// The subscriber fell so far behind that changes are gone: read everything anew. Delivery goes on after
    /// this number.
    Reset(u64),
}

impl Subscription {
    pub(crate) fn new(store: Store, seq: u64) -> Self {
        Self { store, seq }
    }

    /// The number of the last change that was delivered.
    pub fn position(&self) -> u64 {
        self.seq
    }

    /// Takes up to `most` changes, without waiting.
    ///
    /// # Errors
    ///
    /// As [`Store::changes_since`].
    pub fn poll(&mut self, most: usize) -> Result<Delivery, Error> {
        match self.store.changes_since(self.seq, most)? {
            Changes::Since(changes) => {
                if let Some(last) = changes.last() {
                    self.seq = last.seq;
                }
                Ok(Delivery::Changes(changes))
            }
            Changes::TooOld { .. } => {
                self.seq = self.store.stats()?.last_change;
                Ok(Delivery::Reset(self.seq))
            }
        }
    }

    /// Waits until there is something to take, or the store is closed, for at most `timeout`; whether it came to that.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.store.live.wait_beyond(self.seq, timeout)
    }
}
