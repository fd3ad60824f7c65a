//! Which missing piece is the rarest: buckets of untouched pieces by how many peers have them.
//!
//! Invariant: `order` holds every untouched missing piece once, sorted by availability, random among equals;
//! `ends[a]` is where the bucket of availability `a` ends. A change of one piece's availability costs a swap. A change
//! of many at once makes the order stale: it holds the same pieces and is sorted anew before it is next relied on.
//! Peers that have everything are counted apart, so that a seed coming or going costs nothing.
//!
//! What a peer has of the untouched pieces is looked for in the order first, because the rarest is to come first; if
//! it has none of the first few hundred, in both bitfields by words. So no request costs a walk over all pieces.

mod ranks;

use std::collections::VecDeque;

use fastrand::Rng;

use crate::Bitfield;
use ranks::Ranks;

const ABSENT: u32 = u32::MAX;
/// Pieces of the order that are tried for one peer.
const TRIES_MAX: usize = 512;
/// Pieces that a peer has among which the rarest is looked for, if it has none of those tried.
const CANDIDATES_MAX: usize = 512;
/// If fewer than one in so many pieces change at once, each is moved by itself.
const MOVED_ONE_BY_ONE: u32 = 16;
/// Pieces that became untouched again and are remembered one by one.
const RETURNED_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Picker {
    availability: Vec<u32>,
    seeds: u32,
    /// How many of all pieces have each availability.
    counts: Vec<u32>,
    untouched: Bitfield,
    /// Untouched pieces that no peer has but seeds.
    unseen: u32,
    order: Vec<u32>,
    position: Vec<u32>,
    ends: Vec<usize>,
    stale: bool,
    returned: VecDeque<u32>,
    /// How many pieces ever became untouched.
    returns: u64,
    /// Which pieces go before the others (`ranks`), rank by rank.
    ranks: Ranks,
}

impl Picker {
    /// These of so many pieces are missing and untouched, and nobody has any.
    pub(crate) fn new(pieces: u32, missing: impl Iterator<Item = u32>, rng: &mut Rng) -> Self {
        let mut order: Vec<u32> = missing.collect();
        rng.shuffle(&mut order);
        let mut position = vec![ABSENT; pieces as usize];
        let mut untouched = Bitfield::empty(pieces);
        for (at, piece) in (0u32..).zip(&order) {
            position[*piece as usize] = at;
            untouched.set(*piece);
        }
        Self {
            availability: vec![0; pieces as usize],
            seeds: 0,
            counts: vec![pieces],
            untouched,
            unseen: order.len() as u32,
            ends: vec![order.len()],
            order,
            position,
            stale: false,
            returned: VecDeque::new(),
            returns: 0,
            ranks: Ranks::default(),
        }
    }

    /// A piece is missing and untouched.
    pub(crate) fn add(&mut self, piece: u32, rng: &mut Rng) {
        if !self.untouched.set(piece) {
            return;
        }
        self.ranks.add(piece);
        self.refresh(rng);
        self.returns += 1;
        self.returned.truncate(RETURNED_MAX - 1);
        self.returned.push_front(piece);
        let own = self.bucket_of(piece);
        self.unseen += u32::from(own == 0);
        self.position[piece as usize] = self.order.len() as u32;
        self.order.push(piece);
        let last = self.ends.len() - 1;
        self.ends[last] += 1;
        for bucket in (own + 1..=last).rev() {
            self.swap(self.position[piece as usize] as usize, self.ends[bucket - 1]);
            self.ends[bucket - 1] += 1;
        }
        self.shuffle(piece, rng);
    }

    /// A piece is touched or not missing any more.
    pub(crate) fn remove(&mut self, piece: u32, rng: &mut Rng) {
        if !self.untouched.clear(piece) {
            return;
        }
        self.ranks.remove(piece);
        self.refresh(rng);
        let own = self.bucket_of(piece);
        self.unseen -= u32::from(own == 0);
        for bucket in own..self.ends.len() {
            self.ends[bucket] -= 1;
            self.swap(self.position[piece as usize] as usize, self.ends[bucket]);
        }
        self.order.pop();
        self.position[piece as usize] = ABSENT;
    }

    /// One more peer has the piece.
    pub(crate) fn raise(&mut self, piece: u32, rng: &mut Rng) {
        let from = self.bucket_of(piece);
        self.count_up(piece);
        self.bucket_of(piece);
        if self.untouched.get(piece) && !self.stale {
            self.ends[from] -= 1;
            self.swap(self.position[piece as usize] as usize, self.ends[from]);
            self.shuffle(piece, rng);
        }
    }

