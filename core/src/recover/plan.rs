//! [`Plan`], what of all that was found goes into the new store, and what is told of the rest.

use super::Recovery;
use super::gather::Gathered;
use super::picture::{Found, Origin, Picture};
use super::trees::Trees;
use crate::codec::{self, Record};
use crate::engine::State;
use crate::profile_rows;
use crate::tables::{self, DomainKey, ProfileKey, Table};
use crate::{ConnectionId, ProfileName, ProxyId, ProxyName, StoreError};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

/// What goes into the new store.
pub(super) struct Plan {
    pub(super) proxies: BTreeMap<ProxyId, Option<ProxyName>>,
    pub(super) profiles: BTreeSet<ProfileName>,
    /// In rising order.
    pub(super) connections: Vec<ConnectionId>,
    /// What the new store begins with: the IDs and numbers that were given out.
    pub(super) state: State,
}

/// A record that can be read.
#[derive(Clone, Copy)]
struct Kept {
    is_certain: bool,
    origin: Origin,
}

/// A plan that is being made.
struct Planning<'a> {
    trees: &'a Trees<'a>,
    gathered: &'a Gathered,
    report: &'a mut Recovery,
    state: State,
    kept: BTreeMap<ConnectionId, Kept>,
    /// The proxies that connections use.
    used: BTreeSet<ProxyId>,
}

/// Decides what goes into the new store, and tells the rest.
pub(super) fn plan(trees: &Trees<'_>, gathered: &Gathered, report: &mut Recovery) -> Plan {
    report.is_newest = gathered.is_newest;
    report.problems.clone_from(&gathered.problems);
    let known = gathered.state.as_ref();
    let state = State {
        last_id: known.map(|state| state.last_id).unwrap_or_default(),
        seq: known.map_or(0, |state| state.seq),
        ..State::default()
    };
    let (kept, used) = (BTreeMap::new(), BTreeSet::new());
    let mut planning = Planning { trees, gathered, report, state, kept, used };
    planning.keep_records();
    planning.name_lost_records();
    let proxies = planning.proxies();
    let profiles = planning.profiles();
    planning.tell_unnamed(&proxies, &profiles);
    let Planning { state, kept, .. } = planning;
    Plan { proxies, profiles, connections: kept.into_keys().collect(), state }
}

/// The record of a connection, if it is intact.
pub(super) fn record(
    trees: &Trees<'_>,
    id: ConnectionId,
    found: &Found,
) -> Result<Record, StoreError> {
    let bytes = found.bytes(trees).ok_or_else(|| StoreError::damaged("it cannot be read again"))?;
    let record = codec::decode_record(id, &bytes)?;
    if record.connection.profile_name.route() != id.route() {
        return Err(StoreError::damaged("its ID is that of another profile"));
    }
    Ok(record)
}

/// Where a row that is not certain comes from, for a person.
fn doubt(origin: Origin) -> &'static str {
    match origin {
        Origin::Unreached => {
            "from a page that nothing leads to any more; may be older than what was lost"
        }
        Origin::Older => "from an earlier state of the tables; may be older than what was lost",
        Origin::Log => "from an earlier part of the log; may be older than what was lost",
        Origin::Tables => "from the tables; may be older than what was lost",
    }
}

