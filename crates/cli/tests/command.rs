//! The `muster` program as people and scripts run it: words, lines, exit codes, and a game's life on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;

/// A user with a home of their own.
struct User {
    base: TempDir,
}

struct Ended {
    exit: i32,
    lines: Vec<Value>,
    errors: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let lines =
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
        Self {
            exit: output.status.code().unwrap_or(-1),
            lines: lines.collect(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The last line, after checking the shape of all.
    fn result(&self) -> &Value {
        for line in &self.lines {
            assert_eq!(line["v"], 1, "{line}");
            assert!(line["t"].is_string(), "{line}");
        }
        let (last, before) = self.lines.split_last().unwrap_or_else(|| panic!("no line; {}", self.errors));
        assert_eq!(last["t"], "result", "{last}");
        assert!(before.iter().all(|line| line["t"] != "result"));
        assert_eq!(last["ok"].as_bool(), Some(last["code"] == "OK"), "{last}");
        last
    }
}

impl User {
    fn new() -> Self {
        Self { base: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
        command.args(words).current_dir(self.base.path()).stdin(Stdio::null());
        for (name, folder) in [("HOME", "home"), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")] {
            command.env(name, self.path(folder));
        }
        command.env_remove("MUSTER_LOG");
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&self.command(words).arg("--json").output().unwrap())
    }

    fn done(&self, words: &[&str]) -> Value {
        let ended = self.run(words);
        assert_eq!(ended.exit, 0, "{words:?}: {}", ended.errors);
        ended.result().clone()
    }

    fn refused(&self, words: &[&str], exit: i32, code: &str) -> Value {
        let ended = self.run(words);
        let result = ended.result().clone();
        assert_eq!((ended.exit, result["code"].as_str()), (exit, Some(code)), "{words:?}: {}", ended.errors);
        assert!(result["message"].as_str().is_some_and(|message| message.len() > 5), "{result}");
        assert!(!ended.errors.is_empty(), "people are told, too");
        result
    }

    fn init(&self) {
        self.done(&["keys", "init", "--repo", "repo", "--keys", "keys", "--demo"]);
    }

    fn publish(&self, build: &str, version: &str) -> Value {
        self.done(&[
            "publish",
            build,
            "--repo",
            "repo",
            "--keys",
            "keys",
            "--game",
            "rocket",
            "--version",
            version,
        ])
    }

    fn build(&self, name: &str, files: &[(&str, &[u8])]) {
        for (file, bytes) in files {
            let path = self.path(name).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// A verb that runs on, ended at the latest with the test.
struct Running(Child, BufReader<std::process::ChildStdout>);

impl Running {
    fn start(user: &User, words: &[&str]) -> Self {
        let mut command = user.command(words);
        let mut child =
            command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self(child, stdout)
    }

    fn line(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended before it said {kind}");
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["t"] == kind {
                return value;
            }
        }
    }

    #[cfg(unix)]
    fn terminate(mut self) -> (i32, Value) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let asked = std::time::Instant::now();
        let result = self.line("result");
        let status = self.0.wait().unwrap();
        assert!(asked.elapsed() < std::time::Duration::from_secs(2), "gone within two seconds");
        (status.code().unwrap(), result)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn assert_same(user: &User, build: &str, dir: &str, files: &[&str]) {
    for file in files {
        let (published, installed) =
            (fs::read(user.path(build).join(file)), fs::read(user.path(dir).join(file)));
        assert_eq!(published.unwrap(), installed.unwrap(), "{file}");
    }
}

#[test]
fn wrong_words_are_said_to_people_and_programs() {
    let user = User::new();
    for words in [
        &["fly"][..],
        &["install", "http://127.0.0.1/"],
        &["install", "no url", "--game", "rocket", "--dir", "d"],
        &["install", "http://127.0.0.1/", "--game", "Rocket!", "--dir", "d"],
        &["torrent", "get", "x.torrent", "--dir", "d", "--limit-up", "fast"],
        &["torrent", "get", "x.torrent", "--dir", "d", "--limit-down", "0"],
        &["torrent", "get", "x.torrent", "--dir", "d", "--listen", "here"],
        &["torrent", "get", "x.torrent", "--dir", "d", "--connections", "0"],
        &["torrent", "get", "x.torrent", "--dir", "d", "--connections", "2001"],
        &["seed", "d", "--connections", "many"],
        &["repo", "check"],
        &["repo", "check", "http://127.0.0.1/", "--repo", "repo"],
        &["publish", "build", "--repo", "repo", "--game", "rocket"],
    ] {
        user.refused(words, 2, "USAGE");
    }
    assert_eq!(fs::read_dir(user.base.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn help_has_examples_and_succeeds() {
    let user = User::new();
    for (words, expected) in [
        (&["--help"][..], "muster install https://"),
        (&["publish", "--help"], "[launch.linux-x86_64]"),
        (&["torrent", "get", "--help"], "--web-seed <URL>"),
        (&["--version"], "muster 0."),
    ] {
        let output = user.command(words).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(expected), "{words:?}\n{text}");
    }
}

#[test]
fn without_json_nothing_is_on_stdout() {
    let user = User::new();
    let output =
        user.command(&["keys", "init", "--repo", "repo", "--keys", "keys", "--demo"]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("SHA-256"));
}

#[test]
fn keys_publish_and_check_a_repository() {
    let user = User::new();
    let init = user.done(&["keys", "init", "--repo", "repo", "--keys", "keys"]);
    assert_eq!(init["root_keys"].as_array().unwrap().len(), 3);
    user.refused(&["keys", "init", "--repo", "repo", "--keys", "keys"], 22, "KEYS_EXIST");
    user.refused(&["keys", "init", "--repo", "other", "--keys", "other/keys"], 22, "KEY_IN_REPO");

    user.build("build", &[("a.bin", &noise(100_000, 1)), ("sub/b.txt", b"text")]);
    let words =
        ["publish", "build", "--repo", "repo", "--keys", "keys", "--game", "rocket", "--version", "1.0"];
    let dry = user.done(&[&words[..], &["--dry-run"]].concat());
    assert_eq!((dry["dry_run"].as_bool(), dry["files"].as_u64()), (Some(true), Some(2)));
    let published = user.publish("build", "1.0");
    assert_eq!(published["release"], "1.0");
    assert!(published["fresh_download_bytes"].as_u64().unwrap() > 0);

    let root = user.path("repo/metadata/1.root.json");
    let check = ["repo", "check", "--as-client", "--repo", "repo", "--root", root.to_str().unwrap()];
    let checked = user.done(&check);
    assert_eq!(checked["root_sha256"], init["root_sha256"]);
    assert_eq!((checked["releases"].as_u64(), checked["content_files"].as_u64()), (Some(1), Some(2)));
    assert!(user.done(&["refresh", "--repo", "repo", "--keys", "keys"])["expires"]["timestamp"].is_string());

    let content = fs::read_dir(user.path("repo/content")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(content).unwrap();
    let missing = user.refused(&check, 13, "REPO_CONTENT");
    assert_eq!(missing["problems"].as_array().unwrap().len(), 1);

    let timestamp = user.path("repo/metadata/timestamp.json");
    let text = fs::read_to_string(&timestamp).unwrap().replace("\"version\":", "\"version\": ");
    fs::write(&timestamp, text.replacen('2', "3", 1)).unwrap();
    assert_eq!(user.run(&check).exit, 12, "a changed signature is refused");
    user.refused(&["repo", "check", "--repo", "nothing"], 22, "REPO_MISSING");
    user.refused(
        &["publish", "nothing", "--repo", "repo", "--keys", "keys", "--game", "a", "--version", "1"],
        1,
        "BUILD_IO",
    );
}

#[test]
fn a_patch_without_its_payload_is_found_before_players_meet_it() {
    let user = User::new();
    user.init();
    let (mut data, check) = (noise(600_000, 3), ["repo", "verify", "--as-client", "--repo", "repo"]);
    user.build("build", &[("a.bin", &data)]);
    user.publish("build", "1.0");
    data.splice(1000..1000, *b"inserted");
    user.build("build", &[("a.bin", &data)]);
    user.publish("build", "1.1");
    assert_eq!(user.done(&check)["content_files"], 3, "two files and one patch");
    assert_eq!(user.run(&[&check[..], &["--expires-within", "400"]].concat()).exit, 29);
    let targets = fs::read_dir(user.path("repo/targets")).unwrap().map(|entry| entry.unwrap().path());
    let torrent =
        targets.into_iter().find(|path| path.to_string_lossy().ends_with(".patch.torrent")).unwrap();
    let torrent = release::metainfo::Metainfo::parse(&fs::read(torrent).unwrap()).unwrap();
    let payload = torrent.layout.files().iter().find_map(|file| file.pieces_root).unwrap();
    fs::remove_file(user.path(&format!("repo/content/{payload}.zst"))).unwrap();
    let missing = user.refused(&check, 13, "REPO_CONTENT");
    assert_eq!(missing["problems"].as_array().unwrap().len(), 1);
}

#[test]
fn a_torrent_that_is_none_and_an_address_that_is_taken() {
    let user = User::new();
    fs::write(user.path("bad.torrent"), b"d4:infod").unwrap();
    user.refused(&["torrent", "get", "bad.torrent", "--dir", "d"], 24, "TORRENT_REFUSED");
    user.refused(&["torrent", "get", "none.torrent", "--dir", "d"], 24, "TORRENT_REFUSED");
    user.init();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    user.refused(&["serve", "--repo", "repo", "--listen", &addr], 23, "ADDRESS_IN_USE");
    user.refused(&["serve", "--repo", "nothing", "--listen", "127.0.0.1:0"], 22, "REPO_MISSING");
    let key = fs::read_dir(user.path("keys")).unwrap().next().unwrap().unwrap().path();
    fs::copy(key, user.path("repo/targets/oops.key")).unwrap();
    user.refused(&["serve", "--repo", "repo", "--listen", "127.0.0.1:0"], 22, "KEYS_IN_REPOSITORY");
}

#[test]
fn folders_without_a_game() {
    let user = User::new();
    fs::create_dir(user.path("empty")).unwrap();
    for verb in ["check", "update", "verify", "repair", "uninstall", "play", "seed"] {
        for dir in ["missing", "empty"] {
            let ended = user.run(&[verb, dir]);
            let result = ended.result();
            assert_eq!((ended.exit, result["ok"].as_bool()), (22, Some(false)), "{verb} {dir}: {result}");
        }
    }
    assert!(!user.path("missing").exists() && fs::read_dir(user.path("empty")).unwrap().count() == 0);
    user.refused(&["install", "http://127.0.0.1:1/", "--game", "rocket", "--dir", "d"], 11, "NETWORK");
    user.refused(
        &["install", "http://example.invalid/", "--game", "rocket", "--dir", "d"],
        12,
        "ROOT_NEEDED",
    );
    assert!(!user.path("d").exists());
}

#[cfg(unix)]
#[test]
fn a_games_life_on_loopback() {
    let user = User::new();
    user.init();
    let (big, small) = (noise(3_000_000, 2), noise(5_000, 3));
    let script = b"#!/bin/sh\nexit 7\n";
    let manifest = b"title = \"Rocket\"\n[launch.linux-x86_64]\nexecutable = \"run.sh\"\n";
    user.build(
        "one",
        &[("big.bin", &big), ("sub/small.bin", &small), ("run.sh", script), ("muster.toml", manifest)],
    );
    user.publish("one", "1.0");
    let mut serve = Running::start(&user, &["serve", "--repo", "repo", "--listen", "127.0.0.1:0"]);
    let ready = serve.line("ready");
    let url = ready["url"].as_str().unwrap();
    assert_eq!(ready["tracker"].as_str().unwrap(), format!("{url}announce"));
    assert!(ready["peer"].as_str().unwrap().starts_with("127.0.0.1:"));

    let checked = user.done(&["repo", "check", url, "--as-client"]);
    assert_eq!(checked["channels"][0]["release"], "1.0");
    let installed = user.done(&["install", url, "--game", "rocket", "--dir", "game"]);
    assert_eq!(installed["release"], "1.0");
    assert_eq!(installed["root_pinned_first_use"], checked["root_sha256"]);
    let down = &installed["downloaded_bytes"];
    let total: u64 = ["origin", "players", "lan"].iter().map(|from| down[from].as_u64().unwrap()).sum();
    assert!(total >= 3_000_000 && installed["uploaded_bytes"].is_u64() && installed["seconds"].is_number());
    assert_same(&user, "one", "game", &["big.bin", "sub/small.bin"]);
    assert_eq!(user.done(&["check", "game"])["update_available"], false);
    assert_eq!(user.done(&["status", "game"])["release"], "1.0");
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!(user.done(&["play", "game"])["exit_code"], 7);
    }

    user.build("two", &[("big.bin", &big), ("sub/small.bin", &noise(6_000, 4)), ("new.bin", &small)]);
    user.publish("two", "1.1");
    let ended = user.run(&["check", "game"]);
    assert_eq!((ended.exit, ended.result()["available"]["version"].as_str()), (10, Some("1.1")));
    let updated = user.done(&["update", "game"]);
    assert_eq!(updated["release"], "1.1");
    assert!(updated["downloaded_bytes"]["origin"].as_u64().unwrap() < 200_000, "what stands is not fetched");
    assert_same(&user, "two", "game", &["big.bin", "sub/small.bin", "new.bin"]);

    fs::write(user.path("game/new.bin"), noise(5_000, 9)).unwrap();
    let bad = user.refused(&["verify", "game"], 13, "CONTENT_BAD");
    assert_eq!(bad["bad_files"][0], "new.bin");
    // What a check found stays on offer for repair, in another process too.
    let offered = |status: Value| status["snapshot"]["repair_offered"].clone();
    assert_eq!(offered(user.done(&["status", "game"])), serde_json::json!(["new.bin"]));
    user.done(&["repair", "game"]);
    user.done(&["verify", "game"]);
    assert_eq!(offered(user.done(&["status", "game"])), serde_json::json!([]));
    assert_same(&user, "two", "game", &["new.bin"]);

    let root = user.path("repo/metadata/1.root.json");
    let words =
        ["install", url, "--game", "rocket", "--dir", "other", "--root", root.to_str().unwrap(), "--stay"];
    let mut stay = Running::start(&user, &words);
    assert_eq!(stay.line("complete")["release"], "1.1");
    stay.line("ready");
    let (exit, result) = stay.terminate();
    assert_eq!((exit, result["release"].as_str()), (0, Some("1.1")));

    let mut seed = Running::start(&user, &["seed", "game"]);
    seed.line("ready");
    user.refused(&["verify", "game"], 15, "LOCKED");
    let (exit, result) = seed.terminate();
    assert_eq!((exit, result["ok"].as_bool()), (0, Some(true)));

    fs::write(user.path("game/own.txt"), b"mine").unwrap();
    user.done(&["uninstall", "game"]);
    let left: Vec<_> =
        fs::read_dir(user.path("game")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["own.txt"]);
    assert_eq!(serve.terminate().0, 0);
}

#[cfg(unix)]
#[test]
fn an_install_that_is_ended_goes_on_where_it_was() {
    let user = User::new();
    user.init();
    user.build("build", &[("a.bin", &noise(3_000_000, 7)), ("b.bin", &noise(3_000_000, 8))]);
    user.publish("build", "1.0");
    let mut serve =
        Running::start(&user, &["serve", "--repo", "repo", "--listen", "127.0.0.1:0", "--no-seed"]);
    let ready = serve.line("ready");
    assert!(ready["peer"].is_null());
    let words =
        ["install", ready["url"].as_str().unwrap(), "--game", "rocket", "--dir", "game", "--p2p", "off"];
    let mut slow = Running::start(&user, &[&words[..], &["--limit-down", "1MiB/s"]].concat());
    while slow.line("progress")["progress"]["percent"].as_u64().unwrap_or(0) < 40 {}
    let (exit, result) = slow.terminate();
    assert_eq!((exit, result["code"].as_str()), (143, Some("TERMINATED")));
    let went_on = user.done(&words);
    let down = &went_on["downloaded_bytes"];
    assert!(down["origin"].as_u64().unwrap() < 4_500_000, "{down}");
    assert_eq!((down["players"].as_u64(), down["lan"].as_u64()), (Some(0), Some(0)));
    assert_same(&user, "build", "game", &["a.bin", "b.bin"]);
}

/// The release torrent of a repository, taken from it as another program would.
fn release_torrent(repo: &Path) -> PathBuf {
    let targets = fs::read_dir(repo.join("targets")).unwrap().map(|entry| entry.unwrap().path());
    targets.into_iter().find(|path| path.extension().is_some_and(|end| end == "torrent")).unwrap()
}

#[cfg(unix)]
#[test]
fn plain_bittorrent_from_the_repositorys_seed() {
    let user = User::new();
    user.init();
    user.build("build", &[("a.bin", &noise(400_000, 5)), ("empty", b""), ("sub/b.bin", &noise(20_000, 6))]);
    user.publish("build", "1.0");
    let torrent = release_torrent(&user.path("repo"));
    let torrent = torrent.to_str().unwrap();
    let mut serve = Running::start(&user, &["serve", "--repo", "repo", "--listen", "127.0.0.1:0"]);
    let ready = serve.line("ready");
    let tracker = ready["tracker"].as_str().unwrap();
    let words = ["torrent", "get", torrent, "--dir", "d", "--listen", "127.0.0.1:0", "--tracker", tracker];
    let got = user.done(&words);
    assert!(got["downloaded_bytes"]["players"].as_u64().unwrap() >= 420_000);
    assert_same(&user, "build", "d/rocket-1.0", &["a.bin", "empty", "sub/b.bin"]);
    assert_eq!(serve.terminate().0, 0);

    let stay = ["torrent", "get", torrent, "--dir", "d", "--listen", "127.0.0.1:0", "--stay"];
    let mut seed = Running::start(&user, &stay);
    let peer = seed.line("ready")["listen"].as_str().unwrap().to_owned();
    seed.line("complete");
    user.done(&["torrent", "get", torrent, "--dir", "e", "--listen", "127.0.0.1:0", "--peer", &peer]);
    assert_same(&user, "build", "e/rocket-1.0", &["a.bin", "sub/b.bin"]);
    let (exit, result) = seed.terminate();
    assert_eq!((exit, result["ok"].as_bool()), (0, Some(true)));

    let mut waiting =
        Running::start(&user, &["torrent", "get", torrent, "--dir", "f", "--listen", "127.0.0.1:0"]);
    waiting.line("ready");
    let (exit, result) = waiting.terminate();
    assert_eq!((exit, result["code"].as_str()), (143, Some("TERMINATED")));
}
