//! Which files the bytes of a download go to.

use std::collections::{BTreeMap, BTreeSet};

use release::hash::Hash32;
use release::manifest::{Kind, Manifest};
use release::patch::{Patch, Span};
use serde::Serialize;

/// How a file's bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// Out of old bytes and a patch's payload.
    Patch,
    /// As blocks, because a patch would save nothing.
    Blocks,
    /// As blocks: the release before has no file of that path.
    New,
}

/// What one file costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// Index in the new release.
    pub(crate) file: usize,
    pub(crate) way: Way,
    /// Bytes that are downloaded for it. A patch's segment is shared among its files by their lengths.
    pub(crate) bytes: u64,
}

/// What an update costs, file by file, in the release's order. Files whose content the old release has cost nothing and
/// are left out, and so are the players' own; of those with one content the first counts.
pub(crate) fn update(
    old: &Manifest,
    new: &Manifest,
    sizes: &BTreeMap<Hash32, u64>,
    patch: Option<&Patch>,
) -> Vec<Share> {
    let mut known: BTreeSet<Hash32> = old.files.iter().filter_map(|file| file.pieces_root).collect();
    let by_patch = patch.map(by_patch).unwrap_or_default();
    let mut shares = Vec::new();
    for (index, file) in new.files.iter().enumerate() {
        let content = file.pieces_root.filter(|_| file.kind == Kind::Content);
        let Some(root) = content.filter(|root| known.insert(*root)) else { continue };
        let stored = sizes.get(&root).copied().unwrap_or(file.size);
        let share = match by_patch.get(&index) {
            Some((bytes, covered)) => {
                let left = u128::from(stored) * u128::from(file.size.saturating_sub(*covered));
                let left = left / u128::from(file.size.max(1));
                let bytes = bytes.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
                Share { file: index, way: Way::Patch, bytes }
            }
            None => {
                let way = if old.file(&file.path).is_some() { Way::Blocks } else { Way::New };
                Share { file: index, way, bytes: stored }
            }
        };
        shares.push(share);
    }
    shares
}

/// What a first install costs, file by file.
pub(crate) fn fresh(new: &Manifest, sizes: &BTreeMap<Hash32, u64>) -> Vec<Share> {
    let mut known = BTreeSet::new();
    let files = new.files.iter().enumerate();
    files
        .filter_map(|(index, file)| {
            let root = file.pieces_root.filter(|root| known.insert(*root))?;
            let bytes = sizes.get(&root).copied().unwrap_or(file.size);
            Some(Share { file: index, way: Way::New, bytes })
        })
        .collect()
}

/// Payload bytes and bytes made, for each file that a patch makes.
fn by_patch(patch: &Patch) -> BTreeMap<usize, (u64, u64)> {
    let mut files: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for segment in &patch.segments {
        let (mut left, mut rest) = (segment.payload_length, segment.new_bytes());
        for Span { file, length, .. } in &segment.targets {
            // The last one gets what is left, so that the parts sum up.
            let part = u128::from(left) * u128::from(*length) / u128::from(rest.max(1));
            let part = u64::try_from(part).unwrap_or(left);
            (left, rest) = (left - part, rest - length);
            let entry = files.entry(*file as usize).or_default();
            *entry = (entry.0 + part, entry.1 + length);
        }
    }
    files
}
