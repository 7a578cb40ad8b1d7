//! [`Gathered`], every row that can be found: in the tables, in the log, in older commits, in pages that nothing leads to.
//!
//! The tables as the last commit left them are the beginning, and what the log has after them goes over it. Where pages of
//! them are bad, what is known otherwise fills the place, the newest first: earlier batches of the log, commits before,
//! and any page that has the checksum by which a branch refers to it. Such a row is certain if all that happened after it
//! is known to be in the log.

use super::picture::{Found, Origin, Picture, Spans, Value};
use super::trees::{Catalog, Met, Row, Trees};
use crate::codec;
use crate::disk::{meta, read_log_mark};
use crate::engine::State;
use crate::log::LogMark;
use crate::log::salvage::{Salvage, salvage};
use crate::pages::{Definition, Root};
use crate::rows::Effects;
use crate::tables::{PerTable, ProfileKey, Table};
use crate::{ConnectionId, ProfileName, StoreError, tables};
use std::collections::BTreeMap;

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) tables: PerTable<Picture>,
    /// What the store last said of itself, if that is known.
    pub(super) state: Option<State>,
    /// Whether nothing was written after what is known of.
    pub(super) is_newest: bool,
    /// What of it is damaged.
    pub(super) problems: Vec<String>,
}

/// What the tables say of themselves.
#[derive(Debug, Clone, Default)]
struct Meta {
    format: Option<u32>,
    state: Option<State>,
    mark: Option<LogMark>,
    is_loading: bool,
    /// Whether all of it could be read.
    is_whole: bool,
}

/// A commit, with what it says of itself.
struct Commit {
    catalog: Catalog,
    meta: Meta,
}

impl Commit {
    /// Whether nothing was ever made in it: the making of a store was interrupted.
    fn is_blank(&self) -> bool {
        self.catalog.is_sure && self.catalog.tables.is_empty()
    }

    /// Whether all that it says of itself can be read.
    fn says_all(&self) -> bool {
        self.is_blank() || (self.meta.is_whole && self.meta.state.is_some())
    }

    /// Whether it says for sure how far it goes, and whether a log is needed.
    fn is_settled(&self) -> bool {
        self.catalog.is_sure && !self.is_blank() && self.says_all()
    }

    /// The batch up to which the tables have everything; 0 where that is not known.
    fn revision(&self) -> u64 {
        self.meta.state.as_ref().map_or(0, |state| state.revision)
    }
}

/// What the log has, read.
#[derive(Default)]
struct Batches {
    by_revision: BTreeMap<u64, (Effects, State)>,
    is_torn: bool,
    is_begun: bool,
}

impl Batches {
    fn read(log: &[u8], salvaged: Salvage, problems: &mut Vec<String>) -> Self {
        let mut by_revision = BTreeMap::new();
        for (revision, place) in salvaged.batches {
            match codec::decode_batch(log.get(place).unwrap_or_default()) {
                Ok(batch) => drop(by_revision.insert(revision, batch)),
                Err(error) => problems.push(format!("batch {revision} of the log: {error}")),
            }
        }
        Self { by_revision, is_torn: salvaged.is_torn, is_begun: salvaged.is_begun }
    }

    fn before_first(&self) -> u64 {
        self.by_revision.first_key_value().map_or(0, |(revision, _)| revision.saturating_sub(1))
    }

    fn last(&self) -> u64 {
        self.by_revision.last_key_value().map_or(0, |(revision, _)| *revision)
    }

    /// The batches after `revision` of which a later one tells, and that are not there.
    fn missing_after(&self, revision: u64) -> Vec<u64> {
        let mut missing = Vec::new();
        let mut expected = revision.saturating_add(1);
        for &there in self.by_revision.keys().filter(|&&there| there > revision) {
            // So many are more than anybody counts, and as many as a damaged number may say.
            missing.extend((expected..there).take(1000));
            expected = there.saturating_add(1);
        }
        missing
    }

    /// The revision after which all up to `end` are there.
    fn whole_since(&self, end: u64) -> u64 {
        let mut since = end;
        while since > 0 && self.by_revision.contains_key(&since) {
            since -= 1;
        }
        since
    }
}

