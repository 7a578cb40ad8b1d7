//! What each operation of the API does: reads its request, asks the store, renders the answer.

use super::params;
use super::reply::{Body, Reply};
use super::route::{Route, missing};
use crate::json::Fields;
use crate::{
    ConnectionId, CreateOptions, Cursor, Error, Json, Missing, NewConnection, Patch, ProfileName,
    ProxyId, ProxyName, Store, Write, Written,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

/// What a request has come to without writing.
pub(crate) enum Step {
    Reply(Reply),
    Write(Write, Rendering),
}

/// What makes a response of the answer to a request's write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rendering {
    ensure: bool,
    has_key: bool,
}

impl Rendering {
    /// The response to the request, now that its write was answered.
    pub fn respond(self, answer: Result<Written, Error>) -> Response<Body> {
        self.reply(answer).into_response()
    }

    fn reply(self, answer: Result<Written, Error>) -> Reply {
        let reply = match answer {
            Ok(Written::Creation(creation)) => Reply::creation(&creation),
            Ok(Written::Connection(connection)) => Reply::json(StatusCode::OK, &connection),
            Ok(Written::Proxy(proxy)) => Reply::json(StatusCode::OK, &proxy),
            Ok(Written::Done) => Reply::new(StatusCode::NO_CONTENT, Body::Bytes(Vec::new())),
            Err(error) if self.has_key => return Reply::from(error).retry_with_key(),
            Err(error) => return error.into(),
        };
        if self.ensure {
            reply.with("preference-applied", HeaderValue::from_static(params::ENSURE))
        } else {
            reply
        }
    }
}

/// Reads a request and answers it, unless it has to write.
pub(crate) fn begin(
    store: &Store,
    route: &Route,
    head: &Parts,
    body: &[u8],
) -> Result<Step, Reply> {
    let query = head.uri.query();
    if !matches!(route, Route::List | Route::Profiles | Route::Proxies) {
        params::none(query)?;
    }
    let reply = match route {
        Route::Create => return create(store, head, body),
        Route::List => list(store, query)?,
        Route::Get(id) => {
            let id = connection_id(id)?;
            let connection = store.get(id)?;
            let connection =
                connection.ok_or_else(|| missing(Missing::Connection(id.to_string())))?;
            Reply::json(StatusCode::OK, &connection)
        }
        Route::Update(id) => {
            let patch = Patch::from_json(&Json::parse(body)?)?;
            return Ok(plain(Write::update(connection_id(id)?, patch)));
        }
        Route::Delete(id) => return Ok(plain(Write::delete(connection_id(id)?))),
        Route::Profiles => {
            let page = store.profiles(&params::page(query)?)?;
            paged(&page.items, page.next_cursor.as_ref())
        }
        Route::DeleteProfile(name) => {
            let profile: ProfileName =
                name.parse().map_err(|_| missing(Missing::Profile(name.clone())))?;
            return Ok(plain(Write::delete_profile(profile)));
        }
        Route::Proxies => {
            let page = store.proxies(&params::page(query)?)?;
            paged(&page.items, page.next_cursor.as_ref())
        }
        Route::RegisterProxy(id) => return Ok(plain(register_proxy(id, body)?)),
        Route::RemoveProxy(id) => {
            let proxy: ProxyId = id.parse().map_err(|_| missing(Missing::Proxy(id.clone())))?;
            return Ok(plain(Write::remove_proxy(proxy)));
        }
        Route::Dump => Reply::dump(store.dump()?),
        // A load has a way in of its own: its body is no request.
        Route::Load => return Err(Reply::not_found(head.uri.path())),
    };
    Ok(Step::Reply(reply))
}

fn plain(write: Write) -> Step {
    Step::Write(write, Rendering::default())
}

/// A malformed ID is an unknown one.
fn connection_id(text: &str) -> Result<ConnectionId, Reply> {
    text.parse().map_err(|_| missing(Missing::Connection(text.into())))
}

fn create(store: &Store, head: &Parts, body: &[u8]) -> Result<Step, Reply> {
    let ensure = params::prefers_existing(&head.headers);
    let request = Json::parse(body).and_then(|json| NewConnection::from_json(&json));
    let (request, idempotency_key) = match (request, params::idempotency_key(&head.headers)) {
        (Ok(request), Ok(key)) => (request, key),
        // Everything that is wrong is named at once.
        (Err(refusal), Err(of_key)) => return Err(refusal.and(of_key).into()),
        (Err(refusal), Ok(_)) | (Ok(_), Err(refusal)) => return Err(refusal.into()),
    };
    let rendering = Rendering { ensure, has_key: idempotency_key.is_some() };
    let write = Write::create(request, CreateOptions { idempotency_key, ensure });
    Ok(match store.peek(&write).transpose() {
        Some(answer) => Step::Reply(rendering.reply(answer)),
        None => Step::Write(write, rendering),
    })
}

fn list(store: &Store, query: Option<&str>) -> Result<Reply, Reply> {
    let (query, offset) = params::list(query)?;
    let page = store.list_from(&query, offset)?;
    let reply = paged(&page.items, page.next_cursor.as_ref());
    if query.page.cursor.is_some() {
        // Who goes by cursor is not counted.
        return Ok(reply);
    }
    Ok(counted(reply, page.next_cursor.as_ref().map(|_| offset + page.items.len())))
}

/// With the offset at which the list goes on.
pub(crate) fn counted(reply: Reply, next: Option<usize>) -> Reply {
    reply.with_text("x-next-offset", &next.unwrap_or(0).to_string())
}

/// A page as an array, and in its headers where the list goes on.
pub(crate) fn paged(items: &impl Serialize, next: Option<&Cursor>) -> Reply {
    let reply = Reply::json(StatusCode::OK, items)
        .with_text("x-has-more", if next.is_some() { "true" } else { "false" });
    match next {
        Some(cursor) => reply.with_text("x-next-cursor", &cursor.to_string()),
        None => reply,
    }
}

fn register_proxy(id: &str, body: &[u8]) -> Result<Write, Reply> {
    let json = if body.is_empty() { Json::Object(Vec::new()) } else { Json::parse(body)? };
    let mut fields = Fields::of_request(&json)?;
    let id = match id.parse::<ProxyId>() {
        Ok(id) => Some(id),
        Err(problem) => {
            fields.note("id", problem);
            None
        }
    };
    let name: Option<ProxyName> = fields.read("name", Json::parse_str);
    let id = fields.finish(id)?;
    Ok(Write::register_proxy(id, name))
}

pub(crate) fn load(
    store: &Store,
    lines: impl IntoIterator<Item = Result<String, Error>>,
) -> Result<Reply, Reply> {
    #[derive(Serialize)]
    struct Loaded {
        connections: u64,
    }
    let connections = store.load(lines)?;
    Ok(Reply::json(StatusCode::OK, &Loaded { connections }))
}
