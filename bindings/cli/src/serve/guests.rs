//! [`Guests`], who is connected, and who is let go when there is no place for another.
//!
//! A connection is busy while the server works for it; otherwise the server waits for its client: for a request, for a body, or for an
//! answer to be read. Only who is waited for is let go, so no work is lost, and a client that says at once what it wants is
//! answered, however many others say nothing. Strangers go first: who has been served keeps its connection while there are any.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

#[derive(Debug)]
pub(crate) struct Guests {
    places: Arc<Semaphore>,
    most: u32,
    book: Mutex<Book>,
}

/// The turn of a client that is waited for: strangers before others, then whoever has been waited for longest.
type Turn = (bool, u64);

#[derive(Debug, Default)]
struct Book {
    waited_for: BTreeMap<Turn, Arc<Line>>,
    last: u64,
    /// So many are at the door for whom nobody was let go: all were busy.
    wanted: u32,
    /// Nobody is let in any more.
    is_over: bool,
}

/// What the server and the task of a connection tell each other.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The connection is to end now.
    go: Notify,
    /// A request has come that is not answered.
    has_request: AtomicBool,
    /// The client does not read what was sent.
    is_unread: AtomicBool,
}

impl Line {
    pub(crate) fn unread(&self, is_unread: bool) {
        self.is_unread.store(is_unread, Ordering::Relaxed);
    }

    pub(crate) async fn told_to_go(&self) {
        self.go.notified().await;
    }

    fn is_idle(&self) -> bool {
        !self.has_request.load(Ordering::Relaxed) && !self.is_unread.load(Ordering::Relaxed)
    }
}

impl Book {
    fn let_one_go(&mut self) -> bool {
        let Some((_, line)) = self.waited_for.pop_first() else { return false };
        line.go.notify_one();
        true
    }
}

impl Guests {
    pub(crate) fn new(most: u32) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(most as usize));
        Arc::new(Self { places, most, book: Mutex::default() })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more, at the cost of another where there is none; `None` at the end.
    pub(crate) async fn seat(self: &Arc<Self>) -> Option<Arc<Guest>> {
        let places = Arc::clone(&self.places);
        let place = if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            place
        } else {
            self.make_room();
            places.acquire_owned().await.ok()?
        };
        let line = Arc::new(Line::default());
        let state = Mutex::new(State::default());
        let guest = Arc::new(Guest { guests: Arc::clone(self), line, state, _place: place });
        guest.wait();
        (!self.book().is_over).then_some(guest)
    }

    /// Lets one go: now, or as soon as there is one that is not busy.
    pub(crate) fn make_room(&self) {
        let mut book = self.book();
        if !book.let_one_go() {
            book.wanted += 1;
        }
    }

    /// Lets nobody in any more, and those go that want nothing at this moment.
    pub(crate) fn dismiss_idle(&self) {
        let mut book = self.book();
        book.is_over = true;
        book.waited_for.retain(|_, line| {
            let is_idle = line.is_idle();
            if is_idle {
                line.go.notify_one();
            }
            !is_idle
        });
    }

    /// Waits until all have gone; whether they have in time.
    pub(crate) async fn gone(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.places.acquire_many(self.most)).await.is_ok()
    }
}

#[derive(Debug)]
pub(crate) struct Guest {
    guests: Arc<Guests>,
    pub(crate) line: Arc<Line>,
    state: Mutex<State>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct State {
    /// Whether it was served before.
    is_known: bool,
    /// Where it stands in the book; `None` while it is busy.
    turn: Option<Turn>,
}

impl Guest {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it is waited for.
    fn wait(&self) {
        let mut state = self.state();
        let mut book = self.guests.book();
        if let Some(turn) = state.turn.take()
            && book.waited_for.remove(&turn).is_none()
        {
            // It was let go already.
            return;
        }
        book.last += 1;
        let turn = (state.is_known, book.last);
        state.turn = Some(turn);
        book.waited_for.insert(turn, Arc::clone(&self.line));
        if book.wanted > 0 && book.let_one_go() {
            book.wanted -= 1;
        }
    }

    /// A request has come.
    pub(crate) fn asks(&self) {
        self.line.has_request.store(true, Ordering::Relaxed);
        self.wait();
    }

    /// The request was answered; `is_served` where the client got what few can get.
    pub(crate) fn was_answered(&self, is_served: bool) {
        self.line.has_request.store(false, Ordering::Relaxed);
        if is_served {
            self.state().is_known = true;
        }
    }

    /// Keeps the connection while work is done for it. Never ends where it was let go: its task ends instead.
    pub(crate) async fn work(self: &Arc<Self>) -> Work {
        let stays = {
            let mut state = self.state();
            let turn = state.turn.take();
            turn.is_some_and(|turn| self.guests.book().waited_for.remove(&turn).is_some())
        };
        if !stays {
            std::future::pending::<()>().await;
        }
        Work(Arc::clone(self))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let turn = self.state().turn.take();
        let mut book = self.guests.book();
        // Its place is free, and nobody had to be asked for it.
        if turn.is_none_or(|turn| book.waited_for.remove(&turn).is_some()) {
            book.wanted = book.wanted.saturating_sub(1);
        }
    }
}

/// While this is there the connection is busy.
#[derive(Debug)]
pub(crate) struct Work(Arc<Guest>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// What has come of it without waiting.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        }
    }

    fn seat(guests: &Arc<Guests>) -> Arc<Guest> {
        now(guests.seat()).flatten().unwrap()
    }

    fn has_to_go(guest: &Arc<Guest>) -> bool {
        now(guest.line.told_to_go()).is_some()
    }

    #[test]
    fn whoever_was_waited_for_longest_goes_first() {
        let guests = Guests::new(3);
        let [first, second, third] = [(); 3].map(|()| seat(&guests));
        first.asks();
        assert!(now(guests.seat()).is_none(), "there is no place yet");
        assert_eq!([&first, &second, &third].map(has_to_go), [false, true, false]);
        drop(second);
        seat(&guests);
    }

    #[test]
    fn who_was_served_stays_while_there_are_strangers() {
        let guests = Guests::new(2);
        let [served, stranger] = [(); 2].map(|()| seat(&guests));
        served.asks();
        let work = now(served.work()).unwrap();
        served.was_answered(true);
        drop(work);
        stranger.asks();
        guests.make_room();
        assert_eq!([&served, &stranger].map(has_to_go), [false, true]);
        guests.make_room();
        assert!(has_to_go(&served));
    }

    #[test]
    fn nobody_goes_while_it_is_worked_for_and_nobody_is_worked_for_once_it_has_to_go() {
        let guests = Guests::new(2);
        let [busy, other] = [(); 2].map(|()| seat(&guests));
        let work = now(busy.work()).unwrap();
        guests.make_room();
        assert_eq!([&busy, &other].map(has_to_go), [false, true]);
        assert!(now(other.work()).is_none());
        guests.make_room();
        assert!(!has_to_go(&busy));
        drop(work);
        assert!(has_to_go(&busy), "somebody is still at the door");
    }

    #[test]
    fn at_the_end_only_who_wants_nothing_goes_at_once() {
        let guests = Guests::new(4);
        let [idle, asking, reading, busy] = [(); 4].map(|()| seat(&guests));
        asking.asks();
        reading.line.unread(true);
        let work = now(busy.work()).unwrap();
        guests.dismiss_idle();
        assert_eq!([&idle, &asking, &reading, &busy].map(has_to_go), [true, false, false, false]);
        drop(work);
    }
}
