//! What happened in a run, line by line, for whoever wants to know why it took so long.

use super::super::super::{fleet::Said, netns::Carried};
use crate::{
    failure::{AtPath, Failure},
    place,
};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Ends of the names of files that are kept of a run's own logs.
const KEPT: [&str; 1] = ["access.log"];

/// A file of JSON lines: what each program said, and the counters of the links, each with its second.
pub(super) struct Log {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Log {
    /// Over the one of the same name.
    pub(super) fn open(tag: &str) -> Result<Self, Failure> {
        let path = place::ours("bench/swarm-logs")?.join(format!("{tag}.jsonl"));
        Ok(Self { file: BufWriter::new(File::create(&path).at(&path)?), path })
    }

    pub(super) fn said(&mut self, started: Instant, said: &Said) -> Result<(), Failure> {
        let seconds = said.at.saturating_duration_since(started).as_secs_f64();
        self.line(&json!({ "s": seconds, "who": said.who, "line": said.line }))
    }

    /// Bytes sent and received by each node since the world began; the origin is the first.
    pub(super) fn carried(&mut self, since_start: Duration, links: &[Carried]) -> Result<(), Failure> {
        let sent: Vec<u64> = links.iter().map(|link| link.sent).collect();
        let received: Vec<u64> = links.iter().map(|link| link.received).collect();
        self.line(&json!({ "s": since_start.as_secs_f64(), "sent": sent, "received": received }))
    }

    /// Takes the programs' own logs that are worth it.
    pub(super) fn keep(&mut self, folder: &Path) -> Result<(), Failure> {
        self.file.flush().at(&self.path)?;
        for name in KEPT {
            let from = folder.join(name);
            if from.exists() {
                let to = self.path.with_extension(name);
                std::fs::copy(&from, &to).at(&to)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &Value) -> Result<(), Failure> {
        writeln!(self.file, "{line}").at(&self.path)
    }
}
