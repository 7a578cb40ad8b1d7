//! [`Service`], the adapter between hyper and the API: limits, hosts, logs, and the paths that are the server's own.

use super::body::{self, OutBody, Unread};
use super::metrics::Metrics;
use super::stores::ProjectStores;
use connectory::http::{Api, Body, Cause, OPENAPI, Route, Scope, error};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

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
    last_id: AtomicU64,
}

impl Service {
    pub(crate) fn new(api: Api<Arc<ProjectStores>>, stores: Arc<ProjectStores>) -> Self {
        let long = Arc::new(Semaphore::new(LONG_MAX));
        Self { api, stores, metrics: Metrics::new(), long, last_id: AtomicU64::new(0) }
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
    ) -> Result<Response<OutBody>, Infallible> {
        let started = Instant::now();
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (head, incoming) = request.into_parts();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        let (response, place) = Arc::clone(&self).answer(head, incoming, peer).await;
        let status = response.status().as_u16();
        if let Some(Cause(cause)) = response.extensions().get::<Cause>() {
            tracing::error!(id, %cause, "the store failed");
        }
        let took = started.elapsed();
        let operation = Route::name_of(&method, &path);
        self.metrics.count(operation, status, took);
        tracing::info!(id, peer = %peer.ip(), %method, path = shown(&path), status, micros = took.as_micros(), "request");
        let mut response = response.map(|body| body::outgoing(body, place));
        response.headers_mut().insert(REQUEST_ID, id.into());
        response
            .headers_mut()
            .insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
        Ok(response)
    }

    async fn answer(
        self: Arc<Self>,
        head: Parts,
        incoming: Incoming,
        peer: SocketAddr,
    ) -> (Response<Body>, Option<OwnedSemaphorePermit>) {
        if self.is_open()
            && let Err(message) = check_origin(&head)
        {
            return (error(StatusCode::FORBIDDEN, "forbidden", message), None);
        }
        if let Some(response) = self.own(&head, peer) {
            return (response, None);
        }
        let is_load = Route::is_load(&head.method, head.uri.path());
        if is_load || (head.uri.path() == "/dump" && head.method == Method::GET) {
            let Ok(place) = Arc::clone(&self.long).try_acquire_owned() else {
                let message = "too many dumps and loads at a time; try again later";
                return (error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message), None);
            };
            let response = if is_load {
                self.load(head, incoming).await
            } else {
                guarded(|| self.api.respond(&head, &[]))
            };
            return (response, Some(place));
        }
        (self.respond(head, incoming).await, None)
    }

    async fn respond(self: Arc<Self>, head: Parts, incoming: Incoming) -> Response<Body> {
        let body = match body::read(incoming).await {
            Ok(body) => body,
            Err(unread) => return closing(unread_response(&unread)),
        };
        let is_cut = body.len() > connectory::REQUEST_MAX_BYTES;
        let response = if Route::only_reads(&head.method) {
            guarded(|| self.api.respond(&head, &body))
        } else {
            // Waits for a commit, and so on a thread that may.
            let respond = move || guarded(|| self.api.respond(&head, &body));
            tokio::task::spawn_blocking(respond).await.unwrap_or_else(|_| failed())
        };
        // The rest of a body that is too long is not read.
        if is_cut { closing(response) } else { response }
    }

    async fn load(self: Arc<Self>, head: Parts, incoming: Incoming) -> Response<Body> {
        let (sender, mut lines) = mpsc::channel(LINES_AHEAD);
        let reading = tokio::spawn(body::send_lines(incoming, sender));
        let load = move || {
            guarded(|| {
                let lines = std::iter::from_fn(|| lines.blocking_recv());
                self.api.respond_to_load(&head, lines)
            })
        };
        let response = tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| failed());
        reading.abort();
        if response.status().is_success() { response } else { closing(response) }
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
            response
                .headers_mut()
                .insert(hyper::header::ALLOW, hyper::header::HeaderValue::from_static("GET"));
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

/// The path as it is logged: what a client makes up is not repeated at length.
fn shown(path: &str) -> &str {
    path.get(..128).unwrap_or(path)
}

fn text(media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::Bytes(text.into_bytes()));
    let media_type = hyper::header::HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// Without keys, only programs on this machine may talk to the server: no page of another origin, and no name that was
/// made to point here.
fn check_origin(head: &Parts) -> Result<(), &'static str> {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority: Option<Authority> = host.and_then(|host| host.parse().ok());
    if !authority.as_ref().is_some_and(|host| is_local(host.host())) {
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

fn unread_response(unread: &Unread) -> Response<Body> {
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
    response.headers_mut().insert(CONNECTION, hyper::header::HeaderValue::from_static("close"));
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
