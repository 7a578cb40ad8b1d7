//! [`Server`], who listens, lets clients in and sees them off.

use super::guests::Guests;
use super::service::Service;
use super::wire::Wire;
use crate::args::BoundsArgs;
use crate::outcome::Failure;
use crate::output::tell;
use crate::stop::told_to_stop;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// The most bytes, and the most lines, of a head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// How long requests may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How many the system keeps that were not accepted yet: for more than that it waits a second before they are let try again.
const BACKLOG: u32 = 4096;
/// How many clients that were accepted wait for others to go.
const DOOR: usize = 16;
/// How long nobody is let in after the system would not.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Server<'a> {
    service: Arc<Service>,
    guests: Arc<Guests>,
    /// Places at the door.
    door: Arc<Semaphore>,
    bounds: &'a BoundsArgs,
}

impl<'a> Server<'a> {
    /// One that has room for `most` clients.
    pub(crate) fn new(service: Service, most: u32, bounds: &'a BoundsArgs) -> Self {
        let (service, guests) = (Arc::new(service), Guests::new(most));
        Self { service, guests, door: Arc::new(Semaphore::new(DOOR)), bounds }
    }

    /// Serves until it is told to stop.
    pub(crate) async fn run(self, listen: SocketAddr) -> Result<(), Failure> {
        let listener =
            bound(listen).map_err(|error| Failure::from(error).about(&listen.to_string()))?;
        let mut told_to_stop = std::pin::pin!(told_to_stop()?);
        if self.service.is_open() {
            tell(
                &"no --keys: everyone on this machine may do everything here, and nobody else anything",
            );
        }
        tell(&format!("listening on http://{}", listener.local_addr()?));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&listener) => accepted,
                () = &mut told_to_stop => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer, door)) => {
                    connections.spawn(self.connection(stream, peer, door, graceful.watcher()));
                }
                // Who went away before it was let in is its own affair.
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory, most likely: it gets better when somebody goes.
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.guests.make_room();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        drop(listener);
        tell(&"stopping");
        self.guests.dismiss_idle();
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tell(&"some requests were still going on and are cut off");
        }
        connections.shutdown().await;
        // What was begun for them may have to be undone.
        self.guests.gone(GRACE).await;
        Ok(())
    }

    /// The next client, once few enough are at the door.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let door = Arc::clone(&self.door).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = listener.accept().await?;
        // Answers are small and whole: nothing is gained by holding them back.
        stream.set_nodelay(true).ok();
        Ok((stream, peer, door))
    }

    /// All that happens on one connection, from the door on.
    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        door: OwnedSemaphorePermit,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + use<> {
        let guests = Arc::clone(&self.guests);
        let service = Arc::clone(&self.service);
        let BoundsArgs { head_timeout, body_timeout, .. } = *self.bounds;
        async move {
            let Some(guest) = guests.seat().await else { return };
            drop(door);
            let line = Arc::clone(&guest.line);
            let answer = move |request| {
                let (service, guest) = (Arc::clone(&service), Arc::clone(&guest));
                async move { service.call(request, peer, guest).await }
            };
            let wire = Wire::new(stream, Arc::clone(&line), body_timeout);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(head_timeout)
                .max_buf_size(HEAD_BYTES_MAX)
                .max_headers(HEADERS_MAX)
                .serve_connection(TokioIo::new(wire), hyper::service::service_fn(answer));
            let connection = watcher.watch(connection);
            tokio::select! {
                biased;
                () = line.told_to_go() => tracing::debug!(%peer, "its place was needed"),
                // A client that goes away, or talks no HTTP, is its own affair.
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%peer, %error, "connection ended");
                },
            }
        }
    }
}

fn bound(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library does: a server that was stopped can be started again at once.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

/// Whether only the one who wanted to come in is concerned.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
