//! Taking over a copy of a game that something else installed.
//!
//! Nothing of it is changed or believed: it becomes a game folder in which no release stands yet, and the install that
//! follows finds by their bytes which files are right. What stands in the way of a file is moved to a dated folder as in
//! any apply, and whatever the release does not name stays where it is.

use crate::{
    error::{Result, StoreError},
    folder::GameFolder,
    fs::Fs,
    place::Places,
    state::FolderState,
    tree::Tree,
};
use release::manifest::{Kind, Manifest};
use std::{path::Path, sync::Arc};

/// At least this share of a release's files (in 1/16) stands in a folder that holds a copy of it, of whatever version.
const COPY_16THS: usize = 2;

impl GameFolder {
    /// As [`GameFolder::create`], but `dir` may hold a copy of `wanted`, of any version and in any state.
    ///
    /// # Errors
    /// [`StoreError::NothingToImport`] if what lies there is no copy of it; otherwise as [`GameFolder::create`].
    pub fn import(
        fs: Arc<dyn Fs>,
        dir: &Path,
        places: &Places,
        state: &FolderState,
        wanted: &Manifest,
    ) -> Result<Self> {
        Self::claim(fs, dir, places, state, |tree| {
            if is_copy(tree, wanted)? {
                return Ok(());
            }
            Err(StoreError::NothingToImport { path: dir.to_owned() })
        })
    }
}

/// Whether enough of the files that a release names stand there as files, or one that starts the game does. Sizes are of
/// no interest: another version has others.
pub(crate) fn is_copy(tree: &Tree, wanted: &Manifest) -> Result<bool> {
    for launch in wanted.launch.values() {
        if tree.file(&launch.executable)?.is_some() {
            return Ok(true);
        }
    }
    let (mut content, mut there) = (0, 0);
    for file in wanted.files.iter().filter(|file| file.kind == Kind::Content) {
        content += 1;
        there += usize::from(tree.file(&file.path)?.is_some());
    }
    Ok(there > 0 && there * 16 >= content * COPY_16THS)
}
