//! A storage that fails: what was acknowledged stays, what failed is not there, and the store comes back by itself.

use connectory::{
    Changes, CheckpointMode, CommitMode, Connection, ConnectionId, Creation, Edit, Error,
    ListQuery, MemoryStorage, Missing, NewConnection, Options, PageLimit, PageQuery, Patch,
    Refusal, Storage, Store, StoreError, WebUrl,
};
use connectory_tests::hooked::{Call, File, Hooked, Image, Unsynced};
use connectory_tests::seed;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const MODES: [CommitMode; 2] = [CommitMode::OnePhase, CommitMode::QuickRepair];
const FILES: [File; 2] = [File::Store, File::Log];
/// The least there can be: segments turn and checkpoints are made all the time.
const SMALL_LOG: u64 = 8 << 10;

/// A failure to come.
#[derive(Debug, Clone, Copy)]
struct Fault {
    /// Of which file; `None` for either.
    file: Option<File>,
    /// Which calls count and fail; `None` for all of them.
    call: Option<Call>,
    /// The first call that fails, counted from 1.
    nth: usize,
    /// Whether those after it fail too, until the storage is healed.
    lasts: bool,
    kind: ErrorKind,
}

#[derive(Debug, Default)]
struct Counts {
    fault: Option<Fault>,
    calls: usize,
    failed: usize,
}

/// The failures of a storage.
#[derive(Debug, Clone, Default)]
struct Faults(Arc<Mutex<Counts>>);

impl Faults {
    fn of(storage: &Hooked) -> Self {
        let faults = Self::default();
        let asked = faults.clone();
        storage.hook(move |file, call| asked.pass(file, call));
        faults
    }

    fn arm(&self, fault: Fault) {
        *self.0.lock().unwrap() = Counts { fault: Some(fault), ..Counts::default() };
    }

    fn heal(&self) {
        self.0.lock().unwrap().fault = None;
    }

    /// How many calls have failed.
    fn failed(&self) -> usize {
        self.0.lock().unwrap().failed
    }

    /// Counts a call, and fails it if its turn has come.
    fn pass(&self, file: File, call: Call) -> io::Result<()> {
        let mut counts = self.0.lock().unwrap();
        let Some(fault) = counts.fault else { return Ok(()) };
        if fault.file.is_some_and(|of| of != file) || fault.call.is_some_and(|of| of != call) {
            return Ok(());
        }
        counts.calls += 1;
        if counts.calls == fault.nth || (fault.lasts && counts.calls > fault.nth) {
            counts.failed += 1;
            return Err(io::Error::new(fault.kind, "made to fail"));
        }
        Ok(())
    }
}

/// What may be true of a pair: no connection, or one that was last written as this version.
type Version = Option<u32>;

/// A pair, with all that may be true of it as far as the answers so far tell.
#[derive(Debug)]
struct Pair {
    possible: BTreeSet<Version>,
    id: Option<ConnectionId>,
}

/// What a write that got an answer tells of its pair.
#[derive(Clone, Copy)]
enum Told {
    Now(Version),
    /// As before: it failed for certain.
    Unchanged,
    /// It may have come to this.
    Perhaps(Version),
}

impl Told {
    /// What a write tells that failed so and would have come to `version`.
    fn by(error: &StoreError, version: Version) -> Self {
        match error {
            StoreError::OutcomeUnknown(_) => Self::Perhaps(version),
            _ => Self::Unchanged,
        }
    }
}

/// The failure of the storage that an operation failed with; nothing else may come of one.
fn failure(error: Error) -> StoreError {
    match error {
        Error::Failed(
            error @ (StoreError::StorageFull | StoreError::Io(_) | StoreError::OutcomeUnknown(_)),
        ) => error,
        other => panic!("not what a failing storage should lead to: {other:?}"),
    }
}

/// A store on a failing storage, and what its answers promised.
struct Witness {
    storage: Hooked,
    faults: Faults,
    options: Options,
    store: Store,
    pairs: Vec<Pair>,
    /// Operations that failed, one for each even where it was many creates.
    failures: Vec<StoreError>,
    /// After how many failures somebody heals the storage.
    heal_after: usize,
    /// Whether a pair is looked at as soon as a write of it failed; a look may be what brings the store back.
    looks: bool,
    /// Whether there are others beside the pairs, too many to list each time.
    in_crowd: bool,
}

const PAIRS: usize = 60;
/// Those that are created in one batch.
const TOGETHER: std::ops::Range<usize> = 20..28;
/// Those that are created in one that is longer than a segment of a small log.
const TOO_MANY: std::ops::Range<usize> = 28..PAIRS;

