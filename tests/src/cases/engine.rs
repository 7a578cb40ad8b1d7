//! [`EngineSubject`], the engine itself.

use super::{Answer, Create, Opening, Operation, Subject};
use connectory::{
    Changes, ConnectionId, CreateOptions, Creation, Error, Json, Limits, ListQuery, MemoryStorage,
    Missing, NewConnection, Observation, Options, PageQuery, Patch, Plan, Problem, Refusal, Stamp,
    Store, Violation,
};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The engine itself, in memory, with stamps that are the same every time.
#[derive(Debug)]
pub struct EngineSubject {
    store: Store,
    opening: Opening,
    stamps: Arc<AtomicU64>,
}

impl EngineSubject {
    /// A fresh store.
    ///
    /// # Panics
    ///
    /// Where the plan is not one.
    pub fn open(opening: &Opening) -> Self {
        let stamps = Arc::default();
        Self { store: open(opening, &stamps), opening: opening.clone(), stamps }
    }

    /// The store, for a subject that reaches it through another door and needs this one for the rest.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the store's project may do.
    pub fn limits(&self) -> Limits {
        limits(&self.opening)
    }

    fn reopen(&mut self, opening: Option<&Opening>) -> Result<(), Error> {
        let opening = opening.unwrap_or(&self.opening).clone();
        let store = open(&opening, &self.stamps);
        store.load(self.store.dump()?)?;
        (self.store, self.opening) = (store, opening);
        Ok(())
    }

    fn create_many(&self, rows: &[Create]) -> Vec<Result<Creation, Error>> {
        let requests: Vec<_> = rows.iter().map(read_create).collect();
        let good = requests.iter().filter_map(|request| request.clone().ok());
        let mut creations = self.store.create_many_with(good).into_iter();
        let mut creation = || creations.next().expect("an answer for every row");
        requests
            .into_iter()
            .map(|request| request.map_err(Error::from).and_then(|_| creation()))
            .collect()
    }

    fn answer(&mut self, operation: &Operation) -> Result<Answer, Error> {
        let store = &self.store;
        Ok(match operation {
            Operation::Create(create) => {
                let (request, options) = read_create(create)?;
                Answer::creation(&store.create_with(request, options)?)
            }
            Operation::CreateMany(rows) => {
                let answer = |creation: Result<Creation, Error>| match creation {
                    Ok(creation) => Answer::creation(&creation),
                    Err(error) => Answer::error(&error),
                };
                Answer::list(self.create_many(rows).into_iter().map(answer))
            }
            Operation::Update(id, body) => {
                let patch = Patch::from_json(&parse(body)?)?;
                Answer::found(json!(store.update(read_id(id)?, patch)?))
            }
            Operation::Record(id, body) => {
                let seen = Observation::from_json(&parse(body)?)?;
                Answer::found(json!(store.record(read_id(id)?, seen)?))
            }
            Operation::Get(id) => {
                let missing = Missing::Connection(id.clone());
                Answer::found(json!(store.get(read_id(id)?)?.ok_or(missing)?))
            }
            Operation::Find(profile, domain) => {
                let pair = json!({"profile_name": profile, "domain": domain});
                let pair = ListQuery::from_json(&parse(&pair.to_string())?)?;
                let (profile, domain) = pair.profile_name.zip(pair.domain).expect("both were sent");
                let missing = Missing::Pair(profile.to_string(), domain.to_string());
                Answer::found(json!(store.find(&profile, &domain)?.ok_or(missing)?))
            }
            Operation::Delete(id) => {
                store.delete(read_id(id)?)?;
                Answer::done()
            }
            Operation::List(query) => {
                let query = ListQuery::from_json(&parse(&query.to_string())?)?;
                Answer::page(&json!(store.list(&query)?))
            }
            Operation::Profiles(query) => {
                let query = PageQuery::from_json(&parse(&query.to_string())?)?;
                Answer::page(&json!(store.profiles(&query)?))
            }
            Operation::DeleteProfile(name) => {
                let missing = Missing::Profile(name.clone());
                store.delete_profile(name.parse().map_err(|_| missing)?)?;
                Answer::done()
            }
            Operation::RegisterProxy(id, name) => {
                let id = id.parse().map_err(at("id"))?;
                let name =
                    name.as_ref().map(|name| name.parse()).transpose().map_err(at("name"))?;
                Answer::found(json!(store.register_proxy(id, name)?))
            }
            Operation::Proxies(query) => {
                let query = PageQuery::from_json(&parse(&query.to_string())?)?;
                Answer::page(&json!(store.proxies(&query)?))
            }
            Operation::RemoveProxy(id) => {
                let missing = Missing::Proxy(id.clone());
                store.remove_proxy(id.parse().map_err(|_| missing)?)?;
                Answer::done()
            }
            Operation::Allows(id, host) => {
                let missing = Missing::Connection(id.clone());
                let connection = store.get(read_id(id)?)?.ok_or(missing)?;
                Answer { is: connection.allows(host).to_string(), ..Answer::default() }
            }
            Operation::Changes { since, limit } => {
                let most = usize::try_from(*limit).unwrap_or(usize::MAX);
                match store.changes_since(*since, most)? {
                    Changes::Since(changes) => {
                        Answer::list(changes.iter().map(|change| Answer::found(json!(change))))
                    }
                    Changes::TooOld { oldest } => Answer {
                        is: "too_old".into(),
                        body: json!({"oldest": oldest}),
                        ..Answer::default()
                    },
                }
            }
            Operation::Reopen(opening) => {
                self.reopen(opening.as_ref())?;
                Answer::done()
            }
        })
    }
}

