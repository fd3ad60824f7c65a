//! Ours beside libtorrent 2.1, libtorrent 2.0 and qBittorrent: as seeds, as downloaders, all in one swarm.
//!
//! In a test of one pair nobody else knows the torrent, so that every byte went between those two.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use release::metainfo::Metainfo;
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{
    libtorrent::{Client, Peer},
    muster::{Origin, Person, Repository, TorrentPeer},
    share::Share,
    tree,
    web::WebServer,
};

const LIMIT: Duration = Duration::from_secs(30);
const CLIENTS: [Client; 3] = [Client::Libtorrent21, Client::Libtorrent20, Client::Qbittorrent];
const MIB: usize = 1 << 20;
/// Piece messages carry 13 bytes beside the data; what else is said is little.
const OVERHEAD: u64 = 20;

#[test]
fn libtorrent_2_1_seeds_for_us() {
    seeds_for_us(Client::Libtorrent21, 41);
}

#[test]
fn libtorrent_2_0_seeds_for_us() {
    seeds_for_us(Client::Libtorrent20, 42);
}

#[test]
fn qbittorrent_seeds_for_us() {
    seeds_for_us(Client::Qbittorrent, 43);
}

#[test]
fn we_seed_for_libtorrent_2_1() {
    we_seed_for(Client::Libtorrent21, 44);
}

#[test]
fn we_seed_for_libtorrent_2_0() {
    we_seed_for(Client::Libtorrent20, 45);
}

#[test]
fn we_seed_for_qbittorrent() {
    we_seed_for(Client::Qbittorrent, 46);
}

/// Two of ours and one of each other program begin with nothing; a seed and a web seed, each slower than one
/// download, have all.
#[test]
fn everybody_in_one_swarm_with_a_seed_and_a_web_seed() {
    let share = Share::mixed(47, 4 * MIB);
    let web = WebServer::folder_at(&share.seed_dir(), MIB as u32);
    let swarm = Mixed::start(&share, &share.variant("web.torrent", |m| m.url_list = vec![web.url()]));
    let everybody: Vec<&str> = swarm.known.iter().map(String::as_str).collect();
    let slowly = ["--trust", "--stay", "--limit-up", "1000000"];
    let mut seed = Peer::start(&share.torrent, &share.seed_dir(), &everybody, &slowly);
    let given = swarm.finish(&share);
    let sent = web.sent() + seed.stop()["up"].as_u64().unwrap();
    assert!(web.sent() > 0, "the web seed was used");
    assert_passed_on(&given, sent, share.total());
}

/// The same, but nobody has all of it except the web seed.
#[test]
fn everybody_in_one_swarm_with_a_web_seed_alone() {
    let share = Share::mixed(48, 4 * MIB);
    let web = WebServer::folder_at(&share.seed_dir(), 2 * MIB as u32);
    let swarm = Mixed::start(&share, &share.variant("web.torrent", |m| m.url_list = vec![web.url()]));
    let given = swarm.finish(&share);
    assert_passed_on(&given, web.sent(), share.total());
}

/// The torrent we publish, our tracker and our seed: nobody is told of anybody by hand.
#[test]
fn every_program_finds_our_seed_by_our_tracker() {
    let release = Release::published(|build| {
        tree::grow(build, 49, 32 * 1024);
        tree::write(&build.join("large.bin"), 3 * MIB, &mut fastrand::Rng::with_seed(49));
    });
    let _origin = release.serve(&[]);
    release.everybody_downloads(&release.variant("tracker.torrent", |m| m.url_list.clear()));
}

/// The torrent we publish, and no source but the plain files of its repository.
///
/// libtorrent, and whoever is built on it, loses count in a v2 web seed after a file that does not end with a block: it
/// takes the next file's bytes for false, whichever server sends them. So here only the last file is odd; ours takes
/// any tree (`the_origin_alone`).
#[test]
fn our_plain_folder_is_a_web_seed_for_every_program() {
    let release = Release::published(|build| {
        let mut random = fastrand::Rng::with_seed(50);
        let blocks = [1, 0, 2, 64, 3, 0, 7, 100];
        for (number, blocks) in blocks.into_iter().enumerate() {
            tree::write(&build.join(format!("d{}/{number}", number % 3)), blocks * 16_384, &mut random);
        }
        tree::write(&build.join("last.bin"), 100_001, &mut random);
    });
    let _origin = release.serve(&["--no-seed", "--no-tracker"]);
    let torrent = release.variant("web.torrent", |m| m.announce.clear());
    assert!(!Metainfo::parse(&fs::read(&torrent).unwrap()).unwrap().url_list.is_empty());
    release.everybody_downloads(&torrent);
}

fn seeds_for_us(client: Client, seed: u64) {
    let share = Share::mixed(seed, 4 * MIB);
    let theirs = Peer::seed_as(client, &share.torrent, &share.seed_dir());
    let place = share.place("ours");
    let mut ours = TorrentPeer::start(&share.person("a"), &share.torrent, &place, &[&theirs.listen], &[]);
    ours.complete(LIMIT);
    assert!(ours.program.wait(LIMIT).success());
    share.assert_arrived(&place);
}

