//! [`Model`], what a store should hold and answer.

use connectory::{
    Change, ChangeKind, Connection, ConnectionId, CreateOptions, Creation, Domain, Error,
    HealthCheckInterval, IdempotencyKey, ListQuery, Missing, NewConnection, Plan, ProfileName,
    Proxy, ProxyId, ProxyName, ProxyRef, Reauth, Refusal, Stats, Status, ViolationCode,
};
use std::collections::{BTreeMap, BTreeSet};

/// A connection, and the request that it remembers if it had a key.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) connection: Connection,
    pub(super) made_by: Option<(IdempotencyKey, NewConnection)>,
}

/// What the store should hold, kept so plainly that it can be seen to be right: a look is a search through all.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) plan: Plan,
    pub(super) cap: Option<u64>,
    pub(super) connections: BTreeMap<ConnectionId, Held>,
    pub(super) profiles: BTreeSet<ProfileName>,
    pub(super) proxies: BTreeMap<ProxyId, Option<ProxyName>>,
    pub(super) changes: Vec<Change>,
    /// How many changes are not kept any more: none, but where the log is short.
    pub(super) gone_changes: u64,
    pub(super) last_id: Option<ConnectionId>,
    /// How often creates had which outcome.
    pub(super) outcomes: BTreeMap<&'static str, usize>,
    /// As many connections a profile had at most.
    pub(super) widest: u64,
}

/// What becomes of a create.
#[derive(Debug)]
enum Verdict {
    Refused(Refused),
    Replayed(ConnectionId),
    Existing(ConnectionId),
    Conflict(ConnectionId),
    Created,
}

/// A refusal, without the words of its violations.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    Invalid(Vec<(ViolationCode, String)>),
    Otherwise(Refusal),
}

impl Refused {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Refused(Refusal::Invalid(violations)) => Self::Invalid(
                violations.iter().map(|found| (found.code, found.field.clone())).collect(),
            ),
            Error::Refused(refusal) => Self::Otherwise(refusal.clone()),
            Error::Failed(error) => panic!("nothing was made to fail: {error}"),
        }
    }

    pub(super) fn missing(what: Missing) -> Self {
        Self::Otherwise(Refusal::NotFound(what))
    }
}

impl Model {
    pub(super) fn holder(&self, profile: &ProfileName, domain: &Domain) -> Option<&Held> {
        self.connections.values().find(|held| {
            held.connection.profile_name == *profile && held.connection.domain == *domain
        })
    }

    pub(super) fn of_profile(&self, name: &ProfileName) -> u64 {
        let own = |held: &&Held| held.connection.profile_name == *name;
        self.connections.values().filter(own).count() as u64
    }

    pub(super) fn through_proxy(&self, id: &ProxyId) -> u64 {
        let through = |held: &&Held| held.connection.proxy_id.as_ref() == Some(id);
        self.connections.values().filter(through).count() as u64
    }

    pub(super) fn proxy(&self, id: &ProxyId) -> Proxy {
        Proxy {
            id: id.clone(),
            name: self.proxies[id].clone(),
            connections: self.through_proxy(id),
        }
    }

    /// The proxy that is meant, or what is wrong with naming it so.
    pub(super) fn resolve(&self, proxy: &ProxyRef) -> Result<ProxyId, (ViolationCode, String)> {
        match proxy {
            ProxyRef::Id(id) if self.proxies.contains_key(id) => Ok(id.clone()),
            ProxyRef::Id(_) => Err((ViolationCode::UnknownProxy, "proxy.id".into())),
            ProxyRef::Name(name) => {
                let mut named = self.proxies.iter().filter(|(_, has)| has.as_ref() == Some(name));
                match (named.next(), named.next()) {
                    (Some((id, _)), None) => Ok(id.clone()),
                    (None, _) => Err((ViolationCode::UnknownProxy, "proxy.name".into())),
                    (_, Some(_)) => Err((ViolationCode::AmbiguousProxy, "proxy.name".into())),
                }
            }
        }
    }

    /// What is wrong with these settings under the plan and beside these proxies.
    pub(super) fn violations(
        &self,
        interval: Option<HealthCheckInterval>,
        proxy: Option<&ProxyRef>,
    ) -> Vec<(ViolationCode, String)> {
        let floor = match self.plan {
            Plan::Hobbyist => 3600,
            Plan::Startup => 1200,
            _ => 300,
        };
        let low = interval.filter(|interval| interval.seconds() < floor);
        let low = low.map(|_| (ViolationCode::BelowPlanFloor, "health_check_interval".into()));
        low.into_iter().chain(proxy.and_then(|proxy| self.resolve(proxy).err())).collect()
    }

