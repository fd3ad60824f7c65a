//! The bytes of a description become a patch that still has to be checked.

use super::{FORMAT, Patch, PatchError, Payload, Segment, Span, check::lacking_layers, wire};
use crate::{
    hash::Hash32,
    layout::PieceLayers,
    limits::{
        PATCH_BYTES_MAX, PATCH_LIST_BYTES_MAX, PATCH_SEGMENTS_MAX, PATCH_SPANS_MAX, PIECE_LENGTH_MAX,
        PIECE_LENGTH_MIN,
    },
    manifest::Manifest,
};
use wire::{Reader, SpanCoder};

pub(super) fn read(bytes: &[u8], from: &Manifest, to: &Manifest) -> Result<Patch, PatchError> {
    let (_, mut reader) = open(bytes)?;
    if reader.take(wire::MARK_BYTES, "its release")? != wire::mark(from)?
        || reader.take(wire::MARK_BYTES, "its release")? != wire::mark(to)?
    {
        return Err(PatchError::Release);
    }
    let payload = payload(&mut reader)?;
    let layout = to.layout()?;
    let mut layers = PieceLayers::default();
    for file in lacking_layers(from, to)? {
        layers.insert(&layout, file, hashes(&mut reader, layout.pieces_of(file).len(), "a piece layer")?)?;
    }
    let unpacked;
    let list = match reader.byte("the list of segments")? {
        wire::LIST_PLAIN => reader.rest(),
        wire::LIST_COMPRESSED => {
            unpacked = unpack(reader.rest())?;
            &unpacked
        }
        _ => return Err(PatchError::Malformed("the list of segments")),
    };
    if list.len() > PATCH_LIST_BYTES_MAX {
        return Err(PatchError::Bounds("the list of segments"));
    }
    let segments = segments(list, from, to)?;
    Ok(Patch { payload, segments, layers })
}

/// The difference of the manifests, and what stands behind it.
pub(super) fn open(bytes: &[u8]) -> Result<(&[u8], Reader<'_>), PatchError> {
    if bytes.len() > PATCH_BYTES_MAX {
        return Err(PatchError::Bounds("its length"));
    }
    let mut reader = Reader::new(bytes);
    let format = reader.byte("its format")?;
    if format != FORMAT {
        return Err(PatchError::Format(format));
    }
    let length = reader.count(PATCH_BYTES_MAX, "the manifest's difference")?;
    let delta = reader.take(length, "the manifest's difference")?;
    Ok((delta, reader))
}

fn payload(reader: &mut Reader<'_>) -> Result<Payload, PatchError> {
    let size = reader.number("the payload's size")?;
    let exponent = u32::from(reader.byte("the payload's piece length")?);
    let piece_length = 1_u32.checked_shl(exponent).unwrap_or(0);
    if !(PIECE_LENGTH_MIN..=PIECE_LENGTH_MAX).contains(&piece_length) {
        return Err(PatchError::Bounds("the payload's piece length"));
    }
    let root = reader.hash("the payload's root")?;
    let pieces = usize::try_from(size.div_ceil(u64::from(piece_length))).unwrap_or(usize::MAX);
    let layer = if pieces > 1 { hashes(reader, pieces, "the payload's piece layer")? } else { Vec::new() };
    Ok(Payload { size, piece_length, root, layer })
}

/// A row of hashes; nothing is set aside for more than the description holds.
fn hashes(reader: &mut Reader<'_>, count: usize, what: &'static str) -> Result<Vec<Hash32>, PatchError> {
    let row = reader.take(count.checked_mul(32).ok_or(PatchError::Malformed(what))?, what)?;
    Ok(row.chunks_exact(32).filter_map(Hash32::from_slice).collect())
}

/// One frame and nothing behind it, of at most the bound whatever it claims.
fn unpack(frame: &[u8]) -> Result<Vec<u8>, PatchError> {
    let malformed = PatchError::Malformed("the list of segments");
    let claimed = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten().ok_or(malformed.clone())?;
    let claimed = usize::try_from(claimed).ok().filter(|bytes| *bytes <= PATCH_LIST_BYTES_MAX);
    let claimed = claimed.ok_or(PatchError::Bounds("the list of segments"))?;
    let length = zstd::zstd_safe::find_frame_compressed_size(frame).map_err(|_| malformed.clone())?;
    if length != frame.len() {
        return Err(malformed);
    }
    zstd::bulk::decompress(frame, claimed).map_err(|_| malformed)
}

fn segments(list: &[u8], from: &Manifest, to: &Manifest) -> Result<Vec<Segment>, PatchError> {
    let mut reader = Reader::new(list);
    let mut coders = Coders::default();
    let count = reader.count(PATCH_SEGMENTS_MAX, "the number of segments")?;
    let (mut segments, mut spans, mut payload_offset) = (Vec::new(), 0_usize, 0_u64);
    for _ in 0..count {
        let segment = segment(&mut reader, &mut coders, (from, to), payload_offset)?;
        spans += segment.spans();
        if spans > PATCH_SPANS_MAX {
            return Err(PatchError::Bounds("the number of ranges"));
        }
        payload_offset = payload_offset.checked_add(segment.payload_length).ok_or(PatchError::Sum)?;
        segments.push(segment);
    }
    if reader.rest().is_empty() { Ok(segments) } else { Err(PatchError::Malformed("the end")) }
}

/// Each row of ranges goes on where its last one was.
#[derive(Default)]
struct Coders {
    sources: SpanCoder,
    made: SpanCoder,
    targets: SpanCoder,
}

fn segment(
    reader: &mut Reader<'_>,
    coders: &mut Coders,
    (from, to): (&Manifest, &Manifest),
    payload_offset: u64,
) -> Result<Segment, PatchError> {
    let method = reader.number("a method")?;
    let method = u8::try_from(method).map_err(|_| PatchError::Malformed("a method"))?;
    let count = reader.count(PATCH_SPANS_MAX, "the number of ranges")?;
    let target_spans = spans(reader, count, &mut coders.targets, to)?;
    let listed = reader.count(4 * PATCH_SPANS_MAX + 3, "the number of ranges")?;
    let is_mirrored = listed & wire::MIRRORED == wire::MIRRORED;
    let mut source_spans = if is_mirrored { wire::mirrored(&target_spans, from, to) } else { Vec::new() };
    source_spans.extend(spans(reader, listed >> wire::FLAGS, &mut coders.sources, from)?);
    let mut made = Vec::new();
    if listed & wire::MADE == wire::MADE {
        let count = reader.count(PATCH_SPANS_MAX, "the number of ranges")?;
        made = spans(reader, count, &mut coders.made, to)?;
    }
    let payload_length = reader.number("a payload's length")?;
    let beyond = reader.number("a segment's memory")?;
    let mut segment = Segment {
        method,
        sources: source_spans,
        made,
        targets: target_spans,
        payload_offset,
        payload_length,
        memory_bytes: 0,
    };
    segment.memory_bytes = segment.own_bytes().saturating_add(beyond);
    Ok(segment)
}

fn spans(
    reader: &mut Reader<'_>,
    count: usize,
    coder: &mut SpanCoder,
    manifest: &Manifest,
) -> Result<Vec<Span>, PatchError> {
    // Grows with what is read: a count alone reserves nothing.
    let mut spans = Vec::new();
    for _ in 0..count {
        spans.push(coder.read(reader, manifest)?);
    }
    Ok(spans)
}
