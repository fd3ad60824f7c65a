//! A request under way for neighbouring fetches: what it still has to deliver, and what nobody wants any more.
//!
//! Shared by the dispatcher, which calls parts off, and the lane, which delivers. A part that is called off is read
//! over; the connection is given up only where much would be read for nobody.

use super::queue::Part;
use crate::session::happening::Happening;
use bytes::{Bytes, BytesMut};
use release::merkle::BLOCK;
use std::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::sync::{Notify, mpsc};

/// So many bytes are read for nobody before a connection is given up for them.
const READ_OVER_MAX: u64 = 256 * 1024;

/// One fetch of a run.
#[derive(Debug)]
pub(super) struct RunPart {
    pub(super) part: Part,
    called_off: AtomicBool,
    /// Offset in the file up to which blocks were handed on.
    reached: AtomicU64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) file: usize,
    /// Offsets in the file.
    pub(super) range: Range<u64>,
    pub(super) parts: Vec<RunPart>,
    called_off: Notify,
}

impl Run {
    /// Of parts in the order of their file; `None` without any.
    pub(super) fn new(parts: Vec<Part>) -> Option<Self> {
        let (first, last) = (parts.first()?, parts.last()?);
        let (file, range) = (first.file, first.range.start..last.range.end);
        let parts = parts.into_iter().map(|part| RunPart {
            reached: AtomicU64::new(part.range.start),
            called_off: AtomicBool::new(false),
            part,
        });
        Some(Self { file, range, parts: parts.collect(), called_off: Notify::new() })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// True if the fetch was one of these.
    pub(super) fn call_off(&self, fetch: u64) -> bool {
        let Some(part) = self.parts.iter().find(|part| part.part.fetch == fetch) else { return false };
        part.called_off.store(true, Ordering::Relaxed);
        self.called_off.notify_one();
        true
    }

    pub(super) fn has(&self, piece: u32) -> bool {
        self.parts.iter().any(|part| part.part.piece == piece)
    }

    /// Resolves when something was called off.
    pub(super) async fn changed(&self) {
        self.called_off.notified().await;
    }

    /// Whether the rest of the body is not worth being read.
    pub(super) fn is_idle(&self, left: Option<u64>) -> bool {
        !self.parts.iter().any(RunPart::is_wanted) && left.is_none_or(|left| left > READ_OVER_MAX)
    }

    /// What was asked for and not handed on, to be asked for elsewhere.
    pub(super) fn rest(&self) -> Vec<Part> {
        let wanted = self.parts.iter().filter(|part| part.is_wanted());
        wanted
            .map(|part| {
                let reached = part.reached.load(Ordering::Relaxed);
                Part { range: reached..part.part.range.end, ..part.part.clone() }
            })
            .collect()
    }

    /// Pieces of which blocks were handed on, and which blocks.
    pub(super) fn given(&self) -> impl Iterator<Item = (u32, Range<u32>)> + '_ {
        self.parts.iter().filter_map(|RunPart { part, reached, .. }| {
            let block = |offset: u64| ((offset - part.piece_start).div_ceil(u64::from(BLOCK))) as u32;
            let given = block(part.range.start)..block(reached.load(Ordering::Relaxed));
            (!given.is_empty()).then_some((part.piece, given))
        })
    }
}

impl RunPart {
    fn is_wanted(&self) -> bool {
        !self.called_off.load(Ordering::Relaxed) && self.reached.load(Ordering::Relaxed) < self.part.range.end
    }
}

/// Cuts what comes into blocks and hands them on.
pub(super) struct Delivery<'a> {
    run: &'a Run,
    wire: &'a mpsc::Sender<Happening>,
    /// Offset in the file of the next byte.
    at: u64,
    next_part: usize,
    /// The beginning of a block.
    held: BytesMut,
}

impl<'a> Delivery<'a> {
    /// Of bytes of the file from the run's start on.
    pub(super) fn new(run: &'a Run, wire: &'a mpsc::Sender<Happening>) -> Self {
        Self { run, wire, at: run.range.start, next_part: 0, held: BytesMut::new() }
    }

    /// Whether all of the run came.
    pub(super) fn is_done(&self) -> bool {
        self.next_part == self.run.parts.len()
    }

