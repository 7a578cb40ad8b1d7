//! [`Rows`], the one way anything is read: recent effects over a snapshot, merged row by row.
//!
//! Nothing of the storage engine leaves a call: a closure reads the bytes where they lie and returns what it
//! made of them.

use crate::StoreError;
use crate::change::Occurrence;
use crate::disk::{Snapshot, SnapshotRange, SnapshotRow};
use crate::engine::State;
use crate::overlay::{Overlay, OverlayRange};
use crate::tables::{PerTable, Table};
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound;
use std::sync::Arc;

/// Rows put, and rows removed (`None`), in key order.
type Edits = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// What a batch does to the tables, and what is to be told of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    rows: PerTable<Edits>,
    bytes: usize,
    /// What happened to connections, in order.
    pub(crate) changes: Vec<Occurrence>,
}

impl Effects {
    pub(crate) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.rows.of_mut(table).insert(key, Some(value));
    }

    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.bytes += key.len();
        self.rows.of_mut(table).insert(key, None);
    }

    /// The effects on one table, in key order.
    pub(crate) fn of(&self, table: Table) -> &Edits {
        self.rows.of(table)
    }

    pub(crate) fn into_rows(self) -> impl Iterator<Item = (Table, Edits)> {
        self.rows.into_iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        Table::ALL.iter().all(|&table| self.of(table).is_empty())
    }

    /// About how many bytes of keys and values there are.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes
    }
}

/// Takes a row that was put, or removed (`None`).
pub(crate) type Visit<'a> = dyn FnMut(&[u8], Option<&[u8]>) -> Result<(), StoreError> + 'a;

/// Whatever rows can be written down from.
pub(crate) trait Edited {
    /// Calls `visit` with every row of `table` that was put or removed, in key order.
    fn each(&self, table: Table, visit: &mut Visit<'_>) -> Result<(), StoreError>;
}

impl Edited for Effects {
    fn each(&self, table: Table, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        self.of(table).iter().try_for_each(|(key, value)| visit(key, value.as_deref()))
    }
}

/// Everything as one batch left it: the tables as of a checkpoint under the rows written since.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) base: Arc<Snapshot>,
    pub(crate) recent: Recent,
}

/// What lies over the tables.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    /// Rows on their way into the tables.
    pub(crate) frozen: Option<Arc<Frozen>>,
    /// Rows written since those were frozen.
    pub(crate) active: Arc<Overlay>,
    /// What the store knows of itself; its revision tells which of the rows are to be seen.
    pub(crate) state: State,
}

/// An overlay that nothing is added to any more, and the state that goes with it.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) state: State,
}

impl View {
    /// The tables with nothing above them.
    pub(crate) fn of(base: Snapshot) -> Self {
        let state = base.state.clone();
        Self {
            base: Arc::new(base),
            recent: Recent { frozen: None, active: Arc::default(), state },
        }
    }
}

impl Recent {
    /// The same over these tables, into which the frozen rows may have been written meanwhile.
    pub(crate) fn over(&self, base: Snapshot) -> View {
        let mut recent = self.clone();
        recent.frozen = recent.frozen.filter(|frozen| frozen.state.revision > base.state.revision);
        View { base: Arc::new(base), recent }
    }

    /// The same with a new overlay for what comes. What was frozen before stays so, and nothing else does then.
    pub(crate) fn frozen(&self) -> Self {
        if self.frozen.is_some() {
            return self.clone();
        }
        let frozen = Frozen { overlay: Arc::clone(&self.active), state: self.state.clone() };
        Self { frozen: Some(Arc::new(frozen)), active: Arc::default(), state: self.state.clone() }
    }

    /// The same as the next batch left it, whose rows are in the overlay already.
    pub(crate) fn as_of(&self, state: &State) -> Self {
        Self { state: state.clone(), ..self.clone() }
    }

    /// Whether everything is in the tables.
    pub(crate) fn is_written_down(&self) -> bool {
        self.frozen.is_none() && self.active.is_empty()
    }

    /// The overlays that hold anything, newest first.
    fn overlays(&self) -> impl Iterator<Item = &Overlay> {
        let frozen = self.frozen.as_ref().map(|frozen| &*frozen.overlay);
        [Some(&*self.active), frozen].into_iter().flatten().filter(|overlay| !overlay.is_empty())
    }
}

/// A consistent state of all tables: a view, under the effects of the batch at hand if there is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    view: &'a View,
    batch: Option<&'a Effects>,
}

/// In which direction a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Rising,
    Falling,
}

impl<'a> Rows<'a> {
    pub(crate) fn of(view: &'a View) -> Self {
        Self { view, batch: None }
    }

    pub(crate) fn with(view: &'a View, batch: &'a Effects) -> Self {
        Self { view, batch: Some(batch) }
    }

