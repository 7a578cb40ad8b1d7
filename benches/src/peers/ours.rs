//! The registry itself.

use crate::peer::{Creation, Found, Id, List, Outcome, Peer};
use connectory::{ListQuery, MemoryStorage, NewConnection, Options, PageLimit, PageQuery, Store};
use std::path::Path;

#[derive(Debug)]
pub(crate) struct Ours {
    store: Store,
}

fn options(cache_bytes: Option<usize>) -> Options {
    cache_bytes.map_or_else(Options::new, |bytes| Options::new().cache_bytes(bytes))
}

impl Ours {
    pub(crate) fn open(directory: &Path, cache_bytes: Option<usize>) -> Outcome<Self> {
        let storage = connectory::FileStorage::new(directory.join("peers.connectory"));
        Ok(Self { store: Store::open_with(storage, options(cache_bytes))? })
    }

    pub(crate) fn in_memory(cache_bytes: Option<usize>) -> Outcome<Self> {
        Ok(Self { store: Store::open_with(MemoryStorage::default(), options(cache_bytes))? })
    }
}

fn answer(creation: &connectory::Creation) -> Creation {
    match creation {
        connectory::Creation::Conflict(conflict) => {
            Creation::Conflict(Id::Ours(conflict.existing_id))
        }
        created => Creation::Created(Id::Ours(created.id())),
    }
}

impl Peer for Ours {
    fn create(&self, request: NewConnection) -> Outcome<Creation> {
        Ok(answer(&self.store.create(request)?))
    }

    fn create_many(&self, requests: Vec<NewConnection>) -> Outcome<Vec<Creation>> {
        let creations = self.store.create_many(requests);
        creations.into_iter().map(|creation| Ok(answer(&creation?))).collect()
    }

    fn get(&self, id: Id) -> Outcome<Option<Found>> {
        let Id::Ours(id) = id else { return Err("an ID of another engine".into()) };
        Ok(self.store.get(id)?.map(Found::Ours))
    }

    fn list(&self, list: List, most: usize) -> Outcome<Vec<Found>> {
        let page = PageQuery { limit: PageLimit::new(most)?, cursor: None };
        let mut query = ListQuery { page, ..ListQuery::default() };
        match list {
            List::All => {}
            List::OfProfile(name) => query.profile_name = Some(name),
            List::OfDomain(domain) => query.domain = Some(domain),
        }
        Ok(self.store.list(&query)?.items.into_iter().map(Found::Ours).collect())
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(self.store.close()?)
    }
}
