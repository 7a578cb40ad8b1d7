//! Checkpoints and power cuts of a [`Run`] on a recorded storage.

use super::expected::Model;
use super::run::{Place, Run};
use crate::power::Recorded;
use connectory::{Connection, ListQuery, Page, PageLimit, PageQuery, Storage};

impl Run {
    fn storage(&self) -> &Recorded {
        match &self.place {
            Place::Recorded(storage) => storage,
            other => panic!("the power of {other:?} cannot be cut"),
        }
    }

    /// Moves what was written into the tables.
    ///
    /// # Panics
    ///
    /// Where that fails, or is to be seen.
    pub fn checkpoint(&mut self) {
        self.say(&"checkpoint");
        self.store.checkpoint().unwrap();
        self.assert_agrees();
    }

    /// Cuts the power between two operations, of which nothing may be lost; `seed` draws what is left of the files.
    ///
    /// # Panics
    ///
    /// Where the store does not open again, or not as it was.
    pub fn cut(&mut self, seed: u64) {
        self.rng = fastrand::Rng::with_seed(seed);
        let acts = self.storage().acts();
        self.say(&("cut", acts));
        self.cut_after(acts);
        self.assert_agrees();
    }

    /// Cuts the power while the operation of this number is done: it must be there or not, whole. One that is many is
    /// over by then.
    ///
    /// # Panics
    ///
    /// Where the store does not open again, or as neither.
    pub fn cut_during(&mut self, operation: u32, seed: u64) {
        let (before, acts_before) = (self.model.clone(), self.storage().acts());
        self.act(operation, seed);
        let (after, acts_after) = (self.model.clone(), self.storage().acts());
        let single = !Self::is_many(operation);
        let acts = if single { self.rng.usize(acts_before..=acts_after) } else { acts_after };
        self.say(&("cut during that", acts, acts_after));
        self.cut_after(acts);
        if acts < acts_after && !self.holds(&after) {
            let gone_changes = self.model.gone_changes;
            let (plan, cap) = (self.model.plan, self.model.cap);
            self.model = Model { plan, cap, gone_changes, ..before };
        }
        self.assert_agrees();
    }

    fn cut_after(&mut self, acts: usize) {
        let draw = self.rng.u64(..);
        let storage = self.storage();
        let image = storage.record().image(acts, draw);
        let mode = storage.commit_mode();
        self.place = Place::Recorded(Recorded::holding(image, mode));
        let options = self.new_options();
        self.open(options);
    }

    fn assert_agrees(&self) {
        assert!(
            self.holds(&self.model),
            "the store holds something else: {:?}",
            self.store.stats()
        );
        let report = self.store.check().unwrap();
        assert!(report.is_sound(), "{report:?}");
    }

    /// Whether the store holds what a model does.
    fn holds(&self, model: &Model) -> bool {
        let connections: Vec<Connection> =
            all(|page| self.store.list(&ListQuery { page, ..ListQuery::default() }).unwrap());
        let profiles = all(|page| self.store.profiles(&page).unwrap());
        let proxies = all(|page| self.store.proxies(&page).unwrap());
        self.store.stats().unwrap().last_change == model.changes.len() as u64
            && connections.iter().eq(model.matching(&ListQuery::default()))
            && profiles.iter().map(|profile| &profile.name).eq(&model.profiles)
            && profiles.iter().all(|profile| profile.connections == model.of_profile(&profile.name))
            && proxies.len() == model.proxies.len()
            && proxies.iter().all(|proxy| *proxy == model.proxy(&proxy.id))
    }
}

/// Every item of a list.
fn all<T>(list: impl Fn(PageQuery) -> Page<T>) -> Vec<T> {
    let mut items = Vec::new();
    let mut query = PageQuery { limit: PageLimit::MAX, cursor: None };
    loop {
        let page = list(query.clone());
        items.extend(page.items);
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return items,
        }
    }
}
