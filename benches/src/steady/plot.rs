//! The plots of a run: latencies, memory and sizes of files above each other, over one axis of time.

use crate::report::{mib, us};
use crate::run::{Run, Window};
use connectory_benches::Outcome;
use connectory_benches::panel::colours::{BLUE, NAVY, ORANGE, SKY};
use connectory_benches::panel::{Bands, Line, PANEL_WIDTH, Panel};
use plotters::prelude::*;
use std::path::Path;

const LATENCY_HEIGHT: u32 = 470;
const MEMORY_HEIGHT: u32 = 260;
const FILES_HEIGHT: u32 = 260;

/// Draws the plots into an SVG file.
pub(crate) fn plot(run: &Run, path: &Path) -> Outcome<()> {
    let size = (PANEL_WIDTH, LATENCY_HEIGHT + MEMORY_HEIGHT + FILES_HEIGHT);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (latencies, rest) = root.split_vertically(LATENCY_HEIGHT);
    let (memory, files) = rest.split_vertically(MEMORY_HEIGHT);
    // There is no figure in a window without such a call.
    let line = |name, colour, at: fn(&Window) -> Option<f64>| {
        let point = |window: &Window| Some((window.to.as_secs_f64(), at(window)?));
        Line { name, colour, points: run.windows.iter().filter_map(point).collect() }
    };
    let checkpoints = run.windows.iter().filter(|window| window.has_checkpoint);
    let checkpoints = checkpoints.map(|it| (it.from.as_secs_f64(), it.to.as_secs_f64()));
    let bands = Bands { name: "a checkpoint writes", seconds: &checkpoints.collect::<Vec<_>>() };
    let seconds = run.windows.last().map_or(1.0, |window| window.to.as_secs_f64());
    let panel = |title, unit, lines| Panel { title, unit, seconds, lines, bands: &bands };
    let lines = [
        line("control, longest", ORANGE, |it| some(it.controls.count, us(it.controls.max))),
        line("create, longest", NAVY, |it| some(it.creates.count, us(it.creates.max))),
        line("create, p99", SKY, |it| some(it.creates.count, us(it.creates.p99))),
        line("create, median", BLUE, |it| some(it.creates.count, us(it.creates.median))),
    ];
    panel("Latency", "microseconds", &lines).draw_log(&latencies)?;
    let lines = [line("resident", BLUE, |it| Some(it.end.resident_mib))];
    panel("Memory", "MiB", &lines).draw(&memory)?;
    let lines = [
        line("store", BLUE, |it| Some(mib(it.end.store_bytes))),
        line("log", ORANGE, |it| Some(mib(it.end.log_bytes))),
    ];
    panel("Files on disk", "MiB", &lines).draw(&files)?;
    root.present()?;
    Ok(())
}

fn some(count: usize, figure: f64) -> Option<f64> {
    (count > 0).then_some(figure)
}
