//! One trust state for a repository, several loads at once, and several roots that callers trust.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use trust::{Client, FetchError, FolderTransport, LoadRequest, Transport};

use crate::support::{World, codes, later, now, refusal, replace_online_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn loads_at_once_do_not_tear_the_state() {
    let world = Arc::new(World::new());
    for round in 0..10 {
        fs::remove_dir_all(world.state()).ok();
        let loads: Vec<_> = (0..8)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    world.load_through(FolderTransport::new(world.repo()), now(), false).await.map(drop)
                })
            })
            .collect();
        for load in loads {
            load.await.unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        assert!(codes(&world.load().await.unwrap()).is_empty(), "round {round}");
    }
}

/// Serves an old copy, and lets something happen before its last document comes.
#[derive(Debug)]
struct Slow {
    old: FolderTransport,
    meanwhile: Arc<World>,
}

#[async_trait]
impl Transport for Slow {
    async fn fetch(&self, path: &str, limit: u64) -> Result<Bytes, FetchError> {
        if path.ends_with("targets.json") {
            self.meanwhile.load().await.map_err(|error| FetchError::Network { source: error.into() })?;
        }
        self.old.fetch(path, limit).await
    }
}

#[tokio::test]
async fn slow_load_of_an_old_copy_does_not_put_the_state_back() {
    let world = Arc::new(World::new());
    let old = world.stolen();
    world.editor().refresh(now()).unwrap();
    let slow = Slow { old: FolderTransport::new(old.repo()), meanwhile: Arc::clone(&world) };
    world.load_through(slow, now(), false).await.unwrap();
    let error = refusal(world.load_through(FolderTransport::new(old.repo()), now(), true).await);
    assert_eq!(error.code(), "META_ROLLBACK");
}

#[tokio::test]
async fn repository_made_anew_at_its_address_is_read_by_its_own_root() {
    let (before, anew) = (World::new(), World::new());
    replace_online_key(&before.keys(), &before.repo(), now()).unwrap();
    before.load().await.unwrap();
    // The launcher carries the new root; the state is that of the old repository.
    let request = LoadRequest {
        trusted_root: &anew.root,
        state_dir: &before.state(),
        now: now(),
        built_at: None,
        installed: true,
    };
    let client = Client::load(Arc::new(FolderTransport::new(anew.repo())), request).await.unwrap();
    assert_eq!(codes(&client), ["TRUST_STATE_MISSING"]);
    assert_eq!(client.root_version(), 1);
}

#[tokio::test]
async fn wrong_root_in_a_callers_hand_costs_nothing_of_what_is_remembered() {
    let mut world = World::new();
    let thief = world.stolen();
    replace_online_key(&world.keys(), &world.repo(), now()).unwrap();
    world.load().await.unwrap();
    let strangers = World::new();
    replace_online_key(&strangers.keys(), &strangers.repo(), now()).unwrap();
    replace_online_key(&strangers.keys(), &strangers.repo(), now()).unwrap();
    let newer = fs::read(strangers.metadata("3.root.json")).unwrap();
    for wrong in [strangers.root.clone(), newer] {
        let right = std::mem::replace(&mut world.root, wrong);
        assert_eq!(refusal(world.load().await).code(), "META_SIGNATURE");
        world.root = right;
        let hidden = world.load_through(FolderTransport::new(thief.repo()), now(), true).await;
        assert_eq!(refusal(hidden).code(), "META_SIGNATURE");
        assert!(codes(&world.load().await.unwrap()).is_empty());
    }
}

#[tokio::test]
async fn root_of_the_same_line_keeps_the_state_whichever_is_given() {
    let mut world = World::new();
    let thief = world.stolen();
    for day in 1..3 {
        replace_online_key(&world.keys(), &world.repo(), later(day)).unwrap();
    }
    world.load_at(later(2)).await.unwrap();
    let first = world.root.clone();
    for root in [
        first,
        fs::read(world.metadata("2.root.json")).unwrap(),
        fs::read(world.metadata("3.root.json")).unwrap(),
    ] {
        world.root = root;
        assert!(codes(&world.load_at(later(2)).await.unwrap()).is_empty());
        let hidden = world.load_through(FolderTransport::new(thief.repo()), later(2), true).await;
        assert_eq!(refusal(hidden).code(), "META_SIGNATURE");
    }
}

#[tokio::test]
async fn unreadable_state_is_said_even_before_anything_is_installed() {
    let world = World::new();
    world.load().await.unwrap();
    let file = world.state().join("trusted.json");
    for damage in [b"{".to_vec(), Vec::new(), vec![b' '; 8 << 20], b"{\"format\":9}".to_vec()] {
        fs::write(&file, &damage).unwrap();
        let load = world.load_through(FolderTransport::new(world.repo()), now(), false).await;
        assert_eq!(codes(&load.unwrap()), ["TRUST_STATE_MISSING"], "{} bytes", damage.len());
    }
}
