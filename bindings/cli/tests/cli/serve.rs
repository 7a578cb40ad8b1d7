//! `serve` as programs, pages and attackers meet it: over a socket.

use crate::server::{Server, sha256};
use crate::shell::Shell;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> Value {
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

#[test]
fn a_server_stops_when_it_is_told_and_leaves_a_closed_store() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    assert_eq!(status(&server.create("a.com", "u")), 201);
    assert_eq!(status(&server.create("a.com", "u")), 409);
    shell.run(&["list"]).exits(2).tells("in use by another process");
    assert_eq!(server.stop(), Some(0));
    let before = std::fs::read(shell.store()).unwrap();
    assert_eq!(shell.run(&["list"]).exits(0).json().as_array().unwrap().len(), 1);
    assert_eq!(std::fs::read(shell.store()).unwrap(), before, "it was closed cleanly");
}

#[test]
fn without_keys_nobody_from_elsewhere_is_served() {
    let shell = Shell::new();
    shell.run(&["serve", "--listen", "0.0.0.0:0"]).exits(2).tells("say with --keys");
    let server = Server::start(&shell, &[]);
    let port = server.address.port();
    let create = json!({ "domain": "a.com", "profile_name": "u" }).to_string();
    for (line, header) in [
        ("POST /auth/connections", "host: evil.example".to_owned()),
        ("POST /auth/connections", "host: localhost.evil.example".to_owned()),
        ("POST /auth/connections", "host: 127.0.0.1.evil.example".to_owned()),
        ("POST /auth/connections", "x: y".to_owned()),
        (
            "POST /auth/connections",
            format!("host: localhost:{port}\r\norigin: http://evil.example"),
        ),
        ("POST /auth/connections", format!("host: localhost:{port}\r\norigin: null")),
        ("GET /auth/connections", "host: evil.example".to_owned()),
        ("GET /dump", format!("host: localhost:{port}\r\norigin: https://localhost:{port}")),
        ("GET /metrics", "host: evil.example".to_owned()),
        ("GET /openapi.json", "host: evil.example".to_owned()),
    ] {
        let answer = server.request(&format!("{line} HTTP/1.1\r\n{header}"), &create);
        assert!(matches!(status(&answer), 400 | 403), "{line} {header}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "{answer}");
    }
    // What a page may send without asking first is refused for its type.
    let plain = format!(
        "POST /auth/connections HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{create}",
        create.len()
    );
    assert_eq!(status(&server.send(plain.as_bytes())), 415);
    assert_eq!(body(&server.get("/auth/connections")), json!([]), "nothing had an effect");
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:80"] {
        let answer = server.request(&format!("GET /healthz HTTP/1.1\r\nhost: {host}"), "");
        assert_eq!(status(&answer), 200, "{host}");
    }
}

#[test]
fn oversized_and_malformed_requests_get_a_clear_status() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let host = format!("host: {}", server.address);
    let post =
        format!("POST /auth/connections HTTP/1.1\r\n{host}\r\ncontent-type: application/json");
    let large = "x".repeat(70_000);
    let answer = server.request(&format!("POST /auth/connections HTTP/1.1\r\n{host}"), &large);
    assert_eq!((status(&answer), &body(&answer)["code"]), (413, &json!("payload_too_large")));
    // A length that is announced and never sent, or too large to be true, costs nothing.
    let huge = format!("{post}\r\ncontent-length: 99999999999\r\n\r\n{large}");
    assert_eq!(status(&server.send(huge.as_bytes())), 413);
    let endless =
        format!("{post}\r\ntransfer-encoding: chunked\r\n\r\n20000\r\n{}", large.repeat(2));
    assert_eq!(status(&server.send(endless.as_bytes())), 413);

    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    let long = format!("x: {}\r\n", "y".repeat(100_000));
    for headers in [&many, &long] {
        let answer =
            server.send(format!("GET /healthz HTTP/1.1\r\n{host}\r\n{headers}\r\n").as_bytes());
        assert_eq!(status(&answer), 431, "{answer}");
    }
    let path = format!("GET /{} HTTP/1.1\r\n{host}\r\n\r\n", "a".repeat(100_000));
    assert!(matches!(status(&server.send(path.as_bytes())), 414 | 431));
    for nonsense in ["\r\n\r\nnonsense\r\n\r\n", "GET\r\n\r\n", "\u{1}\u{2}\u{3}\r\n\r\n"] {
        let answer = server.send(nonsense.as_bytes());
        assert_eq!(status(&answer), 400, "{answer}");
    }
    let wrong = format!("{post}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{{}}");
    assert_eq!(status(&server.send(wrong.as_bytes())), 400);
    let cut = format!("{post}\r\nconnection: close\r\ncontent-length: 3\r\n\r\n{{}}");
    let mut stream = server.connect();
    stream.write_all(cut.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    assert!(matches!(status(&answer), 0 | 400), "{answer}");
    assert_eq!(status(&server.get("/healthz")), 200);
}

