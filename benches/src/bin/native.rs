//! What the benchmarks in JavaScript are held against: the engine in memory, built natively.
//!
//! Every line of standard input is one of `create`, `conflict`, `get` and `import`, a form and how many; every answer is
//! one figure, microseconds per operation. As `values` requests are values already and answers stay values. As `json` both
//! are JSON, as a binding would have it: what the same operation costs with its way in and out. Inputs are made before the
//! time runs. Checkpoints are made by whoever writes, as in WebAssembly, with as much cache.

use connectory::{
    CheckpointMode, ConnectionId, Creation, Json, MemoryStorage, NewConnection, Options, Store,
};
use connectory_benches::{Outcome, Workload};
use std::io::{BufRead, Write};
use std::time::Instant;

const BATCH: usize = 10_000;

struct Registry {
    store: Store,
    ids: Vec<ConnectionId>,
    random: fastrand::Rng,
}

fn main() -> Outcome<()> {
    let options = Options::new().checkpoint_mode(CheckpointMode::Inline);
    let store = Store::open_with(MemoryStorage::default(), options)?;
    let mut registry = Registry { store, ids: Vec::new(), random: fastrand::Rng::with_seed(7) };
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let [operation, form, many] = words.as_slice() else {
            return Err("a line is an operation, a form and a number".into());
        };
        let us = registry.run(operation, form, many.parse()?)?;
        writeln!(out, "{us}")?;
        out.flush()?;
    }
    Ok(())
}

fn request(n: usize) -> Outcome<NewConnection> {
    Workload::default().request(n)
}

fn text(n: usize) -> Vec<u8> {
    let (profile, domain) = Workload::default().names(n);
    format!(r#"{{"domain":"{domain}","profile_name":"{profile}"}}"#).into_bytes()
}

/// Microseconds that `act` takes for each input.
fn time<T>(inputs: Vec<T>, mut act: impl FnMut(T) -> Outcome<()>) -> Outcome<f64> {
    let many = u32::try_from(inputs.len())?;
    let begun = Instant::now();
    for input in inputs {
        act(input)?;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(many))
}

impl Registry {
    fn run(&mut self, operation: &str, form: &str, many: usize) -> Outcome<f64> {
        let next = self.ids.len();
        let fresh = next..next + many;
        let taken: Vec<usize> = match operation {
            "conflict" | "get" => (0..many).map(|_| self.random.usize(..next)).collect(),
            _ => Vec::new(),
        };
        match (operation, form) {
            ("import", _) => self.import(&fresh.map(request).collect::<Outcome<Vec<_>>>()?),
            ("create", "values") => self.create(fresh.map(request).collect::<Outcome<_>>()?),
            ("create", "json") => self.create_json(fresh.map(text).collect()),
            ("conflict", "values") => {
                self.conflict(taken.into_iter().map(request).collect::<Outcome<_>>()?)
            }
            ("conflict", "json") => self.conflict_json(taken.into_iter().map(text).collect()),
            ("get", "values") => {
                let ids = taken.into_iter().map(|n| self.ids[n]).collect();
                time(ids, |id| present(self.store.get(id)?))
            }
            ("get", "json") => {
                let ids = taken.into_iter().map(|n| self.ids[n].to_string()).collect();
                time(ids, |id: String| {
                    present(self.store.get(id.parse()?)?.map(|it| serde_json::to_vec(&it)))
                })
            }
            _ => Err(format!("{operation} {form} is not known").into()),
        }
    }

    fn import(&mut self, requests: &[NewConnection]) -> Outcome<f64> {
        let batches = requests.chunks(BATCH).map(<[_]>::to_vec).collect::<Vec<_>>();
        let mut ids = Vec::with_capacity(requests.len());
        let each = time(batches, |batch| {
            for creation in self.store.create_many(batch) {
                ids.push(creation?.id());
            }
            Ok(())
        })?;
        let batches = requests.len().div_ceil(BATCH);
        self.ids.extend(ids);
        Ok(each * f64::from(u32::try_from(batches)?) / f64::from(u32::try_from(requests.len())?))
    }

    fn create(&mut self, requests: Vec<NewConnection>) -> Outcome<f64> {
        let (store, ids) = (&self.store, &mut self.ids);
        time(requests, |request| {
            ids.push(created(&store.create(request)?)?);
            Ok(())
        })
    }

    fn create_json(&mut self, texts: Vec<Vec<u8>>) -> Outcome<f64> {
        let (store, ids) = (&self.store, &mut self.ids);
        time(texts, |text| {
            let creation = store.create(NewConnection::from_json(&Json::parse(&text)?)?)?;
            ids.push(created(&creation)?);
            present(creation.connection().map(serde_json::to_vec))
        })
    }

    fn conflict(&self, requests: Vec<NewConnection>) -> Outcome<f64> {
        time(requests, |request| conflicted(&self.store.create(request)?).map(drop))
    }

    fn conflict_json(&self, texts: Vec<Vec<u8>>) -> Outcome<f64> {
        time(texts, |text| {
            let creation = self.store.create(NewConnection::from_json(&Json::parse(&text)?)?)?;
            present(Some(serde_json::to_vec(conflicted(&creation)?)))
        })
    }
}

fn created(creation: &Creation) -> Outcome<ConnectionId> {
    match creation {
        Creation::Created(connection) => Ok(connection.id),
        _ => Err("a fresh pair was taken".into()),
    }
}

fn conflicted(creation: &Creation) -> Outcome<&connectory::Conflict> {
    match creation {
        Creation::Conflict(conflict) => Ok(conflict),
        _ => Err("a pair that is taken was free".into()),
    }
}

/// What was made is made for good: the compiler must not leave it out.
fn present<T>(made: Option<T>) -> Outcome<()> {
    match std::hint::black_box(made) {
        Some(_) => Ok(()),
        None => Err("what was created is not there".into()),
    }
}
