//! The files that everybody wants, and their torrent.

use super::super::super::payload::{Scratch, fill_evenly};
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

const PIECE_LENGTH: u64 = 128 * 1024;
const FILES: u64 = 4;
/// Longest from a peer's word that it is complete until its files are.
const WRITTEN_LIMIT: Duration = Duration::from_secs(10);

/// Files on the RAM disk, and a v2-only torrent of them.
pub(super) struct Goods {
    /// The folder that holds the torrent's own.
    pub(super) home: PathBuf,
    pub(super) torrent: PathBuf,
    pub(super) infohash: String,
}

impl Goods {
    pub(super) fn make(scratch: &Scratch, bytes: u64) -> Result<Self, Failure> {
        let (home, torrent) = (scratch.folder("origin")?, scratch.path("share.torrent"));
        let share = home.join("share");
        fill_evenly(&share, FILES, bytes)?;
        let mut make = command(place::from_venv("python"));
        make.args(["-W", "ignore"]).arg(place::root().join("tests/interop/torrent.py")).arg("make");
        let described =
            capture(make.arg(&share).arg(&torrent).args(["--piece-length", &PIECE_LENGTH.to_string()]))?;
        let described: Value = serde_json::from_str(&described)
            .map_err(|error| Failure::Unexpected { what: format!("torrent.py: {error}") })?;
        let infohash = described["infohash"].as_str().unwrap_or_default().to_owned();
        Ok(Self { home, torrent, infohash })
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
