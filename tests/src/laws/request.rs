//! The law of requests: JSON text is answered, or refused with the field that is wrong.

use super::refusal::{assert_leads_to_its_faults, assert_reads_well};
use super::steady_stamps;
use connectory::{
    CheckpointMode, Connection, Creation, Edit, Error, HealthCheckInterval, Json, ListQuery,
    MemoryStorage, NewConnection, Observation, Options, PageQuery, Patch, ProxyRef,
    REQUEST_MAX_BYTES, Refusal, Store,
};
use serde_json::Value;

/// Reads `input` as every kind of request there is. What is refused names its faults, each with a field of the
/// request; what is accepted reads the same when it is written and read again, and a store answers it with what
/// it asked for.
///
/// # Panics
///
/// Where this does not hold.
pub fn request(input: &[u8]) {
    let json = match Json::parse(input) {
        Ok(json) => json,
        Err(refusal) => return assert_is_no_json(input, &refusal),
    };
    assert_is_what_was_sent(input, &json);
    let create = read(NewConnection::from_json(&json), &json);
    let patch = read(Patch::from_json(&json), &json);
    let seen = read(Observation::from_json(&json), &json);
    let list = read(ListQuery::from_json(&json), &json);
    let page = read(PageQuery::from_json(&json), &json);
    if let Some(request) = &create {
        assert_reads_the_same_again(request);
    }
    if create.is_none() && patch.is_none() && seen.is_none() && list.is_none() {
        assert!(page.is_none(), "a page is a list without filters");
        return;
    }
    let desk = Desk::open();
    if let Some(request) = create {
        desk.create(request);
    }
    if let Some(patch) = patch {
        desk.update(&patch);
    }
    if let Some(seen) = seen {
        desk.record(&seen);
    }
    if let Some(query) = list {
        match desk.store.list(&query) {
            Ok(page) => assert!(page.items.len() <= query.page.limit.items()),
            // One of another list.
            Err(error) => assert_is_refused_at(&error, &["cursor"]),
        }
    }
}

/// Asserts that serde refuses the text as well, or that it is too long.
fn assert_is_no_json(input: &[u8], refusal: &Refusal) {
    match refusal {
        Refusal::TooLarge(most) => assert!(*most == REQUEST_MAX_BYTES && input.len() > *most),
        Refusal::Invalid(violations) => {
            let [whole] = violations.as_slice() else { panic!("{violations:?}") };
            assert_eq!(whole.field, "", "no field is at fault");
            assert_reads_well(violations);
            assert!(serde_json::from_slice::<Value>(input).is_err(), "{whole}");
        }
        other => panic!("{other:?}"),
    }
}

/// Asserts that nothing of the text was lost or made up, by serde's own reading of it.
fn assert_is_what_was_sent(input: &[u8], json: &Json) {
    // A name that serde keeps for itself.
    if input.windows(9).any(|part| part == b"$serde_js") {
        return;
    }
    let value: Value = serde_json::from_slice(input).expect("what was read is JSON");
    assert!(is_alike(json, &value), "{json:?} is not {value}");
}

/// Whether both are the same, where the last of several members of one name counts.
fn is_alike(json: &Json, value: &Value) -> bool {
    match (json, value) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(one), Value::Bool(other)) => one == other,
        (Json::Number(one), Value::Number(other)) => Some(*one) == other.as_f64(),
        (Json::String(one), Value::String(other)) => one == other,
        (Json::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
        }
        (Json::Object(members), Value::Object(others)) => {
            members.iter().all(|(name, _)| others.contains_key(name))
                && others.iter().all(|(name, other)| {
                    let last = members.iter().rfind(|(of, _)| of == name);
                    last.is_some_and(|(_, one)| is_alike(one, other))
                })
        }
        _ => false,
    }
}

fn read<T>(read: Result<T, Refusal>, json: &Json) -> Option<T> {
    read.map_err(|refusal| assert_leads_to_its_faults(&refusal, json)).ok()
}

fn assert_reads_the_same_again(request: &NewConnection) {
    let text = serde_json::to_vec(request).expect("a request can be written");
    let again = Json::parse(&text).and_then(|json| NewConnection::from_json(&json));
    assert_eq!(again.as_ref(), Ok(request), "written and read again");
    assert_eq!(serde_json::to_vec(&again.expect("it is equal")).ok(), Some(text));
}

/// Asserts that it is refused, for one of these fields and no other.
fn assert_is_refused_at(error: &Error, fields: &[&str]) {
    let violations = error.refusal().map(Refusal::violations).unwrap_or_default();
    assert!(!violations.is_empty(), "{error:?}");
    assert_reads_well(violations);
    for violation in violations {
        assert!(fields.contains(&violation.field.as_str()), "{violation:?}");
    }
}

/// A store with a connection on the proxy `p`, which is called `Berlin`.
struct Desk {
    storage: MemoryStorage,
    store: Store,
    held: Connection,
}

fn options() -> Options {
    let options = Options::with_stamps(steady_stamps()).cache_bytes(1 << 20);
    options.plan(connectory::Plan::Startup).checkpoint_mode(CheckpointMode::Inline)
}

