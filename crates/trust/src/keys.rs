//! The keys of a repository: their making, the first root, and the guard that keeps private keys out of what is published.
//! How keys are exchanged later is in [`crate::ceremony`].
//!
//! Roles: root (three keys, two must sign; meant to be carried off the machine), targets (two keys, one signs; with the
//! person who releases) and one key for snapshot and timestamp (on the machine that refreshes daily).

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use tough::schema::{RoleKeys, RoleType, Root};

use crate::editor;
use crate::keyring::{self, KEY_EXTENSION, Key, Keyring};
use crate::role::{self, SPEC_VERSION};
use crate::{EditError, disk, limits};

/// How [`init`] makes keys.
#[derive(Debug, Clone, Copy)]
pub struct InitOptions {
    /// Throw-away keys: one for the root instead of three, one for the targets instead of two. The roles are the same.
    pub demo: bool,
}

/// What [`init`] made.
#[derive(Debug, Clone)]
pub struct InitReport {
    /// Root version 1: what a launcher carries in its build.
    pub root: Vec<u8>,
    /// Its SHA-256 in hex: what a person compares.
    pub root_sha256: String,
    /// Private keys that should be carried off this machine after a first release.
    pub root_keys: Vec<PathBuf>,
    /// Private keys that `publish` needs.
    pub targets_keys: Vec<PathBuf>,
    /// Private key that `refresh` needs.
    pub online_key: PathBuf,
}

/// Makes the private keys in `keys_dir` and an empty, signed repository in `repo_dir`.
///
/// # Errors
/// [`EditError::KeysExist`] and [`EditError::RepositoryExists`] if there is anything that would be overwritten,
/// [`EditError::KeysFolderInRepository`] if one folder lies in the other.
pub fn init(
    keys_dir: &Path,
    repo_dir: &Path,
    options: InitOptions,
    now: DateTime<Utc>,
) -> Result<InitReport, EditError> {
    disk::create_folder(keys_dir, true)?;
    disk::create_folder(repo_dir, false)?;
    refuse_nested(keys_dir, repo_dir)?;
    refuse_keys_in_repository(repo_dir)?;
    if !keyring::key_files(keys_dir)?.is_empty() {
        return Err(EditError::KeysExist { path: keys_dir.to_owned() });
    }
    if disk::exists(&repo_dir.join("metadata"))? {
        return Err(EditError::RepositoryExists { path: repo_dir.to_owned() });
    }
    let mut made = Vec::new();
    let report = init_new(keys_dir, repo_dir, options, now, &mut made);
    if report.is_err() {
        // Keys of a repository that never was protect nothing and would only block the next attempt.
        for path in &made {
            let _ = disk::remove(path);
        }
    }
    report
}

fn init_new(
    keys_dir: &Path,
    repo_dir: &Path,
    options: InitOptions,
    now: DateTime<Utc>,
    made: &mut Vec<PathBuf>,
) -> Result<InitReport, EditError> {
    let (root_count, root_threshold, targets_count) = if options.demo { (1, 1, 1) } else { (3, 2, 2) };
    let mut make = |name: String| -> Result<(Key, PathBuf), EditError> {
        let path = keys_dir.join(format!("{name}.{KEY_EXTENSION}"));
        let (key, bytes) = Key::generate()?;
        disk::create_private(&path, &bytes)?;
        made.push(path.clone());
        Ok((key, path))
    };
    let root_keys = make_several(&mut make, "root", root_count)?;
    let targets_keys = make_several(&mut make, "targets", targets_count)?;
    let online = [make("online-1".to_owned())?];
    let files = |keys: &[(Key, PathBuf)]| keys.iter().map(|(_, path)| path.clone()).collect::<Vec<_>>();
    let (root_files, targets_files, online_key) =
        (files(&root_keys), files(&targets_keys), online[0].1.clone());

    let mut root = Root {
        spec_version: SPEC_VERSION.to_owned(),
        consistent_snapshot: true,
        version: NonZeroU64::MIN,
        expires: role::expiry(now, limits::ROOT_LIFE_DAYS)?,
        keys: HashMap::new(),
        roles: HashMap::new(),
        _extra: HashMap::new(),
    };
    assign(&mut root, RoleType::Root, root_threshold, &root_keys);
    assign(&mut root, RoleType::Targets, 1, &targets_keys);
    assign(&mut root, RoleType::Snapshot, 1, &online);
    assign(&mut root, RoleType::Timestamp, 1, &online);

    let signers = root_keys.into_iter().take(root_threshold as usize);
    let keyring = Keyring::new(keys_dir, signers.chain(targets_keys).chain(online).collect());
    let root_bytes = editor::create(repo_dir, &root, &keyring, now)?;
    Ok(InitReport {
        root_sha256: crate::fingerprint(&root_bytes),
        root: root_bytes,
        root_keys: root_files,
        targets_keys: targets_files,
        online_key,
    })
}

/// Fails if a private key lies anywhere in the repository, from where a web server would hand it out.
///
/// Files that a repository is made of are known by their names and not opened; copies of builds under `plain` are the
/// publisher's own files.
///
/// # Errors
/// [`EditError::KeyInRepository`] names the first key found.
pub fn refuse_keys_in_repository(repo_dir: &Path) -> Result<(), EditError> {
    let mut folders = vec![repo_dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let (files, below) = disk::list(&folder)?;
        for path in files {
            if is_private_key(&path)? {
                return Err(EditError::KeyInRepository { path });
            }
        }
        folders.extend(below.into_iter().filter(|path| *path != repo_dir.join("plain")));
    }
    Ok(())
}

/// Fails if one of the two folders lies in the other.
pub(crate) fn refuse_nested(keys_dir: &Path, repo_dir: &Path) -> Result<(), EditError> {
    let (keys, repo) = (disk::canonical(keys_dir)?, disk::canonical(repo_dir)?);
    if keys.starts_with(&repo) || repo.starts_with(&keys) {
        return Err(EditError::KeysFolderInRepository { path: keys_dir.to_owned() });
    }
    Ok(())
}

fn is_private_key(path: &Path) -> Result<bool, EditError> {
    let extension = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    if extension == KEY_EXTENSION {
        return Ok(true);
    }
    let ours = ["json", "zst", "manifest", "torrent", "patch"].contains(&extension);
    if ours || disk::length(path)? > limits::KEY_FILE_BYTES_MAX {
        return Ok(false);
    }
    let bytes = disk::read(path, limits::KEY_FILE_BYTES_MAX)?;
    let pem = bytes.windows(PEM_MARK.len()).any(|window| window == PEM_MARK);
    Ok(pem || Key::parse(&bytes)?.is_some())
}

const PEM_MARK: &[u8] = b"PRIVATE KEY-----";

type Make<'a> = dyn FnMut(String) -> Result<(Key, PathBuf), EditError> + 'a;

fn make_several(make: &mut Make<'_>, role: &str, count: u32) -> Result<Vec<(Key, PathBuf)>, EditError> {
    (1..=count).map(|number| make(format!("{role}-{number}"))).collect()
}

fn assign(root: &mut Root, role: RoleType, threshold: u64, keys: &[(Key, PathBuf)]) {
    for (key, _) in keys {
        root.keys.insert(key.id().clone(), key.public().clone());
    }
    let role_keys = RoleKeys {
        keyids: keys.iter().map(|(key, _)| key.id().clone()).collect(),
        threshold: NonZeroU64::new(threshold).unwrap_or(NonZeroU64::MIN),
        _extra: HashMap::new(),
    };
    root.roles.insert(role, role_keys);
}
