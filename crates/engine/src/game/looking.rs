//! A look at a folder that a player may choose for the game.

use super::error::GameError;
use crate::snapshot::{FolderHolds, FolderLook};
use release::{id::GameId, manifest::Manifest, path::GamePath};
use std::{path::PathBuf, sync::Arc};
use store::{
    StoreError,
    fs::RealFs,
    look::{Holds, Look, look},
    place::Places,
    space,
};

/// What a look is for.
pub(crate) struct Question {
    pub(crate) dir: PathBuf,
    pub(crate) places: Places,
    pub(crate) game: Option<GameId>,
    /// The game's name, for a folder of its own.
    pub(crate) title: String,
    /// The release offered, by which a copy of the game is recognised.
    pub(crate) wanted: Option<Arc<Manifest>>,
    /// What a first install of it needs, in bytes.
    pub(crate) need_bytes: Option<u64>,
}

impl Question {
    /// Looks; blocks on the disk. Where others' things lie, a folder of the game's own inside is meant.
    ///
    /// # Errors
    /// As [`look`]; [`StoreError::FolderNotOurs`] where that folder is taken too, or another game stands there;
    /// [`StoreError::FileTooLarge`] where the volume cannot hold a file of the release.
    pub(crate) fn answer(self) -> Result<FolderLook, GameError> {
        let asked = self.look_at(&self.dir.clone())?;
        let found = match asked.holds {
            Holds::Others => self.look_at(&asked.dir.join(self.own_name()))?,
            _ => asked,
        };
        let not_ours = || GameError::Store(StoreError::FolderNotOurs { path: found.dir.clone() });
        let (holds, version) = match &found.holds {
            Holds::Nothing => (FolderHolds::Nothing, None),
            Holds::Copy => (FolderHolds::Copy, None),
            Holds::Game { game, version } if self.game.as_ref() == Some(game) => {
                (FolderHolds::Game, version.as_ref().map(ToString::to_string))
            }
            Holds::Game { .. } | Holds::Others => return Err(not_ours()),
        };
        if let Some(wanted) = &self.wanted {
            space::check_files(&found.dir, found.file_bytes_max, wanted)?;
        }
        Ok(FolderLook {
            dir: found.dir.display().to_string(),
            holds,
            version,
            free_bytes: found.free_bytes,
            need_bytes: self.need_bytes,
        })
    }

    fn look_at(&self, dir: &std::path::Path) -> Result<Look, GameError> {
        Ok(look(Arc::new(RealFs), dir, &self.places, self.wanted.as_deref())?)
    }

    /// The game's name, where every system takes it as a folder's; else its id.
    fn own_name(&self) -> String {
        let as_path = GamePath::parse(&self.title).ok().filter(|path| path.components().count() == 1);
        match (as_path, &self.game) {
            (Some(_), _) | (None, None) => self.title.clone(),
            (None, Some(game)) => game.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(dir: PathBuf, title: &str) -> Question {
        Question {
            dir,
            places: Places::default(),
            game: Some("ember".parse().unwrap()),
            title: title.to_owned(),
            wanted: None,
            need_bytes: Some(7),
        }
    }

    #[test]
    fn beside_other_things_the_game_gets_a_folder_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("holiday.jpg"), b"sea").unwrap();
        for (title, name) in [("Ember Fall", "Ember Fall"), ("Ember: Fall?", "ember"), ("a/b", "ember")] {
            let found = question(dir.path().to_owned(), title).answer().unwrap();
            assert!(found.dir.ends_with(&format!("/{name}")) || found.dir.ends_with(&format!("\\{name}")));
            assert_eq!((found.holds, found.need_bytes), (FolderHolds::Nothing, Some(7)));
        }
        std::fs::create_dir(dir.path().join("ember")).unwrap();
        std::fs::write(dir.path().join("ember/notes.txt"), b"mine").unwrap();
        let refused = question(dir.path().to_owned(), "a/b").answer().unwrap_err();
        assert_eq!(refused.code(), "FOLDER_NOT_OURS");
    }
}
