//! Files that are not what they should be: a typed error each, and not a byte of them changed.

use connectory::{
    CheckpointMode, CommitMode, Dump, FileStorage, Load, MemoryStorage, NewConnection, Options,
    ProfileName, Store, StoreError,
};
use connectory_tests::hooked::Hooked;
use redb::{Database, TableDefinition};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The least there can be: segments turn and checkpoints are made all the time.
const SMALL_LOG: u64 = 8 << 10;
const DEFAULT_LOG: u64 = 16 << 20;

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
fn a_backup_that_fails_leaves_no_file() {
    let directory = TempDir::new().unwrap();
    let copy = directory.path().join("copy.connectory");
    let store = Store::in_memory().unwrap();
    store.close().unwrap();
    let error = store.backup(&copy).unwrap_err();
    assert!(matches!(error, connectory::Error::Failed(StoreError::Closed)), "{error:?}");
    assert!(!copy.exists());
}

#[test]
fn a_backup_has_its_name_when_it_is_whole() {
    let directory = TempDir::new().unwrap();
    let copy = directory.path().join("copy.connectory");
    let store = Store::in_memory().unwrap();
    let _ = store.create(request(1)).unwrap();
    let mut told = 0;
    store
        .backup_with(&copy, |rows| {
            assert!(!copy.exists());
            told = rows;
        })
        .unwrap();
    assert!(told > 0);
    assert_eq!(Store::open(&copy).unwrap().stats().unwrap().connections, 1);
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "no draft is left");

    let before = std::fs::read(&copy).unwrap();
    let error = store.backup_with(&copy, |_| panic!("it is refused first")).unwrap_err();
    let connectory::Error::Failed(StoreError::Io(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&copy).unwrap(), before);
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
    for (mode, is_new) in [
        (CommitMode::OnePhase, true),
        (CommitMode::OnePhase, false),
        (CommitMode::QuickRepair, true),
        (CommitMode::QuickRepair, false),
    ] {
        let storage = Hooked::new(mode);
        let store = Store::open_with(storage.clone(), options(DEFAULT_LOG)).unwrap();
        if !is_new {
            // What came and went is in the log.
            let gone = store.create(request(1)).unwrap().id();
            store.delete(gone).unwrap();
            store.delete_profile("user".parse().unwrap()).unwrap();
        }
        let mut images = Vec::new();
        let cut = lines.iter().enumerate().map(|(n, line)| {
            if n == 11_500 {
                // What the storage holds at this moment is what a crash would leave.
                images.extend([storage.image(), storage.synced()]);
            }
            Ok(line.clone())
        });
        store.load(cut).unwrap();
        assert_eq!(images.len(), 2);
        for image in images {
            let crashed = Hooked::holding(image, mode);
            let store = Store::open_with(crashed, options(DEFAULT_LOG)).unwrap();
            let stats = store.stats().unwrap();
            assert_eq!((stats.connections, stats.profiles), (0, 0));
            assert_eq!(stats.last_change, if is_new { 0 } else { 2 });
            assert!(store.check().unwrap().is_sound());
            assert!(store.load(lines.iter().cloned().map(Ok)).is_ok());
        }
    }
}

/// The lines of a store of so many connections, with proxies and profiles.
fn dump_of(count: usize) -> Vec<String> {
    let source = Store::in_memory().unwrap();
    source.register_proxy("px-1".parse().unwrap(), None).unwrap();
    assert!(source.create_many((0..count).map(request)).iter().all(Result::is_ok));
    lines_of(&source)
}

fn lines_of(store: &Store) -> Vec<String> {
    store.dump().unwrap().map(Result::unwrap).collect()
}

/// Pushes lines, of which the first has this number, and commits them.
fn push(load: &mut Load, first: usize, lines: &[String]) -> Result<(), connectory::Error> {
    for (number, line) in (first..).zip(lines) {
        load.push(number, line)?;
    }
    load.commit()
}