fn request(pair: usize, version: u32) -> NewConnection {
    let domain = format!("d{pair}.example").parse().unwrap();
    let mut request = NewConnection::new(domain, format!("profile-{}", pair % 5).parse().unwrap());
    request.login_url = Some(url(version));
    request
}

fn url(version: u32) -> WebUrl {
    format!("https://login.example/{version}").parse().unwrap()
}

fn version_of(connection: &Connection) -> u32 {
    let url = connection.login_url.as_ref().unwrap().as_str();
    url.rsplit('/').next().unwrap().parse().unwrap()
}

impl Witness {
    /// Opens a store in a storage that begins so and has nothing under the pairs.
    fn new(mode: CommitMode, image: &Image, options: Options) -> Self {
        let storage = Hooked::holding(image.clone(), mode);
        let faults = Faults::of(&storage);
        let store = Store::open_with(storage.clone(), options.clone()).unwrap();
        let absent = || Pair { possible: BTreeSet::from([None]), id: None };
        let pairs = (0..PAIRS).map(|_| absent()).collect();
        let (failures, heal_after) = (Vec::new(), usize::MAX);
        let (looks, in_crowd) = (true, !image.store.is_empty());
        Self { storage, faults, options, store, pairs, failures, heal_after, looks, in_crowd }
    }

    /// Notes that an operation failed, and has the storage healed if that makes enough.
    fn note(&mut self, error: &StoreError) {
        self.failures.push(error.clone());
        if self.failures.len() == self.heal_after {
            self.faults.heal();
        }
    }

    /// Takes in what was seen of a pair.
    fn see(&mut self, pair: usize, found: Option<&Connection>) {
        let Pair { possible, id } = &mut self.pairs[pair];
        let version = found.map(version_of);
        assert!(possible.contains(&version), "pair {pair} is {version:?}, not of {possible:?}");
        *possible = BTreeSet::from([version]);
        if let Some(connection) = found {
            assert!(id.is_none_or(|id| id == connection.id), "pair {pair} has another ID");
            *id = Some(connection.id);
        }
    }

    /// Takes in what a write told.
    fn tell(&mut self, pair: usize, told: Told) {
        let possible = &mut self.pairs[pair].possible;
        match told {
            Told::Now(version) => *possible = BTreeSet::from([version]),
            Told::Unchanged => {}
            Told::Perhaps(version) => drop(possible.insert(version)),
        }
    }

    /// Looks at a pair of which a write failed, if this witness does so at once.
    fn look(&mut self, pair: usize) {
        if !self.looks {
            return;
        }
        let NewConnection { domain, profile_name, .. } = request(pair, 0);
        match self.store.find(&profile_name, &domain) {
            Ok(found) => self.see(pair, found.as_ref()),
            Err(error) => self.note(&failure(error)),
        }
    }

    /// Takes in the answer to a create; the failure, if it is one.
    fn created(
        &mut self,
        pair: usize,
        version: u32,
        answer: Result<Creation, Error>,
    ) -> Option<StoreError> {
        let told = match answer {
            Ok(Creation::Created(connection)) => {
                assert!(self.pairs[pair].possible.contains(&None), "pair {pair} was taken");
                self.pairs[pair].id = Some(connection.id);
                Told::Now(Some(version_of(&connection)))
            }
            Ok(other) => panic!("pair {pair} was never created, but: {other:?}"),
            Err(error) => {
                let error = failure(error);
                self.tell(pair, Told::by(&error, Some(version)));
                return Some(error);
            }
        };
        self.tell(pair, told);
        None
    }

    fn create(&mut self, pair: usize, version: u32) {
        let answer = self.store.create(request(pair, version));
        if let Some(error) = self.created(pair, version, answer) {
            self.note(&error);
            self.look(pair);
        }
    }

    /// Creates these pairs in one commit, and the first of them once more.
    fn create_many(&mut self, pairs: std::ops::Range<usize>, version: u32) {
        let again = request(pairs.start, version + 1);
        let requests = pairs.clone().map(|pair| request(pair, version)).chain([again]);
        let mut answers = self.store.create_many(requests);
        let again = answers.pop().unwrap();
        let failed: Vec<_> = pairs
            .clone()
            .zip(answers)
            .filter_map(|(pair, answer)| Some((pair, self.created(pair, version, answer)?)))
            .collect();
        if let Some((pair, error)) = failed.first() {
            assert!(again.is_err(), "not even a conflict comes of a batch that failed: {again:?}");
            self.note(error);
            self.look(*pair);
        } else {
            assert_eq!(Some(again.unwrap().id()), self.pairs[pairs.start].id);
        }
    }

