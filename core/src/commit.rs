//! [`Queue`], by which many callers share one commit.
//!
//! A caller that finds nobody leading leads: it takes what waits behind it, as much as makes a good batch, runs
//! the batch on its own thread, hands every caller its answer and the lead to the oldest that still waits. Nobody
//! waits on purpose: whatever arrives during one commit is the next batch. There is no thread to start or stop,
//! and where there is only one thread a caller always leads and never waits.

#[cfg(all(test, shuttle))]
mod schedules;
mod sync;

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::PoisonError;
use std::time::Duration;
use sync::{Arc, Condvar, Instant, Mutex, MutexGuard};

/// A batch has at most this many operations, beyond its leader's own.
const BATCH_OPS: usize = 512;
/// A batch has at most this many bytes, beyond its leader's own.
const BATCH_BYTES: usize = 1 << 20;
/// A leader with fewer bytes than this takes at most as many again: a small write should not wait for large ones.
const SMALL_BYTES: usize = 128 << 10;

/// How much a job weighs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weight {
    pub(crate) ops: usize,
    pub(crate) bytes: usize,
}

/// How long the queue may grow, and how long a caller waits for a place in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) jobs: usize,
    pub(crate) wait: Duration,
}

/// Jobs of type `J`, answered with `A`, in the order of their arrival.
#[derive(Debug)]
pub(crate) struct Queue<J, A> {
    line: Mutex<Line<J, A>>,
    /// Signalled whenever the line gets shorter, and when a lead that was held goes.
    room: Condvar,
    bounds: Bounds,
}

#[derive(Debug)]
struct Line<J, A> {
    waiting: VecDeque<Arc<Ticket<J, A>>>,
    led: bool,
    /// Whether the lead is held for as long as its holder likes: there is no place in the line meanwhile.
    held: bool,
}

#[derive(Debug)]
struct Ticket<J, A> {
    /// `None` for one who wants the lead alone.
    job: Option<Mutex<Option<J>>>,
    weight: Weight,
    turn: Mutex<Turn<A>>,
    changed: Condvar,
}

#[derive(Debug)]
enum Turn<A> {
    Waiting,
    Leading,
    Answered(Option<A>),
}

/// What a waiting caller is called for.
enum Call<A> {
    Lead,
    /// `None` where the batch was abandoned.
    Answer(Option<A>),
}

