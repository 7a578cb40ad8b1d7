//! [`Turn`], which lets one call at a time into a store, and none after one that did not come out.
//!
//! A panic runs no destructors here: locks stay taken, and the standard library counts it as under way for ever. So it is
//! thrown as an error out of the middle of the call, and the whole instance of the module is given up: no store of it
//! answers any more, and none can be opened. Another instance starts afresh.

use crate::thrown::Thrown;
use connectory::StoreError;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    /// What the panic said that ended this instance.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    /// How many calls of the host's functions are under way.
    static OUTSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Has panics thrown as errors.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(on_panic));
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let what = info.to_string();
    PANIC.with(|panic| panic.try_borrow_mut().map(|mut panic| panic.replace(what.clone())).ok());
    wasm_bindgen::throw_val(Thrown::from(StoreError::Internal(what)).into());
}

/// Fails if a panic has ended this instance.
pub(crate) fn alive() -> Result<(), Thrown> {
    PANIC.with_borrow(|panic| match panic {
        None => Ok(()),
        Some(what) => Err(dead(what)),
    })
}

fn dead(what: &str) -> Thrown {
    let message =
        format!("this instance is of no use any more, load another one; it ended with: {what}");
    StoreError::Internal(message).into()
}

/// Calls a function of the host, which may try to call back.
pub(crate) fn outside<T>(call: impl FnOnce() -> T) -> T {
    OUTSIDE.set(OUTSIDE.get() + 1);
    let returned = call();
    OUTSIDE.set(OUTSIDE.get() - 1);
    returned
}

/// Whether a call is under way.
#[derive(Debug, Default)]
pub(crate) struct Turn(Cell<bool>);

impl Turn {
    /// Runs `call` unless another one is under way.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] where a function that the store calls calls the store; [`StoreError::Internal`] where a call
    /// never came out.
    pub(crate) fn take<T>(&self, call: impl FnOnce() -> Result<T, Thrown>) -> Result<T, Thrown> {
        alive()?;
        if self.0.replace(true) {
            return Err(match OUTSIDE.get() {
                0 => dead("a call that was cut short"),
                _ => StoreError::Busy.into(),
            });
        }
        let returned = call();
        self.0.set(false);
        returned
    }

    /// Whether the store can be let go of: what was cut short holds its locks for ever.
    pub(crate) fn is_free(&self) -> bool {
        alive().is_ok() && !self.0.get()
    }
}
