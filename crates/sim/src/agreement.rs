//! Does a simulation say what was measured? If not, its figure is not printed.
//!
//! What is measured comes as lines of JSON, a run a line, as the bench writes them: `row`, `client`, and `figures`
//! with `last_over_bound`, `last_over_median` and `copies`. Simulation and measurement agree on a figure if the
//! middles of both differ by at most a tenth of the measured one and the spread of the measured runs.

use serde::Deserialize;
use serde_json::Value;

use crate::scenario::{Report, Summary, median};

/// By how much a simulated figure may differ, in parts of the measured one.
const TOLERANCE: f64 = 0.10;

/// What was measured in one run.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Measured {
    /// The last player's time in multiples of the bound.
    pub last_over_bound: f64,
    /// The last player's time in multiples of the median's.
    pub last_over_median: f64,
    /// Copies the origin sent.
    pub copies: f64,
}

/// One figure, measured and simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// What it is.
    pub figure: &'static str,
    /// The middle of the measured runs.
    pub measured: f64,
    /// The least and the most of them.
    pub spread: [f64; 2],
    /// Measured runs.
    pub runs: usize,
    /// The middle of the simulated runs.
    pub simulated: f64,
}

impl Agreement {
    fn new(figure: &'static str, measured: &[f64], simulated: &[f64]) -> Self {
        let extreme = |pick: fn(f64, f64) -> f64, from| measured.iter().copied().fold(from, pick);
        Self {
            figure,
            measured: median(measured.iter().copied()),
            spread: [extreme(f64::min, f64::INFINITY), extreme(f64::max, f64::NEG_INFINITY)],
            runs: measured.len(),
            simulated: median(simulated.iter().copied()),
        }
    }

    /// Whether the simulation says what was measured; of nothing measured it never does.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let [least, most] = self.spread;
        self.runs > 0 && (self.simulated - self.measured).abs() <= TOLERANCE * self.measured + (most - least)
    }
}

/// The runs of a row by a client, out of lines of JSON, as far as they are of the program that ran last (`identity`).
/// Lines that are none, or have no such figures, are left out: a run that was given up has none.
#[must_use]
pub fn measured(lines: &str, row: &str, client: &str) -> Vec<Measured> {
    let values = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let own: Vec<Value> = values.filter(|value| value["row"] == row && value["client"] == client).collect();
    let last = own.last().map(|value| value["identity"].clone());
    let own = own.into_iter().filter(|value| Some(&value["identity"]) == last.as_ref());
    own.filter_map(|value| Measured::deserialize(&value["figures"]).ok()).collect()
}

/// Compares runs with real sockets and simulated ones.
#[must_use]
pub fn compare(measured: &[Measured], simulated: &[Report]) -> Vec<Agreement> {
    let figure = |name, of_measured: fn(&Measured) -> f64, of_simulated: fn(&Report) -> f64| {
        let measured: Vec<f64> = measured.iter().map(of_measured).collect();
        let simulated: Vec<f64> = simulated.iter().map(of_simulated).collect();
        Agreement::new(name, &measured, &simulated)
    };
    vec![
        figure("last × bound", |run| run.last_over_bound, Report::last),
        figure("last ÷ median", |run| run.last_over_median, |run| run.last_seconds / run.p50_seconds),
        figure("origin copies", |run| run.copies, |run| run.origin_copies),
    ]
}

/// Compares runs of the policy tier with runs of the full one.
#[must_use]
pub fn compare_tiers(full: &[Report], policy: &[Report]) -> Vec<Agreement> {
    let figure = |name, of: fn(&Report) -> f64| {
        let [full, policy] = [full, policy].map(|runs| runs.iter().map(of).collect::<Vec<f64>>());
        Agreement::new(name, &full, &policy)
    };
    vec![
        figure("p50 × bound", Report::p50),
        figure("last × bound", Report::last),
        figure("origin copies", |run| run.origin_copies),
    ]
}

/// A Markdown table of these figures; one that does not agree is not printed.
#[must_use]
pub fn agreement_table(name: &str, figures: &[Agreement]) -> String {
    let mut text =
        String::from("| scenario | figure | measured (least–most, runs) | simulated |\n|---|---|---|---|\n");
    for figure in figures {
        let [least, most] = figure.spread;
        let simulated =
            if figure.agrees() { format!("{:.3}", figure.simulated) } else { "does not agree".to_owned() };
        let measured = if figure.runs == 0 {
            "–".to_owned()
        } else {
            format!("{:.3} ({least:.3}–{most:.3}, {})", figure.measured, figure.runs)
        };
        text += &format!("| {name} | {} | {measured} | {simulated} |\n", figure.figure);
    }
    text
}

/// Whether every player of every run was done: without that no figure counts.
#[must_use]
pub fn is_whole(summary: &Summary) -> bool {
    summary.runs > 0 && summary.completed_min == summary.players
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"
{"row":"seed-16","client":"ours","identity":"old","figures":{"last_over_bound":7.0,"last_over_median":7.0,"copies":7.0}}
{"row":"seed-16","client":"ours","figures":{"last_over_bound":1.35,"last_over_median":1.01,"copies":2.3}}
{"row":"seed-16","client":"ours","figures":{"last_over_bound":1.30,"last_over_median":1.02,"copies":2.2}}
{"row":"seed-16","client":"ours","figures":{"given_up_after":99.0}}
{"row":"seed-16","client":"other","figures":{"last_over_bound":9.0,"last_over_median":9.0,"copies":9.0}}
no json
"#;

    #[test]
    fn only_whole_runs_of_the_row_and_client_count() {
        assert_eq!(measured(LINES, "seed-16", "ours").len(), 2);
        assert!(measured(LINES, "seed-8", "ours").is_empty());
    }

    #[test]
    fn a_figure_that_does_not_agree_is_not_printed() {
        let near = Agreement::new("x", &[1.0, 1.1], &[1.25]);
        let far = Agreement::new("y", &[1.0, 1.1], &[1.47]);
        let nothing = Agreement::new("z", &[], &[1.0]);
        assert!(near.agrees() && !far.agrees() && !nothing.agrees());
        let table = agreement_table("crowd", &[near, far, nothing]);
        assert!(table.contains("1.250") && !table.contains("1.47") && table.matches("does not").count() == 2);
    }
}
