//! What is found on a disk after a power cut, held against the history of its store.

use crate::life::{Life, Moment, State, plainly};
use connectory::{Changes, Creation, Error, NewConnection, Store, StoreError};
use connectory_tests::power::{Image, Part, Recorded, Remains};
use fastrand::Rng;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

/// Which image of a life: `at.draw` or, where the sync `lie` did nothing, `at.draw.lie`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// After how many acts.
    pub(crate) at: usize,
    pub(crate) draw: u64,
    pub(crate) lie: Option<usize>,
}

impl fmt::Display for Cut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.at, self.draw)?;
        self.lie.map_or(Ok(()), |lie| write!(out, ".{lie}"))
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let not_a_cut = || format!("{text:?} is not at.draw or at.draw.lie");
        let numbers: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        let index = |number: u64| usize::try_from(number).map_err(|_| not_a_cut());
        match numbers.map_err(|_| not_a_cut())?[..] {
            [at, draw] => Ok(Self { at: index(at)?, draw, lie: None }),
            [at, draw, lie] => Ok(Self { at: index(at)?, draw, lie: Some(index(lie)?) }),
            _ => Err(not_a_cut()),
        }
    }
}

/// What must not be.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// Something acknowledged is not there: the store is as it was before.
    Lost { found: usize, acknowledged: usize },
    /// Anything else.
    Otherwise(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { found, acknowledged } => {
                write!(
                    out,
                    "it is as after operation {found}, and {acknowledged} were acknowledged"
                )
            }
            Self::Otherwise(what) => out.write_str(what),
        }
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self::Otherwise(what)
    }
}

/// What was found, as it may be.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Whether the operation under way is there; `None` where there was none, or one that changed nothing.
    pub(crate) in_flight: Option<bool>,
    /// How many acknowledged operations that changed something are not there, after a lie.
    pub(crate) back: usize,
    /// With what the store refused to open, or to be read, after a lie.
    pub(crate) refused: Option<StoreError>,
    pub(crate) cut_again: bool,
    pub(crate) checked: bool,
    pub(crate) written: bool,
}

fn fail<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Otherwise(what.into()))
}

/// Judges one image.
pub(crate) struct Judge<'a> {
    pub(crate) life: &'a Life,
    pub(crate) cut: Cut,
    rng: Rng,
    image: Image,
}

impl<'a> Judge<'a> {
    /// `remains` stand where the power is cut.
    pub(crate) fn new(life: &'a Life, cut: Cut, remains: &Remains<'_>) -> Self {
        let mut rng = Rng::with_seed(life.plan.seed);
        for number in [cut.at as u64, cut.draw, cut.lie.map_or(0, |lie| lie as u64 + 1)] {
            rng = Rng::with_seed(rng.u64(..) ^ number);
        }
        let image = remains.image(&mut rng);
        Self { life, cut, rng, image }
    }

