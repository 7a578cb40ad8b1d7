//! [`Life`], what a store on a recorded storage went through, and what it held after every operation.

use connectory::{
    Change, Changes, CheckpointMode, CommitMode, ConnectionId, CreateOptions, Edit, Error, Flow,
    FlowStatus, FlowType, IdempotencyKey, NewConnection, Observation, Options, Patch, ProxyId,
    ProxyRef, Shown, SignInOption, Stamp, Status, Store, StoreError,
};
use connectory_tests::power::{Image, Record, Recorded};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The first moment at which anything is created.
const BEGIN_MS: u64 = 1_750_000_000_000;

/// How a store is opened: alike in a life and after it. Stamps are those of a clock that stands still more often
/// than not.
pub(crate) fn options(seed: u64, cache_bytes: usize, log_bytes: u64) -> Options {
    let clock = Mutex::new((Rng::with_seed(seed), BEGIN_MS));
    let stamps = move || {
        let (rng, now_ms) = &mut *clock.lock().unwrap();
        *now_ms += u64::from(rng.u8(..) < 50);
        Stamp { now_ms: *now_ms, random: rng.u64(..) }
    };
    Options::with_stamps(stamps).cache_bytes(cache_bytes).log_bytes(log_bytes)
}

pub(crate) fn checkpoint(store: &Store) {
    store.checkpoint().unwrap();
}

/// All that can be seen of a store: the lines of its dump, and the number of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) lines: Vec<String>,
    pub(crate) last_change: u64,
}

impl State {
    pub(crate) fn of(store: &Store) -> Result<Self, Error> {
        let lines = store.dump()?.collect::<Result<_, _>>()?;
        Ok(Self { lines, last_change: store.stats()?.last_change })
    }

    /// The connections, oldest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnectionId> {
        let id = |line: &String| {
            let rest = line.strip_prefix(r#"{"connection":{"id":""#)?;
            Some(rest.split('"').next()?.parse().unwrap())
        };
        self.lines.iter().filter_map(id)
    }
}

/// A store once an operation was acknowledged.
#[derive(Debug)]
pub(crate) struct Moment {
    /// The operation.
    pub(crate) what: &'static str,
    /// How much had been done to the storage by then.
    pub(crate) acts: usize,
    pub(crate) state: State,
    /// The greatest ID that had been given out.
    pub(crate) newest: Option<ConnectionId>,
}

/// What a run begins with, drawn from its seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) mode: CommitMode,
    pub(crate) cache_bytes: usize,
    pub(crate) log_bytes: u64,
    pub(crate) checkpoint_mode: CheckpointMode,
    pub(crate) operations: usize,
    /// Whether it goes on where a power cut ended another life.
    pub(crate) resumes: bool,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let modes = [CommitMode::OnePhase, CommitMode::QuickRepair];
        let checkpoint_mode = [CheckpointMode::Inline, CheckpointMode::OnDemand][rng.usize(..2)];
        let mut log_bytes = [8 << 10, 16 << 10, 64 << 10][rng.usize(..3)];
        if checkpoint_mode == CheckpointMode::OnDemand {
            log_bytes = 8 << 10;
        }
        Self {
            seed,
            mode: modes[rng.usize(..2)],
            cache_bytes: [0, 16 << 10, 1 << 20][rng.usize(..3)],
            log_bytes,
            checkpoint_mode,
            operations: rng.usize(20..70),
            resumes: rng.bool(),
        }
    }

    pub(crate) fn options(&self, stream: u64) -> Options {
        let seed = self.seed.wrapping_mul(31).wrapping_add(stream);
        options(seed, self.cache_bytes, self.log_bytes).checkpoint_mode(self.checkpoint_mode)
    }
}

/// How a storage is opened: the recorded one as it is, or something around it.
pub(crate) type Open = dyn Fn(&Recorded, Options) -> Result<Store, StoreError> + Sync;

