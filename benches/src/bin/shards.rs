//! Simulates how a project of a billion connections is spread over shards: balance, writes of each shard, lists.
//!
//! `cargo run --release -p connectory-benches --features shards --bin shards`. Every profile is drawn and every name
//! hashed by the engine's own route; connections are only counted. Writes a second and the latency of lists follow from
//! the arguments, whose defaults are assumptions and not measurements. The tables go to standard output as Markdown,
//! every figure to the files of `--json` and `--svg`.

#[path = "../shards/balance.rs"]
mod balance;
#[path = "../shards/draws.rs"]
mod draws;
#[path = "../shards/lists.rs"]
mod lists;
#[path = "../shards/placement.rs"]
mod placement;
#[path = "../shards/plot.rs"]
mod plot;
#[path = "../shards/report.rs"]
mod report;
#[path = "../shards/routing.rs"]
mod routing;

use balance::{Names, Plan, Sizes};
use clap::Parser;
use connectory_benches::Outcome;
use draws::float;
use indicatif::{ProgressBar, ProgressStyle};
use lists::{Answers, Fanout, Walk};
use placement::{Limits, Load, Projects};
use report::Report;
use routing::COUNTS;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Simulates how a project is spread over shards: balance, writes of each shard, lists.
#[derive(Debug, Clone, Parser)]
#[command(name = "shards")]
struct Arguments {
    /// Connections of the project that is drawn.
    #[arg(long, default_value_t = 1_000_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    connections: u64,
    /// Bytes that an object stores for a connection.
    #[arg(long, default_value_t = 360.0)]
    connection_bytes: f64,
    /// Gigabytes (10^9 bytes) that an object can store.
    #[arg(long, default_value_t = 10.0)]
    object_gb: f64,
    /// Writing requests a second that an object should bear at least.
    #[arg(long, default_value_t = 200.0)]
    writes_low: f64,
    /// Writing requests a second that an object should bear at most.
    #[arg(long, default_value_t = 500.0)]
    writes_high: f64,
    /// Creates for each connection and day.
    #[arg(long, default_value_t = 0.05)]
    creates_per_day: f64,
    /// Share of a day's creates that come in a burst.
    #[arg(long, default_value_t = 0.5)]
    burst_share: f64,
    /// How long the burst lasts.
    #[arg(long, default_value_t = 1.0)]
    burst_hours: f64,
    /// How many projects there are.
    #[arg(long, default_value_t = 100_000)]
    projects: u64,
    /// Connections of the largest project.
    #[arg(long, default_value_t = 1_000_000_000)]
    largest: u64,
    /// What sizes of projects fall by, from one rank to the next.
    #[arg(long, default_value_t = 1.1)]
    projects_exponent: f64,
    /// From so many connections on a project has shards.
    #[arg(long, default_value_t = 10_000_000)]
    large: u64,
    /// Lists that are drawn for each number of shards.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    lists: u64,
    /// Items of a page.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100))]
    limit: u64,
    /// Median of a shard's answer while it is in memory, in milliseconds.
    #[arg(long, default_value_t = 3.0)]
    median_ms: f64,
    /// 99th percentile of the same.
    #[arg(long, default_value_t = 20.0)]
    p99_ms: f64,
    /// Share of shards that are not in memory when they are asked.
    #[arg(long, default_value_t = 0.01)]
    cold_share: f64,
    /// How much longer these take, in milliseconds.
    #[arg(long, default_value_t = 50.0)]
    cold_ms: f64,
    /// Rows that a shard reads from its storage for an item of a list.
    #[arg(long, default_value_t = 1.0)]
    rows_per_item: f64,
    /// Decides on everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where every figure goes.
    #[arg(long, value_name = "FILE", default_value = "benches/results/shards.json")]
    json: PathBuf,
    /// Where the plots go.
    #[arg(long, value_name = "FILE", default_value = "benches/results/shards.svg")]
    svg: PathBuf,
}

