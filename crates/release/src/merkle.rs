//! Merkle trees of BitTorrent v2 (BEP 52): 16 KiB leaves, SHA-256, padded with zero leaves.
//!
//! A file's *pieces root* is the root over its leaves; its *piece layer* is the row of nodes that
//! each span one piece. A file no longer than a piece has no layer: its root spans it alone.

use crate::hash::{Hash32, sha256};
use sha2::{Digest, Sha256};

/// Bytes of a leaf, and of a block on the peer wire.
pub const BLOCK: u32 = 16 * 1024;

/// The leaf of one block. The last block of a file is hashed at its true length.
#[must_use]
pub fn leaf(block: &[u8]) -> Hash32 {
    sha256(block)
}

/// The parent of two nodes.
#[must_use]
pub fn pair(left: &Hash32, right: &Hash32) -> Hash32 {
    let mut hasher = Sha256::new();
    hasher.update(left.0);
    hasher.update(right.0);
    Hash32(hasher.finalize().into())
}

/// Root of a subtree of `2^height` zero leaves.
#[must_use]
pub fn pad(height: u32) -> Hash32 {
    (0..height).fold(Hash32::ZERO, |node, _| pair(&node, &node))
}

/// Root over `nodes`, padded to `width` (a power of two, at least `nodes.len()`) with `padding`.
#[must_use]
pub fn root_padded(nodes: &[Hash32], width: usize, padding: Hash32) -> Hash32 {
    assert!(width.is_power_of_two() && nodes.len() <= width, "width is checked by the caller");
    let mut row = nodes.to_vec();
    let (mut padding, mut width) = (padding, width);
    while width > 1 {
        row = row.chunks(2).map(|two| pair(&two[0], two.get(1).unwrap_or(&padding))).collect();
        padding = pair(&padding, &padding);
        width /= 2;
    }
    row.first().copied().unwrap_or(padding)
}

/// Root over leaves, padded to `width` with zero leaves.
#[must_use]
pub fn root(leaves: &[Hash32], width: usize) -> Hash32 {
    root_padded(leaves, width, Hash32::ZERO)
}

/// Height of a piece above the leaves: `log2(piece_length / 16 KiB)`.
#[must_use]
pub fn piece_height(piece_length: u32) -> u32 {
    (piece_length / BLOCK).trailing_zeros()
}

/// Pieces root of a file longer than one piece from its piece layer.
#[must_use]
pub fn pieces_root_of_layer(layer: &[Hash32], piece_length: u32) -> Hash32 {
    root_padded(layer, layer.len().next_power_of_two(), pad(piece_height(piece_length)))
}

/// What a file's bytes hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHashes {
    /// Bytes hashed.
    pub length: u64,
    /// Root of the file's tree; `None` for an empty file, which has none (BEP 52).
    pub pieces_root: Option<Hash32>,
    /// Piece layer; empty where the file is no longer than a piece.
    pub layer: Vec<Hash32>,
}

/// Hashes a file as its bytes come, holding one piece's leaves and the piece layer.
#[derive(Debug, Clone)]
pub struct FileHasher {
    piece_length: u32,
    length: u64,
    block: Sha256,
    block_fill: u32,
    leaves: Vec<Hash32>,
    layer: Vec<Hash32>,
}

impl FileHasher {
    /// For pieces of `piece_length` bytes, a power of two of at least 16 KiB.
    #[must_use]
    pub fn new(piece_length: u32) -> Self {
        assert!(piece_length.is_power_of_two() && piece_length >= BLOCK, "checked by the caller");
        Self {
            piece_length,
            length: 0,
            block: Sha256::new(),
            block_fill: 0,
            leaves: Vec::new(),
            layer: Vec::new(),
        }
    }

    /// Takes the next bytes of the file, in any portions.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = (BLOCK - self.block_fill) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.update(now);
            self.block_fill += now.len() as u32;
            bytes = later;
            if self.block_fill == BLOCK {
                self.close_block();
            }
        }
    }

    /// The hashes of everything taken.
    #[must_use]
    pub fn finish(mut self) -> FileHashes {
        if self.block_fill > 0 {
            self.close_block();
        }
        if self.length == 0 {
            return FileHashes { length: 0, pieces_root: None, layer: Vec::new() };
        }
        if self.length <= u64::from(self.piece_length) {
            let leaves = if self.layer.is_empty() {
                self.leaves
            } else {
                // Exactly one whole piece: its subtree root is the file's root.
                return FileHashes {
                    length: self.length,
                    pieces_root: Some(self.layer[0]),
                    layer: Vec::new(),
                };
            };
            let width = leaves.len().next_power_of_two();
            return FileHashes {
                length: self.length,
                pieces_root: Some(root(&leaves, width)),
                layer: Vec::new(),
            };
        }
        if !self.leaves.is_empty() {
            self.close_piece();
        }
        FileHashes {
            length: self.length,
            pieces_root: Some(pieces_root_of_layer(&self.layer, self.piece_length)),
            layer: self.layer,
        }
    }

    fn close_block(&mut self) {
        let digest = std::mem::take(&mut self.block).finalize();
        self.leaves.push(Hash32(digest.into()));
        self.block_fill = 0;
        if self.leaves.len() == (self.piece_length / BLOCK) as usize {
            self.close_piece();
        }
    }

    fn close_piece(&mut self) {
        self.layer.push(root(&self.leaves, (self.piece_length / BLOCK) as usize));
        self.leaves.clear();
    }
}

