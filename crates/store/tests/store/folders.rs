//! Whose folder it is: refusals, the lock, state of other versions.

use crate::world::*;
use release::hash::Hash32;
use std::fs;
use store::{GameFolder, place::Places, state::FolderState};

fn create_code(world: &World, places: &Places) -> &'static str {
    GameFolder::create(world.seam(), &world.dir, places, &state()).map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn a_folder_that_is_not_empty_and_not_ours_is_refused_untouched() {
    let world = World::new();
    world.write("thesis.txt", b"years");
    let before = world.look();
    assert_eq!(create_code(&world, &Places::default()), "FOLDER_NOT_OURS");
    assert_eq!(world.open().unwrap_err().code(), "FOLDER_NOT_OURS");
    assert_eq!(world.look(), before);
    assert!(!world.dir.join(".muster").exists());
}

#[test]
fn missing_and_empty_folders_are_missing_not_uninstalled() {
    let world = World::new();
    assert_eq!(world.open().unwrap_err().code(), "FOLDER_MISSING");
    fs::create_dir(&world.dir).unwrap();
    assert_eq!(world.open().unwrap_err().code(), "FOLDER_MISSING");
    world.write(".DS_Store", b"litter");
    assert_eq!(create_code(&world, &Places::default()), "ok");
}

#[test]
fn home_and_other_games_are_refused() {
    let world = World::new();
    let home = Places { home: Some(world.dir.clone()), personal: Vec::new() };
    assert_eq!(create_code(&world, &home), "FOLDER_REFUSED");
    assert!(!world.dir.exists());
    drop(world.create());
    let inside = world.dir.join("more/games");
    let refused = GameFolder::create(world.seam(), &inside, &Places::default(), &state()).unwrap_err();
    assert_eq!(refused.code(), "FOLDER_REFUSED");
    assert!(!inside.exists());
    let mut other = state();
    other.game = "other".parse().unwrap();
    let refused = GameFolder::create(world.seam(), &world.dir, &Places::default(), &other).unwrap_err();
    assert_eq!(refused.code(), "FOLDER_NOT_OURS");
}

#[test]
fn two_cannot_work_in_one_folder() {
    let world = World::new();
    let first = world.create();
    assert_eq!(world.open().unwrap_err().code(), "LOCKED");
    assert_eq!(create_code(&world, &Places::default()), "LOCKED");
    drop(first);
    assert!(world.open().is_ok());
}

#[test]
fn state_keeps_unknown_keys_and_refuses_newer_formats() {
    let world = World::new();
    drop(world.create());
    let path = world.dir.join(".muster/state.json");
    let text = fs::read_to_string(&path).unwrap().replacen('{', r#"{"from_the_future":[1,2],"#, 1);
    fs::write(&path, &text).unwrap();
    let mut folder = world.open().unwrap();
    folder.update_state(|state| state.seen.timestamp = 7).unwrap();
    drop(folder);
    assert!(fs::read_to_string(&path).unwrap().contains("from_the_future"));
    let folder = world.open().unwrap();
    assert_eq!((folder.state().seen.timestamp, folder.state().root_sha256), (7, Hash32([1; 32])));
    drop(folder);
    fs::write(&path, text.replace(r#""format": 1"#, r#""format": 2"#)).unwrap();
    assert_eq!(world.open().unwrap_err().code(), "STATE_TOO_NEW");
    fs::write(&path, "{torn").unwrap();
    assert_eq!(world.open().unwrap_err().code(), "STATE_BROKEN");
}

#[test]
fn a_creation_cut_short_at_any_call_can_be_repeated() {
    let calls = {
        let world = World::new();
        drop(world.create());
        world.fs.calls()
    };
    for at in 1..=calls {
        let world = World::new();
        world.fs.arm(at, store::fs::fault::Fault::Kill);
        let state: FolderState = state();
        assert!(GameFolder::create(world.seam(), &world.dir, &Places::default(), &state).is_err());
        world.fs.revive();
        drop(world.create());
        assert!(world.open().is_ok());
    }
    proof::count(proof::Line::Faults, calls, calls);
}

#[test]
fn piece_layers_come_back_only_if_they_lead_to_their_root() {
    let (old, _) = two_releases();
    let world = World::new();
    let folder = world.create();
    let layout = old.manifest.layout().unwrap();
    folder.save_layers(&old.layers).unwrap();
    assert_eq!(folder.layers(&layout).unwrap(), old.layers);
    let path = world.dir.join(".muster/layers");
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let kept = folder.layers(&layout).unwrap();
    assert_eq!(kept.iter().count(), old.layers.iter().count() - 1);
}
