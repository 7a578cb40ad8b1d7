//! `changes --follow`: beside commands that come and go, and servers that stay.

use crate::server::{Server, signal};
use crate::shell::Shell;
use serde_json::Value;
use std::fmt::Write;
use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStderr, ChildStdout};

/// A running `changes --follow`; killed when it goes.
struct Follower {
    process: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    told: BufReader<ChildStderr>,
}

impl Follower {
    fn start(shell: &Shell, arguments: &[&str]) -> Self {
        let mut process = shell.start(&[&["changes", "--follow"], arguments].concat());
        let lines = Some(BufReader::new(process.stdout.take().unwrap()).lines());
        let told = BufReader::new(process.stderr.take().unwrap());
        Self { process, lines, told }
    }

    /// The next line, once there is one; `None` when that was the last.
    fn line(&mut self) -> Option<String> {
        self.lines.as_mut().unwrap().next().map(Result::unwrap)
    }

    #[track_caller]
    fn change(&mut self) -> Value {
        let line = self.line().expect("it goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next line on standard error, once there is one.
    fn told(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        line
    }

    /// Waits for the end: the exit status, and what was not yet read of either output.
    fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let lines =
            self.lines.take().map_or_else(Vec::new, |lines| lines.map_while(Result::ok).collect());
        let mut told = String::new();
        self.told.read_to_string(&mut told).unwrap();
        (self.process.wait().unwrap().code(), lines, told)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

const ENDED_QUIETLY: (Option<i32>, Vec<String>, String) = (Some(0), Vec::new(), String::new());

#[test]
fn what_later_commands_do_appears_once_and_in_order() {
    let shell = Shell::new();
    // There is no store yet.
    let mut follower = Follower::start(&shell, &[]);
    let created = shell.create("a.com", "u").exits(0).json();
    let change = follower.change();
    assert_eq!((&change["seq"], &change["kind"]), (&1.into(), &"created".into()));
    assert_eq!((&change["id"], &change["connection"]), (&created["id"], &created));

    let id = created["id"].as_str().unwrap();
    let updated = shell.run(&["update", id, "--health-check-interval", "7200"]).exits(0).json();
    shell.run(&["delete", id]).exits(0);
    let change = follower.change();
    assert_eq!((&change["kind"], &change["connection"]), (&"updated".into(), &updated));
    let change = follower.change();
    assert_eq!((&change["kind"], change.get("connection")), (&"deleted".into(), None));

    // Many looks fall among these, and hold up none of them.
    let mut others: Vec<_> = (0..2).map(|_| Follower::start(&shell, &["--since", "3"])).collect();
    others.push(follower);
    for n in 0..40 {
        shell.create(&format!("site-{n}.example.com"), "u").exits(0);
    }
    for mut follower in others {
        for n in 0..40 {
            let change = follower.change();
            assert_eq!(change["seq"], n + 4);
            assert_eq!(change["connection"]["domain"], format!("site-{n}.example.com"));
        }
        signal(&follower.process, "INT");
        let (exit, lines, told) = follower.end();
        assert_eq!((exit, lines), (Some(0), Vec::new()));
        // On a slow machine a command may take long enough to be waited for.
        assert!(told.lines().all(|line| line.ends_with("; waiting")), "{told}");
    }
    let before = std::fs::read(shell.store()).unwrap();
    shell.run(&["list"]).exits(0);
    assert_eq!(std::fs::read(shell.store()).unwrap(), before, "it was left closed");
}

#[test]
fn what_a_server_did_appears_when_it_has_closed_the_store() {
    let shell = Shell::new();
    let mut follower = Follower::start(&shell, &[]);
    for round in 0..2 {
        let server = Server::start(&shell, &[]);
        for n in 0..10 {
            let create = || server.create(&format!("site-{n}.example.com"), &format!("u-{round}"));
            let mut created = create();
            // The server opens the store with the first request, and meets the follower there now and then.
            while n == 0 && created.starts_with("HTTP/1.1 503") {
                created = create();
            }
            assert!(created.starts_with("HTTP/1.1 201"), "{created}");
        }
        let told = follower.told();
        assert!(
            told.ends_with("default.connectory: in use by another process; waiting\n"),
            "{told}"
        );
        assert_eq!(server.stop(), Some(0));
        for n in 1..=10 {
            assert_eq!(follower.change()["seq"], round * 10 + n);
        }
    }
    signal(&follower.process, "TERM");
    assert_eq!(follower.end(), ENDED_QUIETLY, "it said so once for each server");
}

#[test]
fn it_ends_quietly_when_its_reader_goes() {
    let shell = Shell::new();
    // Where nothing will ever happen, and where something was waiting to be read.
    let mut idle = Follower::start(&shell, &[]);
    idle.lines = None;
    assert_eq!(idle.end(), ENDED_QUIETLY);
    for n in 0..3 {
        shell.create(&format!("site-{n}.example.com"), "u").exits(0);
    }
    let mut follower = Follower::start(&shell, &[]);
    assert_eq!(follower.change()["seq"], 1);
    follower.lines = None;
    assert_eq!(follower.end(), ENDED_QUIETLY);
}

#[test]
fn since_and_limit_bound_it() {
    let shell = Shell::new();
    for n in 0..3 {
        shell.create(&format!("site-{n}.example.com"), "u").exits(0);
    }
    let mut follower = Follower::start(&shell, &["--since", "1", "--limit", "3"]);
    assert_eq!(follower.change()["seq"], 2);
    assert_eq!(follower.change()["seq"], 3);
    shell.create("a.com", "u").exits(0);
    shell.create("b.com", "u").exits(0);
    assert_eq!(follower.change()["seq"], 4);
    assert_eq!(follower.end(), ENDED_QUIETLY, "three were taken");

    let table = Follower::start(&shell, &["--limit", "2", "-o", "table"]);
    let (exit, lines, _) = table.end();
    let words: Vec<Vec<&str>> =
        lines.iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((exit, words.len(), &words[0][..]), (Some(0), 3, &["seq", "kind", "id"][..]));
    assert_eq!(words[2][..2], ["2", "created"]);

    let ahead = Follower::start(&shell, &["--since", "99"]);
    let (exit, lines, told) = ahead.end();
    assert_eq!((exit, lines.len()), (Some(2), 0));
    assert!(told.contains("--since: 99 is ahead of the last change"), "{told}");
}

#[test]
fn where_changes_are_gone_it_says_so_and_goes_on_from_the_oldest() {
    let shell = Shell::new();
    let mut requests = String::new();
    for n in 0..13_000 {
        writeln!(requests, r#"{{"domain":"site-{n}.example.com","profile_name":"u"}}"#).unwrap();
    }
    let file = shell.path("requests.jsonl");
    std::fs::write(&file, requests).unwrap();
    shell.run(&["import", file.to_str().unwrap()]).exits(0);
    let stats = shell.run(&["stats"]).exits(0).json();
    let oldest = stats["oldest_change"].as_u64().unwrap();
    assert!(oldest > 2, "{stats}");

    let mut follower = Follower::start(&shell, &["--since", "1", "--limit", "10000"]);
    assert_eq!(
        follower.told(),
        format!("changes after 1 are no longer kept; going on from the oldest, {oldest}\n")
    );
    for n in 0..10_000 {
        assert_eq!(follower.change()["seq"], oldest + n);
    }
    assert_eq!(follower.end(), ENDED_QUIETLY);
}
