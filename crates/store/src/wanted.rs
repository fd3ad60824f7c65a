//! `.muster/wanted`: files that a running game waits for. A game drops an empty file there whose name is the SHA-256 of the
//! path it waits for, in 64 lower-case hexadecimal digits; what fetches brings that file next and takes the request away
//! once it is in place.
//!
//! Invariant: requests are names only. Nothing in the folder is ever read or followed, at most [`NAMES_MAX`] names are looked
//! at, and only regular files whose names are hashes are taken away.

use crate::{disk::Disk, error::Result, folder::GameFolder, fs::Kind, tree::Tree};
use release::{
    hash::{Hash32, sha256},
    path::GamePath,
};
use std::{path::PathBuf, str::FromStr};

/// Name of the folder under `.muster`.
pub const DIR: &str = "wanted";
/// Names that are looked at; a game that waits for more waits for those in turn.
pub const NAMES_MAX: usize = 1024;

/// The folder of requests.
#[derive(Debug, Clone)]
pub struct Requests {
    disk: Disk,
    dir: PathBuf,
}

/// What lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// Requests by name.
    pub names: Vec<Hash32>,
    /// Entries that are no requests, or one too many.
    pub ignored: usize,
}

/// The name of a request for `path`.
#[must_use]
pub fn name(path: &GamePath) -> Hash32 {
    sha256(path.as_str().as_bytes())
}

impl Requests {
    /// Those of a folder.
    #[must_use]
    pub fn of(folder: &GameFolder) -> Self {
        Self::new(folder.tree())
    }

    pub(crate) fn new(tree: &Tree) -> Self {
        Self { disk: tree.disk.clone(), dir: tree.state(DIR) }
    }

    /// Where they lie.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// As the disk says; also where something else stands in its place.
    pub fn create(&self) -> Result<()> {
        self.disk.ensure_dir(&self.dir).map(|_| ())
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// As [`Requests::create`].
    pub fn ask(&self, path: &GamePath) -> Result<()> {
        self.create()?;
        let at = self.dir.join(name(path).to_string());
        self.disk.open_write(&at).map(|_| ())
    }

    /// Whether `path` is asked for.
    ///
    /// # Errors
    /// As the disk says.
    pub fn asks(&self, path: &GamePath) -> Result<bool> {
        Ok(self.disk.kind(&self.dir.join(name(path).to_string()))?.is_some())
    }

    /// What is asked for; nothing where the folder is missing or something else stands in its place.
    ///
    /// # Errors
    /// As the disk says.
    pub fn list(&self) -> Result<Listed> {
        let mut listed = Listed::default();
        if self.disk.kind(&self.dir)? != Some(Kind::Dir) {
            return Ok(listed);
        }
        let entries = self.disk.names_some(&self.dir, NAMES_MAX + 1)?;
        listed.ignored = entries.len().saturating_sub(NAMES_MAX);
        for entry in entries.into_iter().take(NAMES_MAX) {
            let digits =
                |name: &&str| name.len() == 64 && !name.bytes().any(|byte| byte.is_ascii_uppercase());
            let name = entry.to_str().filter(digits).and_then(|name| Hash32::from_str(name).ok());
            match name {
                Some(name) if self.disk.kind(&self.dir.join(&entry))? == Some(Kind::File) => {
                    listed.names.push(name);
                }
                _ => listed.ignored += 1,
            }
        }
        Ok(listed)
    }

    /// Takes a request away: the file is in place, or it will never come.
    ///
    /// # Errors
    /// As the disk says.
    pub fn settle(&self, name: &Hash32) -> Result<()> {
        self.disk.remove_file(&self.dir.join(name.to_string())).map(|_| ())
    }
}
