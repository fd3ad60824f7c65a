//! For every position of the new image, the longest stretches of the old one, and of the new one before it, that
//! begin alike.
//!
//! One suffix array over both images: the old suffixes next to a new one, before and after it, are those that share
//! most with it. Linear time; at most 28 bytes for each byte of the new image and 5 for each of
//! the old.

use libsais::SuffixArrayConstruction;

use crate::coarse::forwards;

/// The longest matches, position by position.
pub(crate) struct Longest {
    old: Vec<Found>,
    echo: Vec<Found>,
}

/// `len` bytes at `at`; nothing was found if `len` is 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    pub(crate) at: u32,
    pub(crate) len: u32,
}

impl Longest {
    /// `None`: the images are too long for one suffix array, or the library fails.
    pub(crate) fn of(old: &[u8], new: &[u8]) -> Option<Self> {
        // The old image last: so its suffixes end where it ends, and the order is exact.
        let both = [new, old].concat();
        i32::try_from(both.len()).ok()?;
        let order = SuffixArrayConstruction::for_text(&both)
            .in_owned_buffer32()
            .single_threaded()
            .run()
            .ok()?
            .into_vec();
        drop(both);
        let before = nearest(order.iter(), new.len());
        let after = nearest(order.iter().rev(), new.len());
        let old = measure(old, new, &before, &after);
        let (before, after) = earlier(&order, new.len(), before, after);
        drop(order);
        let echo = measure(new, new, &before, &after);
        Some(Self { old, echo })
    }

    /// In the old image.
    pub(crate) fn old(&self, new: usize) -> Found {
        self.old[new]
    }

    /// In the new image before this position; both may overlap.
    pub(crate) fn echo(&self, new: usize) -> Found {
        self.echo[new]
    }
}

const NONE: u32 = u32::MAX;

/// For every new position the old suffix met last on the way through the order.
fn nearest<'a>(order: impl Iterator<Item = &'a i32>, new_len: usize) -> Vec<u32> {
    let mut neighbours = vec![NONE; new_len];
    let mut last = NONE;
    for suffix in order {
        let suffix = *suffix as usize;
        if suffix < new_len {
            neighbours[suffix] = last;
        } else {
            last = (suffix - new_len) as u32;
        }
    }
    neighbours
}

/// For every new position the next suffixes in order, on both sides, among those that begin before it: a list from
/// which the positions are taken out, the last first. The vectors are only reused.
fn earlier(order: &[i32], new_len: usize, mut before: Vec<u32>, mut after: Vec<u32>) -> (Vec<u32>, Vec<u32>) {
    let mut last = NONE;
    for suffix in order.iter().map(|suffix| *suffix as u32).filter(|suffix| (*suffix as usize) < new_len) {
        before[suffix as usize] = last;
        if last != NONE {
            after[last as usize] = suffix;
        }
        last = suffix;
    }
    if last != NONE {
        after[last as usize] = NONE;
    }
    for at in (0..new_len).rev() {
        let (one, other) = (before[at], after[at]);
        if one != NONE {
            after[one as usize] = other;
        }
        if other != NONE {
            before[other as usize] = one;
        }
    }
    (before, after)
}

/// The longer of what each position shares with its two neighbours.
fn measure(source: &[u8], new: &[u8], before: &[u32], after: &[u32]) -> Vec<Found> {
    let mut found = vec![Found::default(); new.len()];
    for neighbours in [before, after] {
        // What a position shares with its neighbour, the next one shares but for one byte with its own.
        let mut len = 0usize;
        for (at, neighbour) in neighbours.iter().enumerate() {
            if *neighbour == NONE {
                len = 0;
                continue;
            }
            let place = *neighbour as usize;
            len += forwards(&source[place + len..], &new[at + len..]);
            if len > found[at].len as usize {
                found[at] = Found { at: *neighbour, len: len as u32 };
            }
            len = len.saturating_sub(1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_the_longest_there_are() {
        let mut state = 7u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + (state >> 30) as u8
        };
        let old: Vec<u8> = (0..400).map(|_| letter()).collect();
        let new: Vec<u8> = (0..300).map(|_| letter()).collect();
        let longest = Longest::of(&old, &new).unwrap();
        for at in 0..new.len() {
            let best = (0..old.len()).map(|source| forwards(&old[source..], &new[at..])).max().unwrap();
            let found = longest.old(at);
            assert_eq!(found.len as usize, best, "at {at}");
            assert_eq!(forwards(&old[found.at as usize..], &new[at..]), best);
            let best = (0..at).map(|source| forwards(&new[source..], &new[at..])).max().unwrap_or(0);
            let found = longest.echo(at);
            assert_eq!(found.len as usize, best, "at {at}");
        }
    }
}
