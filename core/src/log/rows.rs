//! [`RowLog`], a log in the rows of a host's database: one for each batch, in a ring.
//!
//! The batch of revision *n* is in row *n* modulo the number of rows. A row is:
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | checksum of all that follows: XXH3, 64 bits |
//! | 8 | the log's ID |
//! | 8 | revision |
//! | | the batch |
//!
//! Numbers are little-endian. A row is put whole or not at all, and never without the one before it: so the log ends
//! where a row is missing, older, or another log's, and nothing has to be written to open it.

use super::{LogMark, Room};
use crate::StoreError;
use crate::storage::LogRows;
use xxhash_rust::xxh3::xxh3_64;

const CHECKSUM: usize = 8;
const HEADER: usize = CHECKSUM + 8 + 8;
/// So many rows are read at a time when the log is opened.
const READ_ROWS: u64 = 256;

/// An open log in rows.
#[derive(Debug)]
pub(crate) struct RowLog {
    rows: Box<dyn LogRows>,
    mark: LogMark,
    /// Rows and bytes since it was time for a checkpoint.
    pending_rows: u64,
    pending_bytes: u64,
}

/// What is found where a batch would be.
#[derive(Debug, PartialEq, Eq)]
enum Found<'a> {
    Batch(&'a [u8]),
    /// What was there before: an older batch, or another log's.
    Older,
    Damaged,
}

fn write_row(id: u64, revision: u64, batch: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEADER + batch.len());
    row.extend_from_slice(&[0; CHECKSUM]);
    row.extend_from_slice(&id.to_le_bytes());
    row.extend_from_slice(&revision.to_le_bytes());
    row.extend_from_slice(batch);
    let (checksum, covered) = row.split_at_mut(CHECKSUM);
    checksum.copy_from_slice(&xxh3_64(covered).to_le_bytes());
    row
}

fn read_row(row: &[u8], id: u64, revision: u64) -> Found<'_> {
    let parts = row.split_first_chunk().and_then(|(checksum, covered)| {
        let (of, rest) = covered.split_first_chunk()?;
        let (at, batch) = rest.split_first_chunk()?;
        Some(([checksum, of, at].map(|bytes: &[u8; 8]| u64::from_le_bytes(*bytes)), covered, batch))
    });
    match parts {
        Some(([checksum, ..], covered, _)) if xxh3_64(covered) != checksum => Found::Damaged,
        Some(([_, of, at], _, batch)) if of == id && at == revision => Found::Batch(batch),
        Some(([_, of, at], ..)) if of != id || at < revision => Found::Older,
        _ => Found::Damaged,
    }
}

impl RowLog {
    /// A log without batches.
    pub(crate) fn new(rows: Box<dyn LogRows>, mark: LogMark) -> Self {
        Self { rows, mark, pending_rows: 0, pending_bytes: 0 }
    }

    /// Opens a log that has what comes after the batch of revision `covered`; calls `visit` with every such batch.
    pub(crate) fn recover(
        rows: Box<dyn LogRows>,
        mark: LogMark,
        covered: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let mut log = Self::new(rows, mark);
        let mut revision = covered + 1;
        loop {
            let place = log.place_of(revision);
            let wanted = READ_ROWS.min(log.rows.count() - place);
            let read = log.rows.read(place, wanted)?;
            for row in &read {
                match read_row(row, mark.id, revision) {
                    Found::Batch(batch) => visit(revision, batch)?,
                    Found::Older => return Ok(log),
                    Found::Damaged => {
                        return Err(StoreError::damaged("a row of its log is not as it was put"));
                    }
                }
                log.count_in(row.len());
                revision += 1;
            }
            if (read.len() as u64) < wanted {
                return Ok(log);
            }
        }
    }

    pub(crate) fn room(&self, revision: u64, batch: usize, covered: u64) -> Room {
        if HEADER + batch > self.rows.row_bytes_max() {
            Room::Never
        } else if revision > covered + self.rows.count() {
            Room::Blocked
        } else {
            Room::Here
        }
    }

    pub(crate) fn append(&mut self, revision: u64, batch: &[u8]) -> Result<bool, StoreError> {
        let row = write_row(self.mark.id, revision, batch);
        self.rows.put(self.place_of(revision), &row)?;
        self.count_in(row.len());
        let is_due = self.is_due();
        if is_due {
            (self.pending_rows, self.pending_bytes) = (0, 0);
        }
        Ok(is_due)
    }

    /// Whether a quarter of the rows, or of the bytes that a log may have, was put since it was time last.
    pub(crate) fn is_due(&self) -> bool {
        self.pending_rows >= self.rows.count() / 4
            || self.pending_bytes >= self.mark.segment_bytes / 2
    }

    fn count_in(&mut self, row: usize) {
        self.pending_rows += 1;
        self.pending_bytes += row as u64;
    }

