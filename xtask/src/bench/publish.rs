//! What a release of 1 GiB costs the publisher, and what it costs a player to check it.

use super::{
    measure::to_the_end,
    payload::{Scratch, fill},
    table::Row,
};
use crate::{
    failure::Failure,
    place,
    process::{Running, command, run},
};
use std::{path::Path, process::Command, time::Duration};

const LIMIT: Duration = Duration::from_secs(900);

pub(super) fn rows() -> Result<Vec<Row>, Failure> {
    let scratch = Scratch::new("publish")?;
    let build = scratch.folder("build")?;
    fill(&build, 1 << 30)?;
    let at = Places::init(&scratch)?;
    let (seconds, peak) = measured(muster(&at.home).args(at.publish_words(&build)))?;
    let publish = Row::new("publish 1 GiB of incompressible files", format!("{seconds:.1} s, {peak:.0} MiB"))
        .beside("time, peak memory");
    let origin = super::origin::serve(&at)?;
    let dir = scratch.path("game");
    let mut install = muster(&at.home);
    install.arg("install").arg(&origin.url).args(["--game", "bench", "--no-lan", "--dir"]).arg(&dir);
    run(install.arg("--root").arg(at.repository.join("metadata/1.root.json")))?;
    let (seconds, peak) = measured(muster(&at.home).arg("verify").arg(&dir))?;
    let verify = Row::new("verify 1 GiB installed", format!("{seconds:.1} s, {peak:.0} MiB"))
        .beside("time, peak memory");
    Ok(vec![publish, verify])
}

/// Where a benchmark's repository and its people live.
pub(super) struct Places {
    pub(super) repository: std::path::PathBuf,
    pub(super) keys: std::path::PathBuf,
    pub(super) home: std::path::PathBuf,
}

impl Places {
    /// With an empty signed repository.
    pub(super) fn init(scratch: &Scratch) -> Result<Self, Failure> {
        let (repository, keys) = (scratch.path("repository"), scratch.path("keys"));
        let places = Self { repository, keys, home: scratch.folder("home")? };
        let mut init = muster(&places.home);
        init.args(["keys", "init", "--demo", "--json", "--repo"]).arg(&places.repository);
        run(init.arg("--keys").arg(&places.keys))?;
        Ok(places)
    }

    /// The words that publish `build` as the game `bench` in version 1.
    pub(super) fn publish_words<'a>(&'a self, build: &'a Path) -> Vec<&'a std::ffi::OsStr> {
        let fixed = |word: &'static str| std::ffi::OsStr::new(word);
        vec![
            fixed("publish"),
            build.as_os_str(),
            fixed("--repo"),
            self.repository.as_os_str(),
            fixed("--keys"),
            self.keys.as_os_str(),
            fixed("--game"),
            fixed("bench"),
            fixed("--version"),
            fixed("1"),
        ]
    }
}

/// `muster`, release build, at a home of its own.
pub(super) fn muster(home: &Path) -> Command {
    let mut muster = command(place::built("release", "muster"));
    crate::place::at_home(&mut muster, home);
    muster
}

fn measured(command: &mut Command) -> Result<(f64, f64), Failure> {
    command.arg("--json").stderr(std::process::Stdio::null());
    to_the_end(Running::start("muster", command)?, LIMIT)
}
