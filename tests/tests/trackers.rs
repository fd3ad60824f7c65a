//! Players who know of each other only through trackers: opentracker, our own over UDP, and such as lie.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    time::Duration,
};
use tests::{
    muster::{Outcome, Repository, TorrentPeer, text},
    opentracker::OpenTracker,
    share::Share,
    tree,
};

const LIMIT: Duration = Duration::from_secs(60);

/// A seed and then a downloader that are told these trackers and nothing of each other; returns the downloader's bytes
/// by source.
fn meet(share: &Share, trackers: &[String]) -> Value {
    let told = |options: &[&str]| -> Vec<String> {
        let trackers = trackers.iter().flat_map(|url| ["--tracker".to_owned(), url.clone()]);
        options.iter().map(|option| (*option).to_owned()).chain(trackers).collect()
    };
    let (seeding, getting) = (told(&["--trust", "--stay"]), told(&[]));
    let seed = share.person("seed");
    let _seed = TorrentPeer::start(&seed, &share.torrent, &share.seed_dir(), &[], &words(&seeding));
    let place = share.place("ours");
    let person = share.person("a");
    let mut ours = TorrentPeer::start(&person, &share.torrent, &place, &[], &words(&getting));
    ours.complete(LIMIT);
    let code = ours.program.wait(LIMIT).code();
    share.assert_arrived(&place);
    Outcome::of(&mut ours.program, code).result()["downloaded_bytes"].clone()
}

fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

fn infohash(share: &Share) -> String {
    share.metainfo().infohash.to_string()
}

#[test]
fn opentracker_over_http() {
    let share = Share::grown(71);
    let tracker = OpenTracker::start(&[&infohash(&share)]);
    let from = meet(&share, &[tracker.http()]);
    assert!(from["players"].as_u64().unwrap() >= tree::total(&share.folder), "{from}");
}

#[test]
fn opentracker_over_udp() {
    let share = Share::grown(72);
    let tracker = OpenTracker::start(&[&infohash(&share)]);
    let from = meet(&share, &[tracker.udp()]);
    assert!(from["players"].as_u64().unwrap() >= tree::total(&share.folder), "{from}");
}

/// Each of them first, and the one honest tracker last.
#[test]
fn trackers_that_return_a_million_peers_html_or_multicast_addresses_keep_nobody_apart() {
    let share = Share::grown(73);
    let honest = OpenTracker::start(&[&infohash(&share)]);
    let liar = Liar::start();
    let mut trackers: Vec<String> =
        ["million", "html", "multicast", "nobody"].iter().map(|kind| liar.url(kind)).collect();
    trackers.push(honest.http());
    let from = meet(&share, &trackers);
    assert!(from["players"].as_u64().unwrap() >= tree::total(&share.folder), "{from}");
}

#[test]
fn our_own_tracker_over_udp() {
    let base = tempfile::tempdir().unwrap();
    let build = base.path().join("build");
    std::fs::create_dir_all(&build).unwrap();
    tree::write(&build.join("content.bin"), 1_000_000, &mut fastrand::Rng::with_seed(74));
    let repository = Repository::init(base.path());
    repository.publish(&build, "udp-game", "1.0", &[]);
    let mut serve = repository.publisher().start(&[
        "serve",
        "--no-seed",
        "--repo",
        text(&repository.dir),
        "--listen",
        "127.0.0.1:0",
    ]);
    let ready = serve.wait_for_json(LIMIT, "ready");
    let tracker = ready["tracker_udp"].as_str().unwrap().to_owned();
    assert!(tracker.starts_with("udp://127.0.0.1:"), "{tracker}");

    let torrent = torrent_of(&repository.dir);
    let metainfo = release::metainfo::Metainfo::parse(&std::fs::read(&torrent).unwrap()).unwrap();
    let seed_dir = base.path().join("seed");
    std::fs::create_dir_all(&seed_dir).unwrap();
    std::fs::rename(&build, seed_dir.join(&metainfo.name)).unwrap();
    let person = |name: &str| tests::muster::Person::at(&base.path().join("homes").join(name));
    let seeding = ["--trust", "--stay", "--tracker", &tracker];
    let _seed = TorrentPeer::start(&person("seed"), &torrent, &seed_dir, &[], &seeding);
    let place = base.path().join("place");
    let mut ours = TorrentPeer::start(&person("a"), &torrent, &place, &[], &["--tracker", &tracker]);
    ours.complete(LIMIT);
    tree::assert_same(&seed_dir.join(&metainfo.name), &place.join(&metainfo.name));

    assert!(serve.end().success());
}

/// The one torrent that is signed into a repository.
fn torrent_of(repository: &Path) -> std::path::PathBuf {
    let mut found: Vec<_> = std::fs::read_dir(repository.join("targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "torrent"))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A tracker on loopback that answers nonsense of the kind its path names.
struct Liar {
    port: u16,
}

impl Liar {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(mut socket) = socket else { return };
                let mut request = [0; 4096];
                let length = socket.read(&mut request).unwrap_or(0);
                let (kind, body) = answer(&String::from_utf8_lossy(&request[..length]));
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // Who hangs up early has read enough.
                let _sent = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
            }
        });
        Self { port }
    }

    fn url(&self, kind: &str) -> String {
        format!("http://127.0.0.1:{}/{kind}", self.port)
    }
}

fn answer(request: &str) -> (&'static str, Vec<u8>) {
    let peers = |peers: &[u8]| {
        let mut body = format!("d8:intervali1800e5:peers{}:", peers.len()).into_bytes();
        body.extend(peers);
        body.push(b'e');
        ("text/plain", body)
    };
    match request.split(['/', '?']).nth(1) {
        Some("million") => peers(&vec![9; 6_000_000]),
        Some("html") => ("text/html", b"<html><body>Please sign in</body></html>".to_vec()),
        Some("multicast") => peers(&[224, 0, 0, 1, 0, 9, 255, 255, 255, 255, 0, 9, 0, 0, 0, 0, 0, 9]),
        _ => peers(&[]),
    }
}
