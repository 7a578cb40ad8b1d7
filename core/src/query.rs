//! Everything that is read, as functions over [`Rows`]: by key, or in pages from an index.

use crate::codec::{self, Record};
use crate::domain_rows;
use crate::page::{List, ListQuery, Page, PageQuery};
use crate::profile_rows;
use crate::rows::{Order, Rows, after_prefix};
use crate::tables::{self, ProfileKey, Table};
use crate::walk::{Ids, Step};
use crate::{
    Connection, ConnectionId, Cursor, Domain, Error, Missing, Profile, ProfileName, Proxy, ProxyId,
    ProxyName, StoreError,
};
use std::collections::BTreeSet;
use std::ops::Bound;

/// The ID of the connection that holds the pair.
pub(crate) fn pair(
    rows: Rows<'_>,
    profile: &ProfileName,
    domain: &Domain,
) -> Result<Option<ConnectionId>, StoreError> {
    profile_rows::holder(rows, profile, domain)
}

/// What `read` makes of a connection's record.
pub(crate) fn record_bytes<T>(
    rows: Rows<'_>,
    id: ConnectionId,
    read: impl FnOnce(&[u8]) -> T,
) -> Result<Option<T>, StoreError> {
    rows.get(Table::Connections, &id.to_bytes(), read)
}

/// The record of a connection, if there is one.
pub(crate) fn find_record(rows: Rows<'_>, id: ConnectionId) -> Result<Option<Record>, StoreError> {
    record_bytes(rows, id, |bytes| codec::decode_record(id, bytes))?.transpose()
}

/// The record of a connection; refused where there is none.
pub(crate) fn record(rows: Rows<'_>, id: ConnectionId) -> Result<Record, Error> {
    find_record(rows, id)?.ok_or_else(|| Missing::Connection(id.to_string()).into())
}

/// The connection of an index entry, which must be there.
fn indexed(rows: Rows<'_>, id: ConnectionId) -> Result<Connection, StoreError> {
    find_record(rows, id)?
        .map(|record| record.connection)
        .ok_or_else(|| StoreError::damaged(format!("an index names {id}, which is not there")))
}

/// How many connections a profile has, if it exists.
pub(crate) fn profile(rows: Rows<'_>, name: &ProfileName) -> Result<Option<u64>, StoreError> {
    rows.read(Table::Profiles, &tables::profile(name), profile_rows::count)
}

/// A registered proxy.
pub(crate) fn proxy(rows: Rows<'_>, id: &ProxyId) -> Result<Option<Proxy>, StoreError> {
    let row = rows.read(Table::Proxies, &tables::proxy(id), codec::decode_proxy)?;
    Ok(row.map(|(connections, name)| Proxy { id: id.clone(), name, connections }))
}

/// Up to `most` proxies that carry the name.
pub(crate) fn proxies_named(
    rows: Rows<'_>,
    name: &ProxyName,
    most: usize,
) -> Result<Vec<ProxyId>, StoreError> {
    let prefix = tables::proxy_name(name);
    let mut scan = rows.scan_prefix(Table::Proxies, &prefix, Order::Rising)?;
    let mut ids = Vec::new();
    while ids.len() < most
        && let Some(id) = scan.next(|key, _| tables::named_proxy_id(key, name))?
    {
        ids.push(id);
    }
    Ok(ids)
}

/// A page of connections, newest first, after passing over the first `offset` of them.
pub(crate) fn list(
    rows: Rows<'_>,
    query: &ListQuery,
    offset: usize,
) -> Result<Page<Connection>, Error> {
    let before = Cursor::position(query.page.cursor.as_ref(), List::Connections)?;
    let limit = query.page.limit.items();
    // One more than asked for tells whether there is another page.
    let wanted = offset + limit + 1;
    if query.is_of_all() {
        return list_all(rows, before, offset, limit);
    }
    let ids = matching_ids(rows, query, before, wanted)?;
    let mut items = Vec::with_capacity(limit);
    for &id in ids.iter().skip(offset).take(limit) {
        items.push(indexed(rows, id)?);
    }
    let last = items.last().filter(|_| ids.len() == wanted);
    let next_cursor = last.map(|last| Cursor::after(List::Connections, &last.id));
    Ok(Page { items, next_cursor })
}

