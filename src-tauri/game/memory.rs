//! Where the game stood when it was last seen, so that a drive that is not connected is not taken for "not installed".

use crate::files;
use std::{collections::BTreeSet, io, path::PathBuf};

/// The longest list read back, in bytes.
const FILE_MAX: u64 = 256 * 1024;

/// The folders in which this game was seen installed.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    dirs: BTreeSet<String>,
}

impl Memory {
    /// Reads the list; an unreadable one is an empty one.
    pub(crate) fn load(path: PathBuf) -> Self {
        let bytes = files::read(&path, FILE_MAX).ok().flatten();
        let dirs = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { path, dirs }
    }

    /// Whether the game was seen in `dir`.
    pub(crate) fn knows(&self, dir: &str) -> bool {
        self.dirs.contains(dir)
    }

    /// The game stands in `dir`.
    pub(crate) fn note(&mut self, dir: &str) -> io::Result<()> {
        if self.dirs.insert(dir.to_owned()) { self.save() } else { Ok(()) }
    }

    /// The game is gone from `dir`, as it should.
    pub(crate) fn forget(&mut self, dir: &str) -> io::Result<()> {
        if self.dirs.remove(dir) { self.save() } else { Ok(()) }
    }

    fn save(&self) -> io::Result<()> {
        files::replace(&self.path, &serde_json::to_vec(&self.dirs)?)
    }
}