    fn place_of(&self, revision: u64) -> u64 {
        revision % self.rows.count().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::{Arc, Mutex};

    const MARK: LogMark = LogMark { id: 7, segment_bytes: 1 << 20 };

    type Kept = Arc<Mutex<BTreeMap<u64, Vec<u8>>>>;

    /// Rows in memory; how many there may be.
    #[derive(Debug)]
    struct Ring(Kept, u64);

    impl LogRows for Ring {
        fn count(&self) -> u64 {
            self.1
        }

        fn row_bytes_max(&self) -> usize {
            1000
        }

        fn put(&self, place: u64, row: &[u8]) -> io::Result<()> {
            assert!(place < self.1);
            self.0.lock().unwrap().insert(place, row.to_vec());
            Ok(())
        }

        fn read(&self, first: u64, count: u64) -> io::Result<Vec<Vec<u8>>> {
            let rows = self.0.lock().unwrap();
            Ok((first..first + count).map_while(|place| rows.get(&place).cloned()).collect())
        }
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn rows_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("row") {
            let (id, revision) = (fixture.number("log_id"), fixture.number("revision"));
            let batch = fixtures::named("batch", fixture.text("batch")).bytes;
            assert_eq!(write_row(id, revision, &batch), fixture.bytes, "{}", fixture.name);
            assert_eq!(read_row(&fixture.bytes, id, revision), Found::Batch(&batch));
        }
    }

    fn batch(revision: u64) -> Vec<u8> {
        vec![u8::try_from(revision % 251).unwrap(); usize::try_from(revision % 40).unwrap()]
    }

    fn recovered(kept: &Kept, count: u64, covered: u64) -> Result<Vec<u64>, StoreError> {
        let mut found = Vec::new();
        let rows = Box::new(Ring(Arc::clone(kept), count));
        RowLog::recover(rows, MARK, covered, |revision, bytes| {
            assert_eq!(bytes, batch(revision));
            found.push(revision);
            Ok(())
        })?;
        Ok(found)
    }

    fn fill(count: u64, to: u64) -> Kept {
        let kept = Kept::default();
        let mut log = RowLog::new(Box::new(Ring(Arc::clone(&kept), count)), MARK);
        for revision in 1..=to {
            log.append(revision, &batch(revision)).unwrap();
        }
        kept
    }

    #[test]
    fn what_comes_after_the_tables_is_found_wherever_the_ring_is() {
        // Miri takes minutes for a long one.
        let long = if cfg!(miri) { (70, 60, 1) } else { (1000, 900, 1) };
        for (count, to, covered) in
            [(8, 0, 0), (8, 5, 0), (8, 5, 5), (8, 8, 0), (8, 23, 15), (8, 23, 20), long]
        {
            let found = recovered(&fill(count, to), count, covered).unwrap();
            assert_eq!(found, (covered + 1..=to).collect::<Vec<_>>(), "{count} {to} {covered}");
        }
    }

    #[test]
    fn a_row_is_put_over_another_only_when_that_is_covered() {
        let log = RowLog::new(Box::new(Ring(Kept::default(), 8)), MARK);
        assert_eq!(log.room(8, 10, 0), Room::Here);
        assert_eq!(log.room(9, 10, 0), Room::Blocked);
        assert_eq!(log.room(9, 10, 1), Room::Here);
        assert_eq!(log.room(9, 1000 - HEADER, 1), Room::Here);
        assert_eq!(log.room(9, 1001 - HEADER, 1), Room::Never);
    }

    #[test]
    fn a_checkpoint_is_due_at_every_quarter_of_the_rows_and_after_many_bytes() {
        let due = |count, bytes: usize| {
            let mut log = RowLog::new(
                Box::new(Ring(Kept::default(), count)),
                LogMark { id: 7, segment_bytes: 200 },
            );
            let mut due = Vec::new();
            for revision in 1..=10 {
                if log.append(revision, &vec![0; bytes]).unwrap() {
                    due.push(revision);
                }
            }
            due
        };
        assert_eq!(due(16, 0), [4, 8]);
        assert_eq!(due(4000, 10), [3, 6, 9], "34 bytes with its header");
        let log = RowLog::recover(Box::new(Ring(fill(8, 7), 8)), MARK, 5, |_, _| Ok(())).unwrap();
        assert!(log.is_due(), "two of eight were there");
        let log = RowLog::recover(Box::new(Ring(fill(8, 6), 8)), MARK, 5, |_, _| Ok(())).unwrap();
        assert!(!log.is_due());
    }

    #[test]
    fn rows_of_another_log_are_none_and_damaged_ones_are_told() {
        let kept = fill(8, 5);
        let other = LogMark { id: 8, ..MARK };
        let rows = Box::new(Ring(Arc::clone(&kept), 8));
        RowLog::recover(rows, other, 0, |_, _| panic!("it has none")).unwrap();
        for byte in 0..HEADER {
            let kept = fill(8, 5);
            kept.lock().unwrap().get_mut(&3).unwrap()[byte] ^= 1;
            assert!(matches!(recovered(&kept, 8, 0), Err(StoreError::Damaged(_))), "{byte}");
            assert_eq!(recovered(&kept, 8, 3).unwrap(), [4, 5]);
        }
        let kept = fill(8, 5);
        let newer = kept.lock().unwrap().get(&5).cloned().unwrap();
        kept.lock().unwrap().insert(3, newer);
        assert!(matches!(recovered(&kept, 8, 0), Err(StoreError::Damaged(_))), "one is missing");
    }
}
