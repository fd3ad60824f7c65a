//! The same attacks on the kernel's own file systems: power cuts of ext4 and XFS, system calls that fail or kill (by
//! strace, so that no call can be missed), disks that fill up.
//!
//! Everything here mounts something or needs a program that only a privileged set-up installs.

use crate::{attacked::*, cut::CutFs, volume::*, world::*};
use proof::Line;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use store::{
    GameFolder, Staging, StoreError,
    apply::apply,
    fs::{Fs, RealFs},
    place::Places,
    uninstall::uninstall,
};

/// How many of the steps are left out between two that are tried: `MUSTER_STRIDE` says, 1 tries all.
fn stride(usual: usize) -> usize {
    std::env::var("MUSTER_STRIDE").map_or(usual, |text| text.parse().unwrap())
}

fn first(stride: usize) -> usize {
    let seed = std::env::var("MUSTER_SEED").map_or(0, |text| text.parse::<usize>().unwrap());
    seed % stride
}

fn create(fs: Arc<dyn Fs>, dir: &Path) -> GameFolder {
    GameFolder::create(fs, dir, &Places::default(), &state()).unwrap()
}

/// 1.0 stands below `base`, with the player's things, and 1.1 is staged.
fn staged(base: &Path) -> PathBuf {
    let dir = base.join("Game ü");
    let mut folder = create(Arc::new(RealFs), &dir);
    install(&mut folder, &releases().0).unwrap();
    players_things(&dir);
    drop(stage(&mut folder, &releases().1).unwrap());
    dir
}

fn apply_staged(fs: Arc<dyn Fs>, dir: &Path) -> store::Result<()> {
    let new = &releases().1;
    let mut folder = GameFolder::open(fs, dir)?;
    let staging = Staging::open(&folder, &new.manifest)?;
    apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).map(|_| ())
}

fn update(fs: Arc<dyn Fs>, dir: &Path) -> store::Result<()> {
    let new = &releases().1;
    let mut folder = GameFolder::open(fs, dir)?;
    let (staging, _) = try_stage(&mut folder, new)?;
    apply(&mut folder, &staging, &new.manifest, &new.layers, now(), &job()).map(|_| ())
}

/// C3: the power fails before each change of an apply, and the file system comes back as its own log lets it.
fn cuts(kind: &str) {
    let volume = Volume::format(kind);
    let changes = {
        let dir = staged(&volume.dir.join("dry"));
        let counting = CutFs::new(0, || ());
        apply_staged(Arc::new(counting.clone()), &dir).unwrap();
        counting.changes()
    };
    let (mut tried, stride) = (0, stride(5));
    for log in [true, false] {
        // The two ways try other steps; the last is after everything, when nothing may be lost.
        let steps = (1..=changes + 1).skip((first(stride) + usize::from(log) * 2) % stride).step_by(stride);
        for at in steps.chain([changes + 1]) {
            let what = format!("{kind}, log {log}, change {at} of {changes}");
            let dir = staged(&volume.dir.join(format!("{log}{at}")));
            as_root(&["sync", "--file-system", text(&volume.dir)]);
            let mounted = volume.dir.clone();
            let fs = CutFs::new(at, move || Volume::cut(&mounted, log));
            let outcome = apply_staged(Arc::new(fs), &dir);
            if at > changes {
                Volume::cut(&volume.dir, log);
            }
            volume.restart();
            judge_at(Arc::new(RealFs), &dir, &outcome, &what);
            as_root(&["rm", "-rf", text(dir.parent().unwrap())]);
            tried += 1;
        }
    }
    proof::count(Line::PowerCuts, tried, tried);
}

#[test]
fn power_cuts_of_ext4_at_steps_of_an_apply_needs_root() {
    cuts("ext4");
}

#[test]
fn power_cuts_of_xfs_at_steps_of_an_apply_needs_root() {
    cuts("xfs");
}

/// C9: volumes of 40 sizes, from one on which nothing fits to one on which all does.
#[test]
fn disks_of_forty_sizes_needs_root() {
    let whole = {
        let volume = Volume::of_kib(64 << 10);
        let dir = staged(&volume.dir);
        kib_in(&dir)
    };
    let (mut done, mut refused) = (0, 0);
    let volume = Volume::of_kib(64 << 10);
    for number in 0..40 {
        // The store keeps a reserve, so that all fits at last.
        volume.resize(64 << 10);
        let dir = volume.dir.join(format!("{number}")).join("Game ü");
        let mut folder = create(Arc::new(RealFs), &dir);
        install(&mut folder, &releases().0).unwrap();
        players_things(&dir);
        drop(folder);
        // Its own tree, and from nothing to twice what is needed.
        volume.resize(kib_in(&volume.dir) + (whole * 2 + 1200) * number / 40);
        let outcome = update(Arc::new(RealFs), &dir);
        match &outcome {
            Ok(()) => done += 1,
            Err(error) => {
                assert_eq!(error.code(), "DISK_FULL", "{error}");
                refused += 1;
            }
        }
        if number % 2 == 0 {
            // A full disk is no reason to keep a game: what it takes is given back.
            fill(&volume.dir);
            let folder = GameFolder::open(Arc::new(RealFs), &dir).unwrap();
            let gone = uninstall(folder).unwrap();
            assert!(!dir.join(".muster").exists() && !gone.left.is_empty());
            assert_eq!(fs::read(dir.join("save/cfg")).unwrap(), b"volume=1");
        } else {
            volume.resize(64 << 10);
            judge_at(Arc::new(RealFs), &dir, &outcome, &format!("size {number}"));
        }
        fs::remove_dir_all(dir.parent().unwrap()).unwrap();
        drop(fs::remove_file(volume.dir.join("filled")));
    }
    assert!(done > 0 && refused > 5, "{done} done, {refused} refused");
    proof::count(Line::Faults, 40, 40);
}

