//! How values become bytes on disk and back: the only file that knows bincode.
//!
//! A record begins with a version byte. The structs below are the format, field by field; they hold plain
//! strings and numbers, so the types of the API can change without it. What is read is checked again by
//! those types: damage that decodes is still an error, not a wrong answer.

use crate::change::Occurrence;
use crate::connection::Connection;
use crate::engine::State;
use crate::id::LastId;
use crate::json::Fields;
use crate::request::{Fingerprint, Idempotency};
use crate::rows::Effects;
use crate::tables::Table;
use crate::{
    AllowedDomains, ChangeKind, ConnectionId, Credential, Domain, Error, Flow, HealthCheckInterval,
    Json, ProxyName, Reauth, Refusal, Status, StoreError, Timestamp,
};
use bincode::de::BorrowDecoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};

/// The format of stores, records included. Any other is refused.
pub(crate) const FORMAT: u32 = 1;

const RECORD_VERSION: u8 = 1;
/// No record is longer.
const RECORD_MAX_BYTES: usize = 1 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<{ 2 * RECORD_MAX_BYTES }>()
}

/// A connection and what the store keeps beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) connection: Connection,
    pub(crate) idempotency: Option<Idempotency>,
}

/// Profile and domain stand first, so that [`pair_of`] need not read on.
#[derive(Encode, BorrowDecode)]
struct StoredRecord<'a> {
    profile_name: &'a str,
    domain: &'a str,
    /// From bit 0: `health_checks`, `auto_reauth`, `save_credentials`, `record_session`.
    switches: u8,
    health_check_interval: u32,
    login_url: Option<&'a str>,
    proxy_id: Option<&'a str>,
    credential: Option<StoredCredential<'a>>,
    allowed_domains: Vec<&'a str>,
    observation: Option<StoredObservation<'a>>,
    idempotency: Option<StoredIdempotency<'a>>,
}

#[derive(Clone, Copy, Encode, BorrowDecode)]
enum StoredCredential<'a> {
    Name(&'a str),
    Path(&'a str, &'a str),
    Auto(&'a str),
}

#[derive(Encode, BorrowDecode)]
struct StoredObservation<'a> {
    authenticated: bool,
    can_reauth: bool,
    can_reauth_reason: &'a str,
    last_auth_check_at: Option<i64>,
    post_login_url: Option<&'a str>,
    /// JSON, as the API shows it.
    flow: Option<&'a str>,
}

#[derive(Encode, BorrowDecode)]
struct StoredIdempotency<'a> {
    key: &'a str,
    fingerprint: [u8; 16],
}

/// The bytes of a record; its ID is its key and is not among them. Refused where they would be too many: values
/// that are each within their bounds can add up.
pub(crate) fn encode_record(record: &Record) -> Result<Vec<u8>, Error> {
    let Connection {
        id: _,
        profile_name,
        domain,
        status,
        reauth,
        last_auth_check_at,
        post_login_url,
        flow,
        login_url,
        credential,
        proxy_id,
        allowed_domains,
        health_check_interval,
        health_checks,
        auto_reauth,
        save_credentials,
        record_session,
    } = &record.connection;
    let flow = flow
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| StoreError::Internal(format!("a flow cannot be written: {error}")))?;
    let observation = record.connection.is_observed().then(|| StoredObservation {
        authenticated: *status == Status::Authenticated,
        can_reauth: reauth.is_possible(),
        can_reauth_reason: reauth.reason(),
        last_auth_check_at: last_auth_check_at.map(Timestamp::unix_ms),
        post_login_url: post_login_url.as_ref().map(AsRef::as_ref),
        flow: flow.as_deref(),
    });
    let switches = [health_checks, auto_reauth, save_credentials, record_session]
        .into_iter()
        .enumerate()
        .fold(0, |bits, (n, on)| bits | u8::from(*on) << n);
    let stored = StoredRecord {
        profile_name: profile_name.as_str(),
        domain: domain.as_str(),
        switches,
        health_check_interval: health_check_interval.seconds(),
        login_url: login_url.as_ref().map(AsRef::as_ref),
        proxy_id: proxy_id.as_ref().map(AsRef::as_ref),
        credential: credential.as_ref().map(|credential| match credential {
            Credential::Name(name) => StoredCredential::Name(name.as_str()),
            Credential::Path { provider, path } => {
                StoredCredential::Path(provider.as_str(), path.as_str())
            }
            Credential::Auto { provider } => StoredCredential::Auto(provider.as_str()),
        }),
        allowed_domains: allowed_domains.as_slice().iter().map(AsRef::as_ref).collect(),
        observation,
        idempotency: record.idempotency.as_ref().map(|idempotency| StoredIdempotency {
            key: idempotency.key.as_str(),
            fingerprint: idempotency.fingerprint.0,
        }),
    };
    let bytes = encode(&stored)?;
    // What could be written but not read again must not be written.
    if bytes.len() > RECORD_MAX_BYTES {
        return Err(Refusal::TooLarge(RECORD_MAX_BYTES).into());
    }
    Ok(bytes)
}

