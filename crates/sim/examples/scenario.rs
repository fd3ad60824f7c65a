//! Plays scenario files: tables, JSON lines, sweeps over one key with a plot.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sim::plot::{Series, line_plot};
use sim::scenario::{Report, Summary, SweepError, parse_with, run, summarize, table};

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
    let Some((key, values)) = &arguments.sweep else {
        let summary = runs(arguments, &text, &arguments.set, None)?;
        if !arguments.json {
            println!("{}", table(&[summary]));
        }
        return Ok(());
    };
    let mut summaries = Vec::new();
    for value in values.split(',') {
        let mut set = arguments.set.clone();
        set.push((key.clone(), value.to_owned()));
        summaries.push(runs(arguments, &text, &set, Some(format!("{key} = {value}")))?);
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

fn runs(
    arguments: &Arguments,
    text: &str,
    set: &[(String, String)],
    name: Option<String>,
) -> Result<Summary, Failure> {
    let scenario = parse_with(text, set)?;
    let first = arguments.seed.unwrap_or(scenario.seed);
    let mut reports: Vec<Report> = Vec::new();
    for seed in first..first + arguments.runs {
        let report = run(&scenario, seed)?;
        if arguments.json {
            println!("{}", serde_json::to_string(&report)?);
        }
        reports.push(report);
    }
    Ok(summarize(name.as_deref().unwrap_or(&scenario.name), &reports))
}

fn plot(key: &str, values: &str, summaries: &[Summary]) -> String {
    let values: Vec<&str> = values.split(',').collect();
    let series = |name: &str, figure: fn(&Summary) -> f64| Series {
        name: name.to_owned(),
        values: summaries.iter().map(figure).collect(),
    };
    let time = [series("p50", |s| s.p50), series("p99", |s| s.p99), series("last", |s| s.last)];
    line_plot(key, "time in multiples of the bound", &values, &time)
}
