//! Programs that run side by side, their lines stamped with the moment they arrived, ended by their own ids.

use crate::{
    failure::{AtPath, Failure},
    process::capture,
};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

/// Lines of a dead program's log that its failure shows.
const LOG_LINES: usize = 12;
/// How often a wait looks whether it shall stop.
const GLANCE: Duration = Duration::from_millis(100);

/// A line that a program printed.
pub(crate) struct Said {
    /// When its line was read.
    pub(crate) at: Instant,
    /// Which program, in the order of their starts.
    pub(crate) who: usize,
    /// The line; `Null` when it is not JSON, `None` when there will be no more.
    pub(crate) line: Option<Value>,
}

struct Member {
    child: Child,
    input: Option<ChildStdin>,
    log: PathBuf,
    name: String,
    /// Its end is news, not a failure.
    may_end: bool,
}

/// Programs, and what they say.
pub(crate) struct Fleet {
    members: Vec<Member>,
    send: Sender<Said>,
    said: Receiver<Said>,
    logs: PathBuf,
    stop: Arc<AtomicBool>,
}

impl Fleet {
    /// Nobody yet; each program's complaints go to a file in `logs`.
    pub(crate) fn new(logs: &Path, stop: &Arc<AtomicBool>) -> Self {
        let (send, said) = channel();
        Self { members: Vec::new(), send, said, logs: logs.to_path_buf(), stop: Arc::clone(stop) }
    }

    /// Starts a program; returns its number.
    pub(crate) fn start(&mut self, name: &str, command: &mut Command) -> Result<usize, Failure> {
        let who = self.members.len();
        let log = self.logs.join(format!("{who}-{name}.log"));
        let errors = File::create(&log).at(&log)?;
        // Its standard input stays open and empty: some programs end when it ends.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command
            .spawn()
            .map_err(|source| Failure::NotStarted { program: format!("{name} ({command:?})"), source })?;
        let input = child.stdin.take();
        if let Some(output) = child.stdout.take() {
            let send = self.send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let line = serde_json::from_str(&line).unwrap_or(Value::Null);
                    // Reads on when nobody listens, so that the program never blocks on a full pipe.
                    let _nobody_listens = send.send(Said { at: Instant::now(), who, line: Some(line) });
                }
                let _nobody_listens = send.send(Said { at: Instant::now(), who, line: None });
            });
        }
        self.members.push(Member { child, input, log, name: name.to_owned(), may_end: false });
        Ok(who)
    }

    /// Starts a program that ends when its work is done; the last it says is `None`.
    ///
    /// It is not reaped before the fleet is dropped, so that what it used can be read after its end.
    pub(crate) fn start_to_end(&mut self, name: &str, command: &mut Command) -> Result<usize, Failure> {
        let who = self.start(name, command)?;
        self.members[who].may_end = true;
        Ok(who)
    }

    /// Asks a program to end, as a person would (SIGTERM); its end is expected from now on.
    pub(crate) fn ask_to_end(&mut self, who: usize) -> Result<(), Failure> {
        self.members[who].may_end = true;
        capture(Command::new("kill").args(["-TERM", &self.id(who).to_string()])).map(drop)
    }

    /// Writes a line to a program.
    pub(crate) fn tell(&mut self, who: usize, line: &str) -> Result<(), Failure> {
        let member = &mut self.members[who];
        if let Some(input) = &mut member.input {
            writeln!(input, "{line}").and_then(|()| input.flush()).at(&member.name)?;
        }
        Ok(())
    }

    /// A program's process id.
    pub(crate) fn id(&self, who: usize) -> u32 {
        self.members[who].child.id()
    }

    /// What somebody said next, waiting at most `patience`. Fails when a program has ended or we shall stop.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Option<Said>, Failure> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::Unexpected {
                what: "stopped by a signal; what was measured is kept".into(),
            });
        }
        match self.said.recv_timeout(patience) {
            Ok(Said { who, line: None, .. }) if !self.members[who].may_end => Err(self.ended(who)),
            Ok(said) => Ok(Some(said)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(None),
        }
    }

    /// Waits until each of `who` has said a line of this kind; returns the lines in the order of `who`.
    pub(crate) fn all_said(
        &mut self,
        who: &[usize],
        kind: &str,
        limit: Duration,
    ) -> Result<Vec<Said>, Failure> {
        let until = Instant::now() + limit;
        let mut found: Vec<Option<Said>> = who.iter().map(|_| None).collect();
        while found.iter().any(Option::is_none) {
            if Instant::now() > until {
                return Err(Failure::Late {
                    what: format!("“{kind}” of each"), seconds: limit.as_secs()
                });
            }
            let Some(said) = self.next(GLANCE)? else { continue };
            if let Some(place) = who.iter().position(|one| *one == said.who)
                && said.line.as_ref().is_some_and(|line| line["t"] == kind)
            {
                found[place] = Some(said);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn ended(&mut self, who: usize) -> Failure {
        let member = &mut self.members[who];
        let how = member.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = std::fs::read_to_string(&member.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        Failure::Ended { program: member.name.clone(), how: format!("ended with {how}:\n{tail}") }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // All at once, then the waiting: nobody measures how they end.
        for member in &mut self.members {
            let _already_gone = member.child.kill();
        }
        for member in &mut self.members {
            let _reaped = member.child.wait();
        }
    }
}
