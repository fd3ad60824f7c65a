//! Plays scenario files: tables, JSON lines, sweeps over one key with a plot.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sim::agreement::{agreement_table, compare, compare_tiers, measured};
use sim::plot::{Series, line_plot};
use sim::scenario::{Moment, Report, Summary, SweepError, parse_with, run, summarize, table};

#[derive(Parser)]
struct Arguments {
    /// The scenario file, TOML.
    file: PathBuf,
    /// The first run's seed; the file's, if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs, each with the next seed.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Sets a key anew: `players.0.up_kib=512`.
    #[arg(long, value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Plays the scenario once for each value of a key: `content.piece_kib=64,128,256`.
    #[arg(long, value_parser = key_and_value)]
    sweep: Option<(String, String)>,
    /// Where a sweep's plot goes (SVG).
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Prints the crowd from time to time, of the first run.
    #[arg(long)]
    timeline: bool,
    /// Runs with real sockets, lines of JSON as the bench writes them: whether the simulation agrees with them.
    #[arg(long, requires = "row")]
    measured: Option<PathBuf>,
    /// The row of those runs that has the scenario's lines and sizes.
    #[arg(long)]
    row: Option<String>,
    /// Plays the scenario in both tiers and prints whether they agree.
    #[arg(long)]
    tiers: bool,
    /// Prints each run as a line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error(transparent)]
    Scenario(#[from] SweepError),
    #[error("no content has such pieces: {0}")]
    Layout(#[from] release::layout::LayoutError),
    #[error("a report is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("wants key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    match play(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&arguments.file)
        .map_err(|error| Failure::File(arguments.file.clone(), error))?;
    if arguments.tiers {
        let [full, policy] = ["full", "policy"].map(|tier| {
            let tier = ("tier".to_owned(), tier.to_owned());
            reports(arguments, &text, &[&arguments.set[..], &[tier]].concat())
        });
        let (full, policy) = (full?, policy?);
        println!("{}", table(&[summarize("full", &full), summarize("policy", &policy)]));
        println!("{}", agreement_table("full tier as measured", &compare_tiers(&full, &policy)));
        return Ok(());
    }
    let Some((key, values)) = &arguments.sweep else {
        let reports = reports(arguments, &text, &arguments.set)?;
        let name = parse_with(&text, &arguments.set)?.name;
        let summary = summarize(&name, &reports);
        if let (Some(path), Some(row)) = (&arguments.measured, &arguments.row) {
            let lines = std::fs::read_to_string(path).map_err(|error| Failure::File(path.clone(), error))?;
            println!("{}", agreement_table(row, &compare(&measured(&lines, row, "ours"), &reports)));
            return Ok(());
        }
        if !arguments.json {
            println!("{}", table(&[summary]));
        }
        return Ok(());
    };
    let mut summaries = Vec::new();
    for value in values.split(',') {
        let mut set = arguments.set.clone();
        set.push((key.clone(), value.to_owned()));
        summaries.push(summarize(&format!("{key} = {value}"), &reports(arguments, &text, &set)?));
    }
    if !arguments.json {
        println!("{}", table(&summaries));
    }
    if let Some(path) = &arguments.plot {
        let svg = plot(key, values, &summaries);
        std::fs::write(path, svg).map_err(|error| Failure::File(path.clone(), error))?;
    }
    Ok(())
}

fn reports(arguments: &Arguments, text: &str, set: &[(String, String)]) -> Result<Vec<Report>, Failure> {
    let scenario = parse_with(text, set)?;
    let first = arguments.seed.unwrap_or(scenario.seed);
    let mut reports = Vec::new();
    for seed in first..first + arguments.runs {
        let report = run(&scenario, seed)?;
        if arguments.json {
            println!("{}", serde_json::to_string(&Report { timeline: Vec::new(), ..report.clone() })?);
        }
        if arguments.timeline && seed == first {
            report.timeline.iter().for_each(|moment| println!("{}", line(moment, &report)));
        }
        reports.push(report);
    }
    Ok(reports)
}

fn line(moment: &Moment, report: &Report) -> String {
    let Moment { at, busy, origin_busy, have: [least, median, most], done } = moment;
    let times = at / report.bound_seconds;
    format!(
        "{times:5.2} × bound: uplinks {busy:.2}, origin {origin_busy:.2}, have {least:.2} {median:.2} {most:.2}, {done} done"
    )
}

fn plot(key: &str, values: &str, summaries: &[Summary]) -> String {
    let values: Vec<&str> = values.split(',').collect();
    let series = |name: &str, figure: fn(&Summary) -> f64| Series {
        name: name.to_owned(),
        values: summaries.iter().map(figure).collect(),
    };
    let lines = [
        series("p50", |s| s.p50),
        series("p99", |s| s.p99),
        series("last", |s| s.last),
        series("copies", |s| s.origin_copies),
    ];
    line_plot(key, "time in multiples of the bound; origin's copies", &values, &lines)
}
