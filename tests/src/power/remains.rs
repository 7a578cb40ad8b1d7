//! [`Remains`], what is left of the acts of a storage when the power is lost.
//!
//! What a file was given before its last sync is there. Of what came later anything may be, in any order: a write
//! whole, not at all or in parts, with sectors that are each there or not; a length that was set, or one before it.

use super::{Act, Image, Record, STORE, first_log};
use fastrand::Rng;
use std::ops::Range;

/// A sector is written whole or not at all.
const SECTOR: usize = 512;

/// What is durable after the first acts of a record, and what may be. Rolled forward, it need not be rebuilt for
/// every image.
#[derive(Debug, Clone)]
pub struct Remains<'a> {
    record: &'a Record,
    at: usize,
    /// The sync that does nothing.
    lie: Option<usize>,
    files: Vec<File>,
    /// What the log's name may stand for; what it durably stood for is the first.
    logs: Vec<Option<usize>>,
}

/// A file, with the acts on it that are not durable.
#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    pending: Vec<usize>,
}

impl<'a> Remains<'a> {
    /// The disk before anything was done.
    pub fn of(record: &'a Record) -> Self {
        let Image { store, log } = &*record.beginning;
        let file = |bytes: &Vec<u8>| File { bytes: bytes.clone(), pending: Vec::new() };
        let files = [store].into_iter().chain(log).map(file).collect();
        let logs = vec![first_log(&record.beginning)];
        Self { record, at: 0, lie: None, files, logs }
    }

    /// Has a sync that is still to come report success and do nothing. A later one of the same file makes up for it.
    pub fn lie(&mut self, sync: usize) {
        self.lie = Some(sync);
    }

    /// Rolls forward until the first `at` acts are done.
    pub fn advance(&mut self, at: usize) {
        for number in self.at..at {
            match self.record.acts[number] {
                Act::Write { file, .. } | Act::SetLen { file, .. } => {
                    self.files[file].pending.push(number);
                }
                Act::Sync { file } if self.lie != Some(number) => self.sync(file),
                Act::Sync { .. } => {}
                Act::NameLog(log) => {
                    self.logs.push(log);
                    let files = self.files.len().max(log.map_or(0, |file| file + 1));
                    self.files.resize_with(files, File::default);
                }
                Act::SyncName => drop(self.logs.drain(..self.logs.len() - 1)),
            }
        }
        self.at = self.at.max(at);
    }

    fn sync(&mut self, file: usize) {
        let File { bytes, pending } = &mut self.files[file];
        for number in pending.drain(..) {
            match &self.record.acts[number] {
                Act::Write { offset, data, .. } => {
                    bytes[*offset..offset + data.len()].copy_from_slice(data);
                }
                Act::SetLen { len, .. } => bytes.resize(*len, 0),
                _ => {}
            }
        }
    }

    /// What the disk may hold if the power is lost now.
    pub fn image(&self, rng: &mut Rng) -> Image {
        let log = self.logs[rng.usize(..self.logs.len())];
        Image { store: self.survivor(STORE, rng), log: log.map(|file| self.survivor(file, rng)) }
    }

    /// What may be left of a file.
    fn survivor(&self, file: usize, rng: &mut Rng) -> Vec<u8> {
        let File { bytes, pending } = &self.files[file];
        let (mut bytes, mut pending) = (bytes.clone(), pending.clone());
        let mut len = bytes.len();
        let fate = Fate::draw(pending.len(), rng);
        if rng.bool() {
            rng.shuffle(&mut pending);
        }
        for (nth, number) in pending.into_iter().enumerate() {
            match &self.record.acts[number] {
                Act::Write { offset, data, .. } => {
                    let end = offset + data.len();
                    // Beyond the end until a length is set; if none is, it goes again.
                    bytes.resize(bytes.len().max(end), 0);
                    for range in fate.kept(nth, *offset..end, rng) {
                        let from = range.start - offset..range.end - offset;
                        bytes[range].copy_from_slice(&data[from]);
                    }
                }
                Act::SetLen { len: set, .. } if fate.keeps(nth, rng) => {
                    len = *set;
                    if let Some(gone) = bytes.get_mut(len..) {
                        gone.fill(0);
                    }
                }
                _ => {}
            }
        }
        bytes.resize(len, 0);
        bytes
    }
}

/// What becomes of the acts on a file that were not synced.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Lost,
    Kept,
    /// One is lost.
    AllBut(usize),
    /// Only one is kept.
    Only(usize),
    /// Each is kept or lost.
    Some,
    /// As above, and some writes are torn.
    Torn,
}

impl Fate {
    fn draw(acts: usize, rng: &mut Rng) -> Self {
        let nth = rng.usize(..acts.max(1));
        match rng.u8(..12) {
            0 => Self::Lost,
            1 => Self::Kept,
            2 | 3 => Self::AllBut(nth),
            4 => Self::Only(nth),
            5..8 => Self::Some,
            _ => Self::Torn,
        }
    }

    fn keeps(self, nth: usize, rng: &mut Rng) -> bool {
        match self {
            Self::Lost => false,
            Self::Kept => true,
            Self::AllBut(lost) => nth != lost,
            Self::Only(kept) => nth == kept,
            Self::Some | Self::Torn => rng.bool(),
        }
    }

    /// The ranges of a write that are kept.
    fn kept(self, nth: usize, range: Range<usize>, rng: &mut Rng) -> Vec<Range<usize>> {
        match self {
            Self::Torn if rng.bool() => sectors(range).filter(|_| rng.bool()).collect(),
            _ if self.keeps(nth, rng) => vec![range],
            _ => Vec::new(),
        }
    }
}

/// The pieces of a range that lie in one sector each.
fn sectors(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    (range.start / SECTOR..range.end.div_ceil(SECTOR))
        .map(move |sector| range.start.max(sector * SECTOR)..range.end.min((sector + 1) * SECTOR))
}
