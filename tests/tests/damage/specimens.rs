//! [`Specimen`], the files of a store that is to be damaged, and what was written to it.

use connectory::{
    Changes, CheckpointMode, Creation, Edit, FileStorage, Flow, FlowStatus, FlowType,
    NewConnection, Observation, Options, Patch, ProxyRef, Shown, SignInOption, Stamp, Store,
};
use fastrand::Rng;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The bytes of a store and of the log beside it, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) store: Vec<u8>,
    pub(crate) log: Option<Vec<u8>>,
}

impl Files {
    pub(crate) fn read(path: &Path) -> Self {
        let store = fs::read(path).unwrap();
        Self { store, log: fs::read(log_of(path)).ok() }
    }

    pub(crate) fn write(&self, path: &Path) {
        fs::write(path, &self.store).unwrap();
        match &self.log {
            Some(log) => fs::write(log_of(path), log).unwrap(),
            None => drop(fs::remove_file(log_of(path))),
        }
    }
}

pub(crate) fn log_of(path: &Path) -> PathBuf {
    FileStorage::existing(path).log_path()
}

/// A store's files, and its history.
#[derive(Debug)]
pub(crate) struct Specimen {
    pub(crate) name: &'static str,
    pub(crate) files: Files,
    /// The same store at an earlier moment.
    pub(crate) earlier: Files,
    pub(crate) truth: Truth,
}

/// A change: an ID, and the connection as it was from then on, as JSON.
pub(crate) type Told = (String, Option<String>);

/// What was written to a store: its changes, and after which of them an operation was acknowledged.
#[derive(Debug)]
pub(crate) struct Truth {
    /// Change *n* is the *n*th: the ID, and the connection as it was from then on.
    pub(crate) changes: Vec<Told>,
    pub(crate) moments: Vec<u64>,
    pub(crate) proxies: u64,
}

impl Truth {
    /// The number of the last change.
    pub(crate) fn last(&self) -> u64 {
        *self.moments.last().unwrap()
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!([self.changes, self.moments, self.proxies])
    }

    pub(crate) fn of_json(json: Value) -> Self {
        let (changes, moments, proxies) = serde_json::from_value(json).unwrap();
        Self { changes, moments, proxies }
    }
}

pub(crate) fn options(seed: u64) -> Options {
    let clock = Mutex::new((Rng::with_seed(seed), 1_750_000_000_000));
    Options::with_stamps(move || {
        let (rng, now_ms) = &mut *clock.lock().unwrap();
        *now_ms += u64::from(rng.u8(..) < 50);
        Stamp { now_ms: *now_ms, random: rng.u64(..) }
    })
    .checkpoint_mode(CheckpointMode::OnDemand)
}

/// A store at work.
struct Work {
    store: Store,
    path: PathBuf,
    rng: Rng,
    moments: Vec<u64>,
    proxies: u64,
}

impl Work {
    fn begin(path: &Path, seed: u64, log_bytes: u64) -> Self {
        let storage = FileStorage::new(path);
        let store = Store::open_with(storage, options(seed).log_bytes(log_bytes)).unwrap();
        let rng = Rng::with_seed(seed);
        Self { store, path: path.to_owned(), rng, moments: vec![0], proxies: 0 }
    }

    fn note(&mut self) {
        self.moments.push(self.store.stats().unwrap().last_change);
    }

    fn request(&mut self, profile: &str, domain: usize) -> NewConnection {
        let domain = format!("d{domain}.example.com").parse().unwrap();
        let mut request = NewConnection::new(domain, profile.parse().unwrap());
        if self.proxies > 0 && self.rng.u8(..5) == 0 {
            let proxy = format!("proxy-{}", self.rng.u64(..self.proxies));
            request.settings.proxy = Some(ProxyRef::Id(proxy.parse().unwrap()));
        }
        request
    }

    fn proxies(&mut self, count: u64) {
        for n in 0..count {
            let name = (n % 2 == 0).then(|| format!("name {n}").parse().unwrap());
            self.store.register_proxy(format!("proxy-{n}").parse().unwrap(), name).unwrap();
        }
        self.proxies = count;
    }

    /// Creates connections in batches.
    fn create(&mut self, count: usize, profiles: usize, batch: usize) {
        let requests: Vec<_> = (0..count)
            .map(|n| self.request(&format!("profile-{}", n % profiles), n / profiles))
            .collect();
        for requests in requests.chunks(batch) {
            let answers = self.store.create_many(requests.iter().cloned());
            assert!(answers.iter().all(|one| matches!(one, Ok(Creation::Created(_)))));
            self.note();
        }
    }

    fn ids(&self) -> Vec<connectory::ConnectionId> {
        self.store.list_ids(&connectory::ListQuery::default(), 5000).unwrap()
    }

    /// Gives some connections long records, deletes some, and changes some.
    fn change(&mut self, count: usize) {
        for n in 0..count {
            let ids = self.ids();
            let id = ids[self.rng.usize(..ids.len())];
            match n % 4 {
                0 => {
                    let seen = self.observation();
                    self.store.record(id, seen).unwrap();
                }
                1 => self.store.delete(id).unwrap(),
                2 => {
                    let url = format!("https://login.example/{}", self.rng.u16(..));
                    let login_url = Edit::Set(url.parse().unwrap());
                    let patch = Patch { login_url, ..Patch::default() };
                    self.store.update(id, patch).unwrap();
                }
                _ => {
                    let nth = self.moments.len();
                    let request = self.request(&format!("later-{nth}"), 7000);
                    assert!(matches!(self.store.create(request), Ok(Creation::Created(_))));
                }
            }
            self.note();
        }
    }

