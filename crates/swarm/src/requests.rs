//! What to ask of whom: windows by rate, blocks that come, requests taken back; which piece (`choose`), and what to do
//! when every piece is asked for (`endgame`).
//!
//! Invariant: a block is asked of one source at a time, except in the endgame, when every reachable missing block is
//! asked for already.

use bytes::Bytes;

use crate::partial::{Arrival, Only, Partial, Source, Stage};
use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::{BLOCK_LENGTH, Message};
use crate::{CloseReason, Output, PeerKey};

pub(crate) mod ahead;
pub(crate) mod choose;
mod endgame;

/// Peers with room that are tried when blocks have become free; the others find them within a tick.
const REFILLED_MAX: usize = 32;
/// A block that has to wait longer than this at one peer is given to an idle one.
const STEAL_WAIT_MILLIS: u64 = 1_000;
/// Blocks a peer may send that nobody asked it for (cancels cross blocks on the way).
const UNSOLICITED_MAX: u32 = 512;
/// Blocks given to others that a peer may still deliver.
const LATE_MAX: usize = 1024;

impl Swarm {
    /// Sends a peer as many requests as its window takes.
    pub(crate) fn fill(&mut self, key: PeerKey) {
        while self.fill_with_free(key) && self.steal_for(key) {}
    }

