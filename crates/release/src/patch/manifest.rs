//! The new manifest as a difference to the old one, at the front of a description: one zstd frame with the old manifest
//! as its prefix. What comes out is believed by the hash that the repository signs for the new manifest, not before.

use super::{PatchError, read};
use crate::limits::MANIFEST_BYTES_MAX;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, get_frame_content_size};

/// Made once, read by every player.
const LEVEL: i32 = 19;
/// A window that reaches over both manifests at their largest.
const WINDOW_LOG_MAX: u32 = 27;

/// The way from the old manifest's signed bytes to the new one's, for [`super::Patch::encode`].
///
/// # Errors
/// [`PatchError::Bounds`] for manifests longer than any may be.
pub fn manifest_delta(from: &[u8], to: &[u8]) -> Result<Vec<u8>, PatchError> {
    let bounds = PatchError::Bounds("the manifest's difference");
    if from.len() > MANIFEST_BYTES_MAX || to.len() > MANIFEST_BYTES_MAX {
        return Err(bounds);
    }
    let both = (from.len() + to.len()).next_power_of_two().trailing_zeros();
    let mut context = CCtx::create();
    let parameters = [
        CParameter::CompressionLevel(LEVEL),
        CParameter::WindowLog(both.clamp(10, WINDOW_LOG_MAX)),
        CParameter::EnableLongDistanceMatching(true),
    ];
    let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(to.len()));
    let compressed = parameters
        .into_iter()
        .try_for_each(|parameter| context.set_parameter(parameter).map(drop))
        .and_then(|()| context.ref_prefix(from).map(drop))
        .and_then(|()| context.compress2(&mut out, to));
    compressed.map(|_| out).map_err(|_| bounds)
}

/// The new manifest's bytes out of a description and the old manifest's signed bytes. `length` is what the repository
/// signs for it; the caller compares the hash.
///
/// # Errors
/// [`PatchError`]; the new manifest is then to be fetched whole.
pub fn manifest(description: &[u8], from: &[u8], length: u64) -> Result<Vec<u8>, PatchError> {
    let (delta, _) = read::open(description)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MANIFEST_BYTES_MAX);
    let length = length.ok_or(PatchError::Bounds("the manifest's length"))?;
    let malformed = PatchError::Malformed("the manifest's difference");
    let claimed = get_frame_content_size(delta).ok().flatten();
    if claimed != Some(length as u64) {
        return Err(malformed);
    }
    let mut out = Vec::with_capacity(length);
    let mut context = DCtx::create();
    let made = context.ref_prefix(from).and_then(|_| context.decompress(&mut out, delta));
    if made != Ok(length) {
        return Err(malformed);
    }
    Ok(out)
}