    /// One that is up to twenty kilobytes long: a page of its own, longer than most.
    fn observation(&mut self) -> Observation {
        let text = |length: usize| "x".repeat(length).parse().unwrap();
        let options = (0..self.rng.usize(1..40)).map(|n| SignInOption {
            id: text(n + 1),
            label: text(self.rng.usize(10..1000)),
            description: None,
        });
        let sign_in_options = Some(Shown::new(options.collect()).unwrap());
        let flow = Flow { sign_in_options, ..Flow::new(FlowType::Login, FlowStatus::InProgress) };
        Observation { flow: Edit::Set(flow.into()), ..Observation::default() }
    }

    fn truth(&self) -> Truth {
        let Changes::Since(changes) = self.store.changes_since(0, usize::MAX).unwrap() else {
            panic!("a life is short enough for all of its changes to be kept")
        };
        let changes = changes.into_iter().map(|change| {
            let connection = change.connection.map(|it| serde_json::to_string(&it).unwrap());
            (change.id.to_string(), connection)
        });
        let mut moments = self.moments.clone();
        moments.sort_unstable();
        moments.dedup();
        Truth { changes: changes.collect(), moments, proxies: self.proxies }
    }

    fn files(&self) -> Files {
        Files::read(&self.path)
    }

    /// The store as it is when its process is killed now.
    fn killed(self, name: &'static str, earlier: Files) -> Specimen {
        let (files, truth) = (self.files(), self.truth());
        Specimen { name, files, earlier, truth }
    }

    fn closed(self, name: &'static str, earlier: Files) -> Specimen {
        let truth = self.truth();
        self.store.close().unwrap();
        Specimen { name, files: self.files(), earlier, truth }
    }
}

/// Stores of all kinds, the same for the same seed.
pub(crate) fn specimens(directory: &Path, seed: u64) -> Vec<Specimen> {
    const LONG: u64 = 16 << 20;
    const SHORT: u64 = 64 << 10;
    let begin = |name: &str, log_bytes| Work::begin(&directory.join(name), seed, log_bytes);
    let mut small = begin("small", LONG);
    small.proxies(3);
    small.create(30, 10, 10);
    let earlier = small.files();
    small.change(12);
    let small = small.closed("small, closed", earlier);

    // Two profiles with many connections, and so many others that trees have branches; given back to the file system.
    let mut large = begin("large", LONG);
    large.proxies(5);
    large.create(800, 200, 400);
    large.store.checkpoint().unwrap();
    let earlier = large.files();
    large.create_many_of(&["much", "more"], 60);
    large.change(40);
    let large = large.closed("large, closed", earlier);

    let mut logged = begin("logged", LONG);
    logged.create(120, 30, 40);
    logged.store.close().unwrap();
    logged.reopen(seed + 1, LONG);
    logged.change(20);
    let earlier = logged.files();
    logged.change(30);
    let logged = logged.killed("killed, with a log", earlier);

    let mut half = begin("half", LONG);
    half.create(200, 40, 100);
    half.store.checkpoint().unwrap();
    half.change(15);
    half.store.checkpoint().unwrap();
    let earlier = half.files();
    half.change(25);
    let half = half.killed("killed after a checkpoint", earlier);

    let mut turned = begin("turned", SHORT);
    turned.create(100, 20, 20);
    turned.change(60);
    let earlier = turned.files();
    turned.change(60);
    let turned = turned.killed("killed with both segments used", earlier);

    let loading = loading(&directory.join("loading"), seed);
    vec![small, large, logged, half, turned, loading]
}

impl Work {
    fn create_many_of(&mut self, profiles: &[&str], each: usize) {
        for profile in profiles {
            let requests: Vec<_> = (0..each).map(|n| self.request(profile, 9000 + n)).collect();
            let answers = self.store.create_many(requests);
            assert!(answers.iter().all(Result::is_ok));
            self.note();
        }
    }

    fn reopen(&mut self, seed: u64, log_bytes: u64) {
        let storage = FileStorage::existing(&self.path);
        self.store = Store::open_with(storage, options(seed).log_bytes(log_bytes)).unwrap();
    }
}

/// A store that was killed while a dump was loaded: it is empty.
fn loading(path: &Path, seed: u64) -> Specimen {
    let source = Store::in_memory().unwrap();
    let request = |n: usize| {
        let domain = format!("d{n}.example.com").parse().unwrap();
        NewConnection::new(domain, "loaded".parse().unwrap())
    };
    source.create_many((0..400).map(request));
    let work = Work::begin(path, seed, 16 << 20);
    let earlier = work.files();
    let mut load = work.store.begin_load().unwrap();
    for (number, line) in source.dump().unwrap().enumerate().take(300) {
        load.push(number + 1, &line.unwrap()).unwrap();
    }
    load.commit().unwrap();
    let files = work.files();
    drop(load);
    let truth = Truth { changes: Vec::new(), moments: vec![0], proxies: 0 };
    Specimen { name: "killed while loading", files, earlier, truth }
}
