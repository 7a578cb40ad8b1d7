//! Every page of a store, one at a time.

use crate::law::{broken, missing};
use crate::life::{Kind, Life, recovered};
use fastrand::Rng;

const PAGE: usize = 4096;

const KIND: Kind = Kind { connections: 400, profiles: 300, rounds: 2, ..Kind::CLOSED };

/// What was closed a short while ago is in the changes too.
#[test]
fn one_bad_page_of_a_young_store_loses_nothing() {
    let (pages, harmless, losses) = one_by_one(KIND);
    assert!(
        harmless > pages * 3 / 4 && losses == 0,
        "{pages} pages: {harmless} harmless, {losses} with records"
    );
}

#[test]
fn one_bad_page_loses_what_it_held_and_no_more() {
    let kind = Kind { is_closed: false, log_bytes: 16 << 10, ..KIND };
    let (pages, harmless, losses) = one_by_one(kind);
    assert!(
        harmless > pages / 4,
        "{harmless} of {pages}: free pages, and indexes of what is all there"
    );
    assert!(losses > 0, "leaves of records");
}

/// Damages every page; returns how many there are, in how many nothing was lost, in how many records were. Each of these
/// is named: the indexes have them all.
fn one_by_one(kind: Kind) -> (usize, usize, usize) {
    let seed = connectory_tests::seed();
    let life = Life::lived(seed, kind);
    let mut rng = Rng::with_seed(seed);
    let (mut harmless, mut losses, mut doubts) = (0, 0, 0);
    let pages = life.image.store.len() / PAGE;
    for page in 1..pages {
        let mut image = life.image.clone();
        let bytes = &mut image.store[page * PAGE..][..PAGE];
        match page % 3 {
            0 => bytes.fill(0),
            1 => bytes.fill_with(|| rng.u8(..)),
            _ => bytes[rng.usize(..200)] ^= 4,
        }
        let (lines, report) = recovered(&image).unwrap();
        let told = format!("page {page}: {report:#?}");
        assert_eq!(broken(&life, &lines, &report), [""; 0], "{told}");
        if !report.is_newest {
            // The list of the tables, or what the store says of itself: nobody knows what else there was.
            doubts += 1;
            continue;
        }
        assert!(!report.unnamed.contains(&"connections"), "{told}");
        let mut lost = missing(&life.truth, &lines);
        lost.retain(|name| name.starts_with("ma_"));
        assert_eq!(report.lost.count, lost.len() as u64, "{told}");
        assert!(lost.len() < PAGE / 40, "{told}");
        harmless += usize::from(report.is_complete() && lines == life.truth);
        losses += usize::from(!lost.is_empty());
        doubts += usize::from(report.doubtful.count > 0);
    }
    println!("{pages} pages: {harmless} harmless, {losses} with records, {doubts} with doubts");
    (pages, harmless, losses)
}
