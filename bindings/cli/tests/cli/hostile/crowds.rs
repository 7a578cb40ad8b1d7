//! More clients than there is room for.

use super::{answers, body, connect, post, sent, status};
use crate::server::Server;
use crate::shell::Shell;
use serde_json::json;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// A client that keeps its connection.
struct Regular(BufReader<TcpStream>);

impl Regular {
    fn new(server: &Server) -> Self {
        Self(BufReader::new(connect(server)))
    }

    /// The status of the answer to a request; fails where the connection was closed.
    fn ask(&mut self, request: &str) -> u16 {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let from = head.len();
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "the connection is kept: {head}");
            let line = head[from..].trim_end();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        status(&head)
    }
}

fn create(n: usize) -> String {
    let body = json!({ "domain": format!("site-{n}.example.com"), "profile_name": "regular" });
    post("/auth/connections", "content-type: application/json\r\n", &body.to_string())
}

/// What a client says that then says nothing more.
const BEGINNINGS: [&str; 5] = [
    "",
    "GET /auth/connections HTTP/1.1\r\nhost: loc",
    "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
    "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{",
    "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
];

#[test]
fn thousands_of_clients_that_only_wait_keep_out_neither_who_comes_nor_who_is_known() {
    let shell = Shell::new();
    let server = Server::start_with_descriptors(&shell, 256, &[]);
    let mut regular = Regular::new(&server);
    assert_eq!(regular.ask(&create(0)), 201);
    // The server has room for fewer than are held here, and the test itself for no more.
    let mut idle = VecDeque::new();
    for n in 1..=3000 {
        idle.push_back(sent(&server, BEGINNINGS[n % BEGINNINGS.len()]));
        if idle.len() > 400 {
            idle.pop_front();
        }
        if n % 50 == 0 {
            assert_eq!(regular.ask(&create(n)), 201, "who is known is answered as before");
            assert_eq!(status(&server.create("new.example.com", &format!("u-{n}"))), 201);
        }
    }
    #[cfg(target_os = "linux")]
    {
        assert!(server.descriptors() < 256, "{}", server.descriptors());
        assert!(server.peak_memory_mb() < 128, "{} MB", server.peak_memory_mb());
    }
    drop(idle);
    let log = server.stop_and_tell();
    assert!(!log.contains("could not be accepted") && !log.contains("failed"), "{log}");
    shell.run(&["check"]).exits(0);
}

#[test]
fn a_server_keeps_to_the_number_of_connections_that_it_was_given() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--connections", "8"]);
    assert_eq!(status(&server.create("a.com", "u")), 201);
    let idle: Vec<TcpStream> = (0..400).map(|_| connect(&server)).collect();
    assert_eq!(status(&server.create("b.com", "u")), 201);
    #[cfg(target_os = "linux")]
    assert!(server.descriptors() < 64, "{}", server.descriptors());
    // Who came first was let go first, without a word.
    assert_eq!(answers(idle.into_iter().next().unwrap()), "");
}

#[test]
fn a_server_out_of_descriptors_goes_on() {
    let shell = Shell::new();
    // What it needs for itself, and not what the least number of clients would take.
    let server = Server::start_with_descriptors(&shell, 24, &[]);
    assert_eq!(status(&server.create("a.com", "u")), 201);
    let idle: Vec<TcpStream> = (0..40).map(|_| connect(&server)).collect();
    for n in 0..10 {
        // Who is at the door while there is no descriptor is let in when one is free again.
        assert_eq!(status(&server.create(&format!("site-{n}.example.com"), "u")), 201);
    }
    drop(idle);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_server_ends_while_clients_hang_on_to_it() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--body-timeout", "1"]);
    assert_eq!(status(&server.create("a.com", "u")), 201);
    let waiting = BEGINNINGS.iter().cycle().take(100).map(|text| sent(&server, text));
    let waiting: Vec<TcpStream> = waiting.collect();
    let asks = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(500);
    let mut stuck = connect(&server);
    stuck.write_all(asks.as_bytes()).ok();
    assert_eq!(status(&server.get("/healthz")), 200);
    let log = server.stop_and_tell();
    assert!(log.contains("stopping"), "{log}");
    drop((waiting, stuck));
    let report = shell.run(&["check"]).exits(0).json();
    assert_eq!(report["connections"], 1);
}

#[test]
fn thousands_of_requests_in_one_go_are_answered_one_after_the_other() {
    const COUNT: usize = 5000;
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let mut stream = connect(&server);
    let mut writing = stream.try_clone().unwrap();
    let requests: Vec<String> = (0..COUNT)
        .map(|n| {
            let last = if n + 1 == COUNT { "connection: close\r\n" } else { "" };
            format!("GET /auth/connections/number-{n}- HTTP/1.1\r\nhost: localhost\r\n{last}\r\n")
        })
        .collect();
    // Neither side waits for the other: what is not read yet is not answered yet.
    let writer =
        std::thread::spawn(move || writing.write_all(requests.concat().as_bytes()).unwrap());
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    writer.join().unwrap();
    let answered: Vec<&str> = text.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answered.len(), COUNT);
    for (n, answer) in answered.iter().enumerate() {
        assert!(answer.starts_with("404") && answer.contains(&format!("number-{n}-")), "{answer}");
    }
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 64, "{} MB", server.peak_memory_mb());
}

#[test]
fn who_has_no_key_takes_no_place_among_dumps_and_loads() {
    let shell = Shell::new();
    let keys = shell.path("keys.json");
    // The digest of "key-of-the-operator".
    let sha256 = "783412ea72ec02831ef5bd1a566b7ea88fca0ef9af85e4f05ac68ef98cabe5d8";
    let rules = json!({ "keys": [{ "sha256": sha256, "projects": "*", "scopes": ["admin"] }] });
    std::fs::write(&keys, rules.to_string()).unwrap();
    let server = Server::start(&shell, &["--keys", keys.to_str().unwrap()]);
    let load = "POST /load HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/jsonl\r\n";
    for authorization in ["", "authorization: Bearer guessed\r\n"] {
        let loads: Vec<TcpStream> = (0..50)
            .map(|_| {
                let head = format!("{load}{authorization}transfer-encoding: chunked\r\n\r\n");
                sent(&server, head + "5\r\n{\"for\r\n")
            })
            .collect();
        let dump = "GET /dump HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer key-of-the-operator\r\nconnection: close\r\n\r\n";
        assert_eq!(status(&answers(sent(&server, dump))), 200);
        for stream in loads {
            let answer = answers(stream);
            assert_eq!((status(&answer), &body(&answer)["code"]), (401, &json!("unauthorized")));
        }
        // The body of who will not be served is not waited for, where it is asked whether to send it.
        let asks =
            format!("{load}{authorization}expect: 100-continue\r\ncontent-length: 9\r\n\r\n");
        assert_eq!(status(&answers(sent(&server, asks))), 401);
        let head = "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let asks =
            format!("{head}{authorization}expect: 100-continue\r\ncontent-length: 9\r\n\r\n");
        assert_eq!(status(&answers(sent(&server, asks))), 401);
    }
}
