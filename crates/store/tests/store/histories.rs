//! Long lives of a game on a disk that breaks: installed, updated, damaged, repaired, preloaded,
//! uninstalled, in any order, with any fault at any call of any of it. After every step the old
//! release stands or the new one, and the player's things are where they were or were moved aside.
//!
//! `MUSTER_SEED` begins at another seed, and `MUSTER_HISTORIES` says how many are lived; a failure
//! names the seed of its history.

use crate::world::*;
use fastrand::Rng;
use proof::Line;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
};
use store::{
    GameFolder, StoreError,
    apply::apply,
    fs::fault::{Fault, Lie},
    place::Places,
    uninstall::uninstall,
    verify::verify,
};

const STEPS: usize = 8;
const NAMES: [&str; 5] = ["a", "b", "c", "A", "long name ü"];

#[test]
fn histories_of_one_half_of_the_seeds() {
    live(0);
}

#[test]
fn histories_of_the_other_half_of_the_seeds() {
    live(1);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn live(half: u64) {
    let first = number("MUSTER_SEED").unwrap_or_else(|| fastrand::u64(..1 << 48));
    println!("MUSTER_SEED={first}");
    let (mut faults, mut cuts) = (0, 0);
    for seed in
        (first..).skip(half as usize).step_by(2).take(number("MUSTER_HISTORIES").unwrap_or(80) as usize)
    {
        let history = std::panic::catch_unwind(|| History::new(seed).live());
        let (more_faults, more_cuts) =
            history.unwrap_or_else(|_| panic!("MUSTER_SEED={seed} is where it failed"));
        (faults, cuts) = (faults + more_faults, cuts + more_cuts);
    }
    proof::count(Line::Faults, faults, faults);
    proof::count(Line::PowerCuts, cuts, cuts);
}

struct History {
    rng: Rng,
    world: World,
    releases: Vec<Release>,
    /// The release that stands.
    stands: Option<usize>,
    /// Somebody damaged it.
    damaged: bool,
    /// A wrong bit was read of our own state, so a file of ours may stay behind.
    smudged: bool,
    players: BTreeMap<String, Vec<u8>>,
    /// Game files that were ever damaged: what lies there is nobody's.
    spoiled: BTreeSet<String>,
    /// What happened, for whoever looks for the cause.
    told: Vec<String>,
    faults: u64,
    cuts: u64,
}

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, release) in self.releases.iter().enumerate() {
                let files = release.files.iter().map(|file| (&file.path, file.bytes.len(), file.user));
                println!("{number}: {:?}", files.collect::<Vec<_>>());
            }
            let stands: Vec<String> = self.world.try_look().into_keys().collect();
            println!("there: {stands:?}; the player's: {:?}", self.players.keys());
            self.told.iter().for_each(|step| println!("{step}"));
        }
    }
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let world = World::new();
        if rng.bool() {
            world.fs.clone_files();
        }
        fs::write(world.outside(), b"not ours").unwrap();
        let releases = (0..3).map(|number| random_release(&mut rng, number)).collect();
        Self {
            rng,
            world,
            releases,
            stands: None,
            damaged: false,
            smudged: false,
            players: BTreeMap::new(),
            spoiled: BTreeSet::new(),
            told: Vec::new(),
            faults: 0,
            cuts: 0,
        }
    }

    fn live(mut self) -> (u64, u64) {
        for _ in 0..STEPS {
            match self.rng.u8(..10) {
                0 => self.uninstall(),
                1 => self.stage_only(),
                2 => self.damage(),
                3 => self.player(),
                _ => self.bring(),
            }
        }
        // And in the end all is well.
        let wanted = self.rng.usize(..3);
        // As the engine does: what reads back wrong is fetched again.
        let mut outcome = self.try_bring(wanted);
        for _ in 0..2 {
            if outcome.as_ref().is_err_and(|error| error.code() == "CONTENT_BAD") {
                outcome = self.try_bring(wanted);
            }
        }
        outcome.unwrap();
        self.damaged = false;
        self.settle(wanted);
        (self.faults, self.cuts)
    }

    fn fault(&mut self) -> Fault {
        let seed = self.rng.u64(..);
        match self.rng.u8(..13) {
            0 | 1 => Fault::Kill,
            2 => Fault::PowerCut { names: true },
            3 => Fault::PowerCut { names: false },
            4 | 5 => Fault::Scatter { seed },
            6 => Fault::Lie([Lie::Nothing, Lie::Short, Lie::OtherBytes][seed as usize % 3]),
            7 => Fault::FlipRead { seed },
            8 => Fault::FailedSync,
            9 => Fault::ErrorsFrom(ErrorKind::StorageFull),
            10 => Fault::ErrorsFrom(ErrorKind::ReadOnlyFilesystem),
            11 => Fault::Error(ErrorKind::PermissionDenied),
            _ => Fault::Error(ErrorKind::Other),
        }
    }

    fn arm(&mut self, what: &str) -> Fault {
        let (fault, at) = (self.fault(), self.rng.u64(1..260));
        self.told.push(format!("{what}; {fault:?} at {at}; {:?} stands", self.stands));
        self.world.fs.revive();
        self.world.fs.arm(at, fault);
        fault
    }

    /// Counts the fault if it struck, and lets the disk work again, perhaps after a second one in recovery.
    fn revive(&mut self, fault: Fault) {
        if self.world.fs.struck() {
            match fault {
                Fault::PowerCut { .. } | Fault::Scatter { .. } => self.cuts += 1,
                _ => self.faults += 1,
            }
            self.smudged |= matches!(fault, Fault::FlipRead { .. });
        }
        self.world.fs.revive();
        if self.rng.u8(..3) == 0 {
            let (again, at) = (self.fault(), self.rng.u64(1..60));
            self.told.push(format!("  again {again:?} at {at}"));
            self.world.fs.arm(at, again);
            drop(self.world.open());
            if self.world.fs.struck() {
                self.smudged |= matches!(again, Fault::FlipRead { .. });
                self.faults += 1;
            }
            self.world.fs.revive();
        }
    }

    fn try_bring(&mut self, wanted: usize) -> store::Result<()> {
        let release = &self.releases[wanted];
        let mut folder =
            GameFolder::create(self.world.seam(), &self.world.dir, &Places::default(), &state())?;
        let (staging, _) = try_stage(&mut folder, release)?;
        apply(&mut folder, &staging, &release.manifest, &release.layers, now(), &job()).map(|_| ())
    }

    /// Installs, updates, goes back, or repairs.
    fn bring(&mut self) {
        let wanted = self.rng.usize(..3);
        let fault = self.arm(&format!("bring {wanted}"));
        let outcome = self.try_bring(wanted);
        self.told.push(format!("  {outcome:?}"));
        self.revive(fault);
        self.damaged &= outcome.is_err();
        self.settle(wanted);
        assert!(outcome.is_err() || self.stands == Some(wanted), "what was said to be done is done");
    }

    /// Finds out which stands.
    fn settle(&mut self, wanted: usize) {
        let opened = self.world.open();
        if let Err(StoreError::FolderMissing { .. }) = &opened {
            assert_eq!(self.stands, None, "an installed game is found again");
            self.check_players();
            return;
        }
        let mut folder = opened.unwrap();
        let look = self.world.look();
        let installed = folder.installed().map(|manifest| manifest.version.clone());
        let is = |index: &usize| Some(&self.releases[*index].manifest.version) == installed.as_ref();
        let stands = (0..3).find(is);
        assert!(stands == self.stands || stands == Some(wanted), "{stands:?} is neither old nor new");
        self.damaged &= stands == self.stands;
        self.stands = stands;
        if self.damaged {
            // Whatever is not repaired is found.
            let Some(index) = stands else { panic!("nothing was damaged") };
            let Release { manifest, layers, .. } = &self.releases[index];
            verify(&mut folder, manifest, layers, &job()).unwrap();
        } else {
            let left = leftovers(&look, stands.map(|index| &self.releases[index]));
            let left: Vec<_> = left.iter().filter(|path| !self.is_players(path)).collect();
            assert!(left.is_empty() || self.smudged, "left over: {left:?}");
            if let Some(index) = stands {
                let Release { manifest, layers, .. } = &self.releases[index];
                let report = verify(&mut folder, manifest, layers, &job()).unwrap();
                assert!(report.is_clean(), "{:?}", report.faults().collect::<Vec<_>>());
            }
        }
        drop(folder);
        self.check_players();
        self.adopt();
    }

    /// The player's own files of a release are the player's from now on. What is content of some release, to the byte,
    /// may become ours again.
    fn adopt(&mut self) {
        let content = |bytes: &Vec<u8>| {
            self.releases
                .iter()
                .flat_map(|release| &release.files)
                .any(|file| !file.user && file.bytes == *bytes)
        };
        if let Some(index) = self.stands {
            let users = |file: &&F| file.user && !self.spoiled.contains(&file.path);
            for file in self.releases[index].files.iter().filter(users) {
                if let Some(bytes) =
                    fs::read(self.world.dir.join(&file.path)).ok().filter(|bytes| !content(bytes))
                {
                    self.players.entry(file.path.clone()).or_insert(bytes);
                }
            }
        }
    }

    /// Also what a release ever gave to the player.
    fn is_players(&self, path: &str) -> bool {
        let mut files = self.releases.iter().flat_map(|release| &release.files);
        self.players.contains_key(path) || files.any(|file| file.user && file.path == path)
    }

    /// Where they were, or moved aside under the same name; and nothing outside changed.
    fn check_players(&self) {
        let look = self.world.try_look();
        for (path, bytes) in &self.players {
            let is = |node: &Node| matches!(node, Node::File(found, _) if found == bytes);
            let aside = |(at, node): (&String, &Node)| {
                at.starts_with("muster-moved-") && at.ends_with(&format!("/{path}")) && is(node)
            };
            assert!(look.get(path).is_some_and(is) || look.iter().any(aside), "{path} is the player's");
        }
        assert_eq!(fs::read(self.world.outside()).unwrap(), b"not ours");
    }

    /// A preload: staged, not applied.
    fn stage_only(&mut self) {
        let wanted = self.rng.usize(..3);
        let fault = self.arm(&format!("stage {wanted}"));
        if let Ok(mut folder) = self.world.open() {
            drop(try_stage(&mut folder, &self.releases[wanted]));
        }
        self.revive(fault);
        // Nothing was applied.
        self.settle(self.stands.unwrap_or(usize::MAX));
    }

    fn uninstall(&mut self) {
        let fault = self.arm("uninstall");
        let gone = self.world.open().and_then(uninstall);
        self.told.push(format!("  {gone:?}"));
        self.revive(fault);
        self.check_players();
        // Cut short, it is done again.
        match self.world.open() {
            Ok(folder) => drop(uninstall(folder).unwrap()),
            Err(StoreError::FolderMissing { .. } | StoreError::FolderNotOurs { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        self.check_players();
        let left = leftovers(&self.world.try_look(), None);
        let left: Vec<_> = left.iter().filter(|path| !self.is_players(path)).collect();
        assert!(left.is_empty() || self.smudged || self.damaged, "left over: {left:?}");
        // A new life in a new place: what is left belongs to nobody's game.
        let world = World::new();
        fs::write(world.outside(), b"not ours").unwrap();
        self.world = world;
        self.players.clear();
        (self.stands, self.damaged) = (None, false);
    }

    /// Bits flip, files are cut, go, or become something else.
    fn damage(&mut self) {
        let Some(index) = self.stands else { return };
        let Release { files, .. } = &self.releases[index];
        let contents: Vec<&F> = files.iter().filter(|file| !file.user && !file.bytes.is_empty()).collect();
        let Some(file) = self.rng.choice(contents) else { return };
        let at = self.world.dir.join(&file.path);
        if !at.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            // Damaged before.
            return;
        }
        self.told.push(format!("damage {}", file.path));
        self.spoiled.insert(file.path.clone());
        let mut bytes = file.bytes.clone();
        let which = self.rng.usize(..bytes.len());
        bytes[which] ^= 1;
        match self.rng.u8(..5) {
            0 => fs::write(&at, bytes).unwrap(),
            1 => fs::write(&at, &file.bytes[..which]).unwrap(),
            kind => {
                fs::remove_file(&at).unwrap();
                match kind {
                    2 => symlink(self.world.outside(), &at).unwrap(),
                    3 => fs::create_dir(&at).unwrap(),
                    _ => {}
                }
            }
        }
        self.damaged = true;
    }

    /// The player puts a file somewhere, or changes one.
    fn player(&mut self) {
        let path = random_path(&mut self.rng);
        let bytes = noise(self.rng.u8(..), 40);
        let ours = self.stands.is_some_and(|index| {
            self.releases[index].files.iter().any(|file| file.path == path && !file.user)
        });
        let at = self.world.dir.join(&path);
        if ours
            || self.stands.is_none()
            || at.is_symlink()
            || at.is_dir()
            || fs::create_dir_all(at.parent().unwrap()).is_err()
        {
            return;
        }
        self.told.push(format!("the player writes {path}"));
        fs::write(at, &bytes).unwrap();
        self.players.insert(path, bytes);
    }
}

fn random_path(rng: &mut Rng) -> String {
    let depth = rng.usize(1..4);
    (0..depth).map(|_| *rng.choice(&NAMES).unwrap()).collect::<Vec<_>>().join("/")
}

fn random_release(rng: &mut Rng, number: usize) -> Release {
    let mut files: Vec<F> = Vec::new();
    for _ in 0..rng.usize(2..8) {
        let path = random_path(rng);
        if !files.iter().all(|other| goes_with(&other.path, &path)) {
            continue;
        }
        let length = *rng.choice(&[0, 100, 300, 40_000, 70_000]).unwrap();
        let mut bytes = noise(rng.u8(..4), length);
        if length > 0 && rng.bool() {
            let at = rng.usize(..length);
            bytes[at] ^= 1;
        }
        let user = rng.u8(..6) == 0;
        if user {
            bytes = format!("default {number} of {path}").into_bytes();
        }
        files.push(F { path, bytes, executable: rng.bool(), user });
    }
    release(&format!("1.{number}"), &files, if rng.bool() { &["empty/dir"] } else { &[] })
}

/// Neither a file and a folder of one name, nor two names that differ by case.
fn goes_with(left: &str, right: &str) -> bool {
    let differ = left.split('/').zip(right.split('/')).find(|(left, right)| left != right);
    differ.is_some_and(|(left, right)| !left.eq_ignore_ascii_case(right))
}

/// Files that are not of this release; its own stand.
fn leftovers(look: &Tree, release: Option<&Release>) -> Vec<String> {
    let expected = release.map(tree_of).unwrap_or_default();
    let user = |path: &String| {
        release.is_some_and(|release| release.files.iter().any(|file| file.user && file.path == *path))
    };
    for (path, node) in expected.iter().filter(|(path, _)| !user(path)) {
        assert_eq!(look.get(path), Some(node), "{path}");
    }
    // A link is not ours, whatever it stands for.
    let is_file = |node: &Node| matches!(node, Node::File(bytes, _) if bytes != b"(link)");
    let files = look.iter().filter(|(_, node)| is_file(node));
    let others =
        files.filter(|(path, _)| !expected.contains_key(*path) && !path.starts_with("muster-moved-"));
    others.map(|(path, _)| path.clone()).collect()
}
