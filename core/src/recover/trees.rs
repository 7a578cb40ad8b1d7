//! [`Trees`], the trees of a file of which any page may be bad: only what has the checksum that leads to it counts.

use super::picture::Spans;
use crate::pages::{
    self, Checksum, Definition, GEOMETRY, Header, PAGE_BYTES, Page, PageNumber, Root, Shape, Slot,
};
use redb::StorageBackend;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// No tree is deeper.
const DEPTH_MAX: usize = 64;
/// How much is read at once where a file is read from its beginning to its end.
const STRETCH_BYTES: u64 = 1 << 20;

/// The file of the tables.
pub(super) struct Trees<'a> {
    file: &'a dyn StorageBackend,
    length: u64,
}

/// A row of a page that has its checksum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    /// Where the value is in the file.
    pub(super) offset: u64,
    /// Whether every page that leads to it has its checksum too.
    pub(super) is_sure: bool,
}

/// What a walk through a tree meets.
pub(super) enum Met<'a> {
    Row(Row<'a>),
    /// A bad page: of the keys between nothing is known.
    Lost(Option<&'a [u8]>, Option<&'a [u8]>),
}

/// A page on the way down, with the bounds of its keys.
#[derive(Clone, Copy)]
struct Step<'a> {
    page: PageNumber,
    checksum: Checksum,
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    is_sure: bool,
    depth: usize,
}

/// The tables of one commit, by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    pub(super) tables: BTreeMap<Vec<u8>, Definition>,
    /// Whether it is whole, and a slot leads to it.
    pub(super) is_sure: bool,
}

impl<'a> Trees<'a> {
    pub(super) fn new(file: &'a dyn StorageBackend) -> std::io::Result<Self> {
        Ok(Self { file, length: file.len()? })
    }

    /// Bytes of the file; `None` where it ends before, or cannot be read.
    pub(super) fn bytes(&self, place: Range<u64>) -> Option<Vec<u8>> {
        let length = usize::try_from(place.end.checked_sub(place.start)?).ok()?;
        if place.end > self.length {
            return None;
        }
        let mut bytes = vec![0; length];
        self.file.read(place.start, &mut bytes).ok()?;
        Some(bytes)
    }

    /// A page and where it is.
    fn page(&self, number: PageNumber) -> Option<(u64, Vec<u8>)> {
        let place = GEOMETRY.place(number)?;
        Some((place.start, self.bytes(place)?))
    }

    /// The slots that have their checksum, the newest first; and whether the first of them is the last commit. Where the
    /// other one is bad it is only if the rest of the header says so.
    pub(super) fn slots(&self) -> (Vec<Slot>, bool) {
        let bytes = self.bytes(0..pages::HEADER_BYTES as u64).unwrap_or_default();
        let header = Header::read(&bytes);
        let mut slots: Vec<Slot> = pages::slots(&bytes).into_iter().flatten().collect();
        slots.retain(|slot| slot.is_valid);
        slots.sort_by_key(|slot| std::cmp::Reverse(slot.transaction));
        let is_last_known = match slots.as_slice() {
            [] => false,
            [only] => header.is_some_and(|header| header.in_turn()[0] == only),
            _ => true,
        };
        (slots, is_last_known)
    }

    /// The tables that a slot leads to. A page of its tree that is bad is looked at all the same: what it leads to has
    /// checksums of its own.
    pub(super) fn catalog(&self, slot: &Slot) -> Catalog {
        let mut catalog = Catalog { is_sure: true, ..Catalog::default() };
        let Some(root) = slot.tables else { return catalog };
        self.walk(root, None, &mut |met| match met {
            Met::Row(row) => {
                catalog.is_sure &= row.is_sure;
                if let Some(definition) = Definition::read(row.value) {
                    catalog.tables.insert(row.key.to_vec(), definition);
                }
            }
            Met::Lost(..) => catalog.is_sure = false,
        });
        if let Some((_, page)) = self.page(root.page).filter(|_| catalog.tables.is_empty()) {
            catalog.tables = definitions(&page);
        }
        catalog
    }

