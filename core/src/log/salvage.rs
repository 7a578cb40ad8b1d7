//! What is whole in a log of segments that may be damaged anywhere: [`Salvage`].
//!
//! Where a log is opened, a frame that is bad ends it. Here every good one counts, also behind bad ones, if it has a salt of
//! this log: callers choose the bytes of a batch, and must not be able to have one of their own taken for a frame. A salt
//! is of this log if a frame that opens says so, whose ID no caller knows; if it follows, at its place, from one that is; or
//! if it is that of the first batch of a segment, where nothing but such a batch is ever written.

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
    while let Some(salt) = u64_at(bytes, at + TO_SALT) {
        if let Some(&place) = due.get(&salt).filter(|_| salt != 0) {
            let frame = bytes.get(at..).and_then(read_frame);
            if frame.is_some() || place == at {
                found.insert(salt);
            }
        }
        at += 1;
    }
    found
}

/// The salt of the first batch of a segment, if the frame that opens it is not whole.
fn salt_of_first_batch(bytes: &[u8], start: usize, frames: &[Placed]) -> Option<u64> {
    if frames.iter().any(|frame| frame.place.start == start) {
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
