//! Which missing piece is the rarest: buckets of untouched pieces by how many peers have them.
//!
//! Invariant: `order` holds every untouched missing piece once, sorted by availability, random among equals;
//! `ends[a]` is where the bucket of availability `a` ends. A change of one piece's availability costs a swap. Peers
//! that have everything are counted apart, so that a seed coming or going costs nothing.

use fastrand::Rng;

const ABSENT: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Picker {
    availability: Vec<u32>,
    seeds: u32,
    order: Vec<u32>,
    position: Vec<u32>,
    ends: Vec<usize>,
}

impl Picker {
    /// No piece is missing yet; [`Picker::add`] says which are.
    pub(crate) fn new(pieces: u32) -> Self {
        let pieces = pieces as usize;
        Self {
            availability: vec![0; pieces],
            seeds: 0,
            order: Vec::new(),
            position: vec![ABSENT; pieces],
            ends: vec![0],
        }
    }

    /// A piece is missing and untouched.
    pub(crate) fn add(&mut self, piece: u32, rng: &mut Rng) {
        if self.position[piece as usize] != ABSENT {
            return;
        }
        let own = self.bucket_of(piece);
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
    pub(crate) fn remove(&mut self, piece: u32) {
        if self.position[piece as usize] == ABSENT {
            return;
        }
        for bucket in self.bucket_of(piece)..self.ends.len() {
            self.ends[bucket] -= 1;
            self.swap(self.position[piece as usize] as usize, self.ends[bucket]);
        }
        self.order.pop();
        self.position[piece as usize] = ABSENT;
    }

    /// One more peer has the piece.
    pub(crate) fn raise(&mut self, piece: u32, rng: &mut Rng) {
        let from = self.bucket_of(piece);
        self.availability[piece as usize] += 1;
        self.bucket_of(piece);
        if self.position[piece as usize] != ABSENT {
            self.ends[from] -= 1;
            self.swap(self.position[piece as usize] as usize, self.ends[from]);
            self.shuffle(piece, rng);
        }
    }

    /// One peer less has the piece.
    pub(crate) fn lower(&mut self, piece: u32, rng: &mut Rng) {
        let from = self.bucket_of(piece);
        if from == 0 {
            return;
        }
        self.availability[piece as usize] -= 1;
        if self.position[piece as usize] != ABSENT {
            self.swap(self.position[piece as usize] as usize, self.ends[from - 1]);
            self.ends[from - 1] += 1;
            self.shuffle(piece, rng);
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

    /// How many connected peers have the piece.
    pub(crate) fn availability(&self, piece: u32) -> u32 {
        self.availability[piece as usize] + self.seeds
    }

    /// The lowest availability of any piece, missing or not.
    pub(crate) fn availability_min(&self) -> u32 {
        self.availability.iter().min().map_or(0, |min| min + self.seeds)
    }

    /// Untouched missing pieces that no connected peer has.
    pub(crate) fn unavailable(&self) -> u32 {
        if self.seeds > 0 { 0 } else { self.ends[0] as u32 }
    }

    /// Whether every missing piece that a connected peer has is touched.
    pub(crate) fn reachable_is_empty(&self) -> bool {
        self.order.len() == self.unavailable() as usize
    }

    /// The rarest untouched piece that fits.
    pub(crate) fn rarest(&self, fits: impl Fn(u32) -> bool) -> Option<u32> {
        self.order.iter().copied().find(|piece| fits(*piece))
    }

    /// Any untouched piece that fits.
    pub(crate) fn random(&self, rng: &mut Rng, fits: impl Fn(u32) -> bool) -> Option<u32> {
        if self.order.is_empty() {
            return None;
        }
        let (before, after) = self.order.split_at(rng.usize(..self.order.len()));
        after.iter().chain(before).copied().find(|piece| fits(*piece))
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

    proptest! {
        #[test]
        fn buckets_hold_whatever_happens(steps in proptest::collection::vec((0u8..4, 0u32..12), 0..300)) {
            let (mut picker, mut rng) = (Picker::new(12), Rng::with_seed(1));
            let mut counts = [0u32; 12];
            for (what, piece) in steps {
                match what {
                    0 => picker.add(piece, &mut rng),
                    1 => picker.remove(piece),
                    2 => {
                        picker.raise(piece, &mut rng);
                        counts[piece as usize] += 1;
                    }
                    _ if counts[piece as usize] > 0 => {
                        picker.lower(piece, &mut rng);
                        counts[piece as usize] -= 1;
                    }
                    _ => {}
                }
                check(&picker);
            }
            prop_assert_eq!(&picker.availability[..], &counts[..]);
        }
    }

    #[test]
    fn the_rarest_comes_first_and_equals_come_in_random_order() {
        let mut rng = Rng::with_seed(3);
        let mut picker = Picker::new(100);
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
}
