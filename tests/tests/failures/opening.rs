//! A store that is opened while one call after the other fails.

use crate::faults::{Context, FILES, Fault, Faults, MODES, SMALL_LOG, alone};
use crate::pairs::{failure, request};
use connectory::{Creation, ListQuery, PageLimit, Store};
use connectory_tests::hooked::{Call, File, Hooked, Image, Unsynced};
use connectory_tests::seed;
use std::io::ErrorKind;

/// What a storage may hold when a store is opened in it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Before {
    Nothing,
    Closed,
    /// As after a power cut.
    Open,
}

/// Lets every call in turn fail while a store is opened in such a storage; whatever came of it, the next opening
/// finds all that was there.
pub(crate) fn opens_once_healed(before: Before) {
    let mut rng = fastrand::Rng::with_seed(seed());
    for (mode, log_bytes) in MODES.into_iter().flat_map(|mode| [(mode, SMALL_LOG), (mode, 1 << 20)])
    {
        let mut image = Image::default();
        let mut count = 0;
        if !matches!(before, Before::Nothing) {
            let storage = Hooked::new(mode);
            let store = Store::open_with(storage.clone(), alone(log_bytes)).unwrap();
            count = 50;
            for n in 0..count {
                assert!(matches!(store.create(request(n, 1)), Ok(Creation::Created(_))));
            }
            if matches!(before, Before::Closed) {
                store.close().unwrap();
            }
            image = storage.image();
            assert_eq!(image.log.is_some(), matches!(before, Before::Open));
        }
        let calls = [Call::Write, Call::Sync].map(Some);
        let of_files = FILES.into_iter().flat_map(|file| calls.map(|call| (Some(file), call)));
        for (file, call, lasts) in of_files
            .chain([(None, None)])
            .flat_map(|(file, call)| [(file, call, false), (file, call, true)])
        {
            for nth in 1.. {
                let storage = Hooked::holding(image.clone(), mode);
                let faults = Faults::of(&storage);
                if file == Some(File::Log) && call == Some(Call::Sync) {
                    storage.on_failed_sync(Unsynced::IsHidden);
                }
                let kind = if rng.bool() { ErrorKind::Other } else { ErrorKind::StorageFull };
                let fault = Fault { file, call, nth, lasts, kind };
                let is_killed = rng.bool();
                let _context =
                    Context(format!("{mode:?}, {log_bytes}, {before:?}, {fault:?}, {is_killed}"));
                faults.arm(fault);
                let opened = Store::open_with(storage.clone(), alone(log_bytes));
                let untouched = faults.failed() == 0;
                let left = storage.image();
                faults.heal();
                let store = match opened {
                    Ok(store) => store,
                    Err(error) => {
                        failure(error.into());
                        let next = if is_killed { Hooked::holding(left, mode) } else { storage };
                        Store::open_with(next, alone(log_bytes)).unwrap()
                    }
                };
                let listed = || {
                    let mut query = ListQuery::default();
                    query.page.limit = PageLimit::MAX;
                    store.list(&query).unwrap().items.len()
                };
                assert_eq!(listed(), count);
                assert!(matches!(store.create(request(51, 1)), Ok(Creation::Created(_))));
                assert!(store.check().unwrap().is_sound());
                assert_eq!(listed(), count + 1);
                if untouched {
                    break;
                }
            }
        }
    }
}
