//! A torrent as its owner sees it: what it is, how it is doing, and the hold on it.

use super::{
    happening::Happening,
    limiter::Scope,
    origin::{OriginSource, OriginStatus, OriginUse},
};
use crate::piece_store::PieceStore;
use release::{
    hash::Hash32,
    layout::{Layout, PieceLayers},
};
use std::{net::SocketAddr, sync::Arc};
use swarm::{Bitfield, Input, PeerSource, Stats, Via, alias::Alias};
use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

/// A torrent to be taken part in.
#[derive(Debug)]
pub struct Torrent {
    /// SHA-256 of its info dictionary.
    pub infohash: Hash32,
    /// Its files and pieces.
    pub layout: Arc<Layout>,
    /// Piece layers known; others are asked of peers.
    pub layers: PieceLayers,
    /// Pieces that are verified and readable from `store`.
    pub have: Bitfield,
    /// Pieces that are not to be fetched, such as a player's own files: those that are not here count neither as had
    /// nor as missing.
    pub excluded: Vec<u32>,
    /// Where the bytes lie.
    pub store: Arc<dyn PieceStore>,
    /// Trackers in tiers (BEP 12): one is announced to at a time, of a later tier only when all of the earlier fail.
    pub trackers: Vec<Vec<Url>>,
    /// The publisher's servers.
    pub origins: Vec<OriginSource>,
    /// How much they are to help.
    pub origin_use: OriginUse,
    /// Peers known beforehand.
    pub peers: Vec<SocketAddr>,
    /// Whom it exchanges with at first.
    pub exchange: Exchange,
    /// Serve peers.
    pub upload: bool,
}

/// An older or newer release of the same game: who has only that can give and take what both have.
#[derive(Debug, Clone)]
pub struct OtherRelease {
    /// SHA-256 of its info dictionary.
    pub infohash: Hash32,
    /// Which pieces are the same, `ours` being those of the torrent that meets it.
    pub alias: Arc<Alias>,
}

/// Whom a torrent exchanges with. The publisher's servers are asked for what is missing in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exchange {
    /// No peers at all.
    Nobody,
    /// Only peers found on a local network: no tracker is asked, and nobody else is met.
    Lan,
    /// Whoever is found.
    #[default]
    Everybody,
}

/// What the owner of a torrent hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TorrentEvent {
    /// Every piece is verified and durable.
    Complete,
    /// The store failed for good; the download is held.
    StoreFailed {
        /// Stable code, such as `DISK_FULL`.
        code: &'static str,
        /// In words.
        message: String,
    },
}

/// How a torrent is doing.
#[derive(Debug, Clone, Default)]
pub struct TorrentStatus {
    /// The core's figures, without the excluded pieces.
    pub stats: Stats,
    /// The publisher's servers.
    pub origins: Vec<OriginStatus>,
    /// The trackers.
    pub trackers: Vec<TrackerStatus>,
    /// Bytes that came over HTTP, as they travelled (compressed).
    pub origin_wire_bytes: u64,
    /// Pieces here.
    pub have: Vec<u8>,
}

/// How a tracker is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackerStatus {
    /// Its URL.
    pub url: String,
    /// The last announce went well.
    pub ok: bool,
    /// The last failure in words.
    pub detail: String,
    /// Complete peers it counts.
    pub seeders: u32,
    /// Incomplete peers it counts.
    pub leechers: u32,
}

/// The owner's hold on a torrent; dropped, the torrent goes on until the session ends.
#[derive(Debug, Clone)]
pub struct TorrentHandle {
    commands: mpsc::UnboundedSender<Happening>,
    status: watch::Receiver<TorrentStatus>,
    scope: Scope,
}

impl TorrentHandle {
    pub(super) fn new(
        commands: mpsc::UnboundedSender<Happening>,
        status: watch::Receiver<TorrentStatus>,
        scope: Scope,
    ) -> Self {
        Self { commands, status, scope }
    }

    /// The last status, renewed five times a second.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<TorrentStatus> {
        self.status.clone()
    }

    /// Caps of this torrent in bytes per second on the wire, within those of the session; `None`: only those.
    pub fn set_caps(&self, up: Option<u64>, down: Option<u64>) {
        self.scope.set_caps(up, down);
    }

    /// Whether nobody waits for this torrent: it then goes after those that somebody waits for, and within
    /// the background caps.
    pub fn set_background(&self, background: bool) {
        self.scope.set_background(background);
    }

    /// Whether peers are served.
    pub fn set_upload(&self, enabled: bool) {
        self.input(Input::SetUpload { enabled });
    }

    /// Whether what is missing is fetched.
    pub fn set_download(&self, enabled: bool) {
        self.input(Input::SetDownload { enabled });
    }

    /// Whom it exchanges with from now on; who is none of them is left at once.
    pub fn set_exchange(&self, exchange: Exchange) {
        let _ = self.commands.send(Happening::Exchange(exchange));
    }

    /// These pieces come before all others, in this order, instead of those said before: for what is to be used before
    /// the whole is there. A crowd that fetches in order has little to give to each other: the list should be short.
    pub fn set_first(&self, order: Vec<u32>) {
        self.input(Input::SetFirst { order });
    }

    /// The pieces of the first of these go before those of the second, and so on, and all of them before the others: for
    /// sets of any size. Within each the rarest goes first.
    pub fn set_ranks(&self, ranks: Vec<Bitfield>) {
        self.input(Input::SetRanks { ranks });
    }

    /// Pieces that are not there any more.
    pub fn pieces_lost(&self, pieces: Vec<u32>) {
        self.input(Input::PiecesLost { pieces });
    }

    /// A piece that was verified by other means.
    pub fn piece_available(&self, piece: u32) {
        self.input(Input::PieceAvailable { piece });
    }

    /// Peers from elsewhere.
    pub fn add_peers(&self, addrs: Vec<SocketAddr>) {
        self.input(Input::PeersFound { addrs, source: PeerSource::Manual, via: Via::OWN });
    }

    /// Meets the players of another release too, for the pieces that both have. Where the session has a torrent of that
    /// very release, they are that one's to meet.
    pub fn add_other(&self, other: OtherRelease) {
        let _ = self.commands.send(Happening::Other(other, self.clone()));
    }

    /// Says goodbye to trackers and peers, makes what was verified durable and ends.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Happening::Stop(done)).is_ok() {
            let _ = stopped.await;
        }
    }

    pub(super) fn deliver(&self, happening: Happening) -> bool {
        self.commands.send(happening).is_ok()
    }

    pub(super) fn found_on_lan(&self, addr: SocketAddr, infohash: [u8; 20]) {
        let _ = self.commands.send(Happening::FoundOnLan { addr, infohash });
    }

    fn input(&self, input: Input) {
        let _ = self.commands.send(Happening::Command(input));
    }
}
