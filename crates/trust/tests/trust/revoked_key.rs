use trust::FolderTransport;

use crate::support::{World, codes, later, now, refusal, replace_online_key};

/// A repository whose online key was stolen and replaced, and what the thief signs with it: newer than all else.
fn theft() -> (World, World) {
    let world = World::new();
    let thief = world.stolen();
    replace_online_key(&world.keys(), &world.repo(), later(1)).unwrap();
    for _ in 0..5 {
        thief.editor().refresh(later(2)).unwrap();
    }
    (world, thief)
}

#[tokio::test]
async fn replay_with_the_new_root_hidden_is_refused_once_it_was_seen() {
    let (world, thief) = theft();
    let client = world.load_at(later(1)).await.unwrap();
    assert_eq!(client.root_version(), 2);
    let error = refusal(world.load_through(FolderTransport::new(thief.repo()), later(2), true).await);
    assert_eq!(error.code(), "META_SIGNATURE");
    world.load_at(later(2)).await.unwrap();
}

#[tokio::test]
async fn client_fooled_before_recovers_with_the_new_root() {
    let (world, thief) = theft();
    // It had not seen the new root yet, and the thief's version numbers are higher than the publisher's.
    world.load_through(FolderTransport::new(thief.repo()), later(2), false).await.unwrap();
    let client = world.load_at(later(2)).await.unwrap();
    assert_eq!(client.root_version(), 2);
    assert!(codes(&client).is_empty());
}

#[tokio::test]
async fn newer_root_is_kept_though_the_load_failed() {
    let (world, thief) = theft();
    world.load_through(FolderTransport::new(thief.repo()), now(), false).await.unwrap();
    std::fs::rename(world.metadata("timestamp.json"), world.metadata("away")).unwrap();
    assert_eq!(refusal(world.load_at(later(1)).await).code(), "ORIGIN_NOT_FOUND");
    std::fs::rename(world.metadata("away"), world.metadata("timestamp.json")).unwrap();
    let error = refusal(world.load_through(FolderTransport::new(thief.repo()), later(2), true).await);
    assert_eq!(error.code(), "META_SIGNATURE");
    world.load_at(later(2)).await.unwrap();
}

#[tokio::test]
async fn without_root_keys_nothing_changes() {
    let world = World::new();
    std::fs::remove_file(world.keys().join("root-1.key")).unwrap();
    std::fs::remove_file(world.keys().join("root-3.key")).unwrap();
    let error = replace_online_key(&world.keys(), &world.repo(), now()).unwrap_err();
    assert_eq!(error.code(), "ROOT_UNSIGNED");
    assert!(!world.metadata("2.root.json").exists());
    world.load().await.unwrap();
}

#[tokio::test]
async fn too_many_roots_at_once_are_refused_but_bring_us_nearer() {
    let world = World::new();
    for _ in 0..40 {
        replace_online_key(&world.keys(), &world.repo(), now()).unwrap();
    }
    assert_eq!(refusal(world.load().await).code(), "META_SIZE");
    assert_eq!(world.load().await.unwrap().root_version(), 41);
}