#[test]
fn slow_clients_are_let_go_and_do_not_hold_up_others() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let mut slow: Vec<TcpStream> = (0..300).map(|_| server.connect()).collect();
    for (n, stream) in slow.iter_mut().enumerate() {
        let part = match n % 3 {
            0 => "",
            1 => "GET /healthz HTT",
            _ => {
                "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"
            }
        };
        stream.write_all(part.as_bytes()).unwrap();
    }
    for n in 0..50 {
        assert_eq!(status(&server.create(&format!("site-{n}.example.com"), "u")), 201);
    }
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 128, "{} MB", server.peak_memory_mb());
    // The heads run out of time first; reading blocks until the server has hung up.
    for (n, stream) in slow.iter_mut().enumerate().filter(|(n, _)| n % 3 != 2) {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{n}");
    }
    for stream in slow.iter_mut().skip(2).step_by(3) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!((status(&answer), &body(&answer)["code"]), (408, &json!("request_timeout")));
    }
}

#[test]
fn dumps_under_writes_are_consistent_and_load() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let (created, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut dumps = Vec::new();
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let (server, created, done) = (&server, &created, &done);
            scope.spawn(move || {
                for n in (0..).take_while(|_| !done.load(Ordering::SeqCst)) {
                    let answer =
                        server.create(&format!("site-{n}.example.com"), &format!("w-{writer}"));
                    assert_eq!(status(&answer), 201);
                    created.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..5 {
            while created.load(Ordering::SeqCst) < 100 * (dumps.len() + 1) {
                std::thread::yield_now();
            }
            let acknowledged = created.load(Ordering::SeqCst);
            let answer = server.get("/dump");
            assert_eq!(status(&answer), 200);
            dumps.push((acknowledged, dechunked(&answer)));
        }
        done.store(true, Ordering::SeqCst);
    });
    for (n, (acknowledged, dump)) in dumps.iter().enumerate() {
        let file = shell.path("dump.jsonl");
        std::fs::write(&file, dump).unwrap();
        let project = format!("copy-{n}");
        shell.run_on(&file, &["--project", &project, "load"]).exits(0);
        let report = shell.run(&["--project", &project, "check"]).exits(0).json();
        assert!(report["connections"].as_u64().unwrap() >= *acknowledged as u64);
        assert_eq!(shell.run(&["--project", &project, "dump"]).exits(0).out, *dump);
    }
    // The last one goes back in the way it came out.
    let (_, dump) = dumps.last().unwrap();
    let other = Shell::new();
    let empty = Server::start(&other, &[]);
    let load = format!(
        "POST /load HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/jsonl\r\ncontent-length: {}\r\n\r\n{dump}",
        empty.address,
        dump.len()
    );
    let loaded = empty.send(load.as_bytes());
    assert_eq!(status(&loaded), 200, "{loaded}");
    assert_eq!(dechunked(&empty.get("/dump")), *dump);
    assert_eq!(body(&empty.send(load.as_bytes()))["code"], "resource_in_use");
}

/// The body of a chunked answer.
fn dechunked(answer: &str) -> String {
    let mut rest = answer.split_once("\r\n\r\n").unwrap().1;
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

#[test]
fn keys_open_their_projects_and_never_show_up() {
    let shell = Shell::new();
    let digest = sha256("secret-key");
    let keys = shell.path("keys.json");
    std::fs::write(&keys, json!({ "keys": [{ "sha256": digest }] }).to_string()).unwrap();
    let refused =
        shell.run(&["serve", "--listen", "127.0.0.1:0", "--keys", keys.to_str().unwrap()]);
    refused.exits(2).tells("keys[0].projects: is required");
    let rules = json!({ "keys": [{ "sha256": digest, "projects": "*", "scopes": ["read"] }] });
    std::fs::write(&keys, rules.to_string()).unwrap();
    let server = Server::start(&shell, &["--keys", keys.to_str().unwrap()]);
    let answer = server.get("/auth/connections");
    assert_eq!((status(&answer), &body(&answer)["code"]), (401, &json!("unauthorized")));
    assert!(answer.contains("www-authenticate: Bearer"));
    let head = |line: &str, key: &str| {
        format!("{line} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}", server.address)
    };
    for (line, key, expected) in [
        ("GET /auth/connections?query=secret-query", "secret-key", 200),
        ("POST /auth/connections", "secret-key", 403),
        ("GET /dump", "secret-key", 403),
        ("GET /auth/connections", "secret-guess", 401),
    ] {
        let answer = server.request(&head(line, key), r#"{"domain":"secret-body"}"#);
        assert_eq!(status(&answer), expected, "{line}");
        assert!(!answer.contains("secret"), "{answer}");
    }
    for path in ["/healthz", "/openapi.json"] {
        assert_eq!(status(&server.get(path)), 200, "{path} needs no key");
    }
    let log = server.stop_and_tell();
    assert_eq!(log.matches("path=\"/auth/connections\"").count(), 4, "{log}");
    assert!(!log.contains("secret") && !log.contains(&digest[..16]), "{log}");
}
