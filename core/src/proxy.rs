//! [`Proxy`], a proxy that connections may name, and [`ProxyRef`], how they name it.

use crate::Problem;
use crate::error::quoted;
use crate::text::{is_name, text_type};
use serde::Serialize;

text_type! {
    /// The ID of a proxy: 1 to 255 of `A-Z a-z 0-9 . _ -`, chosen by whoever registers it.
    ProxyId, check_id
}

text_type! {
    /// The name of a proxy: 1 to 255 bytes without control characters. Names need not be unique.
    ProxyName, check_name
}

fn check_id(text: &str) -> Result<Box<str>, Problem> {
    if is_name(text) {
        return Ok(text.into());
    }
    let message = format!("{} is not a proxy ID; send 1 to 255 of A-Z a-z 0-9 . _ -", quoted(text));
    Err(Problem::value(message))
}

fn check_name(text: &str) -> Result<Box<str>, Problem> {
    if (1..=255).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    let message =
        format!("{} is not a proxy name; send 1 to 255 bytes, no control characters", quoted(text));
    Err(Problem::value(message))
}

/// How a request names a registered proxy; the connection keeps the ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyRef {
    /// By its ID.
    Id(ProxyId),
    /// By its name, which exactly one registered proxy must carry.
    Name(ProxyName),
}

/// A registered proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proxy {
    /// Its ID.
    pub id: ProxyId,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ProxyName>,
    /// How many connections refer to it.
    pub connections: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_held_to_their_rules() {
        assert!("px-1".parse::<ProxyId>().is_ok());
        assert!("Büro 1".parse::<ProxyName>().is_ok());
        for bad in ["", "a b", "ü", "a/b"] {
            assert!(bad.parse::<ProxyId>().is_err(), "{bad}");
        }
        for bad in ["", "a\0b", &"x".repeat(256)] {
            assert!(bad.parse::<ProxyName>().is_err(), "{bad}");
        }
    }
}
