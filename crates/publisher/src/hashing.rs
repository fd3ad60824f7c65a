//! Hashes a build, piece by piece, in several threads. A piece is the largest portion of a file held in memory.

use release::hash::Hash32;
use release::leaves::Leaf;
use release::merkle::{self, BLOCK};

use crate::parallel::{self, batches, in_order};
use crate::report::{Meter, Phase};
use crate::walk::{Build, BuildFile};
use crate::{PublishError, disk};

/// Bytes of pieces in one batch; see [`parallel`].
pub(crate) const BATCH_BYTES: u64 = 64 * 1024 * 1024;
/// Pieces in one batch, so that a batch of tiny files ends too.
pub(crate) const BATCH_PIECES: usize = 1024;

/// What a file hashes to (BEP 52).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hashes {
    /// Absent for an empty file.
    pub(crate) pieces_root: Option<Hash32>,
    /// One node per piece. For a file of one piece that is its root.
    pub(crate) nodes: Vec<Hash32>,
    /// One leaf per 16 KiB, until the side file takes them.
    pub(crate) leaves: Vec<Leaf>,
}

/// A piece of a build's file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    /// Index of the file.
    pub(crate) file: usize,
    /// Index within the file.
    pub(crate) index: usize,
    pub(crate) offset: u64,
    pub(crate) length: u32,
}

/// The pieces of the given files, in order.
pub(crate) fn pieces(build: &Build, files: impl Iterator<Item = usize>, piece_length: u32) -> Vec<Piece> {
    let step = u64::from(piece_length);
    let mut pieces = Vec::new();
    for file in files {
        let size = build.files[file].stamp.size;
        let count = usize::try_from(size.div_ceil(step)).unwrap_or(usize::MAX);
        pieces.extend((0..count).map(|index| {
            let offset = index as u64 * step;
            Piece { file, index, offset, length: (size - offset).min(step) as u32 }
        }));
    }
    pieces
}

/// Hashes every file of the build.
pub(crate) fn hash(
    build: &Build,
    piece_length: u32,
    meter: &mut Meter<'_>,
) -> Result<Vec<Hashes>, PublishError> {
    meter.start(Phase::Hashing, build.total_bytes());
    let pieces = pieces(build, 0..build.files.len(), piece_length);
    let mut all = vec![Hashes::default(); build.files.len()];
    for batch in batches(&pieces, |piece| u64::from(piece.length), BATCH_BYTES, BATCH_PIECES) {
        let nodes = in_order(batch, parallel::threads(), Vec::new, |buffer, piece| {
            let file = &build.files[piece.file];
            read(file, piece, buffer)?;
            let leaves: Vec<Leaf> = buffer.chunks(BLOCK as usize).map(Leaf::of).collect();
            let hashes: Vec<Hash32> = leaves.iter().map(|leaf| leaf.hash).collect();
            Ok::<_, PublishError>((over(&hashes, file.stamp.size, piece_length), leaves))
        })?;
        for (piece, (node, leaves)) in batch.iter().zip(nodes) {
            all[piece.file].nodes.push(node);
            all[piece.file].leaves.extend(leaves);
            meter.advance(u64::from(piece.length));
        }
    }
    for hashes in &mut all {
        hashes.pieces_root = match hashes.nodes.as_slice() {
            [] => None,
            [only] => Some(*only),
            layer => Some(merkle::pieces_root_of_layer(layer, piece_length)),
        };
    }
    Ok(all)
}

/// Reads a piece into `buffer`.
pub(crate) fn read(file: &BuildFile, piece: &Piece, buffer: &mut Vec<u8>) -> Result<(), PublishError> {
    buffer.resize(piece.length as usize, 0);
    if !disk::read_exact_at(&file.on_disk, piece.offset, buffer)? {
        return Err(PublishError::Changed { path: file.on_disk.clone() });
    }
    Ok(())
}

/// The node that stands for a piece: of a file longer than a piece, the root over a whole piece's leaves; of a shorter
/// one, the root over its own.
pub(crate) fn node(piece: &[u8], file_size: u64, piece_length: u32) -> Hash32 {
    let leaves: Vec<Hash32> = piece.chunks(BLOCK as usize).map(merkle::leaf).collect();
    over(&leaves, file_size, piece_length)
}

fn over(leaves: &[Hash32], file_size: u64, piece_length: u32) -> Hash32 {
    let whole = file_size > u64::from(piece_length);
    let width = if whole { (piece_length / BLOCK) as usize } else { leaves.len().next_power_of_two() };
    merkle::root(leaves, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::merkle::FileHasher;

    #[test]
    fn nodes_agree_with_the_streaming_hasher() {
        let data: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        for length in [1_usize, 16_384, 16_385, 32_768, 32_769, 65_536, 100_000, 200_000] {
            let (bytes, piece_length) = (&data[..length], 32_768_u32);
            let nodes: Vec<Hash32> = bytes
                .chunks(piece_length as usize)
                .map(|piece| node(piece, length as u64, piece_length))
                .collect();
            let mut hasher = FileHasher::new(piece_length);
            hasher.update(bytes);
            let expected = hasher.finish();
            if length > piece_length as usize {
                assert_eq!(nodes, expected.layer, "{length}");
            } else {
                assert_eq!(Some(nodes[0]), expected.pieces_root, "{length}");
            }
        }
    }
}
