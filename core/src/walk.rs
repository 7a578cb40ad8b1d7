//! [`Ids`], the connections of an index from the newest to the oldest, and [`Step`], of a walk through an index.

use crate::rows::{Order, Rows, Scan, after_prefix};
use crate::tables::{self, Table};
use crate::{ConnectionId, StoreError};
use std::ops::Bound;

/// IDs, newest first.
#[expect(clippy::large_enum_variant, reason = "one at a time, and on the stack")]
pub(crate) enum Ids<'a> {
    /// These, from the last to the first.
    Listed(Vec<ConnectionId>),
    /// Those that the keys end in.
    Indexed(Scan<'a>),
}

impl<'a> Ids<'a> {
    /// Those older than `before` that keys with this prefix end in.
    pub(crate) fn below(
        rows: Rows<'a>,
        table: Table,
        prefix: &[u8],
        before: Option<ConnectionId>,
    ) -> Result<Self, StoreError> {
        let from = Bound::Included(prefix);
        let end = match before {
            Some(id) => Some(tables::with_id(prefix, id)),
            None => after_prefix(prefix),
        };
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        Ok(Self::Indexed(rows.scan(table, from, to, Order::Falling)?))
    }

    pub(crate) fn next(&mut self) -> Result<Option<ConnectionId>, StoreError> {
        match self {
            Self::Listed(ids) => Ok(ids.pop()),
            Self::Indexed(scan) => scan.next(|key, _| tables::trailing_id(key)),
        }
    }

    pub(crate) fn take(mut self, wanted: usize) -> Result<Vec<ConnectionId>, StoreError> {
        let mut ids = Vec::new();
        while ids.len() < wanted
            && let Some(id) = self.next()?
        {
            ids.push(id);
        }
        Ok(ids)
    }
}

/// What one step through an index comes to. No step reads more than a row or two, so that whoever takes them can
/// tell what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Id(ConnectionId),
    /// The row at hand names no connection; others may.
    Nothing,
    End,
}

impl From<Option<ConnectionId>> for Step {
    fn from(id: Option<ConnectionId>) -> Self {
        id.map_or(Self::Nothing, Self::Id)
    }
}
