//! The first run in the real window: by keys alone from the first question to Play, and a copy of the game that stands there already.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{fs, path::Path, process::Command};
use tests::{
    browser::Driven,
    desktop::Desktop,
    muster::text,
    studio::{GAME, LIMIT, SETTINGS, Studio, until},
};

/// Of a launcher that was never opened; the router of the network that this machine is on is no part of the test.
const NEVER_OPENED: &str = r#"{"map_port":false,"welcomed":false}"#;
/// Signed documents and the side file of a release as small as the demo's, in bytes.
const DOCUMENTS_MAX: u64 = 600_000;

fn new_player(desktop: &Desktop) {
    let settings = desktop.home().join(SETTINGS);
    fs::create_dir_all(settings.parent().unwrap()).unwrap();
    fs::write(settings, NEVER_OPENED).unwrap();
}

async fn step(window: &Driven, name: &str) {
    window.wait_for("welcome", "data-step", name, LIMIT).await;
}

async fn snapshot(window: &Driven) -> Value {
    window.invoke("snapshot").await
}

fn downloaded(snapshot: &Value) -> u64 {
    ["origin", "players", "lan"].iter().map(|source| snapshot["downloaded"][source].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn by_keys_alone_from_the_first_question_to_play() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    new_player(&desktop);
    let window = studio.launcher(&desktop, &[]).await;
    step(&window, "language").await;
    window.press("welcome-next").await;
    step(&window, "folder").await;
    window.wait_for("folder-found", "data-holds", "nothing", LIMIT).await;
    window.press("welcome-next").await;
    step(&window, "sharing").await;
    window.wait_for("sharing", "data-value", "while_downloading", LIMIT).await;
    window.press("welcome-next").await;
    step(&window, "account").await;

    let before = snapshot(&window).await;
    let dir = before["game"]["dir"].as_str().unwrap().to_owned();
    assert_eq!(before["phase"]["kind"], "not_installed", "{before}");
    assert_eq!(downloaded(&before), 0, "nothing is fetched before the last answer");
    assert!(!Path::new(&dir).exists(), "nothing is put anywhere before the last answer");

    window.press("welcome-finish").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    window.wait_for("summary", "data-version", "1.0", LIMIT).await;
    let after = snapshot(&window).await;
    assert_eq!(after["summary"]["version"], "1.0");
    assert!(downloaded(&after) > 0);
    window.press("primary").await;
    window.wait_for("phase", "data-phase", "running", LIMIT).await;
    assert!(window.invoke("settings").await["welcomed"].as_bool().unwrap(), "asked once");
    window.close().await;
}

#[tokio::test]
async fn a_copy_of_the_game_is_recognised_and_taken_over() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    new_player(&desktop);
    let dir = desktop.home().join(".local/share/muster/games").join(GAME);
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    let copied = Command::new("cp").args(["-r", text(&studio.build("1.0")), text(&dir)]).status().unwrap();
    assert!(copied.success());
    fs::write(dir.join("my-notes.txt"), b"kept").unwrap();

    let window = studio.launcher(&desktop, &[]).await;
    step(&window, "language").await;
    window.click("welcome-next").await;
    window.wait_for("folder-found", "data-holds", "copy", LIMIT).await;
    window.click("welcome-next").await;
    step(&window, "sharing").await;
    window.click("welcome-next").await;
    step(&window, "account").await;
    window.click("welcome-finish").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    until("installed", async || snapshot(&window).await["installed"] == "1.0").await;
    let taken = snapshot(&window).await;
    assert!(downloaded(&taken) < DOCUMENTS_MAX, "only documents came: {}", taken["downloaded"]);
    assert_eq!(fs::read(dir.join("my-notes.txt")).unwrap(), b"kept");
    window.close().await;
}
