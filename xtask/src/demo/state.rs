//! What a second `cargo xtask demo --release-next` must know of the first: that it runs.

use crate::{
    failure::{AtPath, Failure},
    process::{command, succeeds},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Says that the demo in `dir` runs in this process.
pub(super) fn write(dir: &Path) -> Result<(), Failure> {
    let path = file(dir);
    std::fs::write(&path, json!({ "process": std::process::id() }).to_string()).at(path)
}

/// The demo has ended.
pub(super) fn remove(dir: &Path) {
    let _absent_already = std::fs::remove_file(file(dir));
}

/// Fails where no demo runs in `dir`.
pub(super) fn check_running(dir: &Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file(dir)).unwrap_or_default();
    let id = serde_json::from_str::<Value>(&text).ok().and_then(|state| state["process"].as_u64());
    let alive = id.is_some_and(|id| succeeds(command("kill").args(["-0", &id.to_string()])));
    if alive {
        return Ok(());
    }
    Err(Failure::Missing { what: "no demo is running".into(), bring: "cargo xtask demo".into() })
}

fn file(dir: &Path) -> PathBuf {
    dir.join("state.json")
}
