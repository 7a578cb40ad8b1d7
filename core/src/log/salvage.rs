//! What is whole in a log of segments that may be damaged anywhere: [`Salvage`].
//!
//! Where a log is opened, a frame that is bad ends it. Here every good one counts, also behind bad ones, if it has a salt of
//! this log: callers choose the bytes of a batch, and must not be able to have one of their own taken for a frame. A salt
//! is of this log if a frame that opens says so, whose ID no caller knows; if it follows, at its place, from one that is; or
//! if it is that of the first batch of a segment, where nothing but such a batch is ever written; or if one that is follows from it.

use super::LogMark;
use super::segments::{BATCH, Frame, GROWTH, HEADER, OPENING, next_salt, opened_by, read_frame};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// Where a frame has its salt.
const TO_SALT: usize = HEADER - 16;
/// Where it has its revision.
const TO_REVISION: usize = HEADER - 8;
/// A salt that follows is looked for in so many places behind a good frame, and so many are tried in all.
const GAP_MAX: usize = 64 << 10;
const TRIES_MAX: usize = 1 << 22;

/// The batches that are whole.
#[derive(Debug, Default)]
pub(crate) struct Salvage {
    /// By revision: where the bytes of each batch are.
    pub(crate) batches: BTreeMap<u64, Range<usize>>,
    /// Whether something stands behind the last one that looks like the beginning of a frame: a write that was cut, or
    /// one that is damaged.
    pub(crate) is_torn: bool,
    /// Whether any frame is whole, if only one that opens.
    pub(crate) is_begun: bool,
}

