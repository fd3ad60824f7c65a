//! The guide to keys is right: every command in it is run, in its order, in one folder.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{fs, path::Path, process::Command};
use tests::{
    muster::{Person, text},
    programs,
};

#[test]
fn every_command_of_the_guide_does_its_work() {
    let guide = fs::read_to_string(programs::root().join("docs/keys.md")).unwrap();
    let base = tempfile::tempdir().unwrap();
    let blocks = blocks(&guide);
    assert!(blocks.len() >= 12, "only {} boxes of commands", blocks.len());
    for block in &blocks {
        let commands = with_ids(block, base.path());
        let path =
            format!("{}:{}", programs::muster().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-euc", &commands]).current_dir(base.path()).env("PATH", path);
        Person::at(&base.path().join("home")).at_home(&mut shell);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let shown = show(base.path());
    assert_eq!(shown["root_version"], 5);
    assert_eq!(shown["warnings"], Value::Array(Vec::new()));
}

/// The boxes that are commands.
fn blocks(guide: &str) -> Vec<String> {
    let parts = guide.split("```sh\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// Commands with the ids that a reader would see in `keys show`.
fn with_ids(block: &str, base: &Path) -> String {
    let mut commands = block.to_owned();
    for (word, role, number) in [("ONLINE_KEYID", "online", 0), ("ROOT_KEYID", "root", 2)] {
        if commands.contains(word) {
            let shown = show(base);
            let roles = shown["roles"].as_array().unwrap();
            let role = roles.iter().find(|one| one["role"] == role).unwrap();
            let id = role["keys"][number]["key"].as_str().unwrap();
            commands = commands.replace(word, &id[..12]);
        }
    }
    commands
}

fn show(base: &Path) -> Value {
    let (repo, keys) = (base.join("repository"), base.join("keys"));
    let person = Person::at(&base.join("home"));
    person.done(&["keys", "show", "--repo", text(&repo), "--keys", text(&keys)])
}
