//! The pages of a store file, read without redb: what its bytes say when redb may not be asked, because it trusts them.
//!
//! The layout is that of redb's file format 3. All numbers are little-endian. A file is its header, which takes the first
//! page, and then regions of pages of 4096 bytes:
//!
//! | bytes | header |
//! | --- | --- |
//! | 9 | [`MAGIC`] |
//! | 1 | flags: 1 slot 1 is the primary, 2 not closed cleanly, 4 committed in two phases, 8 the primary is not synced yet |
//! | 2 | nothing |
//! | 4, 4, 4 | bytes of a page; pages of a region's own header; the most pages of a region |
//! | 4, 4 | full regions; pages of the last region, if that is not full |
//! | | from byte 64 and from byte 192: a slot |
//!
//! | bytes | slot: the roots of one commit |
//! | --- | --- |
//! | 1, 1, 1, 5 | 3, the format; whether there is a root of tables; and of system tables; nothing |
//! | 32, 32, 32 | root of tables; of system tables; nothing. A root: 8 page number, 16 checksum, 8 how many rows |
//! | 8 | number of the transaction |
//! | 16 | at byte 112: checksum of all before |
//!
//! | bytes | leaf | branch |
//! | --- | --- | --- |
//! | 1, 1, 2 | 1; nothing; number *n* of rows | 2; nothing; number *n* of keys, one less than of children |
//! | | 4 × *n*, unless keys have one width: where each ends | 4 nothing |
//! | | 4 × *n*, unless values have one width: where each ends | 16 × (*n* + 1): checksums of the children |
//! | | keys | 8 × (*n* + 1): page numbers of the children |
//! | | values | 4 × *n*, unless keys have one width: where each ends; then the keys |
//!
//! A page number has the number in its region in bits 0 to 19, the region in bits 20 to 39, and in bits 59 to 63 the order:
//! the page is 2^order times as long, and numbers in the region count pages of that length. A checksum is XXH3 of 128 bits
//! over a page up to the end of its last value, or key of a branch. So the widths of a tree's keys and values, its
//! [`Shape`], have to be known before anything in it can be told.
//!
//! The roots lead to master trees: their rows are names of tables and [`Definition`]s, which say where each table's own tree
//! begins. Nothing here panics, whatever the bytes are, and nothing is allocated.

use crate::storage::MAGIC;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// How the pages of every store lie: redb makes no other files.
pub(crate) const GEOMETRY: Geometry = Geometry { region_header_pages: 0, region_pages: 1 << 20 };
/// The length of a page of order 0.
pub(crate) const PAGE_BYTES: u64 = 4096;
/// How many bytes of the first page are the header.
pub(crate) const HEADER_BYTES: usize = 320;
/// Where the slots are in it, and how long one is.
const SLOTS: [usize; 2] = [64, 192];
const SLOT_BYTES: usize = 128;
/// The greatest order, and so the most pages of a region: 2^20.
const MAX_ORDER: u32 = 20;
/// The file format that this is.
const VERSION: u8 = 3;

const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// The checksum of a page.
pub(crate) type Checksum = u128;

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes_at(bytes, at).map(|found| u16::from_le_bytes(found).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes_at(bytes, at).map(u64::from_le_bytes)
}

fn u128_at(bytes: &[u8], at: usize) -> Option<u128> {
    bytes_at(bytes, at).map(u128::from_le_bytes)
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

/// The number of a page, which says where it is and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PageNumber {
    pub(crate) region: u32,
    /// In its region, counted in pages of its own length.
    pub(crate) index: u32,
    pub(crate) order: u8,
}

impl PageNumber {
    fn of(bits: u64) -> Self {
        let order = (bits >> 59) as u8;
        let low = |bits: u64| u32::try_from(bits & 0x000f_ffff).unwrap_or_default();
        Self { region: low(bits >> 20), index: low(bits) & (0x000f_ffff >> order), order }
    }

    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        u64_at(bytes, at).map(Self::of)
    }

    /// How long the page is; `None` for an order that there is not.
    pub(crate) fn len(self) -> Option<u64> {
        (u32::from(self.order) <= MAX_ORDER).then(|| PAGE_BYTES << self.order)
    }
}

