//! What the driver tells the core and what the core asks of the driver.
//!
//! One input, then drain the outputs, then wait for the next input or [`crate::Swarm::deadline`]. Every
//! [`Output::StoreBlock`] is answered by [`Input::BlockStored`] or [`Input::StoreFailed`], every [`Output::SendBlock`]
//! by exactly one of [`Input::BlockSent`], [`Input::BlockUnreadable`], [`Input::BlockDropped`] (or the peer closes), and
//! so is every block of an [`Output::SendRun`]. An [`Output::StorePacked`] is answered for each of its wanted blocks as
//! if it were a [`Output::StoreBlock`], or for all of them by [`Input::PackedFalse`] or [`Input::PackedLost`].

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use release::hash::Hash32;

use crate::Bitfield;
use crate::alias::Via;
use crate::wire::{Message, Packing};

/// A connection, by the driver's own number. A number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PeerKey(pub u64);

/// A range of a piece that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The piece.
    pub piece: u32,
    /// Offset in the piece, bytes.
    pub begin: u32,
    /// Length, bytes.
    pub length: u32,
}

/// A block that came packed with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedBlock {
    /// The piece.
    pub piece: u32,
    /// The block in it.
    pub block: u32,
    /// Its length, bytes.
    pub length: u32,
    /// Whether it is to be stored; if not, it came before.
    pub wanted: bool,
}

/// On which kind of network a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Anywhere.
    Internet,
    /// On a local link, found by discovery.
    Lan,
}

