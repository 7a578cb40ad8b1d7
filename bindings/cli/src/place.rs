//! Where stores live, and how a command opens the one that it means.

use crate::args::Args;
use crate::outcome::Failure;
use connectory::http::is_project_id;
use connectory::{FileStorage, Options, Store, StoreError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a command waits for a store that is in use: longer than a command beside it takes, and not long for a
/// person.
const PATIENCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(5);

/// The file of the project that `args` name.
pub(crate) fn path(args: &Args) -> Result<PathBuf, Failure> {
    let id = args.project.as_str();
    if !is_project_id(id) {
        return Err(Failure::refused(format!(
            "--project: {id:?} is not a project ID; send 1 to 64 of A-Z a-z 0-9 . _ -, no dot first"
        )));
    }
    let directory = match &args.store {
        Some(directory) => directory.clone(),
        None => dirs::data_dir()
            .ok_or_else(|| {
                Failure::refused("this platform has no data directory; name one with --store")
            })?
            .join("connectory"),
    };
    Ok(directory.join(file_name(id)))
}

/// The name of a project's file.
pub(crate) fn file_name(id: &str) -> String {
    format!("{id}.connectory")
}

fn options(args: &Args) -> Options {
    Options::new().plan(args.plan).cap(args.cap)
}

/// Opens the store for writing, making it where there is none.
pub(crate) fn open(args: &Args) -> Result<Store, Failure> {
    let path = path(args)?;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| at(&path, StoreError::from(error)))?;
    }
    patiently(|| Store::open_with(FileStorage::new(&path), options(args)))
        .map_err(|error| at(&path, error))
}

/// Opens a store, again for a moment where it is in use: commands that follow on each other closely, or look while
/// others write, are not refused.
pub(crate) fn patiently(open: impl Fn() -> Result<Store, StoreError>) -> Result<Store, StoreError> {
    let started = Instant::now();
    loop {
        match open() {
            Err(StoreError::InUse) if started.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            opened => return opened,
        }
    }
}

/// Opens the store for reading: without a trace where it was closed cleanly, recovering it first where not.
pub(crate) fn open_to_read(args: &Args) -> Result<Store, Failure> {
    let path = path(args)?;
    if !path.exists() {
        return Err(Failure::not_found(format!(
            "there is no store at {}; the first create makes one",
            path.display()
        )));
    }
    patiently(|| open_to_read_now(&path, args)).map_err(|error| at(&path, error))
}

/// As [`open_to_read`], the store at `path` and without patience.
pub(crate) fn open_to_read_now(path: &Path, args: &Args) -> Result<Store, StoreError> {
    Store::open_read_only(path, options(args)).or_else(|error| match error {
        StoreError::Damaged(_) => Store::open_with(FileStorage::existing(path), options(args)),
        error => Err(error),
    })
}

/// The failure of a file, with its path.
pub(crate) fn at(path: &Path, error: StoreError) -> Failure {
    Failure::from(error).about(&path.display().to_string())
}
