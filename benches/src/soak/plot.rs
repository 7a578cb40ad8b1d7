//! The plots of a soak: latencies, throughput, memory and sizes of files above each other, over one axis of time.

use crate::Outcome;
use crate::flatness::{float, latency, mib, per_second};
use crate::kind::Kind;
use crate::run::{Run, Seen};
use connectory_benches::panel::colours::{BLUE, GREEN, NAVY, ORANGE, PURPLE, SKY};
use connectory_benches::panel::{Bands, Line, PANEL_WIDTH, Panel};
use plotters::prelude::*;
use std::path::Path;
use std::time::Duration;

const LATENCY_HEIGHT: u32 = 340;
const OTHER_HEIGHT: u32 = 230;
const LATENCIES: [(Kind, RGBColor); 6] = [
    (Kind::Create, NAVY),
    (Kind::Update, BLUE),
    (Kind::Delete, SKY),
    (Kind::ListDomain, PURPLE),
    (Kind::Get, GREEN),
    (Kind::Conflict, ORANGE),
];

/// Draws the plots into an SVG file.
pub(crate) fn plot(run: &Run, path: &Path) -> Outcome<()> {
    let size = (PANEL_WIDTH, 2 * LATENCY_HEIGHT + 3 * OTHER_HEIGHT);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let seconds = run.lasted.as_secs_f64().max(1.0);
    let line = |name, colour, figure: &dyn Fn(&Seen) -> Option<f64>| {
        let point = |seen: &Seen| Some((seen.at.as_secs_f64(), figure(seen)?));
        Line { name, colour, points: run.samples.iter().filter_map(point).collect() }
    };
    let kills = run.killed_at.iter().map(Duration::as_secs_f64);
    let kills = kills.map(|at| (at, at + seconds / 400.0)).collect::<Vec<_>>();
    let bands = Bands { name: "a process is killed", seconds: &kills };
    let panel = |title, unit, lines| Panel { title, unit, seconds, lines, bands: &bands };

    let (area, rest) = root.split_vertically(LATENCY_HEIGHT);
    let lines = LATENCIES
        .map(|(kind, colour)| line(kind.name(), colour, &|it| Some(latency(it, kind)?.median_us)));
    panel("Median latency", "microseconds", &lines).draw_log(&area)?;
    let (area, rest) = rest.split_vertically(LATENCY_HEIGHT);
    let lines = LATENCIES
        .map(|(kind, colour)| line(kind.name(), colour, &|it| Some(latency(it, kind)?.p99_us)));
    panel("Latency, p99", "microseconds", &lines).draw_log(&area)?;
    let (area, rest) = rest.split_vertically(OTHER_HEIGHT);
    let lines = [
        line("operations a second", BLUE, &|it| Some(per_second(it))),
        line("connections", ORANGE, &|it| Some(float(it.sample.connections))),
    ];
    panel("Throughput", "", &lines).draw(&area)?;
    let (area, rest) = rest.split_vertically(OTHER_HEIGHT);
    let lines = [line("resident", BLUE, &|it| Some(it.sample.resident_mib))];
    panel("Memory", "MiB", &lines).draw(&area)?;
    let lines = [
        line("store", BLUE, &|it| Some(mib(it.sample.store_bytes))),
        line("log", ORANGE, &|it| Some(mib(it.sample.log_bytes))),
    ];
    panel("Files on disk", "MiB", &lines).draw(&rest)?;
    root.present()?;
    Ok(())
}
