//! The line of roots in a repository, from the first to the newest.

use std::path::{Path, PathBuf};

use tough::schema::{Root, Signed};

use super::documents::read_metadata;
use crate::{EditError, disk, limits};

/// All roots, the first one first. Each is signed by its own keys and by those of the one before: a root that players would
/// refuse must not be built upon.
pub(super) fn read(repo: &Path) -> Result<Vec<Signed<Root>>, EditError> {
    let (files, _) = disk::list(&repo.join("metadata"))?;
    let version =
        |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".root.json")?.parse::<u64>().ok();
    let newest = files.iter().filter_map(version).max();
    let newest = newest.ok_or_else(|| EditError::NoRepository { path: repo.to_owned() })?;
    let mut roots: Vec<Signed<Root>> = Vec::new();
    for version in 1..=newest {
        let root = read_one(repo, version)?;
        if let Some(before) = roots.last() {
            let signed = before.signed.verify_role(&root);
            signed
                .map_err(|error| damaged(version, format!("the root before does not accept it: {error}")))?;
        }
        roots.push(root);
    }
    Ok(roots)
}

fn read_one(repo: &Path, version: u64) -> Result<Signed<Root>, EditError> {
    let file = format!("{version}.root.json");
    if !disk::exists(&repo.join("metadata").join(&file))? {
        return Err(damaged(version, "it is not there, so players cannot come past it".to_owned()));
    }
    let bytes = read_metadata(repo, &file, limits::ROOT_BYTES_MAX)?;
    let signed: Signed<Root> =
        serde_json::from_slice(&bytes).map_err(|error| damaged(version, error.to_string()))?;
    signed.signed.verify_role(&signed).map_err(|error| damaged(version, error.to_string()))?;
    if signed.signed.version.get() != version {
        return Err(damaged(version, "its version is not that of its name".to_owned()));
    }
    Ok(signed)
}

fn damaged(version: u64, reason: String) -> EditError {
    EditError::Damaged { file: format!("{version}.root.json"), reason }
}
