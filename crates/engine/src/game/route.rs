//! Which way the bytes of a release come: all of it, changed files as blocks, or through a patch. Pure.
//!
//! Decided from signed sizes and from what really lies here, segment by segment: a segment whose payload is no smaller
//! than the blocks that it would save is left to the release torrent. What is staged or kept already costs nothing. Steps
//! over a release between are not taken: a patch leads from the release that stands to the one that is wanted.

use crate::snapshot::{Way, WayCost};
use release::{
    channel::{Channel, PatchOffer},
    hash::Hash32,
    manifest::{FileSet, Kind, Manifest},
    patch::{Patch, Segment, Span},
    plan::{Plan, Source},
};
use std::collections::{BTreeMap, BTreeSet};
use store::staging::Have;

/// What is known when the way is chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// The release that stands, if one does.
    pub(super) installed: Option<&'a Manifest>,
    /// The release that is to stand.
    pub(super) wanted: &'a Manifest,
    /// What each of its files needs.
    pub(super) plan: &'a Plan,
    /// What is staged of it.
    pub(super) staged: &'a Have,
    /// The patch between the two, and what is here of its payload.
    pub(super) patch: Option<(&'a Patch, &'a Have)>,
    /// Signed sizes, for the release that the channel names.
    pub(super) channel: Option<&'a Channel>,
}

/// The way that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Which it is.
    pub(super) way: Way,
    /// Bytes that still have to come, compressed as far as that is known.
    pub(super) bytes: u64,
    /// The other ways and what they would take, cheapest first.
    pub(super) alternatives: Vec<WayCost>,
    /// What goes through the patch; empty on other ways.
    pub(super) patch: PatchPart,
}

/// What of a patch is worth it here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PatchPart {
    /// Segments to be applied, ascending.
    pub(super) segments: Vec<usize>,
    /// Pieces of the payload that hold something of them.
    pub(super) pieces: BTreeSet<u32>,
    /// Bytes of those pieces that are not here.
    pub(super) missing_bytes: u64,
    /// Bytes of the release that come as blocks all the same, uncompressed.
    pub(super) uncovered_bytes: u64,
}

/// Chooses.
pub(super) fn plan(facts: &Facts<'_>) -> Route {
    let missing = Missing::of(facts);
    let blocks = WayCost { way: Way::Blocks, bytes: missing.as_blocks(facts) };
    let full = WayCost { way: Way::Full, bytes: full_bytes(facts) };
    let mut ways = if facts.installed.is_some() { vec![blocks, full] } else { vec![full_of(blocks)] };
    let mut part = PatchPart::default();
    if let Some((patch, kept)) = facts.patch {
        part = patch_part(facts, &missing, patch, kept);
        if !part.segments.is_empty() {
            let uncovered = missing.uncovered(facts, patch, &part);
            ways.push(WayCost { way: Way::Patch, bytes: part.missing_bytes + uncovered });
        }
    }
    ways.sort_by_key(|cost| (cost.bytes, cost.way != Way::Patch));
    let chosen = ways.remove(0);
    if chosen.way != Way::Patch {
        part = PatchPart::default();
    }
    Route { way: chosen.way, bytes: chosen.bytes, alternatives: ways, patch: part }
}

/// Without a release that stands, what is missing is the whole.
fn full_of(blocks: WayCost) -> WayCost {
    WayCost { way: Way::Full, ..blocks }
}

fn full_bytes(facts: &Facts<'_>) -> u64 {
    let signed = facts.channel.and_then(|channel| channel.downloads.as_ref());
    signed.map_or_else(|| facts.wanted.total_bytes(), |signed| signed.fresh_bytes)
}

/// Contents that have to come, each once.
struct Missing {
    /// Size by root.
    roots: BTreeMap<Hash32, u64>,
    /// Bytes of them that are not staged.
    bytes: u64,
    /// Nothing is staged, and what has to come is what the two manifests differ in: signed sizes hold.
    as_published: bool,
}

impl Missing {
    fn of(facts: &Facts<'_>) -> Self {
        let mut roots = BTreeMap::new();
        for (file, source) in facts.wanted.files.iter().zip(&facts.plan.files) {
            if let Source::Fetch { root } = source {
                roots.insert(*root, file.size);
            }
        }
        let bytes = roots.iter().map(|(root, size)| size.saturating_sub(facts.staged.bytes_of(root))).sum();
        let standing = facts.installed.iter().flat_map(|manifest| &manifest.files);
        let standing: BTreeSet<Hash32> = standing.filter_map(|file| file.pieces_root).collect();
        let differing: BTreeSet<Hash32> = (facts.wanted.files.iter().filter_map(|file| file.pieces_root))
            .filter(|root| !standing.contains(root))
            .collect();
        let as_published = roots.values().sum::<u64>() == bytes && roots.keys().eq(&differing);
        Self { roots, bytes, as_published }
    }

