//! [`Overlay`], the rows written since a checkpoint: sorted, in memory, each version of them for as long as it may be read.
//!
//! One thread writes, any number read, and nobody waits for anybody. A reader passes the revision that it sees: rows
//! of later ones are there already and do not exist for it.

use crate::StoreError;
use crate::rows::{Edited, Effects, Order, Visit};
use crate::tables::{self, PerTable, Table};
use crossbeam_skiplist::SkipMap;
use crossbeam_skiplist::map::Entry;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::OnceLock;
use std::sync::atomic::{self, AtomicU64};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A row that was put, or `None` for one that was removed.
type Value = Option<Box<[u8]>>;

/// The rows of one table.
type Rows = SkipMap<Version, Value>;

/// Rows by table, key and revision.
#[derive(Default)]
pub(crate) struct Overlay {
    rows: PerTable<Rows>,
    touched: Touched,
}

/// Which keys may be here: a bit for each, shared by chance with a few others. Most keys that are looked up are not, and
/// one look tells, where a search takes a dozen.
#[derive(Default)]
struct Touched(OnceLock<Box<[AtomicU64]>>);

impl Touched {
    /// 128 KiB: at a hundred thousand keys one look in ten is in vain.
    const WORDS: usize = 1 << 14;

    /// The word and the bit of a key.
    fn bit(table: Table, key: &[u8]) -> (usize, u64) {
        let hash = xxh3_64_with_seed(key, table as u64);
        let word = (hash >> 6) % Self::WORDS as u64;
        (usize::try_from(word).unwrap_or(0), 1 << (hash & 63))
    }

    /// To be called before the row can be seen: whoever sees it sees this.
    fn add(&self, table: Table, key: &[u8]) {
        let words = self.0.get_or_init(|| (0..Self::WORDS).map(|_| AtomicU64::new(0)).collect());
        let (word, bit) = Self::bit(table, key);
        if let Some(word) = words.get(word) {
            word.fetch_or(bit, atomic::Ordering::Relaxed);
        }
    }

    fn may_have(&self, table: Table, key: &[u8]) -> bool {
        let (word, bit) = Self::bit(table, key);
        let word = self.0.get().and_then(|words| words.get(word));
        word.is_some_and(|word| word.load(atomic::Ordering::Relaxed) & bit != 0)
    }
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = Table::ALL.map(|table| self.rows.of(table).len());
        out.debug_struct("Overlay").field("rows", &rows).finish_non_exhaustive()
    }
}

/// A key as one revision left it. Sorts by key, the newest version first.
struct Version {
    key: Box<[u8]>,
    revision: u64,
}

/// What a [`Version`] is looked up by, without copying the key.
trait Place {
    fn place(&self) -> (&[u8], u64);
}

impl Place for Version {
    fn place(&self) -> (&[u8], u64) {
        (&self.key, self.revision)
    }
}

impl Place for (&[u8], u64) {
    fn place(&self) -> (&[u8], u64) {
        *self
    }
}

fn compare(one: (&[u8], u64), other: (&[u8], u64)) -> Ordering {
    tables::compare(one.0, other.0).then(other.1.cmp(&one.1))
}

impl Ord for dyn Place + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.place(), other.place())
    }
}

impl PartialOrd for dyn Place + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Place + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for dyn Place + '_ {}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.place(), other.place())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Version {}

impl<'a> Borrow<dyn Place + 'a> for Version {
    fn borrow(&self) -> &(dyn Place + 'a) {
        self
    }
}

/// The newest version of a key there can be, which sorts before all of them.
const NEWEST: u64 = u64::MAX;
/// Older than any version: no revision has this number.
const OLDEST: u64 = 0;

impl Overlay {
    /// Adds the effects of the batch that made `revision`. Only one thread at a time may, and nobody sees them yet.
    pub(crate) fn add(&self, effects: Effects, revision: u64) {
        for (table, rows) in effects.into_rows() {
            let map = self.rows.of(table);
            for (key, value) in rows {
                self.touched.add(table, &key);
                let version = Version { key: key.into_boxed_slice(), revision };
                map.insert(version, value.map(Vec::into_boxed_slice));
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        Table::ALL.iter().all(|&table| self.rows.of(table).is_empty())
    }

    /// The row as `revision` sees it, if it was touched since the checkpoint.
    pub(crate) fn get(&self, table: Table, key: &[u8], revision: u64) -> Option<OverlayRow<'_>> {
        if !self.touched.may_have(table, key) {
            return None;
        }
        visible(self.rows.of(table), key, revision).map(OverlayRow)
    }

    /// The rows between `from` and `to` as `revision` sees them.
    pub(crate) fn range(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        order: Order,
        revision: u64,
    ) -> OverlayRange<'_> {
        let map = self.rows.of(table);
        let (start, end) = match order {
            Order::Rising => (first_from(map, from), to),
            Order::Falling => (last_to(map, to), from),
        };
        let end = end.map(<[u8]>::to_vec);
        let mut range = OverlayRange { map, end, order, revision, at: None };
        range.settle(start);
        range
    }
}

