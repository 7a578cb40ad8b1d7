//! The tables of a store and the layout of their keys.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `connections` | ID | record |
//! | `profiles` | name `00` | number of connections and, while they are few, their IDs and domains |
//! | | name `00 01` domain | ID: the pair, of a profile with many |
//! | | name `00 02` ID | nothing: the connections in ID order, of a profile with many |
//! | `domains` | `01` domain | number of the domain |
//! | | `02` number ID | nothing: the domain's connections in ID order |
//! | `proxies` | `01` ID | number of connections, name |
//! | | `02` name `00` ID | nothing: the proxies of that name |
//! | `changes` | sequence number | kind, ID, record: those before the store was last closed |
//!
//! Records arrive in ID order, so `connections` only ever grows at its right edge. All that belongs to one
//! profile stands side by side: a create touches one random place in `profiles`, not three, and most often one
//! row. No name contains a zero byte, so the separator sorts a name before every longer one. Values of
//! `profiles` are laid out in `profile_rows`; the number of a domain is four bytes, the greatest first.

use crate::{ConnectionId, ProfileName, ProxyId, ProxyName, StoreError};
use std::cmp::Ordering;

/// Compares keys, eight bytes at a time: most are short, and a call for the whole costs more than it saves.
pub(crate) fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let (mut rest, mut other_rest) = (one, other);
    while let (Some((head, tail)), Some((other_head, other_tail))) =
        (rest.split_first_chunk::<8>(), other_rest.split_first_chunk::<8>())
    {
        if head != other_head {
            return u64::from_be_bytes(*head).cmp(&u64::from_be_bytes(*other_head));
        }
        (rest, other_rest) = (tail, other_tail);
    }
    rest.cmp(other_rest)
}

/// A table, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Connections,
    Profiles,
    Domains,
    Proxies,
    Changes,
}

/// One of something for every table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PerTable<T> {
    connections: T,
    profiles: T,
    domains: T,
    proxies: T,
    changes: T,
}

impl Table {
    pub(crate) const ALL: [Self; 5] =
        [Self::Connections, Self::Profiles, Self::Domains, Self::Proxies, Self::Changes];

    /// What it is called in the log.
    pub(crate) fn tag(self) -> u8 {
        match self {
            Self::Connections => 1,
            Self::Profiles => 2,
            Self::Domains => 3,
            Self::Proxies => 4,
            Self::Changes => 5,
        }
    }

    pub(crate) fn with_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.tag() == tag)
    }

    /// Its name in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Profiles => "profiles",
            Self::Domains => "domains",
            Self::Proxies => "proxies",
            Self::Changes => "changes",
        }
    }
}

impl<T> PerTable<T> {
    /// Makes one for every table, or returns the first error.
    pub(crate) fn try_new<E>(mut make: impl FnMut(Table) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            connections: make(Table::Connections)?,
            profiles: make(Table::Profiles)?,
            domains: make(Table::Domains)?,
            proxies: make(Table::Proxies)?,
            changes: make(Table::Changes)?,
        })
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Table, T)> {
        let Self { connections, profiles, domains, proxies, changes } = self;
        Table::ALL.into_iter().zip([connections, profiles, domains, proxies, changes])
    }

    pub(crate) fn of(&self, table: Table) -> &T {
        match table {
            Table::Connections => &self.connections,
            Table::Profiles => &self.profiles,
            Table::Domains => &self.domains,
            Table::Proxies => &self.proxies,
            Table::Changes => &self.changes,
        }
    }

    pub(crate) fn of_mut(&mut self, table: Table) -> &mut T {
        match table {
            Table::Connections => &mut self.connections,
            Table::Profiles => &mut self.profiles,
            Table::Domains => &mut self.domains,
            Table::Proxies => &mut self.proxies,
            Table::Changes => &mut self.changes,
        }
    }
}

const SEPARATOR: u8 = 0;
const PAIR: u8 = 1;
const IN_ORDER: u8 = 2;
const DOMAIN_NAME: u8 = 1;
const DOMAIN_ENTRY: u8 = 2;
const PROXY: u8 = 1;
const PROXY_NAME: u8 = 2;

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Rows of one table to be put and, where there is no value, to be removed.
pub(crate) type RowChanges = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// In `profiles`: the profile itself.
pub(crate) fn profile(name: &ProfileName) -> Vec<u8> {
    join(&[name.as_str().as_bytes(), &[SEPARATOR]])
}

/// In `profiles`: the place of a pair, in a profile with many.
pub(crate) fn pair(name: &ProfileName, domain: &str) -> Vec<u8> {
    join(&[name.as_str().as_bytes(), &[SEPARATOR, PAIR], domain.as_bytes()])
}

/// In `profiles`: what all connections in ID order begin with, in a profile with many.
pub(crate) fn profile_order(name: &ProfileName) -> Vec<u8> {
    join(&[name.as_str().as_bytes(), &[SEPARATOR, IN_ORDER]])
}

/// In `profiles`: the first key after everything that belongs to the profile.
pub(crate) fn after_profile(name: &str) -> Vec<u8> {
    join(&[name.as_bytes(), &[SEPARATOR + 1]])
}