    /// Compressed bytes of all that is missing: as signed where that is what is missing, else by the release's average.
    fn as_blocks(&self, facts: &Facts<'_>) -> u64 {
        let signed = facts.channel.and_then(|channel| channel.downloads.as_ref()).and_then(|downloads| {
            match facts.installed {
                None => Some(downloads.fresh_bytes),
                // Where patches lead here, the signed figure is theirs.
                Some(_) if facts.channel.is_some_and(|channel| !channel.patches.is_empty()) => None,
                Some(installed) => downloads.from.get(&installed.version).copied(),
            }
        });
        signed.filter(|_| self.as_published).unwrap_or_else(|| compressed(facts, self.bytes))
    }

    /// Compressed bytes of what comes as blocks beside the patch.
    fn uncovered(&self, facts: &Facts<'_>, patch: &Patch, part: &PatchPart) -> u64 {
        let whole = self.as_published && part.segments.len() == patch.segments.len();
        let signed = offer(facts).filter(|_| whole).map(|offer| offer.uncovered_bytes);
        signed.unwrap_or_else(|| compressed(facts, part.uncovered_bytes))
    }
}

/// Compressed bytes that have to come until the game can be started, where its sets come one after the other.
pub(super) fn until_playable(facts: &Facts<'_>) -> u64 {
    let sets = facts.wanted.sets_by_root();
    let early = |root: &Hash32| sets.get(root).is_none_or(|set| *set <= FileSet::Playable);
    let missing = Missing::of(facts).roots.into_iter().filter(|(root, _)| early(root));
    let bytes = missing.map(|(root, size)| size.saturating_sub(facts.staged.bytes_of(&root))).sum();
    compressed(facts, bytes)
}

fn offer<'a>(facts: &Facts<'a>) -> Option<&'a PatchOffer> {
    let from = &facts.installed?.version;
    let offers = &facts.channel?.patches;
    offers.iter().find(|offer| offer.from == *from && offer.to == facts.wanted.version)
}

/// What so many bytes of the release take on average; never more than they are.
fn compressed(facts: &Facts<'_>, bytes: u64) -> u64 {
    let Some(signed) = facts.channel.and_then(|channel| channel.downloads.as_ref()) else { return bytes };
    let total = u128::from(facts.wanted.total_bytes().max(1));
    let share = u128::from(bytes) * u128::from(signed.fresh_bytes) / total;
    u64::try_from(share).unwrap_or(u64::MAX).min(bytes)
}

fn patch_part(facts: &Facts<'_>, missing: &Missing, patch: &Patch, kept: &Have) -> PatchPart {
    let payload = &patch.payload;
    let mut part = PatchPart::default();
    let (mut seen, mut covered) = (BTreeSet::new(), 0);
    for (index, segment) in patch.segments.iter().enumerate() {
        let saved = saved_bytes(facts, missing, segment, &mut seen);
        let here = kept.bytes_within(&payload.root, segment.payload_offset, segment.payload_length);
        let fed = segment.made.iter().all(|span| is_fed(facts, patch, &part.segments, span));
        if saved > 0 && fed && segment.payload_length - here < saved {
            part.segments.push(index);
            covered += saved;
            let piece = u64::from(payload.piece_length);
            let end = segment.payload_offset + segment.payload_length;
            if segment.payload_length > 0 {
                // A payload has fewer pieces than a number on the peer wire can say.
                part.pieces.extend((segment.payload_offset / piece) as u32..end.div_ceil(piece) as u32);
            }
        }
    }
    let of_piece = |index: &u32| {
        let offset = u64::from(*index) * u64::from(payload.piece_length);
        let length = u64::from(payload.piece_length).min(payload.size - offset);
        length - kept.bytes_within(&payload.root, offset, length)
    };
    part.missing_bytes = part.pieces.iter().map(of_piece).sum();
    part.uncovered_bytes = missing.bytes.saturating_sub(covered);
    part
}

/// Whether a range of a new file is there when a segment is applied: staged already, or made by those chosen so far.
fn is_fed(facts: &Facts<'_>, patch: &Patch, chosen: &[usize], span: &Span) -> bool {
    let Some(root) = facts.wanted.files.get(span.file as usize).and_then(|file| file.pieces_root) else {
        return false;
    };
    let targets = chosen.iter().flat_map(|segment| &patch.segments[*segment].targets);
    let shared = targets.filter(|target| target.file == span.file).filter_map(|target| {
        let (start, end) = (target.offset.max(span.offset), target.end().min(span.end()));
        (start < end).then(|| (end - start) - facts.staged.bytes_within(&root, start, end - start))
    });
    // Targets overlap nowhere, so what they make of it beside what is staged adds up.
    shared.sum::<u64>() + facts.staged.bytes_within(&root, span.offset, span.length) == span.length
}

/// Bytes of the release that would not have to come as blocks if the segment were applied.
fn saved_bytes(
    facts: &Facts<'_>,
    missing: &Missing,
    segment: &Segment,
    seen: &mut BTreeSet<(Hash32, u64)>,
) -> u64 {
    let mut saved = 0;
    for target in &segment.targets {
        let file = facts.wanted.files.get(target.file as usize).filter(|file| file.kind == Kind::Content);
        let root = file.and_then(|file| file.pieces_root).filter(|root| missing.roots.contains_key(root));
        if let Some(root) = root.filter(|root| seen.insert((*root, target.offset))) {
            saved += target.length - facts.staged.bytes_within(&root, target.offset, target.length);
        }
    }
    saved
}

#[cfg(test)]
mod tests;
