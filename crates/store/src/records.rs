//! What we know of installed files without reading them: path, pieces root, and the stamp the
//! file bore when its bytes were hashed.
//!
//! A cache: if it is lost or unreadable, files are hashed again. A record is believed only while
//! the file still bears the stamp, so a changed file is neither kept nor served.

use crate::{
    error::Result,
    fs::{Meta, Stamp},
    tree::Tree,
};
use release::{hash::Hash32, path::GamePath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FILE: &str = "verified.json";
const FORMAT: u64 = 1;
/// Records of 200,000 files with long paths fit.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What a file's bytes were when they were last hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Root of its bytes; `None` when it is empty.
    pub pieces_root: Option<Hash32>,
    /// What it looked like then.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record {
    /// Of a file that is known to be ours and is not what it should be: no file ever bears it.
    pub(crate) const OF_NOTHING: Self = Self {
        pieces_root: None,
        stamp: Stamp { size: 0, modified_seconds: i64::MIN, modified_nanos: 0, inode: 0 },
    };
}

/// Records by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    format: u64,
    files: BTreeMap<GamePath, Record>,
}

impl Records {
    /// Reads them; none where they are absent or unreadable, which only costs hashing.
    pub(crate) fn load(tree: &Tree) -> Result<Self> {
        let path = tree.state(FILE);
        let Some(bytes) = tree.disk.read(&path, BYTES_MAX)? else { return Ok(Self::default()) };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(records) if records.format == FORMAT => Ok(records),
            Ok(records) => {
                tracing::warn!(path = %path.display(), format = records.format, "unknown format: files will be hashed again");
                Ok(Self::default())
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "unreadable: files will be hashed again");
                Ok(Self::default())
            }
        }
    }

    pub(crate) fn save(&mut self, tree: &Tree) -> Result<()> {
        self.format = FORMAT;
        let path = tree.state(FILE);
        let bytes = serde_json::to_vec(self).map_err(|error| crate::StoreError::broken(&path, error))?;
        tree.disk.write_atomic(&path, &bytes)
    }

    pub(crate) fn insert(&mut self, path: GamePath, record: Record) {
        self.files.insert(path, record);
    }

    pub(crate) fn remove(&mut self, path: &GamePath) {
        self.files.remove(path);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&GamePath) -> bool) {
        self.files.retain(|path, _| keep(path));
    }

    /// The record of a file.
    #[must_use]
    pub fn get(&self, path: &GamePath) -> Option<&Record> {
        self.files.get(path)
    }

    /// The record of a file that still looks as it did.
    #[must_use]
    pub fn valid(&self, path: &GamePath, meta: &Meta) -> Option<&Record> {
        self.files.get(path).filter(|record| record.stamp == meta.stamp)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&GamePath, &Record)> {
        self.files.iter()
    }
}
