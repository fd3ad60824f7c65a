use trust::FolderTransport;

use crate::support::{World, later, now, refusal};

#[tokio::test]
async fn older_repository_is_refused_and_the_newer_still_read() {
    let world = World::new();
    let old = world.stolen();
    let mut editor = world.editor();
    editor.put_target("hello", b"hello again".to_vec()).unwrap();
    editor.commit(later(1)).unwrap();
    world.load_at(later(1)).await.unwrap();
    let error = refusal(world.load_through(FolderTransport::new(old.repo()), later(1), true).await);
    assert_eq!(error.code(), "META_ROLLBACK");
    let client = world.load_at(later(1)).await.unwrap();
    assert_eq!(client.target("hello", 100).await.unwrap(), b"hello again");
}

#[tokio::test]
async fn new_timestamp_over_an_old_snapshot_is_refused() {
    let world = World::new();
    let old = world.stolen();
    world.editor().refresh(now()).unwrap();
    world.editor().refresh(now()).unwrap();
    world.load().await.unwrap();
    // With the stolen online key the attacker signs a timestamp of the same version over other content.
    let mut editor = old.editor();
    editor.refresh(later(1)).unwrap();
    drop(editor);
    assert_eq!(
        refusal(world.load_through(FolderTransport::new(old.repo()), later(1), true).await).code(),
        "META_ROLLBACK"
    );
}

#[tokio::test]
async fn state_keeps_the_newest_after_a_refusal() {
    let world = World::new();
    let old = world.stolen();
    world.editor().refresh(now()).unwrap();
    world.load().await.unwrap();
    for _ in 0..3 {
        refusal(world.load_through(FolderTransport::new(old.repo()), now(), true).await);
    }
}
