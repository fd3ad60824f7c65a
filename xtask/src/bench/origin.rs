//! What the origin sends per player when 1, 4 and 16 of them install at once over loopback.

use super::{
    payload::{Scratch, fill},
    publish::{Places, muster},
    table::Row,
};
use crate::{
    failure::Failure,
    process::{Running, run},
};
use serde_json::Value;
use std::{process::Stdio, time::Duration};

const PLAYERS: [usize; 3] = [1, 4, 16];
const BYTES: u64 = 64 << 20;
const LIMIT: Duration = Duration::from_secs(300);

/// A running `muster serve`.
pub(super) struct Origin {
    pub(super) url: String,
    _program: Running,
}

pub(super) fn rows() -> Result<Vec<Row>, Failure> {
    PLAYERS.into_iter().map(row).collect()
}

/// Serves the repository of `places` on loopback, without a seed: all that the origin sends goes over HTTP and is counted.
pub(super) fn serve(places: &Places) -> Result<Origin, Failure> {
    let mut serve = muster(&places.home);
    serve.args(["serve", "--json", "--no-seed", "--listen", "127.0.0.1:0", "--repo"]).arg(&places.repository);
    let mut program = Running::start("muster serve", serve.stderr(Stdio::null()))?;
    let url = program.wait_for_line(Duration::from_secs(60), "the origin's readiness", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["t"] == "ready").then(|| line["url"].as_str().map(str::to_owned))?
    })?;
    Ok(Origin { url, _program: program })
}

/// A fresh origin and fresh players each time, so that nothing is left from the round before.
fn row(players: usize) -> Result<Row, Failure> {
    let scratch = Scratch::new("origin")?;
    let build = scratch.folder("build")?;
    let size = fill(&build, BYTES)?;
    let places = Places::init(&scratch)?;
    run(muster(&places.home).args(places.publish_words(&build)).arg("--json"))?;
    let origin = serve(&places)?;
    let start = |index: usize| {
        let mut install = muster(&scratch.folder(&format!("home-{index}"))?);
        install.args(["install", &origin.url, "--game", "bench", "--json", "--no-lan", "--stay", "--dir"]);
        install.arg(scratch.path(&format!("game-{index}")));
        install.arg("--root").arg(places.repository.join("metadata/1.root.json"));
        Running::start("muster install", install.stderr(Stdio::null()))
    };
    // All stay to the end, as players whose launcher is open do.
    let mut running = (0..players).map(start).collect::<Result<Vec<_>, _>>()?;
    let (mut from_origin, mut seconds) = (0, 0.0_f64);
    for player in &mut running {
        let result = player.wait_for_line(LIMIT, "an installed game", complete)?;
        from_origin += result["downloaded_bytes"]["origin"].as_u64().unwrap_or(0);
        seconds = seconds.max(result["seconds"].as_f64().unwrap_or(0.0));
    }
    let per_player = from_origin as f64 / players as f64;
    let share = per_player / size as f64 * 100.0;
    Ok(Row::new(
        format!("64 MiB installed by {players} at once: bytes from the origin (no seed), per player"),
        format!("{:.1} MiB", per_player / 1_048_576.0),
    )
    .beside(format!("{share:.0} % of the game; the last one was done after {seconds:.1} s")))
}

fn complete(line: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok().filter(|line| line["t"] == "complete")
}
