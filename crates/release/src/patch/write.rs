//! A checked patch becomes the bytes of its description.

use super::{FORMAT, Patch, PatchError, Segment, check::lacking_layers, wire};
use crate::{
    limits::{PATCH_BYTES_MAX, PATCH_LIST_BYTES_MAX},
    manifest::Manifest,
};
use wire::{SpanCoder, put};

/// The list is written once and read by every player.
const LEVEL: i32 = 19;

pub(super) fn write(
    patch: &Patch,
    from: &Manifest,
    to: &Manifest,
    delta: &[u8],
) -> Result<Vec<u8>, PatchError> {
    let mut out = vec![FORMAT];
    put(&mut out, delta.len() as u64);
    out.extend(delta);
    out.extend(wire::mark(from)?);
    out.extend(wire::mark(to)?);
    put(&mut out, patch.payload.size);
    out.push(patch.payload.piece_length.trailing_zeros() as u8);
    out.extend(patch.payload.root.as_bytes());
    for node in &patch.payload.layer {
        out.extend(node.as_bytes());
    }
    for file in lacking_layers(from, to)? {
        let root = to.files[file].pieces_root.unwrap_or_default();
        for node in patch.layers.layer(&root).unwrap_or_default() {
            out.extend(node.as_bytes());
        }
    }
    let list = list(&patch.segments, from, to);
    if list.len() > PATCH_LIST_BYTES_MAX {
        return Err(PatchError::Bounds("the list of segments"));
    }
    let packed =
        zstd::bulk::compress(&list, LEVEL).map_err(|_| PatchError::Bounds("the list of segments"))?;
    if packed.len() < list.len() {
        out.push(wire::LIST_COMPRESSED);
        out.extend(packed);
    } else {
        out.push(wire::LIST_PLAIN);
        out.extend(list);
    }
    if out.len() > PATCH_BYTES_MAX { Err(PatchError::Bounds("its length")) } else { Ok(out) }
}

fn list(segments: &[Segment], from: &Manifest, to: &Manifest) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut sources, mut made, mut targets) =
        (SpanCoder::default(), SpanCoder::default(), SpanCoder::default());
    put(&mut out, segments.len() as u64);
    for segment in segments {
        put(&mut out, u64::from(segment.method));
        put(&mut out, segment.targets.len() as u64);
        for span in &segment.targets {
            targets.put(&mut out, span, to);
        }
        let mirrored = wire::mirrored(&segment.targets, from, to);
        let is_mirrored = segment.sources.starts_with(&mirrored);
        let listed = if is_mirrored { &segment.sources[mirrored.len()..] } else { &segment.sources[..] };
        let flags = [(is_mirrored, wire::MIRRORED), (!segment.made.is_empty(), wire::MADE)];
        let flags = flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
        put(&mut out, (listed.len() << wire::FLAGS | flags) as u64);
        for span in listed {
            sources.put(&mut out, span, from);
        }
        if !segment.made.is_empty() {
            put(&mut out, segment.made.len() as u64);
        }
        for span in &segment.made {
            made.put(&mut out, span, to);
        }
        put(&mut out, segment.payload_length);
        put(&mut out, segment.memory_bytes.saturating_sub(segment.own_bytes()));
    }
    out
}
