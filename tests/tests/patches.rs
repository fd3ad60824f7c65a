//! Updates through patches, real programs on loopback: what is downloaded, from whom, after a kill, from damaged files, and
//! from a publisher's server that lies.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use chrono::Utc;
use release::{
    manifest::Manifest,
    patch::{self, Patch, Payload},
};
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tests::{
    muster::{Origin, Person, Repository, text},
    tree,
    web::WebServer,
};
use trust::Editor;

const GAME: &str = "patched";
const READY: Duration = Duration::from_secs(30);
const BIG: usize = 6 << 20;
/// Put into the big file: what a patch cannot make out of old bytes.
const PUT_IN: usize = 5 << 19;
/// A file of its own that does not compress: a patch leaves it to the release torrent.
const ADDED: usize = 40_000;
/// At this rate a player who goes on alone takes five seconds for what is put in.
const SLOW: u32 = 512 * 1024;
/// Signed documents of a check: metadata, channel, description.
const DOCUMENTS: u64 = 96 * 1024;

/// The repository on a fast server.
struct Scene {
    base: tempfile::TempDir,
    repository: Repository,
    origin: Origin,
}

impl Scene {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Repository::init(base.path());
        let origin = repository.serve(&["--no-seed"]);
        Self { base, repository, origin }
    }

    /// With 1.0 published and installed by so many players: a big file, small ones, one to be renamed, one to be deleted.
    fn with_players(count: usize) -> (Self, Vec<Player>) {
        let scene = Self::new();
        let (build, random) = (scene.build("1.0"), &mut fastrand::Rng::with_seed(11));
        tree::write(&build.join("big.pak"), BIG, random);
        for number in 0..120 {
            tree::write(&build.join(format!("small/{number}.cfg")), 1_500, random);
        }
        tree::write(&build.join("old-name.bin"), 300_000, random);
        tree::write(&build.join("gone.bin"), 50_000, random);
        scene.repository.publish(&build, GAME, "1.0", &[]);
        let players: Vec<Player> =
            (0..count).map(|number| scene.player(&format!("player-{number}"))).collect();
        for player in &players {
            player.install(&scene);
        }
        (scene, players)
    }

    /// 1.1: bytes put in near the big file's beginning, every small file changed, one file renamed, one new, one gone.
    fn build_next(&self) -> PathBuf {
        let (old, new) = (self.build("1.0"), self.build("1.1"));
        let random = &mut fastrand::Rng::with_seed(12);
        let big = fs::read(old.join("big.pak")).unwrap();
        fs::create_dir_all(new.join("small")).unwrap();
        let put_in: Vec<u8> = (0..PUT_IN).map(|_| random.u8(..)).collect();
        fs::write(new.join("big.pak"), [&big[..70_000], &put_in, &big[70_000..]].concat()).unwrap();
        for number in 0..120 {
            let name = format!("small/{number}.cfg");
            let bytes = fs::read(old.join(&name)).unwrap();
            fs::write(new.join(&name), [&bytes[..], b"version = 1.1\n"].concat()).unwrap();
        }
        fs::copy(old.join("old-name.bin"), new.join("new-name.bin")).unwrap();
        tree::write(&new.join("added.bin"), ADDED, random);
        new
    }

    fn build(&self, version: &str) -> PathBuf {
        self.base.path().join("builds").join(version)
    }

    fn player(&self, name: &str) -> Player {
        let base = self.base.path();
        Player { person: Person::at(&base.join("homes").join(name)), dir: base.join("games").join(name) }
    }

    /// A signed target as it is now.
    fn target(&self, name: &str) -> Vec<u8> {
        self.editor().target(name).unwrap().unwrap()
    }

    fn editor(&self) -> Editor {
        Editor::open(&self.repository.dir, &self.repository.keys).unwrap()
    }

    /// Signs other bytes under a target's name.
    fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut editor = self.editor();
        editor.put_target(name, bytes).unwrap();
        assert!(editor.commit(Utc::now()).unwrap());
    }

    fn manifest(&self, version: &str) -> Vec<u8> {
        self.target(&format!("{GAME}~{version}.manifest"))
    }

    /// The patch between two releases as it is signed.
    fn patch(&self, from: &str, to: &str) -> Patch {
        let parse = |version| Manifest::parse(&self.manifest(version)).unwrap();
        let description = self.target(&format!("{GAME}~{from}~{to}.patch"));
        Patch::parse(&description, &parse(from), &parse(to)).unwrap()
    }

    /// Where the origin keeps a patch's payload.
    fn payload(&self, patch: &Patch) -> PathBuf {
        self.repository.dir.join(format!("content/{}.zst", patch.payload.root))
    }

    /// Waits until the tracker knows so many peers of all torrents together.
    fn tracked(&self, peers: u64) {
        let until = Instant::now() + READY;
        while self.peers_tracked() < peers {
            assert!(Instant::now() < until, "nobody announced: {} of {peers}", self.peers_tracked());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn peers_tracked(&self) -> u64 {
        let address = self.origin.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let lines = page.lines().filter(|line| line.starts_with("muster_tracker_peers"));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

struct Player {
    person: Person,
    dir: PathBuf,
}

impl Player {
    fn install(&self, scene: &Scene) {
        let (url, root) = (&scene.origin.url, scene.repository.root());
        let words =
            ["install", url, "--game", GAME, "--dir", text(&self.dir), "--root", text(&root), "--no-lan"];
        self.person.done(&words);
    }

    fn update(&self) -> Value {
        self.person.done(&["update", text(&self.dir), "--no-lan"])
    }

    /// What `check` says of the update that is offered.
    fn check(&self) -> Value {
        let outcome = self.person.run(&["check", text(&self.dir)]);
        outcome.result()["available"].clone()
    }
}

fn downloaded(result: &Value) -> u64 {
    ["origin", "players", "lan"].iter().map(|from| result["downloaded_bytes"][from].as_u64().unwrap()).sum()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn an_update_comes_as_a_patch_and_the_second_player_has_it_from_the_first() {
    let (scene, players) = Scene::with_players(2);
    let build = scene.build_next();
    let content = WebServer::folder_at(&scene.repository.dir.join("content"), SLOW);
    scene.repository.publish(&build, GAME, "1.1", &["--mirror", &content.url()]);
    let patch = scene.patch("1.0", "1.1");
    let payload = patch.payload.size;
    let changed = (BIG + PUT_IN + ADDED + 120 * 1_514) as u64;

    let said = players[0].check();
    assert_eq!(said["way"], "patch", "{said}");
    let planned = said["download_bytes"].as_u64().unwrap();
    let ways: Vec<&Value> = said["alternatives"].as_array().unwrap().iter().map(|way| &way["way"]).collect();
    assert_eq!(ways, ["blocks", "full"]);
    assert!(said["alternatives"][0]["bytes"].as_u64().unwrap() > 2 * planned, "{said}");
    assert!(said["need_bytes"].as_u64().unwrap() > changed + payload, "{said}");
    let patched = payload + ADDED as u64;
    assert!((payload..patched + 4096).contains(&planned), "{said} for {payload}");

    let result = players[0].update();
    tree::assert_same(&build, &players[0].dir);
    let came = downloaded(&result);
    println!("first: {came} bytes for a payload of {payload}, {changed} changed: {}", result["patch"]);
    assert!((payload..patched + DOCUMENTS).contains(&came) && came * 3 < changed, "{came}: {result}");
    assert_eq!((&result["patch"]["unusable"], &result["patch"]["false_bytes"]), (&0.into(), &0.into()));
    // What is renamed costs nothing, and what was made is what was written.
    assert!(result["patch"]["written_bytes"].as_u64().unwrap() <= changed, "{result}");

    let mut seed = players[0].person.start(&["seed", text(&players[0].dir), "--no-lan"]);
    // The new release, and the patch that leads to it; the old one has too little in common with it.
    scene.tracked(2);
    let sent = content.sent();
    let result = players[1].update();
    tree::assert_same(&build, &players[1].dir);
    let players_gave = result["downloaded_bytes"]["players"].as_u64().unwrap();
    println!("second: {}; the content server sent {}", result["downloaded_bytes"], content.sent() - sent);
    assert!(players_gave >= payload * 7 / 10, "{result}");
    assert!(downloaded(&result) < patched + payload / 5 + DOCUMENTS, "{result}");
    seed.end();
}

#[test]
fn killed_in_mid_download_it_resumes() {
    let (scene, players) = Scene::with_players(1);
    let build = scene.build_next();
    let content = WebServer::folder_at(&scene.repository.dir.join("content"), SLOW);
    scene.repository.publish(&build, GAME, "1.1", &["--mirror", &content.url()]);
    let payload = scene.patch("1.0", "1.1").payload.size;
    let player = &players[0];
    let before = tree::read(&player.dir);
    let mut running = player.person.start(&["update", text(&player.dir), "--no-lan"]);
    let half = running.wait_for(READY, "half of the payload", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let progress = line["phase"]["kind"].as_str() == Some("downloading");
        let done = line["progress"]["done_bytes"].as_u64().filter(|done| progress && *done >= payload / 2)?;
        Some((done, line["progress"]["total_bytes"].as_u64()?))
    });
    running.signal("KILL");
    running.wait(READY);
    assert!(before == tree::read(&player.dir), "the old game stands");
    assert!(
        half.1 < payload + ADDED as u64 + 4096,
        "the bar counts the patch's bytes: {half:?} of {payload}"
    );
    let result = player.update();
    tree::assert_same(&build, &player.dir);
    let came = downloaded(&result);
    println!("killed at {} of {payload} bytes; afterwards {came} came", half.0);
    // What was verified in the last two seconds was not durable.
    let lost = 5 * u64::from(SLOW) / 2;
    assert!(came < payload + ADDED as u64 - half.0 + lost + DOCUMENTS, "{came} of {payload} again");
}

#[test]
fn a_damaged_old_file_costs_that_file_and_nothing_else() {
    let (scene, players) = Scene::with_players(1);
    let build = scene.build_next();
    scene.repository.publish(&build, GAME, "1.1", &[]);
    let payload = scene.patch("1.0", "1.1").payload.size;
    let big = players[0].dir.join("big.pak");
    let mut bytes = fs::read(&big).unwrap();
    bytes[3_000_000] ^= 0xff;
    fs::write(&big, bytes).unwrap();
    let result = players[0].update();
    tree::assert_same(&build, &players[0].dir);
    let (came, patched) = (downloaded(&result), &result["patch"]);
    println!("one byte of {BIG} damaged: {came} bytes with a payload of {payload}: {patched}");
    assert!(patched["false_bytes"].as_u64().unwrap() > 0 || patched["unusable"] == 1, "{patched}");
    assert!(patched["made_bytes"].as_u64().unwrap() >= 120 * 1_514, "{patched}");
    assert!(came <= payload + (BIG + PUT_IN + ADDED) as u64 + DOCUMENTS, "{result}");
}

/// Small releases: 1.0 installed, 1.1 and 1.2 published after it; and the description of the patch from 1.0 to 1.1, which is
/// nobody's way any more.
fn three_releases() -> (Scene, Player, Vec<u8>) {
    let scene = Scene::new();
    let player = scene.player("player");
    let random = &mut fastrand::Rng::with_seed(13);
    tree::write(&scene.build("1.0").join("data.bin"), 200_000, random);
    let bytes = fs::read(scene.build("1.0").join("data.bin")).unwrap();
    for (version, at) in [("1.1", 100), ("1.2", 5_000)] {
        tree::write(&scene.build(version).join("notes.txt"), 900, random);
        fs::write(scene.build(version).join("data.bin"), [&bytes[..at], b"put in", &bytes[at..]].concat())
            .unwrap();
    }
    scene.repository.publish(&scene.build("1.0"), GAME, "1.0", &[]);
    player.install(&scene);
    let from = ["--patch-from", "1.0"];
    scene.repository.publish(&scene.build("1.1"), GAME, "1.1", &from);
    let older = scene.target(&format!("{GAME}~1.0~1.1.patch"));
    scene.repository.publish(&scene.build("1.2"), GAME, "1.2", &from);
    (scene, player, older)
}

#[test]
fn a_description_of_another_versions_patch_is_refused_and_files_come_as_blocks() {
    let (scene, player, older) = three_releases();
    scene.put(&format!("{GAME}~1.0~1.2.patch"), older);
    assert_eq!(player.check()["way"], "blocks");
    let outcome = player.person.run(&["update", text(&player.dir), "--no-lan"]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    assert!(outcome.errors.contains("PATCH_RELEASE"), "{}", outcome.errors);
    // Without the patch, what is missing comes as blocks, as far as the old files do not hold it.
    let (result, filled) = (outcome.result(), outcome.result()["fill"]["filled_bytes"].as_u64().unwrap_or(0));
    assert!(result["patch"].is_null() && downloaded(&result) + filled > 200_000, "{result}");
    tree::assert_same(&scene.build("1.2"), &player.dir);
}

#[test]
fn a_payload_that_lies_yields_nothing_and_files_come_as_blocks() {
    let (scene, player, _) = three_releases();
    let honest = scene.patch("1.0", "1.2");
    // Signed by a stolen key, and with bytes that the origin has: those of a file of another game.
    let lies = scene.build("lies");
    let random = &mut fastrand::Rng::with_seed(14);
    tree::write(&lies.join("lies.bin"), usize::try_from(honest.payload.size).unwrap(), random);
    scene.repository.publish(&lies, "other", "1.0", &[]);
    let payload = Payload::of(&fs::read(lies.join("lies.bin")).unwrap());
    let (from, to) = (scene.manifest("1.0"), scene.manifest("1.2"));
    let delta = patch::manifest_delta(&from, &to).unwrap();
    let manifests = [&from, &to].map(|bytes| Manifest::parse(bytes).unwrap());
    let forged = Patch { payload, ..honest }.encode(&manifests[0], &manifests[1], &delta).unwrap();
    scene.put(&format!("{GAME}~1.0~1.2.patch"), forged);
    assert_eq!(player.check()["way"], "patch");
    let result = player.update();
    println!("a payload that lies: {}", result["patch"]);
    tree::assert_same(&scene.build("1.2"), &player.dir);
    assert_eq!(result["patch"]["made_bytes"], 0, "{result}");
}

#[test]
fn a_payload_that_no_server_has_holds_nothing_up() {
    let (scene, player, _) = three_releases();
    fs::remove_file(scene.payload(&scene.patch("1.0", "1.2"))).unwrap();
    let outcome = player.person.run(&["update", text(&player.dir), "--no-lan"]);
    assert_eq!(outcome.code, 0, "{}", outcome.errors);
    tree::assert_same(&scene.build("1.2"), &player.dir);
    let seconds = outcome.result()["seconds"].as_f64().unwrap();
    println!("without the payload: {seconds:.1} s");
    assert!(size(&player.dir.join("data.bin")) > 200_000 && seconds < 60.0);
}