#[track_caller]
fn assert_empty(store: &Store) {
    let stats = store.stats().unwrap();
    assert_eq!((stats.connections, stats.profiles, stats.proxies), (0, 0, 0));
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn a_load_in_pieces_is_the_same_as_one_of_all() {
    let lines = dump_of(12_000);
    for piece in [1_000, 7_001, usize::MAX] {
        let store = Store::in_memory().unwrap();
        let mut load = store.begin_load().unwrap();
        let mut first = 1;
        for piece in lines.chunks(piece) {
            push(&mut load, first, piece).unwrap();
            first += piece.len();
            assert_eq!(store.stats().unwrap().connections, 0, "readers see nothing of it");
            assert_eq!(lines_of(&store).len(), 1);
            assert!(store.get("ma_01jd3k0000abcdefghjkmnpqrs".parse().unwrap()).unwrap().is_none());
        }
        assert_eq!(load.finish().unwrap(), 12_000);
        assert_eq!(lines_of(&store), lines);
        assert!(store.check().unwrap().is_sound());
        assert!(
            store.create(request(12_000)).unwrap().id() > store.create(request(1)).unwrap().id()
        );
        let error = store.begin_load().map(drop).unwrap_err();
        assert_eq!(error.code(), "resource_in_use");
    }
}

#[test]
fn a_load_in_small_pieces_takes_little_more_space_than_one_of_all() {
    let lines = dump_of(12_000);
    let bytes_after = |pieces: usize| {
        let storage = MemoryStorage::default();
        let store = Store::open_with(storage.clone(), Options::new()).unwrap();
        let mut load = store.begin_load().unwrap();
        for (n, piece) in lines.chunks(pieces).enumerate() {
            push(&mut load, 1 + n * pieces, piece).unwrap();
        }
        load.finish().unwrap();
        storage.to_bytes().len()
    };
    let [all, small] = [lines.len(), 50].map(bytes_after);
    assert!(small < 2 * all, "{small} bytes in pieces of 50 lines, {all} at once");
}

#[test]
fn a_load_that_is_dropped_leaves_an_empty_store() {
    let lines = dump_of(300);
    for mode in [CommitMode::OnePhase, CommitMode::QuickRepair] {
        for pieces in 0..4 {
            let storage = Hooked::new(mode);
            let store = Store::open_with(storage.clone(), options(DEFAULT_LOG)).unwrap();
            let gone = store.create(request(1)).unwrap().id();
            store.delete(gone).unwrap();
            store.delete_profile("user".parse().unwrap()).unwrap();
            let mut load = store.begin_load().unwrap();
            for (n, piece) in lines.chunks(100).take(pieces).enumerate() {
                push(&mut load, 1 + 100 * n, piece).unwrap();
            }
            // What the storage holds at this moment is what a crash would leave.
            let images = [storage.image(), storage.synced()];
            if pieces % 2 == 0 {
                load.push(1 + 100 * pieces, &lines[100 * pieces]).unwrap();
            }
            drop(load);
            assert_empty(&store);
            let crashed = images.map(|image| {
                let crashed = Hooked::holding(image, mode);
                Store::open_with(crashed, options(DEFAULT_LOG)).unwrap()
            });
            for store in crashed.into_iter().chain([store]) {
                assert_empty(&store);
                assert_eq!(store.stats().unwrap().last_change, 2);
                assert_eq!(store.load(lines.iter().cloned().map(Ok)).unwrap(), 300);
                assert_eq!(lines_of(&store), lines);
            }
        }
    }
}

#[test]
fn a_bad_line_of_any_piece_is_named_and_ends_the_load() {
    let lines = dump_of(300);
    let store = Store::in_memory().unwrap();
    let mut load = store.begin_load().unwrap();
    push(&mut load, 1, &lines[..100]).unwrap();
    push(&mut load, 101, &lines[100..200]).unwrap();
    let mut third = lines[200..].to_vec();
    third[16] = third[16].replacen("example.com", "example..com", 1);
    let error = push(&mut load, 201, &third).unwrap_err();
    assert!(error.to_string().contains("line 217, connection.domain: "), "{error}");
    // The load is over, and writers need not wait for it to be dropped.
    assert_empty(&store);
    assert!(store.create(request(1)).is_ok());
    for again in [load.push(218, &lines[217]), load.commit(), load.finish().map(drop)] {
        assert_eq!(again.unwrap_err().to_string(), error.to_string());
    }
    assert_eq!(store.stats().unwrap().connections, 1);

    let whole = Store::in_memory().unwrap();
    let all = lines[..200].iter().chain(&third).cloned().map(Ok);
    assert_eq!(whole.load(all).unwrap_err().to_string(), error.to_string());
    // A pair that is there already, and a dump without its header.
    let twice = [&lines[..], &lines[300..301]].concat();
    let error = push(&mut whole.begin_load().unwrap(), 1, &twice).unwrap_err();
    assert!(error.to_string().contains("line 304"), "{error}");
    let error = push(&mut whole.begin_load().unwrap(), 2, &lines[1..]).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    let error = whole.begin_load().unwrap().finish().unwrap_err();
    assert_eq!(error.to_string(), whole.load([]).unwrap_err().to_string());
    assert_empty(&whole);
}

#[test]
fn whoever_writes_during_a_load_waits_for_it_or_is_told_that_the_store_is_busy() {
    let lines = dump_of(300);
    let hasty = Options::new().queue(100, Duration::ZERO);
    let store = Store::open_with(MemoryStorage::default(), hasty).unwrap();
    let mut load = store.begin_load().unwrap();
    push(&mut load, 1, &lines).unwrap();
    let busy: [Write; 5] = [
        |store| store.create(request(1)).map(drop),
        |store| store.load([]).map(drop),
        |store| store.begin_load().map(drop),
        |store| store.check().map(drop),
        |store| Ok(store.close()?),
    ];
    for write in busy {
        let error = write(&store).unwrap_err();
        assert!(matches!(error, connectory::Error::Failed(StoreError::Busy)), "{error:?}");
    }
    assert_eq!(load.finish().unwrap(), 300);
    assert!(store.create(request(300)).is_ok());
    store.close().unwrap();

    let patient = Options::new().queue(100, Duration::from_secs(600));
    let store = Store::open_with(MemoryStorage::default(), patient).unwrap();
    let mut load = store.begin_load().unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| store.create(request(300)).unwrap().id());
        push(&mut load, 1, &lines).unwrap();
        assert!(!writer.is_finished());
        assert_eq!(load.finish().unwrap(), 300);
        writer.join().unwrap();
    });
    assert_eq!(store.stats().unwrap().connections, 301);
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn a_load_keeps_its_store_open() {
    let lines = dump_of(300);
    for is_finished in [true, false] {
        let storage = Hooked::new(CommitMode::QuickRepair);
        let store = Store::open_with(storage.clone(), Options::new()).unwrap();
        let mut load = store.begin_load().unwrap();
        drop(store);
        push(&mut load, 1, &lines[..200]).unwrap();
        let error = Store::open_with(storage.clone(), Options::new()).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::InUse), "{error:?}");
        // And goes from one thread to another.
        let rest = lines[200..].to_vec();
        let end = std::thread::spawn(move || {
            push(&mut load, 201, &rest).unwrap();
            if is_finished { load.finish().unwrap() } else { 0 }
        });
        let loaded = end.join().unwrap();
        let store = Store::open_with(storage, Options::new()).unwrap();
        assert_eq!(store.stats().unwrap().connections, loaded);
        assert_eq!(loaded, if is_finished { 300 } else { 0 });
    }
}

