//! Requests of the HTTP API and their responses, as JavaScript has them.

use crate::store::{Dump, Engine};
use crate::thrown::Thrown;
use connectory::Store;
use connectory::http::{self as api, Api, Begun, Body, Cause, Route};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use js_sys::{Array, Object, Reflect};
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// Does all of a request but its write.
pub(crate) fn begin(
    api: &Api<Store>,
    method: &str,
    target: &str,
    headers: &Array,
    body: &[u8],
) -> Begun {
    let head = match head(method, target, headers) {
        Ok(head) => head,
        Err(response) => return Begun::Answered(*response),
    };
    if Route::is_load(&head.method, head.uri.path()) {
        return Begun::Answered(api.respond_to_load(&head, lines(body).map(Ok)));
    }
    api.begin(&head, body)
}

/// The lines of a body. What is not UTF-8 is no JSON, and is refused with its line number like everything else that is not.
fn lines(body: &[u8]) -> impl Iterator<Item = String> {
    body.strip_suffix(b"\n").unwrap_or(body).split(|&byte| byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        str::from_utf8(line).unwrap_or("not UTF-8").into()
    })
}

/// The head of a request.
pub(crate) fn head(
    method: &str,
    target: &str,
    headers: &Array,
) -> Result<Parts, Box<Response<Body>>> {
    parts(method, target, headers).map_err(|error| {
        let message = format!("not a request: {error}; send a method, a path and headers");
        Box::new(api::error(StatusCode::BAD_REQUEST, "bad_request", &message))
    })
}

fn parts(method: &str, target: &str, headers: &Array) -> Result<Parts, http::Error> {
    let (mut head, ()) = Request::builder().method(method).uri(target).body(())?.into_parts();
    for pair in headers.iter().map(|pair| Array::from(&pair)) {
        let name = HeaderName::try_from(pair.get(0).as_string().unwrap_or_default())?;
        let value = HeaderValue::try_from(pair.get(1).as_string().unwrap_or_default())?;
        head.headers.append(name, value);
    }
    Ok(head)
}

/// A response as `{status, headers, body}`, and the `cause` of a failure, which is for the host's log alone.
pub(crate) fn response(engine: &Rc<Engine>, response: Response<Body>) -> Result<JsValue, Thrown> {
    rendered(response, |lines| Dump::new(engine, lines).into())
}

/// The same, with what `dump` makes of lines.
pub(crate) fn rendered(
    response: Response<Body>,
    dump: impl FnOnce(connectory::Dump) -> JsValue,
) -> Result<JsValue, Thrown> {
    let (head, body) = response.into_parts();
    let headers = Array::new();
    for (name, value) in &head.headers {
        let value = value.to_str().unwrap_or_default();
        headers.push(&Array::of2(&name.as_str().into(), &value.into()));
    }
    let body = match body {
        Body::Bytes(bytes) if bytes.is_empty() => JsValue::UNDEFINED,
        Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).as_ref().into(),
        Body::Dump(lines) => dump(lines),
    };
    let cause = head.extensions.get::<Cause>();
    let cause = cause.map_or(JsValue::UNDEFINED, |Cause(cause)| cause.to_string().into());
    let object = Object::new();
    for (name, value) in [
        ("status", head.status.as_u16().into()),
        ("headers", headers.into()),
        ("body", body),
        ("cause", cause),
    ] {
        Reflect::set(&object, &name.into(), &value).map_err(Thrown)?;
    }
    Ok(object.into())
}
