use trust::keys::InitOptions;

use crate::support::{World, codes, later, now};

#[tokio::test]
async fn what_was_put_is_read() {
    let world = World::new();
    let client = world.load_through(trust::FolderTransport::new(world.repo()), now(), false).await.unwrap();
    assert_eq!(client.target_names().collect::<Vec<_>>(), ["hello"]);
    assert_eq!(client.target("hello", 1000).await.unwrap(), b"hello, player");
    assert_eq!(client.root_sha256(), trust::fingerprint(&world.root));
    assert_eq!(client.root_version(), 1);
    assert_eq!(client.expires(), later(trust::limits::TIMESTAMP_LIFE_DAYS));
    assert!(codes(&client).is_empty());
    assert_eq!(client.target("other", 1000).await.unwrap_err().code(), "TARGET_MISSING");
}

#[tokio::test]
async fn changes_reach_a_client_that_was_there_before() {
    let world = World::new();
    world.load_through(trust::FolderTransport::new(world.repo()), now(), false).await.unwrap();
    let mut editor = world.editor();
    editor.put_target("game~1.0+a.manifest", vec![7; 100_000]).unwrap();
    assert!(editor.remove_target("hello").unwrap());
    assert!(!editor.remove_target("hello").unwrap());
    assert_eq!(editor.target_names(), ["game~1.0+a.manifest"]);
    assert!(editor.commit(later(1)).unwrap());
    assert!(!editor.commit(later(1)).unwrap(), "nothing changed since");
    assert_eq!(editor.target("game~1.0+a.manifest").unwrap().unwrap(), vec![7; 100_000]);
    assert_eq!(editor.target("hello").unwrap(), None);
    let client = world.load_at(later(1)).await.unwrap();
    assert_eq!(client.target_names().collect::<Vec<_>>(), ["game~1.0+a.manifest"]);
    assert_eq!(client.target("game~1.0+a.manifest", 100_000).await.unwrap(), vec![7; 100_000]);
    assert!(codes(&client).is_empty());
}

#[tokio::test]
async fn same_bytes_again_are_no_change() {
    let world = World::new();
    let mut editor = world.editor();
    editor.put_target("hello", b"hello, player".to_vec()).unwrap();
    assert!(!editor.commit(later(1)).unwrap());
}

#[tokio::test]
async fn refresh_needs_the_online_key_only() {
    let world = World::new();
    for key in ["root-1", "root-2", "root-3", "targets-1", "targets-2"] {
        std::fs::remove_file(world.keys().join(format!("{key}.key"))).unwrap();
    }
    // Within the last month of the targets: it would renew them too, had it their key.
    let day = 80;
    let mut editor = world.editor();
    editor.refresh(later(day)).unwrap();
    assert_eq!(editor.expiries().timestamp, later(day + trust::limits::TIMESTAMP_LIFE_DAYS));
    assert_eq!(editor.expiries().targets, later(trust::limits::TARGETS_LIFE_DAYS));
    editor.put_target("more", vec![1]).unwrap();
    assert_eq!(editor.commit(later(day)).unwrap_err().code(), "KEY_MISSING");
    drop(editor);
    let client = world.load_at(later(day)).await.unwrap();
    assert_eq!(client.target("hello", 1000).await.unwrap(), b"hello, player");
}

#[tokio::test]
async fn refresh_renews_targets_that_are_about_to_expire() {
    let world = World::new();
    let mut editor = world.editor();
    editor.refresh(later(10)).unwrap();
    assert_eq!(editor.expiries().targets, later(trust::limits::TARGETS_LIFE_DAYS));
    editor.refresh(later(80)).unwrap();
    assert_eq!(editor.expiries().targets, later(80 + trust::limits::TARGETS_LIFE_DAYS));
    world.load_at(later(85)).await.unwrap();
}

#[tokio::test]
async fn demo_repository_reads_the_same() {
    let world = World::empty(InitOptions { demo: true });
    let client = world.load().await.unwrap();
    assert_eq!(client.target_names().count(), 0);
}

#[test]
fn one_editor_at_a_time() {
    let world = World::new();
    let first = world.editor();
    let second = trust::Editor::open(&world.repo(), &world.keys()).err().unwrap();
    assert_eq!(second.code(), "REPO_BUSY");
    drop(first);
    world.editor();
}

#[test]
fn target_names_are_flat_and_harmless() {
    let world = World::new();
    let mut editor = world.editor();
    for name in ["", ".hidden", "a/b", "a\\b", "..", "a b", "a:b", "caf\u{e9}", &"x".repeat(181)] {
        assert_eq!(editor.put_target(name, vec![]).unwrap_err().code(), "TARGET_NAME", "{name:?}");
    }
}
