//! [`Life`], a store that was lived in: what it last held, what it ever held, and its files.

use connectory::{
    CheckpointMode, CommitMode, ConnectionId, CreateOptions, Creation, Json, MemoryStorage,
    NewConnection, Observation, Options, Patch, Recovery, Stamp, Store, recover_from,
};
use connectory_tests::power::{Image, Recorded};
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// Lines of a dump, without its header.
pub(crate) type Lines = BTreeSet<String>;

/// A store that was lived in.
pub(crate) struct Life {
    /// Its files, after a clean close or as a crash left them.
    pub(crate) image: Image,
    /// What it last held.
    pub(crate) truth: Lines,
    /// What it ever held.
    pub(crate) ever: Lines,
    /// The number of its last change.
    pub(crate) last_change: u64,
    /// Where the last batch begins in the log: a frame that is last and bad cannot be told from one that was cut.
    pub(crate) last_frame: usize,
}

/// What a life is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) profiles: usize,
    pub(crate) connections: usize,
    /// How many rounds of changes follow.
    pub(crate) rounds: usize,
    pub(crate) is_closed: bool,
    pub(crate) log_bytes: u64,
}

impl Kind {
    pub(crate) const CLOSED: Self =
        Self { profiles: 60, connections: 600, rounds: 6, is_closed: true, log_bytes: 1 << 20 };
    pub(crate) const CRASHED: Self = Self { is_closed: false, ..Self::CLOSED };
}

fn options(seed: u64, log_bytes: u64) -> Options {
    let clock = Mutex::new((Rng::with_seed(seed), 1_750_000_000_000_u64));
    let stamps = move || {
        let (rng, now_ms) = &mut *clock.lock().unwrap();
        *now_ms += rng.u64(0..3);
        Stamp { now_ms: *now_ms, random: rng.u64(..) }
    };
    Options::with_stamps(stamps).log_bytes(log_bytes).checkpoint_mode(CheckpointMode::OnDemand)
}

/// The lines of the store's dump.
pub(crate) fn lines(store: &Store) -> Lines {
    store.dump().unwrap().skip(1).map(Result::unwrap).collect()
}

/// What a line is of: the ID of a connection or a proxy, the name of a profile.
pub(crate) fn name(line: &str) -> (&'static str, String) {
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    for (kind, field) in [("connection", "id"), ("profile", "name"), ("proxy", "id")] {
        if let Some(thing) = json.get(kind) {
            return (kind, thing[field].as_str().unwrap().to_owned());
        }
    }
    panic!("no line of a dump: {line}")
}

/// What each line is of.
pub(crate) fn named(lines: &Lines) -> BTreeMap<(&'static str, String), &String> {
    lines.iter().map(|line| (name(line), line)).collect()
}

impl Life {
    pub(crate) fn lived(seed: u64, kind: Kind) -> Self {
        let storage = Recorded::holding(Image::default(), CommitMode::QuickRepair);
        let store = Store::open_with(storage.clone(), options(seed, kind.log_bytes)).unwrap();
        let mut life =
            Living { store, rng: Rng::with_seed(seed), ids: Vec::new(), ever: Lines::new() };
        for n in 0..5 {
            let name = (n % 2 == 0).then(|| format!("Berlin {n}").parse().unwrap());
            life.store.register_proxy(format!("px-{n}").parse().unwrap(), name).unwrap();
        }
        while life.ids.len() < kind.connections {
            life.create(kind.profiles);
        }
        life.note();
        for round in 0..kind.rounds {
            // The last round is in the log alone.
            if round + 1 < kind.rounds {
                life.store.checkpoint().unwrap();
            }
            for _ in 0..kind.connections / 30 {
                life.change(kind.profiles);
            }
            life.note();
        }
        let before = storage.image().log.unwrap();
        let last = ("last.example".parse().unwrap(), "user-1".parse().unwrap());
        let created = life.store.create(NewConnection::new(last.0, last.1)).unwrap();
        assert!(matches!(created, Creation::Created(_)));
        life.note();
        let after = storage.image().log.unwrap();
        let last_frame = before.iter().zip(&after).position(|(one, other)| one != other).unwrap();
        let truth = lines(&life.store);
        let last_change = life.store.stats().unwrap().last_change;
        let image = if kind.is_closed {
            life.store.close().unwrap();
            storage.image()
        } else {
            storage.image()
        };
        assert_eq!(image.log.is_some(), !kind.is_closed);
        Self { image, truth, ever: life.ever, last_change, last_frame }
    }
}

