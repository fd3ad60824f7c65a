//! The player's own file: what was reached in all flights. Replaced whole, never half written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::{self, FileError};

/// `save/progress.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Most points in one flight.
    pub best_score: u32,
    /// Most levels finished in one flight.
    pub furthest: u32,
    /// Embers caught in all flights.
    pub embers: u64,
    /// Flights ended.
    pub flights: u32,
}

impl Progress {
    /// Reads the file; a missing one is a new player.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| FileError::Json { path: path.to_owned(), source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(FileError::Io { path: path.to_owned(), source }),
        }
    }

    /// Writes beside the file, then renames.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| FileError::Json { path: path.to_owned(), source })?;
        let beside = path.with_extension("json.tmp");
        files::write(&beside, (text + "\n").as_bytes())?;
        std::fs::rename(&beside, path).map_err(|source| FileError::Io { path: path.to_owned(), source })
    }

    /// Counts a flight in.
    pub fn record(&mut self, score: u32, reached: u32, embers: u32) {
        self.best_score = self.best_score.max(score);
        self.furthest = self.furthest.max(reached);
        self.embers += u64::from(embers);
        self.flights += 1;
    }
}
