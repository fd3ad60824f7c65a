//! The patches that a publish makes, keeps and drops.
//!
//! From each of the channel's newest releases there is a way to the new one: a patch of its own where that is the
//! smallest, else a row of patches that stand already. What no way leads over any more is taken out, unless another
//! channel of the game offers it.

use std::collections::{BTreeMap, BTreeSet};

use release::channel::{Channel, PatchOffer};
use release::hash::Hash32;
use release::id::{GameId, Version};
use release::limits::LIST_MAX;
use release::manifest::Manifest;
use release::patch::{Patch, Payload};
use release::target;
use trust::Editor;

use super::choice::{is_kept, route};
use super::{Finished, Target, make};
use crate::PublishError;
use crate::assemble;
use crate::content::Store;
use crate::report::{Meter, UpdateCost};

/// What a publish asks of patches.
pub(crate) struct Wish<'a> {
    /// Releases named by the publisher; empty: those that the channel keeps.
    pub(crate) named: &'a [Version],
    /// How many of the channel's older releases have a way to the new one.
    pub(crate) keep: usize,
    pub(crate) dry_run: bool,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Offers {
    /// Every patch that the channel offers.
    pub(crate) kept: Vec<PatchOffer>,
    /// Those among them that are new.
    pub(crate) new: Vec<Finished>,
    /// What each older release's players download.
    pub(crate) costs: Vec<UpdateCost>,
    pub(crate) warnings: Vec<String>,
}

/// An older release.
struct Older {
    manifest: Manifest,
    bytes: Vec<u8>,
    blocks: UpdateCost,
}

/// Makes the patches to the new release.
pub(crate) fn offers(
    editor: &Editor,
    channel: &Channel,
    before: Option<&Channel>,
    new: &Target<'_>,
    wish: &Wish<'_>,
    meter: &mut Meter<'_>,
) -> Result<Offers, PublishError> {
    let older = older(editor, channel, new, wish)?;
    let known = |version: &Version| {
        *version == channel.version || older.iter().any(|older| older.manifest.version == *version)
    };
    let names: BTreeSet<String> = editor.target_names().into_iter().collect();
    let stands = |offer: &PatchOffer| names.contains(&target::patch(&channel.game, &offer.from, &offer.to));
    let before = before.map_or(&[][..], |before| &before.patches);
    let mut edges: Vec<PatchOffer> = before
        .iter()
        .filter(|offer| known(&offer.from) && known(&offer.to) && stands(offer))
        .cloned()
        .collect();
    let mut offers = Offers::default();
    for older in older {
        let version = older.manifest.version.clone();
        let (mut cost, is_named) = (older.blocks.clone(), wish.named.contains(&version));
        let there = edges.iter().any(|edge| edge.from == version && edge.to == channel.version);
        if !there && (is_named || wish.named.is_empty()) {
            cost.patch_cpu_seconds = try_one(&older, new, is_named, wish, &mut edges, &mut offers, meter)?;
        }
        offers.costs.push(cost);
    }
    settle(&mut offers, edges, channel, wish);
    Ok(offers)
}

/// Makes one patch and keeps it if it is worth it; says what it took.
fn try_one(
    older: &Older,
    new: &Target<'_>,
    is_named: bool,
    wish: &Wish<'_>,
    edges: &mut Vec<PatchOffer>,
    offers: &mut Offers,
    meter: &mut Meter<'_>,
) -> Result<f64, PublishError> {
    let version = &older.manifest.version;
    let attempt = match make(&older.manifest, &older.bytes, new, wish.dry_run, meter) {
        // A release that is not whole any more costs its players a few bytes, not the publisher the new release.
        Err(PublishError::Content { path }) if !is_named => {
            offers.warnings.push(format!(
                "no patch from {version}: {} is missing or damaged; publish that release again from its build",
                path.display()
            ));
            return Ok(0.0);
        }
        other => other?,
    };
    let blocks = older.blocks.blocks_bytes;
    match attempt.patch {
        Some(patch) if is_kept(&patch.offer, if is_named { &[] } else { edges }, blocks) => {
            edges.push(patch.offer.clone());
            offers.new.push(patch);
        }
        _ if is_named => {
            offers
                .warnings
                .push(format!("no patch from {version}: it would be no smaller than the changed files"));
        }
        _ => {}
    }
    Ok(attempt.cpu_seconds)
}

/// Says what each player downloads, and keeps the patches that somebody's way leads over.
fn settle(offers: &mut Offers, edges: Vec<PatchOffer>, channel: &Channel, wish: &Wish<'_>) {
    let mut used: BTreeSet<(Version, Version)> = BTreeSet::new();
    for cost in &mut offers.costs {
        let way = route(&edges, &cost.from, &channel.version).filter(|(bytes, _)| *bytes < cost.blocks_bytes);
        if let Some((bytes, row)) = way {
            cost.patch_bytes = Some(bytes);
            cost.download_bytes = bytes;
            cost.patch_route = row.iter().map(|offer| offer.to.clone()).collect();
            used.extend(row.iter().map(|offer| (offer.from.clone(), offer.to.clone())));
        }
    }
    let is_used = |offer: &PatchOffer| {
        let named = offer.to == channel.version && wish.named.contains(&offer.from);
        named || used.contains(&(offer.from.clone(), offer.to.clone()))
    };
    offers.kept = edges.into_iter().filter(is_used).take(LIST_MAX).collect();
    let kept = &offers.kept;
    offers.new.retain(|patch| kept.contains(&patch.offer));
}

