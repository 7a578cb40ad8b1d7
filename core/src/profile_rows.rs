//! The rows of a profile in `profiles`: the only file that knows which of its connections stand in its own row.
//!
//! While they are few they all do: conflict, find and list are one look-up, a create writes one row. Every create
//! writes that row anew, so a profile with many is **spilled**: its row keeps the number alone, and every pair
//! and every place in the order is a row of its own. It stays so until it has no connections left, or one that
//! goes up and down at the border would be written over and over.
//!
//! The row's value:
//!
//! | first byte | then |
//! | --- | --- |
//! | 0 to 16, the number of connections | for each, in ID order: ID, length of the domain (one byte), domain |
//! | 255: spilled | the number of connections in eight bytes, the greatest first |

use crate::codec;
use crate::query;
use crate::rows::{Order, Rows, Scan};
use crate::tables::{self, ProfileKey, RowChanges, Table};
use crate::walk::{Ids, Step};
use crate::{ConnectionId, Domain, ProfileName, StoreError};

/// At most this many connections stand in a profile's own row.
const OWN_ROW_MAX: usize = 16;
/// No such row is longer.
const OWN_ROW_MAX_BYTES: usize = 1024;
/// In place of a number of connections.
const SPILLED: u8 = u8::MAX;

/// The row of a profile without connections.
pub(crate) const EMPTY: &[u8] = &[0];

fn malformed() -> StoreError {
    StoreError::damaged("the row of a profile is malformed")
}

/// A connection in its profile's row.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    id: ConnectionId,
    domain: &'a str,
}

/// The row of a profile, where it lies.
enum ProfileRow<'a> {
    /// All connections stand in it.
    Few(Entries<'a>),
    /// So many have rows of their own.
    Spilled(u64),
}

impl<'a> ProfileRow<'a> {
    fn read(value: &'a [u8]) -> Result<Self, StoreError> {
        match value.split_first() {
            Some((&SPILLED, count)) => {
                let count = count.try_into().map_err(|_| malformed())?;
                Ok(Self::Spilled(u64::from_be_bytes(count)))
            }
            Some((&count, rest)) if usize::from(count) <= OWN_ROW_MAX => {
                Ok(Self::Few(Entries { left: count, rest }))
            }
            _ => Err(malformed()),
        }
    }
}

/// The entries still to be read.
struct Entries<'a> {
    left: u8,
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    fn next(&mut self) -> Result<Option<Entry<'a>>, StoreError> {
        let Some(left) = self.left.checked_sub(1) else {
            return if self.rest.is_empty() { Ok(None) } else { Err(malformed()) };
        };
        let (entry, rest) = split_entry(self.rest).ok_or_else(malformed)?;
        *self = Self { left, rest };
        Ok(Some(entry))
    }

    fn all(mut self) -> Result<Vec<Entry<'a>>, StoreError> {
        let mut entries = Vec::with_capacity(usize::from(self.left) + 1);
        while let Some(entry) = self.next()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    fn holder(mut self, domain: &str) -> Result<Option<ConnectionId>, StoreError> {
        while let Some(entry) = self.next()? {
            if entry.domain == domain {
                return Ok(Some(entry.id));
            }
        }
        Ok(None)
    }
}

fn ids_of(entries: Entries<'_>) -> Result<Vec<ConnectionId>, StoreError> {
    Ok(entries.all()?.iter().map(|entry| entry.id).collect())
}

fn split_entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    let (&length, rest) = rest.split_first()?;
    let (domain, rest) = rest.split_at_checked(length.into())?;
    let id = ConnectionId::from_bytes(id)?;
    Some((Entry { id, domain: std::str::from_utf8(domain).ok()? }, rest))
}

