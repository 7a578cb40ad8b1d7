//! Writes what fuzzing begins with into a folder for each target below the one that is named: from the cases, and from
//! a store that has gone through some of them.

use connectory::http::{Access, Api};
use connectory::{
    CheckpointMode, CommitMode, Json, Limits, ListQuery, NewConnection, Observation, Options,
    Stamp, Store,
};
use connectory_tests::cases::Answer;
use connectory_tests::cases::{
    self, EngineSubject, HttpSubject, Operation, OverHttp, Subject, Transport,
};
use connectory_tests::power::{Image, Recorded};
use http::{Request, Response};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The inputs of a target, each once.
#[derive(Default)]
struct Seeds(BTreeSet<Vec<u8>>);

impl Seeds {
    fn put(&mut self, parts: &[&[u8]]) {
        self.0.insert(parts.concat());
    }

    fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a folder");
        for (n, seed) in self.0.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n:04}")), seed).expect("a file");
        }
        println!("{}: {}", folder.display(), self.0.len());
    }
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("a folder"));
    let (mut request, mut names, mut http) = (Seeds::default(), Seeds::default(), Seeds::default());
    for file in cases::files() {
        for scenario in &file.scenarios {
            let seen = Rc::default();
            let subject =
                Seen { engine: OverHttp::open(&scenario.opening), seen: Rc::clone(&seen) };
            file.replay_one(scenario, Box::new(subject));
            for operation in seen.borrow().iter() {
                texts_of(operation, &mut request, &mut names);
            }
            let sent = Rc::default();
            let engine = EngineSubject::open(&scenario.opening);
            let through = HttpSubject::new(Sent { engine, sent: Rc::clone(&sent) });
            if scenario.goes_over_http() {
                file.replay_one(scenario, Box::new(through));
            }
            for requests in sent.borrow().chunks(8) {
                for kind in [b"o", b"s"] {
                    http.put(&[kind, &requests.join(&0xff)]);
                }
                let with_key = |sent: &Vec<u8>| {
                    let line = sent.iter().position(|byte| *byte == b'\n').unwrap_or(sent.len());
                    let (first, rest) = sent.split_at(line);
                    [first, b"\nauthorization: Bearer root", rest].concat()
                };
                let keyed: Vec<_> = requests.iter().map(with_key).collect();
                http.put(&[b"k", &keyed.join(&0xff)]);
            }
        }
    }
    request.write(&folder.join("request"));
    names.write(&folder.join("names"));
    http.write(&folder.join("http"));
    of_a_store(&folder);
}

/// A subject that keeps what it was asked.
struct Seen {
    engine: OverHttp,
    seen: Rc<RefCell<Vec<Operation>>>,
}

impl Subject for Seen {
    fn perform(&mut self, operation: &Operation) -> Answer {
        self.seen.borrow_mut().push(operation.clone());
        self.engine.perform(operation)
    }

    fn dump(&mut self) -> String {
        self.engine.dump()
    }
}

