//! The space that `muster check` names is enough, is hardly more than what is really taken, and where it is not there an update is
//! refused before it begins: measured on a volume of its own.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use store::fs::{Fs, RealFs};
use tests::{
    muster::{Origin, Person, Repository, text},
    tree,
    volume::Volume,
};

const SIZE: usize = 24_000_000;
/// What is kept free whatever the size of an update.
const RESERVE: u64 = 1 << 20;
/// Less than a plan may be wrong by: the state that is written down before the first file.
const SLACK: u64 = 64 * 1024;

struct Scene {
    base: tempfile::TempDir,
    repository: Repository,
    _origin: Origin,
    player: Person,
    volume: Volume,
    dir: PathBuf,
    noise: Vec<u8>,
}

impl Scene {
    /// 1.0 stands on a volume of its own.
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        let origin = repository.serve(&[]);
        let player = Person::at(&base.path().join("player"));
        let volume = Volume::in_memory(&base.path().join("volume"), "160m");
        let dir = volume.dir().join("game");
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(SIZE).collect();
        let scene = Self { repository, player, volume, dir, noise, _origin: origin, base };
        scene.publish("1.0", &scene.noise);
        let root = scene.repository.root();
        let url = &scene._origin.url;
        scene.player.done(&[
            "install",
            url,
            "--game",
            "game",
            "--dir",
            text(&scene.dir),
            "--root",
            text(&root),
            "--no-lan",
        ]);
        scene
    }

    fn build(&self) -> PathBuf {
        self.base.path().join("build")
    }

    fn publish(&self, version: &str, bytes: &[u8]) {
        fs::create_dir_all(self.build()).unwrap();
        fs::write(self.build().join("large.bin"), bytes).unwrap();
        self.repository.publish(&self.build(), "game", version, &[]);
    }

    /// The way and the space that an update is said to need.
    fn check(&self) -> (String, u64) {
        let outcome = self.player.run(&["check", text(&self.dir)]);
        let result = outcome.result();
        let available = &result["available"];
        (available["way"].as_str().unwrap().to_owned(), available["need_bytes"].as_u64().unwrap())
    }

    fn free(&self) -> u64 {
        free(self.volume.dir())
    }

    /// Leaves so many bytes free.
    fn fill(&self, left: u64) {
        let filler = vec![0; usize::try_from(self.free() - left).unwrap()];
        fs::write(self.volume.dir().join("filler"), filler).unwrap();
        assert!(self.free().abs_diff(left) <= 8192, "{} and not {left}", self.free());
    }

    /// Updates and returns the most that was taken meanwhile.
    fn update(&self) -> u64 {
        let (before, volume) = (self.free(), self.volume.dir());
        let (least, done) = (AtomicU64::new(before), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (least, done) = (&least, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    least.fetch_min(free(volume), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            self.player.done(&["update", text(&self.dir)]);
            done.store(true, Ordering::Relaxed);
        });
        tree::assert_same(&self.build(), &self.dir);
        before - least.load(Ordering::Relaxed)
    }
}

fn free(dir: &Path) -> u64 {
    RealFs.available_space(dir).unwrap()
}

/// Half a megabyte in the middle: everything behind it lies elsewhere.
fn shifted(noise: &[u8]) -> Vec<u8> {
    let new: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(500_000).collect();
    [&noise[..3_000_000], &new, &noise[3_000_000..]].concat()
}

/// Other bytes altogether.
fn other(noise: &[u8]) -> Vec<u8> {
    noise.iter().map(|byte| byte ^ fastrand::u8(1..)).collect()
}

fn covered(way: &str, change: fn(&[u8]) -> Vec<u8>) {
    let scene = Scene::new();
    scene.publish("1.1", &change(&scene.noise));
    let (found, need) = scene.check();
    assert_eq!(found, way);
    // Two MiB too little: refused, and the old game as it was.
    scene.fill(need - 2 * RESERVE);
    let refused = scene.player.run(&["update", text(&scene.dir)]);
    assert_eq!(
        (refused.code, refused.result()["code"].as_str()),
        (14, Some("DISK_FULL")),
        "{}",
        refused.errors
    );
    assert!(fs::read(scene.dir.join("large.bin")).unwrap() == scene.noise);
    fs::remove_file(scene.volume.dir().join("filler")).unwrap();

    scene.fill(need + SLACK);
    let taken = scene.update();
    println!("{way}: {need} bytes are said to be needed, {taken} were taken");
    assert!(need >= taken, "{way}: {need} and {taken}");
    assert!(need <= taken + taken / 10 + RESERVE, "{way}: {need} for {taken}");
}

#[test]
fn the_space_for_an_update_by_patch_is_enough_and_little_more_needs_root() {
    covered("patch", shifted);
}

#[test]
fn the_space_for_an_update_by_blocks_is_enough_and_little_more_needs_root() {
    covered("blocks", other);
}
