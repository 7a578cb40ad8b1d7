//! Replays `tests/cases`: files of steps, each an operation and what it must answer, the same for every runtime.
//!
//! A file is one JSON object: `about`, `store` (`plan`, `cap`) and `steps`; or `about` and `scenarios`, each with
//! those three. A step has one operation, named as in [`Operation`], and says what it expects:
//!
//! | key | what it says of the answer |
//! | --- | --- |
//! | `is` | its word: an outcome, `found`, `listed`, `done`, an error's code; for `allows` true or false |
//! | `as` | binds its ID (of a conflict: the holder's) to a name; `"$name"` stands for it from here on |
//! | `whole` | it is exactly this |
//! | `with`, `without` | it has these members, and not those |
//! | `details` | its violations, as `"code field"`, in any order |
//! | `says` | what its message contains |
//! | `ids`, `kinds`, `items` | those of its items, in order; `items` are whole |
//! | `more`, `next` | whether there is another page; binds the cursor of it to a name |
//! | `each` | one expectation for every item, in order |
//! | `about` | nothing: it is for the reader |
//!
//! What no step has to say is checked of every answer: its shape, and that whatever did not succeed in writing has
//! left the store as it was.

mod engine;
mod expectation;
mod http;
mod keys;
mod operation;
mod over_http;
mod reply;
mod run;
mod shape;
mod subject;

pub use engine::EngineSubject;
pub use http::{HttpSubject, Transport};
pub use operation::{Create, Operation};
pub use over_http::OverHttp;
pub use reply::Reply;
pub use subject::{Answer, Subject};

use keys::{Keys, array, number, text};
use run::Run;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a store is opened with.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The plan's word; `None` for enterprise.
    pub plan: Option<String>,
    /// The most connections; `None` for no cap.
    pub cap: Option<u64>,
}

/// A file of cases.
#[derive(Debug)]
pub struct File {
    /// Its name, without `.json`.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// Stories, each with a store of its own.
    pub scenarios: Vec<Scenario>,
}

/// Steps on one store.
#[derive(Debug)]
pub struct Scenario {
    /// What it shows.
    pub about: String,
    /// What the store is opened with.
    pub opening: Opening,
    /// The steps, as they are written.
    pub steps: Vec<Value>,
}

/// The files there are, by name.
///
/// # Panics
///
/// Where one cannot be read.
pub fn files() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let entries = std::fs::read_dir(&folder).expect("tests/cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| File::read(path)).collect()
}

impl File {
    fn read(path: &Path) -> Self {
        let wrong = |why: String| -> ! { panic!("{}: {why}", path.display()) };
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| wrong(error.to_string()));
        let json = serde_json::from_str(&text).unwrap_or_else(|error| wrong(error.to_string()));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(name, json).unwrap_or_else(|why| wrong(why))
    }

    /// Takes a file's JSON apart.
    ///
    /// # Errors
    ///
    /// What is wrong with its form; that of a step shows when it is replayed.
    pub fn parse(name: String, json: Value) -> Result<Self, String> {
        let mut keys = Keys::of(json)?;
        let about: String = text(keys.require("about")?)?;
        let scenarios = match keys.take("scenarios") {
            Some(scenarios) => {
                keys.finish()?;
                let scenarios = array(scenarios)?.into_iter();
                scenarios.map(|scenario| Scenario::parse(Keys::of(scenario)?, None)).collect()
            }
            None => Scenario::parse(keys, Some(about.clone())).map(|scenario| vec![scenario]),
        };
        Ok(Self { name, about, scenarios: scenarios? })
    }

    /// Replays the file on stores that `open` makes, and says what was not as expected: nothing, if all went well.
    pub fn replay(&self, open: &mut dyn FnMut(&Opening) -> Box<dyn Subject>) -> Vec<String> {
        self.scenarios
            .iter()
            .flat_map(|scenario| self.replay_one(scenario, open(&scenario.opening)))
            .collect()
    }

    /// Replays one scenario of the file on a fresh store.
    pub fn replay_one(&self, scenario: &Scenario, subject: Box<dyn Subject>) -> Vec<String> {
        let mut run = Run::on(subject);
        let mut failures = Vec::new();
        for (n, step) in scenario.steps.iter().enumerate() {
            let faults = run.step(step).unwrap_or_else(|fault| vec![fault]);
            if !faults.is_empty() {
                failures.push(format!(
                    "{}.json, {:?}, step {}:\n  {step}\n  - {}",
                    self.name,
                    scenario.about,
                    n + 1,
                    faults.join("\n  - ")
                ));
            }
        }
        for problem in run.subject.problems() {
            failures.push(format!("{}.json, {:?}: {problem}", self.name, scenario.about));
        }
        failures
    }
}

