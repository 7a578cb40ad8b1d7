//! [`Space`], the pairs that a worker draws from: profiles of many connections, of some, and of so few that they come and go.

use crate::act::Pair;
use fastrand::Rng;

/// Proxies of each worker.
const PROXIES: u16 = 8;
/// Of a hundred pairs that are drawn, so many are of a large profile.
const OF_LARGE: u8 = 30;

/// Of five pairs so many are taken once as many connections come as go.
pub(crate) const TAKEN_OF_FIVE: u8 = 2;

/// The pairs that a worker draws from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    pub(crate) profiles: u16,
    pub(crate) domains: u16,
}

impl Space {
    /// Profiles with any of the domains.
    fn large(self) -> u16 {
        self.profiles.div_ceil(100)
    }

    /// How many domains a profile may be connected to, from one of its own on.
    fn domains_of(self, profile: u16) -> u16 {
        let most = if profile < self.large() {
            self.domains
        } else if profile < self.profiles / 5 * 3 {
            12
        } else {
            2
        };
        most.min(self.domains)
    }

    fn pair(self, profile: u16, domain: u16) -> Pair {
        let domain = (u32::from(profile) * 37 + u32::from(domain)) % u32::from(self.domains);
        Pair { profile, domain: u16::try_from(domain).unwrap_or_default() }
    }

    pub(crate) fn draw(self, random: &mut Rng) -> Pair {
        let profile = if random.u8(..100) < OF_LARGE {
            random.u16(..self.large())
        } else {
            random.u16(..self.profiles)
        };
        self.pair(profile, random.u16(..self.domains_of(profile)))
    }

    /// Every pair that can be drawn.
    pub(crate) fn pairs(self) -> impl Iterator<Item = Pair> {
        (0..self.profiles).flat_map(move |profile| {
            (0..self.domains_of(profile)).map(move |domain| self.pair(profile, domain))
        })
    }

    pub(crate) fn draw_proxy(random: &mut Rng) -> u16 {
        random.u16(..PROXIES)
    }
}
