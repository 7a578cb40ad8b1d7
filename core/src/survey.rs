//! What is wrong with the pages of a store file: its header, and every page that its roots lead to.

use crate::StoreError;
use crate::pages::{
    Definition, GEOMETRY, HEADER_BYTES, Header, Page, PageNumber, Root, Shape, Slot,
};
use crate::storage::MAGIC;
use crate::verified::name_of_page;
use redb::StorageBackend;
use std::io;

/// The byte of the header that has the flags, and the flag that says which slot is the primary.
const FLAGS: usize = 9;
const PRIMARY: u8 = 1;

/// Reads the header of a file that is so long, which must be sound. Its primary is the commit that redb opens.
///
/// After commits in one phase that is the newest whose roots have their checksum. After one in two phases a flag names it,
/// which has no checksum itself: where the other is newer either a commit was cut short in the middle, or the flag is wrong.
/// Then the newer is taken if every page of it is there, and `bytes` say so too: a commit that was cut short counts as
/// made once it is whole, and what a wrong flag hides may have been acknowledged.
pub(crate) fn sound_header(
    backend: &dyn StorageBackend,
    bytes: &mut [u8; HEADER_BYTES],
    length: u64,
) -> Result<Header, StoreError> {
    let damaged = |what: &str| Err(StoreError::damaged(format!("its header is damaged: {what}")));
    let Some(header) = Header::read(bytes) else {
        return damaged("the layout of pages that it gives is none");
    };
    let [last, before] = header.in_turn();
    if last.is_older || before.is_older {
        // redb names the format.
        return Ok(header);
    }
    if header.geometry != GEOMETRY {
        return damaged("the layout of pages that it gives is not that of a store");
    }
    if length < header.file_bytes() {
        let should = header.file_bytes();
        return Err(StoreError::damaged(format!(
            "it ends too early: {length} bytes of {should} are there"
        )));
    }
    let is_newer = before.is_valid && before.transaction > last.transaction;
    let other = Header { primary: 1 - header.primary, ..header };
    if !header.is_two_phase && before.is_valid && (is_newer || !last.is_valid) {
        return Ok(other);
    }
    if !last.is_valid {
        return damaged("where its tables are does not match its checksum");
    }
    if header.is_two_phase && is_newer && is_whole(backend, &header, before)? {
        if let Some(flags) = bytes.get_mut(FLAGS) {
            *flags ^= PRIMARY;
        }
        return Ok(other);
    }
    Ok(header)
}

/// Whether every page of a commit is there.
fn is_whole(
    backend: &dyn StorageBackend,
    header: &Header,
    slot: &Slot,
) -> Result<bool, StoreError> {
    let mut is_whole = true;
    let mut survey = Survey { backend, header, wrong: &mut |_| is_whole = false };
    survey.commit(slot)?;
    Ok(is_whole)
}

/// Reads the header and every page of a store file, and calls `wrong` with what is wrong with any.
///
/// # Errors
///
/// What the storage reports, but for damage; [`StoreError::NotAStore`].
pub(crate) fn survey(
    backend: &dyn StorageBackend,
    wrong: &mut dyn FnMut(String),
) -> Result<(), StoreError> {
    let length = backend.len()?;
    let mut bytes = [0; HEADER_BYTES];
    if length < HEADER_BYTES as u64 {
        wrong(format!("it ends too early: {length} bytes are there"));
        return Ok(());
    }
    backend.read(0, &mut bytes)?;
    if !bytes.starts_with(&MAGIC) {
        return Err(StoreError::NotAStore("it begins otherwise".into()));
    }
    let header = match sound_header(backend, &mut bytes, length) {
        Ok(header) => Some(header),
        Err(StoreError::Damaged(what)) => {
            wrong(what);
            // What can be found all the same is worth knowing.
            Header::read(&bytes)
        }
        Err(error) => return Err(error),
    };
    let Some(header) = header else { return Ok(()) };
    let [last, before] = header.in_turn();
    let Some(slot) = [last, before].into_iter().find(|slot| slot.is_valid) else {
        wrong("no commit in its header is sound".into());
        return Ok(());
    };
    Survey { backend, header: &header, wrong }.commit(slot)
}

/// A walk through the trees of a file.
struct Survey<'a> {
    backend: &'a dyn StorageBackend,
    header: &'a Header,
    wrong: &'a mut dyn FnMut(String),
}

impl Survey<'_> {
    fn commit(&mut self, slot: &Slot) -> Result<(), StoreError> {
        for (master, of) in [(slot.tables, "table"), (slot.system, "the engine's own table")] {
            let Some(master) = master else { continue };
            let mut tables = Vec::new();
            self.tree(&format!("{of}s"), master, Shape::BYTES, &mut |name, value| {
                tables.push((String::from_utf8_lossy(name).into_owned(), Definition::read(value)));
            })?;
            for (name, table) in tables {
                let what = format!("{of} {name}");
                match table {
                    None => (self.wrong)(format!("{what}: what is said of it is malformed")),
                    Some(Definition { root: None, .. }) => {}
                    Some(Definition { root: Some(root), shape, .. }) => {
                        self.tree(&what, root, shape, &mut |_, _| ())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Walks a tree, and calls `visit` with every row that can be read.
    fn tree(
        &mut self,
        what: &str,
        root: Root,
        shape: Shape,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<(), StoreError> {
        let mut rows = 0;
        let mut bytes = Vec::new();
        let mut next = vec![(root.page, root.checksum)];
        while let Some((number, checksum)) = next.pop() {
            if let Err(wrong) = self.read(number, &mut bytes)? {
                (self.wrong)(format!("{what}: {wrong}"));
                continue;
            }
            let page = Page::read(&bytes, shape);
            let Some(page) = page.filter(|page| page.checksum() == Some(checksum)) else {
                let place = self.header.geometry.place(number).unwrap_or_default();
                let name = name_of_page(place.start);
                (self.wrong)(format!("{what}: {name} does not match its checksum"));
                continue;
            };
            match page {
                Page::Branch(branch) => {
                    next.extend((0..branch.len()).rev().filter_map(|n| branch.child(n)));
                }
                Page::Leaf(leaf) => {
                    for (key, value) in (0..leaf.len()).filter_map(|n| leaf.row(n)) {
                        rows += 1;
                        visit(key, value);
                    }
                }
            }
        }
        if rows != root.rows {
            (self.wrong)(format!("{what}: {rows} of {} rows can be read", root.rows));
        }
        Ok(())
    }

    /// Reads a page, or says what is wrong with where it is.
    fn read(
        &self,
        number: PageNumber,
        bytes: &mut Vec<u8>,
    ) -> Result<Result<(), String>, StoreError> {
        let place = self.header.geometry.place(number);
        let Some(place) = place.filter(|place| place.end <= u64::MAX / 2) else {
            return Ok(Err("a page is outside of every region".into()));
        };
        let name = name_of_page(place.start);
        // Before memory is asked for.
        if place.end > self.backend.len()? {
            return Ok(Err(format!("{name} is beyond the end of the file")));
        }
        bytes.clear();
        bytes.resize(usize::try_from(place.end - place.start).unwrap_or(0), 0);
        match self.backend.read(place.start, bytes) {
            Ok(()) => Ok(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Err(format!("{name} is beyond the end of the file")))
            }
            Err(error) => Err(error.into()),
        }
    }
}
