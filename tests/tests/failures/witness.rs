//! [`Witness`], a store on a failing storage, and what its answers promised.

use crate::faults::Faults;
use crate::pairs::{
    PAIRS, Pair, TOGETHER, TOO_MANY, Told, Version, failure, request, url, version_of,
};
use connectory::{
    Changes, CommitMode, Connection, Creation, Edit, Error, ListQuery, Missing, NewConnection,
    Options, PageLimit, PageQuery, Patch, Refusal, Storage, Store, StoreError,
};
use connectory_tests::hooked::{Hooked, Image};
use std::collections::BTreeSet;

/// A store on a failing storage, and what its answers promised.
pub(crate) struct Witness {
    pub(crate) storage: Hooked,
    pub(crate) faults: Faults,
    options: Options,
    pub(crate) store: Store,
    pub(crate) pairs: Vec<Pair>,
    /// Operations that failed, one for each even where it was many creates.
    pub(crate) failures: Vec<StoreError>,
    /// After how many failures somebody heals the storage.
    pub(crate) heal_after: usize,
    /// Whether a pair is looked at as soon as a write of it failed; a look may be what brings the store back.
    pub(crate) looks: bool,
    /// Whether there are others beside the pairs, too many to list each time.
    pub(crate) in_crowd: bool,
}

impl Witness {
    /// Opens a store in a storage that begins so and has nothing under the pairs.
    pub(crate) fn new(mode: CommitMode, image: &Image, options: Options) -> Self {
        let storage = Hooked::holding(image.clone(), mode);
        let faults = Faults::of(&storage);
        let store = Store::open_with(storage.clone(), options.clone()).unwrap();
        let absent = || Pair { possible: BTreeSet::from([None]), id: None };
        let pairs = (0..PAIRS).map(|_| absent()).collect();
        let (failures, heal_after) = (Vec::new(), usize::MAX);
        let (looks, in_crowd) = (true, !image.store.is_empty());
        Self { storage, faults, options, store, pairs, failures, heal_after, looks, in_crowd }
    }

    /// Notes that an operation failed, and has the storage healed if that makes enough.
    fn note(&mut self, error: &StoreError) {
        self.failures.push(error.clone());
        if self.failures.len() == self.heal_after {
            self.faults.heal();
        }
    }

    /// Takes in what was seen of a pair.
    fn see(&mut self, pair: usize, found: Option<&Connection>) {
        let Pair { possible, id } = &mut self.pairs[pair];
        let version = found.map(version_of);
        assert!(possible.contains(&version), "pair {pair} is {version:?}, not of {possible:?}");
        *possible = BTreeSet::from([version]);
        if let Some(connection) = found {
            assert!(id.is_none_or(|id| id == connection.id), "pair {pair} has another ID");
            *id = Some(connection.id);
        }
    }

    /// Takes in what a write told.
    fn tell(&mut self, pair: usize, told: Told) {
        let possible = &mut self.pairs[pair].possible;
        match told {
            Told::Now(version) => *possible = BTreeSet::from([version]),
            Told::Unchanged => {}
            Told::Perhaps(version) => drop(possible.insert(version)),
        }
    }

    /// Looks at a pair of which a write failed, if this witness does so at once.
    pub(crate) fn look(&mut self, pair: usize) {
        if !self.looks {
            return;
        }
        let NewConnection { domain, profile_name, .. } = request(pair, 0);
        match self.store.find(&profile_name, &domain) {
            Ok(found) => self.see(pair, found.as_ref()),
            Err(error) => self.note(&failure(error)),
        }
    }

    /// Takes in the answer to a create; the failure, if it is one.
    fn created(
        &mut self,
        pair: usize,
        version: u32,
        answer: Result<Creation, Error>,
    ) -> Option<StoreError> {
        let told = match answer {
            Ok(Creation::Created(connection)) => {
                assert!(self.pairs[pair].possible.contains(&None), "pair {pair} was taken");
                self.pairs[pair].id = Some(connection.id);
                Told::Now(Some(version_of(&connection)))
            }
            Ok(other) => panic!("pair {pair} was never created, but: {other:?}"),
            Err(error) => {
                let error = failure(error);
                self.tell(pair, Told::by(&error, Some(version)));
                return Some(error);
            }
        };
        self.tell(pair, told);
        None
    }

    pub(crate) fn create(&mut self, pair: usize, version: u32) {
        let answer = self.store.create(request(pair, version));
        if let Some(error) = self.created(pair, version, answer) {
            self.note(&error);
            self.look(pair);
        }
    }

    /// Creates these pairs in one commit, and the first of them once more.
    pub(crate) fn create_many(&mut self, pairs: std::ops::Range<usize>, version: u32) {
        let again = request(pairs.start, version + 1);
        let requests = pairs.clone().map(|pair| request(pair, version)).chain([again]);
        let mut answers = self.store.create_many(requests);
        let again = answers.pop().unwrap();
        let failed: Vec<_> = pairs
            .clone()
            .zip(answers)
            .filter_map(|(pair, answer)| Some((pair, self.created(pair, version, answer)?)))
            .collect();
        if let Some((pair, error)) = failed.first() {
            assert!(again.is_err(), "not even a conflict comes of a batch that failed: {again:?}");
            self.note(error);
            self.look(*pair);
        } else {
            assert_eq!(Some(again.unwrap().id()), self.pairs[pairs.start].id);
        }
    }