/// A good frame, in the file.
struct Placed {
    place: Range<usize>,
    salt: u64,
    revision: u64,
    is_batch: bool,
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

fn is_batch(frame: &Frame<'_>) -> bool {
    frame.payload.first() == Some(&BATCH)
}

/// Reads all that is whole in `bytes`, the file of a log. Without a mark, which the tables would hold, the log is the one
/// that its first frame names.
pub(crate) fn salvage(bytes: &[u8], mark: Option<LogMark>) -> Salvage {
    let first = read_frame(bytes).as_ref().and_then(opened_by).map(|(id, _)| id);
    let Some(id) = mark.map(|mark| mark.id).or(first) else { return Salvage::default() };
    let second = mark.and_then(|mark| usize::try_from(mark.segment_bytes).ok());
    let starts: Vec<usize> = [0].into_iter().chain(second).collect();
    let mut salts = salts_of(bytes, id);
    let mut frames = frames_of(bytes, &salts);
    let mut followed = HashSet::new();
    loop {
        let known = salts.len();
        followed.extend(salts_that_follow(bytes, id, &salts, &frames, &starts));
        salts.extend(&followed);
        salts.extend(salts_before(bytes, id, &salts, &frames, &starts));
        salts.extend(starts.iter().filter_map(|&start| salt_of_first_batch(bytes, start, &frames)));
        if salts.len() == known {
            break;
        }
        frames = frames_of(bytes, &salts);
    }
    let is_cut = mark.is_some_and(|mark| is_cut(bytes.len() as u64, mark.segment_bytes));
    // A salt that is due where it stands, and nothing whole that has it: the frame it opens for is the last, and bad.
    followed.retain(|salt| frames.iter().all(|frame| frame.salt != *salt));
    let mut salvage = Salvage {
        is_torn: is_cut || !followed.is_empty(),
        is_begun: !frames.is_empty(),
        ..Salvage::default()
    };
    for frame in frames.iter().filter(|frame| frame.is_batch) {
        salvage.batches.insert(frame.revision, frame.place.start + HEADER + 1..frame.place.end);
    }
    if let Some(last) = frames.iter().max_by_key(|frame| (frame.revision, frame.place.end)) {
        let end = last.place.end;
        salvage.is_torn |= u64_at(bytes, end + TO_SALT) == Some(last.salt)
            || u64_at(bytes, end + TO_REVISION) == last.revision.checked_add(1);
    }
    salvage
}

/// The salts of the frames that open this log, wherever they are.
fn salts_of(bytes: &[u8], id: u64) -> BTreeSet<u64> {
    let mut salts = BTreeSet::new();
    let needle = id.to_le_bytes();
    for (place, _) in (0_usize..).zip(bytes.windows(needle.len())).filter(|(_, at)| *at == needle) {
        let frame = place.checked_sub(HEADER + 1).and_then(|start| read_frame(bytes.get(start..)?));
        if let Some(frame) = frame
            && let Some((_, before)) = opened_by(&frame).filter(|(of, _)| *of == id)
        {
            // One that turns to the other segment does not say which salt was before.
            salts.extend([frame.salt, before].into_iter().filter(|&salt| salt != 0));
        }
    }
    salts
}

/// The good frames of these salts, in the order in which they lie.
fn frames_of(bytes: &[u8], salts: &BTreeSet<u64>) -> Vec<Placed> {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(salt) = u64_at(bytes, at + TO_SALT) {
        let frame = salts.contains(&salt).then(|| read_frame(bytes.get(at..)?)).flatten();
        let Some(frame) = frame else {
            at += 1;
            continue;
        };
        let place = at..at + frame.len();
        at = place.end;
        let is_batch = is_batch(&frame);
        frames.push(Placed { place, salt, revision: frame.revision, is_batch });
    }
    frames
}

/// Salts of bytes that no good frame covers, from which a known one follows where a segment begins.
fn salts_before(
    bytes: &[u8],
    id: u64,
    salts: &BTreeSet<u64>,
    frames: &[Placed],
    starts: &[usize],
) -> BTreeSet<u64> {
    let ends = frames.iter().map(|frame| frame.place.end);
    let nexts = frames.iter().map(|frame| frame.place.start).chain([bytes.len()]);
    let places = [0].into_iter().chain(ends).zip(nexts).flat_map(|(end, next)| end..next);
    let found = places.filter_map(|place| u64_at(bytes, place + TO_SALT)).filter(|&salt| salt != 0);
    let leads =
        |salt: u64| starts.iter().any(|&start| salts.contains(&next_salt(id, salt, start as u64)));
    found.filter(|&salt| leads(salt)).collect()
}

/// Salts that follow from a known one at a place where no good frame is, and that something has: a frame that opens may be
/// bad there.
fn salts_that_follow(
    bytes: &[u8],
    id: u64,
    salts: &BTreeSet<u64>,
    frames: &[Placed],
    starts: &[usize],
) -> HashSet<u64> {
    let ends = frames.iter().map(|frame| frame.place.end);
    let nexts = frames.iter().map(|frame| frame.place.start).chain([bytes.len()]);
    let gaps = [0].into_iter().chain(ends).zip(nexts);
    // Behind the last frame there is most often nothing.
    let gaps = gaps.filter(|&(end, next)| {
        next < bytes.len()
            || bytes.get(end..).is_some_and(|rest| rest.iter().any(|&byte| byte != 0))
    });
    let places = gaps.flat_map(|(end, next)| end..next.min(end + GAP_MAX));
    // Where a segment begins one does, whether or not what is there is good.
    let places = starts.iter().copied().chain(places);
    let due: HashMap<u64, usize> = places
        .flat_map(|place| {
            salts.iter().map(move |&before| (next_salt(id, before, place as u64), place))
        })
        .filter(|(salt, _)| !salts.contains(salt))
        .take(TRIES_MAX)
        .collect();
    let mut found = HashSet::new();
    let mut at = 0;
    while let Some(salt) = u64_at(bytes, at + TO_SALT).filter(|_| !due.is_empty()) {
        // Most of a log are zeros.
        let place = if salt == 0 { None } else { due.get(&salt) };
        let is_there =
            |&&place: &&usize| place == at || bytes.get(at..).and_then(read_frame).is_some();
        if place.as_ref().is_some_and(is_there) {
            found.insert(salt);
        }
        at += 1;
    }
    found
}

/// The salt of the first batch of a segment, if the frame that opens it is not whole.
fn salt_of_first_batch(bytes: &[u8], start: usize, frames: &[Placed]) -> Option<u64> {
    let is_taken = frames.iter().any(|frame| frame.place.start == start);
    if is_taken || read_frame(bytes.get(start..)?).is_some() {
        return None;
    }
    let frame = read_frame(bytes.get(start + OPENING..)?).filter(is_batch)?;
    (frame.salt != 0).then_some(frame.salt)
}

/// Whether the file is shorter than it was made: it grows in steps, within either segment.
fn is_cut(length: u64, segment_bytes: u64) -> bool {
    let within = if length > segment_bytes { length - segment_bytes } else { length };
    within != segment_bytes && within % GROWTH != 0
}

#[cfg(test)]
mod tests {
    use super::super::Room;
    use super::super::segments::SegmentLog;
    use super::*;
    use crate::MemoryStorage;
    use xxhash_rust::xxh3::xxh3_64;

    const MARK: LogMark = LogMark { id: 0x0123_4567_89ab_cdef, segment_bytes: 4096 };
    const SALT: u64 = 0x1122_3344_5566_7788;

    fn batch(revision: u64) -> Vec<u8> {
        (0..90).map(|n: u64| (n * 7 + revision * 31).to_le_bytes()[0]).collect()
    }

    fn append(log: &mut SegmentLog, revision: u64, batch: &[u8]) {
        if log.room(batch.len(), u64::MAX) == Room::AfterTurn {
            log.turn(0);
        }
        log.reserve_for(batch.len()).unwrap();
        log.append(revision, batch).unwrap();
    }

