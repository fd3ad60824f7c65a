//! A set of pieces in the order of the wire: the high bit of the first byte is piece 0 (BEP 3).
//!
//! Invariant: spare bits of the last byte are zero and `ones` is the number of set bits.

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
    fn set_and_clear_count() {
        let mut b = Bitfield::empty(10);
        assert!(b.set(9) && !b.set(9) && !b.set(10));
        assert_eq!((b.count(), b.as_bytes()), (1, &[0, 0b0100_0000][..]));
        assert!(b.clear(9) && !b.clear(9) && b.is_empty());
    }
}
