//! [`Dump`], a store as JSON Lines, and how such lines are read back.
//!
//! The first line is `{"format":"connectory-dump","version":1}`. Then come the proxies by ID, the profiles by
//! name and the connections by ID, so that equal stores dump equal bytes on every runtime:
//!
//! ```text
//! {"proxy":{"id":"px-1","name":"Berlin"}}
//! {"profile":{"name":"user-123"}}
//! {"connection":{"id":"ma_...","domain":"netflix.com","profile_name":"user-123", ... }}
//! ```
//!
//! A connection's line holds the fields of its create request, every one that is set, then `observation` as
//! [`Observation::from_json`](crate::Observation::from_json) reads it, and `idempotency`.

use crate::codec::{self, Record};
use crate::connection::Connection;
use crate::engine::Op;
use crate::json::Fields;
use crate::live::Handle;
use crate::observation::Source;
use crate::request::{Fingerprint, Idempotency};
use crate::rows::{Order, Rows, View};
use crate::tables::{self, ProfileKey, Table};
use crate::{
    ConnectionId, Error, Flow, Json, NewConnection, Observation, Problem, ProfileName, Proxy,
    ProxyId, ProxyName, ProxyRef, Refusal, Settings, Status, StoreError, Timestamp, ViolationCode,
    WebUrl,
};
use serde::Serialize;
use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

const NAME: &str = "connectory-dump";
const VERSION: u32 = 1;
/// Rows read at a time.
const CHUNK: usize = 256;

#[derive(Serialize)]
struct Header {
    format: &'static str,
    version: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Proxy(ProxyLine),
    Profile(ProfileLine),
    Connection(Box<ConnectionLine<'a>>),
}

#[derive(Serialize)]
struct ProxyLine {
    id: ProxyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<ProxyName>,
}

#[derive(Serialize)]
struct ProfileLine {
    name: Box<str>,
}

#[derive(Serialize)]
struct ConnectionLine<'a> {
    id: ConnectionId,
    #[serde(flatten)]
    request: NewConnection,
    #[serde(skip_serializing_if = "Option::is_none")]
    observation: Option<ObservationLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency: Option<IdempotencyLine<'a>>,
}

#[derive(Serialize)]
struct ObservationLine<'a> {
    status: Status,
    can_reauth: bool,
    can_reauth_reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_auth_check_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_login_url: Option<&'a WebUrl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<&'a Flow>,
}

#[derive(Serialize)]
struct IdempotencyLine<'a> {
    key: &'a str,
    fingerprint: String,
}

/// The lines of a dump, without line ends: an iterator over one moment of the store.
///
/// Memory does not grow with the store. While it lives, the space of what is overwritten is not reused; if the
/// store has to recover from a failure of its storage meanwhile, the next line is an error.
#[derive(Debug)]
pub struct Dump {
    live: Arc<Handle>,
    view: Arc<View>,
    section: Option<Section>,
    ready: VecDeque<String>,
}

/// What to read next: the rows of this table after this key.
#[derive(Debug)]
struct Section {
    table: Table,
    after: Option<Vec<u8>>,
}

impl Dump {
    pub(crate) fn new(live: Arc<Handle>) -> Result<Self, StoreError> {
        let view = live.view()?;
        let header = header()?;
        let section = Some(Section { table: Table::Proxies, after: None });
        Ok(Self { live, view, section, ready: VecDeque::from([header]) })
    }

    /// How many connections the dump will hold.
    pub fn connections(&self) -> u64 {
        self.view.recent.state.connections
    }

