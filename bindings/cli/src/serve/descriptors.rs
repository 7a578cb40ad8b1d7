//! Descriptors: how many the system gives, and how many clients that leaves room for.

/// What the server has open beside clients and stores: standard streams, the listener, what the runtime needs, who is at the
/// door, a file that is being made.
const OWN: u64 = 48;
/// What a store has open: tables and log, and both anew after a failure.
const OF_A_STORE: u64 = 4;
/// However many stores there are, so many clients are let in: stores are opened when they are first asked for.
const CLIENTS_MIN: u32 = 16;

/// How many of the clients that are wanted there is room for, beside so many stores. Asks the system for as many descriptors
/// as that takes.
pub(crate) fn room_for(wanted: u32, stores: usize) -> u32 {
    let stores = u64::try_from(stores).unwrap_or(u64::MAX);
    let beside = stores.saturating_mul(OF_A_STORE).saturating_add(OWN);
    let Some(given) = given(beside.saturating_add(wanted.into())) else { return wanted };
    let room = u32::try_from(given.saturating_sub(beside)).unwrap_or(u32::MAX);
    wanted.min(room.max(CLIENTS_MIN))
}

/// How many descriptors the process may have, when it has asked for this many; `None` where there is no limit.
#[cfg(unix)]
fn given(wanted: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Where it may not have more it goes on with what it has.
        setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).ok();
    }
    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn given(_wanted: u64) -> Option<u64> {
    None
}
