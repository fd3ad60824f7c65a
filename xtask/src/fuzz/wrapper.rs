//! The wrapper around the compiler that puts coverage counters into the workspace's crates.

use super::ours;
use crate::failure::{AtPath as _, Failure};
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
};

/// What libFuzzer reads: a counter at every edge, where each lies, and what is compared with what. Stable flags, all of them.
const FLAGS: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Optimization of the crates that the targets work in.
const FAST: u32 = 2;
/// Optimization of the engine, of which a few small parsers run, and whose sockets and HTTP would take a minute to optimize.
const SLOW: u32 = 0;

/// Writes the wrapper and says where it is. Cargo calls it with the compiler and its words; build programs and macros run
/// without the fuzzer, and get no counters.
pub(super) fn write() -> Result<PathBuf, Failure> {
    let text = format!(
        "#!/bin/sh\nrustc=$1; shift\ncase \" $* \" in\n\
         *\" --crate-name build_script_\"*|*\" --crate-type proc-macro \"*|*\" --crate-name ___ \"*) exec \"$rustc\" \"$@\" ;;\n\
         *\" --crate-name engine \"*) speed={SLOW} ;;\n*) speed={FAST} ;;\n\
         esac\nexec \"$rustc\" \"$@\" -Copt-level=$speed {}\n",
        FLAGS.join(" ")
    );
    // Cargo tells wrappers apart by their path alone, so another wrapper has another name.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let path = ours("wrapper")?.join(format!("rustc-{:016x}", hasher.finish()));
    std::fs::write(&path, text).at(&path)?;
    make_executable(&path)?;
    Ok(path)
}

#[cfg(unix)]
fn make_executable(path: &std::path::Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).at(path)
}

#[cfg(not(unix))]
fn make_executable(_path: &std::path::Path) -> Result<(), Failure> {
    Err(Failure::Missing { what: "a Unix shell for the compiler's wrapper".into(), bring: "WSL".into() })
}