    /// Where a line of a dump belongs if the project is spread over shards: the [route](ProfileName::route) of its profile,
    /// or `None` for the header and for proxies, which every shard needs.
    ///
    /// # Errors
    ///
    /// [`Refusal::Invalid`] for what is no line of a dump.
    ///
    /// ```
    /// use connectory::{Dump, ProfileName};
    ///
    /// let user: ProfileName = "user-123".parse()?;
    /// assert_eq!(Dump::route_of_line(r#"{"profile":{"name":"user-123"}}"#)?, Some(user.route()));
    /// assert_eq!(Dump::route_of_line(r#"{"proxy":{"id":"px-1"}}"#)?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn route_of_line(line: &str) -> Result<Option<u16>, Refusal> {
        match read_line(line) {
            Ok(Op::Restore(record)) => Ok(Some(record.connection.profile_name.route())),
            Ok(Op::RestoreProfile(name)) => Ok(Some(name.route())),
            Ok(_) => Ok(None),
            Err(refusal) => read_header(line).map(|()| None).map_err(|_| refusal),
        }
    }

    /// Reads the next rows; leaves none ready where a table ends.
    fn read_on(&mut self) -> Result<(), StoreError> {
        let Some(Section { table, after }) = self.section.take() else { return Ok(()) };
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut scan = Rows::of(&self.view).scan(table, from, Bound::Unbounded, Order::Rising)?;
        let mut last = None;
        for _ in 0..CHUNK {
            let row = scan.next(|key, value| Ok((key.to_vec(), line(table, key, value)?)))?;
            let Some((key, line)) = row else {
                let next = match table {
                    Table::Proxies => Some(Table::Profiles),
                    Table::Profiles => Some(Table::Connections),
                    _ => None,
                };
                self.section = next.map(|table| Section { table, after: None });
                return Ok(());
            };
            self.ready.extend(line);
            last = Some(key);
        }
        self.section = Some(Section { table, after: last });
        Ok(())
    }
}

