//! [`Subject`], what is put to the test, and the [`Answer`] that it gives.

use super::Operation;
use connectory::{Creation, Error};
use serde_json::{Value, json};

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
    /// What the door itself did wrong, whatever the answer is: a header that is missing, say.
    pub faults: Vec<String>,
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

    pub(super) fn page(page: &Value) -> Self {
        let items = page["items"].as_array().into_iter().flatten();
        let next = page["next_cursor"].as_str().map(Into::into);
        Self { next, ..Self::list(items.cloned().map(Self::found)) }
    }

    pub(super) fn creation(creation: &Creation) -> Self {
        let body = match creation {
            Creation::Conflict(conflict) => json!(conflict),
            answered => json!(answered.connection()),
        };
        Self { is: creation.outcome().into(), body, ..Self::default() }
    }

    pub(super) fn error(error: &Error) -> Self {
        Self { is: error.code().into(), body: json!(error), ..Self::default() }
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.body.get("id").or(self.body.get("existing_id"))?.as_str()
    }

    pub(super) fn wrote(&self, operation: &Operation) -> bool {
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

    pub(super) fn shown(&self) -> String {
        if self.items.is_empty() {
            return self.body.to_string();
        }
        let items: Vec<String> =
            self.items.iter().map(|item| format!("{} {}", item.is, item.body)).collect();
        format!("[{}]", items.join(", "))
    }

    /// What the doors of this answer and of its items did wrong.
    pub(super) fn all_faults(&self) -> Vec<String> {
        let of_items = self.items.iter().flat_map(Self::all_faults);
        self.faults.iter().cloned().chain(of_items).collect()
    }
}
