//! Random operations on a store and on a plain model of it: every answer of the one must be the other's.
//!
//! `CONNECTORY_SEED` repeats a run, `CONNECTORY_RUNS` says how many there are. Run n has the seed plus n.

use connectory::{
    AllowedDomains, Change, ChangeKind, Changes, Connection, ConnectionId, CreateOptions, Creation,
    Credential, Cursor, Domain, Edit, Error, FileStorage, Flow, FlowStatus, FlowStep, FlowType,
    HealthCheckInterval, HostPattern, IdempotencyKey, ListQuery, MemoryStorage, Missing,
    NewConnection, Observation, Options, Page, PageLimit, PageQuery, Patch, Plan, Profile,
    ProfileName, Proxy, ProxyId, ProxyName, ProxyRef, Reauth, Refusal, Settings, Shown,
    SignInOption, Stamp, Stats, Status, Store, StoreError, Timestamp, Used, ViolationCode, WebUrl,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Mutex;

/// Operations in a run.
const OPERATIONS: usize = 400;

const PROFILES: &[&str] = &["a", "A", "ab", "ab.c", "abc", "b-1", "ma_", "z_z"];
/// Several spellings of few domains, some of them beginnings of others.
const DOMAINS: &[&str] = &[
    "a.com",
    "A.com.",
    "ab.com",
    "abc.com",
    "a.co",
    "www.a.com",
    "localhost",
    "bücher.example",
    "XN--bcher-kva.example",
];
/// Profiles and numbered domains of a run that is wide: few profiles with many connections. Those with more than
/// 16 are laid out otherwise.
const WIDE_PROFILES: &[&str] = &["a", "ab"];
const WIDE_DOMAINS: usize = 60;
const PROXIES: &[&str] = &["p", "p1", "p-2", "Q"];
const PROXY_NAMES: &[&str] = &["Berlin", "Be", "Büro 1"];
const KEYS: &[&str] = &["key-1", "key-2"];
const URLS: &[&str] = &["https://a.com/login", "http://localhost:1/#x"];
const PATTERNS: &[&str] = &["*.sso.example", "sso.example", "login.Ab.com"];
const QUERIES: &[&str] =
    &["", "a", "A", "ab", "AB.", "a.c", "abc", "ma_", "z", "xn--b", "www.a.com", "ü", "nobody"];
const INTERVALS: &[u32] = &[300, 1199, 1200, 3599, 3600, 86_400];

/// A connection, and the request that it remembers if it had a key.
#[derive(Debug, Clone)]
struct Held {
    connection: Connection,
    made_by: Option<(IdempotencyKey, NewConnection)>,
}

/// What the store should hold, kept so plainly that it can be seen to be right: a look is a search through all.
#[derive(Debug, Default)]
struct Model {
    plan: Plan,
    cap: Option<u64>,
    connections: BTreeMap<ConnectionId, Held>,
    profiles: BTreeSet<ProfileName>,
    proxies: BTreeMap<ProxyId, Option<ProxyName>>,
    changes: Vec<Change>,
    last_id: Option<ConnectionId>,
    /// How often creates had which outcome.
    outcomes: BTreeMap<&'static str, usize>,
    /// As many connections a profile had at most.
    widest: u64,
}

/// What becomes of a create.
#[derive(Debug)]
enum Verdict {
    Refused(Refused),
    Replayed(ConnectionId),
    Existing(ConnectionId),
    Conflict(ConnectionId),
    Created,
}

/// A refusal, without the words of its violations.
#[derive(Debug, PartialEq)]
enum Refused {
    Invalid(Vec<(ViolationCode, String)>),
    Otherwise(Refusal),
}

impl Refused {
    fn of(error: &Error) -> Self {
        match error {
            Error::Refused(Refusal::Invalid(violations)) => Self::Invalid(
                violations.iter().map(|found| (found.code, found.field.clone())).collect(),
            ),
            Error::Refused(refusal) => Self::Otherwise(refusal.clone()),
            Error::Failed(error) => panic!("nothing was made to fail: {error}"),
        }
    }

    fn missing(what: Missing) -> Self {
        Self::Otherwise(Refusal::NotFound(what))
    }
}

impl Model {
    fn holder(&self, profile: &ProfileName, domain: &Domain) -> Option<&Held> {
        self.connections.values().find(|held| {
            held.connection.profile_name == *profile && held.connection.domain == *domain
        })
    }

    fn of_profile(&self, name: &ProfileName) -> u64 {
        let own = |held: &&Held| held.connection.profile_name == *name;
        self.connections.values().filter(own).count() as u64
    }

    fn through_proxy(&self, id: &ProxyId) -> u64 {
        let through = |held: &&Held| held.connection.proxy_id.as_ref() == Some(id);
        self.connections.values().filter(through).count() as u64
    }

    fn proxy(&self, id: &ProxyId) -> Proxy {
        Proxy {
            id: id.clone(),
            name: self.proxies[id].clone(),
            connections: self.through_proxy(id),
        }
    }

    /// The proxy that is meant, or what is wrong with naming it so.
    fn resolve(&self, proxy: &ProxyRef) -> Result<ProxyId, (ViolationCode, String)> {
        match proxy {
            ProxyRef::Id(id) if self.proxies.contains_key(id) => Ok(id.clone()),
            ProxyRef::Id(_) => Err((ViolationCode::UnknownProxy, "proxy.id".into())),
            ProxyRef::Name(name) => {
                let mut named = self.proxies.iter().filter(|(_, has)| has.as_ref() == Some(name));
                match (named.next(), named.next()) {
                    (Some((id, _)), None) => Ok(id.clone()),
                    (None, _) => Err((ViolationCode::UnknownProxy, "proxy.name".into())),
                    (_, Some(_)) => Err((ViolationCode::AmbiguousProxy, "proxy.name".into())),
                }
            }
        }
    }

    /// What is wrong with these settings under the plan and beside these proxies.
    fn violations(
        &self,
        interval: Option<HealthCheckInterval>,
        proxy: Option<&ProxyRef>,
    ) -> Vec<(ViolationCode, String)> {
        let floor = match self.plan {
            Plan::Hobbyist => 3600,
            Plan::Startup => 1200,
            _ => 300,
        };
        let low = interval.filter(|interval| interval.seconds() < floor);
        let low = low.map(|_| (ViolationCode::BelowPlanFloor, "health_check_interval".into()));
        low.into_iter().chain(proxy.and_then(|proxy| self.resolve(proxy).err())).collect()
    }

    fn judge(&self, request: &NewConnection, options: &CreateOptions) -> Verdict {
        let holder = self.holder(&request.profile_name, &request.domain);
        if let Some(held) = holder
            && let Some((key, made_by)) = &held.made_by
            && options.idempotency_key.as_ref() == Some(key)
        {
            let id = held.connection.id;
            return if made_by == request {
                Verdict::Replayed(id)
            } else {
                Verdict::Refused(Refused::Otherwise(Refusal::KeyReused(id)))
            };
        }
        let violations = self.violations(request.health_check_interval, request.proxy.as_ref());
        if !violations.is_empty() {
            return Verdict::Refused(Refused::Invalid(violations));
        }
        match (holder, self.cap) {
            (Some(held), _) if options.ensure => Verdict::Existing(held.connection.id),
            (Some(held), _) => Verdict::Conflict(held.connection.id),
            (None, Some(cap)) if self.connections.len() as u64 >= cap => {
                Verdict::Refused(Refused::Otherwise(Refusal::OverCap(cap)))
            }
            (None, _) => Verdict::Created,
        }
    }

    /// What a create makes, under the ID that it was given.
    fn fresh(&self, request: &NewConnection, id: ConnectionId) -> Connection {
        let settings = request.settings.clone();
        let interval = HealthCheckInterval::new(3600).unwrap();
        Connection {
            id,
            profile_name: request.profile_name.clone(),
            domain: request.domain.clone(),
            status: Status::NeedsAuth,
            reauth: Reauth::fresh(),
            last_auth_check_at: None,
            post_login_url: None,
            flow: None,
            login_url: settings.login_url,
            credential: settings.credential,
            proxy_id: settings.proxy.map(|proxy| self.resolve(&proxy).unwrap()),
            allowed_domains: settings.allowed_domains.unwrap_or_default(),
            health_check_interval: settings.health_check_interval.unwrap_or(interval),
            health_checks: settings.health_checks != Some(false),
            auto_reauth: settings.auto_reauth != Some(false),
            save_credentials: settings.save_credentials != Some(false),
            record_session: settings.record_session == Some(true),
        }
    }

    /// Compares the answer to a create with the verdict, and takes over what it made.
    fn take(
        &mut self,
        request: &NewConnection,
        options: &CreateOptions,
        answer: Result<Creation, Error>,
    ) {
        let verdict = self.judge(request, options);
        let outcome = answer.as_ref().map_or_else(Error::code, Creation::outcome);
        *self.outcomes.entry(outcome).or_default() += 1;
        let as_it_stands = |id| &self.connections[&id].connection;
        match (verdict, answer) {
            (Verdict::Refused(expected), Err(error)) => assert_eq!(Refused::of(&error), expected),
            (Verdict::Replayed(id), Ok(Creation::Replayed(connection)))
            | (Verdict::Existing(id), Ok(Creation::Existing(connection))) => {
                assert_eq!(connection, *as_it_stands(id));
            }
            (Verdict::Conflict(id), Ok(Creation::Conflict(conflict))) => {
                assert_eq!(conflict.existing_id, id);
            }
            (Verdict::Created, Ok(Creation::Created(connection))) => {
                let id = connection.id;
                assert!(Some(id) > self.last_id, "{id} is no greater than {:?}", self.last_id);
                assert_eq!(id.route(), request.profile_name.route());
                assert_eq!(connection, self.fresh(request, id));
                self.last_id = Some(id);
                self.profiles.insert(request.profile_name.clone());
                self.note(ChangeKind::Created, id, Some(&connection));
                let made_by = options.idempotency_key.clone().map(|key| (key, request.clone()));
                self.connections.insert(id, Held { connection, made_by });
                self.widest = self.widest.max(self.of_profile(&request.profile_name));
            }
            (verdict, answer) => panic!("expected {verdict:?}, not {answer:?}"),
        }
    }

    fn note(&mut self, kind: ChangeKind, id: ConnectionId, connection: Option<&Connection>) {
        let seq = self.changes.len() as u64 + 1;
        self.changes.push(Change { seq, kind, id, connection: connection.cloned() });
    }

    /// Puts a changed connection in place of the one before; one that is the same is no change.
    fn replace(&mut self, connection: Connection) {
        let id = connection.id;
        if self.connections[&id].connection != connection {
            self.note(ChangeKind::Updated, id, Some(&connection));
            self.connections.get_mut(&id).unwrap().connection = connection;
        }
    }

    /// All connections that the filters of `query` let through, newest first.
    fn matching(&self, query: &ListQuery) -> Vec<&Connection> {
        let text = query.query.as_deref().unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        let all = self.connections.values().rev().map(|held| &held.connection);
        all.filter(|connection| {
            query.profile_name.as_ref().is_none_or(|name| connection.profile_name == *name)
                && query.domain.as_ref().is_none_or(|domain| connection.domain == *domain)
                && (connection.id.to_string() == text
                    || connection.profile_name.as_str().starts_with(text)
                    || connection.domain.as_str().starts_with(&lower))
        })
        .collect()
    }

    fn stats(&self) -> Stats {
        let last_change = self.changes.len() as u64;
        Stats {
            connections: self.connections.len() as u64,
            profiles: self.profiles.len() as u64,
            proxies: self.proxies.len() as u64,
            last_change,
            oldest_change: last_change.min(1),
        }
    }
}

/// Where the store of a run is kept, to be opened again.
#[derive(Debug)]
enum Place {
    Memory(MemoryStorage),
    File(FileStorage, #[expect(dead_code, reason = "goes away with the run")] tempfile::TempDir),
}

impl Place {
    fn open(&self, options: Options) -> Store {
        match self {
            Self::Memory(storage) => Store::open_with(storage.clone(), options).unwrap(),
            Self::File(storage, _) => Store::open_with(storage.clone(), options).unwrap(),
        }
    }
}

/// The last operations of a run, told if it ends badly.
struct Story {
    seed: u64,
    told: VecDeque<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.told {
                eprintln!("{line}");
            }
            let seed = self.seed;
            eprintln!("repeat with CONNECTORY_SEED={seed} CONNECTORY_RUNS=1");
        }
    }
}

