use crate::support::{Answer, Lying, World, codes, now, refusal, replace_online_key};

#[tokio::test]
async fn next_root_that_cannot_be_asked_for_is_said() {
    let world = World::new();
    world.load().await.unwrap();
    let page = Answer::Bytes(b"  <!doctype html>".to_vec());
    for lie in [Answer::NetworkError, page] {
        let transport = Lying::new(&world, &[("metadata/2.root.json", lie)]);
        let client = world.load_through(transport, now(), true).await.unwrap();
        assert_eq!(codes(&client), ["ROOT_UNCHECKED"]);
    }
}

#[tokio::test]
async fn next_root_is_asked_for_twice() {
    let world = World::new();
    world.load().await.unwrap();
    replace_online_key(&world.keys(), &world.repo(), now()).unwrap();
    let transport = Lying::new(&world, &[("metadata/2.root.json", Answer::FlakyOnce)]);
    let client = world.load_through(transport, now(), true).await.unwrap();
    assert_eq!(client.root_version(), 2);
    assert!(codes(&client).is_empty());
}

#[tokio::test]
async fn unreachable_origin_and_captive_portal_are_told_apart() {
    let world = World::new();
    let cases =
        [(Answer::NetworkError, "NETWORK"), (Answer::Bytes(b"<html>sign in".to_vec()), "ORIGIN_HTML")];
    for (answer, code) in cases {
        let transport = Lying::new(&world, &[("*", answer)]);
        assert_eq!(refusal(world.load_through(transport, now(), true).await).code(), code);
    }
}

#[tokio::test]
async fn address_without_a_repository_is_said() {
    let world = World::new();
    let empty = tempfile::tempdir().unwrap();
    let transport = trust::FolderTransport::new(empty.path());
    assert_eq!(refusal(world.load_through(transport, now(), false).await).code(), "ORIGIN_NOT_FOUND");
}