/// A way over HTTP that keeps what was sent, as the law of it reads requests; but for dumps, which the replay asks for.
struct Sent {
    engine: EngineSubject,
    sent: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Transport for Sent {
    fn send(&mut self, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let mut text = format!("{} {}\n", request.method(), request.uri()).into_bytes();
        for (name, value) in request.headers() {
            text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
        }
        text.push(b'\n');
        text.extend(request.body());
        if request.uri().path() != "/dump" && text.len() < 4000 {
            self.sent.borrow_mut().push(text);
        }
        self.engine.send(request)
    }
}

fn texts_of(operation: &Operation, request: &mut Seeds, names: &mut Seeds) {
    let bodies: Vec<String> = match operation {
        Operation::Create(create) => vec![create.body.clone()],
        Operation::CreateMany(rows) => rows.iter().map(|row| row.body.clone()).collect(),
        Operation::Update(_, body) | Operation::Record(_, body) => vec![body.clone()],
        Operation::List(query) | Operation::Profiles(query) | Operation::Proxies(query) => {
            vec![query.to_string()]
        }
        Operation::Allows(_, host) => {
            names.put(&[b"example.com\n", host.as_bytes()]);
            vec![]
        }
        Operation::Find(profile, domain) => {
            names.put(&[profile.as_bytes()]);
            names.put(&[domain.as_bytes()]);
            vec![]
        }
        _ => vec![],
    };
    for body in bodies.iter().filter(|body| body.len() < 4000) {
        request.put(&[body.as_bytes()]);
        if let Ok(json) = serde_json::from_str(body) {
            strings(&json, names);
        }
    }
}

fn strings(json: &Value, names: &mut Seeds) {
    match json {
        Value::String(text) if text.len() < 400 => names.put(&[text.as_bytes()]),
        Value::Array(items) => items.iter().for_each(|item| strings(item, names)),
        Value::Object(members) => members.values().for_each(|value| strings(value, names)),
        _ => {}
    }
}

const PLAIN_RECORD: &[u8] = b"\x01\x08user-123\x0bnetflix.com\x07\xfb\x10\x0e\0\0\0\0\0\0";
const FULL_RECORD: &[u8] =
    b"\x01\x01p\x05b.com\x0f\xfb\x10\x0e\x01\x0ehttps://b.com/\x01\x02px\x01\x01\x01v\x03a/b\
    \x02\x0b*.x.example\x01y\x01\x01\x01\x0ehas_credential\x01\xfb\x10\x0e\x01\x0ehttps://b.com/\
    \x01\x2e{\"flow_status\":\"SUCCESS\",\"flow_type\":\"LOGIN\"}\x01\x05key-10123456789abcdef";

/// What a store writes: its log and the frames in it.
fn of_a_store(folder: &Path) {
    let (mut codec, mut log) = (Seeds::default(), Seeds::default());
    let storage = Recorded::holding(Image::default(), CommitMode::QuickRepair);
    let stamps = || Stamp { now_ms: 1_750_000_000_000, random: 7 };
    let options = Options::with_stamps(stamps).log_bytes(8192);
    let options = options.checkpoint_mode(CheckpointMode::OnDemand);
    let store = Store::open_with(storage.clone(), options).expect("a new store");
    let mut api = Api::new(Access::open("default", Limits::default()), store.clone());
    for (n, body) in [
        r#"{"domain":"a.com","profile_name":"p"}"#,
        r#"{"domain":"b.com","profile_name":"p","login_url":"https://b.com/","credential":{"name":"n"},"proxy":{"id":"px"}}"#,
        r#"{"domain":"c.com","profile_name":"q","allowed_domains":["*.x.example","y"],"credential":{"provider":"v","path":"a/b"}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let proxy = Request::put("/proxies/px").header("content-type", "application/json");
        api.send(proxy.body(br#"{"name":"Berlin"}"#.to_vec()).expect("a request"));
        let create = Request::post("/auth/connections").header("content-type", "application/json");
        let create = create.header("idempotency-key", format!("key-{n}"));
        api.send(create.body(body.as_bytes().to_vec()).expect("a request"));
    }
    let many = (0..20).map(|n| {
        NewConnection::new(
            format!("d{n}.example").parse().expect("a domain"),
            "many".parse().expect("a name"),
        )
    });
    store.create_many(many);
    let seen = br#"{"status":"AUTHENTICATED","can_reauth_reason":"has_credential","last_auth_check_at":"2025-01-15T10:30:00Z","flow":{"flow_status":"SUCCESS","flow_type":"LOGIN","mfa_options":[{"type":"sms","label":"l"}]}}"#;
    let seen = Json::parse(seen).and_then(|json| Observation::from_json(&json));
    let id = store.list(&ListQuery::default()).expect("a list").items[0].id;
    store.record(id, seen.expect("an observation")).expect("it is recorded");
    let cut = storage.record();
    let image = cut.image(cut.acts(), 0);
    let file = image.log.expect("a log");
    let mut at = 0;
    while let Some(length) = file.get(at + 8..at + 12) {
        let length = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
        let Some([kind, batch @ ..]) = file.get(at + 28..at + 28 + length) else { break };
        if *kind == 1 {
            codec.put(&[&[1], batch]);
        }
        at += 28 + length;
    }
    log.put(&[&[2], &file[..2048.min(file.len())]]);
    codec.put(&[&[0], PLAIN_RECORD]);
    codec.put(&[&[0], FULL_RECORD]);
    codec.put(&[&[2], b"\x01\x03\x01\x06Berlin"]);
    codec.put(&[&[3], b"\x01\x01\x02\x03\x04\x05\xfb\x2c\x01\x06\x07"]);
    codec.put(&[&[4, 1], &[7; 16], b"\x05a.com"]);
    codec.put(&[&[4, 255, 0, 0, 0, 0, 0, 0, 0, 17]]);
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut script: Vec<u8> = vec![u8::try_from(seed % 2).expect("a bit") * 3];
        for _ in 0..rng.usize(5..40) {
            let length = rng.u8(..60);
            script.push(length);
            script.extend((0..usize::from(length) * 2).map(|_| rng.u8(..)));
            if rng.u8(..4) == 0 {
                script.push(rng.u8(200..));
            }
        }
        log.put(&[&script]);
        // Frames: opens, then batches, now and then another opening.
        let mut script = vec![1, 4, 0];
        for revision in 1..rng.u8(2..20) {
            script.extend([0, revision, 3, b'a', b'b', b'c']);
            if rng.u8(..5) == 0 {
                script.extend([6, revision]);
            }
        }
        log.put(&[&script]);
    }
    let mut operations = Seeds::default();
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let length = 2 + 3 * rng.usize(5..80);
        operations.put(&[&(0..length).map(|_| rng.u8(..)).collect::<Vec<_>>()]);
    }
    operations.write(&folder.join("operations"));
    let mut files = Seeds::default();
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let length = 1 + 6 * rng.usize(0..4);
        files.put(&[&[1 + rng.u8(..2)], &(1..length).map(|_| rng.u8(..)).collect::<Vec<_>>()]);
    }
    files.write(&folder.join("file"));
    codec.write(&folder.join("codec"));
    log.write(&folder.join("log"));
}
