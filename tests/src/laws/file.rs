//! The law of files: whatever is in a store's file and in its log, the store answers as it once did, or says what is wrong.

use super::steady_stamps;
use crate::power::{Image, Recorded};
use connectory::{CheckpointMode, CommitMode, Error, NewConnection, Options, Store, StoreError};
use std::path::Path;
use std::sync::OnceLock;

/// No file is longer.
const FILE_MAX_BYTES: usize = 8 << 20;
/// Edits are of places in blocks of so many bytes that are not all zero.
const BLOCK: usize = 64;

/// A small store as it was left, and everything that it ever held.
struct Sample {
    image: Image,
    /// The dump after each operation.
    history: Vec<Vec<String>>,
    is_closed: bool,
}

/// Opens the files that `input` describes, reads them in every way and writes to them. If the first byte is 0 the rest is
/// the store's file. If not it says which sample of a store is edited; then each six bytes are an edit.
///
/// # Panics
///
/// Where something is answered that the store never held, or a failure does not say that the file is at fault.
pub fn file(input: &[u8]) {
    static SAMPLES: OnceLock<[Sample; 2]> = OnceLock::new();
    let Some((kind, rest)) = input.split_first() else { return };
    if *kind == 0 {
        let image = Image { store: rest.to_vec(), log: None };
        return read(&image, |_| {});
    }
    let [open, closed] = SAMPLES.get_or_init(|| [sample(false), sample(true)]);
    let sample = if kind % 2 == 0 { closed } else { open };
    let mut image = sample.image.clone();
    for edit in rest.as_chunks::<6>().0.iter().take(16) {
        apply(*edit, &mut image);
    }
    read(&image, |lines| {
        let is_last = sample.history.last().is_some_and(|last| last == lines);
        let is_one = !sample.is_closed && sample.history.iter().any(|one| one == lines);
        assert!(is_last || is_one, "it never held {lines:#?}");
    });
}

fn sample(is_closed: bool) -> Sample {
    let storage = Recorded::holding(Image::default(), CommitMode::QuickRepair);
    let store = Store::open_with(storage.clone(), options()).expect("a new store");
    let mut history = vec![dump(&store).expect("a dump")];
    for n in 0..30 {
        let domain = format!("site-{n}.example").parse().expect("a domain");
        let profile = if n % 3 == 0 { format!("user-{n}") } else { "user".into() };
        let request = NewConnection::new(domain, profile.parse().expect("a name"));
        let id = store.create(request).expect("it is new").id();
        history.push(dump(&store).expect("a dump"));
        if n % 7 == 0 {
            store.delete(id).expect("it is there");
            history.push(dump(&store).expect("a dump"));
        }
        if n % 11 == 0 {
            let proxy = format!("px-{n}").parse().expect("an ID");
            store.register_proxy(proxy, None).expect("it is new");
            history.push(dump(&store).expect("a dump"));
        }
        if n == 20 {
            store.checkpoint().expect("a checkpoint");
        }
    }
    if is_closed {
        store.close().expect("it closes");
    }
    let image = storage.record().image(storage.acts(), 0);
    Sample { image, history, is_closed }
}

fn options() -> Options {
    let options = Options::with_stamps(steady_stamps()).cache_bytes(1 << 20);
    options.log_bytes(16 << 10).checkpoint_mode(CheckpointMode::OnDemand)
}

fn apply(edit: [u8; 6], image: &mut Image) {
    let [what, low, high, within, value, count] = edit;
    let file = if what & 1 == 0 { Some(&mut image.store) } else { image.log.as_mut() };
    let Some(file) = file else { return };
    let is_used = |block: &(usize, &[u8])| block.1.iter().any(|byte| *byte != 0);
    let used: Vec<usize> = file.chunks(BLOCK).enumerate().filter(is_used).map(|(n, _)| n).collect();
    let nth = usize::from(u16::from_le_bytes([low, high]));
    let Some(block) = used.get(nth % used.len().max(1)) else { return };
    let at = (block * BLOCK + usize::from(within) % BLOCK).min(file.len() - 1);
    match what >> 1 {
        0..=59 => file[at] ^= value,
        60..=79 => file[at] = value,
        80..=89 => file.truncate(at),
        90..=99 => {
            let end = (at + usize::from(count) * 16).min(file.len());
            file[at..end].fill(value);
        }
        100..=109 => {
            let Some(from) = used.get(usize::from(value) % used.len()) else { return };
            let length = usize::from(count) * 16;
            let end = (from * BLOCK + length).min(file.len());
            let copy = file[from * BLOCK..end].to_vec();
            let end = (at + copy.len()).min(file.len());
            file[at..end].copy_from_slice(&copy[..end - at]);
        }
        110..=119 => {
            let length = (file.len() + usize::from(count) * 512).min(FILE_MAX_BYTES);
            file.resize(length, value);
        }
        _ => image.log = None,
    }
}

/// Reads a store in every way there is; `judge` gets its dump, if there is one.
fn read(image: &Image, judge: impl Fn(&[String])) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.connectory");
    std::fs::write(&path, &image.store).expect("a file");
    if let Some(log) = &image.log {
        std::fs::write(directory.path().join("a.connectory-log"), log).expect("a file");
    }
    look(Store::open_read_only(&path, options()), &judge);
    look(open(&path), &judge);
}

fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open_with(connectory::FileStorage::existing(path), options())
}

fn look(opened: Result<Store, StoreError>, judge: &dyn Fn(&[String])) {
    let store = match opened {
        Ok(store) => store,
        Err(error) => return assert_says_what_is_wrong(&Error::Failed(error)),
    };
    if let Err(error) = store.check() {
        return assert_says_what_is_wrong(&error);
    }
    match store.list(&connectory::ListQuery::default()) {
        Ok(page) => assert!(page.items.len() <= 20),
        Err(error) => assert_says_what_is_wrong(&error),
    }
    match dump(&store) {
        Ok(lines) => judge(&lines),
        Err(error) => assert_says_what_is_wrong(&error),
    }
    let request = NewConnection::new(
        "new.example".parse().expect("a domain"),
        "new".parse().expect("a name"),
    );
    if let Err(error) = store.create(request) {
        assert!(
            matches!(error, Error::Failed(StoreError::ReadOnly | StoreError::Damaged(_))),
            "{error:?}"
        );
    }
}

fn dump(store: &Store) -> Result<Vec<String>, Error> {
    store.dump()?.collect()
}

fn assert_says_what_is_wrong(error: &Error) {
    let Error::Failed(error) = error else { panic!("{error:?}") };
    let is_of_the_file = matches!(
        error,
        StoreError::Damaged(_) | StoreError::NotAStore(_) | StoreError::OtherFormat { .. }
    );
    assert!(is_of_the_file && !error.to_string().is_empty(), "{error:?}");
}
