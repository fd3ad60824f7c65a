//! What the settings of the game's start do, in the real window: the arguments a player types, what the launcher does once the game
//! runs, updates by themselves, a metered network.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{
    browser::Driven,
    child::eventually,
    desktop::Desktop,
    network_manager::{NetworkManager, SystemBus},
    programs, sockets,
    studio::{LIMIT, Studio, until},
};

/// The launcher's own window, by its title.
const WINDOW: &str = "Emberfall Launcher";

async fn installed(window: &Driven) -> PathBuf {
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    window.click("primary").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    PathBuf::from(window.invoke("snapshot").await["game"]["dir"].as_str().unwrap())
}

/// The words with which each process of the installed game was started.
fn words_of_the_game(dir: &Path) -> Vec<Vec<String>> {
    let words = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let split = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    };
    processes(dir).into_iter().map(|pid| split(words(pid))).collect()
}

/// The processes whose program lies in the game folder.
fn processes(dir: &Path) -> BTreeSet<u32> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(dir)))
        .collect()
}

/// The launchers of whoever lives there.
fn launchers_at(home: &Path) -> BTreeSet<u32> {
    let here = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(home.to_str().unwrap())
    };
    let launcher = programs::launcher();
    let runs = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == launcher);
    sockets::family(&launcher).into_iter().filter(|pid| runs(pid) && here(pid)).collect()
}

async fn choose(window: &Driven, what: &str, choice: &str) {
    window.click("nav-settings").await;
    window.click(&format!("{what}-{choice}")).await;
    let key = what.replace('-', "_");
    until(&format!("{what} is saved"), async || window.invoke("settings").await[&key] == choice).await;
    window.click("nav-game").await;
}

async fn type_arguments(window: &Driven, line: &str) {
    window.click("nav-settings").await;
    window.fill("[data-testid=\"launch-arguments\"]", line).await;
    // Leaving the field saves it.
    window.click("updates-ask").await;
}

#[tokio::test]
async fn the_arguments_a_player_types_reach_the_game_and_a_crash_is_said() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    let window = studio.launcher(&desktop, &[]).await;
    let dir = installed(&window).await;

    type_arguments(&window, "--exit-code \"7").await;
    window.wait_for("launch-arguments-invalid", "role", "alert", LIMIT).await;
    assert_eq!(window.invoke("settings").await["launch_arguments"], "", "what was refused is not saved");

    let typed = "--exit-code 7 --data 'data'";
    type_arguments(&window, typed).await;
    until("saved", async || window.invoke("settings").await["launch_arguments"] == typed).await;
    window.click("nav-game").await;
    window.click("primary").await;
    window.wait_for("phase", "data-phase", "running", LIMIT).await;
    eventually(LIMIT, "the game's process", || !words_of_the_game(&dir).is_empty());
    let words = words_of_the_game(&dir).remove(0);
    assert_eq!(&words[words.len() - 4..], ["--exit-code", "7", "--data", "data"], "{words:?}");
    assert!(words.contains(&"--autoplay".to_owned()), "after the manifest's own: {words:?}");

    window.wait_for("crash", "data-code", "GAME_CRASHED", LIMIT).await;
    assert_eq!(window.invoke("snapshot").await["last_exit"]["code"], 7);

    // Words that the game does not know: it says so, and the window shows that.
    type_arguments(&window, "--no-such-thing").await;
    until("saved", async || window.invoke("settings").await["launch_arguments"] == "--no-such-thing").await;
    window.click("nav-game").await;
    window.click("primary").await;
    until("the end is told", async || window.invoke("snapshot").await["last_exit"]["code"] == 2).await;
    window.click("crash-details").await;
    until("its last words", async || window.text().await.contains("unknown argument --no-such-thing")).await;
    window.close().await;
}

#[tokio::test]
async fn once_the_game_runs_the_window_stays_goes_or_the_launcher_ends() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    let _manager = desktop.window_manager();
    let window = studio.launcher(&desktop, &[]).await;
    let dir = installed(&window).await;
    let shown = || desktop.windows(WINDOW);
    eventually(LIMIT, "the launcher's window", || shown() > 0);

    // Keep is what a player starts with.
    let play = async || {
        window.click("primary").await;
        window.wait_for("phase", "data-phase", "running", LIMIT).await;
        eventually(LIMIT, "the game", || !processes(&dir).is_empty());
    };
    play().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(shown() > 0, "it stays");
    window.wait_for("primary", "data-action", "play", LIMIT).await;

    choose(&window, "after-start", "hide").await;
    play().await;
    eventually(LIMIT, "the window goes", || shown() == 0);
    eventually(LIMIT, "it comes back when the game is over", || shown() > 0);
    window.wait_for("primary", "data-action", "play", LIMIT).await;

    // Long enough for another launcher to come.
    type_arguments(&window, "--autoplay 25").await;
    choose(&window, "after-start", "close").await;
    let launchers = || launchers_at(desktop.home());
    assert_eq!(launchers().len(), 1);
    window.click("primary").await;
    eventually(LIMIT, "the launcher ends", || launchers().is_empty());
    assert!(!processes(&dir).is_empty(), "the game does not");

    // The next one knows it, and neither goes nor ends for it.
    drop(window);
    let window = studio.launcher(&desktop, &[]).await;
    window.wait_for("phase", "data-phase", "running", LIMIT).await;
    assert!(window.text().await.contains("Still running"), "{}", window.text().await);
    window.click("secondary").await;
    window.click("confirm-action").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    assert!(processes(&dir).is_empty(), "force quit reaches a game that another launcher started");
    assert_eq!(launchers().len(), 1);
    window.close().await;
}

#[tokio::test]
async fn an_update_comes_by_itself_and_a_metered_network_holds_it() {
    let studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    let bus = SystemBus::start();
    let network = NetworkManager::appear(&bus, 2).await;
    let window = studio.launcher(&desktop, &[("DBUS_SYSTEM_BUS_ADDRESS", bus.address())]).await;
    installed(&window).await;

    // Guessed to be metered: the update is offered, and does not come.
    choose(&window, "updates", "auto").await;
    network.set_metered(3).await;
    until("sharing rests or does not apply", async || {
        let sharing = &window.invoke("snapshot").await["sharing"];
        sharing["paused_reason"] == "metered"
    })
    .await;
    studio.publish("1.1");
    window.wait_for("primary", "data-action", "update", LIMIT).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(window.invoke("snapshot").await["installed"], "1.0");
    // Asked for, it waits with words and a button.
    window.click("primary").await;
    window.wait_for("primary", "data-label", "download_anyway", LIMIT).await;

    // A network like any other: it goes on by itself.
    network.set_metered(4).await;
    window.wait_for("version", "data-version", "1.1", LIMIT).await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;

    // Nobody says anything any more: that is free.
    network.set_metered(1).await;
    until("metered", async || window.invoke("snapshot").await["sharing"]["paused_reason"] == "metered").await;
    network.leave().await;
    until("unknown is free", async || window.invoke("snapshot").await["sharing"]["paused_reason"].is_null())
        .await;
    studio.publish("1.2");
    window.wait_for("version", "data-version", "1.2", LIMIT).await;
    window.close().await;
}
