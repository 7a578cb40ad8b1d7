//! [`Store`] and [`Dump`] as JavaScript sees them.

use crate::alike;
use crate::border::{answer, query, request, text, whole};
use crate::host::{Bytes, Files};
use crate::options;
use crate::requests;
use crate::staged::Staged;
use crate::thrown::{Thrown, at, refused};
use crate::turn::{self, Turn, outside};
use connectory::http::{Access, Api, Begun, Pending, Shard};
use connectory::{
    Changes, Connection, ConnectionId, CreateOptions, Error, Json, Limits, ListQuery, MAGIC,
    MemoryStorage, Missing, NewConnection, Observation, Options, PageQuery, Patch, Refusal,
    StoreError, ViolationCode, Write, check_magic,
};
use js_sys::Array;
use serde::Serialize;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// A registry of auth connections: one project. See the engine's `Store` for what each method does.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Store {
    engine: Rc<Engine>,
    storage: Bytes,
}

/// The engine, one call at a time.
#[derive(Debug)]
pub(crate) struct Engine {
    /// `None` once it was let go of.
    open: Option<Open>,
    turn: Turn,
}

/// An open store with what waits to be written to it.
#[derive(Debug)]
struct Open {
    store: connectory::Store,
    api: Api<connectory::Store>,
    staged: RefCell<Vec<Staged>>,
}

#[cfg(feature = "edge")]
impl Store {
    pub(crate) fn engine(&self) -> &Rc<Engine> {
        &self.engine
    }
}

