//! A store whose log is rows of a host's database: what one event wrote is there as a whole or not at all, and whatever the
//! event after which the host ends, the store has exactly what was done by then.

use connectory::{
    CheckpointMode, Creation, LogRows, LogStorage, NewConnection, Options, Patch, Stamp, Storage,
    StorageBackend, Store, StoreError,
};
use connectory_tests::seed;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

/// What a database holds: the tables as of the last event that synced them, and the rows of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kept {
    tables: Vec<u8>,
    rows: BTreeMap<u64, Vec<u8>>,
}

/// A host with a database: tables are in its memory, and are written at the end of an event that synced them.
#[derive(Debug, Clone)]
struct Host {
    inner: Arc<Mutex<Inner>>,
    count: u64,
    row_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Inner {
    kept: Kept,
    tables: Vec<u8>,
    is_synced: bool,
    puts: usize,
    /// How many more puts succeed.
    puts_left: Option<usize>,
}

impl Host {
    fn new(kept: Kept, count: u64, row_bytes_max: usize) -> Self {
        let tables = kept.tables.clone();
        let inner = Inner { kept, tables, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)), count, row_bytes_max }
    }

    fn ask<T>(&self, call: impl FnOnce(&mut Inner) -> T) -> T {
        call(&mut self.inner.lock().unwrap())
    }

    /// Opening writes what need not be kept.
    fn open(&self, checkpoint_mode: CheckpointMode) -> Result<Store, StoreError> {
        let clock = Mutex::new(Rng::with_seed(7));
        let stamps =
            move || Stamp { now_ms: 1_750_000_000_000, random: clock.lock().unwrap().u64(..) };
        let options = Options::with_stamps(stamps).checkpoint_mode(checkpoint_mode);
        let store = Store::open_with(self.clone(), options)?;
        self.inner.lock().unwrap().is_synced = false;
        Ok(store)
    }

    /// The end of an event.
    fn settle(&self) -> Kept {
        let mut inner = self.inner.lock().unwrap();
        if std::mem::take(&mut inner.is_synced) {
            let Inner { kept, tables, .. } = &mut *inner;
            kept.tables.clone_from(tables);
        }
        inner.kept.clone()
    }

    fn puts(&self) -> usize {
        self.inner.lock().unwrap().puts
    }
}

impl Storage for Host {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        Ok(Box::new(self.clone()))
    }

    fn open_log(&self, _make: bool) -> Result<Option<LogStorage>, StoreError> {
        Ok(Some(LogStorage::Rows(Box::new(self.clone()))))
    }
}

