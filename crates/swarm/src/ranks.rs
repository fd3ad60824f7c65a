//! Pieces that go before others, whole sets of them: what a player needs to begin before what can come later.
//!
//! Not an order but ranks. Within a rank the rarest goes first, as ever, so that a crowd whose members all want the same
//! rank spreads it instead of asking for the same pieces. Who can give nothing of a rank is asked for the next, and at last
//! for anything: nobody stands idle because of a rank, so the rarest of all go on spreading too.

use crate::policy;
use crate::requests::choose::Begun;
use crate::swarm::Swarm;
use crate::{Bitfield, PeerKey};

/// More ranks are not looked at.
const RANKS_MAX: usize = 4;

impl Swarm {
    /// From now on the pieces of the first of these go before those of the second, and so on, and all of them before the
    /// others.
    pub(crate) fn set_ranks(&mut self, mut ranks: Vec<Bitfield>) {
        ranks.retain(|rank| rank.len() == self.have.len() && !rank.is_empty());
        ranks.truncate(RANKS_MAX);
        self.picker.set_ranks(ranks);
        self.generation += 1;
        self.peers.values_mut().for_each(|peer| peer.dry_at = None);
        self.fill_all();
        self.drive_origin();
    }

    /// The piece of the first rank of which a peer has anything to give.
    pub(crate) fn ranked_of(&mut self, key: PeerKey) -> Option<u32> {
        (0..self.picker.rank_count()).find_map(|rank| self.of_rank(key, rank))
    }

    /// As without ranks: what the peer suggests, what was begun, the rarest untouched, what others hand on already.
    fn of_rank(&mut self, key: PeerKey, rank: usize) -> Option<u32> {
        if let Some(piece) = self.suggested_of_rank(key, rank) {
            return Some(piece);
        }
        if let Some(piece) = self.begun_of(key, Begun::AtRest, Some(rank)) {
            return Some(piece);
        }
        self.picker.refresh(&mut self.rng);
        let peer = self.peers.get(&key)?;
        let whole = self.picker.rarest_of_rank(rank, &peer.pieces, self.have.count(), &mut self.rng);
        let early = peer.early.pieces().filter(|piece| self.picker.rank_of(*piece) == rank);
        let place = |piece: &u32| policy::piece_place(self.picker.availability(*piece), None, 0);
        let single = early.filter(|piece| self.picker.is_untouched(*piece)).min_by_key(place);
        let found = [single, whole].into_iter().flatten().min_by_key(place);
        found.or_else(|| self.begun_of(key, Begun::Any, Some(rank)))
    }

    fn suggested_of_rank(&self, key: PeerKey, rank: usize) -> Option<u32> {
        let peer = self.peers.get(&key)?;
        let free = |piece: u32| self.picker.is_untouched(piece) || self.open.contains(&piece);
        let fits =
            |piece: &u32| self.picker.rank_of(*piece) == rank && peer.pieces.get(*piece) && free(*piece);
        peer.suggested.iter().copied().find(fits)
    }

    /// Of begun pieces that the origin may be asked for, the one of the first rank, if none that is untouched goes before it.
    pub(crate) fn left_for_origin(&self, left: impl Fn(&u32) -> bool, rarest: Option<u32>) -> Option<u32> {
        let mut open = self.open.iter().copied().filter(left);
        if self.picker.rank_count() == 0 {
            return open.next();
        }
        let found = open.min_by_key(|piece| self.picker.rank_of(*piece))?;
        let goes_before =
            rarest.is_none_or(|rarest| self.picker.rank_of(found) <= self.picker.rank_of(rarest));
        goes_before.then_some(found)
    }
}
