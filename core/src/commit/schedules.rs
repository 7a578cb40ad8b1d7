//! The queue under a model checker, which decides who runs when: `tests/run schedules`.
//!
//! Every scenario runs over many schedules, drawn at random and by PCT, which looks for bugs that need few
//! preemptions. Whoever is left waiting is a deadlock, and the checker reports it. A schedule that fails is printed;
//! `CONNECTORY_SCHEDULE` runs it again, `CONNECTORY_SEED` all of a run. `CONNECTORY_LONG` multiplies them.

use super::{BATCH_BYTES, BATCH_OPS, Bounds, Full, Queue, SMALL_BYTES, Weight, lock};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::thread;
use std::any::type_name_of_val;
use std::cell::Cell;
use std::env::var;
use std::ops::Add;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex as Notes, MutexGuard, PoisonError};
use std::time::Duration;

/// How many schedules of each kind a scenario is run over.
const RANDOM: usize = 10_000;
const PCT: usize = 5_000;
/// How many preemptions PCT places in a schedule, and one more.
const PCT_DEPTH: usize = 4;
const LONG: usize = 20;

/// Far more than a schedule of these has: one that gets here goes round in circles.
const MAX_STEPS: usize = 100_000;

fn check<F: Fn() + Copy + Send + Sync + 'static>(scenario: F) {
    let name = type_name_of_val(&scenario).trim_end_matches("::{{closure}}");
    let name = name.trim_start_matches("connectory::");
    let _hint = Hint(name);
    if let Ok(schedule) = var("CONNECTORY_SCHEDULE") {
        let mut scheduler = ReplayScheduler::new_from_encoded(&schedule);
        scheduler.set_allow_incomplete();
        run(scheduler, scenario);
        return println!("{name}: the schedule of CONNECTORY_SCHEDULE passes");
    }
    let times = if var("CONNECTORY_LONG").is_ok() { LONG } else { 1 };
    let (random, pct) = (RANDOM * times, PCT * times);
    let seed = var("CONNECTORY_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seed = seed.unwrap_or_else(|| getrandom::u64().unwrap());
    println!("{name}: {random} random schedules, {pct} of PCT, CONNECTORY_SEED={seed}");
    let start = std::time::Instant::now();
    run(RandomScheduler::new_from_seed(seed, random), scenario);
    run(PctScheduler::new_from_seed(seed, PCT_DEPTH, pct), scenario);
    println!("{name}: passed in {:.1} s", start.elapsed().as_secs_f64());
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    // Enough to print a backtrace on.
    config.stack_size = 1 << 20;
    config.max_steps = shuttle::MaxSteps::FailAfter(MAX_STEPS);
    shuttle::Runner::new(scheduler, config).run(scenario);
}

/// Says how to replay a scenario that failed.
struct Hint<'a>(&'a str);

impl Drop for Hint<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "\nreplay the failing schedule that is printed above with\n  \
                CONNECTORY_SCHEDULE=... RUSTFLAGS='--cfg shuttle' cargo test --target-dir target/shuttle \
                --lib -p connectory {} -- --nocapture\n",
                self.0
            );
        }
    }
}

thread_local! {
    // A schedule runs on one thread of the system, whatever it has of its own.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A clock that stands still until a scenario lets [time pass](Watched::pass).
#[derive(Debug, Clone, Copy)]
pub(super) struct Instant(Duration);

impl Instant {
    pub(super) fn now() -> Self {
        Self(NOW.get())
    }

    pub(super) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}

/// How long a caller waits for a place. Time passes only where a scenario says so: elsewhere, for ever.
const WAIT: Duration = Duration::from_secs(2);

const ONE: Weight = Weight { ops: 1, bytes: 100 };

/// In the place of a job, one who runs alone.
const ALONE: usize = usize::MAX;

/// A job's answer is its own number, or the error of the whole batch.
type Answer = Result<usize, &'static str>;

/// The standard library's mutex is never held for long here, so that looking at things changes no schedule.
fn notes<T>(notes: &Notes<T>) -> MutexGuard<'_, T> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A queue where every run is looked at: they never overlap, and leave the line from its front.
struct Watched {
    queue: Queue<usize, Answer>,
    seen: Notes<Seen>,
}

#[derive(Default)]
struct Seen {
    running: bool,
    /// The jobs of each run so far.
    runs: Vec<Vec<usize>>,
    /// The front of the line when last looked at.
    line: Vec<usize>,
}

/// Runs end by panics too.
struct Running<'a>(&'a Watched);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.seen().running = false;
    }
}

