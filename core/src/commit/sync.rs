//! What the queue waits with: the standard library's, or under `--cfg shuttle` the model checker's.

#[cfg(not(all(test, shuttle)))]
pub(super) use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Instant,
};

#[cfg(all(test, shuttle))]
pub(super) use {
    super::schedules::Instant,
    shuttle::sync::{Arc, Condvar, Mutex, MutexGuard},
};
