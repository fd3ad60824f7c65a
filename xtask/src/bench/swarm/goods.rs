//! The files that everybody wants, and their torrent.

use super::super::payload::{Scratch, fill_evenly, fill_mixed};
use crate::{
    failure::Failure,
    place,
    process::{capture, command, succeeds},
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Longest from a peer's word that it is complete until its files are.
const WRITTEN_LIMIT: Duration = Duration::from_secs(10);

/// Which files.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tree {
    /// So many of one size.
    Even(u64),
    /// Four large ones and so many small ones.
    Mixed(u64),
}

/// Files on the RAM disk, and a v2-only torrent of them.
pub(super) struct Goods {
    /// The folder that holds the torrent's own.
    pub(super) home: PathBuf,
    pub(super) torrent: PathBuf,
    pub(super) infohash: String,
    /// Bytes in all files.
    pub(super) size: u64,
}

impl Goods {
    /// Makes them in `scratch`.
    pub(super) fn make(
        scratch: &Scratch,
        tree: Tree,
        bytes: u64,
        piece_length: u64,
    ) -> Result<Self, Failure> {
        let (home, torrent) = (scratch.folder("origin")?, scratch.path("share.torrent"));
        let share = home.join("share");
        let size = match tree {
            Tree::Even(files) => fill_evenly(&share, files, bytes)?,
            Tree::Mixed(small) => fill_mixed(&share, small, bytes)?,
        };
        let mut goods = Self { home, torrent, infohash: String::new(), size };
        goods.infohash = goods.torrent(&goods.torrent, "v2", piece_length)?;
        Ok(goods)
    }

    /// Writes a torrent of the same files to `out`; returns its v2 infohash.
    pub(super) fn torrent(&self, out: &Path, flavour: &str, piece_length: u64) -> Result<String, Failure> {
        let mut make = command(place::from_venv("python"));
        make.args(["-W", "ignore"]).arg(place::root().join("tests/interop/torrent.py")).arg("make");
        make.arg(self.home.join("share")).arg(out).args(["--flavour", flavour]);
        let described = capture(make.args(["--piece-length", &piece_length.to_string()]))?;
        let described: Value = serde_json::from_str(&described)
            .map_err(|error| Failure::Unexpected { what: format!("torrent.py: {error}") })?;
        Ok(described["infohash"].as_str().unwrap_or_default().to_owned())
    }

    /// Fails unless `folder` holds the same files soon: a figure of wrong bytes is none.
    pub(super) fn compare(&self, folder: &Path) -> Result<(), Failure> {
        let until = Instant::now() + WRITTEN_LIMIT;
        while !succeeds(command("diff").args(["-rq"]).arg(self.home.join("share")).arg(folder.join("share")))
        {
            if Instant::now() > until {
                return Err(Failure::Unexpected {
                    what: format!("{} is not what was published", folder.display()),
                });
            }
            // libtorrent says that it is complete before its write cache is on the disk.
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}
