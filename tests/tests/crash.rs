//! Crashes of the real program, and whatever else a computer does to it in the middle of an update.
//!
//! The tests of the acceptance list (security reference, C1–C11), by name:
//!
//! | id | what | test |
//! |---|---|---|
//! | C1 | every step × kill, errors, short and lying writes | `store` `attacked::*`, `faults::*`, `parts::*`, `preloaded::killed_*` |
//! | C2 | the same by system calls | `store` `kernel::system_calls_that_fail_or_kill_at_every_step_needs_root` |
//! | C3 | power cuts, ext4 and XFS, log kept or dropped | `store` `kernel::power_cuts_of_{ext4,xfs}_at_steps_of_an_apply_needs_root`, in the model `attacked::a_power_cut_*` |
//! | C4 | kill -9 during a download and apply | `killed_at_random_times_of_a_download_and_its_apply` |
//! | C5 | double faults | `store` `attacked::a_recovery_that_is_cut_again_and_again_comes_to_its_end`, `faults::*_of_recovery`, `histories::*` |
//! | C6 | old files damaged | `store` `spoiled::*`, `life::*`, `histories::*` |
//! | C7 | a second program at random times | `a_second_program_at_random_times_is_turned_away_or_waits_its_turn` |
//! | C8 | the game holds files open | `an_update_while_the_game_runs_and_holds_its_files_open` |
//! | C9 | disks that are full, of 40 sizes | `store` `kernel::disks_of_forty_sizes_needs_root`, `bad_input` `a_full_disk_needs_root` |
//! | C10 | clocks that jump | `store` `spoiled::clocks_that_jump_cost_hashing_and_nothing_else` |
//! | C11 | state of a newer program | `a_state_of_a_newer_program_is_left_alone_with_words`, `store` `folders::state_keeps_unknown_keys_and_refuses_newer_formats` |
//!
//! `MUSTER_SEED` chooses the times, `MUSTER_KILLS` how many there are; a failure names its seed.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use proof::Line;
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use store::{GameFolder, StoreError, fs::RealFs};
use tests::{
    child::Running,
    muster::{Origin, Person, Repository, text},
    tree,
};

const GAME: &str = "crash";
const LIMIT: Duration = Duration::from_secs(60);

/// Two releases on a server, and a player who has the old one.
struct Scene {
    base: tempfile::TempDir,
    builds: [PathBuf; 2],
    /// The installed old release, to be copied.
    old: PathBuf,
    player: Person,
    _origin: Origin,
}

impl Scene {
    fn start() -> Self {
        // Copied dozens of times.
        let base = tempfile::tempdir_in("/dev/shm").unwrap();
        let builds = ["1.0", "1.1"].map(|version| base.path().join("builds").join(version));
        for (build, own) in builds.iter().zip([1, 2]) {
            let of_both = &mut fastrand::Rng::with_seed(7);
            let own = &mut fastrand::Rng::with_seed(own);
            tree::write(&build.join("data/same.pak"), 700_000, of_both);
            tree::write(&build.join("data/changed.pak"), 900_000, own);
            for number in 0..12 {
                tree::write(&build.join(format!("levels/{number}.bin")), 20_000, own);
            }
        }
        tree::write(&builds[0].join("gone/file.bin"), 9_000, &mut fastrand::Rng::with_seed(3));
        tree::write(&builds[1].join("added/file.bin"), 9_000, &mut fastrand::Rng::with_seed(4));
        let repository = Repository::init(base.path());
        repository.publish(&builds[0], GAME, "1.0", &[]);
        let origin = repository.serve(&[]);
        let (player, old) = (Person::at(&base.path().join("player")), base.path().join("old"));
        let root = repository.root();
        let words =
            ["install", &origin.url, "--game", GAME, "--dir", text(&old), "--root", text(&root), "--no-lan"];
        player.done(&words);
        repository.publish(&builds[1], GAME, "1.1", &[]);
        Self { base, builds, old, player, _origin: origin }
    }

    /// A copy of the old game with something of the player's in it.
    fn game(&self, name: &str) -> PathBuf {
        let dir = self.base.path().join("games").join(name);
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        let copied = Command::new("cp").args(["-a", text(&self.old), text(&dir)]).status().unwrap();
        assert!(copied.success());
        fs::write(dir.join("mine.txt"), b"mine").unwrap();
        dir
    }

    fn update(&self, dir: &Path) -> Running {
        self.player.start(&["update", text(dir), "--no-lan"])
    }

    /// Which release stands in `dir`; whatever was cut short is finished first.
    fn stands(&self, dir: &Path) -> usize {
        drop(GameFolder::open(Arc::new(RealFs), dir).unwrap());
        assert_eq!(fs::read(dir.join("mine.txt")).unwrap(), b"mine");
        let mut found = tree::read(dir);
        found.remove(Path::new("mine.txt"));
        let stands = self.builds.iter().position(|build| tree::read(build) == found);
        stands.unwrap_or_else(|| panic!("neither old nor new: {:?}", found.keys()))
    }

