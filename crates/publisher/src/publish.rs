//! The way from a folder to a signed release. Everything that can be refused is refused before the first byte is
//! written; the commit of the repository is the last step.

use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::{DateTime, Utc};
use release::channel::{Channel, Downloads};
use release::id::{ChannelName, GameId, Version};
use release::layout::{piece_length_after, piece_length_for};
use release::limits::LIST_MAX;
use release::manifest::Manifest;
use release::target;
use trust::Editor;
use url::Url;

use crate::closer::Closer;
use crate::config::{Config, Origin};
use crate::content::Store;
use crate::patch::Target;
use crate::patch::offers::{self, Wish};
use crate::report::{Meter, Progress, PublishReport};
use crate::upcoming::{self, Unlock};
use crate::{PublishError, assemble, disk, hashing, plain, walk};

/// What to publish, and where to.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// Folder that holds the game as it shall lie at the player's.
    pub build_dir: PathBuf,
    /// Repository.
    pub repo_dir: PathBuf,
    /// Private keys.
    pub keys_dir: PathBuf,
    /// Game.
    pub game: GameId,
    /// Version.
    pub version: Version,
    /// Channel that shall point at it.
    pub channel: ChannelName,
    /// Configuration to use instead of the build's own `muster.toml`.
    pub config: Option<PathBuf>,
    /// Trackers, whole or relative to the repository's URL. None: those that the channel names already.
    pub trackers: Vec<String>,
    /// Places that carry `content/`, likewise.
    pub mirrors: Vec<String>,
    /// How much the servers are to help. What is left out is what the configuration says; if neither says anything, what
    /// the channel says already.
    pub origin: Origin,
    /// Older releases to make patches from. Empty: the channel's newest, as many as the configuration keeps.
    pub patch_from: Vec<Version>,
    /// Also lay the release out as plain files, for web seeds of other clients.
    pub plain: bool,
    /// Draw which files the bytes of an update go to, from the newest older release, or of a first install where there
    /// is none: an SVG document, written here. It is written in a dry run too.
    pub picture: Option<PathBuf>,
    /// Publish it sealed, to be opened at an hour. Nothing of it is in the open before.
    pub unlock: Option<Unlock>,
    /// Find everything out, write nothing to the repository.
    pub dry_run: bool,
    /// The time that signatures and channel bear.
    pub now: DateTime<Utc>,
}

