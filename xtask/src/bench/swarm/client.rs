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
}

const ALL: [(Client, &str); 3] = [
    (Client::Ours, "ours"),
    (Client::LibtorrentDefault, "libtorrent"),
    (Client::LibtorrentTuned, "libtorrent-tuned"),
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
            Self::LibtorrentDefault | Self::LibtorrentTuned => context.libtorrent.clone(),
        }
    }

    /// Whether it waits for a line before it takes up its torrent, so that slow starters lose nothing.
    pub(super) fn waits_for_word(self) -> bool {
        self != Self::Ours
    }
}

/// What one peer shall do.
#[derive(Debug, Clone, Default)]
pub(super) struct Job {
    pub(super) torrent: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) home: PathBuf,
    pub(super) tracker: Option<String>,
    pub(super) web_seed: Option<String>,
    /// All data is there.
    pub(super) trust: bool,
    /// Further words for `muster`.
    pub(super) our_words: &'static [&'static str],
}

impl Job {
    /// The peer at `node`; stays when complete.
    pub(super) fn command(&self, client: Client, node: &Node, context: &Context) -> Command {
        let listen = format!("{}:{PEER_PORT}", node.ip);
        let mut command = match client {
            Client::Ours => self.muster(node, &listen, &context.muster),
            Client::LibtorrentDefault => self.libtorrent(node, &listen, "default"),
            Client::LibtorrentTuned => self.libtorrent(node, &listen, "tuned"),
        };
        for (word, value) in [("--tracker", &self.tracker), ("--web-seed", &self.web_seed)] {
            if let Some(value) = value {
                command.args([word, value]);
            }
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
