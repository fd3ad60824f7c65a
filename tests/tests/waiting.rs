//! Downloads that wait for another network or another hour, and updates that come by themselves: seen in what is fetched and what stands.
#![cfg(unix)]

use engine::{
    game::{Metered, Policy, Updates, Window},
    snapshot::{Action, Limits, PauseReason, Phase, Snapshot},
};
use std::time::Duration;
use tests::played::{BYTES, Opened, Scene, kept};

/// Signed documents of so small a release, in bytes.
const DOCUMENTS_MAX: u64 = 600_000;
/// Long enough for a download that does not wait, over loopback, many times.
const PATIENCE: Duration = Duration::from_secs(2);
/// A game that ends at once.
const SHORT: &str = "#!/bin/sh\nexit 0\n";

fn downloaded(snapshot: &Snapshot) -> u64 {
    snapshot.downloaded.origin + snapshot.downloaded.players + snapshot.downloaded.lan
}

fn waits(snapshot: &Snapshot, why: PauseReason) -> bool {
    matches!(snapshot.phase, Phase::Paused { reason, .. } if reason == why)
}

fn label(snapshot: &Snapshot) -> &str {
    &snapshot.primary.label
}

async fn nothing_more_comes(opened: &Opened) {
    let before = downloaded(&opened.game.snapshot().borrow());
    tokio::time::sleep(PATIENCE).await;
    let after = downloaded(&opened.game.snapshot().borrow());
    assert!(after <= before + 200_000, "{before} and then {after}: it does not wait");
}

async fn installed(opened: &Opened, version: &str) -> Snapshot {
    let so = |snapshot: &Snapshot| {
        snapshot.installed.as_deref() == Some(version) && snapshot.phase == Phase::Ready
    };
    opened.until(&format!("{version} stands"), so).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_metered_network_a_download_waits_for_a_word_or_for_another_network() {
    let scene = Scene::of(SHORT);
    let opened = scene.open(kept());
    opened.game.set_metered(true);
    opened.game.act(Action::Install);
    let held = opened.until("it waits", |snapshot| waits(snapshot, PauseReason::Metered)).await;
    assert_eq!((label(&held), held.primary.action), ("download_anyway", Some(Action::Resume)));
    nothing_more_comes(&opened).await;
    let held = opened.game.snapshot().borrow().clone();
    assert!(downloaded(&held) < DOCUMENTS_MAX, "{:?}", held.downloaded);

    // Without a word: the rule changes, and the network does.
    opened.game.set_policy(Policy { metered: Metered::Pause, ..Policy::default() });
    opened.until("no word helps", |snapshot| label(snapshot) == "waiting").await;
    opened.game.set_metered(false);
    let done = installed(&opened, "1.0").await;
    assert!(downloaded(&done) > BYTES as u64);

    // With a word, and only for this download.
    opened.game.set_policy(Policy::default());
    opened.game.set_metered(true);
    for (version, last) in [("1.1", false), ("1.2", true)] {
        scene.publish(version, SHORT);
        opened.game.perform(Action::Retry).await.unwrap();
        opened.game.act(Action::Update);
        opened.until("it waits again", |snapshot| waits(snapshot, PauseReason::Metered)).await;
        opened.game.act(Action::Resume);
        installed(&opened, version).await;
        assert!(!last || opened.game.snapshot().borrow().sharing.paused_reason.is_none());
    }
    opened.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_becomes_metered_holds_a_download_that_runs() {
    let scene = Scene::of(SHORT);
    let opened = scene.open(kept());
    let slowly = Limits { up: None, down: Some(700_000) };
    opened.game.set_policy(Policy { limits: slowly, ..Policy::default() });
    opened.game.act(Action::Install);
    opened.until("content comes", |snapshot| downloaded(snapshot) > 1_000_000).await;
    opened.game.set_metered(true);
    opened.until("it waits", |snapshot| waits(snapshot, PauseReason::Metered)).await;
    // What was on its way still comes.
    tokio::time::sleep(PATIENCE).await;
    nothing_more_comes(&opened).await;
    opened.game.set_metered(false);
    opened.game.set_policy(Policy::default());
    installed(&opened, "1.0").await;
    opened.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_hours_without_downloads_it_waits_and_says_until_when() {
    let scene = Scene::of(SHORT);
    let opened = scene.open(kept());
    let always = Window { days: [true; 7], sharing: true, no_downloads: true, ..Window::default() };
    // From a minute ago until in two hours, whatever the time.
    let now = chrono::Local::now().time();
    let minute = |offset: i64| {
        let minutes = i64::from(chrono::Timelike::num_seconds_from_midnight(&now) / 60) + offset;
        u16::try_from(minutes.rem_euclid(24 * 60)).unwrap()
    };
    let hours = Window { from_minute: minute(-60), to_minute: minute(120), ..always };
    let until = hours.to_minute;
    opened.game.set_policy(Policy { windows: vec![hours], ..Policy::default() });
    opened.game.act(Action::Install);
    let held = opened.until("it waits", |snapshot| waits(snapshot, PauseReason::Schedule)).await;
    assert_eq!(held.phase, Phase::Paused { reason: PauseReason::Schedule, until: Some(until) });
    nothing_more_comes(&opened).await;
    opened.game.set_policy(Policy::default());
    installed(&opened, "1.0").await;
    opened.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_come_by_themselves_only_where_they_may_and_never_under_a_running_game() {
    let stays = "#!/bin/sh\nexec ./world.sh\n";
    let scene = Scene::of(stays);
    let opened = scene.installed().await;
    // Ask: it is offered, and waits.
    scene.publish("1.1", stays);
    opened.game.perform(Action::Retry).await.unwrap();
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(opened.game.snapshot().borrow().phase, Phase::UpdateAvailable);
    // By itself, but not on a metered network.
    opened.game.set_metered(true);
    let auto = Policy { updates: Updates::Auto, ..Policy::default() };
    opened.game.set_policy(auto.clone());
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(opened.game.snapshot().borrow().phase, Phase::UpdateAvailable);
    opened.game.set_metered(false);
    installed(&opened, "1.1").await;

    // Nor while the game runs; then at once.
    opened.game.act(Action::Play);
    let _runs = scene.world();
    scene.publish("1.2", stays);
    opened.game.perform(Action::Retry).await.unwrap();
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(opened.game.snapshot().borrow().installed.as_deref(), Some("1.1"));
    scene.leave();
    installed(&opened, "1.2").await;

    // Whoever gives one up is not asked again by the same.
    let slowly = Limits { up: None, down: Some(100_000) };
    opened.game.set_policy(Policy { limits: slowly, ..auto });
    scene.publish("1.3", stays);
    opened.game.perform(Action::Retry).await.unwrap();
    opened.until("it comes", |snapshot| snapshot.phase == Phase::Downloading).await;
    opened.game.act(Action::Cancel);
    opened.until("given up", |snapshot| snapshot.phase == Phase::UpdateAvailable).await;
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(opened.game.snapshot().borrow().phase, Phase::UpdateAvailable);
    opened.end().await;
}
