//! A weak hash that rolls, and the search for known leaves at any offset of strange bytes (Tridgell and Mackerras 1996).
//!
//! The hash is a polynomial over 64 bits: each byte stands for a fixed scrambled number, so that runs of small values
//! spread as well as text. It tells candidates from the rest; only SHA-256 tells that a leaf is the leaf.

use crate::merkle::BLOCK;

/// Odd, with its ones well spread: multiplication by it can be undone, and stirs the high bits.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
const LENGTH: usize = BLOCK as usize;
const VALUES: [u64; 256] = values();
/// What a byte still weighs when it leaves the window.
const LEAVING: [u64; 256] = leaving();
/// Bits of the filter for each leaf: one candidate in a hundred positions passes it for nothing.
const FILTER_BITS_PER_LEAF: usize = 64;
/// Smallest and largest filter, as powers of two of bits: 8 KiB and 8 MiB.
const FILTER_POWERS: (u32, u32) = (16, 26);

const fn values() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        // The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
        let mut word = (index as u64 + 1).wrapping_mul(FACTOR);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        table[index] = word ^ (word >> 31);
        index += 1;
    }
    table
}

const fn leaving() -> [u64; 256] {
    let (mut power, mut step) = (1_u64, 0);
    while step < LENGTH {
        power = power.wrapping_mul(FACTOR);
        step += 1;
    }
    let (mut table, mut index) = (VALUES, 0);
    while index < 256 {
        table[index] = table[index].wrapping_mul(power);
        index += 1;
    }
    table
}

/// The weak hash of a block of any length.
#[must_use]
pub fn weak(block: &[u8]) -> u64 {
    block.iter().fold(0, |hash: u64, byte| hash.wrapping_mul(FACTOR).wrapping_add(VALUES[usize::from(*byte)]))
}

/// Finds whole leaves of 16 KiB by their weak hashes.
#[derive(Debug, Clone)]
pub struct Finder {
    /// A bit for the high bits of every wanted hash.
    filter: Vec<u64>,
    shift: u32,
    /// Wanted hashes, ascending, each with the caller's number for the leaf.
    wanted: Vec<(u64, u32)>,
}

impl Finder {
    /// For leaves given as weak hash and the caller's own number; equal hashes may stand more than once.
    #[must_use]
    pub fn new(leaves: impl IntoIterator<Item = (u64, u32)>) -> Self {
        let mut wanted: Vec<(u64, u32)> = leaves.into_iter().collect();
        wanted.sort_unstable();
        let bits = (wanted.len() * FILTER_BITS_PER_LEAF).next_power_of_two().trailing_zeros();
        let power = bits.clamp(FILTER_POWERS.0, FILTER_POWERS.1);
        let shift = 64 - power;
        let mut filter = vec![0_u64; 1 << (power - 6)];
        for (hash, _) in &wanted {
            let bit = hash >> shift;
            filter[(bit >> 6) as usize] |= 1 << (bit & 63);
        }
        Self { filter, shift, wanted }
    }

    /// The numbers of the leaves that may have this hash.
    #[must_use]
    pub fn candidates(&self, hash: u64) -> &[(u64, u32)] {
        if !self.may_be_wanted(hash) {
            return &[];
        }
        let start = self.wanted.partition_point(|(other, _)| *other < hash);
        let same = self.wanted[start..].partition_point(|(other, _)| *other == hash);
        &self.wanted[start..start + same]
    }

    fn may_be_wanted(&self, hash: u64) -> bool {
        let bit = hash >> self.shift;
        self.filter[(bit >> 6) as usize] >> (bit & 63) & 1 == 1
    }

    /// The first offset from `from` on at which a whole leaf's worth of `bytes` has a wanted hash, with its candidates.
    /// `None` when the rest has none. About two nanoseconds a byte.
    #[must_use]
    pub fn next(&self, bytes: &[u8], from: usize) -> Option<(usize, &[(u64, u32)])> {
        let window = bytes.get(from..from.checked_add(LENGTH)?)?;
        let mut hash = weak(window);
        let found = |hash: u64| Some(self.candidates(hash)).filter(|found| !found.is_empty());
        if let Some(found) = found(hash) {
            return Some((from, found));
        }
        let (coming, going) = (&bytes[from + LENGTH..], &bytes[from..]);
        for (index, (coming, going)) in coming.iter().zip(going).enumerate() {
            hash = hash
                .wrapping_mul(FACTOR)
                .wrapping_add(VALUES[usize::from(*coming)])
                .wrapping_sub(LEAVING[usize::from(*going)]);
            if self.may_be_wanted(hash)
                && let Some(found) = found(hash)
            {
                return Some((from + index + 1, found));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn leaves_are_found_wherever_they_lie() {
        let content = noise(3 * LENGTH, 7);
        let leaves = content.chunks(LENGTH).zip(0..).map(|(leaf, number)| (weak(leaf), number));
        let finder = Finder::new(leaves);
        let mut shifted = noise(1234, 8);
        shifted.extend(&content[..2 * LENGTH]);
        shifted.extend(noise(99, 9));
        shifted.extend(&content[2 * LENGTH..]);
        let mut found = Vec::new();
        let mut at = 0;
        while let Some((offset, candidates)) = finder.next(&shifted, at) {
            found.push((offset, candidates[0].1));
            at = offset + LENGTH;
        }
        assert_eq!(found, [(1234, 0), (1234 + LENGTH, 1), (1234 + 2 * LENGTH + 99, 2)]);
    }

    #[test]
    fn equal_leaves_are_all_named_and_short_bytes_hold_none() {
        let leaf = vec![0; LENGTH];
        let finder = Finder::new([(weak(&leaf), 4), (weak(&leaf), 9), (17, 1)]);
        let numbers =
            finder.next(&leaf, 0).map(|(_, found)| found.iter().map(|(_, n)| *n).collect::<Vec<_>>());
        assert_eq!(numbers, Some(vec![4, 9]));
        assert!(finder.next(&leaf[1..], 0).is_none() && finder.next(&leaf, usize::MAX).is_none());
        assert!(Finder::new([]).next(&leaf, 0).is_none());
    }

    proptest! {
        #[test]
        fn rolling_on_equals_hashing_anew(seed in 1_u64.., steps in 0_usize..300) {
            let bytes = noise(LENGTH + steps, seed);
            let finder = Finder::new([(weak(&bytes[steps..]), 0)]);
            prop_assert_eq!(finder.next(&bytes, 0).map(|(at, _)| at), Some(steps));
        }
    }
}