impl Engine {
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(&connectory::Store) -> Result<T, Thrown>,
    ) -> Result<T, Thrown> {
        self.call_open(|open| call(&open.store))
    }

    fn call_open<T>(&self, call: impl FnOnce(&Open) -> Result<T, Thrown>) -> Result<T, Thrown> {
        self.turn.take(|| call(self.open.as_ref().ok_or(StoreError::Closed)?))
    }

    /// Answers what readers can tell, or stages the write and returns `undefined`.
    fn write(&self, write: Write) -> Result<JsValue, Thrown> {
        self.call_open(|open| {
            if let Some(answer) = open.store.peek(&write)? {
                return crate::staged::written(&answer);
            }
            open.staged.borrow_mut().push(Staged::Write(write));
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Whether what holds its locks can be let go of.
    pub(crate) fn is_free(&self) -> bool {
        self.turn.is_free()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.is_free() {
            std::mem::forget(self.open.take());
        }
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
    /// Opens the store in these files, or a new one in memory if they are `undefined`. Options: `plan`, `cap`, `cacheBytes`,
    /// `logBytes`; `stamps`, a function that returns `{now_ms, random}` for every connection that is created and must not
    /// throw; and `shard` of `shards`, of which the store is one: requests of the HTTP API that belong to another are refused.
    ///
    /// # Errors
    ///
    /// An option that is not one; or whatever keeps the store from being opened.
    pub fn open(options: &JsValue, files: Option<Files>) -> Result<Self, Thrown> {
        turn::alive()?;
        let memory = || Bytes::Memory(MemoryStorage::default());
        Self::start(files.map_or_else(memory, Bytes::of_host), options::opening(options)?)
    }

    /// Opens a store in memory that begins with the bytes of a store file.
    ///
    /// # Errors
    ///
    /// Bytes that are not a whole store, or are of another format; an option that is not one.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(bytes: Vec<u8>, options: &JsValue) -> Result<Self, Thrown> {
        turn::alive()?;
        // Bytes that are none would be made into a new store.
        check_magic(bytes.get(..MAGIC.len()).unwrap_or(&bytes))?;
        Self::start(Bytes::Memory(bytes.into()), options::opening(options)?)
    }

    fn start(storage: Bytes, (options, shard): (Options, Shard)) -> Result<Self, Thrown> {
        let store = connectory::Store::open_with(storage.clone(), options)?;
        // Plan and cap are the store's; who may call whom is the host's to say.
        let access = Access::open("default", Limits::default());
        let api = Api::new(access, store.clone()).of_shard(shard);
        let open = Some(Open { store, api, staged: RefCell::default() });
        Ok(Self { engine: Rc::new(Engine { open, turn: Turn::default() }), storage })
    }

    /// Closes the store. Every later call but `toBytes` of one in memory fails. What is staged is never written.
    ///
    /// # Errors
    ///
    /// Whatever the storage reports. What was committed is durable all the same.
    pub fn close(&self) -> Result<(), Thrown> {
        self.engine.call(|store| Ok(store.close()?))
    }

    /// The store as the bytes of a store file: this moment of an open one or, of one in memory, as it was closed.
    ///
    /// # Errors
    ///
    /// A failure.
    #[wasm_bindgen(js_name = toBytes)]
    pub fn to_bytes(&self) -> Result<Vec<u8>, Thrown> {
        self.engine.call(|store| {
            let copy = MemoryStorage::default();
            match (store.backup_to(&copy, |_| ()), &self.storage) {
                (Ok(()), _) => Ok(copy.to_bytes()),
                (Err(Error::Failed(StoreError::Closed)), Bytes::Memory(memory)) => {
                    Ok(memory.to_bytes())
                }
                (Err(error), _) => Err(error.into()),
            }
        })
    }

    /// Writes what was staged, in order and in one commit, and returns an array of the answers; a `createMany` has one
    /// array for its own. What was refused or failed is an `Error` in its place.
    ///
    /// # Errors
    ///
    /// What ends the instance.
    pub fn commit(&self) -> Result<Array, Thrown> {
        self.engine.call_open(|open| {
            let staged = open.staged.take();
            crate::staged::commit(&self.engine, &open.store, staged)
        })
    }
}

/// Connections.
#[wasm_bindgen]
impl Store {
    /// Creates a connection, or says who holds the pair: `{outcome, connection}`, or `{outcome: "conflict", existing_id}` and
    /// the `code` and `message` of the API's conflict. Options: `idempotency_key`, `ensure`. `undefined`: staged.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn create(&self, connection: &JsValue, options: &JsValue) -> Result<JsValue, Thrown> {
        let options = options::create(options)?;
        let connection = NewConnection::from_json(&request(connection)?)?;
        self.engine.write(Write::create(connection, options))
    }

    /// Stages any number of creates, to be done in order; the options hold for each. The answers are those of `create`, and
    /// `{outcome: "refused" | "failed", error}` where that would throw.
    ///
    /// # Errors
    ///
    /// What is wrong with the call itself.
    #[wasm_bindgen(js_name = createMany)]
    pub fn create_many(&self, connections: &JsValue, options: &JsValue) -> Result<(), Thrown> {
        let options: CreateOptions = options::create(options)?;
        let row = |row: JsValue| {
            let row = NewConnection::from_json(&request(&row)?)?;
            Ok(Write::create(row, options.clone()))
        };
        let rows = options::rows(connections)?.iter().map(row).collect();
        self.engine.call_open(|open| {
            open.staged.borrow_mut().push(Staged::Rows(rows));
            Ok(())
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
        self.engine.call(|store| alike::page(&store.list(&list)?))
    }

    /// Stages a change of what the patch names. The answer is the connection as it stands then.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn update(&self, id: &JsValue, patch: &JsValue) -> Result<JsValue, Thrown> {
        let patch = Patch::from_json(&request(patch)?)?;
        self.engine.write(Write::update(connection_id(id)?, patch))
    }

    /// Stages what a login driver saw. The answer is the connection as it stands then.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn record(&self, id: &JsValue, observation: &JsValue) -> Result<JsValue, Thrown> {
        let observation = Observation::from_json(&request(observation)?)?;
        self.engine.write(Write::record(connection_id(id)?, observation))
    }

    /// Stages the end of a connection. The answer is `true`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    pub fn delete(&self, id: &JsValue) -> Result<JsValue, Thrown> {
        self.engine.write(Write::delete(connection_id(id)?))
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

    /// Stages the end of a profile that has no connections. The answer is `true`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    #[wasm_bindgen(js_name = deleteProfile)]
    pub fn delete_profile(&self, name: &JsValue) -> Result<JsValue, Thrown> {
        let name = text(name, "name")?;
        let name = name.parse().map_err(|_| Missing::Profile(name))?;
        self.engine.write(Write::delete_profile(name))
    }

    /// Stages a proxy; one that is registered already gets the new name, or none. The answer is the proxy.
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
        self.engine.write(Write::register_proxy(id, name))
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

    /// Stages the end of a proxy that no connection uses. The answer is `true`.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure.
    #[wasm_bindgen(js_name = removeProxy)]
    pub fn remove_proxy(&self, id: &JsValue) -> Result<JsValue, Thrown> {
        let id = text(id, "id")?;
        let id = id.parse().map_err(|_| Missing::Proxy(id))?;
        self.engine.write(Write::remove_proxy(id))
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
        self.engine.call(|store| Ok(Dump::new(&self.engine, store.dump()?)))
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

    /// The number of the last change; 0 before the first.
    ///
    /// # Errors
    ///
    /// A failure.
    #[wasm_bindgen(js_name = lastChange)]
    pub fn last_change(&self) -> Result<f64, Thrown> {
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        self.engine.call(|store| Ok(store.stats()?.last_change as f64))
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

/// The HTTP API.
#[wasm_bindgen]
impl Store {
    /// Answers a request of the HTTP API: `{status, headers, body}`, of which `headers` is an array of pairs and `body` a
    /// text, a `Dump` or `undefined`. `target` is path and query, `body` a `Uint8Array`. `undefined`: staged, and the
    /// response will be the answer.
    ///
    /// # Errors
    ///
    /// What ends the instance.
    pub fn respond(
        &self,
        method: &str,
        target: &str,
        headers: &Array,
        body: &[u8],
    ) -> Result<JsValue, Thrown> {
        self.engine.call_open(|open| {
            match requests::begin(&open.api, method, target, headers, body) {
                Begun::Answered(response) => Ok(requests::response(&self.engine, response)),
                Begun::Pending(Pending { write, rendering, .. }) => {
                    open.staged.borrow_mut().push(Staged::Request(write, rendering));
                    Ok(JsValue::UNDEFINED)
                }
            }
        })
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

impl Dump {
    pub(crate) fn new(engine: &Rc<Engine>, lines: connectory::Dump) -> Self {
        Self { engine: Rc::clone(engine), lines: RefCell::new(Some(lines)) }
    }
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
        if !self.engine.is_free() {
            std::mem::forget(self.lines.take());
        }
    }
}

fn found(connection: Option<&Connection>) -> Result<JsValue, Thrown> {
    connection.map_or(Ok(JsValue::UNDEFINED), alike::connection)
}

/// A malformed ID is an unknown one.
fn connection_id(value: &JsValue) -> Result<ConnectionId, Thrown> {
    let id = text(value, "id")?;
    Ok(id.parse().map_err(|_| Missing::Connection(id))?)
}