#[test]
fn a_panic_during_a_load_leaves_an_empty_store() {
    let lines = dump_of(300);
    let loads: [fn(&Store, &[String]); 2] = [
        |store, lines| {
            let end = std::iter::from_fn(|| panic!("on purpose"));
            store.load(lines[..200].iter().cloned().map(Ok).chain(end)).map(drop).unwrap();
        },
        |store, lines| {
            let mut load = store.begin_load().unwrap();
            push(&mut load, 1, &lines[..200]).unwrap();
            panic!("on purpose");
        },
    ];
    for load in loads {
        let store = Store::in_memory().unwrap();
        let (other, others) = (store.clone(), lines.clone());
        assert!(std::thread::spawn(move || load(&other, &others)).join().is_err());
        assert_empty(&store);
        assert_eq!(store.load(lines.iter().cloned().map(Ok)).unwrap(), 300);
        assert_eq!(lines_of(&store), lines);
    }
}

#[test]
fn a_line_of_a_dump_says_where_it_belongs() {
    let lines = dump_of(3);
    let user: ProfileName = "user".parse().unwrap();
    let routes: Vec<_> = lines.iter().map(|line| Dump::route_of_line(line).unwrap()).collect();
    let there = Some(user.route());
    assert_eq!(routes, [None, None, there, there, there, there]);
    for bad in
        ["", "{}", "[]", r#"{"profile":{"name":"a b"}}"#, r#"{"format":"other","version":1}"#]
    {
        assert_eq!(Dump::route_of_line(bad).unwrap_err().code(), "bad_request");
    }
}

fn options(log_bytes: u64) -> Options {
    Options::new().log_bytes(log_bytes).checkpoint_mode(CheckpointMode::Inline)
}

/// The path of the log of the store at `path`.
fn log_of(path: &Path) -> PathBuf {
    FileStorage::new(path).log_path()
}

/// Copies a store and its log as they are at this moment: what a crash leaves.
fn copy_as_is(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    std::fs::copy(log_of(from), log_of(to)).unwrap();
}

/// A store of so many connections, created one by one, that was not closed.
fn crashed(directory: &TempDir, name: &str, log_bytes: u64, count: usize) -> PathBuf {
    let path = directory.path().join(format!("{name}-before"));
    let store = Store::open_with(FileStorage::new(&path), options(log_bytes)).unwrap();
    for n in 0..count {
        assert!(store.create(request(n)).is_ok());
    }
    let crashed = directory.path().join(name);
    copy_as_is(&path, &crashed);
    crashed
}

/// The connections of a store that opens and goes on as it should.
#[track_caller]
fn count(path: &Path) -> usize {
    let store = Store::open(path).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_sound() && report.pages_checked, "{report:?}");
    let connections = usize::try_from(report.connections).unwrap();
    for n in 0..connections {
        let request = request(n);
        assert!(store.find(&request.profile_name, &request.domain).unwrap().is_some(), "{n}");
    }
    assert!(store.create(request(connections)).is_ok());
    store.close().unwrap();
    assert!(!log_of(path).exists(), "a clean close removes the log");
    let store = Store::open_read_only(path, Options::new()).unwrap();
    assert_eq!(store.stats().unwrap().connections, report.connections + 1);
    connections
}

