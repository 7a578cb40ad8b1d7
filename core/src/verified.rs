//! [`Verified`], a backend that checks every page when it is read: damage is an error, never another answer.
//!
//! redb keeps the checksum of a page in the page above it, but looks at it only when it is asked to read the whole file;
//! otherwise it trusts what it reads, and follows it wherever it leads. Here every read of a page is held against what
//! it must be, once for each time that it comes from the file and not from redb's cache:
//!
//! - A page that was written since the store was opened has the hash of what was written. What stands in it is not
//!   looked at: pages that leave redb's cache early refer to others by checksums that are not made yet.
//! - Any other page has the checksum that the page above it says. redb descends from the roots, which are in the header,
//!   so whatever page it asks for, the one above has passed by and was found sound.
//!
//! A page of which neither is known is not one that redb has any reason to read, and is refused like a damaged one. The one
//! exception is a file whose last commit had one phase, opened for writing: which of its two states is whole redb finds out
//! itself, by the checksums of all of it, as it opens the file.
//!
//! This takes 10 bytes of memory for each page of 4096 that was read or written, or is named by one that was.

use crate::StoreError;
use crate::pages::{
    Checksum, Definition, HEADER_BYTES, Header, PAGE_BYTES, Page, PageNumber, Shape,
};
use crate::storage::{MAGIC, locks_of};
use crate::survey;
use redb::StorageBackend;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// A backend whose pages are verified. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backend: Box<dyn StorageBackend>,
    /// Whether pages pass of which nothing is known.
    trusts: bool,
    /// Whether a read was refused: redb refuses everything from then on.
    found_damage: AtomicBool,
    known: Mutex<Known>,
}

/// What is damaged in a file: the source of an I/O error, for redb has no error of its own to hand it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage(pub(crate) String);

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}

/// A page as messages name it.
pub(crate) fn name_of_page(offset: u64) -> String {
    format!("page {} at byte {offset} of the file", offset / PAGE_BYTES)
}

impl Verified {
    /// Lays itself over a storage, which is empty or begins with a header that must be sound.
    pub(crate) fn new(
        backend: Box<dyn StorageBackend>,
        is_read_only: bool,
    ) -> Result<Self, StoreError> {
        let mut known = Known::default();
        let mut trusts = false;
        let length = backend.len()?;
        if length >= HEADER_BYTES as u64 {
            let mut bytes = [0; HEADER_BYTES];
            backend.read(0, &mut bytes)?;
            // What is no redb file at all redb knows to say.
            if bytes.starts_with(&MAGIC) {
                let header = survey::sound_header(&*backend, &mut bytes, length)?;
                trusts = !header.is_two_phase && !is_read_only;
                let [last, _] = header.in_turn();
                let masters = [last.tables, last.system].into_iter().flatten();
                for master in masters.filter(|_| !trusts) {
                    known.expect(&header, master.page, master.checksum, Tree::MASTER);
                }
                known.header = Some((bytes, header));
            }
        }
        let found_damage = AtomicBool::new(false);
        let known = Mutex::new(known);
        Ok(Self { inner: Arc::new(Inner { backend, trusts, found_damage, known }) })
    }

    /// Whether a read was refused since this was opened. Everything fails from then on, until it is opened anew.
    pub(crate) fn found_damage(&self) -> bool {
        self.inner.found_damage.load(Ordering::Relaxed)
    }

