//! What is measured in a process of its own: the memory that it takes, and what it leaves behind when it is killed.

use crate::contender::Contender;
use crate::machine::status_mib;
use crate::peer::{Id, Outcome};
use clap::Subcommand;
use connectory_benches::Workload;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Creates that a process makes in one commit before it is killed.
const BATCH: usize = 100;

/// What a child of this program is told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Child {
    /// Reads the connections whose IDs are in a file, and prints the MiB that this process takes.
    #[command(hide = true)]
    Resident { contender: Contender, directory: PathBuf, ids: PathBuf },
    /// Makes connections, says so, and waits to be killed.
    #[command(hide = true)]
    Fill {
        contender: Contender,
        directory: PathBuf,
        seed: u64,
        from: usize,
        to: usize,
        #[arg(long)]
        cache_bytes: Option<usize>,
    },
}

impl Child {
    pub(crate) fn run(self) -> Outcome<()> {
        match self {
            Self::Resident { contender, directory, ids } => {
                let peer = contender.open(&directory, None)?;
                for id in BufReader::new(File::open(ids)?).lines() {
                    let id: Id = id?.parse()?;
                    peer.get(id)?.ok_or("a connection is gone")?;
                }
                println!("{}", status_mib("VmRSS").ok_or("the system does not say")?);
                peer.close()
            }
            Self::Fill { contender, directory, seed, from, to, cache_bytes } => {
                let peer = contender.open(&directory, cache_bytes)?;
                let workload = Workload { seed };
                for from in (from..to).step_by(BATCH) {
                    peer.create_many(workload.requests(from..to.min(from + BATCH))?)?;
                }
                println!("filled");
                // The parent kills this process; if it is gone itself, this ends.
                std::io::stdin().read_line(&mut String::new())?;
                Ok(())
            }
        }
    }
}

fn child(arguments: &[&str]) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a path that is not UTF-8")?)
}

/// The MiB that a process takes after reading the connections `ids`, with what the engine does by default.
pub(crate) fn resident_mib(
    contender: Contender,
    directory: &Path,
    ids: impl Iterator<Item = Id>,
) -> Outcome<f64> {
    let mut file = tempfile::NamedTempFile::new()?;
    let mut lines = std::io::BufWriter::new(file.as_file_mut());
    for id in ids {
        writeln!(lines, "{id}")?;
    }
    lines.flush()?;
    drop(lines);
    let value = clap::ValueEnum::to_possible_value(&contender).ok_or("an engine without a name")?;
    let arguments = ["resident", value.get_name(), text(directory)?, text(file.path())?];
    let output = child(&arguments)?.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the child {arguments:?} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Fills a store in a process of its own, in durable batches of a hundred, and kills it there: nothing is closed,
/// and whatever log the engine has is as full as that many creates make it.
pub(crate) fn fill_and_kill(
    contender: Contender,
    directory: &Path,
    workload: Workload,
    (from, to): (usize, usize),
    cache_bytes: usize,
) -> Outcome<()> {
    let value = clap::ValueEnum::to_possible_value(&contender).ok_or("an engine without a name")?;
    let (seed, cache) = (workload.seed.to_string(), format!("--cache-bytes={cache_bytes}"));
    let (first, last) = (from.to_string(), to.to_string());
    let arguments =
        ["fill", value.get_name(), text(directory)?, &seed, &first, &last, cache.as_str()];
    let mut running = child(&arguments)?.spawn()?;
    let mut said = String::new();
    if let Some(output) = running.stdout.take() {
        BufReader::new(output).read_line(&mut said)?;
    }
    running.kill()?;
    running.wait()?;
    if said == "filled\n" { Ok(()) } else { Err(format!("the child {arguments:?} failed").into()) }
}
