//! [`Worker`], one of many that use a store at once: it knows what it has there, and looks at every answer.

use crate::act::{
    self, Act, Kept, Pair, domain_name, numbers, profile_name, proxy_id, proxy_name, read,
};
use crate::child::Shared;
use crate::holdings::Holdings;
use crate::kind::Kind;
use crate::message::Message;
use crate::space::Space;
use crate::{Failure, Outcome};
use connectory::{
    Connection, ConnectionId, CreateOptions, Creation, Error, ListQuery, Page, PageLimit,
    PageQuery, Refusal, Store, StoreError,
};
use fastrand::Rng;
use std::time::Instant;

/// One of many that use a store at once.
#[derive(Debug)]
pub(crate) struct Worker<'a> {
    shared: &'a Shared,
    number: u16,
    space: Space,
    random: Rng,
    holdings: Holdings,
    last_version: u32,
    /// The ID of a connection that was deleted.
    gone: Option<ConnectionId>,
}

/// What an act was answered with.
enum Done {
    Creation(Creation),
    Connection(Connection),
    Nothing,
}

type Doing = Box<dyn Fn(&Store) -> Result<Done, Error>>;

fn expect(holds: bool, what: impl FnOnce() -> String) -> Outcome<()> {
    if holds { Ok(()) } else { Err(what().into()) }
}

fn refused<T: std::fmt::Debug>(
    answer: &Result<T, Refusal>,
    is_expected: fn(&Refusal) -> bool,
) -> Outcome<()> {
    expect(answer.as_ref().is_err_and(is_expected), || format!("answered with {answer:?}"))
}

fn accepted<T>(answer: Result<T, Refusal>) -> Outcome<T> {
    answer.map_err(Failure::from)
}

fn is_in_use(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::InUse(_))
}

fn is_not_found(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::NotFound(_))
}

fn is_falling(page: &Page<Connection>) -> bool {
    page.items.windows(2).all(|two| two[0].id > two[1].id)
}

