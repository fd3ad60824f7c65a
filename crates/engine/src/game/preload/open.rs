//! Behind the seal: from a key and a bundle to a release that can stand.

use super::Offered;
use crate::game::{
    error::GameError,
    offer::{self, Described, Release},
};
use release::{
    hash::sha256,
    layout::PieceLayers,
    limits::MANIFEST_BYTES_MAX,
    manifest::Manifest,
    metainfo::Metainfo,
    patch::{self, Patch, Payload},
    sealed::{ReleaseKey, SealedError},
};
use std::sync::Arc;
use store::preload::Bundle;

/// A bundle that is open while its release is brought to stand.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) offered: Offered,
    pub(crate) key: ReleaseKey,
    pub(crate) bundle: Arc<Bundle>,
    /// It needs no other release.
    pub(crate) is_whole: bool,
    /// Stable code and words of what did not open, if something did not.
    pub(crate) trouble: Option<(&'static str, String)>,
}

/// What a bundle's head says, checked as what comes in the open is.
pub(super) fn release(
    offered: &Offered,
    bundle: &Bundle,
    standing: Option<(&Arc<Manifest>, &PieceLayers)>,
) -> Result<Release, GameError> {
    let head = bundle.head();
    let from = standing.map(|(from, _)| from);
    let bytes = match from.filter(|_| head.manifest.is_empty()) {
        Some(_) if head.manifest_bytes > MANIFEST_BYTES_MAX as u64 => {
            return Err(SealedError::Malformed("the size of its manifest").into());
        }
        Some(from) => patch::manifest(&head.patch, &from.encode(), head.manifest_bytes)?,
        None => head.manifest.clone(),
    };
    let mismatch = || GameError::Mismatch { what: "the preload".to_owned() };
    if sha256(&bytes) != offered.upcoming.manifest_sha256 {
        return Err(mismatch());
    }
    let manifest = Manifest::parse(&bytes)?;
    if manifest.game != offered.game || manifest.version != offered.upcoming.version {
        return Err(mismatch());
    }
    let manifest = Arc::new(manifest);
    let patch = match from.filter(|_| !head.patch.is_empty()) {
        Some(from) => Some(described(&head.patch, from, &manifest)?),
        None => None,
    };
    let layers = if head.torrent.is_empty() {
        let known = patch.as_ref().zip(standing);
        known
            .and_then(|(patch, (_, layers))| offer::layers(&manifest, &[&patch.patch.layers, layers]))
            .ok_or_else(mismatch)?
    } else {
        let torrent = Metainfo::parse(&head.torrent)?;
        if torrent.infohash != manifest.infohash()? || !torrent.layers.complete(&torrent.layout) {
            return Err(mismatch());
        }
        torrent.layers
    };
    Ok(Release { manifest, layers, patch })
}

fn described(bytes: &[u8], from: &Arc<Manifest>, to: &Manifest) -> Result<Described, GameError> {
    let patch = Patch::parse(bytes, from, to)?;
    let name = Payload::torrent_name(&to.game, &from.version, &to.version);
    let torrent = Arc::new(patch.payload.metainfo(&name, Vec::new(), Vec::new())?);
    Ok(Described { from: Arc::clone(from), patch: Arc::new(patch), torrent })
}
