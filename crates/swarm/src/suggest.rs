//! A seed says which pieces it would like to give (BEP 6, *Suggest Piece*).
//!
//! Peers that all pick the rarest piece of a seed pick the same one twice before they hear of each other. A seed knows
//! what it gave: it suggests each piece that nobody else has to one peer only, until all were given once. So the first
//! copy is out after one size of the release, and players pass on the rest. A suggestion binds nobody.

use fastrand::Rng;

use crate::peer::Peer;
use crate::swarm::Swarm;
use crate::wire::Message;
use crate::{Bitfield, PeerKey, Via};

/// Pieces suggested to one peer and not asked for yet, at least; small pieces more.
const AHEAD_MIN: usize = 2;
/// Bytes suggested to one peer and not asked for yet, at least.
const AHEAD_BYTES: usize = 256 * 1024;
/// Suggestions of one peer that are remembered.
const REMEMBERED_MAX: usize = 64;

/// What a seed did not give to anybody yet.
#[derive(Debug, Default)]
pub(crate) struct Suggest {
    /// Pieces not given, in random order; those given since are skipped. Empty until the swarm is complete.
    fresh: Vec<u32>,
    given: Option<Bitfield>,
}

impl Suggest {
    fn begin(&mut self, pieces: u32, rng: &mut Rng) {
        if self.given.is_none() {
            self.fresh = (0..pieces).collect();
            rng.shuffle(&mut self.fresh);
            self.given = Some(Bitfield::empty(pieces));
        }
    }

    /// A piece is being given; whether it was fresh.
    fn give(&mut self, piece: u32) -> bool {
        self.given.as_mut().is_some_and(|given| given.set(piece))
    }

    /// A peer cannot take what was suggested to it any more: somebody else may.
    pub(crate) fn withdraw(&mut self, peer: &mut Peer) {
        for piece in peer.suggested_to.drain(..) {
            self.take_back(piece);
        }
    }

    fn take_back(&mut self, piece: u32) {
        if self.given.as_mut().is_some_and(|given| given.clear(piece)) {
            self.fresh.push(piece);
        }
    }

    fn next(&mut self, is_rare: impl Fn(u32) -> bool) -> Option<u32> {
        while let Some(piece) = self.fresh.pop() {
            if is_rare(piece) && self.give(piece) {
                return Some(piece);
            }
        }
        None
    }
}

impl Swarm {
    /// Suggests pieces to a peer that we serve, if we are a seed with pieces nobody else has.
    pub(crate) fn suggest_to(&mut self, key: PeerKey) {
        if !self.have.is_full() {
            return;
        }
        self.suggest.begin(self.have.len(), &mut self.rng);
        let piece_length = self.layout.piece_length() as usize;
        let ahead = AHEAD_MIN.max(AHEAD_BYTES / piece_length.max(1));
        loop {
            let Some(peer) = self.peers.get_mut(&key) else { return };
            // To a peer of another release not every piece has a name: what it never hears would be kept from the others.
            let other = peer.via != Via::OWN;
            if other || peer.choked || !peer.fast || peer.suggested_to.len() >= ahead {
                return;
            }
            let picker = &self.picker;
            let Some(piece) = self.suggest.next(|piece| picker.availability(piece) == 0) else { return };
            peer.suggested_to.push(piece);
            self.send(key, Message::Suggest { piece });
        }
    }

    /// A peer asked for a piece: nobody else need be told of it.
    pub(crate) fn suggestion_taken(&mut self, key: PeerKey, piece: u32) {
        let was_fresh = self.suggest.give(piece);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let suggested = peer.suggested_to.iter().position(|own| *own == piece);
        suggested.map(|at| peer.suggested_to.swap_remove(at));
        if was_fresh || suggested.is_some() {
            self.suggest_to(key);
        }
    }

    /// A peer would like to give a piece.
    pub(crate) fn on_suggest(&mut self, key: PeerKey, piece: u32) {
        let lacked = self.lacks(piece);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if lacked && peer.suggested.len() < REMEMBERED_MAX && !peer.suggested.contains(&piece) {
            peer.suggested.push_back(piece);
            peer.dry_at = None;
            self.fill(key);
        }
    }

    /// The first suggestion of a peer that still is of use and has a free block.
    pub(crate) fn suggestion_of(&mut self, key: PeerKey) -> Option<u32> {
        let (picker, open) = (&self.picker, &self.open);
        let peer = self.peers.get_mut(&key)?;
        while let Some(piece) = peer.suggested.front().copied() {
            let free = picker.is_untouched(piece) || open.contains(&piece);
            if free && peer.pieces.get(piece) {
                return Some(piece);
            }
            peer.suggested.pop_front();
        }
        None
    }
}
