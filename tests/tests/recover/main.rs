//! What is recovered from a damaged store: everything intact, nothing else, and a report that covers the rest.

mod damage;
mod files;
mod law;
mod life;
mod pages;

use connectory::{Changes, ConnectionId, Error, NewConnection, StoreError};
use connectory_tests::power::Image;
use law::{broken, missing};
use life::{Kind, Life, Lines, name, recovered, recovered_store};
use redb::{Database, TableDefinition};

/// The greatest ID that any of these lines has.
fn last_id(lines: &Lines) -> ConnectionId {
    let names = lines.iter().map(|line| name(line)).filter(|(kind, _)| *kind == "connection");
    names.map(|(_, id)| id.parse().unwrap()).max().unwrap()
}

#[test]
fn a_sound_store_is_recovered_line_for_line() {
    let seed = connectory_tests::seed();
    for kind in [Kind::CLOSED, Kind::CRASHED, Kind { log_bytes: 64 << 10, ..Kind::CRASHED }] {
        let life = Life::lived(seed, kind);
        let (store, report) = recovered_store(&life.image).unwrap();
        let lines = life::lines(&store);
        assert!(report.is_complete(), "{kind:?}: {report:#?}");
        assert_eq!(report.problems, [""; 0], "{kind:?}");
        assert!(lines == life.truth, "{kind:?}: {:?}", missing(&life.truth, &lines));
        assert!((report.found.log > 0) != kind.is_closed, "{report:?}");

        // Nothing that was given out is given out again, by a clock that stands before all of it.
        let request = NewConnection::new("new.example".parse().unwrap(), "new".parse().unwrap());
        assert!(store.create(request).unwrap().id() > last_id(&life.ever));
        let changes = store.changes_since(life.last_change, 10).unwrap();
        assert!(matches!(changes, Changes::TooOld { .. }), "who follows starts over: {changes:?}");
    }
}

/// Damages a crashed store's log in its middle.
#[test]
fn a_bad_frame_hides_none_of_those_behind_it() {
    let seed = connectory_tests::seed();
    let life = Life::lived(seed, Kind::CRASHED);
    for part in [4, 2] {
        let mut image = life.image.clone();
        let log = image.log.as_mut().unwrap();
        log[life.last_frame - life.last_frame / part] ^= 0x10;
        let (lines, report) = recovered(&image).unwrap();
        assert_eq!(broken(&life, &lines, &report), [""; 0]);
        let is_last = |line: &&String| line.contains("last.example");
        assert_eq!(lines.iter().filter(is_last).count(), 1, "what came after it is there");
    }
    // Of the last round, which is in no table.
    let mut image = life.image.clone();
    image.log.as_mut().unwrap()[life.last_frame - 40] ^= 0x10;
    let (lines, report) = recovered(&image).unwrap();
    assert_eq!(broken(&life, &lines, &report), [""; 0]);
    assert!(!report.is_newest && report.problems.len() == 1, "{report:?}");
    assert!(report.problems[0].contains("batches are damaged or missing"), "{report:?}");
    let there = lines.intersection(&life.truth).count();
    assert!(there + 3 > life.truth.len(), "one batch touches three rows at most");
}

#[test]
fn a_log_that_is_missing_or_another_store_s_is_told() {
    let seed = connectory_tests::seed();
    let life = Life::lived(seed, Kind::CRASHED);
    let other = Life::lived(seed.wrapping_add(1), Kind::CRASHED);
    for (log, told) in [(None, "missing"), (other.image.log, "another store's")] {
        let (lines, report) = recovered(&Image { log, ..life.image.clone() }).unwrap();
        assert_eq!(broken(&life, &lines, &report), [""; 0]);
        assert!(!report.is_newest && report.problems[0].contains(told), "{report:?}");
        assert!(lines.iter().all(|line| !line.contains("last.example")), "it was in the log alone");
    }
    // Beside a store that was closed cleanly any log is a leftover.
    let closed = Life::lived(seed, Kind::CLOSED);
    let (lines, report) =
        recovered(&Image { log: life.image.log, ..closed.image.clone() }).unwrap();
    assert!(report.is_complete() && lines == closed.truth, "{report:?}");
}

#[test]
fn without_its_header_a_store_is_pieced_together() {
    let seed = connectory_tests::seed();
    for kind in [Kind::CLOSED, Kind::CRASHED] {
        let life = Life::lived(seed, kind);
        for length in [320, 4096] {
            let mut image = life.image.clone();
            image.store[..length].fill(0);
            let (lines, report) = recovered(&image).unwrap();
            assert_eq!(broken(&life, &lines, &report), [""; 0]);
            assert!(!report.is_complete(), "nobody can tell which commit was the last");
            assert!(report.problems[0].contains("its header is damaged"), "{report:?}");
            let lost = missing(&life.truth, &lines);
            assert!(lost.is_empty(), "all of it is there all the same: {lost:?}");
        }
        // One of the two places where the header names a commit: the log makes up for the last, or the other is it.
        for slot in [64, 192] {
            let mut image = life.image.clone();
            image.store[slot + 20] ^= 1;
            let (lines, report) = recovered(&image).unwrap();
            assert_eq!(broken(&life, &lines, &report), [""; 0]);
            assert!(missing(&life.truth, &lines).is_empty(), "{report:?}");
            assert!(kind.is_closed || report.is_complete(), "the log tells the rest: {report:#?}");
        }
    }
}

#[test]
fn of_a_file_that_was_cut_the_rest_is_recovered() {
    let seed = connectory_tests::seed();
    let life = Life::lived(seed, Kind::CLOSED);
    let mut last = 0;
    for percent in [30, 50, 70, 90] {
        let mut image = life.image.clone();
        image.store.truncate(image.store.len() * percent / 100);
        let Ok((lines, report)) = recovered(&image) else {
            assert!(percent < 50, "nothing of {percent} percent");
            continue;
        };
        assert_eq!(broken(&life, &lines, &report), [""; 0]);
        assert!(percent > 50 || !report.is_complete());
        last = lines.len();
    }
    assert!(last > life.truth.len() / 3, "{last} of {}", life.truth.len());
}

#[test]
fn what_is_no_store_of_this_format_is_refused() {
    let error = |store: Vec<u8>| match recovered(&Image { store, log: None }) {
        Err(Error::Failed(error)) => error,
        other => panic!("{other:?}"),
    };
    for bytes in [vec![], b"{}".to_vec(), vec![0; 100_000], vec![7; 100_000]] {
        assert!(matches!(error(bytes), StoreError::NotAStore(_)));
    }
    let memory = connectory::MemoryStorage::default();
    let database = Database::builder().create_with_backend(memory.clone()).unwrap();
    let meta: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    for (table, format) in [("others", 1_u32), ("meta", 2)] {
        let transaction = database.begin_write().unwrap();
        let others = TableDefinition::<&str, &[u8]>::new(table);
        let row = format.to_be_bytes();
        transaction.open_table(others).unwrap().insert("format", row.as_slice()).unwrap();
        transaction.commit().unwrap();
        match error(memory.to_bytes()) {
            StoreError::NotAStore(_) => assert_eq!(table, "others"),
            StoreError::OtherFormat { found, .. } => assert_eq!((table, found), ("meta", 2)),
            other => panic!("{other}"),
        }
    }
    drop((database, meta));
}
