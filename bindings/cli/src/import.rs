//! `import`: a create for every line of a file, in batches, with an outcome for each.

use crate::outcome::{Failure, Outcome, REFUSED};
use crate::output::{Output, tell};
use crate::progress;
use connectory::{Creation, Error, Json, NewConnection, REQUEST_MAX_BYTES, Refusal, Store};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Lines that are committed together.
const BATCH: usize = 10_000;

/// How many rows came to what.
#[derive(Default)]
struct Totals {
    created: u64,
    conflicts: u64,
    refused: u64,
}

pub(crate) fn import(store: &Store, file: &Path, output: &Output) -> Outcome {
    let (input, size): (Box<dyn Read>, _) = if file == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let opened = File::open(file)
            .map_err(|error| Failure::from(error).about(&file.display().to_string()))?;
        let size = opened.metadata()?.len();
        (Box::new(opened), Some(size))
    };
    let bar = progress::bar(size, "bytes").with_message("importing");
    let mut lines = Lines { input: BufReader::new(bar.wrap_read(input)), number: 0 };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut totals = Totals::default();
    loop {
        let batch = lines.batch()?;
        if batch.is_empty() {
            break;
        }
        let creations = create(store, batch);
        // A bar and lines on one terminal take turns.
        bar.suspend(|| totals.report(creations, &mut out, output.is_json()))?;
    }
    bar.finish_and_clear();
    let Totals { created, conflicts, refused } = totals;
    tell(&format!("{created} created, {conflicts} conflicts, {refused} refused"));
    Ok(ExitCode::from(if refused > 0 { REFUSED } else { 0 }))
}

type Parsed = (u64, Result<NewConnection, Refusal>);

/// Creates those that could be read; answers all, in order.
fn create(store: &Store, batch: Vec<Parsed>) -> Vec<(u64, Result<Creation, Error>)> {
    let mut requests = Vec::new();
    let mut refused = Vec::new();
    let mut numbers = Vec::new();
    for (number, parsed) in batch {
        match parsed {
            Ok(request) => {
                requests.push(request);
                numbers.push(number);
            }
            Err(refusal) => refused.push((number, Err(refusal.into()))),
        }
    }
    let mut answers: Vec<_> = numbers.into_iter().zip(store.create_many(requests)).collect();
    answers.append(&mut refused);
    answers.sort_by_key(|(number, _)| *number);
    answers
}

impl Totals {
    /// Prints an outcome for each. A failure of the store ends it: what came before is there, and reported.
    fn report(
        &mut self,
        creations: Vec<(u64, Result<Creation, Error>)>,
        out: &mut impl Write,
        json: bool,
    ) -> Result<(), Failure> {
        for (line, creation) in creations {
            let outcome = self.count(line, creation)?;
            if json {
                writeln!(out, "{outcome}")?;
            } else {
                writeln!(out, "{}", sentence(&outcome))?;
            }
        }
        Ok(out.flush()?)
    }

    fn count(&mut self, line: u64, creation: Result<Creation, Error>) -> Result<Value, Failure> {
        Ok(match creation {
            Ok(Creation::Conflict(conflict)) => {
                self.conflicts += 1;
                json!({ "line": line, "outcome": "conflict", "existing_id": conflict.existing_id })
            }
            Ok(creation) => {
                self.created += 1;
                json!({ "line": line, "outcome": creation.outcome(), "id": creation.id() })
            }
            Err(Error::Refused(refusal)) => {
                self.refused += 1;
                let mut row = json!({ "line": line, "outcome": "refused" });
                let body = serde_json::to_value(&refusal).map_err(io::Error::other)?;
                if let (Value::Object(row), Value::Object(body)) = (&mut row, body) {
                    row.extend(body);
                }
                row
            }
            Err(Error::Failed(error)) => {
                return Err(Failure::from(error).about(&format!("line {line}")));
            }
        })
    }
}

/// An outcome for people.
fn sentence(outcome: &Value) -> String {
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).unwrap_or_default();
    let about = match text("outcome") {
        "refused" => text("message"),
        "conflict" => text("existing_id"),
        _ => text("id"),
    };
    format!("line {} {} {about}", outcome["line"], text("outcome"))
}

/// Numbered lines of requests; blank ones are passed over.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn batch(&mut self) -> Result<Vec<Parsed>, Failure> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(line) = self.next_line()?
        {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let parsed = Json::parse(&line).and_then(|json| NewConnection::from_json(&json));
            batch.push((self.number, parsed));
        }
        Ok(batch)
    }

    /// The next line without its end. Of one that is too long just enough is kept for it to be refused.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = REQUEST_MAX_BYTES as u64 + 2;
        if self.input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        } else if line.len() as u64 == most {
            self.input.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }
}
