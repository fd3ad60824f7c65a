//! The side file of leaves, for local fill. Whatever is wrong with it is written down, and files come as blocks.

use crate::game::jobs::blocking;
use release::{
    leaves::{self, FileLeaves},
    limits::LEAVES_BYTES_MAX,
    manifest::Manifest,
    target,
};
use std::sync::Arc;
use trust::Client;

/// The leaves of a release and the bytes that came for them; `None` where the repository has none of use.
pub(crate) async fn read_leaves(client: &Client, manifest: &Arc<Manifest>) -> Option<(Vec<FileLeaves>, u64)> {
    let name = target::leaves(&manifest.game, &manifest.version);
    let length = client.entry(&name)?.length;
    // One of another length is not this release's, and need not be fetched to know it.
    if length != leaves::encoded_bytes(manifest) || length > LEAVES_BYTES_MAX {
        tracing::warn!(%name, code = "LEAVES_LENGTH", length, "the side file is refused");
        return None;
    }
    let refused = |code: &str, error: &dyn std::fmt::Display| {
        tracing::warn!(%name, code, %error, "the side file is refused");
    };
    let bytes = client.target(&name, length).await.map_err(|error| refused(error.code(), &error)).ok()?;
    let of = Arc::clone(manifest);
    let parsed = blocking(move || leaves::parse(&bytes, &of)).await;
    let parsed = parsed.map_err(|error| refused("INTERNAL", &error)).ok()?;
    parsed.map_err(|error| refused(error.code(), &error)).ok().map(|leaves| (leaves, length))
}
