//! The state file: one line a run.

use super::{Client, Context, Row, machine::Before};
use crate::{
    failure::{AtPath, Failure},
    place,
    process::{capture, command},
};
use serde_json::{Map, Value, json};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// One run, as it is written.
pub(super) struct Record(Value);

impl Record {
    pub(super) fn new(
        row: &Row,
        client: Client,
        run: usize,
        identity: String,
        before: &Before,
        figures: Map<String, Value>,
        context: &Context,
    ) -> Self {
        let now = capture(command("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])).unwrap_or_default();
        Self(json!({
            "row": row.name,
            "client": client.name(),
            "run": run,
            "identity": identity,
            "label": if client == Client::Ours { &context.muster_label } else { &context.libtorrent },
            "at": now.trim(),
            "load": before.load,
            "figures": figures,
        }))
    }

    /// A figure that every run of the row has; `None` where this one did not come so far.
    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        self.0["figures"][name].as_f64()
    }

    /// A figure that is a list.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.0["figures"][name].as_array().map_or(&[], Vec::as_slice)
    }

    /// The load average of a minute at its start.
    pub(super) fn load(&self) -> f64 {
        self.0["load"].as_f64().unwrap_or(f64::NAN)
    }

    /// One line for the terminal: figures that are plain numbers.
    pub(super) fn in_short(&self) -> String {
        let figures = self.0["figures"].as_object();
        let plain =
            figures.into_iter().flatten().filter(|(_, value)| !value.is_array() && !value.is_object());
        let each: Vec<String> = plain
            .map(|(name, value)| match value.as_f64() {
                Some(number) => format!("{name} {}", short(number)),
                None => format!("{name} {value}"),
            })
            .collect();
        format!("{}, load {}", each.join(", "), self.load())
    }

    fn is(&self, row: &str, client: Client, identity: &str) -> bool {
        self.0["row"] == row && self.0["client"] == client.name() && self.0["identity"] == identity
    }
}

/// Three digits that matter.
pub(super) fn short(number: f64) -> String {
    if number.fract() == 0.0 || number.abs() >= 1000.0 {
        format!("{number:.0}")
    } else if number.abs() >= 100.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

/// All runs kept.
pub(super) struct State {
    path: PathBuf,
    records: Vec<Record>,
}

impl State {
    /// What is kept, without the rows that shall be measured anew.
    pub(super) fn open(forget: Option<&Vec<Row>>) -> Result<Self, Failure> {
        let path = place::ours("bench")?.join("swarm.jsonl");
        let text = if path.exists() { std::fs::read_to_string(&path).at(&path)? } else { String::new() };
        let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let forgotten =
            |record: &Value| forget.is_some_and(|rows| rows.iter().any(|row| record["row"] == row.name));
        let records: Vec<Record> = all.filter(|record| !forgotten(record)).map(Record).collect();
        let state = Self { path, records };
        if forget.is_some() {
            let lines: String = state.records.iter().map(|record| format!("{}\n", record.0)).collect();
            std::fs::write(&state.path, lines).at(&state.path)?;
        }
        Ok(state)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The run of this number, if it was done.
    pub(super) fn find(&self, row: &str, client: Client, run: usize, identity: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.is(row, client, identity) && record.0["run"] == run)
    }

    /// All runs of a client in a row.
    pub(super) fn runs(&self, row: &str, client: Client, identity: &str) -> Vec<&Record> {
        self.records.iter().filter(|record| record.is(row, client, identity)).collect()
    }

    /// Keeps a run, also on the disk.
    pub(super) fn append(&mut self, record: Record) -> Result<(), Failure> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).at(&self.path)?;
        writeln!(file, "{}", record.0).at(&self.path)?;
        self.records.push(record);
        Ok(())
    }
}
