//! What stands between sockets and disks: a slow disk slows the line and memory stays bounded; blocks
//! that lie side by side are read at once; what a read cannot give is not sent; a disk that garbles condemns nobody.
#![expect(clippy::unwrap_used, reason = "a test says what must be")]

use engine::{
    piece_store::{PieceStore, PieceStoreError},
    session::{Exchange, OriginUse, Session, SessionConfig, Torrent, TorrentEvent, TorrentHandle},
};
use release::{
    layout::{FileEntry, Layout, PieceLayers},
    merkle::FileHasher,
    metainfo::Metainfo,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use swarm::Bitfield;
use tokio::sync::mpsc::UnboundedReceiver;

const PIECE: u32 = 256 * 1024;
const BLOCK: usize = 16 * 1024;

/// A disk in memory that counts its calls and writes only while its gate is open.
#[derive(Debug)]
struct Memory {
    bytes: Mutex<Vec<u8>>,
    reads: AtomicUsize,
    /// Every byte it takes comes back changed.
    garbles: bool,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Memory {
    fn new(bytes: Vec<u8>, open: bool) -> Arc<Self> {
        let (bytes, open) = (Mutex::new(bytes), Mutex::new(open));
        Arc::new(Self { bytes, reads: AtomicUsize::new(0), garbles: false, open, opened: Condvar::new() })
    }

    fn garbling(length: usize) -> Arc<Self> {
        let (bytes, open) = (Mutex::new(vec![0; length]), Mutex::new(true));
        Arc::new(Self { bytes, reads: AtomicUsize::new(0), garbles: true, open, opened: Condvar::new() })
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

fn place(piece: u32, begin: u32) -> usize {
    piece as usize * PIECE as usize + begin as usize
}

impl PieceStore for Memory {
    fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let at = place(piece, begin);
        Ok(self.bytes.lock().unwrap()[at..at + length as usize].to_vec())
    }

    fn write(&self, piece: u32, begin: u32, data: &[u8]) -> Result<(), PieceStoreError> {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
        let at = place(piece, begin);
        let mut bytes = self.bytes.lock().unwrap();
        let place = &mut bytes[at..at + data.len()];
        place.copy_from_slice(data);
        if self.garbles {
            place.iter_mut().for_each(|byte| *byte = !*byte);
        }
        Ok(())
    }

    fn verified(&self, _: u32) {}

    fn flush(&self) -> Result<(), PieceStoreError> {
        Ok(())
    }
}

fn content(length: usize) -> (Vec<u8>, Metainfo) {
    let mut random = fastrand::Rng::with_seed(3);
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
    let mut hasher = FileHasher::new(PIECE);
    hasher.update(&bytes);
    let hashes = hasher.finish();
    let file = FileEntry {
        path: "pack".parse().unwrap(),
        length: length as u64,
        pieces_root: hashes.pieces_root,
        executable: false,
    };
    let layout = Layout::new(PIECE, vec![file]).unwrap();
    let mut layers = PieceLayers::default();
    layers.insert(&layout, 0, hashes.layer).unwrap();
    (bytes, Metainfo::build("pack", layout, layers, vec![], vec![]).unwrap())
}

fn add(
    metainfo: &Metainfo,
    store: &Arc<Memory>,
    seed: Option<SocketAddr>,
) -> (Session, TorrentHandle, UnboundedReceiver<TorrentEvent>) {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let session = Session::start(&SessionConfig { listen, ..SessionConfig::default() }).unwrap();
    let pieces = metainfo.layout.piece_count();
    let (handle, events) = session.add(Torrent {
        infohash: metainfo.infohash,
        layout: Arc::new(metainfo.layout.clone()),
        layers: metainfo.layers.clone(),
        have: if seed.is_none() { Bitfield::full(pieces) } else { Bitfield::empty(pieces) },
        excluded: vec![],
        store: Arc::<Memory>::clone(store),
        trackers: vec![],
        origins: vec![],
        peers: seed.into_iter().collect(),
        exchange: Exchange::Everybody,
        origin_use: OriginUse::default(),
        upload: true,
    });
    (session, handle, events)
}

async fn complete(events: &mut UnboundedReceiver<TorrentEvent>) {
    let event = tokio::time::timeout(Duration::from_secs(60), events.recv()).await.unwrap();
    assert_eq!(event, Some(TorrentEvent::Complete));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_stops_the_line_and_the_rest_comes_when_it_does() {
    let (bytes, metainfo) = content(48 << 20);
    let disk = Memory::new(vec![0; bytes.len()], false);
    let (seed, _, _events) = add(&metainfo, &Memory::new(bytes.clone(), true), None);
    let (_leech, handle, mut events) = add(&metainfo, &disk, Some(seed.local_addr()));
    let came = || handle.status().borrow().stats.downloaded.players;
    let mut before = 0;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = came();
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    // 4 MiB on their way to the disk, and what was read from the socket at once beyond.
    assert!((1..8 << 20).contains(&came()), "{} bytes came to a disk that takes none", came());
    disk.open();
    complete(&mut events).await;
    assert!(*disk.bytes.lock().unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_side_by_side_are_read_at_once() {
    let (bytes, metainfo) = content(32 << 20);
    let disk = Memory::new(bytes.clone(), true);
    let (seed, _, _events) = add(&metainfo, &disk, None);
    let taken = Memory::new(vec![0; bytes.len()], true);
    let (_leech, _, mut events) = add(&metainfo, &taken, Some(seed.local_addr()));
    complete(&mut events).await;
    assert!(*taken.bytes.lock().unwrap() == bytes);
    let (reads, blocks) = (disk.reads.load(Ordering::Relaxed), bytes.len() / BLOCK);
    assert!(reads <= blocks / 2, "{reads} reads for {blocks} blocks");
}

/// What came is judged as it came: a disk that keeps it wrong is not the fault of who sent it.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_garbles_bans_no_honest_peer() {
    let (bytes, metainfo) = content(8 << 20);
    let (seed, _, _events) = add(&metainfo, &Memory::new(bytes.clone(), true), None);
    let disk = Memory::garbling(bytes.len());
    let (leech, handle, mut events) = add(&metainfo, &disk, Some(seed.local_addr()));
    complete(&mut events).await;
    assert!(disk.bytes.lock().unwrap().iter().zip(&bytes).all(|(kept, sent)| *kept == !sent));
    let stats = handle.status().borrow().stats.clone();
    assert_eq!((stats.failed_pieces, stats.wasted_bytes), (0, 0));
    // And who fetches from it bans what it sends, as it must: to the receiver nothing else can be seen.
    let (other, taken, _events) =
        add(&metainfo, &Memory::new(vec![0; bytes.len()], true), Some(leech.local_addr()));
    let status = taken.status();
    let judged = async {
        while status.borrow().stats.failed_pieces == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), judged).await.unwrap();
    assert_eq!(status.borrow().stats.pieces_have, 0);
    drop(other);
}
