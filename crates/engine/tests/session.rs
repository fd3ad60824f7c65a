//! Sessions on loopback: a seed, leeches, caps, and data that is there already.
#![expect(clippy::unwrap_used, reason = "a test says what must be")]

use engine::{
    session::{Caps, Exchange, OriginUse, Session, SessionConfig, Torrent, TorrentEvent, TorrentHandle},
    torrent_folder::{CheckProgress, TorrentFolder},
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
use swarm::Bitfield;
use tokio::sync::mpsc::UnboundedReceiver;

const PIECE: u32 = 64 * 1024;

/// Writes a tree under `dir/tree` and makes its metainfo.
fn grow(dir: &Path, sizes: &[usize]) -> Metainfo {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut files, mut rows) = (Vec::new(), Vec::new());
    for (index, size) in sizes.iter().enumerate() {
        let bytes: Vec<u8> = (0..*size).map(|_| random.u8(..)).collect();
        let path = format!("d{}/f{index:04}", index % 3);
        let place = dir.join("tree").join(&path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, &bytes).unwrap();
        let mut hasher = FileHasher::new(PIECE);
        hasher.update(&bytes);
        let hashes = hasher.finish();
        rows.push((path.clone(), hashes.layer));
        let pieces_root = hashes.pieces_root;
        files.push(FileEntry {
            path: path.parse().unwrap(),
            length: *size as u64,
            pieces_root,
            executable: false,
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let layout = Layout::new(PIECE, files).unwrap();
    let mut layers = PieceLayers::default();
    for (path, layer) in rows.into_iter().filter(|(_, layer)| !layer.is_empty()) {
        let file = layout.files().iter().position(|file| file.path.as_str() == path).unwrap();
        layers.insert(&layout, file, layer).unwrap();
    }
    Metainfo::build("tree", layout, layers, vec![], vec![]).unwrap()
}

fn session(caps: Caps) -> Session {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    Session::start(&SessionConfig { listen, caps, lan: false, ..SessionConfig::default() }).unwrap()
}

fn add(
    session: &Session,
    dir: &Path,
    metainfo: &Metainfo,
    peers: Vec<SocketAddr>,
) -> (TorrentHandle, UnboundedReceiver<TorrentEvent>, Bitfield) {
    let folder = TorrentFolder::new(Arc::new(RealFs), dir, metainfo);
    let have = folder.check(&metainfo.layers, &CheckProgress::default());
    let (handle, events) = session.add(Torrent {
        infohash: metainfo.infohash,
        layout: folder.layout(),
        layers: metainfo.layers.clone(),
        have: have.clone(),
        excluded: vec![],
        store: Arc::new(folder),
        trackers: vec![],
        origins: vec![],
        origin_use: OriginUse::default(),
        peers,
        exchange: Exchange::Everybody,
        upload: true,
    });
    (handle, events, have)
}

async fn complete(events: &mut UnboundedReceiver<TorrentEvent>) {
    let event = tokio::time::timeout(Duration::from_secs(60), events.recv()).await.unwrap();
    assert_eq!(event, Some(TorrentEvent::Complete));
}

fn assert_equal(one: &Path, other: &Path, metainfo: &Metainfo) {
    for file in metainfo.layout.files().iter().filter(|file| file.length > 0) {
        let [a, b] =
            [one, other].map(|dir| std::fs::read(dir.join("tree").join(file.path.as_str())).unwrap());
        assert!(a == b, "{} differs", file.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leeches_get_the_tree_from_a_seed() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let metainfo = grow(dirs[0].path(), &[0, 1, 16_384, 65_536, 65_537, 1_000_000, 3_000_000, 5, 70_000]);
    let sessions = [(); 3].map(|()| session(Caps::default()));
    let (_seed, _, have) = add(&sessions[0], dirs[0].path(), &metainfo, vec![]);
    assert!(have.is_full());
    let peers = vec![sessions[0].local_addr()];
    let (first, mut first_events, _) = add(&sessions[1], dirs[1].path(), &metainfo, peers.clone());
    let both = vec![sessions[0].local_addr(), sessions[1].local_addr()];
    let (second, mut second_events, _) = add(&sessions[2], dirs[2].path(), &metainfo, both);
    complete(&mut first_events).await;
    complete(&mut second_events).await;
    for dir in &dirs[1..] {
        assert_equal(dirs[0].path(), dir.path(), &metainfo);
    }
    for handle in [&first, &second] {
        let status = handle.status().borrow().clone();
        assert!(status.stats.content_from_peers >= metainfo.layout.total());
        assert!(status.stats.wasted_bytes < metainfo.layout.total() / 2, "{}", status.stats.wasted_bytes);
    }
    for session in &sessions {
        session.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_cap_holds_and_can_be_lifted() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let metainfo = grow(dirs[0].path(), &[3_000_000]);
    let cap = 500_000;
    let seed = session(Caps { up: Some(cap), ..Caps::default() });
    let leech = session(Caps::default());
    let _seeding = add(&seed, dirs[0].path(), &metainfo, vec![]);
    let started = Instant::now();
    let (handle, mut events, _) = add(&leech, dirs[1].path(), &metainfo, vec![seed.local_addr()]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let came = handle.status().borrow().stats.downloaded.players;
    let allowed = (started.elapsed().as_secs_f64() * cap as f64 * 1.05) as u64 + 64 * 1024;
    assert!(came <= allowed, "{came} bytes came, {allowed} were allowed");
    // How much of the cap is used depends on the machine; that something flows does not.
    assert!(came > 0, "nothing came in three seconds");
    seed.set_caps(Caps::default());
    tokio::time::timeout(Duration::from_secs(5), complete(&mut events)).await.unwrap();
    assert_equal(dirs[0].path(), dirs[1].path(), &metainfo);
}
