//! Several processes and one store: one owns it, and the system frees what a killed one held.

use crate::shell::{Ran, Shell, feed};
use std::fmt::Write;

/// Lines of creates that an import is given while it holds the store.
fn lines(from: usize, count: usize) -> String {
    let mut lines = String::new();
    for n in from..from + count {
        writeln!(lines, r#"{{"domain":"site-{n}.example.com","profile_name":"u"}}"#).unwrap();
    }
    lines
}

#[test]
fn a_second_process_is_refused_and_a_killed_owner_lets_go_at_once() {
    let shell = Shell::new();
    let mut owner = shell.start(&["import", "-"]);
    feed(&mut owner, &lines(0, 3));
    // The owner opens the store before it reads; wait for the file, then for its lock.
    while !shell.store().exists() || shell.run(&["list"]).exit != Some(2) {
        std::thread::yield_now();
    }
    for arguments in [
        &["create", "--domain", "a.com", "--profile-name", "p"][..],
        &["list"],
        &["dump"],
        &["check"],
        &["backup", "/nonexistent/copy"],
    ] {
        shell.run(arguments).exits(2).tells("in use by another process");
    }
    owner.kill().unwrap();
    owner.wait().unwrap();
    shell.create("a.com", "p").exits(0);
    shell.run(&["check"]).exits(0);
}

#[test]
fn a_killed_import_leaves_whole_batches() {
    let shell = Shell::new();
    let mut owner = shell.start(&["import", "-"]);
    let outcomes = std::io::BufReader::new(owner.stdout.take().unwrap());
    // Read beside the writing, or both pipes fill up.
    let reading = std::thread::spawn(move || {
        for line in std::io::BufRead::lines(outcomes).take(20_000) {
            let line = line.unwrap();
            assert!(line.contains("\"created\""), "{line}");
        }
    });
    // Two batches and a part of the third, which is never committed.
    feed(&mut owner, &lines(0, 25_000));
    reading.join().unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let report = shell.run(&["check"]).exits(0).json();
    assert_eq!(report["connections"], 20_000, "what was answered is there");
    let rest = shell.path("rest.jsonl");
    std::fs::write(&rest, lines(0, 25_000)).unwrap();
    shell
        .run(&["import", rest.to_str().unwrap()])
        .exits(0)
        .tells("5000 created, 20000 conflicts, 0 refused");
}

#[test]
fn readers_share_a_store_that_is_closed() {
    let shell = Shell::new();
    shell.create("a.com", "p").exits(0);
    let readers: Vec<_> = (0..4).map(|_| shell.start(&["list"])).collect();
    for reader in readers {
        Ran::of(reader.wait_with_output().unwrap()).exits(0);
    }
}
