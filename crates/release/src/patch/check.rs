//! The rules of a patch, against both manifests.

use super::{Patch, PatchError, Segment, Span};
use crate::{
    layout::LayoutError,
    limits::{PATCH_MEMORY_MAX, PATCH_SEGMENTS_MAX, PATCH_SPANS_MAX},
    manifest::{Kind, Manifest},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(patch: &Patch, from: &Manifest, to: &Manifest) -> Result<(), PatchError> {
    if from.game != to.game || from.version == to.version {
        return Err(PatchError::Release);
    }
    patch.payload.check()?;
    let spans: usize = patch.segments.iter().map(Segment::spans).sum();
    if patch.segments.is_empty() || patch.segments.len() > PATCH_SEGMENTS_MAX {
        return Err(PatchError::Bounds("the number of segments"));
    }
    if spans > PATCH_SPANS_MAX {
        return Err(PatchError::Bounds("the number of ranges"));
    }
    let mut payload_bytes = 0_u64;
    for (index, segment) in patch.segments.iter().enumerate() {
        check_spans(index, "source", &segment.sources, from)?;
        check_spans(index, "new source", &segment.made, to)?;
        check_spans(index, "target", &segment.targets, to)?;
        check_pieces(index, segment, to)?;
        check_memory(index, segment)?;
        if segment.payload_offset != payload_bytes {
            return Err(PatchError::Sum);
        }
        payload_bytes = payload_bytes.checked_add(segment.payload_length).ok_or(PatchError::Sum)?;
    }
    if payload_bytes != patch.payload.size {
        return Err(PatchError::Sum);
    }
    check_overlap(patch)?;
    check_order(patch)?;
    check_layers(patch, from, to)
}

fn check_spans(
    segment: usize,
    side: &'static str,
    spans: &[Span],
    manifest: &Manifest,
) -> Result<(), PatchError> {
    for span in spans {
        let file = manifest.files.get(span.file as usize).filter(|file| file.kind == Kind::Content);
        let file = file.ok_or(PatchError::File { segment, side, file: span.file })?;
        let end = span.offset.checked_add(span.length);
        if span.length == 0 || end.is_none_or(|end| end > file.size) {
            return Err(PatchError::Span { segment, side });
        }
    }
    Ok(())
}

/// Targets are whole pieces, which alone can be checked.
fn check_pieces(segment: usize, of: &Segment, to: &Manifest) -> Result<(), PatchError> {
    let piece = u64::from(to.piece_length);
    let whole = |span: &Span| {
        let size = to.files.get(span.file as usize).map_or(0, |file| file.size);
        span.offset.is_multiple_of(piece) && (span.end().is_multiple_of(piece) || span.end() == size)
    };
    if of.targets.is_empty() || !of.targets.iter().all(whole) {
        return Err(PatchError::Pieces { segment });
    }
    Ok(())
}

fn check_memory(segment: usize, of: &Segment) -> Result<(), PatchError> {
    if of.memory_bytes > PATCH_MEMORY_MAX || of.memory_bytes < of.own_bytes() {
        return Err(PatchError::Memory { segment, bytes: of.memory_bytes });
    }
    Ok(())
}

fn check_overlap(patch: &Patch) -> Result<(), PatchError> {
    let mut targets: Vec<&Span> = patch.segments.iter().flat_map(|segment| &segment.targets).collect();
    targets.sort_unstable();
    match targets.windows(2).find(|two| two[0].file == two[1].file && two[0].end() > two[1].offset) {
        Some(two) => Err(PatchError::Overlap { file: two[0].file }),
        None => Ok(()),
    }
}

/// New bytes are sources only of segments behind those that make them.
fn check_order(patch: &Patch) -> Result<(), PatchError> {
    let mut made = Made::default();
    for (segment, of) in patch.segments.iter().enumerate() {
        if let Some(span) = of.made.iter().find(|span| !made.has(span)) {
            return Err(PatchError::Order { segment, file: span.file });
        }
        of.targets.iter().for_each(|target| made.add(target));
    }
    Ok(())
}

/// Ranges of new files that do not overlap: where they end, by file and start. Neighbours are one.
#[derive(Debug, Default)]
struct Made {
    ends: BTreeMap<(u32, u64), u64>,
}

impl Made {
    fn add(&mut self, span: &Span) {
        let (mut start, mut end) = (span.offset, span.end());
        let before = self.ends.range(..(span.file, start)).next_back();
        if let Some((&(file, from), _)) = before.filter(|((file, _), to)| *file == span.file && **to == start)
        {
            self.ends.remove(&(file, from));
            start = from;
        }
        if let Some(to) = self.ends.remove(&(span.file, end)) {
            end = to;
        }
        self.ends.insert((span.file, start), end);
    }

    fn has(&self, span: &Span) -> bool {
        let before = self.ends.range(..=(span.file, span.offset)).next_back();
        before.is_some_and(|((file, _), end)| *file == span.file && span.end() <= *end)
    }
}

fn check_layers(patch: &Patch, from: &Manifest, to: &Manifest) -> Result<(), PatchError> {
    let lacking = lacking_layers(from, to)?;
    let has =
        |file: &usize| to.files[*file].pieces_root.is_some_and(|root| patch.layers.layer(&root).is_some());
    if patch.layers.iter().count() != lacking.len() || !lacking.iter().all(has) {
        return Err(PatchError::Malformed("the piece layers"));
    }
    Ok(())
}

/// The files of `to` whose piece layers a player of `from` lacks, each root once: those with other bytes, or all if the
/// piece length is another.
///
/// # Errors
/// [`LayoutError`]; never for manifests that were parsed.
pub fn lacking_layers(from: &Manifest, to: &Manifest) -> Result<Vec<usize>, LayoutError> {
    let layout = to.layout()?;
    let mut known = BTreeSet::new();
    if from.piece_length == to.piece_length {
        known.extend(from.files.iter().filter_map(|file| file.pieces_root));
    }
    let mut lacking = Vec::new();
    for (index, file) in layout.files().iter().enumerate() {
        if layout.has_layer(index) && file.pieces_root.is_some_and(|root| known.insert(root)) {
            lacking.push(index);
        }
    }
    Ok(lacking)
}
