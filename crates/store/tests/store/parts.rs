//! A release that is put in place set after set: at every kill the sets that are said to stand do stand, the rest is not
//! fetched twice, and in the end it is the whole release.

use crate::world::*;
use release::manifest::FileSet;
use std::{collections::BTreeSet, fs, sync::Arc};
use store::{
    GameFolder, InstalledTree, Staging,
    apply::{apply, apply_part},
    fs::{RealFs, fault::Fault},
    glance::Glance,
    partial::Part,
    prepare::prepare,
    uninstall::uninstall,
    verify::{FileState, check_quick, verify},
    wanted::{self, Requests},
};

/// Three sets, with a content that two of them have and the player's own file in the last.
fn sets() -> Release {
    let files = [
        F { executable: true, ..f("bin/game", noise(1, 40_000)) },
        f("data/core", noise(2, 100_000)),
        f("data/empty", []),
        f("level/one", noise(3, 70_000)),
        f("level/one copy", noise(2, 100_000)),
        f("hd/a", noise(4, 50_000)),
        f("hd/b", noise(5, 33_000)),
        f("hd/b copy", noise(5, 33_000)),
        F { user: true, ..f("save/cfg", b"volume=5".to_vec()) },
    ];
    let mut release = release("1.0", &files, &["logs"]);
    for file in &mut release.manifest.files {
        let path = file.path.as_str();
        file.set = match path.split('/').next() {
            Some("level") => FileSet::Playable,
            Some("hd" | "save") => FileSet::Optional,
            _ => FileSet::Required,
        };
    }
    release
}

fn part(complete: FileSet) -> Part {
    Part { complete, more: BTreeSet::new() }
}

fn index(release: &Release, path: &str) -> usize {
    release.manifest.files.iter().position(|file| file.path.as_str() == path).unwrap()
}

fn stage_part(staging: &Staging, release: &Release, part: &Part) {
    for (index, file) in release.manifest.files.iter().enumerate() {
        if let Some(root) = file.pieces_root.filter(|_| part.has(index, file)) {
            fetch(staging, &root, &release.contents[&root]).unwrap();
        }
    }
    staging.flush().unwrap();
}

fn place(folder: &mut GameFolder, staging: &Staging, release: &Release, part: &Part) -> store::Result<()> {
    apply_part(folder, staging, &release.manifest, &release.layers, part, now(), &job()).map(|_| ())
}

/// The tree of the files that a part has, and all folders.
fn tree_of_part(release: &Release, part: &Part) -> Tree {
    let mut tree = tree_of(release);
    for (index, file) in release.manifest.files.iter().enumerate() {
        if !part.has(index, file) {
            tree.remove(file.path.as_str());
        }
    }
    tree
}

#[test]
fn sets_come_one_after_the_other_and_then_single_files_and_then_the_whole() {
    let release = sets();
    let world = World::new();
    let mut folder = world.create();
    let staging = Staging::open(&folder, &release.manifest).unwrap();
    prepare(&mut folder, &release.manifest, &release.layers, &staging, &job()).unwrap();
    let single = Part { more: BTreeSet::from([index(&release, "hd/b")]), ..part(FileSet::Playable) };
    for part in [part(FileSet::Required), part(FileSet::Playable), single] {
        assert_eq!(place(&mut folder, &staging, &release, &part).unwrap_err().code(), "INCOMPLETE");
        stage_part(&staging, &release, &part);
        place(&mut folder, &staging, &release, &part).unwrap();
        assert!(world.look() == tree_of_part(&release, &part), "{:?}", world.look().keys());
        assert_eq!(folder.partial().map(|partial| partial.complete), Some(part.complete));
        assert_eq!(folder.installed(), Some(&release.manifest));
        assert!(check_quick(&folder, &release.manifest).unwrap().is_clean(), "what is to come is no damage");
        // Everything staged is read on, from wherever it is now.
        for file in release.manifest.files.iter().filter(|file| file.size > 0) {
            let root = file.pieces_root.unwrap();
            if staging.is_complete(&root) {
                assert_eq!(staging.read_at(&root, 0, file.size as u32).unwrap(), release.contents[&root]);
            }
        }
    }
    let back = place(&mut folder, &staging, &release, &part(FileSet::Required));
    assert_eq!(back.unwrap_err().code(), "INCOMPLETE", "a set that stands stays");
    stage_part(&staging, &release, &part(FileSet::Optional));
    apply(&mut folder, &staging, &release.manifest, &release.layers, now(), &job()).unwrap();
    assert_eq!((folder.partial(), world.look() == tree_of(&release)), (None, true));
    assert!(!world.dir.join(".muster/staging").exists() && !world.dir.join(".muster/partial.json").exists());
    drop(folder);
    assert!(world.open().unwrap().partial().is_none());
}

