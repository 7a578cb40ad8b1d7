//! The operations of a run, each done by the store, foretold by the model and compared.

use super::draws::{PROXIES, PROXY_NAMES, QUERIES, URLS};
use super::expected::Refused;
use super::run::{Place, Run};
use connectory::{
    ChangeKind, Changes, Connection, ConnectionId, CreateOptions, Cursor, Edit, Error, ListQuery,
    MemoryStorage, Missing, Options, Page, PageLimit, PageQuery, Patch, Profile, ProfileName,
    ProxyId, ProxyName, Refusal, Store, StoreError, Used, ViolationCode,
};
use std::fmt::Debug;

impl Run {
    pub(super) fn create(&mut self) {
        let (request, options) = self.request();
        self.say(&("create", &request, &options));
        let answer = match &options {
            CreateOptions { idempotency_key: None, ensure: false } => {
                self.store.create(request.clone())
            }
            CreateOptions { idempotency_key: None, ensure: true } => {
                self.store.ensure(request.clone())
            }
            _ => self.store.create_with(request.clone(), options.clone()),
        };
        self.model.take(&request, &options, answer);
    }

    pub(super) fn create_many(&mut self) {
        let requests: Vec<_> = (0..self.rng.usize(..12)).map(|_| self.request()).collect();
        self.say(&("create_many", &requests));
        let answers = self.store.create_many_with(requests.iter().cloned());
        assert_eq!(answers.len(), requests.len());
        for ((request, options), answer) in requests.iter().zip(answers) {
            self.model.take(request, options, answer);
        }
    }

    pub(super) fn update(&mut self) {
        let id = self.id();
        let patch = Patch {
            login_url: self.edit(|run| run.pick(URLS)),
            credential: self.edit(Self::credential),
            proxy: self.edit(Self::proxy_ref),
            allowed_domains: self.seldom(4, Self::allowed_domains),
            health_check_interval: self.seldom(4, Self::interval),
            health_checks: self.flag(),
            auto_reauth: self.flag(),
            save_credentials: self.flag(),
            record_session: self.flag(),
        };
        self.say(&("update", id, &patch));
        let answer = self.store.update(id, patch.clone());
        let Some(held) = self.model.connections.get(&id) else {
            let missing = Refused::missing(Missing::Connection(id.to_string()));
            return assert_eq!(Refused::of(&answer.unwrap_err()), missing);
        };
        let proxy = match &patch.proxy {
            Edit::Set(proxy) => Some(proxy),
            _ => None,
        };
        let violations = self.model.violations(patch.health_check_interval, proxy);
        if !violations.is_empty() {
            return assert_eq!(Refused::of(&answer.unwrap_err()), Refused::Invalid(violations));
        }
        let mut expected = held.connection.clone();
        change(&mut expected.login_url, patch.login_url);
        change(&mut expected.credential, patch.credential);
        change(
            &mut expected.proxy_id,
            match patch.proxy {
                Edit::Set(proxy) => Edit::Set(self.model.resolve(&proxy).unwrap()),
                Edit::Clear => Edit::Clear,
                Edit::Keep => Edit::Keep,
            },
        );
        if let Some(sent) = patch.allowed_domains {
            expected.allowed_domains = sent;
        }
        if let Some(sent) = patch.health_check_interval {
            expected.health_check_interval = sent;
        }
        expected.health_checks = patch.health_checks.unwrap_or(expected.health_checks);
        expected.auto_reauth = patch.auto_reauth.unwrap_or(expected.auto_reauth);
        expected.save_credentials = patch.save_credentials.unwrap_or(expected.save_credentials);
        expected.record_session = patch.record_session.unwrap_or(expected.record_session);
        assert_eq!(answer.unwrap(), expected);
        self.model.replace(expected);
    }

    pub(super) fn record(&mut self) {
        let (id, seen) = (self.id(), self.observation());
        self.say(&("record", id, &seen));
        let answer = self.store.record(id, seen.clone());
        let Some(held) = self.model.connections.get(&id) else {
            let missing = Refused::missing(Missing::Connection(id.to_string()));
            return assert_eq!(Refused::of(&answer.unwrap_err()), missing);
        };
        let before = held.connection.clone();
        let mut expected = Connection {
            status: seen.status.unwrap_or(before.status),
            reauth: seen.reauth.unwrap_or(before.reauth),
            last_auth_check_at: seen.last_auth_check_at.or(before.last_auth_check_at),
            post_login_url: seen.post_login_url.or(before.post_login_url),
            ..before
        };
        change(&mut expected.flow, seen.flow);
        assert_eq!(answer.unwrap(), expected);
        self.model.replace(expected);
    }

    pub(super) fn delete(&mut self) {
        let id = self.id();
        self.delete_one(id);
    }

