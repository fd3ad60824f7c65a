//! Two releases of a game with most files in common, real programs on loopback: players who have only the old one give
//! those files to who installs the new one, while the publisher's server is slow.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use release::metainfo::Metainfo;
use serde_json::Value;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tests::{
    child::Running,
    libtorrent::{Client, Peer},
    muster::{Origin, Outcome, Person, Repository, text},
    tree,
    web::WebServer,
};

const GAME: &str = "two";
const READY: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(90);
/// The file that both have, and what is in one of them alone; random, so that nothing gets shorter by compression.
const SHARED: usize = 12 << 20;
const CHANGED: usize = 512 * 1024;
const SMALL: usize = 1000;
const BOTH: u64 = (SHARED + SMALL) as u64;
/// At this rate the publisher's server alone would take 25 seconds for the shared file.
const SLOW: u32 = 512 * 1024;

/// A repository on a fast server, its content on a slow one, with both releases in it.
struct Scene {
    base: tempfile::TempDir,
    builds: [PathBuf; 2],
    repository: Repository,
    origin: Origin,
    content: WebServer,
}

impl Scene {
    /// With the old release published, and on the fast server too.
    fn start() -> Self {
        let base = tempfile::tempdir().unwrap();
        let builds = ["1.0", "1.1"].map(|version| base.path().join("builds").join(version));
        for (build, own) in builds.iter().zip([1, 2]) {
            let of_all = &mut fastrand::Rng::with_seed(7);
            tree::write(&build.join("data/world.pak"), SHARED, of_all);
            tree::write(&build.join("data/small.bin"), SMALL, of_all);
            tree::write(&build.join("changed.bin"), CHANGED, &mut fastrand::Rng::with_seed(own));
        }
        // Numbers of pieces are not the same either.
        tree::write(&builds[1].join("a-new.bin"), 70_000, &mut fastrand::Rng::with_seed(3));
        let repository = Repository::init(base.path());
        let content = WebServer::folder_at(&repository.dir.join("content"), SLOW);
        let origin = repository.serve(&["--no-seed"]);
        let scene = Self { base, builds, repository, origin, content };
        scene.repository.publish(&scene.builds[0], GAME, "1.0", &[]);
        scene
    }

    /// Publishes the new release, with its content on the slow server alone or else on the fast one.
    fn publish_new(&self, slow: bool) {
        let mirror = self.content.url();
        let options = if slow { vec!["--mirror", &mirror] } else { vec![] };
        self.repository.publish(&self.builds[1], GAME, "1.1", &options);
    }

    fn person(&self, name: &str) -> (Person, PathBuf) {
        let base = self.base.path();
        (Person::at(&base.join("homes").join(name)), base.join("games").join(name))
    }

    fn install(&self, person: &Person, dir: &Path) -> Running {
        let (url, root) = (&self.origin.url, self.repository.root());
        let words = ["install", url, "--game", GAME, "--dir", text(dir), "--root", text(&root), "--no-lan"];
        person.start(&words)
    }

    /// libtorrent on the torrent of the old release as it is signed, with what of it lies in `folder`.
    fn libtorrent(&self, folder: &Path, options: &[&str]) -> Peer {
        let end = format!("{GAME}~1.0.torrent");
        let found = fs::read_dir(self.repository.dir.join("targets")).unwrap();
        let mut found = found.map(|entry| entry.unwrap().path());
        let signed = found.find(|path| path.to_str().is_some_and(|name| name.ends_with(&end))).unwrap();
        let mut metainfo = Metainfo::parse(&fs::read(signed).unwrap()).unwrap();
        metainfo.announce = vec![vec![format!("{}announce", self.origin.url)]];
        let torrent = self.base.path().join("old.torrent");
        fs::write(&torrent, metainfo.encode()).unwrap();
        fs::create_dir_all(folder).unwrap();
        if options.contains(&"--trust") {
            fs::rename(&self.builds[0], folder.join(&metainfo.name)).unwrap();
        }
        Peer::start_as(Client::Libtorrent21, &torrent, folder, &[], options)
    }

    /// Waits until the tracker knows so many peers of all torrents together.
    fn tracked(&self, peers: u64) {
        let until = Instant::now() + READY;
        while self.peers_tracked() < peers {
            assert!(Instant::now() < until, "nobody announced");
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

    /// Installs the new release, of which players of the old one give what both have.
    fn install_from_players_of_the_old(&self, what: &str) {
        let (person, dir) = self.person("newcomer");
        let before = self.content.sent();
        let result = finish(self.install(&person, &dir));
        tree::assert_same(&self.builds[1], &dir);
        let sent = self.content.sent() - before;
        let from = &result["downloaded_bytes"];
        let total = tree::total(&self.builds[1]);
        println!("{what}: {from} of {total} in {} s; the content server sent {sent}", result["seconds"]);
        let only_new = total - SHARED as u64;
        let players = from["players"].as_u64().unwrap();
        // It helps until the old release's manifest is read and its players are met, and gives what only the new has.
        assert!(players >= SHARED as u64 * 8 / 10, "{what}: players gave {players}");
        assert!(sent <= only_new + SHARED as u64 * 3 / 10, "{what}: the server sent {sent}");
    }
}

fn finish(mut running: Running) -> Value {
    let code = running.wait(LIMIT).code();
    assert_eq!(code, Some(0), "{}", running.errors());
    Outcome::of(&mut running, code).result()
}

#[test]
fn who_has_only_the_old_release_gives_what_both_have_to_who_installs_the_new_one() {
    let scene = Scene::start();
    let (old, old_dir) = scene.person("old");
    finish(scene.install(&old, &old_dir));
    scene.publish_new(true);
    let mut seed = old.start(&["seed", text(&old_dir), "--no-lan"]);
    scene.tracked(1);
    scene.install_from_players_of_the_old("a player of 1.0");
    seed.end();
    tree::assert_same(&scene.builds[0], &old_dir);
}

#[test]
fn libtorrent_with_the_old_release_gives_what_both_have_to_who_installs_the_new_one() {
    let scene = Scene::start();
    scene.publish_new(true);
    let mut peer = scene.libtorrent(&scene.base.path().join("libtorrent"), &["--trust", "--stay"]);
    scene.tracked(1);
    scene.install_from_players_of_the_old("libtorrent with 1.0");
    let closed = peer.stop();
    assert!(closed["up"].as_u64().unwrap() >= SHARED as u64 * 8 / 10, "{closed}");
}

#[test]
fn who_has_the_new_release_gives_what_both_have_to_a_libtorrent_that_wants_the_old_one() {
    let scene = Scene::start();
    scene.publish_new(false);
    let (new, new_dir) = scene.person("new");
    finish(scene.install(&new, &new_dir));
    let mut seed = new.start(&["seed", text(&new_dir), "--no-lan"]);
    // Under both infohashes.
    scene.tracked(2);
    let mut peer = scene.libtorrent(&scene.base.path().join("libtorrent"), &["--stay"]);
    let until = Instant::now() + LIMIT;
    loop {
        let progress = peer.program.wait_for_json(READY, "progress");
        let done = progress["done"].as_u64().unwrap();
        assert!(done <= BOTH, "it has {done} bytes of which only {BOTH} are in both");
        if done == BOTH {
            break;
        }
        assert!(Instant::now() < until, "{progress}");
    }
    println!("libtorrent got {BOTH} bytes of 1.0 from a player of 1.1: {}", peer.stop());
    seed.end();
}
