//! The plots of the simulation: small panels, each over the number of shards.

use crate::Outcome;
use crate::balance::{Case, MILESTONES, Names, Sizes};
use crate::draws::float;
use crate::placement::fullest_share;
use crate::report::Report;
use crate::routing::COUNTS;
use connectory_benches::apart;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

const FONT: &str = "sans-serif";
const WIDTH: u32 = 1100;
const HEIGHT: u32 = 330;
/// Above every panel: what it is, and what its colours are.
const HEAD: u32 = 56;
/// Left of every panel: its numbers and their unit.
const LEFT: i32 = 84;
const UNIT: i32 = 14;

// Colours that the colour-blind can tell apart.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const SKY: RGBColor = RGBColor(86, 180, 233);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(150, 150, 150);
/// Behind what is between two limits.
const BAND: RGBColor = RGBColor(238, 232, 218);
const TEXT: RGBColor = RGBColor(40, 40, 40);

/// Figures at each of [`COUNTS`], in their order.
struct Line {
    name: String,
    colour: RGBColor,
    /// Least, middle and most.
    figures: Vec<[f64; 3]>,
}

impl Line {
    fn new(name: &str, colour: RGBColor, figure: impl Fn(usize) -> f64) -> Self {
        let figures = COUNTS.map(|shards| [figure(shards); 3]);
        Self { name: name.into(), colour, figures: figures.into() }
    }

    /// A shard's connections, in percent of the mean.
    fn balance(case: &Case, colour: RGBColor) -> Self {
        let figures = COUNTS.map(|shards| {
            let mean = float(case.total) / float(shards as u64);
            case.spread.range(shards).map(|connections| 100.0 * float(connections) / mean)
        });
        Self { name: case.names.label().into(), colour, figures: figures.into() }
    }
}

/// One plot.
struct Panel {
    title: String,
    unit: &'static str,
    lines: Vec<Line>,
    /// Bars from least to most instead of lines.
    has_bars: bool,
    /// Between these, coloured; and what it is.
    limits: Option<(Range<f64>, String)>,
    digits: usize,
}

/// Draws the plots into an SVG file.
pub(crate) fn plot(report: &Report<'_>, path: &Path) -> Outcome<()> {
    let root = SVGBackend::new(path, (WIDTH, 3 * HEIGHT)).into_drawing_area();
    root.fill(&WHITE)?;
    let rows = root.split_evenly((3, 1));
    let [heavy, even] = [Sizes::HeavyTail, Sizes::Geometric].map(|sizes| balance(report, sizes));
    let draw_two = |row: &DrawingArea<SVGBackend<'_>, Shift>, panels: [Panel; 2]| -> Outcome<()> {
        let areas = row.split_evenly((1, 2));
        for (area, panel) in areas.iter().zip(panels) {
            let range = panel.range();
            if panel.has_bars {
                panel.draw(area, range)?;
            } else {
                panel.draw(area, range.log_scale())?;
            }
        }
        Ok(())
    };
    draw_two(&rows[0], [heavy, even])?;
    draw_two(&rows[1], [bytes(report), writes(report)])?;
    let lists = lists(report);
    let range = 0.0..lists.range().end;
    lists.draw(&rows[2], range)?;
    root.present()?;
    Ok(())
}

fn balance(report: &Report<'_>, sizes: Sizes) -> Panel {
    let colours = [BLUE, GREEN, ORANGE, GREY];
    let cases = report.of_sizes(sizes).into_iter().zip(colours);
    Panel {
        title: format!(
            "Balance, {}: emptiest, median and fullest shard",
            if sizes == Sizes::HeavyTail { "heavy tail" } else { "geometric, mean 10" },
        ),
        unit: "% of the mean",
        lines: cases.map(|(case, colour)| Line::balance(case, colour)).collect(),
        has_bars: true,
        limits: None,
        digits: usize::from(sizes != Sizes::HeavyTail),
    }
}

fn bytes(report: &Report<'_>) -> Panel {
    let drawn = [(Sizes::Geometric, GREEN), (Sizes::HeavyTail, BLUE)];
    let lines = drawn.into_iter().filter_map(|(sizes, colour)| {
        let cases = report.of_sizes(sizes);
        let case = cases.into_iter().find(|case| case.names == Names::Counted)?;
        let figure = |shards| report.gigabytes(case.spread.fullest(shards));
        Some(Line::new(sizes.label(), colour, figure))
    });
    let most = report.limits.bytes / 1e9;
    Panel {
        title: format!(
            "Storage of the fullest shard, {} million connections",
            apart(float(report.plan.connections) / 1e6),
        ),
        unit: "GB",
        lines: lines.collect(),
        has_bars: false,
        limits: Some((most..most * 1e3, format!("over {most} GB"))),
        digits: 0,
    }
}

fn writes(report: &Report<'_>) -> Panel {
    let heavy = report.of_sizes(Sizes::HeavyTail);
    let colours = [SKY, GREEN, BLUE, ORANGE];
    let lines = MILESTONES.into_iter().zip(colours).map(|(connections, colour)| {
        let connections = float(connections);
        let burst = report.load.burst(connections);
        let figure = |shards| burst * fullest_share(&heavy, connections, shards);
        Line::new(&format!("{} M", apart(connections / 1e6)), colour, figure)
    });
    let [low, high] = report.limits.writes;
    Panel {
        title: "Creates on the busiest shard in the burst, by connections".into(),
        unit: "creates a second",
        lines: lines.collect(),
        has_bars: false,
        limits: Some((low..high, format!("{low} to {high}"))),
        digits: 0,
    }
}

