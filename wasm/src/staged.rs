//! [`Staged`], what waits for the next commit, and its answers.

use crate::alike;
use crate::border::answer;
use crate::requests;
use crate::store::Engine;
use crate::thrown::{Said, Thrown};
use connectory::http::Rendering;
use connectory::{Error, Refusal, Store, StoreError, Write, Written};
use js_sys::Array;
use serde::Serialize;
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// What waits for the next commit.
#[derive(Debug)]
pub(crate) enum Staged {
    Write(Write),
    /// The rows of a `createMany`, the good ones to be written.
    Rows(Vec<Result<Write, Refusal>>),
    /// A request of the HTTP API.
    Request(Write, Rendering),
}

/// How the answers to what was staged are given.
enum Form {
    Answer,
    /// Row by row: to be written, or refused already.
    Rows(Vec<Option<Refusal>>),
    Response(Rendering),
}

/// Does everything that was staged; an array with a place for each.
pub(crate) fn commit(
    engine: &Rc<Engine>,
    store: &Store,
    staged: Vec<Staged>,
) -> Result<Array, Thrown> {
    let mut writes = Vec::with_capacity(staged.len());
    let mut forms = Vec::with_capacity(staged.len());
    for staged in staged {
        forms.push(match staged {
            Staged::Write(write) => {
                writes.push(write);
                Form::Answer
            }
            Staged::Rows(rows) => Form::Rows(
                rows.into_iter().map(|row| row.map(|row| writes.push(row)).err()).collect(),
            ),
            Staged::Request(write, rendering) => {
                writes.push(write);
                Form::Response(rendering)
            }
        });
    }
    let mut answers = store.write_many(writes).into_iter();
    let mut next = || {
        let missing = || StoreError::Internal("a write got no answer".into()).into();
        answers.next().unwrap_or_else(|| Err(missing()))
    };
    let given = Array::new();
    for form in forms {
        given.push(&match form {
            Form::Answer => match next() {
                Ok(answer) => written(&answer)?,
                Err(error) => Thrown::from(error).into(),
            },
            Form::Rows(rows) => {
                let given = Array::new();
                for refusal in rows {
                    let answer = refusal.map_or_else(&mut next, |refusal| Err(refusal.into()));
                    given.push(&match answer {
                        Ok(answer) => written(&answer)?,
                        Err(error) => unanswered(&error)?,
                    });
                }
                given.into()
            }
            Form::Response(rendering) => requests::response(engine, rendering.respond(next())),
        });
    }
    Ok(given)
}

/// An answer to a write.
pub(crate) fn written(written: &Written) -> Result<JsValue, Thrown> {
    match written {
        Written::Creation(creation) => alike::creation(creation),
        Written::Connection(connection) => alike::connection(connection),
        Written::Proxy(proxy) => answer(proxy),
        Written::Done => Ok(JsValue::TRUE),
    }
}

/// A row of many that was refused or failed.
#[derive(Serialize)]
struct Unanswered<'a> {
    outcome: &'static str,
    error: Said<'a>,
}

fn unanswered(error: &Error) -> Result<JsValue, Thrown> {
    let outcome = if error.refusal().is_some() { "refused" } else { "failed" };
    answer(&Unanswered { outcome, error: Said::of(error, &error.to_string()) })
}
