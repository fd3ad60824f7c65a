//! Local fill, real programs on loopback: strange files in the game folder save the download, a damaged file costs its
//! damaged pieces, and a side file that lies is refused.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use chrono::Utc;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tests::{
    muster::{Origin, Outcome, Person, Repository, text},
    tree,
};
use trust::Editor;

const GAME: &str = "filled";
const BIG: usize = 24 << 20;
/// Put in before the big file's bytes.
const PUT_IN: usize = 1 << 20;
/// What is fetched where few pieces are: signed documents and a few pieces of any size that a release like this has.
const FEW: u64 = 1 << 20;

/// Release 0.9 without the big file installed, and 1.0 with it published. No patch can help: the old release has nothing.
struct Scene {
    base: tempfile::TempDir,
    repository: Repository,
    origin: Origin,
    player: Person,
    dir: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        let origin = repository.serve(&["--no-seed"]);
        let (player, dir) = (Person::at(&base.path().join("home")), base.path().join("game"));
        let scene = Self { base, repository, origin, player, dir };
        let random = &mut fastrand::Rng::with_seed(31);
        for version in ["0.9", "1.0"] {
            tree::write(&scene.build(version).join("readme.txt"), 2_000, random);
        }
        tree::write(&scene.build("1.0").join("data/big.pak"), BIG, random);
        scene.repository.publish(&scene.build("0.9"), GAME, "0.9", &[]);
        scene.install();
        scene.repository.publish(&scene.build("1.0"), GAME, "1.0", &[]);
        scene
    }

    fn build(&self, version: &str) -> PathBuf {
        self.base.path().join("builds").join(version)
    }

    fn big(&self) -> Vec<u8> {
        fs::read(self.build("1.0").join("data/big.pak")).unwrap()
    }

    /// The big file as an import from elsewhere: other name, a megabyte put in before it, a damaged byte here and there.
    fn import(&self) -> PathBuf {
        let mut put_in = vec![0; PUT_IN];
        fastrand::Rng::with_seed(32).fill(&mut put_in);
        let mut bytes = [put_in, self.big()].concat();
        for at in [3 << 20, 11 << 20, (20 << 20) + 7] {
            bytes[at] ^= 0xff;
        }
        let path = self.dir.join("mine/other-name.dat");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn install(&self) -> Outcome {
        let outcome = self.install_into(&self.dir, &[]);
        assert_eq!(outcome.code, 0, "{}", outcome.errors);
        outcome
    }

    fn install_into(&self, dir: &Path, more: &[&str]) -> Outcome {
        let root = self.repository.root();
        let words = ["install", &self.origin.url, "--game", GAME, "--dir", text(dir)];
        self.player.run(&[&words[..], &["--root", text(&root), "--no-lan"], more].concat())
    }

    /// A copy that another program installed: an older readme, the big file damaged in one place, and a save.
    fn foreign(&self, name: &str) -> PathBuf {
        let dir = self.base.path().join(name);
        fs::create_dir_all(dir.join("data")).unwrap();
        let mut big = self.big();
        big[7 << 20] ^= 1;
        fs::write(dir.join("data/big.pak"), big).unwrap();
        fs::write(dir.join("readme.txt"), b"of another shop").unwrap();
        fs::write(dir.join("hero.sav"), b"level 60").unwrap();
        dir
    }

    /// The release stands, and so does what was imported.
    fn assert_stands(&self, import: &Path, imported: &[u8]) {
        assert!(fs::read(import).unwrap() == imported, "a source is only read");
        fs::remove_dir_all(import.parent().unwrap()).unwrap();
        tree::assert_same(&self.build("1.0"), &self.dir);
    }
}

fn downloaded(result: &Value) -> u64 {
    ["origin", "players", "lan"].iter().map(|from| result["downloaded_bytes"][from].as_u64().unwrap()).sum()
}

#[test]
fn an_install_takes_what_a_strange_file_in_the_folder_has() {
    let scene = Scene::new();
    let import = scene.import();
    let imported = fs::read(&import).unwrap();
    let result = scene.install().result();
    let (came, fill) = (downloaded(&result), &result["fill"]);
    println!("{came} of {BIG} bytes came: {fill}");
    assert!(came * 4 < BIG as u64, "{result}");
    let filled = fill["filled_bytes"].as_u64().unwrap();
    assert!(filled + came >= BIG as u64 && filled < BIG as u64, "filled is not downloaded: {result}");
    assert!(fill["side_bytes"].as_u64().unwrap() * 400 < BIG as u64, "{result}");
    scene.assert_stands(&import, &imported);
}

