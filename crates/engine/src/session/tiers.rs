//! In which order trackers are asked (BEP 12).
//!
//! A tier is shuffled once, when it is made. The first tracker that answers ends a round and moves to the front of its
//! tier; a later tier is asked only when all of the earlier ones failed.

/// Trackers of one torrent at most: a torrent file from a stranger may name thousands.
const TRACKERS_MAX: usize = 50;

/// Trackers by number, in tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tiers(Vec<Vec<usize>>);

impl Tiers {
    /// Shuffles each tier and says which trackers are numbered: at most [`TRACKERS_MAX`], none twice.
    pub(super) fn new<T: PartialEq>(tiers: Vec<Vec<T>>, random: &mut fastrand::Rng) -> (Self, Vec<T>) {
        let mut numbered: Vec<T> = Vec::new();
        let mut order = Vec::new();
        for tier in tiers {
            let first = numbered.len();
            for tracker in tier {
                if numbered.len() < TRACKERS_MAX && !numbered.contains(&tracker) {
                    numbered.push(tracker);
                }
            }
            let mut numbers: Vec<usize> = (first..numbered.len()).collect();
            random.shuffle(&mut numbers);
            order.push(numbers);
        }
        (Self(order), numbered)
    }

    /// Moves a tracker that answered to the front of its tier.
    pub(super) fn answered(&mut self, tracker: usize) {
        for tier in &mut self.0 {
            if let Some(at) = tier.iter().position(|number| *number == tracker) {
                tier[..=at].rotate_right(1);
            }
        }
    }

    /// All of them, in the order in which they are asked.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> {
        self.0.iter().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(seed: u64) -> (Tiers, Vec<char>) {
        let named = vec![vec!['a', 'b', 'c', 'd'], vec![], vec!['e', 'a'], vec!['f']];
        Tiers::new(named, &mut fastrand::Rng::with_seed(seed))
    }

    #[test]
    fn tiers_stay_in_order_and_are_shuffled_within() {
        let orders: std::collections::BTreeSet<Vec<usize>> = (0..40)
            .map(|seed| {
                let (tiers, trackers) = tiers(seed);
                assert_eq!(trackers, ['a', 'b', 'c', 'd', 'e', 'f'], "a tracker named twice is asked once");
                let order: Vec<usize> = tiers.order().collect();
                assert_eq!(order[4..], [4, 5], "seed {seed}: a later tier comes later");
                order
            })
            .collect();
        assert!(orders.len() > 10, "forty shuffles of four gave {}", orders.len());
    }

    #[test]
    fn who_answers_is_asked_first_next_time() {
        let (mut tiers, _) = tiers(7);
        let last = tiers.order().nth(3).expect("four in the first tier");
        let before: Vec<usize> = tiers.order().filter(|number| *number != last).collect();
        tiers.answered(last);
        let after: Vec<usize> = tiers.order().collect();
        assert_eq!(after[0], last);
        assert_eq!(after[1..], before, "the others keep their order");
    }

    #[test]
    fn a_torrent_that_names_thousands_is_cut() {
        let many = (0..5_000).map(|n| vec![n]).collect();
        let (tiers, trackers) = Tiers::new(many, &mut fastrand::Rng::with_seed(1));
        assert_eq!((tiers.order().count(), trackers.len()), (TRACKERS_MAX, TRACKERS_MAX));
    }
}
