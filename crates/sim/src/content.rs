//! What is shared: a layout with hashes that fit together, without the bytes.

use std::sync::Arc;

use bytes::Bytes;
use release::hash::{Hash32, sha256};
use release::layout::{FileEntry, Layout, LayoutError, PieceLayers};
use release::merkle;
use release::path::GamePath;

static TRUE_BLOCK: [u8; merkle::BLOCK as usize] = [0; merkle::BLOCK as usize];
static FALSE_BLOCK: [u8; merkle::BLOCK as usize] = [1; merkle::BLOCK as usize];

/// A torrent's layout, layers and leaves.
#[derive(Debug, Clone)]
pub struct Content {
    /// Files and pieces.
    pub layout: Arc<Layout>,
    /// All piece layers.
    pub layers: PieceLayers,
    leaves: Arc<Vec<Vec<Hash32>>>,
}

impl Content {
    /// Files of these lengths, in pieces of `piece_length` bytes; `label` makes their hashes differ from others'.
    ///
    /// # Errors
    /// [`LayoutError`] if no layout has such pieces or lengths.
    pub fn new(piece_length: u32, lengths: &[u64], label: u64) -> Result<Self, LayoutError> {
        let mut files = Vec::new();
        let mut layers_by_file = Vec::new();
        let mut leaves = Vec::new();
        for (at, &length) in lengths.iter().enumerate() {
            let (root, layer, own_leaves) = hash_file(piece_length, length, &format!("{label}/{at}"));
            let path = GamePath::parse(&format!("file-{at:06}")).map_err(|_| LayoutError::TooLarge)?;
            files.push(FileEntry { path, length, pieces_root: root, executable: false });
            layers_by_file.push(layer);
            leaves.extend(own_leaves);
        }
        let layout = Layout::new(piece_length, files)?;
        let mut layers = PieceLayers::default();
        for (file, layer) in layers_by_file.into_iter().enumerate().filter(|(_, layer)| layer.len() > 1) {
            // Built from the same leaves as the root a moment ago, so it fits.
            let inserted = layers.insert(&layout, file, layer);
            debug_assert!(inserted.is_ok(), "{inserted:?}");
        }
        Ok(Self { layout: Arc::new(layout), layers, leaves: Arc::new(leaves) })
    }

    /// The bytes of a block, true or false.
    #[must_use]
    pub fn block(length: u32, is_true: bool) -> Bytes {
        let block = if is_true { &TRUE_BLOCK } else { &FALSE_BLOCK };
        Bytes::from_static(&block[..length.min(merkle::BLOCK) as usize])
    }

    /// What the bytes of a block hash to, garbled or as they are.
    #[must_use]
    pub fn leaf_of(&self, piece: u32, block: u32, data: &[u8], garbled: bool) -> Hash32 {
        let is_true = data.first() == Some(&0) && !garbled;
        let leaf = self.leaves[piece as usize][block as usize];
        if is_true { leaf } else { sha256(&leaf.0) }
    }

    /// The leaves of a piece.
    #[must_use]
    pub fn leaves(&self, piece: u32) -> Vec<Hash32> {
        self.leaves[piece as usize].clone()
    }
}

type HashedFile = (Option<Hash32>, Vec<Hash32>, Vec<Vec<Hash32>>);

fn hash_file(piece_length: u32, length: u64, label: &str) -> HashedFile {
    let blocks = length.div_ceil(u64::from(merkle::BLOCK));
    let leaves: Vec<Hash32> =
        (0..blocks).map(|block| sha256(format!("{label}/{block}").as_bytes())).collect();
    let width = (piece_length / merkle::BLOCK) as usize;
    let pieces: Vec<Vec<Hash32>> = leaves.chunks(width).map(<[Hash32]>::to_vec).collect();
    let layer: Vec<Hash32> = pieces.iter().map(|piece| merkle::root(piece, width)).collect();
    let root = match pieces.as_slice() {
        [] => None,
        [only] => Some(merkle::root(only, only.len().next_power_of_two())),
        _ => Some(merkle::pieces_root_of_layer(&layer, piece_length)),
    };
    (root, layer, pieces)
}
