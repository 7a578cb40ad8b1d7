//! [`Run`], random operations on a store and its model, and what must hold in the end.

use super::expected::{Model, Refused};
use crate::power::{Image, Recorded};
use connectory::{
    Change, Changes, CheckpointMode, CommitMode, ConnectionId, CreateOptions, Creation, Cursor,
    FileStorage, MemoryStorage, NewConnection, Options, Plan, ProfileName, ProxyId, Refusal, Stamp,
    Store, Used,
};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::Mutex;

/// Numbers of operations, each as often as it is to be drawn.
pub const OPERATIONS: u32 = 1000;
const DELETE_MOST: std::ops::Range<u32> = 980..985;

/// Where the store of a run is kept, to be opened again.
#[derive(Debug)]
pub(super) enum Place {
    Memory(MemoryStorage),
    /// With a log that is as short as can be, and power that can be cut.
    Recorded(Recorded),
    File(FileStorage, #[expect(dead_code, reason = "goes away with the run")] tempfile::TempDir),
}

impl Place {
    pub(super) fn open(&self, options: Options) -> Store {
        match self {
            Self::Memory(storage) => Store::open_with(storage.clone(), options).unwrap(),
            Self::Recorded(storage) => Store::open_with(storage.clone(), options).unwrap(),
            Self::File(storage, _) => Store::open_with(storage.clone(), options).unwrap(),
        }
    }
}

/// The last operations of a run, told if it ends badly.
#[derive(Debug)]
pub(super) struct Story {
    /// `None` where operations are given, not drawn.
    seed: Option<u64>,
    told: VecDeque<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.told {
                eprintln!("{line}");
            }
            if let Some(seed) = self.seed {
                eprintln!("repeat with CONNECTORY_SEED={seed} CONNECTORY_RUNS=1");
            }
        }
    }
}

/// A run: the store, its model, and where their lists go on.
#[derive(Debug)]
pub struct Run {
    story: Story,
    pub(super) rng: fastrand::Rng,
    pub(super) wide: bool,
    pub(super) place: Place,
    pub(super) store: Store,
    pub(super) model: Model,
    pub(super) gone: Vec<ConnectionId>,
    pub(super) sent: Vec<(NewConnection, CreateOptions)>,
    pub(super) cursors: Vec<(Cursor, ConnectionId)>,
    pub(super) profile_cursors: Vec<(Cursor, ProfileName)>,
    pub(super) proxy_cursors: Vec<(Cursor, ProxyId)>,
}

/// Stamps by a clock that stands still, runs and jumps back.
fn stamps(seed: u64) -> impl Fn() -> Stamp + Send + Sync + 'static {
    let clock = Mutex::new((fastrand::Rng::with_seed(seed), 1_750_000_000_000_u64));
    move || {
        let (rng, now_ms) = &mut *clock.lock().unwrap();
        match rng.u8(..) {
            0..100 => *now_ms += rng.u64(1..50),
            100..120 => *now_ms -= rng.u64(1..5_000),
            _ => {}
        }
        Stamp { now_ms: *now_ms, random: rng.u64(..) }
    }
}

