//! LMDB through heed, synced at every commit as it is by default.
//!
//! Reads with the thread's own slot, which its documentation calls the faster way; records appended (`MDB_APPEND`),
//! since IDs rise. No map that is written to (`MDB_WRITEMAP`): synced, it was the slower one here. It has no cache of
//! its own: it reads the system's.

use crate::peer::Outcome;
use crate::trees::{Engine, Rows, Tree, WritableRows};
use heed::types::Bytes;
use heed::{Database, Env, EnvOpenOptions, PutFlags, RoTxn, RwTxn, WithTls};
use std::path::Path;

/// Address space, not memory: more than the store can ever need.
const MAP_BYTES: usize = 64 << 30;
/// Each thread that reads takes a slot and keeps it.
const READERS: u32 = 512;

type Handles = [Database<Bytes, Bytes>; 3];

#[derive(Debug)]
pub(crate) struct Lmdb {
    environment: Env,
    trees: Handles,
}

impl Lmdb {
    pub(crate) fn open(directory: &Path) -> Outcome<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_BYTES).max_dbs(3).max_readers(READERS);
        #[expect(
            unsafe_code,
            reason = "a mapped file must not be changed by others: it is in a directory of this program's own"
        )]
        // SAFETY: nothing else opens the files of that directory.
        let environment = unsafe { options.open(directory)? };
        let mut transaction = environment.write_txn()?;
        let mut open =
            |tree: Tree| environment.create_database(&mut transaction, Some(tree.name()));
        let trees = [open(Tree::Connections)?, open(Tree::Profiles)?, open(Tree::Domains)?];
        transaction.commit()?;
        Ok(Self { environment, trees })
    }
}

pub(crate) struct Reading<'a> {
    transaction: RoTxn<'a, WithTls>,
    trees: Handles,
}

pub(crate) struct Writing<'a> {
    transaction: RwTxn<'a>,
    trees: Handles,
}

fn get<T>(
    tree: Database<Bytes, Bytes>,
    transaction: &RoTxn<'_>,
    key: &[u8],
    see: impl FnOnce(&[u8]) -> T,
) -> Outcome<Option<T>> {
    Ok(tree.get(transaction, key)?.map(see))
}

fn last(
    tree: Database<Bytes, Bytes>,
    transaction: &RoTxn<'_>,
    prefix: &[u8],
    mut see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
) -> Outcome<()> {
    if prefix.is_empty() {
        for row in tree.rev_iter(transaction)? {
            let (key, value) = row?;
            if !see(key, value)? {
                break;
            }
        }
        return Ok(());
    }
    for row in tree.rev_prefix_iter(transaction, prefix)? {
        let (key, value) = row?;
        if !see(key, value)? {
            break;
        }
    }
    Ok(())
}

impl Rows for Reading<'_> {
    fn get<T>(&self, tree: Tree, key: &[u8], see: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>> {
        get(self.trees[tree as usize], &self.transaction, key, see)
    }

    fn last(
        &self,
        tree: Tree,
        prefix: &[u8],
        see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
    ) -> Outcome<()> {
        last(self.trees[tree as usize], &self.transaction, prefix, see)
    }
}

impl Rows for Writing<'_> {
    fn get<T>(&self, tree: Tree, key: &[u8], see: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>> {
        get(self.trees[tree as usize], &self.transaction, key, see)
    }

    fn last(
        &self,
        tree: Tree,
        prefix: &[u8],
        see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
    ) -> Outcome<()> {
        last(self.trees[tree as usize], &self.transaction, prefix, see)
    }
}

impl WritableRows for Writing<'_> {
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Outcome<()> {
        let flags = match tree {
            Tree::Connections => PutFlags::APPEND,
            Tree::Profiles | Tree::Domains => PutFlags::empty(),
        };
        let database = self.trees[tree as usize];
        Ok(database.put_with_flags(&mut self.transaction, flags, key, value)?)
    }
}

impl Engine for Lmdb {
    type Reading<'a> = Reading<'a>;
    type Writing<'a> = Writing<'a>;

    fn read(&self) -> Outcome<Reading<'_>> {
        Ok(Reading { transaction: self.environment.read_txn()?, trees: self.trees })
    }

    fn write<T>(&self, write: impl FnOnce(&mut Writing<'_>) -> Outcome<(T, bool)>) -> Outcome<T> {
        let mut rows = Writing { transaction: self.environment.write_txn()?, trees: self.trees };
        let (answer, changed) = write(&mut rows)?;
        if changed {
            rows.transaction.commit()?;
        } else {
            rows.transaction.abort();
        }
        Ok(answer)
    }

    fn close(self) -> Outcome<()> {
        self.environment.prepare_for_closing().wait();
        Ok(())
    }
}
