//! The launcher in a real window: sign in, install, play, a second release appears, update, play; and the upload cap of
//! the panel, measured by another peer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{
    browser::Driven,
    child::{Running, eventually},
    desktop::Desktop,
    libtorrent, programs,
    studio::{LIMIT, Studio, sign_in, until},
    tree,
};

/// What is typed into the panel, in kB/s.
const CAP_KB: u64 = 400;
/// How long the other peer measures.
const MEASURED: Duration = Duration::from_secs(12);

#[tokio::test]
async fn from_sign_in_to_the_second_release() {
    let mut studio = Studio::open();
    let desktop = Desktop::start(&studio.path("player"));
    let window = studio.launcher(&desktop, &[]).await;
    let pictures = Pictures::of(&desktop);
    window.wait_for("primary", "data-action", "install", LIMIT).await;
    window.wait_for("news", "data-state", "fresh", LIMIT).await;
    pictures.take("not-installed").await;

    sign_in(&studio, &window).await;
    pictures.take("signed-in").await;

    // Slow enough for a look at the download.
    set_limit(&window, "limit-down", "limit_down", 6_000).await;
    window.click("nav-game").await;
    window.click("primary").await;
    window.wait_for("phase", "data-phase", "downloading", LIMIT).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    pictures.take("downloading").await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    window.wait_for("version", "data-version", "1.0", LIMIT).await;
    pictures.take("ready").await;
    let game = PathBuf::from(window.invoke("snapshot").await["game"]["dir"].as_str().unwrap());
    assert_installed(&studio, &game, "1.0");

    play(&window, &desktop, &pictures).await;

    studio.publish("1.1");
    window.wait_for("primary", "data-action", "update", LIMIT).await;
    pictures.take("update-available").await;
    window.click("primary").await;
    window.wait_for("version", "data-version", "1.1", LIMIT).await;
    window.wait_for("primary", "data-action", "play", LIMIT).await;
    assert_installed(&studio, &game, "1.1");
    play(&window, &desktop, &pictures).await;

    set_limit(&window, "limit-up", "limit_up", CAP_KB).await;
    window.click("sharing-while_open").await;
    pictures.take("settings").await;
    measure_upload(&mut studio, &window, CAP_KB * 1000, &pictures).await;
    window.close().await;
}

/// Presses the button, sees the game's window, and waits for the game to end well.
async fn play(window: &Driven, desktop: &Desktop, pictures: &Pictures<'_>) {
    let before = desktop.windows("Emberfall");
    window.click("primary").await;
    window.wait_for("phase", "data-phase", "running", LIMIT).await;
    eventually(LIMIT, "the game's window", || desktop.windows("Emberfall") > before);
    tokio::time::sleep(Duration::from_secs(1)).await;
    pictures.take("running").await;
    window.wait_for("phase", "data-phase", "ready", LIMIT).await;
    let snapshot = window.invoke("snapshot").await;
    assert_eq!(snapshot["last_exit"]["code"], 0, "{}", snapshot["last_exit"]);
}

/// Types a limit into the panel, in kB/s, and waits until it is saved.
async fn set_limit(window: &Driven, which: &str, setting: &str, kilobytes: u64) {
    window.click("nav-settings").await;
    if window.attribute(which, "value").await.is_none() {
        window.click(&format!("{which}-unlimited")).await;
    }
    window.click(&format!("{which}-unit-kB")).await;
    window.fill(&format!("[data-testid=\"{which}\"]"), &kilobytes.to_string()).await;
    until(&format!("{which} saved"), async || window.invoke("settings").await[setting] == kilobytes * 1000)
        .await;
}

/// A libtorrent peer that knows only the launcher downloads from it for a while.
async fn measure_upload(studio: &mut Studio, window: &Driven, cap: u64, pictures: &Pictures<'_>) {
    until("the launcher shares", async || window.invoke("snapshot").await["transfer"]["listen"].is_string())
        .await;
    // Peers tell each other of peers (BEP 11): with the origin's seed still there, it would serve the
    // leech too, past the launcher's cap.
    studio.origin.program.signal("TERM");
    studio.origin.program.wait(LIMIT);
    let listen = window.invoke("snapshot").await["transfer"]["listen"].clone();
    let port = listen.as_str().unwrap().rsplit(':').next().unwrap();
    let torrent = studio.torrent("1.1");
    let place = studio.path("leech");
    fs::create_dir_all(&place).unwrap();
    let peer = format!("127.0.0.1:{port}");
    let mut leech = libtorrent::Peer::start(&torrent, &place, &[&peer], &["--stay"]).program;
    let first = next_with_bytes(&mut leech);
    window.click("nav-transfer").await;
    tokio::time::sleep(MEASURED).await;
    pictures.take("transfer").await;
    let lines = leech.lines_so_far();
    let last = lines.iter().rev().find_map(|line| progress(line)).unwrap();
    let rate = (last.1 - first.1) as f64 / (last.0 - first.0);
    let share = rate / cap as f64;
    println!("upload cap {cap} bytes/s, measured {rate:.0} bytes/s: {share:.3} of it");
    assert!(share <= 1.05, "the cap does not hold: {share:.3} of it");
    assert!(share >= 0.8, "the cap is not used: {share:.3} of it");
}

fn next_with_bytes(leech: &mut Running) -> (f64, u64) {
    leech.wait_for(LIMIT, "first bytes from the launcher", |line| {
        progress(line).filter(|(_, bytes)| *bytes > 0)
    })
}

/// Seconds and bytes of a progress line.
fn progress(line: &str) -> Option<(f64, u64)> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["t"] == "progress").then(|| Some((line["time"].as_f64()?, line["down"].as_u64()?)))?
}

/// As the build is, but for what is never shipped and what is the player's own.
fn assert_installed(studio: &Studio, game: &Path, version: &str) {
    let mut published = tree::read(&studio.build(version));
    published.retain(|path, _| path != Path::new("muster.toml") && !path.starts_with("save"));
    let installed = tree::read(game);
    for (path, entry) in &published {
        assert!(installed.get(path) == Some(entry), "{} is not as published", path.display());
    }
}

/// Pictures of the window in each state, under cargo's output folder; with `MUSTER_UPDATE_SCREENS` in `docs/screens` too.
struct Pictures<'a> {
    desktop: &'a Desktop,
    dir: PathBuf,
}

impl<'a> Pictures<'a> {
    fn of(desktop: &'a Desktop) -> Self {
        let dir = programs::target().join("xtask/screens");
        fs::create_dir_all(&dir).unwrap();
        Self { desktop, dir }
    }

    async fn take(&self, name: &str) {
        // The page says it is there a frame before the display shows it.
        tokio::time::sleep(Duration::from_millis(700)).await;
        let path = self.dir.join(format!("{name}.png"));
        self.desktop.picture(&path);
        if std::env::var_os("MUSTER_UPDATE_SCREENS").is_some() {
            let docs = programs::root().join("docs/screens");
            fs::create_dir_all(&docs).unwrap();
            fs::copy(&path, docs.join(format!("{name}.png"))).unwrap();
        }
    }
}
