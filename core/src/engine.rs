//! The write path as a pure step: operations in, answers and effects out, over a view of the store.
//!
//! No threads, no clock, no storage of its own. Every operation reads all it needs before its first effect, so
//! one that is refused or fails leaves nothing behind, and the ones after it in the batch see those before.

use crate::change::Occurrence;
use crate::codec::{self, Record};
use crate::connection::{Conflict, Connection};
use crate::domain_rows;
use crate::id::LastId;
use crate::profile_rows::{self, Place};
use crate::query;
use crate::request::Idempotency;
use crate::rows::{Effects, Rows, View};
use crate::tables::{self, RowChanges, Table};
use crate::{
    AllowedDomains, ChangeKind, ConnectionId, Creation, Credential, Edit, Error, Limits, Missing,
    NewConnection, Observation, Patch, Problem, ProfileName, Proxy, ProxyId, ProxyName, ProxyRef,
    Refusal, Stamps, StoreError, Used, Violation, ViolationCode,
};

/// What a store knows of itself without looking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) last_id: LastId,
    pub(crate) connections: u64,
    pub(crate) profiles: u64,
    pub(crate) proxies: u64,
    /// The number of the last change; 0 before the first.
    pub(crate) seq: u64,
    /// Counts the batches that had effects: tells whether one of unknown outcome is there.
    pub(crate) revision: u64,
    /// The last number given to a domain; 0 before the first.
    pub(crate) last_domain: u32,
}

/// A create, as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Create {
    pub(crate) request: NewConnection,
    pub(crate) idempotency: Option<Idempotency>,
    /// Whether to answer with the connection that is there, instead of a conflict.
    pub(crate) ensure: bool,
}

/// An operation that may write.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create(Box<Create>),
    Update(ConnectionId, Box<Patch>),
    Record(ConnectionId, Box<Observation>),
    Delete(ConnectionId),
    DeleteProfile(ProfileName),
    RegisterProxy(ProxyId, Option<ProxyName>),
    RemoveProxy(ProxyId),
    /// A connection from a dump, with its ID.
    Restore(Box<Record>),
    /// A profile from a dump.
    RestoreProfile(ProfileName),
}

impl Op {
    /// About how many bytes the operation writes, as far as it says itself: what a batch is measured by.
    pub(crate) fn size_bytes(&self) -> usize {
        /// Keys, counts and the change, beside what a request says.
        const FIXED: usize = 256;
        FIXED
            + match self {
                Self::Create(create) => {
                    let NewConnection { domain, profile_name, settings } = &create.request;
                    let key = create.idempotency.as_ref().map(|kept| &kept.key);
                    3 * (size_of(Some(domain)) + size_of(Some(profile_name)))
                        + size_of(settings.login_url.as_ref())
                        + settings.credential.as_ref().map_or(0, size_of_credential)
                        + settings.allowed_domains.as_ref().map_or(0, size_of_list)
                        + size_of(key)
                }
                Self::Update(_, patch) => {
                    size_of(patch.login_url.replacement())
                        + patch.credential.replacement().map_or(0, size_of_credential)
                        + patch.allowed_domains.as_ref().map_or(0, size_of_list)
                }
                Self::Record(_, seen) => {
                    let flow = seen.flow.replacement().map(serde_json::to_vec);
                    size_of(seen.post_login_url.as_ref())
                        + flow.map_or(0, |json| json.map_or(0, |json| json.len()))
                }
                Self::RegisterProxy(_, name) => size_of(name.as_ref()),
                Self::Delete(_)
                | Self::DeleteProfile(_)
                | Self::RemoveProxy(_)
                | Self::Restore(_)
                | Self::RestoreProfile(_) => 0,
            }
    }
}

fn size_of(text: Option<&impl AsRef<str>>) -> usize {
    text.map_or(0, |text| text.as_ref().len())
}

