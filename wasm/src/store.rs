//! [`Store`] and [`Dump`] as JavaScript sees them.

use crate::border::{answer, query, request, text, whole};
use crate::options;
use crate::thrown::{Thrown, at, refused};
use crate::turn::{self, Turn, outside};
use connectory::{
    Changes, Conflict, Connection, ConnectionId, CreateOptions, Creation, Error, Json, ListQuery,
    MemoryStorage, Missing, NewConnection, Observation, Options, PageQuery, Patch, Refusal,
    StoreError, ViolationCode,
};
use js_sys::Array;
use serde::Serialize;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// A registry of auth connections: one project, in memory. See the engine's `Store` for what each method does.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Store {
    engine: Rc<Engine>,
    storage: MemoryStorage,
}

/// The engine, one call at a time.
#[derive(Debug)]
struct Engine {
    /// `None` once it was let go of.
    store: Option<connectory::Store>,
    turn: Turn,
}

impl Engine {
    fn call<T>(
        &self,
        call: impl FnOnce(&connectory::Store) -> Result<T, Thrown>,
    ) -> Result<T, Thrown> {
        self.turn.take(|| call(self.store.as_ref().ok_or(StoreError::Closed)?))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.turn.is_free() {
            std::mem::forget(self.store.take());
        }
    }
}

/// What became of a create.
#[derive(Serialize)]
struct Answered<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a Connection>,
    #[serde(flatten)]
    conflict: Option<&'a Conflict>,
}

impl<'a> Answered<'a> {
    fn of(creation: &'a Creation) -> Self {
        let conflict = match creation {
            Creation::Conflict(conflict) => Some(conflict),
            _ => None,
        };
        Self { outcome: creation.outcome(), connection: creation.connection(), conflict }
    }
}

/// What happened since.
#[derive(Serialize)]
#[serde(untagged)]
enum Since {
    Changes { changes: Vec<connectory::Change> },
    TooOld { too_old: bool, oldest: u64 },
}

/// Opening and closing.
#[wasm_bindgen]
impl Store {
    /// Opens a new store. Options: `plan`, `cap`, `cacheBytes`, `logBytes`, and `stamps`, a function that returns
    /// `{now_ms, random}` for every connection that is created; it must not throw.
    ///
    /// # Errors
    ///
    /// An option that is not one.
    pub fn open(options: &JsValue) -> Result<Self, Thrown> {
        turn::alive()?;
        Self::start(MemoryStorage::default(), options::opening(options)?)
    }

