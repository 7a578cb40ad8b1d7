//! [`Source`], where stamps come from: the host's clock and random numbers, or a function of the caller's.

use crate::border::said;
use crate::shelf::Kept;
use crate::turn::outside;
use connectory::{Stamp, Stamps};
use js_sys::{Date, Function};
use serde::Deserialize;
use std::cell::RefCell;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

/// Where stamps come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// `Date.now` and `crypto.getRandomValues`.
    System,
    /// A function of the caller's.
    Function(Kept<Function>),
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
        Self::Function(Kept::new(function))
    }
}

impl Stamps for Source {
    fn stamp(&self) -> Stamp {
        match self {
            Self::System => system(),
            Self::Function(function) => match function.get() {
                Ok(function) => match outside(|| function.call0(&JsValue::UNDEFINED)) {
                    Ok(stamp) => read(stamp),
                    Err(thrown) => panic!("the source of stamps threw: {}", said(&thrown)),
                },
                Err(_) => system(),
            },
        }
    }

    /// Not of a function's: the same stamps shall make the same IDs with a log and without.
    fn salt(&self) -> u64 {
        random()
    }
}

fn read(stamp: JsValue) -> Stamp {
    match serde_wasm_bindgen::from_value(stamp) {
        Ok(Given { now_ms, random }) => Stamp { now_ms, random },
        Err(error) => panic!("the source of stamps returned none: {error}"),
    }
}

/// Asking the host costs as much for many random bytes as for few.
const POOL_BYTES: usize = 1024;

thread_local! {
    /// Random bytes that were not given out yet, as many as are left.
    static POOL: RefCell<([u8; POOL_BYTES], usize)> = const { RefCell::new(([0; POOL_BYTES], 0)) };
}

fn random() -> u64 {
    POOL.with_borrow_mut(|(pool, left)| {
        if *left == 0 {
            get_random_values(pool);
            *left = POOL_BYTES;
        }
        *left -= 8;
        let bytes = pool.iter().skip(*left).take(8);
        bytes.fold(0, |random, &byte| random << 8 | u64::from(byte))
    })
}

fn system() -> Stamp {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970"
    )]
    let now_ms = Date::now() as u64;
    Stamp { now_ms, random: random() }
}
