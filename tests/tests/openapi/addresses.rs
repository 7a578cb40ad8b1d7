//! Random addresses, right and nearly right.

use crate::pools::changed;
use fastrand::Rng;

/// An address out of parts that are right, or nearly.
pub(crate) fn address(rng: &mut Rng) -> String {
    const SCHEMES: &[&str] = &["http", "https", "HTTP", "hTTps", "httpss", "ftp", ""];
    const HOSTS: &[&str] = &[
        "a",
        "a.com",
        "1.2.3.4",
        "%41",
        "~!$&'()*+,;=-._",
        "",
        "ü",
        "[v1.x]",
        "[V1F.a:b~]",
        "[vg.x]",
        "[v1.]",
    ];
    const PORTS: &[&str] = &["", "", ":", ":0", ":65536", ":x"];
    const PATHS: &[&str] = &["", "/", "/a/b", "//", "/%2F", "/%2", "/:@!", "a", "/[", "/\u{0}"];
    const QUERIES: &[&str] = &["", "", "?", "?a=b/?:@", "?a[]=1", "?%zz", "?ü"];
    const FRAGMENTS: &[&str] = &["", "", "#", "#/a?b", "##", "# "];
    let mut one = |pool: &[&'static str]| *rng.choice(pool).expect("a pool is not empty");
    let mut parts =
        [one(SCHEMES), "://", one(HOSTS), one(PORTS), one(PATHS), one(QUERIES), one(FRAGMENTS)]
            .map(String::from);
    if rng.bool() {
        parts[2] = format!("[{}]", ip_address(rng));
        if rng.bool() {
            parts[0] = "http".into();
            parts[3..].iter_mut().for_each(String::clear);
        }
    }
    let text = parts.concat();
    if rng.u8(..4) == 0 { changed(rng, &text) } else { text }
}

/// An IPv6 address, or nearly.
fn ip_address(rng: &mut Rng) -> String {
    const GROUPS: &[&str] = &["0", "1", "ab", "ABC", "ffff", "01", "0000", "9", "12345", "g"];
    const TAILS: &[&str] = &[
        "1.2.3.4",
        "255.255.255.255",
        "0.0.0.0",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "a.1.1.1",
    ];
    let count = rng.usize(..10);
    let mut groups: Vec<&str> =
        (0..count).map(|_| GROUPS[rng.usize(..GROUPS.len()).saturating_sub(2)]).collect();
    if rng.u8(..3) == 0 {
        groups.push(rng.choice(TAILS).expect("there are some"));
    }
    let elided = if rng.u8(..8) == 0 { 2 } else { usize::from(rng.u8(..4) != 0) };
    let mut text = groups.join(":");
    for _ in 0..elided {
        let ends: Vec<usize> =
            text.match_indices(':').map(|(at, _)| at).chain([0, text.len()]).collect();
        let at = *rng.choice(&ends).expect("a text has ends");
        text.insert_str(at, if at == 0 || at == text.len() { "::" } else { ":" });
    }
    text
}
