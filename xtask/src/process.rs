//! Starting programs, waiting for them within bounds, and ending them by their own id.

use crate::{failure::Failure, place};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// Longest a program may take to end after it was asked to.
const END_GRACE: Duration = Duration::from_secs(5);

/// A command that starts in the repository, without what `cargo run` told *us* about ourselves.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(place::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if about_us.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Cargo, with the words given.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(words);
    cargo
}

/// Runs to the end with its output on ours.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    println!("$ {}", words(command));
    let status = command.status().map_err(|source| not_started(command, source))?;
    if status.success() { Ok(()) } else { Err(ended(command, status.to_string())) }
}

/// Runs to the end and returns what it printed; its errors come on our own stderr.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|source| not_started(command, source))?;
    if !output.status.success() {
        return Err(ended(command, output.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether it runs and ends well, without showing anything.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A program that runs beside us until dropped; then it is asked to end, and ended.
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Option<Receiver<String>>,
}

impl Running {
    /// Starts it; what it prints can be read with [`Running::wait_for_line`].
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self, Failure> {
        // Its standard input stays open and empty: some programs end when it ends.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|source| not_started(command, source))?;
        let lines = child.stdout.take().map(|stdout| {
            let (send, lines) = channel();
            std::thread::spawn(move || {
                // Reads on when nobody listens, so that the program never blocks on a full pipe.
                BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(send.send(line)));
            });
            lines
        });
        Ok(Self { name: name.to_owned(), child, lines })
    }

    /// The first line of its output that `wanted` makes something of.
    pub(crate) fn wait_for_line<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Failure> {
        let until = Instant::now() + limit;
        let late = || Failure::Late { what: what.to_owned(), seconds: limit.as_secs() };
        let Some(lines) = &self.lines else { return Err(late()) };
        loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(late()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Ended {
                        program: self.name.clone(),
                        how: format!("ended before {what}; see its log"),
                    });
                }
            }
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end, at most `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<std::process::ExitStatus, Failure> {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() > until {
                return Err(Failure::Late {
                    what: format!("the end of {}", self.name),
                    seconds: limit.as_secs(),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end (SIGTERM where there are signals) and ends it when it does not.
    pub(crate) fn end(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let asked = cfg!(unix) && succeeds(Command::new("kill").args(["-TERM", &self.id().to_string()]));
        if !asked || self.wait(END_GRACE).is_err() {
            let _already_gone = self.child.kill();
            let _reaped = self.child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn words(command: &Command) -> String {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    let root = format!("{}/", place::root().display());
    all.map(|word| word.to_string_lossy().replace(&root, "")).collect::<Vec<_>>().join(" ")
}

fn not_started(command: &Command, source: std::io::Error) -> Failure {
    Failure::NotStarted { program: words(command), source }
}

fn ended(command: &Command, how: String) -> Failure {
    Failure::Ended { program: words(command), how: format!("ended with {how}") }
}
