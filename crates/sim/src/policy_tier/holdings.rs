//! What each peer has and has asked for: two bits a part of a piece, and three a piece.

/// Which parts of a piece, one bit each.
pub(super) type Parts = u16;

/// A piece is cut into so many parts at most.
pub(super) const PARTS_MAX: u32 = Parts::BITS;

/// What parts that came were worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    /// Those that were awaited.
    pub(super) fresh: Parts,
    /// With them the piece is whole.
    pub(super) whole: bool,
}

#[derive(Debug)]
pub(super) struct Holdings {
    pub(super) pieces: usize,
    pub(super) words: usize,
    /// Parts of a piece.
    pub(super) parts: u32,
    whole: Vec<u64>,
    /// Some of the piece is here or asked for, but not all of it is here.
    begun: Vec<u64>,
    /// Somebody who serves the peer has some of the piece before all of it.
    spreading: Vec<u64>,
    have: Vec<Parts>,
    asked: Vec<Parts>,
}

impl Holdings {
    pub(super) fn new(peers: usize, pieces: usize, parts: u32) -> Self {
        let words = pieces.div_ceil(64);
        let bits = || vec![0; peers * words];
        let masks = || vec![0; peers * pieces];
        Self {
            pieces,
            words,
            parts,
            whole: bits(),
            begun: bits(),
            spreading: bits(),
            have: masks(),
            asked: masks(),
        }
    }

    /// Every part of a piece.
    pub(super) const fn all_parts(&self) -> Parts {
        Parts::MAX >> (PARTS_MAX - self.parts)
    }

    /// Every piece of a word.
    pub(super) fn all_pieces(&self, word: usize) -> u64 {
        let last = word + 1 == self.words && !self.pieces.is_multiple_of(64);
        if last { (1 << (self.pieces % 64)) - 1 } else { u64::MAX }
    }

    pub(super) fn whole(&self, peer: usize, word: usize) -> u64 {
        self.whole[peer * self.words + word]
    }

    pub(super) fn begun(&self, peer: usize, word: usize) -> u64 {
        self.begun[peer * self.words + word]
    }

    pub(super) fn untouched(&self, peer: usize, word: usize) -> u64 {
        self.all_pieces(word) & !self.whole(peer, word) & !self.begun(peer, word)
    }

    pub(super) fn is_whole(&self, peer: usize, piece: usize) -> bool {
        self.whole(peer, piece / 64) >> (piece % 64) & 1 == 1
    }

    pub(super) fn is_spreading(&self, peer: usize, piece: usize) -> bool {
        self.spreading[peer * self.words + piece / 64] >> (piece % 64) & 1 == 1
    }

    pub(super) fn spreads(&mut self, peer: usize, piece: usize) {
        self.spreading[peer * self.words + piece / 64] |= 1 << (piece % 64);
    }

    pub(super) fn have(&self, peer: usize, piece: usize) -> Parts {
        self.have[peer * self.pieces + piece]
    }

    pub(super) fn asked(&self, peer: usize, piece: usize) -> Parts {
        self.asked[peer * self.pieces + piece]
    }

    /// The parts of a piece that are missing and that nobody was asked for.
    pub(super) fn free(&self, peer: usize, piece: usize) -> Parts {
        self.all_parts() & !self.have(peer, piece) & !self.asked(peer, piece)
    }

    pub(super) fn ask(&mut self, peer: usize, piece: usize, parts: Parts) {
        self.asked[peer * self.pieces + piece] |= parts;
        self.begun[peer * self.words + piece / 64] |= 1 << (piece % 64);
    }

    pub(super) fn unask(&mut self, peer: usize, piece: usize, parts: Parts) {
        let at = peer * self.pieces + piece;
        self.asked[at] &= !parts;
        if self.asked[at] == 0 && self.have[at] == 0 {
            self.begun[peer * self.words + piece / 64] &= !(1 << (piece % 64));
        }
    }

