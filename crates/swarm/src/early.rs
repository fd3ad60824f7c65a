//! Blocks handed on before their piece is whole, between peers that speak `mu_blocks` (an extension of BEP 10).
//!
//! A block is right as soon as it matches its leaf (BEP 52). Who knows a piece's leaves tells the peers it serves of
//! every block that is right, and they may ask for it at once: the way through a crowd then costs a block's time a hop
//! and not a piece's. Leaves are asked of the peer that gives the piece, and proved by the piece's own hash.
//!
//! Invariant: a block is offered only if its leaf was proved and matched, so nobody passes on a false byte this way.
//! A peer that speaks this extension answers requests for blocks it offered as it does for pieces it has.

use std::collections::BTreeMap;

use crate::partial::{Partial, Stage};
use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::{self, BLOCK_LENGTH, BlockRun, MAX_BLOCK_RUNS, Message};
use crate::{CloseReason, PeerKey};

/// Pieces of which a peer's single blocks are remembered; what it offers beyond is asked for once its pieces are whole.
const PIECES_MAX: usize = 512;
/// Hash requests under way at one peer, leaves included.
const LEAVES_OUT_MAX: usize = 16;
/// Pieces whose leaves are looked for in one go.
const LEAVES_ASKED_AT_ONCE: usize = 64;

/// The single blocks a peer offers, by piece: one bit for each block.
#[derive(Debug, Default)]
pub(crate) struct Early {
    pieces: BTreeMap<u32, Vec<u64>>,
    /// What we did not tell it yet.
    untold: Vec<BlockRun>,
}

impl Early {
    pub(crate) fn has(&self, piece: u32, block: u32) -> bool {
        let word = self.pieces.get(&piece).and_then(|words| words.get(block as usize / 64));
        word.is_some_and(|word| word >> (block % 64) & 1 == 1)
    }

    pub(crate) fn offers_piece(&self, piece: u32) -> bool {
        self.pieces.contains_key(&piece)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = u32> + '_ {
        self.pieces.keys().copied()
    }

    /// The whole piece is had, by the peer or by us: single blocks say nothing any more.
    pub(crate) fn forget(&mut self, piece: u32) -> bool {
        self.pieces.remove(&piece).is_some()
    }

    /// Remembers a run; one look-up and a few words, whatever its length.
    fn add(&mut self, run: BlockRun) {
        let (first, end) = (run.first as usize, (run.first + run.count) as usize);
        if end <= first || (self.pieces.len() >= PIECES_MAX && !self.pieces.contains_key(&run.piece)) {
            return;
        }
        let words = self.pieces.entry(run.piece).or_default();
        if words.len() < end.div_ceil(64) {
            words.resize(end.div_ceil(64), 0);
        }
        for (at, word) in words.iter_mut().enumerate().take(end.div_ceil(64)).skip(first / 64) {
            let low = first.saturating_sub(at * 64).min(63);
            let high = (end - at * 64).min(64);
            *word |= (u64::MAX >> (64 - (high - low))) << low;
        }
    }

    /// The peer refused a block that it offered.
    pub(crate) fn take_back(&mut self, piece: u32, block: u32) {
        let Some(words) = self.pieces.get_mut(&piece) else { return };
        if let Some(word) = words.get_mut(block as usize / 64) {
            *word &= !(1 << (block % 64));
        }
        if words.iter().all(|word| *word == 0) {
            self.pieces.remove(&piece);
        }
    }

    /// Blocks that follow one another are told as one run.
    fn tell_later(&mut self, piece: u32, block: u32) {
        match self.untold.last_mut() {
            Some(run) if run.piece == piece && run.first + run.count == block => run.count += 1,
            _ => self.untold.push(BlockRun { piece, first: block, count: 1 }),
        }
    }
}

impl Swarm {
    /// Whether we hold a block that is proved to be right although its piece is not whole.
    pub(crate) fn has_early(&self, piece: u32, begin: u32, length: u32) -> bool {
        let block = begin / BLOCK_LENGTH;
        let one_block = length > 0 && (begin + length - 1) / BLOCK_LENGTH == block;
        one_block && self.partials.get(&piece).is_some_and(|partial| partial.is_proved(block))
    }

