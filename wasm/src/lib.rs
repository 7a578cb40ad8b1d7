//! The engine in WebAssembly: [`Store`], one method a request, without rules of its own.
//!
//! Requests are plain objects in the API's own names, or JSON text, and are read by the engine's readers from what
//! `JSON.stringify` makes of them: `undefined` is absent; half of a surrogate pair and `NaN` are refused. Answers are plain
//! objects again, and what is unset is absent from them. What is refused or failed is thrown: an `Error` with the API's
//! `code` and, for a request that breaks the rules, its `details`.
//!
//! A write is staged and done by [`Store::commit`], with all others that were staged since, in one commit: the host decides
//! what arrives together. What readers can tell is answered at once.
//!
//! There are no threads here: a call does all its work before it returns, checkpoints too. A panic is thrown as an error,
//! and after it every store of this instance of the module answers with nothing else.

mod alike;
mod border;
#[cfg(feature = "edge")]
mod gate;
mod host;
#[cfg(feature = "edge")]
mod load;
mod options;
mod requests;
mod shelf;
mod staged;
mod stamps;
mod store;
mod thrown;
mod turn;

#[cfg(feature = "edge")]
pub use gate::{Gate, destination, merge, page_after, shard_of_line};
pub use host::{Files, OpenFile, Rows};
#[cfg(feature = "edge")]
pub use load::Load;
pub use store::{Dump, Store};
pub use thrown::Thrown;