/// The IDs of the first `count` connections of a list, newest first.
pub(crate) fn list_ids(
    rows: Rows<'_>,
    query: &ListQuery,
    count: usize,
) -> Result<Vec<ConnectionId>, Error> {
    let before = Cursor::position(query.page.cursor.as_ref(), List::Connections)?;
    Ok(matching_ids(rows, query, before, count)?)
}

/// A page of all connections: the records stand in the order of the list.
fn list_all(
    rows: Rows<'_>,
    before: Option<ConnectionId>,
    offset: usize,
    limit: usize,
) -> Result<Page<Connection>, Error> {
    let end = before.map(ConnectionId::to_bytes);
    let to = end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_slice()));
    let mut scan = rows.scan(Table::Connections, Bound::Unbounded, to, Order::Falling)?;
    for _ in 0..offset {
        if scan.next(|_, _| Ok(()))?.is_none() {
            break;
        }
    }
    let mut items: Vec<Connection> = Vec::with_capacity(limit);
    while items.len() < limit
        && let Some(record) =
            scan.next(|key, value| codec::decode_record(tables::trailing_id(key)?, value))?
    {
        items.push(record.connection);
    }
    let is_more = items.len() == limit && scan.next(|_, _| Ok(()))?.is_some();
    let last = items.last().filter(|_| is_more);
    let next_cursor = last.map(|last| Cursor::after(List::Connections, &last.id));
    Ok(Page { items, next_cursor })
}

fn matching_ids(
    rows: Rows<'_>,
    query: &ListQuery,
    before: Option<ConnectionId>,
    wanted: usize,
) -> Result<Vec<ConnectionId>, StoreError> {
    let filter = Filter(query);
    let candidates = match (&query.profile_name, &query.domain) {
        (Some(profile), Some(domain)) => {
            let id = pair(rows, profile, domain)?.filter(|&id| before.is_none_or(|at| id < at));
            return match id {
                Some(id) if filter.matches(rows, id)? => Ok(vec![id]),
                _ => Ok(Vec::new()),
            };
        }
        (Some(profile), None) => profile_rows::ids(rows, profile, before)?,
        (None, Some(domain)) => domain_rows::ids(rows, domain, before)?,
        (None, None) => Ids::below(rows, Table::Connections, &[], before)?,
    };
    match query.query.as_deref() {
        None | Some("") => candidates.take(wanted),
        Some(text) => search(rows, text, &filter, candidates, before, wanted),
    }
}

/// The filters of a list, looked up in a connection's record.
struct Filter<'a>(&'a ListQuery);

impl Filter<'_> {
    fn matches(&self, rows: Rows<'_>, id: ConnectionId) -> Result<bool, StoreError> {
        let found = record_bytes(rows, id, |bytes| {
            let (profile, domain) = codec::pair_of(bytes)?;
            let Self(ListQuery { profile_name, domain: of, query, .. }) = self;
            Ok(profile_name.as_ref().is_none_or(|name| name.as_str() == profile)
                && of.as_ref().is_none_or(|of| of.as_str() == domain)
                && query.as_deref().is_none_or(|text| finds(text, id, profile, domain)))
        })?;
        found.transpose().map(|found| found.unwrap_or(false))
    }
}

/// Whether `text` is the connection's ID, or its profile name or domain begins with it.
fn finds(text: &str, id: ConnectionId, profile: &str, domain: &str) -> bool {
    let head = domain.as_bytes().get(..text.len());
    profile.starts_with(text)
        || head.is_some_and(|head| head.eq_ignore_ascii_case(text.as_bytes()))
        || text.parse() == Ok(id)
}

