//! [`Log`], in which a batch is durable before it is in the tables: frames, one after the other, in two segments.
//!
//! A frame is:
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | checksum of all that follows: XXH3, 64 bits |
//! | 4 | length of the payload |
//! | 8 | salt |
//! | 8 | revision: the number of the batch |
//! | | payload: `01` and a batch, or `00` and the log's ID and the salt before |
//!
//! Numbers are little-endian. A frame of the second kind opens a segment, or goes on in one after an unclean end, with
//! a salt of its own. Callers choose most of the bytes of a batch, but do not know the salt: nothing in a payload can
//! pass for a frame. What an earlier life of the segment left behind has another salt, so it cannot either.
//!
//! The segments lie one behind the other and are used in turn. There is one frame in flight at most, so a torn one is
//! the end; a good one behind a bad one is damage.

use crate::StoreError;
use redb::StorageBackend;
use xxhash_rust::xxh3::xxh3_64;

const CHECKSUM: usize = 8;
const HEADER: usize = CHECKSUM + 4 + 8 + 8;
const OPENS: u8 = 0;
const BATCH: u8 = 1;
/// Length of the frame that opens a segment.
const OPENING: usize = HEADER + 1 + 8 + 8;
/// A segment grows by so many zero bytes: what is written over is written faster than what makes a file longer.
const GROWTH: u64 = 128 << 10;

/// Which log belongs to a store, and how it is laid out. Kept in the tables while the log may be needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogMark {
    pub(crate) id: u64,
    pub(crate) segment_bytes: u64,
}

/// An open log.
#[derive(Debug)]
pub(crate) struct Log {
    file: Box<dyn StorageBackend>,
    mark: LogMark,
    salt: u64,
    segments: [Segment; 2],
    active: usize,
    /// The frame that opens the segment at hand, until it is written before the first batch.
    opening: Vec<u8>,
}

/// What is in a segment.
#[derive(Debug, Clone, Copy, Default)]
struct Segment {
    /// Where the next frame goes.
    used: u64,
    /// Bytes of it that the file has, written at least with zeros.
    allocated: u64,
    /// The revision of its last frame; 0 where there is none.
    last_revision: u64,
    /// The number of its first change; 0 where that is not known.
    first_seq: u64,
}

/// Where a frame would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Here,
    /// At the start of the other segment.
    AfterTurn,
    /// Nowhere, before another checkpoint.
    Blocked,
    /// Nowhere at all: it is longer than a segment.
    Never,
}

struct Frame<'a> {
    salt: u64,
    revision: u64,
    payload: &'a [u8],
}

impl Frame<'_> {
    fn len(&self) -> usize {
        HEADER + self.payload.len()
    }
}

fn write_frame(out: &mut Vec<u8>, salt: u64, revision: u64, kind: u8, payload: &[&[u8]]) {
    let length = 1 + payload.iter().map(|part| part.len()).sum::<usize>();
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEADER + length as usize);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&salt.to_le_bytes());
    frame.extend_from_slice(&revision.to_le_bytes());
    frame.push(kind);
    for part in payload {
        frame.extend_from_slice(part);
    }
    out.extend_from_slice(&xxh3_64(&frame).to_le_bytes());
    out.extend_from_slice(&frame);
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The frame at the start of `bytes`, if it is whole.
fn read_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let checksum = u64::from_le_bytes(number(bytes, 0)?);
    let length = u32::from_le_bytes(number(bytes, CHECKSUM)?) as usize;
    let covered = bytes.get(CHECKSUM..HEADER.checked_add(length)?)?;
    if length == 0 || xxh3_64(covered) != checksum {
        return None;
    }
    Some(Frame {
        salt: u64::from_le_bytes(number(bytes, CHECKSUM + 4)?),
        revision: u64::from_le_bytes(number(bytes, CHECKSUM + 12)?),
        payload: bytes.get(HEADER..HEADER + length)?,
    })
}

/// The log's ID and the salt before, if the frame opens or goes on.
fn opened_by(frame: &Frame<'_>) -> Option<(u64, u64)> {
    match frame.payload {
        [OPENS, rest @ ..] if rest.len() == 16 => {
            Some((u64::from_le_bytes(number(rest, 0)?), u64::from_le_bytes(number(rest, 8)?)))
        }
        _ => None,
    }
}

/// What a walk through the bytes of a segment found.
#[derive(Debug, Default)]
struct Walk {
    /// The payloads of its batches, and their revisions.
    batches: Vec<(u64, std::ops::Range<usize>)>,
    /// Where the last frame begins.
    last_at: usize,
    used: usize,
    salt: Option<u64>,
}

