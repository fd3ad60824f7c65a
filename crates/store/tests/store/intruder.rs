//! Somebody who may write in the game folder, a mod's author or another program, while its files are shared: whatever is
//! put there, nobody gets a byte that was not verified, and nothing makes us wait.

use crate::world::*;
use std::{
    fs,
    os::unix::fs::{FileExt, symlink},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use store::{
    InstalledTree,
    fs::{Access, Fs, RealFs},
};

const LENGTH: usize = 100_000;

/// An installed release, and the index of its `data/pack`.
struct Shared {
    world: World,
    tree: InstalledTree,
    pack: usize,
}

fn shared() -> Shared {
    let (old, _) = two_releases();
    let world = World::new();
    let mut folder = world.create();
    install(&mut folder, &old).unwrap();
    let pack = old.manifest.files.iter().position(|file| file.path.as_str() == "data/pack").unwrap();
    let tree = InstalledTree::open(&folder, &old.manifest).unwrap();
    Shared { world, tree, pack }
}

impl Shared {
    fn read(&self) -> Result<Vec<u8>, &'static str> {
        self.tree.read_at(self.pack, 0, 16_384).map_err(|error| error.code())
    }
}

/// Gives a file the length and the times of another.
fn disguise(as_of: &Path, file: &Path) {
    let meta = fs::metadata(as_of).unwrap();
    let handle = fs::File::options().write(true).open(file).unwrap();
    handle.set_len(meta.len()).unwrap();
    handle.set_modified(meta.modified().unwrap()).unwrap();
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A folder is swapped for a link to another, with a file of the same name, length and time, and back, as fast as it goes,
/// while a peer reads.
#[test]
fn a_folder_that_is_swapped_for_a_link_again_and_again_leads_nobody_outside() {
    let shared = shared();
    let (dir, outside) = (&shared.world.dir, tempfile::tempdir().unwrap());
    let secret = outside.path().join("pack");
    fs::write(&secret, vec![0xee; LENGTH]).unwrap();
    disguise(&dir.join("data/pack"), &secret);
    let truth = noise(2, LENGTH);
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut served, mut refused) = (0_u32, 0_u32);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (data, aside, link) = (dir.join("data"), dir.join("aside"), dir.join("link"));
            while !over.load(Ordering::Relaxed) {
                fs::rename(&data, &aside).unwrap();
                symlink(outside.path(), &link).unwrap();
                fs::rename(&link, &data).unwrap();
                fs::remove_file(&data).unwrap();
                fs::rename(&aside, &data).unwrap();
                swaps.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..20_000 {
            shared.tree.close();
            match shared.read() {
                Ok(bytes) => {
                    served += 1;
                    assert!(bytes == truth[..16_384], "bytes from outside");
                }
                Err(code) => {
                    refused += 1;
                    assert_eq!(code, "FILE_CHANGED");
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    let swaps = swaps.load(Ordering::Relaxed);
    eprintln!("{served} reads served, {refused} refused, {swaps} swaps");
    assert!(served > 0 && refused > 0 && swaps > 100, "{served} served, {refused} refused, {swaps} swaps");
}

/// The same below the seam: whatever is swapped when, what is opened lies in the folder.
#[test]
fn what_is_opened_beneath_a_folder_lies_in_it() {
    let (base, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = base.path().join("dir");
    fs::create_dir_all(dir.join("a/b")).unwrap();
    fs::create_dir_all(outside.path().join("b")).unwrap();
    fs::write(dir.join("a/b/file"), "inside").unwrap();
    fs::write(outside.path().join("b/file"), "outside").unwrap();
    let over = AtomicBool::new(false);
    let (mut opened, mut refused) = (0_u32, 0_u32);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fs::rename(dir.join("a"), dir.join("aside")).unwrap();
                symlink(outside.path(), dir.join("a")).unwrap();
                fs::remove_file(dir.join("a")).unwrap();
                fs::rename(dir.join("aside"), dir.join("a")).unwrap();
            }
        });
        for round in 0..20_000 {
            let access = if round % 2 == 0 { Access::Read } else { Access::Write };
            match RealFs.open_beneath(&dir, &["a", "b", "file"], access) {
                Ok(file) => {
                    let mut bytes = [0; 6];
                    file.read_at(&mut bytes, 0).unwrap();
                    assert_eq!(&bytes, b"inside");
                    opened += 1;
                }
                Err(_) => refused += 1,
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
}

/// Neither files nor folders are made behind a link.
#[test]
fn nothing_is_made_behind_a_link() {
    let (base, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = base.path();
    symlink(outside.path(), dir.join("link")).unwrap();
    symlink(outside.path().join("made"), dir.join("file")).unwrap();
    for names in [&["link", "made"][..], &["link", "deep", "made"], &["file"]] {
        let made = RealFs.open_beneath(dir, names, Access::Create);
        assert!(made.is_err(), "{names:?}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    RealFs.open_beneath(dir, &["new", "deep", "made"], Access::Create).unwrap();
    assert!(dir.join("new/deep/made").is_file());
    assert!(RealFs.open_beneath(dir, &["new", "deep", "absent"], Access::Write).is_err());
    assert!(!dir.join("new/deep/absent").exists());
}

/// Written in place, with the length and the time it had: only the system's own mark tells.
#[test]
fn a_file_changed_under_its_old_times_is_not_served() {
    let shared = shared();
    let pack = shared.world.dir.join("data/pack");
    assert_eq!(shared.read().unwrap(), noise(2, LENGTH)[..16_384]);
    let before = fs::metadata(&pack).unwrap();
    let file = fs::File::options().write(true).open(&pack).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    file.write_all_at(b"secret", 100).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    let after = fs::metadata(&pack).unwrap();
    assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
    assert_eq!(shared.read(), Err("FILE_CHANGED"));
}

/// Another file of the same length and time in its place, by renaming and by a hard link.
#[test]
fn a_file_replaced_by_its_double_is_not_served() {
    for by_link in [false, true] {
        for opened_before in [false, true] {
            let shared = shared();
            let pack = shared.world.dir.join("data/pack");
            if opened_before {
                shared.read().unwrap();
            }
            let double = shared.world.dir.join("double");
            fs::write(&double, vec![0xee; LENGTH]).unwrap();
            disguise(&pack, &double);
            if by_link {
                fs::remove_file(&pack).unwrap();
                fs::hard_link(&double, &pack).unwrap();
            } else {
                fs::rename(&double, &pack).unwrap();
            }
            assert_eq!(shared.read(), Err("FILE_CHANGED"), "by link: {by_link}, opened: {opened_before}");
        }
    }
}

/// Pipes, devices and folders are neither read nor waited for.
#[test]
fn what_is_no_file_is_not_served_and_not_waited_for() {
    type Put = fn(&Path);
    let things: [(&str, Put); 4] = [
        ("a pipe", fifo),
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a link to a device", |path| symlink("/dev/zero", path).unwrap()),
        ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    for (what, put) in things {
        let shared = shared();
        let pack = shared.world.dir.join("data/pack");
        fs::remove_file(&pack).unwrap();
        put(&pack);
        let (said, answer) = std::sync::mpsc::channel();
        let dir = shared.world.dir.clone();
        std::thread::spawn(move || {
            let direct = RealFs.open_beneath(&dir, &["data", "pack"], Access::Read).map(|_| ());
            let _gone = said.send((shared.read(), direct.map_err(|error| error.kind())));
        });
        let answer = answer.recv_timeout(Duration::from_secs(10));
        let refused = (Err("FILE_CHANGED"), Err(std::io::ErrorKind::InvalidInput));
        assert_eq!(answer, Ok(refused), "{what}");
    }
}

/// A pipe that comes and goes in the file's place: sooner or later it is put there between the look and the opening.
#[test]
fn a_pipe_put_there_in_the_last_moment_is_not_waited_for() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().to_owned();
    fs::write(dir.join("real"), "inside").unwrap();
    fifo(&dir.join("pipe"));
    fs::hard_link(dir.join("real"), dir.join("file")).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for thing in ["pipe", "real"] {
                    fs::hard_link(dir.join(thing), dir.join("next")).unwrap();
                    fs::rename(dir.join("next"), dir.join("file")).unwrap();
                }
            }
        });
        let (said, answer) = std::sync::mpsc::channel();
        let dir = dir.clone();
        std::thread::spawn(move || {
            let mut opened = 0_u32;
            for round in 0..10_000 {
                let path = dir.join("file");
                let file = match round % 3 {
                    0 => RealFs.open_beneath(&dir, &["file"], Access::Read),
                    1 => RealFs.open_beneath(&dir, &["file"], Access::Write),
                    _ => RealFs.open(&path),
                };
                if let Ok(file) = file {
                    let mut bytes = [0; 6];
                    assert_eq!((file.read_at(&mut bytes, 0).unwrap(), &bytes), (6, b"inside"));
                    opened += 1;
                }
            }
            let _gone = said.send(opened);
        });
        let opened = answer.recv_timeout(Duration::from_secs(30));
        over.store(true, Ordering::Relaxed);
        assert!(opened.is_ok_and(|opened| opened > 0), "somebody waits for a pipe");
    });
}

/// Cut to nothing and grown again while it is read.
#[test]
fn a_file_that_is_cut_while_it_is_read_is_served_true_or_not_at_all() {
    let shared = shared();
    let pack = shared.world.dir.join("data/pack");
    let truth = noise(2, LENGTH);
    let modified = fs::metadata(&pack).unwrap().modified().unwrap();
    let over = AtomicBool::new(false);
    let mut served = u32::from(shared.read().is_ok());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = fs::File::options().write(true).open(&pack).unwrap();
            while !over.load(Ordering::Relaxed) {
                file.set_len(5_000).unwrap();
                file.set_len(LENGTH as u64).unwrap();
                file.write_all_at(&truth, 0).unwrap();
                file.set_modified(modified).unwrap();
            }
        });
        for round in 0..5_000 {
            if round % 2 == 0 {
                shared.tree.close();
            }
            if let Ok(bytes) = shared.read() {
                assert!(bytes == truth[..16_384], "false bytes were served");
                served += 1;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    eprintln!("{served} of 5,000 reads were served");
}
