//! Two releases on loopback: whoever has one gives and takes what both have, under that one's infohash and in its numbers.
#![expect(clippy::unwrap_used, reason = "a test says what must be")]

use engine::{
    session::{
        Caps, Exchange, OriginUse, OtherRelease, Session, SessionConfig, Torrent, TorrentEvent, TorrentHandle,
    },
    torrent_folder::{CheckProgress, TorrentFolder},
};
use release::{
    bencode::Writer,
    hash::Hash32,
    layout::{FileEntry, Layout, PieceLayers},
    merkle::FileHasher,
    metainfo::Metainfo,
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use store::fs::RealFs;
use swarm::{
    Bitfield,
    alias::Alias,
    wire::{Decoder, ExtendedHandshake, HANDSHAKE_LEN, Handshake, HashRange, Message, encode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::UnboundedReceiver,
};
use url::Url;

const PIECE: u32 = 64 * 1024;
const LIMIT: Duration = Duration::from_secs(30);
/// Path, seed of the content, bytes. Two files of the old one are in the new one, one of them under another name, and
/// no piece that both have bears the same number.
const OLD: &[(&str, u64, usize)] =
    &[("a/same.bin", 1, 900_000), ("b/changed.bin", 2, 300_000), ("c/moved.bin", 3, 70_000)];
const NEW: &[(&str, u64, usize)] = &[
    ("a/new.bin", 4, 200_000),
    ("a/same.bin", 1, 900_000),
    ("b/changed.bin", 5, 310_000),
    ("d/elsewhere.bin", 3, 70_000),
];
/// Where what both have lies in the old one and in the new one.
const SHARED: [(&str, &str); 2] = [("a/same.bin", "a/same.bin"), ("c/moved.bin", "d/elsewhere.bin")];
const SHARED_BYTES: u64 = 970_000;

/// Writes a release under `dir/tree` and makes its metainfo.
fn grow(dir: &Path, release: &[(&str, u64, usize)]) -> Metainfo {
    let (mut files, mut layers) = (Vec::new(), Vec::new());
    for (path, seed, size) in release {
        let mut random = fastrand::Rng::with_seed(*seed);
        let bytes: Vec<u8> = (0..*size).map(|_| random.u8(..)).collect();
        let place = dir.join("tree").join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, &bytes).unwrap();
        let mut hasher = FileHasher::new(PIECE);
        hasher.update(&bytes);
        let hashes = hasher.finish();
        let (path, length) = (path.parse().unwrap(), bytes.len() as u64);
        files.push(FileEntry { path, length, pieces_root: hashes.pieces_root, executable: false });
        layers.push(hashes.layer);
    }
    let layout = Layout::new(PIECE, files).unwrap();
    let mut known = PieceLayers::default();
    for (file, layer) in layers.into_iter().enumerate() {
        known.insert(&layout, file, layer).unwrap();
    }
    Metainfo::build("tree", layout, known, vec![], vec![]).unwrap()
}

/// The two releases, each in a folder of its own.
struct Releases {
    dirs: [tempfile::TempDir; 2],
    old: Metainfo,
    new: Metainfo,
}

impl Releases {
    fn grown() -> Self {
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (old, new) = (grow(dirs[0].path(), OLD), grow(dirs[1].path(), NEW));
        Self { dirs, old, new }
    }

    /// The old release as players of the new one see it.
    fn older(&self) -> OtherRelease {
        let alias = Alias::new(&self.new.layout, &self.old.layout).unwrap();
        OtherRelease { infohash: self.old.infohash, alias: Arc::new(alias) }
    }

    /// Whether what is in `dir`, a folder of `new` or else of the old release, is what both have.
    fn assert_shared_arrived(&self, dir: &Path, new: bool) {
        for (old, here) in SHARED {
            let (whole, path) = (self.dirs[0].path().join("tree").join(old), if new { here } else { old });
            let bytes = std::fs::read(dir.join("tree").join(path)).unwrap();
            assert!(bytes == std::fs::read(whole).unwrap(), "{path} differs");
        }
    }
}

/// A tracker that names to whoever asks those that it was told of for that infohash, and remembers who asked what.
#[derive(Clone)]
struct Tracker {
    url: Url,
    named: Arc<Mutex<BTreeMap<[u8; 20], Vec<SocketAddr>>>>,
    asked: Arc<Mutex<Vec<[u8; 20]>>>,
}

impl Tracker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap()).parse().unwrap();
        let tracker = Self { url, named: Arc::default(), asked: Arc::default() };
        let answers = tracker.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = socket.read(&mut request).await.unwrap_or(0);
                let infohash = infohash(&request[..length]);
                answers.asked.lock().unwrap().push(infohash);
                let body = answers.answer(&infohash);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                let _gone = socket.write_all(&[head.as_bytes(), &body].concat()).await;
            }
        });
        tracker
    }

    fn name(&self, metainfo: &Metainfo, addr: SocketAddr) {
        self.named.lock().unwrap().entry(metainfo.infohash.truncated()).or_default().push(addr);
    }

    fn answer(&self, infohash: &[u8; 20]) -> Vec<u8> {
        let named = self.named.lock().unwrap().get(infohash).cloned().unwrap_or_default();
        let compact = |addr: SocketAddr| match addr.ip() {
            std::net::IpAddr::V4(ip) => [&ip.octets()[..], &addr.port().to_be_bytes()].concat(),
            std::net::IpAddr::V6(_) => unreachable!("this tracker knows IPv4 only"),
        };
        let peers: Vec<u8> = named.into_iter().flat_map(compact).collect();
        let mut out = Writer::new();
        out.dict().bytes("interval").integer(3600).bytes("peers").bytes(&peers).end();
        out.finish()
    }
}

