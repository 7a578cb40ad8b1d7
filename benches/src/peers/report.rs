//! [`Report`], what was measured: a table to read, and every figure as JSON.

use crate::contender::Contender;
use crate::measure::median;
use connectory_benches::apart;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Which figures are the good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

/// One thing that was measured, of every contender that can do it.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    better: Better,
    rounds: BTreeMap<Contender, Vec<f64>>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, better: Better) -> Self {
        Self { name: name.into(), unit, better, rounds: BTreeMap::new() }
    }

    /// Adds the figure of one round.
    pub(crate) fn push(&mut self, contender: Contender, figure: f64) {
        self.rounds.entry(contender).or_default().push(figure);
    }

    fn median(&self, contender: Contender) -> Option<f64> {
        median(self.rounds.get(&contender)?)
    }

    /// What ours costs when `theirs` costs 1: below 1 ours is the better one, whichever way the figures go.
    fn ratio(&self, theirs: f64) -> Option<f64> {
        let ours = self.median(Contender::Connectory)?;
        Some(match self.better {
            Better::Less => ours / theirs,
            Better::More => theirs / ours,
        })
    }

    fn ratio_to_sqlite(&self) -> Option<f64> {
        self.ratio(self.median(Contender::Sqlite)?)
    }

    /// The ratio to whichever peer does best.
    fn ratio_to_best(&self) -> Option<(Contender, f64)> {
        let peers = Contender::ALL.into_iter().filter(|&it| it != Contender::Connectory);
        peers
            .filter_map(|peer| Some((peer, self.ratio(self.median(peer)?)?)))
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    fn json(&self) -> Value {
        let each = |value: &dyn Fn(Contender) -> Value| -> Map<String, Value> {
            self.rounds.keys().map(|&it| (it.name().to_owned(), value(it))).collect()
        };
        json!({
            "name": self.name,
            "unit": self.unit,
            "better": match self.better { Better::Less => "less", Better::More => "more" },
            "medians": each(&|it| json!(self.median(it))),
            "ratio_to_sqlite": self.ratio_to_sqlite(),
            "ratio_to_best": self.ratio_to_best().map(|(_, ratio)| ratio),
            "best_peer": self.ratio_to_best().map(|(peer, _)| peer.name()),
            "rounds": each(&|it| json!(self.rounds.get(&it))),
        })
    }
}

/// A run.
#[derive(Debug)]
pub(crate) struct Report {
    /// The machine, the seed, the versions: whatever else is to be said of it.
    pub(crate) about: Value,
    pub(crate) rows: Vec<Row>,
    /// Microseconds of one small synced write, by round.
    pub(crate) disk_us: Vec<f64>,
}

impl Report {
    /// The table as Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from("| |");
        for contender in Contender::ALL {
            let _ = write!(table, " {} |", contender.name());
        }
        table.push_str(" ours / SQLite | ours / best peer |\n| --- |");
        table.push_str(&" ---: |".repeat(Contender::ALL.len() + 2));
        for row in &self.rows {
            let _ = write!(table, "\n| {}, {} |", row.name, row.unit);
            for contender in Contender::ALL {
                let figure = row.median(contender).map_or_else(String::new, figure);
                let _ = write!(table, " {figure} |");
            }
            let to_sqlite = row.ratio_to_sqlite().map_or_else(String::new, ratio);
            let to_best = row.ratio_to_best().map_or_else(String::new, |(peer, of_best)| {
                format!("{} ({})", ratio(of_best), peer.name())
            });
            let _ = write!(table, " {to_sqlite} | {to_best} |");
        }
        table.push_str(
            "\n\nRatios are of cost: below 1 ours is better, **bold** where it is worse.",
        );
        if let Some(us) = median(&self.disk_us) {
            let bytes = crate::measure::Disk::WRITE_BYTES;
            let _ = write!(
                table,
                "\nOne write of {bytes} bytes into a file that is there, synced, took {} us.",
                figure(us)
            );
        }
        table
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "about": self.about,
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "disk": {
                "name": "one small write into a file that is there, synced",
                "unit": "us",
                "median": median(&self.disk_us),
                "rounds": self.disk_us,
            },
        })
    }
}

/// A figure with about three digits, thousands apart.
fn figure(figure: f64) -> String {
    if figure < 9.995 {
        return format!("{figure:.2}");
    }
    if figure < 999.5 {
        return format!("{figure:.1}");
    }
    apart(figure)
}

fn ratio(ratio: f64) -> String {
    if ratio > 1.0 { format!("**{ratio:.2}**") } else { format!("{ratio:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_lost_is_bold_whichever_way_its_figures_go() {
        let mut less = Row::new("a", "us", Better::Less);
        let mut more = Row::new("b", "calls/s", Better::More);
        for row in [&mut less, &mut more] {
            for (contender, figures) in [
                (Contender::Connectory, [2000.0, 1.0, 1500.0]),
                (Contender::Sqlite, [3000.0, 3000.0, 3000.0]),
                (Contender::Fjall, [750.0, 750.0, 750.0]),
            ] {
                for figure in figures {
                    row.push(contender, figure);
                }
            }
        }
        let report = Report { about: Value::Null, rows: vec![less, more], disk_us: vec![9.0] };
        let table = report.table();
        assert!(
            table.contains("| a, us | 1 500 | 3 000 |  | 750.0 |  | 0.50 | **2.00** (fjall) |")
        );
        assert!(table.contains(
            "| b, calls/s | 1 500 | 3 000 |  | 750.0 |  | **2.00** | **2.00** (SQLite) |"
        ));
        assert!(table.ends_with("took 9.00 us."), "{table}");
    }
}