    /// Asks the peer that is about to give a piece for the leaves, if others would be glad of single blocks. Once a liar
    /// was found there may be more: somebody is asked for the leaves of every piece, so that each block is judged when it
    /// comes and a liar costs what it owes, not whole pieces.
    pub(crate) fn ask_for_leaves(&mut self, key: PeerKey, piece: u32) {
        if self.connections.banned_any() {
            return self.ask_anybody_for_leaves(piece);
        }
        let others_lack_it = (self.picker.availability(piece) as usize) < self.peers.len();
        let Some(peer) = self.peers.get(&key) else { return };
        let giver_tells = peer.mu_blocks.is_some()
            && peer.hashes_out.len() < LEAVES_OUT_MAX
            && peer.may_be_asked_for_hashes();
        if self.upload && others_lack_it && giver_tells && self.lacks_leaves(piece) {
            self.ask_for_leaves_of(piece, key);
        }
    }

    /// Asks somebody for the leaves of every piece that is on its way.
    pub(crate) fn ask_for_all_leaves(&mut self) {
        let lacking = self.partials.keys().copied().filter(|piece| self.lacks_leaves(*piece));
        let pieces: Vec<u32> = lacking.take(LEAVES_ASKED_AT_ONCE).collect();
        pieces.into_iter().for_each(|piece| self.ask_anybody_for_leaves(piece));
    }

    fn ask_anybody_for_leaves(&mut self, piece: u32) {
        if self.lacks_leaves(piece)
            && let Some(teller) = self.peer_for_hashes(|peer| peer.has(piece))
        {
            self.ask_for_leaves_of(piece, teller);
        }
    }

    /// Whether a piece is on its way, its leaves are not known, and nobody is asked for them.
    fn lacks_leaves(&self, piece: u32) -> bool {
        let lacks = |partial: &Partial| {
            partial.block_count() > 1
                && partial.leaves.is_none()
                && !partial.leaves_asked
                && partial.stage == Stage::Fetching
        };
        self.partials.get(&piece).is_some_and(lacks) && self.layers.piece_hash(&self.layout, piece).is_some()
    }

    fn ask_for_leaves_of(&mut self, piece: u32, teller: PeerKey) {
        let (Some(range), Some(partial)) = (self.leaf_range(piece), self.partials.get_mut(&piece)) else {
            return;
        };
        partial.leaves_asked = true;
        self.ask_for_hashes(teller, range);
    }

    /// The leaves of a piece that is on its way are proved: what came already is judged, and the rest as it comes.
    pub(crate) fn on_leaves_proved(&mut self, piece: u32, leaves: Vec<release::hash::Hash32>) {
        self.hashes.remember_leaves(piece, leaves.clone());
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        if partial.leaves.is_some() {
            return;
        }
        self.blame(piece, leaves);
        let proved = self.proved_blocks(piece);
        proved.into_iter().for_each(|block| self.tell_early(piece, block));
    }

    fn proved_blocks(&self, piece: u32) -> Vec<u32> {
        let Some(partial) = self.partials.get(&piece) else { return Vec::new() };
        (0..partial.block_count()).filter(|block| partial.is_proved(*block)).collect()
    }

    /// Tells peers of a block that is right: those we serve, and those who see nothing to want here yet.
    pub(crate) fn tell_early(&mut self, piece: u32, block: u32) {
        if !self.upload {
            return;
        }
        let mut now = Vec::new();
        for (key, peer) in &mut self.peers {
            let listens = peer.mu_blocks.is_some() && (!peer.choked || !peer.interested);
            if listens && !peer.has(piece) && !peer.early.has(piece, block) && !peer.upload_only {
                peer.early.tell_later(piece, block);
                if peer.sending.is_empty() {
                    now.push(*key);
                }
            }
        }
        now.into_iter().for_each(|key| self.flush_early(key));
    }

