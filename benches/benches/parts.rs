//! Single parts of the engine, measured by Criterion: `cargo bench -p connectory-benches --features criterion`.
//!
//! Reports with plots are in `target/criterion/report`. A part has a function of its own, named in the list at the end;
//! `-- NAME` runs those whose name has it in them.

use connectory::{
    CheckpointMode, ConnectionId, Creation, Domain, FileStorage, Json, ListQuery, MemoryStorage,
    NewConnection, Options, ProfileName, Storage, Store,
};
use connectory_benches::Workload;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::fs::File;
use std::hint::black_box;
use std::path::Path;

/// Connections in the store that is read, and written to in memory.
const SIZE: usize = 100_000;
/// Connections in a dump, and in what an unclean end leaves to be replayed.
const LINES: usize = 10_000;
/// The length of a log, unless set.
const LOG_BYTES: u64 = 16 << 20;
/// A log in which there is room for all that is written here between two checkpoints.
const ROOMY: u64 = 256 << 20;

const PLAIN: &str = r#"{"domain":"netflix.com","profile_name":"user-123"}"#;
const FULL: &str = r#"{
    "domain": "www.Bücher.example",
    "profile_name": "user-123",
    "login_url": "https://www.xn--bcher-kva.example/login?next=%2Fhome",
    "credential": {"provider": "my-1p", "path": "Personal/Books"},
    "allowed_domains": ["*.books.example", "login.example.org"],
    "health_check_interval": 7200,
    "record_session": true
}"#;

fn pair(n: usize) -> (ProfileName, Domain) {
    Workload::default().pair(n).expect("names that are good")
}

fn request(n: usize) -> NewConnection {
    let (profile, domain) = pair(n);
    NewConnection::new(domain, profile)
}

/// Creates the first connections, in batches.
fn fill(store: &Store, size: usize) -> Vec<ConnectionId> {
    let creations = store.create_many((0..size).map(request));
    creations.into_iter().map(|creation| creation.expect("the store works").id()).collect()
}

fn in_memory(size: usize) -> (Store, Vec<ConnectionId>) {
    let store = Store::in_memory().expect("memory");
    let ids = fill(&store, size);
    (store, ids)
}

/// From the body of a request to a request that is known to be right.
fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, body) in [("plain", PLAIN), ("full", FULL)] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let json = Json::parse(black_box(body.as_bytes())).expect("JSON");
                NewConnection::from_json(&json).expect("a request")
            });
        });
    }
    group.finish();
    criterion.bench_function("parse/domain", |bencher| {
        bencher.iter(|| black_box("www.netflix.com").parse::<Domain>().expect("a domain"));
    });
}

/// A create whose pair is free, without a disk.
fn create(criterion: &mut Criterion) {
    let (store, _) = in_memory(SIZE);
    let mut fresh = SIZE..;
    criterion.bench_function("create/in memory", |bencher| {
        bencher.iter_batched(
            || request(fresh.next().expect("a number")),
            |request| match store.create(request).expect("the store works") {
                Creation::Created(connection) => connection,
                other => panic!("it is new, but: {other:?}"),
            },
            BatchSize::SmallInput,
        );
    });
}

/// What to list, of the pair that was picked.
type Query = fn((ProfileName, Domain)) -> ListQuery;

const LISTS: [(&str, Query); 4] = [
    ("list/all", |_| ListQuery::default()),
    ("list/by domain", |(_, domain)| ListQuery { domain: Some(domain), ..ListQuery::default() }),
    ("list/by profile", |(profile, _)| ListQuery {
        profile_name: Some(profile),
        ..ListQuery::default()
    }),
    ("list/by prefix", |(profile, _)| ListQuery {
        query: Some(profile.as_str()[..8].into()),
        ..ListQuery::default()
    }),
];

