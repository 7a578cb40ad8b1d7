//! Laws: what must hold of any bytes at all. A law is a function that panics where it is broken.
//!
//! The targets in `tests/fuzz` look for bytes that break one; `tests/tests/laws.rs` replays those that were found to
//! matter. Two more laws, of the records and of the log, need what is private and are in `core/src/laws`.

mod corpus;
mod file;
mod http;
mod names;
mod operations;
mod refusal;
mod request;

pub use corpus::replay;
pub use file::file;
pub use http::http;
pub use names::names;
pub use operations::operations;
pub use request::request;

use connectory::{Stamp, Stamps};
use std::sync::atomic::{AtomicU64, Ordering};

/// Stamps that are the same in every run: a millisecond passes with every second one.
fn steady_stamps() -> impl Stamps + 'static {
    let count = AtomicU64::new(0);
    move || {
        let nth = count.fetch_add(1, Ordering::Relaxed);
        Stamp {
            now_ms: 1_750_000_000_000 + nth / 2,
            random: nth.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }
}
