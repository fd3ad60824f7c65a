//! What a client has verified and must never go behind: kept as one file, so that it is replaced in one step.
//!
//! The documents are the library's own, as text. While it loads, the library works on a scratch copy of them; its record
//! of the latest known time is not among them, because one wrong clock would shut it out for ever.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError};
use crate::limits::STATE_BYTES_MAX;

const FILE: &str = "trusted.json";
/// Held while the file is compared and replaced.
const LOCK: &str = "lock";
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
    /// Every root that `root` is known to descend from, itself included, by [`crate::role::identity`]. A caller that trusts one of
    /// them means this state.
    #[serde(default)]
    pub(super) lineage: BTreeSet<String>,
}

/// What lies in the folder.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing: this repository was never read here, or the folder was cleared.
    Nothing,
    /// Something that is no state of ours: torn, damaged, or of another version of the program.
    Unreadable,
    /// The state.
    Whole(State),
}

impl Found {
    pub(super) fn state(self) -> Option<State> {
        match self {
            Self::Whole(state) => Some(state),
            Self::Nothing | Self::Unreadable => None,
        }
    }
}

impl State {
    /// Reads the state.
    pub(super) fn read(folder: &Path) -> Result<Found, DiskError> {
        let bytes = match disk::read_optional(&folder.join(FILE), STATE_BYTES_MAX) {
            Ok(None) => return Ok(Found::Nothing),
            Ok(Some(bytes)) => bytes,
            Err(error) if error.source.kind() == ErrorKind::FileTooLarge => return Ok(Found::Unreadable),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(state) if state.format == FORMAT => return Ok(Found::Whole(state)),
            Ok(state) => tracing::warn!(format = state.format, "trust state of another format"),
            Err(error) => tracing::warn!(%error, "trust state cannot be read"),
        }
        Ok(Found::Unreadable)
    }

    /// True if it stems from a load that succeeded; a root alone may be what a failed one left.
    pub(super) fn is_whole(&self) -> bool {
        self.targets.is_some()
    }

    /// Replaces the state on disk, which was `before` when this load began. Another load may have replaced it since: what
    /// is newer stays.
    pub(super) fn write(&self, folder: &Path, before: Option<&Self>) -> Result<(), DiskError> {
        disk::create_folder(folder, true)?;
        let _lock = disk::wait_for_lock(&folder.join(LOCK))?;
        let now = Self::read(folder)?.state();
        if now.as_ref() != before && now.is_some_and(|now| now.rank() > self.rank()) {
            return Ok(());
        }
        let bytes = serde_json::to_vec(self)
            .map_err(|error| DiskError { path: folder.join(FILE), source: error.into() })?;
        disk::replace(&folder.join(FILE), &bytes)
    }

    /// How new it is: root first, because what a revoked key signed does not count.
    fn rank(&self) -> [u64; 3] {
        let version = |text: Option<&String>| {
            let value = text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
            value.and_then(|value| value["signed"]["version"].as_u64()).unwrap_or(0)
        };
        [version(Some(&self.root)), version(self.timestamp.as_ref()), version(self.snapshot.as_ref())]
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
            lineage: BTreeSet::new(),
        }))
    }

    /// What may be kept of a load that failed. The library stores root, timestamp and snapshot only once each is verified
    /// and not older than the one before (TUF 5.3.8, 5.4.5, 5.5.8); the targets stay those of the last load that succeeded.
    pub(super) fn salvage(scratch: &Path, before: Option<&Self>) -> Result<Option<Self>, DiskError> {
        let Some(after) = Self::pack(scratch)? else { return Ok(None) };
        let targets = after.targets.as_ref().and(before.and_then(|state| state.targets.clone()));
        Ok(Some(Self { targets, ..after }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faults::{self, Fault};

    fn state(version: u64) -> State {
        let text = format!("{{\"signed\":{{\"version\":{version}}}}}");
        State {
            format: FORMAT,
            root: text.clone(),
            timestamp: Some(text.clone()),
            snapshot: Some(text.clone()),
            targets: Some(text.repeat(1000)),
            lineage: BTreeSet::from([version.to_string()]),
        }
    }

    #[test]
    fn write_that_goes_wrong_at_any_step_leaves_the_old_state_or_the_new_one() {
        let (old, new) = (state(1), state(2));
        let mut outcomes = Vec::new();
        for fault in [Fault::Fails, Fault::Killed] {
            for after in 0.. {
                let folder = tempfile::tempdir().unwrap();
                old.write(folder.path(), None).unwrap();
                faults::arm(after, fault);
                let written = new.write(folder.path(), Some(&old));
                let hit = faults::disarm();
                let found = State::read(folder.path()).unwrap().state();
                let found =
                    found.unwrap_or_else(|| panic!("{fault:?} after {after} steps: no state is left"));
                assert!(found == old || found == new, "{fault:?} after {after} steps");
                assert!(written.is_err() || found == new, "a write that succeeded is there");
                assert_eq!(written.is_err(), hit, "{fault:?} after {after} steps: a fault is said");
                // What is left over does not stand in the way of the next load.
                new.write(folder.path(), Some(&found)).unwrap();
                assert_eq!(State::read(folder.path()).unwrap().state(), Some(new.clone()));
                if !hit {
                    outcomes.push(after);
                    break;
                }
            }
        }
        assert_eq!(outcomes, [5, 5], "open, half, whole, rename, folder: each went wrong once");
    }

    #[test]
    fn older_state_does_not_replace_what_another_load_wrote_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        state(1).write(folder.path(), None).unwrap();
        state(3).write(folder.path(), Some(&state(1))).unwrap();
        state(2).write(folder.path(), Some(&state(1))).unwrap();
        assert_eq!(State::read(folder.path()).unwrap().state(), Some(state(3)));
        // But a load that began with it may go back: its root was replaced by a caller who trusts another one.
        state(2).write(folder.path(), Some(&state(3))).unwrap();
        assert_eq!(State::read(folder.path()).unwrap().state(), Some(state(2)));
    }
}
