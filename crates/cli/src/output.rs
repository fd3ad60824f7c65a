//! What a verb says: JSON Lines on stdout for programs, words and a bar on stderr for people.

use crate::{Done, error::CliError, exit};
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{
    io::{self, IsTerminal, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Version of the lines' shape.
const VERSION: u32 = 1;
/// How often progress is said at most.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// A line for programs; version and kind stand first, for people who read along.
#[derive(Debug, Serialize)]
struct Line<'a> {
    v: u32,
    t: &'a str,
    #[serde(flatten)]
    fields: Value,
}

/// Cheap to clone; all clones share one bar.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    json: bool,
    bar: Arc<Mutex<Option<ProgressBar>>>,
    fancy: bool,
}

/// How far something is, for people.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bar {
    /// What is going on, as a word.
    pub(crate) what: String,
    /// Bytes done and in all.
    pub(crate) bytes: Option<(u64, u64)>,
    /// What else is worth a glance.
    pub(crate) detail: String,
}

impl Output {
    /// With a bar only where somebody looks at it.
    pub(crate) fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, bar: Arc::default(), fancy: !json && !plain && io::stderr().is_terminal() }
    }

    /// Whether a person at a terminal can answer questions.
    pub(crate) fn can_ask(&self) -> bool {
        !self.json && io::stderr().is_terminal() && io::stdin().is_terminal()
    }

    /// An event, for programs only.
    pub(crate) fn event(&self, kind: &str, fields: Value) {
        if self.json {
            print_line(&Line { v: VERSION, t: kind, fields });
        }
    }

    /// Words for people.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        let write = || {
            // Nobody to talk to is no reason to stop working.
            let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
        };
        match &*self.lock() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Shows how far it is; at a terminal only.
    pub(crate) fn bar(&self, state: &Bar) {
        if !self.fancy {
            return;
        }
        let mut held = self.lock();
        let bar = held.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5))
        });
        match state.bytes {
            Some((done, total)) => {
                bar.set_style(style("{prefix:12} {wide_bar} {percent:>3}%  {msg}"));
                bar.set_length(total);
                bar.set_position(done);
                let sizes = format!("{} of {}", BinaryBytes(done), BinaryBytes(total));
                bar.set_message(format!("{sizes}  {}", state.detail));
            }
            None => {
                bar.set_style(style("{prefix:12} {spinner} {msg}"));
                bar.set_message(state.detail.clone());
                bar.tick();
            }
        }
        bar.set_prefix(state.what.clone());
    }

    /// Takes the bar away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    /// Says how it ended and returns the exit code.
    pub(crate) fn end(&self, outcome: Result<Done, CliError>) -> u8 {
        self.clear();
        match &outcome {
            Ok(done) => {
                self.result(Ok(&done.fields));
                done.exit
            }
            Err(error) => {
                self.say(format!("muster: {error} [{}]", error.code));
                self.result(Err(error));
                exit::of(&error.code)
            }
        }
    }

    /// The last line.
    pub(crate) fn result(&self, outcome: Result<&Map<String, Value>, &CliError>) {
        let fields = match outcome {
            Ok(fields) => {
                let mut line =
                    Map::from_iter([("ok".to_owned(), json!(true)), ("code".to_owned(), json!("OK"))]);
                line.extend(fields.clone());
                line
            }
            Err(error) => {
                let mut line = error.fields.clone();
                line.extend([
                    ("ok".to_owned(), json!(false)),
                    ("code".to_owned(), json!(error.code)),
                    ("message".to_owned(), json!(error.message)),
                    ("can_retry".to_owned(), json!(error.can_retry)),
                ]);
                line
            }
        };
        self.event("result", Value::Object(fields));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes for people, in binary units.
pub(crate) fn bytes(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// Bytes per second for people.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", BinaryBytes(bytes_per_second))
}

fn style(template: &str) -> ProgressStyle {
    // The templates stand above; one that is wrong would only show the library's own.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn print_line(line: &Line) {
    // Maps with text as keys always encode.
    let Ok(mut text) = serde_json::to_string(line) else { return };
    text.push('\n');
    let mut stdout = io::stdout().lock();
    // A reader that went away wants nothing more; the work itself goes on.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