impl Subject for EngineSubject {
    fn perform(&mut self, operation: &Operation) -> Answer {
        self.answer(operation).unwrap_or_else(|error| Answer::error(&error))
    }

    fn dump(&mut self) -> String {
        let lines: Result<Vec<String>, _> = self.store.dump().expect("a dump").collect();
        lines.expect("a dump").join("\n")
    }

    fn problems(&mut self) -> Vec<String> {
        self.store.check().expect("a check").problems
    }
}

fn open(opening: &Opening, stamps: &Arc<AtomicU64>) -> Store {
    let Limits { plan, cap } = limits(opening);
    let stamps = Arc::clone(stamps);
    let options = Options::with_stamps(move || stamp(stamps.fetch_add(1, Ordering::Relaxed)));
    let options = options.plan(plan).cap(cap);
    Store::open_with(MemoryStorage::default(), options).expect("a store in memory")
}

fn limits(opening: &Opening) -> Limits {
    let plan =
        opening.plan.as_deref().map_or(Plan::default(), |plan| plan.parse().expect("a plan"));
    Limits { plan, cap: opening.cap }
}

/// Three stamps to a millisecond, and now and then the clock jumps back: IDs must rise all the same.
fn stamp(n: u64) -> Stamp {
    let back_ms = if n % 7 == 6 { 5_000 } else { 0 };
    let now_ms = 1_700_000_000_000 + n / 3 - back_ms;
    Stamp { now_ms, random: (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) }
}

fn parse(text: &str) -> Result<Json, Refusal> {
    Json::parse(text.as_bytes())
}

fn read_create(create: &Create) -> Result<(NewConnection, CreateOptions), Refusal> {
    let key =
        create.key.as_ref().map(|key| key.parse()).transpose().map_err(at("idempotency_key"))?;
    let request = NewConnection::from_json(&parse(&create.body)?)?;
    Ok((request, CreateOptions { idempotency_key: key, ensure: create.ensure }))
}

/// A malformed ID is an unknown one.
fn read_id(text: &str) -> Result<ConnectionId, Missing> {
    text.parse().map_err(|_| Missing::Connection(text.into()))
}

fn at(field: &str) -> impl Fn(Problem) -> Refusal {
    move |Problem { code, message }| {
        Refusal::from(Violation { code, field: field.into(), problem: message })
    }
}