struct Living {
    store: Store,
    rng: Rng,
    ids: Vec<ConnectionId>,
    ever: Lines,
}

impl Living {
    fn note(&mut self) {
        self.ever.extend(lines(&self.store));
    }

    fn create(&mut self, profiles: usize) {
        // The first profile has many connections, the others few.
        let profile = if self.rng.u8(..8) == 0 { 0 } else { self.rng.usize(..profiles) };
        let domain = format!("d{}.example", self.rng.usize(..200)).parse().unwrap();
        let profile = format!("user-{profile}").parse().unwrap();
        let mut request = NewConnection::new(domain, profile);
        if self.rng.u8(..3) == 0 {
            let proxy = format!("px-{}", self.rng.u8(..4)).parse().unwrap();
            request.settings.proxy = Some(connectory::ProxyRef::Id(proxy));
        }
        let key =
            (self.rng.u8(..4) == 0).then(|| format!("key-{}", self.ids.len()).parse().unwrap());
        let options = CreateOptions { idempotency_key: key, ensure: true };
        let creation = self.store.create_with(request, options).unwrap();
        if matches!(creation, Creation::Created(_)) {
            self.ids.push(creation.id());
        }
    }

    fn change(&mut self, profiles: usize) {
        let n = self.rng.usize(..self.ids.len());
        let id = self.ids[n];
        match self.rng.u8(..10) {
            0..4 => self.create(profiles),
            4 => {
                self.store.delete(id).unwrap();
                self.ids.swap_remove(n);
            }
            5 => {
                let name = format!("left-{}", self.rng.u8(..)).parse().unwrap();
                let domain = "left.example".parse().unwrap();
                let creation = self.store.ensure(NewConnection::new(domain, name)).unwrap();
                self.note();
                self.store.delete(creation.id()).unwrap();
            }
            6 => {
                let text = format!("Berlin {}", self.rng.u8(..));
                let proxy = format!("px-{}", self.rng.u8(..5)).parse().unwrap();
                self.store.register_proxy(proxy, Some(text.parse().unwrap())).unwrap();
            }
            7 => {
                let seconds = self.rng.u32(300..86400);
                let json = format!(r#"{{"health_check_interval":{seconds}}}"#);
                let patch = Patch::from_json(&Json::parse(json.as_bytes()).unwrap()).unwrap();
                self.store.update(id, patch).unwrap();
            }
            _ => {
                let text = "x".repeat(self.rng.usize(1..400));
                let json = format!(
                    r#"{{"status":"AUTHENTICATED","flow":{{"flow_type":"LOGIN","flow_status":"IN_PROGRESS","website_error":"{text}"}}}}"#
                );
                let seen = Observation::from_json(&Json::parse(json.as_bytes()).unwrap()).unwrap();
                self.store.record(id, seen).unwrap();
            }
        }
        self.note();
    }
}

/// What is recovered from these files, and what is told of it. The new store is sound, and goes on.
pub(crate) fn recovered(image: &Image) -> Result<(Lines, Recovery), connectory::Error> {
    recovered_store(image).map(|(store, report)| (lines(&store), report))
}

/// The same, and the new store.
pub(crate) fn recovered_store(image: &Image) -> Result<(Store, Recovery), connectory::Error> {
    let target = MemoryStorage::default();
    let source = Recorded::holding(image.clone(), CommitMode::QuickRepair);
    let report = recover_from(&source, target.clone(), |_, _| ())?;
    assert_eq!(source.image(), *image, "what is damaged is left as it is");
    let store = Store::open_with(target, options(9, 1 << 20)).unwrap();
    let check = store.check().unwrap();
    assert!(check.is_sound() && check.pages_checked, "{check:?}");
    let counts = (check.connections, check.profiles, check.proxies);
    assert_eq!(counts, (report.connections, report.profiles, report.proxies));
    let found = &report.found;
    assert_eq!(found.tables + found.log + found.older + found.unreached, report.connections);
    Ok((store, report))
}
