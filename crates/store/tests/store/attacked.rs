//! Every way in which a disk breaks, at every call of an update from its first look to its end:
//! afterwards the old release stands or the new one, and the player's things are as they were.
//!
//! The scene is small, so that there are thousands of cases; [`crate::faults`] has the large one.

use crate::world::*;
use proof::Line;
use std::{
    fs,
    io::ErrorKind,
    path::Path,
    sync::{Arc, OnceLock},
};
use store::{
    GameFolder,
    apply::apply,
    fs::{
        Fs,
        fault::{Call, Fault, Lie},
    },
    verify::verify,
};

/// Changed in one piece, moved, copied, gone, become a folder, bit changed, the player's.
pub fn releases() -> &'static (Release, Release) {
    static RELEASES: OnceLock<(Release, Release)> = OnceLock::new();
    RELEASES.get_or_init(|| {
        let mut pack = noise(1, 40_000);
        pack[35_000] ^= 1;
        let save = |text: &[u8]| F { user: true, ..f("save/cfg", text) };
        let old = [
            f("data/pack", noise(1, 40_000)),
            f("data/gone", noise(3, 300)),
            f("from", noise(4, 400)),
            f("shape", noise(5, 50)),
            f("mode", noise(6, 60)),
            save(b"volume=5"),
        ];
        let new = [
            f("data/pack", pack),
            f("to", noise(4, 400)),
            f("shape/inner", noise(7, 70)),
            F { executable: true, ..f("mode", noise(6, 60)) },
            f("twice", noise(6, 60)),
            f("added", noise(8, 80)),
            save(b"volume=9"),
        ];
        (release("1.0", &old, &[]), release("1.1", &new, &["logs"]))
    })
}

const ASIDE: &str = "muster-moved-2026-11-23";
const FOREIGN: [&str; 2] = ["mods/theirs", "save/cfg"];

/// 1.0 stands, with things of the player's.
pub fn standing() -> World {
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &releases().0).unwrap();
    players_things(&world.dir);
    world
}

/// Some in the way, some beside, and one outside.
pub fn players_things(dir: &Path) {
    fs::create_dir(dir.join("mods")).unwrap();
    fs::write(dir.join("mods/theirs"), b"mine").unwrap();
    fs::write(dir.join("save/cfg"), b"volume=1").unwrap();
    fs::write(dir.join("added"), b"in the way").unwrap();
    fs::write(dir.with_file_name("outside"), b"not ours").unwrap();
}

/// What stands before and after.
pub fn trees() -> &'static [Tree; 2] {
    static TREES: OnceLock<[Tree; 2]> = OnceLock::new();
    TREES.get_or_init(|| {
        let before = standing().look();
        let mut after = tree_of(&releases().1);
        for path in ["mods", FOREIGN[0], FOREIGN[1]] {
            after.insert(path.into(), before[path].clone());
        }
        after.insert(ASIDE.into(), Node::Dir);
        after.insert(format!("{ASIDE}/added"), before["added"].clone());
        [before, after]
    })
}

/// The whole way: plan, staging, apply.
pub fn update(world: &World) -> store::Result<()> {
    update_to(world, &releases().1)
}

pub fn update_to(world: &World, new: &Release) -> store::Result<()> {
    let mut folder = world.open()?;
    let (staging, _) = try_stage(&mut folder, new)?;
    apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).map(|_| ())
}

/// The calls of an update without a fault.
pub fn calls() -> &'static [Call] {
    static CALLS: OnceLock<Vec<Call>> = OnceLock::new();
    CALLS.get_or_init(|| {
        let world = standing();
        world.fs.record();
        update(&world).unwrap();
        assert!(world.look() == trees()[1]);
        world.fs.recorded().into_iter().map(|(call, _)| call).collect()
    })
}

/// Breaks an update once at each call of these kinds.
fn attack(line: Line, kinds: &[Call], fault: impl Fn(u64) -> Fault) {
    let at: Vec<u64> =
        (1..).zip(calls()).filter(|(_, call)| kinds.contains(call)).map(|(at, _)| at).collect();
    assert!(at.len() > 10, "every call is tried: {}", at.len());
    for at in &at {
        let world = standing();
        world.fs.arm(*at, fault(*at));
        let outcome = update(&world);
        assert!(world.fs.struck());
        judge(&world, outcome, (*at, fault(*at)));
    }
    proof::count(line, at.len() as u64, at.len() as u64);
}

