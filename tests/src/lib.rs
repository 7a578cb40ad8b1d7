//! What the tests share. Each test is in `tests/`, named after what it shows.

pub mod cases;
pub mod fixtures;
pub mod hooked;
pub mod laws;
pub mod model;
pub mod power;
mod seed;

pub use seed::seed;

/// The README's examples, run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
