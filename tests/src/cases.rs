//! Replays `tests/cases`: files of steps, each an operation and what it must answer, the same for every runtime.
//!
//! A file is one JSON object: `about`, `store` (`plan`, `cap`) and `steps`; or `about` and `scenarios`, each with
//! those three. A step has one operation, named as in [`Operation`], and says what it expects:
//!
//! | key | what it says of the answer |
//! | --- | --- |
//! | `is` | its word: an outcome, `found`, `listed`, `done`, an error's code; for `allows` true or false |
//! | `as` | binds its ID (of a conflict: the holder's) to a name; `"$name"` stands for it from here on |
//! | `whole` | it is exactly this |
//! | `with`, `without` | it has these members, and not those |
//! | `details` | its violations, as `"code field"`, in any order |
//! | `says` | what its message contains |
//! | `ids`, `kinds`, `items` | those of its items, in order; `items` are whole |
//! | `more`, `next` | whether there is another page; binds the cursor of it to a name |
//! | `each` | one expectation for every item, in order |
//! | `about` | nothing: it is for the reader |
//!
//! What no step has to say is checked of every answer: its shape, and that whatever did not succeed in writing has
//! left the store as it was.

use connectory::{
    Changes, ConnectionId, CreateOptions, Creation, Error, Json, ListQuery, MemoryStorage, Missing,
    NewConnection, Observation, Options, PageQuery, Patch, Plan, Problem, Refusal, Stamp, Store,
    Violation,
};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a store is opened with.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The plan's word; `None` for enterprise.
    pub plan: Option<String>,
    /// The most connections; `None` for no cap.
    pub cap: Option<u64>,
}

/// One call, its arguments as a caller would write them: bodies are JSON text.
#[derive(Debug, Clone)]
pub enum Operation {
    /// `create` (an object) or `create_text`, with `key`, `ensure`, and `pad_to` for trailing spaces up to a size.
    Create(Create),
    /// `create_many`: an array; `key` and `ensure` hold for every row.
    CreateMany(Vec<Create>),
    /// `update` or `update_text`: the ID and the body.
    Update(String, String),
    /// `record`: the ID and the observation.
    Record(String, String),
    /// `get`: the ID.
    Get(String),
    /// `find`: the profile's name and the domain.
    Find(String, String),
    /// `delete`: the ID.
    Delete(String),
    /// `list`: the query.
    List(Value),
    /// `profiles`: the query.
    Profiles(Value),
    /// `delete_profile`: the name.
    DeleteProfile(String),
    /// `register_proxy`: the ID and the name, or null.
    RegisterProxy(String, Option<String>),
    /// `proxies`: the query.
    Proxies(Value),
    /// `remove_proxy`: the ID.
    RemoveProxy(String),
    /// `allows`: the connection's ID and a host.
    Allows(String, String),
    /// `changes`: `since` and `limit`.
    Changes {
        /// The number of the last change known.
        since: u64,
        /// The most changes to return.
        limit: u64,
    },
    /// `reopen`: a dump, loaded into a fresh store; `true`, or what that one is opened with.
    Reopen(Option<Opening>),
}

/// A create, and how it treats what was there before.
#[derive(Debug, Clone)]
pub struct Create {
    /// The body, as JSON text.
    pub body: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// Whether to be answered with the connection that is there.
    pub ensure: bool,
}

/// What came back.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// `created`, `replayed`, `existing`, `conflict`; `found` (an object), `listed`, `done`; `true`, `false`; or an
    /// error's code.
    pub is: String,
    /// The object, or the error's body.
    pub body: Value,
    /// The items of a list, or the answers of a `create_many`.
    pub items: Vec<Answer>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// A store in some runtime, behind some door.
pub trait Subject {
    /// Does it.
    fn perform(&mut self, operation: &Operation) -> Answer;
    /// Everything in the store, as text: equal before and after whatever changes nothing.
    fn dump(&mut self) -> String;
    /// What does not agree inside the store; for those who can look.
    fn problems(&mut self) -> Vec<String> {
        Vec::new()
    }
}

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
    let plan =
        opening.plan.as_deref().map_or(Plan::default(), |plan| plan.parse().expect("a plan"));
    let stamps = Arc::clone(stamps);
    let options = Options::with_stamps(move || stamp(stamps.fetch_add(1, Ordering::Relaxed)));
    let options = options.plan(plan).cap(opening.cap);
    Store::open_with(MemoryStorage::default(), options).expect("a store in memory")
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

