//! What was measured already: one line of JSON a pair and program, known by its name and version.

use crate::{
    failure::{AtPath, Failure},
    place,
};
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf};

pub(super) struct State {
    path: PathBuf,
    lines: Vec<Value>,
}

impl State {
    pub(super) fn open() -> Result<Self, Failure> {
        let path = place::ours("bench")?.join("updates.jsonl");
        let text = if path.exists() { std::fs::read_to_string(&path).at(&path)? } else { String::new() };
        Ok(Self { path, lines: text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() })
    }

    /// The newest figures of a program, by name and identity, on a pair.
    pub(super) fn find(&self, pair: &str, program: &str, identity: &str) -> Option<&Value> {
        let fits = |line: &&Value| {
            line["pair"] == pair && line["program"] == program && line["identity"] == identity
        };
        self.lines.iter().rev().find(fits).map(|line| &line["figures"])
    }

    pub(super) fn append(
        &mut self,
        pair: &str,
        program: &str,
        identity: &str,
        figures: Value,
    ) -> Result<(), Failure> {
        let line = json!({"pair": pair, "program": program, "identity": identity, "figures": figures});
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(&self.path).at(&self.path)?;
        writeln!(file, "{line}").at(&self.path)?;
        self.lines.push(line);
        Ok(())
    }
}
