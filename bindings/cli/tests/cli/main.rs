//! The command line, run as a process.

mod command_line;
mod import;
mod processes;
mod serve;
mod serve_cases;
mod shell;