/// As after a new start: one of the two stands and says so itself, and the way goes on from there.
fn judge(world: &World, outcome: store::Result<()>, (at, fault): (u64, Fault)) {
    let what = format!("{fault:?} at call {at}, {:?}", calls()[at as usize - 1]);
    world.fs.revive();
    judge_at(world.seam(), &world.dir, &outcome, &what);
    if at % 2 == 0 {
        update(world).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(world.look() == trees()[1], "{what}");
    }
}

/// As [`judge`], without going on.
pub fn judge_at(fs: Arc<dyn Fs>, dir: &Path, outcome: &store::Result<()>, what: &str) {
    let (old, new) = releases();
    let mut folder = GameFolder::open(fs, dir).unwrap_or_else(|error| panic!("{what}: {error}"));
    let look = look(dir);
    let is_new = look == trees()[1];
    assert!(is_new || look == trees()[0], "{what}: neither old nor new: {:?}", look.keys());
    assert!(is_new || outcome.is_err(), "{what}: an update shown as done is done");
    let release = if is_new { new } else { old };
    assert_eq!(folder.installed(), Some(&release.manifest), "{what}");
    let report = verify(&mut folder, &release.manifest, &release.layers, &job()).unwrap();
    assert!(report.is_clean(), "{what}: {:?}", report.faults().collect::<Vec<_>>());
    assert_eq!(std::fs::read(dir.with_file_name("outside")).unwrap(), b"not ours", "{what}");
}

const ALL: [Call; 9] = [
    Call::Look,
    Call::Read,
    Call::Write,
    Call::Sync,
    Call::SyncDir,
    Call::Create,
    Call::Rename,
    Call::Remove,
    Call::Mode,
];
/// Those that change the disk.
const CHANGES: &[Call] = ALL.split_at(2).1;

#[test]
fn an_input_output_error_at_every_call() {
    attack(Line::Faults, &ALL, |_| Fault::Error(ErrorKind::Other));
}

#[test]
fn a_refusal_at_every_call() {
    attack(Line::Faults, &ALL, |_| Fault::Error(ErrorKind::PermissionDenied));
}

#[test]
fn a_full_disk_for_a_moment_or_for_good_at_every_change() {
    attack(Line::Faults, CHANGES, |_| Fault::Error(ErrorKind::StorageFull));
    attack(Line::Faults, CHANGES, |_| Fault::ErrorsFrom(ErrorKind::StorageFull));
}

#[test]
fn a_volume_that_is_read_only_for_a_moment_or_for_good_at_every_change() {
    attack(Line::Faults, CHANGES, |_| Fault::Error(ErrorKind::ReadOnlyFilesystem));
    attack(Line::Faults, CHANGES, |_| Fault::ErrorsFrom(ErrorKind::ReadOnlyFilesystem));
}

#[test]
fn a_kill_at_every_call_of_an_update() {
    attack(Line::Faults, &ALL, |_| Fault::Kill);
}

#[test]
fn a_write_that_says_it_is_done_and_wrote_nothing_or_half_or_other_bytes() {
    for lie in [Lie::Nothing, Lie::Short, Lie::OtherBytes] {
        attack(Line::Faults, &[Call::Write], |_| Fault::Lie(lie));
    }
}

#[test]
fn a_sync_that_fails_and_drops_what_it_should_have_kept() {
    attack(Line::Faults, &[Call::Sync], |_| Fault::FailedSync);
}

#[test]
fn a_power_cut_after_which_any_part_of_what_was_not_synced_survives() {
    for seed in [1, 2] {
        attack(Line::PowerCuts, &ALL, |at| Fault::Scatter { seed: seed * 1_000_000 + at });
    }
}

#[test]
fn a_power_cut_at_every_change_of_an_update() {
    for names in [false, true] {
        attack(Line::PowerCuts, CHANGES, |_| Fault::PowerCut { names });
    }
}

#[test]
fn a_recovery_that_is_cut_again_and_again_comes_to_its_end() {
    let mut cuts = 0;
    for at in (1..=calls().len() as u64).rev().step_by(3) {
        let world = standing();
        world.fs.arm(at, Fault::Scatter { seed: at });
        let outcome = update(&world);
        // Each new start gets a few calls further than the one before.
        for reach in 1.. {
            world.fs.revive();
            world.fs.arm(reach * 3, Fault::Scatter { seed: at * 1000 + reach });
            if world.open().is_ok() {
                break;
            }
            cuts += 1;
        }
        judge(&world, outcome, (at, Fault::Scatter { seed: at }));
    }
    assert!(cuts > 500);
    proof::count(Line::PowerCuts, cuts, cuts);
}
