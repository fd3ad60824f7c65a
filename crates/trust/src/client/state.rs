//! What a client has verified and must never go behind: kept as one file, so that it is replaced in one step.
//!
//! The documents are the library's own, as text. While it loads, the library works on a scratch copy of them; its record
//! of the latest known time is not among them, because one wrong clock would shut it out for ever.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError};
use crate::limits::STATE_BYTES_MAX;

const FILE: &str = "trusted.json";
const FORMAT: u32 = 1;

/// The newest verified documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    format: u32,
    pub(super) root: String,
    pub(super) timestamp: Option<String>,
    pub(super) snapshot: Option<String>,
    pub(super) targets: Option<String>,
}

impl State {
    /// Reads the state. `None` if there is none, or none that can be read: both are missing state to the caller.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, DiskError> {
        let Some(bytes) = disk::read_optional(&folder.join(FILE), STATE_BYTES_MAX)? else { return Ok(None) };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(state) if state.format == FORMAT => Ok(Some(state)),
            Ok(state) => {
                tracing::warn!(format = state.format, "trust state of another format");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%error, "trust state cannot be read");
                Ok(None)
            }
        }
    }

    /// True if it stems from a load that succeeded; a root alone may be what a failed one left.
    pub(super) fn is_whole(&self) -> bool {
        self.targets.is_some()
    }

    /// Replaces the state on disk.
    pub(super) fn write(&self, folder: &Path) -> Result<(), DiskError> {
        disk::create_folder(folder, true)?;
        let bytes = serde_json::to_vec(self)
            .map_err(|error| DiskError { path: folder.join(FILE), source: error.into() })?;
        disk::replace(&folder.join(FILE), &bytes)
    }

    /// Lays the documents out as the library wants them.
    pub(super) fn unpack(&self, scratch: &Path) -> Result<(), DiskError> {
        for (file, text) in [
            ("timestamp.json", &self.timestamp),
            ("snapshot.json", &self.snapshot),
            ("targets.json", &self.targets),
        ] {
            if let Some(text) = text {
                disk::replace(&scratch.join(file), text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Collects what the library left after a load that succeeded.
    pub(super) fn pack(scratch: &Path) -> Result<Option<Self>, DiskError> {
        let Some(root) = document(scratch, "root.json")? else { return Ok(None) };
        Ok(Some(Self {
            format: FORMAT,
            root,
            timestamp: document(scratch, "timestamp.json")?,
            snapshot: document(scratch, "snapshot.json")?,
            targets: document(scratch, "targets.json")?,
        }))
    }

    /// What may be kept of a load that failed: its root, which the library stores only once verified, and `before`'s
    /// other documents as far as that root did not make the library drop them.
    pub(super) fn salvage(scratch: &Path, before: Option<&Self>) -> Result<Option<Self>, DiskError> {
        let Some(after) = Self::pack(scratch)? else { return Ok(None) };
        let keep = |after: &Option<String>, before: Option<&String>| after.as_ref().and(before.cloned());
        Ok(Some(Self {
            timestamp: keep(&after.timestamp, before.and_then(|state| state.timestamp.as_ref())),
            snapshot: keep(&after.snapshot, before.and_then(|state| state.snapshot.as_ref())),
            targets: keep(&after.targets, before.and_then(|state| state.targets.as_ref())),
            ..after
        }))
    }
}

fn document(scratch: &Path, file: &str) -> Result<Option<String>, DiskError> {
    let path = scratch.join(file);
    let Some(bytes) = disk::read_optional(&path, STATE_BYTES_MAX)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| DiskError {
        path,
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    })
}
