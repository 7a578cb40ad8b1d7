//! The stores that the format is frozen by: what happens to them, always the same, and how they are left. And others like
//! them, drawn from a seed.

use crate::hooked::{Hooked, Image};
use connectory::{
    CheckpointMode, CommitMode, ConnectionId, CreateOptions, Error, Json, NewConnection,
    Observation, Options, Patch, Stamp, Store,
};
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// The first moment at which anything is created.
const BEGIN_MS: u64 = 1_750_000_000_000;
/// Two segments of 16 KiB: the log turns soon.
pub const SMALL_LOG: u64 = 32 << 10;
/// All of a fixture has room in it.
const LOG: u64 = 1 << 20;

/// A store as it was left.
#[derive(Debug, Clone)]
pub struct Left {
    /// The bytes of its files.
    pub image: Image,
    /// What was acknowledged by then, as a dump.
    pub dump: String,
}

/// Checkpoints are made when they are asked for; time and randomness follow from the seed.
pub fn options(seed: u64, log_bytes: u64) -> Options {
    let clock = Mutex::new((Rng::with_seed(seed), BEGIN_MS));
    let stamps = move || {
        let (rng, now_ms) = &mut *clock.lock().unwrap_or_else(PoisonError::into_inner);
        *now_ms += u64::from(rng.u8(..) < 50);
        Stamp { now_ms: *now_ms, random: rng.u64(..) }
    };
    Options::with_stamps(stamps)
        .cache_bytes(1 << 20)
        .log_bytes(log_bytes)
        .checkpoint_mode(CheckpointMode::OnDemand)
}

/// The lines of the store's dump.
///
/// # Panics
///
/// Where it cannot be read.
pub fn dump(store: &Store) -> String {
    let lines = store.dump().expect("a dump");
    lines.map(|line| line.expect("a line") + "\n").collect()
}

/// One with everything in it that a store can hold, closed cleanly.
///
/// # Panics
///
/// Where the store fails.
pub fn closed() -> Left {
    let storage = Hooked::new(CommitMode::QuickRepair);
    let store = Store::open_with(storage.clone(), options(1, LOG)).expect("a new store");
    everything(&store);
    let dump = dump(&store);
    store.close().expect("it closes");
    Left { image: storage.image(), dump }
}

/// One that crashed, went on and crashed again, in the middle of a write: much of it is in the log alone, in both
/// segments.
///
/// # Panics
///
/// Where the store fails.
pub fn crashed() -> Left {
    let mut rng = Rng::with_seed(2);
    let open = |image, seed| {
        let storage = Hooked::holding(image, CommitMode::QuickRepair);
        let store = Store::open_with(storage.clone(), options(seed, SMALL_LOG));
        (storage, store.expect("it was left whole"))
    };
    let (storage, store) = open(Image::default(), 3);
    proxies(&store);
    draw(&store, &mut rng, 12);
    let (storage, store) = open(storage.image(), 4);
    settings(&store);
    store.checkpoint().expect("a checkpoint");
    observations(&store);
    draw(&store, &mut rng, 20);
    let dump = dump(&store);
    let before = storage.image();
    made(&store, &pair("torn", 99), None);
    let image = torn(before, storage.image());
    Left { image, dump }
}

/// The last write before the second image, of which only the first half came through.
fn torn(before: Image, after: Image) -> Image {
    let (Some(mut log), Some(after)) = (before.log, after.log) else { panic!("there is a log") };
    let changed: Vec<_> = (0..log.len()).filter(|&at| log[at] != after[at]).collect();
    let (Some(first), Some(last)) = (changed.first(), changed.last()) else {
        panic!("nothing was written");
    };
    let half = first + (last - first) / 2;
    log[*first..half].copy_from_slice(&after[*first..half]);
    Image { store: before.store, log: Some(log) }
}

fn parse<T, E: std::fmt::Display>(value: &Value, read: impl Fn(&Json) -> Result<T, E>) -> T {
    let json = Json::parse(value.to_string().as_bytes()).expect("it is JSON");
    read(&json).unwrap_or_else(|refusal| panic!("{value}: {refusal}"))
}

