//! `connectory`, the command line: `args` says what may be typed, `commands` what it does.

mod args;
mod commands;
mod flags;
mod follow;
mod import;
mod outcome;
mod output;
mod place;
mod progress;
mod recover;
mod serve;
mod stop;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(&args::Args::parse()) {
        Ok(code) => code,
        Err(failure) => {
            if failure.exit != 0 {
                for line in &failure.lines {
                    output::tell(&format!("error: {line}"));
                }
                if let Some(advice) = failure.advice {
                    output::tell(&advice);
                }
            }
            ExitCode::from(failure.exit)
        }
    }
}