    /// The storage, with nothing verified.
    pub(crate) fn raw(&self) -> &dyn StorageBackend {
        &*self.inner.backend
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds what was read against what it must be, and learns from it what others must be.
    fn verify(&self, offset: u64, bytes: &[u8]) -> Result<(), Damage> {
        let wrong = |what: &str| Damage(format!("{} {what}", name_of_page(offset)));
        let expected = self.known().at(offset);
        let Some(expected) = expected else {
            let trusts = self.inner.trusts;
            return if trusts { Ok(()) } else { Err(wrong("is read, but nothing refers to it")) };
        };
        if expected.length() != bytes.len() as u64 {
            return Err(wrong("is not as long as what refers to it says"));
        }
        let mismatch = || wrong("does not match its checksum");
        let Source::Tree(tree) = expected.source else {
            return if xxh3_64(bytes) == expected.hash { Ok(()) } else { Err(mismatch()) };
        };
        let page = Page::read(bytes, tree.shape).ok_or_else(mismatch)?;
        if page.checksum().map(low) != Some(expected.hash) {
            return Err(mismatch());
        }
        if tree.is_master || matches!(page, Page::Branch(_)) {
            self.known().learn(&page, tree);
        }
        Ok(())
    }
}

/// Half of a checksum is kept: as good as the whole against what happens by chance.
fn low(checksum: Checksum) -> u64 {
    (checksum & u128::from(u64::MAX)).try_into().unwrap_or_default()
}

/// What is known of the pages of a file.
#[derive(Debug, Default)]
struct Known {
    /// As it was read first, or written last.
    header: Option<([u8; HEADER_BYTES], Header)>,
    /// By the number of the page of 4096 bytes with which a page begins.
    chunks: Vec<Option<Box<Chunk>>>,
    trees: Vec<Tree>,
}

const CHUNK: usize = 512;

#[derive(Debug)]
struct Chunk {
    hashes: [u64; CHUNK],
    /// 0 where nothing is known; else the order of the page and, in the high bits, where the hash is from.
    tags: [u16; CHUNK],
}

/// What a page is in, so that it can be told where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tree {
    shape: Shape,
    /// Whether its rows are definitions of tables.
    is_master: bool,
}

impl Tree {
    const MASTER: Self = Self { shape: Shape::BYTES, is_master: true };
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// It was written since the file was opened; the hash is of 64 bits.
    Written,
    /// Something refers to it; the hash is half a checksum.
    Tree(Tree),
}

#[derive(Debug, Clone, Copy)]
struct Expected {
    hash: u64,
    order: u16,
    source: Source,
}

impl Expected {
    fn length(&self) -> u64 {
        PAGE_BYTES << self.order
    }
}

/// The low bits of a tag, and what the high bits count from.
const ORDER: u16 = 0x1f;
const WRITTEN: u16 = 1 << 5;
const FIRST_TREE: u16 = 2 << 5;

impl Known {
    fn index(offset: u64) -> Option<(usize, usize)> {
        let page = usize::try_from(offset / PAGE_BYTES).ok()?;
        offset.is_multiple_of(PAGE_BYTES).then_some((page / CHUNK, page % CHUNK))
    }

    fn at(&self, offset: u64) -> Option<Expected> {
        let (chunk, within) = Self::index(offset)?;
        let chunk = self.chunks.get(chunk)?.as_ref()?;
        let (hash, tag) = (*chunk.hashes.get(within)?, *chunk.tags.get(within)?);
        let source = match tag & !ORDER {
            0 => return None,
            WRITTEN => Source::Written,
            from => Source::Tree(*self.trees.get(usize::from((from - FIRST_TREE) >> 5))?),
        };
        Some(Expected { hash, order: tag & ORDER, source })
    }

    fn set(&mut self, offset: u64, hash: u64, tag: u16) {
        let Some((index, within)) = Self::index(offset) else { return };
        if index >= self.chunks.len() {
            if tag == 0 {
                return;
            }
            self.chunks.resize_with(index + 1, || None);
        }
        let Some(place) = self.chunks.get_mut(index) else { return };
        if tag == 0 && place.is_none() {
            return;
        }
        let chunk =
            place.get_or_insert_with(|| Box::new(Chunk { hashes: [0; CHUNK], tags: [0; CHUNK] }));
        if let (Some(kept), Some(tagged)) =
            (chunk.hashes.get_mut(within), chunk.tags.get_mut(within))
        {
            (*kept, *tagged) = (hash, tag);
        }
    }

