//! [`FileStorage`], a store in one file, where there are files.

use crate::disk::Disk;
use crate::storage::{LogStorage, MAGIC, MemoryStorage, Storage, check_magic};
use crate::{Error, StoreError};
use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// A store in one file, with its log beside it. One process owns it at a time; the system frees the lock of one that is killed.
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

/// What the name of a store's log ends in, after the store's own.
const LOG_SUFFIX: &str = "-log";

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

    /// The path of the log beside the file: there while the store is open, and after an unclean end.
    pub fn log_path(&self) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(LOG_SUFFIX);
        path.into()
    }

    /// Makes an empty store at `path`, which must be free.
    ///
    /// The file gets its name when it is complete and synced, so a crash leaves no half of one, and of two
    /// processes that make the same store one finds the other's.
    pub(crate) fn create(path: &Path) -> io::Result<()> {
        let image = Disk::blank_image().map_err(io::Error::other)?;
        let draft = draft_of(path);
        let written = write_synced(&draft, &image).and_then(|()| std::fs::hard_link(&draft, path));
        std::fs::remove_file(&draft)?;
        written?;
        sync_directory_of(path)
    }

    /// Makes a store at `path`, which must be free: `make` does so beside it, and closes it. It gets its name when it is
    /// complete; where `make` fails nothing is left.
    pub(crate) fn place<T>(
        path: &Path,
        make: impl FnOnce(Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // Told before the work, too.
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::from(io::Error::from(io::ErrorKind::AlreadyExists)).into());
        }
        let draft = Self::new(draft_of(path));
        let named = make(draft.clone()).and_then(|result| {
            std::fs::hard_link(draft.path(), path).map_err(StoreError::from)?;
            Ok(result)
        });
        // What is left of a draft does no harm, and why it was left is told by what was made of it.
        std::fs::remove_file(draft.path()).ok();
        std::fs::remove_file(draft.log_path()).ok();
        if named.is_ok() {
            sync_directory_of(path).map_err(StoreError::from)?;
        }
        named
    }

    /// The file at `path` and the log beside it, to be read whatever they hold, while nobody has the store open or opens it.
    pub(crate) fn salvaged(path: &Path) -> Result<Salvaged, StoreError> {
        let tables = backend(File::open(path)?)?;
        for range in SHARED_BY_READERS {
            match tables.try_lock_shared_range(range.0, range.1) {
                Ok(true) | Err(BackendError::Unsupported) => {}
                Ok(false) => return Err(StoreError::InUse),
                Err(BackendError::Io(error)) => return Err(error.into()),
                Err(error) => return Err(io::Error::other(error.to_string()).into()),
            }
        }
        let log = match File::open(Self::read_only(path).log_path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            log => Some(backend(log?)?),
        };
        Ok((tables, log))
    }
}

/// A file of tables and its log.
type Salvaged = (Box<dyn StorageBackend>, Option<Box<dyn StorageBackend>>);

/// What redb's readers lock beside each other, and a writer alone: the bytes behind those of its protocol, with the lock of
/// the whole file where there is such a thing, and all that can be in a file.
const SHARED_BY_READERS: [(Bound<u64>, Bound<u64>); 2] = [
    (Bound::Included((1 << 62) + 1024), Bound::Unbounded),
    (Bound::Unbounded, Bound::Excluded(1 << 62)),
];

/// Where a store is made before it gets its name.
fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{:016x}.new", getrandom::u64().unwrap_or_default()));
    draft.into()
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
        check_magic(&head)?;
        backend(file)
    }

    fn open_log(&self, make: bool) -> Result<Option<LogStorage>, StoreError> {
        let path = self.log_path();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(make).open(&path);
        match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !make => Ok(None),
            file => {
                let file = file?;
                if make {
                    sync_directory_of(&path)?;
                }
                Ok(Some(LogStorage::File(backend(file)?)))
            }
        }
    }

    fn remove_log(&self) -> Result<(), StoreError> {
        Ok(std::fs::remove_file(self.log_path())?)
    }
}

fn backend(file: File) -> Result<Box<dyn StorageBackend>, StoreError> {
    match FileBackend::new(file) {
        Ok(backend) => Ok(Box::new(backend)),
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(StoreError::InUse),
        Err(error) => Err(StoreError::from(io::Error::other(error))),
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
