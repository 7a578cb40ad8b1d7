//! [`Service`], the adapter between hyper and the API: limits, hosts, logs, and the paths that are the server's own.

use super::body::{self, Hold, OutBody, Unread};
use super::guests::Guest;
use super::metrics::Metrics;
use super::stores::ProjectStores;
use connectory::http::{Api, Body, Cause, OPENAPI, Route, Scope, error};
use hyper::body::{Body as _, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, TRANSFER_ENCODING,
};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// Dumps and loads at the same time: each keeps a thread, and a dump keeps space from being reused.
const LONG_MAX: usize = 4;
/// Lines of a load that are read ahead.
const LINES_AHEAD: usize = 256;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) struct Service {
    api: Api<Arc<ProjectStores>>,
    stores: Arc<ProjectStores>,
    metrics: Metrics,
    long: Arc<Semaphore>,
    /// How long a client may take for a body, or for a part of a longer one, or to read a part of an answer.
    timeout: Duration,
    last_id: AtomicU64,
}

impl Service {
    pub(crate) fn new(
        api: Api<Arc<ProjectStores>>,
        stores: Arc<ProjectStores>,
        timeout: Duration,
    ) -> Self {
        let long = Arc::new(Semaphore::new(LONG_MAX));
        Self { api, stores, metrics: Metrics::new(), long, timeout, last_id: AtomicU64::new(0) }
    }

    /// Whether nobody needs a key.
    pub(crate) fn is_open(&self) -> bool {
        self.api.access().is_open()
    }

    /// Answers a request, counts it and logs it: never its key, its query or its body.
    pub(crate) async fn call(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        guest: Arc<Guest>,
    ) -> Result<Response<OutBody>, Infallible> {
        let started = Instant::now();
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        guest.asks();
        let (head, incoming) = request.into_parts();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        let (response, hold) = Arc::clone(&self).answer(head, incoming, peer, &guest).await;
        let status = response.status();
        if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
            tracing::error!(id, %cause, "the store failed");
        }
        let took = started.elapsed();
        let operation = Route::name_of(&method, &path);
        self.metrics.count(operation, status.as_u16(), took);
        tracing::info!(id, peer = %peer.ip(), method = %shown(method.as_str()), path = shown(&path), status = status.as_u16(), micros = took.as_micros(), "request");
        // What is for everybody makes nobody known.
        let is_good = status.is_success() || status == StatusCode::CONFLICT;
        guest.was_answered(is_good && operation != "none");
        let mut response = response.map(|body| body::outgoing(body, hold, self.timeout));
        response.headers_mut().insert(REQUEST_ID, id.into());
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn answer(
        self: Arc<Self>,
        head: Parts,
        incoming: Incoming,
        peer: SocketAddr,
        guest: &Arc<Guest>,
    ) -> (Response<Body>, Hold) {
        let is_load = Route::is_load(&head.method, head.uri.path());
        let is_long = is_load || (head.uri.path() == "/dump" && head.method == Method::GET);
        if let Some(response) = self.turned_down(&head, peer, is_long || !incoming.is_end_stream())
        {
            // Nothing of a body is kept for who will not be served, and none is asked for.
            let is_read = !head.headers.contains_key(EXPECT)
                && !is_load
                && body::discard(incoming, self.timeout).await;
            return (if is_read { response } else { closing(response) }, Hold::default());
        }
        if !is_long {
            return self.respond(head, incoming, guest).await;
        }
        let Ok(place) = Arc::clone(&self.long).try_acquire_owned() else {
            let message = "too many dumps and loads at a time; try again later";
            let response = error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
            return (if is_load { closing(response) } else { response }, Hold::default());
        };
        let hold = (Some(guest.work().await), Some(place));
        if is_load {
            return self.load(head, incoming, hold).await;
        }
        (guarded(|| self.api.respond(&head, &[])), hold)
    }

    /// The answer to what needs neither a body nor a store.
    fn turned_down(&self, head: &Parts, peer: SocketAddr, costs: bool) -> Option<Response<Body>> {
        if self.is_open()
            && let Err(message) = check_origin(head)
        {
            return Some(error(StatusCode::FORBIDDEN, "forbidden", message));
        }
        if let Some(response) = self.own(head, peer) {
            return Some(response);
        }
        if !is_plainly_framed(&head.headers) {
            let message = "the body is in a transfer coding beside chunked; send it without";
            return Some(closing(error(StatusCode::NOT_IMPLEMENTED, "not_supported", message)));
        }
        // The rest is known before it costs anything.
        if costs { self.api.access().admit(head).err() } else { None }
    }

