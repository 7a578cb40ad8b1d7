//! redb by itself, the engine underneath ours: one durable commit a transaction, as its documentation shows it.

use crate::peer::Outcome;
use crate::trees::{Engine, Rows, Tree, WritableRows};
use redb::backends::InMemoryBackend;
use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, Table,
    TableDefinition,
};
use std::cell::OnceCell;
use std::path::Path;

type Bytes = &'static [u8];

fn definition(tree: Tree) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(tree.name())
}

#[derive(Debug)]
pub(crate) struct Redb {
    database: Database,
}

impl Redb {
    pub(crate) fn open(directory: &Path, cache_bytes: Option<usize>) -> Outcome<Self> {
        Self::start(builder(cache_bytes).create(directory.join("peers.redb"))?)
    }

    pub(crate) fn in_memory(cache_bytes: Option<usize>) -> Outcome<Self> {
        Self::start(builder(cache_bytes).create_with_backend(InMemoryBackend::new())?)
    }

    fn start(database: Database) -> Outcome<Self> {
        let transaction = database.begin_write()?;
        for tree in Tree::ALL {
            transaction.open_table(definition(tree))?;
        }
        transaction.commit()?;
        Ok(Self { database })
    }
}

fn builder(cache_bytes: Option<usize>) -> redb::Builder {
    let mut builder = Database::builder();
    if let Some(bytes) = cache_bytes {
        builder.set_cache_size(bytes);
    }
    builder
}

/// A read transaction that opens a table when it is first needed.
pub(crate) struct Reading {
    transaction: ReadTransaction,
    tables: [OnceCell<ReadOnlyTable<Bytes, Bytes>>; 3],
}

impl Reading {
    fn table(&self, tree: Tree) -> Outcome<&ReadOnlyTable<Bytes, Bytes>> {
        let table = &self.tables[tree as usize];
        if let Some(table) = table.get() {
            return Ok(table);
        }
        let opened = self.transaction.open_table(definition(tree))?;
        Ok(table.get_or_init(|| opened))
    }
}

pub(crate) struct Writing<'a> {
    tables: [Table<'a, Bytes, Bytes>; 3],
}

fn get<T>(
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
    see: impl FnOnce(&[u8]) -> T,
) -> Outcome<Option<T>> {
    Ok(table.get(key)?.map(|value| see(value.value())))
}

fn last(
    table: &impl ReadableTable<Bytes, Bytes>,
    prefix: &[u8],
    mut see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
) -> Outcome<()> {
    // Prefixes end in a byte below 255, or are empty.
    let mut end = prefix.to_vec();
    let rows = match end.last_mut() {
        None => table.range::<&[u8]>(..)?,
        Some(last) => {
            *last += 1;
            table.range(prefix..end.as_slice())?
        }
    };
    for row in rows.rev() {
        let (key, value) = row?;
        if !see(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}

impl Rows for Reading {
    fn get<T>(&self, tree: Tree, key: &[u8], see: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>> {
        get(self.table(tree)?, key, see)
    }

    fn last(
        &self,
        tree: Tree,
        prefix: &[u8],
        see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
    ) -> Outcome<()> {
        last(self.table(tree)?, prefix, see)
    }
}

impl Rows for Writing<'_> {
    fn get<T>(&self, tree: Tree, key: &[u8], see: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>> {
        get(&self.tables[tree as usize], key, see)
    }

    fn last(
        &self,
        tree: Tree,
        prefix: &[u8],
        see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
    ) -> Outcome<()> {
        last(&self.tables[tree as usize], prefix, see)
    }
}

impl WritableRows for Writing<'_> {
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Outcome<()> {
        self.tables[tree as usize].insert(key, value)?;
        Ok(())
    }
}

impl Engine for Redb {
    type Reading<'a> = Reading;
    type Writing<'a> = Writing<'a>;

    fn read(&self) -> Outcome<Reading> {
        let transaction = self.database.begin_read()?;
        Ok(Reading { transaction, tables: Default::default() })
    }

    fn write<T>(&self, write: impl FnOnce(&mut Writing<'_>) -> Outcome<(T, bool)>) -> Outcome<T> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let [connections, profiles, domains] = Tree::ALL.map(definition);
        let (answer, changed) = write(&mut Writing {
            tables: [
                transaction.open_table(connections)?,
                transaction.open_table(profiles)?,
                transaction.open_table(domains)?,
            ],
        })?;
        if changed {
            transaction.commit()?;
        } else {
            transaction.abort()?;
        }
        Ok(answer)
    }

    fn close(self) -> Outcome<()> {
        Ok(self.database.close()?)
    }
}
