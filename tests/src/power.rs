//! [`Recorded`], a storage in memory that remembers every act, and [`Record`], from which disks are made up as they
//! may be found after the power was lost.

mod remains;

pub use remains::Remains;

use connectory::{CommitMode, LogStorage, Storage, StorageBackend, StoreError};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One of the two files of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What [`Storage::open`] opens.
    Store,
    /// What [`Storage::open_log`] opens.
    Log,
}

/// What a disk holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The store; no bytes where there is none yet.
    pub store: Vec<u8>,
    /// The log, where there is one.
    pub log: Option<Vec<u8>>,
}

/// Something that was done to a storage. Files are numbered: the store is the first, every log that is made is a
/// new one.
#[derive(Debug, Clone)]
enum Act {
    Write {
        file: usize,
        offset: usize,
        data: Arc<[u8]>,
    },
    SetLen {
        file: usize,
        len: usize,
    },
    Sync {
        file: usize,
    },
    /// The log's name stands for another file, or for none.
    NameLog(Option<usize>),
    /// The log's name is durable.
    SyncName,
}

const STORE: usize = 0;

/// A storage in memory that remembers what was done to it, in order. Clones share it.
#[derive(Debug, Clone)]
pub struct Recorded {
    mode: CommitMode,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    beginning: Arc<Image>,
    acts: Vec<Act>,
    /// Every file as it reads now.
    files: Vec<Vec<u8>>,
    log: Option<usize>,
}

/// What was done to a storage.
#[derive(Debug, Clone)]
pub struct Record {
    beginning: Arc<Image>,
    acts: Vec<Act>,
}

/// The number of the log with which an image begins, if it has one.
fn first_log(image: &Image) -> Option<usize> {
    image.log.as_ref().map(|_| STORE + 1)
}

impl Recorded {
    /// A storage on a disk that holds this, all of it durable.
    pub fn holding(image: Image, mode: CommitMode) -> Self {
        let log = first_log(&image);
        let files = [&image.store].into_iter().chain(&image.log).cloned().collect();
        let inner = Inner { beginning: Arc::new(image), acts: Vec::new(), files, log };
        Self { mode, inner: Arc::new(Mutex::new(inner)) }
    }

    /// What it holds now, as those see it who read it.
    pub fn image(&self) -> Image {
        let inner = self.inner();
        let log = inner.log.map(|file| inner.files[file].clone());
        Image { store: inner.files[STORE].clone(), log }
    }

    /// How much was done so far.
    pub fn acts(&self) -> usize {
        self.inner().acts.len()
    }

    /// What was done so far.
    pub fn record(&self) -> Record {
        let inner = self.inner();
        Record { beginning: Arc::clone(&inner.beginning), acts: inner.acts.clone() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backend(&self, file: usize) -> Box<dyn StorageBackend> {
        Box::new(Backend { storage: self.clone(), file })
    }
}

impl Storage for Recorded {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        Ok(self.backend(STORE))
    }

    fn open_log(&self, make: bool) -> Result<Option<LogStorage>, StoreError> {
        let mut inner = self.inner();
        if inner.log.is_none() && make {
            inner.log = Some(inner.files.len());
            inner.files.push(Vec::new());
            let named = Act::NameLog(inner.log);
            inner.acts.extend([named, Act::SyncName]);
        }
        Ok(inner.log.map(|file| LogStorage::File(self.backend(file))))
    }

    fn remove_log(&self) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if inner.log.take().is_some() {
            inner.acts.push(Act::NameLog(None));
        }
        Ok(())
    }

    fn commit_mode(&self) -> CommitMode {
        self.mode
    }
}

/// One open file of a storage; a log that was removed meanwhile included.
#[derive(Debug)]
struct Backend {
    storage: Recorded,
    file: usize,
}

fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the file")
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| out_of_range())
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.storage.inner().files[self.file].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.storage.inner();
        let start = index(offset)?;
        let end = start.checked_add(out.len()).ok_or_else(out_of_range)?;
        out.copy_from_slice(inner.files[self.file].get(start..end).ok_or_else(out_of_range)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = index(len)?;
        let mut inner = self.storage.inner();
        inner.files[self.file].resize(len, 0);
        inner.acts.push(Act::SetLen { file: self.file, len });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.inner().acts.push(Act::Sync { file: self.file });
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.storage.inner();
        let offset = index(offset)?;
        let end = offset.checked_add(data.len()).ok_or_else(out_of_range)?;
        let target = inner.files[self.file].get_mut(offset..end).ok_or_else(out_of_range)?;
        target.copy_from_slice(data);
        inner.acts.push(Act::Write { file: self.file, offset, data: data.into() });
        Ok(())
    }
}

impl Record {
    /// How much was done.
    pub fn acts(&self) -> usize {
        self.acts.len()
    }

    /// What a disk may hold if the power is lost after the first `at` acts; another one for every seed.
    pub fn image(&self, at: usize, seed: u64) -> Image {
        let mut remains = Remains::of(self);
        remains.advance(at);
        remains.image(&mut fastrand::Rng::with_seed(seed))
    }

    /// The acts that are syncs of this part.
    pub fn syncs_of(&self, part: Part) -> Vec<usize> {
        let numbers = (0..self.acts.len()).filter(|&act| self.part_synced(act) == Some(part));
        numbers.collect()
    }

    /// Of which part an act is a sync, if it is one.
    pub fn part_synced(&self, act: usize) -> Option<Part> {
        match self.acts.get(act)? {
            Act::Sync { file: STORE } => Some(Part::Store),
            Act::Sync { .. } => Some(Part::Log),
            _ => None,
        }
    }

    /// The next sync of the file of which `sync` is one; the number of acts where there is none.
    pub fn next_sync(&self, sync: usize) -> usize {
        let of = |act: &Act| if let Act::Sync { file } = act { Some(*file) } else { None };
        let file = self.acts.get(sync).and_then(of);
        let later = (sync + 1..self.acts.len()).find(|&act| of(&self.acts[act]) == file);
        later.unwrap_or(self.acts.len())
    }
}
