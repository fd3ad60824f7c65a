//! `.muster/partial.json`: the release that stands is not whole yet, and which of its file sets are in place.
//!
//! Invariant: it changes with the installed manifest, by the same journal ([`crate::apply::apply_part`]): whoever reads that
//! a set is in place finds every file of it. Without it the whole release stands. A program that does not know it sees
//! files missing, which a repair brings.

use crate::{
    error::{Result, StoreError},
    folder::GameFolder,
    records::Records,
    state::check_format,
    tree::Tree,
};
use release::manifest::{FileSet, Kind, Manifest, ManifestFile};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const FILE: &str = "partial.json";
const FORMAT: u64 = 1;
const BYTES_MAX: u64 = 64 * 1024;

/// What of a release is in place while the rest is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    format: u64,
    /// Every file of this set and of those before it is in place; of the later ones some may be.
    pub complete: FileSet,
}

impl Partial {
    pub(crate) fn new(complete: FileSet) -> Self {
        Self { format: FORMAT, complete }
    }

    pub(crate) fn load(tree: &Tree) -> Result<Option<Self>> {
        let path = tree.state(FILE);
        let Some(bytes) = tree.disk.read(&path, BYTES_MAX)? else { return Ok(None) };
        check_format(&path, &bytes, FORMAT)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| StoreError::broken(&path, error))
    }

    pub(crate) fn save(&self, tree: &Tree) -> Result<()> {
        let path = tree.state(FILE);
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError::broken(&path, error))?;
        tree.disk.write_atomic(&path, &bytes)
    }

    pub(crate) fn remove(tree: &Tree) -> Result<()> {
        if tree.disk.remove_file(&tree.state(FILE))? { tree.disk.sync_dir(&tree.state("")) } else { Ok(()) }
    }

    /// Whether the game can be started: what a good session needs is in place.
    #[must_use]
    pub fn is_playable(&self) -> bool {
        self.complete >= FileSet::Playable
    }
}

/// Whether `file` of the release that stands is still to come, so that its absence is no damage.
pub(crate) fn awaited(partial: Option<&Partial>, records: &Records, file: &ManifestFile) -> bool {
    partial.is_some_and(|partial| file.set > partial.complete) && records.get(&file.path).is_none()
}

/// What of a release is put in place before the rest is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Every file of this set and of those before it.
    pub complete: FileSet,
    /// Files of later sets, by index in the manifest.
    pub more: BTreeSet<usize>,
}

impl Part {
    /// Whether a file is of the part.
    #[must_use]
    pub fn has(&self, index: usize, file: &ManifestFile) -> bool {
        file.set <= self.complete || self.more.contains(&index)
    }

    /// # Errors
    /// [`StoreError::Incomplete`] where anything else than a part of the same release stands: of two releases only one
    /// whole may follow the other.
    pub(crate) fn check(&self, folder: &GameFolder, wanted: &Manifest) -> Result<()> {
        let same = folder.installed().is_none_or(|stands| stands == wanted && folder.partial().is_some());
        let goes_back = folder.partial().is_some_and(|stands| stands.complete > self.complete);
        if same && !goes_back {
            return Ok(());
        }
        let left_out = (wanted.files.iter().enumerate()).filter(|(index, file)| !self.has(*index, file));
        Err(StoreError::Incomplete { files: left_out.map(|(_, file)| file.path.clone()).collect() })
    }
}

/// Whether anything of a manifest can stand before the whole: the player's own files alone are no set.
#[must_use]
pub fn has_parts(manifest: &Manifest) -> bool {
    let later = |file: &&ManifestFile| file.set != FileSet::Required && file.kind == Kind::Content;
    manifest.files.iter().any(|file| later(&file))
}
