//! Files that are not what they should be: a typed error each, and not a byte of them changed.

use connectory::{FileStorage, MemoryStorage, NewConnection, Options, Storage, Store, StoreError};
use redb::{Database, TableDefinition};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

type Write = fn(&Store) -> Result<(), connectory::Error>;

fn request(n: usize) -> NewConnection {
    let domain = format!("site-{n}.example.com");
    NewConnection::new(domain.parse().unwrap(), "user".parse().unwrap())
}

/// A store of some size, closed cleanly.
fn store_file(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("a.connectory");
    let store = Store::open(&path).unwrap();
    let created = store.create_many((0..3000).map(request));
    assert!(created.iter().all(Result::is_ok));
    store.close().unwrap();
    path
}

/// Opens the file both ways; it must fail as `expected` says and stay as it is.
#[track_caller]
fn refuses(path: &Path, expected: impl Fn(&StoreError) -> bool) {
    let before = std::fs::read(path).unwrap();
    for error in [
        Store::open(path).map(drop).unwrap_err(),
        Store::open_read_only(path, Options::new()).map(drop).unwrap_err(),
    ] {
        assert!(expected(&error), "{error:?}");
        assert!(!error.to_string().is_empty());
    }
    assert!(std::fs::read(path).unwrap() == before, "the file was changed");
}

#[test]
fn a_file_of_something_else_is_no_store() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    for content in [
        &b""[..],
        b"x",
        b"redb",
        b"SQLite format 3\0",
        b"redb\x1a\x0a\xa9\x0d\x0b and so on",
        &[0; 8192],
    ] {
        std::fs::write(&path, content).unwrap();
        refuses(&path, |error| matches!(error, StoreError::NotAStore(_)));
    }
}

#[test]
fn a_database_of_something_else_is_no_store() {
    const OTHER: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OTHER).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    refuses(&path, |error| matches!(error, StoreError::NotAStore(_)));
}

#[test]
fn another_format_is_refused_and_named() {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let directory = TempDir::new().unwrap();
    let path = store_file(&directory);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", &7_u32.to_be_bytes()[..]).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    refuses(&path, |error| {
        matches!(error, StoreError::OtherFormat { found: 7, supported: 1 })
            && error.to_string().contains("dump it with the version that wrote it")
    });
}

#[test]
fn a_truncated_file_is_damaged_at_every_length() {
    let directory = TempDir::new().unwrap();
    let path = store_file(&directory);
    let whole = std::fs::read(&path).unwrap();
    let cut = directory.path().join("cut.connectory");
    let lengths =
        [9, 10, 100, 319, 320, 4095, 4096, 8192, 20_480, whole.len() / 2, whole.len() - 1];
    for length in lengths {
        std::fs::write(&cut, &whole[..length]).unwrap();
        refuses(&cut, |error| matches!(error, StoreError::Damaged(_) | StoreError::NotAStore(_)));
    }
}

#[test]
fn a_directory_is_no_file() {
    let directory = TempDir::new().unwrap();
    let error = Store::open(directory.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error:?}");
}

#[test]
fn a_second_handle_is_refused_until_the_first_is_gone() {
    let directory = TempDir::new().unwrap();
    let path = store_file(&directory);
    let store = Store::open(&path).unwrap();
    for error in [
        Store::open(&path).map(drop).unwrap_err(),
        Store::open_read_only(&path, Options::new()).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::InUse), "{error:?}");
    }
    drop(store);
    Store::open(&path).unwrap();
}

#[test]
fn a_store_is_made_whole_or_not_at_all() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || Store::open(path).map(drop))
        })
        .collect();
    for thread in threads {
        match thread.join().unwrap() {
            Ok(()) | Err(StoreError::InUse) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(Store::open(&path).unwrap().stats().unwrap().connections, 0);
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "no draft is left behind: {names:?}");
    let missing = directory.path().join("b.connectory");
    assert!(Store::open_with(FileStorage::existing(&missing), Options::new()).is_err());
    assert!(!missing.exists());
}

