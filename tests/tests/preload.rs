//! A release that players have before its hour: real programs on loopback, clocks by the server's word.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{
    child::Running,
    muster::{Origin, Outcome, Person, Repository, text},
    programs, tree,
    web::WebServer,
};

const GAME: &str = "sealed";
const READY: Duration = Duration::from_secs(30);
/// What only the sealed release has, in a file that does not compress.
const NAME: &str = "zanzibar-quest.pak";
const CANARY: &[u8; 32] = b"\x93canary of the release to come\xee\x01";
/// Signed documents of a check, and the key.
const DOCUMENTS: u64 = 32 * 1024;

/// 1.0 in the open and installed by players; 1.1 sealed for an hour to come. Files come from a server that tells the time.
struct Scene {
    base: tempfile::TempDir,
    repository: Repository,
    /// The tracker.
    origin: Origin,
    server: WebServer,
}

impl Scene {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        let origin = repository.serve(&["--no-seed"]);
        let server = WebServer::folder(&repository.dir);
        let scene = Self { base, repository, origin, server };
        let random = &mut fastrand::Rng::with_seed(51);
        let (old, new) = (scene.build("1.0"), scene.build("1.1"));
        tree::write(&old.join("big.pak"), 3 << 20, random);
        tree::write(&old.join("small/a.cfg"), 1_500, random);
        let big = fs::read(old.join("big.pak")).unwrap();
        let put_in: Vec<u8> = (0..200_000).map(|_| random.u8(..)).collect();
        fs::create_dir_all(new.join("small")).unwrap();
        fs::write(new.join("big.pak"), [&big[..70_000], &put_in, &big[70_000..]].concat()).unwrap();
        fs::copy(old.join("small/a.cfg"), new.join("small/a.cfg")).unwrap();
        let noise: Vec<u8> = (0..400_000).map(|_| random.u8(..)).collect();
        fs::write(new.join(NAME), [&noise[..5000], CANARY, &noise[5000..]].concat()).unwrap();
        let tracker = format!("{}announce", scene.origin.url);
        scene.repository.publish(&old, GAME, "1.0", &["--tracker", &tracker]);
        scene
    }

    fn build(&self, version: &str) -> PathBuf {
        self.base.path().join("builds").join(version)
    }

    fn player(&self, name: &str) -> Player {
        let base = self.base.path();
        Player { person: Person::at(&base.join("homes").join(name)), dir: base.join("games").join(name) }
    }

    /// With the release that is in the open.
    fn player_with_the_old(&self, name: &str) -> Player {
        let player = self.player(name);
        let outcome = player.install(self);
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        player
    }

    /// Publishes 1.1 sealed until an hour from now.
    fn seal(&self) -> Value {
        let hour = (Utc::now() + TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
        self.repository.publish(&self.build("1.1"), GAME, "1.1", &["--unlock", &hour])
    }

    /// From now on the server says that the hour is over.
    fn the_hour_comes(&self) {
        let then = Utc::now() + TimeDelta::hours(2);
        self.server.tell_date(&then.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }

    fn unlock(&self, options: &[&str]) -> Outcome {
        let (repo, keys) = (text(&self.repository.dir), text(&self.repository.keys));
        let mut words = vec!["unlock", "--repo", repo, "--keys", keys, "--game", GAME];
        words.extend(options);
        self.repository.publisher().run(&words)
    }

    fn put_the_key_there(&self) -> PathBuf {
        let outcome = self.unlock(&["--now"]);
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        outcome.result()["file"].as_str().unwrap().into()
    }
}

struct Player {
    person: Person,
    dir: PathBuf,
}

impl Player {
    fn install(&self, scene: &Scene) -> Outcome {
        let (url, root) = (scene.server.url(), scene.repository.root());
        let words =
            ["install", &url, "--game", GAME, "--dir", text(&self.dir), "--root", text(&root), "--no-lan"];
        self.person.run(&words)
    }

    fn preload(&self) -> Value {
        let result = self.person.done(&["preload", text(&self.dir), "--no-lan"]);
        assert_eq!(result["preload"]["state"], "preloaded", "{result}");
        result
    }

    /// Preloads and passes it on.
    fn preload_and_stay(&self) -> Running {
        let mut running = self.person.start(&["preload", text(&self.dir), "--no-lan", "--wait"]);
        running.wait_for_json(READY, "preloaded");
        running
    }

    fn update(&self) -> Outcome {
        self.person.run(&["update", text(&self.dir), "--no-lan"])
    }

    fn updated(&self) -> Value {
        let outcome = self.update();
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        outcome.result()
    }

    /// Tries to update, which does not come about: the code, and nothing is touched.
    fn refused(&self, exit: i32) -> String {
        let before = tree::read(&self.dir);
        let outcome = self.update();
        assert_eq!(outcome.code, exit, "{:?} {}", outcome.lines.last(), outcome.errors);
        assert!(before == tree::read(&self.dir), "the install is as it was");
        outcome.result()["code"].as_str().unwrap().to_owned()
    }
}

fn origin_bytes(result: &Value) -> u64 {
    result["downloaded_bytes"]["origin"].as_u64().unwrap()
}

fn downloaded(result: &Value) -> u64 {
    ["origin", "players", "lan"].iter().map(|from| result["downloaded_bytes"][from].as_u64().unwrap()).sum()
}

/// Files below `dir` in which something of the sealed release can be read.
fn shown(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap();
            let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
            if holds(CANARY) || holds(NAME.as_bytes()) || entry.path().to_str().unwrap().contains(NAME) {
                found.push(entry.path());
            }
        }
    }
    found
}