    /// Forgets all about pages that begin in a range of the file.
    fn forget(&mut self, from: u64, to: u64) {
        let end = self.chunks.len() as u64 * CHUNK as u64 * PAGE_BYTES;
        let mut offset = from.next_multiple_of(PAGE_BYTES);
        while offset < to.min(end) {
            self.set(offset, 0, 0);
            offset += PAGE_BYTES;
        }
    }

    fn wrote(&mut self, offset: u64, bytes: &[u8]) {
        let length = bytes.len() as u64;
        let pages = length / PAGE_BYTES;
        self.forget(offset, offset.saturating_add(length));
        if length.is_multiple_of(PAGE_BYTES) && pages.is_power_of_two() {
            let order = u16::try_from(pages.trailing_zeros()).unwrap_or_default();
            self.set(offset, xxh3_64(bytes), WRITTEN | order);
        }
    }

    /// Notes what a sound page says of others.
    fn learn(&mut self, page: &Page<'_>, tree: Tree) {
        let Some((_, header)) = self.header else { return };
        match page {
            Page::Branch(branch) => {
                for (page, checksum) in (0..branch.len()).filter_map(|n| branch.child(n)) {
                    self.expect(&header, page, checksum, tree);
                }
            }
            Page::Leaf(leaf) => {
                let rows = (0..leaf.len()).filter_map(|n| leaf.row(n));
                for table in rows.filter_map(|(_, value)| Definition::read(value)) {
                    let tree = Tree { shape: table.shape, is_master: false };
                    if let Some(root) = table.root {
                        self.expect(&header, root.page, root.checksum, tree);
                    }
                }
            }
        }
    }

    /// Notes what a page must be, unless it was written since: then what refers to it is older than it is.
    fn expect(&mut self, header: &Header, page: PageNumber, checksum: Checksum, tree: Tree) {
        let Some(place) = header.geometry.place(page) else { return };
        if matches!(self.at(place.start), Some(Expected { source: Source::Written, .. })) {
            return;
        }
        let number = self.trees.iter().position(|known| *known == tree).unwrap_or_else(|| {
            self.trees.push(tree);
            self.trees.len() - 1
        });
        let Ok(number) = u16::try_from(number) else { return };
        if let Some(from) = number.checked_mul(1 << 5).and_then(|n| n.checked_add(FIRST_TREE)) {
            self.set(place.start, low(checksum), from | u16::from(page.order));
        }
    }
}

