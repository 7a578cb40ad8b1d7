//! Bodies on their way in and out: bounded in size, in time and in memory.

use connectory::http::Body;
use connectory::{Error, REQUEST_MAX_BYTES, Refusal, StoreError};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Full};
use hyper::body::{Bytes, Incoming};
use std::io;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

pub(crate) type OutBody = BoxBody<Bytes, io::Error>;

/// How long a client may take for a request's body, or for a part of a longer one, or to read a part of an answer.
const PART_TIMEOUT: Duration = Duration::from_secs(30);
/// Lines of a dump are sent together until they are this long.
const PART_BYTES: usize = 64 * 1024;

/// Why a body was not read.
pub(crate) enum Unread {
    /// The client took too long.
    TooSlow,
    /// The client went away, or what it sent is no HTTP.
    Broken,
}

/// Reads a request's body, up to one byte more than may be sent.
pub(crate) async fn read(mut body: Incoming) -> Result<Vec<u8>, Unread> {
    let read = async {
        let mut bytes = Vec::new();
        while bytes.len() <= REQUEST_MAX_BYTES
            && let Some(frame) = body.frame().await
        {
            if let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() {
                let room = REQUEST_MAX_BYTES + 1 - bytes.len();
                bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
            }
        }
        Ok(bytes)
    };
    tokio::time::timeout(PART_TIMEOUT, read).await.unwrap_or(Err(Unread::TooSlow))
}

/// The longest line of a dump that is read: a connection with everything at its longest.
const LINE_MAX_BYTES: usize = 1 << 20;

/// Sends the lines of a body as they come; ends at the body's end, or with an error.
pub(crate) async fn send_lines(mut body: Incoming, lines: mpsc::Sender<Result<String, Error>>) {
    let mut line = Vec::new();
    let broken = |why: &str| Error::from(StoreError::from(io::Error::other(why.to_owned())));
    let failure = loop {
        let frame = match tokio::time::timeout(PART_TIMEOUT, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break None,
            Ok(Some(Err(_))) => break Some(broken("the body was cut off")),
            Err(_) => break Some(broken("the body did not come")),
        };
        let Ok(data) = frame.into_data() else { continue };
        for part in data.split_inclusive(|&byte| byte == b'\n') {
            line.extend_from_slice(part);
            if line.len() > LINE_MAX_BYTES {
                break;
            }
            if line.pop_if(|last| *last == b'\n').is_some() {
                line.pop_if(|last| *last == b'\r');
                if lines.send(Ok(text(std::mem::take(&mut line)))).await.is_err() {
                    return;
                }
            }
        }
        if line.len() > LINE_MAX_BYTES {
            break Some(Refusal::TooLarge(LINE_MAX_BYTES).into());
        }
    };
    // Nobody listens any more where these cannot be sent: the load was refused already.
    if let Some(failure) = failure {
        lines.send(Err(failure)).await.ok();
    } else if !line.is_empty() {
        lines.send(Ok(text(line))).await.ok();
    }
}

fn text(line: Vec<u8>) -> String {
    // What is not UTF-8 is no JSON, and is refused with its line number like everything else that is not.
    String::from_utf8(line).unwrap_or_else(|_| "not UTF-8".into())
}

/// The body as it is sent. A dump holds `place` until it has been read, or its reader has been too slow.
pub(crate) fn outgoing(body: Body, place: Option<OwnedSemaphorePermit>) -> OutBody {
    let dump = match body {
        Body::Bytes(bytes) => {
            return Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed();
        }
        Body::Dump(dump) => dump,
    };
    let (mut sender, channel) = Channel::<Bytes, io::Error>::new(2);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut send = |part: Vec<u8>| {
            let sent = runtime.block_on(async {
                tokio::time::timeout(PART_TIMEOUT, sender.send_data(Bytes::from(part))).await
            });
            matches!(sent, Ok(Ok(())))
        };
        let mut part = Vec::new();
        for line in dump {
            match line {
                Ok(line) => part.extend_from_slice(line.as_bytes()),
                // The status is long gone: cutting the answer off is what is left to say.
                Err(error) => {
                    tracing::error!(%error, "a dump failed");
                    sender.abort(io::Error::other(error));
                    return;
                }
            }
            part.push(b'\n');
            if part.len() >= PART_BYTES && !send(std::mem::take(&mut part)) {
                sender.abort(io::Error::other("the reader is gone or too slow"));
                return;
            }
        }
        if !part.is_empty() {
            send(part);
        }
        drop(place);
    });
    channel.boxed()
}
