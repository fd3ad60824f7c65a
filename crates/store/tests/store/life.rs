//! A game's life: installed, updated, damaged, repaired, uninstalled; what is not ours stays.

use crate::world::*;
use std::{fs, os::unix::fs::symlink};
use store::{
    StoreError,
    apply::apply,
    prepare::prepare,
    uninstall::uninstall,
    verify::{FileState, check_quick, verify},
};

#[test]
fn from_install_to_uninstall_with_foreign_files_untouched() {
    let (old, new) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    let (_, fetched) = install(&mut folder, &old).unwrap();
    assert_eq!(fetched, old.manifest.total_bytes());
    assert_eq!(world.look(), tree_of(&old));
    assert_eq!(folder.installed(), Some(&old.manifest));

    world.write("mods/foreign.pak", b"mine");
    world.write("old/deep/note.txt", b"mine too");
    world.write("save/settings.cfg", b"volume=1");
    let (applied, fetched) = install(&mut folder, &new).unwrap();
    // Two changed small files, the program, one content of two files, one piece of the pack.
    assert_eq!(fetched, 41_000 + 50_000 + 32_768 + 80 + 90);
    assert!(applied.moved_aside.is_empty() && applied.vanished.is_empty());
    let mut expected = tree_of(&new);
    let mine = |text: &[u8]| Node::File(text.to_vec(), false);
    for (path, node) in [
        ("mods", Node::Dir),
        ("mods/foreign.pak", mine(b"mine")),
        ("old", Node::Dir),
        ("old/deep", Node::Dir),
        ("old/deep/note.txt", mine(b"mine too")),
        ("save/settings.cfg", mine(b"volume=1")),
    ] {
        expected.insert(path.into(), node);
    }
    assert_eq!(world.look(), expected);
    let leftovers: Vec<_> =
        fs::read_dir(world.dir.join(".muster")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(leftovers.len(), 4, "lock, state, records, manifest: {leftovers:?}");

    damage_and_repair(&world, &mut folder, &new);
    assert_eq!(world.look(), expected);

    let done = uninstall(folder).unwrap();
    assert_eq!(done.deleted, new.manifest.files.len() - 1);
    let left: Vec<String> = done.left.iter().map(|path| path.display().to_string()).collect();
    assert_eq!(left, ["mods/foreign.pak", "old/deep/note.txt", "save/settings.cfg"]);
    assert!(!done.folder_removed && !world.dir.join(".muster").exists());
}

fn damage_and_repair(world: &World, folder: &mut store::GameFolder, release: &Release) {
    assert!(check_quick(folder, &release.manifest).unwrap().is_clean());
    let mut pack = fs::read(world.dir.join("data/pack")).unwrap();
    pack[99_000] ^= 1;
    world.write("data/pack", &pack);
    world.write("bin/game", &noise(21, 40_000));
    fs::remove_file(world.dir.join("names/a")).unwrap();
    fs::remove_file(world.dir.join("same")).unwrap();
    symlink("/etc/hostname", world.dir.join("same")).unwrap();
    let quick: Vec<_> =
        check_quick(folder, &release.manifest).unwrap().faults().map(|file| file.path.to_string()).collect();
    assert_eq!(quick, ["bin/game", "data/pack", "names/a", "same"]);

    let report = verify(folder, &release.manifest, &release.layers, &job()).unwrap();
    let found: Vec<_> = report.faults().map(|file| (file.path.to_string(), file.state.clone())).collect();
    let expected = [
        ("bin/game", FileState::Bad { pieces: vec![1] }),
        ("data/pack", FileState::Bad { pieces: vec![3] }),
        ("names/a", FileState::Missing),
        ("same", FileState::Missing),
    ];
    assert_eq!(found, expected.map(|(path, state)| (path.to_owned(), state)));

    let (applied, fetched) = install(folder, release).unwrap();
    // The short pieces at the ends of program and pack, and the two of "same"; a copy gives "a" back.
    assert_eq!(fetched, (41_000 - 32_768) + (100_000 - 3 * 32_768) + 33_000);
    let aside = &applied.moved_aside[0];
    assert_eq!((applied.moved_aside.len(), aside.0.as_str()), (1, "same"));
    assert_eq!(aside.1.as_str(), "muster-moved-2026-11-23/same");
    fs::remove_file(world.dir.join(aside.1.as_str())).unwrap();
    fs::remove_dir(world.dir.join("muster-moved-2026-11-23")).unwrap();
    assert!(verify(folder, &release.manifest, &release.layers, &job()).unwrap().is_clean());
}

#[test]
fn foreign_things_in_the_way_are_moved_aside_and_reported() {
    let (old, new) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    world.write("data/added", b"a mod");
    world.write("moved", b"a file where a folder comes");
    world.write("shape/folder/mine.txt", b"in a folder where a file comes");
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), world.dir.join("logs/new")).unwrap();
    let (applied, _) = install(&mut folder, &new).unwrap();
    let mut moved: Vec<_> = applied.moved_aside.iter().map(|(path, _)| path.as_str()).collect();
    moved.sort_unstable();
    assert_eq!(moved, ["data/added", "logs/new", "moved", "shape/folder"]);
    let look = world.look();
    let at = |path: &str| look.get(&format!("muster-moved-2026-11-23/{path}"));
    assert_eq!(at("data/added"), Some(&Node::File(b"a mod".to_vec(), false)));
    assert!(at("shape/folder/mine.txt").is_some() && at("moved").is_some());
    for (path, node) in tree_of_with_save(&new, &old) {
        assert_eq!(look.get(&path), Some(&node), "{path}");
    }
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn nothing_behind_a_link_is_deleted_or_written() {
    let (old, new) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    // The player moved a folder to another drive and left a link.
    let theirs = world.dir.with_file_name("elsewhere");
    fs::rename(world.dir.join("data"), &theirs).unwrap();
    symlink(&theirs, world.dir.join("data")).unwrap();
    let before = look(&theirs);
    let (applied, _) = install(&mut folder, &new).unwrap();
    assert_eq!(applied.moved_aside[0].0.as_str(), "data");
    assert_eq!(look(&theirs), before);
    let look = world.look();
    for (path, node) in tree_of_with_save(&new, &old) {
        assert_eq!(look.get(&path), Some(&node), "{path}");
    }
}

