//! The power is cut after every act: what was acknowledged is there, and nothing is there in part.
//!
//! A run is drawn from a seed: what a store goes through, and where its power is cut. `CONNECTORY_SEED` repeats the
//! runs from that seed on; with `CONNECTORY_CUT` it is one image of one run, as a failure says.

mod life;
mod verdict;

use connectory::{
    CommitMode, LogStorage, NewConnection, Storage, StorageBackend, Store, StoreError,
};
use connectory_tests::power::{Image, Part, Recorded, Remains};
use connectory_tests::seed;
use fastrand::Rng;
use life::{Life, Plan, State, plainly};
use std::collections::BTreeMap;
use std::io;
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use verdict::{Cut, Found, Judge, Wrong};

/// Seeds and cuts that once went wrong, and are always tried.
const ONCE_WRONG: &[(u64, &str)] = &[(14_141_236_942_304_783_171, "203.17.201")];

/// How many runs there are, and how many images of each.
struct Size {
    runs: u64,
    cuts: usize,
    lies: usize,
}

fn is_long() -> bool {
    std::env::var_os("CONNECTORY_LONG").is_some()
}

/// The syncs that may lie: all of them.
fn syncs_that_may_lie(life: &Life) -> Vec<usize> {
    (0..life.record.acts()).filter(|&act| life.record.part_synced(act).is_some()).collect()
}

/// Where the power is cut: everywhere, if there are as many cuts as acts.
fn cuts(life: &Life, count: usize, rng: &mut Rng) -> Vec<Cut> {
    let places = life.record.acts() + 1;
    let count = if is_long() { count.max(places) } else { count };
    let within = |rng: &mut Rng| if count < places { rng.usize(..places) } else { 0 };
    (0..count)
        .map(|nth| {
            let at = (nth * places + within(rng)) / count;
            Cut { at, draw: nth as u64, lie: None }
        })
        .collect()
}

/// Cuts after a sync that lied, mostly before a later one made up for it; in the order of the lies.
fn cuts_after_lies(of: &Life, count: usize, rng: &mut Rng) -> Vec<Cut> {
    let record = &of.record;
    let syncs = syncs_that_may_lie(of);
    let count = if syncs.is_empty() { 0 } else { count };
    let mut cuts: Vec<Cut> = (0..count)
        .map(|nth| {
            let lie = syncs[rng.usize(..syncs.len())];
            let last = if rng.u8(..10) == 0 { record.acts() } else { record.next_sync(lie) };
            Cut { at: rng.usize(lie + 1..=last), draw: nth as u64, lie: Some(lie) }
        })
        .collect();
    cuts.sort_by_key(|cut| cut.lie);
    cuts
}

/// What came of many cuts.
#[derive(Debug, Default)]
struct Tally {
    seeds: usize,
    acts: usize,
    cuts: usize,
    cut_again: usize,
    checked: usize,
    written: usize,
    /// Images with the operation that was under way, and without.
    with: usize,
    without: usize,
    lies: usize,
    /// After lies: stores that went back, by how many changes at most; and what those said that did not open.
    went_back: usize,
    most_back: usize,
    refused: BTreeMap<String, usize>,
}

impl Tally {
    fn count(&mut self, cut: Cut, found: Found) {
        let kind = if cut.lie.is_some() { &mut self.lies } else { &mut self.cuts };
        *kind += 1;
        self.cut_again += usize::from(found.cut_again);
        self.checked += usize::from(found.checked);
        self.written += usize::from(found.written);
        self.with += usize::from(found.in_flight == Some(true));
        self.without += usize::from(found.in_flight == Some(false));
        self.went_back += usize::from(found.back > 0);
        self.most_back = self.most_back.max(found.back);
        if let Some(error) = found.refused {
            *self.refused.entry(error.to_string()).or_default() += 1;
        }
    }
}

/// A cut that went wrong.
#[derive(Debug)]
struct Failure {
    seed: u64,
    cut: Cut,
    /// What was under way.
    place: String,
    wrong: Wrong,
}

