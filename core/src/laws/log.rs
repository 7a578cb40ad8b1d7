//! The law of the log: what was appended is found again, whatever became of the file; never anything else.

use crate::log::{Log, LogMark, Room};
use crate::storage::LogStorage;
use crate::{LogRows, MemoryStorage, StoreError};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// So long that every segment takes some frames, and is turned to soon.
const MARK: LogMark = LogMark { id: 0x0123_4567_89ab_cdef, segment_bytes: 1024 };

/// A batch and its revision.
type Batches = Vec<(u64, Vec<u8>)>;

/// Does to a log what `input` says; the first byte says to which: 0 a log in a file that is used and damaged, 1 a file of
/// frames that nobody wrote, 2 a file of these bytes, any other a log in rows that is used and damaged.
pub fn log(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind {
        0 => used_file(bytes),
        1 => foreign_file(frames(bytes)),
        2 => foreign_file(bytes.to_vec()),
        _ => used_rows(bytes),
    }
}

/// Takes bytes off the front, as long as there are any.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(self.byte()?) | usize::from(self.byte()?) << 8)
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

fn storage(file: &MemoryStorage) -> LogStorage {
    LogStorage::File(Box::new(file.clone()))
}

fn recover(file: &MemoryStorage) -> Result<(Log, Batches), StoreError> {
    let mut batches = Batches::new();
    let log = Log::recover(storage(file), MARK, 0, |revision, bytes| {
        batches.push((revision, bytes.to_vec()));
        Ok(())
    })?;
    Ok((log, batches))
}

