//! Writes a second of every object: projects of very different sizes, the large ones on shards.

use crate::balance::{Case, ratio};
use crate::draws::float;
use crate::routing::{COUNTS, Spread};

/// What an object can bear.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) bytes: f64,
    pub(crate) connection_bytes: f64,
    /// Writes a second: the lower and the upper end of the guideline.
    pub(crate) writes: [f64; 2],
}

/// How connections are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Creates for each connection and day.
    pub(crate) creates_per_day: f64,
    /// This share of a day's creates comes in a burst, the others at any time.
    pub(crate) burst_share: f64,
    pub(crate) burst_hours: f64,
}

impl Load {
    /// Creates a second of so many connections over the day.
    pub(crate) fn average(&self, connections: f64) -> f64 {
        connections * self.creates_per_day / 86_400.0
    }

    /// Creates a second of so many connections in the burst.
    pub(crate) fn burst(&self, connections: f64) -> f64 {
        let in_burst = self.burst_share * 24.0 / self.burst_hours;
        self.average(connections) * (in_burst + 1.0 - self.burst_share)
    }
}

/// Many projects: the one of rank `r` has `r` to the power of minus the exponent of the largest one's connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projects {
    pub(crate) number: u64,
    pub(crate) exponent: f64,
    pub(crate) largest: u64,
    /// From so many connections on a project has shards.
    pub(crate) large: u64,
}

impl Projects {
    pub(crate) fn sizes(&self) -> impl Iterator<Item = f64> {
        let (largest, exponent) = (float(self.largest), self.exponent);
        (1..=self.number).map(move |rank| largest * float(rank).powf(-exponent))
    }
}

/// The objects of all projects, where large ones have so many shards.
#[derive(Debug, Default, Clone)]
pub(crate) struct Objects {
    pub(crate) shards: usize,
    pub(crate) number: u64,
    /// Over each guideline on average.
    pub(crate) over: [u64; 2],
    /// Over each guideline in the burst.
    pub(crate) over_in_burst: [u64; 2],
    /// More bytes than an object can store.
    pub(crate) over_bytes: u64,
    /// Creates a second in the burst.
    pub(crate) busiest: f64,
}

/// The spread of a project of so many connections: as at the last milestone that is not above it.
fn spread(case: &Case, connections: f64) -> &Spread {
    let below = |(milestone, _): &&(u64, Spread)| float(*milestone) <= connections;
    let found = case.milestones.iter().rfind(below).or(case.milestones.first());
    found.map_or(&case.spread, |(_, spread)| spread)
}

/// Looks at every object of all projects. Large ones are spread over shards as the case is.
pub(crate) fn objects(
    projects: &Projects,
    case: &Case,
    load: &Load,
    limits: &Limits,
    shards: usize,
) -> Objects {
    let mut objects = Objects { shards, ..Objects::default() };
    let mut add = |connections: f64| {
        objects.number += 1;
        let (average, burst) = (load.average(connections), load.burst(connections));
        for (n, guideline) in limits.writes.into_iter().enumerate() {
            objects.over[n] += u64::from(average > guideline);
            objects.over_in_burst[n] += u64::from(burst > guideline);
        }
        objects.over_bytes += u64::from(connections * limits.connection_bytes > limits.bytes);
        objects.busiest = objects.busiest.max(burst);
    };
    for size in projects.sizes() {
        if size < float(projects.large) {
            add(size);
            continue;
        }
        let spread = spread(case, size);
        for each in spread.sorted(shards) {
            add(size * float(each) / float(spread.total()));
        }
    }
    objects
}

/// The fullest shard of a project of so many connections, as a share of all, in the worst of these cases.
pub(crate) fn fullest_share(cases: &[&Case], connections: f64, shards: usize) -> f64 {
    let ratios = cases.iter().map(|case| ratio(spread(case, connections), shards));
    ratios.fold(1.0, f64::max) / float(shards as u64)
}

/// The fewest shards of which none has more than `most`, of an amount that is spread as connections are.
pub(crate) fn fewest(cases: &[&Case], connections: f64, amount: f64, most: f64) -> Option<usize> {
    COUNTS.into_iter().find(|shards| amount * fullest_share(cases, connections, *shards) <= most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::{Plan, run};
    use indicatif::ProgressBar;

    const LOAD: Load = Load { creates_per_day: 0.0864, burst_share: 0.5, burst_hours: 1.0 };

    #[test]
    fn a_burst_and_the_rest_make_up_the_day() {
        assert!((LOAD.average(1e6) - 1.0).abs() < 1e-9);
        assert!((LOAD.burst(1e6) - 12.5).abs() < 1e-9);
        let rest = LOAD.average(1e6) * 0.5 * 23.0 / 24.0;
        let burst = LOAD.burst(1e6) / 24.0;
        assert!((rest + burst - LOAD.average(1e6)).abs() < 0.03);
    }

    #[test]
    fn more_shards_leave_fewer_objects_over_the_guideline() {
        let plan = Plan { connections: 1_000_000, shard_holds: u64::MAX, seed: 1 };
        let cases = run(&plan, &ProgressBar::hidden()).unwrap();
        let limits = Limits { bytes: 1e10, connection_bytes: 360.0, writes: [200.0, 500.0] };
        let projects =
            Projects { number: 1000, exponent: 1.1, largest: 1_000_000_000, large: 10_000_000 };
        let all = COUNTS.map(|shards| objects(&projects, &cases[0], &LOAD, &limits, shards));
        let large = projects.sizes().filter(|size| *size >= 1e7).count() as u64;
        for objects in &all {
            let shards = objects.shards as u64;
            assert_eq!(objects.number, 1000 + large * (shards - 1));
        }
        assert_eq!(
            all[0].over_bytes,
            projects.sizes().filter(|size| *size > 1e10 / 360.0).count() as u64
        );
        assert!(all[8].over_in_burst[0] < all[0].over_in_burst[0]);
        let all: Vec<&Case> = cases.iter().take(1).collect();
        assert_eq!(fewest(&all, 1e6, 199.0, 200.0), Some(1));
        assert_eq!(fewest(&all, 1e6, 201.0, 200.0), Some(2));
        assert_eq!(fewest(&all, 1e6, 1e6, 200.0), None);
    }
}
