//! What happens to a player's folder on a real machine: its drive is pulled out, its volume is read-only or lets no program run, it
//! belongs to another user, the game runs while it is to be changed. Each is a state with words, and the game as it was.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tests::{
    child::Running,
    muster::{Origin, Outcome, Person, Repository, text},
    tree,
    volume::{Volume, as_root},
};

const LIMIT: Duration = Duration::from_secs(60);
/// Somebody who is not the one who installed the game.
const NOBODY: &str = "65534";

/// A game with one release in a repository, and a player.
struct Scene {
    base: tempfile::TempDir,
    repository: Repository,
    origin: Origin,
    player: Person,
}

impl Scene {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        let player = Person::at(&base.path().join("player"));
        let origin = repository.serve(&[]);
        let scene = Self { base, repository, origin, player };
        scene.publish("1.0");
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// A release whose program ends with code 7, after the seconds that a file beside it says.
    fn publish(&self, version: &str) {
        let build = self.path("build");
        let seed = version.bytes().map(u64::from).sum();
        tree::write(&build.join("data.bin"), 6 << 20, &mut fastrand::Rng::with_seed(seed));
        fs::write(build.join("run.sh"), "#!/bin/sh\nread -r seconds < pause && sleep \"$seconds\"\nexit 7\n")
            .unwrap();
        fs::write(build.join("pause"), "0\n").unwrap();
        tree::set_executable(&build.join("run.sh"));
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let config = format!(
            "title = \"Rocket\"\n[launch.{platform}]\nexecutable = \"run.sh\"\n[[files]]\nmatch = \"pause\"\nkind = \"user\"\n"
        );
        fs::write(build.join("muster.toml"), config).unwrap();
        self.repository.publish(&build, "rocket", version, &[]);
    }

    fn install(&self, dir: &Path, more: &[&str]) -> Running {
        let root = self.repository.root();
        let words = [
            "install",
            &self.origin.url,
            "--game",
            "rocket",
            "--dir",
            text(dir),
            "--root",
            text(&root),
            "--no-lan",
        ];
        self.player.start(&[&words, more].concat())
    }

    fn installed(&self, dir: &Path) {
        let mut install = self.install(dir, &[]);
        assert!(install.wait(LIMIT).success(), "{}", install.errors());
    }

    /// As somebody else on this machine.
    fn as_nobody(&self, words: &[&str]) -> Outcome {
        let home = self.path("nobody");
        let person = Person::at(&home);
        as_root(&["chown", &format!("{NOBODY}:{NOBODY}"), text(&home)]);
        let muster = person.command(words);
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(muster.get_program());
        command.args(muster.get_args()).current_dir(&home);
        person.at_home(&mut command);
        let mut running = Running::start("muster as nobody", &mut command);
        let status = running.wait(LIMIT);
        Outcome::of(&mut running, status.code())
    }
}

fn refused(outcome: &Outcome, exit: i32, code: &str) {
    let result = outcome.result();
    assert_eq!((outcome.code, result["code"].as_str()), (exit, Some(code)), "{result} {}", outcome.errors);
    assert!(!result["message"].as_str().unwrap().is_empty());
}

#[test]
fn a_drive_that_was_pulled_out_is_missing_and_comes_back_as_it_was_needs_root() {
    let scene = Scene::new();
    let (stick, mount) = (scene.path("stick"), scene.path("mount"));
    fs::create_dir(&stick).unwrap();
    let dir = mount.join("game");
    let drive = Volume::of_folder(&stick, &mount);
    scene.installed(&dir);
    let before = tree::read(&stick);
    drop(drive);
    for verb in ["check", "update", "play", "verify", "repair", "seed"] {
        refused(&scene.player.run(&[verb, text(&dir)]), 22, "FOLDER_MISSING");
    }
    let status = scene.player.done(&["status", text(&dir)]);
    assert_eq!(status["snapshot"]["phase"]["kind"], "folder_missing", "{status}");
    assert_eq!(fs::read_dir(&mount).unwrap().count(), 0, "nothing is put where the drive was");
    let _drive = Volume::of_folder(&stick, &mount);
    assert!(tree::read(&stick) == before, "nothing has changed");
    assert_eq!(scene.player.done(&["play", text(&dir)])["exit_code"], 7);
}

