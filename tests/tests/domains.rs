//! Domains against the vectors that Unicode publishes for UTS #46, and against rules of their own on random text.

use connectory::Domain;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A row of the file: what Unicode says of one source text, non-transitional.
struct Row {
    line: usize,
    source: String,
    to_unicode: String,
    to_ascii: String,
    statuses: Vec<String>,
}

impl Row {
    /// Reads a row; `None` where the source or an answer has a lone surrogate, which no Rust string holds.
    fn read(line: usize, text: &str) -> Option<Self> {
        let columns: Vec<&str> = text.split(';').map(str::trim).collect();
        let [source, to_unicode, unicode_statuses, to_ascii, ascii_statuses, ..] = columns[..]
        else {
            panic!("line {line} has too few columns: {text}");
        };
        let source = unescape(source)?;
        let to_unicode = if to_unicode.is_empty() { source.clone() } else { unescape(to_unicode)? };
        let to_ascii = if to_ascii.is_empty() { to_unicode.clone() } else { unescape(to_ascii)? };
        let statuses = if ascii_statuses.is_empty() { unicode_statuses } else { ascii_statuses }
            .trim_matches(['[', ']'])
            .split(',')
            .map(|status| status.trim().to_owned())
            .filter(|status| !status.is_empty())
            .collect();
        Some(Self { line, source, to_unicode, to_ascii, statuses })
    }

    fn has(&self, status: &str) -> bool {
        self.statuses.iter().any(|has| has == status)
    }

    /// What the contract makes of the row, and why, from what the file says of it.
    ///
    /// The flags `CheckHyphens` and `VerifyDnsLength` are off, so V2, V3, `A4_1` and `A4_2` say nothing; the
    /// contract's own rules on hyphens and lengths stand in their place.
    fn expected(&self) -> (&'static str, Option<&str>) {
        let flagged = |status: &String| !["V2", "V3", "A4_1", "A4_2"].contains(&status.as_str());
        let name = self.to_ascii.strip_suffix('.').unwrap_or(&self.to_ascii);
        let mut labels = name.split('.');
        let last = name.rsplit('.').next().unwrap_or_default();
        if let Some((_, _, why)) =
            UNASSIGNED_IN_THE_FILE.iter().find(|(line, ..)| *line == self.line)
        {
            return (why, Some(name));
        }
        if self.statuses.iter().any(flagged) {
            return (AS_THE_FILE_REFUSES, None);
        }
        if name.split('.').any(str::is_empty) {
            return (EMPTY_LABEL, None);
        }
        if name.len() > 253 || labels.any(|label| label.len() > 63) {
            return (TOO_LONG, None);
        }
        if name.split('.').any(|label| label.starts_with('-') || label.ends_with('-')) {
            return (HYPHEN, None);
        }
        if self.has("V3") {
            return (HYPHEN_IN_UNICODE, None);
        }
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
            return (NUMBER, None);
        }
        let why = match (self.has("V2"), self.has("A4_1") || self.has("A4_2")) {
            (false, false) => AS_THE_FILE_ACCEPTS,
            (true, false) => HYPHENS_INSIDE,
            (false, true) => TRAILING_DOT,
            (true, true) => "a mixture that no row had",
        };
        (why, Some(name))
    }
}

const AS_THE_FILE_ACCEPTS: &str = "accepted, as the file says";
const AS_THE_FILE_REFUSES: &str = "refused, as the file says: a status of a flag that is on";
const HYPHENS_INSIDE: &str = "accepted though V2: hyphens in the third and fourth place are fine";
const HYPHEN_IN_UNICODE: &str = "refused: a hyphen at the end of a label's Unicode form";
const TRAILING_DOT: &str = "accepted though A4: one trailing dot is dropped before lengths count";
const SINCE_17: &str = "accepted though V7: a character of Unicode 17, and the file is of 16";
const SINCE_18: &str = "accepted though V7: a character of Unicode 18, and the file is of 16";
const EMPTY_LABEL: &str = "refused: no label at all, or an empty one beside the trailing dot";
const TOO_LONG: &str = "refused: a label over 63 or a name over 253";
const HYPHEN: &str = "refused: a hyphen at the end of a label's ASCII form";
const NUMBER: &str = "refused: the last label is a number";
const SURROGATE: &str = "skipped: a lone surrogate, which no Rust string holds";