pub(crate) fn plainly(storage: &Recorded, options: Options) -> Result<Store, StoreError> {
    Store::open_with(storage.clone(), options)
}

/// The history of a store.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) plan: Plan,
    pub(crate) record: Record,
    /// The first one is that before the store was open; at least one follows.
    pub(crate) moments: Vec<Moment>,
    pub(crate) changes: BTreeMap<u64, Change>,
}

impl Life {
    /// Lives through what the plan says.
    pub(crate) fn of(plan: Plan, open: &Open) -> Self {
        let (mut image, mut newest) = (Image::default(), None);
        if plan.resumes {
            let before = Living::begin(plan, image, newest, open).finish(plan.operations / 2);
            let mut rng = Rng::with_seed(plan.seed);
            let at = rng.usize(..=before.record.acts());
            image = before.record.image(at, rng.u64(..));
            newest = before.moments[before.moment_at(at).0].newest;
        }
        Living::begin(plan, image, newest, open).finish(plan.operations)
    }

    /// The last moment that was reached by the time of a cut, and whether something was under way after it.
    pub(crate) fn moment_at(&self, at: usize) -> (usize, bool) {
        let reached = self.moments.partition_point(|moment| moment.acts <= at) - 1;
        let under_way = at > self.moments[reached].acts && reached + 1 < self.moments.len();
        (reached, under_way)
    }
}

/// A store at work.
struct Living<'a> {
    plan: Plan,
    rng: Rng,
    open: &'a Open,
    storage: Recorded,
    store: Option<Store>,
    moments: Vec<Moment>,
    changes: BTreeMap<u64, Change>,
}

/// `words-0`, `words-1` and so on, some of them.
fn word(rng: &mut Rng, words: &str, most: usize) -> String {
    format!("{words}{}", rng.usize(..most))
}

fn proxy_id(rng: &mut Rng) -> ProxyId {
    word(rng, "px-", 4).parse().unwrap()
}

fn request(rng: &mut Rng) -> NewConnection {
    let domain = word(rng, "d", 8) + ".example";
    let profile = word(rng, "profile-", 5);
    let mut request = NewConnection::new(domain.parse().unwrap(), profile.parse().unwrap());
    if rng.u8(..3) == 0 {
        request.login_url = Some(url(rng));
    }
    if rng.u8(..5) == 0 {
        request.proxy = Some(ProxyRef::Id(proxy_id(rng)));
    }
    request
}

fn url(rng: &mut Rng) -> connectory::WebUrl {
    let path = "long/".repeat(rng.usize(..40));
    format!("https://login.example/{path}{}", rng.u64(..)).parse().unwrap()
}

/// What a login driver saw: a page with few options or with more than a sector holds.
fn observation(rng: &mut Rng) -> Observation {
    let count = [2, 90][rng.usize(..2)];
    let option = |n| SignInOption {
        id: format!("option-{n}").parse().unwrap(),
        label: word(rng, "sign in ", 1000).parse().unwrap(),
        description: None,
    };
    let options = (0..count).map(option).collect();
    let mut flow = Flow::new(FlowType::Login, FlowStatus::InProgress);
    flow.sign_in_options = Some(Shown::new(options).unwrap());
    Observation {
        status: rng.bool().then_some(Status::Authenticated),
        flow: if rng.bool() { Edit::Set(Box::new(flow)) } else { Edit::Clear },
        ..Observation::default()
    }
}

/// The lines of a dump of this many connections.
fn lines_to_load(rng: &mut Rng) -> Vec<String> {
    let options = options(rng.u64(..), 1 << 20, 1 << 20);
    let source = Store::open_with(connectory::MemoryStorage::default(), options).unwrap();
    let request = |n: usize| {
        let domain = format!("loaded-{n}.example").parse().unwrap();
        NewConnection::new(domain, format!("loaded-{}", n % 7).parse().unwrap())
    };
    source.create_many((0..rng.usize(..100)).map(request));
    source.dump().unwrap().map(Result::unwrap).collect()
}

