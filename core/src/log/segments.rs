//! [`SegmentLog`], a log in a file: frames, one after the other, in two segments.
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
//! pass for a frame. What an earlier life of the segment left behind has another salt, so it cannot either. The first
//! salt is random and each further one follows from the one before: that a frame with a new salt is missing, though
//! others of that salt are there, can be told.
//!
//! The segments lie one behind the other and are used in turn. There is one frame in flight at most, so a torn one is
//! the end; a good one behind a bad one is damage.

use super::{LogMark, Room};
use crate::StoreError;
use redb::StorageBackend;
use xxhash_rust::xxh3::xxh3_64;

const CHECKSUM: usize = 8;
pub(super) const HEADER: usize = CHECKSUM + 4 + 8 + 8;
const OPENS: u8 = 0;
pub(super) const BATCH: u8 = 1;
/// Length of the frame that opens a segment.
pub(super) const OPENING: usize = HEADER + 1 + 8 + 8;
/// A segment grows by so many zero bytes: what is written over is written faster than what makes a file longer.
pub(super) const GROWTH: u64 = 128 << 10;

/// An open log.
#[derive(Debug)]
pub(crate) struct SegmentLog {
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

pub(super) struct Frame<'a> {
    pub(super) salt: u64,
    pub(super) revision: u64,
    pub(super) payload: &'a [u8],
}

