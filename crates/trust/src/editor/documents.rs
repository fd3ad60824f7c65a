//! The three documents below the root, as they lie in a repository: read along their chain, signed anew, written with the
//! timestamp last, so that a reader sees the old ones or the new ones.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::Path;

use chrono::{DateTime, Utc};
use tough::schema::{Root, Snapshot, Targets, Timestamp};

use crate::role::{self, Signers};
use crate::{EditError, disk, limits};

/// What stands on disk, verified.
pub(super) struct Documents {
    pub(super) targets: Targets,
    pub(super) targets_bytes: Vec<u8>,
    pub(super) snapshot: Snapshot,
    pub(super) timestamp: Timestamp,
}

impl Documents {
    /// Reads along the chain timestamp, snapshot, targets. The online documents may still be signed by the keys of the
    /// previous root, if an exchange of keys was cut off after the new root was written.
    pub(super) fn read(repo: &Path, root: &Root, previous: Option<&Root>) -> Result<Self, EditError> {
        let mut roots = vec![root];
        roots.extend(previous);
        let file = "timestamp.json".to_owned();
        let bytes = read_metadata(repo, &file, limits::TIMESTAMP_BYTES_MAX)?;
        let timestamp: Timestamp = role::open(&file, &bytes, &roots)?;
        let file = format!("{}.snapshot.json", listed(&timestamp.meta, "snapshot.json")?);
        let bytes = read_metadata(repo, &file, limits::SNAPSHOT_BYTES_MAX)?;
        let snapshot: Snapshot = role::open(&file, &bytes, &roots)?;
        let file = format!("{}.targets.json", listed(&snapshot.meta, "targets.json")?);
        let targets_bytes = read_metadata(repo, &file, limits::TARGETS_BYTES_MAX)?;
        let targets: Targets = role::open(&file, &targets_bytes, &roots)?;
        Ok(Self { targets, targets_bytes, snapshot, timestamp })
    }

    /// Which of them a root with other keys does not accept: the targets, and the two short-lived ones.
    pub(super) fn strange_to(&self, repo: &Path, root: &Root) -> Result<Strange, EditError> {
        let file = "timestamp.json";
        let timestamp = read_metadata(repo, file, limits::TIMESTAMP_BYTES_MAX)?;
        let timestamp = role::open::<Timestamp>(file, &timestamp, &[root]);
        let file = format!("{}.snapshot.json", self.snapshot.version);
        let snapshot = read_metadata(repo, &file, limits::SNAPSHOT_BYTES_MAX)?;
        let snapshot = role::open::<Snapshot>(&file, &snapshot, &[root]);
        let targets = role::open::<Targets>("targets.json", &self.targets_bytes, &[root]);
        Ok(Strange { targets: targets.is_err(), online: timestamp.is_err() || snapshot.is_err() })
    }

    /// The next documents, signed but not written. The targets only `with_targets`.
    pub(super) fn renewed(
        &self,
        signers: &Signers<'_>,
        now: DateTime<Utc>,
        with_targets: bool,
    ) -> Result<Renewed, EditError> {
        let mut targets = self.targets.clone();
        let mut kept = Some(self.targets_bytes.clone());
        if with_targets {
            targets.version = role::next(targets.version)?;
            targets.expires = role::expiry(now, limits::TARGETS_LIFE_DAYS)?;
            kept = None;
        }
        let versions = (role::next(self.snapshot.version)?, role::next(self.timestamp.version)?);
        Renewed::sign(signers, targets, kept, versions, now)
    }
}

/// What has to be signed anew for a root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strange {
    pub(super) targets: bool,
    pub(super) online: bool,
}

/// Documents ready to be written.
pub(super) struct Renewed {
    pub(super) documents: Documents,
    targets_changed: bool,
    snapshot_bytes: Vec<u8>,
    timestamp_bytes: Vec<u8>,
}

impl Renewed {
    /// Signs the chain from the targets upwards. `kept` are the bytes of targets that stay as they are.
    pub(super) fn sign(
        signers: &Signers<'_>,
        targets: Targets,
        kept: Option<Vec<u8>>,
        (snapshot_version, timestamp_version): (NonZeroU64, NonZeroU64),
        now: DateTime<Utc>,
    ) -> Result<Self, EditError> {
        let targets_changed = kept.is_none();
        let targets_bytes = match kept {
            Some(bytes) => bytes,
            None => signers.sign(targets.clone())?,
        };
        let snapshot = role::new_snapshot(snapshot_version, now, targets.version, &targets_bytes)?;
        let snapshot_bytes = signers.sign(snapshot.clone())?;
        let timestamp = role::new_timestamp(timestamp_version, now, snapshot_version, &snapshot_bytes)?;
        let timestamp_bytes = signers.sign(timestamp.clone())?;
        let documents = Documents { targets, targets_bytes, snapshot, timestamp };
        Ok(Self { documents, targets_changed, snapshot_bytes, timestamp_bytes })
    }

    /// Whether a player who knows only this root would take them.
    pub(super) fn is_accepted_by(&self, root: &Root) -> bool {
        role::open::<Targets>("targets.json", &self.documents.targets_bytes, &[root]).is_ok()
            && role::open::<Snapshot>("snapshot.json", &self.snapshot_bytes, &[root]).is_ok()
            && role::open::<Timestamp>("timestamp.json", &self.timestamp_bytes, &[root]).is_ok()
    }

    /// Writes the chain, the timestamp last.
    pub(super) fn write(self, repo: &Path) -> Result<Documents, EditError> {
        let metadata = repo.join("metadata");
        if self.targets_changed {
            let file = format!("{}.targets.json", self.documents.targets.version);
            disk::replace(&metadata.join(file), &self.documents.targets_bytes)?;
        }
        let file = format!("{}.snapshot.json", self.documents.snapshot.version);
        disk::replace(&metadata.join(file), &self.snapshot_bytes)?;
        disk::replace(&metadata.join("timestamp.json"), &self.timestamp_bytes)?;
        Ok(self.documents)
    }
}

pub(super) fn read_metadata(repo: &Path, file: &str, limit: u64) -> Result<Vec<u8>, EditError> {
    Ok(disk::read(&repo.join("metadata").join(file), limit)?)
}

fn listed(meta: &HashMap<String, tough::schema::Metafile>, file: &str) -> Result<NonZeroU64, EditError> {
    let damaged = || EditError::Damaged { file: file.to_owned(), reason: "it is not listed".to_owned() };
    meta.get(file).map(|entry| entry.version).ok_or_else(damaged)
}
