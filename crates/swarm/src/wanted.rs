//! Pieces that are not wanted, such as files that belong to the player: neither had nor missing.
//!
//! Invariant: an unwanted piece that is not here is not in the picker, has no partial and makes no peer interesting.
//! One that comes by other means is had and served like any other.

use crate::partial::Partial;
use crate::swarm::Swarm;
use crate::{Bitfield, PeerKey};

impl Swarm {
    /// Whether every wanted piece is verified.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Whether a piece is missing and wanted.
    pub(crate) fn lacks(&self, piece: u32) -> bool {
        piece < self.have.len() && !self.have.get(piece) && !self.unwanted.get(piece)
    }

    /// Unwanted pieces that are not here, and their bytes.
    pub(crate) fn left_out(&self) -> (u32, u64) {
        if self.unwanted.is_empty() {
            return (0, 0);
        }
        let pieces = self.unwanted.iter().filter(|piece| !self.have.get(*piece));
        pieces.fold((0, 0), |(count, bytes), piece| {
            (count + 1, bytes + u64::from(self.layout.piece_bytes(piece)))
        })
    }

    /// From now on these pieces, and no others, are not wanted.
    pub(crate) fn set_unwanted(&mut self, unwanted: Bitfield) {
        if unwanted.len() != self.have.len() || unwanted == self.unwanted {
            return;
        }
        let was_complete = self.is_complete();
        let before = std::mem::replace(&mut self.unwanted, unwanted);
        let changed = |piece: &u32| before.get(*piece) != self.unwanted.get(*piece) && !self.have.get(*piece);
        let changed: Vec<u32> = (0..self.have.len()).filter(changed).collect();
        for piece in changed {
            if self.unwanted.get(piece) {
                self.leave_out(piece);
            } else {
                self.picker.add(piece, &mut self.rng);
            }
        }
        self.missing = self.have.len() - self.have.count() - self.left_out().0;
        self.generation += 1;
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in &keys {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.interesting = peer.pieces.count_lacked(&self.have, &self.unwanted);
            let single: Vec<u32> = peer.early.pieces().filter(|piece| self.unwanted.get(*piece)).collect();
            single.into_iter().for_each(|piece| {
                peer.early.forget(piece);
            });
            self.update_interest(*key);
        }
        if self.is_complete() && !was_complete {
            return self.complete();
        }
        if was_complete && !self.is_complete() {
            self.announce_upload_only();
        }
        keys.into_iter().for_each(|key| self.fill(key));
        self.drive_origin();
    }

    /// Ends all that is under way for a piece.
    fn leave_out(&mut self, piece: u32) {
        let asked = self.partials.get(&piece).map(Partial::asked_of_peers).unwrap_or_default();
        asked.into_iter().for_each(|(key, block)| self.take_back(key, piece, block));
        self.cancel_origin_of(piece);
        self.partials.remove(&piece);
        self.settle(piece);
        self.picker.remove(piece, &mut self.rng);
    }
}
