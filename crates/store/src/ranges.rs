//! Sets of byte ranges of one file. Invariant: sorted, disjoint, not touching, not empty.

/// A set of bytes as ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `start..end`.
    pub(crate) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let from = self.0.partition_point(|range| range.1 < start);
        let to = self.0.partition_point(|range| range.0 <= end);
        let touched = &self.0[from..to];
        let merged = touched.iter().fold((start, end), |all, range| (all.0.min(range.0), all.1.max(range.1)));
        self.0.splice(from..to, [merged]);
    }

    /// Takes `start..end` away.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        let cut =
            |&(a, b): &(u64, u64)| [(a, b.min(start)), (a.max(end), b)].into_iter().filter(|(a, b)| a < b);
        if start < end {
            self.0 = self.0.iter().flat_map(cut).collect();
        }
    }

    /// Whether all of `start..end` is in the set.
    pub(crate) fn contains(&self, start: u64, end: u64) -> bool {
        let before = self.0.partition_point(|range| range.0 <= start);
        start >= end || before.checked_sub(1).is_some_and(|at| self.0[at].1 >= end)
    }

    /// Bytes in the set.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_set_of_bytes() {
        let mut state = 7_u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let (mut ranges, mut bytes) = (Ranges::default(), [false; 40]);
        for _ in 0..2_000 {
            let (start, length, add) = (next(40), next(8), next(3) > 0);
            let end = (start + length).min(40);
            if add {
                ranges.insert(start, end)
            } else {
                ranges.remove(start, end)
            }
            bytes[start as usize..end.max(start) as usize].fill(add);
            assert_eq!(ranges.total(), bytes.iter().filter(|byte| **byte).count() as u64);
            let (a, b) = (next(40), next(41));
            let all = a >= b || bytes[a as usize..b as usize].iter().all(|byte| *byte);
            assert_eq!(ranges.contains(a, b), all, "{ranges:?} {a}..{b}");
            assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|(left, right)| left.1 < right.0));
        }
    }
}
