//! Recovery from files into files.

use connectory::{Creation, Error, NewConnection, Store, StoreError};
use std::path::Path;
use tempfile::TempDir;

fn create(store: &Store, n: usize) {
    let domain = format!("d{n}.example").parse().unwrap();
    let creation = store.create(NewConnection::new(domain, "user-123".parse().unwrap())).unwrap();
    assert!(matches!(creation, Creation::Created(_)));
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn dump(store: &Store) -> Vec<String> {
    store.dump().unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_store_in_files_is_recovered_while_nobody_has_it() {
    let directory = TempDir::new().unwrap();
    let [source, target, copy] =
        ["a.connectory", "b.connectory", "c.connectory"].map(|name| directory.path().join(name));
    let store = Store::open(&source).unwrap();
    (0..40).for_each(|n| create(&store, n));
    let in_use = connectory::recover(&source, &target, |_, _| ());
    assert!(matches!(in_use, Err(Error::Failed(StoreError::InUse))), "{in_use:?}");

    // As a crash would leave it.
    std::fs::copy(&source, &copy).unwrap();
    std::fs::copy(directory.path().join("a.connectory-log"), copy.with_extension("connectory-log"))
        .unwrap();
    let truth = dump(&store);
    store.close().unwrap();

    let mut progress = Vec::new();
    let report = connectory::recover(&copy, &target, |done, of| progress.push((done, of))).unwrap();
    assert!(report.is_complete(), "{report:#?}");
    assert_eq!(report.found.log, 40);
    assert_eq!(progress.first(), Some(&(0, 40)));
    assert_eq!(progress.len(), 40);
    let names = ["a.connectory", "b.connectory", "c.connectory", "c.connectory-log"];
    assert_eq!(files(directory.path()), names, "nothing is left of the way there");
    let store = Store::open(&target).unwrap();
    assert_eq!(dump(&store), truth);
    create(&store, 99);
}

#[test]
fn a_recovery_that_fails_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let [source, target] = ["a", "b"].map(|name| directory.path().join(name));
    std::fs::write(&source, vec![1; 50_000]).unwrap();
    let foreign = connectory::recover(&source, &target, |_, _| ());
    assert!(matches!(foreign, Err(Error::Failed(StoreError::NotAStore(_)))), "{foreign:?}");
    assert_eq!(files(directory.path()), ["a"]);

    std::fs::write(&target, "mine").unwrap();
    drop(Store::open(directory.path().join("c")).unwrap());
    let taken = connectory::recover(directory.path().join("c"), &target, |_, _| ());
    assert!(matches!(taken, Err(Error::Failed(StoreError::Io(_)))), "{taken:?}");
    assert_eq!(std::fs::read(&target).unwrap(), b"mine");
    let missing =
        connectory::recover(directory.path().join("d"), directory.path().join("e"), |_, _| ());
    assert!(matches!(missing, Err(Error::Failed(StoreError::Io(_)))), "{missing:?}");
    assert_eq!(files(directory.path()), ["a", "b", "c"]);
}