fn size_of_list(list: &AllowedDomains) -> usize {
    list.as_slice().iter().map(|entry| entry.as_str().len()).sum()
}

fn size_of_credential(credential: &Credential) -> usize {
    match credential {
        Credential::Name(name) => size_of(Some(name)),
        Credential::Path { provider, path } => size_of(Some(provider)) + size_of(Some(path)),
        Credential::Auto { provider } => size_of(Some(provider)),
    }
}

/// The answer to a [`Write`](crate::Write).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Of a create.
    Creation(Box<Creation>),
    /// Of an update and of a record: the connection as it stands then.
    Connection(Box<Connection>),
    /// Of the registration of a proxy.
    Proxy(Proxy),
    /// Of what takes something away.
    Done,
}

/// How a create stands before it writes anything.
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "looked at where it is made, never kept")
)]
pub(crate) enum Settled {
    /// The pair is taken, and this is the answer.
    Answered(Creation),
    /// The pair is free, and the request may have it.
    Free {
        /// The proxy that it names.
        proxy_id: Option<ProxyId>,
        /// The row of the profile, if that is there.
        profile_row: Option<Vec<u8>>,
    },
}

/// Settles a create as far as reading can: replay, then plan floor and references, then conflict.
pub(crate) fn settle(rows: Rows<'_>, limits: &Limits, create: &Create) -> Result<Settled, Error> {
    let request = &create.request;
    let place = profile_rows::place(rows, &request.profile_name, &request.domain)?;
    if let (Place::Taken(id), Some(sent)) = (&place, &create.idempotency) {
        let id = *id;
        let record = query::record(rows, id)?;
        if let Some(kept) = record.idempotency.filter(|kept| kept.key == sent.key) {
            return if kept.fingerprint == sent.fingerprint {
                Ok(Settled::Answered(Creation::Replayed(record.connection)))
            } else {
                Err(Refusal::KeyReused(id).into())
            };
        }
    }
    let mut violations = Vec::new();
    if let Some(interval) = request.health_check_interval {
        violations.extend(below_floor(interval, limits));
    }
    let mut proxy_id = None;
    if let Some(proxy) = &request.proxy {
        match resolve(rows, proxy)? {
            Ok(id) => proxy_id = Some(id),
            Err(violation) => violations.push(violation),
        }
    }
    if !violations.is_empty() {
        return Err(Refusal::Invalid(violations).into());
    }
    Ok(match place {
        Place::Free(profile_row) => Settled::Free { proxy_id, profile_row },
        Place::Taken(id) if create.ensure => {
            Settled::Answered(Creation::Existing(query::record(rows, id)?.connection))
        }
        Place::Taken(existing_id) => {
            Settled::Answered(Creation::Conflict(Conflict { existing_id }))
        }
    })
}

fn below_floor(interval: crate::HealthCheckInterval, limits: &Limits) -> Option<Violation> {
    let plan = limits.plan;
    let (sent, floor) = (interval.seconds(), plan.floor().seconds());
    (sent < floor).then(|| {
        let message = format!("{sent} is below the {plan} plan's floor; send {floor} to 86400");
        Problem::new(ViolationCode::BelowPlanFloor, message).at("health_check_interval")
    })
}

/// The registered proxy that `proxy` names.
fn resolve(rows: Rows<'_>, proxy: &ProxyRef) -> Result<Result<ProxyId, Violation>, StoreError> {
    const UNKNOWN: ViolationCode = ViolationCode::UnknownProxy;
    let (field, problem) = match proxy {
        ProxyRef::Id(id) => {
            if query::proxy(rows, id)?.is_some() {
                return Ok(Ok(id.clone()));
            }
            let message = format!("no proxy {:?} is registered; register it first", id.as_str());
            ("proxy.id", Problem::new(UNKNOWN, message))
        }
        ProxyRef::Name(name) => match query::proxies_named(rows, name, 2)?.as_slice() {
            [id] => return Ok(Ok(id.clone())),
            [] => {
                let message =
                    format!("no proxy named {:?} is registered; register it first", name.as_str());
                ("proxy.name", Problem::new(UNKNOWN, message))
            }
            _ => {
                let message =
                    format!("more than one proxy is named {:?}; send an id", name.as_str());
                ("proxy.name", Problem::new(ViolationCode::AmbiguousProxy, message))
            }
        },
    };
    Ok(Err(problem.at(field)))
}

