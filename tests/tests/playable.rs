//! Play before complete, real programs on loopback: a release in three sets comes from a slow origin; the game starts when
//! what it needs is in place, waits for files of the rest, which come next, and everything survives a kill.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use engine::{
    game::{Game, GameConfig, GameLink, Import, Ledger, Policy, TrustedRoot, Urgency, WhilePlaying},
    session::{Session, SessionConfig},
    snapshot::{Action, Phase, SharingMode, Snapshot},
};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tests::{
    child::{Running, eventually},
    muster::{Person, Repository, text},
    tree,
    web::WebServer,
};

const LIMIT: Duration = Duration::from_secs(60);
const GAME: &str = "layers";
const MIB: usize = 1 << 20;
/// Slow enough that the last set takes some seconds.
const RATE: u32 = 3 << 20;
/// Files of the last set, of a MiB each.
const LATER: usize = 16;

const CONFIG: &str = r#"
title = "Layers"
[launch.linux-x86_64]
executable = "bin/game"
[launch.linux-aarch64]
executable = "bin/game"
[launch.macos-aarch64]
executable = "bin/game"
[[files]]
match = "levels/**"
set = "playable"
[[files]]
match = "hd/**"
set = "optional"
"#;

/// A published release in three sets behind a slow web server, and a player.
struct Scene {
    base: tempfile::TempDir,
    repository: Repository,
    server: WebServer,
    player: Person,
    dir: PathBuf,
}

impl Scene {
    fn new(game: &str) -> Self {
        let base = tempfile::tempdir().unwrap();
        let build = base.path().join("build");
        let random = &mut fastrand::Rng::with_seed(41);
        tree::write(&build.join("data/core.pak"), MIB, random);
        tree::write(&build.join("levels/one.pak"), MIB, random);
        for number in 0..LATER {
            tree::write(&build.join(format!("hd/{number:02}.pak")), MIB, random);
        }
        fs::create_dir_all(build.join("bin")).unwrap();
        fs::write(build.join("bin/game"), game).unwrap();
        tree::set_executable(&build.join("bin/game"));
        fs::write(build.join("muster.toml"), CONFIG).unwrap();
        let repository = Repository::init(base.path());
        repository.publish(&build, GAME, "1.0", &[]);
        fs::remove_file(build.join("muster.toml")).unwrap();
        let server = WebServer::folder_at(&repository.dir, RATE);
        let (player, dir) = (Person::at(&base.path().join("home")), base.path().join("game"));
        Self { base, repository, server, player, dir }
    }

    fn build(&self) -> PathBuf {
        self.base.path().join("build")
    }

    fn install(&self) -> Running {
        let root = self.repository.root();
        let words = ["install", &self.server.url(), "--game", GAME, "--dir", text(&self.dir), "--root"];
        self.player.start(&[&words[..], &[text(&root), "--no-lan"]].concat())
    }

    fn has(&self, file: &str) -> bool {
        fs::read(self.dir.join(file)).is_ok_and(|bytes| bytes == fs::read(self.build().join(file)).unwrap())
    }

    /// Files of the last set that are in place, each byte for byte.
    fn later(&self) -> usize {
        (0..LATER).filter(|number| self.has(&format!("hd/{number:02}.pak"))).count()
    }

    fn wait(&self, file: &str, more: &[&str]) -> (i32, Value) {
        let words = [&["wait", file, "--dir", text(&self.dir)], more].concat();
        let outcome = self.player.run(&words);
        (outcome.code, outcome.result())
    }
}

/// The game of this test: waits for a file as any program can, by the files alone, and says that it saw it.
fn game_that_waits_for(file: &str) -> String {
    format!(
        "#!/bin/sh\n\
         mkdir -p .muster/wanted\n\
         : > .muster/wanted/$(printf %s '{file}' | sha256sum | cut -c1-64)\n\
         while [ ! -e '{file}' ]; do sleep 0.05; done\n\
         ls hd | wc -l > seen.txt\n"
    )
}

