//! [`Wire`], a client's socket that is given up when the client reads nothing, and that ends without tearing the last answer away.

use super::guests::Line;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// How long what a client still sends is thrown away before the socket is closed: closing over unread bytes resets the
/// connection, and the client may never see why.
const LINGER: Duration = Duration::from_secs(1);
const DISCARDED_BYTES: usize = 8 * 1024;

pub(crate) struct Wire {
    stream: TcpStream,
    line: Arc<Line>,
    /// How long the client may read nothing of what was sent.
    patience: Duration,
    /// Runs while the client has to do something.
    timer: Option<Pin<Box<Sleep>>>,
    is_shut: bool,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, line: Arc<Line>, patience: Duration) -> Self {
        Self { stream, line, patience, timer: None, is_shut: false }
    }

    /// Whether the client has had this long, since it was first asked.
    fn has_had(&mut self, long: Duration, context: &mut Context<'_>) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(long)));
        timer.as_mut().poll(context).is_ready()
    }

    fn bounded(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.line.unread(written.is_pending());
        if written.is_ready() {
            self.timer = None;
        } else if self.has_had(self.patience, context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, bytes)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            (self.is_shut, self.timer) = (true, None);
        }
        loop {
            let mut discarded = [0; DISCARDED_BYTES];
            let mut bytes = ReadBuf::new(&mut discarded);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut bytes);
            let is_over = match read {
                Poll::Ready(Ok(())) => bytes.filled().is_empty(),
                Poll::Ready(Err(_)) => true,
                Poll::Pending => false,
            };
            if is_over || self.has_had(LINGER, context) {
                return Poll::Ready(Ok(()));
            }
            if read.is_pending() {
                return Poll::Pending;
            }
        }
    }
}