    /// Updates the pair's connection, or deletes it where there is no version to update it to.
    fn change(&mut self, pair: usize, version: Version) {
        let Some(id) = self.pairs[pair].id else { return };
        let answer = match version {
            Some(version) => {
                let patch = Patch { login_url: Edit::Set(url(version)), ..Patch::default() };
                self.store.update(id, patch).map(|connection| Some(version_of(&connection)))
            }
            None => self.store.delete(id).map(|()| None),
        };
        let told = match answer {
            Ok(now) => {
                assert_eq!(now, version);
                assert_ne!(self.pairs[pair].possible, BTreeSet::from([None]), "it was gone");
                Told::Now(now)
            }
            Err(Error::Refused(Refusal::NotFound(Missing::Connection(_)))) => {
                assert!(self.pairs[pair].possible.contains(&None), "pair {pair} was there");
                Told::Now(None)
            }
            Err(error) => {
                let error = failure(error);
                self.tell(pair, Told::by(&error, version));
                self.note(&error);
                return self.look(pair);
            }
        };
        self.tell(pair, told);
    }

    /// Walks the list, which must hold every pair that is there and no other.
    fn list(&mut self) {
        let query = self.in_crowd.then(|| "profile-".into());
        let mut query = ListQuery { query, ..ListQuery::default() };
        query.page.limit = PageLimit::new(7).unwrap();
        let mut listed = Vec::new();
        loop {
            match self.store.list(&query) {
                Ok(page) => {
                    listed.extend(page.items);
                    query.page = PageQuery { cursor: page.next_cursor, ..query.page };
                }
                Err(error) => return self.note(&failure(error)),
            }
            if query.page.cursor.is_none() {
                break;
            }
        }
        assert!(listed.windows(2).all(|pair| pair[0].id > pair[1].id));
        for pair in 0..PAIRS {
            let domain = request(pair, 0).domain;
            let mut found = listed.iter().filter(|connection| connection.domain == domain);
            self.see(pair, found.next());
            assert!(found.next().is_none(), "pair {pair} is listed twice");
        }
    }

    /// Closes the store and opens it again; where that fails, somebody heals the storage.
    fn reopen(&mut self) {
        if let Err(error) = self.store.close() {
            self.note(&failure(error.into()));
        }
        self.open();
    }

    fn open(&mut self) {
        let open = || Store::open_with(self.storage.clone(), self.options.clone());
        let opened = open();
        self.store = opened.unwrap_or_else(|error| {
            self.failures.push(failure(error.into()));
            self.faults.heal();
            let open = || Store::open_with(self.storage.clone(), self.options.clone());
            open().unwrap()
        });
    }

    fn checkpoint(&mut self) {
        if let Err(error) = self.store.checkpoint() {
            self.note(&failure(error));
        }
    }

    fn work(&mut self) {
        for pair in 0..20 {
            self.create(pair, 1);
        }
        self.list();
        for pair in 0..6 {
            self.change(pair, Some(2));
        }
        self.checkpoint();
        self.create_many(TOGETHER, 1);
        for pair in 4..9 {
            self.change(pair, None);
        }
        self.reopen();
        for pair in 6..14 {
            self.change(pair, Some(3));
        }
        self.create_many(TOO_MANY, 1);
        for pair in 10..30 {
            self.change(pair, Some(4));
        }
        self.list();
    }

    /// Has the process end, or the power fail, and opens what is left.
    fn crash(&mut self, left: Image) {
        let mode = self.storage.commit_mode();
        self.faults.heal();
        self.storage = Hooked::holding(left, mode);
        self.faults = Faults::of(&self.storage);
        self.store = Store::open_with(self.storage.clone(), self.options.clone()).unwrap();
        self.list();
    }

    /// Checks, on a healed storage, that the same handle works and that nothing promised is missing, whether the
    /// store ends well or not.
    fn conclude(&mut self, write_first: bool) {
        // A thread may still be at a checkpoint that fails, and who writes meanwhile may fail with it.
        self.store.checkpoint().ok();
        let failures = self.failures.len();
        if write_first {
            let new = NewConnection::new("new.example".parse().unwrap(), "new".parse().unwrap());
            let creation = self.store.create(new).unwrap();
            self.store.delete(creation.id()).unwrap();
        }
        self.list();
        for pair in 0..PAIRS {
            if self.pairs[pair].possible.contains(&None) {
                self.create(pair, 9);
            }
        }
        self.list();
        self.assert_all_told();
        let (running, synced) = (self.storage.image(), self.storage.synced());
        let report = self.store.check().unwrap();
        assert!(report.is_sound() && report.pages_checked, "{report:?}");
        self.store.close().unwrap();
        let closed = self.storage.image();
        assert!(closed.log.is_none(), "a clean close removes the log");
        for left in [closed, running, synced] {
            self.crash(left);
            self.assert_all_told();
            assert!(self.store.check().unwrap().is_sound());
        }
        assert_eq!(self.failures.len(), failures, "nothing fails on a healed storage");
    }