#[test]
fn the_game_starts_before_the_rest_is_there_and_what_it_waits_for_comes_next() {
    // The one that would come last if they came in the order of the alphabet.
    let last = format!("hd/{:02}.pak", LATER - 1);
    let scene = Scene::new(&game_that_waits_for(&last));
    let begun = Instant::now();
    let mut install = scene.install();
    let early = scene.player.run(&["play", text(&scene.dir)]);
    assert!(early.code != 0, "there is nothing to play yet");
    install.wait_for_json(LIMIT, "playable");
    let playable = begun.elapsed();
    assert!(scene.has("bin/game") && scene.has("data/core.pak") && scene.has("levels/one.pak"));
    assert_eq!(scene.later(), 0, "the rest is on its way");
    let status = fs::read_to_string(scene.dir.join(".muster/partial.json")).unwrap();
    assert!(status.contains("playable"), "{status}");

    scene.player.done(&["play", text(&scene.dir)]);
    let seen = fs::read_to_string(scene.dir.join("seen.txt")).unwrap();
    println!("playable after {playable:.1?}; the game saw {} of {LATER} files", seen.trim());
    assert!(seen.trim().parse::<usize>().unwrap() < LATER / 2, "it came before the others: {seen}");

    // A helper waits for another, and for some that nobody will ever bring.
    let (code, result) = scene.wait("hd/07.pak", &["--timeout", "30"]);
    assert!(code == 0 && scene.has("hd/07.pak"), "{result}");
    assert!(scene.later() < LATER, "before the others");
    let (code, result) = scene.wait("hd/99.pak", &[]);
    assert_eq!((code, result["code"].as_str()), (25, Some("FILE_NOT_LISTED")), "{result}");
    let (code, _) = scene.wait("../outside.pak", &[]);
    assert_eq!(code, 25);
    let (code, result) = scene.wait(&last.replace("15", "12"), &["--timeout", "0"]);
    assert!(code == 0 || (code == 27 && result["code"] == "WAIT_TIMEOUT"), "{result}");

    let status = install.wait(LIMIT);
    assert!(status.success(), "{}", install.errors());
    println!("whole after {:.1?}", begun.elapsed());
    fs::remove_file(scene.dir.join("seen.txt")).unwrap();
    tree::assert_same(&scene.build(), &scene.dir);
    assert!(!scene.dir.join(".muster/partial.json").exists());
    scene.player.done(&["verify", text(&scene.dir)]);
    assert_eq!(scene.wait("hd/03.pak", &[]).0, 0, "it is here");
    assert_eq!(scene.wait(text(&scene.dir.join("hd/03.pak")), &[]).0, 0, "by its whole name too");
}

/// The launcher's own way: the button says play while the rest comes, and the game that runs does not hold its own rest,
/// though downloads are held while playing.
#[tokio::test(flavor = "multi_thread")]
async fn the_window_plays_while_the_rest_comes_and_nothing_holds_it() {
    let last = format!("hd/{:02}.pak", LATER - 1);
    let scene = Scene::new(&format!("#!/bin/sh\nwhile [ ! -e '{last}' ]; do sleep 0.05; done\nexit 3\n"));
    let session = Session::start(&SessionConfig {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        lan: false,
        ..SessionConfig::default()
    });
    let session = session.unwrap();
    let link = GameLink {
        repository: scene.server.url().parse().unwrap(),
        game: GAME.parse().unwrap(),
        channel: "live".parse().unwrap(),
        root: TrustedRoot::Given(fs::read(scene.repository.root()).unwrap()),
    };
    let config = GameConfig {
        dir: scene.dir.clone(),
        link: Some(link),
        state_dir: scene.base.path().join("state"),
        sharing: SharingMode::WhileOpen,
        policy: Policy { while_playing: WhilePlaying::Pause, ..Policy::default() },
        ledger: Ledger::default(),
        check_interval: None,
        places: Default::default(),
        urgency: Urgency::Foreground,
        title: "Layers".into(),
        known_installed: false,
        preload: false,
        import: Import::default(),
        play: Default::default(),
    };
    let game = Game::open(config, session.clone());
    let mut snapshot = game.snapshot();
    game.act(Action::Install);
    let playable = |snapshot: &Snapshot| snapshot.sets.as_ref().is_some_and(|sets| sets.playable);
    let seen = tokio::time::timeout(LIMIT, snapshot.wait_for(playable)).await.unwrap().unwrap().clone();
    assert_eq!((seen.primary.action, seen.installed.as_deref()), (Some(Action::Play), Some("1.0")));
    let optional = seen.sets.as_ref().unwrap().sets.last().unwrap();
    assert!(!optional.in_place && optional.done_bytes < optional.total_bytes, "{seen:?}");
    // Ends only when the rest has come.
    let outcome = tokio::time::timeout(LIMIT, game.perform(Action::Play)).await.unwrap().unwrap();
    assert_eq!(outcome.exit_code, Some(3));
    let ready = |snapshot: &Snapshot| snapshot.phase == Phase::Ready;
    tokio::time::timeout(LIMIT, snapshot.wait_for(ready)).await.unwrap().unwrap();
    tree::assert_same(&scene.build(), &scene.dir);
    game.close().await;
    session.close().await;
}

