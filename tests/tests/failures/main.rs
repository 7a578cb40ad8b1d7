//! A storage that fails: what was acknowledged stays, what failed is not there, and the store comes back by itself.

mod faults;
mod load;
mod opening;
mod pairs;
mod sweep;
mod witness;

use connectory::{
    CommitMode, Creation, Edit, Error, MemoryStorage, NewConnection, Options, Patch, Store,
    StoreError,
};
use connectory_tests::hooked::{Call, File, Hooked, Image, Unsynced};
use faults::{Context, DEFAULT_LOG, Fault, Faults, MODES, SMALL_LOG, alone, crowd};
use load::{in_pieces, load_under_faults, whole};
use opening::{Before, opens_once_healed};
use pairs::{failure, request, url};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use sweep::every_failure_is_survived;
use witness::Witness;

/// Every call on either file fails in turn, of the frequent ones a share, or all of them where `CONNECTORY_LONG` is
/// set.
#[test]
fn whatever_fails_in_one_phase_nothing_acknowledged_is_lost() {
    every_failure_is_survived(CommitMode::OnePhase);
}

/// As above.
#[test]
fn whatever_fails_in_quick_repair_nothing_acknowledged_is_lost() {
    every_failure_is_survived(CommitMode::QuickRepair);
}

fn other(n: usize) -> NewConnection {
    let domain = format!("other-{n}.example").parse().unwrap();
    NewConnection::new(domain, "other".parse().unwrap())
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_answers_readers() {
    for mode in MODES {
        for (log_bytes, file) in [
            (SMALL_LOG, None),
            (DEFAULT_LOG, None),
            (DEFAULT_LOG, Some(File::Log)),
            (SMALL_LOG, Some(File::Store)),
        ] {
            let mut witness = Witness::new(mode, &Image::default(), alone(log_bytes));
            witness.create_many(0..5, 1);
            let (call, kind) = (Some(Call::SetLen), ErrorKind::StorageFull);
            witness.faults.arm(Fault { file, call, nth: 1, lasts: true, kind });
            let mut full = 0;
            for n in 0..1500 {
                match witness.store.create(other(n)).map_err(failure) {
                    Ok(_) | Err(StoreError::OutcomeUnknown(_)) => {}
                    Err(StoreError::StorageFull) => full += 1,
                    Err(error) => panic!("{error:?}"),
                }
                for pair in 0..5 {
                    witness.look(pair);
                }
                if full == 20 {
                    break;
                }
            }
            println!("{mode:?}, log of {log_bytes}, {file:?}: {full} creates found the disk full");
            assert!(full > 0);
            assert!(witness.failures.is_empty(), "reads failed: {:?}", witness.failures);
            witness.faults.heal();
            witness.in_crowd = true;
            witness.conclude(true);
        }
    }
}

#[test]
fn a_checkpoint_that_fails_fails_nobody_while_the_log_has_room() {
    for mode in MODES {
        for (call, nth, lasts) in [
            (Call::SetLen, 1, true),
            (Call::Write, 1, false),
            (Call::Write, 4, false),
            (Call::Sync, 1, false),
            (Call::Sync, 2, false),
        ] {
            let mut witness = Witness::new(mode, &Image::default(), alone(64 << 10));
            witness.create(0, 1);
            let (file, call, kind) = (Some(File::Store), Some(call), ErrorKind::StorageFull);
            // However often it comes to a checkpoint, it fails.
            let rearm = |faults: &Faults| faults.arm(Fault { file, call, nth, lasts, kind });
            rearm(&witness.faults);
            let mut failed = 0;
            for n in 1..=120 {
                // Two segments of 32 KiB hold more than so many frames.
                assert!(matches!(witness.store.create(other(n)), Ok(Creation::Created(_))));
                if witness.faults.failed() > 0 {
                    failed += 1;
                    rearm(&witness.faults);
                }
            }
            assert!(failed > 0, "{mode:?} {call:?} {nth}: no checkpoint was tried");
            witness.faults.heal();
            witness.in_crowd = true;
            witness.conclude(true);
        }
    }
}

#[test]
fn a_batch_whose_sync_failed_may_be_there_and_the_next_one_is() {
    for (kind, unsynced) in [
        (ErrorKind::Other, Unsynced::Waits),
        (ErrorKind::Other, Unsynced::IsLost),
        (ErrorKind::StorageFull, Unsynced::IsHidden),
    ] {
        let mut witness = Witness::new(CommitMode::QuickRepair, &Image::default(), alone(64 << 10));
        witness.storage.on_failed_sync(unsynced);
        witness.create(0, 1);
        let (file, call) = (Some(File::Log), Some(Call::Sync));
        witness.faults.arm(Fault { file, call, nth: 1, lasts: false, kind });
        witness.create(1, 1);
        let expected_unknown = unsynced != Unsynced::IsLost;
        let is_unknown = matches!(witness.failures[..], [StoreError::OutcomeUnknown(_)]);
        assert_eq!(is_unknown, expected_unknown, "{unsynced:?}: {:?}", witness.failures);
        witness.create(2, 1);
        assert_eq!(witness.failures.len(), 1);
        witness.crash(witness.storage.synced());
        witness.conclude(true);
    }
}

#[test]
fn a_store_that_could_not_be_opened_can_be_once_the_storage_is_healed() {
    opens_once_healed(Before::Closed);
    opens_once_healed(Before::Open);
}

#[test]
fn a_store_that_could_not_be_made_can_be_once_the_storage_is_healed() {
    opens_once_healed(Before::Nothing);
}

/// A store in which pair 0 has a connection and its page is not at hand; the next read fails, once.
fn about_to_misread(mode: CommitMode, kind: ErrorKind) -> Witness {
    let mut witness = Witness::new(mode, &crowd(mode), alone(DEFAULT_LOG).cache_bytes(0));
    witness.create(0, 1);
    witness.reopen();
    let (file, call) = (Some(File::Store), Some(Call::Read));
    witness.faults.arm(Fault { file, call, nth: 1, lasts: false, kind });
    witness
}

#[test]
fn a_connection_that_cannot_be_read_is_for_certain_not_changed() {
    for mode in MODES {
        let witness = about_to_misread(mode, ErrorKind::Other);
        let patch = Patch { login_url: Edit::Set(url(2)), ..Patch::default() };
        let error = witness.store.update(witness.pairs[0].id.unwrap(), patch).unwrap_err();
        assert!(matches!(failure(error), StoreError::Io(_)), "nothing was written");
    }
}

#[test]
fn a_read_that_failed_fails_nothing_after_it() {
    type Operation = fn(&Store) -> Result<(), Error>;
    let operations: [(&str, Operation); 4] = [
        ("check", |store| store.check().map(drop)),
        ("dump", |store| store.dump()?.try_for_each(|line| line.map(drop))),
        ("backup", |store| store.backup_to(&MemoryStorage::default(), |_| ())),
        ("delete_profile", |store| store.delete_profile("profile-1".parse().unwrap())),
    ];
    let mut wrong = Vec::new();
    for (name, operation) in operations {
        let mut witness = about_to_misread(CommitMode::OnePhase, ErrorKind::StorageFull);
        failure(operation(&witness.store).unwrap_err());
        witness.change(0, Some(2));
        wrong.extend(witness.failures.iter().map(|error| format!("after {name}: {error:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tables of before a checkpoint and those of after it are of one opening: what fails for one fails for both.
#[test]
fn a_read_as_of_before_a_checkpoint_that_failed_fails_nothing_after_it() {
    for mode in MODES {
        let mut witness = about_to_misread(mode, ErrorKind::Other);
        witness.faults.heal();
        let mut dump = witness.store.dump().unwrap();
        witness.create(1, 1);
        witness.store.checkpoint().unwrap();
        let (file, call, kind) = (Some(File::Store), Some(Call::Read), ErrorKind::Other);
        witness.faults.arm(Fault { file, call, nth: 1, lasts: false, kind });
        failure(dump.try_for_each(|line| line.map(drop)).unwrap_err());
        witness.change(0, Some(2));
        assert!(witness.failures.is_empty(), "{mode:?}: {:?}", witness.failures);
    }
}

#[test]
fn a_read_that_fails_after_a_checkpoint_that_it_began_before_is_tried_again() {
    for mode in MODES {
        let mut witness = about_to_misread(mode, ErrorKind::Other);
        witness.faults.heal();
        witness.create(1, 1);
        let (begun, checkpointed) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let is_first = AtomicBool::new(true);
        let waits = (Arc::clone(&begun), Arc::clone(&checkpointed));
        witness.storage.hook(move |file, call| {
            if (file, call) == (File::Store, Call::Read) && is_first.swap(false, Ordering::SeqCst) {
                waits.0.wait();
                waits.1.wait();
                return Err(io::Error::other("made to fail"));
            }
            Ok(())
        });
        let store = witness.store.clone();
        let NewConnection { domain, profile_name, .. } = request(0, 1);
        let reader = std::thread::spawn(move || store.find(&profile_name, &domain));
        begun.wait();
        let written = witness.store.checkpoint();
        checkpointed.wait();
        written.unwrap();
        let found = reader.join().unwrap();
        assert!(matches!(found, Ok(Some(_))), "{mode:?}: {found:?}");
        witness.change(0, Some(2));
        assert!(witness.failures.is_empty(), "{mode:?}: {:?}", witness.failures);
    }
}

/// The second read is the one on the reopened storage.
#[test]
fn a_read_that_failed_twice_fails_nothing_after_it() {
    for second in 2.. {
        let mut witness = about_to_misread(CommitMode::QuickRepair, ErrorKind::Other);
        let reads = AtomicUsize::new(0);
        let failed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&failed);
        witness.storage.hook(move |file, call| {
            if (file, call) == (File::Store, Call::Read)
                && [1, second].contains(&(reads.fetch_add(1, Ordering::SeqCst) + 1))
            {
                count.fetch_add(1, Ordering::SeqCst);
                return Err(io::Error::other("made to fail"));
            }
            Ok(())
        });
        let NewConnection { domain, profile_name, .. } = request(0, 1);
        let found = witness.store.find(&profile_name, &domain);
        if failed.load(Ordering::SeqCst) < 2 {
            assert!(second > 2 && found.is_ok());
            break;
        }
        if found.is_err() {
            witness.change(0, Some(2));
            assert!(witness.failures.is_empty(), "{second}: {:?}", witness.failures);
        }
    }
}

#[test]
fn a_load_that_fails_is_not_there_and_says_why() {
    for load in [whole, in_pieces] {
        load_under_faults(true, load);
        load_under_faults(false, load);
    }
}

#[test]
fn a_load_that_is_refused_leaves_the_changes_that_were_told_before() {
    let storage = Hooked::new(CommitMode::QuickRepair);
    let store = Store::open_with(storage.clone(), Options::new()).unwrap();
    let gone = store.create(request(0, 1)).unwrap().id();
    store.delete(gone).unwrap();
    store.delete_profile("profile-0".parse().unwrap()).unwrap();
    let changes = store.changes_since(0, 10).unwrap();
    store.close().unwrap();
    let store = Store::open_with(storage.clone(), Options::new()).unwrap();
    assert_eq!(store.changes_since(0, 10).unwrap(), changes);
    assert!(store.load(["no dump".to_owned()].into_iter().map(Ok)).is_err());
    assert_eq!(store.changes_since(0, 10).unwrap(), changes);
    store.close().unwrap();
    let store = Store::open_with(storage, Options::new()).unwrap();
    assert_eq!(store.changes_since(0, 10).unwrap(), changes);
}

/// A panic of the storage is a bug of the host.
#[test]
fn a_panic_of_one_writer_fails_its_batch_and_nothing_else() {
    // When the log is made, when it is said to be needed, and when it is appended to.
    for (file, call, nth) in [
        (File::Log, Call::Write, 1),
        (File::Log, Call::Write, 3),
        (File::Log, Call::Sync, 1),
        (File::Log, Call::Sync, 2),
        (File::Store, Call::Sync, 1),
        (File::Store, Call::Sync, 2),
    ] {
        let _context = Context(format!("{file:?} {call:?} {nth}"));
        let storage = Hooked::new(CommitMode::QuickRepair);
        let store = Store::open_with(storage.clone(), alone(SMALL_LOG)).unwrap();
        let kept = store.create(request(0, 1)).unwrap().id();
        store.close().unwrap();
        let store = Store::open_with(storage.clone(), alone(SMALL_LOG)).unwrap();
        let panicked = Arc::new(AtomicBool::new(false));
        let calls = AtomicUsize::new(0);
        let tell = Arc::clone(&panicked);
        storage.hook(move |of, asked| {
            if (of, asked) == (file, call) && calls.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                tell.store(true, Ordering::SeqCst);
                panic!("on purpose");
            }
            Ok(())
        });
        let leader = store.clone();
        let written = std::thread::spawn(move || {
            for n in 10..60 {
                assert!(leader.create(request(n, 1)).is_ok());
            }
        });
        assert!(written.join().is_err());
        assert!(panicked.load(Ordering::SeqCst));

        assert!(store.get(kept).unwrap().is_some());
        // Whether the create that panicked is there is unknown; that there is one at most is not.
        for n in 10..60 {
            let id = store.create(request(n, 1)).unwrap().id();
            assert!(
                matches!(store.create(request(n, 1)), Ok(Creation::Conflict(c)) if c.existing_id == id)
            );
        }
        assert_eq!(store.stats().unwrap().connections, 51);
        assert!(store.check().unwrap().is_sound());
        store.close().unwrap();
        assert_eq!(
            Store::open_with(storage, Options::new()).unwrap().stats().unwrap().connections,
            51
        );
    }
}
