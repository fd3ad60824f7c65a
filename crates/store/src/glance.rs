//! A look at a game folder without its lock: for starting a game, and for a game that waits for a file, while another program
//! works there.
//!
//! Invariant: it changes nothing, and what it says stood together: while a release is being put in place there is nothing to
//! be said. It is true of the moment it was made in.

use crate::{
    disk::Disk,
    error::{Result, StoreError},
    folder::{FETCHING, INSTALLED, load_installed},
    fs::{Fs, Meta},
    installed::InstalledTree,
    journal::Journal,
    partial::Partial,
    records::Records,
    state::FolderState,
    tree::Tree,
    verify::{self, Report},
    wanted::Requests,
};
use release::manifest::{Kind, Manifest, ManifestFile};
use std::{path::Path, sync::Arc};

/// What stands in a folder, looked at from outside.
#[derive(Debug)]
pub struct Glance {
    tree: Tree,
    state: FolderState,
    installed: Option<Manifest>,
    partial: Option<Partial>,
    records: Records,
}

impl Glance {
    /// Looks.
    ///
    /// # Errors
    /// [`StoreError::FolderMissing`] where no game's folder is; [`StoreError::ApplyPending`] while files are being put in
    /// place: look again soon; [`StoreError::StateTooNew`], [`StoreError::StateBroken`]; as the disk says.
    pub fn at(fs: Arc<dyn Fs>, dir: &Path) -> Result<Self> {
        let disk = Disk::new(fs);
        let missing = || StoreError::FolderMissing { path: dir.to_owned() };
        let dir = disk.canonicalize(dir).map_err(|_| missing())?;
        let tree = Tree::new(disk, dir.clone());
        let before = stamps(&tree)?;
        let state = FolderState::load(&tree)?.ok_or_else(missing)?;
        let installed = load_installed(&tree)?;
        let (partial, records) = (Partial::load(&tree)?, Records::load(&tree)?);
        if before != stamps(&tree)? {
            return Err(StoreError::ApplyPending { path: dir });
        }
        Ok(Self { tree, state, installed, partial, records })
    }

    /// The folder, links resolved.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.tree.dir()
    }

    /// Whose it is.
    #[must_use]
    pub fn state(&self) -> &FolderState {
        &self.state
    }

    /// The release that stands, wholly or in part.
    #[must_use]
    pub fn installed(&self) -> Option<&Manifest> {
        self.installed.as_ref()
    }

    /// How much of it stands, where it is not all.
    #[must_use]
    pub fn partial(&self) -> Option<&Partial> {
        self.partial.as_ref().filter(|_| self.installed.is_some())
    }

    /// What of `manifest` stands verified.
    #[must_use]
    pub fn tree(&self, manifest: &Manifest) -> InstalledTree {
        InstalledTree::of(&self.tree, &self.records, manifest)
    }

    /// As [`verify::check_quick`].
    ///
    /// # Errors
    /// As the disk says.
    pub fn check_quick(&self, manifest: &Manifest) -> Result<Report> {
        verify::quick(&self.tree, &self.records, self.partial(), manifest)
    }

    /// Whether a file stands in its place and looks as it did when it was verified. Of the player's own files, whether one
    /// stands.
    ///
    /// # Errors
    /// As the disk says.
    pub fn has(&self, file: &ManifestFile) -> Result<bool> {
        let Some(meta) = self.tree.file(&file.path)? else { return Ok(false) };
        let record = self.records.valid(&file.path, &meta);
        Ok(file.kind == Kind::User || record.is_some_and(|record| record.pieces_root == file.pieces_root))
    }

    /// Whether some program fetches what is still to come.
    ///
    /// # Errors
    /// As the disk says.
    pub fn somebody_fetches(&self) -> Result<bool> {
        let path = self.tree.state(FETCHING);
        // Where nobody ever fetched in parts there is no such file, and none is made by looking.
        Ok(self.tree.disk.kind(&path)?.is_some() && self.tree.disk.try_lock(&path)?.is_none())
    }

    /// What games wait for here.
    #[must_use]
    pub fn requests(&self) -> Requests {
        Requests::new(&self.tree)
    }
}

/// What shows that a release was put in place meanwhile.
type Stamps = Vec<Option<Meta>>;

fn stamps(tree: &Tree) -> Result<Stamps> {
    if Journal::exists(tree)? {
        return Err(StoreError::ApplyPending { path: tree.dir().to_owned() });
    }
    [INSTALLED, "partial.json", "verified.json"]
        .iter()
        .map(|name| tree.disk.lstat(&tree.state(name)))
        .collect()
}