/// What is left of sealed bundles in a game folder.
fn kept_sealed(dir: &Path) -> u64 {
    let folder = dir.join(".muster/preload");
    if folder.exists() { tree::total(&folder) } else { 0 }
}

#[test]
fn a_preload_travels_between_players_and_unlocks_with_one_small_file() {
    let scene = Scene::new();
    let players = ["a", "b"].map(|name| scene.player_with_the_old(name));
    let report = scene.seal();
    let sealed = report["upcoming"]["preloads"][1]["bytes"].as_u64().unwrap();
    assert!((600_000..900_000).contains(&sealed), "what leads from 1.0 to 1.1: {report}");
    let checked =
        scene.repository.publisher().done(&["repo", "check", "--repo", text(&scene.repository.dir)]);
    assert_eq!(checked["withheld"][0], format!("{GAME}~1.1.unlock"), "{checked}");

    let said = players[0].person.done(&["check", text(&players[0].dir)]);
    let offered = &said["preload"];
    assert_eq!((&offered["state"], &offered["bytes"]), (&"offered".into(), &sealed.into()), "{said}");
    assert!(offered["need_bytes"].as_u64().unwrap() > sealed + (3 << 20), "{said}");
    assert_eq!(said["update_available"], false);
    let mut first = players[0].preload_and_stay();
    let result = players[1].preload();
    let by_players = result["downloaded_bytes"]["players"].as_u64().unwrap();
    println!("preloaded {sealed} bytes; the second had {by_players} from the first");
    assert!(by_players > sealed / 2, "{result}");
    first.end();

    // Neither the repository nor a player shows anything, and asking changes nothing.
    assert_eq!([&scene.repository.dir, &players[0].dir, &players[1].dir].map(|dir| shown(dir).len()), [0; 3]);
    players.iter().for_each(|player| drop(player.refused(0)));
    let early = scene.unlock(&[]);
    assert_eq!((early.code, &early.result()["code"]), (2, &"UNLOCK_EARLY".into()));

    scene.put_the_key_there();
    scene.the_hour_comes();
    for player in &players {
        let result = player.updated();
        tree::assert_same(&scene.build("1.1"), &player.dir);
        println!(
            "at the hour {} bytes came in {} s: {}",
            downloaded(&result),
            result["seconds"],
            result["patch"]
        );
        assert!(downloaded(&result) < DOCUMENTS, "{result}");
        assert_eq!(result["release"], "1.1");
        assert!(kept_sealed(&player.dir) < 100, "sealed bytes are removed");
        assert!(!shown(&player.dir).is_empty(), "the search finds what is there");
    }
}

#[test]
fn who_has_nothing_at_the_hour_gets_the_sealed_release_and_its_key() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("old");
    scene.seal();
    scene.put_the_key_there();
    scene.the_hour_comes();
    let fresh = scene.player("fresh");
    let outcome = fresh.install(&scene);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    let result = player.updated();
    println!(
        "without preload: fresh {}, from 1.0 {}",
        origin_bytes(&outcome.result()),
        origin_bytes(&result)
    );
    assert!(origin_bytes(&result) < 900_000, "{result}");
    for player in [&fresh, &player] {
        tree::assert_same(&scene.build("1.1"), &player.dir);
    }
}

