//! What the programs of this crate share: the connections that they make, and how they measure, write and draw figures.

#[cfg(unix)]
mod disk_use;
mod figures;
#[cfg(feature = "plots")]
pub mod panel;
mod summary;
mod workload;

#[cfg(unix)]
pub use disk_use::bytes_on_disk;
pub use figures::apart;
pub use summary::Summary;
pub use workload::{DOMAINS, Outcome, Workload, names};