fn create(store: &Store, request: &Value, key: Option<&str>) -> Result<ConnectionId, Error> {
    let idempotency_key = key.map(|key| key.parse().expect("a key"));
    let options = CreateOptions { idempotency_key, ensure: false };
    let request = parse(request, NewConnection::from_json);
    store.create_with(request, options).map(|creation| creation.id())
}

/// A create that must make a connection.
fn made(store: &Store, request: &Value, key: Option<&str>) -> ConnectionId {
    create(store, request, key).unwrap_or_else(|error| panic!("{request}: {error}"))
}

fn record(store: &Store, id: ConnectionId, seen: &Value) {
    store.record(id, parse(seen, Observation::from_json)).expect("it is recorded");
}

fn change(store: &Store, id: ConnectionId, patch: &Value) {
    store.update(id, parse(patch, Patch::from_json)).expect("it is updated");
}

/// A domain of 253 bytes, the longest that there are.
fn longest(n: usize) -> String {
    let label = "a".repeat(61);
    format!("{n:03}.{label}.{label}.{label}.{}", "b".repeat(63))
}

/// Every form of everything.
fn everything(store: &Store) {
    proxies(store);
    settings(store);
    observations(store);
    // One that is spilled by the number of its connections, one by their length, one that was, and one with none left.
    let many: Vec<_> = (0..24).map(|n| made(store, &pair("ada", n), None)).collect();
    store.delete(many[3]).expect("it is deleted");
    for n in 0..5 {
        made(store, &json!({"domain": longest(n), "profile_name": "bob"}), None);
    }
    let were: Vec<_> = (0..17).map(|n| made(store, &pair("cyd", n), None)).collect();
    for id in were {
        store.delete(id).expect("it is deleted");
    }
    made(store, &pair("cyd", 40), None);
    let last = made(store, &pair("dan", 41), None);
    store.delete(last).expect("it is deleted");
    made(store, &pair("eve", 41), None);
    let name = "gone".parse().expect("a name");
    let of_gone = made(store, &pair("gone", 1), None);
    store.delete(of_gone).expect("it is deleted");
    store.delete_profile(name).expect("it is deleted");
}

fn proxies(store: &Store) {
    let proxy = |id: &str, name: Option<&str>| {
        let name = name.map(|name| name.parse().expect("a name"));
        store.register_proxy(id.parse().expect("an ID"), name).expect("it is registered");
    };
    proxy("px-1", None);
    proxy("px-2", Some("Büro 1"));
    proxy("px-3", Some("Büro 1"));
    proxy("px-4", Some("unused"));
}

fn pair(profile_name: &str, n: usize) -> Value {
    json!({"domain": format!("d{n}.example.com"), "profile_name": profile_name})
}

fn settings(store: &Store) {
    let with = |n: usize, fields: Value| {
        let mut request = pair("user-123", n);
        let (Value::Object(request_of), Value::Object(fields)) = (&mut request, fields) else {
            panic!("both are objects");
        };
        request_of.extend(fields);
        request
    };
    let plain = made(store, &json!({"domain": "netflix.com", "profile_name": "user-123"}), None);
    change(store, plain, &json!({"health_check_interval": 7200, "record_session": true}));
    made(store, &json!({"domain": "bücher.example", "profile_name": "user-123"}), Some("key-1"));
    for (n, fields) in (50..).zip([
        json!({"health_checks": false, "auto_reauth": false, "save_credentials": false}),
        json!({"record_session": true, "health_check_interval": 300}),
        json!({"health_check_interval": 86_400, "proxy": {"id": "px-1"}}),
        json!({"login_url": "https://login.example/a?b=%20#c", "proxy": {"id": "px-2"}}),
        json!({"credential": {"name": "a \"name\" \\ of\ttheirs\u{1}"}}),
        json!({"credential": {"provider": "my-1p", "path": "Büro/Netflix"}}),
        json!({"credential": {"provider": "my-1p", "auto": true}}),
        json!({"allowed_domains": ["login.example", "*.nflx.example"]}),
    ]) {
        made(store, &with(n, fields), None);
    }
}

