//! Blocks that travel packed between two of ours, and plain where one of them does not pack.
#![expect(clippy::unwrap_used, reason = "a test says what must be")]

use engine::{
    session::{Caps, Exchange, OriginUse, Session, SessionConfig, Torrent, TorrentEvent, TorrentHandle},
    torrent_folder::TorrentFolder,
};
use release::{
    layout::{FileEntry, Layout, PieceLayers},
    merkle::FileHasher,
    metainfo::Metainfo,
};
use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use store::fs::RealFs;
use swarm::{Bitfield, Stats};
use tokio::sync::mpsc::UnboundedReceiver;

const PIECE: u32 = 256 * 1024;
const LIMIT: Duration = Duration::from_secs(60);

/// Files of words, which are alike, and one of noise.
fn grow(dir: &Path, small: usize, large: usize, noise: usize) -> Metainfo {
    let mut random = fastrand::Rng::with_seed(11);
    let words = ["texture", "sound", "monster", "=", "true", "\n", "door", "level", "12", "0.5"];
    let mut text = |length: usize| {
        let mut text = Vec::new();
        while text.len() < length {
            text.extend_from_slice(words[random.usize(..words.len())].as_bytes());
        }
        text.truncate(length);
        text
    };
    let mut contents: Vec<Vec<u8>> = (0..small).map(|at| text(500 + at * 37)).collect();
    contents.push(text(large));
    contents.push((0..noise).map(|_| fastrand::u8(..)).collect());
    let (mut files, mut layers) = (Vec::new(), Vec::new());
    for (index, bytes) in contents.iter().enumerate() {
        let path = format!("f{index:04}");
        let place = dir.join("tree");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(&path), bytes).unwrap();
        let mut hasher = FileHasher::new(PIECE);
        hasher.update(bytes);
        let hashes = hasher.finish();
        let (length, pieces_root) = (bytes.len() as u64, hashes.pieces_root);
        files.push(FileEntry { path: path.parse().unwrap(), length, pieces_root, executable: false });
        layers.push(hashes.layer);
    }
    let layout = Layout::new(PIECE, files).unwrap();
    let mut known = PieceLayers::default();
    for (file, layer) in layers.into_iter().enumerate().filter(|(_, layer)| !layer.is_empty()) {
        known.insert(&layout, file, layer).unwrap();
    }
    Metainfo::build("tree", layout, known, vec![], vec![]).unwrap()
}

fn session(caps: Caps, compression: bool) -> Session {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let config = SessionConfig { listen, caps, lan: false, compression, ..SessionConfig::default() };
    Session::start(&config).unwrap()
}

fn add(
    session: &Session,
    dir: &Path,
    metainfo: &Metainfo,
    peers: Vec<SocketAddr>,
    has_all: bool,
) -> (TorrentHandle, UnboundedReceiver<TorrentEvent>) {
    let folder = TorrentFolder::new(Arc::new(RealFs), dir, metainfo);
    let pieces = metainfo.layout.piece_count();
    session.add(Torrent {
        infohash: metainfo.infohash,
        layout: folder.layout(),
        layers: metainfo.layers.clone(),
        have: if has_all { Bitfield::full(pieces) } else { Bitfield::empty(pieces) },
        excluded: vec![],
        store: Arc::new(folder),
        trackers: vec![],
        origins: vec![],
        origin_use: OriginUse::default(),
        peers,
        exchange: Exchange::Everybody,
        upload: true,
    })
}

async fn complete(events: &mut UnboundedReceiver<TorrentEvent>) {
    let event = tokio::time::timeout(LIMIT, events.recv()).await.unwrap();
    assert_eq!(event, Some(TorrentEvent::Complete));
}

fn assert_equal(one: &Path, other: &Path, metainfo: &Metainfo) {
    for file in metainfo.layout.files().iter().filter(|file| file.length > 0) {
        let [a, b] =
            [one, other].map(|dir| std::fs::read(dir.join("tree").join(file.path.as_str())).unwrap());
        assert!(a == b, "{} differs", file.path);
    }
}

