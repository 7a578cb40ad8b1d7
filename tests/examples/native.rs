//! Replays every case on the native engine and prints, by file, what each scenario ends with: its dump, and its store as
//! the bytes of a file in base64. Other runtimes must end with the same dump, and open the bytes.

use connectory::{MemoryStorage, Options, Stamp, Store};
use connectory_tests::cases::{self, Answer, EngineSubject, Operation, Subject};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::rc::Rc;

/// The engine, handed out for a replay and kept for what is to be seen afterwards.
struct Kept(Rc<RefCell<EngineSubject>>);

impl Subject for Kept {
    fn perform(&mut self, operation: &Operation) -> Answer {
        self.0.borrow_mut().perform(operation)
    }

    fn dump(&mut self) -> String {
        self.0.borrow_mut().dump()
    }
}

fn main() {
    let mut files = Map::new();
    for file in cases::files() {
        let scenarios = file.scenarios.iter().map(|scenario| {
            let subject = Rc::new(RefCell::new(EngineSubject::open(&scenario.opening)));
            let failures = file.replay_one(scenario, Box::new(Kept(Rc::clone(&subject))));
            assert!(failures.is_empty(), "{failures:#?}");
            let mut subject = subject.borrow_mut();
            json!({"dump": subject.dump(), "bytes": base64(&bytes(subject.store()))})
        });
        let scenarios: Vec<Value> = scenarios.collect();
        files.insert(file.name.clone(), scenarios.into());
    }
    println!("{}", Value::Object(files));
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
