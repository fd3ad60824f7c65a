//! How pieces, blocks, files and bytes lie over each other in a v2 torrent (BEP 52).
//!
//! Every file starts a new piece; only the last piece of a file is short; empty files have none.

use crate::{
    hash::Hash32,
    limits::{FILE_BYTES_MAX, FILES_MAX, PIECE_LENGTH_MAX, PIECE_LENGTH_MIN, PIECES_MAX},
    merkle::{BLOCK, pieces_root_of_layer},
    path::GamePath,
};
use std::{collections::BTreeMap, ops::Range};

/// One file of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies in the tree.
    pub path: GamePath,
    /// Bytes.
    pub length: u64,
    /// Root of its merkle tree; `None` exactly when it is empty.
    pub pieces_root: Option<Hash32>,
    /// May be executed (BEP 47 `attr` `x`).
    pub executable: bool,
}

/// Where a piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Index of the file it belongs to.
    pub file: usize,
    /// First byte within that file.
    pub offset: u64,
    /// Bytes; the last piece of a file may be short.
    pub length: u32,
}

/// Why a layout was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Not a power of two between 16 KiB and 16 MiB.
    #[error("piece length {0} is not a power of two from 16 KiB to 16 MiB")]
    PieceLength(u32),
    /// Too many files, pieces or bytes.
    #[error("too many files, pieces or bytes")]
    TooLarge,
    /// A file without a root, or an empty one with a root.
    #[error("{0}: a file has a pieces root exactly when it has bytes")]
    Root(GamePath),
    /// Files are not in tree order, or one path comes twice.
    #[error("{0}: files are not in the order of the tree")]
    Order(GamePath),
}

/// A release's or torrent's files and pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    piece_length: u32,
    files: Vec<FileEntry>,
    /// First piece of each file, and one past the last piece at the end.
    first_pieces: Vec<u32>,
    total: u64,
}

impl Layout {
    /// Lays `files`, sorted by [`GamePath`]'s order, out in pieces of `piece_length` bytes.
    ///
    /// # Errors
    /// [`LayoutError`] for anything BEP 52 or our limits do not allow.
    pub fn new(piece_length: u32, files: Vec<FileEntry>) -> Result<Self, LayoutError> {
        if !piece_length.is_power_of_two() || !(PIECE_LENGTH_MIN..=PIECE_LENGTH_MAX).contains(&piece_length) {
            return Err(LayoutError::PieceLength(piece_length));
        }
        if files.len() > FILES_MAX {
            return Err(LayoutError::TooLarge);
        }
        if let Some(two) = files.windows(2).find(|two| two[0].path >= two[1].path) {
            return Err(LayoutError::Order(two[1].path.clone()));
        }
        let (mut first_pieces, mut pieces, mut total) = (vec![0], 0_u64, 0_u64);
        for file in &files {
            if file.length > FILE_BYTES_MAX {
                return Err(LayoutError::TooLarge);
            }
            if file.pieces_root.is_some() != (file.length > 0) {
                return Err(LayoutError::Root(file.path.clone()));
            }
            pieces += file.length.div_ceil(u64::from(piece_length));
            total += file.length;
            if pieces > PIECES_MAX {
                return Err(LayoutError::TooLarge);
            }
            first_pieces.push(pieces as u32);
        }
        Ok(Self { piece_length, files, first_pieces, total })
    }

    /// Bytes of a whole piece.
    #[must_use]
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// The files in tree order.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Number of pieces.
    #[must_use]
    pub fn piece_count(&self) -> u32 {
        self.first_pieces[self.files.len()]
    }

    /// The pieces of a file; empty for an empty file.
    #[must_use]
    pub fn pieces_of(&self, file: usize) -> Range<u32> {
        self.first_pieces[file]..self.first_pieces[file + 1]
    }

    /// Where piece `index` lies. `index` must be below [`Layout::piece_count`].
    #[must_use]
    pub fn piece(&self, index: u32) -> Piece {
        assert!(index < self.piece_count(), "a piece index is checked where it enters");
        // The last file whose first piece is at or before `index`; empty files share their
        // successor's first piece, so the last one of equals is the one with bytes.
        let file = self.first_pieces.partition_point(|first| *first <= index) - 1;
        let offset = u64::from(index - self.first_pieces[file]) * u64::from(self.piece_length);
        let left = self.files[file].length - offset;
        Piece { file, offset, length: left.min(u64::from(self.piece_length)) as u32 }
    }