/// Opening fails so both ways, and as often as it is tried.
#[track_caller]
fn is_damaged(path: &Path, why: &str) {
    for error in [
        Store::open(path).map(drop).unwrap_err(),
        Store::open_with(FileStorage::existing(path), options(SMALL_LOG)).map(drop).unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(matches!(error, StoreError::Damaged(_)) && message.contains(why), "{message}");
    }
    let error = Store::open_read_only(path, Options::new()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
}

#[test]
fn a_store_that_was_not_closed_opens_for_writing_and_not_for_reading_only() {
    let directory = TempDir::new().unwrap();
    for (n, log_bytes) in [SMALL_LOG, 64 << 10, DEFAULT_LOG].into_iter().enumerate() {
        let path = crashed(&directory, &n.to_string(), log_bytes, 120);
        let log = std::fs::read(log_of(&path)).unwrap();
        let error = Store::open_read_only(&path, Options::new()).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
        assert!(error.to_string().contains("not closed cleanly"), "{error}");
        assert_eq!(std::fs::read(log_of(&path)).unwrap(), log, "the log was changed");
        assert_eq!(count(&path), 120);
    }
}

#[test]
fn a_log_is_there_from_the_first_write_to_the_close() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let names = || {
        let names = std::fs::read_dir(directory.path()).unwrap().flatten();
        let mut names: Vec<_> =
            names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let store = Store::open(&path).unwrap();
    assert_eq!(store.stats().unwrap().connections, 0);
    assert_eq!(names(), ["a.connectory"]);
    for n in 0..2 {
        assert!(store.create(request(n)).is_ok());
        assert_eq!(names(), ["a.connectory", "a.connectory-log"]);
    }
    store.close().unwrap();
    assert_eq!(names(), ["a.connectory"]);
    let store = Store::open(&path).unwrap();
    assert!(store.create(request(2)).is_ok());
    assert_eq!(names(), ["a.connectory", "a.connectory-log"]);
    drop(store);
    assert_eq!(names(), ["a.connectory"]);
    assert_eq!(count(&path), 3);
}

#[test]
fn a_second_handle_is_refused_while_there_is_a_log_and_leaves_it_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let store = Store::open(&path).unwrap();
    assert!(store.create(request(0)).is_ok());
    let log = std::fs::read(log_of(&path)).unwrap();
    for error in [
        Store::open(&path).map(drop).unwrap_err(),
        Store::open_read_only(&path, Options::new()).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::InUse), "{error:?}");
    }
    assert_eq!(std::fs::read(log_of(&path)).unwrap(), log);
    assert!(store.create(request(1)).is_ok());
    drop(store);
    assert_eq!(count(&path), 2);
}

