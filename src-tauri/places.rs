//! Where the launcher keeps its things, by the rules of each system.
//!
//! Settings, state and cache lie apart: a cleaner may empty the cache at any time, nothing else is lost with it. Two studios'
//! launchers on one machine do not meet, for each game has its own folder below.

use directories::{ProjectDirs, UserDirs};
use std::path::{Path, PathBuf};
use store::place::Places as UserPlaces;

/// The folders of one game's launcher. None of them need exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Settings.
    pub(crate) config: PathBuf,
    /// What must outlive a cleaner: the signed-in name, logs.
    pub(crate) state: PathBuf,
    /// Trust state of all repositories; shared with the `muster` command.
    pub(crate) shared_state: PathBuf,
    /// News and pictures, safe to delete at any time.
    pub(crate) cache: PathBuf,
    /// Where the game goes unless the player picks another folder.
    pub(crate) game: PathBuf,
}

impl Places {
    /// The folders for `game`, or `None` when the system knows no home folder for this user.
    pub(crate) fn for_game(game: &str) -> Option<Self> {
        let dirs = project()?;
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
        Some(Self {
            config: dirs.config_local_dir().join(game),
            state: state.join(game),
            shared_state: state.to_owned(),
            cache: dirs.cache_dir().join(game),
            game: dirs.data_local_dir().join("games").join(game),
        })
    }
}

/// The user's home folder, whose name is nobody's business.
pub(crate) fn home() -> Option<PathBuf> {
    UserDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

/// The user's own folders, so that no game is put right into one.
pub(crate) fn user_places() -> UserPlaces {
    let Some(dirs) = UserDirs::new() else { return UserPlaces::default() };
    let known = [
        dirs.desktop_dir(),
        dirs.document_dir(),
        dirs.download_dir(),
        dirs.picture_dir(),
        dirs.video_dir(),
        dirs.audio_dir(),
        dirs.public_dir(),
        dirs.template_dir(),
        dirs.font_dir(),
    ];
    let mut personal: Vec<PathBuf> = known.into_iter().flatten().map(Path::to_owned).collect();
    if let Some(own) = project() {
        personal.extend([own.config_local_dir(), own.data_local_dir(), own.cache_dir()].map(Path::to_owned));
    }
    UserPlaces { home: Some(dirs.home_dir().to_owned()), personal }
}

/// The same names as the `muster` command's, so that trust state is kept once per user and repository.
fn project() -> Option<ProjectDirs> {
    ProjectDirs::from("org", "Muster", "Muster")
}