/// A run: the store, its model, and where their lists go on.
struct Run {
    story: Story,
    rng: fastrand::Rng,
    wide: bool,
    place: Place,
    store: Store,
    model: Model,
    gone: Vec<ConnectionId>,
    sent: Vec<(NewConnection, CreateOptions)>,
    cursors: Vec<(Cursor, ConnectionId)>,
    profile_cursors: Vec<(Cursor, ProfileName)>,
    proxy_cursors: Vec<(Cursor, ProxyId)>,
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
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let wide = rng.u8(..4) == 0;
        let place = if rng.u8(..) < 10 {
            let directory = tempfile::tempdir().unwrap();
            Place::File(FileStorage::new(directory.path().join("a.connectory")), directory)
        } else {
            Place::Memory(MemoryStorage::default())
        };
        let (mut model, options) = (Model::default(), Self::options(&mut rng));
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

    fn options(rng: &mut fastrand::Rng) -> Options {
        let cache_bytes = if rng.bool() { 1 << 20 } else { 16 << 10 };
        Options::with_stamps(stamps(rng.u64(..))).cache_bytes(cache_bytes)
    }

    /// Gives store and model the same random plan and cap.
    fn limit(rng: &mut fastrand::Rng, model: &mut Model, options: Options) -> Options {
        model.plan = [Plan::Enterprise, Plan::Startup, Plan::Hobbyist][rng.usize(..3)];
        model.cap = rng.bool().then(|| rng.u64(0..40));
        options.plan(model.plan).cap(model.cap)
    }

