//! Where things lie: the repository, cargo's output, our own files in it.

use crate::failure::{AtPath, Failure};
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's output folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A folder of ours under cargo's output, made if absent: `cargo clean` takes it along.
pub(crate) fn ours(name: &str) -> Result<PathBuf, Failure> {
    let dir = target().join("xtask").join(name);
    std::fs::create_dir_all(&dir).at(&dir)?;
    Ok(dir)
}

/// A program of the workspace as the profile (`debug` or `release`) built it.
pub(crate) fn built(profile: &str, program: &str) -> PathBuf {
    target().join(profile).join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

/// A program of the Python environment.
pub(crate) fn from_venv(program: &str) -> PathBuf {
    target().join("xtask/venv/bin").join(program)
}

/// Lets a program find only `home` for whatever it keeps.
pub(crate) fn at_home(command: &mut std::process::Command, home: &Path) {
    command.env("HOME", home);
    for (name, folder) in
        [("CONFIG", ".config"), ("STATE", ".local/state"), ("DATA", ".local/share"), ("CACHE", ".cache")]
    {
        command.env(format!("XDG_{name}_HOME"), home.join(folder));
    }
}