    /// Sends a peer requests for blocks that nobody was asked for; whether it has room for more than there are.
    fn fill_with_free(&mut self, key: PeerKey) -> bool {
        loop {
            let Some(peer) = self.peers.get(&key) else { return false };
            if peer.chokes_us || !peer.interests_us {
                return false;
            }
            if peer.dry_at == Some(self.generation) && !peer.out.is_empty() {
                return true;
            }
            let room = peer.room(self.blocks_of_piece(), &self.config).min(self.ahead_left(peer.class));
            if room == 0 {
                return false;
            }
            if let Some(piece) = self.choose(key) {
                self.ask(key, piece, room);
                continue;
            }
            let dry_at = self.looked_at_all_begun().then_some(self.generation);
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.dry_at = dry_at;
            }
            self.dry.insert(key);
            return true;
        }
    }

    pub(crate) fn fill_all(&mut self) {
        for key in self.in_turn() {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.size_window(self.now, &self.config);
            }
            self.fill(key);
        }
    }

    fn ask(&mut self, key: PeerKey, piece: u32, room: usize) {
        self.touch(piece);
        self.ask_for_leaves(key, piece);
        for _ in 0..room {
            let (Some(partial), Some(peer)) = (self.partials.get(&piece), self.peers.get(&key)) else {
                break;
            };
            let Some(block) = partial.next_free(|block| peer.has_block(piece, block)) else { break };
            self.ask_block(key, piece, block);
        }
        self.settle(piece);
    }

    /// Gives an idle peer a block that stands at the end of a long line at another; whether one was found.
    fn steal_for(&mut self, key: PeerKey) -> bool {
        if self.peers.get(&key).is_none_or(|peer| !peer.out.is_empty()) {
            return false;
        }
        let wait = |peer: &Peer| {
            let rate = peer.down.per_second(self.now).max(1);
            let bytes = peer.out.len() as u64 * u64::from(BLOCK_LENGTH);
            let oldest = peer.out.values().min().map(|asked| self.waited(peer.class, *asked));
            oldest.map_or(0, |oldest| oldest.as_millis() as u64).min(bytes * 1000 / rate)
        };
        let slowest = self.peers.iter().map(|(other, peer)| (wait(peer), *other)).max();
        let Some((_, victim)) = slowest.filter(|(wait, _)| *wait > STEAL_WAIT_MILLIS) else { return false };
        let (Some(thief), Some(peer)) = (self.peers.get(&key), self.peers.get(&victim)) else { return false };
        let admits = |piece: &u32| self.partials.get(piece).is_some_and(|p| p.admits(Source::Peer(key)));
        let last =
            peer.out.iter().filter(|((piece, block), _)| thief.has_block(*piece, *block) && admits(piece));
        let Some((piece, block)) = last.max_by_key(|(_, asked)| **asked).map(|(block, _)| *block) else {
            return false;
        };
        self.take_back(victim, piece, block);
        self.ask_block(key, piece, block);
        self.settle(piece);
        true
    }

    fn ask_block(&mut self, key: PeerKey, piece: u32, block: u32) {
        let (Some(partial), Some(peer)) = (self.partials.get_mut(&piece), self.peers.get_mut(&key)) else {
            return;
        };
        if partial.only == Only::One {
            partial.only = Only::This(Source::Peer(key));
        }
        if !partial.ask(block, Source::Peer(key), self.now) {
            return;
        }
        if peer.out.is_empty() {
            peer.last_block_at = self.now;
        }
        peer.out.insert((piece, block), self.now);
        peer.stint += 1;
        peer.current_piece = Some(piece);
        let length = self.layout.block_length(piece, block);
        self.send(key, Message::Request { index: piece, begin: block * BLOCK_LENGTH, length });
    }

    /// Blocks of a piece that is not the last of its file.
    pub(crate) fn blocks_of_piece(&self) -> usize {
        (self.layout.piece_length() / BLOCK_LENGTH) as usize
    }

    /// Makes an untouched piece a partial one.
    pub(crate) fn touch(&mut self, piece: u32) {
        if !self.partials.contains_key(&piece) {
            self.picker.remove(piece, &mut self.rng);
            let blocks = self.layout.block_count(piece);
            // Those who fetch a piece of the same peer begin elsewhere in it, so that they can pass it to each other.
            let first = self.rng.u32(..blocks.max(1));
            self.partials.insert(piece, Partial::new(blocks, first, self.now));
        }
    }

    /// Brings `open` and the picker up to date with a partial that changed.
    pub(crate) fn settle(&mut self, piece: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else {
            self.open.remove(&piece);
            return;
        };
        if partial.free() == 0 || partial.stage != Stage::Fetching {
            self.open.remove(&piece);
            return;
        }
        if matches!(partial.only, Only::This(_)) && partial.free() == partial.block_count() {
            partial.only = Only::One;
        }
        if partial.is_untouched() {
            self.partials.remove(&piece);
            self.open.remove(&piece);
            self.picker.add(piece, &mut self.rng);
        } else {
            self.open.insert(piece);
        }
    }

    /// A source that was asked for a block will not deliver it.
    pub(crate) fn unask(&mut self, source: Source, piece: u32, block: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        if !partial.unask(block, source) {
            return;
        }
        if partial.only == Only::This(source) {
            // Its blocks are of no use without the rest from the same hand.
            partial.only = Only::One;
            self.waste_from(piece, |_| true);
        }
        self.generation += 1;
        self.settle(piece);
    }

    /// A block came from a peer.
    pub(crate) fn on_block(&mut self, key: PeerKey, piece: u32, begin: u32, data: Bytes) {
        let (block, bytes) = (begin / BLOCK_LENGTH, data.len() as u64);
        let fits = piece < self.have.len()
            && begin.is_multiple_of(BLOCK_LENGTH)
            && bytes == u64::from(self.layout.block_length(piece, block));
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !fits {
            return self.close(key, CloseReason::Protocol);
        }
        self.totals.came(self.now, peer.class, bytes, bytes);
        peer.downloaded += bytes;
        peer.down_wire.add(self.now, bytes);
        match self.answered(key, (piece, block), bytes) {
            Some(true) => {
                self.welcome(Source::Peer(key), piece, block, bytes, Some(data));
            }
            Some(false) => {
                self.totals.wasted_bytes += bytes;
                let Some(peer) = self.peers.get_mut(&key) else { return };
                peer.unsolicited += 1;
                if peer.unsolicited > UNSOLICITED_MAX {
                    return self.close(key, CloseReason::Protocol);
                }
            }
            None => return,
        }
        self.fill_after(key);
    }

    /// A peer gave a block; whether it was asked for, `None` if the peer is not there.
    pub(crate) fn answered(&mut self, key: PeerKey, at: (u32, u32), bytes: u64) -> Option<bool> {
        let peer = self.peers.get_mut(&key)?;
        let asked = peer.out.remove(&at);
        let late = peer.late.remove(&at);
        if asked.is_some() && late {
            peer.packs.may_come_again(at.0, at.1);
        }
        let waited = asked.map(|asked| self.now.since(asked));
        peer.block_came(self.now, bytes, waited, &self.config);
        if let Some(asked) = asked {
            self.ahead.reach(peer.class, asked, self.now);
        }
        Some(waited.is_some() || late)
    }

    /// A block came that was asked for: it is stored, unless another was faster. Whether it is; where there is no `data`
    /// the caller has it stored.
    pub(crate) fn welcome(
        &mut self,
        source: Source,
        piece: u32,
        block: u32,
        bytes: u64,
        data: Option<Bytes>,
    ) -> bool {
        if source != Source::Origin && self.lacks(piece) {
            // Asked for and taken back since; the piece may have been given up as a whole meanwhile.
            self.touch(piece);
        }
        let arrival = match self.partials.get_mut(&piece) {
            Some(partial) if partial.admits(source) => partial.arrive(block, source, self.now),
            _ => Arrival::Twice,
        };
        let Arrival::Fresh { others } = arrival else {
            self.totals.wasted_bytes += bytes;
            // It was asked for while anybody might give the piece, and now one source alone may: nothing will come of
            // that request any more, so the block must not go on waiting for it.
            self.unask(source, piece, block);
            return false;
        };
        if let Some(data) = data {
            self.put(Output::StoreBlock { piece, block, data });
        }
        self.settle(piece);
        for key in others.peers() {
            self.take_back(key, piece, block);
            self.fill(key);
        }
        if others.origin {
            self.origin_need_not(piece, block);
        }
        true
    }

    /// Cancels one request; the block may still come and is then welcome if it is missing.
    pub(crate) fn take_back(&mut self, key: PeerKey, piece: u32, block: u32) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.out.remove(&(piece, block)).is_none() {
            return;
        }
        if peer.late.len() < LATE_MAX {
            peer.late.insert((piece, block));
        } else {
            peer.packs.is_lax();
        }
        let length = self.layout.block_length(piece, block);
        self.send(key, Message::Cancel { index: piece, begin: block * BLOCK_LENGTH, length });
        self.unask(Source::Peer(key), piece, block);
    }

    pub(crate) fn cancel_all_requests(&mut self) {
        let all: Vec<(PeerKey, u32, u32)> = self
            .peers
            .iter()
            .flat_map(|(key, peer)| peer.out.keys().map(|(piece, block)| (*key, *piece, *block)))
            .collect();
        for (key, piece, block) in all {
            self.take_back(key, piece, block);
        }
    }

    /// A choke ends all requests, but a peer with BEP 6 rejects each of them by itself.
    pub(crate) fn on_choke(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.chokes_us = true;
        if peer.fast {
            return;
        }
        for (piece, block) in std::mem::take(&mut peer.out).into_keys() {
            self.unask(Source::Peer(key), piece, block);
        }
        self.refill_others();
    }

    /// A request was rejected (BEP 6). From a peer that does not choke us it means that its queue is full, or, where it
    /// has nothing else of ours to do or says it again and again, that the piece is gone.
    pub(crate) fn on_reject(&mut self, key: PeerKey, piece: u32, begin: u32) {
        let block = begin / BLOCK_LENGTH;
        let Some(peer) = self.peers.get_mut(&key) else { return };
        // The answer to a cancel, even if the block was asked for anew since.
        if peer.late.remove(&(piece, block)) {
            return self.fill(key);
        }
        if peer.out.remove(&(piece, block)).is_none() {
            return;
        }
        peer.early.take_back(piece, block);
        let gone = !peer.chokes_us && peer.rejects(piece);
        self.unask(Source::Peer(key), piece, block);
        if gone {
            self.on_peer_lost(key, piece);
        }
        self.fill(key);
        self.refill_others();
    }

    /// Blocks have become free: peers with room for which nothing was found take them.
    pub(crate) fn refill_others(&mut self) {
        let from = if self.dry.len() > REFILLED_MAX { self.dry_from } else { PeerKey(0) };
        let in_turn = self.dry.range(from..).chain(self.dry.range(..from));
        let keys: Vec<PeerKey> = in_turn.take(REFILLED_MAX).copied().collect();
        for key in keys {
            if self.open.is_empty() && self.picker.reachable_is_empty() {
                return;
            }
            self.dry_from = PeerKey(key.0.saturating_add(1));
            if !self.fill_with_free(key) {
                self.dry.remove(&key);
            }
        }
    }

    /// Gives the requests of silent peers to others.
    pub(crate) fn check_requests(&mut self) {
        let (now, config) = (self.now, &self.config);
        let mut back = Vec::new();
        for (key, peer) in &mut self.peers {
            let Some(oldest) = peer.out.values().min().copied() else { continue };
            let silent = now.since(peer.last_block_at.max(oldest)) >= config.snub_after;
            peer.snubbed |= silent;
            let overdue = |asked| silent || now.since(asked) >= config.request_timeout;
            back.extend(
                peer.out
                    .iter()
                    .filter(|(_, asked)| overdue(**asked))
                    .map(|((piece, block), _)| (*key, *piece, *block)),
            );
        }
        for (key, piece, block) in back {
            self.take_back(key, piece, block);
        }
    }
}
