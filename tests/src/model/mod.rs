//! Random operations on a store and on a plain model of it: every answer of the one must be the other's.

mod cuts;
mod draws;
mod expected;
mod operations;
mod run;

pub use run::{OPERATIONS, Run};