/// The row in which all of `entries` stand; `None` where they are too many for one.
fn own_row(entries: &[Entry<'_>]) -> Option<Vec<u8>> {
    if entries.len() > OWN_ROW_MAX {
        return None;
    }
    let mut row = vec![u8::try_from(entries.len()).ok()?];
    for Entry { id, domain } in entries {
        row.extend(id.to_bytes());
        row.push(u8::try_from(domain.len()).ok()?);
        row.extend(domain.as_bytes());
    }
    (row.len() <= OWN_ROW_MAX_BYTES).then_some(row)
}

fn spilled_row(connections: u64) -> Vec<u8> {
    [&[SPILLED], connections.to_be_bytes().as_slice()].concat()
}

/// The number of connections that a profile's row tells.
pub(crate) fn count(row: &[u8]) -> Result<u64, StoreError> {
    Ok(match ProfileRow::read(row)? {
        ProfileRow::Few(entries) => entries.left.into(),
        ProfileRow::Spilled(count) => count,
    })
}

/// The connections that stand in a profile's row, each with its domain; `None` where it is spilled.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) fn entries(row: &[u8]) -> Result<Option<Vec<(ConnectionId, &str)>>, StoreError> {
    match ProfileRow::read(row)? {
        ProfileRow::Few(entries) => {
            let entries = entries.all()?;
            Ok(Some(entries.into_iter().map(|entry| (entry.id, entry.domain)).collect()))
        }
        ProfileRow::Spilled(_) => Ok(None),
    }
}

