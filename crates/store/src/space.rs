//! How much space the work needs, and whether it is there before the work begins.

use crate::{
    assign::Action,
    error::{Result, StoreError},
    folder::GameFolder,
    staging::Have,
};
use release::manifest::{Manifest, ManifestFile};
use std::collections::BTreeMap;

/// For what the file system and we need for few files.
const RESERVE_BYTES: u64 = 1024 * 1024;
/// One part in this many on top, for the file system's own tables.
const RESERVE_SHARE: u64 = 20;
/// What most file systems give to a file at once: a small file takes that much.
const CLUSTER_BYTES: u64 = 4096;
/// Of the new manifest, the new records and the journal, for each file beside its path, which each names.
const STATE_BYTES: u64 = 900;

/// Bytes that must be free before the release stands: for contents not staged yet, copies, and what we write down of
/// them, as whole clusters. What is staged, kept or renamed needs nothing.
#[must_use]
pub fn need_bytes(wanted: &Manifest, actions: &[Action], staged: &Have) -> u64 {
    let mut contents = BTreeMap::new();
    for (file, action) in wanted.files.iter().zip(actions) {
        if let Action::Place { root } | Action::PlaceCopy { root } = action {
            contents.insert(*root, on_disk(file.size));
        }
    }
    let unstaged = contents.iter().map(|(root, size)| size.saturating_sub(staged.bytes_of(root)));
    let copied = copied(wanted, actions).map(|file| on_disk(file.size));
    let bytes = unstaged.sum::<u64>() + copied.sum::<u64>();
    if bytes == 0 { 0 } else { bytes + bytes / RESERVE_SHARE + state_bytes(wanted) + RESERVE_BYTES }
}

fn state_bytes(wanted: &Manifest) -> u64 {
    wanted.files.iter().map(|file| STATE_BYTES + 3 * file.path.as_str().len() as u64).sum()
}

fn on_disk(size: u64) -> u64 {
    size.next_multiple_of(CLUSTER_BYTES)
}

/// Bytes of files that are put in place as copies of others.
#[must_use]
pub fn copied_bytes(wanted: &Manifest, actions: &[Action]) -> u64 {
    copied(wanted, actions).map(|file| file.size).sum()
}

fn copied<'a>(wanted: &'a Manifest, actions: &'a [Action]) -> impl Iterator<Item = &'a ManifestFile> {
    let is_copy = |action: &Action| matches!(action, Action::PlaceCopy { .. } | Action::Copy { .. });
    wanted.files.iter().zip(actions).filter(move |(_, action)| is_copy(action)).map(|(file, _)| file)
}

/// Whether `need` more bytes fit beside the game.
///
/// # Errors
/// [`StoreError::NoSpace`] with both figures; as the disk says.
pub fn check(folder: &GameFolder, need: u64) -> Result<()> {
    let have = available(folder)?;
    if have < need { Err(StoreError::NoSpace { dir: folder.dir().to_owned(), need, have }) } else { Ok(()) }
}

/// Bytes free on the game folder's volume.
///
/// # Errors
/// As the disk says.
pub fn available(folder: &GameFolder) -> Result<u64> {
    folder.tree().disk.available_space(folder.dir())
}
