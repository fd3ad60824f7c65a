//! The peer wire of BitTorrent v2: handshake, messages, extension payloads (BEP 3, 6, 10, 11, 21, 52, 54).
//!
//! Invariant: a frame longer than its kind can be is refused from its length prefix, before its body is kept. This
//! module knows bytes, not what they mean for a swarm.

mod decoder;
mod extended;
mod handshake;
mod message;
mod packed;

pub use decoder::{Decoder, WireError};
pub use extended::{
    BlockRun, ExtendedError, ExtendedHandshake, LT_DONTHAVE, MAX_BLOCK_RUNS, MAX_PEX_PEERS, MU_BLOCKS,
    MU_ZSTD, Pex, UT_PEX, block_runs, block_runs_payload, lost_piece, lost_piece_payload,
};
pub use handshake::{HANDSHAKE_LEN, Handshake, HandshakeError, RESERVED};
pub(crate) use handshake::{speaks_extensions, speaks_fast};
pub use message::{HashRange, MAX_HASHES, Message, encode};
pub use packed::{
    PACKED_CONTENT_MAX, PACKED_RUNS_MAX, PACKED_WINDOW_LOG, PackedMessage, Packing, packed, packed_head,
    stream_lost_payload,
};

/// The length of a block, in bytes; the last block of a file may be shorter (BEP 52 fixes it for the leaves).
pub const BLOCK_LENGTH: u32 = 16 * 1024;
