//! Where a session's secrets are, and where they must not be.

use crate::{desktop::Desktop, studio::Studio};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every secret that the provider has given out since it was asked last.
#[must_use]
pub fn issued(studio: &mut Studio) -> BTreeSet<String> {
    let lines = studio.provider.lines_so_far();
    let answers = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let names = ["access_token", "refresh_token", "id_token"];
    answers
        .flat_map(|answer| names.map(|name| answer["issued"][name].as_str().map(str::to_owned)))
        .flatten()
        .collect()
}

/// The tokens stand in no file of the player's home but the secret store's, in no command line and no environment.
///
/// # Panics
/// When one stands somewhere.
pub fn nowhere(tokens: &BTreeSet<String>, desktop: &Desktop, family: &BTreeSet<u32>) {
    let mut looked = 0;
    for path in files(desktop.home()) {
        if path.components().any(|part| part.as_os_str() == "keyrings") {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        looked += 1;
        for token in tokens {
            // The signature's end is as secret as the whole.
            let tail = &token[token.len().saturating_sub(40)..];
            assert!(!text.contains(tail), "a token stands in {}", path.display());
        }
    }
    assert!(looked > 5, "{looked} files: settings, log, trust state");
    let log = desktop.home().join(".local/state/muster/emberfall/logs/launcher.log");
    assert!(fs::read_to_string(&log).unwrap().contains("DEBUG"), "the log was at its most talkative");
    for id in family {
        for file in ["cmdline", "environ"] {
            // A process may end while it is looked at.
            let text = fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(tokens.iter().all(|token| !text.contains(token.as_str())), "a token in {file} of {id}");
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found
}