    pub(super) fn arrive(&mut self, peer: usize, piece: usize, parts: Parts) -> Came {
        let at = peer * self.pieces + piece;
        let fresh = parts & self.asked[at] & !self.have[at];
        self.asked[at] &= !parts;
        self.have[at] |= fresh;
        let whole = fresh != 0 && self.have[at] == self.all_parts();
        if whole {
            let (word, bit) = (peer * self.words + piece / 64, 1 << (piece % 64));
            self.whole[word] |= bit;
            self.begun[word] &= !bit;
        }
        Came { fresh, whole }
    }

    /// The peer has everything.
    pub(super) fn fill(&mut self, peer: usize) {
        for word in 0..self.words {
            self.whole[peer * self.words + word] = self.all_pieces(word);
        }
        let all = self.all_parts();
        self.have[peer * self.pieces..][..self.pieces].fill(all);
    }

    /// The peer loses everything; how many parts it had.
    pub(super) fn clear(&mut self, peer: usize) -> u64 {
        let words = peer * self.words..(peer + 1) * self.words;
        for bits in [&mut self.whole, &mut self.begun, &mut self.spreading] {
            bits[words.clone()].fill(0);
        }
        let pieces = peer * self.pieces..(peer + 1) * self.pieces;
        let had = self.have[pieces.clone()].iter().map(|parts| u64::from(parts.count_ones())).sum();
        self.have[pieces.clone()].fill(0);
        self.asked[pieces].fill(0);
        had
    }

    /// Whether a peer wants something of another: whole pieces, or parts of pieces it lacks.
    pub(super) fn is_interested(&self, peer: usize, of: usize) -> bool {
        let lacks = |word: usize| !self.whole(peer, word);
        (0..self.words).any(|word| self.whole(of, word) & lacks(word) != 0)
            || (0..self.words).any(|word| {
                let begun = bits(self.begun(of, word) & lacks(word), word);
                begun.into_iter().any(|piece| self.have(of, piece) != 0)
            })
    }
}

/// The pieces of a word's bits.
pub(super) fn bits(mut word: u64, at: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            at * 64 + bit
        })
    })
}

/// One of these parts: the next from `first` on, all around.
pub(super) fn next_part(parts: Parts, first: u32) -> Parts {
    let from_first = parts & (Parts::MAX << first);
    let left = if from_first == 0 { parts } else { from_first };
    left & left.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_whole_when_all_of_its_parts_came_that_were_asked_for() {
        let mut holdings = Holdings::new(2, 70, 4);
        holdings.ask(1, 69, 0b1111);
        assert_eq!(holdings.arrive(1, 69, 0b0011), Came { fresh: 0b0011, whole: false });
        assert_eq!(holdings.arrive(1, 69, 0b0001), Came { fresh: 0, whole: false });
        assert_eq!((holdings.free(1, 69), holdings.free(0, 69)), (0, 0b1111));
        assert!(holdings.is_interested(0, 1) && !holdings.is_interested(1, 0));
        holdings.unask(1, 69, 0b1000);
        assert_eq!(holdings.arrive(1, 69, 0b1100), Came { fresh: 0b0100, whole: false });
        holdings.ask(1, 69, 0b1000);
        assert_eq!(holdings.arrive(1, 69, 0b1000), Came { fresh: 0b1000, whole: true });
        assert!(
            holdings.is_whole(1, 69) && holdings.begun(1, 1) == 0 && holdings.untouched(1, 1) == 0b1_1111
        );
        assert_eq!((holdings.clear(1), holdings.is_interested(0, 1)), (4, false));
    }

    #[test]
    fn what_was_asked_for_in_vain_is_untouched_again() {
        let mut holdings = Holdings::new(1, 3, 16);
        holdings.ask(0, 2, 0x8000);
        assert_eq!((holdings.begun(0, 0), holdings.untouched(0, 0)), (0b100, 0b011));
        holdings.unask(0, 2, 0x8000);
        assert_eq!((holdings.begun(0, 0), holdings.untouched(0, 0)), (0, 0b111));
    }

    #[test]
    fn parts_are_taken_in_turn_from_the_first_on() {
        assert_eq!([0, 1, 2, 3].map(|first| next_part(0b0110, first)), [0b0010, 0b0010, 0b0100, 0b0010]);
        assert_eq!(bits(0b1001, 1).collect::<Vec<_>>(), [64, 67]);
    }
}
