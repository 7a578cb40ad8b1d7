//! [`Hooked`], a storage in memory that asks a hook before every call: it may let it fail, hold it up or panic.

use connectory::{CommitMode, LogStorage, Storage, StorageBackend, StoreError};
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The two files of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// The tables.
    Store,
    /// The log beside them.
    Log,
}

/// What a store may ask of its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opening or, of the log, making.
    Open,
    /// Removing the log.
    Remove,
    /// Asking for the length.
    Len,
    /// Reading.
    Read,
    /// Changing the length.
    SetLen,
    /// Writing. Where it fails, half is written.
    Write,
    /// Making durable.
    Sync,
}

/// What becomes of bytes whose sync failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// The next sync may make them durable.
    Waits,
    /// They are gone.
    IsLost,
    /// They can be read and are not on the disk, whatever later syncs say, unless they are written anew.
    IsHidden,
}

/// The bytes of both files.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Of the tables.
    pub store: Vec<u8>,
    /// Of the log, where there is one.
    pub log: Option<Vec<u8>>,
}

const SECTOR: usize = 512;

type Hook = dyn Fn(File, Call) -> io::Result<()> + Send + Sync;

/// A storage of two files in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct Hooked {
    mode: CommitMode,
    shared: Arc<Shared>,
}

struct Shared {
    store: Content,
    log: Mutex<Option<Content>>,
    is_open: AtomicBool,
    unsynced: Mutex<Unsynced>,
    hook: RwLock<Arc<Hook>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Shared").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Content(Arc<Mutex<Bytes>>);

#[derive(Debug)]
struct Bytes {
    now: Vec<u8>,
    /// Those that a power cut leaves.
    synced: Vec<u8>,
    /// What was written since the last sync.
    written: Vec<Range<usize>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A hook may panic, but holds none of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Content {
    fn of(bytes: Vec<u8>) -> Self {
        let bytes = Bytes { synced: bytes.clone(), now: bytes, written: Vec::new() };
        Self(Arc::new(Mutex::new(bytes)))
    }

    fn bytes(&self) -> MutexGuard<'_, Bytes> {
        lock(&self.0)
    }
}

impl Hooked {
    /// A storage that begins with these bytes; with none, one for a new store.
    pub fn holding(image: Image, mode: CommitMode) -> Self {
        let shared = Shared {
            store: Content::of(image.store),
            log: Mutex::new(image.log.map(Content::of)),
            is_open: AtomicBool::new(false),
            unsynced: Mutex::new(Unsynced::Waits),
            hook: RwLock::new(Arc::new(|_, _| Ok(()))),
        };
        Self { mode, shared: Arc::new(shared) }
    }

    /// A storage for a new store.
    pub fn new(mode: CommitMode) -> Self {
        Self::holding(Image::default(), mode)
    }

    /// Has `hook` asked before every call from now on.
    pub fn hook(&self, hook: impl Fn(File, Call) -> io::Result<()> + Send + Sync + 'static) {
        *self.shared.hook.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(hook);
    }

    /// Says what becomes of bytes whose sync fails from now on.
    pub fn on_failed_sync(&self, unsynced: Unsynced) {
        *lock(&self.shared.unsynced) = unsynced;
    }

    /// What can be read at this moment: all that a crash of the process leaves.
    pub fn image(&self) -> Image {
        self.copy(|bytes| bytes.now.clone())
    }

    /// What was synced: the least that a power cut leaves.
    pub fn synced(&self) -> Image {
        self.copy(|bytes| bytes.synced.clone())
    }

    fn copy(&self, of: impl Fn(&Bytes) -> Vec<u8>) -> Image {
        let log = lock(&self.shared.log);
        Image {
            store: of(&self.shared.store.bytes()),
            log: log.as_ref().map(|log| of(&log.bytes())),
        }
    }

