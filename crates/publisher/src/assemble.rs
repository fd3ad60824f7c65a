//! The signed documents of a release: manifest, torrent and channel. Pure: from what was walked and hashed, and what the
//! channel said before, to bytes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use release::channel::{self, Channel, OriginSettings};
use release::hash::Hash32;
use release::id::Version;
use release::layout::PieceLayers;
use release::leaves::{self, FileLeaves};
use release::limits::{LEAVES_BYTES_MAX, LIST_MAX};
use release::manifest::{self, FileSet, Manifest, ManifestError, ManifestFile};
use release::metainfo::Metainfo;
use url::Url;

use crate::PublishError;
use crate::config::Config;
use crate::hashing::Hashes;
use crate::publish::PublishRequest;
use crate::report::UpdateCost;
use crate::walk::Build;

/// The manifest, checked as a reader would.
pub(crate) fn manifest(
    request: &PublishRequest,
    config: &Config,
    build: &Build,
    hashes: &[Hashes],
    piece_length: u32,
) -> Result<Manifest, PublishError> {
    for (platform, launch) in &config.launch {
        if config.traits(&launch.executable).set == FileSet::Optional {
            let (platform, executable) = (platform.clone(), launch.executable.clone());
            return Err(PublishError::LaunchOptional { platform, executable });
        }
    }
    let files = build.files.iter().zip(hashes).map(|(file, hashes)| {
        let traits = config.traits(&file.path);
        ManifestFile {
            path: file.path.clone(),
            size: file.stamp.size,
            executable: traits.executable.unwrap_or(file.stamp.executable),
            pieces_root: hashes.pieces_root,
            kind: traits.kind,
            set: traits.set,
        }
    });
    let manifest = Manifest {
        format: manifest::FORMAT,
        game: request.game.clone(),
        version: request.version.clone(),
        title: config.title.clone().unwrap_or_else(|| request.game.to_string()),
        piece_length,
        files: files.collect(),
        empty_dirs: build.empty_folders.clone(),
        launch: config.launch.clone(),
        notes: config.notes.clone(),
    };
    Manifest::parse(&manifest.encode()).map_err(|error| launch_error(error, config))
}

/// The release torrent with all piece layers. Relative trackers and mirrors mean nothing outside the repository, so
/// only whole addresses are named.
pub(crate) fn torrent(
    manifest: &Manifest,
    hashes: &[Hashes],
    channel: &Channel,
    plain: bool,
) -> Result<Metainfo, PublishError> {
    let layout = manifest.layout().map_err(ManifestError::from)?;
    let mut layers = PieceLayers::default();
    for (file, hashes) in hashes.iter().enumerate() {
        if layout.has_layer(file) {
            layers.insert(&layout, file, hashes.nodes.clone())?;
        }
    }
    let url_list =
        if plain { channel.mirrors.iter().filter_map(|mirror| plain_url(mirror)).collect() } else { vec![] };
    Ok(manifest.metainfo(layers, announce(channel), url_list)?)
}

/// The side file for local fill, unless the release is too large for one. Takes the leaves out of the hashes: they are a
/// quarter of a percent of the build.
pub(crate) fn leaves(manifest: &Manifest, hashes: &mut [Hashes]) -> Option<Vec<u8>> {
    let mut by_root = BTreeMap::new();
    for hashes in hashes {
        let leaves = std::mem::take(&mut hashes.leaves);
        if let Some(root) = hashes.pieces_root {
            by_root.entry(root).or_insert(leaves);
        }
    }
    if leaves::encoded_bytes(manifest) > LEAVES_BYTES_MAX {
        return None;
    }
    let contents = leaves::contents(manifest).map(|(pieces_root, size)| {
        let leaves = by_root.remove(&pieces_root).unwrap_or_default();
        FileLeaves { pieces_root, size, leaves }
    });
    Some(leaves::encode(&contents.collect::<Vec<_>>()))
}

