//! [`Operation`], what a step does, as a file of cases writes it.

use super::Opening;
use super::keys::{Keys, array, number, pair, text, texts};
use serde_json::Value;

/// One call, its arguments as a caller would write them: bodies are JSON text.
#[derive(Debug, Clone)]
pub enum Operation {
    /// `create` (an object) or `create_text`, with `key`, `ensure`, and `pad_to` for trailing spaces up to a size.
    Create(Create),
    /// `create_many`: an array; `key` and `ensure` hold for every row.
    CreateMany(Vec<Create>),
    /// `update` or `update_text`: the ID and the body.
    Update(String, String),
    /// `record`: the ID and the observation.
    Record(String, String),
    /// `get`: the ID.
    Get(String),
    /// `find`: the profile's name and the domain.
    Find(String, String),
    /// `delete`: the ID.
    Delete(String),
    /// `list`: the query.
    List(Value),
    /// `profiles`: the query.
    Profiles(Value),
    /// `delete_profile`: the name.
    DeleteProfile(String),
    /// `register_proxy`: the ID and the name, or null.
    RegisterProxy(String, Option<String>),
    /// `proxies`: the query.
    Proxies(Value),
    /// `remove_proxy`: the ID.
    RemoveProxy(String),
    /// `allows`: the connection's ID and a host.
    Allows(String, String),
    /// `changes`: `since` and `limit`.
    Changes {
        /// The number of the last change known.
        since: u64,
        /// The most changes to return.
        limit: u64,
    },
    /// `reopen`: a dump, loaded into a fresh store; `true`, or what that one is opened with.
    Reopen(Option<Opening>),
}

/// A create, and how it treats what was there before.
#[derive(Debug, Clone)]
pub struct Create {
    /// The body, as JSON text.
    pub body: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// Whether to be answered with the connection that is there.
    pub ensure: bool,
}

impl Operation {
    /// Takes the operation and its modifiers out of a step.
    pub(super) fn take(keys: &mut Keys) -> Result<Self, String> {
        const NAMES: [&str; 18] = [
            "create",
            "create_text",
            "create_many",
            "update",
            "update_text",
            "record",
            "get",
            "find",
            "delete",
            "list",
            "profiles",
            "delete_profile",
            "register_proxy",
            "proxies",
            "remove_proxy",
            "allows",
            "changes",
            "reopen",
        ];
        let names: Vec<&str> =
            NAMES.into_iter().filter(|name| keys.0.contains_key(*name)).collect();
        let &[name] = names.as_slice() else {
            return Err(format!("a step has one operation, not {names:?}"));
        };
        let value = keys.require(name)?;
        Ok(match name {
            "create" | "create_text" | "create_many" => Self::create(name, value, keys)?,
            "update" | "record" => {
                let [id, body] = pair(value)?;
                let (id, body) = (text(id)?, body.to_string());
                if name == "update" { Self::Update(id, body) } else { Self::Record(id, body) }
            }
            "update_text" => {
                let [id, body] = texts(value)?;
                Self::Update(id, body)
            }
            "get" => Self::Get(text(value)?),
            "find" => {
                let [profile, domain] = texts(value)?;
                Self::Find(profile, domain)
            }
            "delete" => Self::Delete(text(value)?),
            "list" => Self::List(value),
            "profiles" => Self::Profiles(value),
            "delete_profile" => Self::DeleteProfile(text(value)?),
            "register_proxy" => {
                let [id, name] = pair(value)?;
                let name = if name.is_null() { None } else { Some(text(name)?) };
                Self::RegisterProxy(text(id)?, name)
            }
            "proxies" => Self::Proxies(value),
            "remove_proxy" => Self::RemoveProxy(text(value)?),
            "allows" => {
                let [id, host] = texts(value)?;
                Self::Allows(id, host)
            }
            "changes" => {
                let mut query = Keys::of(value)?;
                let (since, limit) = (query.require("since")?, query.require("limit")?);
                query.finish()?;
                Self::Changes { since: number(&since)?, limit: number(&limit)? }
            }
            _ if value == Value::Bool(true) => Self::Reopen(None),
            _ => Self::Reopen(Some(Opening::parse(value)?)),
        })
    }

    /// Whether the HTTP API can do it. Observations, changes and what a host may do are for the libraries alone.
    pub fn goes_over_http(&self) -> bool {
        !matches!(
            self,
            Self::Record(..) | Self::Allows(..) | Self::Changes { .. } | Self::Reopen(_)
        )
    }

    fn create(name: &str, value: Value, keys: &mut Keys) -> Result<Self, String> {
        let key = keys.take("key").map(text).transpose()?;
        let ensure = keys.take("ensure").is_some_and(|ensure| ensure == true);
        let create = |body| Create { body, key: key.clone(), ensure };
        Ok(match name {
            "create" => Self::Create(create(value.to_string())),
            "create_many" => {
                let bodies = array(value)?.into_iter();
                Self::CreateMany(bodies.map(|body| create(body.to_string())).collect())
            }
            _ => {
                let mut body = text(value)?;
                if let Some(size) = keys.take("pad_to").as_ref().map(number).transpose()? {
                    let size = usize::try_from(size).map_err(|error| error.to_string())?;
                    let room =
                        size.checked_sub(body.len()).ok_or("the text is longer than pad_to")?;
                    body.push_str(&" ".repeat(room));
                }
                Self::Create(create(body))
            }
        })
    }
}
