//! [`Kind`], a kind of operation that is timed, and [`Times`], how long those of a second took.

use crate::message::Latency;
use connectory_benches::Summary;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Declares the kinds and their names.
macro_rules! kinds {
    ($($kind:ident = $name:literal,)+) => {
        /// A kind of operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind { $($kind,)+ }

        /// All of them.
        pub(crate) const KINDS: &[Kind] = &[$(Kind::$kind,)+];

        impl Kind {
            /// What it is called.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }
        }
    };
}

kinds! {
    Create = "create",
    Ensure = "ensure, new",
    CreateWithKey = "create with key",
    Replay = "replay",
    Conflict = "conflict",
    EnsureExisting = "ensure, existing",
    Update = "update",
    Record = "record",
    Delete = "delete",
    Get = "get",
    Find = "find",
    ListAll = "list",
    ListProfile = "list by profile",
    ListDomain = "list by domain",
    ListQuery = "list by prefix",
    Profiles = "profiles",
    Proxies = "proxies",
    DeleteProfile = "delete profile",
    RegisterProxy = "register proxy",
    RemoveProxy = "remove proxy",
    Changes = "changes",
}

/// How long calls took since it was last asked.
#[derive(Debug)]
pub(crate) struct Times(Mutex<Vec<Vec<Duration>>>);

impl Default for Times {
    fn default() -> Self {
        Self(Mutex::new(vec![Vec::new(); KINDS.len()]))
    }
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Times {
    pub(crate) fn add(&self, kind: Kind, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize].push(time);
    }

    /// Sums up what was added, by kind, and forgets it; the memory is kept for the next.
    pub(crate) fn sum_up(&self) -> Vec<Latency> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = |times: &mut Vec<Duration>| {
            let summary = Summary::of(times);
            times.clear();
            Latency {
                count: summary.count as u64,
                median_us: us(summary.median),
                p99_us: us(summary.p99),
                max_us: us(summary.max),
            }
        };
        all.iter_mut().map(latency).collect()
    }
}
