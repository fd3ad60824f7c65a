//! A game folder: whose it is, who works in it, what stands in it.
//!
//! Invariant: whoever holds a [`GameFolder`] holds the folder's lock, and what it says is what
//! stands: an apply that was cut short has been finished before. A folder that is neither empty
//! nor ours is never taken.

use crate::{
    apply::{self, Applied},
    disk::{Disk, parent},
    error::{Result, StoreError},
    fs::{Fs, Kind, Lock},
    layers,
    partial::{self, Partial},
    place::{self, Places, Refusal},
    records::Records,
    state::FolderState,
    tree::{STATE_DIR, Tree},
};
use release::{
    layout::{Layout, PieceLayers},
    limits::MANIFEST_BYTES_MAX,
    manifest::{FORMAT, Manifest, ManifestError, ManifestFile},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The manifest of what stands.
pub(crate) const INSTALLED: &str = "installed.manifest";
const LOCK: &str = "lock";
/// Locked by whoever fetches what is still to come.
pub(crate) const FETCHING: &str = "fetching.lock";
/// What systems put into any folder that somebody looks at.
const LITTER: [&str; 3] = [".DS_Store", "desktop.ini", "Thumbs.db"];

/// A game folder that is ours, locked, and whole.
#[derive(Debug)]
pub struct GameFolder {
    tree: Tree,
    lock: Lock,
    state: FolderState,
    installed: Option<Manifest>,
    partial: Option<Partial>,
    records: Records,
    recovered: Option<Applied>,
}

impl GameFolder {
    /// Opens a folder that is a game's already, and finishes an apply that was cut short.
    ///
    /// # Errors
    /// [`StoreError::FolderMissing`] where nothing stands (also an empty folder: a drive that is
    /// not mounted looks like one), [`StoreError::FolderNotOurs`], [`StoreError::Locked`],
    /// [`StoreError::StateTooNew`], [`StoreError::StateBroken`]; as the disk says.
    pub fn open(fs: Arc<dyn Fs>, dir: &Path) -> Result<Self> {
        let disk = Disk::new(fs);
        let tree = Tree::new(disk.clone(), resolve(&disk, dir)?);
        match occupant(&tree)? {
            Occupant::Nobody | Occupant::Unfinished => {
                Err(StoreError::FolderMissing { path: dir.to_owned() })
            }
            Occupant::Others => Err(StoreError::FolderNotOurs { path: dir.to_owned() }),
            Occupant::Game => Self::load(tree, None),
        }
    }

    /// Makes `dir` (absolute, created where missing) the folder of a game, or opens it if it is
    /// that game's folder already; its state then stays as it is.
    ///
    /// # Errors
    /// [`StoreError::FolderRefused`] for places that must not hold a game,
    /// [`StoreError::FolderNotOurs`] for a folder that is not empty or another game's; otherwise
    /// as [`GameFolder::open`].
    pub fn create(fs: Arc<dyn Fs>, dir: &Path, places: &Places, state: &FolderState) -> Result<Self> {
        Self::claim(fs, dir, places, state, |_| Err(StoreError::FolderNotOurs { path: dir.to_owned() }))
    }

    /// Makes `dir` a game's folder; `judge` says whether what others put there may stay in it.
    pub(crate) fn claim(
        fs: Arc<dyn Fs>,
        dir: &Path,
        places: &Places,
        state: &FolderState,
        judge: impl FnOnce(&Tree) -> Result<()>,
    ) -> Result<Self> {
        let disk = Disk::new(fs);
        let resolved = permitted(&disk, dir, places)?;
        let tree = Tree::new(disk.clone(), resolved);
        match occupant(&tree)? {
            Occupant::Game => {}
            Occupant::Others => {
                judge(&tree)?;
                make_dirs(&disk, &tree.dir().join(STATE_DIR))?;
            }
            Occupant::Nobody | Occupant::Unfinished => make_dirs(&disk, &tree.dir().join(STATE_DIR))?,
        }
        let folder = Self::load(tree, Some(state))?;
        if folder.state.game != state.game {
            return Err(StoreError::FolderNotOurs { path: dir.to_owned() });
        }
        Ok(folder)
    }

    fn load(tree: Tree, new: Option<&FolderState>) -> Result<Self> {
        let lock = tree.disk.try_lock(&tree.state(LOCK))?;
        let lock = lock.ok_or_else(|| StoreError::Locked { path: tree.dir().to_owned() })?;
        let state = match (FolderState::load(&tree)?, new) {
            (Some(state), _) => state,
            (None, Some(state)) => {
                state.save(&tree)?;
                state.clone()
            }
            (None, None) => return Err(StoreError::FolderMissing { path: tree.dir().to_owned() }),
        };
        let recovered = apply::recover(&tree)?;
        let installed = load_installed(&tree)?;
        let (partial, records) = (Partial::load(&tree)?, Records::load(&tree)?);
        Ok(Self { tree, lock, state, installed, partial, records, recovered })
    }

    /// Changes the state and saves it; on an error nothing has changed.
    ///
    /// # Errors
    /// As the disk says.
    pub fn update_state(&mut self, change: impl FnOnce(&mut FolderState)) -> Result<()> {
        let mut state = self.state.clone();
        change(&mut state);
        if state != self.state {
            state.save(&self.tree)?;
            self.state = state;
        }
        Ok(())
    }

    /// Keeps the piece layers of a release, for repair and seeding without a network.
    ///
    /// # Errors
    /// As the disk says.
    pub fn save_layers(&self, layers: &PieceLayers) -> Result<()> {
        layers::save(&self.tree, layers)
    }

    /// Finishes an apply that failed after its journal was committed; `None` where there is none.
    ///
    /// # Errors
    /// As [`crate::apply::apply`] after its commit.
    pub fn recover(&mut self) -> Result<Option<Applied>> {
        let applied = apply::recover(&self.tree)?;
        if applied.is_some() {
            self.reload()?;
        }
        Ok(applied)
    }

    /// Reads again what stands, after an apply.
    pub(crate) fn reload(&mut self) -> Result<()> {
        self.installed = load_installed(&self.tree)?;
        self.partial = Partial::load(&self.tree)?;
        self.records = Records::load(&self.tree)?;
        Ok(())
    }

    pub(crate) fn update_records(&mut self, change: impl FnOnce(&mut Records)) -> Result<()> {
        let mut records = self.records.clone();
        change(&mut records);
        if records != self.records {
            records.save(&self.tree)?;
            self.records = records;
        }
        Ok(())
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

    /// The release that stands, if one was ever finished.
    #[must_use]
    pub fn installed(&self) -> Option<&Manifest> {
        self.installed.as_ref()
    }

    /// How much of that release stands, where it is not all of it yet.
    #[must_use]
    pub fn partial(&self) -> Option<&Partial> {
        self.partial.as_ref().filter(|_| self.installed.is_some())
    }

    /// Whether a file of the release that stands is still to come.
    pub(crate) fn awaits(&self, file: &ManifestFile) -> bool {
        partial::awaited(self.partial(), &self.records, file)
    }

    /// What is known of installed files without reading them.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The apply that opening this folder finished, if one had been cut short.
    #[must_use]
    pub fn recovered(&self) -> Option<&Applied> {
        self.recovered.as_ref()
    }

    /// The piece layers kept here that belong to `layout`, each checked against its root.
    ///
    /// # Errors
    /// As the disk says.
    pub fn layers(&self, layout: &Layout) -> Result<PieceLayers> {
        layers::load(&self.tree, layout)
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn into_lock(self) -> (Tree, Lock, Option<Manifest>) {
        (self.tree, self.lock, self.installed)
    }

    /// Says to other programs, until it is dropped, that files are being fetched here; `None` while one of them looks.
    ///
    /// # Errors
    /// As the disk says.
    pub fn try_say_fetching(&self) -> Result<Option<Lock>> {
        self.tree.disk.try_lock(&self.tree.state(FETCHING))
    }
}

/// Who lives in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// It is missing or empty.
    Nobody,
    /// We began to take it and were cut short.
    Unfinished,
    /// A game of ours.
    Game,
    /// Anything else.
    Others,
}

pub(crate) fn occupant(tree: &Tree) -> Result<Occupant> {
    match tree.disk.kind(tree.dir())? {
        None => return Ok(Occupant::Nobody),
        Some(Kind::Dir) => {}
        Some(_) => return Ok(Occupant::Others),
    }
    let names = tree.disk.names(tree.dir())?;
    let mut others =
        names.iter().filter(|name| *name != STATE_DIR && !LITTER.iter().any(|litter| *name == *litter));
    let state = tree.disk.kind(&tree.dir().join(STATE_DIR))?;
    let has_state =
        state == Some(Kind::Dir) && tree.disk.kind(&tree.state("state.json"))? == Some(Kind::File);
    Ok(match (state, others.next()) {
        _ if has_state => Occupant::Game,
        (None, None) => Occupant::Nobody,
        (Some(Kind::Dir), None) => Occupant::Unfinished,
        _ => Occupant::Others,
    })
}

/// The installed manifest. A damaged one counts as none, so that an install finds the files again
/// by their bytes instead of locking the player out.
pub(crate) fn load_installed(tree: &Tree) -> Result<Option<Manifest>> {
    let path = tree.state(INSTALLED);
    let Some(bytes) = tree.disk.read(&path, MANIFEST_BYTES_MAX as u64)? else { return Ok(None) };
    match Manifest::parse(&bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(ManifestError::Format(found)) => {
            Err(StoreError::StateTooNew { path, found: u64::from(found), known: u64::from(FORMAT) })
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "damaged manifest: the game must be installed again over itself");
            Ok(None)
        }
    }
}

fn resolve(disk: &Disk, dir: &Path) -> Result<PathBuf> {
    match disk.canonicalize(dir) {
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => {
            Err(StoreError::FolderMissing { path: dir.to_owned() })
        }
        resolved => resolved,
    }
}

/// Resolves the part of a path that exists.
fn resolve_missing(disk: &Disk, dir: &Path) -> Result<PathBuf> {
    match (resolve(disk, dir), dir.parent(), dir.file_name()) {
        (Err(StoreError::FolderMissing { .. }), Some(above), Some(name)) => {
            Ok(resolve_missing(disk, above)?.join(name))
        }
        (resolved, ..) => resolved,
    }
}

/// The folder with its links resolved, if a game may live there as far as its path tells.
pub(crate) fn permitted(disk: &Disk, dir: &Path, places: &Places) -> Result<PathBuf> {
    let refused = |reason| StoreError::FolderRefused { path: dir.to_owned(), reason };
    if !dir.is_absolute() {
        return Err(refused(Refusal::NotAbsolute));
    }
    let resolved = resolve_missing(disk, dir)?;
    place::check(&resolved, places).map_err(refused)?;
    if inside_game(disk, &resolved)? {
        return Err(refused(Refusal::InsideGame));
    }
    Ok(resolved)
}

fn inside_game(disk: &Disk, dir: &Path) -> Result<bool> {
    for above in dir.ancestors().skip(1) {
        if disk.kind(&above.join(STATE_DIR).join("state.json"))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn make_dirs(disk: &Disk, dir: &Path) -> Result<()> {
    if disk.kind(dir)? == Some(Kind::Dir) {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        make_dirs(disk, above)?;
    }
    if disk.ensure_dir(dir)? { disk.sync_dir(parent(dir)) } else { Ok(()) }
}
