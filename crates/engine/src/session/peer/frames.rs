//! Blocks as they go over the wire: read from the store in as few calls as the requests allow, and never copied after.

use super::super::{
    happening::BlockRange,
    pack::{Group, Packed, Packer},
};
use crate::piece_store::{PieceStore, PieceStoreError};
use release::layout::Layout;
use std::{io::IoSlice, ops::Range};
use swarm::{
    alias::Alias,
    wire::{BLOCK_LENGTH, BlockRun, PACKED_CONTENT_MAX, packed_head},
};

/// Bytes of a piece message before its data: length, kind, piece, offset (BEP 3).
const HEADER: usize = 13;
/// Message number of a piece (BEP 3).
const PIECE: u8 = 7;
/// Message number of an extension's (BEP 10).
const EXTENDED: u8 = 20;

/// Blocks that were read, each with its header, and which could not be.
#[derive(Debug, Default)]
pub(super) struct Frames {
    data: Vec<u8>,
    frames: Vec<Frame>,
    pub(super) unreadable: Vec<BlockRange>,
}

#[derive(Debug)]
enum Frame {
    Plain(Plain),
    /// Blocks that travel as one message, which is this.
    Packed {
        blocks: Vec<BlockRange>,
        message: Vec<u8>,
    },
}

#[derive(Debug)]
struct Plain {
    block: BlockRange,
    header: [u8; HEADER],
    /// Where its bytes begin in `data`.
    at: usize,
}

impl Frame {
    fn length(&self) -> usize {
        match self {
            Self::Plain(plain) => HEADER + plain.block.length as usize,
            Self::Packed { message, .. } => message.len(),
        }
    }

    /// What it is on the wire, one after the other.
    fn parts<'a>(&'a self, data: &'a [u8]) -> [&'a [u8]; 2] {
        match self {
            Self::Plain(plain) => [&plain.header, plain.bytes(data)],
            Self::Packed { message, .. } => [message, &[]],
        }
    }
}

