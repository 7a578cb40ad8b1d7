//! [`Source`], where stamps come from: the host's clock and random numbers, or a function of the caller's.

use crate::border::said;
use crate::turn::outside;
use connectory::{Stamp, Stamps};
use js_sys::{Date, Function};
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

thread_local! {
    /// Functions of callers by number: a store can go to another thread, and a function cannot.
    static FUNCTIONS: RefCell<BTreeMap<u32, Function>> = const { RefCell::new(BTreeMap::new()) };
}

/// Where stamps come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// `Date.now` and `crypto.getRandomValues`.
    System,
    /// The function of this number.
    Function(u32),
}

/// A stamp as a function returns it; `random` can be a `BigInt`.
#[derive(Deserialize)]
struct Given {
    now_ms: u64,
    random: u64,
}

impl Source {
    /// A function that returns `{now_ms, random}` and never throws.
    pub(crate) fn of(function: Function) -> Self {
        FUNCTIONS.with_borrow_mut(|functions| {
            let number = functions.last_key_value().map_or(0, |(last, _)| last + 1);
            functions.insert(number, function);
            Self::Function(number)
        })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Function(number) = self {
            // Nothing is left to let go of where the thread is at its end.
            FUNCTIONS.try_with(|functions| functions.borrow_mut().remove(number)).ok();
        }
    }
}

impl Stamps for Source {
    fn stamp(&self) -> Stamp {
        match self {
            Self::System => system(),
            Self::Function(number) => {
                let function = FUNCTIONS.with_borrow(|functions| functions.get(number).cloned());
                let given =
                    function.map(|function| outside(|| function.call0(&JsValue::UNDEFINED)));
                match given {
                    Some(Ok(stamp)) => read(stamp),
                    Some(Err(thrown)) => panic!("the source of stamps threw: {}", said(&thrown)),
                    None => system(),
                }
            }
        }
    }
}

fn read(stamp: JsValue) -> Stamp {
    match serde_wasm_bindgen::from_value(stamp) {
        Ok(Given { now_ms, random }) => Stamp { now_ms, random },
        Err(error) => panic!("the source of stamps returned none: {error}"),
    }
}

fn system() -> Stamp {
    let mut random = [0; 8];
    get_random_values(&mut random);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970"
    )]
    let now_ms = Date::now() as u64;
    Stamp { now_ms, random: u64::from_le_bytes(random) }
}