    /// What the store knew of itself before the batch at hand.
    pub(crate) fn state(&self) -> &'a State {
        &self.view.recent.state
    }

    /// What `read` makes of the row under `key`, if there is one.
    pub(crate) fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        if let Some(value) = self.batch.and_then(|batch| batch.of(table).get(key)) {
            return Ok(value.as_deref().map(read));
        }
        let revision = self.view.recent.state.revision;
        for overlay in self.view.recent.overlays() {
            if let Some(row) = overlay.get(table, key, revision) {
                return Ok(row.value().map(read));
            }
        }
        self.view.base.get(table, key, read)
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
            return Ok(Scan { order, layers: Vec::new(), base: None, waiting: None });
        }
        let revision = self.view.recent.state.revision;
        let batch = self.batch.map(|batch| {
            let range = batch.of(table).range::<[u8], _>((from, to));
            Layer::Batch(InOrder::new(range, order))
        });
        let overlays = self
            .view
            .recent
            .overlays()
            .map(|overlay| Layer::Overlay(overlay.range(table, from, to, order, revision)));
        Ok(Scan {
            order,
            layers: batch.into_iter().chain(overlays).collect(),
            base: Some(self.view.base.range(table, from, to)?),
            waiting: None,
        })
    }

    /// All rows of a table, in key order.
    pub(crate) fn all(&self, table: Table) -> Result<Scan<'a>, StoreError> {
        self.scan(table, Bound::Unbounded, Bound::Unbounded, Order::Rising)
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

/// Rows in key order, newer layers over older ones over the tables. The only merge there is.
pub(crate) struct Scan<'a> {
    order: Order,
    /// The newest first.
    layers: Vec<Layer<'a>>,
    base: Option<SnapshotRange>,
    /// The next row of the tables, while layers come first.
    waiting: Option<SnapshotRow>,
}

/// What lies over the tables.
enum Layer<'a> {
    Batch(InOrder<'a>),
    Overlay(OverlayRange<'a>),
}

impl Layer<'_> {
    /// The row at which it stands: its key, and its value unless it was removed.
    fn peek(&self) -> Option<(&[u8], Option<&[u8]>)> {
        match self {
            Self::Batch(rows) => rows.at.map(|(key, value)| (key.as_slice(), value.as_deref())),
            Self::Overlay(rows) => rows.peek(),
        }
    }

    fn advance(&mut self) {
        match self {
            Self::Batch(rows) => rows.advance(),
            Self::Overlay(rows) => rows.advance(),
        }
    }
}

/// The effects of a batch, from either end.
struct InOrder<'a> {
    range: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>,
    order: Order,
    at: Option<(&'a Vec<u8>, &'a Option<Vec<u8>>)>,
}

impl<'a> InOrder<'a> {
    fn new(range: btree_map::Range<'a, Vec<u8>, Option<Vec<u8>>>, order: Order) -> Self {
        let mut rows = Self { range, order, at: None };
        rows.advance();
        rows
    }

    fn advance(&mut self) {
        self.at = match self.order {
            Order::Rising => self.range.next(),
            Order::Falling => self.range.next_back(),
        };
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
                && let Some(base) = &mut self.base
            {
                self.waiting = base.next(self.order)?;
            }
            let next = next_layer(&self.layers, self.order);
            let from_next = self.layers.get_mut(next..).unwrap_or_default();
            let Some((layer, older)) = from_next.split_first_mut() else {
                let Some(row) = self.waiting.take() else { return Ok(None) };
                return read(row.key(), row.value()).map(Some);
            };
            let Some((key, value)) = layer.peek() else { return Ok(None) };
            if let Some(row) = self.waiting.take() {
                if comes_before(row.key(), key, self.order) {
                    return read(row.key(), row.value()).map(Some);
                }
                if row.key() != key {
                    self.waiting = Some(row);
                }
            }
            // The same row in the layers below is passed over.
            for layer in older {
                if layer.peek().is_some_and(|(same, _)| same == key) {
                    layer.advance();
                }
            }
            if let Some(value) = value {
                let answer = read(key, value);
                layer.advance();
                return answer.map(Some);
            }
            layer.advance();
        }
    }
}

/// The index of the layer that has the next key, the newest of those that do; beyond the last if none has one.
fn next_layer(layers: &[Layer<'_>], order: Order) -> usize {
    let mut next: Option<(usize, &[u8])> = None;
    for (index, layer) in layers.iter().enumerate() {
        if let Some((key, _)) = layer.peek()
            && next.is_none_or(|(_, first)| comes_before(key, first, order))
        {
            next = Some((index, key));
        }
    }
    next.map_or(layers.len(), |(index, _)| index)
}

fn comes_before(one: &[u8], other: &[u8], order: Order) -> bool {
    match order {
        Order::Rising => one < other,
        Order::Falling => one > other,
    }
}
