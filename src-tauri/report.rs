//! The support report: one text that a player can read before anybody else does.
//!
//! Invariant: it is made of what [`Parts`] names and of nothing else, goes through the [`Redactor`] as a whole, holds no peer
//! at all, and is bounded. What is saved is what was shown: the text itself is kept, not made anew.

use crate::{files, logging, redact::Redactor, settings::Settings};
use engine::snapshot::Diagnosis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    thread,
};
use ts_rs::TS;

/// Bytes of the newest log lines that it holds.
const LOG_MAX: u64 = 256 * 1024;

/// What a player lets into a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(rename = "ReportParts")]
pub(crate) struct Parts {
    /// The state of the game.
    pub(crate) game: bool,
    /// The settings.
    pub(crate) settings: bool,
    /// The last check of the network.
    pub(crate) network: bool,
    /// The newest lines of the log.
    pub(crate) log: bool,
}

/// What there is to report.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The brand's id.
    pub(crate) brand: &'a str,
    /// Now, RFC 3339.
    pub(crate) at: String,
    /// The last snapshot.
    pub(crate) snapshot: Value,
    pub(crate) settings: Settings,
    pub(crate) diagnosis: Option<Diagnosis>,
    /// Where the log is.
    pub(crate) logs: PathBuf,
}

impl Facts<'_> {
    /// The text. Reads the log from the disk.
    pub(crate) fn text(&self, parts: Parts, redactor: &Redactor) -> String {
        let mut text = format!("Support report, made {}\n", self.at);
        section(&mut text, "Launcher", &self.launcher());
        section(&mut text, "System", &system());
        if parts.game {
            section(&mut text, "Game", &pretty(&without_peers(self.snapshot.clone())));
        }
        if parts.settings {
            section(&mut text, "Settings", &pretty(&json!(self.settings)));
        }
        if parts.network {
            section(&mut text, "Network check", &self.network());
        }
        if parts.log {
            let log = newest(&self.logs).unwrap_or_else(|error| format!("cannot be read: {error}"));
            section(&mut text, "Log", &log);
        }
        redactor.line(&text).into_owned()
    }

    fn launcher(&self) -> String {
        let kind = if cfg!(debug_assertions) { "debug" } else { "release" };
        format!("muster-launcher {} ({kind}), brand {}", env!("CARGO_PKG_VERSION"), self.brand)
    }

    fn network(&self) -> String {
        let Some(diagnosis) = &self.diagnosis else { return "not made in this run".to_owned() };
        let mut text = format!("made {}\n", diagnosis.at);
        for finding in &diagnosis.findings {
            let about = finding.about.as_deref().unwrap_or_default();
            let (verdict, check) = (json!(finding.verdict), json!(finding.check));
            let words = (verdict.as_str().unwrap_or_default(), check.as_str().unwrap_or_default());
            // Writing to a text does not fail.
            let _ = writeln!(text, "{:<5} {:<11} {about} {finding}", words.0, words.1);
        }
        text
    }
}

/// Writes a report where the player wants it, whole or not at all.
pub(crate) fn save(path: &Path, text: &str) -> io::Result<()> {
    files::replace(path, text.as_bytes())
}

/// Peers are other people.
fn without_peers(mut snapshot: Value) -> Value {
    if let Some(peers) = snapshot.pointer_mut("/transfer/peers") {
        *peers = json!(peers.as_array().map_or(0, Vec::len));
    }
    snapshot
}

fn section(text: &mut String, title: &str, body: &str) {
    // Writing to a text does not fail.
    let _ = write!(text, "\n== {title} ==\n{}\n", body.trim_end());
}

fn pretty(value: &Value) -> String {
    // Maps with text as keys always encode.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// What kind of machine it is; nothing that tells one of its kind from another.
fn system() -> String {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| "-".to_owned());
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let view = tauri::webview_version().unwrap_or_else(|error| error.to_string());
    format!(
        "{} {} {}\ncores {cores}, web view {view}\ndesktop {}, session {}, language {}",
        env::consts::OS,
        env::consts::ARCH,
        release_name(),
        variable("XDG_CURRENT_DESKTOP"),
        variable("XDG_SESSION_TYPE"),
        variable("LANG"),
    )
}

/// The name that a Linux distribution gives itself (`os-release`); nothing elsewhere.
fn release_name() -> String {
    let text =
        if cfg!(target_os = "linux") { fs::read_to_string("/etc/os-release") } else { Ok(String::new()) };
    let text = text.unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}

/// The newest lines, from whole line to the end, over the last two files where one is too short.
fn newest(logs: &Path) -> io::Result<String> {
    let now = logging::tail(logs, 0, LOG_MAX)?;
    let room = LOG_MAX.saturating_sub(now.len() as u64);
    // There may be none before it.
    let before = logging::tail(logs, 1, room).unwrap_or_default();
    Ok(before + &now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use engine::snapshot::{Check, Finding, FindingCode, Verdict};

    const NOTHING: Parts = Parts { game: false, settings: false, network: false, log: false };
    const ALL: Parts = Parts { game: true, settings: true, network: true, log: true };

    fn text(parts: Parts, log: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("launcher.log"), log).unwrap();
        let finding = Finding::new(Check::Origin, Verdict::Bad, FindingCode::OriginPortal);
        let facts = Facts {
            brand: "ember",
            at: "2026-11-24T00:00:00Z".to_owned(),
            snapshot: json!({ "phase": "ready", "transfer": { "peers": [{ "address": "198.51.100.77:1" }] } }),
            settings: Settings::default_for("live", Path::new("/home/ann/games/ember")),
            diagnosis: Some(Diagnosis::of("today".to_owned(), vec![finding.about("https://a.example/")])),
            logs: dir.path().to_owned(),
        };
        facts.text(parts, &Redactor::new(Some(Path::new("/home/ann"))))
    }

    #[test]
    fn it_holds_what_was_let_in_and_nothing_else() {
        let all = text(ALL, "a line\n");
        for part in ["== Game ==", "== Settings ==", "~/games/ember", "https://a.example/", "a line"] {
            assert!(all.contains(part), "{part} is not in:\n{all}");
        }
        let least = text(NOTHING, "a line\n");
        assert!(least.contains("== System ==") && !least.contains("a line") && !least.contains("ember/"));
        assert!(!least.contains("== Game ==") && !least.contains("a.example"));
    }

    #[test]
    fn a_secret_that_came_into_the_log_does_not_come_out_again() {
        let all = text(ALL, "refresh_token=canary7 from 203.0.113.9\n");
        assert!(
            !all.contains("canary7")
                && !all.contains("203.0.113.9")
                && !all.contains("198.51")
                && !all.contains("/home/ann")
        );
    }

    #[test]
    fn of_a_long_log_the_newest_whole_lines_are_taken() {
        let long: String = (0..40_000).map(|n| format!("line {n} of many\n")).collect();
        let all = text(ALL, &long);
        assert!(all.len() < 300 * 1024 && all.contains("line 39999 of many\n"));
        let log = all.split("== Log ==\n").nth(1).unwrap();
        assert!(log.starts_with("line "), "{}", &log[..40]);
    }
}
