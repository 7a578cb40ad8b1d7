//! Writes at full speed for minutes, across checkpoints, and shows what came of it: latencies, memory, sizes of files.
//!
//! `cargo run --release -p connectory-benches --features plots --bin steady -- --json FILE --svg FILE`. One caller
//! creates connections of random profile names over 500 domains and waits for each. After every 16th it also writes
//! as many bytes as a create does over a file of zeros that is as long as the log, and syncs them: the control, which
//! shows what the disk does by itself in the same run. The tables go to standard output as Markdown, every window
//! of a quarter of a second to the files.

mod histogram;
#[path = "../machine.rs"]
mod machine;
mod plot;
mod report;
mod run;

use clap::Parser;
use connectory_benches::Outcome;
use report::Report;
use run::{Plan, Run};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes at full speed for minutes, across checkpoints, and shows what came of it.
#[derive(Debug, Parser)]
#[command(name = "steady")]
struct Arguments {
    /// How long to write.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Connections in the store before that.
    #[arg(long, default_value_t = 0)]
    size: usize,
    /// Where the store is made, and removed again; by default where temporary files go.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Decides on names and domains.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where every figure goes.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the plots go.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    if arguments.seconds == 0 {
        return Err("a second is needed".into());
    }
    let directory = match &arguments.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let machine = machine::machine(directory.path());
    eprintln!("seed {}; {machine}", arguments.seed);
    if machine["filesystem"] == "tmpfs" {
        eprintln!("This is a directory in memory, where nothing is durable: choose another.");
    }
    let run = Run::of(&Plan {
        directory: directory.path(),
        lasts: Duration::from_secs(arguments.seconds),
        size: arguments.size,
        seed: arguments.seed,
    })?;
    let about = json!({
        "unix_seconds": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
        "seconds": arguments.seconds,
        "size": arguments.size,
        "seed": arguments.seed,
        "machine": machine,
    });
    let report = Report { about, run: &run };
    println!("{}", report.tables());
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report.json())?)?;
    }
    if let Some(path) = &arguments.svg {
        plot::plot(&run, path)?;
    }
    Ok(())
}
