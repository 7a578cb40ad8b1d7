//! [`Report`], what a soak came to: tables to read, and every sample as JSON.

use crate::flatness::{BOUND_PERCENT, Flatness, LATENCIES, latency, mib};
use crate::kind::{KINDS, Kind};
use crate::run::{Run, Seen};
use connectory_benches::apart;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

/// A soak, and what is to be said of it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The machine, the seed.
    pub(crate) about: Value,
    pub(crate) run: &'a Run,
    pub(crate) flatness: &'a [Flatness],
}

impl Report<'_> {
    /// What happened, and the table of what is flat, as Markdown.
    pub(crate) fn text(&self) -> String {
        let counts = &self.run.counts;
        let mut text = format!(
            "{} operations in {:.0} s, of which {} are acknowledged writes; {} were not answered, of which {} had happened.\n\
             {} processes: {} killed, {} of them during upkeep, and {} closed. In them {} checkpoints were asked for, and {} times \
             the store was closed and opened again.\n\
             At the end {} connections: every acknowledged write was found, and checks were clean.\n",
            counts.operations,
            self.run.lasted.as_secs_f64(),
            counts.acknowledged,
            counts.unanswered,
            counts.done_unanswered,
            counts.lives,
            counts.kills,
            counts.kills_in_upkeep,
            counts.closes,
            counts.checkpoints,
            counts.reopened,
            counts.connections,
        );
        if self.flatness.iter().all(|it| it.ratio().is_nan()) {
            text.push_str("\nToo short to tell whether anything stays as it is.");
            return text;
        }
        text.push_str("\n| | second quarter | last quarter | ratio | slope, % a minute | |\n");
        text.push_str("| --- | ---: | ---: | ---: | ---: | --- |\n");
        for it in self.flatness {
            let figure = |figure: f64| {
                if figure < 1000.0 { format!("{figure:.1}") } else { apart(figure) }
            };
            let verdict = if it.is_flat() { "flat" } else { "not flat" };
            let (second, last, ratio) = (figure(it.second), figure(it.last), it.ratio());
            let _ = writeln!(
                text,
                "| {} | {second} | {last} | {ratio:.3} | {:+.2} | {verdict} |",
                it.name, it.slope
            );
        }
        let _ = write!(
            text,
            "\nFlat is a median of the last quarter within {BOUND_PERCENT} % of the second's; the first fifth of each does not count."
        );
        text
    }

    pub(crate) fn json(&self) -> Value {
        let counts = &self.run.counts;
        let kinds = KINDS.iter().map(|&kind| (kind.name().to_owned(), self.kind(kind)));
        json!({
            "about": self.about,
            "counts": {
                "operations": counts.operations,
                "acknowledged": counts.acknowledged,
                "unanswered": counts.unanswered,
                "unanswered_and_done": counts.done_unanswered,
                "processes": counts.lives,
                "killed": counts.kills,
                "killed_in_upkeep": counts.kills_in_upkeep,
                "closed": counts.closes,
                "reopened": counts.reopened,
                "checkpoints": counts.checkpoints,
                "connections": counts.connections,
            },
            "bound_percent": BOUND_PERCENT,
            "flatness": self.flatness.iter().map(Flatness::json).collect::<Vec<_>>(),
            "killed_at_s": self.run.killed_at.iter().map(Duration::as_secs).collect::<Vec<_>>(),
            "samples": {
                "at_s": self.column(|seen| Some(seen.at.as_secs_f64())),
                "resident_mib": self.column(|seen| Some(seen.sample.resident_mib)),
                "store_mib": self.column(|seen| Some(mib(seen.sample.store_bytes))),
                "log_mib": self.column(|seen| Some(mib(seen.sample.log_bytes))),
                "kinds": kinds.collect::<Map<_, _>>(),
            },
        })
    }

    /// A figure of each sample, to a tenth.
    fn column(&self, figure: impl Fn(&Seen) -> Option<f64>) -> Vec<Option<f64>> {
        let round = |figure: f64| (figure * 10.0).round() / 10.0;
        self.run.samples.iter().map(|seen| figure(seen).map(round)).collect()
    }

    fn kind(&self, kind: Kind) -> Value {
        let of = |seen: &Seen| latency(seen, kind);
        let mut figures = json!({
            "count": self.run.samples.iter().filter_map(of).map(|it| it.count).sum::<u64>(),
            "max_us": self.run.samples.iter().filter_map(of).map(|it| it.max_us).fold(0.0, f64::max),
        });
        // Every second of those that are looked at is enough to read.
        if LATENCIES.contains(&kind) {
            figures["median_us"] = json!(self.column(|seen| Some(of(seen)?.median_us)));
            figures["p99_us"] = json!(self.column(|seen| Some(of(seen)?.p99_us)));
        }
        figures
    }
}
