//! A game's life without a window, on real input: a game engine of 168 MB in 754 files, published as two releases,
//! installed by three players at once, updated, byte-equal to what was published.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{
    child::Running,
    muster::{Outcome, Person, Repository, text},
    programs, tree,
};

const LIMIT: Duration = Duration::from_secs(240);
const GAME: &str = "engine";

/// A player with a folder for the game.
struct Player {
    person: Person,
    dir: PathBuf,
}

impl Player {
    fn new(base: &Path, name: &str) -> Self {
        Self { person: Person::at(&base.join("homes").join(name)), dir: base.join("games").join(name) }
    }

    fn install(&self, url: &str, root: &Path) -> Running {
        let words =
            ["install", url, "--game", GAME, "--dir", text(&self.dir), "--root", text(root), "--no-lan"];
        self.person.start(&words)
    }

    fn update(&self) -> Running {
        self.person.start(&["update", text(&self.dir)])
    }
}

#[test]
fn two_releases_of_a_real_engine_reach_three_players() {
    let old = programs::input("panda3d-1.10.15");
    let new = programs::input("panda3d-1.10.16");
    let base = tempfile::tempdir().unwrap();
    let repository = Repository::init(base.path());
    repository.publish(&old, GAME, "1.10.15", &[]);
    let origin = repository.serve(&[]);
    let players: Vec<Player> = ["a", "b", "c"].iter().map(|name| Player::new(base.path(), name)).collect();

    let installs = players.iter().map(|player| player.install(&origin.url, &repository.root()));
    report("installed 1.10.15", tree::total(&old), &finish(installs.collect()));
    for player in &players {
        tree::assert_same(&old, &player.dir);
        assert_eq!(player.person.run(&["check", text(&player.dir)]).code, 0, "up to date");
    }

    repository.publish(&new, GAME, "1.10.16", &[]);
    for player in &players {
        assert_eq!(player.person.run(&["check", text(&player.dir)]).code, 10, "an update is there");
    }
    let updates = players.iter().map(Player::update);
    report("updated to 1.10.16", tree::total(&new), &finish(updates.collect()));
    for player in &players {
        tree::assert_same(&new, &player.dir);
        player.person.done(&["verify", text(&player.dir)]);
    }

    let [first, ..] = &players[..] else { unreachable!("there are three players") };
    first.person.done(&["uninstall", text(&first.dir)]);
    assert!(!first.dir.exists() || tree::read(&first.dir).is_empty(), "uninstalled");
}

/// Waits for all of them, and returns their result lines.
fn finish(mut running: Vec<Running>) -> Vec<Value> {
    let results = running.iter_mut().map(|program| {
        let status = program.wait(LIMIT);
        let outcome = Outcome::of(program, status.code());
        assert_eq!(outcome.code, 0, "{}\n{:?}", outcome.errors, outcome.lines.last());
        outcome.result()
    });
    results.collect()
}

fn report(what: &str, size: u64, results: &[Value]) {
    let bytes = |result: &Value, from: &str| result["downloaded_bytes"][from].as_u64().unwrap();
    let from_origin: u64 = results.iter().map(|result| bytes(result, "origin")).sum();
    let from_players: u64 =
        results.iter().map(|result| bytes(result, "players") + bytes(result, "lan")).sum();
    println!(
        "{what}: {} players, {size} bytes each; {from_origin} bytes from the origin, {from_players} from peers",
        results.len()
    );
    assert!(from_origin > 0, "metadata at least comes from the origin");
}