    /// Bytes of piece `index`.
    #[must_use]
    pub fn piece_bytes(&self, index: u32) -> u32 {
        self.piece(index).length
    }

    /// Blocks of 16 KiB in piece `index`, the last one possibly short.
    #[must_use]
    pub fn block_count(&self, index: u32) -> u32 {
        self.piece(index).length.div_ceil(BLOCK)
    }

    /// Bytes of block `block` of piece `index`; 0 past its end.
    #[must_use]
    pub fn block_length(&self, index: u32, block: u32) -> u32 {
        self.piece(index).length.saturating_sub(block.saturating_mul(BLOCK)).min(BLOCK)
    }

    /// Leaves under the node that stands for piece `index`: a whole piece's, or for a file no
    /// longer than a piece its own blocks rounded up to a power of two.
    #[must_use]
    pub fn leaf_width(&self, index: u32) -> usize {
        let piece = self.piece(index);
        if self.files[piece.file].length > u64::from(self.piece_length) {
            (self.piece_length / BLOCK) as usize
        } else {
            (piece.length.div_ceil(BLOCK) as usize).next_power_of_two()
        }
    }

    /// Whether file `file` has a piece layer: it is longer than one piece.
    #[must_use]
    pub fn has_layer(&self, file: usize) -> bool {
        self.files[file].length > u64::from(self.piece_length)
    }

    /// The first file with this pieces root.
    #[must_use]
    pub fn file_with_root(&self, root: &Hash32) -> Option<usize> {
        self.files.iter().position(|file| file.pieces_root.as_ref() == Some(root))
    }
}

/// Piece length for a release of `total` bytes: at least 250 pieces where 16 KiB allows it, at
/// most 4 MiB a piece.
#[must_use]
pub fn piece_length_for(total: u64) -> u32 {
    let mut length = 4 * 1024 * 1024;
    while length > PIECE_LENGTH_MIN && total / u64::from(length) < PIECES_WANTED {
        length /= 2;
    }
    length
}

/// Piece length for a release of `total` bytes that follows one in pieces of `before` bytes: the same, so that what did
/// not change is the same to players of both, unless that makes too few pieces or very many.
#[must_use]
pub fn piece_length_after(total: u64, before: u32) -> u32 {
    let pieces = total / u64::from(before.max(1));
    if (PIECES_WANTED..=PIECES_KEPT_MAX).contains(&pieces) { before } else { piece_length_for(total) }
}

/// Fewer pieces than this and a swarm has too little to trade.
const PIECES_WANTED: u64 = 250;
/// More pieces than this and hashes and messages cost more than staying with the old piece length saves: 16 times as many
/// as a release starts with.
const PIECES_KEPT_MAX: u64 = 16 * 2 * PIECES_WANTED;

/// A piece layer did not match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// Wrong number of hashes for the file's length.
    #[error("piece layer has {got} hashes, the file has {expected} pieces")]
    Count {
        /// Hashes that came.
        got: usize,
        /// Pieces of the file.
        expected: usize,
    },
    /// The hashes do not lead to the file's pieces root.
    #[error("piece layer does not lead to the pieces root")]
    Root,
}

/// Known piece layers, each checked against its file's root. Files without bytes or of one piece
/// need none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PieceLayers {
    layers: BTreeMap<Hash32, Vec<Hash32>>,
}

impl PieceLayers {
    /// Takes the layer of `file` after checking it against the file's root.
    ///
    /// # Errors
    /// [`LayerError`] where number or root do not match.
    pub fn insert(&mut self, layout: &Layout, file: usize, layer: Vec<Hash32>) -> Result<(), LayerError> {
        let expected = layout.pieces_of(file).len();
        if layer.len() != expected || !layout.has_layer(file) {
            return Err(LayerError::Count { got: layer.len(), expected });
        }
        let root = pieces_root_of_layer(&layer, layout.piece_length());
        if layout.files()[file].pieces_root != Some(root) {
            return Err(LayerError::Root);
        }
        self.layers.insert(root, layer);
        Ok(())
    }