impl Answer {
    /// Success with nothing to show for it.
    pub fn done() -> Self {
        Self { is: "done".into(), ..Self::default() }
    }

    /// An object.
    pub fn found(body: Value) -> Self {
        Self { is: "found".into(), body, ..Self::default() }
    }

    /// A list without another page.
    pub fn list(items: impl Iterator<Item = Self>) -> Self {
        Self { is: "listed".into(), items: items.collect(), ..Self::default() }
    }

    fn page(page: &Value) -> Self {
        let items = page["items"].as_array().into_iter().flatten();
        let next = page["next_cursor"].as_str().map(Into::into);
        Self { next, ..Self::list(items.cloned().map(Self::found)) }
    }

    fn creation(creation: &Creation) -> Self {
        let body = match creation {
            Creation::Conflict(conflict) => json!(conflict),
            answered => json!(answered.connection()),
        };
        Self { is: creation.outcome().into(), body, ..Self::default() }
    }

    fn error(error: &Error) -> Self {
        Self { is: error.code().into(), body: json!(error), ..Self::default() }
    }

    fn id(&self) -> Option<&str> {
        self.body.get("id").or(self.body.get("existing_id"))?.as_str()
    }

    fn wrote(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Create(_) => self.is == "created",
            Operation::CreateMany(_) => self.items.iter().any(|item| item.is == "created"),
            Operation::Update(..) | Operation::Record(..) | Operation::RegisterProxy(..) => {
                self.is == "found"
            }
            Operation::Delete(_) | Operation::DeleteProfile(_) | Operation::RemoveProxy(_) => {
                self.is == "done"
            }
            _ => false,
        }
    }
}

/// A file of cases.
#[derive(Debug)]
pub struct File {
    /// Its name, without `.json`.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Stories, each with a store of its own.
    pub scenarios: Vec<Scenario>,
}

/// Steps on one store.
#[derive(Debug)]
pub struct Scenario {
    /// What it shows.
    pub about: String,
    /// What the store is opened with.
    pub opening: Opening,
    /// The steps, as they are written.
    pub steps: Vec<Value>,
}

/// The files there are, by name.
///
/// # Panics
///
/// Where one cannot be read.
pub fn files() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let entries = std::fs::read_dir(&folder).expect("tests/cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| File::read(path)).collect()
}

impl File {
    fn read(path: &Path) -> Self {
        let wrong = |why: String| -> ! { panic!("{}: {why}", path.display()) };
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| wrong(error.to_string()));
        let json = serde_json::from_str(&text).unwrap_or_else(|error| wrong(error.to_string()));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, json).unwrap_or_else(|why| wrong(why))
    }

    /// Takes a file's JSON apart.
    ///
    /// # Errors
    ///
    /// What is wrong with its form; that of a step shows when it is replayed.
    pub fn parse(name: String, json: Value) -> Result<Self, String> {
        let mut keys = Keys::of(json)?;
        let about: String = text(keys.require("about")?)?;
        let scenarios = match keys.take("scenarios") {
            Some(scenarios) => {
                keys.finish()?;
                let scenarios = array(scenarios)?.into_iter();
                scenarios.map(|scenario| Scenario::parse(Keys::of(scenario)?, None)).collect()
            }
            None => Scenario::parse(keys, Some(about.clone())).map(|scenario| vec![scenario]),
        };
        Ok(Self { name, about, scenarios: scenarios? })
    }

    /// Replays the file on stores that `open` makes, and says what was not as expected: nothing, if all went well.
    pub fn replay(&self, open: &mut dyn FnMut(&Opening) -> Box<dyn Subject>) -> Vec<String> {
        let mut failures = Vec::new();
        for scenario in &self.scenarios {
            let mut run = Run { subject: open(&scenario.opening), names: HashMap::new() };
            for (n, step) in scenario.steps.iter().enumerate() {
                let faults = run.step(step).unwrap_or_else(|fault| vec![fault]);
                if !faults.is_empty() {
                    failures.push(format!(
                        "{}.json, {:?}, step {}:\n  {step}\n  - {}",
                        self.name,
                        scenario.about,
                        n + 1,
                        faults.join("\n  - ")
                    ));
                }
            }
            for problem in run.subject.problems() {
                failures.push(format!("{}.json, {:?}: {problem}", self.name, scenario.about));
            }
        }
        failures
    }
}