/// The record that `bytes` under the key `id` stand for.
pub(crate) fn decode_record(id: ConnectionId, bytes: &[u8]) -> Result<Record, StoreError> {
    let stored: StoredRecord<'_> = decode(bytes)?;
    let seen = stored.observation;
    let switch = |n: u8| stored.switches & (1 << n) != 0;
    let patterns =
        stored.allowed_domains.iter().map(|entry| parse(entry)).collect::<Result<_, _>>()?;
    let mut connection = Connection {
        id,
        profile_name: parse(stored.profile_name)?,
        domain: Domain::stored(stored.domain).ok_or_else(|| damaged("a domain"))?,
        status: Status::NeedsAuth,
        reauth: Reauth::fresh(),
        last_auth_check_at: None,
        post_login_url: None,
        flow: None,
        login_url: stored.login_url.map(parse).transpose()?,
        credential: stored.credential.map(decode_credential).transpose()?,
        proxy_id: stored.proxy_id.map(parse).transpose()?,
        allowed_domains: AllowedDomains::new(patterns).map_err(damaged)?,
        health_check_interval: HealthCheckInterval::new(stored.health_check_interval)
            .map_err(damaged)?,
        health_checks: switch(0),
        auto_reauth: switch(1),
        save_credentials: switch(2),
        record_session: switch(3),
    };
    if let Some(seen) = seen {
        if seen.authenticated {
            connection.status = Status::Authenticated;
        }
        connection.reauth = Reauth::stored(seen.can_reauth, seen.can_reauth_reason);
        connection.last_auth_check_at = match seen.last_auth_check_at {
            None => None,
            Some(ms) => {
                Some(Timestamp::from_unix_ms(ms).ok_or_else(|| damaged("a moment out of range"))?)
            }
        };
        connection.post_login_url = seen.post_login_url.map(parse).transpose()?;
        connection.flow = seen.flow.map(decode_flow).transpose()?;
    }
    let idempotency = match stored.idempotency {
        None => None,
        Some(stored) => Some(Idempotency {
            key: parse(stored.key)?,
            fingerprint: Fingerprint(stored.fingerprint),
        }),
    };
    Ok(Record { connection, idempotency })
}

/// Profile name and domain of a record, without the rest.
pub(crate) fn pair_of(bytes: &[u8]) -> Result<(&str, &str), StoreError> {
    decode(bytes)
}

fn decode_credential(stored: StoredCredential<'_>) -> Result<Credential, StoreError> {
    Ok(match stored {
        StoredCredential::Name(name) => Credential::Name(parse(name)?),
        StoredCredential::Path(provider, path) => {
            Credential::Path { provider: parse(provider)?, path: parse(path)? }
        }
        StoredCredential::Auto(provider) => Credential::Auto { provider: parse(provider)? },
    })
}

fn decode_flow(text: &str) -> Result<Box<Flow>, StoreError> {
    let read = || -> Result<Flow, Refusal> {
        let json = Json::parse_unbounded(text.as_bytes())?;
        let mut fields = Fields::of_request(&json)?;
        let flow = Flow::read(&mut fields);
        fields.finish(flow)
    };
    read().map(Box::new).map_err(damaged)
}

