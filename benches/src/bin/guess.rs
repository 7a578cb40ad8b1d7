//! Prints whether the time in which a wrong key is refused tells how much of it was right.
//!
//! `cargo run --release -p connectory-benches --bin guess [SAMPLES]`. One key is guessed against rules whose digest shares 0, 1,
//! 16 and 31 bytes with its own, and against many rules of which the first, the last or none is nearly right. Samples of
//! all are taken in turn, in random order; the slowest tenth, in which the machine did something else, is left out. `t` is
//! Welch's, against sharing nothing: a difference that could be found out shows as more than 4.5, and keeps growing with the samples.

use connectory::http::{Access, Scope};
use connectory_benches::Outcome;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::time::Instant;

const SAMPLES: usize = 200_000;
/// Keys of the rules with many.
const MANY: usize = 100;

fn main() -> Outcome<()> {
    let samples = std::env::args().nth(1).map_or(Ok(SAMPLES), |samples| samples.parse())?;
    let guess = "a key that nobody has";
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {guess}").parse()?);
    let near = |shared| digest_sharing(guess, shared);
    let others = || (1..MANY).map(|n| digest_sharing(&n.to_string(), 32));
    let rules: [(&str, Vec<String>); 8] = [
        ("nothing", vec![near(0)]),
        ("nothing, once more", vec![near(0)]),
        ("1 byte", vec![near(1)]),
        ("16 bytes", vec![near(16)]),
        ("31 bytes", vec![near(31)]),
        ("nothing, of 100 keys", others().chain([near(0)]).collect()),
        ("31 bytes, with the first of 100", [near(31)].into_iter().chain(others()).collect()),
        ("31 bytes, with the last of 100", others().chain([near(31)]).collect()),
    ];
    let accesses = rules.iter().map(|(_, digests)| access(digests)).collect::<Outcome<Vec<_>>>()?;
    let mut times = vec![Vec::with_capacity(samples); accesses.len()];
    let mut order: Vec<usize> = (0..accesses.len()).collect();
    for _ in 0..samples {
        fastrand::shuffle(&mut order);
        for &n in &order {
            let (Some(access), Some(times)) = (accesses.get(n), times.get_mut(n)) else { continue };
            let begun = Instant::now();
            let refused = black_box(access.permit(black_box(&headers), Scope::Read)).is_err();
            times.push(begun.elapsed().as_secs_f64() * 1e9);
            assert!(refused, "nobody has this key");
        }
    }
    let times: Vec<Vec<f64>> = times.into_iter().map(without_the_slowest).collect();
    println!("| the digest shares | median, ns | t |\n| --- | ---: | ---: |");
    let mut base: &[f64] = &[];
    for ((name, _), times) in rules.iter().zip(&times) {
        if matches!(*name, "nothing" | "nothing, of 100 keys") {
            base = times;
        }
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!("| {name} | {median:.0} | {:.2} |", welch(times, base));
    }
    Ok(())
}

/// The digest of a key, changed behind its first `shared` bytes.
fn digest_sharing(key: &str, shared: usize) -> String {
    let changed = |(n, byte): (usize, u8)| if n < shared { byte } else { !byte };
    let digest = Sha256::digest(key).into_iter().enumerate().map(changed);
    digest.map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn access(digests: &[String]) -> Outcome<Access> {
    let key = |digest| format!(r#"{{"sha256":"{digest}","projects":"*","scopes":["read"]}}"#);
    let keys = digests.iter().map(key).collect::<Vec<_>>().join(",");
    Ok(Access::from_json(format!(r#"{{"keys":[{keys}]}}"#).as_bytes())?)
}

/// The others, in order.
fn without_the_slowest(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() - times.len() / 10);
    times
}

#[expect(clippy::cast_precision_loss, reason = "nobody takes so many samples")]
fn welch(of: &[f64], base: &[f64]) -> f64 {
    let moments = |times: &[f64]| {
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, spread), (of_base, spread_of_base)) = (moments(of), moments(base));
    (mean - of_base) / (spread + spread_of_base).sqrt()
}
