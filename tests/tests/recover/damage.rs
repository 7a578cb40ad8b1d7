//! Damage of every kind, by chance.

use crate::law::broken;
use crate::life::{Kind, Life, recovered};
use connectory_tests::power::Image;
use fastrand::Rng;
use std::ops::Range;

/// Does something to bytes of a file within this range.
fn hit(bytes: &mut [u8], within: Range<usize>, rng: &mut Rng) -> String {
    const PAGE: usize = 4096;
    if within.is_empty() {
        return "nothing".into();
    }
    let at = rng.usize(within.clone());
    let page = at / PAGE * PAGE;
    let span = |from: usize, length: usize| from..(from + length).min(within.end);
    match rng.u8(..6) {
        0 | 1 => {
            bytes[at] ^= 1 << rng.u8(..8);
            format!("a bit of byte {at}")
        }
        2 => {
            let sector = at / 512 * 512;
            bytes[span(sector, 512)].fill(0);
            format!("sector of byte {sector} zeroed")
        }
        3 => {
            bytes[span(page, PAGE)].fill_with(|| rng.u8(..));
            format!("page of byte {page} filled with anything")
        }
        4 => {
            // As when a write went to the wrong place.
            let from = rng.usize(within.clone()) / PAGE * PAGE;
            let length = PAGE.min(within.end - page).min(bytes.len() - from);
            bytes.copy_within(from..from + length, page);
            format!("page of byte {from} written over that of byte {page}")
        }
        _ => {
            let length = rng.usize(1..PAGE * 8);
            bytes[span(page, length)].fill(0);
            format!("{length} bytes from byte {page} zeroed")
        }
    }
}

fn damaged(life: &Life, rng: &mut Rng) -> (Image, Vec<String>) {
    let mut image = life.image.clone();
    let mut what = Vec::new();
    for _ in 0..=rng.usize(..4) {
        match &mut image.log {
            Some(log) if rng.u8(..3) == 0 => {
                // What is last in a log and bad cannot be told from what was cut by a crash.
                what.push(format!("log: {}", hit(log, 0..life.last_frame, rng)));
            }
            _ => {
                let used = 0..image.store.len();
                what.push(hit(&mut image.store, used, rng));
            }
        }
    }
    if rng.u8(..12) == 0 {
        let length = rng.usize(..image.store.len());
        image.store.truncate(length);
        what.push(format!("cut at byte {length}"));
    }
    if rng.u8(..20) == 0 {
        let length = rng.usize(1..8192).min(image.store.len());
        image.store[..length].fill(0);
        what.push(format!("header of {length} bytes zeroed"));
    }
    (image, what)
}

#[test]
fn whatever_is_damaged_what_is_salvaged_is_true_and_the_report_covers_the_rest() {
    let seed = connectory_tests::seed();
    let images: u64 = if std::env::var_os("CONNECTORY_LONG").is_some() { 6000 } else { 200 };
    let kinds = [
        Kind { connections: 150, profiles: 25, rounds: 3, ..Kind::CLOSED },
        Kind { connections: 150, profiles: 25, rounds: 3, ..Kind::CRASHED },
        Kind::CLOSED,
        Kind { log_bytes: 128 << 10, ..Kind::CRASHED },
    ];
    let of_each: Vec<Life> =
        (0..).zip(kinds).map(|(n, kind)| Life::lived(seed.wrapping_add(n), kind)).collect();
    let (mut complete, mut nothing, mut salvaged, mut of) = (0, 0, 0, 0);
    for n in 0..images {
        let mut rng = Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(n));
        let life = &of_each[rng.usize(..of_each.len())];
        let (image, what) = damaged(life, &mut rng);
        of += life.truth.len();
        match recovered(&image) {
            Ok((lines, report)) => {
                let broken = broken(life, &lines, &report);
                assert!(broken.is_empty(), "image {n}: {what:#?}: {broken:#?} {report:#?}");
                complete += u64::from(report.is_complete());
                salvaged += lines.len();
            }
            Err(error) => {
                println!("image {n}: {error}: {what:?}");
                nothing += 1;
            }
        }
    }
    println!(
        "{images} images: {complete} complete, {nothing} with nothing; {salvaged} of {of} rows salvaged"
    );
    assert!(complete > images / 20, "some damage does no harm");
    assert!(nothing < images / 20, "hardly any leaves nothing");
    assert!(salvaged > of / 2, "most is intact");
}
