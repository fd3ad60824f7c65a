//! A set of pieces in the order of the wire: the high bit of the first byte is piece 0 (BEP 3).
//!
//! Invariant: spare bits of the last byte are zero and `ones` is the number of set bits.

use std::ops::Range;

use fastrand::Rng;

/// Which pieces somebody has.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

impl Bitfield {
    /// No piece out of `len`.
    #[must_use]
    pub fn empty(len: u32) -> Self {
        Self { bytes: vec![0; byte_len(len)], len, ones: 0 }
    }

    /// All of `len` pieces.
    #[must_use]
    pub fn full(len: u32) -> Self {
        let mut bytes = vec![0xff; byte_len(len)];
        if let (Some(last), true) = (bytes.last_mut(), !len.is_multiple_of(8)) {
            *last = 0xff << (8 - len % 8);
        }
        Self { bytes, len, ones: len }
    }

    /// Reads a bitfield message's payload; `None` if its length is wrong or a spare bit is set (BEP 3 says drop).
    #[must_use]
    pub fn from_bytes(bytes: &[u8], len: u32) -> Option<Self> {
        if bytes.len() != byte_len(len) {
            return None;
        }
        if let (Some(last), true) = (bytes.last(), !len.is_multiple_of(8))
            && last & (0xff >> (len % 8)) != 0
        {
            return None;
        }
        let ones = bytes.iter().map(|b| b.count_ones()).sum();
        Some(Self { bytes: bytes.to_vec(), len, ones })
    }

    /// Adds a piece; true if it was not there. A piece past the end is no piece: nothing happens.
    pub fn set(&mut self, piece: u32) -> bool {
        if piece >= self.len || self.get(piece) {
            return false;
        }
        self.bytes[piece as usize / 8] |= 0x80 >> (piece % 8);
        self.ones += 1;
        true
    }

    /// Removes a piece; true if it was there.
    pub fn clear(&mut self, piece: u32) -> bool {
        if !self.get(piece) {
            return false;
        }
        self.bytes[piece as usize / 8] &= !(0x80 >> (piece % 8));
        self.ones -= 1;
        true
    }

    /// Whether the piece is there.
    #[must_use]
    pub fn get(&self, piece: u32) -> bool {
        piece < self.len && self.bytes[piece as usize / 8] & (0x80 >> (piece % 8)) != 0
    }

    /// How many pieces there could be.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether no piece is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// Whether every piece is there.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// How many pieces are there.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.ones
    }

    /// The payload of a bitfield message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The pieces that are there, rising.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).step_by(8).zip(&self.bytes).filter(|(_, byte)| **byte != 0).flat_map(|(first, byte)| {
            (0..8).filter(move |bit| byte & (0x80 >> bit) != 0).map(move |bit| first + bit)
        })
    }

    /// Whether `other` has every piece that is here.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.bytes.iter().zip(&other.bytes).all(|(own, other)| own & !other == 0)
    }

    /// How many pieces are here and neither in `have` nor in `unwanted`.
    pub(crate) fn count_lacked(&self, have: &Self, unwanted: &Self) -> u32 {
        let all = |(at, byte): (usize, &u8)| {
            let known = have.bytes.get(at).unwrap_or(&0) | unwanted.bytes.get(at).unwrap_or(&0);
            (byte & !known).count_ones()
        };
        self.bytes.iter().enumerate().map(all).sum()
    }

    /// Whether any of these pieces is there.
    pub(crate) fn has_any_in(&self, pieces: Range<u32>) -> bool {
        let (first, end) = (pieces.start.div_ceil(8) * 8, pieces.end / 8 * 8);
        if first >= end {
            return pieces.into_iter().any(|piece| self.get(piece));
        }
        let whole = self.bytes.get(first as usize / 8..(end as usize / 8).min(self.bytes.len()));
        (pieces.start..first).chain(end..pieces.end).any(|piece| self.get(piece))
            || whole.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
    }

    /// The pieces that are in both, rising from a random place and then from the beginning.
    pub(crate) fn in_common<'a>(&'a self, other: &'a Self, rng: &mut Rng) -> impl Iterator<Item = u32> + 'a {
        let words = self.bytes.len().min(other.bytes.len()).div_ceil(8);
        let begin = if words > 1 { rng.usize(..words) } else { 0 };
        let common = |at: usize| (at, self.word(at) & other.word(at));
        let words = (begin..words).chain(0..begin).map(common).filter(|(_, word)| *word != 0);
        words.flat_map(|(at, word)| {
            (0..64u32).filter(move |bit| word << bit >> 63 == 1).map(move |bit| at as u32 * 64 + bit)
        })
    }

    /// Sixty-four pieces at once, the first of them in the highest bit.
    fn word(&self, at: usize) -> u64 {
        let bytes = self.bytes.get(at * 8..).unwrap_or_default();
        match bytes.first_chunk::<8>() {
            Some(whole) => u64::from_be_bytes(*whole),
            None => (0u32..).zip(bytes).fold(0, |word, (at, byte)| word | u64::from(*byte) << (56 - 8 * at)),
        }
    }
}

impl std::fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitfield({} of {})", self.ones, self.len)
    }
}

/// Bytes of a bitfield message for so many pieces.
pub(crate) fn byte_len(pieces: u32) -> usize {
    pieces.div_ceil(8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_has_no_spare_bit() {
        for len in 0..40 {
            let full = Bitfield::full(len);
            assert_eq!(full.iter().collect::<Vec<_>>(), (0..len).collect::<Vec<_>>());
            assert_eq!(Bitfield::from_bytes(full.as_bytes(), len), Some(full));
        }
    }

    #[test]
    fn a_spare_bit_or_a_wrong_length_is_refused() {
        assert_eq!(Bitfield::from_bytes(&[0b0000_0001], 7), None);
        assert_eq!(Bitfield::from_bytes(&[0, 0], 7), None);
        assert_eq!(Bitfield::from_bytes(&[], 7), None);
        assert!(Bitfield::from_bytes(&[0b1000_0010], 7).is_some());
    }

    #[test]
    fn what_two_have_in_common_is_found_once_each() {
        let mut rng = Rng::with_seed(7);
        for len in [1, 8, 63, 64, 65, 300] {
            let (mut a, mut b) = (Bitfield::empty(len), Bitfield::empty(len));
            for piece in 0..len {
                rng.bool().then(|| a.set(piece));
                rng.bool().then(|| b.set(piece));
            }
            let mut common: Vec<u32> = a.in_common(&b, &mut rng).collect();
            common.sort_unstable();
            assert_eq!(common, (0..len).filter(|p| a.get(*p) && b.get(*p)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_range_has_any_exactly_where_a_piece_is() {
        let mut bits = Bitfield::empty(40);
        bits.set(17);
        for start in 0..40 {
            for end in start..=40 {
                assert_eq!(bits.has_any_in(start..end), (start..end).contains(&17), "{start}..{end}");
            }
        }
    }

    #[test]
    fn set_and_clear_count() {
        let mut b = Bitfield::empty(10);
        assert!(b.set(9) && !b.set(9) && !b.set(10));
        assert_eq!((b.count(), b.as_bytes()), (1, &[0, 0b0100_0000][..]));
        assert!(b.clear(9) && !b.clear(9) && b.is_empty());
    }
}
