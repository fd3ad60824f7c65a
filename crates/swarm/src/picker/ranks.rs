//! Pieces that go before others: the rarest of the first rank of which anything is left.
//!
//! Invariant: `untouched` of a rank is what the picker has untouched of its pieces. Each look is at a bounded number of
//! pieces or walks words of bitfields.

use fastrand::Rng;

use super::{CANDIDATES_MAX, Picker, TRIES_MAX};
use crate::{Bitfield, policy};

#[derive(Debug, Default)]
pub(super) struct Ranks(Vec<Rank>);

#[derive(Debug)]
struct Rank {
    pieces: Bitfield,
    untouched: Bitfield,
}

impl Ranks {
    pub(super) fn add(&mut self, piece: u32) {
        for rank in self.0.iter_mut().filter(|rank| rank.pieces.get(piece)) {
            rank.untouched.set(piece);
        }
    }

    pub(super) fn remove(&mut self, piece: u32) {
        self.0.iter_mut().for_each(|rank| {
            rank.untouched.clear(piece);
        });
    }
}

impl Picker {
    /// From now on these go before the others, rank by rank.
    pub(crate) fn set_ranks(&mut self, ranks: Vec<Bitfield>) {
        let rank = |pieces: Bitfield| {
            let mut untouched = Bitfield::empty(pieces.len());
            pieces.iter().filter(|piece| self.untouched.get(*piece)).for_each(|piece| {
                untouched.set(piece);
            });
            Rank { pieces, untouched }
        };
        self.ranks = Ranks(ranks.into_iter().map(rank).collect());
    }

    /// How many ranks there are; pieces of none come last.
    pub(crate) fn rank_count(&self) -> usize {
        self.ranks.0.len()
    }

    /// The first rank that a piece is of; the number of ranks for one of none.
    pub(crate) fn rank_of(&self, piece: u32) -> usize {
        self.ranks.0.iter().position(|rank| rank.pieces.get(piece)).unwrap_or(self.ranks.0.len())
    }

    /// The rarest untouched piece of a rank that is in `pieces`, or one of its rarest if it has none of those that most
    /// of others have; any of them for one that `has_little`.
    pub(crate) fn rarest_of_rank(
        &self,
        rank: usize,
        pieces: &Bitfield,
        has_little: u32,
        rng: &mut Rng,
    ) -> Option<u32> {
        let left = &self.ranks.0.get(rank).filter(|rank| !rank.untouched.is_empty())?.untouched;
        if policy::picks_at_random(has_little) {
            return pieces.in_common(left, rng).next();
        }
        let mut first = self.reachable_by(pieces).iter().take(TRIES_MAX).copied();
        first.find(|piece| left.get(*piece) && pieces.get(*piece)).or_else(|| {
            let candidates = pieces.in_common(left, rng).take(CANDIDATES_MAX);
            candidates.min_by_key(|piece| self.availability[*piece as usize])
        })
    }

    /// The rarest untouched piece that fits of the first rank that has one; without ranks, of all.
    pub(crate) fn rarest_by_rank(&self, fits: impl Fn(u32) -> bool) -> Option<u32> {
        let of_rank = |rank: &Rank| {
            let mut first = self.order.iter().take(TRIES_MAX).copied();
            first.find(|piece| rank.untouched.get(*piece) && fits(*piece)).or_else(|| {
                let candidates = rank.untouched.iter().filter(|piece| fits(*piece)).take(CANDIDATES_MAX);
                candidates.min_by_key(|piece| self.availability[*piece as usize])
            })
        };
        let ranked = self.ranks.0.iter().filter(|rank| !rank.untouched.is_empty()).find_map(of_rank);
        ranked.or_else(|| self.rarest(fits))
    }
}
