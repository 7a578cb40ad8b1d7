//! The power cuts themselves: what was synced is there, what was not may be, and a sync that lied makes no difference.

use connectory::{CommitMode, LogStorage, Storage, StorageBackend};
use connectory_tests::power::{Image, Part, Record, Recorded, Remains};
use fastrand::Rng;

const SEEDS: u64 = 400;

fn empty() -> Recorded {
    Recorded::holding(Image::default(), CommitMode::OnePhase)
}

/// A storage with a file of 2048 durable bytes.
fn with_ones() -> (Recorded, Box<dyn StorageBackend>) {
    let image = Image { store: vec![1; 2048], log: None };
    let storage = Recorded::holding(image, CommitMode::OnePhase);
    let backend = storage.open().unwrap();
    (storage, backend)
}

/// All that a disk may hold after everything that was recorded.
/// The file of the log.
fn log_of(storage: &Recorded, make: bool) -> Option<Box<dyn StorageBackend>> {
    match storage.open_log(make).unwrap()? {
        LogStorage::File(file) => Some(file),
        LogStorage::Rows(_) => panic!("it is a file"),
    }
}

fn images(record: &Record) -> Vec<Image> {
    (0..SEEDS).map(|seed| record.image(record.acts(), seed)).collect()
}

/// How many of the images are so.
fn count(images: &[Image], is_so: impl Fn(&Image) -> bool) -> usize {
    images.iter().filter(|image| is_so(image)).count()
}

#[test]
fn reads_see_what_was_not_synced() {
    let (storage, backend) = with_ones();
    backend.write(510, &[2; 4]).unwrap();
    backend.set_len(4096).unwrap();
    let mut out = [0xee; 8];
    storage.open().unwrap().read(508, &mut out).unwrap();
    assert_eq!(out, [1, 1, 2, 2, 2, 2, 1, 1]);
    backend.read(2044, &mut out).unwrap();
    assert_eq!(out, [1, 1, 1, 1, 0, 0, 0, 0]);
    assert!(backend.read(4090, &mut out).is_err());
    assert!(backend.write(4095, &[2; 2]).is_err());
    assert_eq!(backend.len().unwrap(), 4096);
}

#[test]
fn a_write_that_was_not_synced_is_there_or_not_or_torn() {
    let (storage, backend) = with_ones();
    backend.write(0, &[2; 2048]).unwrap();
    let images = images(&storage.record());
    for image in &images {
        for sector in image.store.chunks(512) {
            assert!(sector == [1; 512] || sector == [2; 512], "a sector is whole");
        }
    }
    let vanished = count(&images, |image| image.store == [1; 2048]);
    let survived = count(&images, |image| image.store == [2; 2048]);
    let torn = images.len() - vanished - survived;
    assert!(vanished > 20 && survived > 20 && torn > 20, "{vanished} {survived} {torn}");
    // Not only the first sectors of it, or the last.
    let ends = count(&images, |image| image.store[..512] == image.store[1536..]);
    assert!(ends > vanished + survived, "{ends}");
}

#[test]
fn what_was_synced_is_there() {
    let (storage, backend) = with_ones();
    backend.write(0, &[2; 1024]).unwrap();
    backend.set_len(3000).unwrap();
    backend.sync_data().unwrap();
    backend.write(1000, &[3; 100]).unwrap();
    for image in images(&storage.record()) {
        assert_eq!(image.store.len(), 3000);
        assert_eq!(image.store[..1000], [2; 1000]);
        assert_eq!(image.store[1100..2048], [1; 948]);
        assert_eq!(image.store[2048..], [0; 952]);
    }
    // Before the sync was done it was not.
    let record = storage.record();
    assert!((0..SEEDS).any(|seed| record.image(2, seed).store == [1; 2048]));
}

#[test]
fn of_two_writes_either_may_be_there_alone_or_lie_on_top() {
    let (storage, backend) = with_ones();
    backend.write(0, &[2; 512]).unwrap();
    backend.write(0, &[3; 512]).unwrap();
    backend.write(512, &[4; 512]).unwrap();
    let images = images(&storage.record());
    for (first, second) in [(1, 1), (2, 1), (3, 1), (1, 4), (2, 4), (3, 4)] {
        let found = count(&images, |image| (image.store[0], image.store[512]) == (first, second));
        assert!(found > 5, "{first} and {second}: {found}");
    }
}

