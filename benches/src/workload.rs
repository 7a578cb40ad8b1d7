//! [`Workload`], the connections that every engine is given: random profile names over 500 domains.

use crate::peer::Outcome;
use connectory::{Domain, NewConnection, ProfileName};
use std::ops::Range;

pub(crate) const DOMAINS: usize = 500;

/// The same connections for the same seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    pub(crate) seed: u64,
}

impl Workload {
    /// The pair of the `n`-th connection.
    pub(crate) fn pair(self, n: usize) -> Outcome<(ProfileName, Domain)> {
        let mut random = fastrand::Rng::with_seed(self.seed.wrapping_add(n as u64));
        let profile = format!("user-{:012x}", random.u64(..1 << 48));
        let domain = format!("site-{}.example.com", random.usize(..DOMAINS));
        Ok((profile.parse()?, domain.parse()?))
    }

    /// The create that makes the `n`-th connection.
    pub(crate) fn request(self, n: usize) -> Outcome<NewConnection> {
        let (profile, domain) = self.pair(n)?;
        Ok(NewConnection::new(domain, profile))
    }

    pub(crate) fn requests(self, numbers: Range<usize>) -> Outcome<Vec<NewConnection>> {
        numbers.map(|n| self.request(n)).collect()
    }
}