/// Reads, conflicts among them.
fn read(criterion: &mut Criterion) {
    let (store, ids) = in_memory(SIZE);
    let mut random = fastrand::Rng::with_seed(7);
    criterion.bench_function("conflict", |bencher| {
        bencher.iter_batched(
            || request(random.usize(..SIZE)),
            |request| match store.create(request).expect("the store works") {
                Creation::Conflict(conflict) => conflict,
                other => panic!("it is taken, but: {other:?}"),
            },
            BatchSize::SmallInput,
        );
    });
    criterion.bench_function("get", |bencher| {
        bencher.iter_batched(
            || ids[random.usize(..SIZE)],
            |id| store.get(id).expect("the store works").expect("it is there"),
            BatchSize::SmallInput,
        );
    });
    for (name, query) in LISTS {
        criterion.bench_function(name, |bencher| {
            bencher.iter_batched(
                || query(pair(random.usize(..SIZE))),
                |query| store.list(&query).expect("the store works"),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Records decoded and written as JSON Lines; lines read, checked and put into tables.
fn dump(criterion: &mut Criterion) {
    let (store, _) = in_memory(LINES);
    let lines: Vec<String> = store.dump().and_then(Iterator::collect).expect("a dump");
    let mut group = criterion.benchmark_group("dump");
    group.sample_size(20).throughput(Throughput::Elements(lines.len() as u64));
    group.bench_function("out", |bencher| {
        bencher.iter(|| {
            store.dump().expect("a dump").map(|line| line.expect("a line").len()).sum::<usize>()
        });
    });
    group.bench_function("in", |bencher| {
        bencher.iter_batched(
            || (Store::in_memory().expect("memory"), lines.clone()),
            |(store, lines)| {
                store.load(lines.into_iter().map(Ok)).expect("a dump");
                store
            },
            BatchSize::PerIteration,
        );
    });
}

/// A store that writes nothing down by itself, unless a log of this length is full.
fn on_demand(storage: impl Storage + 'static, log_bytes: u64) -> Store {
    let options = Options::new().checkpoint_mode(CheckpointMode::OnDemand).log_bytes(log_bytes);
    Store::open_with(storage, options).expect("a store")
}

/// Rows on their way from memory into tables that hold many, after so many creates.
fn checkpoint(criterion: &mut Criterion) {
    let memory = MemoryStorage::default();
    let base = on_demand(memory.clone(), ROOMY);
    fill(&base, SIZE);
    base.close().expect("the store works");
    let closed = memory.to_bytes();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("checkpoint.connectory");
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(10);
    for creates in [1_000, 10_000] {
        group.throughput(Throughput::Elements(creates as u64));
        let with_creates = |store: Store| {
            for creation in store.create_many((SIZE..SIZE + creates).map(request)) {
                assert!(matches!(creation, Ok(Creation::Created(_))));
            }
            store
        };
        // The store is handed back: closing it is not what is measured.
        let write_down = |store: Store| {
            store.checkpoint().expect("the store works");
            store
        };
        group.bench_function(format!("memory/{creates}"), |bencher| {
            let store = || on_demand(MemoryStorage::from(closed.clone()), ROOMY);
            bencher.iter_batched(|| with_creates(store()), write_down, BatchSize::PerIteration);
        });
        group.bench_function(format!("file/{creates}"), |bencher| {
            let store = || {
                write_synced(&path, &closed);
                on_demand(FileStorage::existing(&path), ROOMY)
            };
            bencher.iter_batched(|| with_creates(store()), write_down, BatchSize::PerIteration);
        });
    }
}

/// The same reads while some rows are in memory, to be merged with those of the tables, and after all are in the tables.
fn merge(criterion: &mut Criterion) {
    let store = on_demand(MemoryStorage::default(), ROOMY);
    let mut ids = fill(&store, SIZE);
    store.checkpoint().expect("the store works");
    for creation in store.create_many((SIZE..SIZE + LINES).map(request)) {
        ids.push(creation.expect("the store works").id());
    }
    for rows in ["memory and tables", "tables"] {
        let mut random = fastrand::Rng::with_seed(7);
        let mut group = criterion.benchmark_group("merge");
        group.bench_function(format!("get/{rows}"), |bencher| {
            bencher.iter_batched(
                || ids[random.usize(..ids.len())],
                |id| store.get(id).expect("the store works").expect("it is there"),
                BatchSize::SmallInput,
            );
        });
        for (name, query) in LISTS {
            group.bench_function(format!("{name}/{rows}"), |bencher| {
                bencher.iter_batched(
                    || query(pair(random.usize(..ids.len()))),
                    |query| store.list(&query).expect("the store works"),
                    BatchSize::SmallInput,
                );
            });
        }
        group.finish();
        store.checkpoint().expect("the store works");
    }
}

/// From opening what an unclean end left behind to the first answer. All files of the store are copied, so whatever
/// is kept beside the tables is replayed.
fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(20);
    let name = "replay.connectory";
    let mut after = |what: &str, leave: &dyn Fn(&Path) -> (Store, usize)| {
        let left = tempfile::tempdir().expect("a directory");
        let (_open, last) = leave(&left.path().join(name));
        group.bench_function(what, |bencher| {
            bencher.iter_batched(
                || {
                    let copy = tempfile::tempdir().expect("a directory");
                    copy_files(left.path(), copy.path());
                    copy
                },
                |copy| {
                    let store = Store::open(copy.path().join(name)).expect("a store");
                    let (profile, domain) = pair(last);
                    let found = store.find(&profile, &domain).expect("the store works");
                    assert!(found.is_some(), "what was acknowledged is there");
                    // Closing and removing are not what is measured.
                    (store, copy)
                },
                BatchSize::PerIteration,
            );
        });
    };
    after("open and find", &|path| {
        let store = Store::open(path).expect("a store");
        fill(&store, LINES);
        (store, LINES - 1)
    });
    after("open and find, log full", &fill_log);
}

/// Creates until there is no room in the log, none of it in the tables; the store, and the number of its last
/// connection.
fn fill_log(path: &Path) -> (Store, usize) {
    const BATCH: usize = 100;
    let storage = FileStorage::new(path);
    let store = on_demand(storage.clone(), LOG_BYTES);
    let length = || std::fs::metadata(storage.log_path()).map_or(0, |log| log.len());
    let mut next = 0;
    // It grows by little more than what is written into it, and only once: at its full length it is full.
    while length() < LOG_BYTES {
        for creation in store.create_many((next..next + BATCH).map(request)) {
            assert!(matches!(creation, Ok(Creation::Created(_))));
        }
        next += BATCH;
    }
    (store, next - 1)
}

/// Writes a file and what it takes to find it, so that no sync of what is measured has to do that.
fn write_synced(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a file");
    File::open(path).and_then(|file| file.sync_all()).expect("a sync");
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let bytes = std::fs::read(entry.path()).expect("a file");
        write_synced(&to.join(entry.file_name()), &bytes);
    }
}

criterion_group!(parts, parse, create, read, dump, checkpoint, merge, replay);
criterion_main!(parts);
