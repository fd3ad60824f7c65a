//! What is remembered of a game that runs, so that the next launcher knows it.

use super::{Words, family};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The longest record read back, in bytes.
const FILE_MAX: u64 = 4096;
/// Letters of the name of a game folder's place, enough that no two meet.
const NAME_LETTERS: usize = 24;

/// A run of a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its own id, which its processes carry.
    pub(crate) run: String,
    /// The program that was started.
    pub(crate) pid: u32,
    /// When that began, as the system tells it.
    pub(crate) born: Option<u64>,
    /// When it was started, seconds since 1970.
    pub(crate) started: u64,
}

impl Record {
    /// Of a program that was started just now.
    pub(crate) fn now(run: String, pid: u32) -> Self {
        Self { run, pid, born: family::born(pid), started: since_1970(SystemTime::now()) }
    }

    /// How long it has run. A clock that was set back makes it none.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_secs(since_1970(SystemTime::now()).saturating_sub(self.started))
    }
}

fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Where the run of the game in one folder is remembered, in the user's state folder.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// For the game in `dir`.
    pub(crate) fn of(state: &Path, dir: &Path) -> Self {
        let name = hex::encode(Sha256::digest(dir.as_os_str().as_encoded_bytes()));
        Self(state.join("runs").join(&name[..NAME_LETTERS]))
    }

    /// What is remembered; what cannot be read is forgotten.
    pub(crate) fn record(&self) -> Option<Record> {
        let path = self.file();
        if fs::metadata(&path).ok()?.len() > FILE_MAX {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Remembers it, whole or not at all.
    pub(crate) fn remember(&self, record: &Record) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let beside = self.0.join("running.json.new");
        let mut file = fs::File::create(&beside)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(beside, self.file())
    }

    /// Nothing runs any more.
    pub(crate) fn forget(&self) {
        if let Err(error) = fs::remove_file(self.file())
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a run that ended stays remembered");
        }
    }

    /// A new file for the game's words.
    pub(crate) fn words(&self) -> io::Result<Words> {
        fs::create_dir_all(&self.0)?;
        Words::begin(&self.0)
    }

    /// The last lines of the game's words, if it has a file for them.
    pub(crate) fn last_words(&self) -> Vec<String> {
        Words::open(&self.0).map(|words| words.tail()).unwrap_or_default()
    }

    /// The file to which the game that runs writes.
    pub(crate) fn words_of_running(&self) -> Option<Words> {
        Words::open(&self.0)
    }

    fn file(&self) -> PathBuf {
        self.0.join("running.json")
    }
}