    /// A peer that is served from now on hears of every single block.
    pub(crate) fn tell_all_early(&mut self, key: PeerKey) {
        if self.peers.get(&key).is_none_or(|peer| peer.mu_blocks.is_none()) || !self.upload {
            return;
        }
        let proved: Vec<(u32, Vec<u32>)> =
            self.partials.keys().map(|piece| (*piece, self.proved_blocks(*piece))).collect();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.early.untold.clear();
        for (piece, blocks) in proved {
            for block in blocks {
                if !peer.has(piece) && !peer.early.has(piece, block) {
                    peer.early.tell_later(piece, block);
                }
            }
        }
        self.flush_early(key);
    }

    /// Tells a peer what it was not told yet; before a block that goes to it anyway this costs no packet.
    pub(crate) fn flush_early(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let Some(id) = peer.mu_blocks.filter(|_| !peer.early.untold.is_empty()) else { return };
        let mut runs = std::mem::take(&mut peer.early.untold);
        runs.retain(|run| !peer.pieces.get(run.piece) && !self.have.get(run.piece));
        for part in runs.chunks(MAX_BLOCK_RUNS) {
            self.send(key, Message::Extended { id, payload: wire::block_runs_payload(part) });
        }
    }

    pub(crate) fn flush_all_early(&mut self) {
        let waiting = |(_, peer): &(&PeerKey, &Peer)| !peer.early.untold.is_empty();
        let keys: Vec<PeerKey> = self.peers.iter().filter(waiting).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.flush_early(key));
    }

    /// A peer offers single blocks.
    pub(crate) fn on_early(&mut self, key: PeerKey, payload: &[u8]) {
        let Some(runs) = wire::block_runs(payload) else { return self.close(key, CloseReason::Protocol) };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        for run in runs {
            let fits = run.piece < self.have.len()
                && run.first.saturating_add(run.count) <= self.layout.block_count(run.piece);
            if !fits {
                return self.close(key, CloseReason::Protocol);
            }
            let lacked = !self.have.get(run.piece) && !self.unwanted.get(run.piece);
            if lacked && !peer.pieces.get(run.piece) {
                peer.early.add(run);
                self.spreading.set(run.piece);
            }
        }
        peer.dry_at = None;
        self.update_interest(key);
        self.fill(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_blocks_are_remembered_by_piece_and_forgotten_with_it() {
        let mut early = Early::default();
        early.add(BlockRun { piece: 3, first: 0, count: 1 });
        early.add(BlockRun { piece: 3, first: 70, count: 1 });
        assert!(early.has(3, 0) && early.has(3, 70) && !early.has(3, 1) && !early.has(4, 0));
        early.take_back(3, 70);
        assert!(!early.has(3, 70) && early.offers_piece(3));
        assert!(early.forget(3) && early.is_empty());
    }

    #[test]
    fn a_run_covers_its_blocks_and_no_other() {
        for (first, count) in [(0, 1), (0, 64), (3, 61), (60, 10), (63, 1), (64, 64), (1, 200), (5, 0)] {
            let mut early = Early::default();
            early.add(BlockRun { piece: 0, first, count });
            for block in 0..300 {
                assert_eq!(
                    early.has(0, block),
                    (first..first + count).contains(&block),
                    "{first}+{count}: {block}"
                );
            }
        }
    }

    #[test]
    fn neighbours_are_told_as_one_run() {
        let mut early = Early::default();
        [(1, 0), (1, 1), (1, 3), (2, 4)]
            .into_iter()
            .for_each(|(piece, block)| early.tell_later(piece, block));
        let runs: Vec<_> = early.untold.iter().map(|run| (run.piece, run.first, run.count)).collect();
        assert_eq!(runs, [(1, 0, 2), (1, 3, 1), (2, 4, 1)]);
    }

    #[test]
    fn offers_without_end_are_not_remembered() {
        let mut early = Early::default();
        (0..10_000).for_each(|piece| early.add(BlockRun { piece, first: 0, count: 1 }));
        assert_eq!(early.pieces.len(), PIECES_MAX);
    }
}
