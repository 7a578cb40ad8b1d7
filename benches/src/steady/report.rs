//! [`Report`], what a run came to: tables to read, and every window as JSON.

use crate::histogram::Histogram;
use crate::run::{Run, Sample, WINDOW, Window};
use connectory_benches::Summary;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// A call is slow that takes so many medians of its kind.
const SLOW: u32 = 10;

/// A run, and what is to be said of it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The machine, the seed.
    pub(crate) about: Value,
    pub(crate) run: &'a Run,
}

pub(crate) fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

pub(crate) fn mib(bytes: u64) -> f64 {
    float(bytes) / f64::from(1 << 20)
}

/// Calls of one kind, and from when on one is slow.
struct Kind {
    name: &'static str,
    times: Histogram,
    slow: Duration,
}

impl Kind {
    fn per_second(&self) -> f64 {
        float(self.times.count()) / self.times.total().as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "count": self.times.count(),
            "per_second": self.per_second(),
            "median_us": us(self.times.median()),
            "p99_us": us(self.times.per_mille(990)),
            "p999_us": us(self.times.per_mille(999)),
            "max_us": us(self.times.max()),
            "slow_us": us(self.slow),
            "slow": self.times.slower_than(self.slow),
        })
    }
}

impl Report<'_> {
    fn kinds(&self) -> [Kind; 4] {
        let all = |[without, with]: &[Histogram; 2]| {
            let mut all = without.clone();
            all.merge(with);
            all
        };
        let (creates, controls) = (all(&self.run.creates), all(&self.run.controls));
        let [slow_create, slow_control] = [&creates, &controls].map(|times| times.median() * SLOW);
        let [_, at_checkpoints] = &self.run.creates;
        let [_, controls_then] = &self.run.controls;
        let kind = |name, times, slow| Kind { name, times, slow };
        [
            kind("creates", creates, slow_create),
            kind("control", controls, slow_control),
            kind("creates at checkpoints", at_checkpoints.clone(), slow_create),
            kind("control then", controls_then.clone(), slow_control),
        ]
    }

    /// What was seen at some moments, and when.
    fn moments(&self) -> [(&'static str, Sample); 5] {
        let run = self.run;
        [
            ("at the start", run.start),
            ("10 %", run.sample_after(10)),
            ("50 %", run.sample_after(50)),
            ("100 %", run.sample_after(100)),
            ("closed", run.closed),
        ]
    }

    /// The tables as Markdown.
    pub(crate) fn tables(&self) -> String {
        let kinds = self.kinds();
        let mut text = head(kinds.iter().map(|kind| kind.name));
        let rows: Figures<Kind, 7> = [
            ("number", |kind| float(kind.times.count())),
            ("a second, one after the other", Kind::per_second),
            ("median, us", |kind| us(kind.times.median())),
            ("p99, us", |kind| us(kind.times.per_mille(990))),
            ("p99.9, us", |kind| us(kind.times.per_mille(999))),
            ("longest, us", |kind| us(kind.times.max())),
            ("slower than ten medians", |kind| float(kind.times.slower_than(kind.slow))),
        ];
        for (name, figure) in rows {
            let digits = usize::from(name.ends_with("us"));
            row(&mut text, name, kinds.iter().map(|it| format!("{:.digits$}", figure(it))));
        }
        text.push_str("\n\n");
        let moments = self.moments();
        text.push_str(&head(moments.iter().map(|(when, _)| *when)));
        let rows: Figures<Sample, 5> = [
            ("connections", |sample| float(sample.connections)),
            ("resident memory, MiB", |sample| sample.resident_mib),
            ("store on disk, MiB", |sample| mib(sample.store_bytes)),
            ("store on disk, bytes per connection", per_connection),
            ("log on disk, MiB", |sample| mib(sample.log_bytes)),
        ];
        for (name, figure) in rows {
            let digits = usize::from(name != "connections");
            row(&mut text, name, moments.iter().map(|(_, it)| format!("{:.digits$}", figure(it))));
        }
        let run = self.run;
        let with = run.windows.iter().filter(|window| window.has_checkpoint).count();
        let _ = write!(
            text,
            "\n\nA checkpoint wrote in {with} of {} windows of {} ms. A create and a control write {} bytes each. \
             Closing took {:.1} ms.",
            run.windows.len(),
            WINDOW.as_millis(),
            run.bytes_each,
            run.closing.as_secs_f64() * 1e3,
        );
        for (name, summary) in KINDS {
            let Some(window) = run.slowest(summary) else { continue };
            let _ = write!(
                text,
                "\nThe longest {name} took {:.1} ms, {:.1} s after the start, in a window {} a checkpoint.",
                us(summary(window).max) / 1e3,
                window.to.as_secs_f64(),
                if window.has_checkpoint { "with" } else { "without" },
            );
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let run = self.run;
        let moments =
            self.moments().map(|(when, it)| json!({ "when": when, "sample": sample(&it) }));
        json!({
            "about": self.about,
            "bytes_each": run.bytes_each,
            "closing_ms": run.closing.as_secs_f64() * 1e3,
            "latencies": self.kinds().map(|kind| kind.json()),
            "moments": moments,
            "windows": run.windows.iter().map(window).collect::<Vec<_>>(),
        })
    }
}

/// Named figures of something: the rows of a table.
type Figures<T, const N: usize> = [(&'static str, fn(&T) -> f64); N];

type Of = fn(&Window) -> Summary;

const KINDS: [(&str, Of); 2] =
    [("create", |window| window.creates), ("control", |window| window.controls)];

fn per_connection(sample: &Sample) -> f64 {
    float(sample.store_bytes) / float(sample.connections.max(1))
}

fn head<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let (mut head, mut line) = (String::from("| |"), String::from("\n| --- |"));
    for name in names {
        let _ = write!(head, " {name} |");
        line.push_str(" ---: |");
    }
    head + &line
}

fn row(table: &mut String, name: &str, figures: impl Iterator<Item = String>) {
    let _ = write!(table, "\n| {name} |");
    for figure in figures {
        let _ = write!(table, " {figure} |");
    }
}

fn sample(sample: &Sample) -> Value {
    json!({
        "connections": sample.connections,
        "resident_mib": sample.resident_mib,
        "store_bytes": sample.store_bytes,
        "store_bytes_per_connection": per_connection(sample),
        "log_bytes": sample.log_bytes,
    })
}

fn window(window: &Window) -> Value {
    let summary = |of: Summary| {
        json!({
            "count": of.count,
            "median_us": us(of.median),
            "p99_us": us(of.p99),
            "max_us": us(of.max),
        })
    };
    json!({
        "from_s": window.from.as_secs_f64(),
        "to_s": window.to.as_secs_f64(),
        "creates": summary(window.creates),
        "controls": summary(window.controls),
        "has_checkpoint": window.has_checkpoint,
        "end": sample(&window.end),
    })
}