/// The infohash of a request line, in which only some bytes are percent-encoded.
fn infohash(request: &[u8]) -> [u8; 20] {
    let line = std::str::from_utf8(request).unwrap().lines().next().unwrap();
    let text = line.split("info_hash=").nth(1).unwrap().split(['&', ' ']).next().unwrap().as_bytes();
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let encoded = text[at] == b'%';
        let hex = || u8::from_str_radix(std::str::from_utf8(&text[at + 1..at + 3]).unwrap(), 16).unwrap();
        bytes.push(if encoded { hex() } else { text[at] });
        at += if encoded { 3 } else { 1 };
    }
    bytes.try_into().unwrap()
}

fn session() -> Session {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let config = SessionConfig { listen, caps: Caps::default(), lan: false, ..SessionConfig::default() };
    Session::start(&config).unwrap()
}

/// Takes part in a release, with what of it lies in `dir`.
fn add(
    session: &Session,
    dir: &Path,
    metainfo: &Metainfo,
    tracker: Option<&Tracker>,
    peers: Vec<SocketAddr>,
) -> (TorrentHandle, UnboundedReceiver<TorrentEvent>) {
    let folder = TorrentFolder::new(Arc::new(RealFs), dir, metainfo);
    let have = folder.check(&metainfo.layers, &CheckProgress::default());
    session.add(Torrent {
        infohash: metainfo.infohash,
        layout: folder.layout(),
        layers: metainfo.layers.clone(),
        have,
        excluded: vec![],
        store: Arc::new(folder),
        trackers: tracker.map(|tracker| vec![tracker.url.clone()]).into_iter().collect(),
        origins: vec![],
        origin_use: OriginUse::default(),
        peers,
        exchange: Exchange::Everybody,
        upload: true,
    })
}

