//! What bad input gets: a sentence, a stable code, an exit code, and the folder as it was.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{
    libtorrent::{self, Flavour},
    muster::{Outcome, Person, Repository, text},
    tree,
    volume::Volume,
    web::{self, WebServer},
};
use trust::{Editor, keys};

const GAME: &str = "game";

/// A player before an empty place.
struct Player {
    base: tempfile::TempDir,
    person: Person,
}

impl Player {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let person = Person::at(&base.path().join("home"));
        Self { base, person }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn install(&self, url: &str, root: &Path, dir: &Path) -> Outcome {
        let words = ["install", url, "--game", GAME, "--dir", text(dir), "--root", text(root), "--no-lan"];
        self.person.run(&words)
    }

    /// Installs what must be refused, into a folder that is not there yet.
    fn refused(&self, url: &str, root: &Path, exit: i32, code: &str) {
        let dir = self.path("game");
        let outcome = self.install(url, root, &dir);
        assert_refusal(&outcome, exit, code);
        assert!(!dir.exists() || tree::read(&dir).is_empty(), "{code}: nothing was installed");
    }

    /// A published release of a small tree.
    fn repository(&self) -> Repository {
        let build = self.path("build");
        tree::grow(&build, 31, 16_384);
        let repository = Repository::init(self.base.path());
        repository.publish(&build, GAME, "1.0", &[]);
        repository
    }
}

fn assert_refusal(outcome: &Outcome, exit: i32, code: &str) {
    let result = outcome.result();
    assert_eq!((outcome.code, &result["code"]), (exit, &json!(code)), "{result}\n{}", outcome.errors);
    let sentence = result["message"].as_str().unwrap();
    assert!(sentence.len() > 10, "a sentence: {sentence}");
    assert!(outcome.errors.contains(sentence), "people read it too: {}", outcome.errors);
}

#[test]
fn a_changed_signature() {
    let player = Player::new();
    let repository = player.repository();
    let file = repository.dir.join("metadata/timestamp.json");
    let text = fs::read_to_string(&file).unwrap();
    let at = text.find("\"sig\"").unwrap() + 10;
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    fs::write(&file, [&text[..at], digit, &text[at + 1..]].concat()).unwrap();
    let origin = WebServer::folder(&repository.dir);
    player.refused(&origin.url(), &repository.root(), 12, "META_SIGNATURE");
}

#[test]
fn an_expired_repository() {
    let player = Player::new();
    let (repository, root) = signed(&player, Utc::now() - TimeDelta::days(200), manifest(&["a"]));
    let origin = WebServer::folder(&repository);
    player.refused(&origin.url(), &root, 12, "META_EXPIRED");
}

#[cfg(target_os = "linux")]
#[test]
fn expired_metadata_and_an_unreachable_origin_leave_the_game_playable() {
    let player = Player::new();
    let (build, dir) = (player.path("playable"), player.path("game"));
    fs::create_dir_all(build.join("bin")).unwrap();
    fs::write(build.join("bin/run.sh"), "#!/bin/sh\nexit 7\n").unwrap();
    tree::set_executable(&build.join("bin/run.sh"));
    let launch =
        ["x86_64", "aarch64"].map(|arch| format!("[launch.linux-{arch}]\nexecutable = \"bin/run.sh\"\n"));
    fs::write(build.join("muster.toml"), launch.concat()).unwrap();
    let repository = Repository::init(&player.path("studio"));
    repository.publish(&build, GAME, "1.0", &[]);
    let origin = WebServer::folder(&repository.dir);
    assert_eq!(player.install(&origin.url(), &repository.root(), &dir).code, 0);

    let long_ago = Utc::now() - TimeDelta::days(60);
    Editor::open(&repository.dir, &repository.keys).unwrap().refresh(long_ago).unwrap();
    let check = player.person.run(&["check", text(&dir)]);
    assert_refusal(&check, 12, "META_EXPIRED");
    let played = player.person.run(&["play", text(&dir)]);
    assert_eq!((played.code, &played.result()["exit_code"]), (0, &7.into()), "{}", played.errors);

    drop(origin);
    assert_refusal(&player.person.run(&["check", text(&dir)]), 11, "NETWORK");
    let played = player.person.run(&["play", text(&dir)]);
    assert_eq!((played.code, &played.result()["exit_code"]), (0, &7.into()), "{}", played.errors);
}

#[test]
fn a_root_that_is_not_the_repositorys() {
    let player = Player::new();
    let (repository, _) = signed(&player, Utc::now(), manifest(&["a"]));
    let other = Repository::init(&player.path("other"));
    let origin = WebServer::folder(&repository);
    player.refused(&origin.url(), &other.root(), 12, "META_SIGNATURE");
}

#[test]
fn hostile_manifests_signed_by_a_stolen_key() {
    let hostile: [&[&str]; 6] =
        [&["../out"], &["/etc/passwd"], &["a/CON"], &["A", "a"], &["a", "a/b"], &[".muster/state.json"]];
    for paths in hostile {
        let player = Player::new();
        let (repository, root) = signed(&player, Utc::now(), manifest(paths));
        let origin = WebServer::folder(&repository);
        player.refused(&origin.url(), &root, 12, "MANIFEST_INVALID");
        assert!(!player.path("out").exists(), "nothing left the folder");
    }
}

#[test]
fn an_unreachable_origin() {
    let player = Player::new();
    let repository = Repository::init(player.base.path());
    player.refused(&web::nobody(), &repository.root(), 11, "NETWORK");
}

#[test]
fn a_captive_portal() {
    let player = Player::new();
    let repository = Repository::init(player.base.path());
    let portal = WebServer::portal("<html><body>Welcome to the hotel</body></html>");
    player.refused(&portal.url(), &repository.root(), 11, "ORIGIN_HTML");
}