    /// The changes lead to what is there, as far as they are kept.
    fn assert_all_told(&self) {
        let changes = match self.store.changes_since(0, usize::MAX).unwrap() {
            Changes::Since(changes) => changes,
            Changes::TooOld { oldest } => {
                let Changes::Since(changes) =
                    self.store.changes_since(oldest - 1, usize::MAX).unwrap()
                else {
                    panic!("{oldest} is kept")
                };
                changes
            }
        };
        let last = self.store.stats().unwrap().last_change;
        let first = changes.first().map_or(last + 1, |change| change.seq);
        assert!(changes.iter().map(|change| change.seq).eq(first..=last), "without a gap");
        let mut seen = BTreeSet::new();
        for change in changes.iter().rev() {
            if seen.insert(change.id) {
                assert_eq!(self.store.get(change.id).unwrap(), change.connection);
            }
        }
    }
}

/// Options that leave the store on one thread, with a log of this length.
fn alone(log_bytes: u64) -> Options {
    Options::new().cache_bytes(1 << 20).checkpoint_mode(CheckpointMode::Inline).log_bytes(log_bytes)
}

const DEFAULT_LOG: u64 = 16 << 20;

/// The bytes of a store that has so many other connections that not every page is at hand.
fn crowd(mode: CommitMode) -> Image {
    let storage = Hooked::new(mode);
    let store = Store::open_with(storage.clone(), Options::new()).unwrap();
    let other = |n: usize| {
        let domain = format!("other-{n}.example").parse().unwrap();
        NewConnection::new(domain, "crowd".parse().unwrap())
    };
    assert!(store.create_many((0..400).map(other)).iter().all(Result::is_ok));
    store.close().unwrap();
    storage.image()
}

/// What failed in a sweep.
#[derive(Debug, Default)]
struct Tally {
    tried: usize,
    full: usize,
    io: usize,
    unknown: usize,
}

impl Tally {
    fn count(&mut self, failures: &[StoreError]) {
        self.tried += 1;
        for error in failures {
            match error {
                StoreError::StorageFull => self.full += 1,
                StoreError::Io(_) => self.io += 1,
                _ => self.unknown += 1,
            }
        }
    }
}

/// Says, where a test ends badly, at which failure it was.
struct Context(String);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

/// What is swept: the calls that fail, and the store that they fail for.
#[derive(Debug, Clone, Copy)]
struct Sweep {
    mode: CommitMode,
    file: Option<File>,
    call: Option<Call>,
    log_bytes: u64,
    checkpoints: CheckpointMode,
    /// The most calls from one that fails to the next.
    stride: usize,
}

/// Lets the first, second, third ... call fail until one is beyond the last.
fn sweep(rng: &mut fastrand::Rng, sweep: Sweep, tally: &mut Tally) {
    let Sweep { mode, file, call, log_bytes, checkpoints, stride } = sweep;
    // Reads are worth failing only where no cache spares them.
    let reads = call == Some(Call::Read);
    let (image, cache_bytes) = if reads { (crowd(mode), 0) } else { (Image::default(), 1 << 20) };
    let options = alone(log_bytes).cache_bytes(cache_bytes).checkpoint_mode(checkpoints);
    for lasts in [false, true] {
        let mut nth = 1;
        loop {
            // No read fails because the disk is full.
            let full = rng.bool() && !reads;
            let kind = if full { ErrorKind::StorageFull } else { ErrorKind::Other };
            let fault = Fault { file, call, nth, lasts, kind };
            let unsynced = match (call, file) {
                (Some(Call::Sync), Some(File::Log)) => {
                    *rng.choice(&[Unsynced::Waits, Unsynced::IsLost, Unsynced::IsHidden]).unwrap()
                }
                (Some(Call::Sync), _) => rng.choice([Unsynced::Waits, Unsynced::IsLost]).unwrap(),
                _ => Unsynced::Waits,
            };
            let mut witness = Witness::new(mode, &image, options.clone());
            witness.storage.on_failed_sync(unsynced);
            witness.looks = rng.bool();
            if lasts && rng.bool() {
                witness.heal_after = rng.usize(1..8);
            }
            let end = *rng.choice(&[End::Healed, End::Healed, End::Killed, End::PowerCut]).unwrap();
            let write_first = rng.bool();
            let _context = Context(format!(
                "{sweep:?}, {fault:?}, {unsynced:?}, looks {}, heal_after {}, {end:?}, \
                 write_first {write_first}",
                witness.looks, witness.heal_after
            ));
            witness.faults.arm(fault);
            witness.work();
            let untouched = witness.faults.failed() == 0;
            assert!(lasts || witness.failures.len() <= 1, "once: {:?}", witness.failures);
            assert!(!untouched || witness.failures.is_empty(), "{:?}", witness.failures);
            match end {
                End::Healed => witness.faults.heal(),
                End::Killed => witness.crash(witness.storage.image()),
                End::PowerCut => witness.crash(witness.storage.synced()),
            }
            witness.conclude(write_first);
            tally.count(&witness.failures);
            if untouched {
                break;
            }
            nth += rng.usize(1..=stride);
        }
    }
}

