//! What each operation of the API does: reads its request, asks the store, renders the answer.

use super::params;
use super::reply::{Body, Reply};
use super::route::{Route, missing};
use crate::json::Fields;
use crate::{
    ConnectionId, CreateOptions, Creation, Cursor, Error, Json, Missing, NewConnection, Patch,
    ProfileName, ProxyId, ProxyName, Store,
};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

pub(crate) fn run(store: &Store, route: &Route, head: &Parts, body: &[u8]) -> Result<Reply, Reply> {
    let query = head.uri.query();
    if !matches!(route, Route::List | Route::Profiles | Route::Proxies) {
        params::none(query)?;
    }
    match route {
        Route::Create => create(store, head, body),
        Route::List => list(store, query),
        Route::Get(id) => {
            let id = connection_id(id)?;
            let connection = store.get(id)?;
            let connection =
                connection.ok_or_else(|| missing(Missing::Connection(id.to_string())))?;
            Ok(Reply::json(StatusCode::OK, &connection))
        }
        Route::Update(id) => {
            let patch = Patch::from_json(&Json::parse(body)?)?;
            let connection = store.update(connection_id(id)?, patch)?;
            Ok(Reply::json(StatusCode::OK, &connection))
        }
        Route::Delete(id) => {
            store.delete(connection_id(id)?)?;
            Ok(done())
        }
        Route::Profiles => {
            let page = store.profiles(&params::page(query)?)?;
            Ok(paged(&page.items, page.next_cursor.as_ref()))
        }
        Route::DeleteProfile(name) => {
            let profile: ProfileName =
                name.parse().map_err(|_| missing(Missing::Profile(name.clone())))?;
            store.delete_profile(profile)?;
            Ok(done())
        }
        Route::Proxies => {
            let page = store.proxies(&params::page(query)?)?;
            Ok(paged(&page.items, page.next_cursor.as_ref()))
        }
        Route::RegisterProxy(id) => register_proxy(store, id, body),
        Route::RemoveProxy(id) => {
            let proxy: ProxyId = id.parse().map_err(|_| missing(Missing::Proxy(id.clone())))?;
            store.remove_proxy(proxy)?;
            Ok(done())
        }
        Route::Dump => Ok(Reply::dump(store.dump()?)),
        // A load has a way in of its own: its body is no request.
        Route::Load => Err(Reply::not_found(head.uri.path())),
    }
}

fn done() -> Reply {
    Reply::new(StatusCode::NO_CONTENT, Body::Bytes(Vec::new()))
}

/// A malformed ID is an unknown one.
fn connection_id(text: &str) -> Result<ConnectionId, Reply> {
    text.parse().map_err(|_| missing(Missing::Connection(text.into())))
}

fn create(store: &Store, head: &Parts, body: &[u8]) -> Result<Reply, Reply> {
    let ensure = params::prefers_existing(&head.headers);
    let request = Json::parse(body).and_then(|json| NewConnection::from_json(&json));
    let (request, idempotency_key) = match (request, params::idempotency_key(&head.headers)) {
        (Ok(request), Ok(key)) => (request, key),
        // Everything that is wrong is named at once.
        (Err(refusal), Err(of_key)) => return Err(refusal.and(of_key).into()),
        (Err(refusal), Ok(_)) | (Ok(_), Err(refusal)) => return Err(refusal.into()),
    };
    let has_key = idempotency_key.is_some();
    let creation: Creation =
        store.create_with(request, CreateOptions { idempotency_key, ensure }).map_err(|error| {
            let reply = Reply::from(error);
            if has_key { reply.retry_with_key() } else { reply }
        })?;
    let reply = Reply::creation(&creation);
    Ok(if ensure {
        reply.with("preference-applied", HeaderValue::from_static(params::ENSURE))
    } else {
        reply
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
    let next = page.next_cursor.as_ref().map_or(0, |_| offset + page.items.len());
    Ok(reply.with_text("x-next-offset", &next.to_string()))
}

/// A page as an array, and in its headers where the list goes on.
fn paged(items: &impl Serialize, next: Option<&Cursor>) -> Reply {
    let reply = Reply::json(StatusCode::OK, items)
        .with_text("x-has-more", if next.is_some() { "true" } else { "false" });
    match next {
        Some(cursor) => reply.with_text("x-next-cursor", &cursor.to_string()),
        None => reply,
    }
}

fn register_proxy(store: &Store, id: &str, body: &[u8]) -> Result<Reply, Reply> {
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
    Ok(Reply::json(StatusCode::OK, &store.register_proxy(id, name)?))
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
