//! [`Summary`], how long the calls of a short while took.

use std::time::Duration;

/// How long the calls of a short while took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub count: usize,
    /// Half of them took no longer.
    pub median: Duration,
    /// All but one of a hundred took no longer.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

impl Summary {
    /// Sums up the calls, which it sorts.
    pub fn of(times: &mut [Duration]) -> Self {
        times.sort_unstable();
        let Some(&max) = times.last() else { return Self::default() };
        let count = times.len();
        Self { count, median: times[count / 2], p99: times[count * 99 / 100], max }
    }
}