impl StorageBackend for Host {
    fn len(&self) -> io::Result<u64> {
        Ok(self.ask(|inner| inner.tables.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.ask(|inner| out.copy_from_slice(&inner.tables[start..start + out.len()]));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.ask(|inner| inner.tables.resize(usize::try_from(len).unwrap(), 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.ask(|inner| inner.is_synced = true);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        self.ask(|inner| inner.tables[start..start + data.len()].copy_from_slice(data));
        Ok(())
    }
}

impl LogRows for Host {
    fn count(&self) -> u64 {
        self.count
    }

    fn row_bytes_max(&self) -> usize {
        self.row_bytes_max
    }

    fn put(&self, number: u64, row: &[u8]) -> io::Result<()> {
        assert!(number < self.count && row.len() <= self.row_bytes_max);
        let mut inner = self.inner.lock().unwrap();
        if inner.puts_left == Some(0) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.puts_left = inner.puts_left.map(|left| left - 1);
        inner.puts += 1;
        inner.kept.rows.insert(number, row.to_vec());
        Ok(())
    }

    fn read(&self, first: u64, count: u64) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.ask(|inner| {
            (first..first + count).map_while(|row| inner.kept.rows.get(&row).cloned()).collect()
        }))
    }
}

fn request(n: u64) -> NewConnection {
    let domain = format!("site-{}.example", n % 50).parse().unwrap();
    NewConnection::new(domain, format!("user-{n}").parse().unwrap())
}

#[track_caller]
fn create(store: &Store, n: u64) {
    assert_eq!(store.create(request(n)).unwrap().outcome(), "created");
}

fn lines(store: &Store) -> Vec<String> {
    store.dump().unwrap().map(Result::unwrap).collect()
}

/// Does something to the store.
fn step(store: &Store, rng: &mut Rng, n: u64) {
    let some = |rng: &mut Rng| {
        let page = store.list(&connectory::ListQuery::default()).unwrap();
        (!page.items.is_empty()).then(|| page.items[rng.usize(..page.items.len())].id)
    };
    match (rng.u8(..10), some(rng)) {
        (0, Some(id)) => store.delete(id).unwrap(),
        (1, Some(id)) => {
            let patch = Patch { auto_reauth: Some(rng.bool()), ..Patch::default() };
            store.update(id, patch).unwrap();
        }
        (2, _) => {
            let many = (0..rng.u64(1..80)).map(|more| request(1_000_000 + n * 1000 + more));
            assert!(store.create_many(many).iter().all(Result::is_ok));
        }
        (3, _) => store.checkpoint().unwrap(),
        _ => create(store, n),
    }
}

#[test]
fn after_whichever_event_the_host_ends_the_store_has_what_was_done_by_then() {
    let seed = seed();
    for (round, (count, mode)) in [
        (8, CheckpointMode::Inline),
        (8, CheckpointMode::OnDemand),
        (64, CheckpointMode::Inline),
        (100_000, CheckpointMode::OnDemand),
    ]
    .into_iter()
    .enumerate()
    {
        let mut rng = Rng::with_seed(seed + round as u64);
        // Some batches are longer than a row.
        let mut host = Host::new(Kept::default(), count, 8_000);
        let mut store = host.open(mode).unwrap();
        for n in 0..100 {
            step(&store, &mut rng, n);
            let kept = host.settle();
            let before = lines(&store);
            // The host ends here.
            let again = Host::new(kept.clone(), count, 8_000);
            let reopened = again.open(mode).unwrap();
            assert_eq!(lines(&reopened), before, "seed {seed}, round {round}, event {n}");
            assert_eq!(reopened.stats().unwrap().last_change, store.stats().unwrap().last_change);
            assert!(n % 10 != 0 || reopened.check().unwrap().is_sound());
            assert_eq!(again.puts(), 0, "opening puts nothing");
            if rng.u8(..4) == 0 {
                assert_eq!(again.settle().rows, kept.rows);
                std::mem::forget(std::mem::replace(&mut store, reopened));
                host = again;
            }
        }
        let rows = host.inner.lock().unwrap().kept.rows.len() as u64;
        assert!(rows <= count, "the log is a ring");
    }
}

#[test]
fn a_write_is_one_row_after_a_cold_start_too() {
    let host = Host::new(Kept::default(), 1024, 8_000);
    let store = host.open(CheckpointMode::Inline).unwrap();
    create(&store, 1);
    let kept = host.settle();
    assert_eq!((host.puts(), kept.rows.len()), (1, 1));
    let again = Host::new(kept.clone(), 1024, 8_000);
    let reopened = again.open(CheckpointMode::Inline).unwrap();
    create(&reopened, 2);
    let Creation::Conflict(_) = reopened.create(request(1)).unwrap() else { panic!("it is taken") };
    assert_eq!(again.settle().tables, kept.tables, "no page is written");
    assert_eq!(again.puts(), 1);
    std::mem::forget((store, reopened));
}

#[test]
fn a_row_that_cannot_be_put_fails_its_write_alone() {
    let host = Host::new(Kept::default(), 1024, 8_000);
    let store = host.open(CheckpointMode::Inline).unwrap();
    create(&store, 1);
    host.inner.lock().unwrap().puts_left = Some(0);
    let error = store.create(request(2)).unwrap_err();
    assert_eq!(error.code(), "storage_full");
    assert_eq!(store.stats().unwrap().connections, 1);
    host.inner.lock().unwrap().puts_left = None;
    create(&store, 2);
    let reopened = Host::new(host.settle(), 1024, 8_000).open(CheckpointMode::Inline).unwrap();
    assert_eq!(lines(&reopened), lines(&store));
}

#[test]
fn a_store_that_is_closed_needs_no_rows_any_more() {
    let host = Host::new(Kept::default(), 16, 8_000);
    let store = host.open(CheckpointMode::Inline).unwrap();
    for n in 0..10 {
        create(&store, n);
    }
    let before = lines(&store);
    store.close().unwrap();
    let kept = Kept { rows: BTreeMap::new(), ..host.settle() };
    let reopened = Host::new(kept, 16, 8_000).open(CheckpointMode::Inline).unwrap();
    assert_eq!(lines(&reopened), before);
    // Rows of the log before are in the way of the next one, and are none of its.
    let host = Host::new(host.settle(), 16, 8_000);
    let reopened = host.open(CheckpointMode::Inline).unwrap();
    create(&reopened, 100);
    let again = Host::new(host.settle(), 16, 8_000).open(CheckpointMode::Inline).unwrap();
    assert_eq!(lines(&again), lines(&reopened));
    assert_eq!(lines(&again).len(), before.len() + 2);
}
