//! The little release that targets work on: two files, one of several pieces and one of a few bytes, whose true bytes are known.

use bytes::Bytes;
use release::{
    hash::Hash32,
    layout::{FileEntry, Layout, PieceLayers},
    merkle,
    path::GamePath,
};
use std::sync::{Arc, LazyLock};

pub(crate) const BLOCK: u32 = merkle::BLOCK;
/// Bytes of a piece.
pub(crate) const PIECE: u32 = 4 * BLOCK;
/// Blocks of the longer file: five pieces and a half.
const LONG_BLOCKS: u32 = 22;
/// Bytes of the shorter file.
const SHORT_BYTES: u32 = 300;

/// The release.
#[derive(Debug)]
pub(crate) struct Goods {
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: PieceLayers,
    /// Root of the longer file.
    pub(crate) root: Hash32,
    /// Leaves of the longer file.
    pub(crate) leaves: Vec<Hash32>,
}

pub(crate) static GOODS: LazyLock<Goods> = LazyLock::new(Goods::make);

impl Goods {
    fn make() -> Self {
        let leaves: Vec<Hash32> = (0..LONG_BLOCKS).map(|n| merkle::leaf(&filled(n, BLOCK))).collect();
        let layer: Vec<Hash32> = leaves.chunks(4).map(|piece| merkle::root(piece, 4)).collect();
        let root = merkle::pieces_root_of_layer(&layer, PIECE);
        let file = |path: &str, length: u32, root| FileEntry {
            path: GamePath::parse(path).unwrap(),
            length: length.into(),
            pieces_root: Some(root),
            executable: false,
        };
        let short = merkle::leaf(&filled(LONG_BLOCKS + 2, SHORT_BYTES));
        let files = vec![file("data.bin", LONG_BLOCKS * BLOCK, root), file("readme.txt", SHORT_BYTES, short)];
        let layout = Layout::new(PIECE, files).unwrap();
        let mut layers = PieceLayers::default();
        layers.insert(&layout, 0, layer).unwrap();
        Self { layout: Arc::new(layout), layers, root, leaves }
    }

    /// The true bytes of a block; none past the end.
    pub(crate) fn block(&self, piece: u32, block: u32) -> Bytes {
        let length =
            if piece < self.layout.piece_count() { self.layout.block_length(piece, block) } else { 0 };
        filled(piece.saturating_mul(4).saturating_add(block), length)
    }
}

fn filled(number: u32, length: u32) -> Bytes {
    Bytes::from(vec![number as u8; length as usize])
}