fn ids(page: &Page<Connection>) -> Vec<String> {
    page.items.iter().map(|connection| connection.id.to_string()).collect()
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        number: u16,
        space: Space,
        random: Rng,
        holdings: Holdings,
    ) -> Self {
        let versions = holdings.connections.values().map(|kept| kept.version.max(kept.seen));
        let last_version = versions.max().unwrap_or(0);
        Self { shared, number, space, random, holdings, last_version, gone: None }
    }

    /// Does one thing after the other until it is told to stop.
    pub(crate) fn run(mut self) -> Outcome<()> {
        while !self.shared.is_stopped() {
            self.step()?;
        }
        Ok(())
    }

    /// Does one thing. As many connections come as go once [`TAKEN_OF_FIVE`](crate::space::TAKEN_OF_FIVE) pairs are taken.
    fn step(&mut self) -> Outcome<()> {
        let pair = self.space.draw(&mut self.random);
        let luck = self.random.u8(..100);
        let Some(kept) = self.holdings.connections.get(&pair).cloned() else {
            return match luck {
                ..12 => self.create(pair),
                12..30 => self.miss(pair),
                30..40 => self.delete_profile(pair.profile),
                40..48 => self.change_proxy(),
                48..54 => self.profiles(),
                54..60 => self.proxies(),
                _ => self.list(pair),
            };
        };
        match luck {
            ..18 => self.delete(pair, &kept),
            18..32 => {
                let (version, proxy) = (self.next_version(), self.some_proxy());
                self.write(Kind::Update, &Act::Update { pair, version, proxy })
            }
            32..42 => {
                let seen = self.next_version();
                self.write(Kind::Record, &Act::Record { pair, seen })
            }
            42..58 => self.conflict(pair, &kept),
            58..64 => self.ensure_existing(pair, &kept),
            64..80 => {
                let id: ConnectionId = kept.id.parse()?;
                let found = accepted(self.ask(Kind::Get, |store| store.get(id))?)?;
                self.expect_kept(found.as_ref(), pair, &kept)
            }
            80..92 => {
                let (profile, domain) = self.names(pair)?;
                let found = self.ask(Kind::Find, |store| store.find(&profile, &domain))?;
                self.expect_kept(accepted(found)?.as_ref(), pair, &kept)
            }
            _ => self.list(pair),
        }
    }

    fn names(&self, pair: Pair) -> Outcome<(connectory::ProfileName, connectory::Domain)> {
        Ok((profile_name(self.number, pair.profile)?, domain_name(pair.domain)?))
    }

    fn next_version(&mut self) -> u32 {
        self.last_version += 1;
        self.last_version
    }

    /// A proxy that is there, now and then.
    fn some_proxy(&mut self) -> Option<u16> {
        let proxy = Space::draw_proxy(&mut self.random);
        let is_wanted = self.random.u8(..4) == 0;
        (is_wanted && self.holdings.proxies.contains_key(&proxy)).then_some(proxy)
    }

    /// An answer, of the store that is opened next where this one was closed meanwhile.
    fn ask<T>(
        &self,
        kind: Kind,
        ask: impl Fn(&Store) -> Result<T, Error>,
    ) -> Outcome<Result<T, Refusal>> {
        loop {
            if let Some(answer) = self.ask_once(kind, &ask)? {
                return Ok(answer);
            }
        }
    }

    /// An answer; `None` where the store was closed.
    fn ask_once<T>(
        &self,
        kind: Kind,
        ask: impl Fn(&Store) -> Result<T, Error>,
    ) -> Outcome<Option<Result<T, Refusal>>> {
        let store = self.shared.store();
        let begun = Instant::now();
        let answer = ask(&store);
        let time = begun.elapsed();
        match answer {
            Err(Error::Failed(StoreError::Closed)) => Ok(None),
            Err(Error::Failed(error)) => Err(error.into()),
            Err(Error::Refused(refusal)) => Ok(Some(Err(refusal))),
            Ok(answer) => {
                self.shared.times.add(kind, time);
                Ok(Some(Ok(answer)))
            }
        }
    }

    /// Does an act, told before and after.
    fn write(&mut self, kind: Kind, act: &Act) -> Outcome<()> {
        let worker = self.number;
        let doing = self.prepare(kind, act)?;
        let done = loop {
            self.shared.tell(&Message::Begins { worker, act: act.clone() })?;
            match self.ask_once(kind, &doing)? {
                Some(answer) => break accepted(answer)?,
                None => self.shared.tell(&Message::Undone { worker })?,
            }
        };
        let id = match done {
            Done::Creation(Creation::Created(connection)) => {
                self.holdings.apply(act, Some(&connection.id.to_string()))?;
                self.expect_held(&connection)?;
                Some(connection.id.to_string())
            }
            Done::Creation(other) => return Err(format!("{act:?} was answered {other:?}").into()),
            Done::Connection(connection) => {
                self.holdings.apply(act, None)?;
                self.expect_held(&connection)?;
                None
            }
            Done::Nothing => {
                self.holdings.apply(act, None)?;
                None
            }
        };
        self.shared.tell(&Message::Done { worker, id })?;
        self.shared.wrote()
    }

    /// What does an act, all of it but the call made ready.
    fn prepare(&self, kind: Kind, act: &Act) -> Outcome<Doing> {
        let worker = self.number;
        let id_of = |pair: &Pair| -> Outcome<ConnectionId> {
            Ok(self.holdings.connections.get(pair).ok_or("nothing is there")?.id.parse()?)
        };
        Ok(match *act {
            Act::Create { pair, version, proxy } => {
                let request = act::request(worker, pair, version, proxy)?;
                let mut options = CreateOptions::default();
                match kind {
                    Kind::Ensure => options.ensure = true,
                    Kind::CreateWithKey => options.idempotency_key = Some(key(version)?),
                    _ => {}
                }
                Box::new(move |store| {
                    let creation = store.create_with(request.clone(), options.clone())?;
                    Ok(Done::Creation(creation))
                })
            }
            Act::Update { pair, version, proxy } => {
                let (id, patch) = (id_of(&pair)?, act::patch(worker, version, proxy)?);
                Box::new(move |store| Ok(Done::Connection(store.update(id, patch.clone())?)))
            }
            Act::Record { pair, seen } => {
                let (id, seen) = (id_of(&pair)?, act::observation(seen)?);
                Box::new(move |store| Ok(Done::Connection(store.record(id, seen.clone())?)))
            }
            Act::Delete { pair } => {
                let id = id_of(&pair)?;
                Box::new(move |store| store.delete(id).map(|()| Done::Nothing))
            }
            Act::DeleteProfile { profile } => {
                let name = profile_name(worker, profile)?;
                Box::new(move |store| store.delete_profile(name.clone()).map(|()| Done::Nothing))
            }
            Act::RegisterProxy { proxy, is_named } => {
                let id = proxy_id(worker, proxy)?;
                let name = if is_named { Some(proxy_name(worker, proxy)?) } else { None };
                Box::new(move |store| {
                    store.register_proxy(id.clone(), name.clone()).map(|_| Done::Nothing)
                })
            }
            Act::RemoveProxy { proxy } => {
                let id = proxy_id(worker, proxy)?;
                Box::new(move |store| store.remove_proxy(id.clone()).map(|()| Done::Nothing))
            }
        })
    }

    /// A connection of this worker's is what it must be.
    fn expect_held(&self, found: &Connection) -> Outcome<()> {
        let (worker, pair, kept) = read(found)?;
        let held = self.holdings.connections.get(&pair);
        expect(worker == self.number && held == Some(&kept), || {
            format!("found {found:?} where {held:?} was left")
        })
    }

    fn expect_kept(&self, found: Option<&Connection>, pair: Pair, kept: &Kept) -> Outcome<()> {
        match found {
            Some(found) if found.id.to_string() == kept.id => self.expect_held(found),
            other => Err(format!("found {other:?} for {pair:?} where {kept:?} was left").into()),
        }
    }

    fn create(&mut self, pair: Pair) -> Outcome<()> {
        let (version, proxy) = (self.next_version(), self.some_proxy());
        let act = Act::Create { pair, version, proxy };
        let kind = match self.random.u8(..10) {
            0..2 => Kind::Ensure,
            2..4 => Kind::CreateWithKey,
            _ => Kind::Create,
        };
        self.write(kind, &act)?;
        if kind != Kind::CreateWithKey {
            return Ok(());
        }
        // The answer might have been lost.
        let request = act::request(self.number, pair, version, proxy)?;
        let options =
            CreateOptions { idempotency_key: Some(key(version)?), ..CreateOptions::default() };
        let again =
            self.ask(Kind::Replay, |store| store.create_with(request.clone(), options.clone()))?;
        match accepted(again)? {
            Creation::Replayed(connection) => self.expect_held(&connection),
            other => Err(format!("a create under its key was answered {other:?}").into()),
        }
    }

    fn conflict(&self, pair: Pair, kept: &Kept) -> Outcome<()> {
        let request = act::request(self.number, pair, kept.version, None)?;
        match accepted(self.ask(Kind::Conflict, |store| store.create(request.clone()))?)? {
            Creation::Conflict(conflict) => {
                expect(conflict.existing_id.to_string() == kept.id, || {
                    format!("{conflict:?}, but {kept:?} is the holder")
                })
            }
            other => Err(format!("{pair:?} is taken, but: {other:?}").into()),
        }
    }

    fn ensure_existing(&self, pair: Pair, kept: &Kept) -> Outcome<()> {
        let request = act::request(self.number, pair, kept.version, None)?;
        match accepted(self.ask(Kind::EnsureExisting, |store| store.ensure(request.clone()))?)? {
            Creation::Existing(connection) => self.expect_kept(Some(&connection), pair, kept),
            other => Err(format!("{pair:?} is taken, but: {other:?}").into()),
        }
    }

    /// Looks for what is not there.
    fn miss(&mut self, pair: Pair) -> Outcome<()> {
        let (profile, domain) = self.names(pair)?;
        let found = accepted(self.ask(Kind::Find, |store| store.find(&profile, &domain))?)?;
        expect(found.is_none(), || format!("{found:?} was found, and nobody made it"))?;
        if let Some(gone) = self.gone.take() {
            let found = accepted(self.ask(Kind::Get, |store| store.get(gone))?)?;
            expect(found.is_none(), || format!("{found:?} was found after it was deleted"))?;
            let again = self.ask(Kind::Delete, |store| store.delete(gone))?;
            refused(&again, is_not_found)?;
        }
        Ok(())
    }

    fn delete(&mut self, pair: Pair, kept: &Kept) -> Outcome<()> {
        self.gone = Some(kept.id.parse()?);
        self.write(Kind::Delete, &Act::Delete { pair })
    }

    fn delete_profile(&mut self, profile: u16) -> Outcome<()> {
        let name = profile_name(self.number, profile)?;
        let is_used = self.holdings.of_profile(profile).next().is_some();
        if !is_used && self.holdings.profiles.contains(&profile) {
            return self.write(Kind::DeleteProfile, &Act::DeleteProfile { profile });
        }
        let answer = self.ask(Kind::DeleteProfile, |store| store.delete_profile(name.clone()))?;
        refused(&answer, if is_used { is_in_use } else { is_not_found })
    }

    fn change_proxy(&mut self) -> Outcome<()> {
        let proxy = Space::draw_proxy(&mut self.random);
        let is_there = self.holdings.proxies.contains_key(&proxy);
        if !is_there || self.random.bool() {
            let is_named = self.random.bool();
            return self.write(Kind::RegisterProxy, &Act::RegisterProxy { proxy, is_named });
        }
        if !self.holdings.uses(proxy) {
            return self.write(Kind::RemoveProxy, &Act::RemoveProxy { proxy });
        }
        let id = proxy_id(self.number, proxy)?;
        refused(&self.ask(Kind::RemoveProxy, |store| store.remove_proxy(id.clone()))?, is_in_use)
    }

    fn proxies(&self) -> Outcome<()> {
        let query = PageQuery { limit: PageLimit::MAX, cursor: None };
        let page = accepted(self.ask(Kind::Proxies, |store| store.proxies(&query))?)?;
        let mut found = Vec::new();
        for proxy in &page.items {
            let (worker, number) = numbers(proxy.id.as_str())?;
            if worker == self.number {
                let uses = self.holdings.connections.values();
                let uses = uses.filter(|kept| kept.proxy == Some(number)).count() as u64;
                expect(proxy.connections == uses, || format!("{proxy:?} has {uses} users"))?;
                found.push((number, proxy.name.is_some()));
            }
        }
        let held = &self.holdings.proxies;
        expect(page.next_cursor.is_some() || held.iter().map(|(&n, &is)| (n, is)).eq(found), || {
            format!("{page:?}, but these were left: {held:?}")
        })
    }

    fn profiles(&mut self) -> Outcome<()> {
        let query = PageQuery::default();
        let page = accepted(self.ask(Kind::Profiles, |store| store.profiles(&query))?)?;
        let is_rising = page.items.windows(2).all(|two| two[0].name < two[1].name);
        expect(is_rising, || format!("out of order: {page:?}"))?;
        for profile in &page.items {
            let (worker, number) = numbers(profile.name.as_str())?;
            if worker == self.number {
                let held = self.holdings.of_profile(number).count() as u64;
                expect(profile.connections == held, || format!("{profile:?} has {held}"))?;
            }
        }
        Ok(())
    }

    fn list(&mut self, pair: Pair) -> Outcome<()> {
        match self.random.u8(..4) {
            0 => self.list_all(),
            1 => self.list_profile(pair.profile),
            2 => self.list_domain(pair.domain),
            _ => self.list_prefix(pair.profile),
        }
    }

    fn listed(&self, kind: Kind, query: &ListQuery) -> Outcome<Page<Connection>> {
        let page = accepted(self.ask(kind, |store| store.list(query))?)?;
        expect(is_falling(&page), || format!("out of order: {:?}", ids(&page)))?;
        for connection in &page.items {
            match read(connection)? {
                (worker, ..) if worker == self.number => self.expect_held(connection)?,
                _ => {}
            }
        }
        Ok(page)
    }

    /// That a page has all of these that belong on it.
    fn expect_ids(page: &Page<Connection>, mut held: Vec<&str>) -> Outcome<()> {
        held.sort_unstable_by(|one, other| other.cmp(one));
        held.truncate(PageLimit::default().items());
        let found = ids(page);
        expect(found == held, || format!("listed {found:?} where {held:?} were left"))
    }

    fn list_all(&self) -> Outcome<()> {
        self.listed(Kind::ListAll, &ListQuery::default()).map(drop)
    }

    fn list_profile(&self, profile: u16) -> Outcome<()> {
        let profile_name = Some(profile_name(self.number, profile)?);
        let query = ListQuery { profile_name, ..ListQuery::default() };
        let page = self.listed(Kind::ListProfile, &query)?;
        let held = self.holdings.of_profile(profile).map(|(_, kept)| kept.id.as_str());
        Self::expect_ids(&page, held.collect())
    }

    fn list_prefix(&self, profile: u16) -> Outcome<()> {
        let text = profile_name(self.number, profile)?.to_string();
        let begins = |pair: &Pair| {
            profile_name(self.number, pair.profile)
                .is_ok_and(|name| name.as_str().starts_with(&text))
        };
        let held = self.holdings.connections.iter().filter(|(pair, _)| begins(pair));
        let held = held.map(|(_, kept)| kept.id.as_str()).collect();
        let query = ListQuery { query: Some(text.clone()), ..ListQuery::default() };
        Self::expect_ids(&self.listed(Kind::ListQuery, &query)?, held)
    }

    /// Others have connections to the same domain, so that it is known only which of this worker's are on the page.
    fn list_domain(&self, domain: u16) -> Outcome<()> {
        let query = ListQuery { domain: Some(domain_name(domain)?), ..ListQuery::default() };
        let page = self.listed(Kind::ListDomain, &query)?;
        let found = ids(&page);
        let last = found.last().filter(|_| page.next_cursor.is_some()).map_or("", String::as_str);
        let held = self.holdings.connections.iter();
        let mut held = held.filter(|(pair, kept)| pair.domain == domain && *kept.id >= *last);
        let missing = held.find(|(_, kept)| !found.contains(&kept.id));
        expect(missing.is_none(), || format!("{missing:?} is not in {found:?}"))
    }
}

fn key(version: u32) -> Outcome<connectory::IdempotencyKey> {
    Ok(format!("key-{version}").parse()?)
}
