//! Names that were changed since the last folder sync, and how a power cut takes them back.

use super::state::Chance;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How to take back a change of names.
#[derive(Debug)]
pub(super) enum Undo {
    Created(PathBuf),
    CreatedDir(PathBuf),
    Removed { path: PathBuf, stash: PathBuf },
    RemovedDir(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<PathBuf> },
}

impl Undo {
    pub(super) fn run(self) -> io::Result<()> {
        match self {
            Self::Created(path) => fs::remove_file(path),
            Self::CreatedDir(path) => fs::remove_dir(path),
            Self::Removed { path, stash } => fs::rename(stash, path),
            Self::RemovedDir(path) => fs::create_dir(path),
            Self::Renamed { from, to, replaced } => {
                fs::rename(&to, from)?;
                replaced.map_or(Ok(()), |stash| fs::rename(stash, to))
            }
        }
    }

    fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Created(path) | Self::CreatedDir(path) | Self::RemovedDir(path) => vec![path],
            Self::Removed { path, .. } => vec![path],
            Self::Renamed { from, to, .. } => vec![from, to],
        }
    }

    /// Whether this change makes no sense without that one before it.
    fn needs(&self, before: &Self) -> bool {
        let others = before.paths();
        let related =
            |path: &&Path| others.iter().any(|other| path.starts_with(other) || other.starts_with(path));
        self.paths().iter().any(related)
    }
}

/// Takes back an arbitrary part, with everything that builds on what is taken back.
pub(super) fn scatter(changes: Vec<Undo>, chance: &mut Chance) -> io::Result<()> {
    let mut kept: Vec<Undo> = Vec::new();
    for change in changes.into_iter().rev() {
        // Later changes are decided already: what one that survives builds on has survived too.
        if chance.coin() || kept.iter().any(|later| later.needs(&change)) {
            kept.push(change);
        } else {
            change.run()?;
        }
    }
    Ok(())
}
