//! A torrent without some of its files: what belongs to the player is not fetched, and the rest is all.
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
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use store::fs::RealFs;
use swarm::Bitfield;
use tokio::sync::mpsc::UnboundedReceiver;

const PIECE: u32 = 64 * 1024;
const SIZE: usize = 1_000_000;
const OWN: usize = 1;

/// Three files of the same size, `tree/0` to `tree/2`.
fn grow(dir: &Path) -> Metainfo {
    let mut random = fastrand::Rng::with_seed(7);
    std::fs::create_dir_all(dir.join("tree")).unwrap();
    let (mut files, mut rows) = (Vec::new(), Vec::new());
    for index in 0..3 {
        let bytes: Vec<u8> = (0..SIZE).map(|_| random.u8(..)).collect();
        std::fs::write(dir.join(format!("tree/{index}")), &bytes).unwrap();
        let mut hasher = FileHasher::new(PIECE);
        hasher.update(&bytes);
        let hashes = hasher.finish();
        let (path, pieces_root) = (index.to_string().parse().unwrap(), hashes.pieces_root);
        files.push(FileEntry { path, length: SIZE as u64, pieces_root, executable: false });
        rows.push(hashes.layer);
    }
    let layout = Layout::new(PIECE, files).unwrap();
    let mut layers = PieceLayers::default();
    for (file, layer) in rows.into_iter().enumerate() {
        layers.insert(&layout, file, layer).unwrap();
    }
    Metainfo::build("tree", layout, layers, vec![], vec![]).unwrap()
}

fn session() -> Session {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    Session::start(&SessionConfig { listen, caps: Caps::default(), lan: false, ..SessionConfig::default() })
        .unwrap()
}

fn add(
    session: &Session,
    dir: &Path,
    metainfo: &Metainfo,
    have: Bitfield,
    excluded: Vec<u32>,
    peers: Vec<SocketAddr>,
) -> (TorrentHandle, UnboundedReceiver<TorrentEvent>) {
    let folder = TorrentFolder::new(Arc::new(RealFs), dir, metainfo);
    session.add(Torrent {
        infohash: metainfo.infohash,
        layout: folder.layout(),
        layers: metainfo.layers.clone(),
        have,
        excluded,
        store: Arc::new(folder),
        trackers: vec![],
        origins: vec![],
        origin_use: OriginUse::default(),
        peers,
        exchange: Exchange::Everybody,
        upload: true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_belongs_to_the_player_is_not_fetched_and_the_rest_is_all() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let metainfo = grow(dirs[0].path());
    let sessions = [(); 2].map(|()| session());
    let pieces = metainfo.layout.piece_count();
    let (_seed, _) = add(&sessions[0], dirs[0].path(), &metainfo, Bitfield::full(pieces), vec![], vec![]);
    let own: Vec<u32> = metainfo.layout.pieces_of(OWN).collect();
    std::fs::create_dir_all(dirs[1].path().join("tree")).unwrap();
    let own_path = dirs[1].path().join("tree").join(OWN.to_string());
    std::fs::write(&own_path, b"what the player made of it").unwrap();
    let peers = vec![sessions[0].local_addr()];
    let (leech, mut events) =
        add(&sessions[1], dirs[1].path(), &metainfo, Bitfield::empty(pieces), own.clone(), peers);
    let event = tokio::time::timeout(Duration::from_secs(60), events.recv()).await.unwrap();
    assert_eq!(event, Some(TorrentEvent::Complete));
    for index in (0..3).filter(|index| *index != OWN) {
        let [a, b] =
            [0, 1].map(|at: usize| std::fs::read(dirs[at].path().join(format!("tree/{index}"))).unwrap());
        assert!(a == b, "file {index} differs");
    }
    assert_eq!(std::fs::read(&own_path).unwrap(), b"what the player made of it");
    let stats = leech.status().borrow().stats.clone();
    assert_eq!((stats.bytes_have, stats.bytes_total), (2 * SIZE as u64, 2 * SIZE as u64));
    assert_eq!((stats.pieces_have, stats.pieces_unwanted), (pieces - own.len() as u32, own.len() as u32));
    let endgame = 2 * SIZE as u64 + SIZE as u64 / 2;
    assert!(stats.downloaded.players < endgame, "{} bytes came", stats.downloaded.players);
    for session in &sessions {
        session.close().await;
    }
}
