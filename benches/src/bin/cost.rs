//! Prints what each operation costs at a thousand, a hundred thousand and a million connections.
//!
//! `cargo run --release -p connectory-benches --bin cost [SIZE ...]`. Every operation is timed by itself, on random
//! pairs; the table has medians in microseconds. Creates are timed last, one caller waiting for each, in a file
//! (durable) and in memory; beside them stands what the disk takes for one synced write of 4 KiB. Reads are of the
//! tables, with nothing recent above them.

use connectory::{
    ConnectionId, Creation, Domain, ListQuery, NewConnection, Options, ProfileName, Store,
};
use connectory_benches::{Outcome, Workload};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

const SAMPLES: usize = 5_000;
const DURABLE_SAMPLES: usize = 500;

fn main() -> Outcome<()> {
    let sizes: Vec<usize> =
        std::env::args().skip(1).map(|size| size.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![1_000, 100_000, 1_000_000] } else { sizes };
    let mut rows: Vec<(&str, Vec<Duration>)> = Vec::new();
    for &size in &sizes {
        for (n, (name, cost)) in measure(size)?.into_iter().enumerate() {
            match rows.get_mut(n) {
                Some((_, costs)) => costs.push(cost),
                None => rows.push((name, vec![cost])),
            }
        }
    }
    let heads: Vec<String> = sizes.iter().map(|size| format!(" {size} ")).collect();
    println!("| microseconds, median |{}|", heads.join("|"));
    println!("| --- |{}", " ---: |".repeat(sizes.len()));
    for (name, costs) in rows {
        let cells: Vec<String> =
            costs.iter().map(|cost| format!(" {:.1} ", cost.as_secs_f64() * 1e6)).collect();
        println!("| {name} |{}|", cells.join("|"));
    }
    Ok(())
}

fn pair(n: usize) -> Outcome<(ProfileName, Domain)> {
    Workload::default().pair(n)
}

fn request(n: usize) -> Outcome<NewConnection> {
    Workload::default().request(n)
}

type Row = (&'static str, Duration);

fn measure(size: usize) -> Outcome<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let options = || Options::new().cache_bytes(256 << 20);
    let path = directory.path().join("cost.connectory");
    let store = Store::open_with(connectory::FileStorage::new(path), options())?;
    let memory = Store::open_with(connectory::MemoryStorage::default(), options())?;
    let mut ids: Vec<ConnectionId> = Vec::with_capacity(size);
    for from in (0..size).step_by(10_000) {
        eprintln!("filling {size}: {from}");
        let requests = (from..size.min(from + 10_000)).map(request).collect::<Outcome<Vec<_>>>()?;
        for creation in store.create_many(requests.clone()) {
            ids.push(creation?.id());
        }
        for creation in memory.create_many(requests) {
            let _created: Creation = creation?;
        }
    }
    store.checkpoint()?;
    memory.checkpoint()?;
    eprintln!("measuring {size}");
    let mut rows = reads(&store, &ids)?;
    let created =
        |store: &Store, request| Ok(matches!(store.create(request)?, Creation::Created(_)));
    let mut fresh = size..;
    let mut next = || request(fresh.next().unwrap_or_default());
    let in_memory = median(SAMPLES, &mut next, |request| created(&memory, request))?;
    rows.push(("create, in memory", in_memory));
    let durable = median(DURABLE_SAMPLES, &mut next, |request| created(&store, request))?;
    rows.push(("create, in a file, durable", durable));
    let mut file = File::create(directory.path().join("raw"))?;
    let written = median(
        DURABLE_SAMPLES,
        || Ok([7; 4096]),
        |page| {
            file.write_all(&page)?;
            file.sync_data()?;
            Ok(true)
        },
    )?;
    rows.push(("4 KiB written and synced, for comparison", written));
    Ok(rows)
}

fn reads(store: &Store, ids: &[ConnectionId]) -> Outcome<Vec<Row>> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut pick = || random.usize(..ids.len());
    let list = |query: ListQuery| Ok(!store.list(&query)?.items.is_empty());
    let all = ListQuery::default;
    Ok(vec![
        ("get by ID", median(SAMPLES, || Ok(ids[pick()]), |id| Ok(store.get(id)?.is_some()))?),
        (
            "find by pair",
            median(
                SAMPLES,
                || pair(pick()),
                |(profile, domain)| Ok(store.find(&profile, &domain)?.is_some()),
            )?,
        ),
        (
            "create, pair taken (conflict)",
            median(
                SAMPLES,
                || request(pick()),
                |request| Ok(matches!(store.create(request)?, Creation::Conflict(_))),
            )?,
        ),
        ("list, page of 20", median(SAMPLES, || Ok(all()), list)?),
        (
            "list, page of 20 by domain",
            median(SAMPLES, || Ok(ListQuery { domain: Some(pair(pick())?.1), ..all() }), list)?,
        ),
        (
            "list, by profile",
            median(
                SAMPLES,
                || Ok(ListQuery { profile_name: Some(pair(pick())?.0), ..all() }),
                list,
            )?,
        ),
        (
            "list, by a prefix of few",
            median(
                SAMPLES,
                || Ok(ListQuery { query: Some(pair(pick())?.0.as_str()[..11].into()), ..all() }),
                list,
            )?,
        ),
        (
            "list, by a prefix of all",
            median(SAMPLES, || Ok(ListQuery { query: Some("user-".into()), ..all() }), list)?,
        ),
    ])
}

/// The median time of `act`, with what it takes prepared outside the time; `act` says whether it did its work.
fn median<T>(
    samples: usize,
    mut prepare: impl FnMut() -> Outcome<T>,
    mut act: impl FnMut(T) -> Outcome<bool>,
) -> Outcome<Duration> {
    let mut times = Vec::with_capacity(samples);
    for _ in 0..samples {
        let input = prepare()?;
        let start = Instant::now();
        let done = act(input)?;
        times.push(start.elapsed());
        if !done {
            return Err("an operation did not do what is measured".into());
        }
    }
    times.sort_unstable();
    Ok(times[samples / 2])
}