#[test]
fn a_key_released_early_by_a_wrong_clock_is_passed_over() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("a");
    scene.seal();
    player.preload();
    scene.put_the_key_there();
    assert_eq!(player.refused(0), "OK");
    assert_eq!(shown(&player.dir).len(), 0);
}

#[test]
fn a_key_released_late_by_a_wrong_clock_is_waited_for() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("a");
    scene.seal();
    player.preload();
    scene.the_hour_comes();
    assert_eq!(player.refused(21), "UNLOCK_NOT_YET");
    scene.put_the_key_there();
    assert_eq!(player.updated()["release"], "1.1");
}

#[test]
fn a_key_file_with_wrong_bytes_opens_nothing() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("a");
    scene.seal();
    player.preload();
    let key = scene.put_the_key_there();
    scene.the_hour_comes();
    let good = fs::read(&key).unwrap();
    let mut other = good.clone();
    let last = other.len() - 3;
    other[last] = if other[last] == b'0' { b'1' } else { b'0' };
    for bad in [&other[..], &good[..good.len() - 1], b"", &[b'x'; 4096]] {
        fs::write(&key, bad).unwrap();
        let code = player.refused(12);
        assert_eq!(code, "UNLOCK_KEY", "{} bytes", bad.len());
    }
    fs::write(&key, &good).unwrap();
    assert!(downloaded(&player.updated()) < DOCUMENTS, "what was preloaded is still there");
}

#[test]
fn a_damaged_preload_comes_again_and_the_new_game_stands() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("a");
    scene.seal();
    player.preload();
    let folder = player.dir.join(".muster/preload");
    let sealed = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let sealed = sealed.unwrap();
    let file = sealed.join(sealed.file_name().unwrap());
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 0xff;
    fs::write(&file, &bytes).unwrap();
    scene.put_the_key_there();
    scene.the_hour_comes();
    // The head does not open: the bundle that needs no other release takes its place.
    let result = player.updated();
    println!("with a damaged head {} bytes came", downloaded(&result));
    tree::assert_same(&scene.build("1.1"), &player.dir);
}

#[test]
fn a_withdrawn_preload_is_removed_and_the_old_game_stays() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("a");
    scene.seal();
    player.preload();
    assert!(kept_sealed(&player.dir) > 600_000);
    let outcome = scene.unlock(&["--withdraw"]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    scene.the_hour_comes();
    assert_eq!(player.refused(0), "OK");
    assert!(kept_sealed(&player.dir) < 100);
    let checked = player.person.done(&["check", text(&player.dir)]);
    assert!(checked["preload"].is_null(), "{checked}");
}

#[test]
fn at_its_hour_a_waiting_game_unlocks_by_itself() {
    let scene = Scene::new();
    let player = scene.player_with_the_old("a");
    let hour = Utc::now() + TimeDelta::seconds(4);
    let said = hour.to_rfc3339_opts(SecondsFormat::Secs, true);
    scene.repository.publish(&scene.build("1.1"), GAME, "1.1", &["--unlock", &said]);
    let mut waiting = player.preload_and_stay();
    scene.put_the_key_there();
    assert_eq!(waiting.wait(READY).code(), Some(0));
    assert!(Utc::now() >= hour - TimeDelta::seconds(1), "not before");
    tree::assert_same(&scene.build("1.1"), &player.dir);
}

#[test]
fn other_programs_read_a_repository_whose_key_is_not_there_yet() {
    let scene = Scene::new();
    scene.seal();
    let refresh = ["refresh", "--repo", text(&scene.repository.dir), "--keys", text(&scene.repository.keys)];
    scene.repository.publisher().done(&refresh);
    let read = |names: &[&str]| -> Value {
        let state = tempfile::tempdir().unwrap();
        let mut script = programs::script("tuf_client.py");
        script.arg("--repo").arg(&scene.repository.dir).arg("--root").arg(scene.repository.root());
        script.arg("--state").arg(state.path()).arg("--targets").args(names);
        serde_json::from_slice(&script.output().unwrap().stdout).unwrap()
    };
    let key = format!("{GAME}~1.1.unlock");
    let others = [format!("{GAME}~live.json"), format!("{GAME}~1.1.sealed.torrent")];
    assert_eq!(read(&[&others[0], &others[1]])["ok"], true);
    assert_eq!(read(&[&key])["ok"], false);
    scene.put_the_key_there();
    assert_eq!(read(&[&key, &others[0]])["ok"], true);
}