fn we_seed_for(client: Client, seed: u64) {
    let share = Share::mixed(seed, 4 * MIB);
    let mut ours = TorrentPeer::seed(&share.person("a"), &share.torrent, &share.seed_dir());
    let place = share.place("theirs");
    let mut theirs = Peer::start_as(client, &share.torrent, &place, &[&ours.listen], &[]);
    theirs.complete(LIMIT);
    share.assert_arrived(&place);
    let (up, total) = (ours.stop()["uploaded_bytes"].as_u64().unwrap(), share.total());
    assert!(up >= total && up <= total + total / OVERHEAD, "{up} bytes given for {total}");
}

/// Two of ours and one of each other program, all with nothing, each told of those that were there before.
struct Mixed {
    theirs: Vec<(Peer, PathBuf)>,
    ours: Vec<(TorrentPeer, PathBuf)>,
    known: Vec<String>,
}

impl Mixed {
    fn start(share: &Share, torrent: &Path) -> Self {
        let (mut theirs, mut ours, mut known) = (Vec::new(), Vec::new(), Vec::<String>::new());
        // qBittorrent takes longest to start.
        for client in CLIENTS.into_iter().rev() {
            let place = share.place(&format!("{client:?}"));
            let peers: Vec<&str> = known.iter().map(String::as_str).collect();
            let peer = Peer::start_as(client, torrent, &place, &peers, &["--stay"]);
            known.push(peer.listen.clone());
            theirs.push((peer, place));
        }
        for name in ["a", "b"] {
            let place = share.place(name);
            let peers: Vec<&str> = known.iter().map(String::as_str).collect();
            let peer = TorrentPeer::start(&share.person(name), torrent, &place, &peers, &["--stay"]);
            known.push(peer.listen.clone());
            ours.push((peer, place));
        }
        Self { theirs, ours, known }
    }

    /// Waits for everybody, compares every byte, and returns what each of ours gave to others.
    fn finish(mut self, share: &Share) -> Vec<u64> {
        self.ours.iter_mut().for_each(|(peer, _)| peer.complete(LIMIT));
        self.theirs.iter_mut().for_each(|(peer, _)| peer.wait_complete(LIMIT));
        let given = |result: Value| result["uploaded_bytes"].as_u64().unwrap();
        let given = self.ours.iter_mut().map(|(peer, _)| given(peer.stop())).collect();
        self.theirs.iter_mut().for_each(|(peer, _)| drop(peer.stop()));
        let places = self.ours.iter().map(|(_, place)| place);
        places
            .chain(self.theirs.iter().map(|(_, place)| place))
            .for_each(|place| share.assert_arrived(place));
        given
    }
}

/// Five downloads of `total` bytes took `sent` bytes from those who had all: the rest they gave each other.
fn assert_passed_on(given: &[u64], sent: u64, total: u64) {
    eprintln!(
        "sent by those who had all: {:.2} copies; given by ours: {given:?}",
        sent as f64 / total as f64
    );
    assert!(sent < 4 * total, "{sent} bytes sent for five downloads of {total}");
    assert!(given.iter().all(|given| *given > 0), "each of ours passed something on: {given:?}");
}

/// A release published with its plain files, for the address that it is served at.
struct Release {
    base: tempfile::TempDir,
    build: PathBuf,
    repository: Repository,
    torrent: PathBuf,
    address: String,
}

impl Release {
    fn published(fill: impl FnOnce(&Path)) -> Self {
        let base = tempfile::tempdir().unwrap();
        let build = base.path().join("build");
        fill(&build);
        let repository = Repository::init(base.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        let (mirror, tracker) = (format!("http://{address}/"), format!("http://{address}/announce"));
        let hosts = ["--plain", "--mirror", &mirror, "--tracker", &tracker];
        repository.publish(&build, "game", "1.0", &hosts);
        let mut targets =
            fs::read_dir(repository.dir.join("targets")).unwrap().map(|one| one.unwrap().path());
        let torrent =
            targets.find(|path| path.extension().is_some_and(|ending| ending == "torrent")).unwrap();
        Self { base, build, repository, torrent, address }
    }

    fn serve(&self, options: &[&str]) -> Origin {
        self.repository.serve_at(&self.address, options)
    }

    fn variant(&self, name: &str, change: impl FnOnce(&mut Metainfo)) -> PathBuf {
        let mut metainfo = Metainfo::parse(&fs::read(&self.torrent).unwrap()).unwrap();
        change(&mut metainfo);
        let torrent = self.base.path().join(name);
        fs::write(&torrent, metainfo.encode()).unwrap();
        torrent
    }

    fn place(&self, name: &str) -> PathBuf {
        let place = self.base.path().join(name);
        fs::create_dir_all(&place).unwrap();
        place
    }

    /// Downloaded by every program, and by ours, who know nobody.
    fn everybody_downloads(&self, torrent: &Path) {
        let name = Metainfo::parse(&fs::read(torrent).unwrap()).unwrap().name;
        let start = |client: Client| {
            let place = self.place(&format!("{client:?}"));
            (Peer::start_as(client, torrent, &place, &[], &[]), place)
        };
        let theirs: Vec<(Peer, PathBuf)> = CLIENTS.into_iter().rev().map(start).collect();
        let place = self.place("ours");
        let person = Person::at(&self.place("home"));
        TorrentPeer::start(&person, torrent, &place, &[], &[]).complete(LIMIT);
        tree::assert_same(&self.build, &place.join(&name));
        for (mut peer, place) in theirs {
            peer.complete(LIMIT);
            tree::assert_same(&self.build, &place.join(&name));
        }
    }
}
