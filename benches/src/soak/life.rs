//! [`Life`], a process with the store from its start to its end, as the one that keeps the ledger sees it.

use crate::Outcome;
use crate::child::Child;
use crate::ledger::Ledger;
use crate::message::{Message, hear};
use std::io::{BufReader, Write};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

/// A process with the store.
#[derive(Debug)]
pub(crate) struct Life {
    process: std::process::Child,
    told: BufReader<ChildStdout>,
}

impl Life {
    /// Starts one, holds what it finds against the ledger, and lets it go on.
    pub(crate) fn begin(child: Child, ledger: &mut Ledger) -> Outcome<Self> {
        let arguments = Vec::<String>::from(child);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("child").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let told = process.stdout.take().ok_or("a process without an output")?;
        let mut life = Self { process, told: BufReader::new(told) };
        let mut found = Vec::new();
        loop {
            match life.hear()? {
                Some(Message::Holds(holdings)) => found.push(holdings),
                Some(Message::Opened { last_change }) => {
                    ledger.reconcile(&found, last_change)?;
                    break;
                }
                Some(Message::Wrong(what)) => return Err(what.into()),
                other => return Err(format!("told {other:?} on opening").into()),
            }
        }
        let input = life.process.stdin.as_mut().ok_or("a process without an input")?;
        input.write_all(b"go\n")?;
        Ok(life)
    }

    /// What it tells next; `None` once it is gone.
    pub(crate) fn hear(&mut self) -> Outcome<Option<Message>> {
        hear(&mut self.told)
    }

    pub(crate) fn kill(&mut self) -> Outcome<()> {
        Ok(self.process.kill()?)
    }

    /// Has it close the store and end.
    pub(crate) fn stop(&mut self) {
        self.process.stdin.take();
    }

    pub(crate) fn wait(&mut self) -> Outcome<ExitStatus> {
        Ok(self.process.wait()?)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Nothing is left behind where something went wrong.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
