//! Programs that run beside the test: read line by line, waited for within bounds, ended on drop.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

/// Longest a program may take to end after it was asked to.
const END_GRACE: Duration = Duration::from_secs(5);

/// A program that runs beside the test.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Arc<Mutex<String>>,
}

impl Running {
    /// Starts it with its output read by us.
    pub fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        let (send, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            // Reads on when nobody listens any more, so that the program never blocks on a full pipe.
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(send.send(line)));
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&errors));
        std::thread::spawn(move || keep(stderr, &kept));
        Self { name: name.to_owned(), stdin: child.stdin.take(), child, lines, errors }
    }

    /// The next line of its output that `wanted` makes something of. Panics after `limit`, and when
    /// the program ends before.
    pub fn wait_for<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let until = Instant::now() + limit;
        let mut last = String::new();
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => match wanted(&line) {
                    Some(found) => return found,
                    None => last = line,
                },
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{}: no {what} within {limit:?}; last line: {last}\n{}", self.name, self.errors())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let how = self.ended_within(END_GRACE);
                    panic!(
                        "{}: closed its output ({how:?}) before {what}; last: {last}\n{}",
                        self.name,
                        self.errors()
                    )
                }
            }
        }
    }

    /// The next JSON line whose `t` is `kind`.
    pub fn wait_for_json(&mut self, limit: Duration, kind: &str) -> Value {
        self.wait_for(limit, &format!("line of type {kind}"), |line| {
            serde_json::from_str::<Value>(line).ok().filter(|value| value["t"] == kind)
        })
    }

    /// The lines that have come and were not read yet.
    pub fn lines_so_far(&mut self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// What it said on stderr so far.
    #[must_use]
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Lets it see the end of its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, at most `limit`, and returns how it ended.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.ended_within(limit)
            .unwrap_or_else(|| panic!("{}: still there after {limit:?}\n{}", self.name, self.errors()))
    }

    /// How it ended, if it does within `limit`.
    pub fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends it a signal by name (`TERM`, `KILL`, `INT`, `STOP`, `CONT`).
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).stderr(Stdio::null()).status();
        assert!(sent.is_ok(), "kill: {sent:?}");
    }

    /// Asks it to end, and returns how it did.
    pub fn end(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait(END_GRACE)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("TERM");
            if self.ended_within(END_GRACE).is_none() {
                let _already_gone = self.child.kill();
            }
            let _reaped = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("── stderr of {}:\n{}", self.name, self.errors());
        }
    }
}

fn keep(mut stderr: impl Read, kept: &Mutex<String>) {
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut part) {
        kept.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..read]));
    }
}

/// Waits until `done`, at most `limit`.
pub fn eventually(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < until, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
