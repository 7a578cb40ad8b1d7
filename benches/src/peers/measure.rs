//! Timing: calls one by one, medians and percentiles.

use crate::peer::Outcome;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each of a number of calls took.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Outcome<Self> {
        if times.is_empty() {
            return Err("nothing was timed".into());
        }
        times.sort_unstable();
        Ok(Self(times))
    }

    /// Microseconds within which so many per cent of the calls were answered.
    pub(crate) fn percentile_us(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent / 100).min(self.0.len() - 1);
        self.0[at].as_secs_f64() * 1e6
    }

    pub(crate) fn mean_us(&self) -> f64 {
        let total: Duration = self.0.iter().sum();
        total.as_secs_f64() * 1e6 / count(self.0.len())
    }
}

/// A number of things as a factor.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}

/// Times `act`, with what it takes prepared outside the time: at most `most` calls, and none begins after `lasts`.
/// `act` says whether it did what is measured.
pub(crate) fn time<T>(
    most: usize,
    lasts: Duration,
    mut prepare: impl FnMut() -> Outcome<T>,
    mut act: impl FnMut(T) -> Outcome<bool>,
) -> Outcome<Times> {
    let begun = Instant::now();
    let mut times = Vec::with_capacity(most);
    while times.len() < most && begun.elapsed() < lasts {
        let input = prepare()?;
        let start = Instant::now();
        let done = act(input)?;
        times.push(start.elapsed());
        if !done {
            return Err("an operation did not do what is measured".into());
        }
    }
    Times::new(times)
}

pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.as_slice() {
        [] => None,
        all if all.len() % 2 == 0 => Some(f64::midpoint(all[middle - 1], all[middle])),
        all => Some(all[middle]),
    }
}

/// What the disk takes for the least that a durable create can do: one small write into space that is there, synced.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    at: u64,
}

impl Disk {
    /// About as much as one create has to say.
    pub(crate) const WRITE_BYTES: usize = 320;
    const FILE_BYTES: u64 = 64 << 20;

    pub(crate) fn new(path: &Path) -> Outcome<Self> {
        let file = File::create(path)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..Self::FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    pub(crate) fn write(&mut self) -> Outcome<bool> {
        self.file.write_all_at(&[7; Self::WRITE_BYTES], self.at)?;
        self.file.sync_data()?;
        self.at = (self.at + Self::WRITE_BYTES as u64) % (Self::FILE_BYTES - 4096);
        Ok(true)
    }
}

/// The bytes that the files in a directory take on disk, whatever length they claim.
pub(crate) fn disk_bytes(directory: &Path) -> Outcome<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            // In units of 512 bytes, whatever the size of a block.
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_those_of_the_sorted_figures() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let times = Times::new((1..=100).rev().map(Duration::from_micros).collect()).unwrap();
        assert!((times.percentile_us(50) - 51.0).abs() < 1e-6);
        assert!((times.percentile_us(99) - 100.0).abs() < 1e-6);
        assert!((times.mean_us() - 50.5).abs() < 1e-6);
    }
}
