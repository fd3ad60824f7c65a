//! For every position of the new image, the longest stretch of the old one that begins alike.
//!
//! One suffix array over both images: the old suffixes next to a new one, before and after it, are those that share
//! most with it. Linear time; 20 bytes for each byte of the new image and 4 for each of the old.

use libsais::SuffixArrayConstruction;

use crate::coarse::forwards;

/// The longest matches, position by position.
pub(crate) struct Longest {
    found: Vec<Found>,
}

/// `len` bytes at `old`; nothing was found if `len` is 0.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    pub(crate) old: u32,
    pub(crate) len: u32,
}

impl Longest {
    /// `None`: the images are too long for one suffix array, or the library fails.
    pub(crate) fn of(old: &[u8], new: &[u8]) -> Option<Self> {
        // The old image last: so its suffixes end where it ends, and the order is exact.
        let both = [new, old].concat();
        i32::try_from(both.len()).ok()?;
        let order = SuffixArrayConstruction::for_text(&both).in_owned_buffer32().single_threaded().run().ok()?.into_vec();
        let before = nearest(order.iter(), new.len());
        let after = nearest(order.iter().rev(), new.len());
        drop(order);
        let mut found = vec![Found::default(); new.len()];
        for neighbours in [before, after] {
            // What a position shares with its neighbour, the next one shares but for one byte with its own.
            let mut len = 0usize;
            for (at, source) in neighbours.into_iter().enumerate() {
                if source == NONE {
                    len = 0;
                    continue;
                }
                let source = source as usize;
                len += forwards(&old[source + len..], &new[at + len..]);
                if len > found[at].len as usize {
                    found[at] = Found { old: source as u32, len: len as u32 };
                }
                len = len.saturating_sub(1);
            }
        }
        Some(Self { found })
    }

    pub(crate) fn at(&self, new: usize) -> Found {
        self.found[new]
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
            let found = longest.at(at);
            assert_eq!(found.len as usize, best, "at {at}");
            assert_eq!(forwards(&old[found.old as usize..], &new[at..]), best);
        }
    }
}
