//! What a store says after damage: each answer is right, or a typed error.

use crate::images::Image;
use crate::specimens::{Files, Specimen, Truth, options};
use connectory::{
    Changes, Connection, ConnectionId, Creation, Error, FileStorage, ListQuery, NewConnection,
    Options, PageQuery, Store, StoreError,
};
use fastrand::Rng;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What came of an image; the worse, the further down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// All is there, and `check` finds nothing.
    Sound,
    /// All is there, and `check` says what is damaged.
    Noticed,
    /// What was written last is gone, as after a power cut.
    Prefix,
    /// Some of it cannot be read.
    InPart,
    /// The store does not open.
    Refused,
}

/// How many connections are looked at one by one.
const LOOKS: usize = 40;

type Verdict<T> = Result<T, String>;

pub(crate) struct Examination<'a> {
    pub(crate) specimen: &'a Specimen,
    pub(crate) image: &'a Image,
    pub(crate) path: &'a Path,
    pub(crate) rng: Rng,
}

/// A store as it may be: what holds after so many changes, and one connection more.
#[derive(Debug, Default)]
struct Expected {
    created: Option<(String, String)>,
}

/// What was read.
#[derive(Debug)]
struct Seen {
    /// The change after which the store stands.
    moment: u64,
    /// How many reads failed.
    failed: usize,
}

/// A failure that damage may lead to.
fn may_fail(what: &str, error: &Error) -> Verdict<()> {
    match error {
        Error::Failed(StoreError::Damaged(_)) => Ok(()),
        other => Err(format!("{what} fails otherwise than for damage: {other:?}")),
    }
}

fn may_not_open(error: &StoreError) -> Verdict<()> {
    match error {
        StoreError::Damaged(_) | StoreError::NotAStore(_) => Ok(()),
        other => Err(format!("it is refused otherwise than for damage: {other:?}")),
    }
}

impl Examination<'_> {
    fn options(&mut self) -> Options {
        let cache_bytes = [0, 64 << 10, 32 << 20][self.rng.usize(..3)];
        options(self.rng.u64(..)).cache_bytes(cache_bytes)
    }

    pub(crate) fn examine(&mut self) -> Verdict<Outcome> {
        self.image.files.write(self.path);
        let options = self.options();
        let read_only = match Store::open_read_only(self.path, options) {
            Ok(store) => Some(self.look(&store, &Expected::default())?),
            Err(error) => may_not_open(&error).map(|()| None)?,
        };
        let named = match Store::check_file(self.path) {
            Ok(report) => report.problems,
            Err(error) => may_not_open(&error).map(|()| vec![error.to_string()])?,
        };
        if Files::read(self.path) != self.image.files {
            return Err("reading it has changed it".into());
        }
        if read_only.is_some_and(|seen| seen.failed > 0) && named.is_empty() {
            return Err("not all of it can be read, and a check of its pages finds nothing".into());
        }
        match self.open() {
            Ok(store) => self.work(&store),
            Err(error) => may_not_open(&error).map(|()| Outcome::Refused),
        }
    }

    fn open(&mut self) -> Result<Store, StoreError> {
        let storage = FileStorage::existing(self.path);
        let options = self.options();
        Store::open_with(storage, options)
    }

    /// Reads, checks, writes, closes, and looks what is there then.
    fn work(&mut self, store: &Store) -> Verdict<Outcome> {
        let mut expected = Expected::default();
        let seen = self.look(store, &expected)?;
        let is_sound = match store.check() {
            Ok(report) if report.is_sound() && seen.failed > 0 => {
                return Err(format!("{} reads failed, and it passes for sound", seen.failed));
            }
            Ok(report) => report.is_sound() && report.pages_checked,
            Err(error) => may_fail("check", &error).map(|()| false)?,
        };
        let again = self.look(store, &expected)?;
        if again.moment != seen.moment {
            return Err(format!("it is at {} after {}", again.moment, seen.moment));
        }
        match store.create(request()) {
            Ok(Creation::Created(connection)) => {
                expected.created = Some((connection.id.to_string(), json(&connection)));
            }
            Ok(other) => return Err(format!("a pair that was never used is taken: {other:?}")),
            Err(error) => may_fail("a create", &error)?,
        }
        self.look(store, &expected)?;
        if let Err(error) = store.close() {
            may_fail("closing", &error.into())?;
        }
        match self.open() {
            Ok(store) => {
                let after = self.look(&store, &expected)?.moment;
                if after != seen.moment {
                    return Err(format!("opened again it is at {after} after {}", seen.moment));
                }
            }
            Err(error) => may_not_open(&error)?,
        }
        Ok(if seen.failed > 0 {
            Outcome::InPart
        } else if seen.moment < self.specimen.truth.last() {
            Outcome::Prefix
        } else if is_sound {
            Outcome::Sound
        } else {
            Outcome::Noticed
        })
    }

    /// Reads everything in every way, and holds it against what was written.
    fn look(&mut self, store: &Store, expected: &Expected) -> Verdict<Seen> {
        let truth = &self.specimen.truth;
        let stats = store.stats().map_err(|error| format!("what it holds: {error:?}"))?;
        let created = u64::from(expected.created.is_some());
        let moment = stats.last_change.checked_sub(created).ok_or("what was created is gone")?;
        self.may_stand_at(moment)?;
        let rows = rows_at(truth, moment, expected);
        if stats.connections != rows.len() as u64 || stats.proxies > truth.proxies {
            return Err(format!("{stats:?}, where {} connections should be", rows.len()));
        }
        let mut look = Look { store, truth, rows: &rows, moment, failed: 0 };
        look.each(&mut self.rng)?;
        look.list()?;
        look.names()?;
        look.dump()?;
        look.changes(expected)?;
        Ok(Seen { moment, failed: look.failed })
    }

    /// Nothing but damage of the log takes anything away, and no more batches than it touched.
    fn may_stand_at(&self, moment: u64) -> Verdict<()> {
        let moments = &self.specimen.truth.moments;
        let Some(at) = moments.iter().position(|known| *known == moment) else {
            return Err(format!("it stands after change {moment}, in the middle of a batch"));
        };
        let lost = moments.len() - 1 - at;
        if lost > self.image.lost_at_most {
            let most = self.image.lost_at_most;
            return Err(format!("{lost} batches are gone without a word; {most} were touched"));
        }
        Ok(())
    }
}

