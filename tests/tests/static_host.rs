//! A repository on nginx, which knows nothing of us: installed, updated and fetched as a web seed from there alone,
//! byte-equal, with few and large ranges.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Instant,
};
use tests::{
    muster::{Person, Repository, text},
    nginx::{Nginx, Request},
    tree,
};

const GAME: &str = "static";
const LARGE: usize = 24 * 1024 * 1024;

/// Two releases of a game: many small files, a web page, and a large file of which the second changes the middle.
fn builds(base: &Path) -> [PathBuf; 2] {
    let [old, new] = ["1.0", "1.1"].map(|version| base.join("builds").join(version));
    let mut random = fastrand::Rng::with_seed(4);
    let mut large: Vec<u8> = (0..LARGE).map(|_| random.u8(..64)).collect();
    for (build, seed) in [(&old, 21), (&new, 22)] {
        tree::grow(build, 7, 64 * 1024);
        tree::write(&build.join("only/here.bin"), 300_000, &mut fastrand::Rng::with_seed(seed));
        fs::write(build.join("large.pak"), &large).unwrap();
        // nginx gives this one the type of a captive portal's page.
        fs::create_dir_all(build.join("manual")).unwrap();
        fs::write(build.join("manual/index.html"), "<html><p>Press any key.</p></html>".repeat(3000))
            .unwrap();
        large[LARGE / 2..LARGE / 2 + 5000].fill(0);
    }
    [old, new]
}

/// Requests for ranges of the large file, which have to be far fewer than its pieces.
fn check_merged(requests: &[Request], what: &str, pieces: u64, piece_length: u64) {
    let mut by_path: BTreeMap<&str, u64> = BTreeMap::new();
    for request in requests {
        *by_path.entry(&request.path).or_default() += request.bytes;
    }
    let (large, _) = by_path.iter().max_by_key(|(_, bytes)| **bytes).unwrap();
    let of_large = |request: &&Request| request.path == *large && request.range.is_some();
    let ranges: Vec<&Request> = requests.iter().filter(of_large).collect();
    let longest = ranges.iter().map(|request| request.bytes).max().unwrap_or_default();
    let connections: BTreeSet<u64> = requests.iter().map(|request| request.connection).collect();
    println!(
        "{what}: {} requests over {} connections; {} ranges for {pieces} pieces of {piece_length}, the longest {longest}",
        requests.len(),
        connections.len(),
        ranges.len()
    );
    assert!(ranges.iter().all(|request| request.status == 206), "{what}: every range is answered as one");
    assert!((ranges.len() as u64) < pieces / 4, "{what}: {} ranges for {pieces} pieces", ranges.len());
    assert!(longest > piece_length, "{what}: neighbours travel together; the longest range was {longest}");
    assert!(connections.len() <= 24, "{what}: connections are kept, not {}", connections.len());
}

fn torrent_of(repository: &Path, version: &str) -> PathBuf {
    let end = format!("{GAME}~{version}.torrent");
    let mut found = fs::read_dir(repository.join("targets")).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.to_str().is_some_and(|name| name.ends_with(&end))).unwrap()
}

