//! [`Holdings`], what a worker has in the store.

use crate::Outcome;
use crate::act::{Act, Kept, Pair, numbers, read};
use bincode::{Decode, Encode};
use connectory::{ListQuery, PageLimit, PageQuery, Store};
use std::collections::{BTreeMap, BTreeSet};

/// What a worker has in the store: all of it is of its own making.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Holdings {
    pub(crate) connections: BTreeMap<Pair, Kept>,
    pub(crate) profiles: BTreeSet<u16>,
    /// Whether each has a name.
    pub(crate) proxies: BTreeMap<u16, bool>,
}

impl Holdings {
    /// Notes that an act was done; `id` is that of a connection it created.
    pub(crate) fn apply(&mut self, act: &Act, id: Option<&str>) -> Outcome<()> {
        let gone = || format!("{act:?} was done to what is not there");
        match *act {
            Act::Create { pair, version, proxy } => {
                let id = id.ok_or("a create without an ID")?.to_owned();
                let kept = Kept { id, version, seen: 0, proxy };
                if self.connections.insert(pair, kept).is_some() {
                    return Err(format!("{act:?} was done, and the pair was taken").into());
                }
                self.profiles.insert(pair.profile);
            }
            Act::Update { pair, version, proxy } => {
                let kept = self.connections.get_mut(&pair).ok_or_else(gone)?;
                (kept.version, kept.proxy) = (version, proxy);
            }
            Act::Record { pair, seen } => {
                self.connections.get_mut(&pair).ok_or_else(gone)?.seen = seen;
            }
            Act::Delete { pair } => drop(self.connections.remove(&pair).ok_or_else(gone)?),
            Act::DeleteProfile { profile } => {
                if !self.profiles.remove(&profile) {
                    return Err(gone().into());
                }
            }
            Act::RegisterProxy { proxy, is_named } => {
                self.proxies.insert(proxy, is_named);
            }
            Act::RemoveProxy { proxy } => drop(self.proxies.remove(&proxy).ok_or_else(gone)?),
        }
        Ok(())
    }

    /// A profile's connections, by domain.
    pub(crate) fn of_profile(&self, profile: u16) -> impl Iterator<Item = (&Pair, &Kept)> {
        let [from, to] = [0, u16::MAX].map(|domain| Pair { profile, domain });
        self.connections.range(from..=to)
    }

    pub(crate) fn uses(&self, proxy: u16) -> bool {
        self.connections.values().any(|kept| kept.proxy == Some(proxy))
    }

    /// How it differs from another, in a few words.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let one = self.connections.iter().collect::<BTreeMap<_, _>>();
        let differs = |(pair, kept): &(&Pair, &Kept)| other.connections.get(pair) != Some(*kept);
        let here = one.into_iter().filter(differs).take(3).collect::<Vec<_>>();
        let differs = |(pair, kept): &(&Pair, &Kept)| self.connections.get(pair) != Some(*kept);
        let there = other.connections.iter().filter(differs).take(3).collect::<Vec<_>>();
        let profiles = self.profiles.symmetric_difference(&other.profiles).collect::<Vec<_>>();
        format!(
            "here {here:?}, there {there:?}; profiles of one alone {profiles:?}; proxies {:?} and {:?}",
            self.proxies, other.proxies
        )
    }
}

/// What each worker has in the store, by reading all of it.
pub(crate) fn all(store: &Store, workers: u16) -> Outcome<Vec<Holdings>> {
    let mut all = vec![Holdings::default(); usize::from(workers)];
    let first = PageQuery { limit: PageLimit::MAX, cursor: None };
    let mut of = |worker: u16, what: &mut dyn FnMut(&mut Holdings) -> bool| -> Outcome<()> {
        let holdings = all.get_mut(usize::from(worker)).ok_or("there is no such worker")?;
        if what(holdings) { Ok(()) } else { Err("something is listed twice".into()) }
    };
    let mut query = ListQuery { page: first.clone(), ..ListQuery::default() };
    loop {
        let page = store.list(&query)?;
        for connection in &page.items {
            let (worker, pair, kept) = read(connection)?;
            of(worker, &mut |it| it.connections.insert(pair, kept.clone()).is_none())?;
        }
        query.page.cursor = page.next_cursor;
        if query.page.cursor.is_none() {
            break;
        }
    }
    let mut query = first.clone();
    loop {
        let page = store.profiles(&query)?;
        for profile in &page.items {
            let (worker, number) = numbers(profile.name.as_str())?;
            of(worker, &mut |it| it.profiles.insert(number))?;
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let mut query = first;
    loop {
        let page = store.proxies(&query)?;
        for proxy in &page.items {
            let (worker, number) = numbers(proxy.id.as_str())?;
            of(worker, &mut |it| it.proxies.insert(number, proxy.name.is_some()).is_none())?;
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return Ok(all);
        }
    }
}
