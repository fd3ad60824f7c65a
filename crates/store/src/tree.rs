//! Game paths on the disk: never through a link, never outside the game folder.
//!
//! A path whose folders are not all real folders counts as absent, so nothing behind a link is
//! read, served, replaced or deleted.

use crate::{
    disk::Disk,
    error::{At, Result},
    fs::{File, Kind, Meta},
};
use release::path::GamePath;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// Our folder inside a game folder.
pub(crate) const STATE_DIR: &str = ".muster";

/// A game folder's tree of files.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) disk: Disk,
    dir: PathBuf,
}

impl Tree {
    pub(crate) fn new(disk: Disk, dir: PathBuf) -> Self {
        Self { disk, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file of our own state.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.dir.join(STATE_DIR).join(name)
    }

    /// Where a game path lies, whatever stands there.
    pub(crate) fn at(&self, path: &GamePath) -> PathBuf {
        let mut at = self.dir.clone();
        path.components().for_each(|part| at.push(part));
        at
    }

    /// Opens the regular file at a game path, through no link; `None` where there is none, whatever else stands there.
    pub(crate) fn open(&self, path: &GamePath) -> Result<Option<Box<dyn File>>> {
        let names: Vec<&str> = path.components().collect();
        match self.disk.open_beneath(&self.dir, &names) {
            Err(error) if is_no_file(&error) => Ok(None),
            opened => opened.at(&self.at(path)).map(Some),
        }
    }

    /// What stands at a game path; `None` also where a folder on the way is not a real one.
    pub(crate) fn lstat(&self, path: &GamePath) -> Result<Option<Meta>> {
        if self.blocked_at(path)?.is_some() { Ok(None) } else { self.disk.lstat(&self.at(path)) }
    }

    /// As [`Tree::lstat`], regular files only.
    pub(crate) fn file(&self, path: &GamePath) -> Result<Option<Meta>> {
        Ok(self.lstat(path)?.filter(|meta| meta.kind == Kind::File))
    }

    /// The outermost folder on the way to `path` that is something else (a file, a link).
    pub(crate) fn blocked_at(&self, path: &GamePath) -> Result<Option<GamePath>> {
        for folder in ancestors(path) {
            match self.disk.kind(&self.at(&folder))? {
                Some(Kind::Dir) => {}
                None => return Ok(None),
                Some(_) => return Ok(Some(folder)),
            }
        }
        Ok(None)
    }
}

/// Something else than a regular file stands there, or nothing.
fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidInput)
}

/// Looks at many paths in one go: at each folder on the way once, however many files lie in it.
#[derive(Debug)]
pub(crate) struct Glance<'a> {
    tree: &'a Tree,
    /// Whether a folder, and all it lies in, is a real one.
    real: BTreeMap<GamePath, bool>,
}

impl<'a> Glance<'a> {
    pub(crate) fn over(tree: &'a Tree) -> Self {
        Self { tree, real: BTreeMap::new() }
    }

    /// As [`Tree::lstat`].
    pub(crate) fn lstat(&mut self, path: &GamePath) -> Result<Option<Meta>> {
        let reached = path.parent().map_or(Ok(true), |folder| self.is_real(folder))?;
        if reached { self.tree.disk.lstat(&self.tree.at(path)) } else { Ok(None) }
    }

    /// As [`Tree::file`].
    pub(crate) fn file(&mut self, path: &GamePath) -> Result<Option<Meta>> {
        Ok(self.lstat(path)?.filter(|meta| meta.kind == Kind::File))
    }

    fn is_real(&mut self, folder: GamePath) -> Result<bool> {
        if let Some(known) = self.real.get(&folder) {
            return Ok(*known);
        }
        let reached = folder.parent().map_or(Ok(true), |outer| self.is_real(outer))?;
        let real = reached && self.tree.disk.kind(&self.tree.at(&folder))? == Some(Kind::Dir);
        self.real.insert(folder, real);
        Ok(real)
    }
}

/// The folders that `path` lies in, outermost first.
pub(crate) fn ancestors(path: &GamePath) -> Vec<GamePath> {
    let mut folders: Vec<GamePath> = std::iter::successors(path.parent(), GamePath::parent).collect();
    folders.reverse();
    folders
}
