//! `muster diagnose` beside servers, trackers, networks and folders that are as they should be, and such as are not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    time::Duration,
};
use tests::{
    muster::{Outcome, Person, Repository, text},
    opentracker::OpenTracker,
    tree,
    web::{self, WebServer},
};

const GAME: &str = "game";
const NOBODYS: &str = "0000000000000000000000000000000000000000";

/// A player, and a studio whose release they could have.
struct Scene {
    base: tempfile::TempDir,
    player: Person,
    repository: Repository,
}

impl Scene {
    fn new(options: &[&str]) -> Self {
        let base = tempfile::tempdir().unwrap();
        let build = base.path().join("build");
        tree::grow(&build, 77, 16_384);
        let repository = Repository::init(base.path());
        repository.publish(&build, GAME, "1.0", options);
        Self { player: Person::at(&base.path().join("home")), base, repository }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// What is found of the repository at `url`.
    fn asked(&self, url: &str) -> Found {
        let root = self.repository.root();
        Found::of(self.player.run(&["diagnose", url, "--game", GAME, "--root", text(&root), "--no-lan"]))
    }
}

struct Found {
    exit: i32,
    verdict: String,
    findings: Vec<Value>,
    words: String,
}

impl Found {
    fn of(outcome: Outcome) -> Self {
        let findings = outcome.lines.iter().filter(|line| line["t"] == "finding").cloned().collect();
        let verdict = outcome.result()["verdict"].as_str().unwrap().to_owned();
        Self { exit: outcome.code, verdict, findings, words: outcome.errors }
    }

    /// The one finding of a check.
    fn of_check(&self, check: &str) -> &Value {
        let mut all = self.findings.iter().filter(|finding| finding["check"] == check);
        let one = all.next().unwrap_or_else(|| panic!("nothing of {check}: {:?}", self.findings));
        assert!(all.next().is_none(), "one finding of {check}: {:?}", self.findings);
        one
    }

    fn is(&self, check: &str, code: &str) -> &Self {
        assert_eq!(self.of_check(check)["code"], code, "{:#?}", self.findings);
        self
    }

