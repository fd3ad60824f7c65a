//! What stands in the way, where it leads, and whose it is: links, other volumes, folders that may not be written to, and
//! things that came while nobody looked.

use crate::{attacked::*, world::*};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    sync::OnceLock,
};
use store::{fs::fault::Fault, uninstall::uninstall};

/// An update of 1.0 that was killed after its commit, when so many tenths of the rest were done.
fn killed_after_commit(tenths: u64) -> World {
    let committed = |world: &World| world.dir.join(".muster/journal.json").exists();
    let kill = |at| {
        let world = standing();
        world.fs.arm(at, Fault::Kill);
        update(&world).unwrap_err();
        world.fs.revive();
        world
    };
    static PENDING: OnceLock<(u64, u64)> = OnceLock::new();
    let (first, last) = *PENDING.get_or_init(|| {
        let all = calls().len() as u64;
        let first = (1..=all).find(|at| committed(&kill(*at))).unwrap();
        (first, (first..=all).take_while(|at| committed(&kill(*at))).last().unwrap())
    });
    kill(first + (last - first) * tenths / 10)
}

/// Whatever the player puts anywhere before the update is finished is found again, in its place or moved aside.
#[test]
fn what_came_in_the_way_of_a_cut_update_is_moved_aside_when_it_is_finished() {
    for tenths in [0, 2, 4, 6, 8, 9] {
        for path in ["to", "twice", "shape/inner", "logs", "added", "data/gone", "from"] {
            let world = killed_after_commit(tenths);
            let at = world.dir.join(path);
            if at.exists() || fs::create_dir_all(at.parent().unwrap()).is_err() {
                continue;
            }
            fs::write(&at, b"late").unwrap();
            let folder = world.open().unwrap_or_else(|error| panic!("{path}, {tenths}: {error}"));
            assert_eq!(folder.installed(), Some(&releases().1.manifest), "{path}, {tenths}");
            let look = world.look();
            for (path, node) in &trees()[1] {
                assert_eq!(look.get(path), Some(node), "{path}, {tenths}");
            }
            let late = Node::File(b"late".to_vec(), false);
            let kept = look.iter().filter(|(_, node)| **node == late).count();
            // A place that an old file of ours had, and was still to leave, is ours.
            assert!(
                kept == 1 || ["data/gone", "from"].contains(&path),
                "{path}, {tenths}: {:?}",
                look.keys()
            );
        }
    }
}

#[test]
fn a_link_that_came_in_the_way_of_a_cut_update_is_not_followed() {
    for tenths in 0..10 {
        let world = killed_after_commit(tenths);
        let elsewhere = world.dir.with_file_name("elsewhere");
        fs::rename(world.dir.join("data"), &elsewhere).unwrap();
        symlink(&elsewhere, world.dir.join("data")).unwrap();
        let before = look(&elsewhere);
        drop(world.open().unwrap());
        assert_eq!(look(&elsewhere), before, "nothing behind the link was touched");
        update(&world).unwrap();
        let (now, wanted) = (world.look(), &trees()[1]);
        assert!(wanted.iter().all(|(path, node)| now.get(path) == Some(node)), "{tenths}");
    }
}

#[test]
fn a_hard_link_to_a_file_outside_is_not_written_through() {
    for clones in [false, true] {
        let world = standing();
        if clones {
            world.fs.clone_files();
        }
        let mut outside = Vec::new();
        for path in ["data/pack", "data/gone", "from", "shape", "mode", "save/cfg", "added"] {
            let other = world.dir.with_file_name(path.replace('/', "-"));
            fs::hard_link(world.dir.join(path), &other).unwrap();
            let mode = fs::metadata(&other).unwrap().permissions().mode();
            outside.push((other.clone(), fs::read(&other).unwrap(), mode));
        }
        update(&world).unwrap();
        assert!(world.look() == trees()[1]);
        update_to(&world, &releases().0).unwrap();
        uninstall(world.open().unwrap()).unwrap();
        for (other, bytes, mode) in outside {
            assert_eq!(fs::read(&other).unwrap(), bytes, "{}", other.display());
            assert_eq!(fs::metadata(&other).unwrap().permissions().mode(), mode, "{}", other.display());
        }
    }
}

