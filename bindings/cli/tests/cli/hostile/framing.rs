//! Requests that two readers could take for different ones.

use super::{answers, sent, status};
use crate::server::Server;
use crate::shell::Shell;

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Whether the answers are one refusal or one answer, and then the end.
fn is_one(answer: &str) -> bool {
    answer.matches("HTTP/1.1 ").count() <= 1 && !answer.contains("/smuggled")
}

#[test]
fn nothing_behind_a_request_of_doubtful_length_is_read_as_another() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let head =
        "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for (headers, body) in [
        // A length and chunks, in both orders.
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 99\r\n", "0\r\n\r\n"),
        // Two lengths.
        ("content-length: 2\r\ncontent-length: 50\r\n", "{}"),
        ("content-length: 2, 50\r\n", "{}"),
        ("content-length: +2\r\n", "{}"),
        ("content-length: 2 2\r\n", "{}"),
        ("content-length: \r\n", "{}"),
        // Codings that hide chunks, or only look like them.
        ("transfer-encoding: xchunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ("transfer-encoding: identity\r\n", "0\r\n\r\n"),
        ("transfer-encoding: gzip, chunked\r\nconnection: close\r\n", "0\r\n\r\n"),
        ("transfer-encoding: \"chunked\"\r\n", "0\r\n\r\n"),
        ("transfer-encoding: chunked\x0b\r\n", "0\r\n\r\n"),
        ("transfer-encoding\x20: chunked\r\n", "0\r\n\r\n"),
        ("transfer-encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        // Names and lines that others may read differently.
        ("content-length : 2\r\n", "{}"),
        (" content-length: 2\r\n", "{}"),
        ("x: y\r\n content-length: 2\r\n", "{}"),
        ("x: y\rcontent-length: 2\r\n", "{}"),
        ("x: y\0\r\n", ""),
        ("content-length\0: 2\r\n", "{}"),
        ("\r", ""),
        // Chunks that end where they should not.
        ("transfer-encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "2\n{}\n0\n\n"),
        ("transfer-encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\n", "2 x\r\n{}\r\n0\r\n\r\n"),
    ] {
        let request = format!("{head}{headers}\r\n{body}{SMUGGLED}");
        let answer = answers(sent(&server, &request));
        assert!(is_one(&answer), "{headers:?} {body:?}: {answer}");
        assert!(matches!(status(&answer), 0 | 400 | 501), "{headers:?} {body:?}: {answer}");
    }
    // An old client names no length for chunks.
    let old = format!(
        "POST /load HTTP/1.0\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"
    );
    assert!(is_one(&answers(sent(&server, old))));
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert!(is_one(&answers(sent(&server, preface))));
    assert_eq!(status(&server.get("/healthz")), 200);
}

#[test]
fn a_target_that_names_another_host_is_refused_like_a_header_that_does() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let asks = |target: &str, hosts: &str| {
        let request = format!("GET {target} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        status(&answers(sent(&server, request)))
    };
    let here = "host: localhost\r\n";
    assert_eq!(asks("http://localhost/auth/connections", here), 200);
    assert_eq!(asks("http://evil.example/auth/connections", here), 403);
    assert_eq!(asks("http://localhost@evil.example/auth/connections", here), 403);
    assert_eq!(asks("/auth/connections", &format!("{here}host: evil.example\r\n")), 403);
    assert_eq!(asks("/auth/connections", &format!("host: evil.example\r\n{here}")), 403);
    assert_eq!(asks("/auth/connections", "host: localhost, evil.example\r\n"), 403);
    assert_eq!(asks("//evil.example/auth/connections", here), 404);
    assert_eq!(asks("/auth/connections#fragment", here), 200);
    assert_eq!(asks("/../auth/connections", here), 404);
    assert_eq!(asks("*", here), 404);
}

#[test]
fn odd_methods_are_named_or_refused_and_do_nothing() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let long = "A".repeat(20_000);
    for method in ["HEAD", "OPTIONS", "TRACE", "BREW", "get", "POST2", "!#$%&'*+-.^_`|~", &long] {
        for target in ["/auth/connections", "/load", "/dump", "/healthz", "/nowhere"] {
            let request = format!(
                "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            );
            let answer = answers(sent(&server, request));
            assert!(matches!(status(&answer), 404 | 405), "{method} {target}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
        }
    }
    for line in ["CONNECT localhost:80", "CONNECT /dump"] {
        let request =
            format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n{SMUGGLED}");
        let answer = answers(sent(&server, request));
        assert!(matches!(status(&answer), 400 | 404 | 405) && is_one(&answer), "{line}: {answer}");
    }
    for line in ["G\u{e9}T /", "G(T /", " GET /", "GET  /", "GET /\tx", "GET / HTTP/1.1 x", "GET"] {
        let answer = answers(sent(&server, format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n")));
        assert_eq!(status(&answer), 400, "{line}: {answer}");
    }
    let switch = format!(
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n{SMUGGLED}"
    );
    let answer =
        answers(sent(&server, switch.replace("upgrade\r\nupgrade", "upgrade, close\r\nupgrade")));
    assert!(is_one(&answer) && status(&answer) == 200, "{answer}");
}
