//! A release that is published before its hour: sealed bundles go into the repository, the key stays outside.
//!
//! Invariants: nothing of the release's content, names or manifest is in the repository before its key is, not even for a
//! moment; what is made on the way lies in a private folder beside the key and is removed. The hash of the key's file is
//! signed with everything else, so that at the hour one file appears and nothing is signed.

mod bundle;
mod unlock;

pub use unlock::{UnlockRequest, Unlocked, unlock, withdraw};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chrono::{DateTime, SecondsFormat, Utc};
use release::channel::{Channel, PreloadOffer, Upcoming};
use release::hash::{Hash32, sha256};
use release::id::{GameId, Version};
use release::manifest::Manifest;
use release::metainfo::Metainfo;
use release::sealed::ReleaseKey;
use release::target;
use trust::Editor;

use crate::closer::Closer;
use crate::config::Config;
use crate::content::Store;
use crate::patch::offers::{self, Offers, Wish};
use crate::patch::{Finished, Target};
use crate::publish::{self, PublishRequest};
use crate::report::{Meter, Phase, Progress, PublishReport, UpcomingReport, UpdateCost};
use crate::{PublishError, assemble, disk, hashing, walk};

use bundle::{Bundle, Content};

/// When a sealed release is opened, and where its key waits until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlock {
    /// The hour.
    pub at: DateTime<Utc>,
    /// Private folder for the key, outside the repository. Made where it is absent.
    pub key_dir: PathBuf,
}

/// Folder beside the key for what is made on the way.
const WORK: &str = ".sealing";

/// The new release as it was read, before anything of it is written.
struct Made {
    manifest: Manifest,
    torrent: Metainfo,
    offers: Offers,
}

/// Publishes a sealed release beside the one that the channel names.
pub(crate) fn publish(
    request: &PublishRequest,
    unlock: &Unlock,
    listener: &mut dyn FnMut(Progress),
) -> Result<PublishReport, PublishError> {
    let started = Instant::now();
    let mut meter = Meter::new(listener);
    publish::refuse_request(request)?;
    if unlock.at <= request.now {
        return Err(PublishError::UnlockPast { unlock: rfc3339(unlock.at) });
    }
    let mut editor = Editor::open(&request.repo_dir, &request.keys_dir)?;
    editor.rehearse(request.now)?;
    let before = publish::read_channel(&editor, request)?.ok_or(PublishError::UpcomingAlone)?;
    refuse_known_version(&editor, request, &before)?;
    refuse_inside(&unlock.key_dir, &request.repo_dir)?;
    disk::create_private_folder(&unlock.key_dir)?;
    let work = Work::new(&unlock.key_dir)?;
    let store = Store::apart(work.0.clone(), &request.repo_dir);

    let (config, config_file) = Config::read(&request.build_dir, request.config.as_deref())?;
    let build = walk::walk(&request.build_dir, &config, config_file.as_deref())?;
    let piece_length = publish::piece_length(&editor, request, Some(&before), build.total_bytes())?;
    let hashes = hashing::hash(&build, piece_length, &mut meter)?;
    let manifest = assemble::manifest(request, &config, &build, &hashes, piece_length)?;
    let planned = assemble::channel(request, &config.notes, None, Some(&before));
    let torrent = assemble::torrent(&manifest, &hashes, &planned, false)?;
    let stored = store.add(&build, &hashes, piece_length, false, &mut meter)?;
    let target =
        Target { manifest: &manifest, build: &build, hashes: &hashes, sizes: &stored.sizes, store: &store };
    let wish = Wish { named: &request.patch_from, keep: config.keep(), dry_run: false };
    let offers = offers::offers(&editor, &planned, None, &target, &wish, &mut meter)?;
    let closer = Closer { editor: &editor, manifest: &manifest, store: &store, sizes: &stored.sizes };
    let view = closer.look(&build, &offers, &mut meter)?;
    build.refuse_changes()?;
    if let Some(path) = &request.picture {
        disk::write(path, view.picture(&manifest).as_bytes())?;
    }

    let mut made = Made { manifest, torrent, offers };
    let mut warnings = publish::warnings(&made.manifest, config_file.as_deref());
    warnings.append(&mut made.offers.warnings);
    let mut entry = Entry { request, unlock, editor: &mut editor, before: &before, store: &store };
    let (channel, upcoming) = entry.enter(&mut made, &mut meter)?;
    Ok(PublishReport {
        findings: view.findings,
        ..report(request, &channel, &made, upcoming, warnings, started)
    })
}

