//! The plots of a run: latencies, memory and sizes of files above each other, over one axis of time.

use crate::Outcome;
use crate::report::{mib, us};
use crate::run::{Run, Window};
use connectory_benches::apart;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use std::path::Path;
use std::time::Duration;

const FONT: &str = "sans-serif";
const WIDTH: u32 = 1100;
const LATENCY_HEIGHT: u32 = 470;
/// Left of every panel: its numbers and their unit.
const LEFT: i32 = 102;
const UNIT: i32 = 18;
const MEMORY_HEIGHT: u32 = 260;
const FILES_HEIGHT: u32 = 260;
/// Above every panel: what it is, and what its colours are.
const HEAD: u32 = 34;

// Colours that the colour-blind can tell apart.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const SKY: RGBColor = RGBColor(86, 180, 233);
const NAVY: RGBColor = RGBColor(20, 40, 90);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
/// Behind windows in which a checkpoint wrote.
const BAND: RGBColor = RGBColor(238, 238, 232);
const TEXT: RGBColor = RGBColor(40, 40, 40);

/// A line in a panel.
struct Line {
    name: &'static str,
    colour: RGBColor,
    /// `None` in a window without such a call.
    at: fn(&Window) -> Option<f64>,
}

const LATENCIES: [Line; 4] = [
    Line {
        name: "control, longest",
        colour: ORANGE,
        at: |it| some(it.controls.count, us(it.controls.max)),
    },
    Line {
        name: "create, longest",
        colour: NAVY,
        at: |it| some(it.creates.count, us(it.creates.max)),
    },
    Line { name: "create, p99", colour: SKY, at: |it| some(it.creates.count, us(it.creates.p99)) },
    Line {
        name: "create, median",
        colour: BLUE,
        at: |it| some(it.creates.count, us(it.creates.median)),
    },
];
const MEMORY: [Line; 1] =
    [Line { name: "resident", colour: BLUE, at: |it| Some(it.end.resident_mib) }];
const FILES: [Line; 2] = [
    Line { name: "store", colour: BLUE, at: |it| Some(mib(it.end.store_bytes)) },
    Line { name: "log", colour: ORANGE, at: |it| Some(mib(it.end.log_bytes)) },
];

fn some(count: usize, figure: f64) -> Option<f64> {
    (count > 0).then_some(figure)
}

/// Draws the plots into an SVG file.
pub(crate) fn plot(run: &Run, path: &Path) -> Outcome<()> {
    let size = (WIDTH, LATENCY_HEIGHT + MEMORY_HEIGHT + FILES_HEIGHT);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (latencies, rest) = root.split_vertically(LATENCY_HEIGHT);
    let (memory, files) = rest.split_vertically(MEMORY_HEIGHT);
    let figures = |lines: &[Line]| -> Vec<f64> {
        lines.iter().flat_map(|line| run.windows.iter().filter_map(line.at)).collect()
    };
    let most = |lines: &[Line]| figures(lines).into_iter().fold(1.0, f64::max) * 1.08;
    let least = figures(&LATENCIES).into_iter().fold(f64::INFINITY, f64::min);
    let range = least.clamp(1.0, 1e6) / 1.5..most(&LATENCIES) * 1.4;
    let panel = |area, title, unit, lines| Panel { run, area, title, unit, lines };
    panel(latencies, "Latency", "microseconds", &LATENCIES).draw(range.log_scale())?;
    panel(memory, "Memory", "MiB", &MEMORY).draw(0.0..most(&MEMORY))?;
    panel(files, "Files on disk", "MiB", &FILES).draw(0.0..most(&FILES))?;
    root.present()?;
    Ok(())
}

/// One plot, and where it goes.
struct Panel<'a, 'b> {
    run: &'a Run,
    area: DrawingArea<SVGBackend<'b>, Shift>,
    title: &'static str,
    unit: &'static str,
    lines: &'a [Line],
}

impl Panel<'_, '_> {
    fn draw<Y>(self, range: Y) -> Outcome<()>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let (head, body) = self.area.split_vertically(HEAD);
        self.draw_head(&head)?;
        let windows = &self.run.windows;
        let seconds = windows.last().map_or(1.0, |window| window.to.as_secs_f64());
        let mut chart = ChartBuilder::on(&body)
            .margin_left(UNIT)
            .margin_right(24)
            .set_label_area_size(LabelAreaPosition::Left, LEFT - UNIT)
            .set_label_area_size(LabelAreaPosition::Bottom, 46)
            .build_cartesian_2d(0.0..seconds, range)?;
        let height = chart.y_range();
        chart.draw_series(windows.iter().filter(|window| window.has_checkpoint).map(|window| {
            let corner = |at: Duration, y| (at.as_secs_f64(), y);
            let corners = [corner(window.from, height.start), corner(window.to, height.end)];
            Rectangle::new(corners, BAND.filled())
        }))?;
        chart
            .configure_mesh()
            .x_desc("seconds")
            .y_desc(self.unit)
            .x_label_formatter(&|at| format!("{at:.0}"))
            .y_label_formatter(&|at| apart(*at))
            .axis_style(TEXT.mix(0.6))
            .bold_line_style(TEXT.mix(0.18))
            .light_line_style(TRANSPARENT)
            .label_style((FONT, 14, &TEXT))
            .axis_desc_style((FONT, 14, &TEXT))
            .draw()?;
        for line in self.lines {
            let points = windows
                .iter()
                .filter_map(|window| Some((window.to.as_secs_f64(), (line.at)(window)?)));
            chart.draw_series(LineSeries::new(points, line.colour.stroke_width(1)))?;
        }
        Ok(())
    }

    /// What it is, and its legend.
    fn draw_head(&self, head: &DrawingArea<SVGBackend<'_>, Shift>) -> Outcome<()> {
        head.draw(&Text::new(self.title, (LEFT, 10), text(18)))?;
        let mut left = LEFT + 150;
        let mut entry = |name: &'static str, colour: &RGBColor, thick: i32| -> Outcome<()> {
            let mark = [(left, 18 - thick), (left + 26, 18 + thick)];
            head.draw(&Rectangle::new(mark, colour.filled()))?;
            head.draw(&Text::new(name, (left + 34, 12), text(14)))?;
            left += 165;
            Ok(())
        };
        for line in self.lines {
            entry(line.name, &line.colour, 1)?;
        }
        entry("a checkpoint writes", &BAND, 7)
    }
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&TEXT)
}
