//! [`Ledger`], what was acknowledged: the process with the store may be killed, and this is what must be found again.

use crate::Outcome;
use crate::act::Act;
use crate::holdings::Holdings;
use connectory::ConnectionId;
use std::collections::HashSet;

/// What was acknowledged, and what was begun and may have been done.
#[derive(Debug)]
pub(crate) struct Ledger {
    workers: Vec<Entry>,
    /// Every ID that was ever given out.
    ids: HashSet<ConnectionId>,
    pub(crate) acknowledged: u64,
    /// Those of which no answer came, and of these what was done all the same.
    pub(crate) unanswered: u64,
    pub(crate) done_unanswered: u64,
    /// How many changes there were.
    changes: u64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    held: Holdings,
    begun: Option<Act>,
}

impl Ledger {
    pub(crate) fn new(workers: u16) -> Self {
        Self {
            workers: vec![Entry::default(); usize::from(workers)],
            ids: HashSet::new(),
            acknowledged: 0,
            unanswered: 0,
            done_unanswered: 0,
            changes: 0,
        }
    }

    fn entry(&mut self, worker: u16) -> Outcome<&mut Entry> {
        Ok(self.workers.get_mut(usize::from(worker)).ok_or("there is no such worker")?)
    }

    pub(crate) fn begins(&mut self, worker: u16, act: Act) -> Outcome<()> {
        match self.entry(worker)?.begun.replace(act) {
            None => Ok(()),
            Some(before) => Err(format!("{before:?} was neither done nor refused").into()),
        }
    }

    /// It was acknowledged.
    pub(crate) fn done(&mut self, worker: u16, id: Option<&str>) -> Outcome<()> {
        let entry = self.entry(worker)?;
        let act = entry.begun.take().ok_or("nothing was begun")?;
        entry.held.apply(&act, id)?;
        self.acknowledged += 1;
        self.changes += u64::from(act.is_change());
        self.first_time(id)
    }

    pub(crate) fn undone(&mut self, worker: u16) -> Outcome<()> {
        self.entry(worker)?.begun.take().map(drop).ok_or_else(|| "nothing was begun".into())
    }

    fn first_time(&mut self, id: Option<&str>) -> Outcome<()> {
        let Some(id) = id else { return Ok(()) };
        if self.ids.insert(id.parse()?) {
            Ok(())
        } else {
            Err(format!("{id} was given out twice").into())
        }
    }

    /// Holds what was found in a store that was opened again against what was acknowledged. What was begun and not
    /// answered may have been done, once, or not.
    pub(crate) fn reconcile(&mut self, found: &[Holdings], last_change: u64) -> Outcome<()> {
        if found.len() != self.workers.len() {
            return Err(format!("{} workers were found", found.len()).into());
        }
        let mut new = Vec::new();
        for (number, (entry, found)) in self.workers.iter_mut().zip(found).enumerate() {
            let begun = entry.begun.take();
            self.unanswered += u64::from(begun.is_some());
            let not_done = entry.held == *found;
            // A proxy may be registered again as it was.
            if not_done {
                continue;
            }
            let lost = || format!("worker {number}: {}", entry.held.difference(found));
            let act = begun.ok_or_else(|| format!("nothing was left open, but {}", lost()))?;
            let id = match act {
                Act::Create { pair, .. } => {
                    found.connections.get(&pair).map(|kept| kept.id.clone())
                }
                _ => None,
            };
            let mut held = entry.held.clone();
            if held.apply(&act, id.as_deref()).is_err() || held != *found {
                return Err(format!("{act:?} was left open, but {}", lost()).into());
            }
            entry.held = held;
            new.extend(id);
            self.done_unanswered += 1;
            self.changes += u64::from(act.is_change());
        }
        for id in new {
            self.first_time(Some(&id))?;
        }
        if last_change == self.changes {
            Ok(())
        } else {
            Err(format!("{last_change} changes, but {} things happened", self.changes).into())
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.workers.iter().map(|entry| entry.held.connections.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::Pair;

    const PAIR: Pair = Pair { profile: 1, domain: 2 };
    const ID: &str = "ma_00000000000000000000000001";

    fn create() -> Act {
        Act::Create { pair: PAIR, version: 7, proxy: None }
    }

    /// A ledger of one worker whose create was acknowledged, and what it holds.
    fn ledger() -> (Ledger, Holdings) {
        let mut ledger = Ledger::new(1);
        ledger.begins(0, create()).unwrap();
        ledger.done(0, Some(ID)).unwrap();
        let mut held = Holdings::default();
        held.apply(&create(), Some(ID)).unwrap();
        (ledger, held)
    }

    fn message(outcome: Outcome<()>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn what_was_acknowledged_must_be_there_as_it_was_left() {
        let (mut ledger, held) = ledger();
        ledger.reconcile(std::slice::from_ref(&held), 1).unwrap();
        let mut other = held.clone();
        other.connections.get_mut(&PAIR).unwrap().version = 8;
        for wrong in [Holdings::default(), other] {
            assert!(message(ledger.reconcile(&[wrong], 1)).contains("nothing was left open"));
        }
        assert!(message(ledger.reconcile(&[held], 2)).contains("2 changes"));
    }

    #[test]
    fn what_was_left_open_may_have_been_done_once_and_nothing_else() {
        for is_done in [false, true] {
            let (mut ledger, mut held) = ledger();
            let act = Act::Update { pair: PAIR, version: 9, proxy: None };
            ledger.begins(0, act.clone()).unwrap();
            if is_done {
                held.apply(&act, None).unwrap();
            }
            ledger.reconcile(std::slice::from_ref(&held), 1 + u64::from(is_done)).unwrap();
            assert_eq!((ledger.unanswered, ledger.done_unanswered), (1, u64::from(is_done)));
            ledger.begins(0, Act::Record { pair: PAIR, seen: 4 }).unwrap();
            held.connections.get_mut(&PAIR).unwrap().version = 10;
            assert!(message(ledger.reconcile(&[held], 2)).contains("was left open, but"));
        }
    }

    #[test]
    fn an_id_is_given_out_once() {
        let (mut ledger, _) = ledger();
        ledger.begins(0, Act::Delete { pair: PAIR }).unwrap();
        ledger.done(0, None).unwrap();
        ledger.begins(0, create()).unwrap();
        assert!(message(ledger.done(0, Some(ID))).contains("given out twice"));
    }
}
