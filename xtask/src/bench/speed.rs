//! One seed to one peer over loopback: ours against libtorrent, the same files, by turns, medians of three.

use super::{
    measure::{cpu_seconds, median, peak_mib},
    payload::{Scratch, fill},
    table::Row,
};
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{Running, capture, command},
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const ROUNDS: usize = 3;
const LIMIT: Duration = Duration::from_secs(600);
const GIB: f64 = (1u64 << 30) as f64;

/// Whose programs run.
#[derive(Clone, Copy)]
enum Side {
    Ours,
    Libtorrent,
}

/// One transfer.
struct Figures {
    mib_per_second: f64,
    peer_cpu_per_gib: f64,
    seed_cpu_per_gib: f64,
    peer_peak_mib: f64,
}

pub(super) fn rows() -> Result<Vec<Row>, Failure> {
    let scratch = Scratch::new("speed")?;
    let folder = scratch.folder("seed/share")?;
    let total = fill(&folder, 1 << 30)? as f64;
    let torrent = scratch.path("share.torrent");
    let mut make = script("torrent.py");
    capture(make.arg("make").args([&folder, &torrent]).args(["--piece-length", "1048576"]))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        println!("round {} of {ROUNDS}", round + 1);
        ours.push(transfer(Side::Ours, &scratch, &torrent, total)?);
        theirs.push(transfer(Side::Libtorrent, &scratch, &torrent, total)?);
    }
    let row = |what: &str, unit: &str, figure: fn(&Figures) -> f64| {
        let value = |all: &[Figures]| format!("{:.1} {unit}", median(all.iter().map(figure).collect()));
        Row::new(
            format!("one seed to one peer, 1 GiB in 4 large and 2,048 small files: {what}"),
            value(&ours),
        )
        .beside(format!("libtorrent 2.1.1: {}", value(&theirs)))
    };
    Ok(vec![
        row("speed", "MiB/s", |one| one.mib_per_second),
        row("processor, peer", "CPU-s/GiB", |one| one.peer_cpu_per_gib),
        row("processor, seed", "CPU-s/GiB", |one| one.seed_cpu_per_gib),
        row("peak memory, peer", "MiB", |one| one.peer_peak_mib),
    ])
}

fn transfer(side: Side, scratch: &Scratch, torrent: &Path, total: f64) -> Result<Figures, Failure> {
    let mut seed = Running::start("seed", &mut peer(side, torrent, &scratch.path("seed"), None))?;
    let listen = listens_at(&mut seed)?;
    let place = scratch.folder("peer")?;
    let started = Instant::now();
    let mut peer = Running::start("peer", &mut peer(side, torrent, &place, Some(&listen)))?;
    peer.wait_for_line(LIMIT, "the whole of it", |line| said(line, "complete"))?;
    let seconds = started.elapsed().as_secs_f64();
    let gib = total / GIB;
    let figures = Figures {
        mib_per_second: gib * 1024.0 / seconds,
        peer_cpu_per_gib: cpu_seconds(peer.id())? / gib,
        seed_cpu_per_gib: cpu_seconds(seed.id())? / gib,
        peer_peak_mib: peak_mib(peer.id()).unwrap_or(f64::NAN),
    };
    drop((peer, seed));
    fs::remove_dir_all(&place).at(&place)?;
    Ok(figures)
}

/// A peer that stays after it is complete; without anyone to connect to it trusts what it has.
fn peer(side: Side, torrent: &Path, folder: &Path, seed: Option<&str>) -> Command {
    let mut command = match side {
        Side::Ours => {
            let mut muster = command(place::built("release", "muster"));
            muster.args(["torrent", "get"]).arg(torrent).arg("--dir").arg(folder);
            muster.args(["--listen", "127.0.0.1:0", "--no-lan", "--json"]);
            muster
        }
        Side::Libtorrent => {
            let mut theirs = script("peer.py");
            theirs.args([torrent, folder]);
            theirs
        }
    };
    command.arg("--stay").stderr(std::process::Stdio::null());
    match seed {
        Some(address) => command.args(["--peer", address]),
        None => command.arg("--trust"),
    };
    command
}

fn listens_at(seed: &mut Running) -> Result<String, Failure> {
    seed.wait_for_line(LIMIT, "the seed's readiness", |line| {
        Some(said(line, "ready")?["listen"].as_str()?.to_owned())
    })
}

fn said(line: &str, kind: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok().filter(|value| value["t"] == kind)
}

fn script(name: &str) -> Command {
    let mut python = command(place::from_venv("python"));
    python.args(["-W", "ignore"]).arg(place::root().join("tests/interop").join(name));
    python
}
