//! A weak hash that rolls, and the search for known leaves at any offset of strange bytes.
//!
//! A hash of the last 64 bytes rolls over the data (the *gear* of `FastCDC`, Xia and others 2016). Where its high bits are
//! zero is an *anchor*: it depends on the data alone, not on where the data lies. A leaf is known by its first two
//! anchors. So a search looks into its table once in about 512 bytes, however many leaves are wanted, where a checksum of
//! the whole window (as of rsync) would look once a byte. Leaves without two anchors (constant or short-period bytes) have
//! no weak hash; they are found as neighbours of those that have one. It only names candidates: SHA-256 tells whether a
//! leaf is the leaf.

use crate::merkle::BLOCK;

/// Bytes that the gear depends on.
const REACH: usize = 64;
/// Bits that are zero at an anchor: one position in 512.
const ANCHOR_BITS: u32 = 9;
/// Low bits of a weak hash that hold the first anchor's place in the leaf.
const PLACE_BITS: u32 = BLOCK.trailing_zeros();
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const GEAR: [u64; 256] = gear();

const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = stirred(index as u64 + 1);
        index += 1;
    }
    table
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
const fn stirred(number: u64) -> u64 {
    let mut word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// Where an anchor is, and the gear's hash there.
#[derive(Clone, Copy)]
struct Anchor {
    at: usize,
    hash: u64,
}

/// The first anchor at or behind `from` whose 64 bytes lie wholly in `bytes[start..]`.
fn anchor(bytes: &[u8], start: usize, from: usize) -> Option<Anchor> {
    let first = from.max(start + REACH - 1);
    let warm = bytes.get(first + 1 - REACH..first)?;
    let mut hash = warm.iter().fold(0, |hash: u64, byte| (hash << 1).wrapping_add(GEAR[usize::from(*byte)]));
    for (index, byte) in bytes[first..].iter().enumerate() {
        hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
        if hash >> (u64::BITS - ANCHOR_BITS) == 0 {
            return Some(Anchor { at: first + index, hash });
        }
    }
    None
}

/// What two anchors in a row are known by; the lowest bits are left for the place.
fn key(first: Anchor, second: Anchor) -> u64 {
    let apart = (second.at - first.at) as u64;
    let key = stirred(first.hash ^ stirred(second.hash.wrapping_add(apart))) & !PLACE_MASK;
    // Zero is for leaves without a weak hash.
    if key == 0 { 1 << PLACE_BITS } else { key }
}

/// The weak hash of a leaf: in the high 50 bits what its first two anchors say, below them the place of the first.
/// Zero where it has none.
#[must_use]
pub fn weak(leaf: &[u8]) -> u64 {
    let Some(first) = anchor(leaf, 0, 0) else { return 0 };
    let Some(second) = anchor(leaf, 0, first.at + 1) else { return 0 };
    key(first, second) | first.at as u64 & PLACE_MASK
}

/// Where a leaf may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its first byte.
    pub at: usize,
    /// The caller's number for the leaf.
    pub number: u32,
}

/// Places at which leaves may begin, and where to go on.
#[derive(Debug)]
pub struct Hit<'a> {
    /// Offset to search on from, if none of the candidates was the leaf.
    pub resume: usize,
    anchor: usize,
    found: &'a [(u64, u32)],
    bounds: (usize, usize),
}

impl Hit<'_> {
    /// The candidates whose whole leaf of 16 KiB lies in the bytes searched.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.found.iter().filter_map(|(weak, number)| {
            let at = self.anchor.checked_sub((weak & PLACE_MASK) as usize)?;
            let fits = at >= self.bounds.0 && at + BLOCK as usize <= self.bounds.1;
            fits.then_some(Candidate { at, number: *number })
        })
    }
}

/// Finds whole leaves of 16 KiB by their weak hashes.
#[derive(Debug, Clone)]
pub struct Finder {
    /// Wanted hashes, ascending, each with the caller's number for the leaf.
    wanted: Vec<(u64, u32)>,
    /// Where those with the same high bits begin. About a bucket a leaf: a look costs two misses of the cache, not twenty.
    buckets: Vec<u32>,
    shift: u32,
}