    fn say(&mut self, what: &dyn Debug) {
        if self.story.told.len() == 30 {
            self.story.told.pop_front();
        }
        self.story.told.push_back(format!("{what:?}"));
    }

    fn pick<T: std::str::FromStr<Err: Debug>>(&mut self, words: &[&str]) -> T {
        words[self.rng.usize(..words.len())].parse().unwrap()
    }

    /// Something, one time in `times`.
    fn seldom<T>(&mut self, times: usize, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.rng.usize(..times) == 0).then(|| make(self))
    }

    fn id(&mut self) -> ConnectionId {
        let present = self.model.connections.len();
        let nth = self.rng.usize(..=present + self.gone.len() / 4);
        if let Some(id) = self.model.connections.keys().nth(nth) {
            return *id;
        }
        match self.gone.len() {
            0 => "ma_7zzzzzzzzzzzzzzzzzzzzzzzzz".parse().unwrap(),
            gone => self.gone[self.rng.usize(..gone)],
        }
    }

    fn profile(&mut self) -> ProfileName {
        // A name may read like an ID: a query for the ID then finds both.
        match self.seldom(40, Self::id) {
            Some(id) => id.to_string().parse().unwrap(),
            None => self.pick(if self.wide { WIDE_PROFILES } else { PROFILES }),
        }
    }

    fn domain(&mut self) -> Domain {
        if self.wide && self.rng.u8(..4) != 0 {
            // Some of them are so long that no sixteen fit in a row.
            let n = self.rng.usize(..WIDE_DOMAINS);
            let long = if n.is_multiple_of(8) { "a.".repeat(100) } else { String::new() };
            return format!("a{n}.{long}example").parse().unwrap();
        }
        self.pick(DOMAINS)
    }

    fn proxy_ref(&mut self) -> ProxyRef {
        if self.rng.bool() {
            ProxyRef::Id(self.pick(PROXIES))
        } else {
            ProxyRef::Name(self.pick(PROXY_NAMES))
        }
    }

    fn credential(&mut self) -> Credential {
        let provider = "Büro".parse().unwrap();
        match self.rng.u8(..3) {
            0 => Credential::Name("n".parse().unwrap()),
            1 => Credential::Path { provider, path: "Vault/Item".parse().unwrap() },
            _ => Credential::Auto { provider },
        }
    }

    fn allowed_domains(&mut self) -> AllowedDomains {
        let patterns = (0..self.rng.usize(..4)).map(|_| self.pick::<HostPattern>(PATTERNS));
        AllowedDomains::new(patterns.collect()).unwrap()
    }

    fn interval(&mut self) -> HealthCheckInterval {
        HealthCheckInterval::new(INTERVALS[self.rng.usize(..INTERVALS.len())]).unwrap()
    }

    fn flag(&mut self) -> Option<bool> {
        self.seldom(4, |run| run.rng.bool())
    }

    fn edit<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Edit<T> {
        match self.rng.u8(..6) {
            0 => Edit::Clear,
            1 => Edit::Set(make(self)),
            _ => Edit::Keep,
        }
    }

    /// A request, often one that was sent before.
    fn request(&mut self) -> (NewConnection, CreateOptions) {
        if !self.sent.is_empty() && self.rng.u8(..3) == 0 {
            return self.sent[self.rng.usize(..self.sent.len())].clone();
        }
        let mut request = NewConnection::new(self.domain(), self.profile());
        request.settings = Settings {
            login_url: self.seldom(4, |run| run.pick(URLS)),
            proxy: self.seldom(4, Self::proxy_ref),
            credential: self.seldom(4, Self::credential),
            allowed_domains: self.seldom(4, Self::allowed_domains),
            health_check_interval: self.seldom(4, Self::interval),
            health_checks: self.flag(),
            auto_reauth: self.flag(),
            save_credentials: self.flag(),
            record_session: self.flag(),
        };
        let options = CreateOptions {
            idempotency_key: self.seldom(2, |run| run.pick(KEYS)),
            ensure: self.rng.u8(..4) == 0,
        };
        self.sent.push((request.clone(), options.clone()));
        (request, options)
    }

    fn create(&mut self) {
        let (request, options) = self.request();
        self.say(&("create", &request, &options));
        let answer = match &options {
            CreateOptions { idempotency_key: None, ensure: false } => {
                self.store.create(request.clone())
            }
            CreateOptions { idempotency_key: None, ensure: true } => {
                self.store.ensure(request.clone())
            }
            _ => self.store.create_with(request.clone(), options.clone()),
        };
        self.model.take(&request, &options, answer);
    }

    fn create_many(&mut self) {
        let requests: Vec<_> = (0..self.rng.usize(..12)).map(|_| self.request()).collect();
        self.say(&("create_many", &requests));
        let answers = self.store.create_many_with(requests.iter().cloned());
        assert_eq!(answers.len(), requests.len());
        for ((request, options), answer) in requests.iter().zip(answers) {
            self.model.take(request, options, answer);
        }
    }

    fn update(&mut self) {
        let id = self.id();
        let patch = Patch {
            login_url: self.edit(|run| run.pick(URLS)),
            credential: self.edit(Self::credential),
            proxy: self.edit(Self::proxy_ref),
            allowed_domains: self.seldom(4, Self::allowed_domains),
            health_check_interval: self.seldom(4, Self::interval),
            health_checks: self.flag(),
            auto_reauth: self.flag(),
            save_credentials: self.flag(),
            record_session: self.flag(),
        };
        self.say(&("update", id, &patch));
        let answer = self.store.update(id, patch.clone());
        let Some(held) = self.model.connections.get(&id) else {
            let missing = Refused::missing(Missing::Connection(id.to_string()));
            return assert_eq!(Refused::of(&answer.unwrap_err()), missing);
        };
        let proxy = match &patch.proxy {
            Edit::Set(proxy) => Some(proxy),
            _ => None,
        };
        let violations = self.model.violations(patch.health_check_interval, proxy);
        if !violations.is_empty() {
            return assert_eq!(Refused::of(&answer.unwrap_err()), Refused::Invalid(violations));
        }
        let mut expected = held.connection.clone();
        change(&mut expected.login_url, patch.login_url);
        change(&mut expected.credential, patch.credential);
        change(
            &mut expected.proxy_id,
            match patch.proxy {
                Edit::Set(proxy) => Edit::Set(self.model.resolve(&proxy).unwrap()),
                Edit::Clear => Edit::Clear,
                Edit::Keep => Edit::Keep,
            },
        );
        if let Some(sent) = patch.allowed_domains {
            expected.allowed_domains = sent;
        }
        if let Some(sent) = patch.health_check_interval {
            expected.health_check_interval = sent;
        }
        expected.health_checks = patch.health_checks.unwrap_or(expected.health_checks);
        expected.auto_reauth = patch.auto_reauth.unwrap_or(expected.auto_reauth);
        expected.save_credentials = patch.save_credentials.unwrap_or(expected.save_credentials);
        expected.record_session = patch.record_session.unwrap_or(expected.record_session);
        assert_eq!(answer.unwrap(), expected);
        self.model.replace(expected);
    }

    fn observation(&mut self) -> Observation {
        Observation {
            status: self
                .seldom(2, |run| [Status::Authenticated, Status::NeedsAuth][run.rng.usize(..2)]),
            reauth: self.seldom(2, |run| {
                let (word, _) = Reauth::REASONS[run.rng.usize(..Reauth::REASONS.len())];
                Reauth::because(word).unwrap()
            }),
            last_auth_check_at: self
                .seldom(2, |run| Timestamp::from_unix_ms(run.rng.i64(0..5_000)).unwrap()),
            post_login_url: self.seldom(3, |run| run.pick(URLS)),
            flow: self.edit(|run| {
                let mut flow = Flow::new(FlowType::Reauth, FlowStatus::InProgress);
                flow.flow_step = run.seldom(2, |_| FlowStep::AwaitingInput);
                flow.error_message = run.seldom(2, |_| "Grüße\u{0}\"".parse().unwrap());
                flow.hosted_url = run.seldom(2, |run| run.pick::<WebUrl>(URLS));
                flow.mfa_options = run.seldom(2, |_| Shown::new(Vec::new()).unwrap());
                Box::new(flow)
            }),
        }
    }

    fn record(&mut self) {
        let (id, seen) = (self.id(), self.observation());
        self.say(&("record", id, &seen));
        let answer = self.store.record(id, seen.clone());
        let Some(held) = self.model.connections.get(&id) else {
            let missing = Refused::missing(Missing::Connection(id.to_string()));
            return assert_eq!(Refused::of(&answer.unwrap_err()), missing);
        };
        let before = held.connection.clone();
        let mut expected = Connection {
            status: seen.status.unwrap_or(before.status),
            reauth: seen.reauth.unwrap_or(before.reauth),
            last_auth_check_at: seen.last_auth_check_at.or(before.last_auth_check_at),
            post_login_url: seen.post_login_url.or(before.post_login_url),
            ..before
        };
        change(&mut expected.flow, seen.flow);
        assert_eq!(answer.unwrap(), expected);
        self.model.replace(expected);
    }

    fn delete(&mut self) {
        let id = self.id();
        self.delete_one(id);
    }

    /// Deletes the connections of a profile, in any order: all of them, or all but a few.
    fn delete_most(&mut self) {
        let name = self.profile();
        let held = self.model.connections.values().map(|held| &held.connection);
        let own = held.filter(|connection| connection.profile_name == name);
        let mut ids: Vec<_> = own.map(|connection| connection.id).collect();
        self.rng.shuffle(&mut ids);
        let kept = if self.rng.bool() { 0 } else { self.rng.usize(..4) };
        for &id in ids.iter().skip(kept) {
            self.delete_one(id);
        }
    }

    fn delete_one(&mut self, id: ConnectionId) {
        self.say(&("delete", id));
        let answer = self.store.delete(id);
        if self.model.connections.remove(&id).is_some() {
            answer.unwrap();
            self.gone.push(id);
            self.model.note(ChangeKind::Deleted, id, None);
        } else {
            let missing = Refused::missing(Missing::Connection(id.to_string()));
            assert_eq!(Refused::of(&answer.unwrap_err()), missing);
        }
    }

    fn delete_profile(&mut self) {
        let name = self.profile();
        self.say(&("delete_profile", &name));
        let answer = self.store.delete_profile(name.clone());
        let expected = match self.model.of_profile(&name) {
            0 if self.model.profiles.remove(&name) => return answer.unwrap(),
            0 => Refused::missing(Missing::Profile(name.to_string())),
            connections => Refused::Otherwise(Refusal::InUse(Used::Profile { name, connections })),
        };
        assert_eq!(Refused::of(&answer.unwrap_err()), expected);
    }

    fn register_proxy(&mut self) {
        let id: ProxyId = self.pick(PROXIES);
        let name: Option<ProxyName> = self.seldom(2, |run| run.pick(PROXY_NAMES));
        self.say(&("register_proxy", &id, &name));
        let answer = self.store.register_proxy(id.clone(), name.clone());
        self.model.proxies.insert(id.clone(), name);
        assert_eq!(answer.unwrap(), self.model.proxy(&id));
    }

    fn remove_proxy(&mut self) {
        let id: ProxyId = self.pick(PROXIES);
        self.say(&("remove_proxy", &id));
        let answer = self.store.remove_proxy(id.clone());
        let expected = match self.model.through_proxy(&id) {
            0 if self.model.proxies.remove(&id).is_some() => return answer.unwrap(),
            0 => Refused::missing(Missing::Proxy(id.to_string())),
            connections => Refused::Otherwise(Refusal::InUse(Used::Proxy { id, connections })),
        };
        assert_eq!(Refused::of(&answer.unwrap_err()), expected);
    }

    fn get(&mut self) {
        let id = self.id();
        self.say(&("get", id));
        let expected = self.model.connections.get(&id).map(|held| &held.connection);
        assert_eq!(self.store.get(id).unwrap().as_ref(), expected);
    }

    fn find(&mut self) {
        let (profile, domain) = (self.profile(), self.domain());
        self.say(&("find", &profile, &domain));
        let expected = self.model.holder(&profile, &domain).map(|held| &held.connection);
        assert_eq!(self.store.find(&profile, &domain).unwrap().as_ref(), expected);
    }

    fn limit_of_page(&mut self) -> PageLimit {
        let most = if self.rng.bool() { 4 } else { 100 };
        PageLimit::new(self.rng.usize(1..=most)).unwrap()
    }

    fn list(&mut self) {
        let query = match self.rng.u8(..4) {
            0 => Some(self.id().to_string()),
            1 => Some(QUERIES[self.rng.usize(..QUERIES.len())].into()),
            _ => None,
        };
        let at = pick_cursor(&mut self.rng, &self.cursors);
        let mut query = ListQuery {
            profile_name: self.seldom(4, Self::profile),
            domain: self.seldom(4, Self::domain),
            query,
            page: PageQuery { limit: self.limit_of_page(), cursor: None },
        };
        query.page.cursor = at.as_ref().map(|(cursor, _)| cursor.clone());
        self.say(&("list", &query));
        let mut expected = self.model.matching(&query);
        expected.retain(|connection| at.as_ref().is_none_or(|(_, after)| connection.id < *after));
        let page = self.store.list(&query).unwrap();
        let last = assert_page(&page, expected.into_iter().cloned().collect(), query.page.limit);
        self.cursors.extend(last.map(|(cursor, last)| (cursor, last.id)));
    }

    fn profiles(&mut self) {
        let at = pick_cursor(&mut self.rng, &self.profile_cursors);
        let cursor = at.as_ref().map(|(cursor, _)| cursor.clone());
        let query = PageQuery { limit: self.limit_of_page(), cursor };
        self.say(&("profiles", &query));
        let after = |name: &&ProfileName| at.as_ref().is_none_or(|(_, after)| *name > after);
        let row = |name: &ProfileName| Profile {
            name: name.clone(),
            connections: self.model.of_profile(name),
        };
        let expected = self.model.profiles.iter().filter(after).map(row).collect();
        let page = self.store.profiles(&query).unwrap();
        let last = assert_page(&page, expected, query.limit);
        self.profile_cursors.extend(last.map(|(cursor, last)| (cursor, last.name)));
    }

    fn proxies(&mut self) {
        let at = pick_cursor(&mut self.rng, &self.proxy_cursors);
        let cursor = at.as_ref().map(|(cursor, _)| cursor.clone());
        let query = PageQuery { limit: self.limit_of_page(), cursor };
        self.say(&("proxies", &query));
        let after = |id: &&ProxyId| at.as_ref().is_none_or(|(_, after)| *id > after);
        let expected = self.model.proxies.keys().filter(after).map(|id| self.model.proxy(id));
        let expected = expected.collect();
        let page = self.store.proxies(&query).unwrap();
        let last = assert_page(&page, expected, query.limit);
        self.proxy_cursors.extend(last.map(|(cursor, last)| (cursor, last.id)));
    }

    fn list_with_a_cursor_of_another_list(&mut self) {
        let Some((cursor, _)) = self.profile_cursors.first().cloned() else { return };
        let page = PageQuery { cursor: Some(cursor), ..PageQuery::default() };
        self.say(&("another list's cursor", &page));
        let refused = Refused::Invalid(vec![(ViolationCode::InvalidValue, "cursor".into())]);
        let error = self.store.proxies(&page).unwrap_err();
        assert_eq!(Refused::of(&error), refused);
        let error = self.store.list(&ListQuery { page, ..ListQuery::default() }).unwrap_err();
        assert_eq!(Refused::of(&error), refused);
    }

    fn changes_since(&mut self) {
        let (last, all) = (self.model.changes.len(), usize::MAX);
        let since = self.rng.usize(..last + 2);
        let most = if self.rng.bool() { all } else { self.rng.usize(..40) };
        self.say(&("changes_since", since, most));
        match self.store.changes_since(since as u64, most) {
            Ok(Changes::Since(changes)) => {
                let later = &self.model.changes[since..];
                assert_eq!(changes, later[..most.min(later.len())]);
            }
            Ok(too_old) => panic!("a run is shorter than what is kept: {too_old:?}"),
            Err(error) => {
                assert_eq!(since, last + 1);
                let refused = Refused::Invalid(vec![(ViolationCode::InvalidValue, "since".into())]);
                assert_eq!(Refused::of(&error), refused);
            }
        }
    }

    /// Closes the store or lets it go, and opens it again under another plan and cap.
    fn reopen(&mut self) {
        let options = Self::options(&mut self.rng);
        let options = Self::limit(&mut self.rng, &mut self.model, options);
        let close = self.rng.bool();
        self.say(&("reopen", close, self.model.plan, self.model.cap));
        if close {
            self.store.close().unwrap();
            assert!(matches!(self.store.stats(), Err(Error::Failed(StoreError::Closed))));
        }
        // The old handle has to go before the place can be opened again.
        self.store = Store::open_with(MemoryStorage::default(), Options::new()).unwrap();
        self.store = self.place.open(options);
    }

    fn step(&mut self) {
        match self.rng.u32(..1000) {
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
            980..985 => self.delete_most(),
            _ => self.reopen(),
        }
        assert_eq!(self.store.stats().unwrap(), self.model.stats());
    }

    /// What must hold of the store as a whole, whatever was done to it.
    fn finish(&mut self) {
        self.say(&"the end");
        let (store, model) = (&self.store, &self.model);
        let report = store.check().unwrap();
        assert!(report.is_sound() && report.pages_checked, "{report:?}");
        assert_eq!(report.connections, model.connections.len() as u64);

        let Changes::Since(changes) = store.changes_since(0, usize::MAX).unwrap() else {
            panic!("a run is shorter than what is kept");
        };
        let mut replayed = BTreeMap::new();
        for Change { id, connection, .. } in changes {
            match connection {
                Some(connection) => replayed.insert(id, connection),
                None => replayed.remove(&id),
            };
        }
        let held = model.connections.values().map(|held| &held.connection);
        assert!(replayed.values().eq(held), "the changes do not lead to what is there");

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

fn change<T>(field: &mut Option<T>, edit: Edit<T>) {
    match edit {
        Edit::Keep => {}
        Edit::Clear => *field = None,
        Edit::Set(value) => *field = Some(value),
    }
}

/// A cursor that came with some earlier page, half of the time.
fn pick_cursor<T: Clone>(rng: &mut fastrand::Rng, cursors: &[(Cursor, T)]) -> Option<(Cursor, T)> {
    (!cursors.is_empty() && rng.bool()).then(|| cursors[rng.usize(..cursors.len())].clone())
}

/// Compares a page with everything that could be on it and after it; where the list goes on.
fn assert_page<T: Clone + Debug + PartialEq>(
    page: &Page<T>,
    mut expected: Vec<T>,
    limit: PageLimit,
) -> Option<(Cursor, T)> {
    let more = expected.len() > limit.items();
    expected.truncate(limit.items());
    assert_eq!(page.items, expected);
    assert_eq!(page.next_cursor.is_some(), more, "whether there is another page");
    let cursor = page.next_cursor.clone()?;
    assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()), "a cursor is read as written");
    Some((cursor, page.items.last()?.clone()))
}

