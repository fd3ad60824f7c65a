//! Faults at every single call of apply and of recovery: afterwards the folder holds exactly the
//! old release or the new one.

use crate::world::*;
use proof::Line;
use std::io::ErrorKind;
use store::{Staging, apply::apply, fs::fault::Fault, verify::verify};

struct Scene {
    world: World,
    folder: store::GameFolder,
    staging: Staging,
    old: Release,
    new: Release,
    trees: [Tree; 2],
}

/// 1.0 stands, with foreign files, and 1.1 is staged.
fn scene() -> Scene {
    static RELEASES: std::sync::OnceLock<(Release, Release)> = std::sync::OnceLock::new();
    let (old, new) = RELEASES.get_or_init(two_releases).clone();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    world.write("mods/foreign.pak", b"mine");
    world.write("shape/folder/mine.txt", b"in the way");
    world.write("save/settings.cfg", b"volume=1");
    let (staging, _) = stage(&mut folder, &new).unwrap();
    let before = world.look();
    let mut after = tree_of(&new);
    for path in ["mods", "mods/foreign.pak", "save/settings.cfg"] {
        after.insert(path.into(), before[path].clone());
    }
    let aside = "muster-moved-2026-11-23";
    for dir in ["", "/shape", "/shape/folder"] {
        after.insert(format!("{aside}{dir}"), Node::Dir);
    }
    after.insert(format!("{aside}/shape/folder/mine.txt"), before["shape/folder/mine.txt"].clone());
    Scene { world, folder, staging, old, new, trees: [before, after] }
}

impl Scene {
    fn apply(&mut self) -> store::Result<()> {
        apply(&mut self.folder, &self.staging, &self.new.manifest, &self.new.layers, now(), &job())
            .map(|_| ())
    }

    /// As after a new start: what stands must be one of the two, and say so itself.
    fn check(self, what: &str, again: bool) -> bool {
        let Self { world, folder, staging, old, new, trees } = self;
        drop((folder, staging));
        world.fs.revive();
        let mut folder = world.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        let look = world.look();
        let is_new = look == trees[1];
        assert!(is_new || look == trees[0], "{what}: neither old nor new: {:?}", look.keys());
        let release = if is_new { &new } else { &old };
        assert_eq!(folder.installed(), Some(&release.manifest), "{what}");
        assert!(
            verify(&mut folder, &release.manifest, &release.layers, &job()).unwrap().is_clean(),
            "{what}"
        );
        // And an update still works from there, without another download.
        if !again {
            return is_new;
        }
        let (_, fetched) = install(&mut folder, &new).unwrap();
        assert_eq!((fetched, world.look() == trees[1]), (0, true), "{what}");
        is_new
    }
}

/// Calls of a whole apply.
fn calls() -> u64 {
    let mut scene = scene();
    let before = scene.world.fs.calls();
    scene.apply().unwrap();
    let calls = scene.world.fs.calls() - before;
    assert!(scene.check("no fault", true));
    calls
}

#[test]
fn killed_at_every_call_of_apply() {
    cut_everywhere(Fault::Kill);
}

#[test]
fn power_cut_with_names_kept_at_every_call_of_apply() {
    cut_everywhere(Fault::PowerCut { names: false });
}

#[test]
fn power_cut_with_names_lost_at_every_call_of_apply() {
    cut_everywhere(Fault::PowerCut { names: true });
}

#[test]
fn full_or_broken_disk_at_every_call_of_apply() {
    fail_everywhere([ErrorKind::StorageFull, ErrorKind::Other]);
}

#[test]
fn killed_again_at_every_call_of_recovery() {
    cut_recovery_everywhere(Fault::Kill);
}

#[test]
fn power_cut_at_every_call_of_recovery() {
    cut_recovery_everywhere(Fault::PowerCut { names: true });
}

pub(crate) fn line(fault: Fault) -> Line {
    if fault == Fault::Kill { Line::Faults } else { Line::PowerCuts }
}

fn cut_everywhere(fault: Fault) {
    let calls = calls();
    let mut new = 0;
    for at in 1..=calls {
        let mut scene = scene();
        scene.world.fs.arm(at, fault);
        let outcome = scene.apply();
        let is_new = scene.check(&format!("{fault:?} at call {at}"), at % 4 == 0);
        assert!(is_new || outcome.is_err(), "an update shown as done is done: {fault:?} at {at}");
        new += u64::from(is_new);
    }
    assert!(new > 0 && new < calls, "both outcomes are met");
    proof::count(line(fault), calls, calls);
}

fn fail_everywhere(kinds: [ErrorKind; 2]) {
    let calls = calls();
    let mut old = 0;
    for at in 1..=calls {
        let mut scene = scene();
        let kind = kinds[at as usize % 2];
        scene.world.fs.arm(at, Fault::Error(kind));
        let outcome = scene.apply();
        let committed = scene.world.dir.join(".muster/journal.json").exists();
        let reopened = Staging::open(&scene.folder, &scene.new.manifest).map(|_| ());
        let refused = reopened.is_err_and(|error| error.code() == "APPLY_PENDING");
        assert_eq!(refused, committed, "a pending apply's files are not touched");
        if outcome.is_err() && !committed && scene.world.look() != scene.trees[1] {
            assert_eq!(
                scene.world.look(),
                scene.trees[0],
                "before the commit, the old game is untouched: {at}"
            );
            old += 1;
        }
        if let Err(error) = &outcome {
            assert!(["DISK_FULL", "DISK_ERROR"].contains(&error.code()), "{error}");
        }
        scene.check(&format!("{kind:?} at call {at}"), at % 4 == 0);
    }
    assert!(old > 0);
    proof::count(Line::Faults, calls, calls);
}

fn cut_recovery_everywhere(fault: Fault) {
    let calls = calls();
    let mut survived = 0;
    for share in [0, 5] {
        for at in 1.. {
            let Scene { world, folder, staging, old, new, trees } = killed(share, calls);
            drop((folder, staging));
            world.fs.revive();
            world.fs.arm(at, fault);
            let Err(error) = world.open() else { break };
            assert_eq!(error.code(), "DISK_ERROR", "{error}");
            world.fs.revive();
            let folder = world.open().unwrap();
            let staging = Staging::open(&folder, &new.manifest).unwrap();
            let scene = Scene { world, folder, staging, old, new, trees };
            let what = format!("{fault:?} at call {at} of recovery from {share}");
            assert!(scene.check(&what, false), "recovery rolls forward");
            survived += 1;
        }
    }
    proof::count(line(fault), survived, survived);
}

/// A scene whose apply was killed that many tenths of the way from its commit to its end.
fn killed(share: u64, calls: u64) -> Scene {
    static COMMIT: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    let commit = *COMMIT.get_or_init(|| {
        let committed = |at: &u64| {
            let mut scene = scene();
            scene.world.fs.arm(*at, Fault::Kill);
            scene.apply().unwrap_err();
            scene.world.dir.join(".muster/journal.json").exists()
        };
        // Bisected: once there, the journal stays there until the end.
        let (mut low, mut high) = (1, calls * 3 / 4);
        while low < high {
            let middle = low.midpoint(high);
            if committed(&middle) { high = middle } else { low = middle + 1 }
        }
        low
    });
    let mut scene = scene();
    scene.world.fs.arm(commit + (calls - commit) * share / 10, Fault::Kill);
    scene.apply().unwrap_err();
    scene
}
