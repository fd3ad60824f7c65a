//! What the window and `--json` show: one snapshot of one game, whole each time.
//!
//! The UI renders the last one and computes nothing: phase, button, rates and permissions are
//! decided here. All byte counts are bytes, all rates bytes per second.

mod diagnosis;
mod folder;
mod summary;

pub use diagnosis::{Check, Diagnosis, Finding, FindingCode, Verdict};
pub use folder::{FolderHolds, FolderLook};
pub use summary::Summary;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Version of this shape.
pub const SNAPSHOT_VERSION: u32 = 1;
/// Most buckets in [`Transfer::piece_map`].
pub const PIECE_MAP_BUCKETS: usize = 160;

/// One game as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct Snapshot {
    /// [`SNAPSHOT_VERSION`].
    pub v: u32,
    /// Which game.
    pub game: GameInfo,
    /// What is going on.
    pub phase: Phase,
    /// The one big button.
    pub primary: Button,
    /// The lesser choice beside it.
    pub secondary: Option<Button>,
    /// Version that stands in the folder.
    pub installed: Option<String>,
    /// Newer version that the channel offers.
    pub available: Option<Available>,
    /// A release that can be had before its hour.
    pub preload: Option<Preload>,
    /// How far the phase is.
    pub progress: Option<Progress>,
    /// How far each set of files is, while they are put in place one after the other.
    pub sets: Option<Sets>,
    /// Bytes of the running or last job, by where they came from; metadata counts as origin.
    pub downloaded: BySource,
    /// Bytes passed on to others since the game was opened.
    #[ts(type = "number")]
    pub uploaded_bytes: u64,
    /// Rates now.
    pub rates: Rates,
    /// Caps in force.
    pub limits: Limits,
    /// Whether and why bytes are passed on.
    pub sharing: Sharing,
    /// The swarm in detail.
    pub transfer: Transfer,
    /// Files that changed since they were checked; *Repair* is offered while there are any.
    pub repair_offered: Vec<String>,
    /// The repository could not be reached at the last try.
    pub offline: bool,
    /// When the repository was last read, RFC 3339.
    pub last_check: Option<String>,
    /// How the game ended last.
    pub last_exit: Option<LastExit>,
    /// What the last install, update or repair of this run took.
    pub summary: Option<Summary>,
    /// Warnings that do not stop anything: stable codes such as `CLOCK_WRONG`.
    pub warnings: Vec<String>,
}

/// Which game a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct GameInfo {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// The channel followed.
    pub channel: String,
    /// The game folder.
    pub dir: String,
}

/// What is going on; exactly one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Phase {
    /// The folder is being opened.
    Starting,
    /// Nothing stands there yet.
    NotInstalled,
    /// The repository is being read.
    Checking,
    /// A newer release is offered.
    UpdateAvailable,
    /// Pieces are coming.
    Downloading,
    /// Held, and why.
    Paused {
        /// Why.
        reason: PauseReason,
        /// The minute of the day at which it goes on by itself, where a clock decides that.
        until: Option<u16>,
    },
    /// Files are being hashed.
    Verifying,
    /// Damaged ranges are coming.
    Repairing,
    /// The journal is written; the folder changes now.
    Applying,
    /// Playable.
    Ready,
    /// The game runs.
    Running {
        /// Seconds since it started.
        #[ts(type = "number")]
        since_seconds: u64,
        /// What of it still runs, by name and number, where that is not the program that was started, or was found running: the
        /// player may know better.
        still: Vec<String>,
    },
    /// The repository cannot be reached; playable when `installed` is set.
    Offline,
    /// The volume is too small.
    NeedsSpace {
        /// Bytes needed.
        #[ts(type = "number")]
        need_bytes: u64,
        /// Bytes free.
        #[ts(type = "number")]
        have_bytes: u64,
        /// Where.
        dir: String,
    },
    /// Another process holds the folder.
    Blocked {
        /// What blocks.
        by: String,
    },
    /// The folder is gone, perhaps with its drive.
    FolderMissing {
        /// Where it was.
        dir: String,
    },
    /// The last job failed.
    Failed {
        /// How.
        failure: Failure,
    },
}

/// Why a download is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The player asked.
    User,
    /// The game runs.
    Game,
    /// The volume is full.
    Space,
    /// The network is paid for by the amount.
    Metered,
    /// The schedule says so.
    Schedule,
}

/// A failure as it crosses to people: the code is stable, the message a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Failure {
    /// Stable code, such as `DISK_FULL`.
    pub code: String,
    /// A sentence in English.
    pub message: String,
    /// Whether trying again can help without changing anything.
    pub can_retry: bool,
}