/// One turn of the write path: applies operations in order to a view.
pub(crate) struct Batch<'a> {
    view: &'a View,
    limits: &'a Limits,
    stamps: &'a dyn Stamps,
    state: State,
    effects: Effects,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(view: &'a View, limits: &'a Limits, stamps: &'a dyn Stamps) -> Self {
        let begun = (Effects::default(), view.recent.state.clone());
        Self::resume(view, limits, stamps, begun)
    }

    /// Goes on with a batch over the same view that was [paused](Self::pause).
    pub(crate) fn resume(
        view: &'a View,
        limits: &'a Limits,
        stamps: &'a dyn Stamps,
        (effects, state): (Effects, State),
    ) -> Self {
        Self { view, limits, stamps, state, effects }
    }

    /// What the batch has come to, for it to be resumed.
    pub(crate) fn pause(self) -> (Effects, State) {
        (self.effects, self.state)
    }

    /// Applies one operation, seeing all before it.
    pub(crate) fn apply(&mut self, op: Op) -> Result<Written, Error> {
        match op {
            Op::Create(create) => {
                self.create(*create).map(|creation| Written::Creation(Box::new(creation)))
            }
            Op::Update(id, patch) => self.update(id, &patch).map(Written::from),
            Op::Record(id, seen) => {
                let record = query::record(self.rows(), id)?;
                self.modify(record, |connection| connection.observe(&seen)).map(Written::from)
            }
            Op::Delete(id) => self.delete(id),
            Op::DeleteProfile(name) => self.delete_profile(&name),
            Op::RegisterProxy(id, name) => self.register_proxy(id, name).map(Written::Proxy),
            Op::RemoveProxy(id) => self.remove_proxy(id),
            Op::Restore(record) => self.restore(&record),
            Op::RestoreProfile(name) => self.restore_profile(&name),
        }
    }

    /// What is to be made durable, and the state that goes with it.
    pub(crate) fn finish(mut self) -> (Effects, State) {
        if !self.effects.is_empty() {
            self.state.revision += 1;
        }
        (self.effects, self.state)
    }

    fn rows(&self) -> Rows<'_> {
        Rows::with(self.view, &self.effects)
    }

    fn create(&mut self, create: Create) -> Result<Creation, Error> {
        let (proxy_id, profile_row) = match settle(self.rows(), self.limits, &create)? {
            Settled::Answered(creation) => return Ok(creation),
            Settled::Free { proxy_id, profile_row } => (proxy_id, profile_row),
        };
        if let Some(cap) = self.limits.cap.filter(|&cap| self.state.connections >= cap) {
            return Err(Refusal::OverCap(cap).into());
        }
        let NewConnection { domain, profile_name, settings } = create.request;
        let mut last_id = self.state.last_id;
        let id = last_id
            .next(self.stamps.stamp(), &profile_name)
            .ok_or_else(|| StoreError::Internal("there is no greater ID".into()))?;
        let interval =
            settings.health_check_interval.unwrap_or_else(|| self.limits.plan.default_interval());
        let pair = (profile_name, domain);
        let connection = Connection::fresh(id, pair, settings, proxy_id, interval);
        let record = Record { connection, idempotency: create.idempotency };
        self.insert(&record, profile_row.as_deref())?;
        self.state.last_id = last_id;
        Ok(Creation::Created(record.connection))
    }

    /// Puts a new connection into every table. The pair must be free; `profile_row` is as it stands.
    fn insert(&mut self, record: &Record, profile_row: Option<&[u8]>) -> Result<(), Error> {
        let connection = &record.connection;
        let (id, profile, domain) = (connection.id, &connection.profile_name, &connection.domain);
        let bytes = codec::encode_record(record)?;
        let of_profile = profile_rows::add(profile_row, profile, domain, id)?;
        let (of_domain, last_domain) =
            domain_rows::add(self.rows(), self.state.last_domain, domain, id)?;
        let proxy_row = self.proxy_row(connection.proxy_id.as_ref(), 1)?;

        self.put_rows(Table::Profiles, of_profile);
        self.put_rows(Table::Domains, of_domain);
        self.put_proxy(proxy_row);
        self.change(ChangeKind::Created, id, &bytes);
        self.effects.put(Table::Connections, id.to_bytes().to_vec(), bytes);
        self.state.connections += 1;
        self.state.profiles += u64::from(profile_row.is_none());
        self.state.last_domain = last_domain;
        Ok(())
    }

    fn update(&mut self, id: ConnectionId, patch: &Patch) -> Result<Connection, Error> {
        let record = query::record(self.rows(), id)?;
        let mut violations = Vec::new();
        if let Some(interval) = patch.health_check_interval {
            violations.extend(below_floor(interval, self.limits));
        }
        let proxy_id = match &patch.proxy {
            Edit::Keep => Edit::Keep,
            Edit::Clear => Edit::Clear,
            Edit::Set(proxy) => match resolve(self.rows(), proxy)? {
                Ok(id) => Edit::Set(id),
                Err(violation) => {
                    violations.push(violation);
                    Edit::Keep
                }
            },
        };
        if !violations.is_empty() {
            return Err(Refusal::Invalid(violations).into());
        }
        self.modify(record, |connection| {
            patch.login_url.apply(&mut connection.login_url);
            patch.credential.apply(&mut connection.credential);
            proxy_id.apply(&mut connection.proxy_id);
            if let Some(allowed_domains) = &patch.allowed_domains {
                connection.allowed_domains = allowed_domains.clone();
            }
            set(&mut connection.health_check_interval, patch.health_check_interval);
            set(&mut connection.health_checks, patch.health_checks);
            set(&mut connection.auto_reauth, patch.auto_reauth);
            set(&mut connection.save_credentials, patch.save_credentials);
            set(&mut connection.record_session, patch.record_session);
        })
    }

    /// Changes a connection in place; one that ends up as it was is not written and not a change.
    fn modify(
        &mut self,
        mut record: Record,
        change: impl FnOnce(&mut Connection),
    ) -> Result<Connection, Error> {
        let before = record.connection.clone();
        change(&mut record.connection);
        if record.connection == before {
            return Ok(before);
        }
        let bytes = codec::encode_record(&record)?;
        let (old, new) = (&before.proxy_id, &record.connection.proxy_id);
        if old != new {
            let leave = self.proxy_row(old.as_ref(), -1)?;
            let join = self.proxy_row(new.as_ref(), 1)?;
            self.put_proxy(leave);
            self.put_proxy(join);
        }
        let id = before.id;
        self.change(ChangeKind::Updated, id, &bytes);
        self.effects.put(Table::Connections, id.to_bytes().to_vec(), bytes);
        Ok(record.connection)
    }

    fn delete(&mut self, id: ConnectionId) -> Result<Written, Error> {
        let Connection { profile_name, domain, proxy_id, .. } =
            query::record(self.rows(), id)?.connection;
        let of_profile = profile_rows::remove(self.rows(), &profile_name, &domain, id)?;
        let of_domain = domain_rows::remove(self.rows(), &domain, id)?;
        let proxy_row = self.proxy_row(proxy_id.as_ref(), -1)?;

        self.put_rows(Table::Profiles, of_profile);
        self.put_rows(Table::Domains, of_domain);
        self.effects.remove(Table::Connections, id.to_bytes().to_vec());
        self.put_proxy(proxy_row);
        self.change(ChangeKind::Deleted, id, &[]);
        self.state.connections = self.state.connections.saturating_sub(1);
        Ok(Written::Done)
    }

    fn delete_profile(&mut self, name: &ProfileName) -> Result<Written, Error> {
        match query::profile(self.rows(), name)? {
            None => Err(Missing::Profile(name.to_string()).into()),
            Some(0) => {
                self.effects.remove(Table::Profiles, tables::profile(name));
                self.state.profiles = self.state.profiles.saturating_sub(1);
                Ok(Written::Done)
            }
            Some(connections) => {
                Err(Refusal::InUse(Used::Profile { name: name.clone(), connections }).into())
            }
        }
    }

    fn register_proxy(&mut self, id: ProxyId, name: Option<ProxyName>) -> Result<Proxy, Error> {
        let before = query::proxy(self.rows(), &id)?;
        let connections = before.as_ref().map_or(0, |before| before.connections);
        let proxy = Proxy { id, name, connections };
        if before.as_ref() == Some(&proxy) {
            return Ok(proxy);
        }
        let row = codec::encode_proxy(connections, proxy.name.as_ref())?;
        if let Some(old) = before.as_ref().and_then(|before| before.name.as_ref()) {
            self.effects.remove(Table::Proxies, tables::named_proxy(old, &proxy.id));
        }
        if let Some(name) = &proxy.name {
            self.effects.put(Table::Proxies, tables::named_proxy(name, &proxy.id), Vec::new());
        }
        self.effects.put(Table::Proxies, tables::proxy(&proxy.id), row);
        self.state.proxies += u64::from(before.is_none());
        Ok(proxy)
    }

    fn remove_proxy(&mut self, id: ProxyId) -> Result<Written, Error> {
        let Some(proxy) = query::proxy(self.rows(), &id)? else {
            return Err(Missing::Proxy(id.to_string()).into());
        };
        if proxy.connections > 0 {
            let connections = proxy.connections;
            return Err(Refusal::InUse(Used::Proxy { id, connections }).into());
        }
        if let Some(name) = &proxy.name {
            self.effects.remove(Table::Proxies, tables::named_proxy(name, &id));
        }
        self.effects.remove(Table::Proxies, tables::proxy(&id));
        self.state.proxies = self.state.proxies.saturating_sub(1);
        Ok(Written::Done)
    }

    /// Puts back a connection from a dump, if nothing that is there contradicts it.
    fn restore(&mut self, record: &Record) -> Result<Written, Error> {
        let connection = &record.connection;
        let problem = |field: &str, message: &str| {
            Err(Error::from(Refusal::from(Problem::value(message).at(field))))
        };
        if connection.id.route() != connection.profile_name.route() {
            return problem("id", "does not belong to this profile");
        }
        if query::record_bytes(self.rows(), connection.id, |_| ())?.is_some() {
            return problem("id", "is there twice");
        }
        let (profile, domain) = (&connection.profile_name, &connection.domain);
        let Place::Free(profile_row) = profile_rows::place(self.rows(), profile, domain)? else {
            return problem("domain", "is there twice for this profile");
        };
        if let Some(proxy_id) = &connection.proxy_id
            && query::proxy(self.rows(), proxy_id)?.is_none()
        {
            return problem("proxy", "is not among the proxies before it");
        }
        self.insert(record, profile_row.as_deref())?;
        self.state.last_id.raise_to(connection.id);
        Ok(Written::Done)
    }

    fn restore_profile(&mut self, name: &ProfileName) -> Result<Written, Error> {
        if query::profile(self.rows(), name)?.is_none() {
            self.effects.put(Table::Profiles, tables::profile(name), profile_rows::EMPTY.to_vec());
            self.state.profiles += 1;
        }
        Ok(Written::Done)
    }

    fn put_rows(&mut self, table: Table, changes: RowChanges) {
        for (key, value) in changes {
            match value {
                Some(value) => self.effects.put(table, key, value),
                None => self.effects.remove(table, key),
            }
        }
    }

    /// The row of a proxy whose number of connections changes by `by`, to be put by [`put_proxy`](Self::put_proxy).
    fn proxy_row(&self, id: Option<&ProxyId>, by: i64) -> Result<Option<Row>, StoreError> {
        let Some(id) = id else { return Ok(None) };
        let proxy = query::proxy(self.rows(), id)?
            .ok_or_else(|| StoreError::damaged("a connection's proxy is missing"))?;
        let connections = proxy.connections.saturating_add_signed(by);
        let row = codec::encode_proxy(connections, proxy.name.as_ref())?;
        Ok(Some((tables::proxy(id), row)))
    }

    fn put_proxy(&mut self, row: Option<Row>) {
        if let Some((key, value)) = row {
            self.effects.put(Table::Proxies, key, value);
        }
    }

    fn change(&mut self, kind: ChangeKind, id: ConnectionId, record: &[u8]) {
        self.state.seq += 1;
        self.effects.changes.push(Occurrence { kind, id, record: record.into() });
    }
}

