//! `cargo xtask bench`: the figures of `docs/bench.md`, measured on this machine, with its name and the day.
//!
//! Release builds, loopback, payload on a RAM disk where there is one. What the swarm does beside other clients is
//! `cargo xtask bench swarm`, with a page of its own, and so are the sizes of updates (`cargo xtask bench updates`) and
//! first installs between players (`cargo xtask bench wire`). Not part of `test`: figures of
//! a shared machine are for reading, not for passing.

mod fleet;
mod launcher;
mod measure;
mod netns;
mod origin;
mod payload;
mod publish;
mod swarm;
mod table;
mod updates;
mod wire;

pub(crate) use swarm::command as swarm;
pub(crate) use updates::command as updates;
pub(crate) use wire::command as wire;

use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, cargo, command, run},
    setup,
    step::Steps,
};
use table::Row;

/// A benchmark: fills rows of the table.
type Bench = fn() -> Result<Vec<Row>, Failure>;

const ALL: [(&str, Bench); 3] =
    [("origin", origin::rows), ("publish", publish::rows), ("launcher", launcher::rows)];

/// One benchmark, or all of them, which also writes `docs/bench.md`.
pub(crate) fn measure_all(only: Option<&str>) -> Result<(), Failure> {
    let chosen: Vec<_> = ALL.iter().filter(|(name, _)| only.is_none_or(|wanted| wanted == *name)).collect();
    if chosen.is_empty() {
        return Err(Failure::Usage);
    }
    let mut steps = Steps::new();
    setup::everything(&mut steps, true)?;
    steps.run("release build of muster", || run(&mut cargo(&["build", "--release", "--package", "cli"])))?;
    let mut rows = Vec::new();
    for (name, bench) in chosen {
        steps.run(name, || {
            rows.extend(bench()?);
            Ok(())
        })?;
    }
    steps.table();
    let text = table::render(&machine()?, &rows);
    println!("\n{text}");
    if only.is_none() {
        let path = place::root().join("docs/bench.md");
        std::fs::write(&path, text).at(&path)?;
        println!("written to docs/bench.md");
    }
    Ok(())
}

/// What machine this is, and the day.
fn machine() -> Result<String, Failure> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = capture(command("uname").arg("-sr"))?;
    let day = capture(command("date").args(["-u", "+%Y-%m-%d"]))?;
    Ok(format!(
        "{}, {cores} cores, {}, {}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        day.trim()
    ))
}
