//! Changing a repository: targets are collected, then one commit writes files, targets, snapshot and, last, the
//! timestamp. Until the timestamp is replaced every reader sees the old repository, afterwards the new one.
//!
//! Invariant: versions only rise, and nothing is signed on top of metadata that does not verify.

mod documents;
mod roots;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use tough::TargetName;
use tough::schema::decoded::{Decoded, Hex};
use tough::schema::{Hashes, Root, Signed, Target};

use crate::keyring::Keyring;
use crate::role::{self, Signers};
use crate::{EditError, disk, keys, limits, name};
use documents::{Documents, Renewed};

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
    /// From the first to the newest; never empty.
    roots: Vec<Signed<Root>>,
    documents: Documents,
    /// Targets put since the last commit, by name.
    staged: BTreeMap<String, Vec<u8>>,
    changed: bool,
    _lock: File,
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
        let roots = roots::read(repo_dir)?;
        let mut newest = roots.iter().rev().map(|root| &root.signed);
        let root = newest.next().ok_or_else(|| EditError::NoRepository { path: repo_dir.to_owned() })?;
        let documents = Documents::read(repo_dir, root, newest.next())?;
        Ok(Self {
            repo: repo_dir.to_owned(),
            keyring: Keyring::read(keys_dir)?,
            roots,
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
        self.renewed(now, true).map(drop)
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
        let next = self.renewed(now, true)?;
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
        // A root that names other keys for the targets may have been published and the rest cut off.
        let strange = self.documents.strange_to(&self.repo, self.root())?.targets;
        let due = self.expiries().targets - now < TimeDelta::days(limits::TARGETS_RENEW_DAYS);
        let renewed = match self.renewed(now, strange || (due && !self.changed)) {
            Err(EditError::MissingKey { role, .. } | EditError::KeyRevoked { role, .. })
                if role == "targets" && !strange =>
            {
                self.renewed(now, false)?
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
            root: role::moment(self.root().expires),
            targets: role::moment(self.documents.targets.expires),
            snapshot: role::moment(self.documents.snapshot.expires),
            timestamp: role::moment(self.documents.timestamp.expires),
        }
    }

    /// The newest root.
    pub(crate) fn root(&self) -> &Root {
        &self.newest().signed
    }

    /// The newest root with its signatures.
    pub(crate) fn newest(&self) -> &Signed<Root> {
        // `open` refuses a repository without a root, and nothing takes one away.
        &self.roots[self.roots.len() - 1]
    }

    /// The keys at hand.
    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether a key of this id was named for anything in an earlier root.
    pub(crate) fn was_named(&self, id: &Decoded<Hex>) -> bool {
        self.roots.iter().any(|root| root.signed.keys.contains_key(id))
    }

    /// Goes on with a new root, which must be accepted by the newest one and by itself; if it is the newest already, only
    /// what was left undone is done. What it does not accept is signed anew, by the old keys too where they are at hand:
    /// then there is no moment at which a player meets what they must refuse.
    pub(crate) fn adopt_root(
        &mut self,
        next: Signed<Root>,
        now: DateTime<Utc>,
    ) -> Result<Adopted, EditError> {
        let (old, new) = (self.root().clone(), next.signed.clone());
        let strange = self.documents.strange_to(&self.repo, &new)?;
        let renewed = if strange.targets || strange.online {
            let both = Signers { root: &new, also: Some(&old), keyring: &self.keyring };
            let renewed = self.documents.renewed(&both, now, strange.targets);
            Some(renewed.map_err(|error| self.explained(error, &new))?)
        } else {
            None
        };
        let bytes = role::encode(&next)?;
        let root_file = self.repo.join(format!("metadata/{}.root.json", new.version));
        let seamless = renewed.as_ref().is_none_or(|renewed| renewed.is_accepted_by(&old));
        if !seamless && new.version > old.version {
            disk::replace(&root_file, &bytes)?;
        }
        if let Some(renewed) = renewed {
            self.documents = renewed.write(&self.repo)?;
        }
        if new.version > old.version {
            if seamless {
                disk::replace(&root_file, &bytes)?;
            }
            self.roots.push(next);
        }
        Ok(Adopted { targets: strange.targets, online: strange.targets || strange.online, seamless })
    }

    fn renewed(&self, now: DateTime<Utc>, with_targets: bool) -> Result<Renewed, EditError> {
        let signers = Signers { root: self.root(), also: None, keyring: &self.keyring };
        let renewed = self.documents.renewed(&signers, now, with_targets);
        renewed.map_err(|error| self.explained(error, self.root()))
    }

    /// A missing key may be one that was at hand, and is not good any more.
    fn explained(&self, error: EditError, root: &Root) -> EditError {
        let EditError::MissingKey { role, .. } = &error else { return error };
        let revoked = self.keyring.files().find(|(key, _)| {
            let held = |root: &Root| {
                root.roles
                    .iter()
                    .any(|(kind, keys)| kind.to_string() == *role && keys.keyids.contains(key.id()))
            };
            !held(root) && self.roots.iter().any(|earlier| held(&earlier.signed))
        });
        match revoked {
            Some((_, path)) => EditError::KeyRevoked { role: role.clone(), path: path.to_owned() },
            None => error,
        }
    }

    fn refuse_expired_root(&self, now: DateTime<Utc>) -> Result<(), EditError> {
        let expired = self.expiries().root;
        if expired <= now {
            return Err(EditError::RootExpired { expired: role::rfc3339(expired) });
        }
        Ok(())
    }
}

/// What a new root made necessary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adopted {
    /// The targets were signed anew.
    pub(crate) targets: bool,
    /// Snapshot and timestamp were.
    pub(crate) online: bool,
    /// Players of the old root could read the repository at every moment.
    pub(crate) seamless: bool,
}

/// Writes the first, empty documents of a repository; returns the signed root.
pub(crate) fn create(
    repo_dir: &Path,
    root: &Root,
    keyring: &Keyring,
    now: DateTime<Utc>,
) -> Result<Vec<u8>, EditError> {
    let one = NonZeroU64::MIN;
    let signers = Signers { root, also: None, keyring };
    let root_bytes = signers.sign(root.clone())?;
    let targets = role::new_targets(one, now)?;
    let first = Renewed::sign(&signers, targets, None, (one, one), now)?;
    disk::create_folder(&repo_dir.join("metadata"), false)?;
    disk::create_folder(&repo_dir.join("targets"), false)?;
    disk::replace(&repo_dir.join(LOCK), b"")?;
    disk::replace(&repo_dir.join("metadata/1.root.json"), &root_bytes)?;
    first.write(repo_dir)?;
    Ok(root_bytes)
}

fn target_name(name: &str) -> Result<TargetName, EditError> {
    name::check(name)?;
    TargetName::new(name).map_err(|_| EditError::TargetName { name: name.to_owned() })
}