/// What comes after the failures.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The store goes on.
    Healed,
    /// The process ends, and another one opens what can be read.
    Killed,
    /// Only what was synced is left.
    PowerCut,
}

fn every_failure_is_survived(mode: CommitMode) {
    let mut rng = fastrand::Rng::with_seed(seed());
    let is_long = std::env::var_os("CONNECTORY_LONG").is_some();
    let mut tally = Tally::default();
    for (log_bytes, checkpoints) in [
        (SMALL_LOG, CheckpointMode::Inline),
        (DEFAULT_LOG, CheckpointMode::Inline),
        (SMALL_LOG, CheckpointMode::Background),
        (SMALL_LOG, CheckpointMode::OnDemand),
    ] {
        let calls = [
            Call::Open,
            Call::Remove,
            Call::Len,
            Call::Read,
            Call::SetLen,
            Call::Write,
            Call::Sync,
        ];
        let of_files =
            FILES.into_iter().flat_map(|file| calls.map(|call| (Some(file), Some(call))));
        for (file, call) in of_files.chain([(None, None)]) {
            let before = tally.tried;
            let stride = match (call, checkpoints) {
                _ if is_long => 1,
                (Some(Call::Read), _) if file == Some(File::Store) => 80,
                (_, CheckpointMode::Background | CheckpointMode::OnDemand) => 12,
                (None, _) => 6,
                _ if file == Some(File::Store) && log_bytes == SMALL_LOG => 3,
                _ => 1,
            };
            let what = Sweep { mode, file, call, log_bytes, checkpoints, stride };
            let began = std::time::Instant::now();
            sweep(&mut rng, what, &mut tally);
            println!("{} failures tried in {:?}: {what:?}", tally.tried - before, began.elapsed());
        }
    }
    println!("{mode:?}: {tally:?} in all");
    assert!(tally.full > 0 && tally.io > 0 && tally.unknown > 0, "{tally:?}");
}

/// Every call on either file fails in turn, of the frequent ones a share, or all of them where `CONNECTORY_LONG` is
/// set.
#[test]
fn whatever_fails_in_one_phase_nothing_acknowledged_is_lost() {
    every_failure_is_survived(CommitMode::OnePhase);
}

/// As above.
#[test]
fn whatever_fails_in_quick_repair_nothing_acknowledged_is_lost() {
    every_failure_is_survived(CommitMode::QuickRepair);
}