/// Everything that it takes to enter a sealed release into the repository.
struct Entry<'a> {
    request: &'a PublishRequest,
    unlock: &'a Unlock,
    editor: &'a mut Editor,
    before: &'a Channel,
    /// What is sealed, and what the repository holds beside it.
    store: &'a Store,
}

impl Entry<'_> {
    /// Seals and signs, or in a dry run only says what it would come to.
    fn enter(
        &mut self,
        made: &mut Made,
        meter: &mut Meter<'_>,
    ) -> Result<(Channel, UpcomingReport), PublishError> {
        let (game, version) = (self.request.game.clone(), self.request.version.clone());
        let name = target::unlock_key(&game, &version);
        let key = ReleaseKey::new(game.clone(), version.clone(), secret()?);
        let file = key.encode();
        let bundles = self.bundles(made)?;
        meter.start(Phase::Sealing, bundles.iter().map(Bundle::sealed_bytes).sum());
        let published = Store::new(&self.request.repo_dir);
        let mut preloads = Vec::new();
        for bundle in bundles {
            let (from, opened_bytes, bytes) =
                (bundle.from.clone(), bundle.opened_bytes, bundle.sealed_bytes());
            let mut root = Hash32::default();
            if !self.request.dry_run {
                let (payload, mut sealed) = bundle.seal(&key, &published, meter)?;
                published.add_payload(&payload, &mut sealed)?;
                let title = release::sealed::torrent_name(&game, from.as_ref(), &version);
                let torrent = payload.metainfo(&title, assemble::announce(self.before), Vec::new())?;
                self.editor
                    .put_target(&target::sealed_torrent(&game, from.as_ref(), &version), torrent.encode())?;
                root = payload.root;
            }
            preloads.push(PreloadOffer { from, root, bytes, opened_bytes });
        }
        let mut channel = self.before.clone();
        channel.upcoming = Some(Upcoming {
            version: version.clone(),
            unlock_seconds: self.unlock.at.timestamp(),
            manifest_sha256: sha256(&made.manifest.encode()),
            preloads: preloads.clone(),
        });
        assemble::number(&mut channel, Some(self.before), self.request.now);
        let file_name = format!("{}.{name}", sha256(&file));
        let report = UpcomingReport {
            unlock: rfc3339(self.unlock.at),
            key_file: self.unlock.key_dir.join(&file_name),
            key_target: format!("targets/{file_name}"),
            preloads,
        };
        if !self.request.dry_run {
            self.sign(&channel, &file, &name, &report.key_file)?;
        }
        Ok((channel, report))
    }

    fn sign(&mut self, channel: &Channel, file: &[u8], name: &str, path: &Path) -> Result<(), PublishError> {
        // The key first: sealed bytes without one would be of use to nobody.
        disk::write_private(path, file)?;
        self.editor.list_target(name, file)?;
        self.editor.put_target(&target::channel(&channel.game, &channel.channel), channel.encode())?;
        let forgotten = match &self.before.upcoming {
            Some(old) => forget(self.editor, &channel.game, old, channel.upcoming.as_ref())?,
            None => BTreeSet::new(),
        };
        self.editor.commit(self.request.now)?;
        let store = Store::new(&self.request.repo_dir);
        Ok(forgotten.iter().try_for_each(|root| store.remove(root))?)
    }

    /// What is sealed: all of the release, and what leads to it from each older one.
    fn bundles(&self, made: &mut Made) -> Result<Vec<Bundle>, PublishError> {
        let content = Content { store: self.store };
        let mut bundles = vec![Bundle::whole(&made.manifest, &made.torrent, &content)?];
        let mut patches: BTreeMap<Version, Finished> = std::mem::take(&mut made.offers.new)
            .into_iter()
            .map(|patch| (patch.offer.from.clone(), patch))
            .collect();
        let room = release::limits::LIST_MAX - 1;
        for cost in made.offers.costs.iter().take(room) {
            let bytes = self.editor.target(&target::manifest(&self.request.game, &cost.from))?;
            let Some(bytes) = bytes else { continue };
            let old = Manifest::parse(&bytes)?;
            let patch = patches.remove(&cost.from);
            bundles.push(Bundle::from_release(&old, (&made.manifest, &made.torrent), patch, &content)?);
        }
        Ok(bundles)
    }
}

/// The folder for what is made on the way. It goes when this is dropped, or when the next one is made.
struct Work(PathBuf);

