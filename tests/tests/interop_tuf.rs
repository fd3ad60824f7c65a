//! The repository: python-tuf, which shares no code with ours, reads what we publish and refuses what was changed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{fs, path::Path};
use tests::{muster::Repository, programs, tree};

#[test]
fn python_tuf_reads_every_release_and_refuses_a_changed_one() {
    let base = tempfile::tempdir().unwrap();
    let repository = Repository::init(base.path());
    let build = base.path().join("build");
    for (seed, version) in [(21, "1.0"), (22, "1.1")] {
        fs::remove_dir_all(&build).ok();
        tree::grow(&build, seed, 16_384);
        repository.publish(&build, "game", version, &[]);
    }
    let state = base.path().join("state");
    let read = ask(&repository, &state, None);
    assert_eq!(read["ok"], true, "{read}");
    let targets = read["targets"].as_object().unwrap();
    for name in
        ["game~live.json", "game~1.0.manifest", "game~1.0.torrent", "game~1.1.manifest", "game~1.1.torrent"]
    {
        assert!(targets.contains_key(name), "{name}: {targets:?}");
    }

    let changed = target_file(&repository, "game~1.1.manifest");
    let mut bytes = fs::read(&changed).unwrap();
    bytes[10] ^= 1;
    fs::write(&changed, bytes).unwrap();
    let refused = ask(&repository, &base.path().join("other"), Some("game~1.1.manifest"));
    assert_eq!((&refused["ok"], &refused["refusal"]), (&false.into(), &"LengthOrHashMismatchError".into()));
}

fn ask(repository: &Repository, state: &Path, target: Option<&str>) -> Value {
    let mut script = programs::script("tuf_client.py");
    script.arg("--repo").arg(&repository.dir).arg("--root").arg(repository.root());
    script.arg("--state").arg(state);
    if let Some(name) = target {
        script.args(["--targets", name]);
    }
    let output = script.output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The file of a target, whose name stands behind its hash.
fn target_file(repository: &Repository, name: &str) -> std::path::PathBuf {
    let files = fs::read_dir(repository.dir.join("targets")).unwrap().map(|entry| entry.unwrap().path());
    let suffix = format!(".{name}");
    files.into_iter().find(|path| path.to_str().unwrap().ends_with(&suffix)).unwrap()
}