    /// One peer less has the piece.
    pub(crate) fn lower(&mut self, piece: u32, rng: &mut Rng) {
        let from = self.bucket_of(piece);
        if !self.count_down(piece) {
            return;
        }
        if self.untouched.get(piece) && !self.stale {
            self.swap(self.position[piece as usize] as usize, self.ends[from - 1]);
            self.ends[from - 1] += 1;
            self.shuffle(piece, rng);
        }
    }

    /// A peer came that has these.
    pub(crate) fn raise_all(&mut self, pieces: &Bitfield, rng: &mut Rng) {
        if pieces.count() < pieces.len() / MOVED_ONE_BY_ONE {
            return pieces.iter().for_each(|piece| self.raise(piece, rng));
        }
        self.stale = true;
        pieces.iter().for_each(|piece| self.count_up(piece));
    }

    /// A peer went that had these.
    pub(crate) fn lower_all(&mut self, pieces: &Bitfield, rng: &mut Rng) {
        if pieces.count() < pieces.len() / MOVED_ONE_BY_ONE {
            return pieces.iter().for_each(|piece| self.lower(piece, rng));
        }
        self.stale = true;
        for piece in pieces.iter() {
            self.count_down(piece);
        }
    }

    /// A peer that has everything came.
    pub(crate) fn add_seed(&mut self) {
        self.seeds += 1;
    }

    /// A peer that has everything went, or has everything no more.
    pub(crate) fn remove_seed(&mut self) {
        self.seeds -= 1;
    }

