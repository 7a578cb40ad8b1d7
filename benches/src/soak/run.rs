//! [`Run`], the soak itself: one process after the other, and what was seen.

use crate::Outcome;
use crate::act::{Act, request};
use crate::child::Child;
use crate::holdings::all;
use crate::ledger::Ledger;
use crate::life::Life;
use crate::message::{Message, Sample, Upkeep};
use crate::plan::{Clock, Ending, Length, Weather};
use crate::space::TAKEN_OF_FIVE;
use connectory::{FileStorage, Store};
use fastrand::Rng;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// What connections are made with that are there before.
const FIRST_VERSION: u32 = 1;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) length: Length,
    pub(crate) seed: u64,
    /// The most acknowledged writes of a process in a storm.
    pub(crate) life: u64,
    /// What each process is told; the seed is another each time.
    pub(crate) child: Child,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) samples: Vec<Seen>,
    pub(crate) counts: Counts,
    /// When processes were killed.
    pub(crate) killed_at: Vec<Duration>,
    pub(crate) lasted: Duration,
}

/// A sample, and when it was taken.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) quarter: usize,
    /// How old the process was.
    pub(crate) age: Duration,
    pub(crate) sample: Sample,
}

/// What happened how often.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) operations: u64,
    pub(crate) acknowledged: u64,
    pub(crate) unanswered: u64,
    pub(crate) done_unanswered: u64,
    pub(crate) lives: u64,
    pub(crate) kills: u64,
    pub(crate) kills_in_upkeep: u64,
    pub(crate) closes: u64,
    pub(crate) reopened: u64,
    pub(crate) checkpoints: u64,
    pub(crate) connections: usize,
}

impl Run {
    /// Does what is planned. Whatever is not as it must be is an error.
    pub(crate) fn of(plan: &Plan, bar: &ProgressBar) -> Outcome<Self> {
        let mut random = Rng::with_seed(plan.seed);
        let mut run = Self::default();
        let mut ledger = Ledger::new(plan.child.workers);
        fill(&plan.child, &mut ledger, &mut random)?;
        let clock = Clock::begin(plan.length, ledger.acknowledged);
        while let Some(quarter) = clock.quarter(ledger.acknowledged) {
            let child = Child { seed: random.u64(..), ..plan.child.clone() };
            let after = match Weather::of(quarter) {
                Weather::Storm => Some(ledger.acknowledged + random.u64(..plan.life)),
                Weather::Calm => None,
            };
            let mut life = Life::begin(child, &mut ledger)?;
            run.counts.lives += 1;
            let ending = Ending::draw(&mut random);
            let course = Course { bar, clock: &clock, quarter, after, ending };
            run.live(&mut life, &mut ledger, &course)?;
        }
        run.lasted = clock.elapsed();
        // The last one may have been killed, so this may have a log to replay.
        let storage = FileStorage::existing(&plan.child.store);
        let store = Store::open(storage.path())?;
        let stats = store.stats()?;
        ledger.reconcile(&all(&store, plan.child.workers)?, stats.last_change)?;
        let report = store.check()?;
        if !report.is_sound() || !report.pages_checked {
            return Err(format!("it is not sound: {report:?}").into());
        }
        if stats.connections != ledger.connections() as u64 {
            return Err(format!("{stats:?}, but {} connections", ledger.connections()).into());
        }
        store.close()?;
        let counts = &mut run.counts;
        counts.acknowledged = ledger.acknowledged;
        counts.unanswered = ledger.unanswered;
        counts.done_unanswered = ledger.done_unanswered;
        counts.connections = ledger.connections();
        Ok(run)
    }

    /// Listens to a process until it has ended as it should.
    fn live(&mut self, life: &mut Life, ledger: &mut Ledger, course: &Course<'_>) -> Outcome<()> {
        let born = Instant::now();
        let mut ended = None;
        let mut is_closed = false;
        while let Some(message) = life.hear()? {
            let in_upkeep = matches!(message, Message::Begun(_));
            match message {
                Message::Begins { worker, act } => ledger.begins(worker, act)?,
                Message::Done { worker, id } => ledger.done(worker, id.as_deref())?,
                Message::Undone { worker } => ledger.undone(worker)?,
                Message::Begun(Upkeep::Checkpoint) => self.counts.checkpoints += 1,
                Message::Begun(Upkeep::Check) => self.counts.reopened += 1,
                Message::Begun(Upkeep::Close | Upkeep::Open) => {}
                Message::Sample(sample) => {
                    let calls = sample.latencies.iter().map(|latency| latency.count);
                    self.counts.operations += calls.sum::<u64>();
                    let (at, age) = (course.clock.elapsed(), born.elapsed());
                    self.samples.push(Seen { at, quarter: course.quarter, age, sample });
                }
                Message::Wrong(what) => return Err(what.into()),
                Message::Closed => is_closed = true,
                Message::Holds(_) | Message::Opened { .. } => return Err("opened twice".into()),
            }
            course.bar.set_position(course.clock.per_mille(ledger.acknowledged).min(1000));
            let is_over = course.clock.quarter(ledger.acknowledged) != Some(course.quarter);
            let is_time = is_over || course.after.is_some_and(|after| ledger.acknowledged >= after);
            if ended.is_some() || !is_time {
                continue;
            }
            match course.ending {
                Ending::KilledInUpkeep if !in_upkeep && !is_over => continue,
                Ending::Closed => life.stop(),
                Ending::Killed | Ending::KilledInUpkeep => {
                    life.kill()?;
                    self.killed_at.push(course.clock.elapsed());
                    self.counts.kills += 1;
                    self.counts.kills_in_upkeep += u64::from(in_upkeep);
                }
            }
            ended = Some(course.ending);
        }
        let status = life.wait()?;
        let is_right = match ended {
            Some(Ending::Closed) => {
                self.counts.closes += 1;
                status.success() && is_closed
            }
            // What it said before it was killed may have been the last.
            Some(_) => !status.success(),
            None => false,
        };
        if is_right { Ok(()) } else { Err(format!("a process ended by itself: {status}").into()) }
    }
}

/// Makes as many connections as there will be throughout.
fn fill(child: &Child, ledger: &mut Ledger, random: &mut Rng) -> Outcome<()> {
    let store = Store::open(&child.store)?;
    for worker in 0..child.workers {
        let pairs: Vec<_> =
            child.space().pairs().filter(|_| random.u8(..5) < TAKEN_OF_FIVE).collect();
        let requests = pairs.iter().map(|&pair| request(worker, pair, FIRST_VERSION, None));
        let creations = store.create_many(requests.collect::<Outcome<Vec<_>>>()?);
        for (&pair, creation) in pairs.iter().zip(creations) {
            ledger.begins(worker, Act::Create { pair, version: FIRST_VERSION, proxy: None })?;
            ledger.done(worker, Some(&creation?.id().to_string()))?;
        }
    }
    Ok(store.close()?)
}

/// How it goes with one process.
#[derive(Debug)]
struct Course<'a> {
    bar: &'a ProgressBar,
    clock: &'a Clock,
    quarter: usize,
    /// It is to end after so many acknowledged writes, of all; or with the quarter.
    after: Option<u64>,
    ending: Ending,
}
