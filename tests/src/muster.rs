//! The `muster` command as one player, publisher or server runs it: each with a home of its own.

use crate::{child::Running, programs};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Longest a verb may take that does not run on by design.
const VERB_LIMIT: Duration = Duration::from_secs(120);
/// Longest until a server or seed says it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Somebody with a home folder, so that no two share trust state or settings.
#[derive(Debug, Clone)]
pub struct Person {
    home: PathBuf,
}

/// How a verb ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code.
    pub code: i32,
    /// What it printed, line by line.
    pub lines: Vec<Value>,
    /// What it said to people.
    pub errors: String,
}

impl Person {
    /// With the home `dir`, made if absent.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        Self { home: dir.to_path_buf() }
    }

    /// `muster` with these words and `--json`.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(programs::muster());
        command.args(words).arg("--json").current_dir(&self.home);
        self.at_home(&mut command);
        command
    }

    /// Lets a program find only this home.
    pub fn at_home(&self, command: &mut Command) {
        command.env("HOME", &self.home);
        for (name, folder) in
            [("CONFIG", ".config"), ("STATE", ".local/state"), ("DATA", ".local/share"), ("CACHE", ".cache")]
        {
            command.env(format!("XDG_{name}_HOME"), self.home.join(folder));
        }
    }

    /// Starts a verb that runs on.
    #[must_use]
    pub fn start(&self, words: &[&str]) -> Running {
        Running::start(&format!("muster {}", words.join(" ")), &mut self.command(words))
    }

    /// Runs a verb to its end.
    #[must_use]
    pub fn run(&self, words: &[&str]) -> Outcome {
        let mut running = self.start(words);
        let status = running.wait(VERB_LIMIT);
        Outcome::of(&mut running, status.code())
    }

    /// Runs a verb that must succeed, and returns its result line.
    pub fn done(&self, words: &[&str]) -> Value {
        let outcome = self.run(words);
        assert_eq!(outcome.code, 0, "muster {}: {}\n{:?}", words.join(" "), outcome.errors, outcome.lines);
        outcome.result()
    }
}

impl Outcome {
    /// Of a program that has ended.
    #[must_use]
    pub fn of(running: &mut Running, code: Option<i32>) -> Self {
        // The readers see the end of the pipes a moment after the end of the program.
        std::thread::sleep(Duration::from_millis(50));
        let lines = running.lines_so_far();
        let parsed = lines.iter().map(|line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("stdout is not JSON Lines: {error}: {line}"))
        });
        Self { code: code.unwrap_or(-1), lines: parsed.collect(), errors: running.errors() }
    }

    /// The last line, which is the result.
    #[must_use]
    pub fn result(&self) -> Value {
        let last = self.lines.last().unwrap_or_else(|| panic!("no output; stderr: {}", self.errors));
        assert_eq!(last["t"], "result", "the last line is the result: {last}");
        last.clone()
    }
}

/// A publisher's repository with throw-away keys beside it.
#[derive(Debug)]
pub struct Repository {
    publisher: Person,
    /// The repository.
    pub dir: PathBuf,
    /// Its private keys.
    pub keys: PathBuf,
}

impl Repository {
    /// An empty signed repository below `base`.
    #[must_use]
    pub fn init(base: &Path) -> Self {
        let publisher = Person::at(&base.join("publisher"));
        let (dir, keys) = (base.join("repository"), base.join("keys"));
        publisher.done(&["keys", "init", "--repo", text(&dir), "--keys", text(&keys), "--demo"]);
        Self { publisher, dir, keys }
    }

    /// Publishes `build` as a release, with more options if any.
    pub fn publish(&self, build: &Path, game: &str, version: &str, options: &[&str]) -> Value {
        let mut words = vec!["publish", text(build), "--repo", text(&self.dir), "--keys", text(&self.keys)];
        words.extend(["--game", game, "--version", version]);
        words.extend(options);
        self.publisher.done(&words)
    }

    /// The publisher's own `muster`.
    #[must_use]
    pub fn publisher(&self) -> &Person {
        &self.publisher
    }

    /// Root version 1, as a player's launcher carries it.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.join("metadata/1.root.json")
    }

    /// `muster serve` on loopback.
    #[must_use]
    pub fn serve(&self, options: &[&str]) -> Origin {
        self.serve_at("127.0.0.1:0", options)
    }

    /// The same at an address.
    #[must_use]
    pub fn serve_at(&self, address: &str, options: &[&str]) -> Origin {
        let mut words = vec!["serve", "--repo", text(&self.dir), "--listen", address];
        words.extend(options);
        let mut program = self.publisher.start(&words);
        let ready = program.wait_for_json(READY_LIMIT, "ready");
        Origin { program, url: ready["url"].as_str().unwrap().to_owned() }
    }
}

/// A running `muster serve`.
#[derive(Debug)]
pub struct Origin {
    /// The program.
    pub program: Running,
    /// Where the repository is.
    pub url: String,
}

/// A `muster torrent get` that runs.
#[derive(Debug)]
pub struct TorrentPeer {
    /// The program.
    pub program: Running,
    /// Where it listens, `ip:port`.
    pub listen: String,
}

impl TorrentPeer {
    /// Starts one on `torrent` with data in `dir`, LAN discovery off.
    #[must_use]
    pub fn start(person: &Person, torrent: &Path, dir: &Path, peers: &[&str], options: &[&str]) -> Self {
        let mut words = vec!["torrent", "get", text(torrent), "--dir", text(dir)];
        words.extend(["--listen", "127.0.0.1:0", "--no-lan"]);
        words.extend(options);
        for peer in peers {
            words.extend(["--peer", peer]);
        }
        let mut program = person.start(&words);
        let ready = program.wait_for_json(READY_LIMIT, "ready");
        Self { program, listen: ready["listen"].as_str().unwrap().to_owned() }
    }

    /// One that has everything in `dir` and stays.
    #[must_use]
    pub fn seed(person: &Person, torrent: &Path, dir: &Path) -> Self {
        Self::start(person, torrent, dir, &[], &["--trust", "--stay"])
    }

    /// Waits until every byte is verified and readable.
    pub fn complete(&mut self, limit: Duration) {
        self.program.wait_for_json(limit, "complete");
    }

    /// Asks one that stays to end, and returns its result with all its figures.
    pub fn stop(&mut self) -> Value {
        let code = self.program.end().code();
        Outcome::of(&mut self.program, code).result()
    }
}

/// A path as a word of a command line.
#[must_use]
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
