//! [`Clock`], how much of a soak is over, and [`Weather`] and [`Ending`], what happens in which part of it.

use fastrand::Rng;
use std::time::{Duration, Instant};

/// How long it lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    Time(Duration),
    /// So many acknowledged writes.
    Writes(u64),
}

/// How much of it is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    length: Length,
    begun: Instant,
    /// Acknowledged writes before that.
    written: u64,
}

impl Clock {
    pub(crate) fn begin(length: Length, written: u64) -> Self {
        Self { length, begun: Instant::now(), written }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How much is over, in thousandths, after so many acknowledged writes.
    pub(crate) fn per_mille(&self, written: u64) -> u64 {
        match self.length {
            Length::Time(all) => {
                let over = self.elapsed().as_millis() * 1000 / all.as_millis().max(1);
                u64::try_from(over).unwrap_or(1000)
            }
            Length::Writes(all) => (written - self.written) * 1000 / all.max(1),
        }
    }

    /// The quarter that it is in, from 0; `None` after the last.
    pub(crate) fn quarter(&self, written: u64) -> Option<usize> {
        let quarter = usize::try_from(self.per_mille(written) / 250).unwrap_or(4);
        (quarter < 4).then_some(quarter)
    }
}

/// What happens to the process with the store in a quarter of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// It is killed again and again.
    Storm,
    /// One goes on throughout, so that what it takes can be compared with another.
    Calm,
}

impl Weather {
    pub(crate) fn of(quarter: usize) -> Self {
        if quarter.is_multiple_of(2) { Self::Storm } else { Self::Calm }
    }
}

/// How the process with the store ends, once it is time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Killed,
    /// The next time that the store is looked after: while it is closed, opened, checked or a checkpoint is made.
    KilledInUpkeep,
    Closed,
}

impl Ending {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        match random.u8(..4) {
            0 => Self::KilledInUpkeep,
            1 => Self::Closed,
            _ => Self::Killed,
        }
    }
}