impl Scenario {
    fn parse(mut keys: Keys, about: Option<String>) -> Result<Self, String> {
        let about = about.map_or_else(|| text(keys.require("about")?), Ok)?;
        let opening = keys.take("store").map(Opening::parse).transpose()?.unwrap_or_default();
        let steps = array(keys.require("steps")?)?;
        keys.finish()?;
        Ok(Self { about, opening, steps })
    }
}

impl Opening {
    fn parse(json: Value) -> Result<Self, String> {
        let mut keys = Keys::of(json)?;
        let plan = keys.take("plan").map(text).transpose()?;
        let cap = keys.take("cap").as_ref().map(number).transpose()?;
        keys.finish()?;
        Ok(Self { plan, cap })
    }
}

/// The members of an object of a case file, each to be taken; whatever is left over is a mistake.
struct Keys(Map<String, Value>);

impl Keys {
    fn of(json: Value) -> Result<Self, String> {
        match json {
            Value::Object(members) => Ok(Self(members)),
            other => Err(format!("{other} is not an object")),
        }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    fn require(&mut self, key: &str) -> Result<Value, String> {
        self.take(key).ok_or_else(|| format!("{key} is missing"))
    }

    fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("{key} is not a key of a case")),
        }
    }
}

fn text(json: Value) -> Result<String, String> {
    match json {
        Value::String(text) => Ok(text),
        other => Err(format!("{other} is not a string")),
    }
}

fn number(json: &Value) -> Result<u64, String> {
    json.as_u64().ok_or_else(|| format!("{json} is not a number"))
}

fn array(json: Value) -> Result<Vec<Value>, String> {
    match json {
        Value::Array(items) => Ok(items),
        other => Err(format!("{other} is not an array")),
    }
}

fn pair(json: Value) -> Result<[Value; 2], String> {
    array(json)?.try_into().map_err(|_| "there should be two items".into())
}

fn texts(json: Value) -> Result<[String; 2], String> {
    let [first, second] = pair(json)?;
    Ok([text(first)?, text(second)?])
}

impl Operation {
    /// Takes the operation and its modifiers out of a step.
    fn take(keys: &mut Keys) -> Result<Self, String> {
        const NAMES: [&str; 18] = [
            "create",
            "create_text",
            "create_many",
            "update",
            "update_text",
            "record",
            "get",
            "find",
            "delete",
            "list",
            "profiles",
            "delete_profile",
            "register_proxy",
            "proxies",
            "remove_proxy",
            "allows",
            "changes",
            "reopen",
        ];
        let names: Vec<&str> =
            NAMES.into_iter().filter(|name| keys.0.contains_key(*name)).collect();
        let &[name] = names.as_slice() else {
            return Err(format!("a step has one operation, not {names:?}"));
        };
        let value = keys.require(name)?;
        Ok(match name {
            "create" | "create_text" | "create_many" => Self::create(name, value, keys)?,
            "update" | "record" => {
                let [id, body] = pair(value)?;
                let (id, body) = (text(id)?, body.to_string());
                if name == "update" { Self::Update(id, body) } else { Self::Record(id, body) }
            }
            "update_text" => {
                let [id, body] = texts(value)?;
                Self::Update(id, body)
            }
            "get" => Self::Get(text(value)?),
            "find" => {
                let [profile, domain] = texts(value)?;
                Self::Find(profile, domain)
            }
            "delete" => Self::Delete(text(value)?),
            "list" => Self::List(value),
            "profiles" => Self::Profiles(value),
            "delete_profile" => Self::DeleteProfile(text(value)?),
            "register_proxy" => {
                let [id, name] = pair(value)?;
                let name = if name.is_null() { None } else { Some(text(name)?) };
                Self::RegisterProxy(text(id)?, name)
            }
            "proxies" => Self::Proxies(value),
            "remove_proxy" => Self::RemoveProxy(text(value)?),
            "allows" => {
                let [id, host] = texts(value)?;
                Self::Allows(id, host)
            }
            "changes" => {
                let mut query = Keys::of(value)?;
                let (since, limit) = (query.require("since")?, query.require("limit")?);
                query.finish()?;
                Self::Changes { since: number(&since)?, limit: number(&limit)? }
            }
            _ if value == Value::Bool(true) => Self::Reopen(None),
            _ => Self::Reopen(Some(Opening::parse(value)?)),
        })
    }

