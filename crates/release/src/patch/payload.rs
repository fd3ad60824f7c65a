//! The payload of a patch as a torrent of one file (BEP 52).

use super::PatchError;
use crate::{
    hash::Hash32,
    id::{GameId, Version},
    layout::{FileEntry, LayerError, Layout, PieceLayers, piece_length_for},
    merkle::{FileHasher, pieces_root_of_layer},
    metainfo::{Metainfo, MetainfoError},
    path::GamePath,
};

/// The file that holds the payloads of all segments. An origin has it as `content/<root>.zst`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Bytes, at least one.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Root of its merkle tree.
    pub root: Hash32,
    /// Its piece layer; empty where it is no longer than a piece.
    pub layer: Vec<Hash32>,
}

impl Payload {
    /// Of these bytes, in pieces as small as makes for a good swarm.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let piece_length = piece_length_for(bytes.len() as u64);
        let mut hasher = FileHasher::new(piece_length);
        hasher.update(bytes);
        let hashes = hasher.finish();
        Self {
            size: hashes.length,
            piece_length,
            root: hashes.pieces_root.unwrap_or_default(),
            layer: hashes.layer,
        }
    }

    /// Name of the torrent and of its one file: `<game>-<from>-<to>.patch`.
    #[must_use]
    pub fn torrent_name(game: &GameId, from: &Version, to: &Version) -> String {
        format!("{game}-{from}-{to}.patch")
    }

    /// The torrent with its piece layer. Its info dictionary is the same wherever it is derived.
    ///
    /// # Errors
    /// [`PatchError::Payload`] or [`PatchError::Layer`]; never for the payload of a patch that was parsed.
    pub fn metainfo(
        &self,
        name: &str,
        announce: Vec<Vec<String>>,
        url_list: Vec<String>,
    ) -> Result<Metainfo, PatchError> {
        let entry = FileEntry {
            path: GamePath::from_components([name]).map_err(MetainfoError::from)?,
            length: self.size,
            pieces_root: Some(self.root),
            executable: false,
        };
        let layout = Layout::new(self.piece_length, vec![entry])?;
        let mut layers = PieceLayers::default();
        if layout.has_layer(0) {
            layers.insert(&layout, 0, self.layer.clone())?;
        }
        Ok(Metainfo::build(name, layout, layers, announce, url_list)?)
    }

    /// Size, piece length, layer and root fit each other.
    pub(super) fn check(&self) -> Result<(), PatchError> {
        if self.size == 0 {
            return Err(PatchError::Bounds("the payload's size"));
        }
        let pieces = self.size.div_ceil(u64::from(self.piece_length));
        let expected = if pieces > 1 { usize::try_from(pieces).unwrap_or(usize::MAX) } else { 0 };
        if self.layer.len() != expected {
            return Err(LayerError::Count { got: self.layer.len(), expected }.into());
        }
        if expected > 0 && pieces_root_of_layer(&self.layer, self.piece_length) != self.root {
            return Err(LayerError::Root.into());
        }
        Ok(())
    }
}
