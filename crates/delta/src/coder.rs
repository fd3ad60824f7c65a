//! A binary arithmetic coder: one decision costs what its probability foretold, to a hundredth of a bit.
//!
//! Models are written once, over [`Coder`]: writing, they are told the decision; reading, they are given it. So the two
//! sides cannot come to differ. Integers only: every machine gets the same bytes.

/// Probabilities have 16 bits.
pub(crate) const ONE: u32 = 1 << 16;

/// One side of a coded stream.
pub(crate) trait Coder {
    /// Codes one decision; `chance` of 65536 that it is true. The reader ignores `decision` and returns the real one.
    fn bit(&mut self, chance: u32, decision: bool) -> bool;

    /// `count` ≤ 32 low bits of `value`, highest first, that no model knows anything about.
    fn plain(&mut self, value: u32, count: u32) -> u32 {
        (0..count)
            .rev()
            .fold(0, |sum, place| sum << 1 | u32::from(self.bit(ONE / 2, value >> place & 1 == 1)))
    }
}

/// The writing side.
pub(crate) struct Writer {
    low: u32,
    high: u32,
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { low: 0, high: u32::MAX, bytes: Vec::new() }
    }

    /// The shortest bytes that the reader, who takes zeros for whatever follows, reads as what was written.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        for kept in 0..=4u32 {
            let step = 32 - 8 * kept;
            let value = if step == 32 { 0 } else { u64::from(self.low).next_multiple_of(1 << step) };
            if (u64::from(self.low)..=u64::from(self.high)).contains(&value) {
                self.bytes.extend_from_slice(&(value as u32).to_be_bytes()[..kept as usize]);
                break;
            }
        }
        while self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl Coder for Writer {
    #[inline]
    fn bit(&mut self, chance: u32, decision: bool) -> bool {
        let middle = split(self.low, self.high, chance);
        if decision {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.bytes.push((self.high >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 255;
        }
        decision
    }
}

/// The reading side. Past the end it reads zeros: a payload that was cut decodes to something else, in bounded time.
pub(crate) struct Reader<'a> {
    low: u32,
    high: u32,
    value: u32,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self { low: 0, high: u32::MAX, value: 0, rest: bytes };
        for _ in 0..4 {
            reader.shift();
        }
        reader
    }

    /// Whether every byte was looked at: what follows the last decision would be read by nobody.
    pub(crate) fn is_spent(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    fn shift(&mut self) {
        let next = self.rest.split_first().map_or(0, |(first, rest)| {
            self.rest = rest;
            *first
        });
        self.value = self.value << 8 | u32::from(next);
    }
}

impl Coder for Reader<'_> {
    #[inline]
    fn bit(&mut self, chance: u32, _: bool) -> bool {
        let middle = split(self.low, self.high, chance);
        let decision = self.value <= middle;
        if decision {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 255;
            self.shift();
        }
        decision
    }
}

/// Codes nothing: models learn from what both sides know.
pub(crate) struct Trainer;

impl Coder for Trainer {
    #[inline]
    fn bit(&mut self, _: u32, decision: bool) -> bool {
        decision
    }
}

/// The last value of the true part; both parts keep at least one value, however small the range has become.
#[inline]
fn split(low: u32, high: u32, chance: u32) -> u32 {
    let range = high - low;
    low + ((u64::from(range) * u64::from(chance)) >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let decisions: Vec<(u32, bool)> = (0..5000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 16 | 1, n.wrapping_mul(40_503) >> 9 & 1 == 1))
            .collect();
        for count in [0, 1, 2, 7, 100, 5000] {
            let mut writer = Writer::new();
            for (chance, decision) in &decisions[..count] {
                writer.bit(*chance, *decision);
            }
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            for (chance, decision) in &decisions[..count] {
                assert_eq!(reader.bit(*chance, false), *decision);
            }
            assert!(reader.is_spent());
        }
    }

    #[test]
    fn the_foreseen_costs_next_to_nothing() {
        let mut writer = Writer::new();
        for _ in 0..10_000 {
            writer.bit(ONE - 1, true);
        }
        assert!(writer.finish().len() <= 1);
    }
}