/// What the window may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Install the game.
    Install,
    /// Bring the game to the release offered.
    Update,
    /// Hold the transfer.
    Pause,
    /// Go on.
    Resume,
    /// Give the job up; what came is kept for the next try.
    Cancel,
    /// Hash every file.
    Verify,
    /// Bring damaged files back.
    Repair,
    /// Start the game.
    Play,
    /// End the game.
    StopGame,
    /// Nothing of the game runs, whatever it looks like.
    NotRunning,
    /// Read the repository again, or try the failed job again.
    Retry,
    /// Remove the game.
    Uninstall,
    /// Have the next release before its hour.
    Preload,
    /// Open what was preloaded.
    Unlock,
    /// Pass nothing on until asked again.
    StopSharing,
    /// Pass on again.
    StartSharing,
}

/// A button: what it does and the key of its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Button {
    /// What it asks for; `None` for one that only tells.
    pub action: Option<Action>,
    /// Key of its text in the catalogs.
    pub label: String,
    /// Whether it can be pressed.
    pub enabled: bool,
}

/// Bytes by where they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
pub struct BySource {
    /// The publisher's servers.
    #[ts(type = "number")]
    pub origin: u64,
    /// Players over the internet.
    #[ts(type = "number")]
    pub players: u64,
    /// Players on the local network.
    #[ts(type = "number")]
    pub lan: u64,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
pub struct Progress {
    /// Bytes done.
    #[ts(type = "number")]
    pub done_bytes: u64,
    /// Bytes in all.
    #[ts(type = "number")]
    pub total_bytes: u64,
    /// Files done.
    pub files_done: u32,
    /// Files in all.
    pub files_total: u32,
    /// Floored, 0 to 100, never falling inside a phase: 100 means done.
    pub percent: u8,
    /// Bytes per second.
    #[ts(type = "number")]
    pub rate_bytes_per_second: u64,
    /// Seconds left, when that can be said.
    #[ts(type = "number | null")]
    pub eta_seconds: Option<u64>,
}

/// A release that is put in place set after set: the game can begin before the rest is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Sets {
    /// The set that is being fetched; the last one when all is there.
    pub fetching: SetName,
    /// The game can be started: what it needs for a good session is in place.
    pub playable: bool,
    /// Every set that has files, in the order in which they come.
    pub sets: Vec<SetProgress>,
}

/// How far one set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct SetProgress {
    /// Which.
    pub set: SetName,
    /// Bytes in all.
    #[ts(type = "number")]
    pub total_bytes: u64,
    /// Bytes here and verified.
    #[ts(type = "number")]
    pub done_bytes: u64,
    /// Every file of it is in its place.
    pub in_place: bool,
}

/// When files are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SetName {
    /// Without them nothing runs.
    Required,
    /// For a good session.
    Playable,
    /// The rest.
    Optional,
}

/// A release that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Available {
    /// Its version.
    pub version: String,
    /// Bytes to download, as planned from signed sizes and what lies here.
    #[ts(type = "number")]
    pub download_bytes: u64,
    /// Bytes of them until the game can be started; `None` where it takes all of them.
    #[ts(type = "number | null")]
    pub playable_bytes: Option<u64>,
    /// The way they come.
    pub way: Way,
    /// The other ways and what they would take, cheapest first.
    pub alternatives: Vec<WayCost>,
    /// Bytes of disk needed while it is applied, the patch's own included.
    #[ts(type = "number")]
    pub need_bytes: u64,
    /// Patch notes, plain text.
    pub notes: String,
}

/// A release that is published sealed, to be had before its hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Preload {
    /// Its version.
    pub version: String,
    /// When it is opened, RFC 3339.
    pub unlock: String,
    /// How far it is.
    pub state: PreloadState,
    /// Bytes to download beforehand.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Bytes of them that are here.
    #[ts(type = "number")]
    pub have_bytes: u64,
    /// Bytes of disk still needed until it stands: what has not come, and what comes out of it while both lie here.
    #[ts(type = "number")]
    pub need_bytes: u64,
}

/// How far a preload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PreloadState {
    /// It can be had.
    Offered,
    /// It is coming.
    Preloading,
    /// It is held.
    Held,
    /// All of it is here; its hour has not come.
    Preloaded,
    /// Its hour has come; its key is not there yet.
    Waiting,
    /// It is being opened.
    Unlocking,
}

/// How the bytes of a release come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Every file, as without any release here.
    Full,
    /// What differs from what stands here.
    Blocks,
    /// A patch from the release that stands here, and what it leaves as blocks.
    Patch,
}

/// What a way takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct WayCost {
    /// The way.
    pub way: Way,
    /// Bytes to download.
    #[ts(type = "number")]
    pub bytes: u64,
}

/// Rates now, bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
pub struct Rates {
    /// All that comes.
    #[ts(type = "number")]
    pub down: u64,
    /// All that goes.
    #[ts(type = "number")]
    pub up: u64,
    /// Coming from the publisher's servers.
    #[ts(type = "number")]
    pub origin: u64,
    /// Coming from players over the internet.
    #[ts(type = "number")]
    pub players: u64,
    /// Coming from players on the local network.
    #[ts(type = "number")]
    pub lan: u64,
}

