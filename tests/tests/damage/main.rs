//! Damaged files: whatever happens to them, a store answers what is right, or that it is damaged.
//!
//! Images are drawn by number from a seed: bits flipped, parts zeroed or made up, cut off, added, exchanged, in the store, in
//! its log, or in both. Other processes examine them, with so much memory and no more, so that one that panics, hangs or
//! asks for more than that is seen. `CONNECTORY_SEED` repeats a run, with `CONNECTORY_IMAGE` one image of it.
//!
//! What is right:
//!
//! - Where the log is untouched, all that was acknowledged; and nothing that was not written.
//! - Where it is not, what was acknowledged up to some moment, and at most as many batches fewer as damage touched: the last
//!   frame of a log that is cut, or no frame any more, is what a power cut before its sync leaves, and cannot be told from it.
//! - `damaged` instead of any answer, but not where nothing is wrong with what it takes.

#![cfg(unix)]

mod images;
mod specimens;
mod verdict;

use connectory_tests::seed;
use fastrand::Rng;
use images::Image;
use specimens::{Files, Specimen, Truth, specimens};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use verdict::{Examination, Outcome};

/// What an examining process may address.
const MEMORY_KIB: u64 = 512 << 10;
/// How long an image may take: many hundred times what one does.
const PATIENCE: Duration = Duration::from_secs(300);
/// How many images a process examines.
const BATCH: usize = 100;
/// The specimens' folder, the seed, and the numbers of the images for an examining process.
const ORDERS: &str = "CONNECTORY_DAMAGE_ORDERS";

/// Images that once went wrong, and are always tried: seed and number.
const ONCE_WRONG: &[(u64, usize)] = &[];

/// A folder in memory where there is one: nothing here depends on a disk.
fn folder() -> TempDir {
    let shared = Path::new("/dev/shm");
    let inside = TempDir::new_in(shared)
        .ok()
        .filter(|inside| fs::write(inside.path().join("x"), [0; 4096]).is_ok());
    inside.unwrap_or_else(|| TempDir::new().unwrap())
}

fn save(specimens: &[Specimen], folder: &Path) {
    for (nth, specimen) in specimens.iter().enumerate() {
        specimen.files.write(&folder.join(format!("{nth}.now")));
        specimen.earlier.write(&folder.join(format!("{nth}.then")));
        let truth = serde_json::to_vec(&specimen.truth.to_json()).unwrap();
        fs::write(folder.join(format!("{nth}.truth")), truth).unwrap();
    }
}

fn saved(folder: &Path) -> Vec<Specimen> {
    let read = |nth: usize| {
        let truth = fs::read(folder.join(format!("{nth}.truth"))).ok()?;
        Some(Specimen {
            name: "",
            files: Files::read(&folder.join(format!("{nth}.now"))),
            earlier: Files::read(&folder.join(format!("{nth}.then"))),
            truth: Truth::of_json(serde_json::from_slice(&truth).unwrap()),
        })
    };
    (0..).map_while(read).collect()
}

/// Where an image is examined by another process.
#[test]
#[ignore = "it examines what another test made"]
fn examine_what_was_ordered() {
    let Ok(orders) = env::var(ORDERS) else { return };
    let [folder, seed, first, count] = orders.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{orders:?}")
    };
    let (seed, first, count) =
        (seed.parse().unwrap(), first.parse::<usize>().unwrap(), count.parse::<usize>().unwrap());
    // Wherever a thread panics, this ends, and the image is known.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let specimens = saved(Path::new(folder));
    let place = self::folder();
    for number in first..first + count {
        println!("\n= begins {number}");
        let (which, image) = Image::draw(&specimens, seed, number);
        let path = place.path().join("examined");
        let rng = Rng::with_seed(seed ^ number as u64);
        let specimen = &specimens[which];
        let kinds: Vec<_> = image.kinds.iter().map(|kind| format!("{kind:?}")).collect();
        let kinds = kinds.join("+");
        match (Examination { specimen, image: &image, path: &path, rng }).examine() {
            Ok(outcome) => println!("= ended {number} {outcome:?} {which} {kinds}"),
            Err(what) => {
                let what = what.replace('\n', " ");
                println!("= failed {number} {which} {kinds}: {what}");
            }
        }
    }
}

