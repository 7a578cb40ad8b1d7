//! [`Feed`], the changes that can still be told: recent ones in memory, those before the last close in a table.

use crate::change::Occurrence;
use crate::codec;
use crate::disk::Snapshot;
use crate::rows::{Effects, Order, Rows};
use crate::tables::{self, Table};
use crate::{Change, ChangeKind, Changes, ConnectionId, Error, Problem, Refusal, StoreError};
use std::collections::VecDeque;
use std::ops::Bound;

/// At least this many changes are kept.
const KEPT: usize = 10_000;
/// So many more may pile up before they are cleared away together.
const SLACK: usize = 2_000;

/// A run of changes without a gap, up to the last.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The numbers of the first and the last change in the table. They are part of the run if it goes on after them.
    table: Option<(u64, u64)>,
    /// The number of the first of the recent ones, or of the next to come.
    first: u64,
    recent: VecDeque<Occurrence>,
}

impl Feed {
    /// What the table holds; a log, and [`begin_after`](Self::begin_after), say how it goes on.
    pub(crate) fn open(base: &Snapshot) -> Result<Self, StoreError> {
        let end = |order| -> Result<Option<u64>, StoreError> {
            let mut range = base.range(Table::Changes, Bound::Unbounded, Bound::Unbounded)?;
            range.next(order)?.map(|row| tables::change_seq(row.key())).transpose()
        };
        let table = end(Order::Rising)?.zip(end(Order::Falling)?);
        let last = table.map_or(0, |(_, last)| last);
        Ok(Self { table, first: last + 1, recent: VecDeque::new() })
    }

    fn next(&self) -> u64 {
        self.first + self.recent.len() as u64
    }

    /// Adds changes of which the last has the number `last`. Those that are here already are passed over; where
    /// some are missing before them, the run begins anew.
    pub(crate) fn add(&mut self, changes: Vec<Occurrence>, last: u64) {
        let first = (last + 1).saturating_sub(changes.len() as u64);
        if first > self.next() {
            self.begin_after(first - 1);
        }
        let known = usize::try_from(self.next() - first).unwrap_or(usize::MAX);
        self.recent.extend(changes.into_iter().skip(known));
    }

    /// Forgets everything, unless the run goes up to number `last`.
    pub(crate) fn begin_after(&mut self, last: u64) {
        if self.next() != last + 1 {
            self.recent.clear();
            self.first = last + 1;
        }
    }

    /// Forgets what is before number `seq`, but none of the last ten thousand.
    pub(crate) fn trim(&mut self, seq: u64) {
        let old = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let gone = old.min(self.recent.len().saturating_sub(KEPT));
        self.recent.drain(..gone);
        self.first += gone as u64;
    }

    /// Forgets what is before the last ten thousand, now and then.
    pub(crate) fn trim_to_last(&mut self) {
        if self.recent.len() >= KEPT + SLACK {
            self.trim(u64::MAX);
        }
    }

    /// The number of the oldest change that can be told; 0 before the first.
    pub(crate) fn oldest(&self) -> u64 {
        match self.table {
            Some((first, last)) if last + 1 == self.first => first,
            _ if self.next() == 1 => 0,
            _ => self.first,
        }
    }

    /// The changes after number `seq`, at most `most`, as far as `rows` know of them.
    pub(crate) fn since(&self, rows: Rows<'_>, seq: u64, most: usize) -> Result<Changes, Error> {
        let last = rows.state().seq;
        if seq > last {
            let message = format!("{seq} is ahead of the last change; send 0 to {last}");
            return Err(Refusal::from(Problem::value(message).at("since")).into());
        }
        let oldest = self.oldest();
        if seq + 1 < oldest {
            return Ok(Changes::TooOld { oldest });
        }
        let mut changes = Vec::new();
        if seq + 1 < self.first {
            let from = tables::change(seq);
            let from = Bound::Excluded(from.as_slice());
            let mut scan = rows.scan(Table::Changes, from, Bound::Unbounded, Order::Rising)?;
            while changes.len() < most
                && let Some(change) = scan.next(read_row)?
            {
                changes.push(change);
            }
        }
        let from = (seq + 1).max(self.first);
        let known = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let left = most - changes.len();
        for (seq, change) in (from..=last).zip(self.recent.iter().skip(known)).take(left) {
            changes.push(tell(seq, change.kind, change.id, &change.record)?);
        }
        Ok(Changes::Since(changes))
    }

    /// What makes the table hold the ten thousand up to number `newest`.
    pub(crate) fn to_write_down(&self, newest: u64) -> Effects {
        let mut effects = Effects::default();
        let oldest = self.oldest().max((newest + 1).saturating_sub(KEPT as u64));
        if let Some((first, last)) = self.table {
            let end = if last + 1 == self.first { oldest } else { u64::MAX };
            for seq in (first..=last).take_while(|&seq| seq < end) {
                effects.remove(Table::Changes, tables::change(seq));
            }
        }
        for (seq, Occurrence { kind, id, record }) in (self.first..).zip(&self.recent) {
            if (oldest..=newest).contains(&seq) {
                let row = [&[kind.to_byte()], id.to_bytes().as_slice(), record].concat();
                effects.put(Table::Changes, tables::change(seq), row);
            }
        }
        effects
    }
}

fn read_row(key: &[u8], value: &[u8]) -> Result<Change, StoreError> {
    let malformed = || StoreError::damaged("a change is malformed");
    let (&kind, rest) = value.split_first().ok_or_else(malformed)?;
    let (id, record) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
    let id = ConnectionId::from_bytes(id).ok_or_else(malformed)?;
    let kind = ChangeKind::from_byte(kind).ok_or_else(malformed)?;
    tell(tables::change_seq(key)?, kind, id, record)
}

fn tell(seq: u64, kind: ChangeKind, id: ConnectionId, record: &[u8]) -> Result<Change, StoreError> {
    let connection = match kind {
        ChangeKind::Deleted => None,
        ChangeKind::Created | ChangeKind::Updated => {
            Some(codec::decode_record(id, record)?.connection)
        }
    };
    Ok(Change { seq, kind, id, connection })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// A change of these bytes is a change of the format.
    #[test]
    fn rows_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("change") {
            let seq = fixture.number("seq");
            let record = fixture.means["record"]
                .as_str()
                .map_or_else(Vec::new, |name| fixtures::named("connection", name).bytes);
            let kind = fixture.text("kind").parse().unwrap();
            let change = Occurrence { kind, id: fixture.id(), record: record.into() };
            let feed = Feed { table: None, first: seq, recent: [change].into() };
            let effects = feed.to_write_down(seq);
            let rows: Vec<_> = effects.of(Table::Changes).iter().collect();
            assert_eq!(rows, [(&fixture.key, &Some(fixture.bytes.clone()))], "{}", fixture.name);
            let change = read_row(&fixture.key, &fixture.bytes).unwrap();
            assert_eq!((change.seq, change.kind, change.id), (seq, kind, fixture.id()));
            assert_eq!(change.connection.is_some(), kind != ChangeKind::Deleted);
        }
    }
}