    /// Updates the pair's connection, or deletes it where there is no version to update it to.
    pub(crate) fn change(&mut self, pair: usize, version: Version) {
        let Some(id) = self.pairs[pair].id else { return };
        let answer = match version {
            Some(version) => {
                let patch = Patch { login_url: Edit::Set(url(version)), ..Patch::default() };
                self.store.update(id, patch).map(|connection| Some(version_of(&connection)))
            }
            None => self.store.delete(id).map(|()| None),
        };
        let told = match answer {
            Ok(now) => {
                assert_eq!(now, version);
                assert_ne!(self.pairs[pair].possible, BTreeSet::from([None]), "it was gone");
                Told::Now(now)
            }
            Err(Error::Refused(Refusal::NotFound(Missing::Connection(_)))) => {
                assert!(self.pairs[pair].possible.contains(&None), "pair {pair} was there");
                Told::Now(None)
            }
            Err(error) => {
                let error = failure(error);
                self.tell(pair, Told::by(&error, version));
                self.note(&error);
                return self.look(pair);
            }
        };
        self.tell(pair, told);
    }

    /// Walks the list, which must hold every pair that is there and no other.
    fn list(&mut self) {
        let query = self.in_crowd.then(|| "profile-".into());
        let mut query = ListQuery { query, ..ListQuery::default() };
        query.page.limit = PageLimit::new(7).unwrap();
        let mut listed = Vec::new();
        loop {
            match self.store.list(&query) {
                Ok(page) => {
                    listed.extend(page.items);
                    query.page = PageQuery { cursor: page.next_cursor, ..query.page };
                }
                Err(error) => return self.note(&failure(error)),
            }
            if query.page.cursor.is_none() {
                break;
            }
        }
        assert!(listed.windows(2).all(|pair| pair[0].id > pair[1].id));
        for pair in 0..PAIRS {
            let domain = request(pair, 0).domain;
            let mut found = listed.iter().filter(|connection| connection.domain == domain);
            self.see(pair, found.next());
            assert!(found.next().is_none(), "pair {pair} is listed twice");
        }
    }

    /// Closes the store and opens it again; where that fails, somebody heals the storage.
    pub(crate) fn reopen(&mut self) {
        if let Err(error) = self.store.close() {
            self.note(&failure(error.into()));
        }
        self.open();
    }

    fn open(&mut self) {
        let open = || Store::open_with(self.storage.clone(), self.options.clone());
        let opened = open();
        self.store = opened.unwrap_or_else(|error| {
            self.failures.push(failure(error.into()));
            self.faults.heal();
            let open = || Store::open_with(self.storage.clone(), self.options.clone());
            open().unwrap()
        });
    }

    fn checkpoint(&mut self) {
        if let Err(error) = self.store.checkpoint() {
            self.note(&failure(error));
        }
    }

    pub(crate) fn work(&mut self) {
        for pair in 0..20 {
            self.create(pair, 1);
        }
        self.list();
        for pair in 0..6 {
            self.change(pair, Some(2));
        }
        self.checkpoint();
        self.create_many(TOGETHER, 1);
        for pair in 4..9 {
            self.change(pair, None);
        }
        self.reopen();
        for pair in 6..14 {
            self.change(pair, Some(3));
        }
        self.create_many(TOO_MANY, 1);
        for pair in 10..30 {
            self.change(pair, Some(4));
        }
        self.list();
    }

    /// Has the process end, or the power fail, and opens what is left.
    pub(crate) fn crash(&mut self, left: Image) {
        let mode = self.storage.commit_mode();
        self.faults.heal();
        self.storage = Hooked::holding(left, mode);
        self.faults = Faults::of(&self.storage);
        self.store = Store::open_with(self.storage.clone(), self.options.clone()).unwrap();
        self.list();
    }

    /// Checks, on a healed storage, that the same handle works and that nothing promised is missing, whether the
    /// store ends well or not.
    pub(crate) fn conclude(&mut self, write_first: bool) {
        // A thread may still be at a checkpoint that fails, and who writes meanwhile may fail with it.
        self.store.checkpoint().ok();
        let failures = self.failures.len();
        if write_first {
            let new = NewConnection::new("new.example".parse().unwrap(), "new".parse().unwrap());
            let creation = self.store.create(new).unwrap();
            self.store.delete(creation.id()).unwrap();
        }
        self.list();
        for pair in 0..PAIRS {
            if self.pairs[pair].possible.contains(&None) {
                self.create(pair, 9);
            }
        }
        self.list();
        self.assert_all_told();
        let (running, synced) = (self.storage.image(), self.storage.synced());
        let report = self.store.check().unwrap();
        assert!(report.is_sound() && report.pages_checked, "{report:?}");
        self.store.close().unwrap();
        let closed = self.storage.image();
        assert!(closed.log.is_none(), "a clean close removes the log");
        for left in [closed, running, synced] {
            self.crash(left);
            self.assert_all_told();
            assert!(self.store.check().unwrap().is_sound());
        }
        assert_eq!(self.failures.len(), failures, "nothing fails on a healed storage");
    }

    /// The changes lead to what is there, as far as they are kept.
    fn assert_all_told(&self) {
        let changes = match self.store.changes_since(0, usize::MAX).unwrap() {
            Changes::Since(changes) => changes,
            Changes::TooOld { oldest } => {
                let Changes::Since(changes) =
                    self.store.changes_since(oldest - 1, usize::MAX).unwrap()
                else {
                    panic!("{oldest} is kept")
                };
                changes
            }
        };
        let last = self.store.stats().unwrap().last_change;
        let first = changes.first().map_or(last + 1, |change| change.seq);
        assert!(changes.iter().map(|change| change.seq).eq(first..=last), "without a gap");
        let mut seen = BTreeSet::new();
        for change in changes.iter().rev() {
            if seen.insert(change.id) {
                assert_eq!(self.store.get(change.id).unwrap(), change.connection);
            }
        }
    }
}