/// How the pages lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Pages of order 0 before the first page of every region.
    pub(crate) region_header_pages: u32,
    /// Pages of order 0 of a full region.
    pub(crate) region_pages: u32,
}

impl Geometry {
    /// How long a full region is.
    pub(crate) fn region_bytes(self) -> u64 {
        (u64::from(self.region_header_pages) + u64::from(self.region_pages)) * PAGE_BYTES
    }

    /// Where a page is in the file; `None` for one that no region has.
    pub(crate) fn place(self, page: PageNumber) -> Option<Range<u64>> {
        let length = page.len()?;
        let start = u64::from(page.index).checked_mul(length)?;
        if start + length > u64::from(self.region_pages) * PAGE_BYTES {
            return None;
        }
        let region = PAGE_BYTES + u64::from(page.region) * self.region_bytes();
        let start = region + u64::from(self.region_header_pages) * PAGE_BYTES + start;
        Some(start..start + length)
    }
}

/// Where a tree begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) page: PageNumber,
    pub(crate) checksum: Checksum,
    /// How many rows the tree has.
    pub(crate) rows: u64,
}

impl Root {
    /// The root at this place, if the byte `is_there` says that there is one.
    fn at(bytes: &[u8], is_there: usize, at: usize) -> Option<Self> {
        let root = Self {
            page: PageNumber::at(bytes, at)?,
            checksum: u128_at(bytes, at + 8)?,
            rows: u64_at(bytes, at + 24)?,
        };
        (*bytes.get(is_there)? != 0).then_some(root)
    }
}

/// What one commit left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The master tree of the tables, and of redb's own tables; `None` where there are no tables.
    pub(crate) tables: Option<Root>,
    pub(crate) system: Option<Root>,
    pub(crate) transaction: u64,
    /// Whether it has its checksum and the format that is known here.
    pub(crate) is_valid: bool,
    /// Whether it has its checksum and an older format.
    pub(crate) is_older: bool,
}

impl Slot {
    fn read(bytes: &[u8]) -> Option<Self> {
        const CHECKSUM: usize = SLOT_BYTES - 16;
        let version = *bytes.first()?;
        let is_sound = u128_at(bytes, CHECKSUM)? == xxh3_128(bytes.get(..CHECKSUM)?);
        Some(Self {
            tables: Root::at(bytes, 1, 8),
            system: Root::at(bytes, 2, 40),
            transaction: u64_at(bytes, 104)?,
            is_valid: is_sound && version == VERSION,
            is_older: is_sound && version < VERSION,
        })
    }
}

/// The slots of a header, whatever else is in it.
pub(crate) fn slots(header: &[u8]) -> Option<[Slot; 2]> {
    let [one, other] = SLOTS.map(|at| header.get(at..at + SLOT_BYTES).and_then(Slot::read));
    Some([one?, other?])
}

/// What a file says of itself in its first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) geometry: Geometry,
    pub(crate) full_regions: u32,
    /// Pages of order 0 of the last region, if it is not full; else 0.
    pub(crate) last_region_pages: u32,
    /// Whether the file was not closed cleanly.
    pub(crate) is_unclean: bool,
    /// Whether the primary was committed in two phases: what it refers to was synced before it was.
    pub(crate) is_two_phase: bool,
    /// Which slot is the primary: the last commit.
    pub(crate) primary: usize,
    /// The slots, in the order in which they are in the file.
    pub(crate) slots: [Slot; 2],
}

