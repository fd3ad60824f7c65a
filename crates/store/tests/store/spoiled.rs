//! A game that was damaged before it is updated or repaired, and clocks that are wrong.

use crate::{attacked::*, world::*};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use store::apply::apply;

type Spoil = fn(&Path);

/// A bit flips, the file is cut, longer, empty, gone, a folder, a link, a pipe that nobody writes to, read-only.
const SPOILS: [(&str, Spoil); 9] = [
    ("bit", |at| {
        let mut bytes = fs::read(at).unwrap();
        bytes[7] ^= 4;
        fs::write(at, bytes).unwrap();
    }),
    ("cut", |at| fs::write(at, &fs::read(at).unwrap()[1..]).unwrap()),
    ("longer", |at| fs::write(at, [fs::read(at).unwrap(), vec![0]].concat()).unwrap()),
    ("empty", |at| fs::write(at, []).unwrap()),
    ("gone", |at| fs::remove_file(at).unwrap()),
    ("folder", |at| {
        fs::remove_file(at).unwrap();
        fs::create_dir(at).unwrap();
    }),
    ("link", |at| {
        fs::remove_file(at).unwrap();
        symlink("/etc/hostname", at).unwrap();
    }),
    ("pipe", |at| {
        fs::remove_file(at).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at).status().unwrap().success());
    }),
    ("read-only", |at| fs::set_permissions(at, fs::Permissions::from_mode(0o444)).unwrap()),
];

#[test]
fn every_old_file_damaged_in_every_way_is_updated_and_repaired() {
    let files = ["data/pack", "data/gone", "from", "shape", "mode"];
    let mut tried = 0;
    for (name, spoil) in SPOILS {
        for path in files {
            for wanted in [&releases().0, &releases().1] {
                let world = standing();
                fs::remove_file(world.dir.join("added")).unwrap();
                spoil(&world.dir.join(path));
                update_to(&world, wanted).unwrap_or_else(|error| panic!("{name} {path}: {error}"));
                let look = world.look();
                for (path, node) in tree_of(wanted).iter().filter(|(path, _)| *path != "save/cfg") {
                    assert_eq!(look.get(path), Some(node), "{name} {path}");
                }
                assert_eq!(look["save/cfg"], Node::File(b"volume=1".to_vec(), false), "{name} {path}");
                tried += 1;
            }
        }
    }
    proof::count(proof::Line::Faults, tried, tried);
}

/// C10: times of files in the past and in the future, and a clock before 1970 or far ahead while files are moved aside.
#[test]
fn clocks_that_jump_cost_hashing_and_nothing_else() {
    let far = UNIX_EPOCH + Duration::from_secs(8_000_000_000);
    for (clock, day) in [
        (UNIX_EPOCH - Duration::from_secs(86_400 * 400), "1970-01-01"),
        (far, "2223-07-06"),
        (SystemTime::UNIX_EPOCH, "1970-01-01"),
    ] {
        let world = standing();
        for path in ["data/pack", "from", "mode"] {
            let file = fs::OpenOptions::new().write(true).open(world.dir.join(path)).unwrap();
            file.set_modified(clock).unwrap();
        }
        let new = &releases().1;
        let mut folder = world.open().unwrap();
        let (staging, fetched) = stage(&mut folder, new).unwrap();
        assert!(fetched < 10_000, "what is here is not fetched: {fetched}");
        let applied = apply(&mut folder, &staging, &new.manifest, &new.layers, clock, &job()).unwrap();
        assert_eq!(applied.moved_aside[0].1.as_str(), format!("muster-moved-{day}/added"));
        assert_eq!(folder.installed(), Some(&new.manifest));
    }
}
