//! Compares the registry with the same registry on other engines: SQLite, LMDB, fjall, and redb by itself.
//!
//! `cargo run --release -p connectory-benches --features peers --bin peers`. Every engine is used as its
//! documentation advises, and syncs what it acknowledges. First all of them must give the same answers to a small
//! random workload. Then they are measured in turns, round by round in the same minutes; the table has medians over
//! rounds. It goes to standard output as Markdown, everything with every round to the file of `--json`.

mod agree;
mod child;
mod comparison;
mod contender;
mod fjall;
mod ids;
mod lmdb;
#[path = "../machine.rs"]
mod machine;
mod measure;
mod ours;
mod peer;
mod record;
mod redb;
mod report;
mod sqlite;
mod trees;
mod versions;

use clap::{Parser, ValueEnum};
use comparison::{Comparison, Topic};
use connectory_benches::Workload;
use indicatif::{ProgressBar, ProgressStyle};
use peer::Outcome;
use report::Report;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Compares the registry with the same registry on other engines.
#[derive(Debug, Parser)]
#[command(name = "peers", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Connections in the stores.
    #[arg(long, default_value_t = 1_000_000)]
    size: usize,
    /// Rounds, over which medians are taken.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where every figure goes.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measures these only.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOPIC,...")]
    only: Vec<Topic>,
    /// Decides on names, domains and what is picked.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the stores are made, and removed again; by default where temporary files go.
    #[arg(long)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    child: Option<child::Child>,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    match arguments.child {
        Some(child) => child.run(),
        None => compare(&arguments),
    }
}

fn compare(arguments: &Arguments) -> Outcome<()> {
    if arguments.size < 100 || arguments.rounds == 0 {
        return Err("a size of at least 100 and one round are needed".into());
    }
    let directory = match &arguments.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let machine = machine::machine(directory.path());
    eprintln!("seed {}; {machine}; {}", arguments.seed, versions::versions());
    if machine["filesystem"] == "tmpfs" {
        eprintln!("This is a directory in memory, where nothing is durable: choose another.");
    }
    agree::check(&directory.path().join("agree"), arguments.seed)?;
    eprintln!("All engines answer alike.");
    let topics = match arguments.only.as_slice() {
        [] => Topic::value_variants().to_vec(),
        only => only.to_vec(),
    };
    let mut comparison = Comparison {
        directory: directory.path(),
        workload: Workload { seed: arguments.seed },
        size: arguments.size,
        rounds: arguments.rounds,
        topics,
        bar: ProgressBar::hidden(),
        disk_us: Vec::new(),
    };
    comparison.bar = ProgressBar::new(comparison.steps())
        .with_style(ProgressStyle::with_template("{elapsed} {wide_bar} {pos}/{len} {msg}")?);
    let begun = Instant::now();
    let rows = comparison.run()?;
    let about = json!({
        "unix_seconds": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        "seconds": begun.elapsed().as_secs(),
        "size": arguments.size,
        "rounds": arguments.rounds,
        "seed": arguments.seed,
        "machine": machine,
        "versions": versions::versions(),
    });
    eprintln!("It took {} seconds.", begun.elapsed().as_secs());
    let report = Report { about, rows, disk_us: comparison.disk_us };
    println!("{}", report.table());
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report.json())?)?;
    }
    Ok(())
}
