//! Changing a repository: targets are collected, then one commit writes files, targets, snapshot and, last, the
//! timestamp. Until the timestamp is replaced every reader sees the old repository, afterwards the new one.
//!
//! Invariant: versions only rise, and nothing is signed on top of metadata that does not verify.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use tough::TargetName;
use tough::schema::{Hashes, Root, Snapshot, Target, Targets, Timestamp};

use crate::keyring::{Key, Keyring};
use crate::{EditError, disk, keys, limits, name, role};

/// Name of the lock file in the repository folder.
const LOCK: &str = ".lock";

/// When each document of a repository runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiries {
    /// Root.
    pub root: DateTime<Utc>,
    /// Targets.
    pub targets: DateTime<Utc>,
    /// Snapshot.
    pub snapshot: DateTime<Utc>,
    /// Timestamp.
    pub timestamp: DateTime<Utc>,
}

/// An open repository, locked against other editors until dropped.
pub struct Editor {
    repo: PathBuf,
    keyring: Keyring,
    root: Root,
    documents: Documents,
    /// Targets put since the last commit, by name.
    staged: BTreeMap<String, Vec<u8>>,
    changed: bool,
    _lock: File,
}

/// What stands on disk, verified.
struct Documents {
    targets: Targets,
    targets_bytes: Vec<u8>,
    snapshot: Snapshot,
    timestamp: Timestamp,
}

impl Editor {
    /// Opens and verifies a repository, and reads whatever keys the keys folder holds.
    ///
    /// # Errors
    /// [`EditError::NoRepository`], [`EditError::Busy`], [`EditError::KeyInRepository`], [`EditError::Damaged`].
    pub fn open(repo_dir: &Path, keys_dir: &Path) -> Result<Self, EditError> {
        if !disk::exists(&repo_dir.join("metadata/timestamp.json"))? {
            return Err(EditError::NoRepository { path: repo_dir.to_owned() });
        }
        if disk::exists(keys_dir)? {
            keys::refuse_nested(keys_dir, repo_dir)?;
        }
        keys::refuse_keys_in_repository(repo_dir)?;
        let lock = disk::lock(&repo_dir.join(LOCK))?;
        let lock = lock.ok_or_else(|| EditError::Busy { path: repo_dir.to_owned() })?;
        let (root, previous) = read_roots(repo_dir)?;
        let documents = Documents::read(repo_dir, &root, previous.as_ref())?;
        Ok(Self {
            repo: repo_dir.to_owned(),
            keyring: Keyring::read(keys_dir)?,
            root,
            documents,
            staged: BTreeMap::new(),
            changed: false,
            _lock: lock,
        })
    }

    /// Adds or replaces a target. Nothing is written before [`Editor::commit`].
    ///
    /// # Errors
    /// [`EditError::TargetName`].
    pub fn put_target(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), EditError> {
        let target_name = target_name(name)?;
        let target = Target {
            length: bytes.len() as u64,
            hashes: Hashes { sha256: role::sha256(&bytes).into(), _extra: HashMap::new() },
            custom: HashMap::new(),
            _extra: HashMap::new(),
        };
        let before = self.documents.targets.targets.insert(target_name, target.clone());
        if before.as_ref() != Some(&target) {
            self.changed = true;
        }
        self.staged.insert(name.to_owned(), bytes);
        Ok(())
    }

    /// Adds or replaces a target whose file is not to be there yet: only its length and hash are signed. The file comes by
    /// [`Editor::release_target`], or is laid at [`Editor::target_file`] by hand.
    ///
    /// # Errors
    /// [`EditError::TargetName`].
    pub fn list_target(&mut self, name: &str, bytes: &[u8]) -> Result<(), EditError> {
        self.put_target(name, bytes.to_vec())?;
        self.staged.remove(name);
        Ok(())
    }

    /// Where the file of a listed target is, or is to be.
    ///
    /// # Errors
    /// [`EditError::TargetName`].
    pub fn target_file(&self, name: &str) -> Result<Option<PathBuf>, EditError> {
        let target = self.documents.targets.targets.get(&target_name(name)?);
        Ok(target.map(|target| self.repo.join(name::target_path(name, &target.hashes.sha256))))
    }

    /// Lays the file of a target that is listed already in its place. Nothing is signed, so no key is needed.
    ///
    /// # Errors
    /// [`EditError::Damaged`] if these are not the bytes that were signed, or none were; as the disk says.
    pub fn release_target(&self, name: &str, bytes: &[u8]) -> Result<(), EditError> {
        let damaged = |reason: &str| EditError::Damaged { file: name.to_owned(), reason: reason.to_owned() };
        let target = self.documents.targets.targets.get(&target_name(name)?);
        let target = target.ok_or_else(|| damaged("it is not listed"))?;
        if target.length != bytes.len() as u64 || role::sha256(bytes)[..] != target.hashes.sha256[..] {
            return Err(damaged("its hash is not the signed one"));
        }
        disk::replace(&self.repo.join(name::target_path(name, &target.hashes.sha256)), bytes)?;
        Ok(())
    }