    /// Walks the tree in the order of its keys; only where `wanted` may hold some of them, if that is given.
    pub(super) fn walk(&self, root: Root, wanted: Option<&Spans>, visit: &mut dyn FnMut(Met<'_>)) {
        let Root { page, checksum, .. } = root;
        let step = Step { page, checksum, from: None, to: None, is_sure: true, depth: 0 };
        self.descend(step, wanted, &mut BTreeSet::new(), visit);
    }

    fn descend(
        &self,
        step: Step<'_>,
        wanted: Option<&Spans>,
        bad: &mut BTreeSet<u64>,
        visit: &mut dyn FnMut(Met<'_>),
    ) {
        let Step { from, to, is_sure, depth, .. } = step;
        if wanted.is_some_and(|wanted| !wanted.meet(from, to)) {
            return;
        }
        let there = self.page(step.page);
        let page = there.as_ref().and_then(|(at, bytes)| {
            Some((*at, bytes.as_slice(), Page::read(bytes, Shape::BYTES)?))
        });
        let Some((at, bytes, page)) = page.filter(|_| depth <= DEPTH_MAX) else {
            return visit(Met::Lost(from, to));
        };
        let is_whole = page.checksum() == Some(step.checksum);
        match page {
            Page::Leaf(leaf) if is_whole => {
                for (key, value) in (0..leaf.len()).map_while(|n| leaf.row(n)) {
                    let offset = at + (value.as_ptr().addr() - bytes.as_ptr().addr()) as u64;
                    visit(Met::Row(Row { key, value, offset, is_sure }));
                }
            }
            Page::Branch(branch) if is_whole => {
                let mut from = from;
                for n in 0..branch.len() {
                    let to = branch.key(n).or(to);
                    if let Some((page, checksum)) = branch.child(n) {
                        let child = Step { page, checksum, from, to, is_sure, depth: depth + 1 };
                        self.descend(child, wanted, bad, visit);
                    }
                    from = to;
                }
            }
            Page::Branch(branch) => {
                visit(Met::Lost(from, to));
                // Each once: what it leads to may lead back.
                if bad.insert(at) {
                    for (page, checksum) in (0..branch.len()).filter_map(|n| branch.child(n)) {
                        let child =
                            Step { page, checksum, from, to, is_sure: false, depth: depth + 1 };
                        self.descend(child, None, bad, &mut |met| {
                            // That it is lost was said.
                            if matches!(met, Met::Row(_)) {
                                visit(met);
                            }
                        });
                    }
                }
            }
            Page::Leaf(_) => visit(Met::Lost(from, to)),
        }
    }

    /// Looks at every page of the file: returns the catalogs that any page may be, and every leaf that has the checksum
    /// by which a branch, wherever that is, refers to it, the one with the greatest key first.
    pub(super) fn search(&self) -> (Vec<Catalog>, Vec<PageNumber>) {
        let mut catalogs = Vec::new();
        let mut leaves = BTreeMap::new();
        let mut start = PAGE_BYTES;
        while start < self.length {
            let end = (start + STRETCH_BYTES).min(self.length);
            let stretch = self.bytes(start..end).unwrap_or_default();
            let size = usize::try_from(PAGE_BYTES).unwrap_or(usize::MAX);
            for (n, bytes) in (0_u64..).zip(stretch.chunks(size)) {
                match Page::read(bytes, Shape::BYTES) {
                    Some(Page::Leaf(_)) => {
                        let tables = definitions(bytes);
                        if !tables.is_empty() {
                            catalogs.push(Catalog { tables, is_sure: false });
                        }
                    }
                    Some(Page::Branch(_)) => {
                        self.leaves_below(start + n * PAGE_BYTES, bytes, &mut leaves);
                    }
                    None => {}
                }
            }
            start = end;
        }
        let mut leaves: Vec<_> = leaves.into_iter().collect();
        leaves.sort_by(|(_, one), (_, other)| other.cmp(one));
        (catalogs, leaves.into_iter().map(|(page, _)| page).collect())
    }

    /// Adds the good leaves that the branch at `start` refers to, each with its last key and its number of rows.
    fn leaves_below(
        &self,
        start: u64,
        first_page: &[u8],
        leaves: &mut BTreeMap<PageNumber, (Vec<u8>, usize)>,
    ) {
        let Some(Page::Branch(branch)) = Page::read(first_page, Shape::BYTES) else { return };
        // Branches with long keys are longer than a page, and so may their lists of children be.
        let children = start..(start + 8 + 24 * branch.len() as u64).min(self.length);
        let Some(bytes) = self.bytes(children) else { return };
        let Some(Page::Branch(branch)) = Page::read(&bytes, Shape::BYTES) else { return };
        for (number, checksum) in (0..branch.len()).filter_map(|n| branch.child(n)) {
            if leaves.contains_key(&number) {
                continue;
            }
            let Some((_, bytes)) = self.page(number) else { continue };
            if let Some(page @ Page::Leaf(leaf)) = Page::read(&bytes, Shape::BYTES)
                && page.checksum() == Some(checksum)
            {
                let end = leaf.len().checked_sub(1).and_then(|n| leaf.row(n));
                let key = end.map_or_else(Vec::new, |(key, _)| key.to_vec());
                leaves.insert(number, (key, leaf.len()));
            }
        }
    }

    /// Calls `visit` with every row of a leaf that was found by [`search`](Self::search).
    pub(super) fn rows_of(&self, leaf: PageNumber, visit: &mut dyn FnMut(Row<'_>)) {
        let Some((at, bytes)) = self.page(leaf) else { return };
        if let Some(Page::Leaf(leaf)) = Page::read(&bytes, Shape::BYTES) {
            for (key, value) in (0..leaf.len()).map_while(|n| leaf.row(n)) {
                let offset = at + (value.as_ptr().addr() - bytes.as_ptr().addr()) as u64;
                visit(Row { key, value, offset, is_sure: false });
            }
        }
    }
}

/// The definitions in a page that is a leaf of a master tree, or looks like one.
fn definitions(page: &[u8]) -> BTreeMap<Vec<u8>, Definition> {
    let Some(Page::Leaf(leaf)) = Page::read(page, Shape::BYTES) else { return BTreeMap::new() };
    let rows = (0..leaf.len()).map_while(|n| leaf.row(n));
    rows.filter_map(|(key, value)| Some((key.to_vec(), Definition::read(value)?))).collect()
}