    /// The next bytes of the file; what is beyond the run is dropped.
    pub(super) async fn push(&mut self, mut data: Bytes) {
        while !data.is_empty() {
            let Some(part) = self.run.parts.get(self.next_part) else { return };
            let range = &part.part.range;
            if self.at < range.start {
                let gap = (data.len() as u64).min(range.start - self.at);
                let _ = data.split_to(gap as usize);
                self.at += gap;
                continue;
            }
            // Pieces begin at multiples of their length in a file, so blocks lie on one grid.
            let block_end = range.end.min((self.at / u64::from(BLOCK) + 1) * u64::from(BLOCK));
            let came = data.split_to((data.len() as u64).min(block_end - self.at) as usize);
            self.at += came.len() as u64;
            let Some(block) = self.whole(came, self.at == block_end) else { continue };
            self.hand_on(part, block).await;
            if self.at == range.end {
                self.next_part += 1;
            }
        }
    }

    /// The block that ends with `came`. Only a block that came in several reads is copied together.
    fn whole(&mut self, came: Bytes, ends: bool) -> Option<Bytes> {
        if ends && self.held.is_empty() {
            return Some(came);
        }
        self.held.extend_from_slice(&came);
        ends.then(|| self.held.split().freeze())
    }

    async fn hand_on(&self, part: &RunPart, data: Bytes) {
        let start = self.at - data.len() as u64;
        if !part.called_off.load(Ordering::Relaxed) {
            let block = ((start - part.part.piece_start) / u64::from(BLOCK)) as u32;
            let came = Happening::OriginBlock { fetch: part.part.fetch, block, data };
            // A torrent that ended wants nothing more; its end ends this task too.
            let _ = self.wire.send(came).await;
        }
        part.reached.store(self.at, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: u64 = 2 * BLOCK as u64;

    fn part(piece: u64, range: Range<u64>) -> Part {
        Part { fetch: piece, piece: piece as u32, file: 0, range, piece_start: piece * PIECE }
    }

    async fn blocks(parts: Vec<Part>, off: &[u64], portion: usize) -> Vec<(u64, u32, usize)> {
        let run = Run::new(parts).expect("not empty");
        off.iter().for_each(|fetch| assert!(run.call_off(*fetch)));
        let (wire, mut came) = mpsc::channel(100);
        let mut delivery = Delivery::new(&run, &wire);
        let file: Vec<u8> = (0..run.range.end).map(|at| (at % 251) as u8).collect();
        for portion in file[run.range.start as usize..].chunks(portion) {
            delivery.push(Bytes::copy_from_slice(portion)).await;
        }
        assert!(delivery.is_done());
        drop(wire);
        let mut blocks = Vec::new();
        while let Some(Happening::OriginBlock { fetch, block, data }) = came.recv().await {
            let start = (fetch * PIECE + u64::from(block) * u64::from(BLOCK)) as usize;
            assert!(data == file[start..start + data.len()], "{fetch} {block}");
            blocks.push((fetch, block, data.len()));
        }
        blocks
    }

    #[tokio::test]
    async fn blocks_come_whole_however_they_are_read() {
        let parts =
            || vec![part(0, 16_384..PIECE), part(1, PIECE..2 * PIECE), part(2, 2 * PIECE..2 * PIECE + 5)];
        let all = vec![(0, 1, 16_384), (1, 0, 16_384), (1, 1, 16_384), (2, 0, 5)];
        for portion in [1, 1000, 16_384, 20_000, 1_000_000] {
            assert_eq!(blocks(parts(), &[], portion).await, all);
        }
        // A gap between two parts is read over, and so is a part that was called off.
        let gap = vec![part(0, 0..16_384), part(1, PIECE..2 * PIECE)];
        assert_eq!(blocks(gap, &[], 7000).await, [(0, 0, 16_384), (1, 0, 16_384), (1, 1, 16_384)]);
        assert_eq!(blocks(parts(), &[1], 7000).await, [(0, 1, 16_384), (2, 0, 5)]);
    }

    #[test]
    fn a_connection_is_given_up_only_for_much_that_nobody_wants() {
        let run = Run::new(vec![part(0, 0..PIECE), part(1, PIECE..2 * PIECE)]).expect("not empty");
        assert!(run.call_off(0) && !run.call_off(9));
        assert!(!run.is_idle(Some(u64::MAX)), "somebody wants the second");
        run.call_off(1);
        assert!(!run.is_idle(Some(READ_OVER_MAX)));
        assert!(run.is_idle(Some(READ_OVER_MAX + 1)) && run.is_idle(None));
        assert!(run.rest().is_empty());
    }
}