impl Walk {
    fn last_revision(&self) -> u64 {
        self.batches.last().map_or(0, |(revision, _)| *revision)
    }
}

/// Reads the frames of a segment up to where they end.
fn walk(bytes: &[u8], id: u64) -> Walk {
    let mut walk = Walk::default();
    while let Some(frame) = bytes.get(walk.used..).and_then(read_frame) {
        match (opened_by(&frame), walk.salt) {
            (Some((of, _)), None) if of == id => {}
            (Some((of, before)), Some(salt)) if of == id && before == salt => {}
            (None, Some(salt)) if frame.salt == salt && frame.revision > walk.last_revision() => {
                let batch = walk.used + HEADER + 1..walk.used + frame.len();
                walk.batches.push((frame.revision, batch));
            }
            _ => break,
        }
        walk.salt = Some(frame.salt);
        walk.last_at = walk.used;
        walk.used += frame.len();
    }
    walk
}

/// The frame that opens a segment or goes on in one.
fn opening(id: u64, salt: u64, revision: u64, before: u64) -> Vec<u8> {
    let mut frame = Vec::with_capacity(OPENING);
    write_frame(&mut frame, salt, revision, OPENS, &[&id.to_le_bytes(), &before.to_le_bytes()]);
    frame
}

/// Whether a good frame of this salt, or one that goes on after it, is anywhere in `bytes`, with a later revision.
fn has_later_frame(bytes: &[u8], salt: u64, revision: u64) -> bool {
    const TO_SALT: usize = CHECKSUM + 4;
    const TO_SALT_BEFORE: usize = HEADER + 1 + 8;
    let needle = salt.to_le_bytes();
    let mut places = (0_usize..).zip(bytes.windows(needle.len())).filter(|(_, at)| *at == needle);
    places.any(|(place, _)| {
        [TO_SALT, TO_SALT_BEFORE].into_iter().any(|distance| {
            let start = place.checked_sub(distance);
            let frame = start.and_then(|start| read_frame(bytes.get(start..)?));
            frame.is_some_and(|frame| frame.revision >= revision)
        })
    })
}

impl Log {
    fn new(file: Box<dyn StorageBackend>, mark: LogMark, salt: u64) -> Self {
        let segments = <[Segment; 2]>::default();
        Self { file, mark, salt, segments, active: 0, opening: Vec::new() }
    }

    /// Begins an empty log, and makes that durable.
    pub(crate) fn begin(
        file: Box<dyn StorageBackend>,
        mark: LogMark,
        salt: u64,
    ) -> Result<Self, StoreError> {
        let mut log = Self::new(file, mark, salt);
        let there = log.file.len()?;
        for (start, segment) in [0, mark.segment_bytes].into_iter().zip(&mut log.segments) {
            segment.allocated = there.saturating_sub(start).min(mark.segment_bytes);
        }
        log.reserve(OPENING as u64)?;
        log.write(&opening(mark.id, salt, 0, 0))?;
        Ok(log)
    }

    /// Opens a log that is needed; calls `visit` with the revision and the bytes of every batch in it, in order. All
    /// of it is durable when this returns.
    pub(crate) fn recover(
        file: Box<dyn StorageBackend>,
        mark: LogMark,
        salt: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let mut log = Self::new(file, mark, salt);
        let bytes = [log.read_segment(0)?, log.read_segment(1)?];
        let walks = bytes.each_ref().map(|bytes| walk(bytes, mark.id));
        if walks.iter().all(|walk| walk.salt.is_none()) {
            let what = "its log, which holds what is not in it yet, is missing or another store's";
            return Err(StoreError::damaged(what));
        }
        let newest = walks.iter().map(Walk::last_revision).max().unwrap_or(0);
        let mut in_turn: Vec<_> = (0..).zip(walks.iter().zip(&bytes)).collect();
        in_turn.sort_by_key(|(_, (walk, _))| (walk.last_revision(), walk.salt.is_some()));
        for &(index, (walk, bytes)) in &in_turn {
            let behind = bytes.get(walk.used..).unwrap_or_default();
            if walk.salt.is_some_and(|salt| has_later_frame(behind, salt, newest + 1)) {
                return Err(StoreError::damaged("its log is broken before the end"));
            }
            for (revision, at) in &walk.batches {
                visit(*revision, bytes.get(at.clone()).unwrap_or_default())?;
            }
            if let Some(segment) = log.segments.get_mut(index) {
                segment.used = walk.used as u64;
                segment.allocated = bytes.len() as u64;
                segment.last_revision = walk.last_revision();
            }
            log.active = index;
        }
        if let Some((_, (walk, bytes))) = in_turn.last() {
            log.go_on(walk, bytes)?;
        }
        Ok(log)
    }

