//! What a run is made on, for every program that says so: the machine, its filesystem, the process.

use serde_json::{Value, json};
use std::path::Path;

/// The machine, as far as it says what it is.
pub(crate) fn machine(directory: &Path) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = read("/proc/meminfo");
    json!({
        "cpu": cpu.map_or("unknown", |(_, model)| model),
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "memory": memory.lines().next().unwrap_or("unknown"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "filesystem": filesystem(directory),
    })
}

/// The kind of filesystem that a directory is on.
fn filesystem(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let kind = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(path, _)| directory.starts_with(path))
        .max_by_key(|(path, _)| path.len());
    kind.map_or("unknown", |(_, kind)| kind).to_owned()
}

/// A line of `/proc/self/status`, in MiB.
pub(crate) fn status_mib(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_takes_memory() {
        assert!(status_mib("VmRSS").is_some_and(|mib| mib > 1.0));
    }
}