    /// How long an update takes that nobody disturbs.
    fn time(&self) -> Duration {
        let (dir, begun) = (self.game("timed"), Instant::now());
        let mut program = self.update(&dir);
        assert!(program.wait(LIMIT).success(), "{}", program.errors());
        assert_eq!(self.stands(&dir), 1);
        begun.elapsed()
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn killed_at_random_times_of_a_download_and_its_apply() {
    let scene = Scene::start();
    let whole = scene.time();
    let seed = number("MUSTER_SEED", 4);
    let mut rng = fastrand::Rng::with_seed(seed);
    let kills = number("MUSTER_KILLS", 40);
    let (mut dir, mut game, mut done) = (scene.game("0"), 0, 0);
    for kill in 0..kills {
        let mut program = scene.update(&dir);
        let after = whole.mul_f64(rng.f64() * 1.05);
        let what = format!("MUSTER_SEED={seed}, kill {kill} after {after:?} of {whole:?}");
        match program.ended_within(after) {
            Some(status) => assert!(status.success(), "{what}: {}", program.errors()),
            None => program.signal("KILL"),
        }
        program.wait(LIMIT);
        if scene.stands(&dir) == 1 {
            // Again from the start, in another folder.
            fs::remove_dir_all(&dir).unwrap();
            (game, done) = (game + 1, done + 1);
            dir = scene.game(&game.to_string());
        }
    }
    let mut program = scene.update(&dir);
    assert!(program.wait(LIMIT).success(), "{}", program.errors());
    assert_eq!(scene.stands(&dir), 1);
    println!("{done} updates came to their end in spite of {kills} kills");
    proof::count(Line::Faults, kills, kills);
}

#[test]
fn a_second_program_at_random_times_is_turned_away_or_waits_its_turn() {
    let scene = Scene::start();
    let whole = scene.time();
    let mut rng = fastrand::Rng::with_seed(number("MUSTER_SEED", 7));
    for round in 0..3 {
        let dir = scene.game(&format!("second{round}"));
        let mut first = scene.update(&dir);
        let mut others = Vec::new();
        for words in [vec!["verify", text(&dir)], vec!["update", text(&dir), "--no-lan"]] {
            std::thread::sleep(whole.mul_f64(rng.f64() / 3.0));
            others.push((words[0], scene.player.start(&words)));
        }
        let first_code = first.wait(LIMIT).code();
        for (verb, mut other) in others {
            let code = other.wait(LIMIT).code();
            let said = other.errors();
            assert!(matches!(code, Some(0 | 15)), "{verb}: {code:?}: {said}");
            assert!(code == Some(0) || said.len() > 10, "{verb}: turned away with words");
        }
        // The second may have been first.
        assert!(matches!(first_code, Some(0 | 15)), "{first_code:?}: {}", first.errors());
        let mut last = scene.update(&dir);
        assert!(last.wait(LIMIT).success(), "{}", last.errors());
        assert_eq!(scene.stands(&dir), 1);
    }
}

#[test]
fn an_update_while_the_game_runs_and_holds_its_files_open() {
    let scene = Scene::start();
    let dir = scene.game("open");
    // The game was started from a file that the update replaces, and reads from another.
    let program = dir.join("levels/0.bin");
    let was = fs::read(&program).unwrap();
    let held = fs::File::open(dir.join("data/changed.pak")).unwrap();
    let mut first = [0; 64];
    held.read_exact_at(&mut first, 500_000).unwrap();
    let mapped = fs::File::open(&program).unwrap();
    let mut update = scene.update(&dir);
    assert!(update.wait(LIMIT).success(), "{}", update.errors());
    // What is open stays what it was; what is opened from now on is new.
    let mut again = [0; 64];
    held.read_exact_at(&mut again, 500_000).unwrap();
    assert_eq!(first, again);
    let mut whole = vec![0; was.len()];
    mapped.read_exact_at(&mut whole, 0).unwrap();
    assert_eq!(whole, was);
    assert_eq!(scene.stands(&dir), 1);
}

#[test]
fn a_state_of_a_newer_program_is_left_alone_with_words() {
    let scene = Scene::start();
    for (number, file) in
        ["state.json", "partial.json", "journal.json", "installed.manifest"].iter().enumerate()
    {
        let dir = scene.game(&format!("newer{number}"));
        let path = dir.join(".muster").join(file);
        let old =
            fs::read_to_string(&path).unwrap_or_else(|_| r#"{"format":1,"complete":"required"}"#.into());
        let newer =
            old.replacen("\"format\":1", "\"format\":99", 1).replacen("\"format\": 1", "\"format\": 99", 1);
        fs::write(&path, &newer).unwrap();
        let before = tree::read(&dir);
        let opened = GameFolder::open(Arc::new(RealFs), &dir);
        assert!(matches!(opened, Err(StoreError::StateTooNew { .. })), "{file}: {opened:?}");
        drop(opened);
        let outcome = scene.player.run(&["update", text(&dir), "--no-lan"]);
        assert_eq!(outcome.result()["code"], "STATE_TOO_NEW", "{file}");
        assert!(outcome.errors.len() > 10 && outcome.code != 0, "{file}: {}", outcome.errors);
        assert!(
            tree::read(&dir) == before && fs::read_to_string(&path).unwrap() == newer,
            "{file}: as it was"
        );
    }
}
