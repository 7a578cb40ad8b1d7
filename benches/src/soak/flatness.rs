//! [`Flatness`], whether something stays as it is: the last quarter beside the second, in both of which one process goes on.

use crate::kind::Kind;
use crate::message::Latency;
use crate::run::{Run, Seen};
use serde_json::{Value, json};

/// The last quarter's median is within so much of the second's, in percent: that is flat.
pub(crate) const BOUND_PERCENT: f64 = 10.0;
/// The kinds whose medians are looked at: the most frequent of each sort.
pub(crate) const LATENCIES: [Kind; 8] = [
    Kind::Create,
    Kind::Update,
    Kind::Delete,
    Kind::Conflict,
    Kind::Get,
    Kind::ListProfile,
    Kind::ListDomain,
    Kind::ListQuery,
];
/// The first part of a process's life in which it still fills its caches, of a hundred.
const WARM_UP_PERCENT: u32 = 20;

/// How one figure went.
#[derive(Debug)]
pub(crate) struct Flatness {
    pub(crate) name: String,
    /// Medians of the two quarters.
    pub(crate) second: f64,
    pub(crate) last: f64,
    /// By how much it grows in the last quarter, of its median there, in percent a minute.
    pub(crate) slope: f64,
}

impl Flatness {
    fn of(run: &Run, name: &str, figure: impl Fn(&Seen) -> Option<f64>) -> Self {
        let figures = |quarter: usize| -> Vec<(f64, f64)> {
            let seen = run.samples.iter().filter(|seen| seen.quarter == quarter);
            let oldest = seen.clone().map(|seen| seen.age).max().unwrap_or_default();
            let warm = seen.filter(|seen| seen.age * 100 >= oldest * WARM_UP_PERCENT);
            warm.filter_map(|seen| Some((seen.at.as_secs_f64() / 60.0, figure(seen)?))).collect()
        };
        let (second, last) = (figures(1), figures(3));
        let slope = slope(&last) / median(&last) * 100.0;
        Self { name: name.into(), second: median(&second), last: median(&last), slope }
    }

    /// All that is looked at.
    pub(crate) fn all(run: &Run) -> Vec<Self> {
        let mut all = vec![
            Self::of(run, "resident memory, MiB", |seen| Some(seen.sample.resident_mib)),
            Self::of(run, "store on disk, MiB", |seen| Some(mib(seen.sample.store_bytes))),
            Self::of(run, "log on disk, MiB", |seen| Some(mib(seen.sample.log_bytes))),
            Self::of(run, "connections", |seen| Some(float(seen.sample.connections))),
            Self::of(run, "operations a second", |seen| Some(per_second(seen))),
        ];
        all.extend(LATENCIES.map(|kind| {
            let name = format!("{}, median us", kind.name());
            Self::of(run, &name, |seen| Some(latency(seen, kind)?.median_us))
        }));
        all
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.last / self.second
    }

    pub(crate) fn is_flat(&self) -> bool {
        (self.ratio() - 1.0).abs() * 100.0 <= BOUND_PERCENT
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "second_quarter": self.second,
            "last_quarter": self.last,
            "ratio": self.ratio(),
            "slope_percent_per_minute": self.slope,
            "is_flat": self.is_flat(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

pub(crate) fn mib(bytes: u64) -> f64 {
    float(bytes) / f64::from(1 << 20)
}

/// The latency of a kind, if there was such a call.
pub(crate) fn latency(seen: &Seen, kind: Kind) -> Option<Latency> {
    seen.sample.latencies.get(kind as usize).copied().filter(|latency| latency.count > 0)
}

pub(crate) fn per_second(seen: &Seen) -> f64 {
    let calls = seen.sample.latencies.iter().map(|latency| latency.count).sum();
    float(calls) / seen.sample.seconds.max(f64::MIN_POSITIVE)
}

fn median(figures: &[(f64, f64)]) -> f64 {
    let mut figures: Vec<f64> = figures.iter().map(|figure| figure.1).collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of the straight line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = float(points.len() as u64);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    both / square
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Sample;
    use std::time::Duration;

    /// A run whose memory is so many MiB at each second, sixty in each quarter.
    fn run(mib_at: impl Fn(u32) -> f64) -> Run {
        let seen = |second: u32| {
            let sample = Sample { resident_mib: mib_at(second), ..Sample::default() };
            let at = |seconds: u32| Duration::from_secs(seconds.into());
            Seen { at: at(second), quarter: second as usize / 60, age: at(second % 60), sample }
        };
        Run { samples: (0..240).map(seen).collect(), ..Run::default() }
    }

    #[test]
    fn what_grows_is_not_flat_and_what_swings_is() {
        let memory = |run: &Run| Flatness::all(run).swap_remove(0);
        let flat = memory(&run(|second| 100.0 + f64::from(second % 7)));
        assert!(flat.is_flat() && flat.slope.abs() < 2.0, "{flat:?}");
        // What was there before the caches were full does not count.
        assert!(memory(&run(|second| if second % 60 < 11 { 10.0 } else { 100.0 })).is_flat());
        let grows = memory(&run(|second| 100.0 + f64::from(second)));
        assert!(!grows.is_flat(), "{grows:?}");
        assert!((grows.slope - 6000.0 / grows.last).abs() < 0.01, "{grows:?}");
    }
}