    /// Opens a store that begins with the bytes of a store file.
    ///
    /// # Errors
    ///
    /// Bytes that are not a whole store, or are of another format; an option that is not one.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(bytes: Vec<u8>, options: &JsValue) -> Result<Self, Thrown> {
        turn::alive()?;
        Self::start(bytes.into(), options::opening(options)?)
    }

    fn start(storage: MemoryStorage, options: Options) -> Result<Self, Thrown> {
        let store = Some(connectory::Store::open_with(storage.clone(), options)?);
        Ok(Self { engine: Rc::new(Engine { store, turn: Turn::default() }), storage })
    }

    /// Closes the store. Every later call but `toBytes` fails.
    ///
    /// # Errors
    ///
    /// None that can be foreseen.
    pub fn close(&self) -> Result<(), Thrown> {
        self.engine.call(|store| Ok(store.close()?))
    }

    /// The store as the bytes of a store file: as it was closed, or this moment of an open one.
    ///
    /// # Errors
    ///
    /// None that can be foreseen.
    #[wasm_bindgen(js_name = toBytes)]
    pub fn to_bytes(&self) -> Result<Vec<u8>, Thrown> {
        self.engine.call(|store| {
            let copy = MemoryStorage::default();
            match store.backup_to(&copy, |_| ()) {
                Ok(()) => Ok(copy.to_bytes()),
                Err(Error::Failed(StoreError::Closed)) => Ok(self.storage.to_bytes()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Connections.
#[wasm_bindgen]
impl Store {
    /// Creates a connection, or says who holds the pair: `{outcome, connection}`, or `{outcome: "conflict", existing_id}` and
    /// the `code` and `message` of the API's conflict. Options: `idempotency_key`, `ensure`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn create(&self, connection: &JsValue, options: &JsValue) -> Result<JsValue, Thrown> {
        let options = options::create(options)?;
        self.create_with(connection, options)
    }

    /// Creates a connection, or returns the one that holds the pair. Options: `idempotency_key`.
    ///
    /// # Errors
    ///
    /// As `create`.
    pub fn ensure(&self, connection: &JsValue, options: &JsValue) -> Result<JsValue, Thrown> {
        let options = CreateOptions { ensure: true, ..options::create(options)? };
        self.create_with(connection, options)
    }

    fn create_with(&self, connection: &JsValue, options: CreateOptions) -> Result<JsValue, Thrown> {
        let connection = NewConnection::from_json(&request(connection)?)?;
        self.engine.call(|store| {
            let creation = store.create_with(connection, options)?;
            answer(&Answered::of(&creation))
        })
    }

    /// Creates any number of connections, in order; the options hold for each. The answers are those of `create`, and
    /// `{outcome: "refused" | "failed", error}` where that would throw.
    ///
    /// # Errors
    ///
    /// What is wrong with the call itself.
    #[wasm_bindgen(js_name = createMany)]
    pub fn create_many(&self, connections: &JsValue, options: &JsValue) -> Result<Array, Thrown> {
        let options = options::create(options)?;
        let mut refusals = Vec::new();
        let mut good = Vec::new();
        for row in options::rows(connections)?.iter() {
            let row = request(&row).and_then(|json| NewConnection::from_json(&json));
            refusals.push(row.map(|row| good.push((row, options.clone()))).err());
        }
        self.engine.call(|store| {
            let mut creations = store.create_many_with(good).into_iter();
            let answers = Array::new();
            for refusal in refusals {
                let creation = match refusal {
                    Some(refusal) => Err(refusal.into()),
                    None => creations.next().unwrap_or_else(|| Err(no_answer())),
                };
                answers.push(&match creation {
                    Ok(creation) => answer(&Answered::of(&creation))?,
                    Err(error) => unanswered(error)?,
                });
            }
            Ok(answers)
        })
    }

    /// The connection with this ID; `undefined` if there is none.
    ///
    /// # Errors
    ///
    /// A failure.
    pub fn get(&self, id: &JsValue) -> Result<JsValue, Thrown> {
        let id = text(id, "id")?;
        self.engine.call(|store| {
            let Ok(id) = id.parse() else { return Ok(JsValue::UNDEFINED) };
            found(store.get(id)?.as_ref())
        })
    }

    /// The connection of this pair; `undefined` if it is free.
    ///
    /// # Errors
    ///
    /// A refusal of what is not a name or a domain, or a failure.
    pub fn find(&self, profile_name: &JsValue, domain: &JsValue) -> Result<JsValue, Thrown> {
        let texts = [("profile_name", profile_name), ("domain", domain)];
        let texts = texts.map(|(name, value)| Ok((name.into(), Json::String(text(value, name)?))));
        let pair = Json::Object(texts.into_iter().collect::<Result<_, Refusal>>()?);
        let pair = ListQuery::from_json(&pair)?;
        self.engine.call(|store| match (&pair.profile_name, &pair.domain) {
            (Some(profile_name), Some(domain)) => found(store.find(profile_name, domain)?.as_ref()),
            _ => Ok(JsValue::UNDEFINED),
        })
    }

    /// A page of connections, newest first: `{items, next_cursor}`. Queries have `profile_name`, `domain`, `query`,
    /// `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn list(&self, list: &JsValue) -> Result<JsValue, Thrown> {
        let list = ListQuery::from_json(&query(list)?)?;
        self.engine.call(|store| answer(&store.list(&list)?))
    }

    /// Changes what the patch names and returns the connection as it stands then.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn update(&self, id: &JsValue, patch: &JsValue) -> Result<JsValue, Thrown> {
        let patch = Patch::from_json(&request(patch)?)?;
        let id = connection_id(id)?;
        self.engine.call(|store| answer(&store.update(id, patch)?))
    }

    /// Writes down what a login driver saw and returns the connection as it stands then.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn record(&self, id: &JsValue, observation: &JsValue) -> Result<JsValue, Thrown> {
        let observation = Observation::from_json(&request(observation)?)?;
        let id = connection_id(id)?;
        self.engine.call(|store| answer(&store.record(id, observation)?))
    }

    /// Deletes a connection.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn delete(&self, id: &JsValue) -> Result<(), Thrown> {
        let id = connection_id(id)?;
        self.engine.call(|store| Ok(store.delete(id)?))
    }

    /// Whether a login of this connection may go to this host.
    ///
    /// # Errors
    ///
    /// A refusal where there is no such connection, or a failure.
    pub fn allows(&self, id: &JsValue, host: &JsValue) -> Result<bool, Thrown> {
        let host = text(host, "host")?;
        let id = connection_id(id)?;
        self.engine.call(|store| {
            let missing = Missing::Connection(id.to_string());
            Ok(store.get(id)?.ok_or(missing)?.allows(&host))
        })
    }
}