#[test]
fn a_repair_fetches_the_damaged_pieces_and_no_side_file() {
    let scene = Scene::new();
    scene.install();
    let big = scene.dir.join("data/big.pak");
    let mut bytes = fs::read(&big).unwrap();
    bytes.iter_mut().skip(4 << 20).step_by(8 << 20).for_each(|byte| *byte ^= 1);
    fs::write(&big, bytes).unwrap();
    let result = scene.player.done(&["repair", text(&scene.dir), "--no-lan"]);
    let came = downloaded(&result);
    println!("3 damaged bytes of {BIG}: {came} bytes came");
    assert!(came < FEW && result["fill"].is_null(), "{result}");
    tree::assert_same(&scene.build("1.0"), &scene.dir);
}

#[test]
fn a_repair_of_a_file_that_was_renamed_and_shifted_is_filled() {
    let scene = Scene::new();
    scene.install();
    fs::remove_file(scene.dir.join("data/big.pak")).unwrap();
    let import = scene.import();
    let imported = fs::read(&import).unwrap();
    let result = scene.player.done(&["repair", text(&scene.dir), "--no-lan"]);
    println!("{} of {BIG} bytes came: {}", downloaded(&result), result["fill"]);
    assert!(downloaded(&result) * 4 < BIG as u64, "{result}");
    scene.assert_stands(&import, &imported);
}

#[test]
fn a_side_file_that_lies_is_refused_and_one_that_is_not_there_is_not_missed() {
    for lies in [true, false] {
        let scene = Scene::new();
        let mut editor = Editor::open(&scene.repository.dir, &scene.repository.keys).unwrap();
        let name = format!("{GAME}~1.0.leaves");
        let mut leaves = editor.target(&name).unwrap().unwrap();
        if lies {
            // Signed by a stolen key.
            leaves[1000] ^= 1;
            editor.put_target(&name, leaves).unwrap();
        } else {
            assert!(editor.remove_target(&name).unwrap());
        }
        assert!(editor.commit(Utc::now()).unwrap());
        let import = scene.import();
        let imported = fs::read(&import).unwrap();
        let outcome = scene.install();
        assert_eq!(outcome.errors.contains("LEAVES_ROOT"), lies, "{}", outcome.errors);
        let result = outcome.result();
        assert!(result["fill"].is_null() && downloaded(&result) > BIG as u64, "{result}");
        scene.assert_stands(&import, &imported);
    }
}

#[test]
fn a_copy_that_something_else_installed_is_imported_in_place() {
    let scene = Scene::new();
    let dir = scene.foreign("elsewhere");
    let refused = scene.install_into(&dir, &[]);
    assert_eq!(refused.code, 22, "only where it is asked for: {}", refused.errors);
    assert!(
        refused.errors.contains("FOLDER_NOT_OURS") && !dir.join(".muster").exists(),
        "{}",
        refused.errors
    );

    let outcome = scene.install_into(&dir, &["--import"]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    let result = outcome.result();
    println!("{} of {BIG} bytes came into a damaged copy", downloaded(&result));
    assert!(downloaded(&result) < FEW, "one piece, a readme and documents: {result}");
    assert_eq!(fs::read(dir.join("hero.sav")).unwrap(), b"level 60", "what the release does not name stays");
    for path in ["data/big.pak", "readme.txt"] {
        assert!(
            fs::read(dir.join(path)).unwrap() == fs::read(scene.build("1.0").join(path)).unwrap(),
            "{path}"
        );
    }
    let aside = result["moved_aside"].as_array().unwrap();
    assert_eq!(aside.len(), 2, "what stood in the way is kept: {result}");
    assert_eq!(scene.player.run(&["verify", text(&dir)]).code, 0);
}

#[test]
fn a_copy_elsewhere_is_only_read() {
    let scene = Scene::new();
    let copy = scene.foreign("elsewhere");
    let before = tree::read(&copy);
    let dir = scene.base.path().join("second");
    let missing = scene.install_into(&dir, &["--from", text(&scene.base.path().join("no such folder"))]);
    assert!(missing.code != 0 && !dir.exists(), "{}", missing.errors);

    let outcome = scene.install_into(&dir, &["--from", text(&copy)]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    let result = outcome.result();
    println!("{} of {BIG} bytes came beside a damaged copy: {}", downloaded(&result), result["fill"]);
    assert!(downloaded(&result) < FEW, "{result}");
    assert_eq!(tree::read(&copy), before);
    tree::assert_same(&scene.build("1.0"), &dir);
}

#[test]
fn a_folder_without_the_game_is_not_imported() {
    let scene = Scene::new();
    let dir = scene.base.path().join("papers");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("thesis.txt"), b"years").unwrap();
    let refused = scene.install_into(&dir, &["--import"]);
    assert_eq!(refused.code, 22, "{}", refused.errors);
    assert!(refused.errors.contains("NOTHING_TO_IMPORT"), "{}", refused.errors);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "and nothing is left there");
}