fn other(n: usize) -> NewConnection {
    let domain = format!("other-{n}.example").parse().unwrap();
    NewConnection::new(domain, "other".parse().unwrap())
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_answers_readers() {
    for mode in MODES {
        for (log_bytes, file) in [
            (SMALL_LOG, None),
            (DEFAULT_LOG, None),
            (DEFAULT_LOG, Some(File::Log)),
            (SMALL_LOG, Some(File::Store)),
        ] {
            let mut witness = Witness::new(mode, &Image::default(), alone(log_bytes));
            witness.create_many(0..5, 1);
            let (call, kind) = (Some(Call::SetLen), ErrorKind::StorageFull);
            witness.faults.arm(Fault { file, call, nth: 1, lasts: true, kind });
            let mut full = 0;
            for n in 0..1500 {
                match witness.store.create(other(n)).map_err(failure) {
                    Ok(_) | Err(StoreError::OutcomeUnknown(_)) => {}
                    Err(StoreError::StorageFull) => full += 1,
                    Err(error) => panic!("{error:?}"),
                }
                for pair in 0..5 {
                    witness.look(pair);
                }
                if full == 20 {
                    break;
                }
            }
            println!("{mode:?}, log of {log_bytes}, {file:?}: {full} creates found the disk full");
            assert!(full > 0);
            assert!(witness.failures.is_empty(), "reads failed: {:?}", witness.failures);
            witness.faults.heal();
            witness.in_crowd = true;
            witness.conclude(true);
        }
    }
}

#[test]
fn a_checkpoint_that_fails_fails_nobody_while_the_log_has_room() {
    for mode in MODES {
        for (call, nth, lasts) in [
            (Call::SetLen, 1, true),
            (Call::Write, 1, false),
            (Call::Write, 4, false),
            (Call::Sync, 1, false),
            (Call::Sync, 2, false),
        ] {
            let mut witness = Witness::new(mode, &Image::default(), alone(64 << 10));
            witness.create(0, 1);
            let (file, call, kind) = (Some(File::Store), Some(call), ErrorKind::StorageFull);
            // However often it comes to a checkpoint, it fails.
            let rearm = |faults: &Faults| faults.arm(Fault { file, call, nth, lasts, kind });
            rearm(&witness.faults);
            let mut failed = 0;
            for n in 1..=120 {
                // Two segments of 32 KiB hold more than so many frames.
                assert!(matches!(witness.store.create(other(n)), Ok(Creation::Created(_))));
                if witness.faults.failed() > 0 {
                    failed += 1;
                    rearm(&witness.faults);
                }
            }
            assert!(failed > 0, "{mode:?} {call:?} {nth}: no checkpoint was tried");
            witness.faults.heal();
            witness.in_crowd = true;
            witness.conclude(true);
        }
    }
}

#[test]
fn a_batch_whose_sync_failed_may_be_there_and_the_next_one_is() {
    for (kind, unsynced) in [
        (ErrorKind::Other, Unsynced::Waits),
        (ErrorKind::Other, Unsynced::IsLost),
        (ErrorKind::StorageFull, Unsynced::IsHidden),
    ] {
        let mut witness = Witness::new(CommitMode::QuickRepair, &Image::default(), alone(64 << 10));
        witness.storage.on_failed_sync(unsynced);
        witness.create(0, 1);
        let (file, call) = (Some(File::Log), Some(Call::Sync));
        witness.faults.arm(Fault { file, call, nth: 1, lasts: false, kind });
        witness.create(1, 1);
        let expected_unknown = unsynced != Unsynced::IsLost;
        let is_unknown = matches!(witness.failures[..], [StoreError::OutcomeUnknown(_)]);
        assert_eq!(is_unknown, expected_unknown, "{unsynced:?}: {:?}", witness.failures);
        witness.create(2, 1);
        assert_eq!(witness.failures.len(), 1);
        witness.crash(witness.storage.synced());
        witness.conclude(true);
    }
}

/// What a storage may hold when a store is opened in it.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Closed,
    /// As after a power cut.
    Open,
}

