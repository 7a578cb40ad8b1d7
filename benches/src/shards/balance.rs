//! [`Case`], profiles of one kind of name and one of size, drawn one by one and counted on their shards.

use crate::Outcome;
use crate::draws::{Zipf, geometric};
use crate::routing::{COUNTS, Spread};
use connectory::ProfileName;
use fastrand::Rng;
use indicatif::ProgressBar;
use std::fmt::Write;

/// What profiles are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// `user-1`, `user-2`.
    Counted,
    /// Random ones, version 4.
    Uuid,
    /// Addresses whose `@` became `_at_`, the character that names may not have.
    Mail,
    /// None: a random route, which is what chance alone does.
    Chance,
}

impl Names {
    pub(crate) const ALL: [Self; 4] = [Self::Counted, Self::Uuid, Self::Mail, Self::Chance];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Counted => "user-N",
            Self::Uuid => "UUID",
            Self::Mail => "e-mail",
            Self::Chance => "chance",
        }
    }

    /// Writes the name of the `n`-th profile; no two are alike.
    fn write(self, n: u64, random: &mut Rng, name: &mut String) -> std::fmt::Result {
        name.clear();
        match self {
            Self::Counted | Self::Chance => write!(name, "user-{}", n + 1),
            Self::Uuid => {
                let (high, low) = (random.u64(..), random.u64(..));
                let (time, version) = (high >> 16, 0x4000 | high & 0xfff);
                let variant = 0x8000 | low >> 48 & 0x3fff;
                let (first, second) = (time >> 16, time & 0xffff);
                let node = low & 0xffff_ffff_ffff;
                write!(name, "{first:08x}-{second:04x}-{version:04x}-{variant:04x}-{node:012x}")
            }
            Self::Mail => {
                let (first, rest) = (FIRST[(n % 16) as usize], n / 16);
                let (last, number) = (LAST[(rest % 16) as usize], rest / 16);
                // Most have the same host.
                let host = HOSTS[random.usize(..8).saturating_sub(4)];
                write!(name, "{first}.{last}{number}_at_{host}")
            }
        }
    }

    fn route(self, n: u64, random: &mut Rng, name: &mut String) -> Outcome<u16> {
        if self == Self::Chance {
            return Ok(random.u16(..));
        }
        self.write(n, random, name)?;
        Ok(name.parse::<ProfileName>()?.route())
    }
}

const FIRST: [&str; 16] = [
    "ada", "ben", "chloe", "david", "emma", "felix", "grace", "hugo", "ines", "jan", "kim", "liam",
    "maria", "noah", "olga", "paul",
];
const LAST: [&str; 16] = [
    "adams", "brown", "costa", "diaz", "evans", "fischer", "garcia", "hansen", "ito", "jones",
    "khan", "lopez", "moreau", "novak", "olsen", "park",
];
const HOSTS: [&str; 4] = ["mail.example.com", "example.org", "work.example.net", "example.edu"];

/// How many connections profiles have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    Constant,
    Geometric,
    HeavyTail,
}

impl Sizes {
    pub(crate) const ALL: [Self; 3] = [Self::Constant, Self::Geometric, Self::HeavyTail];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Geometric => "geometric",
            Self::HeavyTail => "heavy tail",
        }
    }
}

/// Connections of a profile, where they are constant or geometric: so many, or on average.
pub(crate) const MEAN: u8 = 10;
/// What the heavy tail falls by.
pub(crate) const EXPONENT: f64 = 1.1;
/// The most domains of a profile.
pub(crate) const CAP: u64 = 100_000;
/// Projects of these sizes are looked at on the way.
pub(crate) const MILESTONES: [u64; 4] = [1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
/// Into so many steps the way is divided, after each of which full shards are looked for.
const STEPS: u64 = 10_000;

/// What is to be drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) connections: u64,
    /// More do not fit in a shard.
    pub(crate) shard_holds: u64,
    pub(crate) seed: u64,
}

/// Profiles of one kind, and what came of them.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) names: Names,
    pub(crate) sizes: Sizes,
    pub(crate) profiles: u64,
    pub(crate) total: u64,
    pub(crate) spread: Spread,
    /// The spread at each of [`MILESTONES`] that was reached.
    pub(crate) milestones: Vec<(u64, Spread)>,
    /// For each of [`COUNTS`], the most connections before a shard was full; `None` if none was.
    pub(crate) held: [Option<u64>; COUNTS.len()],
    last_step: u64,
    next_step: u64,
}