#[test]
fn a_log_that_was_needed_and_is_missing_is_damage() {
    let directory = TempDir::new().unwrap();
    for (n, log_bytes) in [SMALL_LOG, DEFAULT_LOG].into_iter().enumerate() {
        let path = crashed(&directory, &n.to_string(), log_bytes, 120);
        let aside = directory.path().join("aside");
        std::fs::rename(log_of(&path), &aside).unwrap();
        is_damaged(&path, "log");
        for bytes in [&[][..], &[0; 10], &[0; 9000], b"what is this?"] {
            std::fs::write(log_of(&path), bytes).unwrap();
            is_damaged(&path, "log");
        }
        std::fs::rename(&aside, log_of(&path)).unwrap();
        assert_eq!(count(&path), 120, "with its log it is whole");
    }
}

#[test]
fn a_log_of_another_store_is_damage() {
    let directory = TempDir::new().unwrap();
    for (n, log_bytes) in [SMALL_LOG, DEFAULT_LOG].into_iter().enumerate() {
        let path = crashed(&directory, &n.to_string(), log_bytes, 120);
        let other = crashed(&directory, &format!("{n}-other"), log_bytes, 130);
        let log = std::fs::read(log_of(&path)).unwrap();
        let of_other = std::fs::read(log_of(&other)).unwrap();
        std::fs::copy(log_of(&other), log_of(&path)).unwrap();
        is_damaged(&path, "another store's");
        assert_eq!(std::fs::read(log_of(&path)).unwrap(), of_other, "it was changed");
        std::fs::write(log_of(&path), log).unwrap();
        assert_eq!((count(&path), count(&other)), (120, 130));
    }
}

#[test]
fn a_byte_changed_in_the_middle_of_a_log_is_damage() {
    let directory = TempDir::new().unwrap();
    for (n, log_bytes) in [SMALL_LOG, DEFAULT_LOG].into_iter().enumerate() {
        let path = crashed(&directory, &n.to_string(), log_bytes, 60);
        let log = std::fs::read(log_of(&path)).unwrap();
        let damaged = directory.path().join("damaged");
        let (mut found, mut harmless) = (0, 0);
        let used = log.iter().rposition(|&byte| byte != 0).unwrap();
        for at in (0..used).step_by(211).filter(|&at| log[at] != 0) {
            copy_as_is(&path, &damaged);
            let mut changed = log.clone();
            changed[at] ^= 0x20;
            std::fs::write(log_of(&damaged), &changed).unwrap();
            match Store::open(&damaged) {
                Err(StoreError::Damaged(_)) => {
                    assert_eq!(std::fs::read(log_of(&damaged)).unwrap(), changed);
                    found += 1;
                }
                Err(error) => panic!("{at}: {error:?}"),
                // The last frame cannot be told from one that was torn; others may not be needed any more.
                Ok(store) => {
                    let connections = store.stats().unwrap().connections;
                    assert!(connections >= 59, "{at} of {used}: {connections}");
                    assert!(store.check().unwrap().is_sound());
                    harmless += 1;
                }
            }
        }
        println!("log of {log_bytes}: {found} damaged, {harmless} as before");
        assert!(found > 5, "{found}");
        assert!(log_bytes == SMALL_LOG || harmless <= 2, "all of a long one is needed");
    }
}