/// A pair that no specimen has.
fn request() -> NewConnection {
    NewConnection::new("new.example.com".parse().unwrap(), "new".parse().unwrap())
}

fn json(connection: &Connection) -> String {
    serde_json::to_string(connection).unwrap()
}

/// The connections after some change, by ID.
type Rows<'a> = BTreeMap<&'a str, &'a str>;

fn rows_at<'a>(truth: &'a Truth, moment: u64, expected: &'a Expected) -> Rows<'a> {
    let mut rows = Rows::new();
    for (id, connection) in truth.changes.iter().take(usize::try_from(moment).unwrap()) {
        match connection {
            Some(connection) => rows.insert(id, connection),
            None => rows.remove(id.as_str()),
        };
    }
    rows.extend(expected.created.iter().map(|(id, connection)| (id.as_str(), connection.as_str())));
    rows
}

/// A look at a store that stands at a known moment.
struct Look<'a> {
    store: &'a Store,
    truth: &'a Truth,
    rows: &'a Rows<'a>,
    moment: u64,
    failed: usize,
}

impl Look<'_> {
    /// The answer, unless it failed for damage.
    fn answer<T>(&mut self, what: &str, answer: Result<T, Error>) -> Verdict<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => {
                may_fail(what, &error)?;
                self.failed += 1;
                Ok(None)
            }
        }
    }

    /// Connections one by one, by ID and by pair; those that are gone too.
    fn each(&mut self, rng: &mut Rng) -> Verdict<()> {
        let count = self.truth.changes.len();
        let drawn: Vec<_> = (0..LOOKS.min(count)).map(|_| rng.usize(..count)).collect();
        for (id, then) in drawn.into_iter().map(|nth| self.truth.changes[nth].clone()) {
            let expected = self.rows.get(id.as_str()).copied();
            let found = self.store.get(id.parse::<ConnectionId>().unwrap());
            if let Some(found) = self.answer("get", found)?
                && found.as_ref().map(json).as_deref() != expected
            {
                return Err(format!("get {id}: {found:?}"));
            }
            let Some(then) = then else { continue };
            let pair: Value = serde_json::from_str(&then).unwrap();
            let [profile, domain] = ["profile_name", "domain"].map(|of| pair[of].as_str().unwrap());
            let found = self.store.find(&profile.parse().unwrap(), &domain.parse().unwrap());
            if let Some(found) = self.answer("find", found)? {
                let found = found.as_ref().map(json);
                let is_right = match (found.as_deref(), expected) {
                    (Some(found), Some(expected)) => found == expected,
                    (None, None) => true,
                    // Another connection has the pair since.
                    (Some(found), None) => self.rows.values().any(|row| *row == found),
                    (None, Some(_)) => false,
                };
                if !is_right {
                    return Err(format!("find {profile} {domain}: {found:?}"));
                }
            }
        }
        Ok(())
    }

    /// All connections, newest first.
    fn list(&mut self) -> Verdict<()> {
        let ids = self.store.list_ids(&ListQuery::default(), usize::MAX);
        if let Some(ids) = self.answer("list_ids", ids)? {
            let ids: BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
            if !ids.iter().map(String::as_str).eq(self.rows.keys().copied()) {
                return Err(format!("{} IDs are listed of {}", ids.len(), self.rows.len()));
            }
        }
        let mut query = ListQuery::default();
        let mut listed = BTreeMap::new();
        loop {
            let page = self.store.list(&query);
            let Some(page) = self.answer("list", page)? else { return Ok(()) };
            listed.extend(page.items.iter().map(|it| (it.id.to_string(), json(it))));
            match page.next_cursor {
                Some(cursor) => query.page.cursor = Some(cursor),
                None => break,
            }
        }
        let found = listed.iter().map(|(id, row)| (id.as_str(), row.as_str()));
        let is_right = found.eq(self.rows.iter().map(|(id, row)| (*id, *row)));
        is_right.then_some(()).ok_or_else(|| format!("a list of {} is wrong", listed.len()))
    }

    /// Profiles and proxies.
    fn names(&mut self) -> Verdict<()> {
        let mut names = BTreeSet::new();
        let mut query = PageQuery::default();
        loop {
            let page = self.store.profiles(&query);
            let Some(page) = self.answer("profiles", page)? else { break };
            names.extend(page.items.into_iter().map(|profile| profile.name.to_string()));
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                let profile = |row: &str| {
                    let rest = row.split_once(r#""profile_name":""#).unwrap().1;
                    rest.split('"').next().unwrap().to_owned()
                };
                let mut of_rows = self.rows.values().map(|row| profile(row));
                if let Some(missing) = of_rows.find(|name| !names.contains(name)) {
                    return Err(format!("profile {missing} is not listed"));
                }
                break;
            }
        }
        let proxies = self.store.proxies(&PageQuery::default());
        if let Some(proxies) = self.answer("proxies", proxies)? {
            let stats = self.store.stats().map_err(|error| format!("stats: {error:?}"))?;
            if proxies.items.len() as u64 != stats.proxies {
                return Err(format!("{} proxies of {}", proxies.items.len(), stats.proxies));
            }
        }
        Ok(())
    }

    fn dump(&mut self) -> Verdict<()> {
        let dump = self.store.dump();
        let Some(dump) = self.answer("dump", dump)? else { return Ok(()) };
        let mut ids = BTreeSet::new();
        for line in dump {
            let Some(line) = self.answer("a dump", line)? else { return Ok(()) };
            let rest = line.strip_prefix(r#"{"connection":{"id":""#);
            ids.extend(rest.and_then(|rest| rest.split('"').next()).map(str::to_owned));
        }
        let is_right = ids.iter().map(String::as_str).eq(self.rows.keys().copied());
        is_right.then_some(()).ok_or_else(|| format!("a dump of {} is wrong", ids.len()))
    }

    fn changes(&mut self, expected: &Expected) -> Verdict<()> {
        let changes = self.store.changes_since(0, usize::MAX);
        let Some(changes) = self.answer("changes", changes)? else { return Ok(()) };
        let (from, changes) = match changes {
            Changes::Since(changes) => (0, changes),
            Changes::TooOld { oldest } => {
                let changes = self.store.changes_since(oldest - 1, usize::MAX);
                let Some(Changes::Since(changes)) = self.answer("changes", changes)? else {
                    return Ok(());
                };
                (oldest - 1, changes)
            }
        };
        let last = self.moment + u64::from(expected.created.is_some());
        if changes.len() as u64 != last - from {
            return Err(format!("{} changes after {from} up to {last}", changes.len()));
        }
        for (change, seq) in changes.iter().zip(from + 1..) {
            let told = (change.id.to_string(), change.connection.as_ref().map(json));
            let known = self.truth.changes.get(usize::try_from(seq).unwrap() - 1);
            let is_right = change.seq == seq
                && if seq <= self.moment {
                    known == Some(&told)
                } else {
                    told.1.as_ref() == expected.created.as_ref().map(|(_, row)| row)
                };
            if !is_right {
                return Err(format!("change {seq} is told as {change:?}"));
            }
        }
        Ok(())
    }
}