#[test]
fn install_update_and_web_seed_from_nginx_alone() {
    let base = tempfile::tempdir().unwrap();
    let [old, new] = builds(base.path());
    let repository = Repository::init(base.path());
    let report = repository.publish(&old, GAME, "1.0", &["--plain"]);
    let piece_length = report["piece_length"].as_u64().unwrap();
    let pieces = LARGE as u64 / piece_length;
    let nginx = Nginx::serve(&repository.dir, &base.path().join("nginx"));

    let player = Person::at(&base.path().join("player"));
    let game = base.path().join("game");
    let root = repository.root();
    let words =
        ["install", &nginx.url(), "--game", GAME, "--dir", text(&game), "--root", text(&root), "--no-lan"];
    let installed = player.done(&words);
    tree::assert_same(&old, &game);
    let requests = nginx.requests();
    let content = |requests: &[Request]| -> Vec<Request> {
        requests.iter().filter(|request| request.path.starts_with("/content/")).cloned().collect()
    };
    let first = content(&requests);
    check_merged(&first, "install", pieces, piece_length);
    // What is said to have come is what the server sent.
    let sent: u64 = requests.iter().filter(|request| request.status < 300).map(|request| request.bytes).sum();
    let came = installed["downloaded_bytes"]["origin"].as_u64().unwrap();
    assert!(came.abs_diff(sent) <= sent / 100, "{came} bytes counted, {sent} sent");
    assert!(sent < tree::total(&old), "compressed content travels compressed");

    repository.publish(&new, GAME, "1.1", &["--plain"]);
    player.done(&["update", text(&game)]);
    tree::assert_same(&new, &game);
    let update = content(&nginx.requests()[requests.len()..]);
    let large = |request: &&Request| request.range.is_some();
    assert!(update.iter().filter(large).count() > 0 && update.len() < first.len(), "only what changed");

    let before = nginx.requests().len();
    let other = Person::at(&base.path().join("other"));
    let (dir, seed) = (base.path().join("downloads"), format!("{}plain/", nginx.url()));
    let torrent = torrent_of(&repository.dir, "1.1");
    other.done(&["torrent", "get", text(&torrent), "--dir", text(&dir), "--web-seed", &seed, "--no-lan"]);
    tree::assert_same(&new, &dir.join(format!("{GAME}-1.1")));
    check_merged(&nginx.requests()[before..], "web seed", pieces, piece_length);
}

#[test]
fn content_that_the_publishers_host_sends_us_elsewhere_for() {
    let base = tempfile::tempdir().unwrap();
    let [build, _] = builds(base.path());
    let repository = Repository::init(base.path());
    repository.publish(&build, GAME, "1.0", &[]);
    let nginx = Nginx::serve_redirected(&repository.dir, &base.path().join("nginx"));
    let player = Person::at(&base.path().join("player"));
    let (game, root, url) = (base.path().join("game"), repository.root(), nginx.url());
    let words = ["install", &url, "--game", GAME, "--dir", text(&game), "--root", text(&root), "--no-lan"];
    player.done(&words);
    tree::assert_same(&build, &game);
    let (asked, given) = (nginx.requests(), nginx.requests_elsewhere());
    let is_content = |request: &&Request| request.path.starts_with("/content/");
    assert!(asked.iter().filter(is_content).all(|request| request.status == 302), "{asked:?}");
    assert!(given.iter().all(|request| is_content(&request) && request.status < 300), "{given:?}");
    assert_eq!(asked.iter().filter(is_content).count(), given.len(), "one answer for each that was sent on");
}

#[test]
fn mirrors_that_are_empty_or_gone_do_not_stop_an_install() {
    let base = tempfile::tempdir().unwrap();
    let [build, _] = builds(base.path());
    let repository = Repository::init(base.path());
    let bare = base.path().join("bare");
    fs::create_dir_all(&bare).unwrap();
    let (gone, empty) = (tests::web::nobody(), Nginx::serve(&bare, &base.path().join("nginx-empty")));
    let empty_url = empty.url();
    let mirrors = ["--mirror", &gone, "--mirror", &empty_url, "--mirror", "content/"];
    repository.publish(&build, GAME, "1.0", &mirrors);
    let nginx = Nginx::serve(&repository.dir, &base.path().join("nginx"));
    let player = Person::at(&base.path().join("player"));
    let (game, root, url) = (base.path().join("game"), repository.root(), nginx.url());
    let words = ["install", &url, "--game", GAME, "--dir", text(&game), "--root", text(&root), "--no-lan"];
    let took = Instant::now();
    player.done(&words);
    tree::assert_same(&build, &game);
    let asked: Vec<Request> = empty.requests();
    let paths: BTreeSet<&str> = asked.iter().map(|request| request.path.as_str()).collect();
    println!("{} s; the empty mirror was asked {} times", took.elapsed().as_secs_f64(), asked.len());
    assert!(asked.iter().all(|request| request.status == 404));
    assert!(
        asked.len() <= paths.len() + 8,
        "nothing is asked again and again: {} of {}",
        asked.len(),
        paths.len()
    );
}