/// Publishes a build. `listener` hears how far it has come.
///
/// The same content under the same version again changes nothing but what the channel says.
///
/// # Errors
/// [`PublishError`]; the signed repository is then as it was.
pub fn publish(
    request: &PublishRequest,
    listener: &mut dyn FnMut(Progress),
) -> Result<PublishReport, PublishError> {
    if let Some(unlock) = &request.unlock {
        return upcoming::publish(request, unlock, listener);
    }
    let started = Instant::now();
    let mut meter = Meter::new(listener);
    refuse_request(request)?;
    let mut editor = Editor::open(&request.repo_dir, &request.keys_dir)?;
    editor.rehearse(request.now)?;
    let before = read_channel(&editor, request)?;
    refuse_before_its_hour(request, before.as_ref())?;

    let (config, config_file) = Config::read(&request.build_dir, request.config.as_deref())?;
    let build = walk::walk(&request.build_dir, &config, config_file.as_deref())?;
    let piece_length = piece_length(&editor, request, before.as_ref(), build.total_bytes())?;
    let mut hashes = hashing::hash(&build, piece_length, &mut meter)?;
    let manifest = assemble::manifest(request, &config, &build, &hashes, piece_length)?;
    let leaves = assemble::leaves(&manifest, &mut hashes);
    let known = refuse_taken_version(&editor, request, &manifest)?;
    let origin = request.origin.or(config.origin).settings()?;
    let mut channel = assemble::channel(request, &config.notes, origin, before.as_ref());
    let torrent = assemble::torrent(&manifest, &hashes, &channel, request.plain)?;

    let store = Store::new(&request.repo_dir);
    let stored = store.add(&build, &hashes, piece_length, request.dry_run, &mut meter)?;
    let fresh_bytes = stored.sizes.values().sum();
    let target =
        Target { manifest: &manifest, build: &build, hashes: &hashes, sizes: &stored.sizes, store: &store };
    let wish = Wish { named: &request.patch_from, keep: config.keep(), dry_run: request.dry_run };
    let mut offers = offers::offers(&editor, &channel, before.as_ref(), &target, &wish, &mut meter)?;
    let closer = Closer { editor: &editor, manifest: &manifest, store: &store, sizes: &stored.sizes };
    let view = closer.look(&build, &offers, &mut meter)?;
    build.refuse_changes()?;
    channel.patches.clone_from(&offers.kept);
    let from = offers.costs.iter().map(|cost| (cost.from.clone(), cost.download_bytes)).take(LIST_MAX);
    channel.downloads = Some(Downloads { fresh_bytes, from: from.collect() });
    let channel_changed = assemble::number(&mut channel, before.as_ref(), request.now);
    let new = offers.new.iter().map(|patch| &patch.offer);
    let patch_bytes_new = new.map(|offer| offer.description_bytes + offer.payload_bytes).sum();
    if !request.dry_run {
        if request.plain {
            plain::add(&request.repo_dir, &manifest.torrent_name(), &build)?;
        }
        editor.put_target(&target::manifest(&request.game, &request.version), manifest.encode())?;
        editor.put_target(&target::torrent(&request.game, &request.version), torrent.encode())?;
        if let Some(leaves) = leaves {
            editor.put_target(&target::leaves(&request.game, &request.version), leaves)?;
        }
        editor.put_target(&target::channel(&request.game, &request.channel), channel.encode())?;
        let announce = assemble::announce(&channel);
        let mut forgotten = offers::enter(&mut editor, &channel, &mut offers, &store, &announce)?;
        let sealed = before.as_ref().and_then(|before| before.upcoming.as_ref());
        if let Some(old) = sealed.filter(|_| channel.upcoming.is_none()) {
            forgotten.extend(upcoming::forget(&mut editor, &request.game, old, None)?);
        }
        editor.commit(request.now)?;
        // Only now does nothing signed name it. Readers of the old metadata fetch changed files instead.
        forgotten.iter().try_for_each(|root| store.remove(root))?;
    }
    if let Some(path) = &request.picture {
        disk::write(path, view.picture(&manifest).as_bytes())?;
    }
    Ok(PublishReport {
        game: request.game.clone(),
        version: request.version.clone(),
        channel: request.channel.clone(),
        sequence: channel.sequence,
        infohash: torrent.infohash,
        dry_run: request.dry_run,
        already_published: known && !channel_changed,
        files: manifest.files.len() as u64,
        raw_bytes: manifest.total_bytes(),
        piece_length,
        content_files_new: stored.files_new,
        content_bytes_new: stored.bytes_new,
        fresh_download_bytes: fresh_bytes,
        patch_bytes_new,
        updates: offers.costs,
        upcoming: None,
        seconds: started.elapsed().as_secs_f64(),
        findings: view.findings,
        warnings: [warnings(&manifest, config_file.as_deref()), offers.warnings, sealed_words(&channel)]
            .concat(),
    })
}

/// What can be refused before anything is opened.
pub(crate) fn refuse_request(request: &PublishRequest) -> Result<(), PublishError> {
    refuse_addresses("tracker", &request.trackers, &["http", "https", "udp"])?;
    refuse_addresses("mirror", &request.mirrors, &["http", "https"])?;
    let build = disk::canonical(&request.build_dir)?;
    for folder in [&request.repo_dir, &request.keys_dir] {
        if !disk::exists(folder)? {
            continue;
        }
        let folder = disk::canonical(folder)?;
        for (inner, outer) in [(&folder, &build), (&build, &folder)] {
            if inner.starts_with(outer) {
                return Err(PublishError::Nested { inner: inner.clone(), outer: outer.clone() });
            }
        }
    }
    Ok(())
}