/// The channel's trackers that mean something outside the repository.
pub(crate) fn announce(channel: &Channel) -> Vec<Vec<String>> {
    let trackers = channel.trackers.iter().filter(|entry| Url::parse(entry).is_ok());
    trackers.map(|tracker| vec![tracker.clone()]).collect()
}

/// The channel pointing at the release, with the number it has already.
pub(crate) fn channel(
    request: &PublishRequest,
    notes: &str,
    origin: Option<OriginSettings>,
    before: Option<&Channel>,
) -> Channel {
    let mut next = Channel {
        format: channel::FORMAT,
        game: request.game.clone(),
        channel: request.channel.clone(),
        sequence: 1,
        version: request.version.clone(),
        rollout_percent: 100,
        notes: notes.to_owned(),
        published: rfc3339(request.now),
        trackers: request.trackers.clone(),
        mirrors: request.mirrors.clone(),
        origin,
        downloads: None,
        patches: Vec::new(),
        previous: Vec::new(),
        upcoming: None,
    };
    let Some(before) = before else { return next };
    // A publish that names no hosts keeps the ones there are.
    if next.trackers.is_empty() {
        next.trackers.clone_from(&before.trackers);
    }
    if next.mirrors.is_empty() {
        next.mirrors.clone_from(&before.mirrors);
    }
    next.origin = next.origin.or(before.origin);
    next.previous = previous(before, &request.version);
    // What is sealed stays, also once it is in the open: who has it opens it. It goes with the release after it.
    let sealed = before.upcoming.as_ref();
    next.upcoming =
        sealed.filter(|sealed| sealed.version != before.version || sealed.version == next.version).cloned();
    next.published.clone_from(&before.published);
    next.sequence = before.sequence;
    next
}

/// Gives the channel its next number if it says anything new, and says whether it does.
pub(crate) fn number(channel: &mut Channel, before: Option<&Channel>, now: DateTime<Utc>) -> bool {
    let Some(before) = before else { return true };
    if channel == before {
        return false;
    }
    channel.published = rfc3339(now);
    channel.sequence = before.sequence.saturating_add(1);
    true
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What an update from `old` costs, with `sizes` the stored bytes of every root of `new`.
pub(crate) fn update_cost(old: &Manifest, new: &Manifest, sizes: &BTreeMap<Hash32, u64>) -> UpdateCost {
    let had: BTreeSet<Hash32> = old.files.iter().filter_map(|file| file.pieces_root).collect();
    let mut wanted = BTreeMap::new();
    for file in &new.files {
        if let Some(root) = file.pieces_root.filter(|root| !had.contains(root)) {
            wanted.insert(root, file.size);
        }
    }
    let blocks_bytes = wanted.keys().filter_map(|root| sizes.get(root)).sum();
    UpdateCost {
        from: old.version.clone(),
        changed_bytes: wanted.values().sum(),
        blocks_bytes,
        patch_bytes: None,
        patch_route: Vec::new(),
        download_bytes: blocks_bytes,
        patch_cpu_seconds: 0.0,
    }
}

/// Releases the channel pointed at before, newest first, without the one it points at now.
fn previous(before: &Channel, now: &Version) -> Vec<Version> {
    let mut previous: Vec<Version> = Vec::new();
    for version in std::iter::once(&before.version).chain(&before.previous) {
        if version != now && !previous.contains(version) {
            previous.push(version.clone());
        }
    }
    previous.truncate(LIST_MAX);
    previous
}

/// `plain/` lies beside `content/`, which is what a mirror names.
fn plain_url(mirror: &str) -> Option<String> {
    let mut base = Url::parse(mirror).ok()?;
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Some(base.join("../plain/").ok()?.into())
}

fn launch_error(error: ManifestError, config: &Config) -> PublishError {
    let ManifestError::Launch(executable) = error else { return error.into() };
    let platform = config.launch.iter().find(|(_, launch)| launch.executable == executable);
    let platform = platform.map(|(platform, _)| platform.clone()).unwrap_or_default();
    PublishError::LaunchMissing { platform, executable }
}
