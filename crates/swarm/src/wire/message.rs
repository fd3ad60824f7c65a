//! The messages after the handshake and how they are written.

use bytes::Bytes;
use release::hash::Hash32;

/// Most base hashes of one hash request: the leaves of the largest piece (16 MiB).
pub const MAX_HASHES: u32 = 1024;

/// Everything two peers say to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Nothing, so that the connection is not taken for dead.
    KeepAlive,
    /// Requests will not be served any more.
    Choke,
    /// Requests will be served.
    Unchoke,
    /// You have something I want.
    Interested,
    /// You have nothing I want.
    NotInterested,
    /// I have this piece now.
    Have {
        /// The piece.
        piece: u32,
    },
    /// The pieces I have, in the form of [`crate::Bitfield::as_bytes`].
    Bitfield(Bytes),
    /// Send me this range.
    Request {
        /// The piece.
        index: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// The bytes asked for.
    Piece {
        /// The piece.
        index: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// The bytes.
        data: Bytes,
    },
    /// I do not need this range any more.
    Cancel {
        /// The piece.
        index: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// A DHT port (BEP 5); read and ignored.
    Port(u16),
    /// You might want this piece (BEP 6).
    Suggest {
        /// The piece.
        piece: u32,
    },
    /// I have every piece (BEP 6).
    HaveAll,
    /// I have no piece (BEP 6).
    HaveNone,
    /// This request will not be answered (BEP 6).
    Reject {
        /// The piece.
        index: u32,
        /// Offset in the piece, bytes.
        begin: u32,
        /// Length, bytes.
        length: u32,
    },
    /// This piece is served even while you are choked (BEP 6).
    AllowedFast {
        /// The piece.
        piece: u32,
    },
    /// A message of an extension (BEP 10); id 0 is the extended handshake.
    Extended {
        /// The number the receiver gave the extension.
        id: u8,
        /// What the extension says.
        payload: Bytes,
    },
    /// Send me these nodes of a file's merkle tree (BEP 52).
    HashRequest(HashRange),
    /// The nodes asked for, base layer first, then the uncles upwards (BEP 52).
    Hashes {
        /// What was asked.
        range: HashRange,
        /// The nodes.
        hashes: Vec<Hash32>,
    },
    /// These nodes will not be sent (BEP 52).
    HashReject(HashRange),
    /// A message this program does not know; ignored.
    Unknown {
        /// Its number.
        id: u8,
    },
}

/// Which nodes of a file's merkle tree (BEP 52).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashRange {
    /// The file, by its pieces root.
    pub pieces_root: Hash32,
    /// The layer, counted from the leaves (0).
    pub base_layer: u32,
    /// The first node, counted in that layer.
    pub index: u32,
    /// How many nodes: a power of two, at least two.
    pub length: u32,
    /// How many layers above the base layer are proved by uncles.
    pub proof_layers: u32,
}

impl HashRange {
    /// How many uncle hashes follow the base hashes: layers that follow from the base hashes are not sent.
    #[must_use]
    pub fn uncle_count(&self) -> u32 {
        self.proof_layers.saturating_sub(self.length.max(2).ilog2() - 1)
    }

    /// How many hashes the answer carries.
    #[must_use]
    pub fn hash_count(&self) -> u32 {
        self.length.saturating_add(self.uncle_count())
    }
}

/// Message numbers on the wire.
pub(super) mod id {
    pub(in super::super) const CHOKE: u8 = 0;
    pub(in super::super) const UNCHOKE: u8 = 1;
    pub(in super::super) const INTERESTED: u8 = 2;
    pub(in super::super) const NOT_INTERESTED: u8 = 3;
    pub(in super::super) const HAVE: u8 = 4;
    pub(in super::super) const BITFIELD: u8 = 5;
    pub(in super::super) const REQUEST: u8 = 6;
    pub(in super::super) const PIECE: u8 = 7;
    pub(in super::super) const CANCEL: u8 = 8;
    pub(in super::super) const PORT: u8 = 9;
    pub(in super::super) const SUGGEST: u8 = 13;
    pub(in super::super) const HAVE_ALL: u8 = 14;
    pub(in super::super) const HAVE_NONE: u8 = 15;
    pub(in super::super) const REJECT: u8 = 16;
    pub(in super::super) const ALLOWED_FAST: u8 = 17;
    pub(in super::super) const EXTENDED: u8 = 20;
    pub(in super::super) const HASH_REQUEST: u8 = 21;
    pub(in super::super) const HASHES: u8 = 22;
    pub(in super::super) const HASH_REJECT: u8 = 23;
}

/// Appends a message, length prefix included.
///
/// For [`Message::Unknown`] nothing is written: we do not say what we do not know.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::KeepAlive => out.extend_from_slice(&0u32.to_be_bytes()),
        Message::Choke => head(out, id::CHOKE, 0),
        Message::Unchoke => head(out, id::UNCHOKE, 0),
        Message::Interested => head(out, id::INTERESTED, 0),
        Message::NotInterested => head(out, id::NOT_INTERESTED, 0),
        Message::Have { piece } => words(out, id::HAVE, &[*piece]),
        Message::Bitfield(bytes) => {
            head(out, id::BITFIELD, bytes.len());
            out.extend_from_slice(bytes);
        }
        Message::Request { index, begin, length } => words(out, id::REQUEST, &[*index, *begin, *length]),
        Message::Piece { index, begin, data } => {
            head(out, id::PIECE, 8 + data.len());
            out.extend_from_slice(&index.to_be_bytes());
            out.extend_from_slice(&begin.to_be_bytes());
            out.extend_from_slice(data);
        }
        Message::Cancel { index, begin, length } => words(out, id::CANCEL, &[*index, *begin, *length]),
        Message::Port(port) => {
            head(out, id::PORT, 2);
            out.extend_from_slice(&port.to_be_bytes());
        }
        Message::Suggest { piece } => words(out, id::SUGGEST, &[*piece]),
        Message::HaveAll => head(out, id::HAVE_ALL, 0),
        Message::HaveNone => head(out, id::HAVE_NONE, 0),
        Message::Reject { index, begin, length } => words(out, id::REJECT, &[*index, *begin, *length]),
        Message::AllowedFast { piece } => words(out, id::ALLOWED_FAST, &[*piece]),
        Message::Extended { id, payload } => {
            head(out, id::EXTENDED, 1 + payload.len());
            out.push(*id);
            out.extend_from_slice(payload);
        }
        Message::HashRequest(range) => hash_range(out, id::HASH_REQUEST, range, &[]),
        Message::Hashes { range, hashes } => hash_range(out, id::HASHES, range, hashes),
        Message::HashReject(range) => hash_range(out, id::HASH_REJECT, range, &[]),
        Message::Unknown { .. } => {}
    }
}

fn head(out: &mut Vec<u8>, id: u8, body: usize) {
    // No body we write is near 4 GiB: blocks, bitfields and hash lists are all bounded far below.
    let length = u32::try_from(body).unwrap_or(u32::MAX).saturating_add(1);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(id);
}

fn words(out: &mut Vec<u8>, id: u8, words: &[u32]) {
    head(out, id, 4 * words.len());
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

fn hash_range(out: &mut Vec<u8>, id: u8, range: &HashRange, hashes: &[Hash32]) {
    head(out, id, 48 + 32 * hashes.len());
    out.extend_from_slice(&range.pieces_root.0);
    for word in [range.base_layer, range.index, range.length, range.proof_layers] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    for hash in hashes {
        out.extend_from_slice(&hash.0);
    }
}