impl Desk {
    fn open() -> Self {
        let storage = MemoryStorage::default();
        let store = Store::open_with(storage.clone(), options()).expect("a new store");
        let proxy = "p".parse().expect("an ID");
        store.register_proxy(proxy, "Berlin".parse().ok()).expect("a new proxy");
        let mut request = NewConnection::new(
            "held.example".parse().expect("a domain"),
            "held".parse().expect("a name"),
        );
        request.proxy = Some(ProxyRef::Id("p".parse().expect("an ID")));
        let Ok(Creation::Created(held)) = store.create(request) else { panic!("it is new") };
        Self { storage, store, held }
    }

    fn create(&self, request: NewConnection) {
        let is_held = (&request.profile_name, &request.domain)
            == (&self.held.profile_name, &self.held.domain);
        let connection = match self.store.create(request.clone()) {
            Ok(Creation::Created(connection)) => connection,
            Ok(Creation::Conflict(conflict)) => {
                assert!(is_held && conflict.existing_id == self.held.id, "{conflict:?}");
                return;
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                return assert_is_refused_at(
                    &error,
                    &["health_check_interval", "proxy.id", "proxy.name"],
                );
            }
        };
        assert!(!is_held);
        assert_eq!(
            (&connection.domain, &connection.profile_name),
            (&request.domain, &request.profile_name)
        );
        assert_eq!(connection.login_url, request.login_url);
        assert_eq!(connection.credential, request.credential);
        assert_eq!(connection.proxy_id.is_some(), request.proxy.is_some());
        assert_eq!(connection.allowed_domains, request.allowed_domains.clone().unwrap_or_default());
        let seconds = request.health_check_interval.map_or(3600, HealthCheckInterval::seconds);
        assert_eq!(connection.health_check_interval.seconds(), seconds);
        assert_eq!(connection.record_session, request.record_session.unwrap_or(false));
        for (is, asked) in [
            (connection.health_checks, request.health_checks),
            (connection.auto_reauth, request.auto_reauth),
            (connection.save_credentials, request.save_credentials),
        ] {
            assert_eq!(is, asked.unwrap_or(true));
        }
        match self.store.create(request) {
            Ok(Creation::Conflict(conflict)) => assert_eq!(conflict.existing_id, connection.id),
            other => panic!("the pair is taken, but: {other:?}"),
        }
        self.assert_keeps(&connection);
    }

    fn update(&self, patch: &Patch) {
        match self.store.update(self.held.id, patch.clone()) {
            Ok(changed) => {
                let before = &self.held;
                assert_eq!(changed.login_url, edited(&patch.login_url, before.login_url.clone()));
                assert_eq!(
                    changed.credential,
                    edited(&patch.credential, before.credential.clone())
                );
                assert_eq!(changed.proxy_id.is_some(), patch.proxy != Edit::Clear);
                let hosts = patch.allowed_domains.clone();
                assert_eq!(changed.allowed_domains, hosts.unwrap_or_default());
                assert_eq!(changed.record_session, patch.record_session.unwrap_or(false));
                assert_eq!(changed.health_checks, patch.health_checks.unwrap_or(true));
                let again =
                    self.store.update(self.held.id, patch.clone()).expect("it was taken before");
                assert_eq!(again, changed, "the same once more changes nothing");
                self.assert_keeps(&changed);
            }
            Err(error) => {
                assert_is_refused_at(&error, &["health_check_interval", "proxy.id", "proxy.name"]);
            }
        }
    }

    fn record(&self, seen: &Observation) {
        let shown = match self.store.record(self.held.id, seen.clone()) {
            Ok(shown) => shown,
            Err(error) => {
                assert!(matches!(error.refusal(), Some(Refusal::TooLarge(_))), "{error:?}");
                return;
            }
        };
        if let Some(status) = seen.status {
            assert_eq!(shown.status, status);
        }
        if let Edit::Set(flow) = &seen.flow {
            assert_eq!(shown.flow.as_ref(), Some(flow));
        }
        self.assert_keeps(&shown);
    }

    /// Asserts that a connection is kept as it was answered, also by a store that is opened from the bytes.
    fn assert_keeps(&self, connection: &Connection) {
        let found = self.store.get(connection.id).expect("a look succeeds");
        assert_eq!(found.as_ref(), Some(connection));
        let answer = serde_json::to_value(connection).expect("a connection can be written");
        assert_eq!(answer["id"], connection.id.to_string());
        let dump = |store: &Store| -> Vec<String> {
            store.dump().expect("a dump").collect::<Result<_, _>>().expect("its lines")
        };
        self.store.checkpoint().expect("a checkpoint");
        let bytes = self.storage.to_bytes();
        let again =
            Store::open_with(MemoryStorage::from(bytes), options()).expect("it opens again");
        assert_eq!(again.get(connection.id).expect("a look succeeds").as_ref(), Some(connection));
        let lines = dump(&self.store);
        let loaded = Store::open_with(MemoryStorage::default(), options()).expect("a new store");
        loaded.load(lines.iter().cloned().map(Ok)).expect("a dump can be loaded");
        assert_eq!(dump(&loaded), lines, "a dump is loaded as it is");
    }
}

fn edited<T: Clone>(edit: &Edit<T>, before: Option<T>) -> Option<T> {
    match edit {
        Edit::Keep => before,
        Edit::Clear => None,
        Edit::Set(value) => Some(value.clone()),
    }
}
