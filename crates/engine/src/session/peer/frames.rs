//! Blocks as they go over the wire: read from the store in as few calls as the requests allow, and never copied after.

use super::super::happening::BlockRange;
use crate::piece_store::{PieceStore, PieceStoreError};
use std::{io::IoSlice, ops::Range};

/// Bytes of a piece message before its data: length, kind, piece, offset (BEP 3).
const HEADER: usize = 13;
/// Message number of a piece (BEP 3).
const PIECE: u8 = 7;

/// Blocks that were read, each with its header, and which could not be.
#[derive(Debug, Default)]
pub(super) struct Frames {
    data: Vec<u8>,
    frames: Vec<Frame>,
    pub(super) unreadable: Vec<BlockRange>,
}

#[derive(Debug)]
struct Frame {
    block: BlockRange,
    header: [u8; HEADER],
    /// Where its bytes begin in `data`.
    at: usize,
}

impl Frame {
    /// `shown` is the number of the piece on the wire.
    fn new(block: BlockRange, shown: u32, at: usize) -> Self {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&(block.length + HEADER as u32 - 4).to_be_bytes());
        header[4] = PIECE;
        header[5..9].copy_from_slice(&shown.to_be_bytes());
        header[9..].copy_from_slice(&block.begin.to_be_bytes());
        Self { block, header, at }
    }

    fn length(&self) -> usize {
        HEADER + self.block.length as usize
    }
}

impl Frames {
    /// Reads `blocks` in their order; neighbours in a piece are read at once. What a block has beyond the end of its
    /// piece is zero: libtorrent before 2.0.9 asks for a file's last block as if the file were padded. `shown` gives a
    /// piece's number on the wire.
    pub(super) fn read(
        &mut self,
        store: &dyn PieceStore,
        blocks: &[BlockRange],
        piece_bytes: impl Fn(u32) -> u32,
        shown: impl Fn(u32) -> u32,
    ) {
        self.frames.clear();
        self.unreadable.clear();
        let bytes = blocks.iter().map(|block| block.length as usize).sum();
        if self.data.len() < bytes {
            self.data.resize(bytes, 0);
        }
        let mut at = 0;
        for run in
            blocks.chunk_by(|one, next| one.piece == next.piece && one.begin + one.length == next.begin)
        {
            let whole = piece_bytes(run[0].piece);
            let end = at + run.iter().map(|block| block.length as usize).sum::<usize>();
            let read = self.read_one(store, run[0].piece, run[0].begin, whole, at..end);
            if read.is_ok() || run.len() == 1 {
                self.take(run, shown(run[0].piece), at, read.err());
            } else {
                // Which of them is it?
                let mut at = at;
                for block in run {
                    let end = at + block.length as usize;
                    let read = self.read_one(store, block.piece, block.begin, whole, at..end);
                    self.take(std::slice::from_ref(block), shown(block.piece), at, read.err());
                    at = end;
                }
            }
            at = end;
        }
    }

    fn read_one(
        &mut self,
        store: &dyn PieceStore,
        piece: u32,
        begin: u32,
        whole: u32,
        to: Range<usize>,
    ) -> Result<(), PieceStoreError> {
        let there = (whole.saturating_sub(begin) as usize).min(to.len());
        let (data, padding) = self.data[to].split_at_mut(there);
        padding.fill(0);
        store.read_into(piece, begin, data)
    }

    fn take(&mut self, run: &[BlockRange], shown: u32, mut at: usize, failed: Option<PieceStoreError>) {
        if let Some(error) = failed {
            tracing::warn!(piece = run[0].piece, %error, "a block could not be read for a peer");
            return self.unreadable.extend(run);
        }
        for block in run {
            self.frames.push(Frame::new(*block, shown, at));
            at += block.length as usize;
        }
    }

    /// The blocks that were read.
    pub(super) fn blocks(&self) -> Vec<BlockRange> {
        self.frames.iter().map(|frame| frame.block).collect()
    }

    /// Bytes that go over the wire.
    pub(super) fn length(&self) -> usize {
        self.frames.iter().map(Frame::length).sum()
    }