impl Scenario {
    fn parse(mut keys: Keys, about: Option<String>) -> Result<Self, String> {
        let about = about.map_or_else(|| text(keys.require("about")?), Ok)?;
        let opening = keys.take("store").map(Opening::parse).transpose()?.unwrap_or_default();
        let steps = array(keys.require("steps")?)?;
        keys.finish()?;
        Ok(Self { about, opening, steps })
    }

    /// Whether each of its steps has a form over HTTP.
    pub fn goes_over_http(&self) -> bool {
        let operation = |step: &Value| Operation::take(&mut Keys::of(step.clone())?);
        self.steps
            .iter()
            .all(|step| operation(step).is_ok_and(|operation| operation.goes_over_http()))
    }
}

impl Opening {
    fn parse(json: Value) -> Result<Self, String> {
        let mut keys = Keys::of(json)?;
        let plan = keys.take("plan").map(text).transpose()?;
        let cap = keys.take("cap").as_ref().map(number).transpose()?;
        keys.finish()?;
        Ok(Self { plan, cap })
    }
}

/// Makes a test of every case file, named after what it shows, and one that none is left out; `$subject` makes of an
/// [`Opening`] what answers.
#[macro_export]
macro_rules! replay_every_file {
    ($subject:expr) => {
        $crate::replay_every_file! { $subject;
            a_create_answers_with_every_field: "create",
            a_conflict_names_the_holder: "conflict",
            an_ensure_returns_the_holder: "ensure",
            a_lost_answer_can_be_asked_for_again: "idempotency",
            spellings_of_one_domain_are_one_domain: "normalisation",
            bad_input_is_refused_with_every_reason: "refusals",
            plans_and_caps_are_held: "plans",
            proxies_are_resolved_and_kept_while_used: "proxies",
            profiles_come_with_connections_and_stay: "profiles",
            an_update_changes_what_it_names: "update",
            a_delete_frees_the_pair: "delete",
            lists_are_in_order_and_paged: "list",
            observations_show_in_the_answer: "record",
            a_connection_allows_its_hosts: "allows",
            changes_come_in_commit_order: "changes",
            many_are_created_in_order: "many",
        }
    };
    ($subject:expr; $($test:ident: $file:literal,)+) => {
        $(#[test]
        fn $test() {
            $crate::cases::replay_file($file, &mut |opening| Box::new($subject(opening)));
        })+

        #[test]
        fn every_file_is_replayed() {
            let mut there: Vec<String> =
                $crate::cases::files().into_iter().map(|file| file.name).collect();
            there.sort();
            let mut replayed = [$($file),+];
            replayed.sort();
            assert_eq!(there, replayed);
        }
    };
}

/// Replays a file, and panics with every step that was answered otherwise.
///
/// # Panics
///
/// Where there is such a step, or no such file.
pub fn replay_file(name: &str, open: &mut dyn FnMut(&Opening) -> Box<dyn Subject>) {
    let files = files();
    let file = files.iter().find(|file| file.name == name).expect("a file of that name");
    let failures = file.replay(open);
    assert!(
        failures.is_empty(),
        "{} of {}:\n\n{}",
        failures.len(),
        file.about,
        failures.join("\n\n")
    );
}