/// Waits until so many pieces are here, and then for somebody to give one too many.
async fn has_exactly(handle: &TorrentHandle, pieces: u32) {
    let mut status = handle.status();
    let there = status.wait_for(|status| status.stats.pieces_have >= pieces);
    tokio::time::timeout(LIMIT, there).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let stats = handle.status().borrow().stats.clone();
    assert_eq!((stats.pieces_have, stats.downloaded.players), (pieces, SHARED_BYTES));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_the_new_release_gets_from_who_has_the_old_one_what_both_have() {
    let releases = Releases::grown();
    let (seeds, leeches) = (session(), session());
    let seed = add(&seeds, releases.dirs[0].path(), &releases.old, None, vec![]);
    let tracker = Tracker::start().await;
    tracker.name(&releases.old, seeds.local_addr());
    let dir = tempfile::tempdir().unwrap();
    let (leech, _events) = add(&leeches, dir.path(), &releases.new, Some(&tracker), vec![]);
    let older = releases.older();
    leech.add_other(older.clone());
    has_exactly(&leech, older.alias.shared()).await;
    releases.assert_shared_arrived(dir.path(), true);
    let row = leech.status().borrow().stats.peers[0].clone();
    assert_eq!(
        (row.addr, row.pieces),
        (seeds.local_addr(), older.alias.shared()),
        "it is shown like any other"
    );
    assert_eq!(leech.status().borrow().trackers.len(), 1, "a tracker is shown once");
    assert_eq!(seed.0.status().borrow().stats.uploaded.players, SHARED_BYTES);
    leeches.close().await;
    let mut asked = tracker.asked.lock().unwrap().clone();
    asked.sort_unstable();
    let mut both = [&releases.old, &releases.new].map(|release| release.infohash.truncated()).to_vec();
    both.extend(both.clone());
    both.sort_unstable();
    assert_eq!(asked, both, "both are announced, and both hear a goodbye");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_new_release_gives_to_who_wants_the_old_one_what_both_have() {
    let releases = Releases::grown();
    let (seeds, leeches) = (session(), session());
    let (seed, _) = add(&seeds, releases.dirs[1].path(), &releases.new, None, vec![]);
    let older = releases.older();
    seed.add_other(older.clone());
    let tracker = Tracker::start().await;
    tracker.name(&releases.old, seeds.local_addr());
    let dir = tempfile::tempdir().unwrap();
    let (leech, mut events) = add(&leeches, dir.path(), &releases.old, Some(&tracker), vec![]);
    has_exactly(&leech, older.alias.shared()).await;
    releases.assert_shared_arrived(dir.path(), false);
    assert_eq!(
        leech.status().borrow().stats.peers.len(),
        1,
        "who has nothing more for it stays all the same"
    );

    // The rest is had from who has the old one; then nobody has anything for anybody.
    let rest = session();
    let _rest = add(&rest, releases.dirs[0].path(), &releases.old, None, vec![leeches.local_addr()]);
    assert_eq!(tokio::time::timeout(LIMIT, events.recv()).await.unwrap(), Some(TorrentEvent::Complete));
    let mut status = leech.status();
    let alone = status.wait_for(|status| status.stats.peers.is_empty());
    tokio::time::timeout(LIMIT, alone).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_both_are_in_one_session_each_is_met_under_its_own_infohash() {
    let releases = Releases::grown();
    let (seeds, leeches) = (session(), session());
    let (new, _) = add(&seeds, releases.dirs[1].path(), &releases.new, None, vec![]);
    let older = releases.older();
    new.add_other(older.clone());
    let (old, _) = add(&seeds, releases.dirs[0].path(), &releases.old, None, vec![]);
    let peers = vec![seeds.local_addr()];

    let whole = tempfile::tempdir().unwrap();
    let (leech, mut events) = add(&leeches, whole.path(), &releases.old, None, peers.clone());
    assert_eq!(tokio::time::timeout(LIMIT, events.recv()).await.unwrap(), Some(TorrentEvent::Complete));
    assert_eq!(new.status().borrow().stats.uploaded.players, 0, "the old release has a torrent of its own");
    leech.stop().await;

    // With that gone, the new release gives what it has of the old one.
    old.stop().await;
    let part = tempfile::tempdir().unwrap();
    let (leech, _events) = add(&leeches, part.path(), &releases.old, None, peers.clone());
    has_exactly(&leech, older.alias.shared()).await;

    // And when it comes back, it takes its swarm over.
    let _old = add(&seeds, releases.dirs[0].path(), &releases.old, None, vec![]);
    let mut status = leech.status();
    let complete = status.wait_for(|status| status.stats.bytes_have == releases.old.layout.total());
    tokio::time::timeout(LIMIT, complete).await.unwrap().unwrap();
}

/// Somebody who speaks for himself.
struct Stranger {
    socket: TcpStream,
    decoder: Decoder,
}

impl Stranger {
    async fn meet(addr: SocketAddr, metainfo: &Metainfo) -> Self {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let ours = Handshake::new(metainfo.infohash.truncated(), [9; 20]);
        socket.write_all(&ours.encode()).await.unwrap();
        let mut bytes = [0; HANDSHAKE_LEN];
        socket.read_exact(&mut bytes).await.unwrap();
        assert_eq!(Handshake::decode(&bytes).unwrap().infohash, ours.infohash);
        Self { socket, decoder: Decoder::new(metainfo.layout.piece_count()) }
    }

    async fn say(&mut self, message: Message) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        self.socket.write_all(&bytes).await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    async fn hear(&mut self) -> Option<Message> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(message) = self.decoder.next().unwrap() {
                return Some(message);
            }
            let read = self.socket.read_buf(self.decoder.buffer());
            let read = tokio::time::timeout(until.saturating_duration_since(Instant::now()), read);
            // A connection that is reset has ended too.
            if read.await.unwrap().unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn hears(&mut self, wanted: Message) {
        while let Some(message) = self.hear().await {
            if message == wanted {
                return;
            }
        }
        panic!("it never said {wanted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_of_the_old_release_is_answered_in_its_numbers_and_held_to_them() {
    let releases = Releases::grown();
    let seeds = session();
    let (seed, _) = add(&seeds, releases.dirs[1].path(), &releases.new, None, vec![]);
    let older = releases.older();
    seed.add_other(older.clone());
    // What was asked for before a torrent's actor has seen the other release is nobody's torrent.
    tokio::time::sleep(Duration::from_millis(200)).await;

    let mut stranger = Stranger::meet(seeds.local_addr(), &releases.old).await;
    let mut has = Bitfield::empty(releases.old.layout.piece_count());
    older.alias.shared_ours().filter_map(|piece| older.alias.theirs(piece)).for_each(|piece| {
        has.set(piece);
    });
    assert!(!has.is_full());
    // Of the new release everything is here, of the old one not.
    assert_eq!(stranger.hear().await, Some(Message::Bitfield(has.as_bytes().to_vec().into())));
    let Some(Message::Extended { id: 0, payload }) = stranger.hear().await else { panic!("no extensions") };
    assert!(ExtendedHandshake::parse(&payload).unwrap().upload_only, "of the old release nothing is wanted");

    stranger.say(Message::Interested).await;
    stranger.hears(Message::Unchoke).await;
    let (moved, changed) = (releases.old.layout.pieces_of(2).start, releases.old.layout.pieces_of(1).start);
    let (begin, length) = (16_384, 16_384);
    stranger.say(Message::Request { index: changed, begin, length }).await;
    stranger.hears(Message::Reject { index: changed, begin, length }).await;
    stranger.say(Message::Request { index: moved, begin, length }).await;
    let bytes = std::fs::read(releases.dirs[0].path().join("tree/c/moved.bin")).unwrap();
    let data = bytes[begin as usize..][..length as usize].to_vec().into();
    stranger.hears(Message::Piece { index: moved, begin, data }).await;

    // Files are named by what they hold, whichever release is spoken of.
    let ask = |pieces_root| HashRange { pieces_root, base_layer: 2, index: 0, length: 2, proof_layers: 0 };
    let unknown = ask(releases.old.layout.files()[1].pieces_root.unwrap());
    stranger.say(Message::HashRequest(unknown)).await;
    stranger.hears(Message::HashReject(unknown)).await;
    let known: Hash32 = releases.old.layout.files()[2].pieces_root.unwrap();
    let hashes = releases.old.layers.layer(&known).unwrap().to_vec();
    stranger.say(Message::HashRequest(ask(known))).await;
    stranger.hears(Message::Hashes { range: ask(known), hashes }).await;

    stranger.say(Message::Have { piece: releases.old.layout.piece_count() }).await;
    while stranger.hear().await.is_some() {}
    assert!(seed.status().borrow().stats.peers_banned == 0);
}