/// The older releases that shall have a way, newest first, then those that were named beside.
fn older(
    editor: &Editor,
    channel: &Channel,
    new: &Target<'_>,
    wish: &Wish<'_>,
) -> Result<Vec<Older>, PublishError> {
    let kept = channel.previous.iter().take(wish.keep);
    let mut versions: Vec<&Version> = kept.collect();
    versions.extend(wish.named.iter().filter(|version| !versions.contains(version)).collect::<Vec<_>>());
    let mut older = Vec::new();
    for version in versions {
        let found = editor.target(&target::manifest(&channel.game, version))?;
        match found.filter(|_| *version != channel.version) {
            Some(bytes) => {
                let manifest = Manifest::parse(&bytes)?;
                let blocks = assemble::update_cost(&manifest, new.manifest, new.sizes);
                older.push(Older { manifest, bytes, blocks });
            }
            None if wish.named.contains(version) => {
                return Err(PublishError::PatchFrom { version: version.clone() });
            }
            // A release that was taken out of the repository costs nobody anything.
            None => {}
        }
    }
    Ok(older)
}

/// Signs the new patches, and takes those out that no channel of the game offers any more. Returns the roots of content
/// that nobody needs once that is committed.
pub(crate) fn enter(
    editor: &mut Editor,
    channel: &Channel,
    offers: &mut Offers,
    store: &Store,
    announce: &[Vec<String>],
) -> Result<BTreeSet<Hash32>, PublishError> {
    let game = &channel.game;
    for patch in &mut offers.new {
        let (from, to) = (&patch.offer.from, &patch.offer.to);
        let name = Payload::torrent_name(game, from, to);
        let torrent = patch.payload.metainfo(&name, announce.to_vec(), Vec::new())?;
        if let Some(bytes) = &mut patch.bytes {
            store.add_payload(&patch.payload, bytes)?;
        }
        editor.put_target(&target::patch(game, from, to), patch.description.clone())?;
        editor.put_target(&target::patch_torrent(game, from, to), torrent.encode())?;
    }
    drop_stale(editor, channel)
}

fn drop_stale(editor: &mut Editor, channel: &Channel) -> Result<BTreeSet<Hash32>, PublishError> {
    let game = &channel.game;
    let names = editor.target_names();
    let mut offered: BTreeSet<String> =
        channel.patches.iter().map(|offer| target::patch(game, &offer.from, &offer.to)).collect();
    let (own, of_game) = (target::channel(game, &channel.channel), format!("{game}~"));
    for name in
        names.iter().filter(|name| name.starts_with(&of_game) && name.ends_with(".json") && **name != own)
    {
        let other = editor.target(name)?.map(|bytes| Channel::parse(&bytes)).transpose()?;
        let patches = other.map(|other| other.patches).unwrap_or_default();
        offered.extend(patches.iter().map(|offer| target::patch(game, &offer.from, &offer.to)));
    }
    let pairs: Vec<(String, Version, Version)> =
        names.iter().filter_map(|name| pair(game, name).map(|(from, to)| (name.clone(), from, to))).collect();
    let (kept, stale): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, ..)| offered.contains(name));
    if stale.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut manifests = BTreeMap::new();
    let mut roots = payloads(editor, game, &stale, &mut manifests)?;
    for root in payloads(editor, game, &kept, &mut manifests)? {
        roots.remove(&root);
    }
    for (name, from, to) in &stale {
        editor.remove_target(name)?;
        editor.remove_target(&target::patch_torrent(game, from, to))?;
    }
    Ok(roots)
}

/// The releases that a patch of this name is between.
fn pair(game: &GameId, name: &str) -> Option<(Version, Version)> {
    let rest = name.strip_prefix(game.as_str())?.strip_prefix('~')?.strip_suffix(".patch")?;
    let (from, to) = rest.split_once('~')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// Roots of the payloads of signed patches. One that cannot be read any more is passed over: its payload then stays.
fn payloads(
    editor: &Editor,
    game: &GameId,
    patches: &[(String, Version, Version)],
    manifests: &mut BTreeMap<Version, Option<Manifest>>,
) -> Result<BTreeSet<Hash32>, PublishError> {
    let mut roots = BTreeSet::new();
    for (name, from, to) in patches {
        for version in [from, to] {
            if !manifests.contains_key(version) {
                let bytes = editor.target(&target::manifest(game, version))?;
                manifests.insert(version.clone(), bytes.map(|bytes| Manifest::parse(&bytes)).transpose()?);
            }
        }
        let description = editor.target(name)?;
        let releases = manifests.get(from).zip(manifests.get(to));
        if let (Some(bytes), Some((Some(from), Some(to)))) = (description, releases)
            && let Ok(patch) = Patch::parse(&bytes, from, to)
        {
            roots.insert(patch.payload.root);
        }
    }
    Ok(roots)
}