/// In `domains`: the name of a domain, or what all names with one beginning begin with.
pub(crate) fn domain_name(domain: &str) -> Vec<u8> {
    join(&[&[DOMAIN_NAME], domain.as_bytes()])
}

/// In `domains`: what all connections of the domain with this number begin with.
pub(crate) fn domain_order(number: u32) -> Vec<u8> {
    join(&[&[DOMAIN_ENTRY], &number.to_be_bytes()])
}

/// A key that ends in a connection's ID.
pub(crate) fn with_id(prefix: &[u8], id: ConnectionId) -> Vec<u8> {
    join(&[prefix, &id.to_bytes()])
}

/// In `proxies`: the proxy itself.
pub(crate) fn proxy(id: &ProxyId) -> Vec<u8> {
    join(&[&[PROXY], id.as_str().as_bytes()])
}

/// In `proxies`: what every proxy begins with.
pub(crate) const ALL_PROXIES: &[u8] = &[PROXY];

/// In `proxies`: what all proxies of one name begin with.
pub(crate) fn proxy_name(name: &ProxyName) -> Vec<u8> {
    join(&[&[PROXY_NAME], name.as_str().as_bytes(), &[SEPARATOR]])
}

/// In `proxies`: one proxy of that name.
pub(crate) fn named_proxy(name: &ProxyName, id: &ProxyId) -> Vec<u8> {
    join(&[&proxy_name(name), id.as_str().as_bytes()])
}

/// In `changes`: a change.
pub(crate) fn change(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

/// What a key of `profiles` is.
pub(crate) enum ProfileKey<'a> {
    /// The profile itself.
    Profile(&'a str),
    /// The pair with this domain.
    Pair(&'a str, &'a str),
    /// One of its connections, in order.
    InOrder(&'a str, ConnectionId),
}

impl<'a> ProfileKey<'a> {
    pub(crate) fn read(key: &'a [u8]) -> Result<Self, StoreError> {
        let parse = || {
            let end = key.iter().position(|&byte| byte == SEPARATOR)?;
            let name = std::str::from_utf8(key.get(..end)?).ok()?;
            match key.get(end + 1..)? {
                [] => Some(Self::Profile(name)),
                [PAIR, domain @ ..] => Some(Self::Pair(name, std::str::from_utf8(domain).ok()?)),
                [IN_ORDER, id @ ..] => Some(Self::InOrder(name, ConnectionId::from_bytes(id)?)),
                _ => None,
            }
        };
        parse().ok_or_else(|| StoreError::damaged("a key of the table of profiles is malformed"))
    }
}

/// What a key of `domains` is.
pub(crate) enum DomainKey<'a> {
    /// The name of a domain.
    Name(&'a str),
    /// One of the connections of the domain with this number.
    InOrder(u32, ConnectionId),
}

impl<'a> DomainKey<'a> {
    pub(crate) fn read(key: &'a [u8]) -> Result<Self, StoreError> {
        let parse = || match key {
            [DOMAIN_NAME, domain @ ..] => Some(Self::Name(std::str::from_utf8(domain).ok()?)),
            [DOMAIN_ENTRY, rest @ ..] => {
                let (&number, id) = rest.split_first_chunk()?;
                Some(Self::InOrder(u32::from_be_bytes(number), ConnectionId::from_bytes(id)?))
            }
            _ => None,
        };
        parse().ok_or_else(|| StoreError::damaged("a key of the table of domains is malformed"))
    }
}

/// The number of a domain, as its name's row holds it.
pub(crate) fn domain_number(value: &[u8]) -> Result<u32, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::damaged("a domain without a number"))?;
    Ok(u32::from_be_bytes(bytes))
}

/// The connection's ID that a key or value ends in.
pub(crate) fn trailing_id(bytes: &[u8]) -> Result<ConnectionId, StoreError> {
    bytes
        .split_last_chunk::<16>()
        .and_then(|(_, id)| ConnectionId::from_bytes(id))
        .ok_or_else(|| StoreError::damaged("an index entry without an ID"))
}

/// The proxy's ID in its key.
pub(crate) fn proxy_id(key: &[u8]) -> Result<ProxyId, StoreError> {
    text(key.get(1..))
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| StoreError::damaged("a key of the table of proxies is malformed"))
}

/// The proxy's ID in a key of [`named_proxy`].
pub(crate) fn named_proxy_id(key: &[u8], name: &ProxyName) -> Result<ProxyId, StoreError> {
    text(key.get(name.as_str().len() + 2..))
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| StoreError::damaged("a name in the table of proxies is malformed"))
}

/// The name and the proxy's ID in a key of [`named_proxy`], whose name is not known.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) fn name_and_proxy(key: &[u8]) -> Option<(ProxyName, ProxyId)> {
    let (&kind, rest) = key.split_first()?;
    let mut parts = rest.splitn(2, |&byte| byte == SEPARATOR);
    let name = text(parts.next())?.parse().ok()?;
    let id = text(parts.next())?.parse().ok()?;
    (kind == PROXY_NAME).then_some((name, id))
}

/// The sequence number in a key of `changes`.
pub(crate) fn change_seq(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.try_into().map_err(|_| StoreError::damaged("a change without a number"))?;
    Ok(u64::from_be_bytes(bytes))
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}
