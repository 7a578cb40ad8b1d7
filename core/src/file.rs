//! [`FileStorage`], a store in one file, where there are files.

use crate::StoreError;
use crate::disk::Disk;
use crate::storage::{MemoryStorage, Storage};
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A store in one file. One process owns it at a time; the system frees the lock of one that is killed.
#[derive(Debug, Clone)]
pub struct FileStorage {
    path: PathBuf,
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Create,
    Write,
    Read,
}

/// What every redb file begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

impl FileStorage {
    /// The store at `path`, made there if nothing is.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), access: Access::Create }
    }

    /// The store at `path`, which must be there.
    pub fn existing(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), access: Access::Write }
    }

    /// The store at `path`, never to be written.
    pub(crate) fn read_only(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), access: Access::Read }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes an empty store at `path`, which must be free.
    ///
    /// The file gets its name when it is complete and synced, so a crash leaves no half of one, and of two
    /// processes that make the same store one finds the other's.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        let image = Disk::blank_image().map_err(io::Error::other)?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{:016x}.new", getrandom::u64().unwrap_or_default()));
        let draft = PathBuf::from(draft);
        let written = write_synced(&draft, &image).and_then(|()| std::fs::hard_link(&draft, path));
        std::fs::remove_file(&draft)?;
        written?;
        sync_directory_of(path)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a new name in a directory durable.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

impl Storage for FileStorage {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(self.access != Access::Read);
        let mut file = match options.open(&self.path) {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.access == Access::Create =>
            {
                match Self::create(&self.path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                    _ => options.open(&self.path),
                }
            }
            opened => opened,
        }?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut head)?;
        if head != MAGIC {
            let what = if head.is_empty() { "the file is empty" } else { "it begins otherwise" };
            return Err(StoreError::NotAStore(what.into()));
        }
        let backend =
            FileBackend::new(file).map_err(|error| StoreError::from(io::Error::other(error)))?;
        Ok(Box::new(backend))
    }
}

impl Disk {
    /// The bytes of an empty store.
    fn blank_image() -> Result<Vec<u8>, StoreError> {
        let memory = MemoryStorage::default();
        Self::open(&memory, 1 << 20)?.close()?;
        Ok(memory.to_bytes())
    }
}
