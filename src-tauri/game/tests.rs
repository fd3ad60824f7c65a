//! The desk without a network: which folder, which channel, which caps.

use super::*;
use engine::snapshot::SharingMode;
use std::path::Path;
use url::Url;

fn settings(dir: &Path) -> Settings {
    Settings { sharing: SharingMode::Off, ..Settings::default_for("live", dir) }
}

fn desk(dir: &Path, repository: Result<Repository, RepositoryError>) -> Desk {
    Desk {
        game: "demo".parse().unwrap(),
        title: "Demo".into(),
        repository,
        trust_state: dir.join("trust"),
        memory: dir.join("installed.json"),
        ledger: dir.join("passed-on.json"),
        user_places: UserPlaces::default(),
        metered: watch::channel(false).1,
    }
}

/// Port 1 of the loopback: nobody is there.
fn nowhere() -> Repository {
    Repository { url: Url::parse("http://127.0.0.1:1/").unwrap(), root: b"{}".to_vec() }
}

async fn until(desk: &GameDesk, done: impl Fn(&Snapshot) -> bool) -> Snapshot {
    desk.watch().wait_for(|snapshot| done(snapshot)).await.unwrap().clone()
}

#[tokio::test]
async fn no_repository_is_said_and_nothing_can_be_pressed() {
    let dir = tempfile::tempdir().unwrap();
    let desk = desk(dir.path(), Err(RepositoryError::None));
    let desk = GameDesk::start(desk, &settings(&dir.path().join("game"))).unwrap();
    let snapshot = until(&desk, |snapshot| matches!(snapshot.phase, Phase::Failed { .. })).await;
    let Phase::Failed { failure } = snapshot.phase else { panic!("failed") };
    assert_eq!((failure.code.as_str(), failure.can_retry), ("NO_REPOSITORY", false));
    assert!(!snapshot.primary.enabled && snapshot.secondary.is_none());
    desk.close().await;
}

#[tokio::test]
async fn caps_hold_at_once_and_another_folder_opens_the_game_again() {
    let dir = tempfile::tempdir().unwrap();
    let old = settings(&dir.path().join("one"));
    let desk = GameDesk::start(desk(dir.path(), Ok(nowhere())), &old).unwrap();
    let capped = Settings { limit_up: Some(10_000), ..old.clone() };
    desk.apply(capped.clone()).await.unwrap();
    until(&desk, |snapshot| snapshot.limits.up == Some(10_000)).await;

    let moved = Settings { dir: dir.path().join("two").display().to_string(), ..capped.clone() };
    desk.may_apply(&capped, &moved).unwrap();
    desk.apply(moved.clone()).await.unwrap();
    let snapshot = until(&desk, |snapshot| snapshot.game.dir == moved.dir).await;
    assert_eq!(snapshot.limits.up, Some(10_000));
    desk.close().await;
    assert_eq!(desk.act(Action::Retry).await.unwrap_err().code, "ACTION_REFUSED");
}

#[test]
fn what_the_player_chose_is_what_the_engine_keeps_to() {
    let base = settings(Path::new("/games/demo"));
    let limited = Settings { limit_up: None, while_playing: WhilePlaying::Limit, ..base.clone() };
    assert_eq!(policy(&limited).while_playing, game::WhilePlaying::Limit(PLAYING));
    let chosen = Settings {
        limit_lan: true,
        limit_up_idle: Some(9_000),
        month_upload: Some(5_000_000),
        schedule: vec![game::Window { days: [true; 7], ..game::Window::default() }],
        ..base
    };
    let policy = policy(&chosen);
    assert_eq!((policy.idle_up, policy.month_upload), (Some(9_000), Some(5_000_000)));
    assert_eq!((policy.windows, policy.lan_capped), (chosen.schedule, true));
}

#[tokio::test]
async fn a_metered_network_is_heard_at_once_also_after_the_game_was_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (told, metered) = watch::channel(false);
    let old = Settings { sharing: SharingMode::WhileOpen, ..settings(&dir.path().join("one")) };
    let desk = Desk { metered, ..desk(dir.path(), Ok(nowhere())) };
    let desk = GameDesk::start(desk, &old).unwrap();
    let rests =
        |snapshot: &Snapshot| snapshot.sharing.paused_reason == Some(engine::snapshot::SharingPause::Metered);
    until(&desk, |snapshot| snapshot.sharing.paused_reason.is_none() && snapshot.phase != Phase::Starting)
        .await;
    told.send_replace(true);
    until(&desk, rests).await;
    let moved = Settings { dir: dir.path().join("two").display().to_string(), ..old.clone() };
    desk.apply(moved.clone()).await.unwrap();
    until(&desk, |snapshot| snapshot.game.dir == moved.dir && rests(snapshot)).await;
    desk.apply(Settings { metered: Metered::Allow, ..moved }).await.unwrap();
    until(&desk, |snapshot| !rests(snapshot)).await;
    desk.close().await;
}

#[tokio::test]
async fn a_schedule_takes_hold_at_once_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let old = Settings { sharing: SharingMode::WhileOpen, ..settings(&dir.path().join("one")) };
    let desk = GameDesk::start(desk(dir.path(), Ok(nowhere())), &old).unwrap();
    until(&desk, |snapshot| snapshot.limits.up == Some(300_000)).await;
    let limits = Limits { up: Some(20_000), down: Some(90_000) };
    let always = game::Window { days: [true; 7], limits, ..game::Window::default() };
    desk.apply(Settings { schedule: vec![always], ..old }).await.unwrap();
    let snapshot = until(&desk, |snapshot| snapshot.limits == limits).await;
    assert_eq!(snapshot.sharing.paused_reason, Some(engine::snapshot::SharingPause::Schedule));
    assert!(!snapshot.sharing.active);
    desk.close().await;
}

#[tokio::test]
async fn a_month_that_is_used_up_stays_so_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let now = chrono::Local::now().naive_local();
    let mut ledger = game::Ledger::default();
    ledger.add(now, 4_999_999);
    let mut file = LedgerFile::load(dir.path().join("passed-on.json"));
    file.keep(&ledger);
    ledger.add(now, 1);
    file.keep(&ledger);
    let chosen = Settings {
        sharing: SharingMode::WhileOpen,
        month_upload: Some(5_000_000),
        ..settings(&dir.path().join("one"))
    };
    let desk = GameDesk::start(desk(dir.path(), Ok(nowhere())), &chosen).unwrap();
    let snapshot = until(&desk, |snapshot| snapshot.sharing.paused_reason.is_some()).await;
    assert_eq!(snapshot.sharing.paused_reason, Some(engine::snapshot::SharingPause::Budget));
    assert_eq!(snapshot.sharing.month_bytes, 5_000_000);
    desk.close().await;

    // A torn file is no reason to stand still.
    std::fs::write(dir.path().join("passed-on.json"), b"{").unwrap();
    assert_eq!(LedgerFile::load(dir.path().join("passed-on.json")).kept(), &game::Ledger::default());
}

#[test]
fn it_is_remembered_where_the_game_stands() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/installed.json");
    let mut memory = Memory::load(path.clone());
    assert!(!memory.knows("/games/demo"));
    memory.note("/games/demo").unwrap();
    assert!(Memory::load(path.clone()).knows("/games/demo"));
    memory.forget("/games/demo").unwrap();
    assert!(!Memory::load(path).knows("/games/demo"));
}
