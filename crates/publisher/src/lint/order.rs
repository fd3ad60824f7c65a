//! What two versions of a pack have in common, and whether it kept its order.
//!
//! Both are cut where their content says so (a rolling hash with a mask, as in content-defined chunking), so a part that
//! moved is cut as before. What both hold is matched by hash; the longest run of matches that rises in both (a longest
//! increasing subsequence, weighed by bytes) is what kept its order.

use std::collections::{BTreeMap, HashMap};

/// Mean bytes of a part: 2 to the number of ones.
const MASK: u64 = 0x1FFF << 40;
/// No part is shorter, but for a file's last.
const PART_MIN: usize = 2 << 10;
/// No part is longer.
const PART_MAX: usize = 64 << 10;
/// Of what is shared less than this many hundredths in order means another order.
const ORDERED_PERCENT: u64 = 60;
/// Less than this many hundredths shared says that little was kept.
const LITTLE_PERCENT: u64 = 50;

/// Bytes of the new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    all: u64,
    /// Those that the old version holds too.
    common: u64,
    /// Of these, those that come in the old version's order.
    ordered: u64,
}

impl Shared {
    pub(super) fn between(before: &[u8], now: &[u8]) -> Self {
        let mut places: HashMap<u64, u64> = HashMap::new();
        for part in parts(before) {
            places.entry(part.hash).or_insert(part.at);
        }
        let new = parts(now);
        let matches: Vec<(u64, u64)> =
            new.iter().filter_map(|part| Some((*places.get(&part.hash)?, part.length))).collect();
        Self {
            all: now.len() as u64,
            common: matches.iter().map(|(_, length)| length).sum(),
            ordered: heaviest_rise(&matches),
        }
    }

    /// Most of it is there, and elsewhere.
    pub(super) fn is_reordered(&self) -> bool {
        !self.is_little() && self.ordered * 100 < self.common * ORDERED_PERCENT
    }

    pub(super) fn is_little(&self) -> bool {
        self.common * 100 < self.all * LITTLE_PERCENT
    }
}

struct Part {
    at: u64,
    length: u64,
    hash: u64,
}

fn parts(bytes: &[u8]) -> Vec<Part> {
    let (mut parts, mut start, mut rolling, mut hash) = (Vec::new(), 0, 0_u64, 0_u64);
    for (index, byte) in bytes.iter().enumerate() {
        // A byte leaves the rolling hash after 64 more.
        rolling = (rolling << 1).wrapping_add(scramble(u64::from(*byte) + 1));
        hash = scramble(hash ^ u64::from(*byte));
        let length = index + 1 - start;
        if (length >= PART_MIN && rolling & MASK == 0) || length >= PART_MAX || index + 1 == bytes.len() {
            parts.push(Part { at: start as u64, length: length as u64, hash });
            (start, hash) = (index + 1, 0);
        }
    }
    parts
}

fn scramble(value: u64) -> u64 {
    let mixed = (value ^ (value >> 31)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ (mixed >> 29)
}

/// The greatest sum of lengths over matches whose old places rise.
fn heaviest_rise(matches: &[(u64, u64)]) -> u64 {
    // By old place: the heaviest rise that ends there. Both grow along the map, so that its end is the answer.
    let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
    for (place, length) in matches {
        let before = ends.range(..place).next_back().map_or(0, |(_, weight)| *weight);
        let weight = before + length;
        if ends.get(place).is_some_and(|known| *known >= weight) {
            continue;
        }
        ends.insert(*place, weight);
        let beaten: Vec<u64> = ends
            .range(place + 1..)
            .take_while(|(_, other)| **other <= weight)
            .map(|(place, _)| *place)
            .collect();
        beaten.iter().for_each(|place| {
            ends.remove(place);
        });
    }
    ends.last_key_value().map_or(0, |(_, weight)| *weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        (0..length as u64).map(|n| (scramble(scramble(seed << 32 | n)) >> 40) as u8).collect()
    }

    #[test]
    fn a_shuffled_pack_is_told_from_a_grown_and_from_a_new_one() {
        let members: Vec<Vec<u8>> = (0..40).map(|n| noise(n, 60_000)).collect();
        let pack = members.concat();
        let grown = [&noise(99, 30_000)[..], &pack, &noise(98, 30_000)].concat();
        let mut order: Vec<usize> = (0..40).collect();
        order.sort_by_key(|n| scramble(*n as u64 + 7));
        let shuffled: Vec<u8> = order.iter().flat_map(|n| members[*n].clone()).collect();
        let grown = Shared::between(&pack, &grown);
        assert!(!grown.is_reordered() && !grown.is_little(), "{grown:?}");
        let shuffled = Shared::between(&pack, &shuffled);
        assert!(shuffled.is_reordered(), "{shuffled:?}");
        let other = Shared::between(&pack, &noise(1000, 2_000_000));
        assert!(other.is_little() && !other.is_reordered(), "{other:?}");
    }

    #[test]
    fn the_heaviest_rise_is_found() {
        assert_eq!(heaviest_rise(&[]), 0);
        assert_eq!(heaviest_rise(&[(0, 5), (10, 5), (20, 5)]), 15);
        assert_eq!(heaviest_rise(&[(20, 5), (10, 5), (0, 5)]), 5);
        assert_eq!(heaviest_rise(&[(5, 1), (0, 9), (6, 1), (7, 1), (1, 3)]), 12);
        assert_eq!(heaviest_rise(&[(3, 4), (3, 4)]), 4, "one place is counted once");
    }
}