#[test]
fn a_drive_that_is_pulled_out_in_mid_download_ends_it_with_words_and_it_goes_on_later_needs_root() {
    let scene = Scene::new();
    let (stick, mount) = (scene.path("stick"), scene.path("mount"));
    fs::create_dir(&stick).unwrap();
    let dir = mount.join("game");
    let drive = Volume::of_folder(&stick, &mount);
    let mut install = scene.install(&dir, &["--limit-down", "1MiB/s"]);
    install.wait_for(LIMIT, "some of it", |line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        (line["progress"]["done_bytes"].as_u64()? > 2 << 20).then_some(())
    });
    drop(drive);
    let status = install.wait(LIMIT);
    let outcome = Outcome::of(&mut install, status.code());
    let result = outcome.result();
    let code = result["code"].as_str().unwrap();
    assert!(["FOLDER_MISSING", "DISK_ERROR"].contains(&code), "{result}");
    assert_ne!(outcome.code, 0);
    assert_eq!(fs::read_dir(&mount).unwrap().count(), 0, "nothing is put where the drive was");
    let _drive = Volume::of_folder(&stick, &mount);
    let mut again = scene.install(&dir, &[]);
    let status = again.wait(LIMIT);
    let again = Outcome::of(&mut again, status.code()).result();
    assert_eq!(again["ok"], true, "{again}");
    let down = &again["downloaded_bytes"];
    let bytes: u64 = ["origin", "players", "lan"].iter().map(|from| down[from].as_u64().unwrap()).sum();
    assert!(bytes < 5 << 20, "what had come is not fetched again: {bytes}");
    let built = fs::read(scene.path("build").join("data.bin")).unwrap();
    assert!(fs::read(dir.join("data.bin")).unwrap() == built);
}

#[test]
fn on_a_read_only_volume_the_game_can_be_played_and_nothing_else_needs_root() {
    let scene = Scene::new();
    let volume = Volume::in_memory(&scene.path("volume"), "64m");
    let dir = volume.dir().join("game");
    scene.installed(&dir);
    scene.publish("1.1");
    volume.remount("ro");
    let before = tree::read(volume.dir());
    let status = scene.player.done(&["status", text(&dir)]);
    let snapshot = &status["snapshot"];
    assert_eq!(
        (snapshot["primary"]["action"].as_str(), snapshot["installed"].as_str()),
        (Some("play"), Some("1.0"))
    );
    assert_eq!(snapshot["warnings"][0], "FOLDER_READ_ONLY");
    assert_eq!(scene.player.done(&["play", text(&dir)])["exit_code"], 7);
    for verb in ["update", "repair", "verify", "seed"] {
        refused(&scene.player.run(&[verb, text(&dir)]), 17, "NO_PERMISSION");
    }
    assert!(tree::read(volume.dir()) == before);
    volume.remount("rw");
    assert_eq!(scene.player.done(&["update", text(&dir)])["release"], "1.1");
}

#[test]
fn where_no_program_may_run_that_is_said_needs_root() {
    let scene = Scene::new();
    let volume = Volume::in_memory(&scene.path("volume"), "64m");
    let dir = volume.dir().join("game");
    scene.installed(&dir);
    volume.remount("noexec");
    let played = scene.player.run(&["play", text(&dir)]);
    assert_eq!(played.result()["code"], "START_FAILED");
    assert!(
        played.result()["message"].as_str().unwrap().contains("lets no program run"),
        "{}",
        played.result()
    );
    volume.remount("exec");
    assert_eq!(scene.player.done(&["play", text(&dir)])["exit_code"], 7);
}

