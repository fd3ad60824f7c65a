//! Debian packages, through apt, when `dpkg` says that one is missing.

use crate::{
    failure::Failure,
    process::{capture, command, run, succeeds},
};
use std::path::Path;

/// Which set is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    /// To build and to open the launcher, with a display or without.
    Demo,
    /// The same, and what the whole-product tests drive.
    All,
    /// What `bench swarm` runs beside ours.
    Bench,
    /// What `bench updates` runs beside ours.
    Updates,
}

/// Package, and what it is for.
const DEMO: &[(&str, &str)] = &[
    ("build-essential", "a C compiler and linker"),
    ("pkg-config", "finds the libraries"),
    ("libwebkit2gtk-4.1-dev", "the launcher's web view"),
    ("librsvg2-dev", "the web view's pictures"),
    ("libasound2-dev", "the demo game's sound"),
    ("xvfb", "a display where there is none"),
    ("xauth", "used by xvfb-run"),
    ("dbus", "the session bus of a headless run"),
    ("imagemagick", "pictures of the window"),
    ("xdotool", "finds the window"),
    ("x11-utils", "asks the display about its windows"),
    ("xdg-utils", "opens the system's browser"),
];
const TEST: &[(&str, &str)] = &[
    ("python3-venv", "the Python environment with libtorrent and python-tuf"),
    ("webkit2gtk-driver", "drives the launcher's window"),
    ("openbox", "a window manager, without which no window is minimised"),
    ("chromium", "the browser in which the test signs in"),
    ("chromium-driver", "drives that browser"),
    ("gnome-keyring", "a secret store for the test"),
    ("libsecret-tools", "looks into the secret store"),
    ("qbittorrent-nox", "a client in the mixed swarms, without a window"),
    ("opentracker", "a tracker in place of ours"),
    ("nginx-light", "a plain web server as origin"),
    ("iproute2", "network namespaces and shaped links"),
    ("strace", "system calls that fail or kill, one after the other"),
    ("e2fsprogs", "an ext4 whose power is cut"),
    ("xfsprogs", "an XFS whose power is cut, and the cut itself"),
];
const BENCH: &[(&str, &str)] = &[
    ("python3-venv", "the Python environment with libtorrent"),
    ("iproute2", "network namespaces and shaped links"),
    ("nginx-light", "a plain web server as origin"),
    ("opentracker", "a tracker that all clients share"),
    ("aria2", "a rival on v1 torrents"),
    ("curl", "the floor: plain HTTP"),
];
const UPDATES: &[(&str, &str)] = &[
    ("python3-venv", "the Python environment with HDiffPatch"),
    ("zstd", "patches with the old file as prefix"),
    ("xdelta3", "a rival"),
    ("bsdiff", "a rival"),
    ("casync", "a rival that fetches chunks"),
    ("xz-utils", "what zucchini's patches are compressed with"),
    ("clang-19", "builds zucchini, a rival on programs"),
    ("libc++-19-dev", "its library"),
    ("libc++abi-19-dev", "its library"),
];

/// Installs what is missing of `which`; says what and why.
pub(super) fn bring(which: Packages) -> Result<(), Failure> {
    if !Path::new("/usr/bin/dpkg-query").exists() {
        println!("not a Debian system: please see to the equivalents of these yourself:");
        wanted(which).iter().for_each(|(name, why)| println!("  {name:<26} {why}"));
        return Ok(());
    }
    let missing: Vec<_> = wanted(which).into_iter().filter(|(name, _)| !installed(name)).collect();
    if missing.is_empty() {
        println!("all there");
        return Ok(());
    }
    println!("needs root, to install with apt (about two minutes, 250 MB, when all are missing):");
    missing.iter().for_each(|(name, why)| println!("  {name:<26} {why}"));
    apt(&["update", "--quiet"], &[])?;
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    apt(&["install", "--quiet", "--yes", "--no-install-recommends"], &names)
}

/// Whether we are root already.
pub(crate) fn is_root() -> bool {
    capture(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn wanted(which: Packages) -> Vec<(String, &'static str)> {
    let ubuntu = std::fs::read_to_string("/etc/os-release").is_ok_and(|text| text.contains("\nID=ubuntu"));
    let lists: &[&[_]] = match which {
        Packages::Demo => &[DEMO],
        Packages::All => &[DEMO, TEST],
        Packages::Bench => &[BENCH],
        Packages::Updates => &[UPDATES],
    };
    let all = lists.iter().copied().flatten();
    all.map(|(name, why)| (named_here(name, ubuntu).to_owned(), *why)).collect()
}

/// Ubuntu names two packages otherwise.
fn named_here(name: &'static str, ubuntu: bool) -> &'static str {
    match name {
        "chromium" if ubuntu => "chromium-browser",
        "chromium-driver" if ubuntu => "chromium-chromedriver",
        other => other,
    }
}

fn installed(name: &str) -> bool {
    let mut query = command("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status}", name]).stderr(std::process::Stdio::null());
    query.output().is_ok_and(|output| output.stdout == b"installed")
}

fn apt(verb: &[&str], names: &[&str]) -> Result<(), Failure> {
    let mut apt = if is_root() {
        command("apt-get")
    } else if succeeds(command("sudo").arg("--version")) {
        let mut sudo = command("sudo");
        sudo.arg("apt-get");
        sudo
    } else {
        return Err(Failure::Missing {
            what: "these packages need root, and there is no sudo".to_owned(),
            bring: format!("apt-get update && apt-get install --yes {}", names.join(" ")),
        });
    };
    // Another apt may be at work, as on a machine that has just started.
    run(apt
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(verb)
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}
