//! `serve` among clients that mean it harm: what they do is bounded, and everybody else is answered meanwhile.

mod crowds;
mod echoes;
mod framing;
mod oversized;
mod slow;

use crate::server::Server;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Long enough for any machine: only what hangs takes it.
const HANGS: Duration = Duration::from_secs(120);

/// A connection that fails a test instead of hanging.
fn connect(server: &Server) -> TcpStream {
    let stream = server.connect();
    stream.set_read_timeout(Some(HANGS)).unwrap();
    stream.set_write_timeout(Some(HANGS)).unwrap();
    stream
}

/// A connection on which so much was sent. A server that has read enough may be gone before the end.
fn sent(server: &Server, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(bytes.as_ref()).ok();
    stream
}

/// All that comes back until the server closes.
fn answers(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert!(!is_timeout(&error), "the server neither answers nor closes");
    }
    String::from_utf8(bytes).unwrap()
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn post(target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

/// Asks again until it has come to what is waited for.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(done) = ask() {
            return done;
        }
        assert!(begun.elapsed() < HANGS, "{what}");
        std::thread::yield_now();
    }
}

/// Sends a byte now and then until the server has had enough; what it says.
fn trickle(mut stream: TcpStream, byte: u8) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut answer = Vec::new();
    until("a trickle is waited for", || {
        stream.write_all(&[byte]).ok();
        match stream.read_to_end(&mut answer) {
            Err(error) if is_timeout(&error) => None,
            _ => Some(()),
        }
    });
    String::from_utf8(answer).unwrap()
}
