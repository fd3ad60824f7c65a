//! `cargo xtask bench swarm`: the bars of the swarm, ours beside its rivals, row by row.
//!
//! Each single run is written to a state file as soon as it is done, so that a series that was stopped goes on where it
//! stood. Ours is known by its binary's hash, a rival by its version: a run of either is kept until it changes or
//! `--fresh` is said. Clients take turns within a row. The table goes to the terminal and to `docs/bench-swarm.md`.
//! Needs root, for namespaces and shaped links.

mod cap;
mod client;
mod flash;
mod goods;
mod grow;
mod lone;
mod machine;
mod options;
mod origin;
mod page;
mod pair;
mod plot;
mod quick;
mod record;
mod row;
mod rqbit;

use super::netns;
use crate::{
    demo::stop_flag,
    failure::{AtPath, Failure},
    place,
    process::{capture, cargo, command as program, run},
    setup,
    step::Steps,
};
use client::Client;
use options::Options;
use record::{Record, State};
use row::Row;
use std::{
    cell::OnceCell,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What every run needs to know.
struct Context {
    /// The `muster` that is measured.
    muster: PathBuf,
    /// Its hash, in short.
    muster_identity: String,
    /// The commit it was built from, or the name of the file given.
    muster_label: String,
    /// Version of libtorrent.
    libtorrent: String,
    /// Set by SIGINT and SIGTERM.
    stop: Arc<AtomicBool>,
    /// Made when first asked for.
    wares: OnceCell<pair::Wares>,
}

impl Context {
    /// The files of the loopback row.
    fn wares(&self) -> Result<&pair::Wares, Failure> {
        if let Some(wares) = self.wares.get() {
            return Ok(wares);
        }
        let made = pair::Wares::make()?;
        Ok(self.wares.get_or_init(|| made))
    }
}

/// Measures what is missing of the rows chosen, and writes the page.
pub(crate) fn command(words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words)?;
    let rows: Vec<Row> = row::all().into_iter().filter(|row| options.wants_row(&row.name)).collect();
    if options.list {
        rows.iter().for_each(|row| println!("{:<16} {}", row.name, row.title));
        return Ok(());
    }
    if rows.is_empty() {
        return Err(Failure::Unexpected { what: "no such row; see --list".into() });
    }
    let context = prepare(&options)?;
    let mut state = State::open(options.fresh.then_some(&rows))?;
    let mut failed = Vec::new();
    for row in &rows {
        measure(row, &options, &context, &mut state, &mut failed)?;
    }
    let all = row::all();
    let text = page::render(&super::machine()?, &all, &state, &context);
    println!("\n{}", page::render_rows(&rows, &state, &context));
    let path = place::root().join("docs/bench-swarm.md");
    std::fs::write(&path, text).at(&path)?;
    plot::write(&all, &state, &context)?;
    println!("written to docs/bench-swarm.md; single runs are in {}", state.path().display());
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Unexpected { what: format!("these gave no figure: {}", failed.join(", ")) })
}

/// Runs that are missing, by turns; one that fails is named in `failed`, and the others go on.
fn measure(
    row: &Row,
    options: &Options,
    context: &Context,
    state: &mut State,
    failed: &mut Vec<String>,
) -> Result<(), Failure> {
    for run in 0..options.runs.unwrap_or(row.runs) {
        for client in row.clients.iter().copied().filter(|client| options.wants_client(*client)) {
            let identity = client.identity(context);
            if state.find(&row.name, client, run, &identity).is_some() {
                continue;
            }
            let before = machine::settle(&context.stop, !options.no_wait)?;
            let tag = format!("{}-{}-{run}", row.name, client.name());
            let figures = match row.kind.measure(client, context, &tag) {
                Err(failure) if !context.stop.load(Ordering::Relaxed) => {
                    println!("{tag}: {failure}");
                    failed.push(tag);
                    continue;
                }
                outcome => outcome?,
            };
            let record = Record::new(row, client, run, identity, &before, figures, context);
            println!("{:<14} {:<20} run {run}: {}", row.name, client.name(), record.in_short());
            state.append(record)?;
        }
    }
    Ok(())
}

/// Brings what a bench needs, and learns whom it measures.
fn prepare(options: &Options) -> Result<Context, Failure> {
    let stop = stop_flag()?;
    let muster = match &options.muster {
        Some(path) => std::path::absolute(path).at(path)?,
        None => {
            let mut steps = Steps::new();
            setup::for_bench(&mut steps)?;
            steps.run("release build of muster", || {
                run(&mut cargo(&["build", "--release", "--package", "cli"]))
            })?;
            place::built("release", "muster")
        }
    };
    let hash = capture(program("sha256sum").arg(&muster))?;
    let commit = capture(program("git").args(["rev-parse", "--short", "HEAD"])).unwrap_or_default();
    let label = match &options.muster {
        Some(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        None => commit.trim().to_owned(),
    };
    let version = capture(program(place::from_venv("python")).args([
        "-W",
        "ignore",
        "-c",
        "import libtorrent; print(libtorrent.version)",
    ]))?;
    Ok(Context {
        muster,
        muster_identity: hash.chars().take(12).collect(),
        muster_label: label,
        libtorrent: version.trim().to_owned(),
        stop,
        wares: OnceCell::new(),
    })
}