/// Caps, bytes per second; `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
pub struct Limits {
    /// Upload.
    #[ts(type = "number | null")]
    pub up: Option<u64>,
    /// Download.
    #[ts(type = "number | null")]
    pub down: Option<u64>,
}

/// When bytes are passed on to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SharingMode {
    /// Never, and nothing is taken from players either.
    Off,
    /// Only on the local network.
    Lan,
    /// While this game downloads.
    #[default]
    WhileDownloading,
    /// As long as the launcher is open.
    WhileOpen,
}

/// Whether bytes are passed on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct Sharing {
    /// The player's choice.
    pub mode: SharingMode,
    /// Whether peers are served now.
    pub active: bool,
    /// Why not, where the mode would allow it.
    pub paused_reason: Option<SharingPause>,
    /// Bytes passed on over the internet this month, headers included.
    #[ts(type = "number")]
    pub month_bytes: u64,
    /// How many the player allows in a month.
    #[ts(type = "number | null")]
    pub month_budget: Option<u64>,
}

/// Why sharing rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum SharingPause {
    /// The game runs.
    Playing,
    /// The player said stop.
    User,
    /// The player holds the download.
    Held,
    /// The month's budget is used up.
    Budget,
    /// The schedule says so.
    Schedule,
    /// The network is paid for by the amount.
    Metered,
}

/// The swarm in detail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, TS)]
pub struct Transfer {
    /// Pieces here.
    pub pieces_have: u32,
    /// Pieces in all.
    pub pieces_total: u32,
    /// Per bucket of neighbouring pieces, percent here; at most [`PIECE_MAP_BUCKETS`].
    pub piece_map: Vec<u8>,
    /// Copies of the rarest piece among connected peers.
    pub rarest: u32,
    /// Connected peers.
    pub peers: Vec<PeerRow>,
    /// The publisher's servers.
    pub origins: Vec<OriginRow>,
    /// Address that peers can reach, as far as known.
    pub listen: Option<String>,
    /// Whether players on the internet can connect to us.
    pub reachability: Reachability,
    /// Trackers.
    pub trackers: Vec<TrackerRow>,
    /// Pieces that came false.
    pub bad_pieces: u32,
    /// Bytes that came in vain.
    #[ts(type = "number")]
    pub wasted_bytes: u64,
}

/// Whether players on the internet can connect to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// Nothing speaks for it or against it yet.
    #[default]
    Unknown,
    /// Somebody did, or the router leads here.
    Reachable,
    /// Behind a router that gives no port.
    Unreachable,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PeerRow {
    /// Address and port.
    pub address: String,
    /// What it says it is.
    pub client: String,
    /// Where it is.
    pub class: PeerClass,
    /// Whether we connected to it.
    pub outgoing: bool,
    /// Bytes per second from it.
    #[ts(type = "number")]
    pub down_rate: u64,
    /// Bytes per second to it.
    #[ts(type = "number")]
    pub up_rate: u64,
    /// Bytes from it.
    #[ts(type = "number")]
    pub downloaded_bytes: u64,
    /// Bytes to it.
    #[ts(type = "number")]
    pub uploaded_bytes: u64,
    /// Percent of the release that it has, floored.
    pub percent: u8,
    /// It does not serve us.
    pub choked_by_peer: bool,
    /// We do not serve it.
    pub choking_peer: bool,
}

/// Where a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PeerClass {
    /// Beyond the local network, or not known to be on it.
    Internet,
    /// On the local network.
    Lan,
}

/// One of the publisher's servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct OriginRow {
    /// Its URL.
    pub url: String,
    /// Whether the last request went well.
    pub ok: bool,
    /// What it said last, in words.
    pub detail: String,
    /// Bytes per second from it.
    #[ts(type = "number")]
    pub rate: u64,
}

/// A tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct TrackerRow {
    /// Its URL.
    pub url: String,
    /// Whether the last announce went well.
    pub ok: bool,
    /// What it said last, in words.
    pub detail: String,
    /// Complete peers it counts.
    pub seeders: u32,
    /// Incomplete peers it counts.
    pub leechers: u32,
}

/// How the game ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct LastExit {
    /// Its own exit code; `None` when a signal ended it, or something ended last that we did not start.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Seconds it ran.
    #[ts(type = "number")]
    pub seconds: u64,
    /// It did not end well within seconds of its start: `GAME_CRASHED`.
    pub crash: Option<Failure>,
    /// It did not end well, and the player did not ask for it.
    pub bad: bool,
    /// The last lines that it said, where it did not end well.
    pub words: Vec<String>,
}
