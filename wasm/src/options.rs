//! How a store is opened and how a create treats what was there before, as JavaScript says it.

use crate::border::text;
use crate::stamps::Source;
use crate::thrown::{Thrown, at, refused};
use connectory::http::{Shard, Shards};
use connectory::{CreateOptions, Options, ViolationCode};
use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// Reads `plan`, `cap`, `cacheBytes`, `logBytes` and `stamps`; and `shard` and `shards`, which shard of a project the
/// store is.
pub(crate) fn opening(value: &JsValue) -> Result<(Options, Shard), Thrown> {
    const KNOWN: [&str; 7] = ["plan", "cap", "cacheBytes", "logBytes", "stamps", "shard", "shards"];
    let given = Given::read(value, &KNOWN)?;
    let source = match given.member("stamps")? {
        None => Source::System,
        Some(function) => match function.dyn_into::<Function>() {
            Ok(function) => Source::of(function),
            Err(_) => return Err(wrong("stamps", "is not a function; send one")),
        },
    };
    let mut options = Options::with_stamps(source);
    if let Some(plan) = given.member("plan")? {
        options = options.plan(text(&plan, "plan")?.parse().map_err(at("plan"))?);
    }
    let whole = |name| {
        given
            .member(name)?
            .map(|value| crate::border::whole(&value, name))
            .transpose()
            .map_err(Thrown::from)
    };
    options = options.cap(whole("cap")?);
    if let Some(bytes) = whole("cacheBytes")? {
        let bytes = usize::try_from(bytes)
            .map_err(|_| wrong("cacheBytes", "is more than there is; send less"))?;
        options = options.cache_bytes(bytes);
    }
    if let Some(bytes) = whole("logBytes")? {
        options = options.log_bytes(bytes);
    }
    let number = |name, default: u16| -> Result<u16, Thrown> {
        Ok(whole(name)?.map_or(default, |number| u16::try_from(number).unwrap_or(u16::MAX)))
    };
    let shards = Shards::new(number("shards", 1)?).map_err(at("shards"))?;
    let shard = Shard::new(shards, number("shard", 0)?).map_err(at("shard"))?;
    Ok((options, shard))
}

/// Reads `idempotency_key` and `ensure`.
pub(crate) fn create(value: &JsValue) -> Result<CreateOptions, Thrown> {
    let given = Given::read(value, &["idempotency_key", "ensure"])?;
    let mut options = CreateOptions::default();
    if let Some(key) = given.member("idempotency_key")? {
        let key = text(&key, "idempotency_key")?;
        options.idempotency_key = Some(key.parse().map_err(at("idempotency_key"))?);
    }
    if let Some(ensure) = given.member("ensure")? {
        let ensure = ensure.as_bool();
        options.ensure = ensure.ok_or_else(|| wrong("ensure", "is not a boolean; send one"))?;
    }
    Ok(options)
}

/// Options that were given, all of them known; `None` where there are none.
struct Given(Option<Object>);

impl Given {
    fn read(value: &JsValue, known: &[&str]) -> Result<Self, Thrown> {
        if value.is_undefined() {
            return Ok(Self(None));
        }
        let Some(object) = value.dyn_ref::<Object>() else {
            return Err(wrong("options", "is not an object; send one"));
        };
        for name in Object::keys(object).iter() {
            let name = text(&name, "options")?;
            if !known.contains(&name.as_str()) {
                let problem = format!("is not an option; send only {}", known.join(", "));
                return Err(refused(&name, ViolationCode::UnknownField, problem).into());
            }
        }
        Ok(Self(Some(object.clone())))
    }

    /// The option of this name, unless it is `undefined`.
    fn member(&self, name: &str) -> Result<Option<JsValue>, Thrown> {
        let Some(object) = &self.0 else { return Ok(None) };
        let value = Reflect::get(object, &name.into()).map_err(Thrown)?;
        Ok((!value.is_undefined()).then_some(value))
    }
}

/// The rows of a `createMany`.
pub(crate) fn rows(value: &JsValue) -> Result<Array, Thrown> {
    let rows = value.dyn_ref::<Array>().cloned();
    rows.ok_or_else(|| wrong("", "the requests are not an array; send one"))
}

fn wrong(field: &str, problem: &str) -> Thrown {
    refused(field, ViolationCode::InvalidType, problem).into()
}