    /// The verdict; a panic is one too.
    pub(crate) fn judge(mut self) -> Result<Found, Wrong> {
        let judged = catch_unwind(AssertUnwindSafe(|| self.examine()));
        judged.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            fail(format!("it panicked: {}", text.unwrap_or_default()))
        })
    }

    /// Whether something acknowledged may be gone: a sync of the log lied. One of the tables' own costs nothing.
    fn is_excused(&self) -> bool {
        self.cut.lie.is_some_and(|lie| self.life.record.part_synced(lie) == Some(Part::Log))
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.rng.usize(..times) == 0
    }

    fn storage(&self, image: Image) -> Recorded {
        Recorded::holding(image, self.life.plan.mode)
    }

    fn reopen(&self, storage: &Recorded) -> Result<Store, StoreError> {
        plainly(storage, self.life.plan.options(self.cut.draw ^ self.cut.at as u64))
    }

    fn examine(&mut self) -> Result<Found, Wrong> {
        let mut found = Found::default();
        let mut storage = self.storage(self.image.clone());
        let opened = self.reopen(&storage).and_then(|store| match State::of(&store) {
            Ok(state) => Ok((store, state)),
            Err(Error::Failed(error)) => Err(error),
            Err(error) => Err(StoreError::Internal(error.to_string())),
        });
        let (mut store, state) = match opened {
            Ok(opened) => opened,
            Err(error @ (StoreError::Damaged(_) | StoreError::NotAStore(_)))
                if self.is_excused() =>
            {
                found.refused = Some(error);
                return Ok(found);
            }
            Err(error) => return fail(format!("it does not open: {error}")),
        };
        let moment = self.place(&state, &mut found)?;
        if self.one_in(8) {
            found.cut_again = true;
            let record = storage.record();
            let at = self.rng.usize(..=record.acts());
            let image = record.image(at, self.rng.u64(..));
            storage = self.storage(image);
            let of = format!("cut again after {at} of {} acts", record.acts());
            let again = self.reopen(&storage);
            store = again.map_err(|error| format!("{of} it does not open: {error}"))?;
            let again = State::of(&store).map_err(|error| format!("{of}: {error}"))?;
            if again != state {
                return fail(format!("{of} it is another: {}", difference(&again, &state)));
            }
        }
        if self.one_in(4) {
            self.follow(&store, &state)?;
        }
        // What a lie damaged need not be where a dump looks.
        if self.cut.lie.is_some() || self.one_in(8) {
            found.checked = true;
            let report = store.check().map_err(|error| format!("it cannot be checked: {error}"))?;
            if !report.is_sound() || !report.pages_checked {
                return fail(format!("it is not sound: {report:?}"));
            }
        }
        if self.one_in(3) {
            found.written = true;
            self.write(&storage, store, &state, moment)?;
        }
        Ok(found)
    }

    /// The moment of the history whose state this is, if it is one that may be.
    fn place(&self, state: &State, found: &mut Found) -> Result<&'a Moment, Wrong> {
        let life = self.life;
        let (reached, under_way) = life.moment_at(self.cut.at);
        let (last, next) = (&life.moments[reached], life.moments.get(reached + 1));
        let next = next.filter(|_| under_way);
        if let Some(next) = next.filter(|next| next.state != last.state) {
            found.in_flight = Some(*state == next.state);
        }
        if last.state == *state {
            return Ok(last);
        }
        if let Some(next) = next.filter(|next| next.state == *state) {
            return Ok(next);
        }
        match life.moments[..reached].iter().rposition(|moment| moment.state == *state) {
            Some(before) if self.is_excused() => {
                found.in_flight = None;
                let gone = life.moments[before..=reached].windows(2);
                found.back = gone.filter(|pair| pair[0].state != pair[1].state).count();
                Ok(&life.moments[before])
            }
            Some(before) => Err(Wrong::Lost { found: before, acknowledged: reached }),
            None => fail(format!(
                "it is as it never was; after operation {reached}: {}",
                difference(state, &last.state)
            )),
        }
    }

    /// Reads the changes, which must be those of the history.
    fn follow(&self, store: &Store, state: &State) -> Result<(), Wrong> {
        let kept_from = store.stats().map_err(|error| error.to_string())?.oldest_change;
        let since = kept_from.saturating_sub(1);
        let changes = match store.changes_since(since, usize::MAX) {
            Ok(Changes::Since(changes)) => changes,
            other => return fail(format!("no changes since {since}: {other:?}")),
        };
        let all = &self.life.changes;
        let expected = (since + 1..=state.last_change).filter_map(|seq| all.get(&seq));
        if changes.iter().eq(expected) {
            Ok(())
        } else {
            fail(format!("since {since} other changes than there were: {changes:?}"))
        }
    }

    /// Creates one more, and looks whether it and everything before it is there after a close or another cut.
    fn write(
        &mut self,
        storage: &Recorded,
        store: Store,
        state: &State,
        moment: &Moment,
    ) -> Result<(), Wrong> {
        const NEW: &str = "after-the-cut";
        let domain = format!("{NEW}.example").parse().unwrap();
        let id = match store.create(NewConnection::new(domain, NEW.parse().unwrap())) {
            Ok(Creation::Created(connection)) => connection.id,
            other => return fail(format!("nothing can be created: {other:?}")),
        };
        if moment.newest.is_some_and(|newest| id <= newest) {
            return fail(format!("{id} is no greater than {:?}", moment.newest));
        }
        let mut storage = storage.clone();
        if self.rng.bool() {
            let record = storage.record();
            let image = record.image(record.acts(), self.rng.u64(..));
            storage = self.storage(image);
        }
        drop(store);
        let again = self.reopen(&storage).and_then(|store| {
            let state = State::of(&store);
            state.map_err(|error| StoreError::Internal(error.to_string()))
        });
        let mut again = again.map_err(|error| format!("after one create: {error}"))?;
        let count = again.lines.len();
        again.lines.retain(|line| !line.contains(NEW));
        again.last_change -= 1;
        if again == *state && count == state.lines.len() + 2 {
            Ok(())
        } else {
            fail(format!("after one create more is different: {}", difference(&again, state)))
        }
    }
}

/// The lines in which a state is not what it should be.
fn difference(found: &State, expected: &State) -> String {
    let only = |of: &State, not: &State| -> Vec<String> {
        of.lines.iter().filter(|line| !not.lines.contains(line)).cloned().collect()
    };
    let (more, missing) = (only(found, expected), only(expected, found));
    let changes = (found.last_change, expected.last_change);
    format!("change {} for {}; more: {more:#?}; missing: {missing:#?}", changes.0, changes.1)
}