#[test]
fn a_torn_tail_costs_nothing_that_was_acknowledged() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let store = Store::open_with(FileStorage::new(&path), options(DEFAULT_LOG)).unwrap();
    for n in 0..20 {
        assert!(store.create(request(n)).is_ok());
    }
    let before = std::fs::read(log_of(&path)).unwrap();
    assert!(store.create(request(20)).is_ok());
    let after = std::fs::read(log_of(&path)).unwrap();
    let start = (0..after.len()).find(|&at| before.get(at) != Some(&after[at])).unwrap();
    let end = after.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let torn = directory.path().join("torn");
    for length in (start..end).step_by(13) {
        for rest in [None, Some(0), Some(0x5a)] {
            copy_as_is(&path, &torn);
            let mut bytes = after[..length].to_vec();
            if let Some(rest) = rest {
                bytes.resize(after.len(), rest);
            }
            std::fs::write(log_of(&torn), &bytes).unwrap();
            assert_eq!(count(&torn), 20, "cut at {length} of {end}, then {rest:?}");
        }
    }
    copy_as_is(&path, &torn);
    assert_eq!(count(&torn), 21);
}

#[test]
fn an_older_store_beside_a_newer_log_is_damage() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.connectory");
    let store = Store::open_with(FileStorage::new(&path), options(SMALL_LOG)).unwrap();
    let older = directory.path().join("older");
    assert!(store.create(request(0)).is_ok());
    copy_as_is(&path, &older);
    for n in 1..120 {
        assert!(store.create(request(n)).is_ok());
    }
    let newer = directory.path().join("newer");
    copy_as_is(&path, &newer);
    let log = std::fs::read(log_of(&older)).unwrap();
    std::fs::copy(log_of(&newer), log_of(&older)).unwrap();
    is_damaged(&older, "its log goes on with batch");
    std::fs::write(log_of(&older), log).unwrap();
    assert_eq!((count(&older), count(&newer)), (1, 120));
}

#[test]
fn a_log_that_is_left_behind_by_a_clean_close_is_nothing() {
    let directory = TempDir::new().unwrap();
    for (n, log_bytes) in [SMALL_LOG, DEFAULT_LOG].into_iter().enumerate() {
        let path = directory.path().join(format!("{n}.connectory"));
        let left = directory.path().join("left");
        for round in 0..4 {
            let store = Store::open_with(FileStorage::new(&path), options(log_bytes)).unwrap();
            for n in 30 * round..30 * (round + 1) {
                assert!(store.create(request(n)).is_ok());
            }
            std::fs::copy(log_of(&path), &left).unwrap();
            let gone = store.create(request(9999)).unwrap().id();
            store.delete(gone).unwrap();
            store.close().unwrap();
            std::fs::copy(&left, log_of(&path)).unwrap();
            let store = Store::open_read_only(&path, Options::new()).unwrap();
            assert_eq!(store.stats().unwrap().connections, 30 * (round as u64 + 1));
            assert!(store.check().unwrap().is_sound());
        }
        // It is written over, and a crash then finds nothing of it.
        let store = Store::open_with(FileStorage::new(&path), options(log_bytes)).unwrap();
        assert!(store.create(request(120)).is_ok());
        let crashed = directory.path().join("crashed");
        copy_as_is(&path, &crashed);
        assert_eq!(count(&crashed), 121);
    }
}