fn from_environment(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

#[test]
fn a_store_answers_as_its_model_does() {
    let seed = connectory_tests::seed();
    let runs = from_environment("CONNECTORY_RUNS").unwrap_or(400);
    println!("CONNECTORY_RUNS={runs}");
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut widest = Vec::new();
    for n in 0..runs {
        let mut run = Run::new(seed.wrapping_add(n));
        for _ in 0..OPERATIONS {
            run.step();
        }
        run.finish();
        widest.push(run.model.widest);
        for (outcome, times) in &run.model.outcomes {
            *outcomes.entry(outcome).or_default() += times;
        }
    }
    println!("{outcomes:?}");
    let every = [
        "bad_request",
        "conflict",
        "created",
        "existing",
        "idempotency_key_reuse",
        "insufficient_plan",
        "replayed",
    ];
    assert!(runs < 20 || outcomes.keys().copied().eq(every), "some outcome never came up");
    let wide = widest.iter().filter(|&&connections| connections > 16).count();
    println!("{wide} runs had a profile with more than 16 connections");
    assert!(runs < 20 || wide > 0, "no profile was laid out as one with many connections");
}

#[test]
fn the_last_ten_thousand_changes_are_kept_and_older_ones_said_to_be_gone() {
    let store = Store::in_memory().unwrap();
    let request = |n: usize| {
        let domain = format!("d{n}.example").parse().unwrap();
        NewConnection::new(domain, format!("p{}", n % 7).parse().unwrap())
    };
    let created: Vec<ConnectionId> = store
        .create_many((0..10_000).map(request))
        .into_iter()
        .map(|answer| answer.unwrap().id())
        .collect();
    assert!(matches!(store.changes_since(0, 1), Ok(Changes::Since(_))), "none are gone yet");

    store.create_many((10_000..16_000).map(request));
    let Changes::TooOld { oldest } = store.changes_since(0, 1).unwrap() else {
        panic!("so many are not kept");
    };
    assert!((2..=6_001).contains(&oldest), "{oldest}: at least 10 000 are kept");
    assert!(matches!(store.changes_since(oldest - 2, 1), Ok(Changes::TooOld { .. })));
    let Changes::Since(kept) = store.changes_since(oldest - 1, usize::MAX).unwrap() else {
        panic!("{oldest} is kept");
    };
    assert!(kept.iter().map(|change| change.seq).eq(oldest..=16_000));
    assert_eq!(kept[0].id, created[usize::try_from(oldest).unwrap() - 1]);
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn a_login_that_adds_up_to_too_much_is_refused() {
    let store = Store::in_memory().unwrap();
    let request = NewConnection::new("a.com".parse().unwrap(), "p".parse().unwrap());
    let id = store.create(request).unwrap().id();
    let long = "o".repeat(4096).parse::<connectory::FlowText>().unwrap();
    let option = SignInOption { id: long.clone(), label: long.clone(), description: Some(long) };
    let mut flow = Flow::new(FlowType::Login, FlowStatus::InProgress);
    flow.sign_in_options = Some(Shown::new(vec![option; 100]).unwrap());
    let seen = Observation { flow: Edit::Set(Box::new(flow)), ..Observation::default() };
    let refused = store.record(id, seen).unwrap_err();
    assert!(matches!(refused.refusal(), Some(Refusal::TooLarge(_))), "{refused}");
    assert_eq!(store.get(id).unwrap().unwrap().flow, None);
}

#[test]
fn a_login_shows_no_more_than_can_be_read_again() {
    let store = Store::in_memory().unwrap();
    let request = NewConnection::new("a.com".parse().unwrap(), "p".parse().unwrap());
    let id = store.create(request).unwrap().id();
    let option =
        SignInOption { id: "o".parse().unwrap(), label: "o".parse().unwrap(), description: None };
    assert!(Shown::new(vec![option.clone(); 101]).is_err());
    let mut flow = Flow::new(FlowType::Login, FlowStatus::InProgress);
    flow.sign_in_options = Some(Shown::new(vec![option; 100]).unwrap());
    let seen = Observation { flow: Edit::Set(Box::new(flow)), ..Observation::default() };
    let recorded = store.record(id, seen).unwrap();
    assert_eq!(store.get(id).unwrap(), Some(recorded));
}