/// How we came to know an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerSource {
    /// A tracker told us.
    Tracker,
    /// Another peer told us (BEP 11).
    Pex,
    /// Discovery on a local link.
    Lan,
    /// A person told us.
    Manual,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A connection stands and both handshakes are through, infohash checked.
    PeerConnected {
        /// The connection.
        peer: PeerKey,
        /// The other end of it.
        addr: SocketAddr,
        /// Under which infohash.
        via: Via,
        /// Whether we opened it.
        outgoing: bool,
        /// Where the peer is.
        class: Class,
        /// The peer's name for itself.
        peer_id: [u8; 20],
        /// The peer's feature bits.
        reserved: [u8; 8],
    },
    /// A message came.
    Received {
        /// From whom.
        peer: PeerKey,
        /// The message.
        message: Message,
    },
    /// A connection ended, also after [`Output::Close`] (then it may be left out).
    PeerClosed {
        /// Which.
        peer: PeerKey,
    },
    /// An attempt after [`Output::Connect`] came to nothing.
    ConnectFailed {
        /// Which.
        addr: SocketAddr,
    },
    /// A block is written; `leaf` is the SHA-256 of the bytes as they came, never of what the disk gives back: whoever
    /// sent a false leaf is banned, and a disk that garbles must condemn nobody.
    BlockStored {
        /// The piece.
        piece: u32,
        /// The block in it.
        block: u32,
        /// Hash of the block.
        leaf: Hash32,
    },
    /// A block could not be written; it will be fetched again.
    StoreFailed {
        /// The piece.
        piece: u32,
        /// The block in it.
        block: u32,
    },
    /// A block went out.
    BlockSent {
        /// To whom.
        peer: PeerKey,
        /// The piece.
        piece: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
        /// What it was on the wire, bytes; of blocks that travelled together the sum counts.
        wire: u32,
    },
    /// A block could not be read: the request is rejected and the piece counts as lost.
    BlockUnreadable {
        /// Who asked.
        peer: PeerKey,
        /// The piece.
        piece: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// A block was not sent because of [`Output::CancelBlock`].
    BlockDropped {
        /// Who asked.
        peer: PeerKey,
        /// The piece.
        piece: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// What a peer packed ([`Output::StorePacked`]) is not the bytes of its blocks.
    PackedFalse {
        /// Who sent it.
        peer: PeerKey,
        /// Piece and block of those that were wanted.
        blocks: Vec<(u32, u32)>,
    },
    /// What a peer packed ([`Output::StorePacked`]) goes on from what was not kept.
    PackedLost {
        /// Who sent it.
        peer: PeerKey,
        /// Piece and block of those that were wanted.
        blocks: Vec<(u32, u32)>,
    },
    /// A block came from the origin, in any order, any block of the piece.
    OriginBlock {
        /// The fetch.
        fetch: u64,
        /// The block in the fetch's piece.
        block: u32,
        /// Its bytes.
        data: Bytes,
    },
    /// A fetch from the origin ended before its blocks were there.
    OriginFailed {
        /// The fetch.
        fetch: u64,
        /// When the origin wants to be asked again (`Retry-After`).
        retry_after: Option<Duration>,
        /// Asking again for this piece is of no use (404, 410, a body that is no content).
        permanent: bool,
    },
    /// How many are fetching this torrent, as a tracker counts them (`incomplete`, BEP 3).
    Crowd {
        /// So many.
        players: u32,
    },
    /// Addresses of possible peers.
    PeersFound {
        /// The addresses.
        addrs: Vec<SocketAddr>,
        /// How we know.
        source: PeerSource,
        /// Under which infohash they are to be met.
        via: Via,
    },
    /// Pieces that were verified are not there any more (a file changed on disk).
    PiecesLost {
        /// Which.
        pieces: Vec<u32>,
    },
    /// A piece was verified by other means (a scan, a patch).
    PieceAvailable {
        /// Which.
        piece: u32,
    },
    /// Answer to [`Output::ReadLeaves`]: the leaves of a piece, or none if it cannot be read. Leaves that do not lead to
    /// the piece's hash are a disk's that garbles: the piece counts as lost.
    PieceLeaves {
        /// The piece.
        piece: u32,
        /// One leaf for each block.
        leaves: Option<Vec<Hash32>>,
    },
    /// Whether there is an origin to fetch from.
    SetOrigin {
        /// There is.
        available: bool,
    },
    /// Whether we serve others. Off: everybody is choked.
    SetUpload {
        /// We do.
        enabled: bool,
    },
    /// Whether we fetch what is missing. Off: nothing is requested, and blocks that peers sent already are kept.
    SetDownload {
        /// We do.
        enabled: bool,
    },
    /// How much peers of a class may owe us together, whatever their own windows are, at least two blocks: for a driver
    /// that lets blocks come only as fast as a cap allows. How long blocks then take is held against nobody.
    SetAhead {
        /// Of which peers.
        class: Class,
        /// Bytes; `None`: each peer's window decides alone.
        bytes: Option<u64>,
        /// The cap, in bytes per second; `None`: there is none.
        cap: Option<u64>,
    },
    /// Which pieces are not wanted, instead of those said before; may come at any time.
    ///
    /// They are not fetched, what is under way for them ends, and the swarm is complete without them. Those that are
    /// had stay had and are served, and so are those that come by [`Input::PieceAvailable`]. A bitfield of another
    /// length than the layout has pieces changes nothing.
    SetUnwanted {
        /// These.
        unwanted: Bitfield,
    },
    /// These pieces are wanted before all others and in this order, instead of those said before; may come at any time.
    /// For files with which something can be begun before the whole is there: a crowd that fetches in order has little
    /// to give to each other, so the list should be short. Pieces that do not exist are left out.
    SetFirst {
        /// These.
        order: Vec<u32>,
    },
    /// The pieces of the first of these go before those of the second, and so on, and all of them before the others,
    /// instead of those said before; may come at any time. Within a rank the rarest goes first, and a peer that can give
    /// nothing of a rank is asked for the next: for sets of any size, in crowds of any size. Bitfields of another length
    /// than the layout has pieces are left out, and so are those after the fourth.
    SetRanks {
        /// These.
        ranks: Vec<Bitfield>,
    },
    /// [`crate::Swarm::deadline`] has come.
    Tick,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Send {
        /// To whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// Read a block from disk and send it as [`Message::Piece`], within the caps.
    SendBlock {
        /// To whom.
        peer: PeerKey,
        /// The piece.
        piece: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// Read blocks and send them packed, in one message or several and within the caps; what packing does not make
    /// smaller as [`Message::Piece`]. Only to a peer that understands it ([`crate::Config::compression`]).
    SendRun {
        /// To whom.
        peer: PeerKey,
        /// The blocks, whole, [`crate::wire::PACKED_CONTENT_MAX`] bytes and
        /// [`crate::wire::PACKED_RUNS_MAX`] of them at most.
        blocks: Vec<Block>,
        /// The peer's number for the message (BEP 10).
        id: u8,
        /// Whether they may continue the peer's stream. If not, the same may be sent to others too.
        solid: bool,
    },
    /// If this block was not sent yet, do not send it and say [`Input::BlockDropped`].
    CancelBlock {
        /// To whom.
        peer: PeerKey,
        /// The piece.
        piece: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// End a connection. The core has forgotten the peer already.
    Close {
        /// Which.
        peer: PeerKey,
        /// Why.
        reason: CloseReason,
    },
    /// Open a connection; answered by [`Input::PeerConnected`] with this address or [`Input::ConnectFailed`].
    Connect {
        /// Where to.
        addr: SocketAddr,
        /// Under which infohash.
        via: Via,
    },
    /// Hash a block and write it to its place.
    StoreBlock {
        /// The piece.
        piece: u32,
        /// The block in it.
        block: u32,
        /// Its bytes, unverified.
        data: Bytes,
    },
    /// Unpack what a peer sent, after what it sent before; then hash each wanted block and write it to its place.
    StorePacked {
        /// Who sent it.
        peer: PeerKey,
        /// How it is packed.
        packing: Packing,
        /// The blocks whose bytes it must be, exactly.
        blocks: Vec<PackedBlock>,
        /// zstd data, unverified.
        data: Bytes,
    },
    /// Read a verified piece and say its leaves in [`Input::PieceLeaves`] (a peer looks for a liar).
    ReadLeaves {
        /// The piece.
        piece: u32,
    },
    /// Fetch blocks of a piece from the origin. More blocks of the piece may be delivered; the fetch ends when all of
    /// `blocks` were, or with [`Input::OriginFailed`].
    FetchOrigin {
        /// The fetch's number, never used twice.
        fetch: u64,
        /// The piece.
        piece: u32,
        /// The blocks that are wanted.
        blocks: Range<u32>,
    },
    /// A fetch is not needed any more; no answer is awaited.
    CancelOrigin {
        /// Which.
        fetch: u64,
    },
    /// Something the owner of the swarm wants to know.
    Event(Event),
}

/// Something worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A piece is whole and right.
    PieceVerified {
        /// Which.
        piece: u32,
    },
    /// A piece was whole and wrong; the false blocks will be fetched again.
    PieceFailed {
        /// Which.
        piece: u32,
    },
    /// A piece we had is gone.
    PieceLost {
        /// Which.
        piece: u32,
    },
    /// A peer sent false bytes and is not let in again.
    PeerBanned {
        /// Its address.
        addr: SocketAddr,
    },
    /// The origin sent false bytes for a piece. It is asked again: which of its servers may still serve the piece is
    /// the driver's to know, and [`Input::OriginFailed`] says that none may.
    OriginFalse {
        /// The piece.
        piece: u32,
        /// The block that is false, where that is known; else some of the piece is.
        block: Option<u32>,
    },
    /// A file's piece layer was fetched from peers and verified; [`crate::Swarm::layers`] has it.
    LayerVerified {
        /// Index of the file in the layout.
        file: usize,
    },
    /// Every wanted piece is there; said again when pieces were lost or came to be wanted since.
    Complete,
}

/// Why the core ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseReason {
    /// It is ourselves.
    Own,
    /// There is a connection to this peer already.
    Duplicate,
    /// Too many connections, in all or from this address.
    Limit,
    /// It is banned.
    Banned,
    /// It broke the protocol.
    Protocol,
    /// Neither side has anything to give to the other.
    BothSeeds,
    /// It said nothing for too long.
    Silent,
}