#[test]
fn a_length_that_was_not_synced_is_there_or_not_whatever_was_written_behind_it() {
    let (storage, backend) = with_ones();
    backend.set_len(4096).unwrap();
    backend.write(2048, &[2; 512]).unwrap();
    let grown = images(&storage.record());
    for image in &grown {
        assert_eq!(image.store[..2048], [1; 2048]);
        let rest = &image.store[2048..];
        assert!(rest.is_empty() || rest.len() == 2048);
        assert!(rest.is_empty() || rest[..512] == [0; 512] || rest[..512] == [2; 512]);
        assert!(rest.is_empty() || rest[512..] == [0; 1536]);
    }
    let without_data = |image: &Image| image.store.len() == 4096 && image.store[2048] == 0;
    assert!(count(&grown, |image| image.store.len() == 2048) > 20);
    assert!(count(&grown, without_data) > 20);
    assert!(count(&grown, |image| image.store.get(2048) == Some(&2)) > 20);

    let (storage, backend) = with_ones();
    backend.set_len(512).unwrap();
    backend.set_len(2048).unwrap();
    let shrunk = images(&storage.record());
    assert!(count(&shrunk, |image| image.store == [1; 2048]) > 20);
    assert!(count(&shrunk, |image| image.store[512..] == [0; 1536]) > 20);
}

#[test]
fn a_lie_loses_what_an_honest_sync_would_have_kept_until_the_next_one() {
    let (storage, backend) = with_ones();
    backend.write(0, &[2; 512]).unwrap();
    backend.sync_data().unwrap();
    backend.write(512, &[3; 512]).unwrap();
    backend.sync_data().unwrap();
    let record = storage.record();
    assert_eq!(record.syncs_of(Part::Store), [1, 3]);
    assert_eq!((record.next_sync(1), record.next_sync(3)), (3, 4));
    let image = |lie: usize, at: usize, seed: u64| {
        let mut remains = Remains::of(&record);
        remains.lie(lie);
        remains.advance(at);
        remains.image(&mut Rng::with_seed(seed)).store
    };
    assert!((0..SEEDS).any(|seed| image(1, 2, seed)[0] == 1));
    assert!((0..SEEDS).any(|seed| image(1, 3, seed)[..1024] == [[1; 512], [3; 512]].concat()));
    assert!((0..SEEDS).all(|seed| image(1, 4, seed)[..1024] == [[2; 512], [3; 512]].concat()));
    assert!((0..SEEDS).all(|seed| image(3, 4, seed)[0] == 2));
    assert!((0..SEEDS).any(|seed| image(3, 4, seed)[512] == 1));
}

#[test]
fn a_log_has_a_name_once_it_is_open_and_may_keep_it_when_it_is_removed() {
    let storage = empty();
    assert!(log_of(&storage, false).is_none());
    let log = log_of(&storage, true).unwrap();
    let made = storage.acts();
    log.set_len(512).unwrap();
    log.write(0, &[1; 512]).unwrap();
    log.sync_data().unwrap();
    let synced = storage.acts();
    drop(log);
    assert_eq!(log_of(&storage, false).unwrap().len().unwrap(), 512);
    storage.remove_log().unwrap();
    storage.remove_log().unwrap();
    assert!(log_of(&storage, false).is_none());
    let removed = storage.acts();
    let log = log_of(&storage, true).unwrap();
    assert_eq!(log.len().unwrap(), 0);
    let made_again = storage.acts();

    let record = storage.record();
    let logs = |at: usize| (0..SEEDS).map(move |seed| (at, seed));
    let log = |(at, seed): (usize, u64)| record.image(at, seed).log;
    let old = vec![1; 512];
    assert!(logs(0).map(log).all(|log| log.is_none()));
    assert!(logs(1).map(log).any(|log| log.is_none()));
    assert!(logs(1).map(log).any(|log| log == Some(Vec::new())));
    assert!(logs(made).map(log).all(|log| log == Some(Vec::new())));
    assert!(logs(synced).map(log).all(|log| log.as_ref() == Some(&old)));
    assert!(logs(removed).map(log).any(|log| log.as_ref() == Some(&old)));
    assert!(logs(removed).map(log).any(|log| log.is_none()));
    assert!(logs(made_again - 1).map(log).any(|log| log.as_ref() == Some(&old)));
    assert!(logs(made_again).map(log).all(|log| log == Some(Vec::new())));
    assert_eq!(record.syncs_of(Part::Log), [synced - 1]);
}

#[test]
fn the_same_seed_makes_the_same_image_rolled_forward_or_not() {
    let (storage, backend) = with_ones();
    let log = log_of(&storage, true).unwrap();
    let mut rng = Rng::with_seed(1);
    for _ in 0..200 {
        let file = if rng.bool() { &backend } else { &log };
        match rng.u8(..8) {
            0 => file.set_len(rng.u64(..4096)).unwrap(),
            1 => file.sync_data().unwrap(),
            _ => {
                let offset = rng.u64(..4096);
                file.set_len(file.len().unwrap().max(offset + 700)).unwrap();
                file.write(offset, &[rng.u8(..); 700]).unwrap();
            }
        }
    }
    let record = storage.record();
    let mut remains = Remains::of(&record);
    for at in 0..=record.acts() {
        remains.advance(at);
        let seed = at as u64 / 3;
        assert_eq!(remains.image(&mut Rng::with_seed(seed)), record.image(at, seed));
    }
}
