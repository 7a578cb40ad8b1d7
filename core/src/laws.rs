//! Laws: what must hold of any bytes at all, of what only the engine can reach. A law is a function that panics where it
//! is broken.
//!
//! The targets in `tests/fuzz` look for bytes that break one; the tests here replay those that were found to matter.
//! The laws of what everybody can reach are in `tests/src/laws`.

#![expect(clippy::missing_panics_doc, reason = "it is what a law does")]

mod codec;
mod log;

pub use codec::codec;
pub use log::log;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::panic::catch_unwind;
    use std::path::Path;

    /// Runs a law on every input of its corpus.
    fn replay(corpus: &str, law: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpora");
        let file = std::fs::File::open(folder.join(corpus).with_extension("tar")).unwrap();
        let mut inputs = 0;
        let mut broken = Vec::new();
        for entry in tar::Archive::new(file).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut input = Vec::new();
            entry.read_to_end(&mut input).unwrap();
            inputs += 1;
            if catch_unwind(|| law(&input)).is_err() {
                broken.push(entry.path().unwrap().display().to_string());
            }
        }
        println!("{corpus}: {inputs} inputs");
        assert!(inputs > 0, "the corpus of {corpus} is empty");
        assert!(broken.is_empty(), "the law of {corpus} is broken by {broken:?}");
    }

    #[test]
    fn the_corpus_of_the_codec_breaks_no_law() {
        replay("codec", super::codec);
    }

    #[test]
    fn the_corpus_of_the_log_breaks_no_law() {
        replay("log", super::log);
    }
}
