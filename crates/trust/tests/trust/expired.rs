use trust::Error;
use trust::limits::{TARGETS_LIFE_DAYS, TIMESTAMP_LIFE_DAYS};

use crate::support::{World, later, now, refusal};

#[tokio::test]
async fn expired_is_an_error_of_its_own_and_names_the_role() {
    let world = World::new();
    world.load_at(later(TIMESTAMP_LIFE_DAYS - 1)).await.unwrap();
    let error = refusal(world.load_at(later(TIMESTAMP_LIFE_DAYS)).await);
    assert_eq!(error.code(), "META_EXPIRED");
    assert!(matches!(error, Error::Expired { role: "timestamp", .. }), "{error}");
    std::fs::remove_file(world.keys().join("targets-1.key")).unwrap();
    std::fs::remove_file(world.keys().join("targets-2.key")).unwrap();
    world.editor().refresh(later(TARGETS_LIFE_DAYS)).unwrap();
    let error = refusal(world.load_at(later(TARGETS_LIFE_DAYS)).await);
    assert!(matches!(error, Error::Expired { role: "targets", .. }), "{error}");
}

#[tokio::test]
async fn refresh_ends_it() {
    let world = World::new();
    let day = TIMESTAMP_LIFE_DAYS + 3;
    refusal(world.load_at(later(day)).await);
    world.editor().refresh(later(day)).unwrap();
    world.load_at(later(day)).await.unwrap();
}

#[tokio::test]
async fn expired_and_old_is_called_old() {
    let world = World::new();
    let old = world.stolen();
    world.editor().refresh(now()).unwrap();
    world.load().await.unwrap();
    let transport = trust::FolderTransport::new(old.repo());
    let error = refusal(world.load_through(transport, later(100), true).await);
    assert_eq!(error.code(), "META_ROLLBACK");
}

#[test]
fn editor_refuses_to_sign_under_an_expired_root() {
    let world = World::new();
    let error = world.editor().refresh(later(400)).unwrap_err();
    assert_eq!(error.code(), "META_EXPIRED");
}