/// What came of images.
#[derive(Debug, Default)]
struct Tally {
    /// By what was done and what came of it.
    outcomes: BTreeMap<(String, String), usize>,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (what, count) in other.outcomes {
            *self.outcomes.entry(what).or_default() += count;
        }
        self.failures.extend(other.failures);
    }

    fn print(&self) {
        let outcomes =
            [Outcome::Sound, Outcome::Noticed, Outcome::Prefix, Outcome::InPart, Outcome::Refused]
                .map(|outcome| format!("{outcome:?}"));
        let mut kinds: Vec<&String> = self.outcomes.keys().map(|(kind, _)| kind).collect();
        kinds.dedup();
        println!("{:16} {}", "", outcomes.each_ref().map(|it| format!("{it:>9}")).join(""));
        for kind in kinds {
            let count = |outcome: &String| {
                let count = self.outcomes.get(&(kind.clone(), outcome.clone())).unwrap_or(&0);
                format!("{count:>9}")
            };
            println!("{kind:16} {}", outcomes.each_ref().map(count).join(""));
        }
    }
}

/// Has another process examine images, and again from the next on where one ends it.
fn examined(folder: &Path, seed: u64, mut first: usize, count: usize) -> Tally {
    let end = first + count;
    let mut tally = Tally::default();
    while first < end {
        let orders = [
            folder.to_str().unwrap(),
            &seed.to_string(),
            &first.to_string(),
            &(end - first).to_string(),
        ];
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("ulimit -v {MEMORY_KIB} && exec \"$0\" \"$@\""))
            .arg(env::current_exe().unwrap())
            .args(["examine_what_was_ordered", "--exact", "--ignored", "--nocapture"])
            .env(ORDERS, orders.join("\n"))
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                told.send(line).ok();
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).ok();
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut under_way = None;
        let mut hangs = false;
        loop {
            let line = match lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    hangs = true;
                    child.kill().unwrap();
                    break;
                }
            };
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["=", "begins", number] => under_way = Some(number.parse::<usize>().unwrap()),
                ["=", "ended", number, rest] => {
                    first = number.parse::<usize>().unwrap() + 1;
                    under_way = None;
                    let rest: Vec<_> = rest.split(' ').collect();
                    let [outcome, _, kinds] = rest[..] else { panic!("{line}") };
                    let kind = if kinds.contains('+') { "two of these" } else { kinds };
                    *tally.outcomes.entry((kind.into(), outcome.into())).or_default() += 1;
                }
                ["=", "failed", number, what] => {
                    first = number.parse::<usize>().unwrap() + 1;
                    under_way = None;
                    tally
                        .failures
                        .push(format!("CONNECTORY_SEED={seed} CONNECTORY_IMAGE={number}: {what}"));
                }
                _ => {}
            }
        }
        let status = child.wait().unwrap();
        reader.join().unwrap();
        let errors = errors.join().unwrap();
        if first >= end {
            assert!(status.success(), "{status}: {errors}");
        } else {
            let number =
                under_way.unwrap_or_else(|| panic!("it came to nothing: {status}: {errors}"));
            let what = if hangs { "hangs".into() } else { format!("{status}: {errors}") };
            tally
                .failures
                .push(format!("CONNECTORY_SEED={seed} CONNECTORY_IMAGE={number}: {what}"));
            first = number + 1;
        }
    }
    tally
}

/// Examines images of stores of a seed, with two processes at a time.
fn examine_all(seed: u64, numbers: std::ops::Range<usize>) -> Tally {
    let folder = folder();
    let specimens = specimens(folder.path(), seed);
    for Specimen { name, files, truth, .. } in &specimens {
        let log = files.log.as_ref().map_or(0, Vec::len);
        println!("{name}: {} and {log} bytes, {} changes", files.store.len(), truth.last());
    }
    save(&specimens, folder.path());
    let place: PathBuf = folder.path().to_owned();
    let next = AtomicUsize::new(numbers.start);
    let mut all = Tally::default();
    thread::scope(|scope| {
        let work = || {
            let mut tally = Tally::default();
            loop {
                let first = next.fetch_add(BATCH, Ordering::Relaxed);
                if first >= numbers.end {
                    return tally;
                }
                let count = BATCH.min(numbers.end - first);
                tally.add(examined(&place, seed, first, count));
            }
        };
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            all.add(worker.join().unwrap());
        }
    });
    all
}

#[test]
fn whatever_is_damaged_answers_are_right_or_say_so() {
    let seed = seed();
    let image: Option<usize> = env::var("CONNECTORY_IMAGE").ok().map(|it| it.parse().unwrap());
    let count = if env::var_os("CONNECTORY_LONG").is_some() { 24_000 } else { 1500 };
    let count = env::var("CONNECTORY_IMAGES").map_or(count, |count| count.parse().unwrap());
    let numbers = image.map_or(0..count, |image| image..image + 1);
    let mut tally = examine_all(seed, numbers);
    for &(seed, number) in ONCE_WRONG.iter().filter(|_| image.is_none()) {
        tally.add(examine_all(seed, number..number + 1));
    }
    tally.print();
    let failures = &tally.failures;
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}
