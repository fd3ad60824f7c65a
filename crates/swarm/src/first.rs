//! What is wanted before everything else and in order: files with which a game can be played before it is whole.
//!
//! A mode that somebody asks for. In a crowd that fetches in order everybody wants the same and nobody has anything to
//! give, which costs many times what rarest first does. So only the next few pieces of the order are wanted ahead of the
//! rest, the rarest of them first, and who can give none of these is asked for the rarest of all, as ever.
//!
//! Invariant: pieces ahead of `from` are here or not wanted. A piece that is lost is fetched with the rest.

use crate::policy;
use crate::swarm::Swarm;
use crate::{PeerKey, partial::Partial};

/// So many missing pieces of the order are wanted next.
const WINDOW: usize = 16;
/// Pieces of the order that are looked at for one request, those that are here included.
const LOOKED_AT_MAX: usize = 256;

/// The pieces that come first.
#[derive(Debug, Default)]
pub(crate) struct First {
    order: Vec<u32>,
    from: usize,
}

impl Swarm {
    /// From now on these come first, in this order.
    pub(crate) fn set_first(&mut self, mut order: Vec<u32>) {
        order.retain(|piece| *piece < self.have.len());
        self.first = First { order, from: 0 };
        self.generation += 1;
        self.peers.values_mut().for_each(|peer| peer.dry_at = None);
        self.fill_all();
        self.drive_origin();
    }

    /// The next few missing pieces of the order.
    fn next_in_order(&mut self) -> Vec<u32> {
        while self.first.order.get(self.first.from).is_some_and(|piece| !self.lacks(*piece)) {
            self.first.from += 1;
        }
        let rest = self.first.order.iter().skip(self.first.from).take(LOOKED_AT_MAX);
        rest.copied().filter(|piece| self.lacks(*piece)).take(WINDOW).collect()
    }

    /// The piece of the next few that a peer is to be asked for.
    pub(crate) fn first_of(&mut self, key: PeerKey) -> Option<u32> {
        let next = self.next_in_order();
        let peer = self.peers.get(&key)?;
        let untouched = |piece| self.picker.is_untouched(piece) && peer.offers_piece(piece);
        let can_give = |piece: &u32| untouched(*piece) || self.can_give(key, peer, *piece);
        let place = |piece: &u32| {
            let free = self.partials.get(piece).map(Partial::free);
            policy::piece_place(self.picker.availability(*piece), free, *piece)
        };
        next.into_iter().filter(can_give).min_by_key(place)
    }

    /// The piece of the next few that the origin is to be asked for: the first that nobody was asked for.
    pub(crate) fn first_for_origin(&mut self, fits: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        let next = self.next_in_order();
        next.into_iter().find(|piece| self.picker.is_untouched(*piece) && fits(self, *piece))
    }
}
