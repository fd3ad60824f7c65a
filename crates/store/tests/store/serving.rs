//! What other players get of the installed files.

use crate::world::*;
use std::{fs, os::unix::fs::symlink};
use store::InstalledTree;

#[test]
fn verified_content_is_served_and_nothing_else() {
    let (old, _) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    let index = |path: &str| old.manifest.files.iter().position(|file| file.path.as_str() == path).unwrap();
    let tree = InstalledTree::open(&folder, &old.manifest).unwrap();
    let (pack, save) = (index("data/pack"), index("save/settings.cfg"));
    assert_eq!(tree.read_at(pack, 32_768, 16_384).unwrap(), noise(2, 100_000)[32_768..49_152]);
    assert!(tree.has(pack) && !tree.has(save) && !tree.has(index("empty")));
    assert_eq!(tree.read_at(save, 0, 1).unwrap_err().code(), "NOT_VERIFIED");
    assert_eq!(tree.read_at(9_999, 0, 1).unwrap_err().code(), "NOT_VERIFIED");
    for (offset, length) in [(99_999, 2), (u64::MAX, 2), (100_000, 1)] {
        assert_eq!(tree.read_at(pack, offset, length).unwrap_err().code(), "NOT_VERIFIED");
    }
    assert!(tree.changed().unwrap().is_empty());
}

type Change = fn(&World);

#[test]
fn a_changed_file_is_not_served_until_checked_again() {
    let (old, _) = two_releases();
    let changes: [(&str, Change); 5] = [
        ("same bytes written again", |world| world.write("data/pack", &noise(2, 100_000))),
        ("cut", |world| world.write("data/pack", &noise(2, 99_999))),
        ("removed", |world| fs::remove_file(world.dir.join("data/pack")).unwrap()),
        ("replaced by a link", |world| {
            fs::rename(world.dir.join("data/pack"), world.dir.join("elsewhere")).unwrap();
            symlink("../elsewhere", world.dir.join("data/pack")).unwrap();
        }),
        ("behind a linked folder", |world| {
            fs::rename(world.dir.join("data"), world.dir.join("real")).unwrap();
            symlink("real", world.dir.join("data")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let world = World::new();
        let mut folder = world.create();
        install(&mut folder, &old).unwrap();
        let pack = old.manifest.files.iter().position(|file| file.path.as_str() == "data/pack").unwrap();
        let tree = InstalledTree::open(&folder, &old.manifest).unwrap();
        tree.read_at(pack, 0, 16_384).unwrap();
        change(&world);
        assert_eq!(tree.read_at(pack, 0, 16_384).unwrap_err().code(), "FILE_CHANGED", "{what}");
        assert!(tree.changed().unwrap().iter().any(|path| path.as_str() == "data/pack"), "{what}");
        let report = store::verify::verify(&mut folder, &old.manifest, &old.layers, &job()).unwrap();
        let again = InstalledTree::open(&folder, &old.manifest).unwrap();
        assert_eq!(again.has(pack), what.starts_with("same"), "{what}: {report:?}");
    }
}