impl Header {
    /// Reads a header, which must be of the one page length and of a geometry that can be; `None` otherwise. What the
    /// slots hold is not judged, see [`Slot::is_valid`].
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let most = 1 << MAX_ORDER;
        let geometry =
            Geometry { region_header_pages: u32_at(bytes, 16)?, region_pages: u32_at(bytes, 20)? };
        let is_known = bytes.starts_with(&MAGIC)
            && u64::from(u32_at(bytes, 12)?) == PAGE_BYTES
            && (1..=most).contains(&geometry.region_pages)
            && geometry.region_header_pages <= most;
        let flags = *bytes.get(MAGIC.len())?;
        is_known.then_some(Self {
            geometry,
            full_regions: u32_at(bytes, 24)?,
            last_region_pages: u32_at(bytes, 28)?,
            is_unclean: flags & 2 != 0,
            is_two_phase: flags & 4 != 0,
            primary: usize::from(flags & 1 != 0),
            slots: slots(bytes)?,
        })
    }

    /// The slot of the last commit, and the other one.
    pub(crate) fn in_turn(&self) -> [&Slot; 2] {
        let [one, other] = &self.slots;
        if self.primary == 0 { [one, other] } else { [other, one] }
    }

    /// How long the file is by what the header says.
    pub(crate) fn file_bytes(&self) -> u64 {
        let full = u64::from(self.full_regions).saturating_mul(self.geometry.region_bytes());
        let last = match u64::from(self.last_region_pages) {
            0 => 0,
            pages => (u64::from(self.geometry.region_header_pages) + pages) * PAGE_BYTES,
        };
        PAGE_BYTES.saturating_add(full).saturating_add(last)
    }
}

/// The widths of all keys and of all values of a tree, where they have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    pub(crate) key: Option<u32>,
    pub(crate) value: Option<u32>,
}

impl Shape {
    /// Keys and values of any length: so are both master trees, and every table of a store.
    pub(crate) const BYTES: Self = Self { key: None, value: None };
}

/// A page, as a leaf or a branch of a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page<'a> {
    Leaf(Leaf<'a>),
    Branch(Branch<'a>),
}

impl<'a> Page<'a> {
    /// A page of a tree of this shape; `None` if it says that it is neither, or has no rows.
    pub(crate) fn read(bytes: &'a [u8], shape: Shape) -> Option<Self> {
        let count = u16_at(bytes, 2)?;
        match bytes.first() {
            Some(&LEAF) if count > 0 => Some(Self::Leaf(Leaf { bytes, shape, count })),
            Some(&BRANCH) if count > 0 => Some(Self::Branch(Branch { bytes, shape, count })),
            _ => None,
        }
    }

    /// Its checksum as it should stand in what refers to it; `None` if it does not say where it ends.
    pub(crate) fn checksum(&self) -> Option<Checksum> {
        let (bytes, end) = match self {
            Self::Leaf(leaf) => (leaf.bytes, leaf.value_end(leaf.count.checked_sub(1)?)?),
            Self::Branch(branch) => (branch.bytes, branch.key_end(branch.count.checked_sub(1)?)?),
        };
        bytes.get(..end).map(xxh3_128)
    }
}

/// A leaf: rows in the order of their keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf<'a> {
    bytes: &'a [u8],
    shape: Shape,
    count: usize,
}

impl<'a> Leaf<'a> {
    fn keys_begin(&self) -> usize {
        let lists = usize::from(self.shape.key.is_none()) + usize::from(self.shape.value.is_none());
        4 + 4 * lists * self.count
    }

    fn key_end(&self, n: usize) -> Option<usize> {
        match self.shape.key {
            Some(width) => self.keys_begin().checked_add(index(width)?.checked_mul(n + 1)?),
            None => index(u32_at(self.bytes, 4 + 4 * n)?),
        }
    }

    fn values_begin(&self) -> Option<usize> {
        self.key_end(self.count.checked_sub(1)?)
    }

    fn value_end(&self, n: usize) -> Option<usize> {
        if let Some(width) = self.shape.value {
            return self.values_begin()?.checked_add(index(width)?.checked_mul(n + 1)?);
        }
        let list = 4 + if self.shape.key.is_none() { 4 * self.count } else { 0 };
        index(u32_at(self.bytes, list + 4 * n)?)
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The key and the value of a row; `None` beyond the last and where the page does not say where they are.
    pub(crate) fn row(&self, n: usize) -> Option<(&'a [u8], &'a [u8])> {
        if n >= self.count {
            return None;
        }
        let (key_start, value_start) = match n.checked_sub(1) {
            None => (self.keys_begin(), self.values_begin()?),
            Some(before) => (self.key_end(before)?, self.value_end(before)?),
        };
        let key = self.bytes.get(key_start..self.key_end(n)?)?;
        Some((key, self.bytes.get(value_start..self.value_end(n)?)?))
    }
}

/// A branch: pages further down, and keys between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Branch<'a> {
    bytes: &'a [u8],
    shape: Shape,
    count: usize,
}

