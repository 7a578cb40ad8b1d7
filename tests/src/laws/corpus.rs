//! The corpora, `tests/fuzz/corpora/*.tar`: inputs that reach everything which fuzzing has reached.

use std::io::Read;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::path::Path;

/// Runs a law on every input of its corpus, and panics with the names of those that break it.
///
/// # Panics
///
/// Where there are such, and where the corpus is missing or empty.
pub fn replay(corpus: &str, law: impl Fn(&[u8]) + RefUnwindSafe) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpora");
    let file = std::fs::File::open(folder.join(corpus).with_extension("tar")).expect("a corpus");
    let mut archive = tar::Archive::new(file);
    let mut inputs = 0;
    let mut broken = Vec::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().expect("a name").display().to_string();
        let mut input = Vec::new();
        entry.read_to_end(&mut input).expect("an input");
        inputs += 1;
        if catch_unwind(|| law(&input)).is_err() {
            broken.push(name);
        }
    }
    println!("{corpus}: {inputs} inputs");
    assert!(inputs > 0, "the corpus of {corpus} is empty");
    assert!(broken.is_empty(), "the law of {corpus} is broken by {broken:?}");
}