fn observations(store: &Store) {
    let ids: Vec<_> = (60..65).map(|n| made(store, &pair("seen", n), None)).collect();
    record(store, ids[0], &json!({"status": "AUTHENTICATED"}));
    record(
        store,
        ids[1],
        &json!({"can_reauth_reason": "no_credential", "last_auth_check_at": "0000-02-29T23:59:59.07Z"}),
    );
    record(
        store,
        ids[2],
        &json!({
            "status": "AUTHENTICATED",
            "can_reauth_reason": "has_credential",
            "last_auth_check_at": "2025-06-13T12:00:00.5Z",
            "post_login_url": "https://seen.example/home",
            "flow": {"flow_type": "LOGIN", "flow_status": "SUCCESS"},
        }),
    );
    record(store, ids[3], &json!({"flow": flow(2)}));
    // Longer than a page.
    record(store, ids[4], &json!({"flow": flow(60)}));
}

fn flow(options: usize) -> Value {
    let option = |n: usize| json!({"id": n.to_string(), "label": format!("Option {n}, \"so\" to ſay"), "description": "…"});
    let options: Vec<_> = (0..options).map(option).collect();
    json!({
        "flow_status": "IN_PROGRESS",
        "flow_step": "AWAITING_INPUT",
        "flow_type": "REAUTH",
        "flow_expires_at": "9999-12-31T23:59:59.999Z",
        "discovered_fields": [
            {"name": "user", "type": "email", "label": "E-mail", "selector": "#user", "placeholder": "you@example.com",
             "required": true, "linked_mfa_type": "sms", "hint": "as you signed up"},
            {"name": "pin", "type": "totp", "label": "Code", "selector": "#pin"},
        ],
        "mfa_options": [
            {"type": "sms", "label": "Text me", "target": "***-12", "description": "to your phone"},
            {"type": "switch", "label": "Another way"},
        ],
        "sign_in_options": options,
        "pending_sso_buttons": [{"selector": "#sso", "provider": "google", "label": "Google"}],
        "external_action_message": "Tap your phone",
        "website_error": "Wrong \"password\"",
        "sso_provider": "google",
        "error_message": "It failed",
        "error_code": "E_1",
        "hosted_url": "https://hosted.example/1",
        "live_view_url": "https://live.example/1",
        "browser_session_id": "bs-1",
    })
}

fn drawn_request(rng: &mut Rng) -> Value {
    let mut request = pair(&format!("profile-{}", rng.u8(..4)), rng.usize(..60));
    if rng.u8(..12) == 0 {
        request["domain"] = longest(rng.usize(..9)).into();
    }
    match rng.u8(..8) {
        0 => request["login_url"] = format!("https://login.example/{}", rng.u64(..)).into(),
        1 => request["proxy"] = json!({"id": format!("px-{}", rng.u8(1..4))}),
        2 => request["credential"] = json!({"provider": "my-1p", "path": rng.u64(..).to_string()}),
        3 => request["allowed_domains"] = json!([format!("*.d{}.example", rng.u16(..))]),
        4 => request["health_check_interval"] = rng.u32(300..=86_400).into(),
        _ => {}
    }
    request
}

/// Does so many things that change the store. Its proxies are there.
///
/// # Panics
///
/// Where the store fails.
pub fn draw(store: &Store, rng: &mut Rng, changes: usize) {
    let last = || store.stats().expect("it can be asked").last_change;
    let before = last();
    while last() < before + changes as u64 {
        let id = {
            let key = format!("key-{}", rng.u16(..));
            let key = Some(&*key).filter(|_| rng.u8(..6) == 0);
            match create(store, &drawn_request(rng), key) {
                Ok(id) => id,
                // The key of another request.
                Err(Error::Refused(_)) => continue,
                Err(error) => panic!("{error}"),
            }
        };
        match rng.u8(..10) {
            0..=2 => store.delete(id).expect("it is there"),
            3 => change(store, id, &json!({"health_check_interval": rng.u32(300..=86_400)})),
            4 => {
                record(
                    store,
                    id,
                    &json!({"status": "AUTHENTICATED", "flow": flow(rng.usize(..9))}),
                );
            }
            5 => record(store, id, &json!({"flow": null, "can_reauth_reason": "no_credential"})),
            _ => {}
        }
    }
}

/// Registers the proxies that [`draw`] needs and, in a new store now and then, makes everything else.
///
/// # Panics
///
/// Where the store fails.
pub fn begin(store: &Store, rng: &mut Rng) {
    let is_new = store.stats().expect("it can be asked").last_change == 0;
    if is_new && rng.bool() {
        return everything(store);
    }
    proxies(store);
}