    /// What piece `index` must hash to, if known.
    #[must_use]
    pub fn piece_hash(&self, layout: &Layout, index: u32) -> Option<Hash32> {
        let file = layout.piece(index).file;
        let root = layout.files()[file].pieces_root?;
        if !layout.has_layer(file) {
            return Some(root);
        }
        let within = index - layout.pieces_of(file).start;
        self.layers.get(&root)?.get(within as usize).copied()
    }

    /// The layer of the file with this root.
    #[must_use]
    pub fn layer(&self, root: &Hash32) -> Option<&[Hash32]> {
        self.layers.get(root).map(Vec::as_slice)
    }

    /// All layers by root, in order of root.
    pub fn iter(&self) -> impl Iterator<Item = (&Hash32, &[Hash32])> {
        self.layers.iter().map(|(root, layer)| (root, layer.as_slice()))
    }

    /// Whether every file that needs a layer has one.
    #[must_use]
    pub fn complete(&self, layout: &Layout) -> bool {
        (0..layout.files().len()).all(|file| {
            !layout.has_layer(file)
                || layout.files()[file].pieces_root.is_some_and(|root| self.layers.contains_key(&root))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, length: u64) -> FileEntry {
        let pieces_root = (length > 0).then_some(Hash32([7; 32]));
        FileEntry { path: path.parse().expect("good path"), length, pieces_root, executable: false }
    }

    #[test]
    fn files_start_pieces_and_empty_ones_have_none() {
        let layout = Layout::new(
            32_768,
            vec![
                entry("a", 0),
                entry("b", 70_000),
                entry("c", 0),
                entry("d", 1),
                entry("e", 32_768),
                entry("f", 0),
            ],
        )
        .expect("valid");
        assert_eq!(layout.piece_count(), 5);
        assert_eq!(layout.pieces_of(1), 0..3);
        assert_eq!(layout.piece(2), Piece { file: 1, offset: 65_536, length: 4_464 });
        assert_eq!(layout.piece(3), Piece { file: 3, offset: 0, length: 1 });
        assert_eq!(layout.piece(4), Piece { file: 4, offset: 0, length: 32_768 });
        assert_eq!(
            (layout.block_count(0), layout.block_length(2, 0), layout.block_length(2, 1)),
            (2, 4_464, 0)
        );
        assert_eq!((layout.leaf_width(2), layout.leaf_width(3), layout.leaf_width(4)), (2, 1, 2));
        assert_eq!(layout.total(), 70_000 + 1 + 32_768);
    }

    #[test]
    fn refusals() {
        assert!(Layout::new(40_000, vec![]).is_err());
        assert!(Layout::new(8_192, vec![]).is_err());
        assert!(Layout::new(1 << 25, vec![]).is_err());
        assert!(Layout::new(16_384, vec![entry("b", 1), entry("a", 1)]).is_err());
        assert!(Layout::new(16_384, vec![entry("a", 1 << 51)]).is_err());
    }

    #[test]
    fn piece_length_gives_250_pieces() {
        assert_eq!(piece_length_for(0), 16_384);
        assert_eq!(piece_length_for(168 << 20), 512 * 1024);
        assert_eq!(piece_length_for(1 << 40), 4 << 20);
    }

    #[test]
    fn piece_length_stays_while_it_makes_for_a_good_swarm() {
        let mib = 1 << 20;
        // Over the threshold of 250 MiB, where a first release would take pieces of 1 MiB.
        assert_eq!((piece_length_for(249 * mib), piece_length_for(251 * mib)), (512 * 1024, 1 << 20));
        assert_eq!(piece_length_after(251 * mib, 512 * 1024), 512 * 1024);
        assert_eq!(piece_length_after(2000 * mib, 512 * 1024), 512 * 1024);
        // And back below it, as long as there are 250 pieces.
        assert_eq!(piece_length_after(250 * mib, 1 << 20), 1 << 20);
        assert_eq!(piece_length_after(249 * mib, 1 << 20), 512 * 1024);
        // A release that grew out of all proportion starts anew.
        assert_eq!(piece_length_after(5000 * mib, 512 * 1024), 4 << 20);
        assert_eq!(piece_length_after(0, 1 << 20), PIECE_LENGTH_MIN);
        // A large release has many pieces of the largest length anyway.
        assert_eq!(piece_length_after(1 << 40, 4 << 20), 4 << 20);
    }
}
