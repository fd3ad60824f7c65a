//! Consecutive releases of real games, from the registries' ordinary clients, and whatever else the caller names.

use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, command, run, succeeds},
};
use std::path::{Path, PathBuf};

/// Two trees, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) old: PathBuf,
    pub(super) new: PathBuf,
}

impl Pair {
    /// What the command line gives: `NAME=OLD:NEW`.
    pub(super) fn parse(word: &str) -> Result<Self, Failure> {
        let (name, trees) = word.split_once('=').ok_or(Failure::Usage)?;
        let (old, new) = trees.split_once(':').ok_or(Failure::Usage)?;
        let whole = |path: &str| std::path::absolute(path).at(path);
        Ok(Self { name: name.to_owned(), old: whole(old)?, new: whole(new)? })
    }
}

/// Where a release comes from.
enum Source {
    /// A wheel: name, version, platform.
    Wheel(&'static str, &'static str, &'static str),
    /// Debian packages of a suite.
    Debian(&'static str, &'static [&'static str]),
}

const ANY: &str = "any";
const LINUX: &str = "manylinux2014_x86_64";
const LINUX_ARM: &str = "manylinux2014_aarch64";
const WINDOWS: &str = "win_amd64";
const WESNOTH: &[&str] = &["wesnoth-1.18", "wesnoth-1.18-data"];

/// The first four are the pairs that other figures refer to; the rest keeps us from fitting to those.
const KNOWN: [(&str, Source, Source); 6] = [
    ("arcade", Source::Wheel("arcade", "3.3.2", ANY), Source::Wheel("arcade", "3.3.3", ANY)),
    ("panda3d", Source::Wheel("panda3d", "1.10.15", LINUX), Source::Wheel("panda3d", "1.10.16", LINUX)),
    ("freedoom", Source::Debian("bookworm", &["freedoom"]), Source::Debian("trixie", &["freedoom"])),
    ("wesnoth", Source::Debian("trixie", WESNOTH), Source::Debian("forky", WESNOTH)),
    (
        "panda3d-arm",
        Source::Wheel("panda3d", "1.10.15", LINUX_ARM),
        Source::Wheel("panda3d", "1.10.16", LINUX_ARM),
    ),
    (
        "panda3d-win",
        Source::Wheel("panda3d", "1.10.15", WINDOWS),
        Source::Wheel("panda3d", "1.10.16", WINDOWS),
    ),
];

/// Names of the pairs that can be had by name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, ..)| *name)
}

/// Brings a pair by name, once.
pub(super) fn bring(name: &str) -> Result<Pair, Failure> {
    let (_, old, new) = KNOWN.iter().find(|(known, ..)| *known == name).ok_or(Failure::Usage)?;
    let folder = place::ours("updates")?.join(name);
    let pair = Pair { name: name.to_owned(), old: folder.join("old"), new: folder.join("new") };
    for (source, tree) in [(old, &pair.old), (new, &pair.new)] {
        if tree.exists() {
            continue;
        }
        let unpacked = folder.join("unpacking");
        if unpacked.exists() {
            std::fs::remove_dir_all(&unpacked).at(&unpacked)?;
        }
        std::fs::create_dir_all(&unpacked).at(&unpacked)?;
        source.unpack(&folder, &unpacked)?;
        // Links are no part of a release; what they point at is there as itself.
        run(command("find").arg(&unpacked).args(["-type", "l", "-delete"]))?;
        std::fs::rename(&unpacked, tree).at(tree)?;
    }
    Ok(pair)
}

impl Source {
    fn unpack(&self, folder: &Path, into: &Path) -> Result<(), Failure> {
        let packed = folder.join("packed");
        if packed.exists() {
            std::fs::remove_dir_all(&packed).at(&packed)?;
        }
        std::fs::create_dir_all(&packed).at(&packed)?;
        match self {
            Self::Wheel(name, version, platform) => wheel(name, version, platform, &packed)?,
            Self::Debian(suite, packages) => debian(suite, packages, &packed)?,
        }
        for entry in std::fs::read_dir(&packed).at(&packed)? {
            let file = entry.at(&packed)?.path();
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("deb") => run(command("dpkg").arg("-x").arg(&file).arg(into))?,
                _ => run(command(place::from_venv("python"))
                    .args(["-m", "zipfile", "-e"])
                    .arg(&file)
                    .arg(into))?,
            }
        }
        std::fs::remove_dir_all(&packed).at(&packed)
    }
}

fn wheel(name: &str, version: &str, platform: &str, into: &Path) -> Result<(), Failure> {
    let mut pip = command(place::from_venv("python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--python-version", "3.11", "--platform", platform, "--dest"]);
    run(pip.arg(into).arg(format!("{name}=={version}")))
}

/// Packages of any suite of the archive that this machine uses, without changing what it is set up for.
fn debian(suite: &str, packages: &[&str], into: &Path) -> Result<(), Failure> {
    let home = place::ours("updates")?.join(format!("apt-{suite}"));
    for folder in ["lists/partial", "cache/archives/partial"] {
        let folder = home.join(folder);
        std::fs::create_dir_all(&folder).at(&folder)?;
    }
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let list = home.join("sources.list");
    let line = format!("deb [signed-by={keyring}] {} {suite} main\n", archive()?);
    std::fs::write(&list, line).at(&list)?;
    let apt = |words: &[&str]| {
        let mut apt = command("apt-get");
        for (key, path) in [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::State::lists", "lists"),
            ("Dir::Cache", "cache"),
        ] {
            apt.arg("-o").arg(format!("{key}={}", home.join(path).display()));
        }
        // Unpacked and never run: an archive key newer than this machine's keyring is no harm here.
        apt.args([
            "-o",
            "Dir::Etc::sourceparts=-",
            "-o",
            "Acquire::AllowInsecureRepositories=true",
            "--quiet",
        ]);
        apt.args(["-o", "APT::Get::AllowUnauthenticated=true"]).args(words);
        apt.current_dir(into);
        apt
    };
    if !succeeds(&mut apt(&["update"])) {
        return Err(Failure::Unexpected { what: format!("the suite {suite} cannot be reached from here") });
    }
    run(apt(&["download"]).args(packages))
}

/// The archive that this machine's packages come from.
fn archive() -> Result<String, Failure> {
    let words = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"];
    let all = capture(command("apt-get").args(words))?;
    let first = all.lines().find(|line| line.trim_end_matches('/').ends_with("/debian"));
    let missing = || Failure::Unexpected { what: "no Debian archive is set up on this machine".into() };
    first.map(str::to_owned).ok_or_else(missing)
}