/// Lets every call in turn fail while a store is opened in such a storage; whatever came of it, the next opening
/// finds all that was there.
fn opens_once_healed(before: Before) {
    let mut rng = fastrand::Rng::with_seed(seed());
    for (mode, log_bytes) in MODES.into_iter().flat_map(|mode| [(mode, SMALL_LOG), (mode, 1 << 20)])
    {
        let mut image = Image::default();
        let mut count = 0;
        if !matches!(before, Before::Nothing) {
            let storage = Hooked::new(mode);
            let store = Store::open_with(storage.clone(), alone(log_bytes)).unwrap();
            count = 50;
            for n in 0..count {
                assert!(matches!(store.create(request(n, 1)), Ok(Creation::Created(_))));
            }
            if matches!(before, Before::Closed) {
                store.close().unwrap();
            }
            image = storage.image();
            assert_eq!(image.log.is_some(), matches!(before, Before::Open));
        }
        let calls = [Call::Write, Call::Sync].map(Some);
        let of_files = FILES.into_iter().flat_map(|file| calls.map(|call| (Some(file), call)));
        for (file, call, lasts) in of_files
            .chain([(None, None)])
            .flat_map(|(file, call)| [(file, call, false), (file, call, true)])
        {
            for nth in 1.. {
                let storage = Hooked::holding(image.clone(), mode);
                let faults = Faults::of(&storage);
                if file == Some(File::Log) && call == Some(Call::Sync) {
                    storage.on_failed_sync(Unsynced::IsHidden);
                }
                let kind = if rng.bool() { ErrorKind::Other } else { ErrorKind::StorageFull };
                let fault = Fault { file, call, nth, lasts, kind };
                let is_killed = rng.bool();
                let _context =
                    Context(format!("{mode:?}, {log_bytes}, {before:?}, {fault:?}, {is_killed}"));
                faults.arm(fault);
                let opened = Store::open_with(storage.clone(), alone(log_bytes));
                let untouched = faults.failed() == 0;
                let left = storage.image();
                faults.heal();
                let store = match opened {
                    Ok(store) => store,
                    Err(error) => {
                        failure(error.into());
                        let next = if is_killed { Hooked::holding(left, mode) } else { storage };
                        Store::open_with(next, alone(log_bytes)).unwrap()
                    }
                };
                let listed = || {
                    let mut query = ListQuery::default();
                    query.page.limit = PageLimit::MAX;
                    store.list(&query).unwrap().items.len()
                };
                assert_eq!(listed(), count);
                assert!(matches!(store.create(request(51, 1)), Ok(Creation::Created(_))));
                assert!(store.check().unwrap().is_sound());
                assert_eq!(listed(), count + 1);
                if untouched {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_store_that_could_not_be_opened_can_be_once_the_storage_is_healed() {
    opens_once_healed(Before::Closed);
    opens_once_healed(Before::Open);
}

#[test]
fn a_store_that_could_not_be_made_can_be_once_the_storage_is_healed() {
    opens_once_healed(Before::Nothing);
}

/// A store in which pair 0 has a connection and its page is not at hand; the next read fails, once.
fn about_to_misread(mode: CommitMode, kind: ErrorKind) -> Witness {
    let mut witness = Witness::new(mode, &crowd(mode), alone(DEFAULT_LOG).cache_bytes(0));
    witness.create(0, 1);
    witness.reopen();
    let (file, call) = (Some(File::Store), Some(Call::Read));
    witness.faults.arm(Fault { file, call, nth: 1, lasts: false, kind });
    witness
}

#[test]
fn a_connection_that_cannot_be_read_is_for_certain_not_changed() {
    for mode in MODES {
        let witness = about_to_misread(mode, ErrorKind::Other);
        let patch = Patch { login_url: Edit::Set(url(2)), ..Patch::default() };
        let error = witness.store.update(witness.pairs[0].id.unwrap(), patch).unwrap_err();
        assert!(matches!(failure(error), StoreError::Io(_)), "nothing was written");
    }
}

#[test]
fn a_read_that_failed_fails_nothing_after_it() {
    type Operation = fn(&Store) -> Result<(), Error>;
    let operations: [(&str, Operation); 4] = [
        ("check", |store| store.check().map(drop)),
        ("dump", |store| store.dump()?.try_for_each(|line| line.map(drop))),
        ("backup", |store| store.backup_to(&MemoryStorage::default(), |_| ())),
        ("delete_profile", |store| store.delete_profile("profile-1".parse().unwrap())),
    ];
    let mut wrong = Vec::new();
    for (name, operation) in operations {
        let mut witness = about_to_misread(CommitMode::OnePhase, ErrorKind::StorageFull);
        failure(operation(&witness.store).unwrap_err());
        witness.change(0, Some(2));
        wrong.extend(witness.failures.iter().map(|error| format!("after {name}: {error:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Loads a dump while one call after the other fails, into a store that is new or has come to be empty again.
fn load_under_faults(is_new: bool) {
    const LOADED: usize = 30;
    let source = Store::in_memory().unwrap();
    assert!(source.create_many((0..LOADED).map(|n| request(n, 1))).iter().all(Result::is_ok));
    let lines: Vec<String> = source.dump().unwrap().map(Result::unwrap).collect();
    let mut wrong = std::collections::BTreeMap::<String, usize>::new();
    let mut tried = 0;
    let calls = FILES.into_iter().flat_map(|file| {
        [Call::Write, Call::Sync, Call::SetLen].map(|call| (Some(file), Some(call)))
    });
    let cases = calls.flat_map(|(file, call)| MODES.map(|mode| (file, call, mode)));
    for (file, call, mode) in cases {
        for nth in 1.. {
            let storage = Hooked::new(mode);
            let faults = Faults::of(&storage);
            let options = alone(SMALL_LOG).cache_bytes(0);
            let mut store = Store::open_with(storage.clone(), options.clone()).unwrap();
            if !is_new {
                // Two changes are in the table, the others in the log.
                for _ in 0..2 {
                    let gone = store.create(request(0, 1)).unwrap().id();
                    store.delete(gone).unwrap();
                    store.delete_profile("profile-0".parse().unwrap()).unwrap();
                    if nth % 2 == 0 {
                        store.close().unwrap();
                        store = Store::open_with(storage.clone(), options.clone()).unwrap();
                    }
                }
            }
            let changes = store.changes_since(0, 100).unwrap();
            let kind = ErrorKind::StorageFull;
            faults.arm(Fault { file, call, nth, lasts: false, kind });
            let loaded = store.load(lines.iter().cloned().map(Ok)).map_err(failure);
            let after = store.changes_since(0, 100).unwrap();
            let is_there = store.stats().unwrap().connections > 0;
            let told = after == changes || is_there;
            if faults.failed() == 0 {
                break;
            }
            tried += 1;
            let created = store.create(request(PAIRS, 1));
            for store in
                [store, Store::open_with(Hooked::holding(storage.image(), mode), options).unwrap()]
            {
                let connections = store.stats().unwrap().connections;
                let with_load = LOADED as u64 + 1;
                let as_said = match &loaded {
                    Ok(_) => connections == with_load,
                    Err(StoreError::StorageFull) => connections == 1,
                    Err(StoreError::OutcomeUnknown(_)) => [1, with_load].contains(&connections),
                    Err(_) => false,
                };
                let report = store.check().unwrap();
                if !as_said || !told || !report.is_sound() {
                    let created = created.as_ref().map(Creation::outcome);
                    let what = format!(
                        "{file:?} {call:?}: {loaded:?}, then {created:?}, then {connections} \
                         connections, changes told: {told}, {report:?}"
                    );
                    *wrong.entry(what).or_default() += 1;
                }
            }
        }
    }
    println!("{tried} failures tried");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_load_that_fails_is_not_there_and_says_why() {
    load_under_faults(true);
    load_under_faults(false);
}

#[test]
fn a_load_that_is_refused_leaves_the_changes_that_were_told_before() {
    let storage = Hooked::new(CommitMode::QuickRepair);
    let store = Store::open_with(storage.clone(), Options::new()).unwrap();
    let gone = store.create(request(0, 1)).unwrap().id();
    store.delete(gone).unwrap();
    store.delete_profile("profile-0".parse().unwrap()).unwrap();
    let changes = store.changes_since(0, 10).unwrap();
    store.close().unwrap();
    let store = Store::open_with(storage.clone(), Options::new()).unwrap();
    assert_eq!(store.changes_since(0, 10).unwrap(), changes);
    assert!(store.load(["no dump".to_owned()].into_iter().map(Ok)).is_err());
    assert_eq!(store.changes_since(0, 10).unwrap(), changes);
    store.close().unwrap();
    let store = Store::open_with(storage, Options::new()).unwrap();
    assert_eq!(store.changes_since(0, 10).unwrap(), changes);
}

/// A panic of the storage is a bug of the host.
#[test]
fn a_panic_of_one_writer_fails_its_batch_and_nothing_else() {
    // When the log is made, when it is said to be needed, and when it is appended to.
    for (file, call, nth) in [
        (File::Log, Call::Write, 1),
        (File::Log, Call::Write, 3),
        (File::Log, Call::Sync, 1),
        (File::Log, Call::Sync, 2),
        (File::Store, Call::Sync, 1),
        (File::Store, Call::Sync, 2),
    ] {
        let _context = Context(format!("{file:?} {call:?} {nth}"));
        let storage = Hooked::new(CommitMode::QuickRepair);
        let store = Store::open_with(storage.clone(), alone(SMALL_LOG)).unwrap();
        let kept = store.create(request(0, 1)).unwrap().id();
        store.close().unwrap();
        let store = Store::open_with(storage.clone(), alone(SMALL_LOG)).unwrap();
        let panicked = Arc::new(AtomicBool::new(false));
        let calls = AtomicUsize::new(0);
        let tell = Arc::clone(&panicked);
        storage.hook(move |of, asked| {
            if (of, asked) == (file, call) && calls.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                tell.store(true, Ordering::SeqCst);
                panic!("on purpose");
            }
            Ok(())
        });
        let leader = store.clone();
        let written = std::thread::spawn(move || {
            for n in 10..60 {
                assert!(leader.create(request(n, 1)).is_ok());
            }
        });
        assert!(written.join().is_err());
        assert!(panicked.load(Ordering::SeqCst));

        assert!(store.get(kept).unwrap().is_some());
        // Whether the create that panicked is there is unknown; that there is one at most is not.
        for n in 10..60 {
            let id = store.create(request(n, 1)).unwrap().id();
            assert!(
                matches!(store.create(request(n, 1)), Ok(Creation::Conflict(c)) if c.existing_id == id)
            );
        }
        assert_eq!(store.stats().unwrap().connections, 51);
        assert!(store.check().unwrap().is_sound());
        store.close().unwrap();
        assert_eq!(
            Store::open_with(storage, Options::new()).unwrap().stats().unwrap().connections,
            51
        );
    }
}