/// A folder with the required set in place and the next staged.
fn begun(release: &Release) -> (World, GameFolder, Staging) {
    let world = World::new();
    let mut folder = world.create();
    let staging = Staging::open(&folder, &release.manifest).unwrap();
    stage_part(&staging, release, &part(FileSet::Required));
    place(&mut folder, &staging, release, &part(FileSet::Required)).unwrap();
    stage_part(&staging, release, &part(FileSet::Playable));
    (world, folder, staging)
}

#[test]
fn killed_at_every_call_while_a_set_is_put_in_place() {
    cut_everywhere(Fault::Kill);
}

#[test]
fn power_cut_at_every_call_while_a_set_is_put_in_place() {
    cut_everywhere(Fault::PowerCut { names: true });
    cut_everywhere(Fault::PowerCut { names: false });
}

fn cut_everywhere(fault: Fault) {
    let release = sets();
    let calls = {
        let (world, mut folder, staging) = begun(&release);
        let before = world.fs.calls();
        place(&mut folder, &staging, &release, &part(FileSet::Playable)).unwrap();
        world.fs.calls() - before
    };
    let mut later = 0;
    for at in 1..=calls {
        let (world, mut folder, staging) = begun(&release);
        world.fs.arm(at, fault);
        let outcome = place(&mut folder, &staging, &release, &part(FileSet::Playable));
        drop((folder, staging));
        world.fs.revive();
        let mut folder = world.open().unwrap();
        let stands = folder.partial().expect("never whole").complete;
        assert!(world.look() == tree_of_part(&release, &part(stands)), "{fault:?} at call {at}: {stands:?}");
        assert!(outcome.is_err() || stands == FileSet::Playable, "what was said to be done is: {at}");
        let report = verify(&mut folder, &release.manifest, &release.layers, &job()).unwrap();
        assert!(report.is_clean(), "{fault:?} at call {at}");
        later += u64::from(stands == FileSet::Playable);
        // What was staged is not fetched again: only the optional set is missing.
        let (staging, fetched) = stage(&mut folder, &release).unwrap();
        assert_eq!(fetched, 83_000 + 8, "{fault:?} at call {at}");
        apply(&mut folder, &staging, &release.manifest, &release.layers, now(), &job()).unwrap();
        assert!(world.look() == tree_of(&release) && folder.partial().is_none(), "{fault:?} at {at}");
    }
    assert!(later > 0 && later < calls, "both outcomes are met");
    proof::count(crate::faults::line(fault), calls, calls);
}

#[test]
fn a_file_that_changed_after_it_was_put_in_place_is_not_given_to_others_and_comes_anew() {
    let release = sets();
    let (world, folder, staging) = begun(&release);
    let game = &release.manifest.files[index(&release, "bin/game")];
    let root = game.pieces_root.unwrap();
    assert!(staging.read_at(&root, 0, 100).is_ok());
    world.write("bin/game", &noise(9, 40_000));
    assert_eq!(staging.read_at(&root, 0, 100).unwrap_err().code(), "NOT_VERIFIED");
    assert!(!staging.has(&root, 0, 1));
    drop((folder, staging));
    let mut folder = world.open().unwrap();
    assert!(!check_quick(&folder, &release.manifest).unwrap().is_clean());
    install(&mut folder, &release).unwrap();
    assert!(world.look() == tree_of(&release));
}

