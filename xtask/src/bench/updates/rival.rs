//! The other programs: what they need is brought by name, and `rivals.py` measures them.

use super::pairs::Pair;
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, cargo, command, run, succeeds},
};
use serde_json::Value;
use std::path::PathBuf;

/// Those that make a patch between two releases.
pub(super) const PATCHERS: [&str; 5] = ["zstd", "xdelta3", "bsdiff", "hdiffpatch", "zucchini"];
/// Those that fetch the chunks that a player lacks.
pub(super) const CHUNKERS: [&str; 2] = ["casync", "bita"];

const SCRIPT: &str = "xtask/src/bench/updates/rivals.py";
const HDIFFPATCH: &str = "hdiffpatch==2.6.0";
const BITA: &str = "0.15.0";
/// zucchini is a library; this is all there is around it.
const ZUCCHINI_MAIN: &str = include_str!("zucchini.rs.txt");
const ZUCCHINI_MANIFEST: &str = "[package]\nname = \"zucchini-rival\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
     [dependencies]\nzucchini = \"=0.1.1\"\n\n[workspace]\n";

/// Figures of one of them on one pair.
pub(super) fn measure(name: &str, pair: &Pair) -> Result<Value, Failure> {
    let scratch = place::ours("updates")?.join("scratch").join(format!("{}-{name}", pair.name));
    let mut script = command(python()?);
    script.arg(place::root().join(SCRIPT)).arg(&pair.old).arg(&pair.new).arg(name).arg(&scratch);
    match name {
        "zucchini" => drop(script.arg(zucchini()?)),
        "bita" => drop(script.arg(bita()?)),
        _ => {}
    }
    let printed = capture(&mut script);
    let _best_effort = std::fs::remove_dir_all(&scratch);
    serde_json::from_str(printed?.trim())
        .map_err(|error| Failure::Unexpected { what: format!("what {name} printed: {error}") })
}

/// An interpreter with HDiffPatch.
fn python() -> Result<PathBuf, Failure> {
    let venv = place::ours("")?.join("venv-updates");
    let python = venv.join("bin/python");
    if !succeeds(command(&python).args(["-c", "import hdiffpatch"])) {
        run(command("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(command(&python).args(["-m", "pip", "--quiet", "install", HDIFFPATCH]))?;
    }
    Ok(python)
}

/// Builds it when it is not there: some minutes, and a C++ compiler of 2023.
fn zucchini() -> Result<PathBuf, Failure> {
    let home = place::ours("tools")?.join("zucchini");
    let program = home.join("target/release/zucchini-rival");
    if !program.exists() {
        let source = home.join("src");
        std::fs::create_dir_all(&source).at(&source)?;
        for (path, text) in
            [(home.join("Cargo.toml"), ZUCCHINI_MANIFEST), (source.join("main.rs"), ZUCCHINI_MAIN)]
        {
            std::fs::write(&path, text).at(&path)?;
        }
        let mut build = cargo(&["build", "--release", "--target-dir"]);
        build.arg(home.join("target")).arg("--manifest-path").arg(home.join("Cargo.toml"));
        run(build.env("CXX", "clang++-19").env("CXXFLAGS", "-stdlib=libc++").env("CXXSTDLIB", "c++"))?;
    }
    Ok(program)
}

fn bita() -> Result<PathBuf, Failure> {
    let root = place::ours("tools")?;
    let program = root.join("bin/bita");
    if !program.exists() {
        let words =
            ["install", "--locked", "bita", "--version", BITA, "--features", "zstd-compression", "--root"];
        run(cargo(&words).arg(&root))?;
    }
    Ok(program)
}