/// One of each that do or do not pack; what the seed and the leech counted.
async fn pair(metainfo: &Metainfo, dir: &Path, packs: [bool; 2]) -> [Stats; 2] {
    let place = tempfile::tempdir().unwrap();
    let [seed, leech] = packs.map(|packs| session(Caps::default(), packs));
    let (seeding, _) = add(&seed, dir, metainfo, vec![], true);
    let (fetching, mut events) = add(&leech, place.path(), metainfo, vec![seed.local_addr()], false);
    complete(&mut events).await;
    assert_equal(dir, place.path(), metainfo);
    leech.close().await;
    seed.close().await;
    [&seeding, &fetching].map(|handle| handle.status().borrow().stats.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn words_travel_packed_and_noise_plain_and_both_sides_count_what_travelled() {
    let dir = tempfile::tempdir().unwrap();
    let metainfo = grow(dir.path(), 150, 4_000_000, 2_000_000);
    let total = metainfo.layout.total();
    let [seed, leech] = pair(&metainfo, dir.path(), [true, true]).await;
    let came = leech.downloaded.players;
    assert!((2_000_000..2_000_000 + (total - 2_000_000) / 2).contains(&came), "{came} of {total}");
    assert_eq!((leech.content_from_peers, leech.wasted_bytes), (total, 0));
    assert_eq!((seed.uploaded.players, seed.content_to_peers), (came, total));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_does_not_pack_blocks_are_plain() {
    let dir = tempfile::tempdir().unwrap();
    let metainfo = grow(dir.path(), 10, 1_000_000, 0);
    for packs in [[true, false], [false, true]] {
        let [_, leech] = pair(&metainfo, dir.path(), packs).await;
        assert_eq!(leech.downloaded.players, metainfo.layout.total(), "{packs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_sent_frames_that_stand_alone() {
    let dir = tempfile::tempdir().unwrap();
    let metainfo = grow(dir.path(), 40, 3_000_000, 500_000);
    let seed = session(Caps::default(), true);
    let (_seeding, _) = add(&seed, dir.path(), &metainfo, vec![], true);
    let places: Vec<_> = (0..7).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut crowd = Vec::new();
    for place in &places {
        let leech = session(Caps::default(), true);
        let (handle, events) = add(&leech, place.path(), &metainfo, vec![seed.local_addr()], false);
        crowd.push((leech, handle, events));
    }
    for ((_, handle, events), place) in crowd.iter_mut().zip(&places) {
        complete(events).await;
        assert_equal(dir.path(), place.path(), &metainfo);
        let stats = handle.status().borrow().stats.clone();
        assert!(stats.downloaded.players < stats.content_from_peers * 3 / 4, "{stats:?}");
    }
    for (session, ..) in &crowd {
        session.close().await;
    }
    seed.close().await;
}

/// A cap is one on what travels: content passes faster than it says, bytes on the wire do not.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_cap_counts_packed_bytes() {
    const CAP: u64 = 400_000;
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let metainfo = grow(dirs[0].path(), 0, 4_000_000, 0);
    let seed = session(Caps { up: Some(CAP), ..Caps::default() }, true);
    let leech = session(Caps::default(), true);
    let (_seeding, _) = add(&seed, dirs[0].path(), &metainfo, vec![], true);
    let started = Instant::now();
    let (handle, mut events) = add(&leech, dirs[1].path(), &metainfo, vec![seed.local_addr()], false);
    complete(&mut events).await;
    let seconds = started.elapsed().as_secs_f64();
    let came = handle.status().borrow().stats.downloaded.players;
    assert!(came as f64 <= seconds * CAP as f64 * 1.05 + 64_000.0, "{came} bytes in {seconds} s");
    assert!(seconds < 8.0, "{seconds} s for what would take ten plain");
    leech.close().await;
    seed.close().await;
}
