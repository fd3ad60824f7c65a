//! `.muster/layers`: the piece layers of the installed release, so that a damaged file can be
//! repaired piece by piece and the game seeded without asking for them again.
//!
//! For each layer: root (32 bytes), number of hashes (u32, little-endian), the hashes. Read back
//! against the manifest: a layer that does not lead to its root is dropped.

use crate::{error::Result, tree::Tree};
use release::{
    hash::Hash32,
    layout::{Layout, PieceLayers},
};

const FILE: &str = "layers";
/// A layer of the largest release that [`release::limits::PIECES_MAX`] allows fits.
const BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

pub(crate) fn save(tree: &Tree, layers: &PieceLayers) -> Result<()> {
    let mut bytes = Vec::new();
    for (root, layer) in layers.iter() {
        bytes.extend_from_slice(root.as_bytes());
        bytes.extend_from_slice(&(layer.len() as u32).to_le_bytes());
        layer.iter().for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
    }
    tree.disk.write_atomic(&tree.state(FILE), &bytes)
}

/// The layers that belong to `layout` and are what they say.
pub(crate) fn load(tree: &Tree, layout: &Layout) -> Result<PieceLayers> {
    let path = tree.state(FILE);
    let mut layers = PieceLayers::default();
    let Some(bytes) = tree.disk.read(&path, BYTES_MAX)? else { return Ok(layers) };
    let by_root: std::collections::BTreeMap<Hash32, usize> = (layout.files().iter().enumerate())
        .filter(|(file, _)| layout.has_layer(*file))
        .filter_map(|(file, entry)| Some((entry.pieces_root?, file)))
        .collect();
    let mut rest = bytes.as_slice();
    while let Some((root, layer, after)) = next(rest) {
        rest = after;
        let Some(file) = by_root.get(&root) else { continue };
        if let Err(error) = layers.insert(layout, *file, layer) {
            tracing::warn!(path = %path.display(), %root, %error, "piece layer dropped");
        }
    }
    Ok(layers)
}

fn next(bytes: &[u8]) -> Option<(Hash32, Vec<Hash32>, &[u8])> {
    let (root, rest) = bytes.split_at_checked(32)?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let (hashes, rest) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(32)?)?;
    let layer = hashes.chunks_exact(32).filter_map(Hash32::from_slice).collect();
    Some((Hash32::from_slice(root)?, layer, rest))
}
