//! The other side: libtorrent, as a maker and reader of torrents and as a peer.

use crate::{child::Running, programs};
use serde_json::Value;
use std::{path::Path, process::Command, time::Duration};

/// Which kind of torrent libtorrent shall make.
#[derive(Debug, Clone, Copy)]
pub enum Flavour {
    /// BitTorrent v2 alone.
    V2,
    /// The first version.
    V1,
    /// Both in one.
    Hybrid,
}

/// Makes a torrent of `dir` at `out` and returns what libtorrent says of it.
pub fn make(dir: &Path, out: &Path, piece_length: usize, flavour: Flavour) -> Value {
    let flavour = match flavour {
        Flavour::V2 => "v2",
        Flavour::V1 => "v1",
        Flavour::Hybrid => "hybrid",
    };
    let mut script = programs::script("torrent.py");
    script.arg("make").args([dir, out]).args(["--flavour", flavour]);
    answer(script.args(["--piece-length", &piece_length.to_string()]))
}

/// What libtorrent reads in a torrent.
pub fn describe(torrent: &Path) -> Value {
    answer(programs::script("torrent.py").arg("describe").arg(torrent))
}

fn answer(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(output.status.success(), "libtorrent: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A libtorrent peer on loopback.
#[derive(Debug)]
pub struct Peer {
    /// The program.
    pub program: Running,
    /// Where it listens, `ip:port`.
    pub listen: String,
}

impl Peer {
    /// Starts one on `torrent`, whose folder lies or shall lie in `folder`.
    pub fn start(torrent: &Path, folder: &Path, peers: &[&str], options: &[&str]) -> Self {
        let mut script = programs::script("peer.py");
        script.args([torrent, folder]).args(options);
        for peer in peers {
            script.args(["--peer", peer]);
        }
        let mut program = Running::start("libtorrent", &mut script);
        let ready = program.wait_for_json(Duration::from_secs(60), "ready");
        Self { program, listen: ready["listen"].as_str().unwrap().to_owned() }
    }

    /// A peer that has everything in `folder` and stays.
    pub fn seed(torrent: &Path, folder: &Path) -> Self {
        Self::start(torrent, folder, &[], &["--trust", "--stay"])
    }

    /// Waits until it has everything, and until every byte of it is on disk.
    pub fn complete(&mut self, limit: Duration) -> Value {
        self.program.wait_for_json(limit, "complete");
        self.program.wait_for_json(Duration::from_secs(20), "closed")
    }
}
