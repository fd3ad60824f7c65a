//! Blocks that travel together as one zstd frame, between peers that speak `mu_zstd` (an extension of BEP 10, ours).
//!
//! Blocks are asked for by ordinary requests (BEP 3). Whoever answers may put several of the blocks that were asked for
//! into one message instead of a `piece` each: a byte that says how they are packed, the number of runs (2 bytes, big
//! endian), the runs as in `mu_blocks` (8 bytes each), then zstd data that is the bytes of those blocks one after the
//! other. How many bytes that are follows from the torrent alone; data that gives any other number is false.
//!
//! Packed **alone**, the data is a frame of its own. Else it continues the connection's stream: one zstd frame that goes
//! on from message to message, each ended by a flush, so that later blocks refer to what went before within the window.
//! A receiver that did not keep a stream's window says that it is **lost**, is sent the blocks again when it asks, and
//! gets no stream on this connection any more.
//!
//! Invariant: a message is bounded in its runs and in the bytes it stands for. This module knows no zstd.

use bytes::Bytes;

use super::BlockRun;

/// Most bytes of blocks in one message.
pub const PACKED_CONTENT_MAX: u32 = 256 * 1024;
/// Most runs in one message.
pub const PACKED_RUNS_MAX: usize = 512;
/// The largest window of a stream, as a power of two: 4 MiB. What it costs a receiver is bounded by this.
pub const PACKED_WINDOW_LOG: u32 = 22;
/// Bytes before the runs: how it is packed, and how many they are.
const HEAD: usize = 3;
const RUN: usize = 8;
/// Most bytes of such a payload: zstd adds a few to what it cannot make smaller.
pub(super) const PAYLOAD_MAX: u32 = HEAD as u32 + (PACKED_RUNS_MAX * RUN) as u32 + PACKED_CONTENT_MAX + 4096;

/// How blocks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As a frame of their own.
    Alone,
    /// As the beginning of a stream; a stream before it has ended.
    Begin,
    /// As the next part of the stream.
    Next,
}

/// A `mu_zstd` message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackedMessage {
    /// Blocks.
    Blocks {
        /// How they are packed.
        packing: Packing,
        /// Which, in the order of their bytes.
        runs: Vec<BlockRun>,
        /// zstd data.
        data: Bytes,
    },
    /// The sender of this could not follow the stream.
    Lost,
}

const ALONE: u8 = 0;
const BEGIN: u8 = 1;
const NEXT: u8 = 2;
const LOST: u8 = 3;

/// Reads a payload; `None` if it is none.
#[must_use]
pub fn packed(payload: &Bytes) -> Option<PackedMessage> {
    if payload[..] == [LOST] {
        return Some(PackedMessage::Lost);
    }
    let (head, rest) = payload.split_first_chunk::<HEAD>()?;
    let packing = match head[0] {
        ALONE => Packing::Alone,
        BEGIN => Packing::Begin,
        NEXT => Packing::Next,
        _ => return None,
    };
    let count = usize::from(u16::from_be_bytes([head[1], head[2]]));
    if !(1..=PACKED_RUNS_MAX).contains(&count) || rest.len() < count * RUN {
        return None;
    }
    let data = HEAD + count * RUN;
    let runs = super::block_runs(&payload[HEAD..data])?;
    Some(PackedMessage::Blocks { packing, runs, data: payload.slice(data..) })
}

/// What comes before the zstd data. There are at most [`PACKED_RUNS_MAX`] runs, each within the first 65,535 blocks of
/// its piece, as in every layout.
#[must_use]
pub fn packed_head(packing: Packing, runs: &[BlockRun]) -> Vec<u8> {
    let kind = match packing {
        Packing::Alone => ALONE,
        Packing::Begin => BEGIN,
        Packing::Next => NEXT,
    };
    let mut out = vec![kind];
    out.extend_from_slice(&(runs.len() as u16).to_be_bytes());
    out.extend_from_slice(&super::block_runs_payload(runs));
    out
}

/// The payload that says that a stream is lost.
#[must_use]
pub fn stream_lost_payload() -> Bytes {
    Bytes::from_static(&[LOST])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_is_not() {
        let runs = [BlockRun { piece: 7, first: 1, count: 3 }, BlockRun { piece: 9, first: 0, count: 1 }];
        for packing in [Packing::Alone, Packing::Begin, Packing::Next] {
            let mut payload = packed_head(packing, &runs);
            payload.extend_from_slice(b"zstd");
            let data = Bytes::from_static(b"zstd");
            let wanted = PackedMessage::Blocks { packing, runs: runs.to_vec(), data };
            assert_eq!(packed(&payload.into()), Some(wanted));
        }
        assert_eq!(packed(&stream_lost_payload()), Some(PackedMessage::Lost));
        let head = packed_head(Packing::Alone, &runs);
        for bad in [&[][..], &[4, 0, 1], &[0, 0, 0], &[3, 3], &head[..head.len() - 1]] {
            assert_eq!(packed(&Bytes::copy_from_slice(bad)), None, "{bad:?}");
        }
        let many = vec![runs[0]; PACKED_RUNS_MAX + 1];
        assert_eq!(packed(&packed_head(Packing::Next, &many).into()), None);
    }
}