impl Watched {
    fn queue(jobs: usize) -> Self {
        let queue = Queue::new(Bounds { jobs, wait: WAIT });
        Self { queue, seen: Notes::default() }
    }

    fn submit(
        &self,
        job: usize,
        weight: Weight,
        run: impl FnOnce(&[usize]) -> Vec<Answer>,
    ) -> Result<Option<Answer>, Full> {
        self.queue.submit(job, weight, |jobs| {
            assert_eq!(jobs.first(), Some(&job), "a leader's own job is the first");
            self.watch(&jobs, || run(&jobs))
        })
    }

    fn alone<T>(&self, run: impl FnOnce() -> T) -> Result<T, Full> {
        self.queue.alone(|| self.watch(&[ALONE], run))
    }

    fn watch<T>(&self, jobs: &[usize], run: impl FnOnce() -> T) -> T {
        let mut seen = self.seen();
        assert!(!seen.running, "{jobs:?} overlap another run");
        seen.running = true;
        seen.runs.push(jobs.to_vec());
        let expected = seen.line.len().min(jobs.len());
        let expected: Vec<usize> = seen.line.drain(..expected).collect();
        assert!(jobs.starts_with(&expected), "{jobs:?} before {expected:?}, who came first");
        drop(seen);
        let _running = Running(self);
        // Whoever would do something meanwhile may.
        thread::yield_now();
        self.look();
        run()
    }

    /// Looks at the line: whoever joined it since joined its end.
    fn look(&self) {
        let line = self.line();
        let mut seen = self.seen();
        assert!(line.starts_with(&seen.line), "{line:?} was {:?}", seen.line);
        seen.line = line;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        notes(&self.seen)
    }

    /// The jobs that wait, in order.
    fn line(&self) -> Vec<usize> {
        let line = lock(&self.queue.line);
        let jobs = line.waiting.iter().map(|ticket| ticket.job.as_ref());
        jobs.map(|job| job.map_or(ALONE, |job| lock(job).expect("nobody has taken it"))).collect()
    }

    /// Lets time pass, and has everybody who waits for a place look at the clock.
    fn pass(&self, time: Duration) {
        let line = lock(&self.queue.line);
        NOW.set(NOW.get() + time);
        drop(line);
        self.queue.room.notify_all();
    }

    fn ran(&self) -> Vec<usize> {
        self.seen().runs.concat()
    }

    /// Nobody leads and nobody waits, and these were run, each of them once.
    fn assert_ran(&self, jobs: impl IntoIterator<Item = usize>) {
        let (mut ran, mut jobs) = (self.ran(), jobs.into_iter().collect::<Vec<_>>());
        ran.sort_unstable();
        jobs.sort_unstable();
        assert_eq!(ran, jobs);
        let line = lock(&self.queue.line);
        assert!(!line.led && line.waiting.is_empty(), "{line:?}");
    }
}

fn own(jobs: &[usize]) -> Vec<Answer> {
    jobs.iter().copied().map(Ok).collect()
}

#[test]
fn every_caller_gets_its_own_answer_and_nobody_is_left_waiting() {
    check(|| {
        let watched = Watched::queue(3);
        let jobs = |caller: usize| [caller * 10, caller * 10 + 1];
        thread::scope(|scope| {
            for caller in 0..4 {
                let watched = &watched;
                scope.spawn(move || {
                    for job in jobs(caller) {
                        assert_eq!(watched.submit(job, ONE, own), Ok(Some(Ok(job))));
                    }
                });
            }
        });
        watched.assert_ran((0..4).flat_map(jobs));
    });
}

#[test]
fn an_error_is_told_to_all_of_its_batch_and_to_nobody_else() {
    check(|| {
        let watched = Watched::queue(100);
        let bad = |jobs: &[usize]| jobs.contains(&1) || jobs.contains(&3);
        let answers = Notes::new(Vec::new());
        thread::scope(|scope| {
            for job in 0..5 {
                let (watched, answers) = (&watched, &answers);
                scope.spawn(move || {
                    let answer = watched.submit(job, ONE, |jobs| {
                        if bad(jobs) { vec![Err("failed"); jobs.len()] } else { own(jobs) }
                    });
                    notes(answers).push((job, answer));
                });
            }
        });
        for (job, answer) in notes(&answers).drain(..) {
            let batch = watched.seen().runs.iter().find(|run| run.contains(&job)).cloned();
            let expected = if bad(&batch.unwrap()) { Err("failed") } else { Ok(job) };
            assert_eq!(answer, Ok(Some(expected)), "{job}");
        }
        watched.assert_ran(0..5);
    });
}

