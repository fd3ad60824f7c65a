//! Rehearsals of what a studio hopes never to do: keys are rotated, a stolen one is revoked, a root key is replaced, with
//! the real command, root keys apart from the rest and files carried by hand. After each a player who was there before, a
//! fresh one and python-tuf must be able to follow, and the thief must not be believed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tests::{
    muster::{Person, text},
    programs, tree,
    web::WebServer,
};

const GAME: &str = "game";

/// A studio, its offline machines, and the web server that players know.
struct Studio {
    base: tempfile::TempDir,
    release: Person,
    web: WebServer,
    drafts: std::cell::Cell<u32>,
}

impl Studio {
    fn found() -> Self {
        let base = tempfile::tempdir().unwrap();
        let release = Person::at(&base.path().join("release"));
        let web = WebServer::folder(&base.path().join("served"));
        let studio = Self { base, release, web, drafts: std::cell::Cell::new(0) };
        studio.keys(&["init"]);
        for number in 1..=3 {
            fs::create_dir_all(studio.path("offline")).unwrap();
            fs::rename(studio.path(&format!("keys/root-{number}.key")), studio.offline(number)).unwrap();
        }
        studio.serve("repo");
        studio.publish("1.0", 1);
        studio
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn offline(&self, number: u32) -> PathBuf {
        self.path(&format!("offline/root-{number}.key"))
    }

    /// What the web server shows from now on.
    fn serve(&self, folder: &str) {
        fs::remove_file(self.path("served")).ok();
        symlink(self.path(folder), self.path("served")).unwrap();
    }

    fn publish(&self, version: &str, seed: u64) {
        let build = self.path("build");
        fs::remove_dir_all(&build).ok();
        tree::grow(&build, seed, 16_384);
        let (repo, keys) = (self.path("repo"), self.path("keys"));
        let words = ["publish", text(&build), "--repo", text(&repo), "--keys", text(&keys)];
        self.release.done(&[&words[..], &["--game", GAME, "--version", version]].concat());
    }

    /// `muster keys …` on the release machine.
    fn keys(&self, words: &[&str]) -> Value {
        let (repo, keys) = (self.path("repo"), self.path("keys"));
        self.release.done(&[&["keys"], words, &["--repo", text(&repo), "--keys", text(&keys)]].concat())
    }

    /// A whole ceremony: prepared, carried to two or more root keys, published.
    fn ceremony(&self, prepare: &[&str], signers: &[PathBuf]) -> Value {
        self.drafts.set(self.drafts.get() + 1);
        let file = self.path(&format!("usb/root-{}.json", self.drafts.get()));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let prepared = self.keys(&[prepare, &["--out", text(&file)]].concat());
        let offline = Person::at(&self.path("offline-home"));
        for key in signers {
            let signed = offline.done(&["keys", "root", "sign", text(&file), "--key", text(key), "--yes"]);
            assert_eq!(signed["sha256"], prepared["sha256"], "everybody signs the same");
        }
        self.keys(&["root", "publish", text(&file)])
    }

    fn key_of(&self, role: &str, number: usize) -> String {
        let shown = self.keys(&["show"]);
        let roles = shown["roles"].as_array().unwrap();
        let role = roles.iter().find(|one| one["role"] == role).unwrap();
        role["keys"][number]["key"].as_str().unwrap().to_owned()
    }

    fn player(&self, name: &str) -> Player {
        let person = Person::at(&self.path("homes").join(name));
        let player =
            Player { person, dir: self.path("games").join(name), state: self.path("tuf").join(name) };
        let (url, root) = (self.web.url(), self.path("first-root.json"));
        if !root.exists() {
            fs::copy(self.path("repo/metadata/1.root.json"), &root).unwrap();
        }
        let words = ["install", &url, "--game", GAME, "--dir", text(&player.dir), "--root", text(&root)];
        player.person.done(&[&words[..], &["--p2p", "off"]].concat());
        player
    }

    /// python-tuf, beginning with the first root, with state of its own.
    fn python(&self, state: &Path) -> Value {
        let mut script = programs::script("tuf_client.py");
        script.arg("--repo").arg(fs::canonicalize(self.path("served")).unwrap());
        script.arg("--root").arg(self.path("first-root.json")).arg("--state").arg(state);
        serde_json::from_slice(&script.output().unwrap().stdout).unwrap()
    }

    /// A player who was there can read what is served.
    fn old_player_follows(&self, old: &Player, when: &str) {
        let checked = old.person.run(&["check", text(&old.dir)]);
        assert!([0, 10].contains(&checked.code), "{when}: {}", checked.errors);
        let python = self.python(&old.state);
        assert_eq!(python["ok"], true, "{when}: {python}");
    }

    /// Everybody can read what is served.
    fn everybody_follows(&self, old: &Player, when: &str) {
        self.old_player_follows(old, when);
        let fresh = self.player(when);
        tree::assert_same(&self.path("build"), &fresh.dir);
        let python = self.python(&fresh.state);
        assert_eq!(python["ok"], true, "{python}");
        let (repo, root) = (self.path("repo"), self.path("first-root.json"));
        let verify = ["repo", "verify", "--as-client", "--root", text(&root), "--repo", text(&repo)];
        let verified = self.release.run(&[&verify[..], &["--expires-within", "20"]].concat());
        assert_eq!(
            (verified.code, &verified.result()["expires_soon"]),
            (29, &serde_json::json!(["timestamp"]))
        );
    }

    /// What is served is believed neither by a player who was there nor by python-tuf.
    fn nobody_believes(&self, old: &Player) {
        let checked = old.person.run(&["check", text(&old.dir)]);
        assert_eq!(
            (checked.code, &checked.result()["code"]),
            (12, &"META_SIGNATURE".into()),
            "{}",
            checked.errors
        );
        let python = self.python(&old.state);
        assert_eq!(python["refusal"], "UnsignedMetadataError", "{python}");
    }
}

/// Somebody who has the game, and a python-tuf beside them.
struct Player {
    person: Person,
    dir: PathBuf,
    state: PathBuf,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn keys_of_releases_and_of_the_daily_signature_are_rotated() {
    let studio = Studio::found();
    let old = studio.player("old");
    let published =
        studio.ceremony(&["rotate", "targets", "online"], &[studio.offline(1), studio.offline(3)]);
    assert_eq!((&published["targets_signed"], &published["seamless"]), (&true.into(), &true.into()));
    studio.old_player_follows(&old, "after the rotation");
    // The replaced keys may go; the new ones publish and refresh.
    for name in ["targets-1", "targets-2", "online-1"] {
        fs::remove_file(studio.path(&format!("keys/{name}.key"))).unwrap();
    }
    studio.publish("1.1", 2);
    let (repo, keys) = (studio.path("repo"), studio.path("keys"));
    studio.release.done(&["refresh", "--repo", text(&repo), "--keys", text(&keys)]);
    old.person.done(&["update", text(&old.dir)]);
    tree::assert_same(&studio.path("build"), &old.dir);
    studio.everybody_follows(&old, "after the next release");
}

#[test]
fn stolen_online_key_is_revoked_and_believed_by_nobody_who_has_heard_of_it() {
    let studio = Studio::found();
    let old = studio.player("old");
    copy(&studio.path("repo"), &studio.path("thief/repo"));
    fs::create_dir_all(studio.path("thief/keys")).unwrap();
    fs::copy(studio.path("keys/online-1.key"), studio.path("thief/keys/online-1.key")).unwrap();
    let stolen = studio.key_of("online", 0);
    let published = studio.ceremony(&["revoke", &stolen[..12]], &[studio.offline(1), studio.offline(2)]);
    assert_eq!(published["online_signed"], true);
    assert_ne!(studio.key_of("online", 0), stolen);
    studio.everybody_follows(&old, "after the revocation");
    // The thief hides the new root, and signs what is newer than all else.
    let (repo, keys) = (studio.path("thief/repo"), studio.path("thief/keys"));
    for _ in 0..4 {
        studio.release.done(&["refresh", "--repo", text(&repo), "--keys", text(&keys)]);
    }
    studio.serve("thief/repo");
    studio.nobody_believes(&old);
    studio.serve("repo");
    studio.old_player_follows(&old, "after the thief");
    // Who still has only the stolen key cannot publish, and is told why.
    let (build, repo) = (studio.path("build"), studio.path("repo"));
    let words = ["publish", text(&build), "--repo", text(&repo), "--keys", text(&keys)];
    let refused = studio.release.run(&[&words[..], &["--game", GAME, "--version", "9"]].concat());
    assert_eq!((refused.code, &refused.result()["code"]), (28, &"KEY_MISSING".into()));
    let refused = studio.release.run(&["refresh", "--repo", text(&repo), "--keys", text(&keys)]);
    assert_eq!((refused.code, &refused.result()["code"]), (28, &"KEY_REVOKED".into()));
}

#[test]
fn lost_root_key_is_replaced_and_the_new_one_counts() {
    let studio = Studio::found();
    let old = studio.player("old");
    let lost = studio.key_of("root", 2);
    let carol = Person::at(&studio.path("carol"));
    let made = carol.done(&["keys", "new", "carol-2", "--keys", text(&studio.path("carol/keys"))]);
    let add = format!("root={}", made["public"].as_str().unwrap());
    let prepare = ["root", "prepare", "--add", &add, "--remove", &lost[..12]];
    studio.ceremony(&prepare, &[studio.offline(1), studio.offline(2)]);
    studio.old_player_follows(&old, "after the replacement");
    let carols = PathBuf::from(made["private"].as_str().unwrap());
    studio.ceremony(&["root", "prepare"], &[carols, studio.offline(2)]);
    studio.everybody_follows(&old, "after a ceremony with the new key");
    assert_eq!(studio.keys(&["show"])["root_version"], 3);
}

#[test]
fn roots_that_must_not_be_published_are_refused_with_their_codes() {
    let studio = Studio::found();
    let draft = studio.path("usb.json");
    studio.keys(&["root", "prepare", "--out", text(&draft)]);
    let offline = Person::at(&studio.path("offline-home"));
    let refused = |person: &Person, words: &[&str], exit: i32, code: &str| {
        let outcome = person.run(words);
        assert_eq!(
            (outcome.code, &outcome.result()["code"]),
            (exit, &code.into()),
            "{words:?}: {}",
            outcome.errors
        );
    };
    let (repo, keys, key) = (studio.path("repo"), studio.path("keys"), studio.offline(1));
    let place = ["--repo", text(&repo), "--keys", text(&keys)];
    let again = [&["keys", "root", "prepare", "--out", text(&draft)], &place[..]].concat();
    refused(&studio.release, &again, 22, "FILE_EXISTS");
    let sign = ["keys", "root", "sign", text(&draft), "--key", text(&key)];
    refused(&offline, &sign, 2, "USAGE");
    offline.done(&[&sign[..], &["--yes"]].concat());
    let publish = [&["keys", "root", "publish", text(&draft)], &place[..]].concat();
    refused(&studio.release, &publish, 12, "ROOT_UNSIGNED");
    let wrong = studio.path("keys/targets-1.key");
    let by_targets = ["keys", "root", "sign", text(&draft), "--key", text(&wrong), "--yes"];
    refused(&offline, &by_targets, 28, "KEY_NOT_NAMED");
    let honest = fs::read_to_string(&draft).unwrap();
    fs::write(&draft, honest.replacen("\"threshold\": 2", "\"threshold\": 1", 1)).unwrap();
    let second = studio.offline(2);
    let sign = ["keys", "root", "sign", text(&draft), "--key", text(&second), "--yes"];
    refused(&offline, &sign, 12, "ROOT_DRAFT_CHANGED");
    fs::write(&draft, honest.replacen("\"version\": 2", "\"version\": 7", 1)).unwrap();
    refused(&offline, &sign, 12, "ROOT_VERSION");
    fs::write(&draft, &honest).unwrap();
    fs::copy(&key, studio.path("repo/root-1.key")).unwrap();
    refused(&studio.release, &publish, 22, "KEY_IN_REPO");
    fs::remove_file(studio.path("repo/root-1.key")).unwrap();
    offline.done(&sign);
    studio.release.done(&publish);
}