impl Run {
    /// A run whose operations are drawn, each by [`step`](Self::step).
    ///
    /// # Panics
    ///
    /// Where no store can be opened.
    pub fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let wide = rng.u8(..4) == 0;
        let place = if rng.u8(..) < 10 {
            let directory = tempfile::tempdir().unwrap();
            Place::File(FileStorage::new(directory.path().join("a.connectory")), directory)
        } else {
            Place::Memory(MemoryStorage::default())
        };
        Self::at(place, wide, rng, Some(seed))
    }

    /// A run on a storage whose power can be cut. Its operations are given, each to [`act`](Self::act).
    ///
    /// # Panics
    ///
    /// Where no store can be opened.
    pub fn recorded(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let wide = rng.bool();
        let mode = [CommitMode::OnePhase, CommitMode::QuickRepair][rng.usize(..2)];
        let place = Place::Recorded(Recorded::holding(Image::default(), mode));
        Self::at(place, wide, rng, None)
    }

    fn at(place: Place, wide: bool, mut rng: fastrand::Rng, seed: Option<u64>) -> Self {
        let (mut model, options) = (Model::default(), Self::options(&place, &mut rng));
        let options = Self::limit(&mut rng, &mut model, options);
        let store = place.open(options);
        Self {
            story: Story { seed, told: VecDeque::new() },
            rng,
            wide,
            place,
            store,
            model,
            gone: Vec::new(),
            sent: Vec::new(),
            cursors: Vec::new(),
            profile_cursors: Vec::new(),
            proxy_cursors: Vec::new(),
        }
    }

    /// How often creates had which outcome.
    pub fn outcomes(&self) -> &BTreeMap<&'static str, usize> {
        &self.model.outcomes
    }

    /// As many connections a profile had at most.
    pub fn widest(&self) -> u64 {
        self.model.widest
    }

    pub(super) fn options(place: &Place, rng: &mut fastrand::Rng) -> Options {
        let cache_bytes = if rng.bool() { 1 << 20 } else { 16 << 10 };
        let options = Options::with_stamps(stamps(rng.u64(..))).cache_bytes(cache_bytes);
        if matches!(place, Place::Recorded(_)) {
            let mode = [CheckpointMode::Inline, CheckpointMode::OnDemand][rng.usize(..2)];
            return options.log_bytes(8 << 10).checkpoint_mode(mode);
        }
        options
    }

    /// Gives store and model the same random plan and cap.
    pub(super) fn limit(rng: &mut fastrand::Rng, model: &mut Model, options: Options) -> Options {
        model.plan = [Plan::Enterprise, Plan::Startup, Plan::Hobbyist][rng.usize(..3)];
        model.cap = rng.bool().then(|| rng.u64(0..40));
        options.plan(model.plan).cap(model.cap)
    }

    pub(super) fn say(&mut self, what: &dyn Debug) {
        if self.story.told.len() == 30 {
            self.story.told.pop_front();
        }
        self.story.told.push_back(format!("{what:?}"));
    }

    /// Does an operation that is drawn.
    ///
    /// # Panics
    ///
    /// Where the store answers otherwise than the model.
    pub fn step(&mut self) {
        let operation = self.rng.u32(..OPERATIONS);
        self.operate(operation);
    }

    /// Does the operation of this number, below [`OPERATIONS`]; `seed` draws the rest.
    ///
    /// # Panics
    ///
    /// Where the store answers otherwise than the model.
    pub fn act(&mut self, operation: u32, seed: u64) {
        self.rng = fastrand::Rng::with_seed(seed);
        self.operate(operation);
    }

    /// Whether an operation consists of several.
    pub(super) fn is_many(operation: u32) -> bool {
        DELETE_MOST.contains(&operation)
    }

    fn operate(&mut self, operation: u32) {
        match operation {
            0..200 => self.create(),
            200..260 => self.create_many(),
            260..380 => self.update(),
            380..450 => self.record(),
            450..550 => self.delete(),
            550..580 => self.delete_profile(),
            580..620 => self.register_proxy(),
            620..645 => self.remove_proxy(),
            645..680 => self.get(),
            680..730 => self.find(),
            730..880 => self.list(),
            880..910 => self.profiles(),
            910..930 => self.proxies(),
            930..940 => self.list_with_a_cursor_of_another_list(),
            940..980 => self.changes_since(),
            _ if DELETE_MOST.contains(&operation) => self.delete_most(),
            _ => self.reopen(),
        }
        assert_eq!(self.store.stats().unwrap(), self.model.stats());
    }

    /// Asserts what must hold of the store as a whole, whatever was done to it.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn finish(&mut self) {
        self.say(&"the end");
        let (store, model) = (&self.store, &self.model);
        let report = store.check().unwrap();
        assert!(report.is_sound() && report.pages_checked, "{report:?}");
        assert_eq!(report.connections, model.connections.len() as u64);

        let before = model.gone_changes;
        let Changes::Since(changes) = store.changes_since(before, usize::MAX).unwrap() else {
            panic!("only {before} are not kept");
        };
        assert_eq!(changes, model.changes[usize::try_from(before).unwrap()..]);
        if before == 0 {
            let mut replayed = BTreeMap::new();
            for Change { id, connection, .. } in changes {
                match connection {
                    Some(connection) => replayed.insert(id, connection),
                    None => replayed.remove(&id),
                };
            }
            let held = model.connections.values().map(|held| &held.connection);
            assert!(replayed.values().eq(held), "the changes do not lead to what is there");
        }

        let lines: Vec<String> = store.dump().unwrap().map(Result::unwrap).collect();
        let loaded = Store::in_memory().unwrap();
        let count = loaded.load(lines.iter().cloned().map(Ok)).unwrap();
        assert_eq!(count, model.connections.len() as u64);
        let copy = MemoryStorage::default();
        store.backup_to(&copy, |_| ()).unwrap();
        for other in [loaded, Store::open_with(copy, Options::new()).unwrap()] {
            assert!(other.check().unwrap().is_sound());
            let same: Vec<String> = other.dump().unwrap().map(Result::unwrap).collect();
            assert_eq!(same, lines);
            for (&id, held) in &model.connections {
                assert_eq!(other.get(id).unwrap().as_ref(), Some(&held.connection));
                let Some((key, request)) = held.made_by.clone() else { continue };
                let options = CreateOptions { idempotency_key: Some(key), ensure: false };
                let replay = Ok(Creation::Replayed(held.connection.clone()));
                assert_eq!(other.create_with(request, options).map_err(|_| ()), replay);
            }
            let new = NewConnection::new("new.example".parse().unwrap(), "new".parse().unwrap());
            let new = other.create(new).unwrap().id();
            assert!(model.connections.keys().all(|&id| id < new), "{new} is not the newest");
            let again = other.load(lines.iter().cloned().map(Ok)).unwrap_err();
            assert_eq!(Refused::of(&again), Refused::Otherwise(Refusal::InUse(Used::Store)));
        }
    }
}
