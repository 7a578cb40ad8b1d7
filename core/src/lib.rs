//! The registry of auth connections: at most one per profile and domain, created atomically, with a conflict
//! that names the holder. An embedded storage engine on redb.
//!
//! ```
//! use connectory::{Creation, NewConnection, Store};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let store = Store::in_memory()?; // or Store::open("accounts.connectory")
//!     let request = NewConnection::new("netflix.com".parse()?, "user-123".parse()?);
//!
//!     let Creation::Created(connection) = store.create(request.clone())? else { unreachable!() };
//!     assert!(connection.id.to_string().starts_with("ma_"));
//!
//!     match store.create(request)? {
//!         Creation::Conflict(conflict) => assert_eq!(conflict.existing_id, connection.id),
//!         other => panic!("the pair is taken, but: {other:?}"),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Three kinds of outcome
//!
//! A request is **refused** ([`Refusal`]), **answered** ([`Creation`]: created, or a conflict, which is an answer and no
//! error) or it **failed** ([`StoreError`]). They are three types, so `?` cannot swallow a conflict.
//!
//! # Arguments, not assumptions
//!
//! Storage ([`Storage`]), time and randomness ([`Stamps`]) and what a project may do ([`Limits`]) are given to the store
//! when it is opened. Nothing but [`FileStorage`] and [`SystemStamps`] asks the system for anything, but for the clock by
//! which those who wait give up; and the one thread, which moves rows into the tables, can be done without
//! ([`CheckpointMode`]).

#![cfg_attr(
    not(any(test, fuzzing)),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

// A file uses only those of its own group and of the groups above it.

// Values that cannot be wrong, and what to say of those that would be.
mod credential;
mod domain;
mod error;
mod id;
mod plan;
mod profile;
mod proxy;
mod text;
mod timestamp;
mod web_url;

// Requests and answers.
mod change;
mod connection;
mod json;
mod observation;
mod page;
mod request;

// The engine: tables, what is read from them, what is done to them.
mod codec;
mod disk;
mod domain_rows;
mod engine;
mod feed;
mod log;
mod overlay;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod pages;
mod profile_rows;
mod query;
mod rows;
mod storage;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod survey;
mod tables;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod verified;
mod walk;
mod withheld;

// The store: many callers, failures, files.
mod check;
mod checkpoint;
mod commit;
mod dump;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod file;
mod live;
mod load;
mod options;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod recover;
mod store;
mod subscription;
mod write;

// The way in from the network.
pub mod http;

// The frozen format, for tests of those above.
#[cfg(test)]
mod fixtures;

// What must hold of any bytes: for fuzzing, `tests/fuzz`, and for what it has found.
#[cfg(any(test, fuzzing))]
pub mod laws;

/// The contract in full.
#[doc = include_str!("../REFERENCE.md")]
pub mod reference {}

/// Stores, logs and dumps byte by byte.
#[doc = include_str!("../FORMAT.md")]
pub mod format {}

pub use change::{Change, ChangeKind, Changes};
pub use check::CheckReport;
pub use connection::{Conflict, Connection, Creation};
pub use credential::{Credential, CredentialText};
pub use domain::{AllowedDomains, Domain, HostPattern, SSO_HOSTS};
pub use dump::Dump;
pub use engine::Written;
pub use error::{Error, Missing, Problem, Refusal, StoreError, Used, Violation, ViolationCode};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use file::FileStorage;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use id::SystemStamps;
pub use id::{ConnectionId, NotAnId, Stamp, Stamps};
pub use json::{Json, REQUEST_MAX_BYTES};
pub use load::Load;
pub use observation::{
    DiscoveredField, FieldType, Flow, FlowStatus, FlowStep, FlowText, FlowType, MfaOption, MfaType,
    Observation, Reauth, Shown, SignInOption, SsoButton, Status,
};
pub use options::{CheckpointMode, CreateOptions, Options};
pub use page::{Cursor, ListQuery, Page, PageLimit, PageQuery};
pub use plan::{HealthCheckInterval, Limits, Plan};
pub use profile::{Profile, ProfileName};
pub use proxy::{Proxy, ProxyId, ProxyName, ProxyRef};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use recover::{FoundIn, Listed, Recovery, recover, recover_from};
pub use request::{Edit, IdempotencyKey, NewConnection, Patch, Settings};
pub use storage::{CommitMode, LogRows, LogStorage, MAGIC, MemoryStorage, Storage, check_magic};
pub use store::{Stats, Store};
pub use subscription::{Delivery, Subscription};
pub use timestamp::Timestamp;
pub use web_url::WebUrl;
pub use write::Write;

/// What a [`Storage`] opens: the five calls by which the engine underneath reads and writes bytes.
pub use redb::{BackendError, StorageBackend};
