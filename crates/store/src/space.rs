//! How much space the work needs, and whether it is there before the work begins.

use crate::{
    assign::Action,
    error::{Result, StoreError},
    folder::GameFolder,
    staging::Have,
};
use release::manifest::Manifest;
use std::collections::BTreeMap;

/// For the journal, records and manifest of a small game; big ones are covered by the share.
const RESERVE_BYTES: u64 = 1024 * 1024;
/// One part in this many on top, for the file system's own blocks.
const RESERVE_SHARE: u64 = 20;

/// Bytes that are still to be written before the release stands: contents not staged yet and
/// copies. What is staged, kept or renamed needs nothing.
#[must_use]
pub fn need_bytes(wanted: &Manifest, actions: &[Action], staged: &Have) -> u64 {
    let mut contents = BTreeMap::new();
    for (file, action) in wanted.files.iter().zip(actions) {
        if let Action::Place { root } | Action::PlaceCopy { root } = action {
            contents.insert(*root, file.size);
        }
    }
    let unstaged = contents.iter().map(|(root, size)| size.saturating_sub(staged.bytes_of(root)));
    let bytes = unstaged.sum::<u64>() + copied_bytes(wanted, actions);
    if bytes == 0 { 0 } else { bytes + bytes / RESERVE_SHARE + RESERVE_BYTES }
}

/// Bytes of files that are put in place as copies of others.
#[must_use]
pub fn copied_bytes(wanted: &Manifest, actions: &[Action]) -> u64 {
    let is_copy = |action: &Action| matches!(action, Action::PlaceCopy { .. } | Action::Copy { .. });
    wanted.files.iter().zip(actions).filter(|(_, action)| is_copy(action)).map(|(file, _)| file.size).sum()
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