impl StorageBackend for Verified {
    fn len(&self) -> io::Result<u64> {
        self.inner.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset < PAGE_BYTES {
            let known = self.known();
            let header = known.header.as_ref().and_then(|(bytes, _)| bytes.get(..out.len()));
            if let (0, Some(header)) = (offset, header) {
                out.copy_from_slice(header);
                return Ok(());
            }
            drop(known);
            return self.inner.backend.read(offset, out);
        }
        self.inner.backend.read(offset, out)?;
        self.verify(offset, out).map_err(|damage| {
            self.inner.found_damage.store(true, Ordering::Relaxed);
            io::Error::other(damage)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.known().forget(len, u64::MAX);
        self.inner.backend.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let written = self.inner.backend.write(offset, data);
        let mut known = self.known();
        if written.is_err() {
            known.forget(offset, offset.saturating_add(data.len() as u64));
        } else if offset < PAGE_BYTES {
            let header = data.first_chunk().filter(|_| offset == 0);
            known.header = header.and_then(|bytes| Some((*bytes, Header::read(bytes)?)));
        } else {
            known.wrote(offset, data);
        }
        written
    }

    fn close(&self) -> io::Result<()> {
        self.inner.backend.close()
    }

    locks_of!(self, self.inner.backend);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStorage;
    use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

    const BYTES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("bytes");
    const NUMBERS: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

    fn open(memory: &MemoryStorage) -> Result<(Verified, Database), StoreError> {
        let verified = Verified::new(Box::new(memory.clone()), false)?;
        // The least of a cache: pages leave it before their commit, and come back.
        let opened = Database::builder().set_cache_size(0).create_with_backend(verified.clone());
        Ok((verified, opened.map_err(|error| StoreError::damaged(error.to_string()))?))
    }

    fn fill(database: &Database, from: u64, count: u64) {
        let mut transaction = database.begin_write().unwrap();
        transaction.set_quick_repair(true);
        {
            let mut bytes = transaction.open_table(BYTES).unwrap();
            let mut numbers = transaction.open_table(NUMBERS).unwrap();
            for n in from..from + count {
                let length = usize::try_from(n % 30 * 700).unwrap();
                bytes.insert(n.to_be_bytes().as_slice(), vec![7; length].as_slice()).unwrap();
                numbers.insert(n, n * n).unwrap();
                if n % 3 == 0 {
                    numbers.remove(n / 2).unwrap();
                }
            }
        }
        transaction.commit().unwrap();
    }

    /// How many rows there are, each read.
    fn rows(database: &Database) -> Result<(usize, usize), redb::Error> {
        let transaction = database.begin_read()?;
        let (bytes, numbers) = (transaction.open_table(BYTES)?, transaction.open_table(NUMBERS)?);
        let (mut of_bytes, mut of_numbers) = (0, 0);
        for row in bytes.iter()? {
            row?;
            of_bytes += 1;
        }
        for row in numbers.iter()? {
            row?;
            of_numbers += 1;
        }
        Ok((of_bytes, of_numbers))
    }

    /// In a life with commits, readers beside them, compaction and closing, nothing is refused.
    #[test]
    fn what_is_sound_is_never_refused() {
        let memory = MemoryStorage::default();
        for life in 0..4 {
            let (verified, mut database) = open(&memory).unwrap();
            for round in 0..4 {
                let before = database.begin_read().unwrap();
                fill(&database, life * 400 + round * 100, 150);
                if round > 0 {
                    let table = before.open_table(NUMBERS).unwrap();
                    assert_eq!(table.iter().unwrap().count() as u64, table.len().unwrap());
                }
                drop(before);
                rows(&database).unwrap();
            }
            assert!(database.check_integrity().unwrap());
            if life % 2 == 1 {
                assert!(database.compact().unwrap());
                rows(&database).unwrap();
            }
            assert!(!verified.found_damage());
        }
    }

    /// Each page of a file is damaged in turn: all rows are read, or it is said which page is damaged.
    #[test]
    fn a_damaged_page_is_named_when_it_is_read() {
        let memory = MemoryStorage::default();
        let (_, database) = open(&memory).unwrap();
        fill(&database, 0, 60);
        let sound = rows(&database).unwrap();
        drop(database);
        let file = memory.to_bytes();
        let mut named = 0;
        for page in 1..file.len() / 4096 {
            let mut bytes = file.clone();
            bytes[page * 4096 + 9] ^= 0x10;
            let found = match open(&MemoryStorage::from(bytes)) {
                Ok((verified, database)) => rows(&database).map_err(|error| {
                    assert!(verified.found_damage());
                    error.to_string()
                }),
                Err(error) => Err(error.to_string()),
            };
            match found {
                Ok(found) => assert_eq!(found, sound),
                Err(error) => {
                    // Where it begins that this is a part of.
                    let name = error.split("page ").nth(1).and_then(|rest| rest.split(' ').next());
                    let begins: usize = name.unwrap().parse().unwrap();
                    assert!(begins <= page && page < begins + 8, "{page}: {error}");
                    assert!(error.ends_with("does not match its checksum"), "{error}");
                    named += 1;
                }
            }
        }
        assert!(named > 20, "{named} of {} pages", file.len() / 4096);
    }

    /// The flag that names the last commit has no checksum; where it is wrong the last commit is found all the same.
    #[test]
    fn a_wrong_flag_is_no_way_back() {
        let memory = MemoryStorage::default();
        let (_, database) = open(&memory).unwrap();
        fill(&database, 0, 50);
        fill(&database, 50, 50);
        let after = rows(&database).unwrap();
        let mut file = memory.to_bytes();
        drop(database);
        file[9] ^= 1;
        let (_, database) = open(&MemoryStorage::from(file)).unwrap();
        assert_eq!(rows(&database).unwrap(), after);
    }
}
