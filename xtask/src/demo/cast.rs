//! Who takes part: the studio that publishes, its servers, three players who seed, and the launcher.

use super::{desktop::Desktop, feed};
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{Running, command, run},
};
use serde_json::Value;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const GAME: &str = "emberfall";
const READY_LIMIT: Duration = Duration::from_secs(60);
/// What the three players give away, each: enough to see, little enough to watch.
const SEED_CAPS: [&str; 3] = ["6 MiB/s", "4 MiB/s", "2 MiB/s"];

/// Everyone but the launcher.
pub(super) struct Cast {
    dir: PathBuf,
    repository_url: String,
    issuer: String,
    feed_url: String,
    _running: Vec<Running>,
}

impl Cast {
    /// Publishes 1.0 and starts everyone, in `dir`.
    pub(super) fn enter(dir: &Path) -> Result<Self, Failure> {
        let home = studio_home(dir);
        let mut init = muster(&home)?;
        init.args(["keys", "init", "--demo", "--repo"]).arg(repository(dir)).arg("--keys").arg(keys(dir));
        run(&mut init)?;
        publish(dir, "1.0")?;
        let mut running = Vec::new();
        let (origin, repository_url) = origin(dir)?;
        running.push(origin);
        let (provider, issuer) = identity_provider(dir)?;
        running.push(provider);
        let feed = feed::serve(place::root().join("demo/feed"))?;
        running.extend(players(dir, &repository_url)?);
        let feed_url = format!("http://{feed}/feed.json");
        Ok(Self { dir: dir.to_path_buf(), repository_url, issuer, feed_url, _running: running })
    }

    /// Opens the launcher in a home of its own.
    pub(super) fn launcher(&self, desktop: &Desktop) -> Result<Running, Failure> {
        let mut launcher = command(place::built("debug", "muster-launcher"));
        launcher.env("MUSTER_REPOSITORY", &self.repository_url).env("MUSTER_ROOT", root(&self.dir));
        launcher.env("MUSTER_FEED", &self.feed_url).env("MUSTER_ISSUER", &self.issuer);
        launcher.env("MUSTER_BRAND_DIR", brand()?);
        at_new_home(&mut launcher, &self.dir.join("home"))?;
        desktop.lend(&mut launcher);
        Running::start("the launcher", launcher.stderr(log(&self.dir, "launcher")?))
    }

    pub(super) fn repository_url(&self) -> &str {
        &self.repository_url
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn feed_url(&self) -> &str {
        &self.feed_url
    }
}

/// The brand that the caller names in the environment, as to try another one; else the demo's own.
fn brand() -> Result<PathBuf, Failure> {
    match std::env::var_os("MUSTER_BRAND_DIR").map(PathBuf::from) {
        Some(named) => std::path::absolute(&named).at(&named),
        None => Ok(place::root().join("demo/brand")),
    }
}

/// Makes the demo game's build of `version` and publishes it.
pub(super) fn publish(dir: &Path, version: &str) -> Result<(), Failure> {
    let build = dir.join(format!("build-{version}"));
    let mut make = command(place::built("debug", "demo-assets"));
    make.args(["--version", version, "--game-bin"]).arg(place::built("debug", "demo-game"));
    run(make.arg("--out").arg(&build))?;
    let mut publish = muster(&studio_home(dir))?;
    publish.arg("publish").arg(&build).arg("--repo").arg(repository(dir)).arg("--keys").arg(keys(dir));
    run(publish.args(["--game", GAME, "--version", version]))
}

fn origin(dir: &Path) -> Result<(Running, String), Failure> {
    let mut serve = muster(&studio_home(dir))?;
    serve.args(["serve", "--json", "--listen", "127.0.0.1:0", "--repo"]).arg(repository(dir));
    let mut origin = Running::start("muster serve", serve.stderr(log(dir, "serve")?))?;
    let url = origin.wait_for_line(READY_LIMIT, "the origin's readiness", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["t"] == "ready").then(|| line["url"].as_str().map(str::to_owned))?
    })?;
    Ok((origin, url))
}

fn identity_provider(dir: &Path) -> Result<(Running, String), Failure> {
    let mut node = command("node");
    node.arg("demo/idp/server.mjs");
    let mut provider = Running::start("identity provider", node.stderr(log(dir, "idp")?))?;
    let issuer = provider.wait_for_line(READY_LIMIT, "the identity provider's readiness", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["issuer"].as_str().map(str::to_owned)
    })?;
    Ok((provider, issuer))
}

/// Three who install at once, and then seed.
fn players(dir: &Path, url: &str) -> Result<Vec<Running>, Failure> {
    let start = |(index, cap): (usize, &&str)| player(dir, index, cap, url);
    let mut players = SEED_CAPS.iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
    for player in &mut players {
        player.wait_for_line(READY_LIMIT, "a player's installed game", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["t"] == "ready").then_some(())
        })?;
    }
    Ok(players)
}

/// Installs, and goes on seeding under a cap.
fn player(dir: &Path, index: usize, cap: &str, url: &str) -> Result<Running, Failure> {
    let name = format!("player-{index}");
    let mut install = muster(&dir.join(&name).join("home"))?;
    install.args(["install", url, "--game", GAME, "--stay", "--no-lan", "--json", "--limit-up", cap]);
    install.arg("--dir").arg(dir.join(&name).join("game")).arg("--root").arg(root(dir));
    Running::start(&name, install.stderr(log(dir, &name)?))
}

fn muster(home: &Path) -> Result<Command, Failure> {
    let mut muster = command(place::built("debug", "muster"));
    at_new_home(&mut muster, home)?;
    Ok(muster)
}

fn at_new_home(command: &mut Command, home: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(home).at(home)?;
    place::at_home(command, home);
    Ok(())
}

fn log(dir: &Path, name: &str) -> Result<File, Failure> {
    let path = dir.join(format!("{name}.log"));
    File::create(&path).at(path)
}

fn studio_home(dir: &Path) -> PathBuf {
    dir.join("studio")
}

fn repository(dir: &Path) -> PathBuf {
    dir.join("repository")
}

fn keys(dir: &Path) -> PathBuf {
    dir.join("keys")
}

fn root(dir: &Path) -> PathBuf {
    repository(dir).join("metadata/1.root.json")
}