impl Failure {
    fn of(life: &Life, cut: Cut, wrong: Wrong) -> Self {
        let (reached, under_way) = life.moment_at(cut.at);
        let next = if under_way { life.moments[reached + 1].what } else { "nothing" };
        let last = life.moments[reached].what;
        let place = format!(
            "{:?}, {} of {} acts, after operation {reached} ({last}), {next} under way",
            life.plan.mode,
            cut.at,
            life.record.acts()
        );
        Self { seed: life.plan.seed, cut, place, wrong }
    }
}

/// Tries all cuts of one run, until one goes wrong.
fn run(seed: u64, size: &Size, tally: &Mutex<Tally>) -> Result<(), Failure> {
    let life = Life::of(Plan::draw(seed), &plainly);
    let mut rng = Rng::with_seed(seed.wrapping_add(1));
    let honest = cuts(&life, size.cuts, &mut rng);
    let dishonest = cuts_after_lies(&life, size.lies, &mut rng);
    {
        let mut tally = tally.lock().unwrap();
        tally.seeds += 1;
        tally.acts += life.record.acts();
    }
    let judge = |cut: Cut, remains: &Remains<'_>| {
        let found = Judge::new(&life, cut, remains).judge();
        let found = found.map_err(|wrong| Failure::of(&life, cut, wrong))?;
        tally.lock().unwrap().count(cut, found);
        Ok(())
    };
    let mut remains = Remains::of(&life.record);
    for cut in honest {
        remains.advance(cut.at);
        judge(cut, &remains)?;
    }
    let mut before = Remains::of(&life.record);
    for (cut, lie) in dishonest.into_iter().filter_map(|cut| Some((cut, cut.lie?))) {
        before.advance(lie);
        let mut remains = before.clone();
        remains.lie(lie);
        remains.advance(cut.at);
        judge(cut, &remains)?;
    }
    Ok(())
}

/// Tries one image.
fn run_one(seed: u64, cut: Cut) -> Result<Found, Failure> {
    let life = Life::of(Plan::draw(seed), &plainly);
    let mut remains = Remains::of(&life.record);
    if let Some(lie) = cut.lie {
        remains.lie(lie);
    }
    remains.advance(cut.at);
    let found = Judge::new(&life, cut, &remains).judge();
    found.map_err(|wrong| Failure::of(&life, cut, wrong))
}

fn report(failure: Failure) -> ! {
    let Failure { seed, cut, place, wrong } = failure;
    panic!("{place}: {wrong}\nrepeat with CONNECTORY_SEED={seed} CONNECTORY_CUT={cut}");
}

/// Tries the runs from `seed` on, on every processor, until one goes wrong.
fn run_all(seed: u64, size: &Size) -> Result<Tally, Failure> {
    let (tally, next) = (Mutex::default(), AtomicU64::new(0));
    let worker = || {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= size.runs {
                return Ok(());
            }
            let run = run(seed.wrapping_add(nth), size, &tally);
            run.inspect_err(|_| next.store(size.runs, Ordering::Relaxed))?;
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap())
    })?;
    Ok(tally.into_inner().unwrap())
}

#[test]
fn whenever_the_power_is_cut_what_was_acknowledged_is_there() {
    let seed = seed();
    if let Ok(cut) = std::env::var("CONNECTORY_CUT") {
        let found = run_one(seed, cut.parse().unwrap()).unwrap_or_else(|failure| report(failure));
        println!("{found:?}");
        return;
    }
    for (seed, cut) in ONCE_WRONG {
        run_one(*seed, cut.parse().unwrap()).unwrap_or_else(|failure| report(failure));
    }
    // The long run cuts after every act at least once.
    let size = if is_long() {
        Size { runs: 208, cuts: 500, lies: 200 }
    } else {
        Size { runs: 24, cuts: 84, lies: 40 }
    };
    let tally = run_all(seed, &size).unwrap_or_else(|failure| report(failure));
    println!("{tally:#?}");
    assert!(tally.with > 0 && tally.without > 0, "what was under way is there or not");
}

