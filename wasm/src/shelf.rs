//! [`Kept`], a value of JavaScript that something which could go to another thread holds on to.
//!
//! Storages and sources of stamps can be sent to other threads, values of JavaScript cannot. So the values stay on their
//! thread and what is sent is a number; any other thread would find nothing there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::marker::PhantomData;
use wasm_bindgen::{JsCast, JsValue};

#[cfg(target_feature = "atomics")]
compile_error!("there is one thread to an instance: build without the target feature atomics");

thread_local! {
    static VALUES: RefCell<BTreeMap<u32, JsValue>> = const { RefCell::new(BTreeMap::new()) };
}

/// A value of JavaScript by number.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    number: u32,
    of: PhantomData<fn() -> T>,
}

impl<T: JsCast> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        let number = VALUES.with_borrow_mut(|values| {
            let number = values.last_key_value().map_or(0, |(last, _)| last + 1);
            values.insert(number, value.into());
            number
        });
        Self { number, of: PhantomData }
    }

    pub(crate) fn get(&self) -> io::Result<T> {
        let value = VALUES.with_borrow(|values| values.get(&self.number).cloned());
        let missing = || io::Error::other("a value of the host is gone");
        value.map(JsCast::unchecked_into).ok_or_else(missing)
    }

    /// Takes the value away, if it is still there.
    pub(crate) fn take(&self) -> Option<T> {
        // Nothing is left to let go of where the thread is at its end.
        let value = VALUES.try_with(|values| values.borrow_mut().remove(&self.number)).ok()?;
        value.map(JsCast::unchecked_into)
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        VALUES.try_with(|values| values.borrow_mut().remove(&self.number)).ok();
    }
}