    /// Deletes the connections of a profile, in any order: all of them, or all but a few.
    pub(super) fn delete_most(&mut self) {
        let name = self.profile();
        let held = self.model.connections.values().map(|held| &held.connection);
        let own = held.filter(|connection| connection.profile_name == name);
        let mut ids: Vec<_> = own.map(|connection| connection.id).collect();
        self.rng.shuffle(&mut ids);
        let kept = if self.rng.bool() { 0 } else { self.rng.usize(..4) };
        for &id in ids.iter().skip(kept) {
            self.delete_one(id);
        }
    }

    fn delete_one(&mut self, id: ConnectionId) {
        self.say(&("delete", id));
        let answer = self.store.delete(id);
        if self.model.connections.remove(&id).is_some() {
            answer.unwrap();
            self.gone.push(id);
            self.model.note(ChangeKind::Deleted, id, None);
        } else {
            let missing = Refused::missing(Missing::Connection(id.to_string()));
            assert_eq!(Refused::of(&answer.unwrap_err()), missing);
        }
    }

    pub(super) fn delete_profile(&mut self) {
        let name = self.profile();
        self.say(&("delete_profile", &name));
        let answer = self.store.delete_profile(name.clone());
        let expected = match self.model.of_profile(&name) {
            0 if self.model.profiles.remove(&name) => return answer.unwrap(),
            0 => Refused::missing(Missing::Profile(name.to_string())),
            connections => Refused::Otherwise(Refusal::InUse(Used::Profile { name, connections })),
        };
        assert_eq!(Refused::of(&answer.unwrap_err()), expected);
    }

    pub(super) fn register_proxy(&mut self) {
        let id: ProxyId = self.pick(PROXIES);
        let name: Option<ProxyName> = self.seldom(2, |run| run.pick(PROXY_NAMES));
        self.say(&("register_proxy", &id, &name));
        let answer = self.store.register_proxy(id.clone(), name.clone());
        self.model.proxies.insert(id.clone(), name);
        assert_eq!(answer.unwrap(), self.model.proxy(&id));
    }

    pub(super) fn remove_proxy(&mut self) {
        let id: ProxyId = self.pick(PROXIES);
        self.say(&("remove_proxy", &id));
        let answer = self.store.remove_proxy(id.clone());
        let expected = match self.model.through_proxy(&id) {
            0 if self.model.proxies.remove(&id).is_some() => return answer.unwrap(),
            0 => Refused::missing(Missing::Proxy(id.to_string())),
            connections => Refused::Otherwise(Refusal::InUse(Used::Proxy { id, connections })),
        };
        assert_eq!(Refused::of(&answer.unwrap_err()), expected);
    }

    pub(super) fn get(&mut self) {
        let id = self.id();
        self.say(&("get", id));
        let expected = self.model.connections.get(&id).map(|held| &held.connection);
        assert_eq!(self.store.get(id).unwrap().as_ref(), expected);
    }

    pub(super) fn find(&mut self) {
        let (profile, domain) = (self.profile(), self.domain());
        self.say(&("find", &profile, &domain));
        let expected = self.model.holder(&profile, &domain).map(|held| &held.connection);
        assert_eq!(self.store.find(&profile, &domain).unwrap().as_ref(), expected);
    }

    pub(super) fn list(&mut self) {
        let query = match self.rng.u8(..4) {
            0 => Some(self.id().to_string()),
            1 => Some(QUERIES[self.rng.usize(..QUERIES.len())].into()),
            _ => None,
        };
        let at = pick_cursor(&mut self.rng, &self.cursors);
        let mut query = ListQuery {
            profile_name: self.seldom(4, Self::profile),
            domain: self.seldom(4, Self::domain),
            query,
            page: PageQuery { limit: self.limit_of_page(), cursor: None },
        };
        query.page.cursor = at.as_ref().map(|(cursor, _)| cursor.clone());
        self.say(&("list", &query));
        let mut expected = self.model.matching(&query);
        expected.retain(|connection| at.as_ref().is_none_or(|(_, after)| connection.id < *after));
        let page = self.store.list(&query).unwrap();
        let last = assert_page(&page, expected.into_iter().cloned().collect(), query.page.limit);
        self.cursors.extend(last.map(|(cursor, last)| (cursor, last.id)));
    }

    pub(super) fn profiles(&mut self) {
        let at = pick_cursor(&mut self.rng, &self.profile_cursors);
        let cursor = at.as_ref().map(|(cursor, _)| cursor.clone());
        let query = PageQuery { limit: self.limit_of_page(), cursor };
        self.say(&("profiles", &query));
        let after = |name: &&ProfileName| at.as_ref().is_none_or(|(_, after)| *name > after);
        let row = |name: &ProfileName| Profile {
            name: name.clone(),
            connections: self.model.of_profile(name),
        };
        let expected = self.model.profiles.iter().filter(after).map(row).collect();
        let page = self.store.profiles(&query).unwrap();
        let last = assert_page(&page, expected, query.limit);
        self.profile_cursors.extend(last.map(|(cursor, last)| (cursor, last.name)));
    }

