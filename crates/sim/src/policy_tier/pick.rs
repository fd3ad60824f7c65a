//! Which piece a peer asks of another: the order of the swarm's `requests::choose`, by the same rules.

use super::holdings::{bits, next_part};
use super::*;
use swarm::policy::{self, PiecePlace};

/// What is wanted, and how many neighbours have it in binary: up to 255.
pub(super) const PLANES: usize = 9;

/// A begun piece of which a peer could be given something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    piece: usize,
    free: u32,
    /// Who would give it has not all of it, or nobody else hands on parts of it.
    at_rest: bool,
}

impl Tier<'_> {
    /// What a peer asks of another next: the piece it is at, then what the choice says.
    pub(super) fn pick(&mut self, to: usize, from: usize, at: u32) -> Option<(usize, Parts)> {
        let piece = match Some(at as usize).filter(|piece| *piece < self.pieces) {
            Some(piece) if self.offers(from, to, piece) != 0 => piece,
            _ => self.choose(to, from)?,
        };
        // Who begins elsewhere in a piece than others can pass it to them.
        let lot = (to * self.pieces + piece).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let first = lot as u32 % self.holdings.parts;
        Some((piece, next_part(self.offers(from, to, piece), first)))
    }

    /// What a peer could be given of a piece by another.
    pub(super) fn offers(&self, from: usize, to: usize, piece: usize) -> Parts {
        self.holdings.have(from, piece) & self.holdings.free(to, piece)
    }

    /// The piece that a peer begins, or goes on with, at another.
    fn choose(&mut self, to: usize, from: usize) -> Option<usize> {
        if from == ORIGIN
            && self.first_player == 1
            && let Some(fresh) = self.suggested(to)
        {
            return Some(fresh);
        }
        self.look_at_begun(to, from);
        if let Some(piece) = self.best_begun(to, |begun| begun.at_rest) {
            return Some(piece);
        }
        let (whole, single) = self.look_at_untouched(to, from);
        if !whole && !single {
            return self.best_begun(to, |_| true);
        }
        if policy::picks_at_random(self.peers[to].have) {
            return self.any_of_planes(if whole { Some(from) } else { None });
        }
        self.count(to);
        // Of equally rare ones those come first that the other has only parts of.
        self.best_of_planes(|tier, piece| {
            let whole = tier.holdings.is_whole(from, piece);
            if whole { tier.rng.u32(..) | 1 << 31 } else { piece as u32 }
        })
    }

    /// A seed suggests what it gave to nobody yet.
    fn suggested(&mut self, to: usize) -> Option<usize> {
        let mut any = false;
        for word in 0..self.words {
            let fresh = self.holdings.untouched(to, word) & !self.given[word];
            self.planes[word] = [0; PLANES];
            self.planes[word][0] = fresh;
            any |= fresh != 0;
        }
        if any { self.any_of_planes(None) } else { None }
    }

    /// The begun pieces of a peer of which another could give something, into `found`.
    fn look_at_begun(&mut self, to: usize, from: usize) {
        self.found.clear();
        for word in 0..self.words {
            let theirs = self.holdings.whole(from, word) | self.holdings.begun(from, word);
            for piece in bits(self.holdings.begun(to, word) & theirs, word) {
                if self.offers(from, to, piece) != 0 {
                    let at_rest =
                        !self.holdings.is_whole(from, piece) || !self.holdings.is_spreading(to, piece);
                    let free = self.holdings.free(to, piece).count_ones();
                    self.found.push(Begun { piece, free, at_rest });
                }
            }
        }
    }

    fn best_begun(&mut self, to: usize, which: impl Fn(&Begun) -> bool) -> Option<usize> {
        let fits = || self.found.iter().filter(|begun| which(begun));
        let (first, more) = (fits().next()?.piece, fits().nth(1).is_some());
        if !more {
            return Some(first);
        }
        self.planes.fill([0; PLANES]);
        for begun in self.found.iter().filter(|begun| which(begun)) {
            self.planes[begun.piece / 64][0] |= 1 << (begun.piece % 64);
        }
        self.count(to);
        let place = |begun: &&Begun| {
            policy::piece_place(self.counted(begun.piece), Some(begun.free), begun.piece as u32)
        };
        self.found.iter().filter(|begun| which(begun)).min_by_key(place).map(|begun| begun.piece)
    }

    /// Untouched pieces that another has, whole or in part, into the planes; whether there are such and such.
    fn look_at_untouched(&mut self, to: usize, from: usize) -> (bool, bool) {
        let (mut any_whole, mut any_single) = (false, false);
        for word in 0..self.words {
            let untouched = self.holdings.untouched(to, word);
            let whole = untouched & self.holdings.whole(from, word);
            let mut single = 0;
            for piece in bits(untouched & self.holdings.begun(from, word), word) {
                if self.holdings.have(from, piece) != 0 {
                    single |= 1 << (piece % 64);
                }
            }
            self.planes[word] = [0; PLANES];
            self.planes[word][0] = whole | single;
            any_whole |= whole != 0;
            any_single |= single != 0;
        }
        (any_whole, any_single)
    }

    /// Any piece of the planes, of those that `whole_at` has as a whole if it is given.
    fn any_of_planes(&mut self, whole_at: Option<usize>) -> Option<usize> {
        let mine = |word: usize, planes: &[u64; PLANES]| {
            planes[0] & whole_at.map_or(u64::MAX, |peer| self.holdings.whole(peer, word))
        };
        let count: u32 = self.planes.iter().enumerate().map(|(at, word)| mine(at, word).count_ones()).sum();
        let lot = if count == 0 { return None } else { self.rng.u32(..count) };
        let mine = |word: usize, planes: &[u64; PLANES]| {
            planes[0] & whole_at.map_or(u64::MAX, |peer| self.holdings.whole(peer, word))
        };
        let pieces = self.planes.iter().enumerate().flat_map(|(at, word)| bits(mine(at, word), at));
        pieces.into_iter().nth(lot as usize)
    }

    fn best_of_planes(&mut self, lot: impl Fn(&mut Self, usize) -> u32) -> Option<usize> {
        let mut best: Option<(PiecePlace, usize)> = None;
        for word in 0..self.words {
            for piece in bits(self.planes[word][0], word) {
                let lot = lot(self, piece);
                let place = policy::piece_place(self.counted(piece), None, lot);
                if best.is_none_or(|(least, _)| place < least) {
                    best = Some((place, piece));
                }
            }
        }
        best.map(|(_, piece)| piece)
    }

    /// What a peer asks of the web server: pieces begun and left, then the rarest untouched one.
    pub(super) fn pick_for_origin(&mut self, peer: usize, rare: u32) -> Option<(usize, Parts)> {
        if rare == u32::MAX {
            for word in 0..self.words {
                let left = |piece: &usize| {
                    self.holdings.asked(peer, *piece) == 0 && self.holdings.free(peer, *piece) != 0
                };
                if let Some(piece) = bits(self.holdings.begun(peer, word), word).find(left) {
                    return Some((piece, self.holdings.free(peer, piece)));
                }
            }
        }
        self.count_untouched(peer);
        let piece = self.best_of_planes(|tier, _| tier.rng.u32(..))?;
        (self.counted(piece) <= rare).then(|| (piece, self.holdings.free(peer, piece)))
    }

    /// How many neighbours have the rarest piece of which nothing was asked of anybody; `None` if there is none.
    pub(super) fn rarest(&mut self, peer: usize) -> Option<u32> {
        self.count_untouched(peer);
        let of_word = |planes: &[u64; PLANES]| {
            let (mut left, mut least) = (planes[0], 0);
            for plane in (1..PLANES).rev() {
                let without = left & !planes[plane];
                (left, least) =
                    if without != 0 { (without, least) } else { (left, least | 1 << (plane - 1)) };
            }
            (planes[0] != 0).then_some(least)
        };
        self.planes.iter().filter_map(of_word).min()
    }

    fn count_untouched(&mut self, peer: usize) {
        for word in 0..self.words {
            self.planes[word] = [0; PLANES];
            self.planes[word][0] = self.holdings.untouched(peer, word);
        }
        self.count(peer);
    }

    /// Counts, in binary digits a plane each, how many neighbours have each wanted piece.
    fn count(&mut self, peer: usize) {
        for &other in self.graph.of(peer) {
            for (word, planes) in self.planes.iter_mut().enumerate() {
                let mut carry = self.holdings.whole(other as usize, word) & planes[0];
                for plane in &mut planes[1..] {
                    if carry == 0 {
                        break;
                    }
                    (*plane, carry) = (*plane ^ carry, *plane & carry);
                }
            }
        }
    }

    /// How many neighbours have a piece that was counted.
    fn counted(&self, piece: usize) -> u32 {
        let planes = &self.planes[piece / 64];
        (1..PLANES).map(|plane| ((planes[plane] >> (piece % 64) & 1) as u32) << (plane - 1)).sum()
    }
}
