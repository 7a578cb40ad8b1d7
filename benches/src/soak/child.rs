//! The process with the store: workers that use it, and what is done to it meanwhile. It may be killed at any moment.

use crate::Outcome;
use crate::follower::follow;
use crate::holdings::{Holdings, all};
use crate::kind::Times;
use crate::machine::status_mib;
use crate::message::{Message, Sample, Teller, Upkeep};
use crate::space::Space;
use crate::worker::Worker;
use clap::Args;
use connectory::{FileStorage, Store};
use connectory_benches::bytes_on_disk;
use fastrand::Rng;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// For so long calls are summed up together.
const WINDOW: Duration = Duration::from_secs(1);

/// What the process with the store is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Child {
    /// Where the store is.
    #[arg(long)]
    pub(crate) store: PathBuf,
    /// Decides on what is done.
    #[arg(long)]
    pub(crate) seed: u64,
    /// How many use the store at once.
    #[arg(long)]
    pub(crate) workers: u16,
    /// Profiles of each.
    #[arg(long)]
    pub(crate) profiles: u16,
    /// Domains of all.
    #[arg(long)]
    pub(crate) domains: u16,
    /// Writes from one upkeep to the next.
    #[arg(long)]
    pub(crate) upkeep: u64,
}

/// What the threads of the process share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The store as it was opened last. Whoever closes and opens it has others wait here.
    place: RwLock<Store>,
    teller: Teller,
    pub(crate) times: Times,
    is_stopped: AtomicBool,
    writes: AtomicU64,
    upkeep: u64,
    due: Mutex<Option<Sender<()>>>,
}

impl Shared {
    pub(crate) fn store(&self) -> Store {
        self.place.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn tell(&self, message: &Message) -> Outcome<()> {
        self.teller.tell(message)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.due.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Counts a write; after so many the store is looked after.
    pub(crate) fn wrote(&self) -> Outcome<()> {
        let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if writes.is_multiple_of(self.upkeep)
            && let Some(due) = &*self.due.lock().unwrap_or_else(PoisonError::into_inner)
        {
            due.send(())?;
        }
        Ok(())
    }

    /// Tells what a thread failed with, and stops the others.
    fn watch(&self, thread: &str, run: impl FnOnce() -> Outcome<()>) {
        if let Err(error) = run() {
            self.tell(&Message::Wrong(format!("{thread}: {error}"))).ok();
            self.stop();
        }
    }
}

fn check(store: &Store) -> Outcome<()> {
    let report = store.check()?;
    if report.is_sound() { Ok(()) } else { Err(format!("it is not sound: {report:?}").into()) }
}

impl Child {
    pub(crate) fn space(&self) -> Space {
        Space { profiles: self.profiles, domains: self.domains }
    }

    /// Opens the store, tells what is there, and uses it until standard input ends.
    pub(crate) fn run(&self) -> Outcome<()> {
        let teller = Teller::new()?;
        match self.open(&teller) {
            Ok((store, holdings)) => self.live(store, teller, holdings),
            Err(error) => teller.tell(&Message::Wrong(format!("on opening: {error}"))),
        }
    }

    fn open(&self, teller: &Teller) -> Outcome<(Store, Vec<Holdings>)> {
        let store = Store::open(&self.store)?;
        let holdings = all(&store, self.workers)?;
        check(&store)?;
        for one in &holdings {
            teller.tell(&Message::Holds(one.clone()))?;
        }
        teller.tell(&Message::Opened { last_change: store.stats()?.last_change })?;
        Ok((store, holdings))
    }

    fn live(&self, store: Store, teller: Teller, holdings: Vec<Holdings>) -> Outcome<()> {
        let mut random = Rng::with_seed(self.seed);
        let (due, is_due) = channel();
        let shared = Shared {
            place: RwLock::new(store),
            teller,
            times: Times::default(),
            is_stopped: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            upkeep: self.upkeep,
            due: Mutex::new(Some(due)),
        };
        let mut leave = String::new();
        std::io::stdin().read_line(&mut leave)?;
        std::thread::scope(|scope| {
            let shared = &shared;
            let (running, is_over) = channel::<()>();
            for (number, holdings) in (0..).zip(holdings) {
                let worker = Worker::new(shared, number, self.space(), random.fork(), holdings);
                scope.spawn(move || shared.watch("a worker", || worker.run()));
            }
            let mut random = random.fork();
            scope.spawn(move || {
                shared.watch("upkeep", || self.look_after(shared, &is_due, &mut random));
            });
            scope.spawn(move || shared.watch("the follower", || follow(shared)));
            scope.spawn(move || shared.watch("sampling", || self.sample(shared, &is_over)));
            // Only the end of it is waited for: nothing more is said.
            std::io::stdin().read_line(&mut leave).ok();
            shared.stop();
            drop(running);
        });
        let closed = shared.store().close();
        match closed {
            Ok(()) => shared.tell(&Message::Closed),
            Err(error) => shared.tell(&Message::Wrong(format!("on closing: {error}"))),
        }
    }

    /// Makes checkpoints, and now and then closes the store, which compacts it, opens it again and checks it.
    fn look_after(&self, shared: &Shared, is_due: &Receiver<()>, random: &mut Rng) -> Outcome<()> {
        for () in is_due {
            if random.u8(..4) > 0 {
                shared.tell(&Message::Begun(Upkeep::Checkpoint))?;
                shared.store().checkpoint()?;
                continue;
            }
            let mut place = shared.place.write().unwrap_or_else(PoisonError::into_inner);
            shared.tell(&Message::Begun(Upkeep::Close))?;
            place.close()?;
            shared.tell(&Message::Begun(Upkeep::Open))?;
            *place = Store::open(&self.store)?;
            let store = place.clone();
            drop(place);
            shared.tell(&Message::Begun(Upkeep::Check))?;
            check(&store)?;
        }
        Ok(())
    }

    fn sample(&self, shared: &Shared, is_over: &Receiver<()>) -> Outcome<()> {
        let storage = FileStorage::new(&self.store);
        let mut begun = Instant::now();
        loop {
            let is_last = match is_over.recv_timeout(WINDOW) {
                Err(RecvTimeoutError::Timeout) => false,
                Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            };
            let latencies = shared.times.sum_up();
            let now = Instant::now();
            let connections = match shared.store().stats() {
                Ok(stats) => stats.connections,
                // It is being closed.
                Err(_) => shared.store().stats()?.connections,
            };
            let sample = Sample {
                resident_mib: status_mib("VmRSS").ok_or("the system does not say")?,
                store_bytes: bytes_on_disk(storage.path())?,
                log_bytes: bytes_on_disk(&storage.log_path())?,
                connections,
                seconds: now.duration_since(begun).as_secs_f64(),
                latencies,
            };
            shared.tell(&Message::Sample(sample))?;
            if is_last {
                return Ok(());
            }
            begun = now;
        }
    }
}

impl From<Child> for Vec<String> {
    fn from(child: Child) -> Self {
        let Child { store, seed, workers, profiles, domains, upkeep } = child;
        [
            format!("--store={}", store.display()),
            format!("--seed={seed}"),
            format!("--workers={workers}"),
            format!("--profiles={profiles}"),
            format!("--domains={domains}"),
            format!("--upkeep={upkeep}"),
        ]
        .into()
    }
}
