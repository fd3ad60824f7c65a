//! What a channel offers: from a repository's URL to a checked manifest, its torrent and its sources.

mod described;
mod side;

pub(crate) use described::{Described, layers};
pub(crate) use side::read_leaves;

use super::{GameLink, TrustedRoot, error::GameError, older::Older, preload::Offered, roots};
use crate::{
    session::{OriginSource, is_tracker},
    snapshot::{Available, Preload},
    transport::HttpTransport,
};
use chrono::{DateTime, Utc};
use release::{
    channel::{Channel, OriginSettings},
    hash::Hash32,
    layout::PieceLayers,
    limits::{CHANNEL_BYTES_MAX, MANIFEST_BYTES_MAX, METAINFO_BYTES_MAX},
    manifest::Manifest,
    metainfo::Metainfo,
    target,
};
use reqwest::Client;
use std::{collections::BTreeSet, path::Path, sync::Arc};
use trust::LoadRequest;
use url::Url;

/// What the channel says now.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) channel: Channel,
    /// Absent when the release offered is the one installed, which was not fetched again.
    pub(crate) release: Option<Release>,
    pub(crate) sources: Sources,
    pub(crate) root_version: u64,
    pub(crate) root_sha256: Hash32,
    /// The root was taken on first use by this very check.
    pub(crate) root_pinned_now: bool,
    pub(crate) warnings: Vec<String>,
    /// Bytes of signed documents that came.
    pub(crate) metadata_bytes: u64,
    /// The releases before.
    pub(crate) older: Older,
    /// Who vouches for everything else that the repository has.
    pub(crate) client: Arc<trust::Client>,
    /// What the release would take, once that is known.
    pub(crate) available: Option<Available>,
    /// A release that can be had before its hour.
    pub(crate) upcoming: Option<Offered>,
    /// What is here of it, once that is known.
    pub(crate) preload: Option<Preload>,
    /// Names of the torrents of patches and sealed bundles that the repository has for this game.
    pub(crate) patch_torrents: Arc<BTreeSet<String>>,
}

/// A release with everything needed to fetch it.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) layers: PieceLayers,
    /// The patch from the release that stands, where there is one.
    pub(crate) patch: Option<Described>,
}

/// Where content comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Each a tier of its own: the publisher's order counts.
    pub(crate) trackers: Vec<Vec<Url>>,
    pub(crate) origins: Vec<OriginSource>,
    /// How much these are to help.
    pub(crate) origin: OriginSettings,
}

/// What a check starts from.
pub(crate) struct Ask<'a> {
    pub(crate) client: &'a Client,
    pub(crate) link: &'a GameLink,
    pub(crate) state_dir: &'a Path,
    /// The release that stands, whose manifest need not come again.
    pub(crate) installed: Option<&'a Arc<Manifest>>,
    /// Its piece layers.
    pub(crate) layers: &'a PieceLayers,
    /// Highest channel sequence accepted in this folder.
    pub(crate) seen_sequence: u64,
}

/// When this program was built, where its build was told (`SOURCE_DATE_EPOCH`, seconds since 1970, as reproducible builds
/// have it): no clock is right that says an earlier time.
fn built_at() -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(option_env!("SOURCE_DATE_EPOCH")?.parse().ok()?, 0)
}

/// Reads the repository.
pub(crate) async fn read(ask: Ask<'_>) -> Result<Offer, GameError> {
    let link = ask.link;
    let Opened { client, channel, transport, root, root_pinned_now } =
        open(ask.client, link, ask.state_dir, ask.installed.is_some()).await?;
    if channel.sequence < ask.seen_sequence {
        return Err(GameError::ChannelRollback { seen: ask.seen_sequence, found: channel.sequence });
    }
    let release = match ask.installed {
        Some(installed) if installed.version == channel.version => None,
        installed => Some(read_release(&client, &channel, installed.zip(Some(ask.layers))).await?),
    };
    let root_sha256 = release::hash::sha256(&root);
    let client = Arc::new(client);
    let stands = ask.installed.map(|manifest| &manifest.version);
    Ok(Offer {
        upcoming: Offered::of(&channel, stands, &client, &transport),
        preload: None,
        sources: sources(&link.repository, &channel),
        release,
        root_version: client.root_version(),
        root_sha256,
        root_pinned_now,
        warnings: client.warnings().iter().map(|warning| warning.code().to_owned()).collect(),
        metadata_bytes: transport.bytes(),
        available: None,
        patch_torrents: Arc::new(described::torrent_names(&client, &channel.game)),
        older: Older::new(Arc::clone(&client), &channel),
        client,
        channel,
    })
}

/// A repository that is believed, with one channel of it.
struct Opened {
    client: trust::Client,
    channel: Channel,
    transport: Arc<HttpTransport>,
    root: Vec<u8>,
    root_pinned_now: bool,
}