impl Edited for Overlay {
    /// The newest version of each.
    fn each(&self, table: Table, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let mut before: Option<Entry<'_, Version, Value>> = None;
        for entry in self.rows.of(table) {
            let is_older = before.is_some_and(|before| before.key().key == entry.key().key);
            if !is_older {
                visit(&entry.key().key, entry.value().as_deref())?;
            }
            before = Some(entry);
        }
        Ok(())
    }
}

/// The version of a key that `revision` sees.
fn visible<'a>(rows: &'a Rows, key: &[u8], revision: u64) -> Option<Entry<'a, Version, Value>> {
    let place: &dyn Place = &(key, revision);
    rows.lower_bound(Bound::Included(place)).filter(|entry| *entry.key().key == *key)
}

fn first_from<'a>(rows: &'a Rows, from: Bound<&[u8]>) -> Option<Entry<'a, Version, Value>> {
    match from {
        Bound::Unbounded => rows.front(),
        Bound::Included(key) => rows.lower_bound::<dyn Place>(Bound::Included(&(key, NEWEST))),
        Bound::Excluded(key) => rows.lower_bound::<dyn Place>(Bound::Excluded(&(key, OLDEST))),
    }
}

fn last_to<'a>(rows: &'a Rows, to: Bound<&[u8]>) -> Option<Entry<'a, Version, Value>> {
    match to {
        Bound::Unbounded => rows.back(),
        Bound::Included(key) => rows.upper_bound::<dyn Place>(Bound::Included(&(key, OLDEST))),
        Bound::Excluded(key) => rows.upper_bound::<dyn Place>(Bound::Excluded(&(key, NEWEST))),
    }
}

/// One row of an overlay.
pub(crate) struct OverlayRow<'a>(Entry<'a, Version, Value>);

impl OverlayRow<'_> {
    /// `None` for a row that was removed.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        self.0.value().as_deref()
    }
}

/// Rows of an overlay in key order, from either end.
pub(crate) struct OverlayRange<'a> {
    map: &'a Rows,
    /// Where it ends, at the side to which it goes.
    end: Bound<Vec<u8>>,
    order: Order,
    revision: u64,
    at: Option<Entry<'a, Version, Value>>,
}

impl OverlayRange<'_> {
    /// The row at which the range stands.
    pub(crate) fn peek(&self) -> Option<(&[u8], Option<&[u8]>)> {
        self.at.as_ref().map(|entry| (&*entry.key().key, entry.value().as_deref()))
    }

    pub(crate) fn advance(&mut self) {
        if let Some(entry) = self.at.take() {
            let next = self.beyond(&entry.key().key);
            self.settle(next);
        }
    }
}

