//! Whose programs run, and the words they are started with.

use super::{Context, netns::Node};
use crate::{failure::Failure, place};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The port at which every peer listens.
pub(super) const PEER_PORT: u16 = 6881;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// `muster torrent get`.
    Ours,
    /// libtorrent as it comes, but for discovery.
    LibtorrentDefault,
    /// libtorrent with the best settings we know for a flash crowd.
    LibtorrentTuned,
    /// libtorrent over TCP, on a v1 torrent of the same files.
    LibtorrentV1,
    /// libtorrent over TCP.
    LibtorrentV2,
    /// rqbit on a v1 torrent of the same files.
    Rqbit,
    /// aria2 on a v1 torrent of the same files.
    Aria2,
    /// curl from nginx; where the processor is measured, with a SHA-256 of what it wrote.
    Curl,
}

const ALL: [(Client, &str); 8] = [
    (Client::Ours, "ours"),
    (Client::LibtorrentDefault, "libtorrent"),
    (Client::LibtorrentTuned, "libtorrent-tuned"),
    (Client::LibtorrentV1, "libtorrent-v1"),
    (Client::LibtorrentV2, "libtorrent-v2"),
    (Client::Rqbit, "rqbit-v1"),
    (Client::Aria2, "aria2-v1"),
    (Client::Curl, "curl"),
];

impl Client {
    /// By the name on the command line.
    pub(super) fn named(name: &str) -> Result<Self, Failure> {
        let found = ALL.iter().find(|(_, known)| *known == name);
        found.map(|(client, _)| *client).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|(_, name)| *name).collect();
            Failure::Unexpected { what: format!("no client {name}; there are {}", names.join(", ")) }
        })
    }

    pub(super) fn name(self) -> &'static str {
        ALL.iter().find(|(client, _)| *client == self).map_or("?", |(_, name)| name)
    }

    /// What makes two runs of it runs of the same thing.
    pub(super) fn identity(self, context: &Context) -> String {
        match self {
            Self::Ours => context.muster_identity.clone(),
            Self::Rqbit => super::rqbit::VERSION.to_owned(),
            Self::Aria2 | Self::Curl => "Debian".to_owned(),
            _ => context.libtorrent.clone(),
        }
    }

    /// Whether it waits for a line before it takes up its torrent, so that slow starters lose nothing.
    pub(super) fn waits_for_word(self) -> bool {
        self.profile().is_some()
    }

    /// The settings of `bench_peer.py`, where that is the program.
    fn profile(self) -> Option<&'static str> {
        match self {
            Self::LibtorrentDefault => Some("default"),
            Self::LibtorrentTuned => Some("tuned"),
            Self::LibtorrentV1 | Self::LibtorrentV2 => Some("tcp"),
            _ => None,
        }
    }
}

/// What one peer shall do.
#[derive(Debug, Clone, Default)]
pub(super) struct Job {
    pub(super) torrent: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) home: PathBuf,
    /// Its port at its node's address, where not the usual one.
    pub(super) listen: Option<String>,
    pub(super) tracker: Option<String>,
    pub(super) web_seed: Option<String>,
    pub(super) peers: Vec<String>,
    /// All data is there.
    pub(super) trust: bool,
    /// Caps in bytes a second.
    pub(super) limit_up: Option<u64>,
    pub(super) limit_down: Option<u64>,
    /// More connections than they open by themselves.
    pub(super) connections: Option<u64>,
    /// Further words for `muster`.
    pub(super) our_words: &'static [&'static str],
}

impl Job {
    /// The peer at `node`: ours or libtorrent; stays when complete.
    pub(super) fn command(&self, client: Client, node: &Node, context: &Context) -> Command {
        let listen = self.listen.clone().unwrap_or_else(|| format!("{}:{PEER_PORT}", node.ip));
        let mut command = match client.profile() {
            Some(profile) => self.libtorrent(node, &listen, profile),
            None => self.muster(node, &listen, &context.muster),
        };
        if let Some(connections) = self.connections {
            command.args(["--connections", &connections.to_string()]);
        }
        for (word, value) in [("--tracker", &self.tracker), ("--web-seed", &self.web_seed)] {
            if let Some(value) = value {
                command.args([word, value]);
            }
        }
        for (word, value) in [("--limit-up", self.limit_up), ("--limit-down", self.limit_down)] {
            if let Some(value) = value {
                command.args([word, &value.to_string()]);
            }
        }
        for peer in &self.peers {
            command.args(["--peer", peer]);
        }
        if self.trust {
            command.arg("--trust");
        }
        command
    }

    fn muster(&self, node: &Node, listen: &str, muster: &Path) -> Command {
        let mut command = node.command(muster);
        place::at_home(&mut command, &self.home);
        command.args(["torrent", "get"]).arg(&self.torrent).arg("--dir").arg(&self.folder);
        command.args(["--listen", listen, "--no-lan", "--stay", "--json"]).args(self.our_words);
        command
    }

    fn libtorrent(&self, node: &Node, listen: &str, profile: &str) -> Command {
        let mut command = node.command(place::from_venv("python"));
        command.args(["-W", "ignore"]).arg(place::root().join("tests/interop/bench_peer.py"));
        command.arg(&self.torrent).arg(&self.folder).args(["--listen", listen, "--profile", profile]);
        command
    }
}
