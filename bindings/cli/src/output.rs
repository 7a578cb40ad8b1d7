//! How answers are printed: JSON as the API gives it, or tables for people.

use crate::args::Format;
use crate::outcome::Failure;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// Where answers go.
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Option<Format>) -> Self {
        let default = if io::stdout().is_terminal() { Format::Table } else { Format::Json };
        Self { format: format.unwrap_or(default) }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints one thing: its fields below each other, those without a value left out.
    pub(crate) fn one(&self, thing: &impl Serialize) -> Result<(), Failure> {
        let value = serde_json::to_value(thing).map_err(io::Error::other)?;
        if self.is_json() {
            return print_json(&value);
        }
        let mut table = new_table();
        for (name, value) in value.as_object().into_iter().flatten() {
            if !value.is_null() {
                table.add_row([name.clone(), cell(value)]);
            }
        }
        print(&table)
    }

    /// Prints many things: a row each, with these columns.
    pub(crate) fn many(&self, things: &impl Serialize, columns: &[&str]) -> Result<(), Failure> {
        let value = serde_json::to_value(things).map_err(io::Error::other)?;
        if self.is_json() {
            return print_json(&value);
        }
        let mut table = new_table();
        table.set_header(columns);
        for thing in value.as_array().into_iter().flatten() {
            table.add_row(
                columns.iter().map(|column| thing.get(column).map_or_else(String::new, cell)),
            );
        }
        print(&table)
    }
}

/// Narrower than this a table would be cut to pieces; it is left as wide as it is.
const WIDTH_MIN: u16 = 60;

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if table.width().is_some_and(|width| width >= WIDTH_MIN) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    print(&text)
}

fn print(text: &impl std::fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

/// Tells a person something beside the answer.
pub(crate) fn tell(message: &impl std::fmt::Display) {
    // Nobody is left to be told where this fails.
    let _ = writeln!(io::stderr(), "{message}");
}