    fn ask(&self, file: File, call: Call) -> io::Result<()> {
        let hook = self.shared.hook.read().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for one who is held up.
        let hook = Arc::clone(&hook);
        hook(file, call)
    }

    fn opened(&self, file: File, content: &Content) -> Box<dyn StorageBackend> {
        let is_open = AtomicBool::new(true);
        Box::new(OpenFile { storage: self.clone(), file, content: content.clone(), is_open })
    }
}

impl Storage for Hooked {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        self.ask(File::Store, Call::Open)?;
        if self.shared.is_open.swap(true, Ordering::SeqCst) {
            return Err(StoreError::InUse);
        }
        Ok(self.opened(File::Store, &self.shared.store))
    }

    fn open_log(&self, make: bool) -> Result<Option<LogStorage>, StoreError> {
        self.ask(File::Log, Call::Open)?;
        let mut log = lock(&self.shared.log);
        if log.is_none() && make {
            *log = Some(Content::of(Vec::new()));
        }
        Ok(log.as_ref().map(|log| LogStorage::File(self.opened(File::Log, log))))
    }

    fn remove_log(&self) -> Result<(), StoreError> {
        self.ask(File::Log, Call::Remove)?;
        let removed = lock(&self.shared.log).take();
        removed.map(drop).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
    }

    fn commit_mode(&self) -> CommitMode {
        self.mode
    }
}

/// One of the files, open.
#[derive(Debug)]
struct OpenFile {
    storage: Hooked,
    file: File,
    content: Content,
    is_open: AtomicBool,
}

fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the file")
}

fn range(offset: u64, len: usize, within: usize) -> io::Result<Range<usize>> {
    let start = usize::try_from(offset).map_err(|_| out_of_range())?;
    let end = start.checked_add(len).filter(|&end| end <= within);
    Ok(start..end.ok_or_else(out_of_range)?)
}

impl StorageBackend for OpenFile {
    fn len(&self) -> io::Result<u64> {
        self.storage.ask(self.file, Call::Len)?;
        Ok(self.content.bytes().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.ask(self.file, Call::Read)?;
        let bytes = self.content.bytes();
        out.copy_from_slice(&bytes.now[range(offset, out.len(), bytes.now.len())?]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.storage.ask(self.file, Call::SetLen)?;
        let len = usize::try_from(len).map_err(|_| out_of_range())?;
        let mut bytes = self.content.bytes();
        bytes.now.resize(len, 0);
        for range in &mut bytes.written {
            *range = range.start.min(len)..range.end.min(len);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let asked = self.storage.ask(self.file, Call::Sync);
        let unsynced = *lock(&self.storage.shared.unsynced);
        let mut bytes = self.content.bytes();
        let Bytes { now, synced, written } = &mut *bytes;
        match (&asked, unsynced) {
            (Ok(()), _) => {
                synced.resize(now.len(), 0);
                for range in written.drain(..) {
                    synced[range.clone()].copy_from_slice(&now[range]);
                }
            }
            (Err(_), Unsynced::Waits) => {}
            (Err(_), Unsynced::IsLost) => {
                now.clone_from(synced);
                written.clear();
            }
            (Err(_), Unsynced::IsHidden) => written.clear(),
        }
        asked
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let asked = self.storage.ask(self.file, Call::Write);
        let written = if asked.is_ok() { data.len() } else { data.len() / 2 };
        let mut bytes = self.content.bytes();
        let range = range(offset, data.len(), bytes.now.len())?;
        let range = range.start..range.start + written;
        bytes.now[range.clone()].copy_from_slice(&data[..written]);
        // A disk writes whole sectors.
        let end = range.end.next_multiple_of(SECTOR).min(bytes.now.len());
        bytes.written.push(range.start / SECTOR * SECTOR..end);
        asked
    }

    fn close(&self) -> io::Result<()> {
        if self.is_open.swap(false, Ordering::SeqCst) && self.file == File::Store {
            self.storage.shared.is_open.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.close().ok();
    }
}
