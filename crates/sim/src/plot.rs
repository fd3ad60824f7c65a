//! Line plots as SVG, for sweeps: a few series over named points.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 50.0;
/// Told apart by the colour-blind too (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#e69f00", "#d55e00", "#009e73"];
const TICKS: usize = 5;

/// One line of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its value at each point.
    pub values: Vec<f64>,
}

/// A plot of these series over these points, which stand at even distances; the vertical axis begins at zero.
#[must_use]
pub fn line_plot(across: &str, up: &str, points: &[&str], series: &[Series]) -> String {
    let most = series.iter().flat_map(|line| &line.values).copied().fold(0.0, f64::max);
    let top = nice_above(most);
    let x =
        |at: usize| LEFT + (WIDTH - LEFT - RIGHT) * at as f64 / points.len().saturating_sub(1).max(1) as f64;
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    // Writing to a string does not fail.
    let mut put = |line: String| _ = writeln!(svg, "{line}");
    for tick in 0..=TICKS {
        let value = top * tick as f64 / TICKS as f64;
        let (at, right) = (y(value), WIDTH - RIGHT);
        put(format!("<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#ddd\"/>"));
        put(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.2}</text>",
            LEFT - 6.0,
            at + 4.0
        ));
    }
    for (at, point) in points.iter().enumerate() {
        let (x, y) = (x(at), HEIGHT - BOTTOM + 18.0);
        put(format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>", escaped(point)));
    }
    for (line, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let path: Vec<String> = line
            .values
            .iter()
            .enumerate()
            .map(|(at, value)| format!("{:.1},{:.1}", x(at), y(*value)))
            .collect();
        put(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        ));
    }
    for (at, (line, colour)) in series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let (x, y) = (WIDTH - RIGHT + 12.0, TOP + 16.0 * (at as f64 + 1.0));
        put(format!("<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>", escaped(&line.name)));
    }
    let (middle, bottom) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0);
    put(format!(
        "<text x=\"{middle:.1}\" y=\"{bottom:.1}\" text-anchor=\"middle\">{}</text>",
        escaped(across)
    ));
    let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
    put(format!(
        "<text transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        escaped(up)
    ));
    svg + "</svg>\n"
}

/// The least of 1, 2, 2.5, 5 times a power of ten that is not below.
fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 1.25, 1.5, 2.0, 2.5, 4.0, 5.0, 10.0].into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_a_line_for_each_series_and_no_raw_markup() {
        let line = |name: &str| Series { name: name.to_owned(), values: vec![1.0, 1.2, 0.9] };
        let svg = line_plot("a<b", "x", &["1", "2", "3"], &[line("p50"), line("last")]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn the_axis_ends_at_a_round_number() {
        assert_eq!([0.0, 1.17, 1.3, 9.0].map(nice_above), [1.0, 1.25, 1.5, 10.0]);
    }
}