#[test]
fn lost_records_cost_hashing_but_no_download() {
    let (old, _) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    drop(folder);
    for content in [None, Some("{torn")] {
        let records = world.dir.join(".muster/verified.json");
        match content {
            None => fs::remove_file(&records).unwrap(),
            Some(text) => fs::write(&records, text).unwrap(),
        }
        let mut folder = world.open().unwrap();
        assert!(!check_quick(&folder, &old.manifest).unwrap().is_clean());
        let (applied, fetched) = install(&mut folder, &old).unwrap();
        assert_eq!((applied.placed, fetched), (0, 0));
        assert!(check_quick(&folder, &old.manifest).unwrap().is_clean());
    }
}

#[test]
fn a_damaged_installed_manifest_costs_hashing_but_no_download() {
    let (old, _) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    drop(folder);
    fs::write(world.dir.join(".muster/installed.manifest"), "{torn").unwrap();
    let mut folder = world.open().unwrap();
    assert_eq!(folder.installed(), None);
    let (applied, fetched) = install(&mut folder, &old).unwrap();
    assert_eq!((applied.placed, applied.moved_aside.len(), fetched), (0, 0, 0));
    assert_eq!((folder.installed(), world.look()), (Some(&old.manifest), tree_of(&old)));
}

#[test]
fn an_incomplete_or_bad_release_is_refused_with_the_old_game_untouched() {
    let (old, new) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    let before = world.look();
    let staging = store::Staging::open(&folder, &new.manifest).unwrap();
    let prepared = prepare(&mut folder, &new.manifest, &new.layers, &staging, &job()).unwrap();
    assert!(prepared.need_bytes > prepared.fetch_bytes);
    let refused = apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).unwrap_err();
    assert_eq!(refused.code(), "INCOMPLETE");
    drop(staging);

    let (staging, _) = stage(&mut folder, &new).unwrap();
    let added = new.manifest.file(&"data/added".parse().unwrap()).unwrap().pieces_root.unwrap();
    let path = world.dir.join(format!(".muster/staging/{added}"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[40_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let refused = apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).unwrap_err();
    let StoreError::ContentBad { files } = refused else { panic!("{refused}") };
    assert!(files.iter().any(|file| file.as_str().starts_with("data/added")));
    assert_eq!(world.look(), before);
    // Only the bad piece is gone from staging.
    assert!(staging.has(&added, 0, u64::from(PIECE)) && !staging.is_complete(&added));
    drop(staging);
    let (_, fetched) = install(&mut folder, &new).unwrap();
    assert_eq!(fetched, 50_000 - u64::from(PIECE));
    assert_eq!(world.look(), tree_of_with_save(&new, &old));
}

/// The player's file is the one first installed.
fn tree_of_with_save(new: &Release, old: &Release) -> Tree {
    let mut tree = tree_of(new);
    let save = "save/settings.cfg";
    tree.insert(save.into(), tree_of(old)[save].clone());
    tree
}
