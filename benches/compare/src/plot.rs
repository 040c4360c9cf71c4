//! The plots: bars of throughput, and latency on a logarithmic scale.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::case::{CASES, Case, Lines};
use crate::data::Kind;
use crate::report::Results;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 1080;
/// Where the values begin; names stand to the left.
const LEFT: i32 = 360;
/// Where they end; the last figure stands to the right.
const RIGHT: i32 = WIDTH as i32 - 180;
const TOP: i32 = 64;
const ROW: i32 = 30;
const FONT: &str = "sans-serif";
const OURS: RGBColor = RGBColor(0xd9, 0x5f, 0x02);
const OTHERS: RGBColor = RGBColor(0x5b, 0x7d, 0xb1);
const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);

fn is_ours(case: &Case) -> bool {
    // Those of the benchmarks are measures, not loggers.
    case.package.starts_with("writer-")
        && case.package != "writer-benches"
        && case.lines != Lines::None
}

fn color(case: &Case) -> RGBColor {
    if is_ours(case) { OURS } else { OTHERS }
}

fn text(area: &Area, at: (i32, i32), size: i32, color: RGBColor, to: HPos, text: &str) {
    let style =
        TextStyle::from((FONT, size).into_font()).color(&color).pos(Pos::new(to, VPos::Center));
    area.draw_text(text, &style, at).expect("a plot");
}

fn open<'a>(path: &'a Path, rows: usize, title: &str, below: &str) -> Area<'a> {
    let height = TOP + ROW * rows as i32 + 40;
    let area = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    area.fill(&WHITE).expect("a plot");
    text(&area, (16, 20), 18, BLACK, HPos::Left, title);
    text(&area, (16, 42), 13, GREY, HPos::Left, below);
    area
}

fn rectangle(area: &Area, from: (i32, i32), to: (i32, i32), style: ShapeStyle) {
    area.draw(&Rectangle::new([from, to], style)).expect("a plot");
}

/// Delivered events a second with one thread and with four.
pub fn throughput(results: &Results, path: &Path) {
    let mut rows: Vec<(&Case, f64, f64)> = CASES
        .iter()
        .filter(|case| matches!(case.lines, Lines::Json | Lines::Text))
        .filter_map(|case| {
            let median = |threads| Some(results.delivered(case.name, threads)?.median);
            Some((case, median(1)?, median(4)?))
        })
        .collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most = rows.iter().map(|row| row.1.max(row.2)).fold(0.0, f64::max);
    let area = open(
        path,
        rows.len(),
        "Delivered events, millions a second (more is better)",
        "dark: 1 thread, light: 4 threads; medians; events found in the file, what was lost is not in it",
    );
    for (row, (case, one, four)) in rows.into_iter().enumerate() {
        let y = TOP + ROW * row as i32;
        text(&area, (LEFT - 8, y + 12), 13, BLACK, HPos::Right, case.name);
        for (line, value, style) in
            [(0, one, color(case).filled()), (12, four, color(case).mix(0.5).filled())]
        {
            let end = LEFT + (f64::from(RIGHT - LEFT) * value / most) as i32;
            rectangle(&area, (LEFT, y + line + 1), (end, y + line + 12), style);
            let label = format!("{value:.2}");
            text(&area, (end + 4, y + line + 7), 11, GREY, HPos::Left, &label);
        }
    }
    area.present().expect("room for the plot");
}

/// Where a latency stands between 10 ns and 100 us.
fn place(ns: f64) -> i32 {
    let decades = (ns.max(10.0) / 10.0).log10().min(4.0);
    LEFT + (f64::from(RIGHT - LEFT) * decades / 4.0) as i32
}

/// The latency of a call, one every 10 us.
pub fn latency(results: &Results, path: &Path) {
    let mut rows: Vec<(&Case, [f64; 3])> = CASES
        .iter()
        .filter_map(|case| {
            let median =
                |quantile| Some(results.latency(case.name, Kind::Latency, quantile)?.median);
            Some((case, [median(0)?, median(1)?, median(2)?]))
        })
        .collect();
    rows.sort_by(|a, b| a.1[1].total_cmp(&b.1[1]));
    let area = open(
        path,
        rows.len(),
        "Time a call takes its caller, one event every 10 us (less is better)",
        "from left to right p50, p99, p99.9; medians; logarithmic; the clock is about 20 ns of each",
    );
    let bottom = TOP + ROW * rows.len() as i32;
    for (ns, label) in
        [(10.0, "10 ns"), (100.0, "100 ns"), (1e3, "1 us"), (1e4, "10 us"), (1e5, "100 us")]
    {
        let x = place(ns);
        let line = PathElement::new([(x, TOP - 6), (x, bottom)], GREY.mix(0.3));
        area.draw(&line).expect("a plot");
        text(&area, (x, bottom + 14), 12, GREY, HPos::Center, label);
    }
    for (row, (case, values)) in rows.into_iter().enumerate() {
        let y = TOP + ROW * row as i32 + 12;
        let color = if case.lines == Lines::None { GREY } else { color(case) };
        text(&area, (LEFT - 8, y), 13, BLACK, HPos::Right, case.name);
        let (first, last) = (place(values[0]), place(values[2]));
        rectangle(&area, (first, y - 2), (last, y + 2), color.mix(0.5).filled());
        for (value, radius) in values.into_iter().zip([4, 5, 6]) {
            area.draw(&Circle::new((place(value), y), radius, color.filled())).expect("a plot");
        }
        let label = format!("{:.0} / {:.0} / {:.0}", values[0], values[1], values[2]);
        text(&area, (last + 12, y), 11, GREY, HPos::Left, &label);
    }
    area.present().expect("room for the plot");
}
