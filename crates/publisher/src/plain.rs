//! `plain/<torrent name>/…`: the release as it lies in a game folder, for web seeds of other clients (BEP 19). Hard links
//! where the file system can, copies where not.

use std::path::Path;

use crate::walk::Build;
use crate::{PublishError, disk};

/// Lays the build out under `repo`. What stands there already is the same release, and is left.
pub(crate) fn add(repo: &Path, torrent_name: &str, build: &Build) -> Result<(), PublishError> {
    let base = repo.join("plain").join(torrent_name);
    for file in &build.files {
        let target = file.path.components().fold(base.clone(), |path, part| path.join(part));
        if disk::exists(&target)? {
            if disk::stamp(&target)?.size == file.stamp.size {
                continue;
            }
            // Left by a run that was cut off, or changed by hand: the signed release is what counts.
            disk::remove(&target)?;
        }
        if let Some(folder) = target.parent() {
            disk::create_folder(folder)?;
        }
        disk::link_or_copy(&file.on_disk, &target)?;
    }
    Ok(())
}
