//! Too much of everything, and what would become too much if it were unpacked.

use super::{answers, body, post, sent, status};
use crate::server::Server;
use crate::shell::Shell;
use serde_json::json;

const JSON: &str = "content-type: application/json\r\n";

fn asks(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
}

fn chunked(body: &str) -> String {
    format!(
        "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\n{JSON}transfer-encoding: chunked\r\n\r\n{body}"
    )
}

#[test]
fn heads_are_bounded_in_every_direction() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let long = "y".repeat(1 << 20);
    let many = |count| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<Vec<_>>().concat();
    for (request, expected) in [
        (asks(&format!("/{long}"), ""), 431),
        (asks(&format!("/auth/connections?query={long}"), ""), 431),
        (asks("/healthz", &format!("x: {long}\r\n")), 431),
        (asks("/healthz", &format!("{long}: x\r\n")), 431),
        (asks("/healthz", &many(63)), 431),
        (asks("/healthz", &many(50_000)), 431),
        (format!("{long} / HTTP/1.1\r\n\r\n"), 431),
        (asks("/healthz", &many(60)), 200),
        (asks(&format!("/{}", "a".repeat(20_000)), ""), 404),
    ] {
        let answer = answers(sent(&server, &request));
        assert_eq!(status(&answer), expected, "{}: {answer}", &request[..60]);
        assert!(answer.len() < 2000, "what is long is not repeated");
    }
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 64, "{} MB", server.peak_memory_mb());
}

#[test]
fn bodies_are_bounded_however_their_length_is_told() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let large = "x".repeat(70_000);
    let announced = |length: &str| {
        format!(
            "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: {length}\r\n\r\n{large}"
        )
    };
    let one_by_one = "1;why=because\r\nx\r\n".repeat(70_000);
    for (request, expected) in [
        (announced("70000"), 413),
        (announced("18446744073709551613"), 413),
        (announced("18446744073709551616"), 400),
        (announced("-1"), 400),
        (announced("0x10"), 400),
        (chunked(&format!("{:x}\r\n{large}", usize::MAX)), 413),
        (chunked(&format!("1{:x}\r\n{large}", usize::MAX)), 400),
        (chunked("-1\r\n"), 400),
        (chunked("x\r\n"), 400),
        (chunked(&one_by_one), 400),
        (chunked(&format!("1;{large}\r\nx\r\n")), 400),
        (chunked(&format!("0\r\nx: {large}\r\n\r\n")), 400),
    ] {
        let answer = answers(sent(&server, &request));
        assert_eq!(status(&answer), expected, "{}: {answer}", &request[..150]);
        assert!(answer.contains("connection: close"), "nothing behind it is read: {answer}");
    }
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 64, "{} MB", server.peak_memory_mb());
    assert_eq!(body(&server.get("/auth/connections")), json!([]));
}

