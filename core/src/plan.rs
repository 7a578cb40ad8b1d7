//! [`Plan`] and [`Limits`]: what a project may do, given when its store is opened; [`HealthCheckInterval`].

use crate::Problem;
use crate::text::word_enum;
use serde::Serialize;

word_enum! {
    /// A project's plan, which sets the shortest health check interval.
    #[derive(Default)]
    Plan {
        /// From 300 seconds. The default: a library on its own machine has no one to bill.
        #[default]
        Enterprise = "enterprise",
        /// From 1200 seconds.
        Startup = "startup",
        /// From 3600 seconds.
        Hobbyist = "hobbyist",
    }
}

impl Plan {
    /// The shortest health check interval that the plan allows.
    pub fn floor(self) -> HealthCheckInterval {
        HealthCheckInterval(match self {
            Self::Enterprise => 300,
            Self::Startup => 1200,
            Self::Hobbyist => 3600,
        })
    }

    /// The interval of a connection that asks for none: an hour, or the floor if that is longer.
    pub fn default_interval(self) -> HealthCheckInterval {
        HealthCheckInterval(3600).max(self.floor())
    }
}

/// What a project may do. Not kept in the store: it is opened with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The plan.
    pub plan: Plan,
    /// The most connections the project may have; `None` for no cap.
    pub cap: Option<u64>,
}

/// Seconds between health checks: 300 to 86400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HealthCheckInterval(u32);

impl HealthCheckInterval {
    /// Checks the bounds; the plan's floor is checked where the plan is known.
    ///
    /// # Errors
    ///
    /// A [`Problem`] below 300 or above 86400.
    pub fn new(seconds: u32) -> Result<Self, Problem> {
        if (300..=86_400).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(Problem::value(format!("{seconds} is out of bounds; send 300 to 86400")))
        }
    }

    /// The interval in seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_held_to_their_bounds() {
        assert!(HealthCheckInterval::new(299).is_err());
        assert_eq!(HealthCheckInterval::new(300).unwrap().seconds(), 300);
        assert_eq!(HealthCheckInterval::new(86_400).unwrap().seconds(), 86_400);
        assert!(HealthCheckInterval::new(86_401).is_err());
    }

    #[test]
    fn the_default_interval_is_never_below_the_floor() {
        for plan in [Plan::Enterprise, Plan::Startup, Plan::Hobbyist] {
            assert_eq!(plan.as_str().parse::<Plan>().unwrap(), plan);
            assert!(plan.default_interval() >= plan.floor());
        }
    }
}
