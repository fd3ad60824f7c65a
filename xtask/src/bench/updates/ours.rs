//! Ours: both releases published, the older one installed, the update taken; sizes, processor time and memory.

use super::pairs::Pair;
use crate::{
    bench::{
        measure::cpu_seconds,
        origin,
        payload::Scratch,
        publish::{Places, muster},
    },
    failure::Failure,
    process::{Running, capture},
};
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(3600);
const LOOK: Duration = Duration::from_millis(20);

/// Figures of one pair.
pub(super) fn measure(pair: &Pair) -> Result<Value, Failure> {
    let scratch = Scratch::new("updates")?;
    let places = Places::init(&scratch)?;
    publish(&places, &pair.old, "1")?;
    let origin = origin::serve(&places)?;
    let dir = scratch.path("game");
    let mut install = muster(&places.home);
    install
        .arg("install")
        .arg(&origin.url)
        .args(["--game", "bench", "--no-lan", "--json", "--dir"])
        .arg(&dir);
    capture(install.arg("--root").arg(places.repository.join("metadata/1.root.json")))?;

    let published = publish(&places, &pair.new, "2")?;
    let cost = published.result["updates"][0].clone();
    let mut update = muster(&places.home);
    update.arg("update").arg(&dir);
    let updated = watched(&mut update)?;
    capture(muster(&places.home).args(["verify", "--json"]).arg(&dir))?;
    let downloaded = &updated.result["downloaded_bytes"];
    let fetched: u64 = ["origin", "players", "lan"].iter().filter_map(|from| downloaded[from].as_u64()).sum();
    Ok(json!({
        "changed_bytes": cost["changed_bytes"],
        "patch_bytes": cost["patch_bytes"],
        "blocks_bytes": cost["blocks_bytes"],
        "fetched_bytes": fetched,
        "publisher_cpu": cost["patch_cpu_seconds"],
        "publisher_seconds": published.seconds,
        "publisher_peak_mib": published.peak_mib,
        "player_cpu": updated.cpu,
        "player_seconds": updated.seconds,
        "player_peak_mib": updated.peak_mib,
    }))
}

fn publish(places: &Places, build: &Path, version: &str) -> Result<Watched, Failure> {
    let mut words = places.publish_words(build);
    if let Some(last) = words.last_mut() {
        *last = OsStr::new(version);
    }
    watched(muster(&places.home).args(words))
}

/// What a program that was watched to its end said and used.
struct Watched {
    result: Value,
    cpu: f64,
    seconds: f64,
    peak_mib: f64,
}

/// Runs a verb with `--json` to its end.
fn watched(command: &mut Command) -> Result<Watched, Failure> {
    let mut running = Running::start("muster", command.arg("--json").stderr(Stdio::inherit()))?;
    let (started, mut cpu, mut peak_mib) = (Instant::now(), 0.0_f64, 0.0_f64);
    let mut result = Value::Null;
    let mut keep = |line: &str| -> Option<()> {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["t"] == "result").then(|| result = line)
    };
    while running.ended().is_none() {
        if started.elapsed() > LIMIT {
            return Err(Failure::Late { what: "a measured program's end".into(), seconds: LIMIT.as_secs() });
        }
        // What it had used when last seen; a look costs less than it misses.
        cpu = cpu.max(cpu_seconds(running.id()).unwrap_or(0.0));
        peak_mib = peak_mib.max(crate::bench::measure::peak_mib(running.id()).unwrap_or(0.0));
        std::thread::sleep(LOOK);
    }
    let seconds = started.elapsed().as_secs_f64();
    running.wait_for_line(Duration::from_secs(5), "its result", &mut keep)?;
    Ok(Watched { result, cpu, seconds, peak_mib })
}