#[test]
fn a_store_in_memory_is_a_store_file() {
    let memory = MemoryStorage::default();
    let store = Store::open_with(memory.clone(), Options::new()).unwrap();
    assert!(store.create(request(1)).is_ok());
    let dump: Vec<String> = store.dump().unwrap().map(Result::unwrap).collect();
    store.close().unwrap();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    std::fs::write(&path, memory.to_bytes()).unwrap();
    let store = Store::open_read_only(&path, Options::new()).unwrap();
    assert_eq!(store.dump().unwrap().map(Result::unwrap).collect::<Vec<_>>(), dump);
    let writes: [Write; 3] = [
        |store| store.create(request(2)).map(drop),
        |store| store.register_proxy("px".parse().unwrap(), None).map(drop),
        |store| store.load([]).map(drop),
    ];
    for write in writes {
        let error = write(&store).unwrap_err();
        assert!(error.to_string().contains("reading only"), "{error}");
        assert_eq!(store.stats().unwrap().connections, 1);
        assert!(store.check().unwrap().is_sound());
    }
}

#[test]
fn a_backup_of_a_store_under_load_is_sound() {
    let directory = TempDir::new().unwrap();
    let path = store_file(&directory);
    let store = Store::open(&path).unwrap();
    let copies: Vec<PathBuf> =
        (0..3).map(|n| directory.path().join(format!("copy-{n}.connectory"))).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                for n in (0..).take_while(|_| !done.load(std::sync::atomic::Ordering::Relaxed)) {
                    assert!(store.create(request(10_000 * (writer + 1) + n)).is_ok());
                }
            });
        }
        for copy in &copies {
            store.backup(copy).unwrap();
            assert!(store.backup(copy).is_err(), "a backup overwrites nothing");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let mut before = 3000;
    for copy in &copies {
        let copy = Store::open(copy).unwrap();
        let report = copy.check().unwrap();
        assert!(report.is_sound() && report.pages_checked, "{report:?}");
        assert!(report.connections >= before, "later backups hold what earlier ones did");
        before = report.connections;
        // And the copy goes on by itself.
        assert!(copy.create(request(9_999)).is_ok());
    }
}

#[test]
fn a_load_that_is_cut_short_leaves_an_empty_store() {
    let source = Store::in_memory().unwrap();
    assert!(source.create_many((0..12_000).map(request)).iter().all(Result::is_ok));
    let lines: Vec<String> = source.dump().unwrap().map(Result::unwrap).collect();

    let store = Store::in_memory().unwrap();
    let gone = store.create(request(1)).unwrap().id();
    store.delete(gone).unwrap();
    store.delete_profile("user".parse().unwrap()).unwrap();
    let cut =
        lines.iter().take(11_500).cloned().map(Ok).chain([Err(StoreError::StorageFull.into())]);
    let error = store.load(cut).unwrap_err();
    assert_eq!(error.code(), "storage_full");
    let stats = store.stats().unwrap();
    assert_eq!((stats.connections, stats.profiles, stats.last_change), (0, 0, 2));
    assert!(store.check().unwrap().is_sound());
    assert!(store.create(request(2)).unwrap().id() > gone, "IDs still rise");

    let whole = Store::in_memory().unwrap();
    assert_eq!(whole.load(lines.iter().cloned().map(Ok)).unwrap(), 12_000);
    assert_eq!(whole.dump().unwrap().map(Result::unwrap).collect::<Vec<_>>(), lines);
    assert!(whole.check().unwrap().is_sound());
}

#[test]
fn a_crash_during_a_load_leaves_an_empty_store() {
    let source = Store::in_memory().unwrap();
    assert!(source.create_many((0..12_000).map(request)).iter().all(Result::is_ok));
    let lines: Vec<String> = source.dump().unwrap().map(Result::unwrap).collect();
    let memory = MemoryStorage::default();
    let store = Store::open_with(memory.clone(), Options::new()).unwrap();
    let mut image = None;
    let cut = lines.iter().enumerate().map(|(n, line)| {
        if n == 11_500 {
            // What the storage holds at this moment is what a crash would leave.
            image = Some(memory.to_bytes());
        }
        Ok(line.clone())
    });
    store.load(cut).unwrap();
    let crashed = MemoryStorage::from(image.unwrap());
    assert!(Storage::open(&crashed).is_ok());
    let store = Store::open_with(crashed, Options::new()).unwrap();
    assert_eq!(store.stats().unwrap().connections, 0);
    assert!(store.check().unwrap().is_sound());
    assert!(store.load(lines.into_iter().map(Ok)).is_ok());
}
