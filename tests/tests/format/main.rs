//! Format 1 is frozen: its stores, logs and dumps are read and gone on with, and what is of a later one is refused. A reader
//! that was written from the document reads what the engine does.

mod reader;

use connectory::{
    ConnectionId, Error, FileStorage, NewConnection, Options, ProfileName, Refusal, Store,
    StoreError,
};
use connectory_tests::fixtures;
use redb::{Database, ReadableTable, TableDefinition};
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_128;

const STORES: [&str; 2] = ["closed", "crashed"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/1")
}

/// What the store with this name holds, as a dump.
fn dump_of(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap()
}

/// A copy of the store with this name, and of its log if there is one.
fn copy(name: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let from = folder().join(name).with_extension("connectory");
    fs::copy(&from, &path).unwrap();
    let (from, to) = (FileStorage::existing(from), FileStorage::existing(&path));
    if from.log_path().exists() {
        fs::copy(from.log_path(), to.log_path()).unwrap();
    }
    (directory, path)
}

fn is_sound(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert!(report.pages_checked);
}

#[test]
fn the_stores_hold_what_their_dumps_say() {
    for name in STORES {
        let (_directory, path) = copy(name);
        let store = Store::open(&path).unwrap();
        assert!(fixtures::dump(&store) == dump_of(name), "{name}");
        is_sound(&store);
        store.close().unwrap();
        let store = Store::open_read_only(&path, Options::new()).unwrap();
        assert!(fixtures::dump(&store) == dump_of(name), "{name}, once it was closed");
    }
}

/// The numbers of a store are no part of its dump.
#[test]
fn the_stores_go_on_from_where_they_were() {
    for (name, last_change) in [("closed", 91), ("crashed", 54)] {
        let (_directory, path) = copy(name);
        let store = Store::open(&path).unwrap();
        let stats = store.stats().unwrap();
        assert_eq!((stats.oldest_change, stats.last_change), (1, last_change), "{name}");
        let newest = newest_of(&dump_of(name));
        // A clock that is behind: only what the store knows of its last ID keeps this one above.
        store.close().unwrap();
        let behind = || connectory::Stamp { now_ms: 0, random: 7 };
        let options = Options::with_stamps(behind);
        let store = Store::open_with(FileStorage::existing(&path), options).unwrap();
        let made = store.create(request("new.example.com", "ada")).unwrap();
        assert!(made.id() > newest, "{name}");
        assert_eq!(store.stats().unwrap().last_change, last_change + 1);
    }
}

fn newest_of(dump: &str) -> ConnectionId {
    let line = dump.lines().next_back().unwrap();
    line.strip_prefix(r#"{"connection":{"id":""#).unwrap()[..29].parse().unwrap()
}

fn request(domain: &str, profile_name: &str) -> NewConnection {
    NewConnection::new(domain.parse().unwrap(), profile_name.parse().unwrap())
}

#[test]
fn the_stores_can_be_written() {
    for name in STORES {
        let (_directory, path) = copy(name);
        let store = Store::open(&path).unwrap();
        let mut ids = Vec::new();
        // Into profiles of every layout, and into one that is new.
        for profile in ["ada", "bob", "cyd", "dan", "user-123", "new"] {
            for n in 0..20 {
                let domain = format!("written-{n}.example.com");
                ids.push(store.create(request(&domain, profile)).unwrap().id());
            }
        }
        for id in ids.iter().step_by(3) {
            store.delete(*id).unwrap();
        }
        let written = fixtures::dump(&store);
        store.close().unwrap();
        let store = Store::open(&path).unwrap();
        assert!(fixtures::dump(&store) == written, "{name}");
        is_sound(&store);
        let profiles = ["ada", "bob", "cyd", "dan", "user-123", "new", "eve", "seen"];
        for profile in profiles.into_iter().chain(["profile-0", "profile-1", "profile-2"]) {
            empty(&store, profile);
        }
    }
}

/// Deletes all connections of a profile, if it is there, and the profile.
fn empty(store: &Store, profile: &str) {
    let name: ProfileName = profile.parse().unwrap();
    let of = |line: &str| line.contains(&format!(r#""profile_name":"{profile}""#));
    for line in fixtures::dump(store).lines().filter(|line| of(line)) {
        store.delete(newest_of(line)).unwrap();
    }
    match store.delete_profile(name) {
        Ok(()) | Err(Error::Refused(Refusal::NotFound(_))) => is_sound(store),
        Err(error) => panic!("{profile}: {error}"),
    }
}

#[test]
fn a_load_of_a_dump_dumps_the_same() {
    for name in STORES {
        let store = Store::in_memory().unwrap();
        let dump = dump_of(name);
        store.load(dump.lines().map(|line| Ok(line.to_owned()))).unwrap();
        assert!(fixtures::dump(&store) == dump, "{name}");
    }
}

/// Pages may be written otherwise by a later version of the container; frames may not, nor what there is.
#[test]
fn the_stores_are_made_by_what_makes_them() {
    for (name, left) in [("closed", fixtures::closed()), ("crashed", fixtures::crashed())] {
        assert!(left.dump == dump_of(name), "{name}");
        let log = fs::read(folder().join(format!("{name}.connectory-log"))).ok();
        assert!(left.image.log == log, "{name}: frames are written as they were");
    }
}

/// The type of the tables' keys.
#[derive(Debug)]
struct Key;

impl redb::Value for Key {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        None
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8]
    where
        Self: 'b,
    {
        value
    }

    fn type_name() -> redb::TypeName {
        redb::TypeName::new("connectory::key")
    }
}

impl redb::Key for Key {
    fn compare(one: &[u8], other: &[u8]) -> Ordering {
        one.cmp(other)
    }
}

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const CONNECTIONS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("connections");

/// Edits the tables in the file by a transaction.
fn edit(path: &Path, edit: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    edit(&transaction);
    transaction.commit().unwrap();
    database.close().unwrap();
}

fn opening(path: &Path) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = Store::open(path).map(drop).unwrap_err();
    assert!(fs::read(path).unwrap() == before, "it stays as it is");
    error
}

#[test]
fn a_store_of_format_2_is_refused() {
    let (_directory, path) = copy("closed");
    edit(&path, |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert("format", &2_u32.to_be_bytes()[..]).unwrap();
    });
    let error = opening(&path);
    let StoreError::OtherFormat { found: 2, supported: 1 } = error else { panic!("{error:?}") };
}