/// A log that nobody wrote is opened or is damage. If it is opened it is so again, with the same batches, and goes on; or
/// frames that nobody could have written are in the way of that, which is told.
fn foreign_file(mut bytes: Vec<u8>) {
    bytes.truncate(2 * 1024);
    let file = MemoryStorage::from(bytes);
    let (log, batches) = match recover(&file) {
        Ok(found) => found,
        Err(StoreError::Damaged(_)) => return,
        Err(error) => panic!("{error:?}"),
    };
    drop(log);
    let (mut log, again) = match recover(&file) {
        Ok(found) => found,
        Err(StoreError::Damaged(_)) => return,
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(again, batches, "the second recovery finds what the first one did");
    let newest = batches.iter().map(|(revision, _)| *revision).max().unwrap_or(0);
    let Some(next) = newest.checked_add(1) else { return };
    if log.room(next, 3, [u64::MAX; 2]) == Room::AfterTurn {
        log.turn(0);
    }
    log.reserve_for(3).expect("memory is there");
    log.append(next, b"new").expect("memory is there");
    drop(log);
    let Ok((_, found)) = recover(&file) else { return };
    assert_eq!(found.last(), Some(&(next, b"new".to_vec())), "it goes on");
}

/// A file of frames that `script` describes, with checksums that are right: for each a byte of flags, a revision, a
/// length and the payload.
fn frames(script: &[u8]) -> Vec<u8> {
    let mut script = Script(script);
    let mut file = Vec::new();
    let mut salt: u64 = 1;
    while let Some(flags) = script.byte() {
        let before = salt;
        // Another salt: any, or the one that comes next at this place.
        if flags & 1 != 0 {
            salt = u64::from(script.byte().unwrap_or(0));
        } else if flags & 2 != 0 {
            let place = file.len() as u64;
            salt = xxh3_64([MARK.id, salt, place].map(u64::to_le_bytes).as_flattened());
        }
        let revision = u64::from(script.byte().unwrap_or(0));
        let payload = if flags & 4 == 0 {
            let length = usize::from(script.byte().unwrap_or(0));
            [&[1], script.bytes(length)].concat()
        } else {
            [[0].as_slice(), &MARK.id.to_le_bytes(), &before.to_le_bytes()].concat()
        };
        let mut covered = u32::try_from(payload.len()).expect("it is short").to_le_bytes().to_vec();
        covered.extend(salt.to_le_bytes());
        covered.extend(revision.to_le_bytes());
        covered.extend(payload);
        let mut checksum = xxh3_64(&covered);
        if flags & 8 != 0 {
            checksum ^= 1;
        }
        file.extend(checksum.to_le_bytes());
        file.extend(covered);
        if flags & 16 != 0 {
            // To the start of the other segment.
            file.resize(1024.max(file.len()), 0);
        }
    }
    file
}

/// What was appended to a log, and to which of its bytes that made a difference.
struct Used {
    file: MemoryStorage,
    log: Option<Log>,
    appended: BTreeMap<u64, Vec<u8>>,
    /// With which batch each segment began.
    turns: Vec<u64>,
    next: u64,
    /// The file before the last append.
    before: Vec<u8>,
}

/// Appends, opens again, tears the last frame and damages bytes, as `script` says. Without damage every batch that is
/// needed is found; with it, those that are found are as they were appended, and nothing that is missing goes unnoticed.
fn used_file(script: &[u8]) {
    // Nobody who chooses the batches knows the salt.
    let salt = xxh3_64(script);
    let mut script = Script(script);
    let file = MemoryStorage::default();
    let log = Log::begin(storage(&file), MARK, salt).expect("memory is there");
    let before = file.to_bytes();
    let mut used =
        Used { file, log: Some(log), appended: BTreeMap::new(), turns: vec![1], next: 1, before };
    while let Some(act) = script.byte() {
        match act {
            0..=199 => {
                let length = usize::from(act) * 2;
                used.append(script.bytes(length));
            }
            200..=219 => used.reopen(),
            220..=239 => {
                let Some(kept) = script.number() else { return };
                used.tear(kept, script.byte().unwrap_or(0));
            }
            _ => {
                let (Some(at), Some(flip)) = (script.number(), script.byte()) else { return };
                return used.damage(at, flip);
            }
        }
    }
    used.reopen();
}

impl Used {
    fn append(&mut self, batch: &[u8]) {
        let mut log = self.log.take().expect("it is open");
        match log.room(self.next, batch.len(), [u64::MAX; 2]) {
            Room::Here => {}
            Room::AfterTurn => {
                log.turn(0);
                self.turns.push(self.next);
                self.turns.dedup();
            }
            Room::Never => {
                assert!(batch.len() + 100 > 1024, "{} bytes are not much", batch.len());
                self.log = Some(log);
                return;
            }
            Room::Blocked => panic!("everything is covered"),
        }
        self.before = self.file.to_bytes();
        log.reserve_for(batch.len()).expect("memory is there");
        log.append(self.next, batch).expect("memory is there");
        self.appended.insert(self.next, batch.to_vec());
        self.next += 1;
        self.log = Some(log);
    }

    /// Closes the log and opens it: all that is needed is there, up to the last batch.
    fn reopen(&mut self) {
        self.log = None;
        let (log, found) = recover(&self.file).expect("nothing was damaged");
        self.log = Some(log);
        self.assert_is_the_end_of_what_was_appended(&found);
        self.before = self.file.to_bytes();
    }

    fn assert_is_the_end_of_what_was_appended(&self, found: &Batches) {
        let Some((first, _)) = found.first() else {
            assert!(self.appended.is_empty(), "{} were appended", self.appended.len());
            return;
        };
        let expected = self.appended.range(first..).map(|(revision, batch)| (*revision, batch));
        let found = found.iter().map(|(revision, batch)| (*revision, batch));
        assert!(found.eq(expected), "from {first} on it is otherwise");
        let whole = self.turns.iter().rev().nth(1).copied().unwrap_or(1);
        assert!(*first <= whole, "the segment before began with {whole}, and {first} is the first");
    }

    /// Leaves so much of what the last append wrote, and other bytes after it: it is there if it is whole, all before it
    /// is there in any case.
    fn tear(&mut self, kept: usize, rest: u8) {
        self.log = None;
        let mut bytes = self.file.to_bytes();
        let mut before = self.before.clone();
        before.resize(bytes.len(), 0);
        let differs = |at: &usize| bytes.get(*at) != before.get(*at);
        let places: Vec<usize> = (0..bytes.len()).filter(differs).collect();
        let (Some(&start), Some(&end)) = (places.first(), places.last()) else {
            return self.reopen();
        };
        let torn = start + kept % (end - start + 1);
        bytes.get_mut(torn..=end).expect("it is inside").fill(rest);
        let whole = bytes == self.file.to_bytes();
        if !whole {
            self.next -= 1;
            self.appended.remove(&self.next);
        }
        self.file = MemoryStorage::from(bytes);
        self.reopen();
    }

    /// Damages one byte. What is found then is as it was appended, in order.
    fn damage(mut self, at: usize, flip: u8) {
        self.log = None;
        let mut bytes = self.file.to_bytes();
        let at = at % bytes.len();
        *bytes.get_mut(at).expect("it is inside") ^= flip;
        let found = match recover(&MemoryStorage::from(bytes)) {
            Ok((_, found)) => found,
            Err(StoreError::Damaged(_)) if flip != 0 => return,
            Err(error) => panic!("{error:?}"),
        };
        assert!(found.is_sorted_by(|one, other| one.0 < other.0), "in order");
        for (revision, batch) in &found {
            assert_eq!(self.appended.get(revision), Some(batch), "batch {revision}");
        }
        // The last frame that was written may be taken for a torn one, or there is a gap that the tables tell.
        let has_gap =
            found.windows(2).any(|two| matches!(two, [(one, _), (other, _)] if one + 1 != *other));
        let last = found.last().map_or(0, |(revision, _)| *revision);
        assert!(has_gap || last + 2 >= self.next, "{last} is the last of {}", self.next - 1);
    }
}

/// Rows in memory.
#[derive(Debug, Clone, Default)]
struct Ring(Arc<Mutex<BTreeMap<u64, Vec<u8>>>>);

const RING_ROWS: u64 = 8;

impl LogRows for Ring {
    fn count(&self) -> u64 {
        RING_ROWS
    }

    fn row_bytes_max(&self) -> usize {
        1000
    }

    fn put(&self, number: u64, row: &[u8]) -> io::Result<()> {
        assert!(number < RING_ROWS);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, row.to_vec());
        Ok(())
    }

    fn read(&self, first: u64, count: u64) -> io::Result<Vec<Vec<u8>>> {
        assert!(first + count <= RING_ROWS);
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((first..first + count).map_while(|number| rows.get(&number).cloned()).collect())
    }
}

