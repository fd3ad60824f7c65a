//! What a publish says while it runs and when it is done.

use std::path::PathBuf;

use release::channel::PreloadOffer;
use release::hash::Hash32;
use release::id::{ChannelName, GameId, Version};
use serde::Serialize;

use crate::lint::Finding;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading and hashing every file.
    Hashing,
    /// Compressing files that the repository does not hold yet.
    Compressing,
    /// Making patches from older releases.
    Patching,
    /// Comparing changed files with those of the release before.
    Comparing,
    /// Sealing what players have before the hour.
    Sealing,
}

/// How far a phase has come, in bytes of the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Phase.
    pub phase: Phase,
    /// Bytes done.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// What was published, or with `dry_run` would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishReport {
    /// Game.
    pub game: GameId,
    /// Version.
    pub version: Version,
    /// Channel that now points at it.
    pub channel: ChannelName,
    /// The channel's number.
    pub sequence: u64,
    /// Infohash of the release torrent.
    pub infohash: Hash32,
    /// Nothing was written, because nothing was to be.
    pub dry_run: bool,
    /// The same release was there already, and nothing about it changed.
    pub already_published: bool,
    /// Files of the release.
    pub files: u64,
    /// Their bytes.
    pub raw_bytes: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Files whose content was not in the repository before.
    pub content_files_new: u64,
    /// Bytes that the origin stores for them.
    pub content_bytes_new: u64,
    /// What a player without any release downloads from an origin.
    pub fresh_download_bytes: u64,
    /// Bytes of new patches, descriptions and payloads.
    pub patch_bytes_new: u64,
    /// What a player with an older release downloads from an origin, newest release first.
    pub updates: Vec<UpdateCost>,
    /// The sealed release, where it was published as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upcoming: Option<UpcomingReport>,
    /// How long it took.
    pub seconds: f64,
    /// Habits of the build that cost players bytes, compared with the newest older release.
    pub findings: Vec<Finding>,
    /// What the publisher should know, in sentences.
    pub warnings: Vec<String>,
}

/// A sealed release and what is to be done at its hour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UpcomingReport {
    /// Its hour, RFC 3339.
    pub unlock: String,
    /// The private file with its key.
    pub key_file: PathBuf,
    /// Where that file belongs in the repository at the hour, below its URL.
    pub key_target: String,
    /// What was sealed, for whom.
    pub preloads: Vec<PreloadOffer>,
}

/// What an update from an older release costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UpdateCost {
    /// The older release.
    pub from: Version,
    /// Bytes of files that it does not hold under any path.
    pub changed_bytes: u64,
    /// The same, as downloaded from an origin: what an update without patches costs.
    pub blocks_bytes: u64,
    /// What the cheapest row of patches costs: descriptions, payloads, and what they leave to be fetched as blocks.
    /// Nothing if there is no patch that is smaller than the blocks.
    pub patch_bytes: Option<u64>,
    /// The releases that the row of patches leads through, the last being the one published. Empty without patches.
    pub patch_route: Vec<Version>,
    /// What a player downloads: the least of all ways.
    pub download_bytes: u64,
    /// Processor seconds that the patch from this release to the new one took, whether it was kept or not (off Linux:
    /// seconds that its threads took); 0 where it was there already.
    pub patch_cpu_seconds: f64,
}

/// Counts bytes and passes progress on.
pub(crate) struct Meter<'a> {
    listener: &'a mut dyn FnMut(Progress),
    progress: Progress,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(listener: &'a mut dyn FnMut(Progress)) -> Self {
        Self { listener, progress: Progress { phase: Phase::Hashing, done_bytes: 0, total_bytes: 0 } }
    }

    pub(crate) fn start(&mut self, phase: Phase, total_bytes: u64) {
        self.progress = Progress { phase, done_bytes: 0, total_bytes };
        (self.listener)(self.progress);
    }

    pub(crate) fn advance(&mut self, bytes: u64) {
        self.progress.done_bytes += bytes;
        (self.listener)(self.progress);
    }
}