/// What `read` makes of a profile's connections if they stand in its own row; `None` where it is spilled.
fn in_own_row<T>(
    rows: Rows<'_>,
    name: &ProfileName,
    read: impl Fn(Entries<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let look = |row: &[u8]| match ProfileRow::read(row)? {
        ProfileRow::Few(entries) => read(entries).map(Some),
        ProfileRow::Spilled(_) => Ok(None),
    };
    match rows.read(Table::Profiles, &tables::profile(name), look)? {
        Some(found) => Ok(found),
        // A profile that is not there has no connections.
        None => look(EMPTY),
    }
}

/// The connection that holds the pair.
pub(crate) fn holder(
    rows: Rows<'_>,
    name: &ProfileName,
    domain: &Domain,
) -> Result<Option<ConnectionId>, StoreError> {
    Ok(match place(rows, name, domain)? {
        Place::Taken(id) => Some(id),
        Place::Free(_) => None,
    })
}

/// How a pair stands.
pub(crate) enum Place {
    /// This connection holds it.
    Taken(ConnectionId),
    /// It is free; this is the profile's row, if the profile is there.
    Free(Option<Vec<u8>>),
}

/// How the pair stands, with what it takes to put a connection there.
pub(crate) fn place(
    rows: Rows<'_>,
    name: &ProfileName,
    domain: &Domain,
) -> Result<Place, StoreError> {
    let found = rows.read(Table::Profiles, &tables::profile(name), |row| {
        let (holder, is_spilled) = match ProfileRow::read(row)? {
            ProfileRow::Few(entries) => (entries.holder(domain.as_str())?, false),
            ProfileRow::Spilled(_) => (None, true),
        };
        let place = holder.map_or_else(|| Place::Free(Some(row.to_vec())), Place::Taken);
        Ok((place, is_spilled))
    })?;
    let (place, is_spilled) = found.unwrap_or((Place::Free(None), false));
    if is_spilled {
        let key = tables::pair(name, domain.as_str());
        let holder = rows.read(Table::Profiles, &key, tables::trailing_id)?;
        return Ok(holder.map_or(place, Place::Taken));
    }
    Ok(place)
}

/// What changes with a new connection of a profile whose row this is.
pub(crate) fn add(
    row: Option<&[u8]>,
    name: &ProfileName,
    domain: &Domain,
    id: ConnectionId,
) -> Result<RowChanges, StoreError> {
    add_to(row.unwrap_or(EMPTY), name, Entry { id, domain: domain.as_str() })
}

fn add_to(row: &[u8], name: &ProfileName, new: Entry<'_>) -> Result<RowChanges, StoreError> {
    let entries = match ProfileRow::read(row)? {
        ProfileRow::Spilled(count) => {
            let count = count.checked_add(1).ok_or_else(malformed)?;
            let mut changes = vec![(tables::profile(name), Some(spilled_row(count)))];
            changes.extend(rows_of(name, new));
            return Ok(changes);
        }
        ProfileRow::Few(entries) => {
            let mut entries = entries.all()?;
            // The newest goes last, but one from a dump may be older.
            let place = entries.partition_point(|entry| entry.id < new.id);
            entries.insert(place, new);
            entries
        }
    };
    if let Some(row) = own_row(&entries) {
        return Ok(vec![(tables::profile(name), Some(row))]);
    }
    let mut changes = vec![(tables::profile(name), Some(spilled_row(entries.len() as u64)))];
    changes.extend(entries.into_iter().flat_map(|entry| rows_of(name, entry)));
    Ok(changes)
}

/// The rows of a connection of a spilled profile.
fn rows_of(name: &ProfileName, Entry { id, domain }: Entry<'_>) -> RowChanges {
    vec![
        (tables::pair(name, domain), Some(id.to_bytes().to_vec())),
        (tables::with_id(&tables::profile_order(name), id), Some(Vec::new())),
    ]
}

/// What changes when a connection goes.
pub(crate) fn remove(
    rows: Rows<'_>,
    name: &ProfileName,
    domain: &Domain,
    id: ConnectionId,
) -> Result<RowChanges, StoreError> {
    let old = Entry { id, domain: domain.as_str() };
    rows.read(Table::Profiles, &tables::profile(name), |row| remove_from(row, name, old))?
        .ok_or_else(|| missing(id))
}

fn remove_from(row: &[u8], name: &ProfileName, old: Entry<'_>) -> Result<RowChanges, StoreError> {
    let profile = tables::profile(name);
    match ProfileRow::read(row)? {
        ProfileRow::Few(entries) => {
            let mut entries = entries.all()?;
            let place = entries.iter().position(|entry| entry.id == old.id);
            entries.remove(place.ok_or_else(|| missing(old.id))?);
            Ok(vec![(profile, Some(own_row(&entries).ok_or_else(malformed)?))])
        }
        ProfileRow::Spilled(count) => {
            let row = match count.checked_sub(1).ok_or_else(|| missing(old.id))? {
                0 => EMPTY.to_vec(),
                count => spilled_row(count),
            };
            let gone = rows_of(name, old).into_iter().map(|(key, _)| (key, None));
            Ok([(profile, Some(row))].into_iter().chain(gone).collect())
        }
    }
}

fn missing(id: ConnectionId) -> StoreError {
    StoreError::damaged(format!("{id} is missing from its profile"))
}

/// The connections of a profile that are older than `before`.
pub(crate) fn ids<'a>(
    rows: Rows<'a>,
    name: &ProfileName,
    before: Option<ConnectionId>,
) -> Result<Ids<'a>, StoreError> {
    match in_own_row(rows, name, ids_of)? {
        Some(mut ids) => {
            ids.retain(|&id| before.is_none_or(|before| id < before));
            Ok(Ids::Listed(ids))
        }
        None => Ids::below(rows, Table::Profiles, &tables::profile_order(name), before),
    }
}

/// Whether the connection is among those of the profile.
pub(crate) fn lists(
    rows: Rows<'_>,
    name: &ProfileName,
    id: ConnectionId,
) -> Result<bool, StoreError> {
    if let Some(ids) = in_own_row(rows, name, ids_of)? {
        return Ok(ids.contains(&id));
    }
    let key = tables::with_id(&tables::profile_order(name), id);
    Ok(rows.get(Table::Profiles, &key, |_| ())?.is_some())
}

/// A walk through the connections of all profiles whose names begin alike.
pub(crate) struct Named<'a> {
    scan: Scan<'a>,
    /// Those of the row at hand that are still to come.
    ids: Vec<ConnectionId>,
}

impl<'a> Named<'a> {
    pub(crate) fn new(rows: Rows<'a>, beginning: &str) -> Result<Self, StoreError> {
        let scan = rows.scan_prefix(Table::Profiles, beginning.as_bytes(), Order::Rising)?;
        Ok(Self { scan, ids: Vec::new() })
    }