/// Finds every row of a store whose tables and log these are.
pub(super) fn gather(trees: &Trees<'_>, log: Option<&[u8]>) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered::default();
    let (slots, is_last_known) = trees.slots();
    let mut commits: Vec<Commit> =
        slots.iter().map(|slot| commit(trees, trees.catalog(slot))).collect();
    if let Some(first) = commits.first() {
        refuse_foreign(first)?;
    }
    if !is_last_known {
        let what = "its header is damaged: which of its commits was the last cannot be told";
        gathered.problems.push(what.into());
    }
    let last = commits.first().filter(|_| is_last_known);
    let is_whole = gathered.read_last(trees, last);
    let mut leaves = Vec::new();
    if !is_whole {
        let (found, unreached) = trees.search();
        leaves = unreached;
        let found = found.into_iter().map(|catalog| commit(trees, catalog));
        let mut found: Vec<Commit> = found.filter(Commit::is_of_a_store).collect();
        found.sort_by_key(|commit| std::cmp::Reverse(commit.revision()));
        commits.extend(found);
    }
    let last = commits.first().filter(|_| is_last_known);
    let batches = gathered.read_log(last, &commits, log);
    let covered = gathered.lay_log_over(last, &commits, &batches);
    if !is_whole {
        gathered.fill(trees, last.is_some(), &commits, &batches, covered);
        for leaf in leaves {
            trees.rows_of(leaf, &mut |row| gathered.fill_unreached(row));
        }
    }
    let has_rows = [Table::Connections, Table::Profiles, Table::Proxies]
        .iter()
        .any(|&table| gathered.tables.of(table).rows().next().is_some());
    if has_rows || gathered.is_newest || gathered.state.is_some() {
        Ok(gathered)
    } else if slots.is_empty() {
        Err(StoreError::NotAStore("nothing of a store is intact in it".into()))
    } else {
        Err(StoreError::damaged("nothing of it is intact"))
    }
}

fn commit(trees: &Trees<'_>, catalog: Catalog) -> Commit {
    let mut meta = Meta { is_whole: catalog.tables.contains_key(meta::TABLE), ..Meta::default() };
    if let Some(root) = catalog.tables.get(meta::TABLE).and_then(|definition| definition.root) {
        trees.walk(root, None, &mut |met| match met {
            Met::Row(row) => meta.take(row),
            Met::Lost(..) => meta.is_whole = false,
        });
    }
    Commit { catalog, meta }
}

impl Meta {
    fn take(&mut self, row: Row<'_>) {
        let is_read = match row.key {
            meta::FORMAT => {
                self.format = row.value.try_into().ok().map(u32::from_be_bytes);
                self.format.is_some()
            }
            meta::STATE => {
                self.state = codec::decode_state(row.value).ok();
                self.state.is_some()
            }
            meta::LOG => {
                self.mark = read_log_mark(row.value);
                self.mark.is_some()
            }
            meta::LOADING => {
                self.is_loading = true;
                true
            }
            _ => true,
        };
        self.is_whole &= is_read && row.is_sure;
    }
}

impl Commit {
    fn is_of_a_store(&self) -> bool {
        let is_ours = |table: &Table| self.catalog.tables.contains_key(table.name().as_bytes());
        Table::ALL.iter().any(is_ours)
            && self.meta.format.is_none_or(|found| found == codec::FORMAT)
    }
}

/// Refuses what is whole, and no store or one of another format.
fn refuse_foreign(newest: &Commit) -> Result<(), StoreError> {
    let Commit { catalog, meta } = newest;
    if let Some(found) = meta.format.filter(|&found| found != codec::FORMAT) {
        return Err(StoreError::OtherFormat { found, supported: codec::FORMAT });
    }
    let is_foreign = !catalog.tables.is_empty() && !catalog.tables.contains_key(meta::TABLE);
    if is_foreign && catalog.is_sure {
        return Err(StoreError::NotAStore("a redb database of something else".into()));
    }
    Ok(())
}

/// The tree of a table in a commit, if the commit knows of the table.
fn tree(commit: &Commit, table: Table) -> Option<&Definition> {
    commit.catalog.tables.get(table.name().as_bytes())
}

