//! Takes a game away: its content files, the folders they leave empty, and our own state. What the
//! manifest does not name, and what is the player's, stays.

use crate::{
    apply::folders_of,
    error::Result,
    folder::GameFolder,
    fs::Kind as Stands,
    state::FolderState,
    tree::{STATE_DIR, Tree},
};
use release::{
    manifest::{Kind, Manifest, ManifestFile},
    path::GamePath,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Most leftovers that are listed by name.
const LEFT_MAX: usize = 1_000;

/// What an uninstall did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uninstalled {
    /// Files deleted.
    pub deleted: usize,
    /// What stays, relative to the game folder: the player's files and what we do not know. At
    /// most 1,000 are listed.
    pub left: Vec<PathBuf>,
    /// The game folder itself is gone too.
    pub folder_removed: bool,
}

/// Deletes the game by its manifest. Cut short, it can be run again.
///
/// # Errors
/// As the disk says; what was deleted until then is.
pub fn uninstall(mut folder: GameFolder) -> Result<Uninstalled> {
    // Half a release in place would be left as unknown files.
    folder.recover()?;
    // What stands where a file of ours never came is not ours.
    let never_came = folder.installed().map(|manifest| never_came(&folder, manifest)).unwrap_or_default();
    let (tree, lock, installed) = folder.into_lock();
    let mut deleted = 0;
    if let Some(manifest) = &installed {
        deleted = delete_contents(&tree, manifest, &never_came)?;
        remove_folders(&tree, manifest)?;
    }
    remove_state(&tree)?;
    // The lock is let go only once nothing is left to protect, and its file goes last.
    drop(lock);
    tree.disk.remove_tree(&tree.dir().join(STATE_DIR))?;
    let mut left = Vec::new();
    list(&tree, Path::new(""), &mut left)?;
    let folder_removed = left.is_empty() && tree.disk.remove_dir_if_empty(tree.dir())?;
    Ok(Uninstalled { deleted, left, folder_removed })
}

fn never_came(folder: &GameFolder, manifest: &Manifest) -> BTreeSet<GamePath> {
    let files = manifest.files.iter().filter(|file| folder.awaits(file));
    files.map(|file| file.path.clone()).collect()
}

fn delete_contents(tree: &Tree, manifest: &Manifest, never_came: &BTreeSet<GamePath>) -> Result<usize> {
    let mut deleted = 0;
    let ours = |file: &&ManifestFile| file.kind == Kind::Content && !never_came.contains(&file.path);
    for file in manifest.files.iter().filter(ours) {
        if tree.file(&file.path)?.is_some() {
            deleted += usize::from(tree.disk.remove_file(&tree.at(&file.path))?);
        }
    }
    Ok(deleted)
}

fn remove_folders(tree: &Tree, manifest: &Manifest) -> Result<()> {
    for folder in folders_of(manifest).iter().rev() {
        if tree.lstat(folder)?.is_some_and(|meta| meta.kind == Stands::Dir) {
            tree.disk.remove_dir_if_empty(&tree.at(folder))?;
        }
    }
    tree.disk.sync_dir(tree.dir())
}

/// Everything of ours but lock and state first: with the state, the folder is still known as ours
/// if we are cut short.
fn remove_state(tree: &Tree) -> Result<()> {
    let dir = tree.dir().join(STATE_DIR);
    for name in tree.disk.names(&dir)? {
        if name != "lock" && name != "state.json" {
            tree.disk.remove_tree(&dir.join(name))?;
        }
    }
    tree.disk.sync_dir(&dir)?;
    FolderState::remove(tree)
}

fn list(tree: &Tree, inner: &Path, left: &mut Vec<PathBuf>) -> Result<()> {
    for name in tree.disk.names(&tree.dir().join(inner))? {
        if left.len() >= LEFT_MAX {
            return Ok(());
        }
        let path = inner.join(name);
        if tree.disk.kind(&tree.dir().join(&path))? == Some(Stands::Dir) {
            let before = left.len();
            list(tree, &path, left)?;
            if left.len() > before {
                continue;
            }
        }
        left.push(path);
    }
    Ok(())
}
