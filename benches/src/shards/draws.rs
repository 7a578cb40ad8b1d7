//! Random numbers that are not uniform: [`Zipf`], geometric and normal ones; and numbers as floats and back.

use fastrand::Rng;

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// The whole part of a number that is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

/// Above 0 and at most 1, so that it has a logarithm.
fn unit(random: &mut Rng) -> f64 {
    1.0 - random.f64()
}

/// A number from 1, of this mean.
pub(crate) fn geometric(random: &mut Rng, mean: f64) -> u64 {
    1 + whole(unit(random).ln() / (1.0 - 1.0 / mean).ln())
}

/// A number of the standard normal distribution.
pub(crate) fn normal(random: &mut Rng) -> f64 {
    (-2.0 * unit(random).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// Numbers from 1 to a cap, of which `k` is as likely as `k` to the power of minus the exponent.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// What is at most so large, not yet divided by the last.
    sums: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(exponent: f64, cap: u64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=cap).map(|k| {
            sum += float(k).powf(-exponent);
            sum
        });
        Self { sums: sums.collect() }
    }

    pub(crate) fn draw(&self, random: &mut Rng) -> u64 {
        let last = self.sums.last().copied().unwrap_or_default();
        let at = random.f64() * last;
        1 + self.sums.partition_point(|sum| *sum <= at) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u64 = 1;
    const DRAWS: u32 = 200_000;

    #[test]
    fn a_zipf_sampler_draws_its_head_as_often_as_it_should_and_keeps_to_its_cap() {
        let (zipf, random) = (Zipf::new(1.1, 100_000), &mut Rng::with_seed(SEED));
        let drawn: Vec<u64> = (0..DRAWS).map(|_| zipf.draw(random)).collect();
        let weight: f64 = (1..=100_000).map(|k| float(k).powf(-1.1)).sum();
        for k in 1..=3 {
            let found = float(drawn.iter().filter(|drawn| **drawn == k).count() as u64);
            let share = float(k).powf(-1.1) / weight;
            let deviation = (share / f64::from(DRAWS)).sqrt();
            let off = (found / f64::from(DRAWS) - share) / deviation;
            assert!(off.abs() < 4.0, "{k}: {off} deviations");
        }
        assert!(drawn.iter().all(|k| (1..=100_000).contains(k)));
        assert!(drawn.iter().any(|k| *k > 90_000), "the tail is drawn too");
    }

    #[test]
    fn geometric_and_normal_numbers_have_their_means() {
        let random = &mut Rng::with_seed(SEED);
        let sizes: Vec<u64> = (0..DRAWS).map(|_| geometric(random, 10.0)).collect();
        let mean = float(sizes.iter().sum()) / f64::from(DRAWS);
        assert!((mean - 10.0).abs() < 0.1, "{mean}");
        assert_eq!(sizes.iter().min(), Some(&1));
        let numbers: Vec<f64> = (0..DRAWS).map(|_| normal(random)).collect();
        let mean = numbers.iter().sum::<f64>() / f64::from(DRAWS);
        let square = numbers.iter().map(|z| z * z).sum::<f64>() / f64::from(DRAWS);
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.02, "{mean} {square}");
    }
}
