//! [`Fanout`], how long a list takes that asks every shard, and [`Walk`], what its pages cost.

use crate::draws::{float, normal, whole};
use fastrand::Rng;

/// How long a shard takes to answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answers {
    /// Milliseconds of a shard that is in memory: log-normal, by its median and its 99th percentile.
    pub(crate) median: f64,
    pub(crate) p99: f64,
    /// This share of shards is not in memory, and takes so many milliseconds more.
    pub(crate) cold_share: f64,
    pub(crate) cold: f64,
}

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_9;

impl Answers {
    /// Milliseconds at so many deviations from the median.
    fn at(&self, deviations: f64) -> f64 {
        self.median * ((self.p99 / self.median).ln() / Z99 * deviations).exp()
    }
}

/// Milliseconds of many lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(0.0);
        let mean = times.iter().sum::<f64>() / float(times.len() as u64);
        Self { mean, p50: at(50), p99: at(99) }
    }
}

/// Lists that ask so many shards, all at once, and wait for the slowest.
#[derive(Debug)]
pub(crate) struct Fanout {
    pub(crate) shards: usize,
    pub(crate) times: Times,
    /// The same with all shards in memory.
    pub(crate) warm: Times,
}

impl Fanout {
    pub(crate) fn of(shards: usize, answers: &Answers, lists: u64, seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let (mut times, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..lists {
            // The slowest so far, and of those that are cold: in deviations, to take one power for all.
            let (mut slowest, mut cold) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
            for _ in 0..shards {
                let deviations = normal(&mut random);
                slowest = slowest.max(deviations);
                if random.f64() < answers.cold_share {
                    cold = cold.max(deviations);
                }
            }
            let all_warm = answers.at(slowest);
            let is_cold = cold > f64::NEG_INFINITY;
            let slowest_cold = if is_cold { answers.at(cold) + answers.cold } else { 0.0 };
            warm.push(all_warm);
            times.push(all_warm.max(slowest_cold));
        }
        Self { shards, times: Times::of(times), warm: Times::of(warm) }
    }
}

/// What it takes to read everything, a page at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) shards: u64,
    /// Requests for a page: the caller's, and one to each shard.
    pub(crate) requests: u64,
    /// Items that shards read for a page; all but `limit` are thrown away.
    pub(crate) items: u64,
    /// Pages of everything.
    pub(crate) pages: u64,
}

impl Walk {
    pub(crate) fn of(shards: usize, connections: u64, limit: u64) -> Self {
        let shards = shards as u64;
        let pages = connections.div_ceil(limit);
        Self { shards, requests: 1 + shards, items: shards * limit, pages }
    }

    pub(crate) fn all_requests(&self) -> u64 {
        self.pages * self.requests
    }

    pub(crate) fn all_items(&self) -> u64 {
        self.pages * self.items
    }

    /// Whole hours, if a page takes so many milliseconds and is asked for after the one before.
    pub(crate) fn hours(&self, page_ms: f64) -> u64 {
        whole(float(self.pages) * page_ms / 3_600_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: Answers = Answers { median: 3.0, p99: 20.0, cold_share: 0.01, cold: 50.0 };

    #[test]
    fn one_shard_answers_as_it_was_said_to() {
        let one = Fanout::of(1, &ANSWERS, 200_000, 1);
        assert!((one.warm.p50 - 3.0).abs() < 0.1, "{:?}", one.warm);
        assert!((one.warm.p99 - 20.0).abs() < 1.0, "{:?}", one.warm);
    }

    #[test]
    fn more_shards_are_slower_and_the_slowest_of_them_is_the_power_of_one() {
        let all = [1, 4, 16, 64].map(|shards| Fanout::of(shards, &ANSWERS, 20_000, 1));
        assert!(all.windows(2).all(|pair| pair[0].warm.p50 < pair[1].warm.p50));
        assert!(all.iter().all(|it| it.times.p50 >= it.warm.p50 && it.times.p99 >= it.warm.p99));
        // Half of the lists over 64 shards are slower than 0.5^(1/64) of answers are, which is 2.30 deviations.
        assert!((all[3].warm.p50 / ANSWERS.at(2.30) - 1.0).abs() < 0.05, "{:?}", all[3].warm);
    }

    #[test]
    fn a_walk_asks_every_shard_for_every_page() {
        let walk = Walk::of(16, 1_000_000_001, 100);
        assert_eq!((walk.requests, walk.items, walk.pages), (17, 1600, 10_000_001));
        assert_eq!(walk.all_requests(), 170_000_017);
        assert_eq!(walk.hours(3600.0), 10_000);
    }
}