    fn logged(count: u64) -> MemoryStorage {
        let file = MemoryStorage::default();
        let mut log = SegmentLog::begin(Box::new(file.clone()), MARK, SALT).unwrap();
        (1..=count).for_each(|revision| append(&mut log, revision, &batch(revision)));
        file
    }

    /// The same after an unclean end, with more behind.
    fn gone_on(file: &MemoryStorage, revisions: std::ops::RangeInclusive<u64>) {
        let mut log = SegmentLog::recover(Box::new(file.clone()), MARK, |_, _| Ok(())).unwrap();
        revisions.for_each(|revision| append(&mut log, revision, &batch(revision)));
    }

    #[track_caller]
    fn revisions(bytes: &[u8], mark: Option<LogMark>) -> Vec<u64> {
        let salvage = salvage(bytes, mark);
        for (revision, place) in &salvage.batches {
            assert_eq!(bytes[place.clone()], batch(*revision), "batch {revision}");
        }
        salvage.batches.into_keys().collect()
    }

    /// One segment, one that was turned to, one that was gone on in, and all of these.
    fn logs() -> Vec<(MemoryStorage, std::ops::RangeInclusive<u64>)> {
        let (gone, all) = (logged(8), logged(50));
        gone_on(&gone, 9..=20);
        gone_on(&all, 51..=55);
        vec![(logged(20), 1..=20), (logged(50), 1..=50), (gone, 1..=20), (all, 1..=55)]
    }

    #[test]
    fn a_sound_log_is_read_whole_with_or_without_its_mark() {
        for (file, all) in logs() {
            let bytes = file.to_bytes();
            assert_eq!(revisions(&bytes, Some(MARK)), all.clone().collect::<Vec<_>>());
            assert_eq!(revisions(&bytes, None), all.collect::<Vec<_>>());
            assert!(!salvage(&bytes, Some(MARK)).is_torn);
            let other = LogMark { id: 7, ..MARK };
            assert_eq!(revisions(&bytes, Some(other)), [0; 0], "another store's");
        }
    }

    #[test]
    fn a_bad_byte_costs_one_batch_wherever_it_is() {
        for (file, all) in logs() {
            let sound = file.to_bytes();
            for at in (0..sound.len()).step_by(11) {
                let mut bytes = sound.clone();
                bytes[at] ^= 0x20;
                let found = revisions(&bytes, Some(MARK));
                assert!(found.len() + 1 >= all.clone().count(), "byte {at}: {found:?}");
                // Told, too: one of those between is missing, or the log ends in something.
                let is_whole = found.len() == all.clone().count();
                let is_told =
                    found.last() == Some(all.end()) || salvage(&bytes, Some(MARK)).is_torn;
                assert!(is_whole || is_told, "byte {at}");
            }
        }
    }

    #[test]
    fn what_is_behind_a_bad_page_is_found() {
        for (file, all) in logs().into_iter().skip(1) {
            let sound = file.to_bytes();
            for start in (0..sound.len() - 300).step_by(50) {
                let mut bytes = sound.clone();
                bytes[start..start + 300].fill(0);
                let found = revisions(&bytes, Some(MARK));
                assert!(found.len() + 5 >= all.clone().count(), "from byte {start}: {found:?}");
            }
        }
    }

    #[test]
    fn a_caller_s_bytes_are_never_taken_for_a_frame() {
        for (salt, id) in [(0x5555_u64, MARK.id + 1), (7, 0)] {
            let mut frame = Vec::new();
            frame.extend(92_u32.to_le_bytes());
            frame.extend(salt.to_le_bytes());
            frame.extend(2_u64.to_le_bytes());
            frame.push(BATCH);
            frame.extend([9; 91]);
            let mut forged = xxh3_64(&frame).to_le_bytes().to_vec();
            forged.extend(frame);
            assert!(read_frame(&forged).is_some());
            let mut opens = 17_u32.to_le_bytes().to_vec();
            for number in [salt, 1, id, SALT] {
                opens.extend(number.to_le_bytes());
                if opens.len() == 20 {
                    opens.push(0);
                }
            }
            let payload = [xxh3_64(&opens).to_le_bytes().as_slice(), &opens, &forged].concat();

            let file = MemoryStorage::default();
            let mut log = SegmentLog::begin(Box::new(file.clone()), MARK, SALT).unwrap();
            append(&mut log, 1, &batch(1));
            append(&mut log, 2, &payload);
            append(&mut log, 3, &batch(3));
            let mut bytes = file.to_bytes();
            bytes[OPENING + HEADER + 91 + 2] ^= 1;
            assert_eq!(revisions(&bytes, Some(MARK)), [1, 3]);
        }
    }
}
