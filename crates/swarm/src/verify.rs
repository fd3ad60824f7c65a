//! A piece is right if its leaves lead to its hash; if not, who lied?
//!
//! Only verified pieces count as had. A false piece from one source condemns that source. A false piece from several
//! is kept while a peer is asked for its true leaves (BEP 52), which are proved by the piece's own hash; then exactly
//! the givers of false blocks are banned and the good blocks stay. If nobody can answer, the piece is fetched again
//! from one source, and the old blocks are judged by the outcome.

use std::collections::BTreeSet;

use release::hash::Hash32;
use release::merkle;

use crate::partial::{Only, Partial, Source, Stage, Suspect};
use crate::swarm::Swarm;
use crate::wire::{Message, lost_piece_payload};
use crate::{Event, Output, PeerKey};

/// A piece that one in so many peers has is plentiful.
const PLENTY: usize = 4;

impl Swarm {
    /// The driver wrote a block and tells its hash.
    pub(crate) fn on_stored(&mut self, piece: u32, block: u32, leaf: Hash32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let truth = partial.leaves.as_ref().and_then(|leaves| leaves.get(block as usize)).copied();
        let Some(source) = partial.store(block, leaf) else { return };
        if matches!(source, Source::Peer(key) if self.connections.is_banned_key(key)) {
            self.totals.wasted_bytes += u64::from(self.layout.block_length(piece, block));
            return self.on_store_failed(piece, block);
        }
        if truth.is_some_and(|truth| truth != leaf) {
            partial.discard(block);
            self.totals.wasted_bytes += u64::from(self.layout.block_length(piece, block));
            self.after_discard(piece);
            self.condemn(source, piece, Some(block));
            return;
        }
        if truth.is_some() {
            self.proved(source);
            self.tell_early(piece, block);
        }
        self.check_piece(piece);
    }

    pub(crate) fn on_store_failed(&mut self, piece: u32, block: u32) {
        if let Some(partial) = self.partials.get_mut(&piece) {
            partial.discard(block);
            self.after_discard(piece);
        }
    }

    fn after_discard(&mut self, piece: u32) {
        self.generation += 1;
        self.settle(piece);
        self.refill_others();
    }

    /// Compares a whole piece with its hash.
    pub(crate) fn check_piece(&mut self, piece: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        if !partial.is_whole() || !matches!(partial.stage, Stage::Fetching | Stage::AwaitingLayer) {
            return;
        }
        let Some(hash) = self.layers.piece_hash(&self.layout, piece) else {
            partial.stage = Stage::AwaitingLayer;
            let file = self.layout.piece(piece).file;
            self.want_layer(file);
            return;
        };
        let leaves = partial.stored_leaves();
        if merkle::root(&leaves, self.layout.leaf_width(piece)) == hash {
            self.piece_is_right(piece, leaves);
        } else {
            self.piece_is_false(piece);
        }
    }

    fn piece_is_right(&mut self, piece: u32, leaves: Vec<Hash32>) {
        let Some(partial) = self.partials.remove(&piece) else { return };
        self.settle(piece);
        partial.sources().into_iter().for_each(|source| self.proved(source));
        self.judge(piece, &partial.suspects, &leaves);
        self.hashes.remember_leaves(piece, leaves);
        self.gain(piece);
    }

    /// This source gave a block that is right.
    fn proved(&mut self, source: Source) {
        if let Source::Peer(key) = source
            && let Some(peer) = self.peers.get_mut(&key)
        {
            peer.proves_itself();
        }
    }

    fn piece_is_false(&mut self, piece: u32) {
        self.totals.failed_pieces += 1;
        self.event(Event::PieceFailed { piece });
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let sources = partial.sources();
        let alone = if sources.len() == 1 { sources.first().copied() } else { None };
        let Some(source) = alone else {
            partial.stage = Stage::Blaming { asked: None, since: self.now, tried: BTreeSet::new() };
            return self.ask_for_blame(piece);
        };
        partial.stage = Stage::Fetching;
        partial.only = Only::Anyone;
        self.waste_from(piece, |_| true);
        self.after_discard(piece);
        self.condemn(source, piece, None);
    }