/// Every reason there is, with the number of rows it explains.
const REASONS: [(&str, usize); 12] = [
    (AS_THE_FILE_ACCEPTS, 546),
    (AS_THE_FILE_REFUSES, 5597),
    (HYPHENS_INSIDE, 8),
    (HYPHEN_IN_UNICODE, 17),
    (TRAILING_DOT, 65),
    (SINCE_17, 3),
    (SINCE_18, 4),
    (EMPTY_LABEL, 65),
    (TOO_LONG, 44),
    (HYPHEN, 37),
    (NUMBER, 1),
    (SURROGATE, 2),
];

/// Lines whose only fault is a character that was not assigned yet when the file was made.
const UNASSIGNED_IN_THE_FILE: [(usize, char, &str); 7] = [
    (3386, '\u{3f8cd}', SINCE_18),
    (4219, '\u{32931}', SINCE_17),
    (4220, '\u{32931}', SINCE_17),
    (4405, '\u{32b9a}', SINCE_17),
    (5858, '\u{3e8ac}', SINCE_18),
    (5859, '\u{3e8ac}', SINCE_18),
    (5860, '\u{3e8ac}', SINCE_18),
];

/// Undoes the file's escapes; `None` for a lone surrogate.
fn unescape(text: &str) -> Option<String> {
    if text == "\"\"" {
        return Some(String::new());
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let (hex, after) = match escape.strip_prefix("x{") {
            Some(braced) => braced.split_once('}').unwrap(),
            None => escape.strip_prefix('u').unwrap().split_at(4),
        };
        plain.push(char::from_u32(u32::from_str_radix(hex, 16).unwrap())?);
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

/// What the cargo of this build answers.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The vectors that the `idna` crate of this build carries in its package.
fn vectors() -> String {
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Packages for other platforms may never have been downloaded.
    let of_host = ["metadata", "--format-version", "1", "--offline", "--filter-platform", host];
    let metadata: serde_json::Value = serde_json::from_str(&cargo(&of_host)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let idna: Vec<_> = packages.iter().filter(|package| package["name"] == "idna").collect();
    assert_eq!(idna.len(), 1, "the build has one idna crate");
    let manifest = Path::new(idna[0]["manifest_path"].as_str().unwrap());
    let file = manifest.with_file_name("tests").join("IdnaTestV2.txt");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn every_published_vector_is_normalised_as_the_contract_says() {
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (line, text) in (1..).zip(vectors().lines()) {
        let text = text.split('#').next().unwrap_or_default();
        if text.trim().is_empty() {
            continue;
        }
        let Some(row) = Row::read(line, text) else {
            *found.entry(SURROGATE).or_default() += 1;
            continue;
        };
        if let Some((_, late, _)) = UNASSIGNED_IN_THE_FILE.iter().find(|(of, ..)| *of == line) {
            assert!(row.to_unicode.contains(*late) && row.has("V7"), "line {line} is another row");
        }
        let (why, expected) = row.expected();
        *found.entry(why).or_default() += 1;
        match (row.source.parse::<Domain>(), expected) {
            (Ok(domain), Some(expected)) if domain.as_str() == expected => {
                assert_eq!(expected.parse(), Ok(domain), "normalising twice changes nothing");
            }
            (Err(problem), None) if problem.message.contains("; send ") => {}
            (actual, _) => wrong.push(format!(
                "line {line}: {:?} {:?}: {actual:?}, not {expected:?} ({why})",
                row.source, row.statuses
            )),
        }
    }
    for (why, count) in &found {
        println!("{count:6} {why}");
    }
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(found, BTreeMap::from(REASONS), "the reasons no longer explain the same rows");
}

/// What the random texts are made of: each string is as likely as the others.
const PIECES: &[&str] = &[
    // Plain, and plain in other clothes.
    "a",
    "b",
    "z",
    "net",
    "example",
    "A",
    "Q",
    "COM",
    "ａ",
    "Ｚ",
    "ℓ",
    "ﬁ",
    "㎏",
    "K",
    // Digits, and what reads as a number.
    "0",
    "9",
    "12",
    "0x",
    "0X7f",
    "７",
    "①",
    "²",
    "٣",
    "۴",
    // Dots, hyphens, and their doubles.
    ".",
    ".",
    ".",
    ".",
    ".",
    "。",
    "．",
    "｡",
    "․",
    "-",
    "-",
    "--",
    "‐",
    "\u{ad}",
    // Punycode, sound and unsound.
    "xn--",
    "XN--",
    "xn--bcher-kva",
    "xn--fa-hia",
    "xn--4db",
    "xn--xn---epa",
    "ｘｎ－－",
    "kva",
    // Letters that map, deviate, combine, or turn the direction.
    "ß",
    "ẞ",
    "ς",
    "Σ",
    "İ",
    "ü",
    "Ä",
    "é",
    "日",
    "本",
    "𠀀",
    "😀",
    "א",
    "ב",
    "ش",
    "ن",
    "܀",
    "\u{301}",
    "\u{308}",
    "\u{338}",
    "\u{5b0}",
    "\u{64b}",
    // Joiners, where they may stand and where not.
    "\u{200c}",
    "\u{200d}",
    "क\u{94d}\u{200d}",
    "न\u{94d}",
    "ب\u{200c}ب",
    "\u{fe0f}",
    // What no host name has.
    "_",
    "*",
    " ",
    "\u{3000}",
    ":",
    "/",
    "@",
    "[",
    "%",
    "\0",
    "\u{fffd}",
    "≠",
    "\u{e000}",
];

#[test]
fn a_random_text_is_refused_with_a_reason_or_is_in_normal_form() {
    let mut rng = fastrand::Rng::with_seed(connectory_tests::seed());
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..100_000 {
        // Short ones are often right, long ones reach the limits on length.
        let pieces = if rng.u8(..) == 0 { rng.usize(60..400) } else { rng.usize(0..9) };
        let kinds = rng.usize(1..=PIECES.len());
        let text: String = (0..pieces).map(|_| PIECES[rng.usize(..kinds)]).collect();
        match text.parse::<Domain>() {
            Ok(domain) => {
                accepted += 1;
                assert_normal(&text, &domain);
            }
            Err(problem) => {
                refused += 1;
                assert!(problem.message.contains("; send "), "{text:?}: {problem}");
            }
        }
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted > 10_000 && refused > 10_000, "the pieces make both kinds");
}

/// Checks what holds for every domain, by rules stated without UTS #46.
fn assert_normal(text: &str, domain: &Domain) {
    let name = domain.as_str();
    assert!((1..=253).contains(&name.len()), "{text:?}: {name}");
    for label in name.split('.') {
        assert!((1..=63).contains(&label.len()), "{text:?}: {name}");
        assert!(!label.starts_with('-') && !label.ends_with('-'), "{text:?}: {name}");
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        assert!(label.bytes().all(plain), "{text:?}: {name}");
    }
    let last = name.rsplit('.').next().unwrap();
    assert!(last.bytes().any(|byte| !byte.is_ascii_digit()), "{text:?}: {name} is an address");
    assert_eq!(name.parse().as_ref(), Ok(domain), "{text:?}: normalising twice changes nothing");
    assert_eq!(text.to_ascii_uppercase().parse().as_ref(), Ok(domain), "{text:?}: in capitals");
    if text.ends_with(|last: char| last.is_ascii_alphanumeric()) {
        assert_eq!(format!("{text}.").parse().as_ref(), Ok(domain), "{text:?}: with a dot");
    }
}
