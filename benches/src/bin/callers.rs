//! Prints what the engine does for many callers at once, without HTTP: calls per second, p50 and p99 in microseconds.
//!
//! `callers create|conflict|get CALLERS SECONDS`, on a file store in a directory of its own. `benches/http/run` sets
//! these figures beside those of the server.

use connectory::{ConnectionId, Creation, NewConnection, Store};
use connectory_benches::Outcome;
use std::time::{Duration, Instant};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, callers, seconds] = arguments.as_slice() else {
        return Err("usage: callers create|conflict|get CALLERS SECONDS".into());
    };
    let (callers, lasts) = (callers.parse()?, Duration::from_secs(seconds.parse()?));
    let directory = tempfile::tempdir()?;
    let store = Store::open(directory.path().join("callers.connectory"))?;
    let mut ids = Vec::new();
    for creation in store.create_many((0..1000).map(taken).collect::<Outcome<Vec<_>>>()?) {
        ids.push(creation?.id());
    }
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let (store, ids) = (&store, ids.as_slice());
        let running: Vec<_> = (0..callers)
            .map(|caller| scope.spawn(move || call(store, ids, work, caller, lasts)))
            .collect();
        let mut times = Vec::new();
        for caller in running {
            times.extend(caller.join().map_err(|_| "a caller panicked")??);
        }
        Outcome::Ok(times)
    })?;
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e6;
    println!("{} {:.1} {:.1}", times.len() as u64 / lasts.as_secs(), at(50), at(99));
    Ok(())
}

fn taken(n: usize) -> Outcome<NewConnection> {
    Ok(NewConnection::new("taken.example.com".parse()?, format!("taken-{n}").parse()?))
}

/// Calls until the time is up; how long each call took.
fn call(
    store: &Store,
    ids: &[ConnectionId],
    work: &str,
    caller: u64,
    lasts: Duration,
) -> Outcome<Vec<Duration>> {
    let mut random = fastrand::Rng::with_seed(caller);
    let mut times = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < lasts {
        let request = match work {
            "create" => {
                let profile = format!("u-{caller}-{:016x}", random.u64(..));
                let domain = format!("site-{}.example.com", random.usize(..500));
                NewConnection::new(domain.parse()?, profile.parse()?)
            }
            _ => taken(random.usize(..1000))?,
        };
        let id = ids[random.usize(..ids.len())];
        let start = Instant::now();
        let done = match work {
            "create" => matches!(store.create(request)?, Creation::Created(_)),
            "conflict" => matches!(store.create(request)?, Creation::Conflict(_)),
            "get" => store.get(id)?.is_some(),
            other => return Err(format!("no work is called {other}").into()),
        };
        times.push(start.elapsed());
        if !done {
            return Err("a call did not do what is measured".into());
        }
    }
    Ok(times)
}