impl Gathered {
    /// Reads the tables as the last commit left them, if it is known; returns whether all of them are whole.
    fn read_last(&mut self, trees: &Trees<'_>, last: Option<&Commit>) -> bool {
        let Some(last) = last else {
            for table in Table::ALL {
                self.tables.of_mut(table).lost = Spans::everything();
            }
            return false;
        };
        let is_sure = last.catalog.is_sure;
        if !is_sure {
            self.problems.push("the list of its tables is damaged".into());
        }
        if !last.says_all() {
            self.problems.push("what it says of itself is damaged".into());
        }
        if last.meta.is_loading {
            let what =
                "a dump was being loaded into it when it ended: what is here is a part of that";
            self.problems.push(what.into());
        }
        for table in Table::ALL {
            let picture = self.tables.of_mut(table);
            let definition = tree(last, table);
            let unknown = match definition.and_then(|definition| definition.root) {
                Some(root) => read_tree(trees, root, picture, is_sure, last.revision()),
                None => Spans::default(),
            };
            let is_known = definition.is_some() || last.is_blank();
            picture.lost = if is_known && is_sure { unknown } else { Spans::everything() };
            if picture.bad_pages > 0 {
                let pages = match picture.bad_pages {
                    1 => "1 page".into(),
                    several => format!("{several} pages"),
                };
                let name = table.name();
                self.problems.push(format!("{pages} of the table {name:?} damaged or missing"));
            }
        }
        is_sure
            && last.says_all()
            && Table::ALL.iter().all(|&table| self.tables.of(table).lost.is_empty())
    }

    /// Reads the log, if one is needed or may be.
    fn read_log(
        &mut self,
        last: Option<&Commit>,
        commits: &[Commit],
        log: Option<&[u8]>,
    ) -> Batches {
        let settled = last.filter(|last| last.is_settled());
        let mark = match settled {
            // What says for sure that it needs no log has none, whatever lies beside it.
            Some(last) if last.meta.mark.is_none() => return Batches::default(),
            Some(last) => last.meta.mark,
            None => commits.iter().find_map(|commit| commit.meta.mark),
        };
        let Some(log) = log else {
            if mark.is_some() {
                self.problems.push("its log, which holds what is not in it yet, is missing".into());
            }
            return Batches { is_torn: mark.is_some(), ..Batches::default() };
        };
        let mut salvaged = salvage(log, mark);
        if settled.is_none() && !salvaged.is_begun {
            // The mark may be that of a log before.
            salvaged = salvage(log, None);
        }
        let mut batches = Batches::read(log, salvaged, &mut self.problems);
        if !batches.is_begun {
            batches.is_torn = true;
            self.problems.push("nothing of its log is intact, or it is another store's".into());
        } else if batches.is_torn {
            let what = "its log ends in what is no whole batch: \
                        a write that was cut off, or one that is damaged";
            self.problems.push(what.into());
        }
        batches
    }

    /// Lays what the log has after the tables over them. Returns the last batch that the tables cover, for all that is
    /// known.
    fn lay_log_over(
        &mut self,
        last: Option<&Commit>,
        commits: &[Commit],
        batches: &Batches,
    ) -> u64 {
        let told = commits.iter().find(|commit| commit.meta.state.is_some());
        let covered = told.map_or(0, Commit::revision);
        let is_blank = last.is_some_and(Commit::is_blank);
        let begins = if told.is_some() || is_blank { covered } else { batches.before_first() };
        let missing = batches.missing_after(begins);
        if !missing.is_empty() {
            let numbers = missing.iter().take(5).map(u64::to_string).collect::<Vec<_>>().join(", ");
            let more = if missing.len() > 5 { " and more" } else { "" };
            self.problems.push(format!(
                "of its log, these batches are damaged or missing: {numbers}{more}; \
                 what only they changed is as it was before"
            ));
        }
        // Where the last commit does not say how far it went, a log that goes on from the one before tells all since.
        let is_settled = last.is_some_and(|last| last.is_settled() || last.is_blank());
        let goes_on = told.is_some_and(|told| told.catalog.is_sure) && batches.last() > covered;
        let is_loading = last.is_some_and(|last| last.meta.is_loading);
        self.is_newest =
            (is_settled || goes_on) && missing.is_empty() && !batches.is_torn && !is_loading;
        let recent = batches.by_revision.range(covered.saturating_add(1)..);
        let states = commits.iter().filter_map(|commit| commit.meta.state.as_ref());
        let states = states.chain(recent.clone().map(|(_, (_, state))| state));
        self.state = states.cloned().reduce(later);
        for (&revision, (effects, _)) in recent {
            for table in Table::ALL {
                let picture = self.tables.of_mut(table);
                for (key, value) in effects.of(table) {
                    match value {
                        Some(value) => picture.put(key.clone(), in_log(revision, value, true)),
                        None => picture.remove(key.clone()),
                    }
                }
            }
        }
        covered
    }