fn refuse_addresses(kind: &'static str, entries: &[String], schemes: &[&str]) -> Result<(), PublishError> {
    for (index, entry) in entries.iter().enumerate() {
        let good = match Url::parse(entry) {
            Ok(url) => schemes.contains(&url.scheme()) && url.has_host(),
            Err(url::ParseError::RelativeUrlWithoutBase) => {
                !entry.is_empty() && !entry.contains(char::is_whitespace)
            }
            Err(_) => false,
        };
        if !good || index >= LIST_MAX {
            return Err(PublishError::Address { kind, entry: entry.clone() });
        }
    }
    Ok(())
}

pub(crate) fn read_channel(
    editor: &Editor,
    request: &PublishRequest,
) -> Result<Option<Channel>, PublishError> {
    let bytes = editor.target(&target::channel(&request.game, &request.channel))?;
    Ok(bytes.map(|bytes| Channel::parse(&bytes)).transpose()?)
}

/// True if this very release is published already.
fn refuse_taken_version(
    editor: &Editor,
    request: &PublishRequest,
    manifest: &Manifest,
) -> Result<bool, PublishError> {
    match editor.target(&target::manifest(&request.game, &request.version))? {
        None => Ok(false),
        Some(bytes) if Manifest::parse(&bytes)? == *manifest => Ok(true),
        Some(_) => Err(PublishError::VersionTaken { version: request.version.clone() }),
    }
}

/// The piece length of this version if it is there already, else by that of the channel's release.
pub(crate) fn piece_length(
    editor: &Editor,
    request: &PublishRequest,
    before: Option<&Channel>,
    total: u64,
) -> Result<u32, PublishError> {
    let read = |version: &Version| -> Result<Option<Manifest>, PublishError> {
        let bytes = editor.target(&target::manifest(&request.game, version))?;
        Ok(bytes.map(|bytes| Manifest::parse(&bytes)).transpose()?)
    };
    if let Some(same) = read(&request.version)? {
        return Ok(same.piece_length);
    }
    let before = before.map(|before| read(&before.version)).transpose()?.flatten();
    Ok(before
        .map_or_else(|| piece_length_for(total), |before| piece_length_after(total, before.piece_length)))
}

/// What is sealed would be in the open with this.
fn refuse_before_its_hour(request: &PublishRequest, before: Option<&Channel>) -> Result<(), PublishError> {
    let sealed = before.and_then(|before| before.upcoming.as_ref());
    match sealed.filter(|sealed| sealed.version == request.version) {
        Some(sealed) if request.now.timestamp() < sealed.unlock_seconds => {
            Err(PublishError::UnlockEarly { version: sealed.version.clone(), unlock: upcoming::hour(sealed) })
        }
        _ => Ok(()),
    }
}

/// A sealed release stays when another one is published.
fn sealed_words(channel: &Channel) -> Vec<String> {
    let sealed = channel.upcoming.as_ref().filter(|sealed| sealed.version != channel.version);
    let words = sealed.map(|sealed| {
        format!(
            "{} stays sealed until {}; players of {} preload it as a whole unless it is published again with --unlock",
            sealed.version,
            upcoming::hour(sealed),
            channel.version
        )
    });
    words.into_iter().collect()
}

pub(crate) fn warnings(manifest: &Manifest, config_file: Option<&Path>) -> Vec<String> {
    let mut warnings = Vec::new();
    if config_file.is_none() {
        warnings
            .push("there is no muster.toml, so the release has neither title nor launch command".to_owned());
    } else if manifest.launch.is_empty() {
        warnings.push("the configuration has no launch command, so players cannot start the game".to_owned());
    }
    warnings
}
