//! What reaches a torrent's actor, from whichever of its tasks.

use super::{
    disk::Stored,
    handle::{Exchange, OtherRelease, TorrentHandle, TrackerStatus},
};
use crate::piece_store::PieceStoreError;
use bytes::Bytes;
use release::hash::Hash32;
use std::{net::SocketAddr, time::Duration};
use swarm::{
    Input, PeerKey, Via,
    wire::{Handshake, Message},
};
use tokio::{net::TcpStream, sync::oneshot};

/// A range of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRange {
    pub(crate) piece: u32,
    pub(crate) begin: u32,
    pub(crate) length: u32,
}

/// What came of an announce.
#[derive(Debug)]
pub(crate) struct Announced {
    /// Of which torrent.
    pub(crate) via: Via,
    pub(crate) index: usize,
    pub(crate) status: TrackerStatus,
    pub(crate) peers: Vec<SocketAddr>,
}

/// Everything that reaches the actor.
#[derive(Debug)]
pub(crate) enum Happening {
    Connected {
        socket: TcpStream,
        handshake: Handshake,
        addr: SocketAddr,
        outgoing: bool,
    },
    ConnectFailed {
        addr: SocketAddr,
    },
    Received {
        peer: PeerKey,
        messages: Vec<Message>,
    },
    Closed {
        peer: PeerKey,
    },
    Stored(Vec<Stored>),
    Leaves {
        piece: u32,
        leaves: Option<Vec<Hash32>>,
    },
    Sent {
        peer: PeerKey,
        /// With the bytes they were on the wire; of blocks that went together the sum counts.
        blocks: Vec<(BlockRange, u32)>,
    },
    Dropped {
        peer: PeerKey,
        block: BlockRange,
    },
    Unreadable {
        peer: PeerKey,
        block: BlockRange,
    },
    PackedFalse {
        peer: PeerKey,
        blocks: Vec<(u32, u32)>,
    },
    PackedLost {
        peer: PeerKey,
        blocks: Vec<(u32, u32)>,
    },
    OriginBlock {
        fetch: u64,
        block: u32,
        data: Bytes,
    },
    OriginFailed {
        fetch: u64,
        retry_after: Option<Duration>,
        permanent: bool,
    },
    Announced(Announced),
    FoundOnLan {
        addr: SocketAddr,
        infohash: [u8; 20],
    },
    /// The tracker took too long to tell of a crowd.
    OpenOrigin,
    Flushed {
        complete: bool,
        outcome: Result<(), PieceStoreError>,
    },
    Command(Input),
    /// Players of another release are to be met too; the handle is this torrent's own.
    Other(OtherRelease, TorrentHandle),
    /// Whether this torrent is the one that answers for the infohash of another release.
    Answers {
        infohash: [u8; 20],
        answers: bool,
    },
    Exchange(Exchange),
    Stop(oneshot::Sender<()>),
}
