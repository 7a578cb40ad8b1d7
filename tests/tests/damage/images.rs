//! [`Image`], what damage makes of a specimen's files.

use crate::specimens::{Files, Specimen};
use fastrand::Rng;
use std::ops::Range;

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// Files as damage left them.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) files: Files,
    pub(crate) kinds: Vec<Kind>,
    /// The most batches of which damage of the log may leave no trace; all of them where it is the log of another moment.
    pub(crate) lost_at_most: usize,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Bits,
    BitsOfHeader,
    BitsOfBranch,
    Sector,
    Pages,
    Truncated,
    Extended,
    PagesSwapped,
    PageCopied,
    LogBits,
    LogSector,
    LogTruncated,
    LogExtended,
    FramesSwapped,
    FrameCopied,
    FrameRemoved,
    LogGone,
    OtherLog,
    OtherTables,
}

const OF_STORE: [Kind; 9] = [
    Kind::Bits,
    Kind::BitsOfHeader,
    Kind::BitsOfBranch,
    Kind::Sector,
    Kind::Pages,
    Kind::Truncated,
    Kind::Extended,
    Kind::PagesSwapped,
    Kind::PageCopied,
];
const OF_LOG: [Kind; 10] = [
    Kind::LogBits,
    Kind::LogSector,
    Kind::LogTruncated,
    Kind::LogExtended,
    Kind::FramesSwapped,
    Kind::FrameCopied,
    Kind::FrameRemoved,
    Kind::LogGone,
    Kind::OtherLog,
    Kind::OtherTables,
];

