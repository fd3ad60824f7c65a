//! A studio: a build folder, a repository and keys, and a player's way of reading it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use publisher::{PublishError, PublishReport, PublishRequest, publish};
use release::channel::Channel;
use release::hash::Hash32;
use release::manifest::Manifest;
use release::metainfo::Metainfo;
use tempfile::TempDir;
use trust::keys::{self, InitOptions};
use trust::{Client, FolderTransport, LoadRequest};

pub(crate) const CONFIG: &str = r#"
title = "Ember Fall"
notes = "First light."
keep = 2
ignore = ["*.pdb", "cache"]

[launch.linux-x86_64]
executable = "bin/game"
arguments = ["--from", "muster"]

[[files]]
match = "saves"
kind = "user"

[[files]]
match = "extra/**"
set = "optional"
"#;

pub(crate) struct Studio {
    dir: TempDir,
    root: Vec<u8>,
}

impl Studio {
    /// With a build of a program, compressible and incompressible data, an empty file and an empty folder.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = now();
        let options = InitOptions { demo: true };
        let report = keys::init(&dir.path().join("keys"), &dir.path().join("repo"), options, now).unwrap();
        let studio = Self { dir, root: report.root };
        studio.write("muster.toml", CONFIG.as_bytes());
        studio.write("bin/game", b"#!/bin/sh\nexit 0\n");
        studio.write("data/text.pak", &text(1, 300_000));
        studio.write("data/noise.pak", &noise(1, 300_000));
        studio.write("data/empty", b"");
        studio.write("saves/default.sav", b"hp=10");
        studio.write("extra/song.ogg", &noise(2, 40_000));
        studio.write("bin/game.pdb", b"symbols");
        studio.write("cache/x", b"left over");
        fs::create_dir_all(studio.build().join("mods")).unwrap();
        studio
    }

    pub(crate) fn build(&self) -> PathBuf {
        self.dir.path().join("build")
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.build().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn request(&self, version: &str) -> PublishRequest {
        PublishRequest {
            build_dir: self.build(),
            repo_dir: self.repo(),
            keys_dir: self.dir.path().join("keys"),
            game: "ember".parse().unwrap(),
            version: version.parse().unwrap(),
            channel: "live".parse().unwrap(),
            config: None,
            trackers: vec![],
            mirrors: vec![],
            origin: publisher::Origin::default(),
            patch_from: vec![],
            plain: false,
            picture: None,
            unlock: None,
            dry_run: false,
            now: now(),
        }
    }

    pub(crate) fn publish(&self, version: &str) -> PublishReport {
        run(&self.request(version)).unwrap()
    }

    /// A target as a player's program gets it.
    pub(crate) fn target(&self, name: &str) -> Vec<u8> {
        self.read(async |client| client.target(name, 1 << 24).await.unwrap())
    }

    fn read<T>(&self, how: impl AsyncFnOnce(&Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let state = tempfile::tempdir().unwrap();
        let request = LoadRequest {
            trusted_root: &self.root,
            state_dir: state.path(),
            now: now(),
            built_at: None,
            installed: false,
        };
        runtime.block_on(async {
            let transport = Arc::new(FolderTransport::new(self.repo()));
            how(&Client::load(transport, request).await.unwrap()).await
        })
    }

    /// Names of all targets, sorted.
    pub(crate) fn target_names(&self) -> Vec<String> {
        let mut names =
            self.read(async |client| client.target_names().map(str::to_owned).collect::<Vec<_>>());
        names.sort();
        names
    }

    pub(crate) fn manifest(&self, version: &str) -> Manifest {
        Manifest::parse(&self.target(&format!("ember~{version}.manifest"))).unwrap()
    }

    pub(crate) fn torrent(&self, version: &str) -> Metainfo {
        Metainfo::parse(&self.target(&format!("ember~{version}.torrent"))).unwrap()
    }

    pub(crate) fn channel(&self) -> Channel {
        Channel::parse(&self.target("ember~live.json")).unwrap()
    }

    pub(crate) fn content(&self, root: &Hash32) -> PathBuf {
        self.repo().join("content").join(format!("{root}.zst"))
    }

    pub(crate) fn content_bytes(&self) -> u64 {
        tree(&self.repo().join("content")).values().map(|bytes| bytes.len() as u64).sum()
    }
}

pub(crate) fn run(request: &PublishRequest) -> Result<PublishReport, PublishError> {
    publish(request, &mut |_| ())
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Every file of a folder with its bytes.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path(), fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Bytes that compress well, the same for the same seed.
pub(crate) fn text(seed: u64, length: usize) -> Vec<u8> {
    noise(seed, length).into_iter().map(|byte| b"aeinrst "[usize::from(byte % 8)]).collect()
}