    /// Sorts the order anew if it is stale.
    pub(crate) fn refresh(&mut self, rng: &mut Rng) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        // What was just added or removed stands in the order or not, whatever `untouched` says.
        let bucket = |piece: u32| self.availability[piece as usize] as usize;
        let mut ends = vec![0; self.counts.len()];
        self.order.iter().for_each(|piece| ends[bucket(*piece)] += 1);
        let mut free = Vec::with_capacity(ends.len());
        let mut sum = 0;
        for end in &mut ends {
            free.push(sum);
            sum += *end;
            *end = sum;
        }
        let mut order = vec![0; self.order.len()];
        for piece in &self.order {
            let at = &mut free[bucket(*piece)];
            order[*at] = *piece;
            *at += 1;
        }
        let mut start = 0;
        for end in &ends {
            rng.shuffle(&mut order[start..*end]);
            start = *end;
        }
        for (at, piece) in (0u32..).zip(&order) {
            self.position[*piece as usize] = at;
        }
        (self.order, self.ends) = (order, ends);
    }

    /// How many connected peers have the piece.
    pub(crate) fn availability(&self, piece: u32) -> u32 {
        self.availability[piece as usize] + self.seeds
    }

    /// The lowest availability of any piece, missing or not.
    pub(crate) fn availability_min(&self) -> u32 {
        let lowest = (0u32..).zip(&self.counts).find(|(_, count)| **count > 0);
        lowest.map_or(0, |(min, _)| min + self.seeds)
    }

    /// Untouched missing pieces that no connected peer has.
    pub(crate) fn unavailable(&self) -> u32 {
        if self.seeds > 0 { 0 } else { self.unseen }
    }

    /// Whether every missing piece that a connected peer has is touched.
    pub(crate) fn reachable_is_empty(&self) -> bool {
        self.order.len() == self.unavailable() as usize
    }

    pub(crate) fn is_untouched(&self, piece: u32) -> bool {
        self.untouched.get(piece)
    }

    /// How many pieces ever became untouched; for [`Picker::returned_since`].
    pub(crate) fn returns(&self) -> u64 {
        self.returns
    }

    /// The pieces that became untouched since, latest first; `None` if they are too many to remember.
    pub(crate) fn returned_since(&self, returns: u64) -> Option<impl Iterator<Item = u32> + '_> {
        let count = usize::try_from(self.returns - returns).ok().filter(|count| *count <= RETURNED_MAX)?;
        Some(self.returned.iter().take(count).copied())
    }

    /// The rarest untouched piece that fits. If hardly any fits this walks over all: see [`Picker::rarest_of`].
    pub(crate) fn rarest(&self, fits: impl Fn(u32) -> bool) -> Option<u32> {
        self.order.iter().copied().find(|piece| fits(*piece))
    }

    /// The rarest untouched piece of `pieces`, or one of its rarest if it has none of those that most of others have.
    pub(crate) fn rarest_of(&self, pieces: &Bitfield, rng: &mut Rng) -> Option<u32> {
        let reachable = self.reachable_by(pieces);
        let found = reachable.iter().take(TRIES_MAX).copied().find(|piece| pieces.get(*piece));
        if found.is_some() || reachable.len() <= TRIES_MAX {
            return found;
        }
        let candidates = pieces.in_common(&self.untouched, rng).take(CANDIDATES_MAX);
        candidates.min_by_key(|piece| self.availability[*piece as usize])
    }

    /// Any untouched piece of `pieces`.
    pub(crate) fn random_of(&self, pieces: &Bitfield, rng: &mut Rng) -> Option<u32> {
        let reachable = self.reachable_by(pieces);
        if reachable.is_empty() {
            return None;
        }
        let (before, after) = reachable.split_at(rng.usize(..reachable.len()));
        let mut tried = after.iter().chain(before).take(TRIES_MAX).copied();
        let found = tried.find(|piece| pieces.get(*piece));
        if found.is_some() || reachable.len() <= TRIES_MAX {
            return found;
        }
        pieces.in_common(&self.untouched, rng).next()
    }

    /// The order without what nobody has who does not have everything.
    fn reachable_by(&self, pieces: &Bitfield) -> &[u32] {
        let unseen = if self.stale || pieces.is_full() { 0 } else { self.ends[0] };
        &self.order[unseen..]
    }

    fn count_up(&mut self, piece: u32) {
        let availability = &mut self.availability[piece as usize];
        let from = *availability as usize;
        *availability += 1;
        if from + 1 >= self.counts.len() {
            self.counts.push(0);
        }
        self.counts[from] -= 1;
        self.counts[from + 1] += 1;
        self.unseen -= u32::from(from == 0 && self.untouched.get(piece));
    }

    /// False if nobody had the piece.
    fn count_down(&mut self, piece: u32) -> bool {
        let availability = &mut self.availability[piece as usize];
        let from = *availability as usize;
        if from == 0 {
            return false;
        }
        *availability -= 1;
        self.counts[from] -= 1;
        self.counts[from - 1] += 1;
        self.unseen += u32::from(from == 1 && self.untouched.get(piece));
        true
    }

    /// The piece's bucket, which is made to exist.
    fn bucket_of(&mut self, piece: u32) -> usize {
        let bucket = self.availability[piece as usize] as usize;
        while self.ends.len() <= bucket {
            self.ends.push(self.order.len());
        }
        bucket
    }

    fn shuffle(&mut self, piece: u32, rng: &mut Rng) {
        let bucket = self.bucket_of(piece);
        let start = if bucket == 0 { 0 } else { self.ends[bucket - 1] };
        self.swap(self.position[piece as usize] as usize, rng.usize(start..self.ends[bucket]));
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.order.swap(a, b);
        self.position[self.order[a] as usize] = a as u32;
        self.position[self.order[b] as usize] = b as u32;
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;

    fn check(picker: &Picker) {
        let mut start = 0;
        for (bucket, &end) in picker.ends.iter().enumerate() {
            for at in start..end {
                let piece = picker.order[at];
                assert_eq!(picker.availability[piece as usize] as usize, bucket);
                assert_eq!(picker.position[piece as usize] as usize, at);
            }
            start = end;
        }
        assert_eq!(start, picker.order.len());
    }

    /// What holds however stale the order is.
    fn check_counts(picker: &Picker) {
        let untouched: Vec<u32> = picker.untouched.iter().collect();
        let mut order = picker.order.clone();
        order.sort_unstable();
        assert_eq!(order, untouched);
        let unseen = untouched.iter().filter(|piece| picker.availability[**piece as usize] == 0).count();
        assert_eq!(picker.unseen as usize, unseen);
        assert_eq!(picker.availability.iter().min(), Some(&picker.availability_min()));
    }

    fn none(pieces: u32, rng: &mut Rng) -> Picker {
        Picker::new(pieces, std::iter::empty(), rng)
    }

    fn bits(of: u32, pieces: u32) -> Bitfield {
        let mut bits = Bitfield::empty(pieces);
        (0..pieces).filter(|piece| of >> piece & 1 == 1).for_each(|piece| {
            bits.set(piece);
        });
        bits
    }

    proptest! {
        #[test]
        fn buckets_hold_whatever_happens(steps in proptest::collection::vec((0u8..7, 0u32..4096), 0..300)) {
            let mut rng = Rng::with_seed(1);
            let mut picker = none(12, &mut rng);
            let mut counts = [0u32; 12];
            for (what, choice) in steps {
                let piece = choice % 12;
                match what {
                    0 => picker.add(piece, &mut rng),
                    1 => picker.remove(piece, &mut rng),
                    2 => {
                        picker.raise(piece, &mut rng);
                        counts[piece as usize] += 1;
                    }
                    3 if counts[piece as usize] > 0 => {
                        picker.lower(piece, &mut rng);
                        counts[piece as usize] -= 1;
                    }
                    4 => {
                        let bits = bits(choice, 12);
                        picker.raise_all(&bits, &mut rng);
                        bits.iter().for_each(|piece| counts[piece as usize] += 1);
                    }
                    5 => {
                        let mut bits = bits(choice, 12);
                        (0..12).filter(|piece| counts[*piece as usize] == 0).for_each(|piece| {
                            bits.clear(piece);
                        });
                        picker.lower_all(&bits, &mut rng);
                        bits.iter().for_each(|piece| counts[piece as usize] -= 1);
                    }
                    6 => picker.refresh(&mut rng),
                    _ => {}
                }
                check_counts(&picker);
                if !picker.stale {
                    check(&picker);
                }
                let peer = bits(choice, 12);
                let has_any = picker.untouched.iter().any(|piece| peer.get(piece) && counts[piece as usize] > 0);
                let found = picker.rarest_of(&peer, &mut rng);
                prop_assert!(found.is_none_or(|piece| peer.get(piece) && picker.is_untouched(piece)));
                prop_assert!(found.is_some() || !has_any);
                prop_assert_eq!(found.is_some(), picker.random_of(&peer, &mut rng).is_some());
            }
            prop_assert_eq!(&picker.availability[..], &counts[..]);
        }
    }

    #[test]
    fn the_rarest_comes_first_and_equals_come_in_random_order() {
        let mut rng = Rng::with_seed(3);
        let mut picker = none(100, &mut rng);
        for piece in 0..100 {
            picker.add(piece, &mut rng);
            for _ in 0..=(piece / 50) {
                picker.raise(piece, &mut rng);
            }
        }
        assert!(picker.rarest(|_| true).unwrap() < 50);
        assert_eq!(picker.rarest(|p| p >= 99), Some(99));
        assert_eq!((picker.unavailable(), picker.reachable_is_empty()), (0, false));
        let in_order = picker.order[..50].windows(2).filter(|two| two[0] < two[1]).count();
        assert!((15..35).contains(&in_order), "{in_order} of 49 neighbours rise");
    }

    #[test]
    fn a_peer_that_has_few_of_many_pieces_is_given_its_rarest() {
        let mut rng = Rng::with_seed(5);
        let mut picker = Picker::new(100_000, 0..100_000, &mut rng);
        let mut all_but_few = Bitfield::full(100_000);
        let mut few = Bitfield::empty(100_000);
        for piece in [7, 70_000, 99_999] {
            few.set(piece);
            all_but_few.clear(piece);
        }
        picker.raise_all(&all_but_few, &mut rng);
        (0..3).for_each(|_| picker.raise_all(&few, &mut rng));
        picker.lower(70_000, &mut rng);
        picker.refresh(&mut rng);
        check(&picker);
        assert_eq!(picker.rarest_of(&few, &mut rng), Some(70_000));
        assert!(picker.random_of(&few, &mut rng).is_some_and(|piece| few.get(piece)));
        few.iter().for_each(|piece| picker.remove(piece, &mut rng));
        assert_eq!((picker.rarest_of(&few, &mut rng), picker.random_of(&few, &mut rng)), (None, None));
    }

    #[test]
    fn pieces_that_came_back_are_remembered_a_few_at_a_time() {
        let mut rng = Rng::with_seed(5);
        let mut picker = none(1_000, &mut rng);
        (0..10).for_each(|piece| picker.add(piece, &mut rng));
        let before = picker.returns();
        [20, 21].into_iter().for_each(|piece| picker.add(piece, &mut rng));
        assert_eq!(picker.returned_since(before).map(Iterator::collect::<Vec<_>>), Some(vec![21, 20]));
        (100..200).for_each(|piece| picker.add(piece, &mut rng));
        assert!(picker.returned_since(before).is_none());
    }
}