impl<'a> OverlayRange<'a> {
    /// The first version of the next key.
    fn beyond(&self, key: &[u8]) -> Option<Entry<'a, Version, Value>> {
        match self.order {
            Order::Rising => first_from(self.map, Bound::Excluded(key)),
            Order::Falling => last_to(self.map, Bound::Excluded(key)),
        }
    }

    /// Stands still at the first row from `entry` on that the revision sees.
    fn settle(&mut self, mut entry: Option<Entry<'a, Version, Value>>) {
        while let Some(found) = entry {
            let key = &found.key().key;
            let is_within = match (&self.end, self.order) {
                (Bound::Unbounded, _) => true,
                (Bound::Included(end), Order::Rising) => **key <= **end,
                (Bound::Excluded(end), Order::Rising) => **key < **end,
                (Bound::Included(end), Order::Falling) => **key >= **end,
                (Bound::Excluded(end), Order::Falling) => **key > **end,
            };
            if !is_within {
                return;
            }
            if let Some(seen) = visible(self.map, key, self.revision) {
                self.at = Some(seen);
                return;
            }
            entry = self.beyond(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const TABLE: Table = Table::Profiles;
    /// Miri takes a thousand times as long for each.
    const REVISIONS: u64 = if cfg!(miri) { 6 } else { 60 };
    const KEYS: u32 = if cfg!(miri) { 200 } else { 10_000 };

    fn key(n: u32) -> Vec<u8> {
        format!("key-{:02}", n % 40).into_bytes()
    }

    #[test]
    fn one_look_tells_most_keys_that_are_not_there() {
        let touched = Touched::default();
        assert!(!touched.may_have(Table::Profiles, b"0"));
        let key = |n: u32| format!("profile-{n}").into_bytes();
        (0..KEYS).for_each(|n| touched.add(Table::Profiles, &key(n)));
        assert!((0..KEYS).all(|n| touched.may_have(Table::Profiles, &key(n))));
        let in_vain = |table, from| {
            let found = (from..from + KEYS).filter(|&n| touched.may_have(table, &key(n)));
            u32::try_from(found.count()).unwrap()
        };
        // At most 10 000 of a million bits are set.
        assert!(in_vain(Table::Profiles, KEYS) < KEYS * 3 / 100);
        assert!(in_vain(Table::Connections, 0) < KEYS * 3 / 100, "each table has keys of its own");
    }

    /// Every revision reads what a map had then, whatever was added later.
    #[test]
    fn every_revision_reads_its_own_rows() {
        let overlay = Overlay::default();
        let mut random = 12345_u32;
        let mut next = || {
            random = random.wrapping_mul(1_103_515_245).wrapping_add(12345);
            random >> 8
        };
        let mut states: Vec<BTreeMap<Vec<u8>, Option<Vec<u8>>>> = vec![BTreeMap::new()];
        for revision in 1..REVISIONS {
            let mut effects = Effects::default();
            let mut state = states.last().unwrap().clone();
            for _ in 0..3 {
                let (key, n) = (key(next()), next());
                if n % 3 == 0 {
                    effects.remove(TABLE, key.clone());
                    state.insert(key, None);
                } else {
                    effects.put(TABLE, key.clone(), n.to_be_bytes().to_vec());
                    state.insert(key, Some(n.to_be_bytes().to_vec()));
                }
            }
            overlay.add(effects, revision);
            states.push(state);
        }
        for (revision, state) in (0..).zip(&states) {
            for n in 0..40 {
                let found = overlay.get(TABLE, &key(n), revision);
                let found = found.map(|row| row.value().map(<[u8]>::to_vec));
                assert_eq!(found.as_ref(), state.get(&key(n)), "{n} at {revision}");
            }
            let (from, to) = (key(next()), key(next()));
            let bounds = [Bound::Unbounded, Bound::Included(&*from), Bound::Excluded(&*from)];
            let ends = [Bound::Unbounded, Bound::Included(&*to), Bound::Excluded(&*to)];
            for (from, to) in bounds.iter().flat_map(|from| ends.iter().map(move |to| (*from, *to)))
            {
                for order in [Order::Rising, Order::Falling] {
                    let mut expected: Vec<_> = state
                        .iter()
                        .filter(|(key, _)| {
                            let after = match from {
                                Bound::Unbounded => true,
                                Bound::Included(from) => key.as_slice() >= from,
                                Bound::Excluded(from) => key.as_slice() > from,
                            };
                            let before = match to {
                                Bound::Unbounded => true,
                                Bound::Included(to) => key.as_slice() <= to,
                                Bound::Excluded(to) => key.as_slice() < to,
                            };
                            after && before
                        })
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    if order == Order::Falling {
                        expected.reverse();
                    }
                    let mut range = overlay.range(TABLE, from, to, order, revision);
                    let mut found = Vec::new();
                    while let Some((key, value)) = range.peek() {
                        found.push((key.to_vec(), value.map(<[u8]>::to_vec)));
                        range.advance();
                    }
                    assert_eq!(found, expected, "{from:?} to {to:?}, {order:?} at {revision}");
                }
            }
        }
        let mut newest = Vec::new();
        overlay
            .each(TABLE, &mut |key, value| {
                newest.push((key.to_vec(), value.map(<[u8]>::to_vec)));
                Ok(())
            })
            .unwrap();
        assert_eq!(newest, states.pop().unwrap().into_iter().collect::<Vec<_>>());
    }
}
