//! Replays every case on the native engine and prints, by file, each scenario's answers and what it ends with: its dump,
//! and its store as the bytes of a file in base64. Then the same of ten thousand operations, and a store of another format. Other
//! runtimes must answer the same, end with the same dumps, open the bytes, and refuse the last.

use connectory::{MemoryStorage, Options, Stamp, Store};
use connectory_tests::cases::{self, Answer, Create, EngineSubject, Opening, Operation, Subject};
use redb::{Database, TableDefinition};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// The engine and its answers, handed out for a replay and kept for what is to be seen afterwards.
struct Kept(Rc<RefCell<(EngineSubject, Vec<String>)>>);

impl Subject for Kept {
    fn perform(&mut self, operation: &Operation) -> Answer {
        let (subject, answers) = &mut *self.0.borrow_mut();
        let answer = subject.perform(operation);
        answers.push(rendered(&answer).to_string());
        answer
    }

    fn dump(&mut self) -> String {
        self.0.borrow_mut().0.dump()
    }
}

fn rendered(answer: &Answer) -> Value {
    let Answer { is, body, items, next, .. } = answer;
    let items: Vec<Value> = items.iter().map(rendered).collect();
    json!({"is": is, "body": body, "items": items, "next": next})
}

fn main() {
    let mut files = Map::new();
    for file in cases::files() {
        let scenarios = file.scenarios.iter().map(|scenario| {
            let kept = (EngineSubject::open(&scenario.opening), Vec::new());
            let kept = Rc::new(RefCell::new(kept));
            let failures = file.replay_one(scenario, Box::new(Kept(Rc::clone(&kept))));
            assert!(failures.is_empty(), "{failures:#?}");
            let (subject, answers) = &mut *kept.borrow_mut();
            ended(subject, answers)
        });
        let scenarios: Vec<Value> = scenarios.collect();
        files.insert(file.name.clone(), scenarios.into());
    }
    let other_format = base64(&of_another_format());
    println!(
        "{}",
        json!({"cases": files, "operations": operations(), "other_format": other_format})
    );
}

/// A store that says it is of format 7, as the bytes of a file.
fn of_another_format() -> Vec<u8> {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let store = Store::in_memory().expect("a store in memory");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes(&store)).expect("a copy");
    let database = Database::open(file.path()).expect("its tables");
    let transaction = database.begin_write().expect("a transaction");
    let mut table = transaction.open_table(META).expect("what it knows of itself");
    table.insert("format", &7_u32.to_be_bytes()[..]).expect("another format");
    drop(table);
    transaction.commit().expect("a commit");
    database.close().expect("the end");
    std::fs::read(file.path()).expect("the file")
}

/// What other runtimes are compared with.
fn ended(subject: &mut EngineSubject, answers: &[String]) -> Value {
    let dump = subject.dump() + "\n";
    json!({"answers": answers, "dump": dump, "bytes": base64(&bytes(subject.store()))})
}

/// Ten thousand operations, the same every time.
fn operations() -> Value {
    let mut subject = EngineSubject::open(&Opening::default());
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut operations, mut answers, mut ids) = (Vec::new(), Vec::new(), Vec::<String>::new());
    for n in 0..10_000 {
        let (id, other) = (rng.usize(..ids.len().max(1)), rng.u32(..));
        let id = ids.get(id).cloned().unwrap_or_else(|| "ma_none".into());
        let url = format!("https://login.example.com/{n}?q=%C3%A9#{other}");
        let (operation, written) = match rng.u32(..100) {
            0..55 => {
                let body = json!({
                    "domain": format!("d{}.Example-{}.com", rng.u32(..60), rng.u32(..40)),
                    "profile_name": format!("profile-{}", rng.u32(..300)),
                    "login_url": url,
                    "allowed_domains": ["*.sso.example", "b\u{fc}cher.example"],
                    "health_checks": rng.bool(),
                });
                let (key, ensure) = (rng.bool().then(|| format!("k-{other}")), rng.u32(..5) == 0);
                let create = Create { body: body.to_string(), key: key.clone(), ensure };
                let written =
                    json!({"name": "create", "value": body, "key": key, "ensure": ensure});
                (Operation::Create(create), written)
            }
            55..70 => {
                let body = json!({"login_url": url, "record_session": rng.bool()});
                let update = Operation::Update(id.clone(), body.to_string());
                (update, json!({"name": "update", "value": [id, body]}))
            }
            70..78 => {
                let body = json!({
                    "status": "AUTHENTICATED",
                    "can_reauth_reason": "has_credential",
                    "flow": {"flow_type": "LOGIN", "flow_status": "SUCCESS", "error_message": "\u{1f600}"},
                });
                let record = Operation::Record(id.clone(), body.to_string());
                (record, json!({"name": "record", "value": [id, body]}))
            }
            78..86 => {
                ids.retain(|known| *known != id);
                (Operation::Delete(id.clone()), json!({"name": "delete", "value": id}))
            }
            86..92 => (Operation::Get(id.clone()), json!({"name": "get", "value": id})),
            92..96 => {
                let query =
                    json!({"profile_name": format!("profile-{}", rng.u32(..300)), "limit": 7});
                (Operation::List(query.clone()), json!({"name": "list", "value": query}))
            }
            _ => {
                let name = format!("profile-{}", rng.u32(..300));
                let written = json!({"name": "delete_profile", "value": name});
                (Operation::DeleteProfile(name), written)
            }
        };
        let answer = subject.perform(&operation);
        if answer.is == "created" {
            ids.extend(answer.body["id"].as_str().map(Into::into));
        }
        operations.push(written);
        answers.push(rendered(&answer).to_string());
    }
    let mut ended = ended(&mut subject, &answers);
    ended["operations"] = operations.into();
    ended
}

/// The store as the bytes of a file.
fn bytes(store: &Store) -> Vec<u8> {
    let storage = MemoryStorage::default();
    store.backup_to(&storage, |_| ()).expect("a copy in memory");
    // It opens natively too.
    let options = Options::with_stamps(|| Stamp { now_ms: 0, random: 0 });
    let copy = Store::open_with(storage.clone(), options).expect("the copy");
    copy.close().expect("the end of the copy");
    storage.to_bytes()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, n| bits << 8 | u32::from(*chunk.get(n).unwrap_or(&0)));
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n)) as usize & 63];
            text.push(if n > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}
