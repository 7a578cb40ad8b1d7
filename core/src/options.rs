//! [`Options`], how a store is opened, and [`CreateOptions`], how a create treats what was there before.

use crate::commit::Bounds;
use crate::engine::Create;
use crate::request::Idempotency;
use crate::{IdempotencyKey, Limits, NewConnection, Plan, Stamps};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a store is opened: what its project may do, how much memory it takes, where time and randomness come from.
#[derive(Clone)]
pub struct Options {
    pub(crate) limits: Limits,
    pub(crate) cache_bytes: usize,
    pub(crate) queue: Bounds,
    log_bytes: u64,
    pub(crate) checkpoint_mode: CheckpointMode,
    pub(crate) stamps: Arc<dyn Stamps>,
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("limits", &self.limits)
            .field("cache_bytes", &self.cache_bytes)
            .field("queue", &self.queue)
            .field("log_bytes", &self.log_bytes)
            .field("checkpoint_mode", &self.checkpoint_mode)
            .finish_non_exhaustive()
    }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
impl Default for Options {
    fn default() -> Self {
        Self::with_stamps(crate::SystemStamps)
    }
}

impl Options {
    /// Everything at its default, with stamps from the system's clock and random numbers.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with stamps from elsewhere: for hosts that hand over time and randomness, and for tests.
    pub fn with_stamps(stamps: impl Stamps + 'static) -> Self {
        Self {
            limits: Limits::default(),
            cache_bytes: 32 << 20,
            queue: Bounds { jobs: 4096, wait: Duration::from_secs(5) },
            log_bytes: 16 << 20,
            checkpoint_mode: CheckpointMode::Background,
            stamps: Arc::new(stamps),
        }
    }

    /// Sets the project's plan: enterprise unless set.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.limits.plan = plan;
        self
    }

    /// Sets the most connections that the project may have: no cap, `None`, unless set.
    #[must_use]
    pub fn cap(mut self, cap: Option<u64>) -> Self {
        self.limits.cap = cap;
        self
    }

    /// Sets the bytes of memory in which pages of the store are kept: 32 MiB unless set.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Sets how many writes may wait for a commit, and how long one waits for a place among them before it
    /// fails with [`StoreError::Busy`](crate::StoreError::Busy): 4096 and five seconds unless set.
    #[must_use]
    pub fn queue(mut self, writes: usize, wait: Duration) -> Self {
        self.queue = Bounds { jobs: writes.max(1), wait };
        self
    }

    /// Sets how long the log may become, in bytes: 16 MiB unless set, at least 8 KiB. The longer it is, the more rows
    /// share a checkpoint; opening the store after a crash takes as long as it is, and memory holds what is in it
    /// and not in the tables. A store that has a log already keeps that one's length.
    #[must_use]
    pub fn log_bytes(mut self, bytes: u64) -> Self {
        self.log_bytes = bytes;
        self
    }

    /// Sets who moves rows from memory into the tables, and when: a thread of the store's own unless set.
    #[must_use]
    pub fn checkpoint_mode(mut self, mode: CheckpointMode) -> Self {
        self.checkpoint_mode = mode;
        self
    }

    /// The length of one of the two segments of the log: a whole number of pages.
    pub(crate) fn segment_bytes(&self) -> u64 {
        const PAGE: u64 = 4096;
        (self.log_bytes / 2 / PAGE).max(1) * PAGE
    }
}

/// Who moves what was written from memory into the tables, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointMode {
    /// A thread, whenever a quarter of the log was written and when nobody writes. It starts with the first write and
    /// ends with the store. Where there are no threads this is the same as [`Inline`](Self::Inline).
    Background,
    /// Whoever writes, whenever a quarter of the log was written.
    Inline,
    /// The host, by [`Store::checkpoint`](crate::Store::checkpoint); and whoever writes, when the log is full.
    OnDemand,
}

/// How a create treats a request that was sent before, and a pair that is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Under this key the same request may be sent again: it is answered with the connection that it made.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Whether to answer with the connection that holds the pair, instead of a conflict.
    pub ensure: bool,
}

impl CreateOptions {
    /// A create of `request` under these options.
    pub(crate) fn create(self, request: NewConnection) -> Create {
        let idempotency =
            self.idempotency_key.map(|key| Idempotency { key, fingerprint: request.fingerprint() });
        Create { request, idempotency, ensure: self.ensure }
    }
}
