//! What was passed on in which month, written down so that a restart does not forget it.
//!
//! A launcher that is killed forgets at most what went in [`KEEP_EVERY`].

use crate::files;
use engine::game::Ledger;
use std::{path::PathBuf, time::Duration};

/// How often it is written, if anything was passed on.
pub(super) const KEEP_EVERY: Duration = Duration::from_secs(10);
/// The longest file read back, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// The file, with what stands in it.
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    kept: Ledger,
}

impl LedgerFile {
    /// Reads what was written last. An unreadable file counts as nothing passed on, and a log line says so.
    pub(super) fn load(path: PathBuf) -> Self {
        let read = files::read(&path, FILE_MAX).map_err(|error| error.to_string());
        let parse = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|error| error.to_string());
        let kept = read.and_then(|bytes| bytes.map(parse).transpose());
        let kept = kept.unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), error, "what was passed on this month is not known");
            None
        });
        Self { path, kept: kept.unwrap_or_default() }
    }

    /// As it was written last.
    pub(super) fn kept(&self) -> &Ledger {
        &self.kept
    }

    /// Writes it down, if it changed.
    pub(super) fn keep(&mut self, ledger: &Ledger) {
        if *ledger == self.kept {
            return;
        }
        let written = serde_json::to_vec(ledger).map_err(std::io::Error::other);
        match written.and_then(|bytes| files::replace(&self.path, &bytes)) {
            Ok(()) => self.kept = ledger.clone(),
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "what was passed on cannot be written down");
            }
        }
    }
}