/// No answer: the queue was full for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A leader that panics holds none of these locks while it runs a batch; what they guard is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<J, A> Queue<J, A> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let line = Line { waiting: VecDeque::new(), led: false, held: false };
        Self { line: Mutex::new(line), room: Condvar::new(), bounds }
    }

    /// Waits until `job` is answered, as part of a batch that this caller or another one runs with `run`.
    ///
    /// `run` answers every job it is given, in order. `None` is the answer of a batch whose leader panicked.
    pub(crate) fn submit(
        &self,
        job: J,
        weight: Weight,
        run: impl FnOnce(Vec<J>) -> Vec<A>,
    ) -> Result<Option<A>, Full> {
        let ticket = self.enter(Some(Mutex::new(Some(job))), weight)?;
        if let Call::Answer(answer) = ticket.wait() {
            return Ok(answer);
        }
        let mut lead = Lead { queue: self, batch: self.take_batch(&ticket) };
        let jobs =
            lead.batch.iter().filter_map(|ticket| lock(ticket.job.as_ref()?).take()).collect();
        let mut answers = run(jobs).into_iter();
        // The first ticket is this caller's own.
        let own = answers.next();
        for ticket in lead.batch.drain(..).skip(1) {
            ticket.answer(answers.next());
        }
        Ok(own)
    }

    /// Waits for the lead and runs `run` while holding it: no batch runs meanwhile.
    pub(crate) fn alone<T>(&self, run: impl FnOnce() -> T) -> Result<T, Full> {
        let _lead = Self::lead(self, false)?;
        Ok(run())
    }

    /// Waits for the lead, to hold it until it is dropped: no batch runs meanwhile, and whoever comes waits for a place
    /// no longer than where the queue is full.
    pub(crate) fn hold<Q: Deref<Target = Self>>(queue: Q) -> Result<Lead<Q, J, A>, Full> {
        Self::lead(queue, true)
    }

    fn lead<Q: Deref<Target = Self>>(queue: Q, is_held: bool) -> Result<Lead<Q, J, A>, Full> {
        let ticket = queue.enter(None, Weight::default())?;
        // Nobody answers a ticket without a job: it always comes to lead.
        ticket.wait();
        let mut line = lock(&queue.line);
        line.waiting.pop_front();
        line.held = is_held;
        drop(line);
        queue.room.notify_one();
        Ok(Lead { queue, batch: Vec::new() })
    }

    fn enter(
        &self,
        job: Option<Mutex<Option<J>>>,
        weight: Weight,
    ) -> Result<Arc<Ticket<J, A>>, Full> {
        let mut line = lock(&self.line);
        if line.is_full(self.bounds) {
            if cfg!(all(target_family = "wasm", target_os = "unknown")) {
                // There are no threads: nobody makes room while this one waits.
                return Err(Full);
            }
            let deadline = Instant::now() + self.bounds.wait;
            while line.is_full(self.bounds) {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Full);
                }
                line = self
                    .room
                    .wait_timeout(line, left)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(line, _)| line);
            }
        }
        let turn = if line.led { Turn::Waiting } else { Turn::Leading };
        line.led = true;
        let ticket =
            Arc::new(Ticket { job, weight, turn: Mutex::new(turn), changed: Condvar::new() });
        line.waiting.push_back(Arc::clone(&ticket));
        Ok(ticket)
    }

    /// Takes the leader's ticket, which is the first, and those behind it that fit.
    fn take_batch(&self, leader: &Ticket<J, A>) -> Vec<Arc<Ticket<J, A>>> {
        let mut line = lock(&self.line);
        let mut ops = BATCH_OPS + leader.weight.ops;
        let mut bytes = leader.weight.bytes
            + if leader.weight.bytes < SMALL_BYTES { SMALL_BYTES } else { BATCH_BYTES };
        let mut batch = Vec::new();
        while let Some(next) = line.waiting.front() {
            if next.job.is_none() || next.weight.ops > ops || next.weight.bytes > bytes {
                break;
            }
            ops -= next.weight.ops;
            bytes -= next.weight.bytes;
            batch.extend(line.waiting.pop_front());
        }
        drop(line);
        self.room.notify_all();
        batch
    }
}

impl<J, A> Line<J, A> {
    fn is_full(&self, bounds: Bounds) -> bool {
        self.held || self.waiting.len() >= bounds.jobs
    }
}