impl Iterator for Dump {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && self.section.is_some() {
            if let Err(error) = self.read_on() {
                self.live.note(&self.view, &error);
                return Some(Err(error.into()));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

/// The first line.
pub(crate) fn header() -> Result<String, StoreError> {
    to_line(&Header { format: NAME, version: VERSION })
}

/// The line of a row, if it has one: indexes follow from the rest.
pub(crate) fn line(table: Table, key: &[u8], value: &[u8]) -> Result<Option<String>, StoreError> {
    let line = match table {
        Table::Proxies if key.starts_with(tables::ALL_PROXIES) => {
            let (_, name) = codec::decode_proxy(value)?;
            Line::Proxy(ProxyLine { id: tables::proxy_id(key)?, name })
        }
        Table::Profiles => match ProfileKey::read(key)? {
            ProfileKey::Profile(name) => Line::Profile(ProfileLine { name: name.into() }),
            ProfileKey::Pair(..) | ProfileKey::InOrder(..) => return Ok(None),
        },
        Table::Connections => {
            let record = codec::decode_record(tables::trailing_id(key)?, value)?;
            return connection_line(&record).map(Some);
        }
        _ => return Ok(None),
    };
    to_line(&line).map(Some)
}

fn connection_line(record: &Record) -> Result<String, StoreError> {
    let connection = &record.connection;
    let mut request =
        NewConnection::new(connection.domain.clone(), connection.profile_name.clone());
    request.settings = Settings {
        login_url: connection.login_url.clone(),
        proxy: connection.proxy_id.clone().map(ProxyRef::Id),
        credential: connection.credential.clone(),
        allowed_domains: Some(connection.allowed_domains.clone()).filter(|list| !list.is_empty()),
        health_check_interval: Some(connection.health_check_interval),
        health_checks: Some(connection.health_checks),
        auto_reauth: Some(connection.auto_reauth),
        save_credentials: Some(connection.save_credentials),
        record_session: Some(connection.record_session),
    };
    let observation = connection.is_observed().then_some(ObservationLine {
        status: connection.status,
        can_reauth: connection.reauth.is_possible(),
        can_reauth_reason: connection.reauth.reason(),
        last_auth_check_at: connection.last_auth_check_at,
        post_login_url: connection.post_login_url.as_ref(),
        flow: connection.flow.as_deref(),
    });
    let idempotency = record.idempotency.as_ref().map(|idempotency| IdempotencyLine {
        key: idempotency.key.as_str(),
        fingerprint: format!("{:?}", idempotency.fingerprint),
    });
    let line = ConnectionLine { id: connection.id, request, observation, idempotency };
    to_line(&Line::Connection(Box::new(line)))
}

fn to_line(line: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(line)
        .map_err(|error| StoreError::Internal(format!("a line cannot be written: {error}")))
}

/// Checks the first line of a dump.
pub(crate) fn read_header(line: &str) -> Result<(), Refusal> {
    let json = Json::parse_unbounded(line.as_bytes())?;
    let mut fields = Fields::of_request(&json)?;
    fields.require("format", |json| match json.as_str()? {
        NAME => Ok(()),
        _ => Err(Problem::value(format!("is not {NAME:?}; send a dump of this program"))),
    });
    fields.require("version", |json| json.as_integer(VERSION, VERSION));
    fields.finish(Some(()))
}

/// The operation that puts back what a later line of a dump stands for.
pub(crate) fn read_line(line: &str) -> Result<Op, Refusal> {
    let json = Json::parse_unbounded(line.as_bytes())?;
    let mut fields = Fields::of_request(&json)?;
    let proxy = fields.object("proxy", |fields| {
        let id: Option<ProxyId> = fields.require("id", Json::parse_str);
        let name = fields.read("name", Json::parse_str);
        let proxy = Proxy { id: id?, name, connections: 0 };
        Some(Op::RegisterProxy(proxy.id, proxy.name))
    });
    let profile = fields.object("profile", |fields| {
        let name: Option<ProfileName> = fields.require("name", Json::parse_str);
        name.map(Op::RestoreProfile)
    });
    let connection = fields.object("connection", read_connection);
    let op = match (proxy, profile, connection) {
        (Some(op), None, None) | (None, Some(op), None) => Some(op),
        (None, None, Some(record)) => Some(Op::Restore(Box::new(record))),
        _ => {
            let message = "is none of proxy, profile and connection; send a dump as it was made";
            fields.note("", Problem::value(message));
            None
        }
    };
    fields.finish(op)
}

fn read_connection(fields: &mut Fields<'_>) -> Option<Record> {
    let id = fields.require("id", |json| {
        json.as_str()?.parse::<ConnectionId>().map_err(|error| Problem::value(error.to_string()))
    });
    let request = NewConnection::read(fields);
    let observation = fields
        .object("observation", |fields| Some(Observation::read(fields, Source::Dump)))
        .unwrap_or_default();
    let idempotency = fields.object("idempotency", |fields| {
        let key = fields.require("key", Json::parse_str);
        let fingerprint = fields.require("fingerprint", read_fingerprint);
        Some(Idempotency { key: key?, fingerprint: fingerprint? })
    });
    let (id, NewConnection { domain, profile_name, settings }) = (id?, request?);
    let interval = settings.health_check_interval;
    if interval.is_none() {
        let message = "is required in a dump; send it";
        fields.note("health_check_interval", Problem::new(ViolationCode::MissingField, message));
    }
    let proxy_id = match &settings.proxy {
        Some(ProxyRef::Name(_)) => {
            fields.note("proxy", Problem::value("is named by its name; send its id in a dump"));
            None
        }
        Some(ProxyRef::Id(id)) => Some(id.clone()),
        None => None,
    };
    let pair = (profile_name, domain);
    let mut connection = Connection::fresh(id, pair, settings, proxy_id, interval?);
    connection.observe(&observation);
    Some(Record { connection, idempotency })
}

fn read_fingerprint(json: &Json) -> Result<Fingerprint, Problem> {
    let text = json.as_str()?;
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u128::from_str_radix(text, 16) {
        Ok(bits) if is_hex => Ok(Fingerprint(bits.to_be_bytes())),
        _ => Err(Problem::value("is not a fingerprint; send 32 hexadecimal digits")),
    }
}