#[test]
fn a_large_file_with_a_hard_link_outside_is_not_written_through_a_clone() {
    let old = release("1.0", &[f("pack", noise(1, 1_200_000))], &[]);
    let mut bytes = noise(1, 1_200_000);
    bytes[5] ^= 1;
    let new = release("1.1", &[F { executable: true, ..f("pack", bytes) }], &[]);
    let world = World::new();
    world.fs.clone_files();
    install(&mut world.create(), &old).unwrap();
    fs::hard_link(world.dir.join("pack"), world.outside()).unwrap();
    install(&mut world.open().unwrap(), &new).unwrap();
    assert_eq!(fs::read(world.outside()).unwrap(), noise(1, 1_200_000));
    assert_eq!(world.look(), tree_of(&new));
}

/// The player's things under names that differ from ours by case alone are the player's.
#[test]
fn foreign_files_whose_names_differ_by_case_stay() {
    let world = standing();
    for path in ["DATA/pack", "Mode", "SHAPE/Inner", "To"] {
        world.write(path, b"mine");
    }
    update(&world).unwrap();
    let look = world.look();
    for path in ["DATA/pack", "Mode", "SHAPE/Inner", "To"] {
        assert_eq!(look.get(path), Some(&Node::File(b"mine".to_vec(), false)), "{path}");
    }
    let gone = uninstall(world.open().unwrap()).unwrap();
    assert!(!gone.folder_removed && world.dir.join("To").exists());
}

/// A folder of ours that the player made a file, a file of ours that became a folder with something in it.
#[test]
fn folders_that_became_files_and_files_that_became_folders_are_repaired_and_kept_aside() {
    let world = standing();
    fs::remove_dir_all(world.dir.join("data")).unwrap();
    world.write("data", b"a file now");
    fs::remove_file(world.dir.join("mode")).unwrap();
    world.write("mode/mine", b"inside");
    update_to(&world, &releases().0).unwrap();
    let look = world.look();
    for (path, node) in tree_of(&releases().0).iter().filter(|(path, _)| *path != "save/cfg") {
        assert_eq!(look.get(path), Some(node), "{path}");
    }
    let aside = |path: &str| look.get(&format!("muster-moved-2026-11-23/{path}")).cloned();
    assert_eq!(aside("data"), Some(Node::File(b"a file now".to_vec(), false)));
    assert_eq!(aside("mode/mine"), Some(Node::File(b"inside".to_vec(), false)));
}

/// A game folder that was reached through a link: space and staging are of the volume where it really is.
#[test]
fn a_game_folder_behind_a_link_is_worked_on_where_it_is() {
    let world = standing();
    let link = world.dir.with_file_name("link");
    symlink(&world.dir, &link).unwrap();
    let folder = store::GameFolder::open(world.seam(), &link).unwrap();
    assert_eq!(folder.dir(), world.dir);
    drop(folder);
    update(&world).unwrap();
    assert!(world.look() == trees()[1] && link.symlink_metadata().unwrap().is_symlink());
}

/// A bit that flipped in the journal must not rename anything.
#[test]
fn a_journal_that_was_changed_is_refused_and_moves_nothing() {
    let world = killed_after_commit(3);
    let (path, before) = (world.dir.join(".muster/journal.json"), world.look());
    let journal = fs::read(&path).unwrap();
    let text = String::from_utf8(journal.clone()).unwrap();
    let at = text.find("data/gone").unwrap();
    let mut spoiled = journal.clone();
    spoiled[at] ^= 1;
    fs::write(&path, spoiled).unwrap();
    assert_eq!(world.open().unwrap_err().code(), "STATE_BROKEN");
    assert_eq!(world.look(), before);
    fs::write(&path, journal).unwrap();
    drop(world.open().unwrap());
    assert!(world.look() == trees()[1]);
}