/// A configuration that lies where the release put its default is the player's: nobody is given a byte of it, changed or not.
#[test]
fn the_players_own_file_is_not_passed_on_once_it_is_in_place() {
    let release = sets();
    let (world, mut folder, staging) = begun(&release);
    let cfg = index(&release, "save/cfg");
    let with_cfg = Part { more: BTreeSet::from([cfg]), ..part(FileSet::Playable) };
    stage_part(&staging, &release, &with_cfg);
    let root = release.manifest.files[cfg].pieces_root.unwrap();
    assert!(staging.read_at(&root, 0, 8).is_ok(), "what is staged is the release's");
    place(&mut folder, &staging, &release, &with_cfg).unwrap();
    assert_eq!(staging.read_at(&root, 0, 8).unwrap_err().code(), "NOT_VERIFIED");
    let tree = InstalledTree::open(&folder, &release.manifest).unwrap();
    assert!(!tree.has(cfg) && tree.read_at(cfg, 0, 8).is_err());
    // The same length and the same times, as tools leave it that want nothing to be noticed.
    let at = world.dir.join("save/cfg");
    let times = fs::metadata(&at).unwrap().modified().unwrap();
    fs::write(&at, b"secret=1").unwrap();
    fs::OpenOptions::new().write(true).open(&at).unwrap().set_modified(times).unwrap();
    assert!(staging.read_at(&root, 0, 8).is_err() && tree.read_at(cfg, 0, 8).is_err());
    install(&mut folder, &release).unwrap();
    assert_eq!(fs::read(&at).unwrap(), b"secret=1");
}

#[test]
fn a_newer_release_over_a_part_is_one_whole_step() {
    let (old, mut new) = (sets(), sets());
    new.manifest.version = "1.1".parse().unwrap();
    let (world, mut folder, staging) = begun(&old);
    drop(staging);
    let staging = Staging::open(&folder, &new.manifest).unwrap();
    let refused = place(&mut folder, &staging, &new, &part(FileSet::Playable));
    assert_eq!(refused.unwrap_err().code(), "INCOMPLETE", "two releases are never mixed");
    install(&mut folder, &new).unwrap();
    assert!(world.look() == tree_of(&new) && folder.partial().is_none());
    let again = Staging::open(&folder, &new.manifest).unwrap();
    assert_eq!(place(&mut folder, &again, &new, &part(FileSet::Playable)).unwrap_err().code(), "INCOMPLETE");
}

#[test]
fn what_stands_where_a_file_is_still_to_come_is_the_players() {
    let release = sets();
    let (world, folder, staging) = begun(&release);
    world.write("hd/a", b"mine");
    assert!(check_quick(&folder, &release.manifest).unwrap().is_clean());
    drop((folder, staging));
    let mut folder = world.open().unwrap();
    install(&mut folder, &release).unwrap();
    let kept = fs::read(world.dir.join("muster-moved-2026-11-23/hd/a")).unwrap();
    assert_eq!((kept.as_slice(), world.look()["hd/a"] == tree_of(&release)["hd/a"]), (&b"mine"[..], true));

    let (world, folder, staging) = begun(&release);
    world.write("hd/a", b"mine");
    drop(staging);
    let gone = uninstall(folder).unwrap();
    assert_eq!(fs::read(world.dir.join("hd/a")).unwrap(), b"mine");
    assert!(!gone.folder_removed && gone.deleted == 3, "{gone:?}");
}

#[test]
fn a_part_is_verified_and_damage_in_it_is_told_from_what_is_to_come() {
    let release = sets();
    let (world, mut folder, staging) = begun(&release);
    let single = Part { more: BTreeSet::from([index(&release, "hd/a")]), ..part(FileSet::Playable) };
    stage_part(&staging, &release, &single);
    place(&mut folder, &staging, &release, &single).unwrap();
    let states = |folder: &mut GameFolder| -> Vec<(String, FileState)> {
        let report = verify(folder, &release.manifest, &release.layers, &job()).unwrap();
        report.faults().map(|fault| (fault.path.to_string(), fault.state.clone())).collect()
    };
    assert_eq!(states(&mut folder), []);
    world.write("hd/a", &noise(4, 49_999));
    world.write("data/core", &noise(2, 99_999));
    let damaged: Vec<String> = states(&mut folder).into_iter().map(|(path, _)| path).collect();
    assert_eq!(damaged, ["data/core", "hd/a"]);
    assert_eq!(states(&mut folder).len(), 2, "and again");
    install(&mut folder, &release).unwrap();
    assert!(world.look() == tree_of(&release), "nothing of ours was moved aside");
}