impl Plain {
    /// `shown` is the number of the piece on the wire.
    fn new(block: BlockRange, shown: u32, at: usize) -> Self {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&(block.length + HEADER as u32 - 4).to_be_bytes());
        header[4] = PIECE;
        header[5..9].copy_from_slice(&shown.to_be_bytes());
        header[9..].copy_from_slice(&block.begin.to_be_bytes());
        Self { block, header, at }
    }

    fn bytes<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        &data[self.at..self.at + self.block.length as usize]
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
            self.frames.push(Frame::Plain(Plain::new(*block, shown, at)));
            at += block.length as usize;
        }
    }

    /// Packs what was read, where that makes it smaller.
    pub(super) fn pack(
        &mut self,
        packer: &mut Packer,
        id: u8,
        solid: bool,
        layout: &Layout,
        alias: Option<&Alias>,
    ) {
        let plain: Vec<Plain> = std::mem::take(&mut self.frames)
            .into_iter()
            .filter_map(|frame| if let Frame::Plain(plain) = frame { Some(plain) } else { None })
            .collect();
        let worth = self.worth(packer, &plain, layout);
        let mut rest = plain.into_iter().zip(worth).peekable();
        while let Some((first, worth)) = rest.next() {
            if !worth {
                self.frames.push(Frame::Plain(first));
                continue;
            }
            let mut group = vec![first];
            while let Some((next, _)) = rest.next_if(|(_, worth)| *worth) {
                group.push(next);
            }
            match self.pack_group(packer, &group, id, solid, layout, alias) {
                Some(packed) => self.frames.push(packed),
                None => self.frames.extend(group.into_iter().map(Frame::Plain)),
            }
        }
    }

    /// Which are worth packing, looked at file by file.
    fn worth(&self, packer: &Packer, plain: &[Plain], layout: &Layout) -> Vec<bool> {
        let file = |plain: &Plain| layout.piece(plain.block.piece).file;
        let runs = plain
            .chunk_by(|one, next| file(one) == file(next) && one.at + one.block.length as usize == next.at);
        runs.flat_map(|run| {
            let bytes: usize = run.iter().map(|plain| plain.block.length as usize).sum();
            let worth = packer.is_worth(file(&run[0]), &self.data[run[0].at..run[0].at + bytes]);
            std::iter::repeat_n(worth, run.len())
        })
        .collect()
    }

    fn pack_group(
        &self,
        packer: &mut Packer,
        group: &[Plain],
        id: u8,
        solid: bool,
        layout: &Layout,
        alias: Option<&Alias>,
    ) -> Option<Frame> {
        let parts = group.iter().map(|plain| plain.bytes(&self.data)).collect();
        let runs = runs(group, |piece| alias.map_or(Some(piece), |alias| alias.theirs(piece)))?;
        let shared =
            is_shared(group, layout).then(|| (group[0].block.piece, group[0].block.begin / BLOCK_LENGTH));
        let Packed { packing, data } = packer.pack(&Group { parts, shared, solid })?;
        let head = packed_head(packing, &runs);
        let mut message = Vec::with_capacity(6 + head.len() + data.len());
        let length = u32::try_from(2 + head.len() + data.len()).ok()?;
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(&[EXTENDED, id]);
        message.extend_from_slice(&head);
        message.extend_from_slice(&data);
        Some(Frame::Packed { blocks: group.iter().map(|plain| plain.block).collect(), message })
    }

    /// The blocks that were read, and what each is on the wire, without the headers of plain ones.
    pub(super) fn sent(&self) -> Vec<(BlockRange, u32)> {
        let mut sent = Vec::new();
        for frame in &self.frames {
            match frame {
                Frame::Plain(plain) => sent.push((plain.block, plain.block.length)),
                Frame::Packed { blocks, message } => {
                    // The whole message goes with its first block. It is far shorter than 4 GiB.
                    let lengths = std::iter::once(message.len() as u32).chain(std::iter::repeat(0));
                    sent.extend(blocks.iter().copied().zip(lengths));
                }
            }
        }
        sent
    }

    /// Bytes of the blocks themselves.
    pub(super) fn content(&self) -> usize {
        self.sent().iter().map(|(block, _)| block.length as usize).sum()
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
            for part in frame.parts(&self.data) {
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

/// The blocks as runs, in the numbers that the peer knows; `None` if it knows one not.
fn runs(group: &[Plain], shown: impl Fn(u32) -> Option<u32>) -> Option<Vec<BlockRun>> {
    let mut runs: Vec<BlockRun> = Vec::new();
    for Plain { block, .. } in group {
        let (piece, first) = (shown(block.piece)?, block.begin / BLOCK_LENGTH);
        match runs.last_mut() {
            Some(run) if run.piece == piece && run.first + run.count == first => run.count += 1,
            _ => runs.push(BlockRun { piece, first, count: 1 }),
        }
    }
    Some(runs)
}

/// Whether these are all the blocks of a piece that are packed together for everybody, which the core cuts runs for.
fn is_shared(group: &[Plain], layout: &Layout) -> bool {
    let first = group[0].block;
    let together = PACKED_CONTENT_MAX / BLOCK_LENGTH;
    let in_order = |(at, plain): (u32, &Plain)| {
        plain.block.piece == first.piece && plain.block.begin == first.begin + at * BLOCK_LENGTH
    };
    let number = first.begin / BLOCK_LENGTH;
    let wanted = layout.block_count(first.piece).saturating_sub(number).min(together);
    number.is_multiple_of(together) && group.len() == wanted as usize && (0u32..).zip(group).all(in_order)
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

    fn sent(frames: &Frames) -> Vec<BlockRange> {
        frames.sent().into_iter().map(|(block, _)| block).collect()
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
            assert_eq!((sent(&frames), frames.length()), (blocks.to_vec(), wanted.len()));
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
        assert_eq!((sent(&frames), &frames.unreadable), (vec![block(1, 0), block(1, 2)], &vec![block(1, 1)]));
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
