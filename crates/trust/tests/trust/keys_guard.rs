use std::fs;

use trust::keys::{self, InitOptions};

use crate::support::{World, now};

const DEMO: InitOptions = InitOptions { demo: true };

#[test]
fn keys_are_never_overwritten() {
    let world = World::new();
    let before = fs::read(world.keys().join("root-1.key")).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let error = keys::init(&world.keys(), fresh.path(), DEMO, now()).unwrap_err();
    assert_eq!(error.code(), "KEYS_EXIST");
    let error = keys::init(fresh.path(), &world.repo(), DEMO, now()).unwrap_err();
    assert_eq!(error.code(), "REPO_EXISTS");
    assert_eq!(fs::read(world.keys().join("root-1.key")).unwrap(), before);
    assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), 0);
}

#[test]
fn folders_must_be_apart() {
    let dir = tempfile::tempdir().unwrap();
    for (keys_dir, repo_dir) in [("r/keys", "r"), ("k", "k/r"), ("same", "same")] {
        let error =
            keys::init(&dir.path().join(keys_dir), &dir.path().join(repo_dir), DEMO, now()).unwrap_err();
        assert_eq!(error.code(), "KEY_IN_REPO");
    }
}

#[test]
fn key_in_the_repository_is_found() {
    let world = World::new();
    let repo = world.repo();
    keys::refuse_keys_in_repository(&repo).unwrap();
    let raw = fs::read(world.keys().join("targets-1.key")).unwrap();
    let pem = b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n".to_vec();
    for (name, bytes) in [("metadata/targets-1.key", &raw), ("backup", &raw), ("targets/root.pem", &pem)] {
        fs::write(repo.join(name), bytes).unwrap();
        assert_eq!(keys::refuse_keys_in_repository(&repo).unwrap_err().code(), "KEY_IN_REPO", "{name}");
        assert!(trust::Editor::open(&repo, &world.keys()).is_err());
        fs::remove_file(repo.join(name)).unwrap();
    }
    fs::write(repo.join("index.txt"), "nothing secret").unwrap();
    keys::refuse_keys_in_repository(&repo).unwrap();
}

#[test]
fn root_is_three_keys_two_of_which_sign() {
    let world = World::new();
    let root: serde_json::Value = serde_json::from_slice(&world.root).unwrap();
    assert_eq!(root["signatures"].as_array().unwrap().len(), 2);
    let roles = &root["signed"]["roles"];
    assert_eq!(roles["root"]["threshold"], 2);
    assert_eq!(roles["root"]["keyids"].as_array().unwrap().len(), 3);
    assert_eq!(roles["targets"]["keyids"].as_array().unwrap().len(), 2);
    assert_eq!(roles["snapshot"], roles["timestamp"]);
    assert_eq!(root["signed"]["expires"], "2027-03-01T12:00:00Z");
    assert_eq!(root["signed"]["consistent_snapshot"], true);
}

#[cfg(unix)]
#[test]
fn keys_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.keys()), 0o700);
    for entry in fs::read_dir(world.keys()).unwrap() {
        assert_eq!(mode(entry.unwrap().path()), 0o600);
    }
    assert_eq!(mode(world.metadata("timestamp.json")) & 0o044, 0o044, "a web server must read it");
}

#[test]
fn damaged_key_is_named() {
    let world = World::new();
    fs::write(world.keys().join("targets-1.key"), b"not a key").unwrap();
    let error = trust::Editor::open(&world.repo(), &world.keys()).err().unwrap();
    assert_eq!(error.code(), "KEY_INVALID");
    assert!(error.to_string().contains("targets-1.key"), "{error}");
}
