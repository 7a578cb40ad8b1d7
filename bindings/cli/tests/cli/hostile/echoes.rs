//! What a client sends comes back in answers and in the log; never as a header, a line or a command of a terminal.

use super::{answers, post, sent, status};
use crate::server::Server;
use crate::shell::Shell;
use serde_json::json;

/// Every header that the server has.
const HEADERS: [&str; 18] = [
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "idempotency-replayed",
    "location",
    "preference-applied",
    "retry-after",
    "transfer-encoding",
    "www-authenticate",
    "x-has-more",
    "x-next-cursor",
    "x-next-offset",
    "x-request-id",
    "x-should-retry",
    "keep-alive",
];

/// What would be a header of its own, a line of its own or a colour if it were not taken for text.
const EVIL: [&str; 9] = [
    "%0d%0ax-evil:%20yes",
    "%0D%0A%0D%0A%3Cscript%3E",
    "%0ax-evil:yes",
    "%0dx-evil:yes",
    "%00x-evil:yes",
    "%E5%98%8A%E5%98%8Dx-evil:yes",
    "%1b%5b31m",
    "%C2%9B31m",
    "%E2%80%AE",
];

/// Checks the head of an answer: what is there is known, once, and plain.
fn is_clean(answer: &str) {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    let mut names = Vec::new();
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{answer}"));
        assert!(HEADERS.contains(&name), "{name}: {answer}");
        assert!(!names.contains(&name), "{name} is there twice: {answer}");
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{answer}");
        assert!(!value.contains("evil"), "{answer}");
        names.push(name);
    }
    assert!(!answer.bytes().any(|byte| byte == 0x1b || byte == 0), "{answer}");
}

#[test]
fn nothing_that_is_echoed_becomes_a_header() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let close = "connection: close\r\n";
    let created = server.create("a.com", "u");
    is_clean(&created);
    let id = created.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    let text = "content-type: application/json\r\nconnection: close\r\n";
    for evil in EVIL {
        for target in [
            format!("/{evil}"),
            format!("/auth/connections/{evil}"),
            format!("/auth/connections/{id}{evil}"),
            format!("/auth/connections?query={evil}"),
            format!("/auth/connections?cursor=c.{evil}"),
            format!("/auth/connections?profile_name={evil}&domain={evil}&limit={evil}"),
            format!("/auth/connections?{evil}={evil}"),
            format!("/profiles/{evil}"),
            format!("/profiles?cursor=p.{evil}"),
            format!("/proxies/{evil}"),
            format!("/proxies?cursor=x.{evil}"),
            format!("/dump?{evil}"),
        ] {
            for method in ["GET", "DELETE", "PUT", "PATCH", "OPTIONS"] {
                let request =
                    format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{close}\r\n");
                let answer = answers(sent(&server, request));
                assert_ne!(status(&answer), 500, "{answer}");
                is_clean(&answer);
            }
        }
        // The same bytes where JSON can hold them, and headers that are read.
        let raw: String = evil.replace("%0d", "\r").replace("%0D", "\r").replace("%0a", "\n");
        let body =
            json!({ "domain": raw, "profile_name": raw, raw.as_str(): raw, "login_url": raw });
        let answer = answers(sent(&server, post("/auth/connections", text, &body.to_string())));
        assert_eq!(status(&answer), 400, "{answer}");
        is_clean(&answer);
        let good = json!({ "domain": "b.com", "profile_name": "u" }).to_string();
        for header in
            ["idempotency-key", "prefer", "x-request-id", "x-kernel-project-id", "authorization"]
        {
            let headers = format!("{text}{header}: {evil}\r\n");
            let answer = answers(sent(&server, post("/auth/connections", &headers, &good)));
            assert!(matches!(status(&answer), 201 | 400 | 404 | 409 | 422), "{header}: {answer}");
            is_clean(&answer);
        }
        let headers = format!("content-type: {evil}\r\ncontent-encoding: {evil}\r\n{close}");
        is_clean(&answers(sent(&server, post("/auth/connections", &headers, &good))));
    }
    // The longest names that there are, in the headers that say where lists go on.
    for n in 0..3 {
        let name = format!("{n}{}", "x".repeat(254));
        is_clean(&server.create("c.com", &name));
        let request = format!("PUT /proxies/{name} HTTP/1.1\r\nhost: localhost\r\n{close}\r\n");
        is_clean(&answers(sent(&server, request)));
    }
    for target in ["/profiles?limit=1", "/proxies?limit=1", "/auth/connections?limit=1"] {
        let answer = server.get(target);
        assert!(answer.contains("x-next-cursor: "), "{answer}");
        is_clean(&answer);
    }
}

#[test]
fn no_client_writes_lines_or_colours_into_the_log() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let mut asked = 0;
    let raw = [
        "\u{9b}31m",
        "\u{202e}evil",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\"",
        "\\",
        "%0a",
        "%1b[31m",
    ];
    for text in raw {
        for padding in [0, 125, 126, 127, 128] {
            let path = format!("/{}{text}{}", "a".repeat(padding), "\u{e9}b".repeat(5000));
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            let answer = answers(sent(&server, request));
            assert!(matches!(status(&answer), 400 | 404), "{answer}");
            asked += usize::from(status(&answer) == 404);
        }
    }
    let method = "M".repeat(20_000);
    let request = format!("{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert_eq!(status(&answers(sent(&server, request))), 404);
    let key = "GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer not-to-be-told\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&answers(sent(&server, key))), 404);
    let log = server.stop_and_tell();
    assert!(!log.contains("not-to-be-told"));
    let lines: Vec<&str> = log.lines().collect();
    let requests = lines.iter().filter(|line| line.contains("request id=")).count();
    assert_eq!(requests, asked + 2, "a line for each: {log}");
    for line in lines {
        assert!(line.len() < 1000, "it repeats what a client made up: {line}");
        let is_plain =
            |c: char| !c.is_control() && !matches!(c, '\u{202e}' | '\u{2028}' | '\u{feff}');
        assert!(line.chars().all(is_plain), "{line:?}");
    }
}
