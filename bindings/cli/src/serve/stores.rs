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
    /// `None` once they were closed: what comes too late opens none again.
    open: Mutex<Option<BTreeMap<String, Store>>>,
}

impl ProjectStores {
    pub(crate) fn new(args: &Args) -> Result<Self, Failure> {
        let path = place::path(args)?;
        let directory = path.parent().unwrap_or(&path).to_owned();
        std::fs::create_dir_all(&directory)
            .map_err(|error| Failure::from(error).about(&directory.display().to_string()))?;
        Ok(Self { directory, open: Mutex::new(Some(BTreeMap::new())) })
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<String, Store>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are open, by project.
    pub(crate) fn opened(&self) -> Vec<(String, Store)> {
        self.lock()
            .iter()
            .flatten()
            .map(|(project, store)| (project.clone(), store.clone()))
            .collect()
    }

    /// Closes all for good, also those behind one that fails; reports the first failure.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        let stores = self.lock().take().unwrap_or_default();
        stores.into_values().map(|store| store.close()).fold(Ok(()), Result::and)
    }
}

impl Stores for ProjectStores {
    fn store(&self, project: &str, limits: Limits) -> Result<Store, StoreError> {
        // Opening takes less than a commit; whoever asks for another store meanwhile waits that long.
        let mut open = self.lock();
        let open = open.as_mut().ok_or(StoreError::Closed)?;
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
