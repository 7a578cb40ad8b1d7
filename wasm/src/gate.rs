//! [`Gate`], who is let in, and the functions by which a host spreads a project over several stores: for hosts that have to know
//! where a request goes before a store sees it.

use crate::border::answer;
use crate::requests::{head, rendered};
use crate::store::Store;
use crate::thrown::{Thrown, at};
use connectory::http::{self as api, Access, Body, Caller, Destination, Scope, ShardPage, Shards};
use connectory::{ConnectionId, Dump, Missing};
use http::{Response, Uri};
use js_sys::Array;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// Keys, and the projects and scopes that they open.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Gate(Access);

/// A caller who was let in.
#[derive(Serialize)]
struct Admission {
    project: String,
    plan: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<Caller> for Admission {
    fn from(caller: Caller) -> Self {
        let Caller { project, limits, key, .. } = caller;
        Self { project, plan: limits.plan.as_str(), cap: limits.cap, key }
    }
}

#[wasm_bindgen]
impl Gate {
    /// Reads the rules: the JSON that the native server takes.
    ///
    /// # Errors
    ///
    /// A refusal with every violation.
    pub fn open(rules: &str) -> Result<Self, Thrown> {
        Ok(Self(Access::from_json(rules.as_bytes())?))
    }

    /// Lets a request in: `{project, plan, cap, key}`, of which `key` tells keys apart and does not tell them; or the
    /// response to give instead.
    ///
    /// # Errors
    ///
    /// What ends the instance.
    pub fn admit(&self, method: &str, target: &str, headers: &Array) -> Result<JsValue, Thrown> {
        let head = match head(method, target, headers) {
            Ok(head) => head,
            Err(response) => return Ok(without_store(*response)),
        };
        match self.0.admit(&head) {
            Ok(caller) => answer(&Admission::from(caller)),
            Err(response) => Ok(without_store(response)),
        }
    }

    /// The same for what is the host's own, by the scope that it needs: `read`, `write` or `admin`.
    ///
    /// # Errors
    ///
    /// A refusal of anything else.
    pub fn permit(&self, scope: &str, headers: &Array) -> Result<JsValue, Thrown> {
        let scope: Scope = scope.parse().map_err(at("scope"))?;
        let head = match head("GET", "/", headers) {
            Ok(head) => head,
            Err(response) => return Ok(without_store(*response)),
        };
        match self.0.permit(&head.headers, scope) {
            Ok(caller) => answer(&Admission::from(caller)),
            Err(response) => Ok(without_store(response)),
        }
    }
}

/// A response that no store was asked for, and so no dump.
fn without_store(response: Response<Body>) -> JsValue {
    rendered(response, |_| JsValue::UNDEFINED)
}

/// Where a request belongs, as a host reads it.
#[derive(Serialize)]
#[serde(tag = "to", rename_all = "lowercase")]
enum To {
    Shard { shard: u16 },
    List { offset: usize },
    Proxy,
    Dump,
    Load,
}

/// Where a request belongs in a project of so many shards: `{to: "shard", shard}`, `{to: "list", offset}`, or to every
/// shard as a `proxy`, `dump` or `load`.
///
/// # Errors
///
/// A refusal of a number of shards that cannot be.
#[wasm_bindgen]
pub fn destination(
    method: &str,
    target: &str,
    body: &[u8],
    shards: u16,
) -> Result<JsValue, Thrown> {
    let shards = Shards::new(shards).map_err(at("shards"))?;
    let to = head(method, target, &Array::new())
        .map_or(Destination::Shard(0), |head| shards.destination(&head, body));
    answer(&match to {
        Destination::Shard(shard) => To::Shard { shard },
        Destination::List { offset } => To::List { offset },
        Destination::Proxy => To::Proxy,
        Destination::Dump => To::Dump,
        Destination::Load => To::Load,
    })
}

/// The page that all shards' pages of this list make: a response, made of their bodies and of whether each goes on.
///
/// # Errors
///
/// What ends the instance.
#[wasm_bindgen]
pub fn merge(target: &str, bodies: &Array, go_on: &Array) -> Result<JsValue, Thrown> {
    let head = match head("GET", target, &Array::new()) {
        Ok(head) => head,
        Err(response) => return Ok(without_store(*response)),
    };
    let texts: Vec<_> = bodies.iter().map(|body| body.as_string().unwrap_or_default()).collect();
    let pages = texts.iter().zip(go_on.iter());
    let pages = pages.map(|(body, has_more)| ShardPage { body, has_more: has_more.is_truthy() });
    Ok(without_store(api::merge(&head, &pages.collect::<Vec<_>>())))
}

/// The target of this list's page after the connection of this ID.
///
/// # Errors
///
/// A refusal of what is no ID.
#[wasm_bindgen(js_name = pageAfter)]
pub fn page_after(target: &str, id: &str) -> Result<String, Thrown> {
    let missing = || Missing::Connection(id.into());
    let id: ConnectionId = id.parse().map_err(|_| missing())?;
    let uri: Uri = target.parse().map_err(|_| missing())?;
    Ok(api::page_after(&uri, id))
}

/// The shard to which a line of a dump belongs; `undefined` of one that goes to every shard.
///
/// # Errors
///
/// A refusal of what is no line of a dump, or of a number of shards that cannot be.
#[wasm_bindgen(js_name = shardOfLine)]
pub fn shard_of_line(line: &str, shards: u16) -> Result<Option<u16>, Thrown> {
    let shards = Shards::new(shards).map_err(at("shards"))?;
    Ok(Dump::route_of_line(line)?.map(|route| shards.of(route)))
}

#[wasm_bindgen]
impl Store {
    /// The IDs of the first `count` connections of the list that `target` asks for, whatever its offset and limit: an array,
    /// or the response to give instead.
    ///
    /// # Errors
    ///
    /// What ends the instance.
    pub fn ids(&self, target: &str, count: usize) -> Result<JsValue, Thrown> {
        let Ok(uri) = target.parse::<Uri>() else { return Ok(Array::new().into()) };
        self.engine().call(|store| match api::ids(store, &uri, count) {
            Ok(ids) => {
                Ok(ids.iter().map(|id| JsValue::from(id.to_string())).collect::<Array>().into())
            }
            Err(response) => Ok(without_store(response)),
        })
    }
}