/// What a create of many that was cut short leaves of it: whole batches.
#[test]
fn a_bulk_that_is_cut_short_is_there_by_batches() {
    const COUNT: usize = 21_000;
    let mut rng = Rng::with_seed(seed());
    for mode in [CommitMode::OnePhase, CommitMode::QuickRepair] {
        let storage = Recorded::holding(Image::default(), mode);
        let options = |stream| life::options(stream, 1 << 20, 64 << 10);
        let store = Store::open_with(storage.clone(), options(0)).unwrap();
        let begun = storage.acts();
        let request = |n: usize| {
            let domain = format!("d{n}.example").parse().unwrap();
            NewConnection::new(domain, format!("p{}", n / 100).parse().unwrap())
        };
        assert!(store.create_many((0..COUNT).map(request)).iter().all(Result::is_ok));
        let all: Vec<_> = State::of(&store).unwrap().ids().collect();
        let record = storage.record();
        let mut counts = BTreeMap::<usize, usize>::new();
        let last = if is_long() { 199 } else { 11 };
        for nth in 0..=last {
            let at = begun + nth * (record.acts() - begun) / last;
            let image = Recorded::holding(record.image(at, rng.u64(..)), mode);
            let store = Store::open_with(image, options(1)).unwrap();
            let state = State::of(&store).unwrap();
            let ids: Vec<_> = state.ids().collect();
            assert!([0, 10_000, 20_000, COUNT].contains(&ids.len()), "{}", ids.len());
            assert_eq!(ids, all[..ids.len()]);
            assert_eq!(state.last_change, ids.len() as u64);
            *counts.entry(ids.len()).or_default() += 1;
        }
        println!("{mode:?}: {counts:?}");
    }
}

/// A storage that says that one part is durable, and never sees to it.
#[derive(Debug, Clone)]
struct Unsynced(Recorded, Part);

impl Unsynced {
    fn backend(&self, backend: Box<dyn StorageBackend>, part: Part) -> Box<dyn StorageBackend> {
        if part == self.1 { Box::new(UnsyncedFile(backend)) } else { backend }
    }
}

impl Storage for Unsynced {
    fn open(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        Ok(self.backend(self.0.open()?, Part::Store))
    }

    fn open_log(&self, make: bool) -> Result<Option<LogStorage>, StoreError> {
        Ok(match self.0.open_log(make)? {
            Some(LogStorage::File(log)) => Some(LogStorage::File(self.backend(log, Part::Log))),
            other => other,
        })
    }

    fn remove_log(&self) -> Result<(), StoreError> {
        self.0.remove_log()
    }

    fn commit_mode(&self) -> CommitMode {
        self.0.commit_mode()
    }
}

#[derive(Debug)]
struct UnsyncedFile(Box<dyn StorageBackend>);

impl StorageBackend for UnsyncedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Leaves panics of redb on this thread unreported: here they are found, and not what the test is about.
fn quiet_redb() {
    let (this, report) = (thread::current().id(), panic::take_hook());
    panic::set_hook(Box::new(move |panic| {
        let is_of_redb = panic.location().is_some_and(|place| place.file().contains("redb"));
        if !is_of_redb || thread::current().id() != this {
            report(panic);
        }
    }));
}

/// Each part in turn is never synced; a run in which nothing syncs it anyway shows nothing.
#[test]
fn the_simulator_catches_a_store_that_does_not_sync() {
    quiet_redb();
    let seed = seed();
    for part in [Part::Store, Part::Log] {
        let (mut tried, mut lost, mut otherwise) = (0, 0, 0);
        for nth in 0..4 {
            let drawn = Plan::draw(seed.wrapping_add(nth));
            let plan = Plan { mode: CommitMode::OnePhase, resumes: false, ..drawn };
            let life = Life::of(plan, &move |storage, options| {
                Store::open_with(Unsynced(storage.clone(), part), options)
            });
            if Life::of(plan, &plainly).record.syncs_of(part).is_empty() {
                continue;
            }
            tried += 1;
            let mut remains = Remains::of(&life.record);
            for cut in cuts(&life, 60, &mut Rng::with_seed(seed)) {
                remains.advance(cut.at);
                match Judge::new(&life, cut, &remains).judge() {
                    Err(Wrong::Lost { .. }) => {
                        lost += 1;
                        break;
                    }
                    Err(_) => otherwise += 1,
                    Ok(_) => {}
                }
            }
        }
        println!("{part:?} never synced: {lost} of {tried} runs lost something acknowledged");
        println!("before that, {otherwise} cuts left what cannot be opened or never was");
        assert!(tried > 0 || part == Part::Log);
        assert!(lost > 0 || tried == 0, "a lost write was not seen");
    }
}