/// What a run panics with on purpose. No hook is called: what that prints is for failures.
#[derive(Debug, PartialEq)]
struct OnPurpose;

/// What `run` returns, or that it panicked on purpose.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, OnPurpose> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast() {
        Ok(on_purpose) => *on_purpose,
        Err(failure) => resume_unwind(failure),
    })
}

#[test]
fn a_panic_abandons_its_batch_and_hands_on_the_lead() {
    check(|| {
        let watched = Watched::queue(100);
        let bad = |jobs: &[usize]| jobs.contains(&1) || jobs.contains(&3);
        let answers = Notes::new(Vec::new());
        thread::scope(|scope| {
            for job in 0..4 {
                let (watched, answers) = (&watched, &answers);
                scope.spawn(move || {
                    let answer = caught(|| {
                        watched.submit(job, ONE, |jobs| {
                            if bad(jobs) { resume_unwind(Box::new(OnPurpose)) } else { own(jobs) }
                        })
                    });
                    notes(answers).push((job, answer));
                });
            }
            scope.spawn(|| {
                let alone = caught(|| watched.alone(|| resume_unwind(Box::new(OnPurpose))));
                assert_eq!(alone, Err::<Result<(), Full>, _>(OnPurpose));
            });
        });
        for (job, answer) in notes(&answers).drain(..) {
            let batch = watched.seen().runs.iter().find(|run| run.contains(&job)).cloned().unwrap();
            let expected = match (bad(&batch), batch[0] == job) {
                (true, true) => Err(OnPurpose),
                (true, false) => Ok(Ok(None)),
                (false, _) => Ok(Ok(Some(Ok(job)))),
            };
            assert_eq!(answer, expected, "{job} of {batch:?}");
        }
        assert_eq!(watched.submit(4, ONE, own), Ok(Some(Ok(4))));
        watched.assert_ran([0, 1, 2, 3, 4, ALONE]);
    });
}

#[test]
fn a_full_queue_turns_away_in_time_whoever_finds_no_place() {
    check(|| {
        let watched = Watched::queue(1);
        let (answered, refused) = (Notes::new(Vec::new()), Notes::new(Vec::new()));
        // Of four, one leads and one has the only place; until the leader gets to run, it is the one who has it.
        let two_refused = || notes(&refused).len() >= 2;
        thread::scope(|scope| {
            for job in 0..4 {
                let (watched, answered, refused) = (&watched, &answered, &refused);
                scope.spawn(move || {
                    let asked = Instant::now();
                    let answer = watched.submit(job, ONE, |jobs| {
                        while !two_refused() {
                            thread::yield_now();
                        }
                        own(jobs)
                    });
                    if answer == Err(Full) {
                        assert!(Instant::now().saturating_duration_since(asked) >= WAIT);
                        notes(refused).push(job);
                    } else {
                        assert_eq!(answer, Ok(Some(Ok(job))));
                        notes(answered).push(job);
                    }
                });
            }
            scope.spawn(|| {
                while !two_refused() {
                    watched.pass(WAIT / 2);
                    thread::yield_now();
                }
            });
        });
        assert_eq!(notes(&answered).len() + notes(&refused).len(), 4);
        watched.assert_ran(notes(&answered).drain(..));
    });
}

/// Asks for a job, or for the lead alone, and notes that it was answered; who is turned away has waited for a place.
fn ask_or_be_turned_away(watched: &Watched, answered: &Notes<Vec<usize>>, job: usize) {
    let asked = Instant::now();
    let answer =
        if job == ALONE { watched.alone(|| Some(Ok(job))) } else { watched.submit(job, ONE, own) };
    if answer == Err(Full) {
        assert!(Instant::now().saturating_duration_since(asked) >= WAIT);
    } else {
        assert_eq!(answer, Ok(Some(Ok(job))));
        notes(answered).push(job);
    }
}

#[test]
fn whoever_waits_for_a_place_is_let_in_or_turned_away_and_nothing_is_lost() {
    check(|| {
        let watched = Watched::queue(1);
        let answered = Notes::new(Vec::new());
        thread::scope(|scope| {
            for job in [0, 1, 2, ALONE] {
                let (watched, answered) = (&watched, &answered);
                scope.spawn(move || ask_or_be_turned_away(watched, answered, job));
            }
            scope.spawn(|| watched.pass(WAIT));
        });
        watched.assert_ran(notes(&answered).drain(..));
    });
}

