//! Which piece to ask a peer for next.
//!
//! The piece it is at, then the next of what is wanted in order (`first`), then what goes before others (`ranks`), then what it suggests, then any piece that was begun, then the rarest untouched one. But of who
//! has a piece as a whole, only those begun pieces are asked before others of which nobody hands on single blocks: what
//! is on its way through the crowd comes from there too, and what this peer alone has is to set out. Each step looks at
//! a bounded number of pieces, however many there are.

use crate::partial::{Partial, Source};
use crate::peer::Peer;
use crate::policy;
use crate::swarm::Swarm;
use crate::{Bitfield, PeerKey};

/// Begun pieces with free blocks that are looked at for one peer; among more, as many from a random one on.
const BEGUN_MAX: usize = 64;
/// Pieces a peer told of since it had nothing more; above this it is asked anew what it has.
const NEWS_MAX: usize = 64;

/// A peer all of whose untouched pieces were asked for: only what came since can be of use.
#[derive(Debug)]
pub(crate) struct Barren {
    /// What the picker had seen returning by then.
    returns: u64,
    /// What the peer told of since.
    news: Vec<u32>,
}

/// Which begun pieces are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// Not those that others hand on block by block, if the peer has all of it.
    AtRest,
    Any,
}

impl Peer {
    /// The peer has an untouched piece more.
    pub(crate) fn has_news(&mut self, piece: u32) {
        match &mut self.barren {
            Some(barren) if barren.news.len() < NEWS_MAX => barren.news.push(piece),
            barren => *barren = None,
        }
    }
}

impl Swarm {
    /// The piece to ask a peer for next; touched or not, it has a free block that the peer can give.
    pub(super) fn choose(&mut self, key: PeerKey) -> Option<u32> {
        let peer = self.peers.get(&key)?;
        if let Some(piece) = peer.current_piece.filter(|piece| self.can_give(key, peer, *piece)) {
            return Some(piece);
        }
        if let Some(piece) = self.first_of(key) {
            return Some(piece);
        }
        if let Some(piece) = self.ranked_of(key) {
            return Some(piece);
        }
        if let Some(piece) = self.suggestion_of(key).or_else(|| self.begun_of(key, Begun::AtRest, None)) {
            return Some(piece);
        }
        let mut whole = self.untouched_of(key);
        if let Some(piece) = whole {
            whole = self.neighbour_of(key, piece).or(whole);
        }
        let single = self.rarest_early(self.peers.get(&key)?);
        if policy::picks_at_random(self.have.count()) {
            return whole.or(single).or_else(|| self.begun_of(key, Begun::Any, None));
        }
        let place = |piece: &u32| policy::piece_place(self.picker.availability(*piece), None, 0);
        [single, whole]
            .into_iter()
            .flatten()
            .min_by_key(place)
            .or_else(|| self.begun_of(key, Begun::Any, None))
    }

    /// Whether every begun piece with a free block was looked at if nothing was found for a peer.
    pub(super) fn looked_at_all_begun(&self) -> bool {
        self.open.len() <= BEGUN_MAX
    }

    /// The rarest piece that was begun and of which the peer can give a free block, the nearest to its end of these.
    pub(crate) fn begun_of(&mut self, key: PeerKey, which: Begun, rank: Option<usize>) -> Option<u32> {
        let all = self.looked_at_all_begun();
        let from = if all { 0 } else { self.rng.u32(..self.have.len()) };
        let peer = self.peers.get(&key)?;
        let of_rank = |piece: &&u32| rank.is_none_or(|rank| self.picker.rank_of(**piece) == rank);
        let open = self.open.range(from..).chain(self.open.range(..from)).filter(of_rank);
        let tried = open.take(BEGUN_MAX).copied();
        let fits = |piece: u32| which == Begun::Any || !peer.has(piece) || !self.spreading.get(piece);
        let can_give = tried.filter(|piece| fits(*piece) && self.can_give(key, peer, *piece));
        let place = |piece: &u32| {
            let free = self.partials.get(piece).map(Partial::free);
            policy::piece_place(self.picker.availability(*piece), free, *piece)
        };
        can_give.min_by_key(place)
    }

    /// Whether a peer has a block that is free of a piece that was begun.
    pub(crate) fn can_give(&self, key: PeerKey, peer: &Peer, piece: u32) -> bool {
        let whole = peer.has(piece);
        if !whole && !peer.early.offers_piece(piece) {
            return false;
        }
        let Some(partial) = self.partials.get(&piece).filter(|_| self.open.contains(&piece)) else {
            return false;
        };
        let free = || partial.next_free(|block| peer.early.has(piece, block)).is_some();
        partial.admits(Source::Peer(key)) && (whole || free())
    }

    /// The rarest untouched piece that the peer has.
    fn untouched_of(&mut self, key: PeerKey) -> Option<u32> {
        self.picker.refresh(&mut self.rng);
        let peer = self.peers.get_mut(&key)?;
        if let Some(barren) = &mut peer.barren
            && let Some(returned) = self.picker.returned_since(barren.returns)
        {
            let fits = |piece: &u32| self.picker.is_untouched(*piece) && peer.pieces.get(*piece);
            let news = barren.news.iter().copied().chain(returned).filter(fits);
            let found = news.min_by_key(|piece| self.picker.availability(*piece));
            if found.is_none() {
                *barren = Barren { returns: self.picker.returns(), news: Vec::new() };
            }
            return found;
        }
        let pieces: &Bitfield = &peer.pieces;
        let found = if policy::picks_at_random(self.have.count()) {
            self.picker.random_of(pieces, &mut self.rng)
        } else {
            self.picker.rarest_of(pieces, &mut self.rng)
        };
        let barren = || Barren { returns: self.picker.returns(), news: Vec::new() };
        peer.barren = found.is_none().then(barren);
        found
    }

    /// The rarest untouched piece of which the peer offers single blocks.
    fn rarest_early(&self, peer: &Peer) -> Option<u32> {
        let untouched = peer.early.pieces().filter(|piece| self.picker.is_untouched(*piece));
        untouched.min_by_key(|piece| self.picker.availability(*piece))
    }
}