#[test]
fn a_container_of_another_version_is_refused() {
    for version in [2, 4] {
        let (_directory, path) = copy("closed");
        let mut bytes = fs::read(&path).unwrap();
        for slot in [64, 192] {
            bytes[slot] = version;
            let checksum = xxh3_128(&bytes[slot..slot + 112]);
            bytes[slot + 112..slot + 128].copy_from_slice(&checksum.to_le_bytes());
        }
        fs::write(&path, bytes).unwrap();
        match opening(&path) {
            StoreError::NotAStore(_) if version == 2 => {}
            StoreError::Damaged(_) if version == 4 => {}
            error => panic!("version {version}: {error:?}"),
        }
    }
}

#[test]
fn a_state_of_version_2_is_refused() {
    let (_directory, path) = copy("closed");
    edit(&path, |transaction| {
        let mut meta = transaction.open_table(META).unwrap();
        let mut state = meta.get("state").unwrap().unwrap().value().to_vec();
        state[0] = 2;
        meta.insert("state", &*state).unwrap();
    });
    let error = Store::open(&path).map(drop).unwrap_err();
    let StoreError::Damaged(what) = &error else { panic!("{error:?}") };
    assert!(what.contains("version 2"), "{what}");
}

#[test]
fn a_record_of_version_2_is_refused() {
    let (_directory, path) = copy("closed");
    let mut key = Vec::new();
    edit(&path, |transaction| {
        let mut connections = transaction.open_table(CONNECTIONS).unwrap();
        let (id, mut record) = {
            let row = connections.last().unwrap().unwrap();
            (row.0.value().to_vec(), row.1.value().to_vec())
        };
        record[0] = 2;
        connections.insert(&*id, &*record).unwrap();
        key = id;
    });
    let store = Store::open(&path).unwrap();
    let id = newest_of(&dump_of("closed"));
    let error = store.get(id).unwrap_err();
    let Error::Failed(StoreError::Damaged(what)) = &error else { panic!("{error:?}") };
    assert!(what.contains("version 2"), "{what}");
    assert!(!store.check().unwrap().is_sound());
}

/// Rows and tables of other names are no reason to refuse a store.
#[test]
fn what_is_added_to_the_tables_is_passed_over() {
    const OTHER: TableDefinition<'_, &str, u64> = TableDefinition::new("other");
    let (_directory, path) = copy("closed");
    edit(&path, |transaction| {
        transaction.open_table(META).unwrap().insert("other", &b"x"[..]).unwrap();
        transaction.open_table(OTHER).unwrap().insert("other", 1).unwrap();
    });
    let store = Store::open(&path).unwrap();
    assert!(fixtures::dump(&store) == dump_of("closed"));
    is_sound(&store);
}

#[test]
fn a_dump_of_version_2_is_refused() {
    let store = Store::in_memory().unwrap();
    let line = r#"{"format":"connectory-dump","version":2}"#;
    let error = store.load([Ok(line.to_owned())]).unwrap_err();
    let Error::Refused(Refusal::Invalid(violations)) = &error else { panic!("{error:?}") };
    assert_eq!(violations[0].field, "line 1, version");
}