impl Case {
    fn new(names: Names, sizes: Sizes) -> Self {
        Self {
            names,
            sizes,
            profiles: 0,
            total: 0,
            spread: Spread::default(),
            milestones: Vec::new(),
            held: [None; COUNTS.len()],
            last_step: 0,
            next_step: 0,
        }
    }

    /// Adds a profile, or as much of it as the plan has left.
    fn add(&mut self, plan: &Plan, route: u16, connections: u64) {
        let connections = connections.min(plan.connections - self.total);
        self.profiles += 1;
        self.total += connections;
        self.spread.add(route, connections);
        if self.total < self.next_step && self.total < plan.connections {
            return;
        }
        self.next_step = self.total + (plan.connections / STEPS).max(1);
        if let Some(milestone) = MILESTONES.get(self.milestones.len())
            && self.total >= *milestone
        {
            self.milestones.push((*milestone, self.spread.clone()));
        }
        for (held, shards) in self.held.iter_mut().zip(COUNTS) {
            if held.is_none() && self.spread.fullest(shards) > plan.shard_holds {
                *held = Some(self.last_step);
            }
        }
        self.last_step = self.total;
    }

    /// The fullest shard's connections over the mean's.
    pub(crate) fn ratio(&self, shards: usize) -> f64 {
        ratio(&self.spread, shards)
    }
}

/// The fullest shard's connections over the mean's.
pub(crate) fn ratio(spread: &Spread, shards: usize) -> f64 {
    let per_shard = |connections: u64| crate::draws::float(connections);
    per_shard(spread.fullest(shards)) * per_shard(shards as u64) / per_shard(spread.total().max(1))
}

/// Draws all cases: every kind of names with every kind of sizes, a name hashed once for all of them.
pub(crate) fn run(plan: &Plan, bar: &ProgressBar) -> Outcome<Vec<Case>> {
    let heavy = Zipf::new(EXPONENT, CAP);
    let mut all = Vec::new();
    for (names, seed) in Names::ALL.into_iter().zip(plan.seed..) {
        bar.set_message(names.label());
        let mut cases = Sizes::ALL.map(|sizes| Case::new(names, sizes));
        let mut random = Rng::with_seed(seed);
        let mut name = String::new();
        for n in 0.. {
            let least = cases.iter().map(|case| case.total).min().unwrap_or_default();
            if n % (1 << 18) == 0 {
                bar.set_position(
                    all.len() as u64 / Sizes::ALL.len() as u64 * plan.connections + least,
                );
            }
            if least >= plan.connections {
                break;
            }
            let route = names.route(n, &mut random, &mut name)?;
            for case in &mut cases {
                if case.total < plan.connections {
                    let connections = match case.sizes {
                        Sizes::Constant => u64::from(MEAN),
                        Sizes::Geometric => geometric(&mut random, f64::from(MEAN)),
                        Sizes::HeavyTail => heavy.draw(&mut random),
                    };
                    case.add(plan, route, connections);
                }
            }
        }
        all.extend(cases);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const PLAN: Plan = Plan { connections: 100_000, shard_holds: 15_000, seed: 1 };

    #[test]
    fn names_are_allowed_and_no_two_alike() {
        let (mut random, mut name) = (Rng::with_seed(1), String::new());
        for names in [Names::Counted, Names::Uuid, Names::Mail] {
            let mut seen = BTreeSet::new();
            for n in 0..10_000 {
                names.write(n, &mut random, &mut name).unwrap();
                assert!(name.parse::<ProfileName>().is_ok(), "{name}");
                assert!(seen.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn every_case_has_as_many_connections_as_were_planned_and_one_seed_gives_one_result() {
        let [first, second] = [(); 2].map(|()| run(&PLAN, &ProgressBar::hidden()).unwrap());
        assert_eq!(first.len(), Names::ALL.len() * Sizes::ALL.len());
        for (case, again) in first.iter().zip(&second) {
            assert_eq!((case.total, case.spread.total()), (PLAN.connections, PLAN.connections));
            assert_eq!(case.spread.sorted(256), again.spread.sorted(256));
            assert!((case.ratio(1) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn shards_hold_what_they_had_before_one_was_full() {
        let mut case = Case::new(Names::Chance, Sizes::Constant);
        let mut route = 0_u16;
        while case.total < PLAN.connections {
            case.add(&PLAN, route, 10);
            route = route.wrapping_add(256);
        }
        let [one, two, four, eight, ..] = case.held.map(Option::unwrap_or_default);
        for (shards, held) in [(1, one), (2, two), (4, four)] {
            let most = shards * PLAN.shard_holds;
            assert!((most - 4000..=most).contains(&held), "{shards}: {held}");
        }
        assert_eq!(eight, 0, "eight shards hold them all");
    }
}