/// Profiles and proxies.
#[wasm_bindgen]
impl Store {
    /// A page of profiles, by name: `{items, next_cursor}`. Queries have `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn profiles(&self, page: &JsValue) -> Result<JsValue, Thrown> {
        let page = PageQuery::from_json(&query(page)?)?;
        self.engine.call(|store| answer(&store.profiles(&page)?))
    }

    /// Deletes a profile that has no connections.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    #[wasm_bindgen(js_name = deleteProfile)]
    pub fn delete_profile(&self, name: &JsValue) -> Result<(), Thrown> {
        let name = text(name, "name")?;
        let name = name.parse().map_err(|_| Missing::Profile(name))?;
        self.engine.call(|store| Ok(store.delete_profile(name)?))
    }

    /// Registers a proxy; one that is registered already gets the new name, or none.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    #[wasm_bindgen(js_name = registerProxy)]
    pub fn register_proxy(&self, id: &JsValue, name: &JsValue) -> Result<JsValue, Thrown> {
        let id = text(id, "id")?.parse().map_err(at("id"))?;
        let name = if name.is_undefined() {
            None
        } else {
            Some(text(name, "name")?.parse().map_err(at("name"))?)
        };
        self.engine.call(|store| answer(&store.register_proxy(id, name)?))
    }

    /// A page of proxies, by ID: `{items, next_cursor}`. Queries have `limit` and `cursor`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn proxies(&self, page: &JsValue) -> Result<JsValue, Thrown> {
        let page = PageQuery::from_json(&query(page)?)?;
        self.engine.call(|store| answer(&store.proxies(&page)?))
    }

    /// Removes a proxy that no connection uses.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    #[wasm_bindgen(js_name = removeProxy)]
    pub fn remove_proxy(&self, id: &JsValue) -> Result<(), Thrown> {
        let id = text(id, "id")?;
        let id = id.parse().map_err(|_| Missing::Proxy(id))?;
        self.engine.call(|store| Ok(store.remove_proxy(id)?))
    }
}

/// Changes, in and out, and what is inside.
#[wasm_bindgen]
impl Store {
    /// At most `limit` changes after number `since`: `{changes}`, or `{too_old: true, oldest}` where they are no longer
    /// kept.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    #[wasm_bindgen(js_name = changesSince)]
    pub fn changes_since(&self, since: &JsValue, limit: &JsValue) -> Result<JsValue, Thrown> {
        let (since, limit) = (whole(since, "since")?, whole(limit, "limit")?);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.engine.call(|store| {
            answer(&match store.changes_since(since, limit)? {
                Changes::Since(changes) => Since::Changes { changes },
                Changes::TooOld { oldest } => Since::TooOld { too_old: true, oldest },
            })
        })
    }