impl<'a> Planning<'a> {
    fn table(&self, table: Table) -> &'a Picture {
        self.gathered.tables.of(table)
    }

    /// Chooses the records that are kept: of two that hold the same pair the certain one, or else the later one.
    fn keep_records(&mut self) {
        // Callers choose the names: what they hash to must not be theirs to choose.
        let (one, other) = (RandomState::new(), RandomState::new());
        let mut holders: HashMap<(u64, u64), ConnectionId> = HashMap::new();
        for (key, found) in self.table(Table::Connections).rows() {
            let Some(id) = ConnectionId::from_bytes(key) else {
                self.report.lost.add("a record under what is no ID".into());
                continue;
            };
            self.state.last_id.raise_to(id);
            let connection = match record(self.trees, id, found) {
                Ok(record) => record.connection,
                // Those that nothing leads to are decoded before they are taken.
                Err(error) => {
                    self.report.lost.add(format!("{id}: its record cannot be read: {error}"));
                    continue;
                }
            };
            let (profile, domain) = (&connection.profile_name, &connection.domain);
            if self.is_deleted(id, profile, found) {
                continue;
            }
            let kept = Kept { is_certain: found.is_certain, origin: found.origin };
            let pair = (profile.as_str(), domain.as_str());
            match holders.entry((one.hash_one(pair), other.hash_one(pair))) {
                Entry::Vacant(free) => drop(free.insert(id)),
                Entry::Occupied(mut taken) => {
                    let before = *taken.get();
                    let is_held = self.kept.get(&before).is_some_and(|kept| kept.is_certain);
                    let (out, holder) =
                        if is_held && !kept.is_certain { (id, before) } else { (before, id) };
                    self.report.problem(format!(
                        "{out} ({profile}, {domain}): left out, because {holder} holds the pair"
                    ));
                    if out == id {
                        continue;
                    }
                    self.kept.remove(&out);
                    taken.insert(holder);
                }
            }
            self.kept.insert(id, kept);
            self.used.extend(connection.proxy_id);
        }
        let kept = std::mem::take(&mut self.kept);
        for (id, Kept { is_certain, origin }) in &kept {
            self.report.found.count(*origin);
            if !is_certain {
                self.report.doubtful.add(format!("{id}: {}", doubt(*origin)));
            }
        }
        self.kept = kept;
    }

    /// Whether a record was deleted after it was as it was found: its profile, as it was later, does not have it.
    fn is_deleted(&self, id: ConnectionId, profile: &ProfileName, found: &Found) -> bool {
        let rows = self.table(Table::Profiles);
        let key = tables::profile(profile);
        let Some(row) = rows.get(&key) else {
            return !found.is_certain && !rows.lost.hold(&key);
        };
        // Of what nothing leads to nobody knows how old it is.
        let is_earlier = found.revision > 0 && found.revision < row.revision;
        let is_later = is_earlier || (row.is_certain && !found.is_certain);
        if !is_later {
            return false;
        }
        let Some(bytes) = row.bytes(self.trees) else { return false };
        match profile_rows::entries(&bytes) {
            Ok(Some(entries)) => entries.iter().all(|(listed, _)| *listed != id),
            Ok(None) => {
                let key = tables::with_id(&tables::profile_order(profile), id);
                rows.get(&key).is_none() && !rows.lost.hold(&key)
            }
            Err(_) => false,
        }
    }

    /// Names the connections that an index lists and that are not there.
    fn name_lost_records(&mut self) {
        let mut lost: BTreeMap<ConnectionId, String> = BTreeMap::new();
        let connections = self.table(Table::Connections);
        // What an index said earlier may have been deleted since, unless the record is where nobody knows.
        let is_lost = |id: ConnectionId, by: &Found| {
            let key = id.to_bytes();
            connections.get(&key).is_none()
                && !connections.is_gone(&key)
                && (by.is_certain || connections.lost.hold(&key))
        };
        for (key, found) in self.table(Table::Profiles).rows() {
            match ProfileKey::read(key) {
                Ok(ProfileKey::Profile(name)) => {
                    let bytes = found.bytes(self.trees).unwrap_or_default();
                    let entries = profile_rows::entries(&bytes).ok().flatten().unwrap_or_default();
                    for (id, domain) in entries.into_iter().filter(|(id, _)| is_lost(*id, found)) {
                        lost.insert(id, format!(" ({name}, {domain})"));
                    }
                }
                Ok(ProfileKey::Pair(name, domain)) => {
                    let bytes = found.bytes(self.trees).unwrap_or_default();
                    if let Ok(id) = tables::trailing_id(&bytes)
                        && is_lost(id, found)
                    {
                        lost.insert(id, format!(" ({name}, {domain})"));
                    }
                }
                Ok(ProfileKey::InOrder(name, id)) if is_lost(id, found) => {
                    lost.entry(id).or_insert_with(|| format!(" ({name})"));
                }
                _ => {}
            }
        }
        let mut of_domains: BTreeMap<u32, Vec<ConnectionId>> = BTreeMap::new();
        for (key, found) in self.table(Table::Domains).rows() {
            if let Ok(DomainKey::InOrder(number, id)) = DomainKey::read(key)
                && is_lost(id, found)
                && !lost.contains_key(&id)
            {
                of_domains.entry(number).or_default().push(id);
            }
        }
        for (key, found) in self.table(Table::Domains).rows() {
            if of_domains.is_empty() {
                break;
            }
            let number = found.bytes(self.trees).and_then(|row| tables::domain_number(&row).ok());
            if let (Ok(DomainKey::Name(domain)), Some(number)) = (DomainKey::read(key), number) {
                for id in of_domains.remove(&number).unwrap_or_default() {
                    lost.insert(id, format!(" ({domain})"));
                }
            }
        }
        lost.extend(of_domains.into_values().flatten().map(|id| (id, String::new())));
        for (id, what) in lost {
            self.state.last_id.raise_to(id);
            self.report.lost.add(format!("{id}{what}: its record is lost"));
        }
    }

    /// The proxies, with those whose names or connections alone are there.
    fn proxies(&mut self) -> BTreeMap<ProxyId, Option<ProxyName>> {
        let rows = self.table(Table::Proxies);
        let mut proxies = BTreeMap::new();
        for (key, found) in rows.beginning_with(tables::ALL_PROXIES) {
            let row = found.bytes(self.trees);
            let row = row.map(|row| Ok((tables::proxy_id(key)?, codec::decode_proxy(&row)?.1)));
            match row {
                Some(Ok::<_, StoreError>((id, name))) => {
                    if !found.is_certain {
                        self.report.doubtful.add(format!("proxy {id}: {}", doubt(found.origin)));
                    }
                    proxies.insert(id, name);
                }
                Some(Err(error)) => {
                    self.report.lost.add(format!("a proxy cannot be read: {error}"));
                }
                None => {}
            }
        }
        for (key, found) in rows.rows() {
            let Some((name, id)) = tables::name_and_proxy(key) else { continue };
            if !proxies.contains_key(&id) && rows.lost.hold(&tables::proxy(&id)) {
                if !found.is_certain {
                    self.report.doubtful.add(format!("proxy {id}: {}", doubt(found.origin)));
                }
                proxies.insert(id, Some(name));
            }
        }
        for id in std::mem::take(&mut self.used) {
            if let std::collections::btree_map::Entry::Vacant(free) = proxies.entry(id) {
                let id = free.key();
                self.report.lost.add(format!(
                    "proxy {id}: its row is lost; connections use it, so it is registered again, without a name"
                ));
                free.insert(None);
            }
        }
        proxies
    }

    /// The profiles that have rows of their own, and where some of these are lost those of connections.
    fn profiles(&mut self) -> BTreeSet<ProfileName> {
        let rows = self.table(Table::Profiles);
        let (mut profiles, mut certain) = (BTreeSet::new(), BTreeSet::new());
        for (id, kept) in self.kept.iter().filter(|_| !rows.lost.is_empty()) {
            let found = self.table(Table::Connections).get(&id.to_bytes());
            let record = found.and_then(|found| record(self.trees, *id, found).ok());
            let name = record.map(|record| record.connection.profile_name);
            let which = if kept.is_certain { &mut certain } else { &mut profiles };
            which.extend(name);
        }
        for (key, found) in rows.rows() {
            let Ok(ProfileKey::Profile(name)) = ProfileKey::read(key) else { continue };
            match name.parse::<ProfileName>() {
                Ok(name) => {
                    // One with connections is there, whatever its row is.
                    if !found.is_certain && !certain.contains(&name) {
                        let doubt = doubt(found.origin);
                        self.report.doubtful.add(format!("profile {name}: {doubt}"));
                    }
                    profiles.insert(name);
                }
                Err(problem) => self.report.problem(format!("a profile: {problem}")),
            }
        }
        profiles.append(&mut certain);
        profiles
    }

    /// Tells of which things more may be lost than was named: pages of theirs are, and the counts do not say that
    /// everything is there.
    fn tell_unnamed(
        &mut self,
        proxies: &BTreeMap<ProxyId, Option<ProxyName>>,
        profiles: &BTreeSet<ProfileName>,
    ) {
        let is_lost = |table: Table| !self.table(table).lost.is_empty();
        let known = self.gathered.state.as_ref().filter(|_| self.gathered.is_newest);
        let is_certain = self.report.doubtful.count == 0;
        let are_all = |count: usize, says: fn(&State) -> u64| {
            is_certain && known.is_some_and(|state| says(state) == count as u64)
        };
        let mut unnamed = Vec::new();
        // Either index names every connection.
        let is_named = !is_lost(Table::Profiles) || !is_lost(Table::Domains);
        if is_lost(Table::Connections)
            && !is_named
            && !are_all(self.kept.len(), |state| state.connections)
        {
            unnamed.push("connections");
        }
        if is_lost(Table::Profiles) && !are_all(profiles.len(), |state| state.profiles) {
            unnamed.push("profiles");
        }
        if is_lost(Table::Proxies) && !are_all(proxies.len(), |state| state.proxies) {
            unnamed.push("proxies");
        }
        self.report.unnamed = unnamed;
    }
}