/// The newest of `candidates` that `text` finds, at the cost of the cheaper of two ways.
///
/// Either all index entries that begin with `text` are gathered and the newest that pass the filter kept, or the
/// candidates are walked newest first. The first is cheap where few match, the second where many do; taking a step
/// of each in turn costs at most twice the cheaper, without statistics to keep.
fn search(
    rows: Rows<'_>,
    text: &str,
    filter: &Filter<'_>,
    mut candidates: Ids<'_>,
    before: Option<ConnectionId>,
    wanted: usize,
) -> Result<Vec<ConnectionId>, StoreError> {
    // No name has such characters, but the keys of the index do.
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Ok(Vec::new());
    }
    let mut profiles = profile_rows::Named::new(rows, text)?;
    let mut domains = domain_rows::Named::new(rows, &text.to_ascii_lowercase(), before)?;
    let mut gathered = Newest { ids: BTreeSet::new(), before, wanted };
    if let Ok(id) = text.parse()
        && filter.matches(rows, id)?
    {
        gathered.add(id);
    }
    let mut walked = Vec::new();
    loop {
        let steps = [profiles.step()?, domains.step()?];
        if steps == [Step::End, Step::End] {
            return Ok(gathered.ids.into_iter().rev().collect());
        }
        for step in steps {
            if let Step::Id(id) = step
                && gathered.wants(id)
                && filter.matches(rows, id)?
            {
                gathered.add(id);
            }
        }
        match candidates.next()? {
            Some(id) if filter.matches(rows, id)? => walked.push(id),
            Some(_) => continue,
            None => return Ok(walked),
        }
        if walked.len() == wanted {
            return Ok(walked);
        }
    }
}

/// The newest `wanted` of the IDs added, older than `before`.
struct Newest {
    ids: BTreeSet<ConnectionId>,
    before: Option<ConnectionId>,
    wanted: usize,
}

impl Newest {
    /// Whether `id` would be kept, for now.
    fn wants(&self, id: ConnectionId) -> bool {
        let is_newer =
            self.ids.len() < self.wanted || self.ids.first().is_none_or(|&oldest| id > oldest);
        is_newer && self.before.is_none_or(|before| id < before)
    }

    fn add(&mut self, id: ConnectionId) {
        if self.wants(id) {
            self.ids.insert(id);
            if self.ids.len() > self.wanted {
                self.ids.pop_first();
            }
        }
    }
}

/// A page of profiles, by name.
pub(crate) fn profiles(rows: Rows<'_>, query: &PageQuery) -> Result<Page<Profile>, Error> {
    let after: Option<ProfileName> = Cursor::position(query.cursor.as_ref(), List::Profiles)?;
    let mut from = after.map_or_else(Vec::new, |name| tables::after_profile(name.as_str()));
    let mut items: Vec<Profile> = Vec::new();
    loop {
        let mut scan = rows.scan(
            Table::Profiles,
            Bound::Included(from.as_slice()),
            Bound::Unbounded,
            Order::Rising,
        )?;
        // Every profile's own row stands first; the next one begins after all that belongs to it.
        let found = scan.next(|key, value| match ProfileKey::read(key)? {
            ProfileKey::Profile(name) => {
                let connections = profile_rows::count(value)?;
                let name = name.parse().map_err(|_| StoreError::damaged("a profile's name"))?;
                Ok(Profile { name, connections })
            }
            _ => Err(StoreError::damaged("a profile without a row of its own")),
        })?;
        let Some(found) = found else { return Ok(Page { items, next_cursor: None }) };
        if items.len() == query.limit.items() {
            let next_cursor = items.last().map(|last| Cursor::after(List::Profiles, &last.name));
            return Ok(Page { items, next_cursor });
        }
        from = tables::after_profile(found.name.as_str());
        items.push(found);
    }
}

/// A page of proxies, by ID.
pub(crate) fn proxies(rows: Rows<'_>, query: &PageQuery) -> Result<Page<Proxy>, Error> {
    let after: Option<ProxyId> = Cursor::position(query.cursor.as_ref(), List::Proxies)?;
    let from = after.map(|id| tables::proxy(&id));
    let from = from.as_deref().map_or(Bound::Included(tables::ALL_PROXIES), Bound::Excluded);
    let end = after_prefix(tables::ALL_PROXIES);
    let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut scan = rows.scan(Table::Proxies, from, to, Order::Rising)?;
    let mut items: Vec<Proxy> = Vec::new();
    loop {
        let found = scan.next(|key, value| {
            let (connections, name) = codec::decode_proxy(value)?;
            Ok(Proxy { id: tables::proxy_id(key)?, name, connections })
        })?;
        let Some(found) = found else { return Ok(Page { items, next_cursor: None }) };
        if items.len() == query.limit.items() {
            let next_cursor = items.last().map(|last| Cursor::after(List::Proxies, &last.id));
            return Ok(Page { items, next_cursor });
        }
        items.push(found);
    }
}