    /// The bytes from `from` to `to`, in pieces.
    pub(super) fn slices(&self, from: usize, to: usize) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(2 * self.frames.len());
        let mut start = 0;
        for frame in &self.frames {
            let data = &self.data[frame.at..frame.at + frame.block.length as usize];
            for part in [&frame.header[..], data] {
                let (low, high) = (from.max(start), to.min(start + part.len()));
                if low < high {
                    slices.push(IoSlice::new(&part[low - start..high - start]));
                }
                start += part.len();
            }
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use swarm::wire::{Message, encode};

    /// Says of each byte where it stood; one place cannot be read.
    #[derive(Debug)]
    struct Ruler {
        broken: (u32, u32),
        calls: Mutex<u32>,
    }

    impl PieceStore for Ruler {
        fn read(&self, piece: u32, begin: u32, length: u32) -> Result<Vec<u8>, PieceStoreError> {
            *self.calls.lock().map_err(|_| PieceStoreError::Absent)? += 1;
            let (broken, at) = self.broken;
            if broken == piece && (begin..begin + length).contains(&at) {
                return Err(PieceStoreError::Absent);
            }
            Ok((begin..begin + length).map(|at| (at / 7 + piece) as u8).collect())
        }

        fn write(&self, _: u32, _: u32, _: &[u8]) -> Result<(), PieceStoreError> {
            Err(PieceStoreError::Absent)
        }

        fn verified(&self, _: u32) {}

        fn flush(&self) -> Result<(), PieceStoreError> {
            Ok(())
        }
    }

    fn block(piece: u32, number: u32) -> BlockRange {
        BlockRange { piece, begin: number * 1000, length: 1000 }
    }

    #[test]
    fn frames_are_the_messages_however_they_are_cut_and_a_run_is_one_read() {
        let store = Ruler { broken: (9, 0), calls: Mutex::default() };
        let blocks = [block(1, 0), block(1, 1), block(1, 2), block(2, 3), block(1, 4), block(1, 5)];
        let mut wanted = Vec::new();
        for block in blocks {
            let data = store.read(block.piece, block.begin, block.length).unwrap_or_default().into();
            encode(&Message::Piece { index: block.piece, begin: block.begin, data }, &mut wanted);
        }
        let store = Ruler { broken: (9, 0), calls: Mutex::default() };
        let mut frames = Frames::default();
        for _ in 0..2 {
            frames.read(&store, &blocks, |_| 1 << 20, |piece| piece);
            assert_eq!((frames.blocks(), frames.length()), (blocks.to_vec(), wanted.len()));
            for step in [1, 13, 1013, 1500, 100_000] {
                let cuts = (0..wanted.len()).step_by(step);
                let sent: Vec<u8> = cuts.flat_map(|at| frames.slices(at, at + step).concat_bytes()).collect();
                assert!(sent == wanted, "cut every {step} bytes");
            }
        }
        assert_eq!(store.calls.into_inner().ok(), Some(2 * 3));
    }

    #[test]
    fn of_a_run_only_the_broken_block_is_unreadable() {
        let store = Ruler { broken: (1, 1500), calls: Mutex::default() };
        let mut frames = Frames::default();
        frames.read(&store, &[block(1, 0), block(1, 1), block(1, 2)], |_| 1 << 20, |piece| piece);
        assert_eq!(
            (frames.blocks(), &frames.unreadable),
            (vec![block(1, 0), block(1, 2)], &vec![block(1, 1)])
        );
        assert_eq!(frames.length(), 2 * 1013);
    }

    #[test]
    fn what_lies_beyond_the_end_of_a_piece_is_zero() {
        let store = Ruler { broken: (9, 0), calls: Mutex::default() };
        let mut frames = Frames::default();
        for _ in 0..2 {
            frames.read(&store, &[block(1, 0), block(1, 1)], |_| 1_600, |piece| piece + 5);
            let sent = frames.slices(0, frames.length()).concat_bytes();
            let mut wanted = store.read(1, 1_000, 600).unwrap_or_default();
            wanted.resize(1_000, 0);
            assert_eq!(&sent[1_013 + 13..], wanted);
            assert_eq!(sent[5..9], 6_u32.to_be_bytes(), "the number that the peer knows");
        }
    }

    trait Concat {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl Concat for Vec<IoSlice<'_>> {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|slice| slice.iter().copied()).collect()
        }
    }
}
