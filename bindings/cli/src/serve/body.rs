//! Bodies on their way in and out: bounded in size, in time and in memory.

use super::guests::Work;
use super::parts::{Part, Parts};
use super::patience::{Patience, TooSlow};
use connectory::http::Body;
use connectory::{Error, REQUEST_MAX_BYTES, Refusal, StoreError};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

pub(crate) type OutBody = BoxBody<Bytes, io::Error>;

/// Lines of a dump are sent together until they are this long.
const PART_BYTES: usize = 64 * 1024;

/// Why a body was not read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unread {
    /// The client took too long.
    TooSlow,
    /// The client went away, or what it sent is no HTTP.
    Broken,
}

/// Reads a request's body, up to one byte more than may be sent.
pub(crate) async fn read(body: Incoming, timeout: Duration) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    each_part(body, timeout, |data| {
        let room = REQUEST_MAX_BYTES + 1 - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(data));
    })
    .await?;
    Ok(bytes)
}

/// Reads as much of a body and keeps none of it: the next request on the connection is behind it. Whether it came to its end.
pub(crate) async fn discard(body: Incoming, timeout: Duration) -> bool {
    let mut length = 0;
    each_part(body, timeout, |data| length += data.len()).await.is_ok()
        && length <= REQUEST_MAX_BYTES
}

async fn each_part(
    mut body: Incoming,
    timeout: Duration,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Unread> {
    let read = async {
        let mut length = 0;
        while length <= REQUEST_MAX_BYTES
            && let Some(frame) = body.frame().await
        {
            if let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() {
                length += data.len();
                take(&data);
            }
        }
        Ok(())
    };
    tokio::time::timeout(timeout, read).await.unwrap_or(Err(Unread::TooSlow))
}

/// The longest line of a dump that is read: a connection with everything at its longest.
const LINE_MAX_BYTES: usize = 1 << 20;

/// Sends the lines of a body as they come; ends at the body's end, or with an error. `unread` is why, where the client is to blame.
pub(crate) async fn send_lines(
    mut body: Incoming,
    lines: mpsc::Sender<Result<String, Error>>,
    timeout: Duration,
    unread: Arc<OnceLock<Unread>>,
) {
    let mut line = Vec::new();
    let mut patience = Patience::new(timeout);
    let broken = |why| {
        unread.get_or_init(|| why);
        Error::from(StoreError::from(io::Error::other("the body was not read")))
    };
    let failure = loop {
        let frame = match patience.wait(body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break None,
            Ok(Some(Err(_))) => break Some(broken(Unread::Broken)),
            Err(TooSlow) => break Some(broken(Unread::TooSlow)),
        };
        let Ok(data) = frame.into_data() else { continue };
        patience.moved(data.len());
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

/// What is kept while an answer is made: the connection, and the place among dumps and loads if it is one.
pub(crate) type Hold = (Option<Work>, Option<OwnedSemaphorePermit>);

/// The body as it is sent. A dump holds `hold` until it has been read, or its reader has been too slow.
pub(crate) fn outgoing(body: Body, hold: Hold, timeout: Duration) -> OutBody {
    let dump = match body {
        Body::Bytes(bytes) => {
            return Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed();
        }
        Body::Dump(dump) => dump,
    };
    let (sender, parts) = Parts::new();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut patience = Patience::new(timeout);
        let mut send = |part: Vec<u8>| {
            let length = part.len();
            let sent = runtime.block_on(patience.wait(sender.send(Part::Bytes(part.into()))));
            patience.moved(length);
            matches!(sent, Ok(Ok(())))
        };
        let mut part = Vec::new();
        for line in dump {
            match line {
                Ok(line) => part.extend_from_slice(line.as_bytes()),
                // The status is long gone: cutting the answer off is what is left to say.
                Err(error) => {
                    tracing::error!(%error, "a dump failed");
                    return;
                }
            }
            part.push(b'\n');
            if part.len() >= PART_BYTES && !send(std::mem::take(&mut part)) {
                // The reader is gone, or too slow.
                return;
            }
        }
        if !part.is_empty() && !send(part) {
            return;
        }
        // Whoever has read to the end finds the place free.
        drop(hold);
        runtime.block_on(patience.wait(sender.send(Part::End))).ok();
    });
    parts.boxed()
}
