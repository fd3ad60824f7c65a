//! Volumes on which files share their blocks: a large file that changes little is not written whole.

use crate::world::*;
use std::{fs, sync::OnceLock};
use store::{
    Staging,
    fs::{Fs, RealFs, fault::Fault},
    prepare::prepare,
    verify::verify,
};

const PACK: usize = (1 << 20) + 100_000;

/// 1.0 stands; 1.1 changes two pieces of the pack and makes it longer.
fn scene() -> (World, Release, Release) {
    static RELEASES: OnceLock<(Release, Release)> = OnceLock::new();
    let (old, new) = RELEASES.get_or_init(releases).clone();
    let world = World::new();
    install(&mut world.create(), &old).unwrap();
    (world, old, new)
}

fn releases() -> (Release, Release) {
    let old = release("1.0", &[f("pack", noise(1, PACK)), f("small", noise(2, 100_000))], &[]);
    let mut pack = noise(1, PACK);
    pack[40_000] ^= 1;
    pack[900_000] ^= 1;
    pack.extend(noise(3, 5_000));
    let mut small = noise(2, 100_000);
    small[0] ^= 1;
    let new = release("1.1", &[f("pack", pack), f("small", small)], &[]);
    (old, new)
}

fn staged(world: &World, new: &Release) -> (u64, u64) {
    let mut folder = world.open().unwrap();
    let (staging, fetched) = stage(&mut folder, new).unwrap();
    (staging.written_bytes(), fetched)
}

#[test]
fn a_large_file_that_changes_little_is_not_written_whole_where_blocks_are_shared() {
    for clones in [true, false] {
        let (world, _, new) = scene();
        if clones {
            world.fs.clone_files();
        }
        let (written, fetched) = staged(&world, &new);
        // Two pieces, the old end's and the new one, and one of the small file.
        assert!(fetched < 5 * u64::from(PIECE), "{fetched}");
        let expected = if clones { fetched + 3 * u64::from(PIECE) } else { PACK as u64 };
        assert!(if clones { written <= expected } else { written > expected }, "{written}, {fetched}");
        let mut folder = world.open().unwrap();
        assert_eq!(install(&mut folder, &new).unwrap().1, 0, "what was staged is believed");
        assert_eq!(world.look(), tree_of(&new));
    }
}

#[test]
fn staging_what_is_cloned_survives_a_power_cut_at_every_call() {
    let calls = {
        let (world, _, new) = scene();
        world.fs.clone_files();
        let before = world.fs.calls();
        staged(&world, &new);
        world.fs.calls() - before
    };
    for (at, names) in (1..=calls).flat_map(|at| [(at, false), (at, true)]) {
        let (world, old, new) = scene();
        world.fs.clone_files();
        let mut folder = world.open().unwrap();
        world.fs.arm(at, Fault::PowerCut { names });
        let staging = Staging::open(&folder, &new.manifest);
        if let Ok(staging) = &staging {
            let _cut = prepare(&mut folder, &new.manifest, &new.layers, staging, &job());
        }
        drop((staging, folder));
        world.fs.revive();
        assert_eq!(world.look(), tree_of(&old), "call {at}: the game stands as it did");
        let mut folder = world.open().unwrap();
        install(&mut folder, &new).unwrap_or_else(|error| panic!("call {at}: {error}"));
        assert_eq!(world.look(), tree_of(&new), "call {at}");
        assert!(verify(&mut folder, &new.manifest, &new.layers, &job()).unwrap().is_clean(), "call {at}");
    }
    proof::count(proof::Line::PowerCuts, calls * 2, calls * 2);
}

#[test]
fn a_clone_of_this_systems_volume_is_whole_and_its_own_or_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, noise(1, 300_000)).unwrap();
    if RealFs.clone_file(&from, &to).unwrap() {
        fs::OpenOptions::new().write(true).open(&to).unwrap().set_len(10).unwrap();
        assert_eq!(fs::read(&to).unwrap(), noise(1, 10));
        println!("this volume shares blocks");
    } else {
        println!("this volume shares no blocks");
        assert!(!to.exists(), "nothing is left of the attempt");
    }
    assert_eq!(fs::read(&from).unwrap(), noise(1, 300_000));
    assert!(!RealFs.clone_file(dir.path(), &to).unwrap(), "a folder is no file");
    assert!(RealFs.clone_file(&dir.path().join("none"), &to).is_err());
}