/// An answer that may be a refusal, but no failure.
fn expect_no_failure<T>(answer: Result<T, Error>) {
    if let Err(Error::Failed(error)) = answer {
        panic!("nothing was made to fail: {error}");
    }
}

impl<'a> Living<'a> {
    /// `newest` is the greatest ID that was given out before.
    fn begin(plan: Plan, image: Image, newest: Option<ConnectionId>, open: &'a Open) -> Self {
        // What is there before it is open, found in a copy.
        let copy = Recorded::holding(image.clone(), plan.mode);
        let state = State::of(&plainly(&copy, plan.options(0)).unwrap()).unwrap();
        let newest = state.ids().last().max(newest);
        let stream = 1 + u64::from(newest.is_some());
        let first = Moment { what: "the beginning", acts: 0, state, newest };
        let mut living = Self {
            plan,
            rng: Rng::with_seed(plan.seed ^ stream),
            open,
            storage: Recorded::holding(image, plan.mode),
            store: None,
            moments: vec![first],
            changes: BTreeMap::new(),
        };
        living.reopen();
        living.look("open");
        living
    }

    fn reopen(&mut self) {
        let options = self.plan.options(self.moments.len() as u64);
        self.store = Some((self.open)(&self.storage, options).unwrap());
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Notes what there is once an operation was acknowledged.
    fn look(&mut self, what: &'static str) {
        let acts = self.storage.acts();
        let state = State::of(self.store()).unwrap();
        let newest = state.ids().last().max(self.moments.last().unwrap().newest);
        let kept_from = self.store().stats().unwrap().oldest_change;
        let known = self.changes.keys().last().copied().unwrap_or(0);
        let since = known.max(kept_from.saturating_sub(1));
        let Changes::Since(changes) = self.store().changes_since(since, usize::MAX).unwrap() else {
            panic!("a life is shorter than what is kept");
        };
        self.changes.extend(changes.into_iter().map(|change| (change.seq, change)));
        self.moments.push(Moment { what, acts, state, newest });
    }

    /// A connection that there is, if there is any.
    fn id(&mut self) -> Option<ConnectionId> {
        let ids: Vec<_> = self.moments.last()?.state.ids().collect();
        (!ids.is_empty()).then(|| ids[self.rng.usize(..ids.len())])
    }

    fn create(&mut self) {
        let request = request(&mut self.rng);
        let key: IdempotencyKey = word(&mut self.rng, "key-", 3).parse().unwrap();
        let idempotency_key = (self.rng.u8(..4) == 0).then_some(key);
        let options = CreateOptions { idempotency_key, ensure: self.rng.u8(..4) == 0 };
        expect_no_failure(self.store().create_with(request, options));
    }

    fn create_many(&mut self) {
        let name = self.moments.len();
        let (count, large) = match self.rng.u8(..5) {
            0 => (self.rng.usize(40..120), true),
            _ => (self.rng.usize(..8), false),
        };
        let mut requests: Vec<_> = (0..count).map(|_| request(&mut self.rng)).collect();
        for (n, request) in requests.iter_mut().enumerate().filter(|_| large) {
            request.domain = format!("d{n}.batch-{name}.example").parse().unwrap();
        }
        for answer in self.store().create_many(requests) {
            expect_no_failure(answer);
        }
    }

    fn update(&mut self) {
        let Some(id) = self.id() else { return };
        let patch = Patch {
            login_url: Edit::Set(url(&mut self.rng)),
            proxy: match self.rng.u8(..6) {
                0 => Edit::Clear,
                1 => Edit::Set(ProxyRef::Id(proxy_id(&mut self.rng))),
                _ => Edit::Keep,
            },
            ..Patch::default()
        };
        expect_no_failure(self.store().update(id, patch));
    }

    fn record(&mut self) {
        let Some(id) = self.id() else { return };
        let seen = observation(&mut self.rng);
        expect_no_failure(self.store().record(id, seen));
    }

    fn delete(&mut self) {
        let Some(id) = self.id() else { return };
        self.store().delete(id).unwrap();
    }

    fn delete_profile(&mut self) {
        let name = word(&mut self.rng, "profile-", 5);
        expect_no_failure(self.store().delete_profile(name.parse().unwrap()));
    }

    fn proxy(&mut self) {
        let id = proxy_id(&mut self.rng);
        if self.rng.u8(..4) == 0 {
            expect_no_failure(self.store().remove_proxy(id));
        } else {
            let name = self.rng.bool().then(|| word(&mut self.rng, "Berlin ", 3).parse().unwrap());
            self.store().register_proxy(id, name).unwrap();
        }
    }

    /// Closes the store, or lets it go, which closes it as well; and opens it again.
    fn close_and_reopen(&mut self) {
        if self.rng.bool() {
            self.store().close().unwrap();
        }
        self.store = None;
        self.look_away();
        self.reopen();
    }

    /// Notes that nothing has changed, where there is no open store to be looked at.
    fn look_away(&mut self) {
        let last = self.moments.last().unwrap();
        let (acts, newest) = (self.storage.acts(), last.newest);
        self.moments.push(Moment { what: "close", acts, state: last.state.clone(), newest });
    }

    /// Loads a dump, now and then one with a wrong line at its end, of which nothing stays.
    fn load(&mut self) {
        let mut lines = lines_to_load(&mut self.rng);
        if self.rng.u8(..3) == 0 {
            lines.push("{}".into());
        }
        expect_no_failure(self.store().load(lines.into_iter().map(Ok)));
    }

    /// Empties the store one by one, if that is not too much, and loads a dump.
    fn empty_and_load(&mut self) {
        let ids: Vec<_> = self.moments.last().unwrap().state.ids().collect();
        if ids.len() > 12 {
            return;
        }
        for id in ids {
            self.store().delete(id).unwrap();
            self.look("delete");
        }
        let profiles = self.store().profiles(&connectory::PageQuery::default()).unwrap();
        for profile in profiles.items {
            self.store().delete_profile(profile.name).unwrap();
            self.look("delete a profile");
        }
        let proxies = self.store().proxies(&connectory::PageQuery::default()).unwrap();
        for proxy in proxies.items {
            self.store().remove_proxy(proxy.id).unwrap();
            self.look("remove a proxy");
        }
        self.load();
    }

    fn step(&mut self) {
        let mut draw = self.rng.u8(..100);
        // Where checkpoints are made on demand there is seldom one, so that the log fills before it.
        if self.plan.checkpoint_mode == CheckpointMode::OnDemand && self.rng.u8(..5) > 0 {
            draw = draw.min(86);
        }
        let (what, operation): (_, fn(&mut Self)) = match draw {
            0..38 => ("create", Self::create),
            38..48 => ("create many", Self::create_many),
            48..60 => ("update", Self::update),
            60..68 => ("record", Self::record),
            68..78 => ("delete", Self::delete),
            78..81 => ("delete a profile", Self::delete_profile),
            81..87 => ("write a proxy", Self::proxy),
            87..93 => ("checkpoint", |life| checkpoint(life.store())),
            93..98 => ("open", Self::close_and_reopen),
            _ => ("load", Self::empty_and_load),
        };
        operation(self);
        self.look(what);
    }

    fn finish(mut self, operations: usize) -> Life {
        if self.rng.u8(..4) == 0 {
            self.load();
            self.look("load");
        }
        for _ in 0..operations {
            self.step();
        }
        if self.rng.bool() {
            self.store = None;
            self.look_away();
        }
        let record = self.storage.record();
        Life { plan: self.plan, record, moments: self.moments, changes: self.changes }
    }
}