/// Verifies the signed documents, and reads the channel.
async fn open(
    client: &Client,
    link: &GameLink,
    state_dir: &Path,
    installed: bool,
) -> Result<Opened, GameError> {
    let transport = Arc::new(HttpTransport::new(client.clone(), link.repository.clone()));
    let trust_dir = roots::trust_dir(state_dir, &link.repository);
    let (root, root_pinned_now) = roots::trusted(&trust_dir, &transport, link).await?;
    let request = LoadRequest {
        trusted_root: &root,
        state_dir: &trust_dir.join("tuf"),
        now: Utc::now(),
        built_at: built_at(),
        installed,
    };
    let client = trust::Client::load(Arc::clone(&transport) as Arc<dyn trust::Transport>, request).await?;
    let channel = read_channel(&client, link).await?;
    Ok(Opened { client, channel, transport, root, root_pinned_now })
}

/// The servers that a channel names, its documents verified; no release is read.
///
/// # Errors
/// As an install has it, up to the channel.
pub(crate) async fn named(client: &Client, link: &GameLink, state_dir: &Path) -> Result<Sources, GameError> {
    let opened = open(client, link, state_dir, false).await?;
    Ok(sources(&link.repository, &opened.channel))
}

async fn read_channel(client: &trust::Client, link: &GameLink) -> Result<Channel, GameError> {
    let name = target::channel(&link.game, &link.channel);
    let channel = Channel::parse(&client.target(&name, CHANNEL_BYTES_MAX as u64).await?)?;
    if channel.game != link.game || channel.channel != link.channel {
        return Err(GameError::Mismatch { what: name });
    }
    Ok(channel)
}

/// A description of a patch brings the manifest and the piece layers too; what it does not bring comes whole.
async fn read_release(
    client: &trust::Client,
    channel: &Channel,
    standing: Option<(&Arc<Manifest>, &PieceLayers)>,
) -> Result<Release, GameError> {
    let mut description = None;
    if let Some((from, _)) = standing {
        description = described::fetch(client, channel, from).await;
    }
    let derived = description.as_ref().and_then(described::Description::manifest);
    let manifest = match derived {
        Some(manifest) => manifest,
        None => read_manifest(client, channel).await?,
    };
    let manifest = Arc::new(manifest);
    let patch = description.and_then(|description| description.patch(&manifest));
    let layers = patch
        .as_ref()
        .zip(standing)
        .and_then(|(patch, (_, layers))| described::layers(&manifest, &[&patch.patch.layers, layers]));
    let layers = match layers {
        Some(layers) => layers,
        None => read_layers(client, &manifest).await?,
    };
    Ok(Release { manifest, layers, patch })
}

async fn read_manifest(client: &trust::Client, channel: &Channel) -> Result<Manifest, GameError> {
    let name = target::manifest(&channel.game, &channel.version);
    let manifest = Manifest::parse(&client.target(&name, MANIFEST_BYTES_MAX as u64).await?)?;
    if manifest.game != channel.game || manifest.version != channel.version {
        return Err(GameError::Mismatch { what: name });
    }
    Ok(manifest)
}

async fn read_layers(client: &trust::Client, manifest: &Manifest) -> Result<PieceLayers, GameError> {
    let name = target::torrent(&manifest.game, &manifest.version);
    let torrent = Metainfo::parse(&client.target(&name, METAINFO_BYTES_MAX as u64).await?)?;
    // The manifest is what counts; the torrent only brings the piece layers of the very same tree.
    if torrent.infohash != manifest.infohash()? || !torrent.layers.complete(&torrent.layout) {
        return Err(GameError::Mismatch { what: name });
    }
    Ok(torrent.layers)
}

/// Entries resolve against the repository's URL; what cannot be asked is left out and said.
fn sources(repository: &Url, channel: &Channel) -> Sources {
    let resolve = |entry: &String, takes: fn(&Url) -> bool| match repository.join(entry) {
        Ok(url) if takes(&url) => Some(url),
        _ => {
            tracing::warn!(%entry, "the channel names a source that cannot be asked");
            None
        }
    };
    let tracker = |entry: &String| resolve(entry, is_tracker).map(|url| vec![url]);
    let mirror = |entry: &String| resolve(entry, |url| matches!(url.scheme(), "http" | "https"));
    let folder = |mut url: Url| {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        OriginSource::Content(url)
    };
    Sources {
        trackers: channel.tracker_entries().iter().filter_map(tracker).collect(),
        origins: channel.mirror_entries().iter().filter_map(mirror).map(folder).collect(),
        origin: channel.origin.unwrap_or_default(),
    }
}

impl TrustedRoot {
    pub(crate) fn given(&self) -> Option<&[u8]> {
        match self {
            Self::Given(root) => Some(root),
            Self::Pinned(_) | Self::PinOnFirstUse => None,
        }
    }
}
