//! [`Comparison`], the measurements: every row of every contender, in turns.

use crate::child;
use crate::contender::Contender;
use crate::measure::{self, Disk, Times, count, time};
use crate::peer::{Creation, Id, List, Outcome, Peer};
use crate::report::{Better, Row};
use clap::ValueEnum;
use connectory::NewConnection;
use connectory_benches::Workload;
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The same cache for every engine that has one.
const CACHE_BYTES: usize = 256 << 20;
/// Creates in one durable commit of an import.
const BATCH: usize = 10_000;
/// Creates of one contender before it is the next one's turn.
const SLICE: usize = 50_000;
/// Creates, in batches of [`child`]'s, that fill our log of 16 MiB to the last hundredth: a few more, and half of it
/// would be used anew.
const LOG_FULL: usize = 96_000;
const CALLERS: usize = 64;
const PAGE: usize = 20;

/// What can be measured by itself; in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    Create,
    Callers,
    Memory,
    Conflict,
    Get,
    List,
    Import,
    Bytes,
    Growth,
    Crash,
    Resident,
}

/// Rows and what they are about.
type Rows = Vec<(Topic, Row)>;

/// How much is measured in one round: enough to mean something, little enough for a run to end.
#[derive(Debug, Clone, Copy)]
struct Effort {
    durable: usize,
    memory: usize,
    reads: usize,
    /// No sample takes longer, and that of many callers takes this long.
    lasts: Duration,
    warm_up: usize,
    resident: usize,
    crash: usize,
}

impl Effort {
    fn for_size(size: usize) -> Self {
        let large = size >= 100_000;
        let pick = |small, much| if large { much } else { small };
        Self {
            durable: pick(100, 1_000),
            memory: pick(1_000, 20_000),
            reads: pick(1_000, 10_000),
            lasts: if large { Duration::from_secs(2) } else { Duration::from_millis(200) },
            warm_up: size.min(100_000),
            resident: pick(1_000, 100_000),
            crash: pick(1_000, LOG_FULL),
        }
    }
}

/// A contender's store, open, and what is in it.
struct Store {
    contender: Contender,
    directory: PathBuf,
    peer: Box<dyn Peer>,
    ids: Vec<Id>,
    /// The number of the next connection that is not in it.
    next: AtomicUsize,
}

impl Store {
    fn open(contender: Contender, directory: PathBuf) -> Outcome<Self> {
        let peer = contender.open(&directory, Some(CACHE_BYTES))?;
        Ok(Self { contender, directory, peer, ids: Vec::new(), next: AtomicUsize::new(0) })
    }

    /// Imports the next connections in durable batches; microseconds for each.
    fn import(&mut self, workload: Workload, many: usize) -> Outcome<f64> {
        let from = self.next.fetch_add(many, Ordering::Relaxed);
        let batches = (from..from + many)
            .step_by(BATCH)
            .map(|start| workload.requests(start..(from + many).min(start + BATCH)))
            .collect::<Outcome<Vec<_>>>()?;
        let begun = Instant::now();
        for batch in batches {
            for creation in self.peer.create_many(batch)? {
                match creation {
                    Creation::Created(id) => self.ids.push(id),
                    Creation::Conflict(_) => return Err("the workload repeats itself".into()),
                }
            }
        }
        let us = begun.elapsed().as_secs_f64() * 1e6 / count(many);
        self.peer.settle()?;
        Ok(us)
    }

    /// The create of a connection that is not there yet.
    fn fresh(&self, workload: Workload) -> Outcome<NewConnection> {
        workload.request(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn creates(&self, request: NewConnection) -> Outcome<bool> {
        Ok(matches!(self.peer.create(request)?, Creation::Created(_)))
    }

    fn conflicts(&self, request: NewConnection) -> Outcome<bool> {
        Ok(matches!(self.peer.create(request)?, Creation::Conflict(_)))
    }

    fn time_creates(&self, workload: Workload, effort: Effort) -> Outcome<Times> {
        let fresh = || self.fresh(workload);
        let times = time(effort.durable, effort.lasts, fresh, |request| self.creates(request))?;
        self.peer.settle()?;
        Ok(times)
    }

    fn time_gets(&self, random: &mut fastrand::Rng, effort: Effort) -> Outcome<Times> {
        let pick = || Ok(self.ids[random.usize(..self.ids.len())]);
        time(effort.reads, effort.lasts, pick, |id| Ok(self.peer.get(id)?.is_some()))
    }
}

/// The measurements and where they are made.
pub(crate) struct Comparison<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) workload: Workload,
    pub(crate) size: usize,
    pub(crate) rounds: usize,
    pub(crate) topics: Vec<Topic>,
    pub(crate) bar: ProgressBar,
    /// Microseconds of one small synced write, by round.
    pub(crate) disk_us: Vec<f64>,
}