impl Image {
    /// The image of this number.
    pub(crate) fn draw(specimens: &[Specimen], seed: u64, number: usize) -> (usize, Self) {
        let mut rng = Rng::with_seed(seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let which = rng.usize(..specimens.len());
        let specimen = &specimens[which];
        let frames = specimen.files.log.as_deref().map_or_else(Vec::new, frames);
        let lost_at_most = 0;
        let mut image = Self { files: specimen.files.clone(), kinds: Vec::new(), lost_at_most };
        let count = if rng.u8(..8) == 0 { 2 } else { 1 };
        for _ in 0..count {
            let kind = if !frames.is_empty() && rng.bool() {
                OF_LOG[rng.usize(..OF_LOG.len())]
            } else {
                OF_STORE[rng.usize(..OF_STORE.len())]
            };
            image.kinds.push(kind);
            image.damage(kind, specimen, &frames, &mut rng);
        }
        let is_other =
            image.kinds.iter().any(|kind| matches!(kind, Kind::OtherLog | Kind::OtherTables));
        let sound = specimen.files.log.as_deref().unwrap_or_default();
        let log = image.files.log.as_deref().unwrap_or_default();
        let touched =
            frames.iter().filter(|frame| log.get((*frame).clone()) != sound.get((*frame).clone()));
        image.lost_at_most = if is_other { usize::MAX } else { touched.count() };
        (which, image)
    }

    fn damage(&mut self, kind: Kind, specimen: &Specimen, frames: &[Range<usize>], rng: &mut Rng) {
        let Files { store, log } = &mut self.files;
        let empty = &mut Vec::new();
        let log = if kind == Kind::LogGone {
            *log = None;
            return;
        } else {
            log.as_mut().unwrap_or(empty)
        };
        // What an earlier damage has cut off cannot be damaged further.
        let frames: Vec<_> = frames.iter().filter(|frame| frame.end <= log.len()).collect();
        let used = frames.last().map_or(0, |last| last.end);
        let frame = |rng: &mut Rng| frames[rng.usize(..frames.len())].clone();
        match kind {
            Kind::FramesSwapped | Kind::FrameCopied | Kind::FrameRemoved if frames.is_empty() => {}
            Kind::PagesSwapped | Kind::PageCopied if store.len() < PAGE => {}
            Kind::Bits => flip(store, 0..usize::MAX, rng),
            Kind::BitsOfHeader => flip(store, 0..320, rng),
            Kind::BitsOfBranch => {
                let branches: Vec<_> =
                    (PAGE..store.len()).step_by(PAGE).filter(|&at| store[at] == 2).collect();
                let at = branches.get(rng.usize(..branches.len().max(1))).copied().unwrap_or(PAGE);
                flip(store, at..at + PAGE, rng);
            }
            Kind::Sector => spoil(store, SECTOR, rng),
            Kind::Pages => spoil(store, PAGE << rng.usize(..3), rng),
            Kind::Truncated => cut(store, rng),
            Kind::Extended => extend(store, rng),
            Kind::PagesSwapped => {
                let (one, other) = (page(store, rng), page(store, rng));
                let (first, second) = (store[one.clone()].to_vec(), store[other.clone()].to_vec());
                store[one].copy_from_slice(&second);
                store[other].copy_from_slice(&first);
            }
            Kind::PageCopied => {
                let (from, to) = (page(store, rng), page(store, rng));
                store.copy_within(from, to.start);
            }
            Kind::LogBits => flip(log, 0..used, rng),
            Kind::LogSector => {
                let mut part = log.get(..used).unwrap_or_default().to_vec();
                spoil(&mut part, SECTOR, rng);
                log.splice(..part.len(), part);
            }
            Kind::LogTruncated => cut(log, rng),
            Kind::LogExtended => extend(log, rng),
            Kind::FramesSwapped => {
                let (one, other) = (frame(rng), frame(rng));
                let (before, after) =
                    if one.start < other.start { (one, other) } else { (other, one) };
                if before.end <= after.start {
                    let (first, between, second) = (
                        log[before.clone()].to_vec(),
                        log[before.end..after.start].to_vec(),
                        log[after.clone()].to_vec(),
                    );
                    log.splice(before.start..after.end, [second, between, first].concat());
                }
            }
            Kind::FrameCopied => {
                let (from, to) = (frame(rng), frame(rng));
                let copy = log[from].to_vec();
                let end =
                    if rng.bool() { (to.start + copy.len()).min(log.len()) } else { to.start };
                log.splice(to.start..end, copy);
            }
            Kind::FrameRemoved => drop(log.drain(frame(rng))),
            Kind::LogGone => {}
            Kind::OtherLog => self.files.log.clone_from(&specimen.earlier.log),
            Kind::OtherTables => store.clone_from(&specimen.earlier.store),
        }
    }
}

/// A whole page.
fn page(store: &[u8], rng: &mut Rng) -> Range<usize> {
    let at = rng.usize(..store.len() / PAGE) * PAGE;
    at..at + PAGE
}

/// Flips a bit in a range, or some.
fn flip(bytes: &mut [u8], range: Range<usize>, rng: &mut Rng) {
    let range = range.start.min(bytes.len())..range.end.min(bytes.len());
    for _ in 0..[1, 1, 1, 2, 8][rng.usize(..5)] {
        if !range.is_empty() {
            bytes[rng.usize(range.clone())] ^= 1 << rng.u8(..8);
        }
    }
}

/// Fills a part with zeros or with anything.
fn spoil(bytes: &mut [u8], length: usize, rng: &mut Rng) {
    let at = rng.usize(..(bytes.len() / SECTOR).max(1)) * SECTOR;
    let end = (at + length).min(bytes.len());
    let is_zero = rng.bool();
    for byte in &mut bytes[at..end] {
        *byte = if is_zero { 0 } else { rng.u8(..) };
    }
}

/// Cuts off an end: of any length, or of whole sectors or pages.
fn cut(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let unit = [1, SECTOR, PAGE][rng.usize(..3)];
    bytes.truncate(rng.usize(..=bytes.len()) / unit * unit);
}

/// Adds zeros or anything.
fn extend(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let unit = [1, SECTOR, PAGE][rng.usize(..3)];
    let length = bytes.len() + rng.usize(1..100) * unit;
    let is_zero = rng.bool();
    bytes.resize_with(length, || if is_zero { 0 } else { rng.u8(..) });
}

/// Where the frames of a log are: each says how long it is, and has a checksum that is not looked at here. The second
/// segment begins where the frames before end at a place that a segment can end at.
fn frames(log: &[u8]) -> Vec<Range<usize>> {
    const HEADER: usize = 28;
    let mut frames = Vec::new();
    let mut at = 0;
    while at + HEADER < log.len() {
        let length = u32::from_le_bytes(log[at + 8..at + 12].try_into().unwrap()) as usize;
        let end = at + HEADER + length;
        if length == 0 || end > log.len() || log[at + HEADER] > 1 {
            // Zeros, or what an earlier life of the segment left.
            at = (at + 1).next_multiple_of(PAGE);
            continue;
        }
        frames.push(at..end);
        at = end;
    }
    frames
}
