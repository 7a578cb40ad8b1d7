//! Checks that tables, indexes and counts agree.

use crate::StoreError;
use crate::codec;
use crate::feed::Feed;
use crate::query;
use crate::rows::{Order, Rows, View};
use crate::tables::{self, ProfileKey, Table};
use crate::{Change, Changes, ConnectionId, Domain, Error, ProfileName, Proxy};
use std::collections::BTreeMap;
use std::ops::Bound;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CheckReport {
    /// Connections read.
    pub connections: u64,
    /// Profiles read.
    pub profiles: u64,
    /// Proxies read.
    pub proxies: u64,
    /// Whether every page's checksum was verified too; not possible while the store is open for reading only
    /// or an iterator over it lives.
    pub pages_checked: bool,
    /// What does not agree; empty for a sound store. At most 100.
    pub problems: Vec<String>,
}

impl CheckReport {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn problem(&mut self, what: String) {
        if self.problems.len() < 100 {
            self.problems.push(what);
        }
    }
}

/// What walking the index of profiles adds up to.
#[derive(Default)]
struct Tally {
    pairs: u64,
    in_order: u64,
    /// The profile at hand: its name, what its row says, what was found.
    profile: Option<(String, u64, u64)>,
}

/// Reads every row once and looks up what it refers to.
pub(crate) fn check(view: &View, feed: &Feed) -> Result<CheckReport, StoreError> {
    let rows = Rows::of(view);
    let mut report = CheckReport::default();
    let mut proxy_uses = BTreeMap::new();
    check_connections(rows, &mut report, &mut proxy_uses)?;
    check_profiles(rows, &mut report)?;
    check_domains(rows, &mut report)?;
    check_proxies(rows, &mut report, &mut proxy_uses)?;
    check_state(rows, feed, &mut report)?;
    Ok(report)
}

