//! A look at a folder before a game is put there, for whoever chooses one.
//!
//! Invariant: it changes nothing and takes no lock. What it says was true at that moment; [`GameFolder::create`] and
//! [`GameFolder::import`] judge again.
//!
//! [`GameFolder::create`]: crate::GameFolder::create
//! [`GameFolder::import`]: crate::GameFolder::import

use crate::{
    disk::Disk,
    error::Result,
    folder::{self, Occupant},
    fs::Fs,
    glance::Glance,
    import,
    place::Places,
    tree::Tree,
};
use release::{
    id::{GameId, Version},
    manifest::Manifest,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A folder as somebody would find it who puts a game there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The folder, links resolved.
    pub dir: PathBuf,
    /// What is in it.
    pub holds: Holds,
    /// Bytes that this user may still write there.
    pub free_bytes: u64,
    /// The largest file that the volume can hold, in bytes, where it is a volume of old make (FAT32: 4 GiB less one).
    pub file_bytes_max: Option<u64>,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// Nothing, or it is not there yet.
    Nothing,
    /// A game folder of ours, with the release that stands in it.
    Game {
        /// Whose.
        game: GameId,
        /// Which release; `None` where none was finished.
        version: Option<Version>,
    },
    /// A copy of the very game, put there by something else.
    Copy,
    /// Anything else.
    Others,
}

/// Looks at `dir`. `wanted` is a release of the game, by which a copy of it is recognised; without it there are none.
///
/// # Errors
/// [`StoreError::FolderRefused`](crate::StoreError::FolderRefused) where no game may live;
/// [`StoreError::NoPermission`](crate::StoreError::NoPermission) where this user may not write;
/// [`StoreError::StateTooNew`](crate::StoreError::StateTooNew) and
/// [`StoreError::StateBroken`](crate::StoreError::StateBroken) for a game folder that cannot be read; as the disk says.
pub fn look(fs: Arc<dyn Fs>, dir: &Path, places: &Places, wanted: Option<&Manifest>) -> Result<Look> {
    let disk = Disk::new(Arc::clone(&fs));
    let resolved = folder::permitted(&disk, dir, places)?;
    let tree = Tree::new(disk.clone(), resolved.clone());
    let holds = match folder::occupant(&tree)? {
        Occupant::Nobody | Occupant::Unfinished => Holds::Nothing,
        Occupant::Game => {
            let glance = Glance::at(fs, &resolved)?;
            let version = glance.installed().map(|manifest| manifest.version.clone());
            Holds::Game { game: glance.state().game.clone(), version }
        }
        Occupant::Others => match wanted {
            Some(wanted) if import::is_copy(&tree, wanted)? => Holds::Copy,
            _ => Holds::Others,
        },
    };
    let stands = standing(&disk, &resolved)?;
    // Whether this user may write there at all.
    disk.check_rename(&stands, &stands)?;
    Ok(Look {
        holds,
        free_bytes: disk.available_space(&stands)?,
        file_bytes_max: disk.file_bytes_max(&stands)?,
        dir: resolved,
    })
}

/// The folder, or the nearest one above it that is there.
fn standing(disk: &Disk, dir: &Path) -> Result<PathBuf> {
    let mut at = dir;
    while disk.kind(at)?.is_none()
        && let Some(above) = at.parent()
    {
        at = above;
    }
    Ok(at.to_owned())
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and plays the player"
)]
mod tests {
    use super::*;
    use crate::{StoreError, fs::RealFs, place::Refusal};

    fn at(dir: &Path, places: &Places) -> Result<Look> {
        look(Arc::new(RealFs), dir, places, None)
    }

    #[test]
    fn a_folder_that_is_not_there_is_measured_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let found = at(&dir.path().join("games/ember"), &Places::default()).unwrap();
        assert_eq!(found.holds, Holds::Nothing);
        assert!(found.free_bytes > 0);
        assert!(found.dir.ends_with("games/ember"));
        assert!(!dir.path().join("games").exists(), "a look makes nothing");
    }

    #[test]
    fn what_others_put_there_and_what_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("holiday.jpg"), b"sea").unwrap();
        assert_eq!(at(dir.path(), &Places::default()).unwrap().holds, Holds::Others);
        let places = Places { home: Some(dir.path().canonicalize().unwrap()), personal: Vec::new() };
        let refused = at(dir.path(), &places);
        assert!(matches!(refused, Err(StoreError::FolderRefused { reason: Refusal::Home, .. })));
    }
}