    pub(super) fn proxies(&mut self) {
        let at = pick_cursor(&mut self.rng, &self.proxy_cursors);
        let cursor = at.as_ref().map(|(cursor, _)| cursor.clone());
        let query = PageQuery { limit: self.limit_of_page(), cursor };
        self.say(&("proxies", &query));
        let after = |id: &&ProxyId| at.as_ref().is_none_or(|(_, after)| *id > after);
        let expected = self.model.proxies.keys().filter(after).map(|id| self.model.proxy(id));
        let expected = expected.collect();
        let page = self.store.proxies(&query).unwrap();
        let last = assert_page(&page, expected, query.limit);
        self.proxy_cursors.extend(last.map(|(cursor, last)| (cursor, last.id)));
    }

    pub(super) fn list_with_a_cursor_of_another_list(&mut self) {
        let Some((cursor, _)) = self.profile_cursors.first().cloned() else { return };
        let page = PageQuery { cursor: Some(cursor), ..PageQuery::default() };
        self.say(&("another list's cursor", &page));
        let refused = Refused::Invalid(vec![(ViolationCode::InvalidValue, "cursor".into())]);
        let error = self.store.proxies(&page).unwrap_err();
        assert_eq!(Refused::of(&error), refused);
        let error = self.store.list(&ListQuery { page, ..ListQuery::default() }).unwrap_err();
        assert_eq!(Refused::of(&error), refused);
    }

    pub(super) fn changes_since(&mut self) {
        let (last, all) = (self.model.changes.len(), usize::MAX);
        let since = self.rng.usize(..last + 2);
        let most = if self.rng.bool() { all } else { self.rng.usize(..40) };
        self.say(&("changes_since", since, most));
        match self.store.changes_since(since as u64, most) {
            Ok(Changes::Since(changes)) => {
                let later = &self.model.changes[since..];
                assert_eq!(changes, later[..most.min(later.len())]);
            }
            Ok(Changes::TooOld { oldest }) => {
                let gone = self.model.gone_changes;
                assert!(oldest == gone + 1 && (since as u64) < gone, "{since} of {gone}, {oldest}");
            }
            Err(error) => {
                assert_eq!(since, last + 1);
                let refused = Refused::Invalid(vec![(ViolationCode::InvalidValue, "since".into())]);
                assert_eq!(Refused::of(&error), refused);
            }
        }
    }

    /// Closes the store or lets it go, and opens it again under another plan and cap.
    pub(super) fn reopen(&mut self) {
        let options = self.new_options();
        let close = self.rng.bool();
        self.say(&("reopen", close, self.model.plan, self.model.cap));
        if close {
            self.store.close().unwrap();
            assert!(matches!(self.store.stats(), Err(Error::Failed(StoreError::Closed))));
        }
        self.open(options);
    }

    /// Options with another plan and cap.
    pub(super) fn new_options(&mut self) -> Options {
        let options = Self::options(&self.place, &mut self.rng);
        Self::limit(&mut self.rng, &mut self.model, options)
    }

    /// Lets the store go and opens what is there.
    pub(super) fn open(&mut self, options: Options) {
        // The old handle has to go before the place can be opened again.
        self.store = Store::open_with(MemoryStorage::default(), Options::new()).unwrap();
        self.store = self.place.open(options);
        if matches!(self.place, Place::Recorded(_)) {
            // What is in the log no more may be told no more.
            let oldest = self.store.stats().unwrap().oldest_change;
            let gone = oldest.saturating_sub(1);
            assert!(gone >= self.model.gone_changes, "{oldest} is told again");
            self.model.gone_changes = gone;
        }
    }
}

fn change<T>(field: &mut Option<T>, edit: Edit<T>) {
    match edit {
        Edit::Keep => {}
        Edit::Clear => *field = None,
        Edit::Set(value) => *field = Some(value),
    }
}

/// A cursor that came with some earlier page, half of the time.
fn pick_cursor<T: Clone>(rng: &mut fastrand::Rng, cursors: &[(Cursor, T)]) -> Option<(Cursor, T)> {
    (!cursors.is_empty() && rng.bool()).then(|| cursors[rng.usize(..cursors.len())].clone())
}

/// Compares a page with everything that could be on it and after it; where the list goes on.
fn assert_page<T: Clone + Debug + PartialEq>(
    page: &Page<T>,
    mut expected: Vec<T>,
    limit: PageLimit,
) -> Option<(Cursor, T)> {
    let more = expected.len() > limit.items();
    expected.truncate(limit.items());
    assert_eq!(page.items, expected);
    assert_eq!(page.next_cursor.is_some(), more, "whether there is another page");
    let cursor = page.next_cursor.clone()?;
    assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()), "a cursor is read as written");
    Some((cursor, page.items.last()?.clone()))
}