fn all(rows: Rows<'_>, table: Table) -> Result<crate::rows::Scan<'_>, StoreError> {
    rows.scan(table, Bound::Unbounded, Bound::Unbounded, Order::Rising)
}

fn check_connections(
    rows: Rows<'_>,
    report: &mut CheckReport,
    proxy_uses: &mut BTreeMap<String, u64>,
) -> Result<(), StoreError> {
    let last = (rows.state().last_id.ms, rows.state().last_id.order);
    let mut scan = all(rows, Table::Connections)?;
    while let Some(found) = scan.next(|key, value| {
        let id = tables::trailing_id(key)?;
        Ok((id, codec::decode_record(id, value)))
    })? {
        report.connections += 1;
        let (id, record) = found;
        let connection = match record {
            Ok(record) => record.connection,
            Err(error) => {
                report.problem(format!("{id}: {error}"));
                continue;
            }
        };
        let (profile, domain) = (&connection.profile_name, &connection.domain);
        if id.route() != profile.route() {
            report.problem(format!("{id}: its route is not that of profile {profile}"));
        }
        if (id.unix_ms(), id.order()) > last {
            report.problem(format!("{id}: is beyond the last ID that was given out"));
        }
        if query::pair(rows, profile, domain)? != Some(id) {
            report.problem(format!("{id}: does not hold its pair ({profile}, {domain})"));
        }
        for (table, key) in [
            (Table::Profiles, tables::with_id(&tables::profile_order(profile), id)),
            (Table::Domains, tables::with_id(&tables::domain_order(domain), id)),
        ] {
            if rows.get(table, &key, |_| ())?.is_none() {
                report.problem(format!("{id}: is missing from the index of {}", table.name()));
            }
        }
        if let Some(proxy_id) = connection.proxy_id {
            *proxy_uses.entry(proxy_id.to_string()).or_default() += 1;
        }
    }
    Ok(())
}

fn check_profiles(rows: Rows<'_>, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut tally = Tally::default();
    let mut scan = all(rows, Table::Profiles)?;
    while let Some(found) = scan.next(|key, value| {
        Ok(match ProfileKey::read(key)? {
            ProfileKey::Profile(name) => Found::Profile(name.into(), codec::decode_count(value)?),
            ProfileKey::Pair(name, domain) => {
                Found::Pair(name.into(), domain.into(), tables::trailing_id(value)?)
            }
            ProfileKey::InOrder(name, id) => Found::InOrder(name.into(), id),
        })
    })? {
        let (name, id, domain) = match found {
            Found::Profile(name, says) => {
                report.profiles += 1;
                check_tally(tally.profile.replace((name, says, 0)), report);
                continue;
            }
            Found::Pair(name, domain, id) => {
                tally.pairs += 1;
                (name, id, Some(domain))
            }
            Found::InOrder(name, id) => {
                tally.in_order += 1;
                (name, id, None)
            }
        };
        match &mut tally.profile {
            Some((profile, _, found)) if *profile == name => *found += u64::from(domain.is_some()),
            _ => report.problem(format!("profile {name}: has connections but no row")),
        }
        check_pair(rows, report, &name, domain.as_deref(), id)?;
    }
    check_tally(tally.profile, report);
    if tally.pairs != report.connections || tally.in_order != report.connections {
        report.problem(format!(
            "{} connections, but {} pairs and {} in the profiles' order",
            report.connections, tally.pairs, tally.in_order
        ));
    }
    Ok(())
}

/// A row of `profiles`, owned.
enum Found {
    Profile(String, u64),
    Pair(String, String, ConnectionId),
    InOrder(String, ConnectionId),
}

fn check_tally(profile: Option<(String, u64, u64)>, report: &mut CheckReport) {
    if let Some((name, says, found)) = profile {
        if says != found {
            report.problem(format!("profile {name}: says {says} connections, has {found}"));
        }
        if name.parse::<ProfileName>().is_err() {
            report.problem(format!("profile {name:?}: is no name of a profile"));
        }
    }
}

/// Whether the connection of an index entry is of this profile, and of this domain if one is given.
fn check_pair(
    rows: Rows<'_>,
    report: &mut CheckReport,
    name: &str,
    domain: Option<&str>,
    id: ConnectionId,
) -> Result<(), StoreError> {
    let agrees = query::record_bytes(rows, id, |bytes| {
        codec::pair_of(bytes)
            .is_ok_and(|(profile, of)| profile == name && domain.is_none_or(|domain| domain == of))
    })?;
    if agrees != Some(true) {
        report.problem(format!("profile {name}: its index names {id}, which is not its own"));
    }
    Ok(())
}

fn check_domains(rows: Rows<'_>, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut entries = 0;
    let mut scan = all(rows, Table::Domains)?;
    while let Some((key, id)) = scan.next(|key, _| Ok((key.to_vec(), tables::trailing_id(key)?)))? {
        entries += 1;
        let agrees = query::record_bytes(rows, id, |bytes| {
            let (_, domain) = codec::pair_of(bytes).ok()?;
            let domain: Domain = domain.parse().ok()?;
            Some(tables::with_id(&tables::domain_order(&domain), id) == key)
        })?;
        if agrees.flatten() != Some(true) {
            report.problem(format!("the index of domains names {id} where it does not belong"));
        }
    }
    if entries != report.connections {
        report.problem(format!(
            "{} connections, but {entries} in the domains' order",
            report.connections
        ));
    }
    Ok(())
}

fn check_proxies(
    rows: Rows<'_>,
    report: &mut CheckReport,
    uses: &mut BTreeMap<String, u64>,
) -> Result<(), StoreError> {
    let mut named = 0_u64;
    let mut entries = 0_u64;
    let mut scan = all(rows, Table::Proxies)?;
    while let Some(proxy) = scan.next(|key, value| {
        if !key.starts_with(tables::ALL_PROXIES) {
            return Ok(None);
        }
        let (connections, name) = codec::decode_proxy(value)?;
        Ok(Some(Proxy { id: tables::proxy_id(key)?, name, connections }))
    })? {
        let Some(proxy) = proxy else {
            entries += 1;
            continue;
        };
        report.proxies += 1;
        let found = uses.remove(proxy.id.as_str()).unwrap_or(0);
        if found != proxy.connections {
            report.problem(format!(
                "proxy {}: says {} connections, has {found}",
                proxy.id, proxy.connections
            ));
        }
        if let Some(name) = &proxy.name {
            named += 1;
            if rows.get(Table::Proxies, &tables::named_proxy(name, &proxy.id), |_| ())?.is_none() {
                report.problem(format!("proxy {}: is missing from the index of names", proxy.id));
            }
        }
    }
    if named != entries {
        report.problem(format!("{named} proxies have names, but {entries} are in their index"));
    }
    for id in uses.keys() {
        report.problem(format!("proxy {id}: is used but not registered"));
    }
    Ok(())
}

fn check_state(rows: Rows<'_>, feed: &Feed, report: &mut CheckReport) -> Result<(), StoreError> {
    let state = rows.state();
    for (what, says, found) in [
        ("connections", state.connections, report.connections),
        ("profiles", state.profiles, report.profiles),
        ("proxies", state.proxies, report.proxies),
    ] {
        if says != found {
            report.problem(format!("the store says {says} {what}, and has {found}"));
        }
    }
    match feed.since(rows, feed.oldest().saturating_sub(1), usize::MAX) {
        Ok(Changes::Since(changes)) => {
            let mut expected = feed.oldest();
            for Change { seq, .. } in changes {
                if seq != expected {
                    report.problem(format!("change {seq} stands where {expected} should"));
                }
                expected = seq + 1;
            }
            if state.seq > 0 && expected != state.seq + 1 {
                report.problem(format!("the changes end before {}", state.seq));
            }
        }
        Err(Error::Failed(error)) if error.is_of_storage() => return Err(error),
        other => report.problem(format!("the changes cannot be read: {other:?}")),
    }
    Ok(())
}
