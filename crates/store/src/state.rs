//! `.muster/state.json`: whose folder this is. Versioned; keys that a newer program added within
//! the same format are kept when we write it back.

use crate::{
    error::{Result, StoreError},
    tree::Tree,
};
use release::{
    hash::Hash32,
    id::{ChannelName, GameId},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

const FILE: &str = "state.json";
/// The newest format that this program reads and the one it writes.
pub const FORMAT: u64 = 1;
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a game folder remembers of where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderState {
    /// [`FORMAT`].
    pub format: u64,
    /// The repository it was installed from.
    pub repository_url: String,
    /// SHA-256 of the pinned TUF root.
    pub root_sha256: Hash32,
    /// Where that root lies: a path for this machine, or empty where only the hash is pinned.
    #[serde(default)]
    pub root_path: String,
    /// The game.
    pub game: GameId,
    /// The channel it follows.
    pub channel: ChannelName,
    /// Newest metadata accepted here.
    #[serde(default)]
    pub seen: Seen,
    /// What a newer program wrote; kept.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Highest versions of signed documents that this folder was brought to; older ones are a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Seen {
    /// TUF root.
    #[serde(default)]
    pub root: u64,
    /// TUF timestamp.
    #[serde(default)]
    pub timestamp: u64,
    /// TUF snapshot.
    #[serde(default)]
    pub snapshot: u64,
    /// TUF targets.
    #[serde(default)]
    pub targets: u64,
    /// Sequence of the channel.
    #[serde(default)]
    pub channel_sequence: u64,
}

/// Whether this program knows the format of a file of ours, asked before anything else in it is read: what a newer program
/// wrote may look like damage otherwise.
pub(crate) fn check_format(path: &Path, bytes: &[u8], known: u64) -> Result<()> {
    #[derive(Deserialize)]
    struct Head {
        format: u64,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| StoreError::broken(path, error))?;
    if head.format > known {
        return Err(StoreError::StateTooNew { path: path.to_owned(), found: head.format, known });
    }
    Ok(())
}

impl FolderState {
    /// For a new folder.
    #[must_use]
    pub fn new(repository_url: String, root_sha256: Hash32, game: GameId, channel: ChannelName) -> Self {
        Self {
            format: FORMAT,
            repository_url,
            root_sha256,
            root_path: String::new(),
            game,
            channel,
            seen: Seen::default(),
            other: Map::new(),
        }
    }

    pub(crate) fn load(tree: &Tree) -> Result<Option<Self>> {
        let path = tree.state(FILE);
        let Some(bytes) = tree.disk.read(&path, BYTES_MAX)? else { return Ok(None) };
        check_format(&path, &bytes, FORMAT)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::broken(&path, error))
    }

    pub(crate) fn save(&self, tree: &Tree) -> Result<()> {
        let path = tree.state(FILE);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| StoreError::broken(&path, error))?;
        tree.disk.write_atomic(&path, &bytes)
    }

    pub(crate) fn remove(tree: &Tree) -> Result<()> {
        tree.disk.remove_file(&tree.state(FILE)).map(|_| ())
    }
}