    fn create(name: &str, value: Value, keys: &mut Keys) -> Result<Self, String> {
        let key = keys.take("key").map(text).transpose()?;
        let ensure = keys.take("ensure").is_some_and(|ensure| ensure == true);
        let create = |body| Create { body, key: key.clone(), ensure };
        Ok(match name {
            "create" => Self::Create(create(value.to_string())),
            "create_many" => {
                let bodies = array(value)?.into_iter();
                Self::CreateMany(bodies.map(|body| create(body.to_string())).collect())
            }
            _ => {
                let mut body = text(value)?;
                if let Some(size) = keys.take("pad_to").as_ref().map(number).transpose()? {
                    let size = usize::try_from(size).map_err(|error| error.to_string())?;
                    let room =
                        size.checked_sub(body.len()).ok_or("the text is longer than pad_to")?;
                    body.push_str(&" ".repeat(room));
                }
                Self::Create(create(body))
            }
        })
    }
}

/// A scenario under way.
struct Run {
    subject: Box<dyn Subject>,
    /// What `"$name"` stands for.
    names: HashMap<String, String>,
}

impl Run {
    /// Does a step and says what was not as expected; an error where the step itself makes no sense.
    fn step(&mut self, step: &Value) -> Result<Vec<String>, String> {
        let mut keys = Keys::of(step.clone())?;
        for (name, value) in &mut keys.0 {
            // Expectations may name what this very step binds.
            if !EXPECTATIONS.contains(&name.as_str()) {
                self.resolve(value)?;
            }
        }
        let operation = Operation::take(&mut keys)?;
        let before = self.subject.dump();
        let answer = self.subject.perform(&operation);
        self.bind(&keys.0, &answer)?;
        for value in keys.0.values_mut() {
            self.resolve(value)?;
        }
        let mut faults = Vec::new();
        expect(keys, &answer, &mut faults)?;
        shape(&operation, &answer, &mut faults);
        if !answer.wrote(&operation) && self.subject.dump() != before {
            faults.push("it should have left the store as it was".into());
        }
        if !faults.is_empty() {
            faults.push(format!("the answer was {} {}", answer.is, answer.shown()));
        }
        Ok(faults)
    }

    /// Puts what names stand for in their places.
    fn resolve(&self, value: &mut Value) -> Result<(), String> {
        match value {
            Value::String(text) => {
                if let Some(name) = text.strip_prefix('$') {
                    let bound = self.names.get(name);
                    *text = bound.ok_or_else(|| format!("nothing is named {name}"))?.clone();
                }
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.resolve(item)),
            Value::Object(members) => {
                members.values_mut().try_for_each(|member| self.resolve(member))
            }
            _ => Ok(()),
        }
    }

    fn bind(&mut self, expected: &Map<String, Value>, answer: &Answer) -> Result<(), String> {
        for (key, bound) in [("as", answer.id()), ("next", answer.next.as_deref())] {
            let Some(name) = expected.get(key) else { continue };
            let name = text(name.clone())?;
            let bound = bound.ok_or_else(|| {
                format!("nothing to name {name} in the answer {} {}", answer.is, answer.shown())
            })?;
            if self.names.insert(name.clone(), bound.into()).is_some() {
                return Err(format!("{name} is named twice"));
            }
        }
        if let Some(Value::Array(each)) = expected.get("each") {
            for (expected, item) in each.iter().zip(&answer.items) {
                self.bind(expected.as_object().ok_or("each has objects")?, item)?;
            }
        }
        Ok(())
    }
}

