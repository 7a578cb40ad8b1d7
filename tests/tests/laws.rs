//! The corpora of fuzzing break no law. What each law says is in `tests/src/laws`.

use connectory_tests::laws;

#[test]
fn the_corpus_of_requests_breaks_no_law() {
    laws::replay("request", laws::request);
}

#[test]
fn the_corpus_of_http_breaks_no_law() {
    laws::replay("http", laws::http);
}

#[test]
fn the_corpus_of_names_breaks_no_law() {
    laws::replay("names", laws::names);
}

#[test]
fn the_corpus_of_operations_breaks_no_law() {
    laws::replay("operations", laws::operations);
}

#[test]
fn the_corpus_of_files_breaks_no_law() {
    laws::replay("file", laws::file);
}