    /// Fills the places of bad pages from the log and from commits before the last, the newest first.
    fn fill(
        &mut self,
        trees: &Trees<'_>,
        is_last_known: bool,
        commits: &[Commit],
        batches: &Batches,
        covered: u64,
    ) {
        let since = batches.whole_since(covered);
        let earlier = EarlierRows::of(batches, covered);
        self.fill_from_log(&earlier, since, true);
        let last = commits.first().filter(|last| is_last_known && last.is_settled());
        let last_seq = last.and_then(|last| last.meta.state.as_ref()).map(|state| state.seq);
        let (changes, are_all) = self.last_changes(trees, last_seq);
        if are_all {
            self.fill_from_changes(&changes, true);
        }
        // The last was read already.
        for commit in commits.iter().skip(usize::from(is_last_known)) {
            let revision = commit.revision();
            self.fill_from_log(&earlier, revision, false);
            // Everything after it is in the log, and was put there before anything older is.
            let is_certain = commit.catalog.is_sure && revision > 0 && revision >= since;
            for table in Table::ALL {
                self.fill_from_tree(trees, tree(commit, table), table, revision, is_certain);
            }
        }
        self.fill_from_log(&earlier, 0, false);
        self.fill_from_changes(&changes, false);
    }

    /// The record of every connection as the last of its changes left it that the tables tell, `None` where it was deleted;
    /// and whether these are all changes up to the last.
    fn last_changes(&self, trees: &Trees<'_>, last_seq: Option<u64>) -> (Changed, bool) {
        let changes = self.tables.of(Table::Changes);
        let (mut records, mut end, mut are_certain) = (Changed::new(), None, true);
        let is_needed = !self.tables.of(Table::Connections).lost.is_empty();
        for (key, found) in changes.rows().filter(|_| is_needed) {
            end = tables::change_seq(key).ok();
            are_certain &= found.is_certain;
            let row = found.bytes(trees).unwrap_or_default();
            if let Some((id, record)) = row.get(1..).and_then(|row| row.split_at_checked(16)) {
                records.insert(id.to_vec(), (!record.is_empty()).then(|| record.to_vec()));
            }
        }
        let are_all = changes.lost.is_empty() && are_certain && end.is_some() && end == last_seq;
        (records, are_all)
    }

    /// Fills in records from the changes.
    fn fill_from_changes(&mut self, changes: &Changed, is_certain: bool) {
        let picture = self.tables.of_mut(Table::Connections);
        for (key, record) in changes {
            let is_better = is_certain && picture.get(key).is_some_and(|found| !found.is_certain);
            if !(picture.lacks(key) || is_better) {
                continue;
            }
            match record {
                Some(record) => {
                    let value = Value::Here(record.clone());
                    let origin = if is_certain { Origin::Tables } else { Origin::Older };
                    picture.put(key.clone(), Found { value, origin, revision: 0, is_certain });
                }
                // What was deleted never comes back.
                None => picture.remove(key.clone()),
            }
        }
    }

    /// Fills in what the log has of batches after `revision`.
    fn fill_from_log(&mut self, earlier: &EarlierRows, revision: u64, is_certain: bool) {
        for table in Table::ALL {
            let picture = self.tables.of_mut(table);
            for (key, (of, value)) in earlier.0.of(table) {
                // What is certain comes before what only a bad page leads to.
                let is_better =
                    is_certain && picture.get(key).is_some_and(|found| !found.is_certain);
                if *of <= revision || !(picture.lacks(key) || is_better) {
                    continue;
                }
                match value {
                    Some(value) => picture.put(key.clone(), in_log(*of, value, is_certain)),
                    None => picture.remove(key.clone()),
                }
            }
        }
    }

    fn fill_from_tree(
        &mut self,
        trees: &Trees<'_>,
        definition: Option<&Definition>,
        table: Table,
        revision: u64,
        is_certain: bool,
    ) {
        let picture = self.tables.of_mut(table);
        let wanted = picture.lost.clone();
        let Some(definition) = definition.filter(|_| !wanted.is_empty()) else { return };
        let mut lost = Spans::default();
        if let Some(root) = definition.root {
            trees.walk(root, Some(&wanted), &mut |met| match met {
                Met::Row(row) => {
                    let is_certain = is_certain && row.is_sure;
                    let is_better = is_certain
                        && picture
                            .get(row.key)
                            .is_some_and(|found| !found.is_certain && found.revision <= revision);
                    if picture.lacks(row.key) || is_better {
                        let value = place_of(row);
                        let found = Found { value, origin: Origin::Older, revision, is_certain };
                        picture.put(row.key.to_vec(), found);
                    }
                }
                Met::Lost(from, to) => lost.add(from, to),
            });
        }
        if is_certain {
            picture.lost = wanted.and(&lost);
        }
    }