const EXPECTATIONS: [&str; 14] = [
    "is", "as", "whole", "with", "without", "details", "says", "ids", "kinds", "items", "more",
    "next", "each", "about",
];

/// Compares an answer with what a step, or an item of one, expects of it.
fn expect(mut keys: Keys, answer: &Answer, faults: &mut Vec<String>) -> Result<(), String> {
    let is = keys.require("is")?;
    let is = is.as_str().map_or_else(|| is.to_string(), Into::into);
    if is != answer.is {
        faults.push(format!("it should be {is}, not {}", answer.is));
    }
    // Bound already.
    keys.take("as");
    keys.take("next");
    keys.take("about").map(text).transpose()?;
    let mut same = |what: &str, expected: &Value, found: Value| {
        if *expected != found {
            faults.push(format!("{what} should be {expected}, not {found}"));
        }
    };
    if let Some(whole) = keys.take("whole") {
        same("the answer", &whole, answer.body.clone());
    }
    for (name, expected) in
        keys.take("with").map(Keys::of).transpose()?.into_iter().flat_map(|keys| keys.0)
    {
        match answer.body.get(&name) {
            Some(found) => same(&name, &expected, found.clone()),
            None => same(&name, &expected, Value::from("absent")),
        }
    }
    let items = &answer.items;
    let of_items = |name| items.iter().map(|item| item.body[name].clone()).collect();
    for (key, name) in [("ids", "id"), ("kinds", "kind")] {
        if let Some(expected) = keys.take(key) {
            same(key, &expected, of_items(name));
        }
    }
    if let Some(expected) = keys.take("items") {
        same("items", &expected, items.iter().map(|item| item.body.clone()).collect());
    }
    if let Some(expected) = keys.take("more") {
        same("more", &expected, answer.next.is_some().into());
    }
    for name in keys.take("without").map_or(Ok(Vec::new()), array)? {
        let name = text(name)?;
        if answer.body.get(&name).is_some() {
            faults.push(format!("{name} should be absent"));
        }
    }
    if let Some(expected) = keys.take("details") {
        compare_details(array(expected)?, &answer.body, faults)?;
    }
    let said = match keys.take("says") {
        None => Vec::new(),
        Some(Value::Array(phrases)) => phrases,
        Some(phrase) => vec![phrase],
    };
    for phrase in said {
        let phrase = text(phrase)?;
        if !answer.body["message"].as_str().is_some_and(|message| message.contains(&phrase)) {
            faults.push(format!("the message should say {phrase:?}"));
        }
    }
    if let Some(each) = keys.take("each") {
        let each = array(each)?;
        if each.len() != items.len() {
            faults.push(format!("there should be {} items, not {}", each.len(), items.len()));
        }
        for (n, (expected, item)) in each.into_iter().zip(items).enumerate() {
            let mut of_item = Vec::new();
            expect(Keys::of(expected)?, item, &mut of_item)?;
            faults.extend(of_item.into_iter().map(|fault| format!("item {n}: {fault}")));
        }
    }
    keys.finish()
}