/// Appends to a log in rows, covers some, and damages a byte, as `script` says.
fn used_rows(script: &[u8]) {
    let mut script = Script(script);
    let ring = Ring::default();
    let storage = || LogStorage::Rows(Box::new(ring.clone()));
    let mut log = Log::begin(storage(), MARK, 0).expect("memory is there");
    let mut appended: Batches = Vec::new();
    let mut covered = 0;
    let mut is_damaged = false;
    while let Some(act) = script.byte() {
        let next = appended.len() as u64 + 1;
        match act {
            0..=199 => {
                let batch = script.bytes(act.into()).to_vec();
                if log.room(next, batch.len(), [0, covered]) == Room::Here {
                    log.append(next, &batch).expect("memory is there");
                    appended.push((next, batch));
                }
            }
            200..=239 => covered = (covered + u64::from(act - 199)).min(appended.len() as u64),
            _ => {
                let (Some(row), Some(at), Some(flip)) =
                    (script.byte(), script.number(), script.byte())
                else {
                    break;
                };
                let mut rows = ring.0.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(row) = rows.get_mut(&(u64::from(row) % RING_ROWS)) else { continue };
                let at = at % row.len();
                *row.get_mut(at).expect("it is inside") ^= flip;
                is_damaged |= flip != 0;
                break;
            }
        }
    }
    let mut found = Batches::new();
    let recovered = Log::recover(storage(), MARK, covered, |revision, batch| {
        found.push((revision, batch.to_vec()));
        Ok(())
    });
    let expected = appended.iter().filter(|(revision, _)| *revision > covered);
    match recovered {
        Ok(_) => assert!(found.iter().eq(expected), "after {covered}"),
        Err(StoreError::Damaged(_)) => assert!(is_damaged),
        Err(error) => panic!("{error:?}"),
    }
}