/// Whose turn it is in a round: another one begins each time, so that none always follows the same other.
fn turns(round: usize, contenders: usize) -> impl Iterator<Item = usize> {
    (0..contenders).map(move |turn| (turn + round) % contenders)
}

impl Comparison<'_> {
    fn wants(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    fn random(&self, round: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.workload.seed ^ (round as u64 + 1).rotate_left(32))
    }

    fn say(&self, what: &str, contender: Contender) {
        self.bar.set_message(format!("{what}, {}", contender.name()));
        self.bar.inc(1);
    }

    /// Measures everything that is wanted; rows in the order of [`Topic`].
    pub(crate) fn run(&mut self) -> Outcome<Vec<Row>> {
        let mut rows = Rows::new();
        let apart = [Topic::Memory, Topic::Crash];
        if self.topics.iter().any(|topic| !apart.contains(topic)) {
            rows.extend(self.on_filled_stores()?);
        }
        if self.wants(Topic::Memory) {
            rows.push((Topic::Memory, self.in_memory()?));
        }
        if self.wants(Topic::Crash) {
            rows.push((Topic::Crash, self.crash()?));
        }
        self.bar.finish_and_clear();
        rows.sort_by_key(|(topic, _)| *topic as usize);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn on_filled_stores(&mut self) -> Outcome<Rows> {
        let mut rows = Vec::new();
        let effort = Effort::for_size(self.size);
        let mut stores = Vec::new();
        for contender in Contender::ALL {
            let directory = self.directory.join("filled").join(contender.name());
            stores.push(Store::open(contender, directory)?);
        }
        for row in self.import(&mut stores)? {
            rows.push((Topic::Import, row));
        }
        let (mut stores, closed) = self.reopen(stores)?;
        rows.extend(closed);
        self.warm_up(&stores, effort)?;
        if self.wants(Topic::Get) {
            rows.push((Topic::Get, self.get(&stores, effort)?));
        }
        if self.wants(Topic::List) {
            rows.extend(self.list(&stores, effort)?.into_iter().map(|row| (Topic::List, row)));
        }
        if self.wants(Topic::Conflict) {
            rows.extend(
                self.conflict(&stores, effort)?.into_iter().map(|row| (Topic::Conflict, row)),
            );
        }
        if self.wants(Topic::Create) {
            rows.push((Topic::Create, self.create(&stores, effort)?));
        }
        if self.wants(Topic::Growth) {
            rows.extend(self.growth(&stores, effort)?.into_iter().map(|row| (Topic::Growth, row)));
        }
        if self.wants(Topic::Callers) {
            rows.extend(
                self.callers(&stores, effort)?.into_iter().map(|row| (Topic::Callers, row)),
            );
        }
        while let Some(store) = stores.pop() {
            store.peer.close()?;
        }
        // Room for what comes next.
        std::fs::remove_dir_all(self.directory.join("filled"))?;
        Ok(rows)
    }

    fn import(&self, stores: &mut [Store]) -> Outcome<Vec<Row>> {
        let what = format!("import of {}, durable in batches of {BATCH}", self.size);
        let mut slices = Row::new(format!("{what}: median slice"), "us per create", Better::Less);
        let mut whole = Row::new(format!("{what}: all of it"), "us per create", Better::Less);
        let mut totals = vec![0.0; stores.len()];
        for (round, from) in (0..self.size).step_by(SLICE).enumerate() {
            let many = SLICE.min(self.size - from);
            for turn in turns(round, stores.len()) {
                let store = &mut stores[turn];
                self.say("importing", store.contender);
                let us = store.import(self.workload, many)?;
                slices.push(store.contender, us);
                totals[turn] += us * count(many);
            }
        }
        for (store, total) in stores.iter().zip(totals) {
            whole.push(store.contender, total / count(self.size));
        }
        Ok(if self.wants(Topic::Import) { vec![slices, whole] } else { Vec::new() })
    }

    /// Closes all stores, measures what can only be measured of closed ones, and opens them again.
    fn reopen(&self, stores: Vec<Store>) -> Outcome<(Vec<Store>, Rows)> {
        let effort = Effort::for_size(self.size);
        let mut bytes = Row::new("on disk after closing", "bytes per connection", Better::Less);
        let name = format!("resident with defaults after {} reads", effort.resident);
        let mut resident = Row::new(name, "MiB", Better::Less);
        let mut reopened = Vec::new();
        for Store { contender, directory, peer, ids, next } in stores {
            self.say("closing", contender);
            peer.close()?;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let taken = measure::disk_bytes(&directory)? as f64;
            bytes.push(contender, taken / count(self.size));
            if self.wants(Topic::Resident) {
                let mut random = self.random(0);
                let read = (0..effort.resident).map(|_| ids[random.usize(..ids.len())]);
                resident.push(contender, child::resident_mib(contender, &directory, read)?);
            }
            let peer = contender.open(&directory, Some(CACHE_BYTES))?;
            reopened.push(Store { contender, directory, peer, ids, next });
        }
        let rows = [(Topic::Bytes, bytes), (Topic::Resident, resident)];
        Ok((reopened, rows.into_iter().filter(|(topic, _)| self.wants(*topic)).collect()))
    }

    /// Fills the caches that closing has emptied.
    fn warm_up(&self, stores: &[Store], effort: Effort) -> Outcome<()> {
        for store in stores {
            self.say("warming up", store.contender);
            let mut random = self.random(0);
            for _ in 0..effort.warm_up {
                let n = random.usize(..self.size);
                store.peer.get(store.ids[n])?;
                store.conflicts(self.workload.request(n)?)?;
            }
            store.peer.settle()?;
        }
        Ok(())
    }

    fn get(&self, stores: &[Store], effort: Effort) -> Outcome<Row> {
        let mut row = Row::new("get by ID", "us p50", Better::Less);
        for round in 0..self.rounds {
            for turn in turns(round, stores.len()) {
                let store = &stores[turn];
                self.say("get", store.contender);
                let times = store.time_gets(&mut self.random(round), effort)?;
                row.push(store.contender, times.percentile_us(50));
            }
        }
        Ok(row)
    }

    fn list(&self, stores: &[Store], effort: Effort) -> Outcome<Vec<Row>> {
        type Which = fn(Workload, usize) -> Outcome<List>;
        let lists: [(&str, Which); 3] = [
            ("list, by profile", |workload, n| Ok(List::OfProfile(workload.pair(n)?.0))),
            ("list, page of 20 by domain", |workload, n| Ok(List::OfDomain(workload.pair(n)?.1))),
            ("list, page of 20", |_, _| Ok(List::All)),
        ];
        let mut rows = Vec::new();
        for (name, which) in lists {
            let mut row = Row::new(name, "us p50", Better::Less);
            for round in 0..self.rounds {
                for turn in turns(round, stores.len()) {
                    let store = &stores[turn];
                    self.say(name, store.contender);
                    let mut random = self.random(round);
                    let times = time(
                        effort.reads / 4,
                        effort.lasts,
                        || which(self.workload, random.usize(..self.size)),
                        |list| Ok(!store.peer.list(list, PAGE)?.is_empty()),
                    )?;
                    row.push(store.contender, times.percentile_us(50));
                }
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn conflict(&self, stores: &[Store], effort: Effort) -> Outcome<Vec<Row>> {
        let mut one = Row::new("conflict", "us p50", Better::Less);
        let mut two = Row::new("conflict, two callers", "answers/s", Better::More);
        let pick = |random: &mut fastrand::Rng| self.workload.request(random.usize(..self.size));
        for round in 0..self.rounds {
            for turn in turns(round, stores.len()) {
                let store = &stores[turn];
                self.say("conflict", store.contender);
                let mut random = self.random(round);
                let times = time(
                    effort.reads,
                    effort.lasts,
                    || pick(&mut random),
                    |request| store.conflicts(request),
                )?;
                one.push(store.contender, times.percentile_us(50));
                let prepared = [1, 2].map(|caller| {
                    let mut random = self.random(round + 1000 * caller);
                    (0..effort.reads).map(|_| pick(&mut random)).collect::<Outcome<Vec<_>>>()
                });
                two.push(store.contender, together(store, prepared)?);
            }
        }
        Ok(vec![one, two])
    }

    fn create(&mut self, stores: &[Store], effort: Effort) -> Outcome<Row> {
        let mut row = Row::new("create, durable", "us p50", Better::Less);
        let mut disk = Disk::new(&self.directory.join("disk"))?;
        for round in 0..self.rounds {
            let written = time(effort.durable, effort.lasts, || Ok(()), |()| disk.write())?;
            self.disk_us.push(written.percentile_us(50));
            for turn in turns(round, stores.len()) {
                let store = &stores[turn];
                self.say("durable create", store.contender);
                let times = store.time_creates(self.workload, effort)?;
                row.push(store.contender, times.percentile_us(50));
            }
        }
        Ok(row)
    }

    fn callers(&self, stores: &[Store], effort: Effort) -> Outcome<Vec<Row>> {
        let name = |what: &str| format!("create, durable, {CALLERS} callers{what}");
        let mut p50 = Row::new(name(""), "us p50", Better::Less);
        let mut p99 = Row::new(name(""), "us p99", Better::Less);
        let mut rate = Row::new(name(""), "creates/s", Better::More);
        for round in 0..self.rounds {
            for turn in turns(round, stores.len()) {
                let store = &stores[turn];
                self.say("many callers", store.contender);
                let begun = Instant::now();
                let times = std::thread::scope(|scope| {
                    let call = || -> Outcome<Vec<Duration>> {
                        let mut times = Vec::new();
                        while begun.elapsed() < effort.lasts {
                            let request = store.fresh(self.workload)?;
                            let start = Instant::now();
                            let created = store.creates(request)?;
                            times.push(start.elapsed());
                            if !created {
                                return Err("a fresh pair was taken".into());
                            }
                        }
                        Ok(times)
                    };
                    let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
                    let mut times = Vec::new();
                    for caller in callers {
                        times.extend(caller.join().map_err(|_| "a caller panicked")??);
                    }
                    Outcome::Ok(times)
                })?;
                let seconds = begun.elapsed().as_secs_f64();
                store.peer.settle()?;
                rate.push(store.contender, count(times.len()) / seconds);
                let times = Times::new(times)?;
                p50.push(store.contender, times.percentile_us(50));
                p99.push(store.contender, times.percentile_us(99));
            }
        }
        Ok(vec![p50, p99, rate])
    }

    /// What a get and a create cost here, over what they cost in a store of a hundredth of the size.
    fn growth(&self, stores: &[Store], effort: Effort) -> Outcome<Vec<Row>> {
        let small_size = (self.size / 100).max(10);
        let name = |what| format!("growth of {what}, {} over {small_size}", self.size);
        let mut get = Row::new(name("get"), "times", Better::Less);
        let mut create = Row::new(name("create, durable"), "times", Better::Less);
        let pairs = stores.iter().filter_map(|large| {
            let takes_part = [Contender::Connectory, Contender::Lmdb].contains(&large.contender);
            let directory = self.directory.join("small").join(large.contender.name());
            takes_part.then(|| Ok((large, Store::open(large.contender, directory)?)))
        });
        let mut pairs = pairs.collect::<Outcome<Vec<_>>>()?;
        for (_, small) in &mut pairs {
            small.import(self.workload, small_size)?;
        }
        for round in 0..self.rounds {
            for turn in turns(round, pairs.len()) {
                let (large, small) = &pairs[turn];
                self.say("growth", large.contender);
                let p50 = |times: Times| times.percentile_us(50);
                let gets = |store: &Store| {
                    let mut random = self.random(round);
                    store.time_gets(&mut random, effort).map(p50)
                };
                let creates = |store: &Store| store.time_creates(self.workload, effort).map(p50);
                get.push(large.contender, gets(large)? / gets(small)?);
                create.push(large.contender, creates(large)? / creates(small)?);
            }
        }
        for (_, small) in pairs {
            small.peer.close()?;
        }
        Ok(vec![get, create])
    }

    fn in_memory(&self) -> Outcome<Row> {
        let effort = Effort::for_size(self.size);
        let mut row = Row::new("create, in memory", "us mean", Better::Less);
        let mut stores = Vec::new();
        for contender in Contender::ALL {
            let Some(peer) = contender.in_memory(Some(CACHE_BYTES))? else { continue };
            let (directory, next) = (PathBuf::new(), AtomicUsize::new(0));
            let mut store = Store { contender, directory, peer, ids: Vec::new(), next };
            self.say("filling memory", contender);
            store.import(self.workload, self.size)?;
            store.ids = Vec::new();
            stores.push(store);
        }
        for round in 0..self.rounds {
            for turn in turns(round, stores.len()) {
                let store = &stores[turn];
                self.say("create in memory", store.contender);
                let times = time(
                    effort.memory,
                    4 * effort.lasts,
                    || store.fresh(self.workload),
                    |request| store.creates(request),
                )?;
                row.push(store.contender, times.mean_us());
            }
        }
        for store in stores {
            store.peer.close()?;
        }
        Ok(row)
    }

    /// How long it takes from opening a store whose process was killed to its first answer. In a large run our log is
    /// full then.
    fn crash(&self) -> Outcome<Row> {
        let effort = Effort::for_size(self.size);
        let size = (self.size / 10).max(10);
        let crash = effort.crash;
        let name = format!("open {size} after {crash} more and a crash, to the first answer");
        let mut row = Row::new(name, "ms", Better::Less);
        let path = |contender: Contender| self.directory.join("crash").join(contender.name());
        for contender in Contender::ALL {
            self.say("filling for a crash", contender);
            let mut store = Store::open(contender, path(contender))?;
            store.import(self.workload, size)?;
            store.peer.close()?;
        }
        for round in 0..self.rounds {
            let from = size + round * effort.crash;
            let to = from + effort.crash;
            for turn in turns(round, Contender::ALL.len()) {
                let contender = Contender::ALL[turn];
                self.say("crash", contender);
                let directory = path(contender);
                let range = (from, to);
                child::fill_and_kill(contender, &directory, self.workload, range, CACHE_BYTES)?;
                let taken = self.workload.request(to - 1)?;
                let begun = Instant::now();
                let peer = contender.open(&directory, Some(CACHE_BYTES))?;
                let answer = peer.create(taken)?;
                row.push(contender, begun.elapsed().as_secs_f64() * 1e3);
                if !matches!(answer, Creation::Conflict(_)) {
                    return Err(format!("{} lost what it acknowledged", contender.name()).into());
                }
                peer.settle()?;
                peer.close()?;
            }
        }
        Ok(row)
    }

    /// About how many times [`say`](Self::say) is called.
    pub(crate) fn steps(&self) -> u64 {
        let wants = |topic| usize::from(self.wants(topic));
        let each_round = wants(Topic::Get)
            + 3 * wants(Topic::List)
            + wants(Topic::Conflict)
            + wants(Topic::Create)
            + wants(Topic::Callers);
        let all = Contender::ALL.len();
        let filled = self.topics.iter().any(|it| ![Topic::Memory, Topic::Crash].contains(it));
        let steps = usize::from(filled) * all * (self.size.div_ceil(SLICE) + 2)
            + self.rounds * all * each_round
            + self.rounds * 2 * wants(Topic::Growth)
            + (self.rounds + 1) * 3 * wants(Topic::Memory)
            + (self.rounds + 1) * all * wants(Topic::Crash);
        steps as u64
    }
}

/// Conflicts a second of two callers at once, each with requests of its own.
fn together(store: &Store, prepared: [Outcome<Vec<NewConnection>>; 2]) -> Outcome<f64> {
    let [one, other] = prepared;
    let (one, other) = (one?, other?);
    let many = one.len() + other.len();
    let start = Barrier::new(3);
    let seconds = std::thread::scope(|scope| {
        let callers = [one, other].map(|requests| {
            let start = &start;
            scope.spawn(move || -> Outcome<()> {
                start.wait();
                for request in requests {
                    if !store.conflicts(request)? {
                        return Err("a pair that is taken was free".into());
                    }
                }
                Ok(())
            })
        });
        start.wait();
        let begun = Instant::now();
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        Outcome::Ok(begun.elapsed().as_secs_f64())
    })?;
    Ok(count(many) / seconds)
}
