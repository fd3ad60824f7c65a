//! Blocks that travel packed, between peers that speak `mu_zstd`: which run of requests is answered as one message, and
//! what is believed of one that comes.
//!
//! Requests, cancels and rejects are the ordinary ones; only the answer differs. While something is on its way to a peer
//! its requests gather, so that runs grow as long as the line is fast. What comes is taken only if every block of it was
//! asked for: whoever packs anything else, or data that is not the bytes of its blocks, is banned like a liar. Blocks
//! are judged by their leaves like any others.
//!
//! What counts: the bytes of messages are what travelled, and what totals say; how fast a peer gives, for windows,
//! the origin's gate and runs, is a matter of the blocks' own bytes, since requests are for those. What all peers may
//! owe under our own cap is counted as it will travel, as far as each peer's earlier blocks tell.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use release::layout::Layout;

use crate::io::{Block, PackedBlock};
use crate::partial::Source;
use crate::peer::{Peer, Request};
use crate::policy;
use crate::swarm::Swarm;
use crate::wire::{
    self, BLOCK_LENGTH, BlockRun, Message, PACKED_CONTENT_MAX, PACKED_RUNS_MAX, PackedMessage, Packing,
};
use crate::{CloseReason, Config, Output, PeerKey, Time};

/// Bytes of a run at least, if so much is asked for.
const RUN_MIN: u64 = 64 * 1024;
/// Runs of a peer that nobody else waits for are cut where these groups of blocks begin, so that many peers are sent
/// the very same messages.
const GROUP_BLOCKS: u32 = PACKED_CONTENT_MAX / BLOCK_LENGTH;
/// Pieces shorter than this travel together even then.
const SMALL_PIECE: u32 = 128 * 1024;
/// Blocks that may come a second time.
const AGAIN_MAX: usize = 1024;
/// Our stream to one peer stays in a neighbourhood of so many bytes, because what lies there is alike.
const NEIGHBOURHOOD: u64 = 8 * 1024 * 1024;
/// Message length, number, number of the extension.
const FRAMING: u64 = 6;

/// What is known of a peer that packs.
#[derive(Debug, Default)]
pub(crate) struct Packs {
    /// Blocks that were asked for anew while the first answer was on its way.
    again: BTreeSet<(u32, u32)>,
    /// More may come unasked than is remembered.
    lax: bool,
    /// It cannot follow a stream of ours.
    lost_ours: bool,
    /// It was told that we cannot follow its stream.
    told_lost: bool,
    /// Bytes of neighbours that were asked of it one after the other.
    neighbours: u64,
    /// What its last blocks were on the wire, and by themselves.
    recent: (u64, u64),
}

impl Packs {
    /// A block came that had been cancelled and asked for anew: the second answer may come too.
    pub(crate) fn may_come_again(&mut self, piece: u32, block: u32) {
        if self.again.len() < AGAIN_MAX {
            self.again.insert((piece, block));
        } else {
            self.lax = true;
        }
    }

    /// Something was taken back that is not remembered.
    pub(crate) fn is_lax(&mut self) {
        self.lax = true;
    }

    /// So many blocks, as those that came before were, in blocks as they travel.
    pub(crate) fn travelling(&self, blocks: usize) -> usize {
        let (wire, content) = self.recent;
        if content == 0 || wire >= content {
            return blocks;
        }
        (blocks as u64 * wire).div_ceil(content) as usize
    }

    fn came(&mut self, wire: u64, content: u64) {
        self.recent = (self.recent.0 * 7 / 8 + wire, self.recent.1 * 7 / 8 + content);
    }
}

impl Peer {
    /// Whether blocks may go to it packed.
    pub(crate) fn takes_packed(&self, config: &Config) -> bool {
        config.compression && self.fast && self.mu_zstd.is_some()
    }

    /// Bytes of a run: as much as leaves within a moment.
    fn run_bytes(&self, now: Time, config: &Config) -> u64 {
        let moment = u128::from(self.up.per_second(now)) * config.sending_queue.as_micros() / 1_000_000;
        u64::try_from(moment).unwrap_or(u64::MAX).clamp(RUN_MIN, u64::from(PACKED_CONTENT_MAX))
    }

    /// Whether it was asked for this block and has not answered in every way it may.
    fn may_give(&self, block: (u32, u32)) -> bool {
        self.out.contains_key(&block)
            || self.late.contains(&block)
            || self.packs.again.contains(&block)
            || self.packs.lax
    }
}

