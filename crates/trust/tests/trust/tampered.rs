use std::fs;

use crate::support::{Answer, Lying, World, now, refusal};

fn replaced(world: &World, file: &str, from: &str, to: &str) -> Vec<u8> {
    let text = fs::read_to_string(world.metadata(file)).unwrap();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[tokio::test]
async fn changed_metadata_is_refused() {
    let world = World::new();
    let cases = [
        ("timestamp.json", "\"version\":2", "\"version\":9"),
        ("timestamp.json", "2026", "2027"),
        ("2.snapshot.json", "\"version\":2", "\"version\":3"),
        ("2.targets.json", "hello", "hullo"),
    ];
    for (file, from, to) in cases {
        let lie = replaced(&world, file, from, to);
        let path = format!("metadata/{file}");
        let transport = Lying::new(&world, &[(&path, Answer::Bytes(lie))]);
        let error = refusal(world.load_through(transport, now(), true).await);
        assert_eq!(error.code(), "META_SIGNATURE", "{file} {from}: {error}");
    }
    world.load().await.unwrap();
}

#[tokio::test]
async fn cut_off_metadata_is_refused() {
    let world = World::new();
    let transport =
        Lying::new(&world, &[("metadata/timestamp.json", Answer::Bytes(b"{\"signed\":".to_vec()))]);
    assert_eq!(refusal(world.load_through(transport, now(), true).await).code(), "META_INVALID");
}

#[tokio::test]
async fn changed_target_is_refused() {
    let world = World::new();
    let client = world.load().await.unwrap();
    let target = fs::read_dir(world.repo().join("targets")).unwrap().next().unwrap().unwrap().path();
    for (bytes, code) in [
        (&b"hello, plaier"[..], "META_SIGNATURE"),
        (b"hello", "META_SIGNATURE"),
        (b"hello, player and more", "META_SIZE"),
        (b"<html>please", "ORIGIN_HTML"),
    ] {
        fs::write(&target, bytes).unwrap();
        assert_eq!(client.target("hello", 1000).await.unwrap_err().code(), code);
    }
    fs::remove_file(&target).unwrap();
    assert_eq!(client.target("hello", 1000).await.unwrap_err().code(), "ORIGIN_NOT_FOUND");
}

#[tokio::test]
async fn another_publishers_repository_is_refused() {
    let (world, other) = (World::new(), World::new());
    let transport = trust::FolderTransport::new(other.repo());
    assert_eq!(refusal(world.load_through(transport, now(), false).await).code(), "META_SIGNATURE");
}

#[tokio::test]
async fn root_that_is_none_is_said_to_be_the_callers() {
    let mut world = World::new();
    world.root = b"{}".to_vec();
    assert_eq!(refusal(world.load().await).code(), "ROOT_INVALID");
}

#[test]
fn editor_signs_nothing_on_top_of_changed_metadata() {
    let world = World::new();
    let lie = replaced(&world, "2.targets.json", "hello", "hullo");
    fs::write(world.metadata("2.targets.json"), lie).unwrap();
    let error = trust::Editor::open(&world.repo(), &world.keys()).err().unwrap();
    assert_eq!(error.code(), "REPO_DAMAGED");
}