#[derive(Encode, BorrowDecode)]
struct StoredProxy<'a> {
    connections: u64,
    name: Option<&'a str>,
}

/// The row of a proxy: how many connections use it, and its name.
pub(crate) fn encode_proxy(
    connections: u64,
    name: Option<&ProxyName>,
) -> Result<Vec<u8>, StoreError> {
    encode(&StoredProxy { connections, name: name.map(AsRef::as_ref) })
}

pub(crate) fn decode_proxy(bytes: &[u8]) -> Result<(u64, Option<ProxyName>), StoreError> {
    let stored: StoredProxy<'_> = decode(bytes)?;
    Ok((stored.connections, stored.name.map(parse).transpose()?))
}

#[derive(Encode, Decode)]
struct StoredState {
    last_ms: u64,
    last_order: u64,
    connections: u64,
    profiles: u64,
    proxies: u64,
    seq: u64,
    revision: u64,
    last_domain: u32,
}

impl From<&State> for StoredState {
    fn from(state: &State) -> Self {
        Self {
            last_ms: state.last_id.ms,
            last_order: state.last_id.order,
            connections: state.connections,
            profiles: state.profiles,
            proxies: state.proxies,
            seq: state.seq,
            revision: state.revision,
            last_domain: state.last_domain,
        }
    }
}

impl From<StoredState> for State {
    fn from(stored: StoredState) -> Self {
        Self {
            last_id: LastId { ms: stored.last_ms, order: stored.last_order },
            connections: stored.connections,
            profiles: stored.profiles,
            proxies: stored.proxies,
            seq: stored.seq,
            revision: stored.revision,
            last_domain: stored.last_domain,
        }
    }
}

pub(crate) fn encode_state(state: &State) -> Result<Vec<u8>, StoreError> {
    encode(&StoredState::from(state))
}

pub(crate) fn decode_state(bytes: &[u8]) -> Result<State, StoreError> {
    decode::<StoredState>(bytes).map(State::from)
}

/// A batch in the log.
#[derive(Encode, BorrowDecode)]
struct StoredBatch<'a> {
    state: StoredState,
    rows: Listed<StoredRow<'a>>,
    changes: Listed<StoredChange<'a>>,
}

/// A list, as bincode writes it, that is read without trusting its length: memory grows with what is there, not with what
/// is claimed.
struct Listed<T>(Vec<T>);

impl<T: Encode> Encode for Listed<T> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<'de, C, T: BorrowDecode<'de, C>> BorrowDecode<'de, C> for Listed<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let length = u64::borrow_decode(decoder)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(T::borrow_decode(decoder)?);
        }
        Ok(Self(items))
    }
}

#[derive(Encode, BorrowDecode)]
struct StoredRow<'a> {
    table: u8,
    key: &'a [u8],
    /// `None` where the row was removed.
    value: Option<&'a [u8]>,
}

#[derive(Encode, BorrowDecode)]
struct StoredChange<'a> {
    kind: u8,
    id: [u8; 16],
    /// The record, where it is not the one among the rows.
    record: Option<&'a [u8]>,
}

/// The bytes of a batch: its effects, and the state that goes with it.
pub(crate) fn encode_batch(effects: &Effects, state: &State) -> Result<Vec<u8>, StoreError> {
    let rows = Table::ALL.iter().flat_map(|&table| {
        let tag = table.tag();
        let rows = effects.of(table).iter();
        rows.map(move |(key, value)| StoredRow { table: tag, key, value: value.as_deref() })
    });
    let records = effects.of(Table::Connections);
    let changes = effects.changes.iter().map(|change| {
        let id = change.id.to_bytes();
        let row = records.get(id.as_slice()).and_then(Option::as_deref).unwrap_or_default();
        let record = (row != &*change.record).then_some(&*change.record);
        StoredChange { kind: change.kind.to_byte(), id, record }
    });
    let (rows, changes) = (Listed(rows.collect()), Listed(changes.collect()));
    encode(&StoredBatch { state: state.into(), rows, changes })
}