#[test]
fn one_who_runs_alone_overlaps_nobody_and_makes_room() {
    check(|| {
        let watched = Watched::queue(1);
        thread::scope(|scope| {
            for caller in 0..4 {
                let watched = &watched;
                scope.spawn(move || {
                    for _ in 0..2 {
                        if caller % 2 == 0 {
                            assert_eq!(watched.alone(|| caller), Ok(caller));
                        } else {
                            assert_eq!(watched.submit(caller, ONE, own), Ok(Some(Ok(caller))));
                        }
                    }
                });
            }
        });
        watched.assert_ran([1, 1, 3, 3, ALONE, ALONE, ALONE, ALONE]);
    });
}

#[test]
fn whoever_comes_while_the_lead_is_held_is_let_in_or_turned_away() {
    check(|| {
        let watched = Watched::queue(2);
        let answered = Notes::new(Vec::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                if let Ok(held) = Queue::hold(&watched.queue) {
                    watched.watch(&[ALONE], || ());
                    thread::yield_now();
                    watched.watch(&[], || ());
                    drop(held);
                    notes(&answered).push(ALONE);
                }
            });
            for job in [0, 1, ALONE] {
                let (watched, answered) = (&watched, &answered);
                scope.spawn(move || ask_or_be_turned_away(watched, answered, job));
            }
            scope.spawn(|| watched.pass(WAIT));
        });
        assert!(!lock(&watched.queue.line).held);
        watched.assert_ran(notes(&answered).drain(..));
    });
}

#[test]
fn whoever_is_behind_one_that_closes_is_told_so() {
    check(|| {
        let watched = Watched::queue(2);
        let (closed, answers) = (Notes::new(None), Notes::new(Vec::new()));
        thread::scope(|scope| {
            for job in 0..3 {
                let (watched, closed, answers) = (&watched, &closed, &answers);
                scope.spawn(move || {
                    let answer = watched.submit(job, ONE, |jobs| {
                        let closed = notes(closed).is_some();
                        if closed { vec![Err("closed"); jobs.len()] } else { own(jobs) }
                    });
                    notes(answers).push((job, answer));
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let close = || *notes(&closed).get_or_insert(watched.ran().len());
                    assert!(watched.alone(close).is_ok());
                });
            }
        });
        let closed = notes(&closed).unwrap();
        for (job, answer) in notes(&answers).drain(..) {
            let before = watched.ran()[..closed].contains(&job);
            let expected = if before { Ok(job) } else { Err("closed") };
            assert_eq!(answer, Ok(Some(expected)), "{job}, closed at {closed}");
        }
        watched.assert_ran([0, 1, 2, ALONE, ALONE]);
    });
}

#[test]
fn a_batch_takes_all_that_fits_and_no_more() {
    const WEIGHTS: [Weight; 4] = [
        ONE,
        Weight { ops: 1, bytes: SMALL_BYTES },
        Weight { ops: 1, bytes: BATCH_BYTES },
        Weight { ops: BATCH_OPS, bytes: 0 },
    ];
    fn fits(leader: Weight, followers: &[usize]) -> bool {
        let bytes = if leader.bytes < SMALL_BYTES { SMALL_BYTES } else { BATCH_BYTES };
        followers.iter().all(|&job| job != ALONE)
            && followers.iter().map(|&job| WEIGHTS[job].ops).sum::<usize>() <= BATCH_OPS
            && followers.iter().map(|&job| WEIGHTS[job].bytes).sum::<usize>() <= bytes
    }
    check(|| {
        let watched = Watched::queue(100);
        thread::scope(|scope| {
            // Their batches are made once all of them wait, in whatever order they came.
            let gather = || {
                for (job, weight) in WEIGHTS.into_iter().enumerate() {
                    let watched = &watched;
                    scope.spawn(move || {
                        assert_eq!(watched.submit(job, weight, own), Ok(Some(Ok(job))));
                    });
                }
                scope.spawn(|| watched.alone(|| ()));
                while watched.line().len() <= WEIGHTS.len() {
                    thread::yield_now();
                }
                watched.look();
            };
            assert_eq!(watched.alone(gather), Ok(()));
        });
        let runs = watched.seen().runs.clone();
        for (n, batch) in runs.iter().enumerate().filter(|(_, batch)| batch[0] != ALONE) {
            let (leader, followers) = (WEIGHTS[batch[0]], &batch[1..]);
            assert!(fits(leader, followers), "{batch:?}");
            if let Some(next) = runs.get(n + 1) {
                let more = [followers, &next[..1]].concat();
                assert!(!fits(leader, &more), "{batch:?} without {next:?}");
            }
        }
        watched.assert_ran([0, 1, 2, 3, ALONE, ALONE]);
    });
}