impl<'a> Branch<'a> {
    fn keys_begin(&self) -> usize {
        let list = if self.shape.key.is_none() { 4 * self.count } else { 0 };
        8 + 24 * self.len() + list
    }

    fn key_end(&self, n: usize) -> Option<usize> {
        match self.shape.key {
            Some(width) => self.keys_begin().checked_add(index(width)?.checked_mul(n + 1)?),
            None => index(u32_at(self.bytes, 8 + 24 * self.len() + 4 * n)?),
        }
    }

    /// How many children it has.
    pub(crate) fn len(&self) -> usize {
        self.count + 1
    }

    /// The page number of a child, and the checksum that its page should have.
    pub(crate) fn child(&self, n: usize) -> Option<(PageNumber, Checksum)> {
        if n >= self.len() {
            return None;
        }
        let page = PageNumber::at(self.bytes, 8 + 16 * self.len() + 8 * n)?;
        Some((page, u128_at(self.bytes, 8 + 16 * n)?))
    }

    /// The key between child `n` and the one after it: no key below child `n` is greater, every one further on is.
    pub(crate) fn key(&self, n: usize) -> Option<&'a [u8]> {
        if n >= self.count {
            return None;
        }
        let start = match n.checked_sub(1) {
            None => self.keys_begin(),
            Some(before) => self.key_end(before)?,
        };
        self.bytes.get(start..self.key_end(n)?)
    }
}

/// What a master tree says of a table: the value of a row whose key is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Definition {
    /// How many rows the table has.
    pub(crate) rows: u64,
    /// `None` where it is empty.
    pub(crate) root: Option<Root>,
    pub(crate) shape: Shape,
}