#[test]
fn a_kill_in_the_middle_costs_nothing_and_what_stands_is_played_repaired_and_removed() {
    let scene = Scene::new("#!/bin/sh\nexit 7\n");
    let mut install = scene.install();
    install.wait_for_json(LIMIT, "playable");
    scene.wait("hd/03.pak", &["--timeout", "30"]);
    install.signal("KILL");
    install.wait(LIMIT);
    let placed = scene.later();
    assert!((1..LATER).contains(&placed), "{placed}");

    // Nobody fetches now, and what stands stands.
    let (code, result) = scene.wait("hd/15.pak", &[]);
    assert_eq!((code, result["code"].as_str()), (26, Some("NOBODY_FETCHES")), "{result}");
    assert!(fs::read_dir(scene.dir.join(".muster/wanted")).unwrap().next().is_none(), "taken back");
    assert_eq!(scene.player.done(&["play", text(&scene.dir)])["exit_code"], 7);
    scene.player.done(&["verify", text(&scene.dir)]);
    let status = scene.player.done(&["status", text(&scene.dir)]);
    let snapshot = &status["snapshot"];
    assert_eq!(
        (snapshot["primary"]["action"].as_str(), snapshot["installed"].as_str()),
        (Some("play"), Some("1.0"))
    );
    assert_eq!(snapshot["secondary"]["label"], "continue");

    // A file of a set that stands is damaged while nobody looks: mended with the rest, and only that comes again.
    let mut core = fs::read(scene.dir.join("data/core.pak")).unwrap();
    core[5] ^= 1;
    fs::write(scene.dir.join("data/core.pak"), core).unwrap();
    let staged: u64 = fs::read_dir(scene.dir.join(".muster/staging"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let before = scene.server.sent();
    let result = scene.player.done(&["repair", text(&scene.dir), "--no-lan"]);
    let sent = scene.server.sent() - before;
    tree::assert_same(&scene.build(), &scene.dir);
    assert!(!scene.dir.join(".muster/partial.json").exists(), "{result}");
    println!("{placed} files placed, {staged} bytes staged at the kill; {sent} bytes came afterwards");
    // What stood is not fetched again; of what was staged at most the last seconds.
    let missing = (LATER - placed + 1) * MIB;
    assert!(sent < missing as u64 + 500_000, "{sent} of {missing}");
    scene.player.done(&["uninstall", text(&scene.dir)]);
    assert!(!scene.dir.exists());
}

#[test]
fn an_update_from_a_part_is_one_step_to_the_whole_new_release() {
    let scene = Scene::new("#!/bin/sh\n");
    let mut install = scene.install();
    install.wait_for_json(LIMIT, "playable");
    install.end();
    let random = &mut fastrand::Rng::with_seed(42);
    tree::write(&scene.build().join("data/core.pak"), MIB, random);
    fs::remove_file(scene.build().join("hd/00.pak")).unwrap();
    let config = scene.base.path().join("muster.toml");
    fs::write(&config, CONFIG).unwrap();
    scene.repository.publish(&scene.build(), GAME, "1.1", &["--config", text(&config)]);
    let mut update = scene.player.start(&["update", text(&scene.dir), "--no-lan"]);
    while update.ended_within(Duration::from_millis(20)).is_none() {
        if scene.has("data/core.pak") {
            // Once a new file stands, the journal does too, until the new release is the installed one.
            let committed = scene.dir.join(".muster/journal.json").exists();
            let manifest = fs::read(scene.dir.join(".muster/installed.manifest")).unwrap();
            let new = String::from_utf8_lossy(&manifest).contains("\"version\":\"1.1\"");
            assert!(committed || new, "a new file beside the old release");
        }
    }
    tree::assert_same(&scene.build(), &scene.dir);
    assert!(!scene.dir.join(".muster/partial.json").exists());
}

#[test]
fn hostile_requests_change_nothing_but_the_order_of_what_comes() {
    let scene = Scene::new("#!/bin/sh\n");
    let outside = scene.base.path().join("outside.txt");
    fs::write(&outside, b"not the game's").unwrap();
    let mut install = scene.install();
    install.wait_for_json(LIMIT, "playable");
    let wanted = scene.dir.join(".muster/wanted");
    hostile(&wanted, &outside);
    let (code, result) = scene.wait("hd/15.pak", &["--timeout", "30"]);
    // Beyond the bound a request may not be seen in time; the download goes on all the same.
    assert!(code == 0 || code == 27, "{result}");
    let status = install.wait(LIMIT);
    assert!(status.success(), "{}", install.errors());
    fs::remove_dir_all(&wanted).unwrap();
    tree::assert_same(&scene.build(), &scene.dir);
    assert_eq!(fs::read(&outside).unwrap(), b"not the game's");
    eventually(LIMIT, "it still can be checked", || {
        scene.player.run(&["verify", text(&scene.dir)]).code == 0
    });
}

/// Names that lead outside, thousands of them, links, a giant, one that nobody may read, a folder.
fn hostile(wanted: &Path, outside: &Path) {
    fs::write(wanted.join("..%2F..%2F..%2Foutside.txt"), "../../../outside.txt").unwrap();
    for number in 0..3_000 {
        fs::write(wanted.join(format!("{number:064x}")), "../../outside.txt").unwrap();
    }
    symlink(outside, wanted.join("a".repeat(64))).unwrap();
    fs::File::create(wanted.join("b".repeat(64))).unwrap().set_len(1 << 40).unwrap();
    fs::create_dir(wanted.join("c".repeat(64))).unwrap();
    let unreadable = wanted.join("d".repeat(64));
    fs::write(&unreadable, "x").unwrap();
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o000)).unwrap();
}
