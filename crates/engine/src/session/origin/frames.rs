//! The content store's files: where a range of a file lies in its zstd frames, and the frames unpacked as they come.
//!
//! A seek table comes from a stranger like everything else: its numbers are bounded before anything is kept for them,
//! and it is believed for the source alone that gave it.

use super::{error::OriginError, lane::Lane};
use bytes::{Bytes, BytesMut};
use release::{
    hash::Hash32,
    limits::PIECE_LENGTH_MAX,
    seektable::{Covering, Frame, SeekTable, SeekTableError},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::OnceCell;
use url::Url;

/// Largest seek table that is fetched.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes that a frame may have beyond its content and an eighth: what zstd adds to what does not compress.
const FRAME_ROOM: u64 = 64 * 1024;
/// Longest that a frame may take to unpack; the threads for it may be busy.
const UNPACK_MAX: Duration = Duration::from_secs(60);

type Known = BTreeMap<(usize, Hash32), Arc<OnceCell<Arc<SeekTable>>>>;

/// Seek tables by source and file; each is fetched once, however many lanes want it.
#[derive(Debug, Default)]
pub(super) struct Tables {
    known: Mutex<Known>,
}

impl Tables {
    pub(super) async fn table(
        &self,
        lane: &Lane<'_>,
        url: &Url,
        root: Hash32,
    ) -> Result<Arc<SeekTable>, OriginError> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry((lane.mirror, root)).or_default())
        };
        cell.get_or_try_init(|| fetch(lane, url)).await.cloned()
    }
}

async fn fetch(lane: &Lane<'_>, url: &Url) -> Result<Arc<SeekTable>, OriginError> {
    let pieces = lane.ground.layout.pieces_of(lane.run.file).len() as u64;
    let mut bytes = SeekTable::encoded_bytes(pieces);
    for _ in 0..2 {
        match SeekTable::parse_tail(&lane.tail(url, bytes).await?) {
            Ok(table) if is_plausible(&table, lane.length()) => return Ok(Arc::new(table)),
            Err(SeekTableError::Longer(needed)) if needed > bytes && needed <= TABLE_BYTES_MAX => {
                bytes = needed
            }
            _ => break,
        }
    }
    Err(OriginError::Content)
}

pub(in crate::session) fn is_plausible(table: &SeekTable, length: u64) -> bool {
    // A frame without content would cost and give nothing, and a table may name very many.
    let small = |frame: &Frame| {
        let plain = u64::from(frame.decompressed);
        plain > 0 && u64::from(frame.compressed) <= plain + plain / 8 + FRAME_ROOM
    };
    table.decompressed_bytes() == length && table.frames().iter().all(small)
}

/// Frames of a range as their bytes come in.
pub(super) struct Frames {
    frames: VecDeque<Frame>,
    skip: usize,
    held: BytesMut,
}

impl Frames {
    pub(super) fn new(covering: Covering) -> Self {
        // At most a frame's content, which is at most a piece.
        Self { skip: covering.skip as usize, frames: covering.frames.into(), held: BytesMut::new() }
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.held.extend_from_slice(data);
    }

    /// The next frame's content, once all of it came.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, OriginError> {
        let Some(frame) = self.frames.front().copied() else { return Ok(None) };
        if self.held.len() < frame.compressed as usize {
            return Ok(None);
        }
        self.frames.pop_front();
        let compressed = self.held.split_to(frame.compressed as usize).freeze();
        let mut plain = decompress(compressed, frame.decompressed as usize).await?;
        let skip = std::mem::take(&mut self.skip).min(plain.len());
        Ok(Some(plain.split_off(skip)))
    }
}

/// Unpacks frames to exactly `length` bytes, off the async threads.
pub(super) async fn decompress(compressed: Bytes, length: usize) -> Result<Bytes, OriginError> {
    if length > PIECE_LENGTH_MAX as usize {
        return Err(OriginError::Content);
    }
    let task = tokio::task::spawn_blocking(move || {
        // One byte of room more than wanted shows a frame that holds more.
        let data = zstd::bulk::decompress(&compressed, length + 1).ok()?;
        (data.len() == length).then(|| Bytes::from(data))
    });
    let done = tokio::time::timeout(UNPACK_MAX, task).await;
    done.map_err(|_| OriginError::Stalled)?.ok().flatten().ok_or(OriginError::Content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_impossible_numbers_are_refused() {
        let frame = |compressed, decompressed| Frame { compressed, decompressed };
        assert!(!is_plausible(&SeekTable::new(vec![frame(10, 100), frame(90_000, 50)]), 150));
        assert!(is_plausible(&SeekTable::new(vec![frame(10, 100), frame(60_000, 50)]), 150));
        assert!(!is_plausible(&SeekTable::new(vec![frame(10, 100)]), 101));
        assert!(!is_plausible(&SeekTable::new(vec![frame(u32::MAX, 100)]), 100));
        assert!(!is_plausible(&SeekTable::new(vec![frame(60_000, 0), frame(60, 100)]), 100));
    }
}