impl Definition {
    /// Reads a definition: 1 byte, 3 for an ordinary table; 8 rows; 1 and 32 root; 1 and 4, and 1 and 4 again, the widths
    /// of keys and values; then what the types of both are, which redb compares. `None` for anything else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        const ORDINARY: u8 = 3;
        let width = |at: usize| Some((*bytes.get(at)? != 0).then_some(u32_at(bytes, at + 1)?));
        let definition = Self {
            rows: u64_at(bytes, 1)?,
            root: Root::at(bytes, 9, 10),
            shape: Shape { key: width(42)?, value: width(47)? },
        };
        (bytes.first() == Some(&ORDINARY)).then_some(definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStorage;
    use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
    use std::collections::BTreeMap;

    type Rows = Vec<(Vec<u8>, Vec<u8>)>;

    const BYTES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bytes");
    const NUMBERS: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");
    const EMPTY: TableDefinition<'_, u64, u64> = TableDefinition::new("empty");

    fn storage() -> (MemoryStorage, Database) {
        let memory = MemoryStorage::default();
        let database = Database::builder().create_with_backend(memory.clone()).unwrap();
        (memory, database)
    }

    /// Some hundred rows of bytes, a few of them longer than pages, and enough numbers for three levels; what was there
    /// before is written over and removed, so that pages were freed.
    fn fill(database: &Database) {
        for (round, count) in [(0_u64, 70_000_u64), (1, 60_000)] {
            let mut transaction = database.begin_write().unwrap();
            transaction.set_quick_repair(true);
            {
                let mut bytes = transaction.open_table(BYTES).unwrap();
                let mut numbers = transaction.open_table(NUMBERS).unwrap();
                transaction.open_table(EMPTY).unwrap();
                for n in 0..400 {
                    let length = if n % 100 == 7 { 9000 + n * 50 } else { n % 60 };
                    let key = format!("{n:05}{}", "k".repeat(n % 37));
                    let value = vec![n.to_le_bytes()[0]; length];
                    bytes.insert(key.as_bytes(), value.as_slice()).unwrap();
                }
                for n in 0..count {
                    numbers.insert(n * 3, n ^ round).unwrap();
                }
                for n in (round * 100..count).step_by(5) {
                    numbers.remove(n * 3).unwrap();
                }
            }
            transaction.commit().unwrap();
        }
    }

    fn page_of(file: &[u8], header: &Header, page: PageNumber) -> Vec<u8> {
        let place = header.geometry.place(page).expect("a page is in a region");
        let place = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
        file[place].to_vec()
    }

    /// Every row of a tree, in order, where every page has the checksum that its parent says; and the pages walked.
    fn walk(file: &[u8], header: &Header, root: Root, shape: Shape) -> (Rows, Vec<PageNumber>) {
        let mut rows = Vec::new();
        let mut pages = Vec::new();
        let mut next = vec![(root.page, root.checksum)];
        while let Some((number, checksum)) = next.pop() {
            let bytes = page_of(file, header, number);
            let page = Page::read(&bytes, shape).expect("a page is a leaf or a branch");
            assert_eq!(page.checksum(), Some(checksum), "{number:?}");
            pages.push(number);
            match page {
                Page::Leaf(leaf) => {
                    let row = |n| leaf.row(n).expect("a row is in its page");
                    rows.extend((0..leaf.len()).map(row).map(|(k, v)| (k.to_vec(), v.to_vec())));
                    assert_eq!(leaf.row(leaf.len()), None);
                }
                Page::Branch(branch) => {
                    next.extend((0..branch.len()).rev().map(|n| branch.child(n).unwrap()));
                    assert!((0..branch.len() - 1).all(|n| branch.key(n).is_some()));
                    assert_eq!(
                        (branch.child(branch.len()), branch.key(branch.len() - 1)),
                        (None, None)
                    );
                }
            }
        }
        assert_eq!(rows.len() as u64, root.rows);
        (rows, pages)
    }

    type Tables = BTreeMap<String, (Definition, Rows)>;

    fn tables(file: &[u8], header: &Header, master: Root) -> (Tables, Vec<PageNumber>) {
        let (definitions, mut pages) = walk(file, header, master, Shape::BYTES);
        let mut tables = Tables::new();
        for (name, value) in definitions {
            let definition = Definition::read(&value).expect("a master tree has definitions");
            let rows = definition.root.map_or_else(Vec::new, |root| {
                let (rows, walked) = walk(file, header, root, definition.shape);
                pages.extend(walked);
                rows
            });
            assert_eq!(rows.len() as u64, definition.rows);
            tables.insert(String::from_utf8(name).unwrap(), (definition, rows));
        }
        (tables, pages)
    }

    fn as_redb_reads(database: &Database) -> (Rows, Rows) {
        let transaction = database.begin_read().unwrap();
        let bytes = transaction.open_table(BYTES).unwrap();
        let bytes = bytes.iter().unwrap().map(|row| {
            let (key, value) = row.unwrap();
            (key.value().to_vec(), value.value().to_vec())
        });
        let numbers = transaction.open_table(NUMBERS).unwrap();
        let mut numbers: Vec<_> = numbers
            .iter()
            .unwrap()
            .map(|row| row.map(|(key, value)| (key.value(), value.value())).unwrap())
            .collect();
        numbers.sort_unstable();
        let row =
            |(key, value): (u64, u64)| (key.to_le_bytes().to_vec(), value.to_le_bytes().to_vec());
        (bytes.collect(), numbers.into_iter().map(row).collect())
    }

    /// Open and after a clean close: the header, both trees of tables, every page's checksum, every row.
    #[test]
    fn a_file_is_read_as_redb_reads_it() {
        let (memory, database) = storage();
        fill(&database);
        let (bytes, numbers) = as_redb_reads(&database);
        let open = memory.to_bytes();
        drop(database);
        for (file, is_unclean) in [(open, true), (memory.to_bytes(), false)] {
            let header = Header::read(&file).unwrap();
            assert_eq!((header.is_unclean, header.is_two_phase), (is_unclean, true));
            assert_eq!(header.file_bytes(), file.len() as u64);
            let [last, before] = header.in_turn();
            assert!(last.is_valid && before.is_valid && last.transaction > before.transaction);

            let (found, mut pages) = tables(&file, &header, last.tables.unwrap());
            assert_eq!(found.keys().collect::<Vec<_>>(), ["bytes", "empty", "numbers"]);
            assert_eq!(found["bytes"].1, bytes);
            assert_eq!(found["numbers"].1, numbers);
            assert_eq!(found["empty"].0, Definition { rows: 0, root: None, ..found["numbers"].0 });
            assert_eq!(found["numbers"].0.shape, Shape { key: Some(8), value: Some(8) });
            assert_eq!(found["bytes"].0.shape, Shape::BYTES);
            assert!(pages.iter().any(|page| page.order > 1), "some pages are longer than others");

            let (system, of_system) = tables(&file, &header, last.system.unwrap());
            assert!(system.contains_key("allocator_state"), "{system:?}");
            pages.extend(of_system);
            let mut places: Vec<_> =
                pages.iter().map(|&page| header.geometry.place(page).unwrap()).collect();
            places.sort_by_key(|place| place.start);
            assert!(places.windows(2).all(|two| two[0].end <= two[1].start), "no two overlap");
            assert!(places[0].start >= PAGE_BYTES);
        }
    }

    /// Whatever stands in a page, it is read without a panic, and no bit of it can change unnoticed.
    #[test]
    fn a_changed_page_has_another_checksum() {
        let (memory, database) = storage();
        fill(&database);
        drop(database);
        let file = memory.to_bytes();
        let header = Header::read(&file).unwrap();
        let (found, mut pages) = tables(&file, &header, header.in_turn()[0].tables.unwrap());
        pages.retain(|page| page.order == 0);
        let numbers = found["numbers"].0;
        for shape in [Shape::BYTES, numbers.shape] {
            for &number in pages.iter().step_by(pages.len() / 40) {
                let sound = page_of(&file, &header, number);
                let Some(checksum) = Page::read(&sound, shape).and_then(|page| page.checksum())
                else {
                    continue;
                };
                for bit in (0..sound.len() * 8).step_by(97).chain(0..64) {
                    let mut bytes = sound.clone();
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    let Some(page) = Page::read(&bytes, shape) else { continue };
                    let is_same = page.checksum() == Some(checksum);
                    match page {
                        Page::Leaf(leaf) => {
                            assert!((0..=leaf.len()).any(|n| leaf.row(n).is_none()));
                        }
                        Page::Branch(branch) => {
                            for n in 0..=branch.len() {
                                let place = branch
                                    .child(n)
                                    .and_then(|(page, _)| header.geometry.place(page));
                                assert!(place.is_none_or(|place| place.end > place.start));
                                branch.key(n);
                            }
                        }
                    }
                    if is_same {
                        // Byte 1 and what is behind the last value mean nothing; only there a change may pass.
                        let end = used(&sound, shape);
                        assert!(bit / 8 >= end, "bit {bit} of {number:?}, which ends at {end}");
                    }
                }
            }
        }
    }

    /// Where the last byte is that counts: a change of any before it is noticed.
    fn used(sound: &[u8], shape: Shape) -> usize {
        match Page::read(sound, shape).unwrap() {
            Page::Leaf(leaf) => leaf.value_end(leaf.len() - 1).unwrap(),
            Page::Branch(branch) => branch.key_end(branch.len() - 2).unwrap(),
        }
    }

    #[test]
    fn what_is_no_header_is_none() {
        let (memory, database) = storage();
        drop(database);
        let sound = memory.to_bytes();
        assert!(Header::read(&sound).is_some());
        assert!(Header::read(&sound[..HEADER_BYTES - 1]).is_none());
        // Another beginning, another length of pages, too long a region's header, too long a region.
        for (at, value) in [(0, 0), (13, 0x20), (19, 0xff), (23, 0x01)] {
            let mut bytes = sound.clone();
            bytes[at] = value;
            assert_eq!(Header::read(&bytes), None, "byte {at}");
        }
        for slot in SLOTS {
            for bit in 0..SLOT_BYTES * 8 {
                let mut bytes = sound.clone();
                bytes[slot + bit / 8] ^= 1 << (bit % 8);
                let slots = Header::read(&bytes).unwrap().slots.map(|slot| slot.is_valid);
                assert_eq!(slots, SLOTS.map(|other| other != slot), "bit {bit}");
            }
        }
    }
}
