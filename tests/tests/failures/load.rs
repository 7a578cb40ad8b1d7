//! A dump that is loaded while one call after the other fails.

use crate::faults::{FILES, Fault, Faults, MODES, SMALL_LOG, alone};
use crate::pairs::{PAIRS, failure, request};
use connectory::{Creation, Error, Store, StoreError};
use connectory_tests::hooked::{Call, Hooked};
use std::io::ErrorKind;

/// A way to load a dump.
pub(crate) type Loading = fn(&Store, &[String]) -> Result<u64, Error>;

/// All of it at once.
pub(crate) fn whole(store: &Store, lines: &[String]) -> Result<u64, Error> {
    store.load(lines.iter().cloned().map(Ok))
}

/// In pieces, each with a commit of its own.
pub(crate) fn in_pieces(store: &Store, lines: &[String]) -> Result<u64, Error> {
    let mut load = store.begin_load()?;
    for (number, line) in (1..).zip(lines) {
        load.push(number, line)?;
        if number % 10 == 0 {
            load.commit()?;
        }
    }
    load.finish()
}

/// Loads a dump while one call after the other fails, into a store that is new or has come to be empty again.
pub(crate) fn load_under_faults(is_new: bool, load: Loading) {
    const LOADED: usize = 30;
    let source = Store::in_memory().unwrap();
    assert!(source.create_many((0..LOADED).map(|n| request(n, 1))).iter().all(Result::is_ok));
    let lines: Vec<String> = source.dump().unwrap().map(Result::unwrap).collect();
    let mut wrong = std::collections::BTreeMap::<String, usize>::new();
    let mut tried = 0;
    let calls = FILES.into_iter().flat_map(|file| {
        [Call::Write, Call::Sync, Call::SetLen].map(|call| (Some(file), Some(call)))
    });
    let cases = calls.flat_map(|(file, call)| MODES.map(|mode| (file, call, mode)));
    for (file, call, mode) in cases {
        for nth in 1.. {
            let storage = Hooked::new(mode);
            let faults = Faults::of(&storage);
            let options = alone(SMALL_LOG).cache_bytes(0);
            let mut store = Store::open_with(storage.clone(), options.clone()).unwrap();
            if !is_new {
                // Two changes are in the table, the others in the log.
                for _ in 0..2 {
                    let gone = store.create(request(0, 1)).unwrap().id();
                    store.delete(gone).unwrap();
                    store.delete_profile("profile-0".parse().unwrap()).unwrap();
                    if nth % 2 == 0 {
                        store.close().unwrap();
                        store = Store::open_with(storage.clone(), options.clone()).unwrap();
                    }
                }
            }
            let changes = store.changes_since(0, 100).unwrap();
            let kind = ErrorKind::StorageFull;
            faults.arm(Fault { file, call, nth, lasts: false, kind });
            let loaded = load(&store, &lines).map_err(failure);
            let after = store.changes_since(0, 100).unwrap();
            let is_there = store.stats().unwrap().connections > 0;
            let told = after == changes || is_there;
            if faults.failed() == 0 {
                break;
            }
            tried += 1;
            let created = store.create(request(PAIRS, 1));
            for store in
                [store, Store::open_with(Hooked::holding(storage.image(), mode), options).unwrap()]
            {
                let connections = store.stats().unwrap().connections;
                let with_load = LOADED as u64 + 1;
                let as_said = match &loaded {
                    Ok(_) => connections == with_load,
                    Err(StoreError::StorageFull) => connections == 1,
                    Err(StoreError::OutcomeUnknown(_)) => [1, with_load].contains(&connections),
                    Err(_) => false,
                };
                let report = store.check().unwrap();
                if !as_said || !told || !report.is_sound() {
                    let created = created.as_ref().map(Creation::outcome);
                    let what = format!(
                        "{file:?} {call:?}: {loaded:?}, then {created:?}, then {connections} \
                         connections, changes told: {told}, {report:?}"
                    );
                    *wrong.entry(what).or_default() += 1;
                }
            }
        }
    }
    println!("{tried} failures tried");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
