//! Checks that tables, indexes and counts agree.

use crate::Proxy;
use crate::StoreError;
use crate::codec;
use crate::domain_rows;
use crate::feed::Feed;
use crate::profile_rows;
use crate::query;
use crate::rows::{Rows, View};
use crate::tables::{self, Table};
use crate::{Change, Changes, Error};
use std::collections::BTreeMap;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CheckReport {
    /// Connections read.
    pub connections: u64,
    /// Profiles read.
    pub profiles: u64,
    /// Proxies read.
    pub proxies: u64,
    /// Whether every page's checksum was verified too; not possible in browsers and Workers while an iterator over
    /// the store lives.
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

/// Reads every row once and looks up what it refers to.
pub(crate) fn check(view: &View, feed: &Feed, report: &mut CheckReport) -> Result<(), StoreError> {
    let rows = Rows::of(view);
    let mut proxy_uses = BTreeMap::new();
    check_connections(rows, report, &mut proxy_uses)?;
    check_profiles(rows, report)?;
    check_domains(rows, report)?;
    check_proxies(rows, report, &mut proxy_uses)?;
    check_state(rows, feed, report)
}

fn check_connections(
    rows: Rows<'_>,
    report: &mut CheckReport,
    proxy_uses: &mut BTreeMap<String, u64>,
) -> Result<(), StoreError> {
    let last = (rows.state().last_id.ms, rows.state().last_id.order);
    let mut scan = rows.all(Table::Connections)?;
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
        if !profile_rows::lists(rows, profile, id)? {
            report.problem(format!("{id}: is missing from the index of profiles"));
        }
        if !domain_rows::lists(rows, domain, id)? {
            report.problem(format!("{id}: is missing from the index of domains"));
        }
        if let Some(proxy_id) = connection.proxy_id {
            *proxy_uses.entry(proxy_id.to_string()).or_default() += 1;
        }
    }
    Ok(())
}

fn check_profiles(rows: Rows<'_>, report: &mut CheckReport) -> Result<(), StoreError> {
    let found = profile_rows::check(rows, &mut |problem| report.problem(problem))?;
    report.profiles = found.profiles;
    if found.pairs != report.connections || found.in_order != report.connections {
        report.problem(format!(
            "{} connections, but {} pairs and {} in the profiles' order",
            report.connections, found.pairs, found.in_order
        ));
    }
    Ok(())
}