    fn judge(&self, request: &NewConnection, options: &CreateOptions) -> Verdict {
        let holder = self.holder(&request.profile_name, &request.domain);
        if let Some(held) = holder
            && let Some((key, made_by)) = &held.made_by
            && options.idempotency_key.as_ref() == Some(key)
        {
            let id = held.connection.id;
            return if made_by == request {
                Verdict::Replayed(id)
            } else {
                Verdict::Refused(Refused::Otherwise(Refusal::KeyReused(id)))
            };
        }
        let violations = self.violations(request.health_check_interval, request.proxy.as_ref());
        if !violations.is_empty() {
            return Verdict::Refused(Refused::Invalid(violations));
        }
        match (holder, self.cap) {
            (Some(held), _) if options.ensure => Verdict::Existing(held.connection.id),
            (Some(held), _) => Verdict::Conflict(held.connection.id),
            (None, Some(cap)) if self.connections.len() as u64 >= cap => {
                Verdict::Refused(Refused::Otherwise(Refusal::OverCap(cap)))
            }
            (None, _) => Verdict::Created,
        }
    }

    /// What a create makes, under the ID that it was given.
    fn fresh(&self, request: &NewConnection, id: ConnectionId) -> Connection {
        let settings = request.settings.clone();
        let interval = HealthCheckInterval::new(3600).unwrap();
        Connection {
            id,
            profile_name: request.profile_name.clone(),
            domain: request.domain.clone(),
            status: Status::NeedsAuth,
            reauth: Reauth::fresh(),
            last_auth_check_at: None,
            post_login_url: None,
            flow: None,
            login_url: settings.login_url,
            credential: settings.credential,
            proxy_id: settings.proxy.map(|proxy| self.resolve(&proxy).unwrap()),
            allowed_domains: settings.allowed_domains.unwrap_or_default(),
            health_check_interval: settings.health_check_interval.unwrap_or(interval),
            health_checks: settings.health_checks != Some(false),
            auto_reauth: settings.auto_reauth != Some(false),
            save_credentials: settings.save_credentials != Some(false),
            record_session: settings.record_session == Some(true),
        }
    }

    /// Compares the answer to a create with the verdict, and takes over what it made.
    pub(super) fn take(
        &mut self,
        request: &NewConnection,
        options: &CreateOptions,
        answer: Result<Creation, Error>,
    ) {
        let verdict = self.judge(request, options);
        let outcome = answer.as_ref().map_or_else(Error::code, Creation::outcome);
        *self.outcomes.entry(outcome).or_default() += 1;
        let as_it_stands = |id| &self.connections[&id].connection;
        match (verdict, answer) {
            (Verdict::Refused(expected), Err(error)) => assert_eq!(Refused::of(&error), expected),
            (Verdict::Replayed(id), Ok(Creation::Replayed(connection)))
            | (Verdict::Existing(id), Ok(Creation::Existing(connection))) => {
                assert_eq!(connection, *as_it_stands(id));
            }
            (Verdict::Conflict(id), Ok(Creation::Conflict(conflict))) => {
                assert_eq!(conflict.existing_id, id);
            }
            (Verdict::Created, Ok(Creation::Created(connection))) => {
                let id = connection.id;
                assert!(Some(id) > self.last_id, "{id} is no greater than {:?}", self.last_id);
                assert_eq!(id.route(), request.profile_name.route());
                assert_eq!(connection, self.fresh(request, id));
                self.last_id = Some(id);
                self.profiles.insert(request.profile_name.clone());
                self.note(ChangeKind::Created, id, Some(&connection));
                let made_by = options.idempotency_key.clone().map(|key| (key, request.clone()));
                self.connections.insert(id, Held { connection, made_by });
                self.widest = self.widest.max(self.of_profile(&request.profile_name));
            }
            (verdict, answer) => panic!("expected {verdict:?}, not {answer:?}"),
        }
    }

    pub(super) fn note(
        &mut self,
        kind: ChangeKind,
        id: ConnectionId,
        connection: Option<&Connection>,
    ) {
        let seq = self.changes.len() as u64 + 1;
        self.changes.push(Change { seq, kind, id, connection: connection.cloned() });
    }

    /// Puts a changed connection in place of the one before; one that is the same is no change.
    pub(super) fn replace(&mut self, connection: Connection) {
        let id = connection.id;
        if self.connections[&id].connection != connection {
            self.note(ChangeKind::Updated, id, Some(&connection));
            self.connections.get_mut(&id).unwrap().connection = connection;
        }
    }

    /// All connections that the filters of `query` let through, newest first.
    pub(super) fn matching(&self, query: &ListQuery) -> Vec<&Connection> {
        let text = query.query.as_deref().unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        let all = self.connections.values().rev().map(|held| &held.connection);
        all.filter(|connection| {
            query.profile_name.as_ref().is_none_or(|name| connection.profile_name == *name)
                && query.domain.as_ref().is_none_or(|domain| connection.domain == *domain)
                && (connection.id.to_string() == text
                    || connection.profile_name.as_str().starts_with(text)
                    || connection.domain.as_str().starts_with(&lower))
        })
        .collect()
    }

    pub(super) fn stats(&self) -> Stats {
        let last_change = self.changes.len() as u64;
        Stats {
            connections: self.connections.len() as u64,
            profiles: self.profiles.len() as u64,
            proxies: self.proxies.len() as u64,
            last_change,
            oldest_change: last_change.min(self.gone_changes + 1),
        }
    }
}