#[test]
fn what_is_nested_deeply_or_is_no_text_is_refused() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let deep = [
        "[".repeat(60_000),
        "{\"a\":".repeat(12_000),
        format!("{{\"credential\":{}", "[".repeat(60_000)),
    ];
    for text in &deep {
        let answer = answers(sent(
            &server,
            post("/auth/connections", &format!("{JSON}connection: close\r\n"), text),
        ));
        assert_eq!(
            (status(&answer), &body(&answer)["code"]),
            (400, &json!("bad_request")),
            "{answer}"
        );
        let load = "content-type: application/jsonl\r\nconnection: close\r\n";
        let answer = answers(sent(&server, post("/load", load, &format!("{text}\n"))));
        assert_eq!(status(&answer), 400, "{answer}");
    }
    let bytes: [&[u8]; 4] = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
    for bytes in bytes {
        // In a body, in a line of a load, in a path, in a query, in the value of a header that is read.
        let head =
            |start: &str| format!("{start}host: localhost\r\nconnection: close\r\n").into_bytes();
        let json = [b"{\"domain\":\"a.com\",\"profile_name\":\"", bytes, b"\"}"].concat();
        let length = format!("content-length: {}\r\n\r\n", json.len());
        let of_body = |start: &str, kind: &str| {
            [head(start), format!("content-type: {kind}\r\n{length}").into_bytes(), json.clone()]
                .concat()
        };
        let of_path = |start: &str, end: &str| {
            [
                start.as_bytes(),
                bytes,
                end.as_bytes(),
                b"host: localhost\r\nconnection: close\r\n\r\n",
            ]
            .concat()
        };
        let key = [b"idempotency-key: ", bytes, b"\r\n"].concat();
        let good = b"{\"domain\":\"a.com\",\"profile_name\":\"u\"}";
        let with_key = [
            head("POST /auth/connections HTTP/1.1\r\n"),
            key,
            format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n", good.len())
                .into_bytes(),
            good.to_vec(),
        ]
        .concat();
        for (request, expected) in [
            (of_body("POST /auth/connections HTTP/1.1\r\n", "application/json"), 400),
            (of_body("POST /load HTTP/1.1\r\n", "application/jsonl"), 400),
            (of_path("GET /auth/connections/", " HTTP/1.1\r\n"), 400),
            (of_path("GET /auth/connections?query=", " HTTP/1.1\r\n"), 400),
            (with_key, 400),
        ] {
            let answer = answers(sent(&server, &request));
            assert_eq!(status(&answer), expected, "{}: {answer}", request.escape_ascii());
        }
    }
    // Encoded, it is a name that nothing has.
    for path in ["/auth/connections/%FF", "/auth/connections/%00%0D%0A", "/auth/connections/%"] {
        assert_eq!(status(&server.get(path)), 404, "{path}");
    }
    assert_eq!(body(&server.get("/auth/connections")), json!([]));
}

/// A megabyte of zeros and then some, as gzip has it: a thousandth of its length. Stored deflate blocks would be as long as
/// what they hold, so these are runs of one length and distance, written out by hand.
fn bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, with the fixed codes; a zero, then matches of 258 bytes at distance 1.
    bits.put(0b011, 3);
    bits.put_code(0x30, 8);
    for _ in 0..50_000 {
        bits.put_code(0b1100_0101, 8);
        bits.put_code(0, 5);
    }
    bits.put_code(0, 7);
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    gzip.extend(bits.bytes);
    gzip.extend([0; 8]);
    gzip
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, width: u32) {
        for bit in 0..width {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::from(value >> bit & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }

    /// Codes go in the other way around.
    fn put_code(&mut self, code: u32, width: u32) {
        for bit in (0..width).rev() {
            self.put(code >> bit, 1);
        }
    }
}

#[test]
fn nothing_is_unpacked() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let bomb = bomb();
    let long = [bomb.as_slice(); 60].concat();
    for coding in
        ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "identity, gzip", "compress"]
    {
        for (target, kind, packed) in [
            ("/auth/connections", "application/json", &bomb[..60_000]),
            ("/load", "application/jsonl", &long[..]),
        ] {
            let length = packed.len();
            let head = format!(
                "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-encoding: {coding}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            );
            let mut stream = sent(&server, head);
            std::io::Write::write_all(&mut stream, packed).ok();
            let answer = answers(stream);
            let answer = body(&answer);
            assert_eq!(answer["code"], "unsupported_media_type", "{coding}: {answer}");
            assert!(answer["message"].as_str().unwrap().ends_with("not compressed"), "{answer}");
        }
    }
    for coding in ["gzip, chunked", "deflate, chunked", "chunked, chunked"] {
        let head = format!(
            "POST /auth/connections HTTP/1.1\r\nhost: localhost\r\n{JSON}transfer-encoding: {coding}\r\n\r\n0\r\n\r\n"
        );
        let answer = answers(sent(&server, head));
        assert_eq!(
            (status(&answer), &body(&answer)["code"]),
            (501, &json!("not_supported")),
            "{coding}"
        );
    }
    // What an answer is asked to be packed as it is not.
    let answer = answers(sent(&server, asks("/openapi.json", "accept-encoding: gzip, br\r\n")));
    assert_eq!(body(&answer)["openapi"], "3.1.0");
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory_mb() < 64, "{} MB", server.peak_memory_mb());
}
