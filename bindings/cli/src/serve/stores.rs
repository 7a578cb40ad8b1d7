//! [`ProjectStores`], the stores of a directory, each opened when it is first asked for.

use crate::args::Args;
use crate::outcome::Failure;
use crate::place;
use connectory::http::Stores;
use connectory::{FileStorage, Limits, Options, Store, StoreError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct ProjectStores {
    directory: PathBuf,
    open: Mutex<BTreeMap<String, Store>>,
}

impl ProjectStores {
    pub(crate) fn new(args: &Args) -> Result<Self, Failure> {
        let path = place::path(args)?;
        let directory = path.parent().unwrap_or(&path).to_owned();
        std::fs::create_dir_all(&directory)
            .map_err(|error| Failure::from(error).about(&directory.display().to_string()))?;
        Ok(Self { directory, open: Mutex::new(BTreeMap::new()) })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Store>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are open, by project.
    pub(crate) fn opened(&self) -> Vec<(String, Store)> {
        self.lock().iter().map(|(project, store)| (project.clone(), store.clone())).collect()
    }

    pub(crate) fn close(&self) -> Result<(), StoreError> {
        std::mem::take(&mut *self.lock()).into_values().try_for_each(|store| store.close())
    }
}

impl Stores for ProjectStores {
    fn store(&self, project: &str, limits: Limits) -> Result<Store, StoreError> {
        // Opening takes less than a commit; whoever asks for another store meanwhile waits that long.
        let mut open = self.lock();
        if let Some(store) = open.get(project) {
            return Ok(store.clone());
        }
        let path = self.directory.join(place::file_name(project));
        let options = Options::new().plan(limits.plan).cap(limits.cap);
        let store = Store::open_with(FileStorage::new(path), options)?;
        open.insert(project.into(), store.clone());
        Ok(store)
    }
}
