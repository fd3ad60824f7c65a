//! The origin over real sockets on loopback: what it sends, what it refuses, how it tracks and seeds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use chrono::Utc;
use origin::{ServeConfig, Serving, serve};
use release::{
    bencode::Value,
    hash::{Hash32, sha256},
    metainfo::Metainfo,
};
use reqwest::{Client, StatusCode, header};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use trust::{Editor, keys};

const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A signed repository with one torrent, and files that must never be served beside it.
struct Repository {
    base: TempDir,
}

impl Repository {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let repository = Self { base };
        let (repo, keys) = (repository.dir(), repository.keys());
        keys::init(&keys, &repo, keys::InitOptions { demo: true }, Utc::now()).unwrap();
        fs::create_dir_all(repo.join("content")).unwrap();
        fs::write(repo.join("content/aa.zst"), CONTENT).unwrap();
        fs::create_dir_all(repo.join("plain/game-1")).unwrap();
        fs::write(repo.join("plain/game-1/index.html"), "<html>").unwrap();
        fs::write(repo.join("content/.hidden"), "hidden").unwrap();
        fs::create_dir_all(repo.join("private")).unwrap();
        fs::write(repo.join("private/secret"), "secret").unwrap();
        fs::write(repository.base.path().join("outside"), "outside").unwrap();
        repository
    }

    fn dir(&self) -> PathBuf {
        self.base.path().join("repo")
    }

    fn keys(&self) -> PathBuf {
        self.base.path().join("keys")
    }

    /// Signs a torrent of the file `name` into the repository and returns its infohash.
    fn publish(&self, name: &str) -> Hash32 {
        let torrent = torrent(name);
        let infohash = Metainfo::parse(&torrent).unwrap().infohash;
        let mut editor = Editor::open(&self.dir(), &self.keys()).unwrap();
        editor.put_target(&format!("game~{name}.torrent"), torrent).unwrap();
        editor.commit(Utc::now()).unwrap();
        infohash
    }

    async fn serve(&self) -> Serving {
        serve(ServeConfig::new(self.dir(), "127.0.0.1:0".parse().unwrap())).await.unwrap()
    }
}

/// A torrent of one small file, written by hand.
fn torrent(name: &str) -> Vec<u8> {
    let root = sha256(CONTENT);
    let mut info =
        format!("d9:file treed4:filed0:d6:lengthi{}e11:pieces root32:", CONTENT.len()).into_bytes();
    info.extend(root.as_bytes());
    info.extend(format!("eee12:meta versioni2e4:name{}:{name}12:piece lengthi16384ee", name.len()).bytes());
    let mut torrent = b"d4:info".to_vec();
    torrent.extend(info);
    torrent.extend(b"12:piece layersdee");
    torrent
}