    /// Makes durable what is last, and goes on behind it with a new salt.
    fn go_on(&mut self, walk: &Walk, bytes: &[u8]) -> Result<(), StoreError> {
        // What was read may not be on the disk yet, even if a sync of it failed: only written anew it is sure to be.
        let last = bytes.get(walk.last_at..walk.used).unwrap_or_default();
        self.write_at(walk.last_at as u64, last)?;
        self.file.sync_data()?;
        let opening =
            opening(self.mark.id, self.salt, walk.last_revision(), walk.salt.unwrap_or(0));
        let used = walk.used as u64;
        if used + OPENING as u64 > self.mark.segment_bytes {
            // Nothing else fits either: the next frame goes into the other segment.
            return Ok(());
        }
        self.reserve(OPENING as u64)?;
        self.write(&opening)
    }

    /// Where a batch of so many bytes would go, while the last two checkpoints both cover `covered`.
    pub(crate) fn room(&self, batch: usize, covered: u64) -> Room {
        let frame = (HEADER + 1 + batch) as u64;
        let here = self.segment().used + self.opening.len() as u64 + frame;
        if here <= self.mark.segment_bytes {
            Room::Here
        } else if OPENING as u64 + frame > self.mark.segment_bytes {
            Room::Never
        } else if self.other().last_revision <= covered {
            Room::AfterTurn
        } else {
            Room::Blocked
        }
    }

    /// Turns to the other segment, whose frames are not needed any more. Returns the number of the first change that
    /// is in the segment before.
    pub(crate) fn turn(&mut self, salt: u64, next_seq: u64) -> u64 {
        let before = *self.segment();
        self.active = 1 - self.active;
        self.salt = salt;
        self.opening = opening(self.mark.id, salt, before.last_revision, 0);
        let segment = self.segment_mut();
        *segment = Segment { used: 0, last_revision: 0, first_seq: next_seq, ..*segment };
        before.first_seq
    }

    /// Makes sure that there is room for a batch of so many bytes. Where this fails nothing has happened.
    pub(crate) fn reserve_for(&mut self, batch: usize) -> Result<(), StoreError> {
        self.reserve((self.opening.len() + HEADER + 1 + batch) as u64)
    }

    /// Appends a batch; it is durable when this returns. Where this fails the log must be recovered.
    pub(crate) fn append(&mut self, revision: u64, batch: &[u8]) -> Result<(), StoreError> {
        let mut bytes = std::mem::take(&mut self.opening);
        write_frame(&mut bytes, self.salt, revision, BATCH, &[batch]);
        self.write(&bytes)?;
        self.segment_mut().last_revision = revision;
        Ok(())
    }

    fn segment(&self) -> &Segment {
        let [first, second] = &self.segments;
        if self.active == 0 { first } else { second }
    }

    fn segment_mut(&mut self) -> &mut Segment {
        let [first, second] = &mut self.segments;
        if self.active == 0 { first } else { second }
    }

    fn other(&self) -> &Segment {
        let [first, second] = &self.segments;
        if self.active == 0 { second } else { first }
    }

    /// Where the segment at hand begins in the file.
    fn start(&self) -> u64 {
        if self.active == 0 { 0 } else { self.mark.segment_bytes }
    }

    fn read_segment(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        let start = index * self.mark.segment_bytes;
        let there = self.file.len()?.saturating_sub(start).min(self.mark.segment_bytes);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
        if !bytes.is_empty() {
            self.file.read(start, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Grows the segment by zeros where so many more bytes would not fit.
    fn reserve(&mut self, bytes: u64) -> Result<(), StoreError> {
        let Segment { used, allocated, .. } = *self.segment();
        if used + bytes <= allocated {
            return Ok(());
        }
        let target = (used + bytes).next_multiple_of(GROWTH).min(self.mark.segment_bytes);
        let end = self.start() + target;
        if self.file.len()? < end {
            self.file.set_len(end)?;
        }
        let zeros = vec![0; usize::try_from(target - allocated).unwrap_or(0)];
        self.write_at(allocated, &zeros)?;
        self.segment_mut().allocated = target;
        Ok(())
    }

    /// Writes behind what is there, durably.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.write_at(self.segment().used, bytes)?;
        self.file.sync_data()?;
        self.segment_mut().used += bytes.len() as u64;
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if !bytes.is_empty() {
            self.file.write(self.start() + at, bytes)?;
        }
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.file.close().ok();
    }
}
