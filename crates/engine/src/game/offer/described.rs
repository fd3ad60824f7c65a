//! What a patch's description brings: the patch, the new manifest and its piece layers.
//!
//! A help only: whatever is wrong with it is written down with its code, and the documents come whole, the files as
//! blocks. The manifest it brings is believed by the hash that the repository signs for it.

use crate::game::error::GameError;
use release::{
    channel::Channel,
    hash::{Hash32, sha256},
    id::GameId,
    layout::PieceLayers,
    limits::PATCH_BYTES_MAX,
    manifest::Manifest,
    metainfo::Metainfo,
    patch::{self, Patch, Payload},
    sealed, target,
};
use std::{collections::BTreeSet, sync::Arc};
use trust::{Client, TargetEntry};

/// A patch from the release that stands to the one that is offered.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// The release it starts from.
    pub(crate) from: Arc<Manifest>,
    /// Checked against both releases.
    pub(crate) patch: Arc<Patch>,
    /// Its payload's torrent.
    pub(crate) torrent: Arc<Metainfo>,
}

/// A description as it came, and what the repository signs for the manifest that it brings.
pub(super) struct Description {
    name: String,
    bytes: Vec<u8>,
    from: Arc<Manifest>,
    manifest: TargetEntry,
    channel: Channel,
}

/// The description of the patch from `from` to what the channel names, if the repository has one.
pub(super) async fn fetch(client: &Client, channel: &Channel, from: &Arc<Manifest>) -> Option<Description> {
    let name = target::patch(&channel.game, &from.version, &channel.version);
    let manifest = client.entry(&target::manifest(&channel.game, &channel.version)).cloned()?;
    if from.game != channel.game || client.entry(&name).is_none() {
        return None;
    }
    match client.target(&name, PATCH_BYTES_MAX as u64).await {
        Ok(bytes) => {
            Some(Description { name, bytes, from: Arc::clone(from), manifest, channel: channel.clone() })
        }
        Err(error) => {
            tracing::warn!(%name, code = error.code(), %error, "the patch cannot be read");
            None
        }
    }
}

impl Description {
    /// The new manifest, if what the description brings is the signed one.
    pub(super) fn manifest(&self) -> Option<Manifest> {
        self.derive()
            .map_err(|error| {
                tracing::warn!(name = %self.name, code = error.code(), %error, "the patch brings no manifest");
            })
            .ok()
    }

    fn derive(&self) -> Result<Manifest, GameError> {
        let bytes = patch::manifest(&self.bytes, &self.from.encode(), self.manifest.length)?;
        let mismatch = || GameError::Mismatch { what: self.name.clone() };
        if sha256(&bytes) != Hash32(self.manifest.sha256) {
            return Err(mismatch());
        }
        let manifest = Manifest::parse(&bytes)?;
        let ours = manifest.game == self.channel.game && manifest.version == self.channel.version;
        ours.then_some(manifest).ok_or_else(mismatch)
    }

    /// The patch, if it leads from the release that stands to `to`.
    pub(super) fn patch(self, to: &Manifest) -> Option<Described> {
        self.parse(to)
            .map_err(|error| {
                tracing::warn!(name = %self.name, code = error.code(), %error, "the patch is refused");
            })
            .ok()
    }

    fn parse(&self, to: &Manifest) -> Result<Described, GameError> {
        let patch = Patch::parse(&self.bytes, &self.from, to)?;
        let name = Payload::torrent_name(&to.game, &self.from.version, &to.version);
        let torrent = Arc::new(patch.payload.metainfo(&name, Vec::new(), Vec::new())?);
        Ok(Described { from: Arc::clone(&self.from), patch: Arc::new(patch), torrent })
    }
}

/// All piece layers of a release out of some that are known; `None` where one is in none of them.
pub(crate) fn layers(manifest: &Manifest, known: &[&PieceLayers]) -> Option<PieceLayers> {
    let layout = manifest.layout().ok()?;
    let mut layers = PieceLayers::default();
    for (index, file) in layout.files().iter().enumerate() {
        let Some(root) = file.pieces_root.filter(|_| layout.has_layer(index)) else { continue };
        if layers.layer(&root).is_none() {
            let layer = known.iter().find_map(|known| known.layer(&root))?;
            // One of another piece length does not lead to the root, and then the torrent is read.
            layers.insert(&layout, index, layer.to_vec()).ok()?;
        }
    }
    Some(layers)
}

/// Names of the torrents of the patches and sealed bundles that the repository has for a game.
pub(super) fn torrent_names(client: &Client, game: &GameId) -> BTreeSet<String> {
    let sealed = |target: &str| {
        let rest = target.strip_suffix(".sealed.torrent")?.strip_prefix(game.as_str())?.strip_prefix('~')?;
        let (from, to) = rest.split_once('~').map_or((None, rest), |(from, to)| (Some(from), to));
        let from = from.map(str::parse).transpose().ok()?;
        Some(sealed::torrent_name(game, from.as_ref(), &to.parse().ok()?))
    };
    let patch = |target: &str| {
        let (of, versions) = target.strip_suffix(".patch")?.split_once('~')?;
        let (from, to) = versions.split_once('~')?;
        let named = Payload::torrent_name(game, &from.parse().ok()?, &to.parse().ok()?);
        (of == game.to_string()).then_some(named)
    };
    client.target_names().filter_map(|target| sealed(target).or_else(|| patch(target))).collect()
}
