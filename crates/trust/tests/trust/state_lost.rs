use std::fs;

use crate::support::{World, codes, now, refusal};

#[tokio::test]
async fn missing_state_of_an_installed_game_is_said() {
    let world = World::new();
    let client = world.load().await.unwrap();
    assert_eq!(codes(&client), ["TRUST_STATE_MISSING"]);
    assert!(codes(&world.load().await.unwrap()).is_empty());
    fs::remove_dir_all(world.state()).unwrap();
    assert_eq!(codes(&world.load().await.unwrap()), ["TRUST_STATE_MISSING"]);
}

#[tokio::test]
async fn first_install_has_no_state_to_miss() {
    let world = World::new();
    let transport = trust::FolderTransport::new(world.repo());
    assert!(codes(&world.load_through(transport, now(), false).await.unwrap()).is_empty());
}

#[tokio::test]
async fn state_cut_off_anywhere_counts_as_missing() {
    let world = World::new();
    world.load().await.unwrap();
    let file = world.state().join("trusted.json");
    let whole = fs::read(&file).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(codes(&world.load().await.unwrap()), ["TRUST_STATE_MISSING"], "{length}");
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
    }
}

#[tokio::test]
async fn failed_load_does_not_silence_the_alarm() {
    let world = World::new();
    fs::rename(world.metadata("timestamp.json"), world.metadata("away")).unwrap();
    world.load().await.unwrap_err();
    fs::rename(world.metadata("away"), world.metadata("timestamp.json")).unwrap();
    assert_eq!(codes(&world.load().await.unwrap()), ["TRUST_STATE_MISSING"]);
}

#[tokio::test]
async fn nothing_but_the_state_file_and_its_lock_is_left_behind() {
    let world = World::new();
    world.load().await.unwrap();
    let names: Vec<_> =
        fs::read_dir(world.state()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name == "trusted.json" || name == "lock"), "{names:?}");
}

#[tokio::test]
async fn state_that_cannot_be_written_is_an_error_and_nothing_is_believed() {
    let world = World::new();
    fs::write(world.state(), "a file where the folder should be").unwrap();
    assert_eq!(refusal(world.load().await).code(), "TRUST_STATE_IO");
    fs::remove_file(world.state()).unwrap();
    fs::create_dir_all(world.state().join("trusted.json")).unwrap();
    assert_eq!(refusal(world.load().await).code(), "TRUST_STATE_IO");
}

#[tokio::test]
async fn what_a_killed_write_left_behind_is_no_state() {
    let world = World::new();
    let old = world.stolen();
    world.editor().refresh(now()).unwrap();
    world.load().await.unwrap();
    fs::write(world.state().join(".trusted.json.1-1.tmp"), "{\"format\":1,\"root\":").unwrap();
    let error = refusal(world.load_through(trust::FolderTransport::new(old.repo()), now(), true).await);
    assert_eq!(error.code(), "META_ROLLBACK");
    assert!(codes(&world.load().await.unwrap()).is_empty());
}