impl Work {
    fn new(key_dir: &Path) -> Result<Self, PublishError> {
        let folder = key_dir.join(WORK);
        disk::remove_folder(&folder)?;
        disk::create_private_folder(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = disk::remove_folder(&self.0) {
            tracing::warn!(%error, "what was made while sealing stays");
        }
    }
}

/// A version that was published in the open cannot be sealed; one that another channel has sealed has taken the names.
fn refuse_known_version(
    editor: &Editor,
    request: &PublishRequest,
    before: &Channel,
) -> Result<(), PublishError> {
    let version = request.version.clone();
    if editor.target(&target::manifest(&request.game, &version))?.is_some() {
        return Err(PublishError::VersionTaken { version });
    }
    let own = target::channel(&request.game, &before.channel);
    let of_game = format!("{}~", request.game);
    let names = editor.target_names();
    for name in names.iter().filter(|name| name.starts_with(&of_game) && name.ends_with(".json")) {
        let Some(other) = editor.target(name)?.filter(|_| *name != own) else { continue };
        let other = Channel::parse(&other)?;
        if other.upcoming.is_some_and(|upcoming| upcoming.version == version) {
            return Err(PublishError::UpcomingTaken { channel: other.channel.to_string(), version });
        }
    }
    Ok(())
}

fn refuse_inside(key_dir: &Path, repo: &Path) -> Result<(), PublishError> {
    let repo = disk::canonical(repo)?;
    // The folder need not be there; its nearest parent that is decides.
    let standing = key_dir.ancestors().find(|folder| disk::exists(folder).unwrap_or(false));
    let inner = standing.map_or_else(|| disk::canonical(Path::new(".")), disk::canonical)?;
    if inner.starts_with(&repo) {
        return Err(PublishError::Nested { inner: key_dir.to_owned(), outer: repo });
    }
    Ok(())
}

fn secret() -> Result<[u8; 32], PublishError> {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| PublishError::Random)?;
    Ok(secret)
}

/// Takes the targets of a sealed release out, but for those that `kept` bears too. Returns roots of content that nobody
/// needs once that is committed.
pub(crate) fn forget(
    editor: &mut Editor,
    game: &GameId,
    old: &Upcoming,
    kept: Option<&Upcoming>,
) -> Result<BTreeSet<Hash32>, PublishError> {
    let names = |upcoming: &Upcoming| -> BTreeSet<String> {
        let torrents = upcoming.preloads.iter();
        let torrents =
            torrents.map(|offer| target::sealed_torrent(game, offer.from.as_ref(), &upcoming.version));
        torrents.chain([target::unlock_key(game, &upcoming.version)]).collect()
    };
    let roots = |upcoming: &Upcoming| -> BTreeSet<Hash32> {
        upcoming.preloads.iter().map(|offer| offer.root).collect()
    };
    for name in names(old).difference(&kept.map(names).unwrap_or_default()) {
        editor.remove_target(name)?;
    }
    Ok(roots(old).difference(&kept.map(roots).unwrap_or_default()).copied().collect())
}

pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The hour of a sealed release in words.
pub(crate) fn hour(upcoming: &Upcoming) -> String {
    DateTime::from_timestamp(upcoming.unlock_seconds, 0).map_or_else(|| "an unknown hour".to_owned(), rfc3339)
}

fn report(
    request: &PublishRequest,
    channel: &Channel,
    made: &Made,
    upcoming: UpcomingReport,
    warnings: Vec<String>,
    started: Instant,
) -> PublishReport {
    let sealed_from = |from: &Version| {
        upcoming.preloads.iter().find(|offer| offer.from.as_ref() == Some(from)).map(|offer| offer.bytes)
    };
    let sealed = |cost: &UpdateCost| UpdateCost {
        download_bytes: sealed_from(&cost.from).unwrap_or(cost.download_bytes),
        ..cost.clone()
    };
    let whole = upcoming.preloads.iter().find(|offer| offer.from.is_none());
    PublishReport {
        game: request.game.clone(),
        version: request.version.clone(),
        channel: request.channel.clone(),
        sequence: channel.sequence,
        infohash: made.torrent.infohash,
        dry_run: request.dry_run,
        already_published: false,
        files: made.manifest.files.len() as u64,
        raw_bytes: made.manifest.total_bytes(),
        piece_length: made.manifest.piece_length,
        content_files_new: upcoming.preloads.len() as u64,
        content_bytes_new: upcoming.preloads.iter().map(|offer| offer.bytes).sum(),
        fresh_download_bytes: whole.map_or(0, |offer| offer.bytes),
        patch_bytes_new: 0,
        updates: made.offers.costs.iter().map(sealed).collect(),
        upcoming: Some(upcoming),
        seconds: started.elapsed().as_secs_f64(),
        findings: Vec::new(),
        warnings,
    }
}