/// A folder of the game that is another volume: nothing could be put in place there in one step, so nothing is begun.
#[test]
fn a_mount_point_inside_the_game_folder_is_refused_before_anything_changes_needs_root() {
    let volume = Volume::of_kib(64 << 10);
    let dir = staged(&volume.dir);
    let before = look(&dir);
    // The same volume, mounted there: not even the device number tells.
    let data = dir.join("data");
    as_root(&["mount", "--bind", text(&data), text(&data)]);
    let tried = [apply_staged(Arc::new(RealFs), &dir), update(Arc::new(RealFs), &dir)];
    as_root(&["umount", text(&data)]);
    for outcome in tried {
        assert_eq!(outcome.unwrap_err().code(), "OTHER_VOLUME");
    }
    assert_eq!(look(&dir), before);
    assert!(!dir.join(".muster/journal.json").exists());
    update(Arc::new(RealFs), &dir).unwrap();
    judge_at(Arc::new(RealFs), &dir, &Ok(()), "afterwards");
}

/// A folder of the game that may not be written to: found before the commit, not in the middle.
#[test]
fn a_folder_made_read_only_is_refused_before_anything_changes_needs_root() {
    let volume = Volume::format("ext4");
    let dir = staged(&volume.dir);
    let (before, data) = (look(&dir), dir.join("data"));
    // Root may write to what only lacks the bits.
    as_root(&["chattr", "+i", text(&data)]);
    let tried = [apply_staged(Arc::new(RealFs), &dir), update(Arc::new(RealFs), &dir)];
    as_root(&["chattr", "-i", text(&data)]);
    for outcome in tried {
        assert_eq!(outcome.unwrap_err().code(), "NO_PERMISSION");
    }
    assert_eq!(look(&dir), before);
    assert!(!dir.join(".muster/journal.json").exists());
    update(Arc::new(RealFs), &dir).unwrap();
    judge_at(Arc::new(RealFs), &dir, &Ok(()), "afterwards");
}

/// Takes what is left, to the last byte.
fn fill(dir: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(dir.join("filled")).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
}

fn kib_in(dir: &Path) -> u64 {
    let output = Command::new("du").args(["-sk", text(dir)]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().next().unwrap().parse().unwrap()
}

/// What is traced, and so counted and broken.
const SYSTEM_CALLS: [&str; 14] = [
    "openat",
    "pread64",
    "pwrite64",
    "fsync",
    "ftruncate",
    "rename",
    "mkdir",
    "unlink",
    "rmdir",
    "chmod",
    "statx",
    "getdents64",
    "flock",
    "lseek",
];
/// Opened by [`a_process_of_its_own`] when it begins.
const BEGIN: &str = "/nothing/begins";
const DIR: &str = "STORE_TEST_DIR";

/// What the tests below run under strace.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn a_process_of_its_own() {
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    assert!(fs::File::open(BEGIN).is_err());
    apply_staged(Arc::new(RealFs), &dir).unwrap();
}

fn traced(dir: &Path, log: &Path, inject: Option<&str>) -> std::process::ExitStatus {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", text(log), "-e", &format!("trace={}", SYSTEM_CALLS.join(","))]);
    if let Some(inject) = inject {
        strace.args(["-e", &format!("inject={inject}")]);
    }
    strace.arg(std::env::current_exe().unwrap());
    strace.args(["--exact", "kernel::a_process_of_its_own", "--ignored", "--test-threads=1"]);
    let output = strace.env(DIR, dir).output().expect("strace is installed");
    output.status
}

/// C2: system calls fail or kill, each in turn, whatever library makes them.
#[test]
fn system_calls_that_fail_or_kill_at_every_step_needs_root() {
    let home = tempfile::tempdir_in("/dev/shm").unwrap();
    let log = home.path().join("log");
    let dry = staged(&home.path().join("dry"));
    assert!(traced(&dry, &log, None).success());
    let log_text = fs::read_to_string(&log).unwrap();
    let (before, after) = log_text.split_at(log_text.find(BEGIN).expect("it began"));
    let count = |text: &str, call: &str| text.matches(&format!(" {call}(")).count();
    let mut cases: Vec<String> = Vec::new();
    let mut seen = BTreeMap::new();
    for call in SYSTEM_CALLS {
        let (skip, times) = (count(before, call), count(after, call));
        seen.insert(call, times);
        for number in skip + 1..=skip + times {
            let errors = if call == "pwrite64" { ["ENOSPC", "EIO"] } else { ["EIO", "EACCES"] };
            cases.push(format!("{call}:error={}:when={number}", errors[number % 2]));
            cases.push(format!("{call}:signal=KILL:when={number}"));
        }
    }
    for call in ["openat", "pwrite64", "fsync", "rename", "mkdir", "unlink", "statx"] {
        assert!(seen[call] > 0, "{call} was made: {seen:?}");
    }
    let (mut tried, mut killed, stride) = (0, 0, stride(9));
    for inject in cases.iter().skip(first(stride)).step_by(stride) {
        let dir = staged(&home.path().join(format!("{tried}")));
        let status = traced(&dir, &log, Some(inject));
        killed += usize::from(status.signal() == Some(9) || status.code() == Some(137));
        let outcome = if status.success() { Ok(()) } else { Err(StoreError::Cancelled) };
        judge_at(Arc::new(RealFs), &dir, &outcome, inject);
        tried += 1;
    }
    assert!(killed > 5, "{killed} of {tried} were killed");
    proof::count(Line::Faults, tried, tried);
}
