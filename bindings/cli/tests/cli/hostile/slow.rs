//! Clients that take their time.

use super::{answers, body, connect, is_timeout, post, sent, status, trickle, until};
use crate::server::Server;
use crate::shell::Shell;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;

/// What a test of time asks of the server.
const HASTE: [&str; 4] = ["--head-timeout", "0.5", "--body-timeout", "1"];

const CREATE: &str =
    "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

/// A create that is let in, however long the machine takes to send it.
fn create(server: &Server, domain: &str) {
    until("a client is answered", || match status(&server.create(domain, "u")) {
        0 => None,
        status => {
            assert!(matches!(status, 201 | 409), "{status}");
            Some(())
        }
    });
}

#[test]
fn slow_heads_are_not_waited_for() {
    let shell = Shell::new();
    let server = Server::start(&shell, &HASTE);
    for head in ["", "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: "] {
        assert_eq!(answers(sent(&server, head)), "");
    }
    assert_eq!(trickle(sent(&server, "GET / HTTP/1.1\r\nx: "), b'y'), "");
    // Nor is the next one on a connection that was answered.
    let asked = answers(sent(&server, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    assert_eq!(asked.matches("HTTP/1.1 ").count(), usize::from(!asked.is_empty()));
    create(&server, "a.com");
}

#[test]
fn slow_bodies_are_not_waited_for() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--body-timeout", "0.5"]);
    let lengthy = format!("{CREATE}content-length: 60000\r\n\r\n{{");
    let chunked = format!("{CREATE}transfer-encoding: chunked\r\n\r\nffff\r\n");
    for beginning in [&lengthy, &chunked] {
        for answer in [answers(sent(&server, beginning)), trickle(sent(&server, beginning), b' ')] {
            assert_eq!((status(&answer), &body(&answer)["code"]), (408, &json!("request_timeout")));
            assert!(answer.contains("connection: close"), "{answer}");
        }
    }
    create(&server, "a.com");
}

#[test]
fn a_load_that_trickles_is_given_up_and_leaves_nothing() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--body-timeout", "0.5"]);
    let load = "POST /load HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/jsonl\r\ncontent-length: 60000\r\n\r\n{\"format\":\"connectory-dump\",\"version\":1}\n";
    // A byte now and then keeps a load going only at the pace of a modem.
    for answer in [answers(sent(&server, load)), trickle(sent(&server, load), b' ')] {
        assert_eq!((status(&answer), &body(&answer)["code"]), (408, &json!("request_timeout")));
    }
    create(&server, "a.com");
    let log = server.stop_and_tell();
    assert!(!log.contains("the store failed"), "it was the client: {log}");
}

#[test]
fn a_client_that_reads_no_answers_is_given_up() {
    let shell = Shell::new();
    let server = Server::start(&shell, &HASTE);
    let mut stream = connect(&server);
    stream.set_write_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
    // Once answers wait to be read requests are not read either; then the server hangs up.
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100);
    until("answers wait to be read for ever", || match stream.write(ask.as_bytes()) {
        Err(error) if !is_timeout(&error) => Some(()),
        _ => None,
    });
    create(&server, "a.com");
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 64, "{} MB", server.peak_memory_mb());
}

/// A create whose record is some kilobytes long.
fn long_create(n: usize) -> String {
    let hosts: Vec<String> =
        (0..20).map(|host| format!("{}.host-{host}.example.com", "x".repeat(60))).collect();
    let url = format!("https://site-{n}.example.com/{}", "y".repeat(1900));
    json!({
        "domain": format!("site-{n}.example.com"), "profile_name": "u",
        "login_url": url, "allowed_domains": hosts
    })
    .to_string()
}

/// The whole of a dump; `None` where there was no place for it, or it was cut off.
fn dump(server: &Server) -> Option<String> {
    let answer = server.get("/dump");
    assert!(matches!(status(&answer), 0 | 200 | 503), "{answer}");
    answer.ends_with("\r\n0\r\n\r\n").then_some(answer)
}

#[test]
fn stuck_readers_of_dumps_give_their_places_back() {
    const COUNT: usize = 2000;
    let shell = Shell::new();
    let file = shell.path("creates.jsonl");
    let lines: Vec<String> = (0..COUNT).map(long_create).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    shell.run(&["import", file.to_str().unwrap()]).exits(0);
    let server = Server::start(&shell, &["--body-timeout", "1"]);
    let ask = "GET /dump HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stuck: Vec<TcpStream> = (0..20).map(|_| sent(&server, ask)).collect();
    // Each has begun, or was told that there is no place for it.
    let mut begun = 0;
    for stream in &mut stuck {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        begun += usize::from(first.ends_with(b"200"));
    }
    assert!(begun >= 4, "{begun}");
    create(&server, "a.com");
    let whole = until("places are given back", || dump(&server));
    assert!(whole.len() > 7_000_000, "no socket holds a whole dump: {}", whole.len());
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 192, "{} MB", server.peak_memory_mb());
    // Nor do they hold up the end.
    let again: Vec<TcpStream> = (0..4).map(|_| sent(&server, ask)).collect();
    assert_eq!(server.stop(), Some(0));
    drop((stuck, again));
    assert_eq!(shell.run(&["check"]).exits(0).json()["connections"], COUNT + 1);
}

#[test]
fn who_is_too_early_reads_why_it_was_refused() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    // Much more than both sides' sockets hold, refused at its beginning.
    let load = "POST /load HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 50000000\r\n\r\n";
    let mut stream = sent(&server, load);
    let rest = vec![b'x'; 200_000];
    assert!(stream.write_all(&rest).is_ok(), "what is on its way is still taken");
    assert_eq!(status(&answers(stream)), 415);
    let large =
        post("/auth/connections", "content-type: application/json\r\n", &"x".repeat(400_000));
    assert_eq!(status(&answers(sent(&server, large))), 413);
}
