//! Connections and conflicts as plain objects. Most are like the one before but for who and where: setting thirty members one by one
//! costs more than all that the engine does to find a connection, so one that is like the last is a copy of it with these
//! set anew. `wasm/build` puts `alike.js` into the scope of the module's code.

use crate::border::answer;
use crate::thrown::Thrown;
use connectory::{Connection, Creation, Page, WebUrl};
use js_sys::{Array, Object, Reflect};
use std::cell::RefCell;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = quickToCopy)]
    fn quick_to_copy(object: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = copyWith)]
    fn copy_with(
        connection: &JsValue,
        id: &str,
        profile_name: &str,
        domain: &str,
        login_url: Option<&str>,
    ) -> JsValue;
    #[wasm_bindgen(js_name = conflictWith)]
    fn conflict_with(conflict: &JsValue, existing_id: &str) -> JsValue;
    #[wasm_bindgen(js_name = createdAs)]
    fn created_as(outcome: &str, connection: &JsValue) -> JsValue;
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    /// The first conflict that was answered: others differ in the holder alone.
    static CONFLICT: RefCell<Option<JsValue>> = const { RefCell::new(None) };
}

/// The last connection that was handed out, and a copy of its object that nobody else has.
struct Last {
    connection: Connection,
    object: JsValue,
}

/// A connection as a plain object.
pub(crate) fn connection(connection: &Connection) -> Result<JsValue, Thrown> {
    LAST.with_borrow_mut(|last| match last {
        Some(last) if rest(&last.connection) == rest(connection) => Ok(copy_with(
            &last.object,
            &connection.id.to_string(),
            connection.profile_name.as_str(),
            connection.domain.as_str(),
            connection.login_url.as_ref().map(WebUrl::as_str),
        )),
        _ => {
            let object = answer(connection)?;
            let copy = quick_to_copy(&object);
            *last = Some(Last { connection: connection.clone(), object: copy });
            Ok(object)
        }
    })
}

/// What became of a create: its outcome, and the connection or the members of the conflict.
pub(crate) fn creation(creation: &Creation) -> Result<JsValue, Thrown> {
    match creation {
        Creation::Conflict(conflict) => CONFLICT.with_borrow_mut(|first| {
            let any = match first {
                Some(any) => any,
                None => first.insert(quick_to_copy(&answer(conflict)?)),
            };
            Ok(conflict_with(any, &conflict.existing_id.to_string()))
        }),
        Creation::Created(answered)
        | Creation::Replayed(answered)
        | Creation::Existing(answered) => {
            Ok(created_as(creation.outcome(), &connection(answered)?))
        }
    }
}

/// A page of connections, as any page.
pub(crate) fn page(page: &Page<Connection>) -> Result<JsValue, Thrown> {
    let Page { items, next_cursor } = page;
    let array = Array::new();
    for item in items {
        array.push(&connection(item)?);
    }
    let object = Object::<JsValue>::new();
    set(&object, &"items".into(), &array)?;
    if let Some(cursor) = next_cursor {
        set(&object, &"next_cursor".into(), &cursor.to_string().into())?;
    }
    Ok(object.into())
}

/// All that two connections must share to be alike, and whether they have a `login_url`.
fn rest(connection: &Connection) -> impl PartialEq + '_ {
    let Connection {
        id: _,
        profile_name: _,
        domain: _,
        login_url,
        status,
        reauth,
        last_auth_check_at,
        post_login_url,
        flow,
        credential,
        proxy_id,
        allowed_domains,
        health_check_interval,
        health_checks,
        auto_reauth,
        save_credentials,
        record_session,
    } = connection;
    let flags = (health_checks, auto_reauth, save_credentials, record_session);
    let seen = (status, reauth, last_auth_check_at, post_login_url, flow);
    (flags, seen, login_url.is_some(), credential, proxy_id, allowed_domains, health_check_interval)
}

fn set(object: &Object<JsValue>, name: &JsValue, value: &JsValue) -> Result<(), Thrown> {
    Reflect::set(object, name, value).map(drop).map_err(Thrown)
}