    /// Fills in a row of a page that nothing leads to, if it tells of which table it is.
    fn fill_unreached(&mut self, row: Row<'_>) {
        let Some(table) = table_of(row.key, row.value) else { return };
        let picture = self.tables.of_mut(table);
        if picture.lacks(row.key) {
            let value = place_of(row);
            let found = Found { value, origin: Origin::Unreached, revision: 0, is_certain: false };
            picture.put(row.key.to_vec(), found);
        }
    }
}

/// Reads a tree of the last commit; returns where nothing of it can be known.
fn read_tree(
    trees: &Trees<'_>,
    root: Root,
    picture: &mut Picture,
    is_sure: bool,
    revision: u64,
) -> Spans {
    let mut lost = Spans::default();
    trees.walk(root, None, &mut |met| match met {
        Met::Row(row) => {
            let is_certain = is_sure && row.is_sure;
            // What only a bad page leads to may be older than what was there.
            let origin = if is_certain { Origin::Tables } else { Origin::Older };
            let found = Found { value: place_of(row), origin, revision, is_certain };
            picture.put(row.key.to_vec(), found);
        }
        Met::Lost(from, to) => {
            picture.bad_pages += 1;
            lost.add(from, to);
        }
    });
    lost
}

/// The last row of every key in the batches that the tables cover.
struct EarlierRows(PerTable<BTreeMap<Vec<u8>, Earlier>>);

/// Records by ID, `None` where the connection was deleted.
type Changed = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The batch of a row, and its value unless it was removed.
type Earlier = (u64, Option<Vec<u8>>);

impl EarlierRows {
    fn of(batches: &Batches, base: u64) -> Self {
        let mut rows = PerTable::default();
        for (&revision, (effects, _)) in batches.by_revision.range(..=base) {
            for table in Table::ALL {
                let rows: &mut BTreeMap<_, _> = rows.of_mut(table);
                for (key, value) in effects.of(table) {
                    rows.insert(key.clone(), (revision, value.clone()));
                }
            }
        }
        Self(rows)
    }
}

fn place_of(row: Row<'_>) -> Value {
    Value::At { offset: row.offset, length: row.value.len() }
}

fn in_log(revision: u64, value: &[u8], is_certain: bool) -> Found {
    Found { value: Value::Here(value.to_vec()), origin: Origin::Log, revision, is_certain }
}

/// The later of two states; no ID and no number of a change that either gave out comes again.
fn later(one: State, other: State) -> State {
    let (older, newer) = if one.revision <= other.revision { (one, other) } else { (other, one) };
    let mut last_id = newer.last_id;
    if (older.last_id.ms, older.last_id.order) > (last_id.ms, last_id.order) {
        last_id = older.last_id;
    }
    State { last_id, seq: newer.seq.max(older.seq), ..newer }
}

/// The table of a row that stands by itself; those that can be made anew from others are left out.
fn table_of(key: &[u8], value: &[u8]) -> Option<Table> {
    let is_record = ConnectionId::from_bytes(key).is_some_and(|id| {
        let pair = codec::decode_record(id, value);
        pair.is_ok_and(|record| record.connection.profile_name.route() == id.route())
    });
    if is_record {
        return Some(Table::Connections);
    }
    let is_of_profile = ProfileKey::read(key).is_ok_and(|key| match key {
        ProfileKey::Profile(name) => {
            is_profile(name) && crate::profile_rows::entries(value).is_ok()
        }
        ProfileKey::Pair(name, _) => is_profile(name) && value.len() == 16,
        ProfileKey::InOrder(name, _) => is_profile(name) && value.is_empty(),
    });
    if is_of_profile {
        return Some(Table::Profiles);
    }
    let is_proxy = key.starts_with(tables::ALL_PROXIES)
        && tables::proxy_id(key).is_ok()
        && codec::decode_proxy(value).is_ok();
    let is_name = value.is_empty() && tables::name_and_proxy(key).is_some();
    (is_proxy || is_name).then_some(Table::Proxies)
}

fn is_profile(name: &str) -> bool {
    name.parse::<ProfileName>().is_ok()
}