    /// The true leaves of a false piece are known: keep what is right, ban who gave the rest.
    pub(crate) fn blame(&mut self, piece: u32, leaves: Vec<Hash32>) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let stored: Vec<Suspect> = partial.stored_blocks().collect();
        let mut wasted = 0;
        for suspect in &stored {
            if leaves.get(suspect.block as usize) != Some(&suspect.leaf) {
                partial.discard(suspect.block);
                wasted += u64::from(self.layout.block_length(piece, suspect.block));
            }
        }
        partial.stage = Stage::Fetching;
        partial.leaves = Some(leaves.clone());
        // Each block is judged by itself from now on, whoever gives it; and the one source may be about to be banned.
        partial.only = Only::Anyone;
        // What stayed is right.
        partial.sources().into_iter().for_each(|source| self.proved(source));
        self.totals.wasted_bytes += wasted;
        self.judge(piece, &stored, &leaves);
        self.after_discard(piece);
    }

    /// Nobody can name the liar: fetch the piece again from one source and judge by that.
    pub(crate) fn refetch_from_one(&mut self, piece: u32) {
        let Some(partial) = self.partials.get_mut(&piece) else { return };
        let stored: Vec<Suspect> = partial.stored_blocks().collect();
        partial.suspects.extend(stored);
        partial.stage = Stage::Fetching;
        partial.only = Only::One;
        self.waste_from(piece, |_| true);
        self.after_discard(piece);
    }

    /// A peer is gone to which pieces were given whole, so that it answers for them: others begin with them anew.
    pub(crate) fn release_pieces_of(&mut self, key: PeerKey) {
        let only = Only::This(Source::Peer(key));
        let of_peer = self.partials.iter().filter(|(_, partial)| partial.only == only);
        let pieces: Vec<u32> = of_peer.map(|(piece, _)| *piece).collect();
        for piece in pieces {
            if let Some(partial) = self.partials.get_mut(&piece) {
                partial.only = Only::One;
            }
            self.waste_from(piece, |_| true);
            self.after_discard(piece);
        }
    }

    /// Throws away what these sources gave of a piece and is not proved: it came in vain.
    pub(crate) fn waste_from(&mut self, piece: u32, from: impl Fn(Source) -> bool) {
        let gone = self.partials.get_mut(&piece).map(|partial| partial.discard_from(from));
        let bytes = |block: u32| u64::from(self.layout.block_length(piece, block));
        self.totals.wasted_bytes += gone.into_iter().flatten().map(bytes).sum::<u64>();
    }

    /// Bans whoever gave a block that differs from the truth.
    fn judge(&mut self, piece: u32, suspects: &[Suspect], leaves: &[Hash32]) {
        let false_block = |s: &&Suspect| leaves.get(s.block as usize) != Some(&s.leaf);
        let liars: BTreeSet<(Source, u32)> =
            suspects.iter().filter(false_block).map(|s| (s.source, s.block)).collect();
        liars.into_iter().for_each(|(source, block)| self.condemn(source, piece, Some(block)));
    }

    fn condemn(&mut self, source: Source, piece: u32, block: Option<u32>) {
        match source {
            Source::Origin => self.origin_was_false(piece, block),
            Source::Peer(key) => self.ban(key),
        }
    }

    /// Throws away every unverified block that a banned peer gave.
    pub(crate) fn discard_all_from(&mut self, key: PeerKey) {
        let gave = |partial: &Partial| partial.stored_blocks().any(|s| s.source == Source::Peer(key));
        let pieces: Vec<u32> =
            self.partials.iter().filter(|(_, p)| gave(p)).map(|(piece, _)| *piece).collect();
        for piece in pieces {
            self.waste_from(piece, |source| source == Source::Peer(key));
            let Some(partial) = self.partials.get_mut(&piece) else { continue };
            partial.stage = Stage::Fetching;
            self.after_discard(piece);
        }
    }

    /// A piece is ours: tell everybody.
    fn gain(&mut self, piece: u32) {
        if !self.have.set(piece) {
            return;
        }
        let wanted = !self.unwanted.get(piece);
        self.missing -= u32::from(wanted);
        self.cancel_origin_of(piece);
        self.bytes_have += u64::from(self.layout.piece_bytes(piece));
        self.picker.remove(piece, &mut self.rng);
        self.event(Event::PieceVerified { piece });
        // News of what hardly anybody has is worth a packet of its own.
        let plentiful = self.picker.availability(piece) as usize * PLENTY >= self.peers.len();
        for (key, peer) in &mut self.peers {
            if peer.pieces.get(piece) {
                peer.interesting = peer.interesting.saturating_sub(u32::from(wanted));
            } else {
                peer.early.forget(piece);
                if !plentiful || !peer.hears_later(piece, self.now) {
                    peer.said_at = self.now;
                    self.outputs.push_back(Output::Send { peer: *key, message: Message::Have { piece } });
                }
            }
            if let Some(message) = peer.interest_changed(self.download) {
                peer.said_at = self.now;
                self.outputs.push_back(Output::Send { peer: *key, message });
            }
        }
        if wanted && self.is_complete() {
            self.complete();
        }
    }

    /// Tells peers of pieces that they were not told of at once.
    pub(crate) fn tell_haves(&mut self) {
        for (key, peer) in &mut self.peers {
            if peer.untold.is_empty() {
                continue;
            }
            for piece in peer.due_haves(self.now) {
                if self.have.get(piece) && !peer.pieces.get(piece) {
                    peer.said_at = self.now;
                    self.outputs.push_back(Output::Send { peer: *key, message: Message::Have { piece } });
                }
            }
        }
    }

    pub(crate) fn complete(&mut self) {
        self.event(Event::Complete);
        self.cancel_origin();
        self.announce_upload_only();
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        keys.into_iter().for_each(|key| self.close_if_both_done(key));
    }

    /// A piece became right by other means than the swarm.
    pub(crate) fn on_piece_available(&mut self, piece: u32) {
        if piece >= self.have.len() || self.have.get(piece) {
            return;
        }
        let asked = self.partials.get(&piece).map(Partial::asked_of_peers).unwrap_or_default();
        asked.into_iter().for_each(|(key, block)| self.take_back(key, piece, block));
        self.partials.remove(&piece);
        self.settle(piece);
        self.gain(piece);
    }

    /// A piece we had is gone (BEP 54).
    pub(crate) fn lose_piece(&mut self, piece: u32) {
        if !self.have.clear(piece) {
            return;
        }
        self.bytes_have -= u64::from(self.layout.piece_bytes(piece));
        self.hashes.forget_leaves(piece);
        let wanted = !self.unwanted.get(piece);
        if wanted {
            self.missing += 1;
            self.picker.add(piece, &mut self.rng);
        }
        self.event(Event::PieceLost { piece });
        self.generation += 1;
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.reject_queued(key, |request| request.piece == piece);
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            if peer.has(piece) {
                peer.interesting += u32::from(wanted);
            }
            if let Some(id) = peer.lt_donthave {
                self.send(key, Message::Extended { id, payload: lost_piece_payload(piece) });
            }
            self.update_interest(key);
            self.fill(key);
        }
    }
}
