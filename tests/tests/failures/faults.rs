//! [`Faults`], the failures of a storage, and the stores that they are for.

use connectory::{CheckpointMode, CommitMode, NewConnection, Options, Store};
use connectory_tests::hooked::{Call, File, Hooked, Image};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

pub(crate) const MODES: [CommitMode; 2] = [CommitMode::OnePhase, CommitMode::QuickRepair];
pub(crate) const FILES: [File; 2] = [File::Store, File::Log];
/// The least there can be: segments turn and checkpoints are made all the time.
pub(crate) const SMALL_LOG: u64 = 8 << 10;
pub(crate) const DEFAULT_LOG: u64 = 16 << 20;

/// A failure to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// Of which file; `None` for either.
    pub(crate) file: Option<File>,
    /// Which calls count and fail; `None` for all of them.
    pub(crate) call: Option<Call>,
    /// The first call that fails, counted from 1.
    pub(crate) nth: usize,
    /// Whether those after it fail too, until the storage is healed.
    pub(crate) lasts: bool,
    pub(crate) kind: ErrorKind,
}

#[derive(Debug, Default)]
struct Counts {
    fault: Option<Fault>,
    calls: usize,
    failed: usize,
}

/// The failures of a storage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Counts>>);

impl Faults {
    pub(crate) fn of(storage: &Hooked) -> Self {
        let faults = Self::default();
        let asked = faults.clone();
        storage.hook(move |file, call| asked.pass(file, call));
        faults
    }

    pub(crate) fn arm(&self, fault: Fault) {
        *self.0.lock().unwrap() = Counts { fault: Some(fault), ..Counts::default() };
    }

    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().fault = None;
    }

    /// How many calls have failed.
    pub(crate) fn failed(&self) -> usize {
        self.0.lock().unwrap().failed
    }

    /// Counts a call, and fails it if its turn has come.
    fn pass(&self, file: File, call: Call) -> io::Result<()> {
        let mut counts = self.0.lock().unwrap();
        let Some(fault) = counts.fault else { return Ok(()) };
        if fault.file.is_some_and(|of| of != file) || fault.call.is_some_and(|of| of != call) {
            return Ok(());
        }
        counts.calls += 1;
        if counts.calls == fault.nth || (fault.lasts && counts.calls > fault.nth) {
            counts.failed += 1;
            return Err(io::Error::new(fault.kind, "made to fail"));
        }
        Ok(())
    }
}

/// Options that leave the store on one thread, with a log of this length.
pub(crate) fn alone(log_bytes: u64) -> Options {
    Options::new().cache_bytes(1 << 20).checkpoint_mode(CheckpointMode::Inline).log_bytes(log_bytes)
}

/// The bytes of a store that has so many other connections that not every page is at hand.
pub(crate) fn crowd(mode: CommitMode) -> Image {
    let storage = Hooked::new(mode);
    let store = Store::open_with(storage.clone(), Options::new()).unwrap();
    let other = |n: usize| {
        let domain = format!("other-{n}.example").parse().unwrap();
        NewConnection::new(domain, "crowd".parse().unwrap())
    };
    assert!(store.create_many((0..400).map(other)).iter().all(Result::is_ok));
    store.close().unwrap();
    storage.image()
}

/// Says, where a test ends badly, at which failure it was.
pub(crate) struct Context(pub(crate) String);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}
