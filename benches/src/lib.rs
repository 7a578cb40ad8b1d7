//! What the programs of this crate share: the connections that they make, and how they write figures.

mod figures;
mod workload;

pub use figures::apart;
pub use workload::{DOMAINS, Outcome, Workload, names};