impl Swarm {
    /// Gives the driver runs to pack and send: one that is being sent, and the next once it is worth it.
    pub(crate) fn serve_packed(&mut self, key: PeerKey) {
        loop {
            let solid = self.is_solid(key);
            let (now, config, layout) = (self.now, &self.config, &self.layout);
            let Some(peer) = self.peers.get_mut(&key) else { return };
            let (Some(id), target) = (peer.mu_zstd, peer.run_bytes(now, config)) else { return };
            let length = |requests: &mut dyn Iterator<Item = &Request>| -> u64 {
                requests.map(|request| u64::from(request.length)).sum()
            };
            let busy = length(&mut peer.sending.iter());
            let gathers =
                !peer.sending.is_empty() && (busy > target || length(&mut peer.queue.iter()) < target / 2);
            if gathers || peer.queue.is_empty() {
                return;
            }
            let run = next_run(&peer.queue, layout, target, solid);
            let taken: Vec<Request> = peer.queue.drain(..run.max(1)).collect();
            peer.sending.extend(&taken);
            self.flush_early(key);
            if let (0, [Request { piece, begin, length }]) = (run, &taken[..]) {
                let (piece, begin, length) = (*piece, *begin, *length);
                self.put(Output::SendBlock { peer: key, piece, begin, length });
                continue;
            }
            let blocks =
                taken.into_iter().map(|Request { piece, begin, length }| Block { piece, begin, length });
            self.put(Output::SendRun { peer: key, blocks: blocks.collect(), id, solid });
        }
    }

    /// Whether what goes to a peer may build on what went to it before: many are better sent the same.
    fn is_solid(&self, key: PeerKey) -> bool {
        let interested = self.peers.values().filter(|peer| peer.interested).count();
        policy::streams(interested) && self.peers.get(&key).is_some_and(|peer| !peer.packs.lost_ours)
    }

    /// A peer sends packed blocks, or that it is lost.
    pub(crate) fn on_packed(&mut self, key: PeerKey, payload: &Bytes) {
        let message = if self.config.compression { wire::packed(payload) } else { None };
        match message {
            Some(PackedMessage::Blocks { packing, runs, data }) => {
                self.on_packed_blocks(key, packing, &runs, data, payload.len() as u64 + FRAMING);
            }
            Some(PackedMessage::Lost) => {
                if let Some(peer) = self.peers.get_mut(&key) {
                    peer.packs.lost_ours = true;
                }
            }
            None => self.close(key, CloseReason::Protocol),
        }
    }

    fn on_packed_blocks(
        &mut self,
        key: PeerKey,
        packing: Packing,
        runs: &[BlockRun],
        data: Bytes,
        wire: u64,
    ) {
        let Some(blocks) = self.blocks_of_runs(runs) else { return self.close(key, CloseReason::Protocol) };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let different: BTreeSet<(u32, u32)> = blocks.iter().map(|block| (block.piece, block.block)).collect();
        if different.len() < blocks.len() || different.iter().any(|block| !peer.may_give(*block)) {
            // What it stands for would be unpacked in vain.
            return self.ban(key);
        }
        let content: u64 = blocks.iter().map(|block| u64::from(block.length)).sum();
        self.totals.came(self.now, peer.class, wire, content);
        peer.packs.came(wire, content);
        peer.downloaded += wire;
        peer.down_wire.add(self.now, wire);
        let blocks: Vec<PackedBlock> = blocks
            .into_iter()
            .map(|block| PackedBlock { wanted: self.packed_block_came(key, &block), ..block })
            .collect();
        self.put(Output::StorePacked { peer: key, packing, blocks, data });
        self.fill_after(key);
    }

    /// The blocks of these runs, if they exist and are no more than a message may have.
    fn blocks_of_runs(&self, runs: &[BlockRun]) -> Option<Vec<PackedBlock>> {
        let mut blocks = Vec::new();
        let mut content = 0u64;
        for run in runs {
            let end = run.first.checked_add(run.count)?;
            if run.piece >= self.have.len() || run.count == 0 || end > self.layout.block_count(run.piece) {
                return None;
            }
            for block in run.first..end {
                let length = self.layout.block_length(run.piece, block);
                content += u64::from(length);
                if content > u64::from(PACKED_CONTENT_MAX) {
                    return None;
                }
                blocks.push(PackedBlock { piece: run.piece, block, length, wanted: false });
            }
        }
        Some(blocks)
    }

