//! fjall, whose documentation advises transactions of a single writer for what reads before it writes.
//!
//! `SyncData` at every commit; a `persist` after it, by which callers could share syncs, made no more of them. What
//! it says of tuning: no filters on the last level of records, which are only asked for where they are; a hash index
//! in blocks, for data that is cached; everything else as it comes.

use crate::peer::Outcome;
use crate::trees::{Engine, Rows, Tree, WritableRows};
use fjall::config::HashRatioPolicy;
use fjall::{
    Guard, KeyspaceCreateOptions, PersistMode, Readable, SingleWriterTxDatabase,
    SingleWriterTxKeyspace, SingleWriterWriteTx, Snapshot,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits no longer than this for compactions to end.
const SETTLE_AT_MOST: Duration = Duration::from_secs(60);

pub(crate) struct Fjall {
    database: SingleWriterTxDatabase,
    trees: [SingleWriterTxKeyspace; 3],
}

impl Fjall {
    pub(crate) fn open(directory: &Path, cache_bytes: Option<usize>) -> Outcome<Self> {
        // Every transaction says how durable it is.
        let builder = SingleWriterTxDatabase::builder(directory).manual_journal_persist(true);
        let database = match cache_bytes {
            Some(bytes) => builder.cache_size(bytes as u64),
            None => builder,
        }
        .open()?;
        let open = |tree: Tree| {
            database.keyspace(tree.name(), || {
                KeyspaceCreateOptions::default()
                    .expect_point_read_hits(tree == Tree::Connections)
                    .data_block_hash_ratio_policy(HashRatioPolicy::all(1.0))
            })
        };
        let trees = [open(Tree::Connections)?, open(Tree::Profiles)?, open(Tree::Domains)?];
        Ok(Self { database, trees })
    }
}

/// The trees, as a snapshot or a transaction sees them.
pub(crate) struct Seen<'a, R> {
    by: R,
    trees: &'a [SingleWriterTxKeyspace; 3],
}

type Reading<'a> = Seen<'a, Snapshot>;
type Writing<'a> = Seen<'a, SingleWriterWriteTx<'a>>;

impl<R: Readable> Rows for Seen<'_, R> {
    fn get<T>(&self, tree: Tree, key: &[u8], see: impl FnOnce(&[u8]) -> T) -> Outcome<Option<T>> {
        let value = self.by.get(&self.trees[tree as usize], key)?;
        Ok(value.map(|value| see(&value)))
    }

    fn last(
        &self,
        tree: Tree,
        prefix: &[u8],
        mut see: impl FnMut(&[u8], &[u8]) -> Outcome<bool>,
    ) -> Outcome<()> {
        for row in self.by.prefix(&self.trees[tree as usize], prefix).rev() {
            let (key, value) = Guard::into_inner(row)?;
            if !see(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}

impl WritableRows for Writing<'_> {
    fn put(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Outcome<()> {
        self.by.insert(&self.trees[tree as usize], key, value);
        Ok(())
    }
}

impl Engine for Fjall {
    type Reading<'a> = Reading<'a>;
    type Writing<'a> = Writing<'a>;

    fn read(&self) -> Outcome<Reading<'_>> {
        Ok(Seen { by: self.database.read_tx(), trees: &self.trees })
    }

    fn write<T>(&self, write: impl FnOnce(&mut Writing<'_>) -> Outcome<(T, bool)>) -> Outcome<T> {
        let by = self.database.write_tx().durability(Some(PersistMode::SyncData));
        let mut rows = Seen { by, trees: &self.trees };
        let (answer, changed) = write(&mut rows)?;
        if changed {
            rows.by.commit()?;
        } else {
            rows.by.rollback();
        }
        Ok(answer)
    }

    fn settle(&self) -> Outcome<()> {
        let database = self.database.inner();
        let begun = Instant::now();
        while database.outstanding_flushes() + database.active_compactions() > 0
            && begun.elapsed() < SETTLE_AT_MOST
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn close(self) -> Outcome<()> {
        self.database.persist(PersistMode::SyncAll)?;
        drop(self.trees);
        drop(self.database);
        Ok(())
    }
}
