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
        user_places: UserPlaces::default(),
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
fn caps_while_playing() {
    let base = settings(Path::new("/games/demo"));
    let with = |limit_up, while_playing| Settings { limit_up, while_playing, ..base.clone() };
    let cases = [
        (with(None, WhilePlaying::Limit), true, Some(50_000)),
        (with(Some(10_000), WhilePlaying::Limit), true, Some(10_000)),
        (with(Some(90_000), WhilePlaying::Limit), true, Some(50_000)),
        (with(Some(90_000), WhilePlaying::Limit), false, Some(90_000)),
        (with(None, WhilePlaying::Ignore), true, None),
    ];
    for (settings, playing, up) in cases {
        assert_eq!(limits(&settings, playing).up, up, "{settings:?}");
    }
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
