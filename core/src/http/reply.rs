//! [`Reply`], a response in the making, and what each refusal and failure comes to.

use crate::error::ErrorBody;
use crate::{Creation, Dump, Error, Refusal, StoreError, Violation};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

/// The media types of JSON Lines, the first one as it is sent.
pub(crate) const JSON_LINES: [&str; 2] = ["application/jsonl", "application/x-ndjson"];

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// All of it; empty where there is none.
    Bytes(Vec<u8>),
    /// The lines of a dump, each to be followed by a line feed.
    Dump(Dump),
}

/// Why a response is a 5xx, for the operator's log: an extension of the response, never sent.
#[derive(Debug, Clone)]
pub struct Cause(pub StoreError);

/// A response in the making.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    cause: Option<StoreError>,
}

impl Reply {
    /// A response with a JSON body.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self::new(status, Body::Bytes(bytes))
                .with("content-type", HeaderValue::from_static("application/json")),
            Err(error) => StoreError::Internal(error.to_string()).into(),
        }
    }

    pub(crate) fn new(status: StatusCode, body: Body) -> Self {
        Self { status, headers: HeaderMap::new(), body, cause: None }
    }

    pub(crate) fn dump(dump: Dump) -> Self {
        let mut reply = Self::new(StatusCode::OK, Body::Dump(dump));
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_LINES[0]));
        reply
    }

    pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        Self::with_details(status, code, message, &[])
    }

    fn with_details(status: StatusCode, code: &str, message: &str, details: &[Violation]) -> Self {
        let reply = Self::json(status, &ErrorBody { code, message, details });
        // The official clients try again after a 408, 409, 429 or 5xx. Nothing about a refusal will change.
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                reply.with("retry-after", HeaderValue::from_static("1"))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => reply,
            status if status.is_client_error() => reply.not_to_be_retried(),
            _ => reply,
        }
    }

    pub(crate) fn not_found(path: &str) -> Self {
        let message = format!("there is nothing at {}", crate::error::quoted(path));
        Self::error(StatusCode::NOT_FOUND, "not_found", &message)
    }

    pub(crate) fn not_to_be_retried(self) -> Self {
        self.with("x-should-retry", HeaderValue::from_static("false"))
    }

    /// The same reply, which may be tried again: an idempotency key makes that safe.
    pub(crate) fn retry_with_key(mut self) -> Self {
        if matches!(self.cause, Some(StoreError::OutcomeUnknown(_))) {
            self.headers.remove("x-should-retry");
        }
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a header whose value is made of what the store gave out, and so is always plain ASCII.
    pub(crate) fn with_text(self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with(name, value),
            Err(_) => self,
        }
    }

    /// The answer to a create.
    pub(crate) fn creation(creation: &Creation) -> Self {
        let location = format!("/auth/connections/{}", creation.id());
        let reply = match creation {
            Creation::Created(connection) => Self::json(StatusCode::CREATED, connection),
            Creation::Replayed(connection) => Self::json(StatusCode::CREATED, connection)
                .with("idempotency-replayed", HeaderValue::from_static("true")),
            Creation::Existing(connection) => Self::json(StatusCode::OK, connection),
            Creation::Conflict(conflict) => {
                Self::json(StatusCode::CONFLICT, conflict).not_to_be_retried()
            }
        };
        reply.with_text("location", &location)
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Invalid(_) | Refusal::InUse(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::OverCap(_) => StatusCode::FORBIDDEN,
            Refusal::KeyReused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::with_details(status, refusal.code(), &refusal.to_string(), refusal.violations())
    }
}

impl From<StoreError> for Reply {
    /// The reason stays behind: it is for the operator.
    fn from(error: StoreError) -> Self {
        let code = error.code();
        let (status, message) = match code {
            "unavailable" => {
                (StatusCode::SERVICE_UNAVAILABLE, "the registry is busy or not ready; try again")
            }
            "storage_full" => (
                StatusCode::INSUFFICIENT_STORAGE,
                "the registry's storage is full and nothing was written; the operator must make space",
            ),
            "outcome_unknown" => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the write may or may not have happened; look before trying again",
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the registry failed and nothing was written; its log says why",
            ),
        };
        let mut reply = Self::error(status, code, message);
        if matches!(code, "storage_full" | "outcome_unknown") {
            reply = reply.not_to_be_retried();
        }
        reply.cause = Some(error);
        reply
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Failed(error) => error.into(),
        }
    }
}