    async fn respond(
        self: Arc<Self>,
        head: Parts,
        incoming: Incoming,
        guest: &Arc<Guest>,
    ) -> (Response<Body>, Hold) {
        let body = match body::read(incoming, self.timeout).await {
            Ok(body) => body,
            Err(unread) => return (closing(unread_response(unread)), Hold::default()),
        };
        let is_cut = body.len() > connectory::REQUEST_MAX_BYTES;
        let hold = (Some(guest.work().await), None);
        let (response, hold) = if Route::only_reads(&head.method) {
            (guarded(|| self.api.respond(&head, &body)), hold)
        } else {
            // Waits for a commit, and so on a thread that may.
            let respond = move || (guarded(|| self.api.respond(&head, &body)), hold);
            let responded = tokio::task::spawn_blocking(respond).await;
            responded.unwrap_or_else(|_| (failed(), Hold::default()))
        };
        // The rest of a body that is too long is not read.
        (if is_cut { closing(response) } else { response }, hold)
    }

    async fn load(
        self: Arc<Self>,
        head: Parts,
        incoming: Incoming,
        hold: Hold,
    ) -> (Response<Body>, Hold) {
        let (sender, mut lines) = mpsc::channel(LINES_AHEAD);
        let unread = Arc::new(OnceLock::new());
        let reading = body::send_lines(incoming, sender, self.timeout, Arc::clone(&unread));
        let reading = tokio::spawn(reading);
        let load = move || {
            let response = guarded(|| {
                let lines = std::iter::from_fn(|| lines.blocking_recv());
                self.api.respond_to_load(&head, lines)
            });
            (response, hold)
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        reading.abort();
        let (response, hold) = loaded.unwrap_or_else(|_| (failed(), Hold::default()));
        let response = match unread.get() {
            Some(&unread) if !response.status().is_success() => unread_response(unread),
            _ => response,
        };
        (if response.status().is_success() { response } else { closing(response) }, hold)
    }

    /// What the server itself answers.
    fn own(&self, head: &Parts, peer: SocketAddr) -> Option<Response<Body>> {
        let respond: fn(&Self, &HeaderMap, IpAddr) -> Response<Body> = match head.uri.path() {
            "/healthz" => |_, _, _| text("application/json", r#"{"status":"ok"}"#.into()),
            "/openapi.json" => |_, _, _| text("application/json", OPENAPI.into()),
            "/metrics" => Self::metrics,
            _ => return None,
        };
        if head.method != Method::GET {
            let message = format!("this path does not take {}; send GET", head.method);
            let mut response =
                error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &message);
            response.headers_mut().insert(hyper::header::ALLOW, HeaderValue::from_static("GET"));
            return Some(response);
        }
        Some(respond(self, &head.headers, peer.ip()))
    }

    fn metrics(&self, headers: &HeaderMap, peer: IpAddr) -> Response<Body> {
        if !peer.is_loopback()
            && let Err(response) = self.api.permit(headers, Scope::Admin)
        {
            return response;
        }
        match self.metrics.render(&self.stores) {
            Ok(metrics) => {
                text("application/openmetrics-text; version=1.0.0; charset=utf-8", metrics)
            }
            Err(_) => failed(),
        }
    }
}

/// A method or a path as it is logged: what a client makes up is not repeated at length.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(128).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

fn text(media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Bytes(text.into_bytes()));
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Without keys, only programs on this machine may talk to the server: no page of another origin, and no name that was
/// made to point here.
fn check_origin(head: &Parts) -> Result<(), &'static str> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let authority: Option<Authority> = host.and_then(|host| host.parse().ok());
    // The target of a request may name a host too, and then that one is meant.
    let is_local = authority.iter().chain(head.uri.authority()).all(|host| is_local(host.host()));
    if authority.is_none() || hosts.next().is_some() || !is_local {
        return Err(
            "without keys this server is for this machine alone; use the host localhost, 127.0.0.1 or [::1]",
        );
    }
    let Some(origin) = head.headers.get(ORIGIN) else { return Ok(()) };
    let same = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.strip_prefix("http://"))
        .is_some_and(|origin| host.is_some_and(|host| host.eq_ignore_ascii_case(origin)));
    if same {
        Ok(())
    } else {
        Err("without keys this server answers no page of another origin; give it keys")
    }
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]"
}

/// Whether the length of the body is told in a way that nobody on the way can read in another. Both a length and chunks cannot
/// come to here: then chunks count, and the connection is closed.
fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

fn unread_response(unread: Unread) -> Response<Body> {
    match unread {
        Unread::TooSlow => {
            let message = "the body did not come in time; send it faster";
            error(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
        }
        Unread::Broken => {
            error(StatusCode::BAD_REQUEST, "bad_request", "the body was cut off; send all of it")
        }
    }
}

/// The response, after which the connection is closed.
fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A panic is a bug, and answered as one; the next request is not affected.
fn guarded(respond: impl FnOnce() -> Response<Body>) -> Response<Body> {
    catch_unwind(AssertUnwindSafe(respond)).unwrap_or_else(|_| failed())
}

fn failed() -> Response<Body> {
    let message = "the server failed; its log says why";
    error(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
}
