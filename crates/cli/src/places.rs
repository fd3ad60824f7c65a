//! Where this user's keys and trust state are, and which folders no game may take.

use crate::error::CliError;
use directories::{ProjectDirs, UserDirs};
use std::path::{Path, PathBuf};
use store::place::Places;

fn project() -> Result<ProjectDirs, CliError> {
    // The launcher uses the same names, so that trust state is kept once per user and repository.
    ProjectDirs::from("org", "Muster", "Muster")
        .ok_or_else(|| CliError::new("NO_HOME", "this user has no home folder: set HOME"))
}

/// Where trust state is kept.
pub(crate) fn state_dir() -> Result<PathBuf, CliError> {
    let project = project()?;
    Ok(project.state_dir().unwrap_or_else(|| project.data_local_dir()).to_owned())
}

/// Where private keys are unless `--keys` says otherwise.
pub(crate) fn keys_dir(given: Option<PathBuf>) -> Result<PathBuf, CliError> {
    match given {
        Some(keys) => Ok(keys),
        None => Ok(project()?.config_local_dir().join("keys")),
    }
}

/// This user's own folders.
pub(crate) fn of_user() -> Places {
    let Some(user) = UserDirs::new() else { return Places::default() };
    let known = [
        user.desktop_dir(),
        user.document_dir(),
        user.download_dir(),
        user.picture_dir(),
        user.audio_dir(),
        user.video_dir(),
        user.public_dir(),
        user.template_dir(),
        user.font_dir(),
    ];
    let mut personal: Vec<PathBuf> = known.into_iter().flatten().map(Path::to_owned).collect();
    if let Ok(project) = project() {
        personal.extend(
            [project.config_local_dir(), project.data_local_dir(), project.cache_dir()].map(Path::to_owned),
        );
    }
    Places { home: Some(user.home_dir().to_owned()), personal }
}

/// A path made absolute without asking the disk.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::file(path, &error))
}