    pub(crate) fn step(&mut self) -> Result<Step, StoreError> {
        if let Some(id) = self.ids.pop() {
            return Ok(Step::Id(id));
        }
        let found = self.scan.next(|key, value| match ProfileKey::read(key)? {
            ProfileKey::Profile(_) => match ProfileRow::read(value)? {
                ProfileRow::Few(entries) => ids_of(entries),
                ProfileRow::Spilled(_) => Ok(Vec::new()),
            },
            ProfileKey::Pair(..) => Ok(Vec::new()),
            ProfileKey::InOrder(_, id) => Ok(vec![id]),
        })?;
        let Some(ids) = found else { return Ok(Step::End) };
        self.ids = ids;
        Ok(Step::from(self.ids.pop()))
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) profiles: u64,
    pub(crate) pairs: u64,
    pub(crate) in_order: u64,
}

/// What a check makes of a row.
enum Found {
    Few(String, Vec<(ConnectionId, String)>, usize),
    Spilled(String, u64),
    Pair(String, String, ConnectionId),
    InOrder(String, ConnectionId),
}

impl Found {
    fn read(key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        Ok(match ProfileKey::read(key)? {
            ProfileKey::Profile(name) => match ProfileRow::read(value)? {
                ProfileRow::Few(entries) => {
                    let entries = entries.all()?;
                    let owned = entries.iter().map(|entry| (entry.id, entry.domain.to_owned()));
                    Self::Few(name.into(), owned.collect(), value.len())
                }
                ProfileRow::Spilled(count) => Self::Spilled(name.into(), count),
            },
            ProfileKey::Pair(name, domain) => {
                Self::Pair(name.into(), domain.into(), tables::trailing_id(value)?)
            }
            ProfileKey::InOrder(name, id) => Self::InOrder(name.into(), id),
        })
    }
}

/// A spilled profile whose rows are being read.
struct SpilledProfile {
    name: String,
    says: u64,
    pairs: u64,
    in_order: u64,
}

impl SpilledProfile {
    fn check(self, problem: &mut impl FnMut(String)) {
        let Self { name, says, pairs, in_order } = self;
        if says == 0 {
            problem(format!("profile {name}: is laid out for many connections and has none"));
        }
        if (pairs, in_order) != (says, says) {
            problem(format!(
                "profile {name}: says {says} connections, has {pairs} pairs and {in_order} in order"
            ));
        }
    }
}

/// Reads every row and looks up what it refers to.
pub(crate) fn check(rows: Rows<'_>, problem: &mut impl FnMut(String)) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    let mut spilled: Option<SpilledProfile> = None;
    let mut scan = rows.all(Table::Profiles)?;
    while let Some(found) = scan.next(Found::read)? {
        if let Found::Few(name, ..) | Found::Spilled(name, _) = &found {
            tally.profiles += 1;
            if name.parse::<ProfileName>().is_err() {
                problem(format!("profile {name:?}: is no name of a profile"));
            }
            if let Some(before) = spilled.take() {
                before.check(problem);
            }
        }
        match found {
            Found::Few(name, entries, bytes) => {
                let count = entries.len() as u64;
                tally.pairs += count;
                tally.in_order += count;
                if bytes > OWN_ROW_MAX_BYTES {
                    problem(format!("profile {name}: its row is {bytes} bytes long"));
                }
                if !entries.is_sorted_by(|(one, _), (next, _)| one < next) {
                    problem(format!("profile {name}: its connections are out of order"));
                }
                for (id, domain) in &entries {
                    check_entry(rows, problem, &name, Some(domain), *id)?;
                }
            }
            Found::Spilled(name, says) => {
                spilled = Some(SpilledProfile { name, says, pairs: 0, in_order: 0 });
            }
            Found::Pair(name, domain, id) => {
                tally.pairs += 1;
                if let Some(profile) = spilled_of(&mut spilled, &name, problem) {
                    profile.pairs += 1;
                }
                check_entry(rows, problem, &name, Some(&domain), id)?;
            }
            Found::InOrder(name, id) => {
                tally.in_order += 1;
                if let Some(profile) = spilled_of(&mut spilled, &name, problem) {
                    profile.in_order += 1;
                }
                check_entry(rows, problem, &name, None, id)?;
            }
        }
    }
    if let Some(last) = spilled {
        last.check(problem);
    }
    Ok(tally)
}