/// Sends bytes as they are and returns the status line's number, or 0 when the connection just ends.
async fn raw(serving: &Serving, request: &[u8]) -> u16 {
    let addr = serving.url().socket_addrs(|| None).unwrap()[0];
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn whole_files_ranges_and_what_may_be_cached() {
    let repository = Repository::new();
    let serving = repository.serve().await;
    let client = Client::new();
    let content = serving.url().join("content/aa.zst").unwrap();

    let whole = client.get(content.clone()).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    assert!(whole.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "application/octet-stream");
    let tag = whole.headers()[header::ETAG].clone();
    assert_eq!(whole.bytes().await.unwrap(), CONTENT);

    for (range, body, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/36"),
        ("bytes=10-", "abcdefghijklmnopqrstuvwxyz", "bytes 10-35/36"),
        ("bytes=-3", "xyz", "bytes 33-35/36"),
        ("bytes=30-99", "uvwxyz", "bytes 30-35/36"),
        ("bytes=-99", "0123456789abcdefghijklmnopqrstuvwxyz", "bytes 0-35/36"),
    ] {
        let part = client.get(content.clone()).header(header::RANGE, range).send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(part.headers()[header::CONTENT_RANGE], content_range, "{range}");
        assert_eq!(part.text().await.unwrap(), body, "{range}");
    }
    for range in ["bytes=36-40", "bytes=5-2", "bytes=", "bytes=x-y", "bytes=0-1,3-4"] {
        let refused = client.get(content.clone()).header(header::RANGE, range).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
    }

    let unknown = client.get(content.clone()).header(header::RANGE, "pieces=0-1").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::OK, "an unknown unit is ignored");
    let same = client.get(content.clone()).header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let other =
        client.get(content.clone()).header(header::IF_RANGE, "\"other\"").header(header::RANGE, "bytes=0-0");
    assert_eq!(other.send().await.unwrap().bytes().await.unwrap(), CONTENT);
    let head = client.head(content.clone()).send().await.unwrap();
    assert_eq!(
        (head.status(), head.headers()[header::CONTENT_LENGTH].as_bytes()),
        (StatusCode::OK, &b"36"[..])
    );
    let post = client.post(content).body("x").send().await.unwrap();
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);

    let timestamp = client.get(serving.url().join("metadata/timestamp.json").unwrap()).send().await.unwrap();
    assert_eq!(timestamp.headers()[header::CACHE_CONTROL], "no-cache");
    let page = client.get(serving.url().join("plain/game-1/index.html").unwrap()).send().await.unwrap();
    assert_eq!(
        page.headers()[header::CONTENT_TYPE],
        "application/octet-stream",
        "a game's page is no portal"
    );
    serving.shutdown().await;
}

