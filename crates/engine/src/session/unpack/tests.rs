//! Exactly the bytes that were asked for, or nothing.

use super::*;
use crate::piece_store::{PieceStore, PieceStoreError};
use std::collections::BTreeMap;
use zstd::zstd_safe::{CCtx, CParameter, zstd_sys::ZSTD_EndDirective};

const BLOCK: u32 = 16 * 1024;

#[derive(Debug, Default)]
struct Memory(Mutex<BTreeMap<(u32, u32), Vec<u8>>>);

impl PieceStore for Memory {
    fn read(&self, _: u32, _: u32, _: u32) -> Result<Vec<u8>, PieceStoreError> {
        Err(PieceStoreError::Absent)
    }

    fn write(&self, piece: u32, begin: u32, data: &[u8]) -> Result<(), PieceStoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((piece, begin), data.to_vec());
        Ok(())
    }

    fn verified(&self, _: u32) {}

    fn flush(&self) -> Result<(), PieceStoreError> {
        Ok(())
    }
}

struct Scene {
    store: Arc<Memory>,
    places: Arc<Places>,
    done: mpsc::UnboundedSender<Happening>,
    told: mpsc::UnboundedReceiver<Happening>,
}

impl Scene {
    fn new() -> Self {
        let (done, told) = mpsc::unbounded_channel();
        Self { store: Arc::default(), places: Arc::default(), done, told }
    }

    fn unpacker(&self, peer: u64) -> Arc<Unpacker> {
        let (pool, places) = (Pool::new(), Arc::clone(&self.places));
        let writes = Writes::new(pool.clone(), Arc::<Memory>::clone(&self.store), self.done.clone());
        Unpacker::new(PeerKey(peer), pool, writes, places, self.done.clone())
    }

    async fn next(&mut self) -> Happening {
        let happening = tokio::time::timeout(Duration::from_secs(10), self.told.recv()).await;
        happening.ok().flatten().expect("something comes of it")
    }
}

fn content(piece: u32) -> Vec<u8> {
    (0..2 * BLOCK).map(|at| (at / 7 * (piece + 1)) as u8).collect()
}

fn message(packing: Packing, piece: u32, data: Vec<u8>) -> Message {
    let block = |block| PackedBlock { piece, block, length: BLOCK, wanted: true };
    Message { packing, blocks: vec![block(0), block(1)], data: data.into() }
}

/// A sender's side of a stream.
struct Sender(CCtx<'static>);

impl Sender {
    fn new(window_log: u32) -> Self {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::WindowLog(window_log)).expect("is a window");
        Self(context)
    }

    fn pack(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        let mut output = OutBuffer::around(&mut out);
        let mut input = InBuffer::around(bytes);
        let left = self.0.compress_stream2(&mut output, &mut input, ZSTD_EndDirective::ZSTD_e_flush);
        assert_eq!(left.ok(), Some(0));
        out
    }
}

#[tokio::test]
async fn a_stream_and_frames_of_their_own_become_the_blocks_in_order() {
    let mut scene = Scene::new();
    let unpacker = scene.unpacker(1);
    let mut sender = Sender::new(PACKED_WINDOW_LOG);
    for piece in 0..20 {
        let bytes = content(piece);
        let message = match piece {
            0 => message(Packing::Begin, piece, sender.pack(&bytes)),
            7 => message(Packing::Alone, piece, zstd::bulk::compress(&bytes, 3).expect("packs")),
            _ => message(Packing::Next, piece, sender.pack(&bytes)),
        };
        unpacker.push(message);
    }
    let mut stored = 0;
    while stored < 40 {
        let Happening::Stored(blocks) = scene.next().await else { panic!("only blocks come of it") };
        stored += blocks.len();
    }
    let written = scene.store.0.lock().unwrap_or_else(PoisonError::into_inner);
    for ((piece, begin), bytes) in written.iter() {
        assert_eq!(bytes[..], content(*piece)[*begin as usize..][..BLOCK as usize]);
    }
}

#[tokio::test]
async fn what_came_before_is_unpacked_for_the_stream_and_not_written() {
    let mut scene = Scene::new();
    let unpacker = scene.unpacker(1);
    let mut sender = Sender::new(20);
    let mut first = message(Packing::Begin, 0, sender.pack(&content(0)));
    first.blocks[0].wanted = false;
    unpacker.push(first);
    let Happening::Stored(blocks) = scene.next().await else { panic!("a block") };
    assert_eq!(blocks.iter().map(|stored| stored.block).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn one_byte_more_or_less_is_false_and_so_is_all_that_follows() {
    let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 3).expect("packs");
    let alone = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).expect("packs");
    let stream = |bytes: &[u8], window| Sender::new(window).pack(bytes);
    let (right, window) = (content(0), PACKED_WINDOW_LOG);
    let more = [&right[..], &[1]].concat();
    let cases = [
        ("a bomb", Packing::Alone, bomb.clone()),
        ("a bomb in a stream", Packing::Begin, bomb),
        ("more", Packing::Alone, alone(&more)),
        ("less", Packing::Alone, alone(&right[1..])),
        ("more in a stream", Packing::Begin, stream(&more, window)),
        ("less in a stream", Packing::Begin, stream(&right[1..], window)),
        ("nothing", Packing::Begin, Vec::new()),
        ("no zstd", Packing::Alone, vec![0x66; 500]),
        ("no zstd in a stream", Packing::Begin, vec![0x66; 500]),
        ("a window beyond the bound", Packing::Begin, stream(&right, window + 1)),
    ];
    for (name, packing, data) in cases {
        let mut scene = Scene::new();
        let unpacker = scene.unpacker(5);
        unpacker.push(message(packing, 0, data));
        unpacker.push(message(Packing::Alone, 1, alone(&content(1))));
        for piece in [0, 1] {
            let Happening::PackedFalse { peer, blocks } = scene.next().await else { panic!("{name}") };
            assert_eq!((peer, blocks), (PeerKey(5), vec![(piece, 0), (piece, 1)]), "{name}");
        }
        assert!(scene.store.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn who_comes_too_late_for_a_place_is_lost_and_may_send_frames_of_their_own() {
    let mut scene = Scene::new();
    let unpackers: Vec<_> = (0..=STREAMS_MAX as u64).map(|peer| scene.unpacker(peer)).collect();
    for unpacker in &unpackers[..STREAMS_MAX] {
        unpacker.push(message(Packing::Begin, 0, Sender::new(20).pack(&content(0))));
        assert!(matches!(scene.next().await, Happening::Stored(_)));
    }
    let last = &unpackers[STREAMS_MAX];
    let mut sender = Sender::new(20);
    for packing in [Packing::Begin, Packing::Next] {
        last.push(message(packing, 0, sender.pack(&content(0))));
        assert!(matches!(scene.next().await, Happening::PackedLost { peer: PeerKey(6), .. }));
    }
    last.push(message(Packing::Alone, 0, zstd::bulk::compress(&content(0), 3).expect("packs")));
    assert!(matches!(scene.next().await, Happening::Stored(_)));
    // One that has rested for long makes room, and is lost itself if it goes on.
    while unpackers[0].lock().busy {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(scene.places.take(last, Instant::now() + REST));
    unpackers[0].push(message(Packing::Next, 0, Vec::new()));
    assert!(matches!(scene.next().await, Happening::PackedLost { peer: PeerKey(0), .. }));
}