impl<J, A> Ticket<J, A> {
    /// Waits for the answer, or for the lead.
    fn wait(&self) -> Call<A> {
        let mut turn = lock(&self.turn);
        loop {
            match &mut *turn {
                Turn::Leading => return Call::Lead,
                Turn::Answered(answer) => return Call::Answer(answer.take()),
                Turn::Waiting => {
                    turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn answer(&self, answer: Option<A>) {
        *lock(&self.turn) = Turn::Answered(answer);
        self.changed.notify_one();
    }
}

/// The lead. When it goes, by return or by panic, whoever was not answered is told so, and the next one leads.
#[derive(Debug)]
pub(crate) struct Lead<Q: Deref<Target = Queue<J, A>>, J, A> {
    queue: Q,
    batch: Vec<Arc<Ticket<J, A>>>,
}

impl<Q: Deref<Target = Queue<J, A>>, J, A> Drop for Lead<Q, J, A> {
    fn drop(&mut self) {
        for ticket in self.batch.drain(..) {
            ticket.answer(None);
        }
        let mut line = lock(&self.queue.line);
        match line.waiting.front() {
            Some(next) => {
                *lock(&next.turn) = Turn::Leading;
                next.changed.notify_one();
            }
            None => line.led = false,
        }
        if std::mem::take(&mut line.held) {
            self.queue.room.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const ONE: Weight = Weight { ops: 1, bytes: 100 };

    fn queue(jobs: usize) -> Queue<usize, usize> {
        Queue::new(Bounds { jobs, wait: Duration::from_secs(60) })
    }

    #[test]
    fn every_caller_gets_its_own_answer_even_through_a_full_queue() {
        let (queue, batches, largest) = (queue(3), AtomicUsize::new(0), AtomicUsize::new(0));
        // Miri runs all of them in turns.
        let (callers, jobs) = if cfg!(miri) { (4, 10) } else { (16, 500) };
        std::thread::scope(|scope| {
            for caller in 0..callers {
                let (queue, batches, largest) = (&queue, &batches, &largest);
                scope.spawn(move || {
                    for n in 0..jobs {
                        let job = caller * 1000 + n;
                        let answer = queue.submit(job, ONE, |jobs| {
                            batches.fetch_add(1, Ordering::Relaxed);
                            largest.fetch_max(jobs.len(), Ordering::Relaxed);
                            jobs.into_iter().map(|job| job + 1).collect()
                        });
                        assert_eq!(answer, Ok(Some(job + 1)));
                    }
                });
            }
        });
        assert!((1..=3).contains(&largest.into_inner()), "no more than the queue holds");
        assert!(!lock(&queue.line).led);
    }

    #[test]
    fn a_panic_fails_its_batch_and_nothing_else() {
        let queue = queue(100);
        let led = Barrier::new(2);
        std::thread::scope(|scope| {
            let leader = scope.spawn(|| {
                queue.submit(1, ONE, |_| {
                    led.wait();
                    panic!("on purpose");
                })
            });
            led.wait();
            assert_eq!(queue.submit(2, ONE, |jobs| jobs), Ok(Some(2)));
            assert!(leader.join().is_err());
        });
        assert_eq!(queue.submit(3, ONE, |jobs| jobs), Ok(Some(3)));
    }

    #[test]
    fn a_full_queue_turns_away_whoever_has_waited_long_enough() {
        let queue = Queue::new(Bounds { jobs: 1, wait: Duration::ZERO });
        let (busy, tried) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let answer = queue.submit(1, ONE, |jobs| {
                    busy.wait();
                    tried.wait();
                    jobs
                });
                assert_eq!(answer, Ok(Some(1)));
            });
            busy.wait();
            let waiting = scope.spawn(|| queue.submit(2, ONE, |jobs| jobs));
            while lock(&queue.line).waiting.is_empty() {
                std::thread::yield_now();
            }
            assert_eq!(queue.submit(3, ONE, |jobs| jobs), Err(Full));
            tried.wait();
            assert_eq!(waiting.join().unwrap(), Ok(Some(2)));
        });
    }

    #[test]
    fn one_who_runs_alone_is_in_no_batch() {
        let queue = queue(100);
        let running = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for caller in 0..8 {
                let (queue, running) = (&queue, &running);
                scope.spawn(move || {
                    for n in 0..200 {
                        let check = || {
                            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                            running.fetch_sub(1, Ordering::SeqCst);
                        };
                        if caller % 2 == 0 {
                            queue.alone(check).unwrap();
                        } else {
                            let answer = queue.submit(n, ONE, |jobs| {
                                check();
                                jobs
                            });
                            assert_eq!(answer, Ok(Some(n)));
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn while_the_lead_is_held_there_is_no_place() {
        let queue = std::sync::Arc::new(Queue::new(Bounds { jobs: 100, wait: Duration::ZERO }));
        let held = Queue::hold(std::sync::Arc::clone(&queue)).unwrap();
        assert_eq!(queue.submit(1, ONE, |jobs| jobs), Err(Full));
        assert_eq!(queue.alone(|| ()), Err(Full));
        assert!(Queue::hold(&*queue).is_err());
        drop(held);
        assert_eq!(queue.submit(1, ONE, |jobs| jobs), Ok(Some(1)));
        assert!(!lock(&queue.line).led);
    }

    #[test]
    fn a_small_leader_takes_a_small_batch() {
        let queue = queue(100);
        let (busy, filled) = (Barrier::new(2), Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                queue.submit(0, ONE, |jobs| {
                    busy.wait();
                    filled.wait();
                    jobs
                })
            });
            busy.wait();
            let large = Weight { ops: 1, bytes: SMALL_BYTES };
            for (n, weight) in [(1, ONE), (2, ONE), (3, large), (4, ONE)] {
                let (queue, before) = (&queue, lock(&queue.line).waiting.len());
                scope.spawn(move || {
                    let answer = queue.submit(n, weight, |jobs| {
                        let expected: &[usize] = if n == 1 { &[1, 2] } else { &[3, 4] };
                        assert_eq!(jobs, expected);
                        jobs
                    });
                    assert_eq!(answer, Ok(Some(n)));
                });
                while lock(&queue.line).waiting.len() == before {
                    std::thread::yield_now();
                }
            }
            filled.wait();
        });
    }
}
