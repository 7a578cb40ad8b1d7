//! [`Panel`], lines over an axis of seconds: the plots of long runs stand above each other.

use crate::{Outcome, apart};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

const FONT: &str = "sans-serif";
/// How wide a plot is.
pub const PANEL_WIDTH: u32 = 1100;
/// Left of every panel: its numbers and their unit.
const LEFT: i32 = 102;
const UNIT: i32 = 18;
/// Above every panel: what it is, and what its colours are.
const HEAD: u32 = 34;

/// Colours that the colour-blind can tell apart.
pub mod colours {
    use plotters::style::RGBColor;

    /// Blue.
    pub const BLUE: RGBColor = RGBColor(0, 114, 178);
    /// Light blue.
    pub const SKY: RGBColor = RGBColor(86, 180, 233);
    /// Dark blue.
    pub const NAVY: RGBColor = RGBColor(20, 40, 90);
    /// Orange.
    pub const ORANGE: RGBColor = RGBColor(213, 94, 0);
    /// Green.
    pub const GREEN: RGBColor = RGBColor(0, 158, 115);
    /// Purple.
    pub const PURPLE: RGBColor = RGBColor(204, 121, 167);
    /// Behind the lines.
    pub const BAND: RGBColor = RGBColor(238, 238, 232);
    pub(super) const TEXT: RGBColor = RGBColor(40, 40, 40);
}
use colours::{BAND, TEXT};

/// A line in a panel.
#[derive(Debug)]
pub struct Line<'a> {
    /// What it shows.
    pub name: &'a str,
    /// Its colour.
    pub colour: RGBColor,
    /// Seconds and figures.
    pub points: Vec<(f64, f64)>,
}

/// What is marked behind the lines.
#[derive(Debug)]
pub struct Bands<'a> {
    /// What happens there.
    pub name: &'a str,
    /// From when to when.
    pub seconds: &'a [(f64, f64)],
}

/// One plot.
#[derive(Debug)]
pub struct Panel<'a> {
    /// What it is.
    pub title: &'a str,
    /// What it is measured in.
    pub unit: &'a str,
    /// How long the axis is.
    pub seconds: f64,
    /// What is drawn.
    pub lines: &'a [Line<'a>],
    /// What is marked behind it.
    pub bands: &'a Bands<'a>,
}

impl Panel<'_> {
    fn figures(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.1))
    }

    fn most(&self) -> f64 {
        self.figures().fold(1.0, f64::max)
    }

    /// Draws it from 0.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Outcome<()> {
        self.draw_over(area, 0.0..self.most() * 1.08)
    }

    /// Draws it on a scale of powers of ten.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn draw_log(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Outcome<()> {
        let least = self.figures().fold(f64::INFINITY, f64::min);
        let range = least.clamp(1.0, 1e6) / 1.5..self.most() * 1.5;
        self.draw_over(area, range.log_scale())
    }

    fn draw_over<Y>(&self, area: &DrawingArea<SVGBackend<'_>, Shift>, range: Y) -> Outcome<()>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let (head, body) = area.split_vertically(HEAD);
        self.draw_head(&head)?;
        let mut chart = ChartBuilder::on(&body)
            .margin_left(UNIT)
            .margin_right(24)
            .set_label_area_size(LabelAreaPosition::Left, LEFT - UNIT)
            .set_label_area_size(LabelAreaPosition::Bottom, 46)
            .build_cartesian_2d(0.0..self.seconds, range)
            .map_err(said)?;
        let height = chart.y_range();
        chart
            .draw_series(self.bands.seconds.iter().map(|&(from, to)| {
                Rectangle::new([(from, height.start), (to, height.end)], BAND.filled())
            }))
            .map_err(said)?;
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
            .draw()
            .map_err(said)?;
        for line in self.lines {
            let points = line.points.iter().copied();
            chart
                .draw_series(LineSeries::new(points, line.colour.stroke_width(1)))
                .map_err(said)?;
        }
        Ok(())
    }

    /// What it is, and its legend.
    fn draw_head(&self, head: &DrawingArea<SVGBackend<'_>, Shift>) -> Outcome<()> {
        head.draw(&Text::new(self.title, (LEFT, 10), text(18))).map_err(said)?;
        let mut left = LEFT + 150;
        let mut entry = |name: &str, colour: &RGBColor, thick: i32| -> Outcome<()> {
            let mark = [(left, 18 - thick), (left + 26, 18 + thick)];
            head.draw(&Rectangle::new(mark, colour.filled())).map_err(said)?;
            head.draw(&Text::new(name, (left + 34, 12), text(14))).map_err(said)?;
            left += 60 + 7 * i32::try_from(name.len())?;
            Ok(())
        };
        for line in self.lines {
            entry(line.name, &line.colour, 1)?;
        }
        entry(self.bands.name, &BAND, 7)
    }
}

/// An error of the backend, which not every thread may have.
fn said(error: impl std::error::Error) -> String {
    error.to_string()
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&TEXT)
}
