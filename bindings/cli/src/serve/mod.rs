//! `serve`: the HTTP API on a socket. The API itself is `connectory::http`; what is here listens, limits and logs.

mod body;
mod metrics;
mod service;
mod stores;

use crate::args::Args;
use crate::outcome::{DONE, Failure, Outcome};
use crate::output::tell;
use crate::stop::told_to_stop;
use connectory::Limits;
use connectory::http::{Access, Api};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use service::Service;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use stores::ProjectStores;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections that are open at the same time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1000;
/// How long a client may take to send a head, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The most bytes, and the most lines, of a head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// How long requests may go on after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn serve(args: &Args, listen: SocketAddr, keys: Option<&Path>) -> Outcome {
    let access = match keys {
        Some(file) => {
            let about = |failure: Failure| failure.about(&file.display().to_string());
            let rules = std::fs::read(file).map_err(|error| about(error.into()))?;
            Access::from_json(&rules).map_err(|refusal| about(refusal.into()))?
        }
        None if !listen.ip().is_loopback() => {
            return Err(Failure::refused(format!(
                "--listen: {listen} can be reached from elsewhere; say with --keys who may do what, or listen on 127.0.0.1"
            )));
        }
        None => Access::open(&args.project, Limits { plan: args.plan, cap: args.cap }),
    };
    let stores = Arc::new(ProjectStores::new(args)?);
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let api = Api::new(access, Arc::clone(&stores));
    let served = runtime.block_on(run(Arc::new(Service::new(api, Arc::clone(&stores))), listen));
    // Whatever ended it, no store stays open.
    stores.close()?;
    served?;
    DONE
}

async fn run(service: Arc<Service>, listen: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::from(error).about(&listen.to_string()))?;
    let mut told_to_stop = std::pin::pin!(told_to_stop()?);
    if service.is_open() {
        tell(
            &"no --keys: everyone on this machine may do everything here, and nobody else anything",
        );
    }
    tell(&format!("listening on http://{}", listener.local_addr()?));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut told_to_stop => break,
        };
        let Some((stream, peer, place)) = accepted else {
            // Out of descriptors, most likely: those that are open go on, and some will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = Arc::clone(&service);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(
                TokioIo::new(stream),
                hyper::service::service_fn(move |request| {
                    let service = Arc::clone(&service);
                    async move { service.call(request, peer).await }
                }),
            );
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away, or talks no HTTP, is its own affair.
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    tell(&"stopping");
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tell(&"some requests were still going on and are cut off");
    }
    Ok(())
}

/// The next client, once there is a place for one; `None` where the system would not let one in.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, peer) = listener.accept().await.ok()?;
    // Answers are small and whole: nothing is gained by holding them back.
    stream.set_nodelay(true).ok()?;
    Some((stream, peer, place))
}
