//! How much space the work needs, and whether it is there before the work begins.

use crate::{
    assign::Action,
    error::{Result, StoreError},
    folder::GameFolder,
    staging::Have,
};
use release::manifest::{Manifest, ManifestFile};
use std::{collections::BTreeMap, path::Path};

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

/// Whether each file of `wanted` can be a file of the volume of `dir`, whose files have at most `most` bytes.
///
/// # Errors
/// [`StoreError::FileTooLarge`] with the largest.
pub fn check_files(dir: &Path, most: Option<u64>, wanted: &Manifest) -> Result<()> {
    let Some((most, largest)) = most.zip(wanted.files.iter().max_by_key(|file| file.size)) else {
        return Ok(());
    };
    if largest.size <= most {
        return Ok(());
    }
    let (dir, path) = (dir.to_owned(), largest.path.clone());
    Err(StoreError::FileTooLarge { dir, path, need: largest.size, most })
}

/// The largest file that the game folder's volume can hold, in bytes, where it is a volume of old make.
///
/// # Errors
/// As the disk says.
pub fn file_bytes_max(folder: &GameFolder) -> Result<Option<u64>> {
    folder.tree().disk.file_bytes_max(folder.dir())
}

/// Bytes free on the game folder's volume.
///
/// # Errors
/// As the disk says.
pub fn available(folder: &GameFolder) -> Result<u64> {
    folder.tree().disk.available_space(folder.dir())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_volume_cannot_hold_is_named_before_anything_is_fetched() {
        let root = "00".repeat(32);
        let file =
            |path: &str, size: u64| format!(r#"{{"path":"{path}","size":{size},"pieces_root":"{root}"}}"#);
        let files = [file("a.pak", 7), file("world.pak", 5_000_000_000)].join(",");
        let json = format!(
            r#"{{"format":1,"game":"g","version":"1.0","title":"G","piece_length":16384,"files":[{files}]}}"#
        );
        let wanted = Manifest::parse(json.as_bytes()).unwrap();
        let dir = Path::new("/mnt/stick/game");
        assert!(check_files(dir, None, &wanted).is_ok());
        assert!(check_files(dir, Some(5_000_000_000), &wanted).is_ok());
        let refused = check_files(dir, Some(u32::MAX.into()), &wanted).unwrap_err();
        assert_eq!((refused.code(), refused.can_retry()), ("FILE_TOO_LARGE", false));
        assert!(refused.to_string().contains("world.pak"), "{refused}");
    }
}
