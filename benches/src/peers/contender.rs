//! [`Contender`], the engines by name.

use crate::fjall::Fjall;
use crate::lmdb::Lmdb;
use crate::ours::Ours;
use crate::peer::{Outcome, Peer};
use crate::redb::Redb;
use crate::sqlite::Sqlite;
use crate::trees::Registry;
use clap::ValueEnum;
use std::path::Path;

/// An engine that takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Contender {
    Connectory,
    Sqlite,
    Lmdb,
    Fjall,
    Redb,
}

impl Contender {
    pub(crate) const ALL: [Self; 5] =
        [Self::Connectory, Self::Sqlite, Self::Lmdb, Self::Fjall, Self::Redb];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connectory => "connectory",
            Self::Sqlite => "SQLite",
            Self::Lmdb => "LMDB",
            Self::Fjall => "fjall",
            Self::Redb => "redb",
        }
    }

    /// Opens the registry in `directory`, made there if nothing is. `None` for the cache that an engine has by
    /// default; LMDB never has one.
    pub(crate) fn open(
        self,
        directory: &Path,
        cache_bytes: Option<usize>,
    ) -> Outcome<Box<dyn Peer>> {
        std::fs::create_dir_all(directory)?;
        Ok(match self {
            Self::Connectory => Box::new(Ours::open(directory, cache_bytes)?),
            Self::Sqlite => Box::new(Sqlite::open(directory, cache_bytes)?),
            Self::Lmdb => Box::new(Registry::new(Lmdb::open(directory)?)?),
            Self::Fjall => Box::new(Registry::new(Fjall::open(directory, cache_bytes)?)?),
            Self::Redb => Box::new(Registry::new(Redb::open(directory, cache_bytes)?)?),
        })
    }

    /// A registry in memory, of the engines that have such a mode.
    pub(crate) fn in_memory(self, cache_bytes: Option<usize>) -> Outcome<Option<Box<dyn Peer>>> {
        Ok(match self {
            Self::Connectory => Some(Box::new(Ours::in_memory(cache_bytes)?)),
            Self::Sqlite => Some(Box::new(Sqlite::in_memory(cache_bytes)?)),
            Self::Redb => Some(Box::new(Registry::new(Redb::in_memory(cache_bytes)?)?)),
            Self::Lmdb | Self::Fjall => None,
        })
    }
}
