//! A plot of the rows that grow, as SVG: both axes logarithmic, so that a straight slope of one is linear growth.

use super::{
    Context,
    record::State,
    row::{Kind, Row},
};
use crate::{
    failure::{AtPath, Failure},
    place,
};
use serde_json::Value;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const MARGIN: f64 = 56.0;
const COLOURS: [&str; 4] = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e6c1f"];

/// A line of the plot.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Writes `docs/bench-<row>.svg` for each row that grows and has runs.
pub(super) fn write(rows: &[Row], state: &State, context: &Context) -> Result<(), Failure> {
    for row in rows.iter().filter(|row| matches!(row.kind, Kind::Grow(_))) {
        let panels: Vec<String> =
            [("MiB of anonymous memory", "_mib"), ("processor seconds in 10 s", "_cpu_s")]
                .iter()
                .enumerate()
                .map(|(at, (title, ending))| panel(at, title, &curves(row, ending, state, context)))
                .collect();
        if panels.iter().any(String::is_empty) {
            continue;
        }
        let (width, height) = (2.0 * WIDTH, HEIGHT + 24.0);
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{}\" y=\"16\" text-anchor=\"middle\" font-size=\"13\">{}</text>\n{}</svg>\n",
            width / 2.0,
            row.title,
            panels.concat()
        );
        let path = place::root().join(format!("docs/bench-{}.svg", row.name));
        std::fs::write(&path, text).at(&path)?;
    }
    Ok(())
}

/// A curve for each client and side.
fn curves(row: &Row, ending: &str, state: &State, context: &Context) -> Vec<Curve> {
    let mut found = Vec::new();
    for client in row.clients {
        let Some(record) = state.find(&row.name, *client, 0, &client.identity(context)) else { continue };
        for side in ["seed", "peer"] {
            let one =
                |point: &Value| Some((point["n"].as_f64()?, point[format!("{side}{ending}")].as_f64()?));
            let points: Vec<(f64, f64)> = record.list("points").iter().filter_map(one).collect();
            if !points.is_empty() {
                found.push(Curve { name: format!("{}, {side}", client.name()), points });
            }
        }
    }
    found
}

fn panel(at: usize, title: &str, curves: &[Curve]) -> String {
    let all: Vec<(f64, f64)> = curves.iter().flat_map(|curve| curve.points.iter().copied()).collect();
    if all.is_empty() {
        return String::new();
    }
    let ends = |pick: fn(&(f64, f64)) -> f64| {
        let values = || all.iter().map(pick).map(|value| value.max(0.01).log10());
        (values().fold(f64::INFINITY, f64::min).floor(), values().fold(f64::NEG_INFINITY, f64::max).ceil())
    };
    let (x_ends, y_ends) = (ends(|point| point.0), ends(|point| point.1));
    let left = at as f64 * WIDTH + MARGIN;
    let (inner_width, inner_height) = (WIDTH - 1.3 * MARGIN, HEIGHT - 1.6 * MARGIN);
    let span = |ends: (f64, f64)| (ends.1 - ends.0).max(1.0);
    let x = |value: f64| left + (value.max(0.01).log10() - x_ends.0) / span(x_ends) * inner_width;
    let y = |value: f64| {
        HEIGHT - MARGIN * 0.6 - (value.max(0.01).log10() - y_ends.0) / span(y_ends) * inner_height
    };
    let mut text = format!("<text x=\"{left}\" y=\"40\">{title}</text>\n");
    let grid = "stroke=\"#ddd\"";
    for power in x_ends.0 as i32..=x_ends.1 as i32 {
        let value = 10f64.powi(power);
        let (at, top, low) = (x(value), y(10f64.powf(y_ends.1)), y(10f64.powf(y_ends.0)));
        text += &format!("<path d=\"M{at:.1} {top:.1}V{low:.1}\" {grid}/>");
        text +=
            &format!("<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>\n", low + 14.0);
    }
    for power in y_ends.0 as i32..=y_ends.1 as i32 {
        let value = 10f64.powi(power);
        let (at, right) = (y(value), left + inner_width);
        text += &format!("<path d=\"M{left:.1} {at:.1}H{right:.1}\" {grid}/>");
        text += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
            left - 4.0,
            at + 4.0
        );
    }
    for (index, curve) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let line: Vec<String> =
            curve.points.iter().map(|(n, value)| format!("{:.1},{:.1}", x(*n), y(*value))).collect();
        text += &format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            line.join(" ")
        );
        let row = 54.0 + 14.0 * index as f64;
        text +=
            &format!("<text x=\"{:.1}\" y=\"{row}\" fill=\"{colour}\">{}</text>\n", left + 8.0, curve.name);
    }
    text
}