impl Finder {
    /// For leaves given as weak hash and the caller's own number; equal hashes may stand more than once, and zeros are
    /// left out.
    #[must_use]
    pub fn new(leaves: impl IntoIterator<Item = (u64, u32)>) -> Self {
        let mut wanted: Vec<(u64, u32)> = leaves.into_iter().filter(|(weak, _)| *weak != 0).collect();
        wanted.sort_unstable();
        let shift = u64::BITS - wanted.len().next_power_of_two().trailing_zeros().max(1);
        let mut buckets = vec![0_u32; (1 << (u64::BITS - shift)) + 1];
        for (weak, _) in &wanted {
            buckets[(weak >> shift) as usize + 1] += 1;
        }
        for index in 1..buckets.len() {
            buckets[index] += buckets[index - 1];
        }
        Self { wanted, buckets, shift }
    }

    /// The next place behind `from` where leaves may lie that are wholly in `bytes[from..]`. `None` when there is none.
    #[must_use]
    pub fn next(&self, bytes: &[u8], from: usize) -> Option<Hit<'_>> {
        let mut first = anchor(bytes, from, from)?;
        while let Some(second) = anchor(bytes, from, first.at + 1) {
            let found = self.with(key(first, second));
            if !found.is_empty() {
                let bounds = (from, bytes.len());
                return Some(Hit { resume: second.at + 1 - REACH, anchor: first.at, found, bounds });
            }
            first = second;
        }
        None
    }

    fn with(&self, key: u64) -> &[(u64, u32)] {
        let bucket = (key >> self.shift) as usize;
        let near = &self.wanted[self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize];
        let start = near.partition_point(|(weak, _)| *weak < key);
        let same = near[start..].partition_point(|(weak, _)| weak & !PLACE_MASK == key);
        &near[start..start + same]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEAF: usize = BLOCK as usize;

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    /// Every leaf found, in the way that a caller who verifies would go.
    fn all(finder: &Finder, bytes: &[u8], leaves: &[&[u8]]) -> Vec<(usize, u32)> {
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(hit) = finder.next(bytes, from) {
            let right =
                hit.candidates().find(|here| &bytes[here.at..here.at + LEAF] == leaves[here.number as usize]);
            from = right.map_or(hit.resume, |here| here.at + LEAF);
            found.extend(right.map(|here| (here.at, here.number)));
        }
        found
    }

    #[test]
    fn leaves_are_found_wherever_they_lie() {
        let content = noise(3 * LEAF, 7);
        let leaves: Vec<&[u8]> = content.chunks(LEAF).collect();
        let finder = Finder::new(leaves.iter().map(|leaf| weak(leaf)).zip(0..));
        let mut shifted = noise(1234, 8);
        shifted.extend(&content[..2 * LEAF]);
        shifted.extend(noise(99, 9));
        shifted.extend(&content[2 * LEAF..]);
        let wanted = [(1234, 0), (1234 + LEAF, 1), (1234 + 2 * LEAF + 99, 2)];
        assert_eq!(all(&finder, &shifted, &leaves), wanted);
    }

    #[test]
    fn a_leaf_that_begins_or_ends_outside_is_no_candidate() {
        let content = noise(LEAF, 3);
        let finder = Finder::new([(weak(&content), 0)]);
        let candidates =
            |bytes: &[u8], from| finder.next(bytes, from).map_or(0, |hit| hit.candidates().count());
        assert_eq!(candidates(&content, 0), 1);
        assert_eq!(candidates(&content[..LEAF - 1], 0), 0);
        assert_eq!(candidates(&content, 1), 0);
        assert_eq!((candidates(&[], 0), candidates(&content, usize::MAX / 2)), (0, 0));
    }

    #[test]
    fn constant_bytes_have_no_weak_hash_and_equal_leaves_are_all_named() {
        assert_eq!(weak(&[0; LEAF]), 0);
        let leaf = noise(LEAF, 5);
        let finder = Finder::new([(weak(&leaf), 4), (0, 1), (weak(&leaf), 9)]);
        let hit = finder.next(&leaf, 0).expect("there is one");
        assert_eq!(hit.candidates().map(|here| here.number).collect::<Vec<_>>(), [4, 9]);
    }

    proptest! {
        #[test]
        fn any_shift_finds_what_is_there(seed in 1_u64.., before in 0_usize..3000, after in 0_usize..3000) {
            let leaf = noise(LEAF, seed);
            prop_assert_ne!(weak(&leaf), 0);
            let bytes = [noise(before, seed ^ 1), leaf.clone(), noise(after, seed ^ 2)].concat();
            let finder = Finder::new([(weak(&leaf), 0)]);
            prop_assert_eq!(all(&finder, &bytes, &[&leaf]), vec![(before, 0)]);
        }
    }
}
