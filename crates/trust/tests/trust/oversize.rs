use trust::limits::{ROOT_BYTES_MAX, SNAPSHOT_BYTES_MAX, TARGETS_BYTES_MAX, TIMESTAMP_BYTES_MAX};

use crate::support::{Answer, Lying, World, now, refusal};

#[tokio::test]
async fn too_much_metadata_is_refused() {
    let world = World::new();
    let cases = [
        ("metadata/2.root.json", ROOT_BYTES_MAX),
        ("metadata/timestamp.json", TIMESTAMP_BYTES_MAX),
        ("metadata/2.snapshot.json", SNAPSHOT_BYTES_MAX),
        ("metadata/2.targets.json", TARGETS_BYTES_MAX),
    ];
    for (path, limit) in cases {
        let endless = vec![b' '; limit as usize + 1];
        let transport = Lying::new(&world, &[(path, Answer::Bytes(endless))]);
        let error = refusal(world.load_through(transport, now(), true).await);
        assert_eq!(error.code(), "META_SIZE", "{path}: {error}");
    }
}

#[tokio::test]
async fn target_larger_than_the_caller_takes_is_not_fetched() {
    let world = World::new();
    let client = world.load_through(Lying::new(&world, &[]), now(), true).await.unwrap();
    assert_eq!(client.target("hello", 12).await.unwrap_err().code(), "META_SIZE");
    assert_eq!(client.entry("hello").unwrap().length, 13);
}

#[test]
fn editor_does_not_write_what_readers_would_refuse() {
    let world = World::new();
    let mut editor = world.editor();
    for number in 0..10_000 {
        editor.put_target(&format!("target-{number}"), Vec::new()).unwrap();
    }
    assert_eq!(editor.commit(now()).unwrap_err().code(), "META_SIZE");
    drop(editor);
    assert_eq!(world.editor().target_names(), ["hello"]);
}