    /// Takes a target out of the list. Its file stays, for readers that are under way. False if there was none.
    ///
    /// # Errors
    /// [`EditError::TargetName`].
    pub fn remove_target(&mut self, name: &str) -> Result<bool, EditError> {
        let removed = self.documents.targets.targets.remove(&target_name(name)?).is_some();
        self.staged.remove(name);
        self.changed |= removed;
        Ok(removed)
    }

    /// Finds out whether a [`Editor::commit`] could sign, so that long work before it is not in vain.
    ///
    /// # Errors
    /// [`EditError::MissingKey`], [`EditError::RootExpired`].
    pub fn rehearse(&self, now: DateTime<Utc>) -> Result<(), EditError> {
        self.refuse_expired_root(now)?;
        self.documents.renewed(&self.root, &self.keyring, now, true).map(drop)
    }

    /// Writes what was put and removed. Without changes nothing is written. True if something was.
    ///
    /// # Errors
    /// [`EditError::MissingKey`] before anything is written; [`EditError::Disk`] leaves readers with the old repository.
    pub fn commit(&mut self, now: DateTime<Utc>) -> Result<bool, EditError> {
        if !self.changed {
            return Ok(false);
        }
        self.refuse_expired_root(now)?;
        let next = self.documents.renewed(&self.root, &self.keyring, now, true)?;
        for (name, bytes) in &self.staged {
            let path = self.repo.join(name::target_path(name, &role::sha256(bytes)));
            if disk::read_optional(&path, bytes.len() as u64).ok().flatten().as_ref() != Some(bytes) {
                disk::replace(&path, bytes)?;
            }
        }
        self.documents = next.write(&self.repo)?;
        self.staged.clear();
        self.changed = false;
        Ok(true)
    }

    /// Signs snapshot and timestamp anew, so that they live longer; the targets too when they are about to run out and
    /// their key is at hand. Changes that were put but not committed are not touched.
    ///
    /// # Errors
    /// As [`Editor::commit`].
    pub fn refresh(&mut self, now: DateTime<Utc>) -> Result<(), EditError> {
        self.refuse_expired_root(now)?;
        let due = self.expiries().targets - now < TimeDelta::days(limits::TARGETS_RENEW_DAYS);
        let renewed = match self.documents.renewed(&self.root, &self.keyring, now, due && !self.changed) {
            Err(EditError::MissingKey { role, .. }) if role == "targets" => {
                tracing::warn!("the targets are about to expire and their key is not here");
                self.documents.renewed(&self.root, &self.keyring, now, false)?
            }
            other => other?,
        };
        let mut written = renewed.write(&self.repo)?;
        if self.changed {
            written.targets = self.documents.targets.clone();
        }
        self.documents = written;
        Ok(())
    }

    /// Names of all targets, put ones included, sorted.
    #[must_use]
    pub fn target_names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.documents.targets.targets.keys().map(|name| name.raw().to_owned()).collect();
        names.sort();
        names
    }

    /// A target's bytes, put ones included; `None` if there is no such target.
    ///
    /// # Errors
    /// [`EditError::Damaged`] if the file is not what was signed.
    pub fn target(&self, name: &str) -> Result<Option<Vec<u8>>, EditError> {
        if let Some(bytes) = self.staged.get(name) {
            return Ok(Some(bytes.clone()));
        }
        let Some(target) = self.documents.targets.targets.get(&target_name(name)?) else { return Ok(None) };
        let path = self.repo.join(name::target_path(name, &target.hashes.sha256));
        let bytes = disk::read(&path, target.length)?;
        if role::sha256(&bytes)[..] != target.hashes.sha256[..] {
            let reason = "its hash is not the signed one".to_owned();
            return Err(EditError::Damaged { file: name.to_owned(), reason });
        }
        Ok(Some(bytes))
    }

    /// When the documents on disk run out.
    #[must_use]
    pub fn expiries(&self) -> Expiries {
        Expiries {
            root: role::moment(self.root.expires),
            targets: role::moment(self.documents.targets.expires),
            snapshot: role::moment(self.documents.snapshot.expires),
            timestamp: role::moment(self.documents.timestamp.expires),
        }
    }

    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// Signs a new root: it must satisfy the present root and itself.
    pub(crate) fn sign_root(&self, new: &Root) -> Result<Vec<u8>, EditError> {
        let bytes = role::sign(new.clone(), new, &self.keyring)?;
        role::open::<Root>("the new root", &bytes, &[&self.root])?;
        Ok(bytes)
    }

    /// Writes a root made by [`Editor::sign_root`] and goes on with it and its new key.
    pub(crate) fn adopt_root(&mut self, root: Root, bytes: &[u8], key: Key) -> Result<(), EditError> {
        disk::replace(&self.repo.join(format!("metadata/{}.root.json", root.version)), bytes)?;
        self.root = root;
        self.keyring.push(key);
        Ok(())
    }

    fn refuse_expired_root(&self, now: DateTime<Utc>) -> Result<(), EditError> {
        let expired = self.expiries().root;
        if expired <= now {
            return Err(EditError::RootExpired { expired: role::rfc3339(expired) });
        }
        Ok(())
    }
}

