//! The other side: libtorrent as a maker and reader of torrents; libtorrent and qBittorrent as peers.

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

/// Somebody else's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// The newer libtorrent.
    Libtorrent21,
    /// The older one, which most clients are built on.
    Libtorrent20,
    /// qBittorrent without a window.
    Qbittorrent,
}

impl Client {
    fn script(self) -> Command {
        match self {
            Self::Libtorrent21 => programs::script("peer.py"),
            Self::Libtorrent20 => programs::script_of_libtorrent_2_0("peer.py"),
            Self::Qbittorrent => programs::script("qbittorrent.py"),
        }
    }

    fn is_version(self, version: &str) -> bool {
        match self {
            Self::Libtorrent21 => version.starts_with("2.1."),
            Self::Libtorrent20 => version.starts_with("2.0."),
            Self::Qbittorrent => version.starts_with('v'),
        }
    }
}

/// Somebody else's peer on loopback.
#[derive(Debug)]
pub struct Peer {
    /// The program.
    pub program: Running,
    /// Where it listens, `ip:port`.
    pub listen: String,
}

impl Peer {
    /// Starts libtorrent 2.1 on `torrent`, whose folder lies or shall lie in `folder`.
    pub fn start(torrent: &Path, folder: &Path, peers: &[&str], options: &[&str]) -> Self {
        Self::start_as(Client::Libtorrent21, torrent, folder, peers, options)
    }

    /// The same with any program; fails if it is not the one that is meant.
    pub fn start_as(client: Client, torrent: &Path, folder: &Path, peers: &[&str], options: &[&str]) -> Self {
        let mut script = client.script();
        script.args([torrent, folder]).args(options);
        for peer in peers {
            script.args(["--peer", peer]);
        }
        let mut program = Running::start(&format!("{client:?}"), &mut script);
        let ready = program.wait_for_json(Duration::from_secs(60), "ready");
        let version = ready["version"].as_str().unwrap();
        assert!(client.is_version(version), "{client:?} is {version}");
        Self { program, listen: ready["listen"].as_str().unwrap().to_owned() }
    }

    /// A peer that has everything in `folder` and stays.
    pub fn seed(torrent: &Path, folder: &Path) -> Self {
        Self::seed_as(Client::Libtorrent21, torrent, folder)
    }

    /// The same with any program.
    pub fn seed_as(client: Client, torrent: &Path, folder: &Path) -> Self {
        Self::start_as(client, torrent, folder, &[], &["--trust", "--stay"])
    }

    /// Waits until it has everything, and until every byte of it is on disk.
    pub fn complete(&mut self, limit: Duration) -> Value {
        self.program.wait_for_json(limit, "complete");
        self.program.wait_for_json(Duration::from_secs(20), "closed")
    }

    /// Waits until one that stays has everything.
    pub fn wait_complete(&mut self, limit: Duration) {
        self.program.wait_for_json(limit, "complete");
    }

    /// Tells one that stays to end; returns its figures, after which every byte is on disk.
    pub fn stop(&mut self) -> Value {
        self.program.tell("stop");
        self.program.wait_for_json(Duration::from_secs(20), "closed")
    }
}