#[test]
fn a_look_without_the_lock_changes_nothing_and_says_what_stands() {
    let release = sets();
    let (world, folder, _staging) = begun(&release);
    let look = || Glance::at(Arc::new(RealFs), &world.dir).unwrap();
    let glance = look();
    let file = |path| &release.manifest.files[index(&release, path)];
    assert_eq!(glance.partial().map(|partial| partial.is_playable()), Some(false));
    assert!(glance.has(file("data/core")).unwrap() && !glance.has(file("level/one")).unwrap());
    assert!(!glance.somebody_fetches().unwrap());
    let fetching = folder.try_say_fetching().unwrap();
    assert!(fetching.is_some() && look().somebody_fetches().unwrap());
    drop(fetching);
    assert!(!look().somebody_fetches().unwrap());
    let tree: InstalledTree = glance.tree(&release.manifest);
    assert!(tree.has(index(&release, "bin/game")) && !tree.has(index(&release, "hd/a")));
    // While files are being put in place there is nothing to be said.
    world.write(".muster/journal.json", b"{}");
    assert_eq!(Glance::at(Arc::new(RealFs), &world.dir).unwrap_err().code(), "APPLY_PENDING");
    fs::remove_file(world.dir.join(".muster/journal.json")).unwrap();
    assert_eq!(Glance::at(Arc::new(RealFs), &world.dir.join("data")).unwrap_err().code(), "FOLDER_MISSING");
}

#[test]
fn requests_are_names_and_whatever_else_lies_there_is_neither_read_nor_followed_nor_removed() {
    let release = sets();
    let (world, folder, _staging) = begun(&release);
    let requests = Requests::of(&folder);
    assert_eq!(requests.list().unwrap(), wanted::Listed::default(), "no folder, no requests");
    let path = "hd/a".parse().unwrap();
    requests.ask(&path).unwrap();
    requests.ask(&path).unwrap();
    assert!(requests.asks(&path).unwrap());
    let dir = world.dir.join(".muster/wanted");
    let outside = world.dir.join("outside");
    fs::write(&outside, b"not ours").unwrap();
    let other = |byte: &str| dir.join(byte.repeat(32));
    fs::write(dir.join("..%2f..%2fetc%2fpasswd"), b"../../etc/passwd").unwrap();
    fs::write(other("AB"), b"").unwrap();
    fs::create_dir(other("cd")).unwrap();
    std::os::unix::fs::symlink(&outside, other("ef")).unwrap();
    let giant = fs::File::create(other("01")).unwrap();
    giant.set_len(1 << 40).unwrap();
    let listed = requests.list().unwrap();
    assert_eq!(listed.ignored, 4, "a name outside, upper case, a folder and a link");
    assert!(listed.names.contains(&wanted::name(&path)) && listed.names.len() == 2);
    listed.names.iter().for_each(|name| requests.settle(name).unwrap());
    assert!(!requests.asks(&path).unwrap() && !other("01").exists());
    assert!(outside.exists() && other("ef").symlink_metadata().is_ok() && other("cd").is_dir());
    for number in 0..3_000 {
        fs::write(dir.join(format!("{number:064x}")), b"").unwrap();
    }
    let many = requests.list().unwrap();
    assert!(many.names.len() <= wanted::NAMES_MAX && many.ignored > 0);
    // A file or a link in place of the folder.
    fs::remove_dir_all(&dir).unwrap();
    std::os::unix::fs::symlink(&world.dir, &dir).unwrap();
    assert_eq!(requests.list().unwrap(), wanted::Listed::default());
    assert!(requests.create().is_err());
}
