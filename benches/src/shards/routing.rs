//! [`shard_of`], where a route leads, and [`Spread`], how many connections each shard has.

/// Every number of shards that a project may have.
pub(crate) const COUNTS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// The largest of them. A shard of fewer holds what whole shards of the most hold, so only these are counted.
const MOST: usize = 256;

/// The shard of a route among `shards`, a power of two: the route's top bits.
pub(crate) fn shard_of(route: u16, shards: usize) -> usize {
    usize::from(route) >> (u16::BITS - shards.trailing_zeros())
}

/// The connections of every shard.
#[derive(Debug, Clone)]
pub(crate) struct Spread(Vec<u64>);

impl Default for Spread {
    fn default() -> Self {
        Self(vec![0; MOST])
    }
}

impl Spread {
    pub(crate) fn add(&mut self, route: u16, connections: u64) {
        self.0[shard_of(route, MOST)] += connections;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The connections of each of `shards`, in their order.
    fn each(&self, shards: usize) -> impl Iterator<Item = u64> {
        self.0.chunks(MOST / shards).map(|together| together.iter().sum())
    }

    /// The connections of each of `shards`, fewest first.
    pub(crate) fn sorted(&self, shards: usize) -> Vec<u64> {
        let mut each: Vec<u64> = self.each(shards).collect();
        each.sort_unstable();
        each
    }

    /// The connections of the emptiest shard, the median and those of the fullest.
    pub(crate) fn range(&self, shards: usize) -> [u64; 3] {
        let each = self.sorted(shards);
        let middle = u64::midpoint(each[(shards - 1) / 2], each[shards / 2]);
        [each[0], middle, each[shards - 1]]
    }

    pub(crate) fn fullest(&self, shards: usize) -> u64 {
        self.each(shards).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_shard_has_routes_and_every_route_a_shard() {
        for shards in COUNTS {
            let found: BTreeSet<usize> =
                (0..=u16::MAX).map(|route| shard_of(route, shards)).collect();
            assert_eq!(found, (0..shards).collect(), "{shards}");
        }
    }

    #[test]
    fn a_shard_is_one_half_of_a_shard_of_half_as_many() {
        for shards in COUNTS.into_iter().filter(|shards| *shards < MOST) {
            for route in 0..=u16::MAX {
                let (whole, half) = (shard_of(route, shards), shard_of(route, 2 * shards));
                assert!(half == 2 * whole || half == 2 * whole + 1, "{route} of {shards}");
            }
        }
    }

    #[test]
    fn a_spread_counts_alike_for_any_number_of_shards() {
        let mut spread = Spread::default();
        let mut counted = COUNTS.map(|shards| vec![0; shards]);
        for route in 0..=u16::MAX {
            let connections = u64::from(route % 7);
            spread.add(route, connections);
            for (counted, shards) in counted.iter_mut().zip(COUNTS) {
                counted[shard_of(route, shards)] += connections;
            }
        }
        for (mut counted, shards) in counted.into_iter().zip(COUNTS) {
            counted.sort_unstable();
            assert_eq!(spread.sorted(shards), counted);
            let [least, _, most] = spread.range(shards);
            assert_eq!((Some(&least), Some(&most)), (counted.first(), counted.last()));
            assert_eq!(spread.fullest(shards), most);
        }
    }
}
