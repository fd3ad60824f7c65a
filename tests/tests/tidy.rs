//! Style that can be checked: the arrows between crates, sizes, leftovers, the map of the house.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tests::programs::root;

/// Crate, and the crates it may use. Whoever is absent from a right-hand side stays unknown to it.
const ARROWS: [(&str, &[&str]); 12] = [
    ("release", &[]),
    ("brand", &["release"]),
    ("delta", &[]),
    ("swarm", &["release"]),
    ("store", &["release", "delta"]),
    ("trust", &["release"]),
    ("engine", &["release", "swarm", "store", "trust"]),
    ("publisher", &["release", "swarm", "store", "trust", "delta"]),
    ("origin", &["release", "swarm", "store", "trust", "engine", "publisher"]),
    ("cli", &["release", "swarm", "store", "trust", "engine", "publisher", "origin", "brand"]),
    ("sim", &["release", "swarm"]),
    ("muster-launcher", &["release", "swarm", "store", "trust", "engine", "brand"]),
];
/// They may use anything, and nothing that is shipped uses them.
const OUTSIDE: [&str; 5] = ["tests", "xtask", "demo-game", "proof", "fuzz"];
/// Without these the drawing in the architecture page would be wrong.
const ESSENTIAL: [(&str, &[&str]); 5] = [
    ("muster-launcher", &["engine"]),
    ("cli", &["engine", "origin", "publisher"]),
    ("origin", &["engine", "trust"]),
    ("engine", &["swarm", "store", "trust"]),
    ("publisher", &["trust"]),
];
const LINES_MAX: usize = 600;
const ARCHITECTURE_LINES_MAX: usize = 150;
/// Not ours, or made by a program.
const NOT_WRITTEN: [&str; 8] =
    ["target", "node_modules", "dist", "gen", ".git", ".demo", "bindings.ts", "bindings"];

#[test]
fn imports_go_one_way() {
    let uses = workspace_arrows();
    let known: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).chain(OUTSIDE).collect();
    for (name, used) in &uses {
        assert!(known.contains(&name.as_str()), "{name} is a new crate: draw it in ARCHITECTURE.md and here");
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| crate_name == name) else { continue };
        for other in used {
            assert!(allowed.contains(&other.as_str()), "{name} must not know {other}");
        }
    }
    for (name, needed) in ESSENTIAL {
        for other in needed {
            assert!(uses[name].iter().any(|used| used == other), "{name} is drawn above {other}");
        }
    }
}

#[test]
fn files_are_short() {
    let too_long: Vec<String> = sources(&["rs", "ts", "svelte", "mjs", "py", "css"])
        .into_iter()
        .map(|path| (code_lines(&path), path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{}: {lines}", path.display()))
        .collect();
    assert!(too_long.is_empty(), "more than {LINES_MAX} lines: {too_long:#?}");
}

#[test]
fn no_leftovers_and_no_paths_of_one_machine() {
    let leftovers = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("db", "g!(")];
    let machine = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut found = Vec::new();
    for path in sources(&["rs", "ts", "svelte", "mjs", "py", "toml", "json", "md", "html", "css"]) {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if leftovers.iter().chain(&machine).any(|bad| line.contains(bad)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_map_shows_every_room() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md stands");
    let lines = map.lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines");
    for (name, _) in ARROWS {
        let drawn = if name == "muster-launcher" { "src-tauri".to_owned() } else { format!("crates/{name}") };
        assert!(map.contains(&drawn) || map.contains(&format!("`{name}`")), "{name} is not on the map");
    }
}

#[test]
fn pages_name_tests_that_stand() {
    let written: String = sources(&["rs"]).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let named = |page: &str| -> Vec<String> {
        let text = fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        let spans = text.split('`').skip(1).step_by(2).map(str::to_owned);
        let is_name = |word: &String| {
            word.len() > 6
                && word.contains('_')
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        spans.filter(is_name).collect()
    };
    let names = named("docs/mishaps.md");
    assert!(names.len() > 60, "{}", names.len());
    let gone: Vec<_> = names.iter().filter(|name| !written.contains(&format!("fn {name}("))).collect();
    assert!(gone.is_empty(), "tests that a page names and that are not there: {gone:#?}");
}

#[test]
fn walls_stand_in_clippy_too() {
    let pure =
        ["std::time::Instant", "std::time::SystemTime", "std::fs::File", "std::net::TcpStream", "HashMap"];
    let seam = ["std::fs::File", "std::fs::OpenOptions", "std::fs::rename", "std::fs::remove_file"];
    for (name, bans) in [("release", &pure[..]), ("swarm", &pure[..]), ("store", &seam[..])] {
        let path = root().join("crates").join(name).join("clippy.toml");
        let text = fs::read_to_string(&path).unwrap();
        for ban in bans {
            assert!(text.contains(ban), "{} does not ban {ban}", path.display());
        }
    }
    for manifest in sources(&["toml"]).iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(manifest).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{}: no workspace lints", manifest.display());
    }
}

#[test]
fn modules_are_files_beside_their_folder() {
    let old: Vec<_> = sources(&["rs"]).into_iter().filter(|path| path.ends_with("mod.rs")).collect();
    assert!(old.is_empty(), "{old:?}");
}

/// Each member of the workspace, with the members its normal dependencies name.
fn workspace_arrows() -> BTreeMap<String, Vec<String>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (text(&package["name"]), inner_dependencies(package))).collect()
}

fn inner_dependencies(package: &Value) -> Vec<String> {
    let all = package["dependencies"].as_array().unwrap();
    let inner = all.iter().filter(|one| one["kind"].is_null() && !one["path"].is_null());
    inner.map(|one| text(&one["name"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Files of ours with one of these endings.
fn sources(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if NOT_WRITTEN.contains(&name.as_str()) || name.ends_with("-lock.json") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Lines of a file up to its unit tests.
fn code_lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].starts_with("mod "));
    tests.unwrap_or(lines.len())
}
