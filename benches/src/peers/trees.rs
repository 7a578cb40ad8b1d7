//! [`Registry`], the registry on engines of ordered keys: the same keys as ours, so that engines are compared and not
//! layouts.
//!
//! Records by ID; all that belongs to a profile side by side, so that a create has one random place in it; the
//! domains. An engine implements [`Engine`] in a file of its own.

use crate::ids::Ids;
use crate::peer::{Creation, Found, Id, List, Outcome, Peer};
use crate::record::{Record, decode, encode};
use connectory::NewConnection;

/// A tree of ordered keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    /// ID: record.
    Connections,
    /// name `00`: number of connections; name `00 01` domain: ID; name `00 02` ID: nothing.
    Profiles,
    /// domain `00` ID: nothing.
    Domains,
}

impl Tree {
    pub(crate) const ALL: [Self; 3] = [Self::Connections, Self::Profiles, Self::Domains];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Profiles => "profiles",
            Self::Domains => "domains",
        }
    }
}

/// A consistent view of the trees.
pub(crate) trait Rows {
    /// What `see` makes of the value under a key.
    fn get<T>(&self, tree: Tree, key: &[u8], see: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>>;

    /// Shows the last rows whose key begins with `prefix`, the greatest first; `see` says whether to go on.
    fn last(
        &self,
        tree: Tree,
        prefix: &[u8],
        see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
    ) -> Outcome<()>;
}

/// A transaction that writes; it sees what it wrote.
pub(crate) trait WritableRows: Rows {
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Outcome<()>;
}

/// Three trees, one writer at a time.
pub(crate) trait Engine: Send + Sync + Sized + 'static {
    type Reading<'a>: Rows;
    type Writing<'a>: WritableRows;

    fn read(&self) -> Outcome<Self::Reading<'_>>;

    /// Runs `write` in a transaction, and commits it, durably, if it says that it changed anything.
    fn write<T>(
        &self,
        write: impl FnOnce(&mut Self::Writing<'_>) -> Outcome<(T, bool)>,
    ) -> Outcome<T>;

    fn settle(&self) -> Outcome<()> {
        Ok(())
    }

    fn close(self) -> Outcome<()>;
}

/// The registry on an engine.
#[derive(Debug)]
pub(crate) struct Registry<E> {
    engine: E,
    ids: Ids,
}

impl<E: Engine> Registry<E> {
    pub(crate) fn new(engine: E) -> Outcome<Self> {
        let mut last = None;
        engine.read()?.last(Tree::Connections, b"", |id, _| {
            last = Some(id.try_into()?);
            Ok(false)
        })?;
        Ok(Self { engine, ids: Ids::above(last) })
    }

    fn insert(
        &self,
        rows: &mut impl WritableRows,
        request: &NewConnection,
        keys: &Keys,
    ) -> Outcome<Creation> {
        if let Some(id) = rows.get(Tree::Profiles, &keys.pair, Id::read)? {
            return Ok(Creation::Conflict(id?));
        }
        let id = self.ids.next();
        let count = rows.get(Tree::Profiles, &keys.profile, decode::<u64>)?.transpose()?;
        rows.put(Tree::Connections, &id, &encode(&Record::of_request(request))?)?;
        rows.put(Tree::Profiles, &keys.profile, &encode(&(count.unwrap_or(0) + 1))?)?;
        rows.put(Tree::Profiles, &keys.pair, &id)?;
        rows.put(Tree::Profiles, &[&keys.profile[..], &[IN_ORDER], &id].concat(), b"")?;
        rows.put(Tree::Domains, &[&keys.domain[..], &id].concat(), b"")?;
        Ok(Creation::Created(Id::Theirs(id)))
    }
}

const SEPARATOR: u8 = 0;
const PAIR: u8 = 1;
const IN_ORDER: u8 = 2;

/// The keys of a pair, made before anything is locked.
struct Keys {
    profile: Vec<u8>,
    pair: Vec<u8>,
    domain: Vec<u8>,
}

impl Keys {
    fn of(request: &NewConnection) -> Self {
        let (name, domain) = (request.profile_name.as_str(), request.domain.as_str());
        Self {
            profile: [name.as_bytes(), &[SEPARATOR]].concat(),
            pair: [name.as_bytes(), &[SEPARATOR, PAIR], domain.as_bytes()].concat(),
            domain: [domain.as_bytes(), &[SEPARATOR]].concat(),
        }
    }
}

fn found(id: Id, bytes: &[u8]) -> Outcome<Found> {
    Ok(Found::Theirs(id.theirs()?, decode(bytes)?))
}

impl<E: Engine> Peer for Registry<E> {
    fn create(&self, request: NewConnection) -> Outcome<Creation> {
        let keys = Keys::of(&request);
        // A conflict needs no writer.
        if let Some(id) = self.engine.read()?.get(Tree::Profiles, &keys.pair, Id::read)? {
            return Ok(Creation::Conflict(id?));
        }
        self.engine.write(|rows| {
            let creation = self.insert(rows, &request, &keys)?;
            Ok((creation, matches!(creation, Creation::Created(_))))
        })
    }

    fn create_many(&self, requests: Vec<NewConnection>) -> Outcome<Vec<Creation>> {
        self.engine.write(|rows| {
            let mut insert = |request| self.insert(rows, &request, &Keys::of(&request));
            let creations = requests.into_iter().map(&mut insert).collect::<Outcome<Vec<_>>>()?;
            Ok((creations, true))
        })
    }

    fn get(&self, id: Id) -> Outcome<Option<Found>> {
        let rows = self.engine.read()?;
        rows.get(Tree::Connections, &id.theirs()?, |bytes| found(id, bytes))?.transpose()
    }

    fn list(&self, list: List, most: usize) -> Outcome<Vec<Found>> {
        let rows = self.engine.read()?;
        let mut page = Vec::with_capacity(most);
        let (tree, prefix) = match list {
            List::All => {
                rows.last(Tree::Connections, b"", |id, bytes| {
                    page.push(found(Id::read(id)?, bytes)?);
                    Ok(page.len() < most)
                })?;
                return Ok(page);
            }
            List::OfProfile(name) => {
                (Tree::Profiles, [name.as_str().as_bytes(), &[SEPARATOR, IN_ORDER]].concat())
            }
            List::OfDomain(domain) => {
                (Tree::Domains, [domain.as_str().as_bytes(), &[SEPARATOR]].concat())
            }
        };
        rows.last(tree, &prefix, |key, _| {
            let id = Id::read(key)?;
            let connection = rows
                .get(Tree::Connections, &id.theirs()?, |bytes| found(id, bytes))?
                .ok_or("an index names a connection that is not there")?;
            page.push(connection?);
            Ok(page.len() < most)
        })?;
        Ok(page)
    }

    fn settle(&self) -> Outcome<()> {
        self.engine.settle()
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        self.engine.close()
    }
}