/// Compares `"code field"` with violations, of which each message begins with its field; none where it is the
/// whole request.
fn compare_details(
    expected: Vec<Value>,
    body: &Value,
    faults: &mut Vec<String>,
) -> Result<(), String> {
    let mut left: Vec<(&str, &str)> = body["details"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|detail| {
            (
                detail["code"].as_str().unwrap_or_default(),
                detail["message"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    for detail in expected {
        let detail = text(detail)?;
        let (code, field) = detail.split_once(' ').unwrap_or((&detail, ""));
        let start = if field.is_empty() { String::new() } else { format!("{field}: ") };
        match left.iter().position(|(found, message)| *found == code && message.starts_with(&start))
        {
            Some(n) => drop(left.remove(n)),
            None => faults.push(format!("{detail} should be among the details")),
        }
    }
    faults.extend(left.iter().map(|left| format!("{left:?} should not be among the details")));
    Ok(())
}

const ALWAYS: [&str; 11] = [
    "id",
    "profile_name",
    "domain",
    "status",
    "save_credentials",
    "record_session",
    "health_checks",
    "auto_reauth",
    "health_check_interval",
    "can_reauth",
    "can_reauth_reason",
];
const PRESENT_OR_NULL: [&str; 16] = [
    "flow_status",
    "flow_step",
    "flow_type",
    "flow_expires_at",
    "discovered_fields",
    "mfa_options",
    "sign_in_options",
    "pending_sso_buttons",
    "external_action_message",
    "website_error",
    "sso_provider",
    "error_message",
    "error_code",
    "hosted_url",
    "live_view_url",
    "browser_session_id",
];
const ABSENT_WHEN_UNSET: [&str; 7] = [
    "login_url",
    "credential",
    "proxy_id",
    "allowed_domains",
    "last_auth_check_at",
    "last_auth_at",
    "post_login_url",
];

/// Checks what is true of every answer, whatever a step says of it.
fn shape(operation: &Operation, answer: &Answer, faults: &mut Vec<String>) {
    match answer.is.as_str() {
        "created" | "replayed" | "existing" => connection_shape(&answer.body, faults),
        "found" => match operation {
            Operation::Changes { .. } => {
                only(&answer.body, &["seq", "kind", "id"], &["connection"], faults);
                match (answer.body["kind"].as_str(), answer.body.get("connection")) {
                    (Some("created" | "updated"), Some(connection)) => {
                        connection_shape(connection, faults);
                    }
                    (Some("deleted"), None) => {}
                    _ => faults.push("a change has a connection, unless that is gone".into()),
                }
            }
            Operation::Profiles(_) => only(&answer.body, &["name", "connections"], &[], faults),
            Operation::Proxies(_) | Operation::RegisterProxy(..) => {
                only(&answer.body, &["id", "connections"], &["name"], faults);
            }
            _ => connection_shape(&answer.body, faults),
        },
        "listed" => answer.items.iter().for_each(|item| shape(operation, item, faults)),
        "done" | "true" | "false" | "too_old" => {}
        "conflict" => {
            only(&answer.body, &["code", "message", "existing_id"], &[], faults);
            if answer.body["code"] != "already_exists" {
                faults.push("a conflict's code is already_exists".into());
            }
        }
        refused => {
            only(&answer.body, &["code", "message"], &["details"], faults);
            if answer.body["code"] != refused || answer.body["message"] == "" {
                faults.push("an error has its code and a message".into());
            }
            if (refused == "bad_request") != answer.body["details"].is_array() {
                faults.push("a bad request has details, and nothing else has".into());
            }
        }
    }
}

fn connection_shape(body: &Value, faults: &mut Vec<String>) {
    only(body, &[ALWAYS.as_slice(), &PRESENT_OR_NULL].concat(), &ABSENT_WHEN_UNSET, faults);
    for name in ALWAYS.iter().chain(&ABSENT_WHEN_UNSET) {
        if body.get(name) == Some(&Value::Null) {
            faults.push(format!("{name} should never be null"));
        }
    }
}

/// Checks that an object has the members that it must have, and no other than those and the optional ones.
fn only(body: &Value, required: &[&str], optional: &[&str], faults: &mut Vec<String>) {
    let Some(members) = body.as_object() else {
        return faults.push(format!("{body} should be an object"));
    };
    for name in required.iter().filter(|name| !members.contains_key(**name)) {
        faults.push(format!("{name} should never be absent"));
    }
    for name in members.keys() {
        if !required.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
            faults.push(format!("{name} is not a member of such an answer"));
        }
    }
}

impl Answer {
    fn shown(&self) -> String {
        if self.items.is_empty() {
            return self.body.to_string();
        }
        let items: Vec<String> =
            self.items.iter().map(|item| format!("{} {}", item.is, item.body)).collect();
        format!("[{}]", items.join(", "))
    }
}
