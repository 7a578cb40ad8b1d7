//! The command line, run as a process.

mod command_line;
mod follow;
mod hostile;
mod import;
mod kills;
mod processes;
mod recover;
mod serve;
mod serve_cases;
mod server;
mod shell;