    /// Whether it is to be stored.
    fn packed_block_came(&mut self, key: PeerKey, block: &PackedBlock) -> bool {
        let at = (block.piece, block.block);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.packs.again.remove(&at);
        }
        let bytes = u64::from(block.length);
        match self.answered(key, at, bytes) {
            Some(true) => self.welcome(Source::Peer(key), block.piece, block.block, bytes, None),
            Some(false) => {
                self.totals.wasted_bytes += bytes;
                false
            }
            None => false,
        }
    }

    /// The driver could not make blocks of what a peer sent, for no disk's fault: it lied.
    pub(crate) fn on_packed_false(&mut self, key: PeerKey, blocks: &[(u32, u32)]) {
        let lengths = blocks.iter().map(|(piece, block)| u64::from(self.layout.block_length(*piece, *block)));
        self.totals.wasted_bytes += lengths.sum::<u64>();
        blocks.iter().for_each(|(piece, block)| self.on_store_failed(*piece, *block));
        self.ban(key);
    }

    /// The driver did not keep what a peer's stream refers to: the blocks are asked for again, and come as frames of
    /// their own.
    pub(crate) fn on_packed_lost(&mut self, key: PeerKey, blocks: &[(u32, u32)]) {
        if let Some(peer) = self.peers.get_mut(&key)
            && !std::mem::replace(&mut peer.packs.told_lost, true)
            && let Some(id) = peer.mu_zstd
        {
            self.send(key, Message::Extended { id, payload: wire::stream_lost_payload() });
        }
        blocks.iter().for_each(|(piece, block)| self.on_store_failed(*piece, *block));
        self.fill(key);
    }

    /// The piece after the one that a packing peer gave last, if it is as rare as the rarest: neighbours are alike.
    pub(crate) fn neighbour_of(&mut self, key: PeerKey, rarest: u32) -> Option<u32> {
        let peer = self.peers.get_mut(&key).filter(|peer| peer.takes_packed(&self.config))?;
        let next = peer.current_piece?.checked_add(1).filter(|next| *next < self.have.len())?;
        peer.packs.neighbours += u64::from(self.layout.piece_bytes(next));
        let fits = peer.packs.neighbours <= NEIGHBOURHOOD
            && self.picker.is_untouched(next)
            && peer.has(next)
            && self.picker.availability(next) <= self.picker.availability(rarest);
        if !fits {
            peer.packs.neighbours = 0;
        }
        fits.then_some(next)
    }
}

/// How many of the first requests are one run of at most so many bytes; none if the first is not for a whole block.
fn next_run(queue: &VecDeque<Request>, layout: &Layout, bytes_max: u64, solid: bool) -> usize {
    let whole = |request: &Request| {
        request.begin.is_multiple_of(BLOCK_LENGTH)
            && request.length == layout.block_length(request.piece, request.begin / BLOCK_LENGTH)
    };
    let group = |request: &Request| (request.piece, request.begin / BLOCK_LENGTH / GROUP_BLOCKS);
    let small = |request: &Request| layout.piece_bytes(request.piece) < SMALL_PIECE;
    let (mut bytes, mut before) = (0, None::<&Request>);
    for (at, request) in queue.iter().enumerate() {
        bytes += u64::from(request.length);
        let apart = |before: &Request| {
            !solid && group(before) != group(request) && !(small(before) && small(request))
        };
        let ends = at >= PACKED_RUNS_MAX || before.is_some_and(|before| bytes > bytes_max || apart(before));
        if ends || !whole(request) {
            return at;
        }
        before = Some(request);
    }
    queue.len()
}

#[cfg(test)]
mod tests {
    use release::hash::Hash32;
    use release::layout::FileEntry;

    use super::*;

    fn layout() -> Layout {
        let entry = |(at, length): (usize, u64)| FileEntry {
            path: format!("{at:04}").parse().unwrap(),
            length,
            pieces_root: Some(Hash32([at as u8; 32])),
            executable: false,
        };
        let lengths = [1 << 20, 1_000, 2_000, 1 << 20];
        Layout::new(1 << 20, lengths.into_iter().enumerate().map(entry).collect()).unwrap()
    }

    fn blocks(layout: &Layout, piece: u32, blocks: std::ops::Range<u32>) -> VecDeque<Request> {
        let request =
            |block| Request { piece, begin: block * BLOCK_LENGTH, length: layout.block_length(piece, block) };
        blocks.map(request).collect()
    }

    #[test]
    fn a_run_is_what_fits_and_for_a_crowd_what_many_will_ask_for() {
        let layout = layout();
        let mut queue = blocks(&layout, 0, 5..40);
        let most = u64::from(PACKED_CONTENT_MAX);
        assert_eq!(next_run(&queue, &layout, most, true), 16);
        assert_eq!(next_run(&queue, &layout, RUN_MIN, true), 4);
        assert_eq!(next_run(&queue, &layout, most, false), 11, "up to block 16");
        queue = blocks(&layout, 1, 0..1);
        queue.extend(blocks(&layout, 2, 0..1));
        queue.extend(blocks(&layout, 3, 0..3));
        assert_eq!(next_run(&queue, &layout, most, true), 5);
        assert_eq!(next_run(&queue, &layout, most, false), 2, "small files travel together");
        queue[1].length = 7;
        assert_eq!(next_run(&queue, &layout, most, true), 1);
        queue.pop_front();
        assert_eq!(next_run(&queue, &layout, most, true), 0, "no whole block");
    }

    #[test]
    fn what_is_owed_counts_as_it_will_travel() {
        let mut packs = Packs::default();
        assert_eq!(packs.travelling(10), 10);
        packs.came(100, 400);
        assert_eq!((packs.travelling(10), packs.travelling(0)), (3, 0));
        packs.came(4_000, 4_000);
        assert_eq!(packs.travelling(10), 10);
    }
}
