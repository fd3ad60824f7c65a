//! Long common stretches of two images of any size, found with little memory: every 32nd old window is indexed by its
//! hash, every new position is looked up, what is found is extended both ways.
//!
//! A map of where things went, not a parse: short matches are the business of the segment's own matcher.

use crate::Run;

/// Length of a window, and the distance of indexed windows.
const WINDOW: usize = 32;
/// Runs nearer than this on one diagonal, with a gap of as many bytes in both images, become one.
const JOIN: usize = 1 << 12;
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15 | 1;

pub(crate) fn matches(old: &[u8], new: &[u8]) -> Vec<Run> {
    if old.len() < WINDOW || new.len() < WINDOW {
        return Vec::new();
    }
    let index = Index::of(old);
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    let mut done = 0;
    let mut rolling = Rolling::of(&new[..WINDOW]);
    while at + WINDOW <= new.len() {
        let shift = runs.last().map(|run| i64::from(run.old) - i64::from(run.new));
        if let Some(source) = index.find(old, new, at, rolling.value, shift) {
            let back = backwards(&old[..source], &new[done..at]);
            let ahead = forwards(&old[source..], &new[at..]);
            push(
                &mut runs,
                Run { new: (at - back) as u32, old: (source - back) as u32, len: (back + ahead) as u32 },
            );
            done = at + ahead;
            at = done;
            if at + WINDOW <= new.len() {
                rolling = Rolling::of(&new[at..at + WINDOW]);
            }
            continue;
        }
        if at + WINDOW < new.len() {
            rolling.roll(new[at], new[at + WINDOW]);
        }
        at += 1;
    }
    runs
}

/// Joins with the run before where both gaps are equally long and short: what changed in place is still found there.
fn push(runs: &mut Vec<Run>, run: Run) {
    if let Some(last) = runs.last_mut() {
        let new_gap = run.new - (last.new + last.len);
        let same_diagonal =
            i64::from(run.old) - i64::from(run.new) == i64::from(last.old) - i64::from(last.new);
        if same_diagonal && (new_gap as usize) < JOIN {
            last.len = run.new + run.len - last.new;
            return;
        }
    }
    runs.push(run);
}

/// The last old window, by the upper bits of its hash; one in front wins where several are alike.
struct Index {
    /// Window number + 1, or 0.
    slots: Vec<u32>,
    bits: u32,
}

impl Index {
    fn of(old: &[u8]) -> Self {
        let windows = old.len() / WINDOW;
        let bits = (usize::BITS - windows.leading_zeros() + 1).clamp(8, 28);
        let mut index = Self { slots: vec![0; 1 << bits], bits };
        for (number, window) in old.chunks_exact(WINDOW).enumerate() {
            let slot = index.slot(Rolling::of(window).value);
            if index.slots[slot] == 0 {
                index.slots[slot] = number as u32 + 1;
            }
        }
        index
    }

    fn slot(&self, hash: u64) -> usize {
        (hash.wrapping_mul(MULTIPLIER) >> (64 - self.bits)) as usize
    }

    /// Where the window of `new` at `at` stands in `old`: on the run before's diagonal if it does.
    fn find(&self, old: &[u8], new: &[u8], at: usize, hash: u64, shift: Option<i64>) -> Option<usize> {
        let window = &new[at..at + WINDOW];
        let same = |source: usize| old.get(source..source + WINDOW) == Some(window);
        let found = self.slots[self.slot(hash)];
        if found == 0 {
            return None;
        }
        let ahead =
            shift.and_then(|shift| usize::try_from(at as i64 + shift).ok()).filter(|source| same(*source));
        ahead.or_else(|| Some((found as usize - 1) * WINDOW).filter(|source| same(*source)))
    }
}

/// A polynomial hash of the last [`WINDOW`] bytes.
struct Rolling {
    value: u64,
}

impl Rolling {
    const LEAVING: u64 = power(WINDOW as u32 - 1);

    fn of(window: &[u8]) -> Self {
        let value = window.iter().fold(0u64, |sum, byte| push_byte(sum, *byte));
        Self { value }
    }

    fn roll(&mut self, out: u8, into: u8) {
        let without = self.value.wrapping_sub((u64::from(out) + 1).wrapping_mul(Self::LEAVING));
        self.value = push_byte(without, into);
    }
}

const fn push_byte(sum: u64, byte: u8) -> u64 {
    sum.wrapping_mul(MULTIPLIER).wrapping_add(byte as u64 + 1)
}

const fn power(exponent: u32) -> u64 {
    MULTIPLIER.wrapping_pow(exponent)
}

/// How many bytes agree from the front.
pub(crate) fn forwards(left: &[u8], right: &[u8]) -> usize {
    let length = left.len().min(right.len());
    let (left, right) = (&left[..length], &right[..length]);
    let (chunks, _) = left.as_chunks::<8>();
    let (others, _) = right.as_chunks::<8>();
    for (number, (a, b)) in chunks.iter().zip(others).enumerate() {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return number * 8 + (differing.trailing_zeros() / 8) as usize;
        }
    }
    let rest = chunks.len() * 8;
    rest + left[rest..].iter().zip(&right[rest..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes agree from the end.
pub(crate) fn backwards(left: &[u8], right: &[u8]) -> usize {
    left.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(length)
        .collect()
    }

    #[test]
    fn moved_blocks_are_found_where_they_stand() {
        let old = noise(1, 10_000);
        let new = [&old[6000..9000], &noise(2, 500)[..], &old[100..4000]].concat();
        let runs = matches(&old, &new);
        assert_eq!(runs[0], Run { new: 0, old: 6000, len: 3000 });
        assert_eq!(runs[1], Run { new: 3500, old: 100, len: 3900 });
    }

    #[test]
    fn a_byte_changed_in_place_does_not_break_a_run() {
        let old = noise(1, 10_000);
        let mut new = old.clone();
        new[5000] ^= 1;
        assert_eq!(matches(&old, &new), [Run { new: 0, old: 0, len: 10_000 }]);
    }
}