#[test]
fn another_user_of_the_machine_plays_and_only_who_may_write_updates_needs_root() {
    let scene = Scene::new();
    // The test's own folder is closed to others.
    as_root(&["chmod", "755", text(scene.base.path())]);
    let dir = scene.path("game");
    scene.installed(&dir);
    scene.publish("1.1");
    let before = tree::read(&dir);
    let played = scene.as_nobody(&["play", text(&dir)]);
    assert_eq!((played.code, played.result()["exit_code"].as_i64()), (0, Some(7)), "{}", played.errors);
    refused(&scene.as_nobody(&["update", text(&dir)]), 17, "NO_PERMISSION");
    refused(&scene.as_nobody(&["uninstall", text(&dir)]), 17, "NO_PERMISSION");
    assert!(tree::read(&dir) == before, "nothing has changed");
    // A folder that everybody keeps up to date.
    as_root(&["chmod", "-R", "a+rwX", text(&dir)]);
    let updated = scene.as_nobody(&["update", text(&dir)]);
    assert_eq!((updated.code, updated.result()["release"].as_str()), (0, Some("1.1")), "{}", updated.errors);
    scene.player.done(&["verify", text(&dir)]);
    assert_eq!(scene.player.done(&["play", text(&dir)])["exit_code"], 7);
}

#[test]
fn a_program_that_was_exchanged_is_not_started_without_the_lock_either_needs_root() {
    let scene = Scene::new();
    let volume = Volume::in_memory(&scene.path("volume"), "64m");
    let dir = volume.dir().join("game");
    scene.installed(&dir);
    let program = dir.join("run.sh");
    let bytes = fs::read_to_string(&program).unwrap();
    fs::write(&program, bytes.replace("exit 7", "exit 8")).unwrap();
    volume.remount("ro");
    let played = scene.player.run(&["play", text(&dir)]);
    refused(&played, 13, "EXECUTABLE_BAD");
}

#[test]
fn a_game_that_runs_is_not_changed_under_its_feet() {
    let scene = Scene::new();
    let dir = scene.path("game");
    scene.installed(&dir);
    scene.publish("1.1");
    fs::write(dir.join("pause"), "4\n").unwrap();
    let mut game = scene.player.start(&["play", text(&dir)]);
    game.wait_for(LIMIT, "the game", |line| line.contains("running").then_some(()));
    for verb in ["update", "repair", "uninstall"] {
        let outcome = scene.player.run(&[verb, text(&dir)]);
        let code = outcome.result()["code"].as_str().unwrap().to_owned();
        assert!(["LOCKED", "GAME_RUNNING"].contains(&code.as_str()), "{verb}: {}", outcome.result());
        assert!([15, 16].contains(&outcome.code), "{verb}: {}", outcome.code);
    }
    let status = game.wait(LIMIT);
    assert_eq!(Outcome::of(&mut game, status.code()).result()["exit_code"], 7);
    assert_eq!(scene.player.done(&["update", text(&dir)])["release"], "1.1");
    assert_eq!(fs::read_to_string(dir.join("pause")).unwrap(), "4\n", "the player's file is the player's");
}

#[test]
fn a_game_lives_on_when_what_started_it_is_killed() {
    let scene = Scene::new();
    let dir = scene.path("game");
    scene.installed(&dir);
    fs::write(dir.join("pause"), "2\n").unwrap();
    let mut game = scene.player.start(&["play", text(&dir)]);
    game.wait_for(LIMIT, "the game", |line| line.contains("running").then_some(()));
    let child = tests::sockets::children(game.id());
    assert_eq!(child.len(), 1, "the game's process: {child:?}");
    game.signal("KILL");
    game.wait(LIMIT);
    std::thread::sleep(Duration::from_millis(300));
    let stat =
        fs::read_to_string(format!("/proc/{}/stat", child.first().unwrap())).expect("the game lives on");
    assert!(stat.contains("(run.sh)"), "{stat}");
    // And its folder is free for whoever comes next.
    scene.player.done(&["verify", text(&dir)]);
}