/// Writes the first, empty documents of a repository; returns the signed root.
pub(crate) fn create(
    repo_dir: &Path,
    root: &Root,
    keyring: &Keyring,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, EditError> {
    let one = NonZeroU64::MIN;
    let root_bytes = role::sign(root.clone(), root, keyring)?;
    let targets = role::new_targets(one, now)?;
    let first = Renewed::sign(root, keyring, targets, None, (one, one), now)?;
    disk::create_folder(&repo_dir.join("metadata"), false)?;
    disk::create_folder(&repo_dir.join("targets"), false)?;
    disk::replace(&repo_dir.join(LOCK), b"")?;
    disk::replace(&repo_dir.join("metadata/1.root.json"), &root_bytes)?;
    first.write(repo_dir)?;
    Ok(root_bytes)
}

impl Documents {
    /// Reads along the chain timestamp, snapshot, targets. The online documents may still be signed by the keys of the
    /// previous root, if an exchange of keys was cut off after the new root was written.
    fn read(repo: &Path, root: &Root, previous: Option<&Root>) -> Result<Self, EditError> {
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

    /// The next documents, signed but not written. The targets only `with_targets`.
    fn renewed(
        &self,
        root: &Root,
        keyring: &Keyring,
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
        Renewed::sign(root, keyring, targets, kept, versions, now)
    }
}

/// Documents ready to be written.
struct Renewed {
    documents: Documents,
    targets_changed: bool,
    snapshot_bytes: Vec<u8>,
    timestamp_bytes: Vec<u8>,
}

impl Renewed {
    /// Signs the chain from the targets upwards. `kept` are the bytes of targets that stay as they are.
    fn sign(
        root: &Root,
        keyring: &Keyring,
        targets: Targets,
        kept: Option<Vec<u8>>,
        (snapshot_version, timestamp_version): (NonZeroU64, NonZeroU64),
        now: DateTime<Utc>,
    ) -> Result<Self, EditError> {
        let targets_changed = kept.is_none();
        let targets_bytes = match kept {
            Some(bytes) => bytes,
            None => role::sign(targets.clone(), root, keyring)?,
        };
        let snapshot = role::new_snapshot(snapshot_version, now, targets.version, &targets_bytes)?;
        let snapshot_bytes = role::sign(snapshot.clone(), root, keyring)?;
        let timestamp = role::new_timestamp(timestamp_version, now, snapshot_version, &snapshot_bytes)?;
        let timestamp_bytes = role::sign(timestamp.clone(), root, keyring)?;
        let documents = Documents { targets, targets_bytes, snapshot, timestamp };
        Ok(Self { documents, targets_changed, snapshot_bytes, timestamp_bytes })
    }

    /// Writes the chain, the timestamp last.
    fn write(self, repo: &Path) -> Result<Documents, EditError> {
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

/// The newest root, which must be signed by its own keys, and the one before it.
fn read_roots(repo: &Path) -> Result<(Root, Option<Root>), EditError> {
    let (files, _) = disk::list(&repo.join("metadata"))?;
    let version =
        |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".root.json")?.parse::<u64>().ok();
    let newest = files.iter().filter_map(version).max();
    let newest = newest.ok_or_else(|| EditError::NoRepository { path: repo.to_owned() })?;
    let root = read_root(repo, newest)?;
    let previous = if newest > 1 { Some(read_root(repo, newest - 1)?) } else { None };
    Ok((root, previous))
}

fn read_root(repo: &Path, version: u64) -> Result<Root, EditError> {
    let file = format!("{version}.root.json");
    let bytes = read_metadata(repo, &file, limits::ROOT_BYTES_MAX)?;
    let damaged = |reason: String| EditError::Damaged { file: file.clone(), reason };
    let signed: tough::schema::Signed<Root> =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    signed.signed.verify_role(&signed).map_err(|error| damaged(error.to_string()))?;
    if signed.signed.version.get() != version {
        return Err(damaged("its version is not that of its name".to_owned()));
    }
    Ok(signed.signed)
}

fn read_metadata(repo: &Path, file: &str, limit: u64) -> Result<Vec<u8>, EditError> {
    Ok(disk::read(&repo.join("metadata").join(file), limit)?)
}

fn listed(meta: &HashMap<String, tough::schema::Metafile>, file: &str) -> Result<NonZeroU64, EditError> {
    let damaged = || EditError::Damaged { file: file.to_owned(), reason: "it is not listed".to_owned() };
    meta.get(file).map(|entry| entry.version).ok_or_else(damaged)
}

fn target_name(name: &str) -> Result<TargetName, EditError> {
    name::check(name)?;
    TargetName::new(name).map_err(|_| EditError::TargetName { name: name.to_owned() })
}
