//! `tests/format/read.py`, written from the document alone, against the engine.

use connectory::{CommitMode, LogRows, LogStorage, Storage, StorageBackend, Store, StoreError};
use connectory_tests::hooked::Hooked;
use connectory_tests::power::{self, Recorded};
use connectory_tests::{fixtures, seed};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

fn python(arguments: &[&str]) -> String {
    let python =
        std::env::var("PYTHON").expect("PYTHON, with what tests/format/requirements.txt names");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("format/read.py");
    let output = Command::new(python).arg("-B").arg(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Writes a store and its log into files.
fn written(directory: &TempDir, store: &[u8], log: Option<&[u8]>) -> PathBuf {
    let path = directory.path().join("a.connectory");
    fs::write(&path, store).unwrap();
    let log_path = directory.path().join("a.connectory-log");
    match log {
        Some(log) => fs::write(log_path, log).unwrap(),
        None => drop(fs::remove_file(log_path)),
    }
    path
}

#[test]
#[ignore = "tests/run format passes a Python to it"]
fn the_frozen_stores_are_read_as_the_engine_reads_them() {
    for name in super::STORES {
        let path = super::folder().join(name).with_extension("connectory");
        assert!(python(&[text(&path)]) == super::dump_of(name), "{name}");
    }
}

#[test]
#[ignore = "tests/run format passes a Python to it"]
fn the_frozen_values_are_read_as_what_they_stand_for() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/fixtures/1/records.json");
    print!("{}", python(&["--records", text(&file)]));
}

fn rounds() -> u64 {
    if std::env::var_os("CONNECTORY_LONG").is_some() { 200 } else { 12 }
}

/// Stores that were closed, that crashed, whose disk lost its power, in both modes, at work and in a load.
#[test]
#[ignore = "tests/run format passes a Python to it"]
fn drawn_stores_are_read_as_the_engine_reads_them() {
    let seed = seed();
    let directory = TempDir::new().unwrap();
    for round in 0..rounds() {
        let mut rng = Rng::with_seed(seed.wrapping_add(round));
        let mode = [CommitMode::QuickRepair, CommitMode::OnePhase][rng.usize(..2)];
        let image = drawn(&mut rng, mode);
        let path = written(&directory, &image.store, image.log.as_deref());
        let read = python(&[text(&path)]);
        let options = fixtures::options(1, fixtures::SMALL_LOG);
        let store = Store::open_with(Recorded::holding(image, mode), options).unwrap();
        assert!(read == fixtures::dump(&store), "round {round}: {mode:?}");
    }
}

/// What a disk holds after one life of a store or several, each of which ended somewhere.
fn drawn(rng: &mut Rng, mode: CommitMode) -> power::Image {
    let mut image = power::Image::default();
    for life in 0..rng.usize(1..4) {
        let storage = Recorded::holding(image, mode);
        let options = fixtures::options(rng.u64(..), fixtures::SMALL_LOG);
        let store = Store::open_with(storage.clone(), options).unwrap();
        let opened = storage.acts();
        let record = if life == 0 && rng.u8(..4) == 0 {
            loaded(&storage, &store, rng)
        } else {
            lived(&storage, &store, rng)
        };
        // Before it was opened first it is no store.
        let least = if life == 0 { opened } else { 0 };
        let at = if rng.bool() { record.acts() } else { rng.usize(least..=record.acts()) };
        image = record.image(at, rng.u64(..));
    }
    image
}

/// What is done to a storage while its store is written.
fn lived(storage: &Recorded, store: &Store, rng: &mut Rng) -> power::Record {
    fixtures::begin(store, rng);
    for _ in 0..rng.usize(..4) {
        let changes = rng.usize(..50);
        fixtures::draw(store, rng, changes);
        if rng.bool() {
            store.checkpoint().unwrap();
        }
    }
    if rng.bool() {
        store.close().unwrap();
    }
    storage.record()
}

/// What is done to a storage while a dump is loaded, to the end or not.
fn loaded(storage: &Recorded, store: &Store, rng: &mut Rng) -> power::Record {
    let dump = super::dump_of("closed");
    let mut load = store.begin_load().unwrap();
    let lines = dump.lines().count();
    let most = if rng.bool() { lines } else { rng.usize(1..lines) };
    for (number, line) in (1..).zip(dump.lines().take(most)) {
        load.push(number, line).unwrap();
        if rng.u8(..20) == 0 {
            load.commit().unwrap();
        }
    }
    if most == lines {
        load.finish().unwrap();
        return storage.record();
    }
    load.commit().unwrap();
    // Before it is dropped, which undoes it.
    storage.record()
}

/// A log in rows beside tables that are a file.
#[derive(Debug, Clone)]
struct InRows {
    tables: Hooked,
    rows: Arc<Mutex<BTreeMap<u64, Vec<u8>>>>,
}

const ROWS: u64 = 32;

impl Storage for InRows {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        self.tables.open()
    }

    fn open_log(&self, _make: bool) -> Result<Option<LogStorage>, StoreError> {
        Ok(Some(LogStorage::Rows(Box::new(self.clone()))))
    }
}

impl LogRows for InRows {
    fn count(&self) -> u64 {
        ROWS
    }

    fn row_bytes_max(&self) -> usize {
        2000
    }

    fn put(&self, number: u64, row: &[u8]) -> io::Result<()> {
        self.rows.lock().unwrap().insert(number, row.to_vec());
        Ok(())
    }

    fn read(&self, first: u64, count: u64) -> io::Result<Vec<Vec<u8>>> {
        let rows = self.rows.lock().unwrap();
        Ok((first..first + count).map_while(|number| rows.get(&number).cloned()).collect())
    }
}

#[test]
#[ignore = "tests/run format passes a Python to it"]
fn a_log_in_rows_is_read_as_the_engine_reads_it() {
    let mut rng = Rng::with_seed(seed());
    for changes in [0, 1, 20, 31, 33, 90, 200] {
        let directory = TempDir::new().unwrap();
        let storage = InRows { tables: Hooked::new(CommitMode::QuickRepair), rows: Arc::default() };
        let options = fixtures::options(rng.u64(..), fixtures::SMALL_LOG);
        let store = Store::open_with(storage.clone(), options).unwrap();
        fixtures::begin(&store, &mut rng);
        fixtures::draw(&store, &mut rng, changes);
        let path = written(&directory, &storage.tables.image().store, None);
        for (number, row) in &*storage.rows.lock().unwrap() {
            fs::write(directory.path().join(number.to_string()), row).unwrap();
        }
        let rows = [text(&path), "--rows", text(directory.path()), &ROWS.to_string()];
        assert!(python(&rows) == fixtures::dump(&store), "after {changes} changes");
    }
}
