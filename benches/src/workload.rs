//! [`Workload`], the connections that every engine is given: random profile names over 500 domains.

use connectory::{Domain, NewConnection, ProfileName};
use std::ops::Range;

/// What a program comes to.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many domains there are.
pub const DOMAINS: usize = 500;

/// The names of a profile and of a domain, drawn from `random`.
pub fn names(random: &mut fastrand::Rng) -> (String, String) {
    let profile = format!("user-{:012x}", random.u64(..1 << 48));
    (profile, format!("site-{}.example.com", random.usize(..DOMAINS)))
}

/// The same connections for the same seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workload {
    /// What they are drawn from.
    pub seed: u64,
}

impl Workload {
    /// The names of the `n`-th connection's profile and domain.
    pub fn names(self, n: usize) -> (String, String) {
        names(&mut fastrand::Rng::with_seed(self.seed.wrapping_add(n as u64)))
    }

    /// The pair of the `n`-th connection.
    ///
    /// # Errors
    ///
    /// None: the names are good ones.
    pub fn pair(self, n: usize) -> Outcome<(ProfileName, Domain)> {
        let (profile, domain) = self.names(n);
        Ok((profile.parse()?, domain.parse()?))
    }

    /// The create that makes the `n`-th connection.
    ///
    /// # Errors
    ///
    /// As [`pair`](Self::pair).
    pub fn request(self, n: usize) -> Outcome<NewConnection> {
        let (profile, domain) = self.pair(n)?;
        Ok(NewConnection::new(domain, profile))
    }

    /// The creates that make these connections.
    ///
    /// # Errors
    ///
    /// As [`pair`](Self::pair).
    pub fn requests(self, numbers: Range<usize>) -> Outcome<Vec<NewConnection>> {
        numbers.map(|n| self.request(n)).collect()
    }
}
