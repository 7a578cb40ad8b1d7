//! Requests of the HTTP API and their responses, as JavaScript has them. `wasm/build` puts `requests.js` into the scope of the
//! module's code.

use crate::store::{Dump, Engine};
use connectory::Store;
use connectory::http::{self as api, Api, Begun, Body, Cause, Route};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use js_sys::Array;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = linesOfPairs)]
    fn lines_of_pairs(pairs: &Array) -> String;
    #[wasm_bindgen(js_name = responseOf)]
    fn response_of(status: u16, lines: &str, body: &JsValue, cause: Option<String>) -> JsValue;
}

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
    let lines = lines_of_pairs(headers);
    let mut lines = lines.split('\n');
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        let (name, value) = (HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        head.headers.append(name, value);
    }
    Ok(head)
}

/// A response as `{status, headers, body, cause}`, the `cause` of a failure for the host's log alone.
pub(crate) fn response(engine: &Rc<Engine>, response: Response<Body>) -> JsValue {
    rendered(response, |lines| Dump::new(engine, lines).into())
}

/// The same, with what `dump` makes of lines.
pub(crate) fn rendered(
    response: Response<Body>,
    dump: impl FnOnce(connectory::Dump) -> JsValue,
) -> JsValue {
    let (head, body) = response.into_parts();
    let mut lines = String::with_capacity(256);
    for (name, value) in &head.headers {
        lines.extend([name.as_str(), "\n", value.to_str().unwrap_or_default(), "\n"]);
    }
    let body = match body {
        Body::Bytes(bytes) if bytes.is_empty() => JsValue::UNDEFINED,
        Body::Bytes(bytes) => String::from_utf8_lossy(&bytes).as_ref().into(),
        Body::Dump(lines) => dump(lines),
    };
    let cause = head.extensions.get::<Cause>().map(|Cause(cause)| cause.to_string());
    response_of(head.status.as_u16(), &lines, &body, cause)
}
