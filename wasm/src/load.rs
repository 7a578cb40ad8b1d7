//! [`Load`], a dump that comes a piece at a time: for hosts to which it is streamed.

use crate::border::{answer, text, whole};
use crate::store::{Engine, Store};
use crate::thrown::Thrown;
use connectory::StoreError;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// A dump on its way into an empty store. `free` it before it is finished, and the store is empty again.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Load {
    engine: Rc<Engine>,
    /// `None` once it was finished.
    load: RefCell<Option<connectory::Load>>,
}

#[wasm_bindgen]
impl Store {
    /// Begins to fill an empty store from a dump that comes a piece at a time. Until the load is finished or freed, readers
    /// find the store empty, and every write, `load`, `beginLoad`, `check` and `close` fails as `busy`.
    ///
    /// # Errors
    ///
    /// A refusal where the store is not empty, or a failure.
    #[wasm_bindgen(js_name = beginLoad)]
    pub fn begin_load(&self) -> Result<Load, Thrown> {
        self.engine().call(|store| {
            let load = RefCell::new(Some(store.begin_load()?));
            Ok(Load { engine: Rc::clone(self.engine()), load })
        })
    }
}

#[wasm_bindgen]
impl Load {
    /// Takes any number of whole lines with `\n` between them, of which the first has this number in the whole dump. The line
    /// with number 1 is the dump's header.
    ///
    /// # Errors
    ///
    /// A refusal, or a failure. The store is empty again then, and every later call throws the same.
    pub fn push(&self, first: &JsValue, lines: &JsValue) -> Result<(), Thrown> {
        let (first, lines) = (whole(first, "first")?, text(lines, "lines")?);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        self.with(|load| {
            for (line, number) in lines.lines().zip(first..) {
                load.push(number, line)?;
            }
            Ok(())
        })
    }

    /// Commits what was pushed, so that nothing of it is left in memory.
    ///
    /// # Errors
    ///
    /// A failure. The store is empty again then, and every later call throws the same.
    pub fn commit(&self) -> Result<(), Thrown> {
        self.with(connectory::Load::commit)
    }

    /// Has the store hold the whole dump; returns the number of connections.
    ///
    /// # Errors
    ///
    /// A refusal where not even a header was pushed, or a failure.
    pub fn finish(&self) -> Result<JsValue, Thrown> {
        self.engine.call(|_| {
            let load = self.load.take().ok_or_else(finished)?;
            answer(&load.finish()?)
        })
    }

    fn with(
        &self,
        call: impl FnOnce(&mut connectory::Load) -> Result<(), connectory::Error>,
    ) -> Result<(), Thrown> {
        self.engine.call(|_| {
            let mut load = self.load.borrow_mut();
            Ok(call(load.as_mut().ok_or_else(finished)?)?)
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if !self.engine.is_free() {
            std::mem::forget(self.load.take());
        }
    }
}

fn finished() -> StoreError {
    StoreError::Internal("the load is finished already".into())
}
