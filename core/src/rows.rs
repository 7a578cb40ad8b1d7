//! [`Rows`], the one way anything is read: recent effects over a snapshot, merged row by row.
//!
//! Nothing of the storage engine leaves a call: a closure reads the bytes where they lie and returns what it
//! made of them.

use crate::StoreError;
use crate::disk::{Snapshot, SnapshotRange};
use crate::tables::{PerTable, Table};
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::Peekable;
use std::ops::Bound;

/// What a batch does to the tables: rows put, and rows removed (`None`).
#[derive(Debug, Default)]
pub(crate) struct Effects {
    rows: PerTable<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl Effects {
    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.rows.of_mut(table).insert(key, Some(value));
    }

    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.rows.of_mut(table).insert(key, None);
    }

    /// The effects on one table, in key order.
    pub(crate) fn of(&self, table: Table) -> &BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        self.rows.of(table)
    }

    pub(crate) fn is_empty(&self) -> bool {
        Table::ALL.iter().all(|&table| self.of(table).is_empty())
    }
}

/// A consistent state of all tables: a snapshot, under the effects of the batch at hand if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    snapshot: &'a Snapshot,
    recent: Option<&'a Effects>,
}

/// In which direction a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Rising,
    Falling,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, recent: None }
    }

    pub(crate) fn with(snapshot: &'a Snapshot, recent: &'a Effects) -> Self {
        Self { snapshot, recent: Some(recent) }
    }

    /// What the snapshot's store knew of itself.
    pub(crate) fn state(&self) -> &'a crate::engine::State {
        &self.snapshot.state
    }

    /// What `read` makes of the row under `key`, if there is one.
    pub(crate) fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        match self.recent.and_then(|recent| recent.of(table).get(key)) {
            Some(value) => Ok(value.as_deref().map(read)),
            None => self.snapshot.get(table, key, read),
        }
    }

    /// As [`get`](Self::get), where reading can fail.
    pub(crate) fn read<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.get(table, key, read)?.transpose()
    }

    /// The rows from `from` to `to`.
    pub(crate) fn scan(
        &self,
        table: Table,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        order: Order,
    ) -> Result<Scan<'a>, StoreError> {
        // A range that ends before it begins is empty, not a mistake: cursors make such.
        let empty = match (from, to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
            | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
            _ => false,
        };
        if empty {
            return Ok(Scan { order, below: None, above: None, waiting: None });
        }
        Ok(Scan {
            order,
            below: Some(self.snapshot.range(table, from, to)?),
            above: self.recent.map(|recent| {
                let range = recent.of(table).range::<[u8], _>((from, to));
                Recent { range, order }.peekable()
            }),
            waiting: None,
        })
    }

    /// The rows whose keys begin with `prefix`.
    pub(crate) fn scan_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        order: Order,
    ) -> Result<Scan<'a>, StoreError> {
        let end = after_prefix(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.scan(table, Bound::Included(prefix), to, order)
    }
}

/// The first key after all that begin with `prefix`; `None` if there is none.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix.get(..=kept)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}

/// Rows in key order, effects over snapshot. The only merge there is.
pub(crate) struct Scan<'a> {
    order: Order,
    below: Option<SnapshotRange>,
    above: Option<Peekable<Recent<'a>>>,
    /// The snapshot's next row, when an effect came first.
    waiting: Option<crate::disk::SnapshotRow>,
}

struct Recent<'a> {
    range: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>,
    order: Order,
}

impl<'a> Iterator for Recent<'a> {
    type Item = (&'a Vec<u8>, &'a Option<Vec<u8>>);

    fn next(&mut self) -> Option<Self::Item> {
        match self.order {
            Order::Rising => self.range.next(),
            Order::Falling => self.range.next_back(),
        }
    }
}

impl Scan<'_> {
    /// What `read` makes of the next row's key and value; `None` after the last.
    pub(crate) fn next<T>(
        &mut self,
        read: impl FnOnce(&[u8], &[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        loop {
            if self.waiting.is_none()
                && let Some(below) = &mut self.below
            {
                self.waiting = below.next(self.order)?;
            }
            let Some((key, value)) = self.above.as_mut().and_then(Peekable::peek).copied() else {
                let Some(row) = self.waiting.take() else { return Ok(None) };
                return read(row.key(), row.value()).map(Some);
            };
            if let Some(row) = &self.waiting {
                let ahead = match self.order {
                    Order::Rising => row.key() < key.as_slice(),
                    Order::Falling => row.key() > key.as_slice(),
                };
                if ahead {
                    let read = read(row.key(), row.value()).map(Some);
                    self.waiting = None;
                    return read;
                }
                if row.key() == key.as_slice() {
                    self.waiting = None;
                }
            }
            self.above.as_mut().and_then(Iterator::next);
            if let Some(value) = value {
                return read(key, value).map(Some);
            }
        }
    }
}