impl Frame<'_> {
    pub(super) fn len(&self) -> usize {
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
pub(super) fn read_frame(bytes: &[u8]) -> Option<Frame<'_>> {
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
pub(super) fn opened_by(frame: &Frame<'_>) -> Option<(u64, u64)> {
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
    /// The last batch before this segment or before an opening of the log, as the frames tell that open and go on.
    told: u64,
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
            (Some((of, _)), None) if of == id => walk.told = frame.revision,
            (Some((of, before)), Some(salt)) if of == id && before == salt => {
                walk.told = walk.told.max(frame.revision);
            }
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

/// The salt that comes after `before`, with a frame at this place in the file.
pub(super) fn next_salt(id: u64, before: u64, place: u64) -> u64 {
    xxh3_64([id, before, place].map(u64::to_le_bytes).as_flattened())
}

/// Whether a good frame of this salt, or one that goes on after it, is anywhere in `bytes`, and not older than the
/// batch of this revision would be.
fn has_later_frame(bytes: &[u8], salt: u64, revision: u64) -> bool {
    const TO_SALT: usize = CHECKSUM + 4;
    const TO_SALT_BEFORE: usize = HEADER + 1 + 8;
    let needle = salt.to_le_bytes();
    let mut places = (0_usize..).zip(bytes.windows(needle.len())).filter(|(_, at)| *at == needle);
    places.any(|(place, _)| {
        [TO_SALT, TO_SALT_BEFORE].into_iter().any(|distance| {
            let start = place.checked_sub(distance);
            let frame = start.and_then(|start| read_frame(bytes.get(start..)?));
            frame.is_some_and(|frame| {
                // A frame that opens has the revision of the batch before it.
                let opens = opened_by(&frame).is_some();
                let batch = frame.revision.saturating_add(opens.into());
                batch >= revision
            })
        })
    })
}

impl SegmentLog {
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
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let mut log = Self::new(file, mark, 0);
        let bytes = [log.read_segment(0)?, log.read_segment(1)?];
        let walks = bytes.each_ref().map(|bytes| walk(bytes, mark.id));
        if walks.iter().all(|walk| walk.salt.is_none()) {
            let what = "its log, which holds what is not in it yet, is missing or another store's";
            return Err(StoreError::damaged(what));
        }
        let newest = walks.iter().map(Walk::last_revision).max().unwrap_or(0);
        if walks.iter().any(|walk| walk.told > newest) {
            let what = "its log is broken: a batch that was before others is missing";
            return Err(StoreError::damaged(what));
        }
        let mut in_turn: Vec<_> = (0..).zip(walks.iter().zip(&bytes)).collect();
        in_turn.sort_by_key(|(_, (walk, _))| (walk.last_revision(), walk.salt.is_some()));
        let newest_salt = in_turn.iter().rev().find_map(|(_, (walk, _))| walk.salt);
        for &(index, (walk, bytes)) in &in_turn {
            let behind = bytes.get(walk.used..).unwrap_or_default();
            let start = log.start_of(index);
            let end = start + walk.used as u64;
            // Of the segment's own salt, of the one that would come next here, and of a turn's to this segment.
            let next = walk.salt.map(|before| next_salt(mark.id, before, end));
            let turned = newest_salt.map(|before| next_salt(mark.id, before, start));
            let mut salts = [walk.salt, next, turned].into_iter().flatten();
            if salts.any(|salt| has_later_frame(behind, salt, newest.saturating_add(1))) {
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
        let before = walk.salt.unwrap_or_default();
        self.salt = before;
        let used = walk.used as u64;
        if used + OPENING as u64 > self.mark.segment_bytes {
            // Nothing else fits either: the next frame goes into the other segment.
            return Ok(());
        }
        self.salt = next_salt(self.mark.id, before, self.start() + used);
        let opening = opening(self.mark.id, self.salt, walk.last_revision(), before);
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
    pub(crate) fn turn(&mut self, next_seq: u64) -> u64 {
        let before = *self.segment();
        self.active = 1 - self.active;
        self.salt = next_salt(self.mark.id, self.salt, self.start());
        self.opening = opening(self.mark.id, self.salt, before.last_revision, 0);
        let segment = self.segment_mut();
        *segment = Segment { used: 0, last_revision: 0, first_seq: next_seq, ..*segment };
        before.first_seq
    }

    /// Makes sure that there is room for a batch of so many bytes. Where this fails nothing has happened.
    pub(crate) fn reserve_for(&mut self, batch: usize) -> Result<(), StoreError> {
        self.reserve((self.opening.len() + HEADER + 1 + batch) as u64)
    }

    /// Appends a batch; it is durable when this returns. Where this fails the log must be recovered. Returns whether
    /// it is time for a checkpoint: twice in every segment, so that two are done by the time it is needed again.
    pub(crate) fn append(&mut self, revision: u64, batch: &[u8]) -> Result<bool, StoreError> {
        let mut bytes = std::mem::take(&mut self.opening);
        write_frame(&mut bytes, self.salt, revision, BATCH, &[batch]);
        let before = self.segment().used;
        self.write(&bytes)?;
        self.segment_mut().last_revision = revision;
        let half = self.mark.segment_bytes / 2;
        Ok(before == 0 || (before < half && self.segment().used >= half))
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
        self.start_of(self.active)
    }

    fn start_of(&self, segment: usize) -> u64 {
        if segment == 0 { 0 } else { self.mark.segment_bytes }
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

impl Drop for SegmentLog {
    fn drop(&mut self) {
        self.file.close().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, fixtures};

    const MARK: LogMark = LogMark { id: 0x0123_4567_89ab_cdef, segment_bytes: 4096 };

    type Batches = Vec<(u64, Vec<u8>)>;

    /// Of places in a log that are all looked at, those that are: miri takes a second for each.
    const STEP: usize = if cfg!(miri) { 97 } else { 1 };

    fn begin(file: &MemoryStorage, salt: u64) -> SegmentLog {
        SegmentLog::begin(Box::new(file.clone()), MARK, salt).unwrap()
    }

    fn recover(file: &MemoryStorage) -> Result<(SegmentLog, Batches), StoreError> {
        let mut batches = Vec::new();
        let log = SegmentLog::recover(Box::new(file.clone()), MARK, |revision, bytes| {
            batches.push((revision, bytes.to_vec()));
            Ok(())
        })?;
        Ok((log, batches))
    }

    /// What is in the log, once for each of two recoveries.
    #[track_caller]
    fn recovered(bytes: &[u8]) -> Batches {
        let file = MemoryStorage::from(bytes.to_vec());
        let (_, once) = recover(&file).unwrap();
        let (_, again) = recover(&file).unwrap();
        assert_eq!(once, again, "the second recovery finds what the first one did");
        once
    }

    /// What the batch of this revision is here.
    fn batch(revision: u64) -> Vec<u8> {
        let length = 20 + usize::try_from(revision * 37 % 90).unwrap();
        (0..length).map(|n| (n as u64 * 7 + revision).to_le_bytes()[0]).collect()
    }

    fn batches(revisions: std::ops::RangeInclusive<u64>) -> Batches {
        revisions.map(|revision| (revision, batch(revision))).collect()
    }

    /// Appends the next batch, wherever it goes; all that is not in the last two segments is covered.
    fn append(log: &mut SegmentLog, revision: u64) -> Room {
        let batch = batch(revision);
        let room = log.room(batch.len(), u64::MAX);
        if room == Room::AfterTurn {
            log.turn(0);
        }
        log.reserve_for(batch.len()).unwrap();
        log.append(revision, &batch).unwrap();
        room
    }

    /// Bytes that were written, without the zeros after them.
    fn written(bytes: &[u8]) -> &[u8] {
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        &bytes[..end]
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn a_frame_is_these_bytes() {
        let mut frame = Vec::new();
        write_frame(&mut frame, 0x1122_3344_5566_7788, 7, BATCH, &[b"he", b"llo"]);
        let mut golden = vec![6, 0, 0, 0];
        golden.extend([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
        golden.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        golden.extend(b"\x01hello");
        assert_eq!(frame[8..], golden);
        assert_eq!(frame[..8], GOLDEN_CHECKSUM);
        let mut opens = Vec::new();
        opens.extend(opening(MARK.id, 5, 9, 4));
        assert_eq!(opens.len(), OPENING);
        let mut golden = vec![17, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        golden.extend([0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 4, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(opens[8..], golden);
    }

    #[test]
    fn frames_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("opening") {
            let (salt, revision) = (fixture.number("salt"), fixture.number("revision"));
            let (id, before) = (fixture.number("log_id"), fixture.number("salt_before"));
            assert_eq!(opening(id, salt, revision, before), fixture.bytes, "{}", fixture.name);
            let frame = read_frame(&fixture.bytes).unwrap();
            assert_eq!((frame.salt, frame.revision), (salt, revision));
            assert_eq!(opened_by(&frame), Some((id, before)));
        }
        for fixture in fixtures::of_kind("frame") {
            let (salt, revision) = (fixture.number("salt"), fixture.number("revision"));
            let batch = fixtures::named("batch", fixture.text("batch")).bytes;
            let mut frame = Vec::new();
            write_frame(&mut frame, salt, revision, BATCH, &[&batch]);
            assert_eq!(frame, fixture.bytes, "{}", fixture.name);
            let frame = read_frame(&fixture.bytes).unwrap();
            assert_eq!((frame.salt, frame.revision), (salt, revision));
            assert_eq!(frame.payload, [&[BATCH], &*batch].concat());
        }
        for fixture in fixtures::of_kind("salt") {
            let (id, before) = (fixture.number("log_id"), fixture.number("salt_before"));
            assert_eq!(next_salt(id, before, fixture.number("place")), fixture.number("salt"));
        }
    }

    const GOLDEN_CHECKSUM: [u8; 8] = [167, 243, 107, 190, 117, 252, 175, 31];

    #[test]
    fn frames_are_read_as_they_were_written_and_not_otherwise() {
        for length in [0, 1, 7, 64, 1000, if cfg!(miri) { 1001 } else { 70_000 }] {
            let payload = vec![0xa5; length];
            let mut bytes = Vec::new();
            write_frame(&mut bytes, 77, 3, BATCH, &[&payload]);
            let frame = read_frame(&bytes).unwrap();
            assert_eq!((frame.salt, frame.revision, frame.len()), (77, 3, bytes.len()));
            assert_eq!(frame.payload, [&[BATCH], payload.as_slice()].concat());
            assert!(read_frame(&bytes[..bytes.len() - 1]).is_none());
            for at in (0..bytes.len()).step_by(length / 50 + STEP) {
                let mut other = bytes.clone();
                other[at] ^= 0x10;
                assert!(read_frame(&other).is_none(), "byte {at} of {length}");
            }
        }
        assert!(read_frame(&[0; 4096]).is_none(), "zeros are no frame");
    }

    #[test]
    fn all_batches_come_back_in_order_across_segments_and_recoveries() {
        let file = MemoryStorage::default();
        let mut log = begin(&file, 1);
        let mut turns = 0;
        for revision in 1..=if cfg!(miri) { 180 } else { 300 } {
            turns += u64::from(append(&mut log, revision) == Room::AfterTurn);
            if revision % (10 + STEP as u64) == 0 {
                drop(log);
                let (recovered, found) = recover(&file).unwrap();
                assert!(found.first().is_some_and(|(first, _)| *first <= revision));
                assert_eq!(found, batches(found[0].0..=revision));
                assert!(turns == 0 || found.len() > 20, "a whole segment is kept, and more");
                log = recovered;
            }
        }
        assert!(turns > 3, "{turns}");
        assert_eq!(file.len().unwrap(), 2 * MARK.segment_bytes);
    }

    #[test]
    fn a_torn_tail_is_the_end_at_every_length() {
        for turned in [false, true] {
            let file = MemoryStorage::default();
            let mut log = begin(&file, 1);
            let mut revision = 1;
            while append(&mut log, revision) != Room::AfterTurn && (turned || revision < 5) {
                revision += 1;
            }
            let before = file.to_bytes();
            let first = recovered(&before)[0].0;
            append(&mut log, revision + 1);
            let after = file.to_bytes();
            let start = before.iter().zip(&after).position(|(one, other)| one != other).unwrap();
            let end = start + HEADER + 1 + batch(revision + 1).len();
            for length in (start..=end).step_by(STEP) {
                for rest in [0, 0xff, 0x5a] {
                    let mut torn = before.clone();
                    torn[start..length].copy_from_slice(&after[start..length]);
                    torn[length..end].fill(rest);
                    let last = if torn == after { revision + 1 } else { revision };
                    assert_eq!(recovered(&torn), batches(first..=last), "{length} of {end}");
                    // And it goes on behind it.
                    let file = MemoryStorage::from(torn);
                    let (mut log, _) = recover(&file).unwrap();
                    append(&mut log, last + 1);
                    assert_eq!(recovered(&file.to_bytes()), batches(first..=last + 1));
                }
            }
            // Cut off, where the file had not grown yet.
            for length in [start, start + 1, end - 1] {
                if !turned {
                    assert_eq!(recovered(&after[..length]), batches(first..=revision));
                }
            }
        }
    }

    /// Every byte of what is needed is looked at: a change of it is an error, or changes nothing.
    #[test]
    fn damage_before_the_last_frame_is_an_error() {
        for (revisions, recoveries) in [(20, false), (70, false), (70, true), (200, true)] {
            let file = MemoryStorage::default();
            let mut log = begin(&file, 1);
            let mut last_at = 0;
            for revision in 1..=revisions {
                let before = file.to_bytes();
                append(&mut log, revision);
                let after = file.to_bytes();
                last_at = (0..after.len()).find(|&at| before.get(at) != Some(&after[at])).unwrap();
                if recoveries && revision % 7 == 0 {
                    log = recover(&file).unwrap().0;
                }
            }
            drop(log);
            let good = file.to_bytes();
            let whole = recovered(&good);
            let segment = usize::try_from(MARK.segment_bytes).unwrap();
            let (first, second) = good.split_at(segment.min(good.len()));
            let used = [written(first).len(), written(second).len()];
            let places = (0..used[0]).chain(segment..segment + used[1]);
            let last_end = last_at + HEADER + 1 + batch(revisions).len();
            let mut found = 0;
            let places = places.filter(|at| !(last_at..last_end).contains(at));
            for at in places.step_by(8 * STEP - 7) {
                let mut damaged = good.clone();
                damaged[at] ^= 0x04;
                let file = MemoryStorage::from(damaged);
                match recover(&file) {
                    Err(StoreError::Damaged(_)) => found += 1,
                    Err(error) => panic!("{at}: {error:?}"),
                    // What is missing at the beginning or in the middle, the tables tell.
                    Ok((_, batches)) => {
                        let has_gap = batches.windows(2).any(|two| two[0].0 + 1 != two[1].0);
                        assert!(
                            has_gap || batches.last() == whole.last(),
                            "byte {at} of {}: {:?} is the last of {revisions}",
                            good.len(),
                            batches.last().map(|(revision, _)| revision)
                        );
                    }
                }
            }
            assert!(found > 0, "{revisions}");
        }
    }

    /// The one that was turned to has no batch yet, and says which was the last one before it.
    #[test]
    fn a_segment_that_is_damaged_after_a_turn_that_came_to_nothing_is_told() {
        let file = MemoryStorage::default();
        let mut log = begin(&file, 1);
        let mut revision = 1;
        while append(&mut log, revision) != Room::AfterTurn {
            revision += 1;
        }
        drop(log);
        let mut torn = file.to_bytes();
        let start = usize::try_from(MARK.segment_bytes).unwrap();
        torn[start + OPENING..].fill(0);
        assert_eq!(recovered(&torn), batches(1..=revision - 1));
        for at in 0..OPENING {
            let mut damaged = torn.clone();
            damaged[at] ^= 1;
            let found = recover(&MemoryStorage::from(damaged)).map(|(_, batches)| batches);
            assert!(matches!(found, Err(StoreError::Damaged(_))), "{at}: {found:?}");
        }
    }

    /// A sync that lied took the turn, and not what was written behind it: whoever went on would turn with the same salt.
    #[test]
    fn a_frame_behind_a_turn_that_is_gone_is_told() {
        for turns in [1, 2] {
            let file = MemoryStorage::default();
            let mut log = begin(&file, 1);
            let (mut revision, mut turned) = (0, 0);
            let mut before = Vec::new();
            while turned < turns {
                before = file.to_bytes();
                revision += 1;
                turned += u32::from(append(&mut log, revision) == Room::AfterTurn);
            }
            let start = usize::try_from(log.start()).unwrap();
            let behind = start + usize::try_from(log.segment().used).unwrap();
            append(&mut log, revision + 1);
            drop(log);
            let mut bytes = file.to_bytes();
            before.resize(bytes.len(), 0);
            bytes[start..behind].copy_from_slice(&before[start..behind]);
            let found = recover(&MemoryStorage::from(bytes)).map(|(_, batches)| batches);
            assert!(matches!(found, Err(StoreError::Damaged(_))), "{turns}: {found:?}");
        }
    }

    /// The batch that is torn holds a whole frame of a caller's making, just where the torn one would end.
    #[test]
    fn a_forged_frame_in_a_payload_is_never_replayed() {
        // The salt is 1, but nobody knows that.
        for forged_salt in [0, 2, MARK.id, u64::MAX].into_iter().step_by(STEP) {
            let file = MemoryStorage::default();
            let mut log = begin(&file, 1);
            append(&mut log, 1);
            let before = file.to_bytes();
            let start = written(&before).len();
            let mut forged = Vec::new();
            write_frame(&mut forged, forged_salt, 2, BATCH, &[b"forged"]);
            forged.extend(opening(0, forged_salt, 2, 0));
            write_frame(&mut forged, forged_salt, 3, BATCH, &[b"forged"]);
            log.reserve_for(400).unwrap();
            // So that it stands at the place where the next frame begins, once another was written there.
            for lead in (0..40).step_by(STEP) {
                let mut log = recover(&MemoryStorage::from(before.clone())).unwrap().0;
                let file = MemoryStorage::from(before.clone());
                log.file = Box::new(file.clone());
                log.segment_mut().used = start as u64;
                log.salt = 1;
                let payload = [vec![0; lead], forged.clone(), vec![0; 20]].concat();
                log.append(2, &payload).unwrap();
                let mut torn = file.to_bytes();
                torn[start] ^= 1;
                assert_eq!(recovered(&torn), batches(1..=1));
                // The torn one is overwritten by the frame that goes on, whose end may fall on the forged one.
                let file = MemoryStorage::from(torn);
                drop(recover(&file).unwrap());
                assert_eq!(recovered(&file.to_bytes()), batches(1..=1), "{lead}");
            }
        }
    }

    #[test]
    fn what_an_earlier_life_of_a_segment_left_is_never_replayed() {
        // A whole log of another store under this one's opening frame, aligned frame by frame.
        let other = LogMark { id: 99, ..MARK };
        let file = MemoryStorage::default();
        let mut log = SegmentLog::begin(Box::new(file.clone()), other, 1).unwrap();
        for revision in 1..=if cfg!(miri) { 60 } else { 90 } {
            append(&mut log, revision);
        }
        drop(log);
        let mut log = begin(&file, 2);
        assert_eq!(recovered(&file.to_bytes()), []);
        for revision in 1..=3 {
            append(&mut log, revision);
            assert_eq!(recovered(&file.to_bytes()), batches(1..=revision));
        }
        // Of a store of its own, whose log was begun anew.
        drop(log);
        let mut log = begin(&file, 4);
        assert_eq!(recovered(&file.to_bytes()), []);
        append(&mut log, 4);
        assert_eq!(recovered(&file.to_bytes()), batches(4..=4));
    }

    #[test]
    fn a_log_that_is_not_there_or_not_the_one_is_damage() {
        for bytes in [vec![], vec![0; 10], vec![0; 8192], vec![0xff; 5000]] {
            assert!(matches!(recover(&bytes.into()), Err(StoreError::Damaged(_))));
        }
        let file = MemoryStorage::default();
        drop(SegmentLog::begin(Box::new(file.clone()), LogMark { id: 99, ..MARK }, 1));
        assert!(matches!(recover(&file), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn there_is_room_here_or_after_a_turn_or_after_a_checkpoint_or_never() {
        let file = MemoryStorage::default();
        let mut log = begin(&file, 1);
        let frame = HEADER + 1;
        let segment = usize::try_from(MARK.segment_bytes).unwrap();
        let most = segment - OPENING - frame;
        assert_eq!(log.room(most, 0), Room::Here);
        assert_eq!(log.room(most + 1, u64::MAX), Room::Never);

        log.reserve_for(most).unwrap();
        log.append(1, &vec![1; most]).unwrap();
        // The other segment was never used: nothing in it is needed.
        assert_eq!(log.room(0, 0), Room::AfterTurn);
        assert_eq!(log.turn(10), 0);
        assert_eq!(log.room(most, 0), Room::Here);
        assert_eq!(log.room(most + 1, 0), Room::Never);
        log.reserve_for(most).unwrap();
        log.append(2, &vec![2; most]).unwrap();

        // The first holds batch 1, which both of the last two checkpoints must cover.
        assert_eq!(log.room(1, 0), Room::Blocked);
        assert_eq!(log.room(most + 1, 0), Room::Never);
        assert_eq!(log.room(1, 1), Room::AfterTurn);
        assert_eq!(log.turn(20), 10, "the first change of the segment before");
        log.reserve_for(1).unwrap();
        log.append(3, &[3]).unwrap();
        let found = recovered(&file.to_bytes());
        assert_eq!(found, [(2, vec![2; most]), (3, vec![3])]);
    }

    #[test]
    fn a_turn_that_came_to_nothing_is_taken_again() {
        let file = MemoryStorage::default();
        let mut log = begin(&file, 1);
        let mut revision = 1;
        while log.room(batch(revision).len(), 0) == Room::Here {
            append(&mut log, revision);
            revision += 1;
        }
        // It turned, and then the process ended, or the opening was written and the batch torn.
        log.turn(0);
        drop(log);
        assert_eq!(recovered(&file.to_bytes()), batches(1..=revision - 1));
        let (mut log, _) = recover(&file).unwrap();
        log.turn(0);
        log.reserve_for(100).unwrap();
        let opening = log.opening.clone();
        log.write(&opening).unwrap();
        drop(log);
        assert_eq!(recovered(&file.to_bytes()), batches(1..=revision - 1));
        let (mut log, _) = recover(&file).unwrap();
        append(&mut log, revision);
        append(&mut log, revision + 1);
        assert_eq!(recovered(&file.to_bytes()), batches(1..=revision + 1));
    }

    #[test]
    fn a_recovery_that_is_cut_short_is_begun_again() {
        let file = MemoryStorage::default();
        let mut log = begin(&file, 1);
        for revision in 1..=5 {
            append(&mut log, revision);
        }
        drop(log);
        let before = file.to_bytes();
        let end = written(&before).len();
        drop(recover(&file).unwrap());
        let after = file.to_bytes();
        for length in (end..=end + OPENING).step_by(STEP) {
            let mut cut = before.clone();
            cut[end..length].copy_from_slice(&after[end..length]);
            let file = MemoryStorage::from(cut);
            let (mut log, found) = recover(&file).unwrap();
            assert_eq!(found, batches(1..=5));
            append(&mut log, 6);
            assert_eq!(recovered(&file.to_bytes()), batches(1..=6));
        }
    }
}
