//! [`Api`], the HTTP API as a function: a request in, a response out. No server in here; every server is an adapter.
//!
//! ```
//! use connectory::http::{Access, Api, Body};
//! use connectory::{Limits, Store};
//!
//! let api = Api::new(Access::open("default", Limits::default()), Store::in_memory()?);
//! let request = http::Request::post("/auth/connections")
//!     .header("content-type", "application/json")
//!     .body(r#"{"domain":"netflix.com","profile_name":"user-123"}"#)?;
//! let (head, body) = request.into_parts();
//!
//! let response = api.respond(&head, body.as_bytes());
//! assert_eq!(response.status(), 201);
//! let Body::Bytes(json) = response.into_body() else { panic!("an object, no stream") };
//! assert!(json.starts_with(br#"{"id":"ma_"#));
//!
//! let response = api.respond(&head, body.as_bytes());
//! assert_eq!(response.status(), 409);
//! assert_eq!(response.headers()["x-should-retry"], "false");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(clippy::result_large_err, reason = "a reply is made once for each request")]

mod access;
mod operations;
mod params;
mod reply;
mod route;
mod shards;

pub use access::{Access, Caller, Scope, is_project_id};
pub use operations::Rendering;
pub use reply::{Body, Cause};
pub use route::{Route, allowed_methods};
pub use shards::{Destination, Shard, ShardPage, Shards, ids, merge, page_after};

use crate::{Error, Limits, REQUEST_MAX_BYTES, Store, StoreError, Write};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http::{Response, StatusCode};
use operations::Step;
use reply::Reply;

/// The API's description, OpenAPI 3.1 in JSON.
pub const OPENAPI: &str = include_str!("openapi.json");

/// A response in the API's error form, for what an adapter itself turns down.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    Reply::error(status, code, message).into_response()
}

/// Where the stores of projects come from.
pub trait Stores: Send + Sync {
    /// The open store of a project, which the access rules know.
    ///
    /// # Errors
    ///
    /// Whatever opening it came to.
    fn store(&self, project: &str, limits: Limits) -> Result<Store, StoreError>;
}

impl Stores for Store {
    /// One store for every project: for where there is one.
    fn store(&self, _project: &str, _limits: Limits) -> Result<Store, StoreError> {
        Ok(self.clone())
    }
}

impl<S: Stores + ?Sized> Stores for std::sync::Arc<S> {
    fn store(&self, project: &str, limits: Limits) -> Result<Store, StoreError> {
        (**self).store(project, limits)
    }
}

/// What a request has come to without writing.
#[derive(Debug)]
pub enum Begun {
    /// The response.
    Answered(Response<Body>),
    /// It has to write first.
    Pending(Pending),
}

/// A request that has to write before it is answered.
#[derive(Debug)]
pub struct Pending {
    /// The store to write to.
    pub store: Store,
    /// What to write.
    pub write: Write,
    /// What makes a response of the answer to that.
    pub rendering: Rendering,
}

/// The HTTP API over stores, for those whom the access rules let in.
#[derive(Debug)]
pub struct Api<S> {
    access: Access,
    stores: S,
    shard: Option<Shard>,
}

impl<S: Stores> Api<S> {
    /// The API over `stores`.
    pub fn new(access: Access, stores: S) -> Self {
        Self { access, stores, shard: None }
    }

    /// The same over stores that are this shard of their projects: what belongs to another one is refused.
    #[must_use]
    pub fn of_shard(mut self, shard: Shard) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Who may do what.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Answers a request whose body has been read: at most [`REQUEST_MAX_BYTES`], or one byte more to be
    /// refused. May wait for a commit.
    pub fn respond(&self, head: &Parts, body: &[u8]) -> Response<Body> {
        match self.begin(head, body) {
            Begun::Answered(response) => response,
            Begun::Pending(Pending { store, write, rendering }) => {
                rendering.respond(store.write(write))
            }
        }
    }

    /// Does all of a request but its write: for hosts that gather what arrives together and
    /// [write](Store::write_many) it in one commit.
    pub fn begin(&self, head: &Parts, body: &[u8]) -> Begun {
        match self.step(head, body) {
            Ok((_, Step::Reply(reply))) | Err(reply) => Begun::Answered(reply.into_response()),
            Ok((store, Step::Write(write, rendering))) => {
                Begun::Pending(Pending { store, write, rendering })
            }
        }
    }

    /// Answers `POST /load`, whose body is as long as the store: line by line, without their ends.
    pub fn respond_to_load(
        &self,
        head: &Parts,
        lines: impl IntoIterator<Item = Result<String, Error>>,
    ) -> Response<Body> {
        let answer = || {
            let (route, store) = self.admit(head)?;
            if route != Route::Load {
                return Err(Reply::not_found(head.uri.path()));
            }
            check_media_type(&head.headers, &reply::JSON_LINES)?;
            operations::load(&store, lines)
        };
        answer().unwrap_or_else(|reply| reply).into_response()
    }

    /// Whether the caller may do what needs `scope`, on whichever project it names.
    ///
    /// # Errors
    ///
    /// The response to give instead.
    pub fn permit(&self, headers: &HeaderMap, scope: Scope) -> Result<(), Response<Body>> {
        self.access.permit(headers, scope).map(drop)
    }

    /// Finds the operation and the store, in the order: key, project, path, method, scope.
    fn admit(&self, head: &Parts) -> Result<(Route, Store), Reply> {
        let (caller, route) = self.access.find(head)?;
        let store = self.stores.store(&caller.project, caller.limits)?;
        Ok((route, store))
    }

    fn step(&self, head: &Parts, body: &[u8]) -> Result<(Store, Step), Reply> {
        let (route, store) = self.admit(head)?;
        if self.shard.is_some_and(|shard| !shard.takes(head, body)) {
            let message = "this belongs to another shard of the project; send it there";
            return Err(Reply::error(StatusCode::MISDIRECTED_REQUEST, "misdirected", message));
        }
        if route.takes_a_body() {
            if body.len() > REQUEST_MAX_BYTES {
                return Err(crate::Refusal::TooLarge(REQUEST_MAX_BYTES).into());
            }
            // A proxy without a name needs no body to say so.
            if !(body.is_empty() && matches!(route, Route::RegisterProxy(_))) {
                check_media_type(&head.headers, &["application/json"])?;
            }
        }
        let step = operations::begin(&store, &route, head, body)?;
        Ok((store, step))
    }
}

/// Checks that the body is of one of these types, and not compressed.
fn check_media_type(headers: &HeaderMap, allowed: &[&str]) -> Result<(), Reply> {
    let all = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    let mut essences =
        all(CONTENT_TYPE).map(|text| text.split(';').next().unwrap_or_default().trim());
    let essence = essences.next().filter(|_| essences.next().is_none()).unwrap_or_default();
    let plain = all(CONTENT_ENCODING).all(|coding| coding.eq_ignore_ascii_case("identity"));
    if plain && allowed.iter().any(|allowed| essence.eq_ignore_ascii_case(allowed)) {
        return Ok(());
    }
    let message =
        format!("the body is not {0}; send it as {0}, not compressed", allowed.join(" or "));
    Err(Reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", &message))
}
