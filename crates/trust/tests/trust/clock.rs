use std::sync::Arc;

use chrono::TimeDelta;
use trust::{Client, FolderTransport, LoadRequest};

use crate::support::{World, codes, later, now, refusal};

#[tokio::test]
async fn clock_that_jumped_ahead_and_came_back_locks_nobody_out() {
    let world = World::new();
    world.load().await.unwrap();
    assert_eq!(refusal(world.load_at(later(15 * 365)).await).code(), "META_EXPIRED");
    assert!(codes(&world.load().await.unwrap()).is_empty());
}

#[tokio::test]
async fn clock_before_the_metadata_was_signed_is_a_warning() {
    let world = World::new();
    world.load().await.unwrap();
    assert_eq!(codes(&world.load_at(later(-2000)).await.unwrap()), ["CLOCK_WRONG"]);
    let nearly = now() - TimeDelta::minutes(5);
    assert!(codes(&world.load_at(nearly).await.unwrap()).is_empty());
}

#[tokio::test]
async fn clock_before_the_program_was_built_is_a_warning() {
    let world = World::new();
    let request = LoadRequest {
        trusted_root: &world.root,
        state_dir: &world.state(),
        now: later(1),
        built_at: Some(later(30)),
        installed: false,
    };
    let client = Client::load(Arc::new(FolderTransport::new(world.repo())), request).await.unwrap();
    assert_eq!(codes(&client), ["CLOCK_WRONG"]);
}
