//! Starting the game: an argument vector from the signed manifest, its program hashed just before, in
//! the game folder, with a cleaned environment.

use super::{
    error::GameError,
    jobs::layout,
    running::{MARKER, Words},
};
use release::{manifest::Manifest, merkle::FileHasher, path::GamePath};
use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    thread,
    time::Duration,
};
use store::{GameFolder, InstalledTree, StoreError, fs::RealFs, glance::Glance, verify::FileReport};
use tokio::process::{Child, Command};

/// Looks at a folder in which files are being put in place, and the time between them.
const LOOKS_MAX: u32 = 200;
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes hashed at once.
const CHUNK: u32 = 1 << 20;

/// Variables that a game needs to find the display, the sound and its user; everything else of the
/// launcher's environment stays with the launcher.
const KEPT: [&str; 26] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "DISPLAY",
    "XAUTHORITY",
    "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
    "PULSE_SERVER",
    "PIPEWIRE_REMOTE",
    "SDL_VIDEODRIVER",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "USERNAME",
];
const KEPT_PREFIXES: [&str; 4] = ["XDG_", "LC_", "VK_", "MESA_"];

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) folder: PathBuf,
}

/// The platform as manifests name it, for example `linux-x86_64`.
#[must_use]
pub fn platform() -> String {
    format!("{}-{}", env::consts::OS, env::consts::ARCH)
}

/// Finds the launch command and checks its program byte for byte.
pub(crate) fn program(folder: &GameFolder, manifest: &Manifest) -> Result<Program, GameError> {
    if folder.partial().is_some_and(|partial| !partial.is_playable()) {
        return Err(GameError::NotPlayableYet);
    }
    program_of(folder.dir(), InstalledTree::open(folder, manifest)?, manifest)
}

/// As [`program`], while somebody else puts the rest of the release in place: only of a release that stands in part, as one
/// that is whole may be about to change.
pub(crate) fn program_while_the_rest_comes(dir: &Path) -> Result<Program, GameError> {
    let glance = glance(dir)?;
    let manifest = glance.installed().ok_or(GameError::NotPlayableYet)?;
    let partial = glance.partial().ok_or(GameError::Busy)?;
    let awaited = |file: &FileReport| manifest.files[file.index].set > partial.complete;
    if !partial.is_playable() || glance.check_quick(manifest)?.faults().any(|fault| !awaited(fault)) {
        return Err(GameError::NotPlayableYet);
    }
    program_of(glance.dir(), glance.tree(manifest), manifest)
}

/// As [`program`], for a user who may not write to the folder and so cannot hold its lock.
pub(crate) fn program_without_the_lock(dir: &Path) -> Result<Program, GameError> {
    let glance = glance(dir)?;
    let manifest = glance.installed().ok_or(GameError::NotInstalled)?;
    if glance.partial().is_some_and(|partial| !partial.is_playable()) {
        return Err(GameError::NotPlayableYet);
    }
    program_of(glance.dir(), glance.tree(manifest), manifest)
}

/// Looks until no files are being put in place.
pub(crate) fn glance(dir: &Path) -> Result<Glance, GameError> {
    let mut looks = 0;
    loop {
        looks += 1;
        match Glance::at(Arc::new(RealFs), dir) {
            Err(StoreError::ApplyPending { .. }) if looks < LOOKS_MAX => thread::sleep(LOOK_INTERVAL),
            glance => return Ok(glance?),
        }
    }
}

fn program_of(dir: &Path, tree: InstalledTree, manifest: &Manifest) -> Result<Program, GameError> {
    let platform = platform();
    let launch = manifest.launch.get(&platform).ok_or(GameError::NoLaunch { platform })?;
    check(&tree, manifest, &launch.executable)?;
    let path = launch.executable.components().fold(dir.to_owned(), |path, part| path.join(part));
    Ok(Program { path, arguments: launch.arguments.clone(), folder: dir.to_owned() })
}

fn check(tree: &InstalledTree, manifest: &Manifest, executable: &GamePath) -> Result<(), GameError> {
    let bad = || GameError::ExecutableBad { path: executable.to_string() };
    let index = manifest.files.iter().position(|file| file.path == *executable).ok_or_else(bad)?;
    let entry = &manifest.files[index];
    let mut hasher = FileHasher::new(layout(manifest)?.piece_length());
    let mut offset = 0;
    while offset < entry.size {
        let length = (entry.size - offset).min(CHUNK.into()) as u32;
        hasher.update(&tree.read_at(index, offset, length).map_err(|_| bad())?);
        offset += u64::from(length);
    }
    if hasher.finish().pieces_root == entry.pieces_root { Ok(()) } else { Err(bad()) }
}

/// Starts it, its processes marked with the id of the run. The child lives on when the launcher ends.
pub(crate) fn start(program: &Program, run: &str, words: Option<&Words>) -> Result<Child, GameError> {
    let refused = |source| GameError::Start { path: program.path.display().to_string(), source };
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).current_dir(&program.folder).stdin(Stdio::null()).env_clear();
    if let Some(words) = words {
        command.stdout(words.stdio().map_err(refused)?).stderr(words.stdio().map_err(refused)?);
    }
    command.env(MARKER, run);
    for (name, value) in env::vars_os() {
        if kept(&name.to_string_lossy()) {
            command.env(name, value);
        }
    }
    // Its own process group: Ctrl-C in the launcher's terminal is not the game's.
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().map_err(refused)
}

fn kept(name: &str) -> bool {
    let upper = name.to_uppercase();
    KEPT.contains(&upper.as_str()) || KEPT_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_an_allow_list() {
        for name in ["PATH", "DISPLAY", "XDG_RUNTIME_DIR", "LC_ALL", "SystemRoot"] {
            assert!(kept(name), "{name}");
        }
        for name in ["LD_PRELOAD", "MUSTER_TOKEN", "GTK_MODULES", "AWS_SECRET_ACCESS_KEY", "LD_LIBRARY_PATH"]
        {
            assert!(!kept(name), "{name}");
        }
    }
}
