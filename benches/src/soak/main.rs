//! Uses a store as many would for a long time, kills it again and again, and looks for every acknowledged write.
//!
//! `cargo run --release -p connectory-benches --features plots --bin soak -- --json FILE --svg FILE`. A process has the
//! store in a file; eight threads of it do whatever the API can do, one follows the changes, one asks for checkpoints
//! and now and then closes, opens and checks the store. What they write they tell on a pipe, before and after, to
//! the process that started them, which keeps the ledger and kills them. The number of connections stays as it is once
//! as many come as go. In the first and the third quarter of the time one process follows the other, most of them
//! killed; in the second and the last a single one goes on, so that memory, files and latencies can be compared.
//!
//! Whatever was acknowledged and is not found, and whatever else is wrong, ends it with an error. Whether figures are
//! flat is told, and is no error: the machine may have had other things to do.

mod act;
mod child;
mod flatness;
mod follower;
mod holdings;
mod kind;
mod ledger;
mod life;
#[path = "../machine.rs"]
mod machine;
mod message;
mod plan;
mod plot;
mod report;
mod run;
mod space;
mod worker;

use child::Child;
use clap::{Parser, Subcommand};
use flatness::Flatness;
use indicatif::{ProgressBar, ProgressStyle};
use plan::Length;
use report::Report;
use run::{Plan, Run};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T> = Result<T, Failure>;

/// Uses a store as many would for a long time, kills it again and again, and looks for every acknowledged write.
#[derive(Debug, Parser)]
#[command(name = "soak", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// How long it lasts.
    #[arg(long, default_value_t = 20)]
    minutes: u64,
    /// Lasts for so many acknowledged writes instead.
    #[arg(long, value_name = "NUMBER")]
    writes: Option<u64>,
    /// How many use the store at once.
    #[arg(long, default_value_t = 8)]
    workers: u16,
    /// Profiles of each; there are about 2.5 connections a profile.
    #[arg(long, default_value_t = 1000)]
    profiles: u16,
    /// Domains of all.
    #[arg(long, default_value_t = 300)]
    domains: u16,
    /// The most writes of a process in a storm.
    #[arg(long, default_value_t = 20_000)]
    life: u64,
    /// Writes from one checkpoint, or closing and opening, to the next.
    #[arg(long, default_value_t = 5_000)]
    upkeep: u64,
    /// Where the store is made, and removed again; by default where temporary files go.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Decides on what is done; drawn anew unless given.
    #[arg(long, env = "CONNECTORY_SEED")]
    seed: Option<u64>,
    /// Where every figure goes.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the plots go.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(subcommand)]
    process: Option<Process>,
}

#[derive(Debug, Subcommand)]
enum Process {
    /// Has the store, and is killed.
    #[command(hide = true)]
    Child(Child),
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    match arguments.process {
        Some(Process::Child(child)) => child.run(),
        None => soak(&arguments),
    }
}

fn soak(arguments: &Arguments) -> Outcome<()> {
    let directory = match &arguments.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let machine = machine::machine(directory.path());
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("CONNECTORY_SEED={seed}; {machine}");
    let length = match arguments.writes {
        Some(writes) => Length::Writes(writes),
        None => Length::Time(Duration::from_secs(arguments.minutes * 60)),
    };
    let store = directory.path().join("soak.connectory");
    let Arguments { workers, profiles, domains, life, upkeep, .. } = *arguments;
    if [u64::from(workers), profiles.into(), domains.into(), life, upkeep].contains(&0) {
        return Err("there is nothing to do with none".into());
    }
    let child = Child { store, seed, workers, profiles, domains, upkeep };
    let bar = ProgressBar::new(1000).with_style(ProgressStyle::with_template(
        "{elapsed_precise} {wide_bar} {percent} %, {eta_precise} left",
    )?);
    let run = match Run::of(&Plan { length, seed, life, child }, &bar) {
        Ok(run) => run,
        Err(error) => {
            let kept = directory.keep();
            return Err(format!("{error}; the store is left in {}", kept.display()).into());
        }
    };
    bar.finish_and_clear();
    let flatness = Flatness::all(&run);
    let about = json!({
        "unix_seconds": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        "seconds": run.lasted.as_secs(),
        "seed": seed,
        "workers": workers,
        "profiles": profiles,
        "domains": domains,
        "machine": machine,
    });
    let report = Report { about, run: &run, flatness: &flatness };
    println!("{}", report.text());
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string(&report.json())? + "\n")?;
    }
    if let Some(path) = &arguments.svg {
        plot::plot(&run, path)?;
    }
    Ok(())
}