fn lists(report: &Report<'_>) -> Panel {
    let times = |shards: usize| {
        report.fanouts.iter().find(|fanout| fanout.shards == shards).map(|it| (it.times, it.warm))
    };
    let line = |name, colour, figure: fn(crate::lists::Times, crate::lists::Times) -> f64| {
        Line::new(name, colour, |shards| times(shards).map_or(0.0, |(all, warm)| figure(all, warm)))
    };
    Panel {
        title: "Latency of an unfiltered list: the slowest of all shards".into(),
        unit: "milliseconds",
        lines: vec![
            line("p99", ORANGE, |all, _| all.p99),
            line("p50", BLUE, |all, _| all.p50),
            line("p99, all warm", GREY, |_, warm| warm.p99),
            line("p50, all warm", SKY, |_, warm| warm.p50),
        ],
        has_bars: false,
        limits: None,
        digits: 0,
    }
}

impl Panel {
    /// From a little below the least figure to a little above the most.
    fn range(&self) -> Range<f64> {
        let figures = self.lines.iter().flat_map(|line| line.figures.iter().flatten().copied());
        let (least, most) = figures.fold((f64::INFINITY, 0.0), |(least, most), figure| {
            (figure.min(least), figure.max(most))
        });
        if self.has_bars {
            let space = (most - least).max(1.0) * 0.06;
            return least - space..most + space;
        }
        least.max(0.01) / 1.4..most * 1.2
    }

    fn draw<Y>(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, range: Y) -> Outcome<()>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let (head, body) = area.split_vertically(HEAD);
        self.draw_head(&head)?;
        // Logarithms of the numbers of shards.
        let last = float(COUNTS.len() as u64) - 0.6;
        let mut chart = ChartBuilder::on(&body)
            .margin_left(UNIT)
            .margin_right(24)
            .set_label_area_size(LabelAreaPosition::Left, LEFT - UNIT)
            .set_label_area_size(LabelAreaPosition::Bottom, 46)
            .build_cartesian_2d(-0.4..last, range)?;
        if let Some((limits, _)) = &self.limits {
            let height = chart.y_range();
            let inside = |y: f64| y.clamp(height.start, height.end);
            let corners = [(-0.4, inside(limits.start)), (last, inside(limits.end))];
            chart.draw_series([Rectangle::new(corners, BAND.filled())])?;
        }
        chart
            .configure_mesh()
            .x_desc("shards")
            .y_desc(self.unit)
            .x_labels(10)
            .y_labels(8)
            .x_label_formatter(&|at| format!("{:.0}", at.exp2()))
            .y_label_formatter(&|at| match self.digits {
                0 if *at >= 1.0 || *at <= 0.0 => apart(*at),
                0 => at.to_string(),
                digits => format!("{at:.digits$}"),
            })
            .axis_style(TEXT.mix(0.6))
            .bold_line_style(TEXT.mix(0.15))
            .light_line_style(TRANSPARENT)
            .label_style((FONT, 14, &TEXT))
            .axis_desc_style((FONT, 14, &TEXT))
            .draw()?;
        for (n, line) in (0_u8..).zip(&self.lines) {
            let at = (0_u8..).map(f64::from).zip(&line.figures);
            if !self.has_bars {
                let points: Vec<_> = at.map(|(x, [_, middle, _])| (x, *middle)).collect();
                let marks = points.iter().map(|at| Circle::new(*at, 3, line.colour.filled()));
                chart.draw_series(marks)?;
                chart.draw_series(LineSeries::new(points, line.colour.stroke_width(2)))?;
                continue;
            }
            for (x, [least, middle, most]) in at {
                let x = x + (f64::from(n) - 1.5) * 0.17;
                let bar = [(x, *least), (x, *most)];
                chart.draw_series([PathElement::new(bar, line.colour.stroke_width(3))])?;
                chart.draw_series([Circle::new((x, *middle), 4, line.colour.filled())])?;
            }
        }
        Ok(())
    }

    /// What it is, and its legend.
    fn draw_head(&self, head: &DrawingArea<SVGBackend<'_>, Shift>) -> Outcome<()> {
        head.draw(&Text::new(self.title.as_str(), (LEFT, 10), text(17)))?;
        let mut left = LEFT;
        let mut entry = |name: &str, colour: &RGBColor, thick: i32| -> Outcome<()> {
            let mark = [(left, 43 - thick), (left + 22, 43 + thick)];
            head.draw(&Rectangle::new(mark, colour.filled()))?;
            head.draw(&Text::new(name, (left + 29, 36), text(14)))?;
            left += 45 + 8 * i32::try_from(name.len())?;
            Ok(())
        };
        for line in &self.lines {
            entry(&line.name, &line.colour, 1)?;
        }
        match &self.limits {
            Some((_, name)) => entry(name, &BAND, 7),
            None => Ok(()),
        }
    }
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&TEXT)
}