    /// Something keeps a game from coming, and that is told to scripts too.
    fn is_bad(&self) -> &Self {
        assert_eq!((self.exit, self.verdict.as_str()), (30, "bad"), "{:#?}", self.findings);
        self
    }
}

#[test]
fn where_all_is_well_that_is_said() {
    let scene = Scene::new(&[]);
    let origin = scene.repository.serve(&[]);
    let found = scene.asked(&origin.url);
    assert_eq!(found.exit, 0, "{:#?}", found.findings);
    assert_ne!(found.verdict, "bad");
    found.is("origin", "ORIGIN_ANSWERS").is("repository", "REPOSITORY_TRUSTED").is("clock", "CLOCK_RIGHT");
    found.is("tracker", "TRACKER_ANSWERS").is("proxy", "PROXY_NONE").is("lan", "LAN_OFF");
    found.is("port", "PORT_UNKNOWN");
    assert!(found.of_check("origin")["milliseconds"].as_u64().is_some());
    assert!(found.of_check("port")["figure"].as_u64().unwrap() > 1023);
    assert!(found.words.contains("answers as it should"), "people read it too: {}", found.words);
}

#[test]
fn servers_that_are_away_or_somebody_else() {
    let scene = Scene::new(&[]);
    let away = scene.asked(&web::nobody());
    away.is("origin", "ORIGIN_UNREACHABLE")
        .is("repository", "REPOSITORY_REFUSED")
        .is("clock", "CLOCK_UNKNOWN");
    away.is_bad();
    assert_eq!(away.of_check("repository")["failure"]["code"], "NETWORK");

    scene.asked("http://studio.invalid/").is("origin", "ORIGIN_UNRESOLVED").is_bad();

    let portal = WebServer::portal("<html>Welcome to the hotel</html>");
    let found = scene.asked(&portal.url());
    found.is("origin", "ORIGIN_PORTAL").is("repository", "REPOSITORY_REFUSED").is_bad();
    assert_eq!(found.of_check("repository")["failure"]["code"], "ORIGIN_HTML");

    let portal = WebServer::elsewhere("http://login.hotel.invalid/");
    scene.asked(&portal.url()).is("origin", "ORIGIN_PORTAL").is_bad();

    let empty = scene.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let empty = WebServer::folder(&empty);
    let found = scene.asked(&empty.url());
    assert_eq!(found.is("origin", "ORIGIN_REFUSES").of_check("origin")["figure"], 404);
}

/// A server that speaks no TLS at all, asked for it.
#[test]
fn no_secure_connection() {
    let scene = Scene::new(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // What comes after a greeting that it does not understand; then it waits for the other side to go.
            let _greeting = stream.read(&mut [0; 512]);
            let _said = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _gone = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    scene.asked(&url).is("origin", "ORIGIN_TLS").is_bad();
}

#[test]
fn a_server_that_takes_connections_and_never_answers_is_given_up() {
    let scene = Scene::new(&[]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let begun = std::time::Instant::now();
    scene.asked(&url).is("origin", "ORIGIN_LATE").is("repository", "REPOSITORY_REFUSED").is_bad();
    assert!(begun.elapsed() < Duration::from_secs(60), "it ends");
}

#[test]
fn a_proxy_that_answers_parts_with_the_whole_is_worth_a_note() {
    let scene = Scene::new(&[]);
    let whole = WebServer::folder_without_ranges(&scene.repository.dir);
    let found = scene.asked(&whole.url());
    found.is("origin", "ORIGIN_RANGE").is("repository", "REPOSITORY_TRUSTED");
    assert_eq!(found.exit, 0, "players give parts");
}

#[test]
fn a_clock_that_is_wrong_is_told_by_how_much() {
    let scene = Scene::new(&[]);
    let origin = WebServer::folder(&scene.repository.dir);
    origin.tell_date("Sat, 06 Nov 2094 08:49:37 GMT");
    let found = scene.asked(&origin.url());
    found.is("clock", "CLOCK_BEHIND").is_bad();
    assert!(found.of_check("clock")["figure"].as_u64().unwrap() > 86_400);
    origin.tell_date("Sun, 06 Nov 1994 08:49:37 GMT");
    scene.asked(&origin.url()).is("clock", "CLOCK_AHEAD").is_bad();
}

#[test]
fn trackers_that_answer_over_http_and_udp_and_one_that_does_not() {
    let tracker = OpenTracker::start(&[NOBODYS]);
    let (http, udp) = (tracker.http(), tracker.udp());
    let gone = format!("{}announce", web::nobody());
    for (url, code) in [(&http, "TRACKER_ANSWERS"), (&udp, "TRACKER_ANSWERS"), (&gone, "TRACKER_SILENT")] {
        let scene = Scene::new(&["--tracker", url]);
        let origin = WebServer::folder(&scene.repository.dir);
        let found = scene.asked(&origin.url());
        found.is("tracker", code).is("repository", "REPOSITORY_TRUSTED");
        assert_eq!(found.exit, 0, "a game comes without a tracker");
        assert_eq!(found.of_check("tracker")["about"], **url);
    }
}

#[test]
fn requests_that_go_through_a_proxy() {
    let scene = Scene::new(&[]);
    let proxy = WebServer::portal("<html>Who are you?</html>");
    let root = scene.repository.root();
    let words = ["diagnose", "http://studio.invalid/", "--game", GAME, "--root", text(&root), "--no-lan"];
    let mut command = scene.player.command(&words);
    command.env("http_proxy", proxy.url().replace("http://", "http://ann:hunter2@"));
    let mut running = tests::child::Running::start("muster diagnose", &mut command);
    let code = running.wait(Duration::from_secs(90)).code();
    let found = Found::of(Outcome::of(&mut running, code));
    found.is("proxy", "PROXY_USED").is("origin", "ORIGIN_PORTAL").is_bad();
    assert_eq!(found.of_check("proxy")["about"], proxy.url());
    assert!(!found.words.contains("hunter2"), "{}", found.words);
}

#[test]
fn a_folder_says_where_its_game_comes_from() {
    let scene = Scene::new(&[]);
    let origin = scene.repository.serve(&[]);
    let (dir, root) = (scene.path("game"), scene.repository.root());
    let words =
        ["install", &origin.url, "--game", GAME, "--dir", text(&dir), "--root", text(&root), "--no-lan"];
    scene.player.done(&words);
    let found = Found::of(scene.player.run(&["diagnose", text(&dir), "--no-lan"]));
    found.is("repository", "REPOSITORY_TRUSTED").is("folder", "FOLDER_FINE");
    assert_eq!(found.exit, 0, "{:#?}", found.findings);
    assert!(found.of_check("folder")["figure"].as_u64().unwrap() > 0, "bytes free");

    let home = Found::of(scene.player.run(&["diagnose", text(&scene.path("home")), "--no-lan"]));
    home.is("repository", "REPOSITORY_UNNAMED").is("folder", "FOLDER_REFUSED").is_bad();
    assert_eq!(home.of_check("folder")["failure"]["code"], "FOLDER_REFUSED");
}

#[test]
fn words_that_do_not_fit_are_refused() {
    let scene = Scene::new(&[]);
    let outcome = scene.player.run(&["diagnose", "https://studio.invalid/"]);
    assert_eq!((outcome.code, outcome.result()["code"].as_str().unwrap()), (2, "USAGE"));
}