    /// This moment of the store as lines of JSON.
    ///
    /// # Errors
    ///
    /// A failure.
    pub fn dump(&self) -> Result<Dump, Thrown> {
        self.engine.call(|store| {
            let lines = RefCell::new(Some(store.dump()?));
            Ok(Dump { engine: Rc::clone(&self.engine), lines })
        })
    }

    /// Fills an empty store from the lines of a dump, any iterable of strings: all of them or, where one is wrong, none.
    /// Returns the number of connections.
    ///
    /// # Errors
    ///
    /// A refusal, a failure, or what the iterable threw.
    pub fn load(&self, lines: &JsValue) -> Result<JsValue, Thrown> {
        self.engine.call(|store| {
            // Anything else cannot even be asked.
            let iterated = lines.is_object().then(|| outside(|| js_sys::try_iter(lines)));
            let mut lines = iterated.transpose().map_err(Thrown)?.flatten().ok_or_else(|| {
                let problem = "the lines cannot be iterated; send an array of them";
                refused("", ViolationCode::InvalidType, problem)
            })?;
            let mut thrown = None;
            let lines = std::iter::from_fn(|| match outside(|| lines.next())? {
                Ok(line) => Some(text(&line, "line").map_err(Error::from)),
                Err(error) => {
                    thrown = Some(Thrown(error));
                    Some(Err(StoreError::Internal("the lines came to a bad end".into()).into()))
                }
            });
            let loaded = store.load(lines);
            match (thrown, loaded) {
                (Some(thrown), Err(_)) => Err(thrown),
                (_, loaded) => answer(&loaded?),
            }
        })
    }

    /// Reads everything and checks that it agrees: `{connections, profiles, proxies, pages_checked, problems}`.
    ///
    /// # Errors
    ///
    /// A failure.
    pub fn check(&self) -> Result<JsValue, Thrown> {
        self.engine.call(|store| answer(&store.check()?))
    }

    /// What the store holds: `{connections, profiles, proxies, last_change, oldest_change}`.
    ///
    /// # Errors
    ///
    /// A failure.
    pub fn stats(&self) -> Result<JsValue, Thrown> {
        self.engine.call(|store| answer(&store.stats()?))
    }

    /// Moves what was written from memory into the tables: for an idle moment.
    ///
    /// # Errors
    ///
    /// A failure.
    pub fn checkpoint(&self) -> Result<(), Thrown> {
        self.engine.call(|store| Ok(store.checkpoint()?))
    }
}

/// The lines of a dump. `free` it before it is at its end, or the store keeps what it would still read.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Dump {
    engine: Rc<Engine>,
    /// `None` once it is at its end.
    lines: RefCell<Option<connectory::Dump>>,
}

#[wasm_bindgen]
impl Dump {
    /// The next line, without its end; `undefined` after the last.
    ///
    /// # Errors
    ///
    /// A failure.
    pub fn next(&self) -> Result<Option<String>, Thrown> {
        self.engine.call(|_| {
            let mut lines = self.lines.borrow_mut();
            let line = lines.as_mut().and_then(Iterator::next).transpose()?;
            if line.is_none() {
                lines.take();
            }
            Ok(line)
        })
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        if !self.engine.turn.is_free() {
            std::mem::forget(self.lines.take());
        }
    }
}

fn found(connection: Option<&Connection>) -> Result<JsValue, Thrown> {
    connection.map_or(Ok(JsValue::UNDEFINED), answer)
}

/// A malformed ID is an unknown one.
fn connection_id(value: &JsValue) -> Result<ConnectionId, Thrown> {
    let id = text(value, "id")?;
    Ok(id.parse().map_err(|_| Missing::Connection(id))?)
}

fn no_answer() -> Error {
    StoreError::Internal("a row got no answer".into()).into()
}

fn unanswered(error: Error) -> Result<JsValue, Thrown> {
    let outcome = if error.refusal().is_some() { "refused" } else { "failed" };
    let answered = answer(&Answered { outcome, connection: None, conflict: None })?;
    js_sys::Reflect::set(&answered, &"error".into(), &Thrown::from(error).0).map_err(Thrown)?;
    Ok(answered)
}