/// The spilled profile at hand, if a row of profile `name` belongs to it.
fn spilled_of<'a>(
    spilled: &'a mut Option<SpilledProfile>,
    name: &str,
    problem: &mut impl FnMut(String),
) -> Option<&'a mut SpilledProfile> {
    let profile = spilled.as_mut().filter(|profile| profile.name == name);
    if profile.is_none() {
        problem(format!("profile {name}: has rows for connections that its own row does not say"));
    }
    profile
}

/// Whether the connection of an entry is of this profile, and of this domain if one is given.
fn check_entry(
    rows: Rows<'_>,
    problem: &mut impl FnMut(String),
    name: &str,
    domain: Option<&str>,
    id: ConnectionId,
) -> Result<(), StoreError> {
    let agrees = query::record_bytes(rows, id, |bytes| {
        codec::pair_of(bytes)
            .is_ok_and(|(profile, of)| profile == name && domain.is_none_or(|domain| domain == of))
    })?;
    if agrees != Some(true) {
        problem(format!("profile {name}: its index names {id}, which is not its own"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::rows::{Effects, View};
    use crate::{ListQuery, MemoryStorage, NewConnection, PageLimit, PageQuery, Store, fixtures};

    fn nothing() -> View {
        let storage = MemoryStorage::default();
        View::of(Disk::open(&storage, 1 << 20).unwrap().snapshot().unwrap())
    }

    fn id(n: u8) -> ConnectionId {
        ConnectionId::from_bytes(&[n; 16]).unwrap()
    }

    fn domain(n: u8) -> Domain {
        format!("d{n}.example").parse().unwrap()
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn rows_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("profile") {
            let name: ProfileName = fixture.text("profile_name").parse().unwrap();
            assert_eq!(tables::profile(&name), fixture.key);
            let Some(entries) = fixture.means["connections"].as_array() else {
                let connections = fixture.number("spilled");
                assert_eq!(spilled_row(connections), fixture.bytes);
                assert_eq!(count(&fixture.bytes).unwrap(), connections);
                continue;
            };
            let mut row = EMPTY.to_vec();
            for entry in entries {
                let new = Entry { id: fixtures::id(&entry[0]), domain: fixtures::text(&entry[1]) };
                let changes = add_to(&row, &name, new).unwrap();
                row = changes.into_iter().next().unwrap().1.unwrap();
            }
            assert_eq!(row, fixture.bytes, "{}", fixture.name);
            assert_eq!(count(&row).unwrap(), entries.len() as u64);
        }
        for fixture in fixtures::of_kind("profile_pair") {
            let name = fixture.text("profile_name").parse().unwrap();
            let domain = fixture.text("domain");
            assert_eq!(tables::pair(&name, domain), fixture.key);
            assert_eq!(tables::trailing_id(&fixture.bytes).unwrap(), fixture.id());
            let entry = Entry { id: fixture.id(), domain };
            assert!(rows_of(&name, entry).contains(&(fixture.key, Some(fixture.bytes))));
        }
        for fixture in fixtures::of_kind("profile_order") {
            let name = fixture.text("profile_name").parse().unwrap();
            assert_eq!(tables::with_id(&tables::profile_order(&name), fixture.id()), fixture.key);
            let entry = Entry { id: fixture.id(), domain: "a.com" };
            assert!(rows_of(&name, entry).contains(&(fixture.key, Some(fixture.bytes))));
        }
    }

    /// A profile over no store: only what was done to it is there.
    struct Profile {
        view: View,
        effects: Effects,
        name: ProfileName,
    }

    impl Profile {
        fn new() -> Self {
            let name = "user-123".parse().unwrap();
            Self { view: nothing(), effects: Effects::default(), name }
        }

        fn rows(&self) -> Rows<'_> {
            Rows::with(&self.view, &self.effects)
        }

        fn apply(&mut self, changes: RowChanges) {
            for (key, value) in changes {
                match value {
                    Some(value) => self.effects.put(Table::Profiles, key, value),
                    None => self.effects.remove(Table::Profiles, key),
                }
            }
        }

        /// Adds connection `n`; returns whether it was the first of the profile.
        fn add(&mut self, n: u8, domain: &Domain) -> bool {
            assert_eq!(holder(self.rows(), &self.name, domain).unwrap(), None);
            let Place::Free(row) = place(self.rows(), &self.name, domain).unwrap() else {
                panic!("nobody holds it")
            };
            self.apply(add(row.as_deref(), &self.name, domain, id(n)).unwrap());
            let taken = place(self.rows(), &self.name, domain).unwrap();
            assert!(matches!(taken, Place::Taken(holder) if holder == id(n)));
            assert_eq!(holder(self.rows(), &self.name, domain).unwrap(), Some(id(n)));
            assert!(lists(self.rows(), &self.name, id(n)).unwrap());
            row.is_none()
        }

        fn remove(&mut self, n: u8) {
            let changes = remove(self.rows(), &self.name, &domain(n), id(n)).unwrap();
            self.apply(changes);
            assert_eq!(holder(self.rows(), &self.name, &domain(n)).unwrap(), None);
            assert!(!lists(self.rows(), &self.name, id(n)).unwrap());
        }

        fn row(&self) -> Vec<u8> {
            let key = tables::profile(&self.name);
            self.rows().get(Table::Profiles, &key, <[u8]>::to_vec).unwrap().unwrap()
        }

        /// How many rows there are, and whether they are those of a spilled profile.
        fn shape(&self) -> (usize, bool) {
            let rows = self.effects.of(Table::Profiles).values().flatten().count();
            (rows, self.row()[0] == SPILLED)
        }

        /// All that a reader can be told agrees with this.
        fn assert_holds(&self, expected: impl IntoIterator<Item = u8>) {
            let mut expected: Vec<_> = expected.into_iter().map(id).collect();
            expected.sort_unstable();
            assert_eq!(count(&self.row()).unwrap(), expected.len() as u64);
            let mut found = Vec::new();
            let mut walk = Named::new(self.rows(), "user-").unwrap();
            loop {
                match walk.step().unwrap() {
                    Step::Id(id) => found.push(id),
                    Step::Nothing => {}
                    Step::End => break,
                }
            }
            found.sort_unstable();
            assert_eq!(found, expected);
            expected.reverse();
            let below = |before| ids(self.rows(), &self.name, before).unwrap().take(1000).unwrap();
            assert_eq!(below(None), expected);
            for (n, &before) in expected.iter().enumerate() {
                assert_eq!(below(Some(before)), expected[n + 1..]);
            }
        }
    }

    /// Other bytes are another format.
    #[test]
    fn the_row_is_these_bytes() {
        let mut profile = Profile::new();
        assert!(profile.add(9, &"netflix.com".parse().unwrap()));
        assert!(!profile.add(7, &"a.co".parse().unwrap()));
        let few = [&[2], [7; 16].as_slice(), &[4], b"a.co", &[9; 16], &[11], b"netflix.com"];
        assert_eq!(profile.row(), few.concat());
        assert_eq!(spilled_row(0x0102), [255, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(own_row(&[]).unwrap(), EMPTY);
    }

    #[test]
    fn the_seventeenth_connection_spills_a_profile() {
        let mut profile = Profile::new();
        for n in 1..=16 {
            profile.add(n, &domain(n));
            assert_eq!(profile.shape(), (1, false));
            profile.assert_holds(1..=n);
        }
        for n in 17..=20 {
            profile.add(n, &domain(n));
            assert_eq!(profile.shape(), (1 + 2 * usize::from(n), true));
            profile.assert_holds(1..=n);
        }
    }

    #[test]
    fn a_row_of_more_than_1024_bytes_spills_a_profile() {
        let long = |n: u8, length: usize| -> Domain {
            let text = format!("{n}.{}", "abcdefg.".repeat(32));
            format!("{}zz", &text[..length - 2]).parse().unwrap()
        };
        // One byte, and 17 beside every domain: 1 + 4 * 17 + 955 = 1024.
        for (last, shape) in [(205, (1, false)), (206, (9, true))] {
            let mut profile = Profile::new();
            for (n, length) in [(1, 250), (2, 250), (3, 250), (4, last)] {
                let domain = long(n, length);
                assert_eq!(domain.as_str().len(), length);
                profile.add(n, &domain);
            }
            assert_eq!(profile.shape(), shape);
            profile.assert_holds(1..=4);
        }
    }

    #[test]
    fn a_spilled_profile_stays_so_until_it_is_empty() {
        let mut profile = Profile::new();
        for n in 1..=17 {
            profile.add(n, &domain(n));
        }
        for n in 1..=16 {
            profile.remove(n);
            assert_eq!(profile.shape(), (1 + 2 * usize::from(17 - n), true));
            profile.assert_holds(n + 1..=17);
        }
        profile.remove(17);
        assert_eq!((profile.shape(), profile.row()), ((1, false), EMPTY.to_vec()));
        profile.assert_holds([]);
        // Up again, with the older ones coming later, as in a dump that was put together by hand.
        for n in (1..=17).rev() {
            assert!(!profile.add(n, &domain(n)), "the profile was there all the time");
            profile.assert_holds(n..=17);
        }
        assert_eq!(profile.shape(), (35, true));
    }

    #[test]
    fn what_is_not_there_cannot_be_removed() {
        let mut profile = Profile::new();
        let gone = |profile: &Profile| {
            remove(profile.rows(), &profile.name, &domain(99), id(99)).unwrap_err()
        };
        assert!(matches!(gone(&profile), StoreError::Damaged(_)));
        profile.add(1, &domain(1));
        assert!(matches!(gone(&profile), StoreError::Damaged(_)));
    }

    #[test]
    fn damage_is_an_error_wherever_it_falls() {
        let mut profile = Profile::new();
        for n in 1..=3 {
            profile.add(n, &domain(n));
        }
        let row = profile.row();
        let read = |row: &[u8]| match ProfileRow::read(row)? {
            ProfileRow::Few(entries) => entries.all().map(|entries| entries.len() as u64),
            ProfileRow::Spilled(count) => Ok(count),
        };
        assert_eq!(read(&row).unwrap(), 3);
        for length in 0..row.len() {
            assert!(read(&row[..length]).is_err(), "cut at {length}");
        }
        for first in [0, 2, 4, 17, 254, 255] {
            let mut other = row.clone();
            other[0] = first;
            assert!(read(&other).is_err(), "{first} connections");
        }
        assert!(read(&[row.as_slice(), &[0]].concat()).is_err());
        let spilled = spilled_row(u64::MAX);
        assert!(add_to(&spilled, &profile.name, Entry { id: id(1), domain: "a.com" }).is_err());
        assert!(read(&spilled[..8]).is_err());
    }

    #[test]
    fn a_profile_of_three_hundred_is_listed_in_pages() {
        let store = Store::in_memory().unwrap();
        let name: ProfileName = "user-123".parse().unwrap();
        let mut created: Vec<ConnectionId> = (0..300)
            .map(|n| {
                let domain = format!("d{n}.example").parse().unwrap();
                store.create(NewConnection::new(domain, name.clone())).unwrap().id()
            })
            .collect();
        created.reverse();
        let limit = PageLimit::new(7).unwrap();
        for query in [None, Some("user"), Some("d")] {
            let mut list = ListQuery {
                profile_name: Some(name.clone()),
                query: query.map(Into::into),
                page: PageQuery { limit, cursor: None },
                ..ListQuery::default()
            };
            let mut listed = Vec::new();
            loop {
                let page = store.list(&list).unwrap();
                listed.extend(page.items.iter().map(|connection| connection.id));
                list.page.cursor = page.next_cursor;
                if list.page.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(listed, created, "{query:?}");
        }
        assert!(store.check().unwrap().is_sound());
    }
}
