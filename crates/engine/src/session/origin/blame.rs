//! Which source a false piece came from. Pure.
//!
//! A false block condemns who gave it. Of a piece that is false as a whole and came from several, nobody knows whose part
//! it was: each of them is then asked for all of it alone, and the first that gives it false again did it. An honest
//! source is never condemned for what another gave.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Blame {
    /// By piece that is not verified yet: who gave which blocks.
    givers: BTreeMap<u32, BTreeMap<usize, Vec<Range<u32>>>>,
    /// By piece: who is to give it alone, the first of them next.
    alone: BTreeMap<u32, BTreeSet<usize>>,
}

impl Blame {
    /// A source gave blocks of pieces; saying so twice does no harm.
    pub(super) fn gave(&mut self, mirror: usize, pieces: impl Iterator<Item = (u32, Range<u32>)>) {
        for (piece, blocks) in pieces {
            let known = self.givers.entry(piece).or_default().entry(mirror).or_default();
            if !known.contains(&blocks) {
                known.push(blocks);
            }
        }
    }

    pub(super) fn verified(&mut self, piece: u32) {
        self.givers.remove(&piece);
        self.alone.remove(&piece);
    }

    /// Whom to blame for a false block of a piece, or for the whole of it; those that `is_known` were blamed for it
    /// before.
    pub(super) fn was_false(
        &mut self,
        piece: u32,
        block: Option<u32>,
        is_known: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let Some(block) = block else {
            // All of it is thrown away and comes anew.
            let givers = self.givers.remove(&piece).unwrap_or_default();
            return self.alone_and_false(piece).or_else(|| {
                let suspects: BTreeSet<usize> =
                    givers.into_keys().filter(|mirror| !is_known(*mirror)).collect();
                self.only(piece, suspects)
            });
        };
        let gave = |(_, given): &(&usize, &Vec<Range<u32>>)| given.iter().any(|range| range.contains(&block));
        let givers = self.givers.get(&piece)?.iter().filter(gave).map(|(mirror, _)| *mirror);
        let mut suspects = givers.filter(|mirror| !is_known(*mirror));
        // A block that two gave was thrown away once for another reason; whose it is now cannot be told.
        suspects.next().filter(|_| suspects.next().is_none())
    }

    /// Who alone may give the piece now, if anybody has to.
    pub(super) fn alone(&self, piece: u32) -> Option<usize> {
        self.alone.get(&piece)?.first().copied()
    }

    /// Whoever was to give the piece alone cannot.
    pub(super) fn skip(&mut self, piece: u32) {
        let _cannot = self.alone_and_false(piece);
    }

    fn alone_and_false(&mut self, piece: u32) -> Option<usize> {
        let suspects = self.alone.get_mut(&piece)?;
        let first = suspects.pop_first();
        if suspects.is_empty() {
            self.alone.remove(&piece);
        }
        first
    }

    /// The only suspect; several are tried one by one.
    fn only(&mut self, piece: u32, suspects: BTreeSet<usize>) -> Option<usize> {
        if suspects.len() > 1 {
            self.alone.insert(piece, suspects);
            return None;
        }
        suspects.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: fn(usize) -> bool = |_| false;

    fn given(by: &[(usize, Range<u32>)]) -> Blame {
        let mut blame = Blame::default();
        by.iter().for_each(|(mirror, blocks)| blame.gave(*mirror, std::iter::once((7, blocks.clone()))));
        blame
    }

    #[test]
    fn a_false_block_is_the_fault_of_who_gave_it() {
        let mut blame = given(&[(0, 0..4), (1, 4..8), (0, 6..7)]);
        assert_eq!(blame.was_false(7, Some(3), NOBODY), Some(0));
        assert_eq!(blame.was_false(7, Some(5), NOBODY), Some(1));
        assert_eq!(blame.was_false(7, Some(6), NOBODY), None, "two gave it");
        assert_eq!(blame.was_false(7, Some(6), |mirror| mirror == 0), Some(1), "one of them is known");
        assert_eq!(blame.was_false(7, Some(9), NOBODY), None);
        assert_eq!(blame.was_false(8, Some(0), NOBODY), None);
    }

    #[test]
    fn of_several_the_one_that_is_false_alone_did_it() {
        let mut blame = given(&[(0, 0..4), (1, 4..8), (2, 8..9)]);
        assert_eq!(blame.was_false(7, None, NOBODY), None);
        assert_eq!(blame.alone(7), Some(0));
        blame.gave(0, std::iter::once((7, 0..9)));
        assert_eq!(blame.was_false(7, None, NOBODY), Some(0));
        assert_eq!(blame.alone(7), Some(1));
        blame.skip(7);
        assert_eq!(blame.alone(7), Some(2));
        blame.verified(7);
        assert_eq!(blame.alone(7), None);
    }

    #[test]
    fn who_gave_all_of_it_did_it() {
        assert_eq!(given(&[(1, 0..9)]).was_false(7, None, NOBODY), Some(1));
        assert_eq!(given(&[(1, 0..9), (0, 0..1)]).was_false(7, None, |mirror| mirror == 0), Some(1));
        assert_eq!(given(&[]).was_false(7, None, NOBODY), None);
    }
}
