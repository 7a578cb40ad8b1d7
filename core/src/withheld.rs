//! [`Withheld`], a backend that keeps writes to itself until the store is known to be one of ours.
//!
//! Opening a database writes: a mark in its header, repairs after a crash. A file that turns out to be of another
//! format must stay as it is, so what is written before that is known stays in memory. It is done later in the same
//! order with the same syncs between, so a crash or a failure in the middle finds what it would have found without.

use crate::storage::{Boxed, locks_of, out_of_range};
use redb::StorageBackend;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A backend whose writes are withheld until they are released. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Withheld {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backend: Boxed,
    /// Whether the state is `Released`, for those who read and write from then on.
    is_released: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Writes are kept here.
    Holding(Held),
    /// Everything goes straight through.
    Released,
    /// The release failed half-way: nothing may be written on top of that.
    Broken,
}

/// What has not been done yet, in order.
#[derive(Debug)]
struct Held {
    length: u64,
    acts: Vec<Act>,
}

#[derive(Debug)]
enum Act {
    SetLen(u64),
    Write(u64, Vec<u8>),
    Sync,
}

fn sync_twice(backend: &Boxed) -> io::Result<()> {
    backend.sync_data()?;
    backend.sync_data()
}

fn broken() -> io::Error {
    io::Error::other("opening the store failed half-way")
}

impl Withheld {
    pub(crate) fn new(backend: Box<dyn StorageBackend>) -> io::Result<Self> {
        let held = Held { length: backend.len()?, acts: Vec::new() };
        Ok(Self {
            inner: Arc::new(Inner {
                backend: Boxed(backend),
                is_released: AtomicBool::new(false),
                state: Mutex::new(State::Holding(held)),
            }),
        })
    }

    /// Does what was withheld, and everything from now on at once.
    pub(crate) fn release(&self) -> io::Result<()> {
        let mut state = self.state();
        let State::Holding(Held { acts, .. }) = std::mem::replace(&mut *state, State::Broken)
        else {
            return Ok(());
        };
        for act in acts {
            match act {
                Act::SetLen(length) => self.inner.backend.set_len(length)?,
                Act::Write(offset, data) => self.inner.backend.write(offset, &data)?,
                Act::Sync => sync_twice(&self.inner.backend)?,
            }
        }
        *state = State::Released;
        self.inner.is_released.store(true, Ordering::Release);
        Ok(())
    }

    fn is_released(&self) -> bool {
        self.inner.is_released.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an act to itself, or does it; nobody waits for the lock meanwhile.
    fn act(
        &self,
        keep: impl FnOnce(&mut Held),
        act: impl FnOnce(&Boxed) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.is_released() {
            return act(&self.inner.backend);
        }
        match &mut *self.state() {
            State::Holding(held) => {
                keep(held);
                return Ok(());
            }
            State::Broken => return Err(broken()),
            State::Released => {}
        }
        act(&self.inner.backend)
    }
}

impl Held {
    /// Lays over `out`, read from `offset`, what has been written there since.
    fn overlay(&self, offset: u64, out: &mut [u8]) {
        let index = |position: u64| {
            let within = position.saturating_sub(offset);
            usize::try_from(within).unwrap_or(usize::MAX).min(out.len())
        };
        let mut patches: Vec<(usize, usize, Option<&[u8]>)> = Vec::new();
        for act in &self.acts {
            match act {
                // What lies beyond the end is zero when the storage grows again.
                Act::SetLen(length) => patches.push((index(*length), out.len(), None)),
                Act::Write(at, data) => {
                    let (start, end) = (index(*at), index(at + data.len() as u64));
                    let skipped = usize::try_from(offset.saturating_sub(*at)).unwrap_or(usize::MAX);
                    patches.push((start, end, data.get(skipped..)));
                }
                Act::Sync => {}
            }
        }
        for (start, end, data) in patches {
            let Some(target) = out.get_mut(start..end) else { continue };
            match data {
                None => target.fill(0),
                Some(data) => {
                    for (to, from) in target.iter_mut().zip(data) {
                        *to = *from;
                    }
                }
            }
        }
    }
}

impl StorageBackend for Withheld {
    fn len(&self) -> io::Result<u64> {
        match &*self.state() {
            State::Holding(held) => Ok(held.length),
            State::Released | State::Broken => self.inner.backend.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.is_released() {
            return self.inner.backend.read(offset, out);
        }
        let state = self.state();
        let State::Holding(held) = &*state else {
            drop(state);
            return self.inner.backend.read(offset, out);
        };
        let end = offset.checked_add(out.len() as u64).ok_or_else(out_of_range)?;
        if end > held.length {
            return Err(out_of_range());
        }
        let there = self.inner.backend.len()?.saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (below, above) = out.split_at_mut(there);
        if !below.is_empty() {
            self.inner.backend.read(offset, below)?;
        }
        above.fill(0);
        held.overlay(offset, out);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let keep = |held: &mut Held| {
            held.length = len;
            held.acts.push(Act::SetLen(len));
        };
        self.act(keep, |backend| backend.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.act(|held| held.acts.push(Act::Sync), sync_twice)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let keep = |held: &mut Held| held.acts.push(Act::Write(offset, data.to_vec()));
        self.act(keep, |backend| backend.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.backend.close()
    }

    locks_of!(self, self.inner.backend);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStorage;

    /// Whatever is done, reading gives the same before the release as after it, and nothing shows before it.
    #[test]
    fn what_is_withheld_reads_as_if_it_were_done() {
        let memory = MemoryStorage::from((0..64).collect::<Vec<u8>>());
        let before = memory.to_bytes();
        let withheld = Withheld::new(Box::new(memory.clone())).unwrap();
        withheld.write(10, b"abcdef").unwrap();
        withheld.set_len(12).unwrap();
        withheld.set_len(100).unwrap();
        withheld.write(11, b"XYZ").unwrap();
        withheld.write(90, b"0123456789").unwrap();
        withheld.sync_data().unwrap();
        assert_eq!(memory.to_bytes(), before);
        assert_eq!(withheld.len().unwrap(), 100);

        let windows = |backend: &dyn StorageBackend| {
            let mut seen = Vec::new();
            for offset in 0..100 {
                for length in [1, 7, 30] {
                    let mut out = vec![0xee; length];
                    seen.push(backend.read(offset, &mut out).is_ok().then_some(out));
                }
            }
            seen
        };
        let held = windows(&withheld);
        withheld.release().unwrap();
        assert_eq!(windows(&withheld), held);
        assert_eq!(memory.to_bytes()[8..16], *b"\x08\x09aXYZ\0\0");
        withheld.write(0, b"!").unwrap();
        assert_eq!(memory.to_bytes()[0], b'!');
    }
}