fn check_domains(rows: Rows<'_>, report: &mut CheckReport) -> Result<(), StoreError> {
    let entries = domain_rows::check(rows, &mut |problem| report.problem(problem))?;
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
    let mut scan = rows.all(Table::Proxies)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::engine::{Batch, Create, Op};
    use crate::rows::Effects;
    use crate::{ConnectionId, Limits, MemoryStorage, NewConnection, ProfileName, Stamp};

    /// Connections of `small` to four domains, and of `large` to twenty of which these are the first.
    fn sound() -> (Disk, Vec<ConnectionId>) {
        let disk = Disk::open(&MemoryStorage::default(), 1 << 20).unwrap();
        let view = View::of(disk.snapshot().unwrap());
        let limits = Limits::default();
        let stamps = || Stamp { now_ms: 1_750_000_000_000, random: 7 };
        let mut batch = Batch::new(&view, &limits, &stamps);
        for (profile, domains) in [("small", 4), ("large", 20)] {
            for n in 0..domains {
                let domain = format!("d{n}.example").parse().unwrap();
                let request = NewConnection::new(domain, profile.parse().unwrap());
                let create = Create { request, idempotency: None, ensure: false };
                batch.apply(Op::Create(Box::new(create))).unwrap();
            }
        }
        batch.apply(Op::RestoreProfile("none".parse().unwrap())).unwrap();
        let (effects, state) = batch.finish();
        let ids = effects.of(Table::Connections).keys();
        let ids = ids.map(|key| tables::trailing_id(key).unwrap()).collect();
        disk.commit(&effects, &state).unwrap();
        (disk, ids)
    }

    fn checked(disk: &Disk) -> Result<CheckReport, StoreError> {
        let view = View::of(disk.snapshot()?);
        let mut feed = Feed::open(&view.base)?;
        feed.begin_after(view.recent.state.seq);
        let mut report = CheckReport::default();
        check(&view, &feed, &mut report)?;
        Ok(report)
    }

    /// A row to be put or removed.
    type Damage = (Table, Vec<u8>, Option<Vec<u8>>);

    fn problems(damage: Vec<Damage>) -> Vec<String> {
        let (disk, _) = sound();
        let mut effects = Effects::default();
        for (table, key, value) in damage {
            match value {
                Some(value) => effects.put(table, key, value),
                None => effects.remove(table, key),
            }
        }
        let state = disk.snapshot().unwrap().state;
        disk.commit(&effects, &state).unwrap();
        match checked(&disk) {
            Ok(report) => report.problems,
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn every_kind_of_damage_is_told() {
        let (disk, ids) = sound();
        let report = checked(&disk).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.connections, report.profiles), (24, 3));

        let [small, large, none] =
            ["small", "large", "none"].map(|name| name.parse::<ProfileName>().unwrap());
        let entry = |n: usize, domain: &str| {
            let length = u8::try_from(domain.len()).unwrap();
            [ids[n].to_bytes().as_slice(), &[length], domain.as_bytes()].concat()
        };
        let domain = |n: usize| format!("d{n}.example");
        let entries = |which: &[(usize, usize)]| {
            let count = vec![u8::try_from(which.len()).unwrap()];
            let entries = which.iter().map(|&(n, of)| entry(n, &domain(of)));
            [count].into_iter().chain(entries).collect::<Vec<_>>().concat()
        };
        let spilled = |count: u8| vec![255, 0, 0, 0, 0, 0, 0, 0, count];
        let row = |of: &ProfileName, value| (Table::Profiles, tables::profile(of), value);
        let pair = |of: &ProfileName, n: usize, value| {
            (Table::Profiles, tables::pair(of, &domain(n)), value)
        };
        let order = |of: &ProfileName, n: usize, value| {
            (Table::Profiles, tables::with_id(&tables::profile_order(of), ids[n]), value)
        };
        let name = |n: usize, value| (Table::Domains, tables::domain_name(&domain(n)), value);
        let listed = |number: u32, n: usize, value| {
            (Table::Domains, tables::with_id(&tables::domain_order(number), ids[n]), value)
        };
        let id = |n: usize| Some(ids[n].to_bytes().to_vec());
        let number = |n: u32| Some(n.to_be_bytes().to_vec());
        let here = || Some(Vec::new());

        let cases: Vec<(&str, Vec<Damage>)> = vec![
            // A profile's own row: sound first, then less, more, others, twice, another order, cut, gone.
            ("", vec![row(&small, Some(entries(&[(0, 0), (1, 1), (2, 2), (3, 3)])))]),
            ("does not hold its pair", vec![row(&small, Some(entries(&[(0, 0), (1, 1), (2, 2)])))]),
            (
                "which is not its own",
                vec![row(&small, Some(entries(&[(0, 0), (1, 1), (2, 2), (3, 3), (4, 5)])))],
            ),
            (
                "does not hold its pair",
                vec![row(&small, Some(entries(&[(0, 0), (1, 1), (2, 2), (3, 4)])))],
            ),
            (
                "out of order",
                vec![row(&small, Some(entries(&[(0, 0), (1, 1), (2, 2), (3, 3), (3, 3)])))],
            ),
            ("out of order", vec![row(&small, Some(entries(&[(1, 1), (0, 0), (2, 2), (3, 3)])))]),
            ("malformed", vec![row(&small, Some(vec![1]))]),
            ("malformed", vec![row(&none, Some(vec![0, 0]))]),
            ("does not hold its pair", vec![row(&small, None)]),
            ("the store says 3 profiles", vec![row(&none, None)]),
            ("which is not its own", vec![row(&none, Some(entries(&[(0, 0)])))]),
            // A spilled profile's.
            ("says 19 connections", vec![row(&large, Some(spilled(19)))]),
            ("has none", vec![row(&none, Some(spilled(0)))]),
            ("says 4 connections, has 0 pairs", vec![row(&small, Some(spilled(4)))]),
            ("that its own row does not say", vec![row(&large, None)]),
            ("that its own row does not say", vec![row(&large, Some(vec![0]))]),
            ("does not hold its pair", vec![pair(&large, 7, None)]),
            ("does not hold its pair", vec![pair(&large, 7, id(0))]),
            ("has 21 pairs", vec![pair(&large, 30, id(9))]),
            ("missing from the index of profiles", vec![order(&large, 11, None)]),
            ("and 21 in order", vec![order(&large, 0, here())]),
            ("that its own row does not say", vec![pair(&small, 0, id(0))]),
            ("that its own row does not say", vec![order(&small, 0, here())]),
            // Domains.
            ("its number leads to", vec![name(30, number(20))]),
            ("which was not given out", vec![name(30, number(21))]),
            ("which was not given out", vec![name(30, number(0))]),
            ("has a number but no connections", vec![name(30, number(21))]),
            ("missing from the index of domains", vec![name(0, None)]),
            ("where it does not belong", vec![name(0, None)]),
            ("where it does not belong", vec![name(0, number(2))]),
            ("a domain without a number", vec![name(0, Some(vec![1]))]),
            ("missing from the index of domains", vec![listed(1, 0, None)]),
            ("where it does not belong", vec![listed(2, 0, here())]),
            ("25 in the domains' order", vec![listed(30, 0, here())]),
            ("malformed", vec![(Table::Domains, vec![3], here())]),
        ];
        for (expected, damage) in cases {
            let what = format!("{damage:?}");
            let found = problems(damage);
            if expected.is_empty() {
                assert!(found.is_empty(), "{what}: {found:?}");
            } else {
                assert!(found.iter().any(|one| one.contains(expected)), "{expected}: {found:#?}");
            }
        }
    }
}