/// A row of nodes with everything above it: serves and checks BEP 52 hash requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// `rows[0]` is the base row, unpadded; each next one is its parents, up to one node.
    rows: Vec<Vec<Hash32>>,
    /// Padding node of each row.
    padding: Vec<Hash32>,
}

impl Tree {
    /// Builds on `base`, a row that lies `base_height` above the leaves (0 for leaves,
    /// [`piece_height`] for a piece layer). `base` must not be empty.
    #[must_use]
    pub fn new(base: Vec<Hash32>, base_height: u32) -> Self {
        assert!(!base.is_empty(), "a tree stands on at least one node");
        let mut padding = vec![pad(base_height)];
        let mut width = base.len().next_power_of_two();
        let mut rows = vec![base];
        while width > 1 {
            let (row, fill) = (&rows[rows.len() - 1], padding[padding.len() - 1]);
            let next = row.chunks(2).map(|two| pair(&two[0], two.get(1).unwrap_or(&fill))).collect();
            padding.push(pair(&fill, &fill));
            rows.push(next);
            width /= 2;
        }
        Self { rows, padding }
    }

    /// The root over the padded base row.
    #[must_use]
    pub fn root(&self) -> Hash32 {
        self.rows[self.rows.len() - 1][0]
    }

    /// Rows above the base row.
    #[must_use]
    pub fn height(&self) -> u32 {
        (self.rows.len() - 1) as u32
    }

    /// The unpadded base row.
    #[must_use]
    pub fn base(&self) -> &[Hash32] {
        &self.rows[0]
    }

    /// The node `index` of row `row` above the base, padding included; `None` outside the tree.
    #[must_use]
    pub fn node(&self, row: u32, index: usize) -> Option<Hash32> {
        let width = self.rows[0].len().next_power_of_two() >> row;
        (index < width).then(|| {
            let nodes = &self.rows[row as usize];
            nodes.get(index).copied().unwrap_or(self.padding[row as usize])
        })
    }

    /// `length` base nodes from `index` on (both powers of two apart as BEP 52 asks: `length` a
    /// power of two, `index` its multiple), followed by the uncle nodes that cannot be computed from
    /// them. `proof_layers` are counted from the row above the base, as libtorrent counts them.
    /// `None` where the request lies outside the tree.
    #[must_use]
    pub fn answer(&self, index: usize, length: usize, proof_layers: u32) -> Option<Vec<Hash32>> {
        if !length.is_power_of_two() || !index.is_multiple_of(length) {
            return None;
        }
        let span = length.trailing_zeros();
        if span > self.height() {
            return None;
        }
        let mut nodes: Vec<Hash32> =
            (index..index + length).map(|i| self.node(0, i)).collect::<Option<_>>()?;
        for row in span..proof_layers.saturating_add(1).min(self.height()) {
            nodes.push(self.node(row, (index >> row) ^ 1)?);
        }
        Some(nodes)
    }
}

/// Root that `nodes` (a power of two of base nodes starting at `index`, a multiple of their
/// number) and their `uncles`, lowest first, lead to.
#[must_use]
pub fn root_of_span(nodes: &[Hash32], index: usize, uncles: &[Hash32]) -> Hash32 {
    let top = root(nodes, nodes.len());
    let position = index / nodes.len();
    uncles.iter().enumerate().fold(top, |node, (row, uncle)| {
        if (position >> row) & 1 == 0 { pair(&node, uncle) } else { pair(uncle, &node) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Hash32> {
        (0..count).map(|i| leaf(&[i; 10])).collect()
    }

    #[test]
    fn tree_agrees_with_root_at_every_width() {
        for count in 1..20 {
            let base = leaves(count);
            let width = base.len().next_power_of_two();
            assert_eq!(Tree::new(base.clone(), 0).root(), root(&base, width));
        }
    }

    #[test]
    fn answers_prove_themselves_and_false_ones_do_not() {
        let tree = Tree::new(leaves(13), 0);
        for (index, length) in [(0, 2), (4, 4), (8, 8), (12, 4), (14, 2), (0, 16), (13, 1)] {
            let mut nodes = tree.answer(index, length, 32).expect("inside the tree");
            let uncles = nodes.split_off(length);
            assert_eq!(root_of_span(&nodes, index, &uncles), tree.root());
            nodes[0].0[0] ^= 1;
            assert_ne!(root_of_span(&nodes, index, &uncles), tree.root());
        }
        assert_eq!(tree.answer(16, 2, 0), None);
        assert_eq!(tree.answer(1, 2, 0), None);
        assert_eq!(tree.answer(0, 3, 0), None);
    }

    #[test]
    fn streaming_in_any_portions_gives_the_same_root() {
        let data: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        for length in [0, 1, 16_384, 16_385, 65_536, 65_537, 200_000] {
            let mut whole = FileHasher::new(65_536);
            whole.update(&data[..length]);
            let mut parts = FileHasher::new(65_536);
            data[..length].chunks(777).for_each(|part| parts.update(part));
            assert_eq!(whole.clone().finish(), parts.finish());
            let hashes = whole.finish();
            let all: Vec<Hash32> = data[..length].chunks(BLOCK as usize).map(leaf).collect();
            let expected = (length > 0).then(|| root(&all, all.len().next_power_of_two()));
            // A file of many pieces pads each piece, which for whole trees is the same padding.
            assert_eq!(hashes.pieces_root, expected);
            assert_eq!(hashes.layer.len(), if length > 65_536 { length.div_ceil(65_536) } else { 0 });
        }
    }
}
