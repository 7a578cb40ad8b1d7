//! A directory with stores in it, and the command line run on them.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) struct Shell {
    directory: TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The file of the default project.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("store").join("default.connectory")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_connectory"));
        command.env("CONNECTORY_STORE", self.path("store")).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command whose standard input comes from this file.
    pub(crate) fn run_on(&self, file: &Path, arguments: &[&str]) -> Ran {
        let input = std::fs::File::open(file).unwrap();
        Ran::of(self.command(arguments).stdin(input).output().unwrap())
    }

    /// Starts a command that reads what it is given from now on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdin(Stdio::piped()).spawn().unwrap()
    }

    /// Starts a command that may have this many descriptors.
    pub(crate) fn start_with_descriptors(&self, most: usize, arguments: &[&str]) -> Child {
        let of_itself = self.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]);
        command.arg(of_itself.get_program()).args(of_itself.get_args());
        command.env("CONNECTORY_STORE", self.path("store"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub(crate) fn create(&self, domain: &str, profile: &str) -> Ran {
        self.run(&["create", "--domain", domain, "--profile-name", profile])
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            exit: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON value that was printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, Some(exit), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn tells(self, what: &str) -> Self {
        assert!(self.err.contains(what), "{what}: {self:#?}");
        self
    }
}

/// Writes lines to the standard input of a running command.
pub(crate) fn feed(child: &mut Child, lines: &str) {
    let input = child.stdin.as_mut().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    input.flush().unwrap();
}