/// A key and its value.
type Row = (Vec<u8>, Vec<u8>);

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

impl From<Connection> for Written {
    fn from(connection: Connection) -> Self {
        Self::Connection(Box::new(connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::{CreateOptions, Json, MemoryStorage, Stamp, Write};

    /// How many bytes the operation says that it writes, and how many it does.
    fn sizes(op: Op, before: &[Op]) -> (usize, usize) {
        let disk = Disk::open(&MemoryStorage::default(), 1 << 20).unwrap();
        let view = View::of(disk.snapshot().unwrap());
        let limits = Limits::default();
        let stamps = || Stamp { now_ms: 1_750_000_000_000, random: 7 };
        let mut batch = Batch::new(&view, &limits, &stamps);
        for op in before {
            batch.apply(op.clone()).unwrap();
        }
        let already = batch.effects.size_bytes();
        let says = op.size_bytes();
        batch.apply(op).unwrap();
        (says, batch.effects.size_bytes() - already)
    }

    #[test]
    fn an_operation_is_measured_by_about_what_it_writes() {
        let json = |text: &str| Json::parse(text.as_bytes()).unwrap();
        let create = |rest: &str| {
            let text = format!(r#"{{"domain":"a.com","profile_name":"p"{rest}}}"#);
            Write::create(NewConnection::from_json(&json(&text)).unwrap(), CreateOptions::default())
                .0
        };
        let Op::Create(plain) = create("") else { panic!("a create") };
        let stamp = Stamp { now_ms: 1_750_000_000_000, random: 7 };
        let id = LastId::default().next(stamp, &plain.request.profile_name).unwrap();
        let long = "x".repeat(1024);
        let settings = format!(
            r#""login_url":"https://a.com/{long}","credential":{{"provider":"{long}","path":"{long}"}},"allowed_domains":["{}.com"]"#,
            ["abcdefg"; 30].join(".")
        );
        let flow = format!(
            r#"{{"flow":{{"flow_type":"LOGIN","flow_status":"FAILED","error_message":"{long}","website_error":"{long}"}},"post_login_url":"https://a.com/{long}"}}"#
        );
        let update =
            Write::update(id, Patch::from_json(&json(&format!("{{{settings}}}"))).unwrap());
        let record = Write::record(id, Observation::from_json(&json(&flow)).unwrap());
        let there = [create("")];
        for (op, before) in [
            (create(""), &[][..]),
            (create(&format!(",{settings}")), &[]),
            (update.0, &there),
            (record.0, &there),
            (Write::delete(id).0, &there),
        ] {
            let (says, writes) = sizes(op.clone(), before);
            assert!(writes <= 2 * says && says <= 2 * writes + 256, "{says}, {writes}: {op:?}");
        }
    }
}