impl Arguments {
    fn plan(&self) -> Plan {
        let shard_holds = draws::whole(self.limits().bytes / self.connection_bytes);
        Plan { connections: self.connections, shard_holds, seed: self.seed }
    }

    fn limits(&self) -> Limits {
        Limits {
            bytes: self.object_gb * 1e9,
            connection_bytes: self.connection_bytes,
            writes: [self.writes_low, self.writes_high],
        }
    }

    fn load(&self) -> Load {
        Load {
            creates_per_day: self.creates_per_day,
            burst_share: self.burst_share,
            burst_hours: self.burst_hours,
        }
    }

    fn projects(&self) -> Projects {
        Projects {
            number: self.projects,
            exponent: self.projects_exponent,
            largest: self.largest,
            large: self.large,
        }
    }

    fn answers(&self) -> Answers {
        Answers {
            median: self.median_ms,
            p99: self.p99_ms,
            cold_share: self.cold_share,
            cold: self.cold_ms,
        }
    }

    /// Everything that was assumed, for whoever reads the figures.
    fn json(&self) -> serde_json::Value {
        json!({
            "seed": self.seed,
            "connections": self.connections,
            "connection_bytes": self.connection_bytes,
            "object_gb": self.object_gb,
            "writes_a_second": [self.writes_low, self.writes_high],
            "creates_per_connection_and_day": self.creates_per_day,
            "burst": { "share": self.burst_share, "hours": self.burst_hours },
            "projects": {
                "number": self.projects,
                "largest": self.largest,
                "exponent": self.projects_exponent,
                "large": self.large,
            },
            "profiles": {
                "mean": balance::MEAN,
                "exponent": balance::EXPONENT,
                "cap": balance::CAP,
            },
            "lists": {
                "drawn": self.lists,
                "limit": self.limit,
                "median_ms": self.median_ms,
                "p99_ms": self.p99_ms,
                "cold_share": self.cold_share,
                "cold_ms": self.cold_ms,
                "rows_per_item": self.rows_per_item,
            },
        })
    }
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    eprintln!("seed {}", arguments.seed);
    let begun = Instant::now();
    let plan = arguments.plan();
    let lengths = [Names::ALL.len() as u64 * plan.connections, COUNTS.len() as u64];
    let [drawn, listed] = lengths.map(ProgressBar::new);
    let style = ProgressStyle::with_template("{elapsed} {wide_bar} {percent} % {msg}")?;
    let drawn = drawn.with_style(style.clone());
    let cases = balance::run(&plan, &drawn)?;
    drawn.finish_and_clear();
    eprintln!("{} cases drawn in {} s", cases.len(), begun.elapsed().as_secs());

    let is_typical =
        |case: &&balance::Case| case.sizes == Sizes::HeavyTail && case.names == Names::Counted;
    let typical = cases.iter().find(is_typical).ok_or("no case is typical")?;
    let objects = COUNTS.map(|shards| {
        let (projects, load, limits) = (arguments.projects(), arguments.load(), arguments.limits());
        placement::objects(&projects, typical, &load, &limits, shards)
    });

    let listed = listed.with_style(style).with_message("lists");
    let fanouts = COUNTS.map(|shards| {
        listed.inc(1);
        Fanout::of(shards, &arguments.answers(), arguments.lists, arguments.seed)
    });
    listed.finish_and_clear();
    let walks = COUNTS.map(|shards| Walk::of(shards, arguments.connections, arguments.limit));
    eprintln!("It took {} seconds.", begun.elapsed().as_secs());

    let report = Report {
        arguments: arguments.json(),
        seed: arguments.seed,
        plan,
        limits: arguments.limits(),
        load: arguments.load(),
        large: float(arguments.large),
        rows_per_item: arguments.rows_per_item,
        cases: &cases,
        objects: &objects,
        fanouts: &fanouts,
        walks: &walks,
    };
    println!("{}", report.tables());
    let mut text = serde_json::to_string_pretty(&report.json())?;
    text.push('\n');
    std::fs::write(&arguments.json, text)?;
    plot::plot(&report, &arguments.svg)
}
