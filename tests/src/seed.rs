//! The seed of what is random in a test.

/// A new seed, or the one of `CONNECTORY_SEED`; printed, so that a failure can be run again.
///
/// # Panics
///
/// Where `CONNECTORY_SEED` is not a number.
pub fn seed() -> u64 {
    let seed = std::env::var("CONNECTORY_SEED");
    let seed = seed.map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("CONNECTORY_SEED={seed}");
    seed
}
