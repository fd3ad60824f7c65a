//! Where the programs under test and the other side's programs lie.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Cargo's output folder: the test runs from `<target>/debug/deps`.
#[must_use]
pub fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_path_buf()
}

/// A program that `xtask test` names in `variable`; without it, the one that `cargo build` made.
fn program(variable: &str, fallback: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| target().join(fallback), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: `cargo build --workspace --bins` and `cargo xtask setup` bring it (or name it in {variable})",
        path.display()
    );
    path
}

/// The `muster` command.
#[must_use]
pub fn muster() -> PathBuf {
    program("MUSTER_BIN", "debug/muster")
}

/// The launcher.
#[must_use]
pub fn launcher() -> PathBuf {
    program("MUSTER_LAUNCHER_BIN", "debug/muster-launcher")
}

/// The generator of the demo game's releases.
#[must_use]
pub fn demo_assets() -> PathBuf {
    program("DEMO_ASSETS_BIN", "debug/demo-assets")
}

/// The demo game.
#[must_use]
pub fn demo_game() -> PathBuf {
    program("DEMO_GAME_BIN", "debug/demo-game")
}

/// The unpacked releases of a real game engine.
#[must_use]
pub fn input(name: &str) -> PathBuf {
    program("MUSTER_INPUTS", "xtask/inputs").join(name)
}

/// Python, with libtorrent 2.1 and python-tuf, running one of our scripts.
#[must_use]
pub fn script(name: &str) -> Command {
    python(&program("MUSTER_PYTHON", "xtask/venv/bin/python"), name)
}

/// The same with libtorrent 2.0.
#[must_use]
pub fn script_of_libtorrent_2_0(name: &str) -> Command {
    python(&program("MUSTER_PYTHON_LIBTORRENT_2_0", "xtask/venv-libtorrent-2.0/bin/python"), name)
}

fn python(interpreter: &Path, name: &str) -> Command {
    let mut python = Command::new(interpreter);
    python.args(["-W", "ignore"]).arg(root().join("tests/interop").join(name));
    python
}