#[tokio::test]
async fn nothing_else_is_served() {
    let repository = Repository::new();
    #[cfg(unix)]
    {
        let outside = repository.base.path().join("outside");
        std::os::unix::fs::symlink(outside, repository.dir().join("content/link.zst")).unwrap();
        std::os::unix::fs::symlink(repository.dir().join("private"), repository.dir().join("plain/link"))
            .unwrap();
    }
    let serving = repository.serve().await;
    for path in [
        "/",
        "/content",
        "/content/",
        "/private/secret",
        "/content/../private/secret",
        "/content/%2e%2e/private/secret",
        "/content/..%2f..%2foutside",
        "/content/%2e%2e%2f%2e%2e%2foutside",
        "//content/aa.zst",
        "/content//aa.zst",
        "/content/.hidden",
        "/.lock",
        "/content/link.zst",
        "/plain/link/secret",
        "/../outside",
        "/content/aa.zst/",
        "/content/..%5c..%5coutside",
        "/content/%00",
        "/content/%ff%fe",
        "/metadata/../../outside",
        "/plain/game-1",
        "/plain/../content/aa.zst",
        "/nothing",
        "/content/none.zst",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(&serving, request.as_bytes()).await, 404, "{path}");
    }
    let absolute =
        b"GET http://elsewhere/content/../private/secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(&serving, absolute).await, 404);
    for junk in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"GET\r\n\r\n", b"\x13BitTorrent protocol\r\n\r\n"]
    {
        assert!(matches!(raw(&serving, junk).await, 0 | 400), "{junk:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(200_000));
    assert!(matches!(raw(&serving, long.as_bytes()).await, 0 | 400 | 414 | 431));
    // It still works.
    assert_eq!(
        raw(&serving, b"GET /content/aa.zst HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await,
        200
    );
    serving.shutdown().await;
}

async fn announce(serving: &Serving, infohash: &Hash32, peer: char, port: u16, rest: &str) -> Vec<u8> {
    let escaped: String = infohash.truncated().iter().map(|byte| format!("%{byte:02x}")).collect();
    let id = peer.to_string().repeat(20);
    let tracker = serving.tracker().unwrap();
    let url = format!("{tracker}?info_hash={escaped}&peer_id={id}&port={port}{rest}");
    let answer = Client::new().get(url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "a tracker's refusal is bencode, not a status");
    answer.bytes().await.unwrap().to_vec()
}

fn peers(answer: &[u8]) -> Vec<u16> {
    let value = Value::decode(answer).unwrap();
    let peers = value.dict().unwrap().find("peers").and_then(Value::bytes).unwrap().to_vec();
    assert!(peers.chunks(6).all(|peer| peer[..4] == [127, 0, 0, 1]));
    peers.chunks(6).map(|peer| u16::from_be_bytes([peer[4], peer[5]])).collect()
}

fn refusal(answer: &[u8]) -> Option<String> {
    let value = Value::decode(answer).unwrap();
    value.dict().unwrap().find("failure reason").and_then(Value::text).map(str::to_owned)
}

#[tokio::test]
async fn peers_find_each_other_and_the_seed_and_nobody_finds_a_strange_torrent() {
    let repository = Repository::new();
    let infohash = repository.publish("one");
    let serving = repository.serve().await;
    let seed = serving.peer().unwrap().port();

    let first = announce(&serving, &infohash, 'a', 1001, "&left=5&event=started").await;
    assert_eq!(peers(&first), [seed]);
    let second = announce(&serving, &infohash, 'b', 1002, "&left=5&event=started").await;
    assert_eq!(peers(&second), [seed, 1001]);
    let complete = announce(&serving, &infohash, 'a', 1001, "&left=0&event=completed").await;
    assert_eq!(peers(&complete), [1002], "a seed is not sent to a seed");
    let gone = announce(&serving, &infohash, 'b', 1002, "&left=5&event=stopped").await;
    assert!(peers(&gone).is_empty());

    let strange = announce(&serving, &Hash32([9; 32]), 'a', 1001, "&left=5").await;
    assert!(refusal(&strange).unwrap().contains("repository"));
    let malformed = announce(&serving, &infohash, 'a', 0, "&left=5").await;
    assert!(refusal(&malformed).unwrap().contains("port"));

    let figures = Client::new().get(serving.url().join("metrics").unwrap()).send().await.unwrap();
    let figures = figures.text().await.unwrap();
    for line in [
        "muster_tracker_announces_total{outcome=\"answered\"} 4",
        "muster_tracker_announces_total{outcome=\"refused\"} 2",
        "muster_tracker_peers{torrent=\"one\",state=\"complete\"} 1",
        "muster_tracker_completed_total{torrent=\"one\"} 1",
    ] {
        assert!(figures.contains(line), "{line}\n{figures}");
    }
    serving.shutdown().await;
}

#[tokio::test]
async fn a_release_published_meanwhile_is_tracked_too() {
    let repository = Repository::new();
    let serving = repository.serve().await;
    let infohash = Metainfo::parse(&torrent("two")).unwrap().infohash;
    assert!(refusal(&announce(&serving, &infohash, 'a', 1001, "&left=5").await).is_some());
    assert_eq!(repository.publish("two"), infohash);
    // The very next announce finds it.
    assert_eq!(refusal(&announce(&serving, &infohash, 'a', 1001, "&left=5").await), None);
    serving.shutdown().await;
}

#[tokio::test]
async fn what_is_no_repository_or_holds_a_key_is_refused() {
    let code = async |repo: &Path, listen: &str| {
        let config = ServeConfig::new(repo.to_owned(), listen.parse().unwrap());
        serve(config).await.map(drop).unwrap_err().code()
    };
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(code(empty.path(), "127.0.0.1:0").await, "REPO_MISSING");
    assert_eq!(code(&empty.path().join("none"), "127.0.0.1:0").await, "REPO_MISSING");

    let repository = Repository::new();
    let serving = repository.serve().await;
    let taken = serving.url().socket_addrs(|| None).unwrap()[0].to_string();
    assert_eq!(code(&repository.dir(), &taken).await, "ADDRESS_IN_USE");
    serving.shutdown().await;

    let key = fs::read_dir(repository.keys()).unwrap().next().unwrap().unwrap().path();
    fs::copy(key, repository.dir().join("content/backup.bin")).unwrap();
    assert_eq!(code(&repository.dir(), "127.0.0.1:0").await, "KEYS_IN_REPOSITORY");
}
