//! [`Histogram`], how long any number of calls took, in memory that does not grow with them.

use std::time::Duration;

/// Buckets for each power of two: a bucket is no wider than a hundredth of what is in it.
const EACH: usize = 1 << BITS;
const BITS: u32 = 7;

/// Counts of calls by how many nanoseconds they took.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    total: Duration,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = vec![0; bucket(u64::MAX) + 1];
        Self { buckets, count: 0, total: Duration::ZERO, max: Duration::ZERO }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn bucket(nanoseconds: u64) -> usize {
    let shift = (u64::BITS - nanoseconds.leading_zeros()).saturating_sub(BITS + 1);
    let within = usize::try_from(nanoseconds >> shift).unwrap_or(usize::MAX);
    shift as usize * EACH + within
}

/// The least that is in a bucket.
fn least(bucket: usize) -> Duration {
    let shift = (bucket / EACH).saturating_sub(1);
    Duration::from_nanos(((bucket - shift * EACH) as u64) << shift)
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Duration) {
        self.buckets[bucket(nanoseconds(time))] += 1;
        self.count += 1;
        self.total += time;
        self.max = self.max.max(time);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.count += other.count;
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// All of them together.
    pub(crate) fn total(&self) -> Duration {
        self.total
    }

    /// The slowest, exactly.
    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    /// Within this so many calls in a thousand were answered, to a hundredth.
    pub(crate) fn per_mille(&self, per_mille: u64) -> Duration {
        let rank = (self.count * per_mille / 1000).min(self.count.saturating_sub(1));
        let mut before = 0;
        let found = self.buckets.iter().position(|count| {
            before += count;
            before > rank
        });
        found.map_or(Duration::ZERO, least)
    }

    pub(crate) fn median(&self) -> Duration {
        self.per_mille(500)
    }

    /// How many calls took longer than this, to a hundredth of it.
    pub(crate) fn slower_than(&self, time: Duration) -> u64 {
        self.buckets[bucket(nanoseconds(time)) + 1..].iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_within_a_hundredth_of_its_least() {
        for shift in 0..u64::BITS {
            for more in [0, 1, 77] {
                let time = (1_u64 << shift).saturating_add(more << shift.saturating_sub(8));
                let least = nanoseconds(least(bucket(time)));
                assert!(least <= time && time - least <= time / 100, "{time}: {least}");
            }
        }
        assert_eq!(least(bucket(0)), Duration::ZERO);
    }

    #[test]
    fn percentiles_and_counts_are_those_of_what_was_added() {
        let mut histogram = Histogram::default();
        let mut slow = Histogram::default();
        for n in 1..=1000 {
            let histogram = if n <= 990 { &mut histogram } else { &mut slow };
            histogram.add(Duration::from_micros(n));
        }
        histogram.merge(&slow);
        let near = |time: Duration, us: f64| (time.as_secs_f64() * 1e6 - us).abs() < us / 100.0;
        assert!(near(histogram.median(), 501.0), "{:?}", histogram.median());
        assert!(near(histogram.per_mille(999), 1000.0), "{:?}", histogram.per_mille(999));
        assert_eq!((histogram.count(), histogram.max()), (1000, Duration::from_millis(1)));
        assert!((90..=110).contains(&histogram.slower_than(Duration::from_micros(900))));
        assert_eq!(Histogram::default().median(), Duration::ZERO);
    }
}
