//! rqbit, a rival on v1 torrents: brought by cargo, once, into a folder of ours.

use super::super::{fleet::Fleet, measure::cpu_seconds, netns::Node};
use crate::{
    failure::Failure,
    place,
    process::{cargo, run},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The version that is measured.
pub(super) const VERSION: &str = "9.1.0";
/// The seed's port.
pub(super) const SEED_PORT: u16 = 6881;
const LISTEN: &str = "127.0.0.1";
/// Longest that a seed may check what it has.
const CHECK_LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(500);
/// Processor seconds in a pause that still count as rest.
const REST: f64 = 0.03;

/// Builds it when it is not there; some minutes.
pub(super) fn bring() -> Result<PathBuf, Failure> {
    let root = place::ours("tools")?;
    let program = root.join("bin/rqbit");
    if !program.exists() {
        let words = ["install", "--locked", "rqbit", "--version", VERSION, "--no-default-features"];
        run(cargo(&words).args(["--features", "rust-tls", "--root"]).arg(&root))?;
    }
    Ok(program)
}

/// Whoever has everything in `folder`.
pub(super) fn seed(node: &Node, torrent: &Path, folder: &Path, home: &Path) -> Result<Command, Failure> {
    let mut seed = rqbit(node, SEED_PORT, home)?;
    // It checks what is there before it serves.
    seed.args(["download", "--disable-http-api", "--overwrite", "-o"]).arg(folder).arg(torrent);
    Ok(seed)
}

/// Whoever wants everything; ends when it has it.
pub(super) fn peer(node: &Node, torrent: &Path, folder: &Path, home: &Path) -> Result<Command, Failure> {
    let mut peer = rqbit(node, SEED_PORT + 1, home)?;
    let seed = format!("{LISTEN}:{SEED_PORT}");
    peer.args(["download", "--disable-http-api", "--exit-on-finish", "--initial-peers", &seed]);
    peer.arg("-o").arg(folder).arg(torrent);
    Ok(peer)
}

/// Waits until it rests: then it has checked what it has.
pub(super) fn wait_until_live(fleet: &Fleet, who: usize) -> Result<(), Failure> {
    let until = Instant::now() + CHECK_LIMIT;
    let mut used = cpu_seconds(fleet.id(who))?;
    while Instant::now() < until {
        std::thread::sleep(PAUSE);
        let now = cpu_seconds(fleet.id(who))?;
        if now - used < REST {
            return Ok(());
        }
        used = now;
    }
    Err(Failure::Late { what: "rqbit's check of its files".into(), seconds: CHECK_LIMIT.as_secs() })
}

fn rqbit(node: &Node, port: u16, home: &Path) -> Result<Command, Failure> {
    let mut rqbit = node.command(bring()?);
    place::at_home(&mut rqbit, home);
    rqbit.args(["-v", "error", "--disable-dht", "--disable-lsd", "--disable-trackers"]);
    rqbit.args(["--disable-upnp-port-forward", "--listen-ip", LISTEN, "--listen-port", &port.to_string()]);
    Ok(rqbit)
}