#[test]
fn a_captive_portal_that_appears_before_an_update_leaves_the_game_playable() {
    let player = Player::new();
    let repository = player.repository();
    let dir = player.path("game");
    let origin = repository.serve(&[]);
    assert_eq!(player.install(&origin.url, &repository.root(), &dir).code, 0);
    drop(origin);
    let before = tree::read(&dir);
    let outcome = player.person.run(&["update", text(&dir)]);
    assert_refusal(&outcome, 11, "NETWORK");
    assert!(before == tree::read(&dir), "the old release stands");
    player.person.done(&["verify", text(&dir)]);
}

#[test]
fn a_folder_that_is_not_empty_and_not_ours() {
    let player = Player::new();
    let repository = player.repository();
    let dir = player.path("photos");
    tree::write(&dir.join("holiday.jpg"), 1000, &mut fastrand::Rng::with_seed(1));
    let before = tree::read(&dir);
    let origin = repository.serve(&[]);
    let outcome = player.install(&origin.url, &repository.root(), &dir);
    assert_refusal(&outcome, 22, "FOLDER_NOT_OURS");
    assert!(before == tree::read(&dir) && !dir.join(".muster").exists(), "as it was");
}

#[test]
fn a_folder_in_use_by_another_instance() {
    let player = Player::new();
    let repository = player.repository();
    let dir = player.path("game");
    let origin = repository.serve(&[]);
    assert_eq!(player.install(&origin.url, &repository.root(), &dir).code, 0);
    let mut seed = player.person.start(&["seed", text(&dir), "--no-lan"]);
    seed.wait_for_json(Duration::from_secs(30), "ready");
    let before = tree::read(&dir);
    assert_refusal(&player.person.run(&["verify", text(&dir)]), 15, "LOCKED");
    assert!(before == tree::read(&dir), "as it was");
    seed.end();
    player.person.done(&["verify", text(&dir)]);
}

#[test]
fn a_port_in_use() {
    let player = Player::new();
    let repository = player.repository();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = ["serve", "--repo", text(&repository.dir), "--listen", &address];
    assert_refusal(&repository.publisher().run(&serve), 23, "ADDRESS_IN_USE");
    let (torrent, dir) = (torrent(&player), player.path("get"));
    let get = ["torrent", "get", text(&torrent), "--dir", text(&dir), "--listen", &address, "--no-lan"];
    assert_refusal(&player.person.run(&get), 23, "ADDRESS_IN_USE");
}

#[test]
fn torrents_that_are_none() {
    let player = Player::new();
    let (file, dir) = (torrent(&player), player.path("get"));
    let whole = fs::read(&file).unwrap();
    libtorrent::make(&player.path("tree"), &player.path("old"), 16_384, Flavour::V1);
    let cases = [
        whole[..whole.len() / 2].to_vec(),
        Vec::new(),
        b"<html>".to_vec(),
        fs::read(player.path("old")).unwrap(),
    ];
    for bytes in cases {
        fs::write(&file, bytes).unwrap();
        let get = ["torrent", "get", text(&file), "--dir", text(&dir), "--listen", "127.0.0.1:0", "--no-lan"];
        assert_refusal(&player.person.run(&get), 24, "TORRENT_REFUSED");
        assert!(!dir.exists() || tree::read(&dir).is_empty());
    }
}

/// A file system of 12 MiB for a game of 16: refused before a byte is fetched, and the folder stays.
#[test]
fn a_full_disk_needs_root() {
    let player = Player::new();
    let build = player.path("build");
    tree::write(&build.join("large.bin"), 16 << 20, &mut fastrand::Rng::with_seed(2));
    let repository = Repository::init(player.base.path());
    repository.publish(&build, GAME, "1.0", &[]);
    let origin = repository.serve(&[]);
    let disk = Volume::in_memory(&player.path("disk"), "12m");
    let dir = disk.dir().join("game");
    let outcome = player.install(&origin.url, &repository.root(), &dir);
    assert_refusal(&outcome, 14, "DISK_FULL");
    assert!(!dir.exists() || tree::read(&dir).is_empty());
}

/// A small torrent of the folder `tree`.
fn torrent(player: &Player) -> PathBuf {
    let (folder, file) = (player.path("tree"), player.path("torrent"));
    tree::grow(&folder, 32, 16_384);
    libtorrent::make(&folder, &file, 16_384, Flavour::V2);
    file
}

/// A manifest that names these paths, whatever they are.
fn manifest(paths: &[&str]) -> Vec<u8> {
    let root = "ab".repeat(32);
    let files: Vec<_> =
        paths.iter().map(|path| json!({ "path": path, "size": 1, "pieces_root": root })).collect();
    let whole = json!({
        "format": 1, "game": GAME, "version": "1.0", "title": "G", "piece_length": 16_384, "files": files
    });
    whole.to_string().into_bytes()
}

/// A repository signed at `when`, whose only release has this manifest.
fn signed(player: &Player, when: DateTime<Utc>, manifest: Vec<u8>) -> (PathBuf, PathBuf) {
    let (dir, keys_dir) = (player.path("signed"), player.path("signed-keys"));
    keys::init(&keys_dir, &dir, keys::InitOptions { demo: true }, when).unwrap();
    let mut editor = Editor::open(&dir, &keys_dir).unwrap();
    let channel = json!({
        "format": 1, "game": GAME, "channel": "live", "sequence": 1, "version": "1.0",
        "published": when.to_rfc3339()
    });
    editor.put_target("game~live.json", channel.to_string().into_bytes()).unwrap();
    editor.put_target("game~1.0.manifest", manifest).unwrap();
    assert!(editor.commit(when).unwrap());
    let root = dir.join("metadata/1.root.json");
    (dir, root)
}