/// The batch that `bytes` stand for. They must have passed a checksum.
pub(crate) fn decode_batch(bytes: &[u8]) -> Result<(Effects, State), StoreError> {
    let unbounded = bincode::config::standard();
    let batch: StoredBatch<'_> = decode_with(bytes, unbounded)?;
    let mut effects = Effects::default();
    for row in batch.rows.0 {
        let table = Table::with_tag(row.table).ok_or_else(|| damaged("a row of no table"))?;
        match row.value {
            Some(value) => effects.put(table, row.key.to_vec(), value.to_vec()),
            None => effects.remove(table, row.key.to_vec()),
        }
    }
    for change in batch.changes.0 {
        let kind = ChangeKind::from_byte(change.kind).ok_or_else(|| damaged("a kind of change"))?;
        let id =
            ConnectionId::from_bytes(&change.id).ok_or_else(|| damaged("the ID of a change"))?;
        let row = effects.of(Table::Connections).get(change.id.as_slice());
        let row = row.and_then(Option::as_deref).unwrap_or_default();
        let record = change.record.unwrap_or(row).into();
        effects.changes.push(Occurrence { kind, id, record });
    }
    Ok((effects, batch.state.into()))
}

fn encode(value: &impl Encode) -> Result<Vec<u8>, StoreError> {
    bincode::encode_to_vec((RECORD_VERSION, value), bincode::config::standard())
        .map_err(|error| StoreError::Internal(format!("a record cannot be written: {error}")))
}

fn decode<'a, T: BorrowDecode<'a, ()>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    decode_with(bytes, config())
}

fn decode_with<'a, T: BorrowDecode<'a, ()>>(
    bytes: &'a [u8],
    config: impl bincode::config::Config,
) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&RECORD_VERSION, rest)) => bincode::borrow_decode_from_slice(rest, config)
            .map(|(value, _)| value)
            .map_err(|error| damaged(format!("a record cannot be read: {error}"))),
        Some((version, _)) => Err(damaged(format!("a record has version {version}"))),
        None => Err(damaged("an empty record")),
    }
}

fn parse<T: std::str::FromStr<Err = crate::Problem>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(damaged)
}

fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("a stored value is wrong: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Op;
    use crate::{Observation, dump, fixtures, tables};
    use serde_json::Value;

    fn record(full: bool) -> Record {
        let mut connection = Connection {
            id: "ma_01jd3k0000abcdefghjkmnpqrs".parse().unwrap(),
            profile_name: "user-123".parse().unwrap(),
            domain: "netflix.com".parse().unwrap(),
            status: Status::NeedsAuth,
            reauth: Reauth::fresh(),
            last_auth_check_at: None,
            post_login_url: None,
            flow: None,
            login_url: None,
            credential: None,
            proxy_id: None,
            allowed_domains: AllowedDomains::default(),
            health_check_interval: HealthCheckInterval::new(3600).unwrap(),
            health_checks: true,
            auto_reauth: true,
            save_credentials: true,
            record_session: false,
        };
        if !full {
            return Record { connection, idempotency: None };
        }
        connection.login_url = Some("https://netflix.com/login".parse().unwrap());
        connection.credential = Some(Credential::Path {
            provider: "my-1p".parse().unwrap(),
            path: "Personal/Netflix".parse().unwrap(),
        });
        connection.proxy_id = Some("px".parse().unwrap());
        connection.allowed_domains =
            AllowedDomains::new(vec!["*.nflx.example".parse().unwrap()]).unwrap();
        connection.observe(
            &Observation::from_json(
                &Json::parse(
                    br#"{"status":"AUTHENTICATED","can_reauth":true,"can_reauth_reason":"has_credential",
                    "last_auth_check_at":"2025-01-15T10:30:00Z","post_login_url":"https://netflix.com/browse",
                    "flow":{"flow_status":"SUCCESS","flow_type":"LOGIN","flow_step":"COMPLETED",
                    "mfa_options":[{"type":"sms","label":"Text me","target":"***"}],"hosted_url":null}}"#,
                )
                .unwrap(),
            )
            .unwrap(),
        );
        connection.record_session = true;
        let idempotency = Idempotency {
            key: "key-1".parse().unwrap(),
            fingerprint: Fingerprint(*b"0123456789abcdef"),
        };
        Record { connection, idempotency: Some(idempotency) }
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn a_plain_record_is_these_bytes() {
        let bytes = encode_record(&record(false)).unwrap();
        let mut golden = vec![1, 8];
        golden.extend(b"user-123");
        golden.push(11);
        golden.extend(b"netflix.com");
        golden.extend([0b0111, 251, 0x10, 0x0e, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes, golden);
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        for record in [record(false), record(true)] {
            let bytes = encode_record(&record).unwrap();
            assert_eq!(pair_of(&bytes).unwrap(), ("user-123", "netflix.com"));
            assert_eq!(decode_record(record.connection.id, &bytes).unwrap(), record);
        }
    }

    fn batch() -> (Effects, State) {
        let id: ConnectionId = "ma_01jd3k0000abcdefghjkmnpqrs".parse().unwrap();
        let mut effects = Effects::default();
        effects.put(Table::Connections, id.to_bytes().to_vec(), b"record".to_vec());
        effects.put(Table::Profiles, b"ada\0".to_vec(), Vec::new());
        effects.remove(Table::Proxies, b"\x01px".to_vec());
        // The first change is not what is among the rows any more, the last one has no record.
        let change = |kind, record: &[u8]| Occurrence { kind, id, record: record.into() };
        effects.changes = vec![
            change(ChangeKind::Created, b"before"),
            change(ChangeKind::Updated, b"record"),
            change(ChangeKind::Deleted, b""),
        ];
        let state = State {
            last_id: LastId { ms: 1, order: 2 },
            connections: 3,
            profiles: 4,
            proxies: 5,
            seq: 300,
            revision: 6,
            last_domain: 7,
        };
        (effects, state)
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn a_batch_is_these_bytes() {
        let (effects, state) = batch();
        let id = "ma_01jd3k0000abcdefghjkmnpqrs".parse::<ConnectionId>().unwrap().to_bytes();
        let mut golden = vec![1, 1, 2, 3, 4, 5, 251, 0x2c, 1, 6, 7];
        golden.push(3);
        golden.extend([1, 16].iter().chain(&id));
        golden.extend(b"\x01\x06record");
        golden.extend(b"\x02\x04ada\0\x01\0");
        golden.extend(b"\x04\x03\x01px\0");
        golden.push(3);
        golden.extend([1].iter().chain(&id));
        golden.extend(b"\x01\x06before");
        golden.extend([2].iter().chain(&id).chain(&[0]));
        golden.extend([3].iter().chain(&id).chain(&[1, 0]));
        assert_eq!(encode_batch(&effects, &state).unwrap(), golden);
    }

    #[test]
    fn batches_are_read_as_they_were_written() {
        let (effects, state) = batch();
        let bytes = encode_batch(&effects, &state).unwrap();
        let (read, read_state) = decode_batch(&bytes).unwrap();
        assert_eq!(read_state, state);
        assert_eq!(read.changes, effects.changes);
        for table in Table::ALL {
            assert_eq!(read.of(table), effects.of(table));
        }
        for length in (0..bytes.len()).step_by(if cfg!(miri) { 7 } else { 1 }) {
            let cut = decode_batch(&bytes[..length]);
            assert!(matches!(cut, Err(StoreError::Damaged(_))), "cut at {length}");
        }
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn connections_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("connection") {
            let line = fixtures::text(&fixture.means);
            let Ok(Op::Restore(record)) = dump::read_line(line) else { panic!("{line}") };
            let id = record.connection.id;
            assert_eq!(id.to_bytes(), *fixture.key, "{}", fixture.name);
            assert_eq!(encode_record(&record).unwrap(), fixture.bytes, "{}", fixture.name);
            assert_eq!(decode_record(id, &fixture.bytes).unwrap(), *record, "{}", fixture.name);
        }
    }

    #[test]
    fn proxies_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("proxy") {
            let name = fixture.means["name"].as_str().map(|name| name.parse().unwrap());
            let connections = fixture.number("connections");
            assert_eq!(fixture.key, tables::proxy(&fixture.text("id").parse().unwrap()));
            assert_eq!(encode_proxy(connections, name.as_ref()).unwrap(), fixture.bytes);
            assert_eq!(decode_proxy(&fixture.bytes).unwrap(), (connections, name));
        }
        for fixture in fixtures::of_kind("proxy_name") {
            let name = fixture.text("name").parse().unwrap();
            let id = fixture.text("id").parse().unwrap();
            assert_eq!(tables::named_proxy(&name, &id), fixture.key);
            assert_eq!(tables::named_proxy_id(&fixture.key, &name).unwrap(), id);
        }
    }

    fn state_of(means: &Value) -> State {
        let number = |field: &str| fixtures::number(&means[field]);
        State {
            last_id: LastId { ms: number("last_ms"), order: number("last_order") },
            connections: number("connections"),
            profiles: number("profiles"),
            proxies: number("proxies"),
            seq: number("seq"),
            revision: number("revision"),
            last_domain: number("last_domain").try_into().unwrap(),
        }
    }

    #[test]
    fn states_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("state") {
            let state = state_of(&fixture.means);
            assert_eq!(encode_state(&state).unwrap(), fixture.bytes, "{}", fixture.name);
            assert_eq!(decode_state(&fixture.bytes).unwrap(), state, "{}", fixture.name);
        }
    }

    #[test]
    fn batches_are_the_frozen_bytes() {
        let bytes = |value: &Value| value.as_str().map(fixtures::bytes);
        for fixture in fixtures::of_kind("batch") {
            let state = state_of(&fixture.means["state"]);
            let mut effects = Effects::default();
            for row in fixture.means["rows"].as_array().unwrap() {
                let table = Table::ALL.into_iter().find(|table| row["table"] == table.name());
                let (table, key) = (table.unwrap(), bytes(&row["key"]).unwrap());
                match bytes(&row["value"]) {
                    Some(value) => effects.put(table, key, value),
                    None => effects.remove(table, key),
                }
            }
            for change in fixture.means["changes"].as_array().unwrap() {
                let id = fixtures::id(&change["id"]);
                let kind = fixtures::text(&change["kind"]).parse().unwrap();
                let row = effects.of(Table::Connections).get(id.to_bytes().as_slice());
                let row = row.cloned().flatten().unwrap_or_default();
                let record = bytes(&change["record"]).unwrap_or(row).into();
                effects.changes.push(Occurrence { kind, id, record });
            }
            assert_eq!(encode_batch(&effects, &state).unwrap(), fixture.bytes, "{}", fixture.name);
            assert_eq!(decode_batch(&fixture.bytes).unwrap(), (effects, state), "{}", fixture.name);
        }
    }

    #[test]
    fn a_batch_that_claims_more_rows_than_it_has_is_damage_and_takes_no_memory_for_them() {
        let state = [1, 1, 2, 3, 4, 5, 6, 7, 8];
        for claimed in [1 << 40, u64::MAX] {
            let of_rows = [state.as_slice(), &[253], &claimed.to_le_bytes()].concat();
            let of_changes = [state.as_slice(), &[0, 253], &claimed.to_le_bytes()].concat();
            for bytes in [of_rows, of_changes] {
                assert!(matches!(decode_batch(&bytes), Err(StoreError::Damaged(_))), "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_reason_of_a_later_version_is_kept() {
        let mut later = record(true);
        later.connection.reauth = Reauth::stored(true, "moon_phase");
        let read = decode_record(later.connection.id, &encode_record(&later).unwrap()).unwrap();
        assert_eq!(read.connection.reauth.reason(), "moon_phase");
    }

    #[test]
    fn damage_is_an_error_wherever_it_falls() {
        let good = record(true);
        let bytes = encode_record(&good).unwrap();
        // Miri takes a second for a few of them.
        for length in (0..bytes.len()).step_by(if cfg!(miri) { 23 } else { 1 }) {
            assert!(
                decode_record(good.connection.id, &bytes[..length]).is_err(),
                "cut at {length}"
            );
        }
        for version in [0, 2, 255] {
            let mut other = bytes.clone();
            other[0] = version;
            let error = decode_record(good.connection.id, &other).unwrap_err();
            assert!(error.to_string().contains(&format!("version {version}")), "{error}");
        }
    }
}
