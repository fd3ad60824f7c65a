//! Foretells the next literal byte from the last place, old or new, that looked like this one.

use crate::symbol::{GUESS_BUCKETS, Guess};

/// Bytes that must agree before a place is believed.
const AGREE_MIN: usize = 5;
/// How far back agreement is counted.
const AGREE_MAX: usize = 400;

/// The old image and as much of the new one as is there, as one history.
#[derive(Clone, Copy)]
pub(crate) struct History<'a> {
    pub(crate) old: &'a [u8],
    pub(crate) new: &'a [u8],
}

impl History<'_> {
    #[inline]
    fn at(&self, place: usize) -> Option<u8> {
        place
            .checked_sub(self.old.len())
            .map_or_else(|| self.old.get(place), |place| self.new.get(place))
            .copied()
    }
}

pub(crate) struct Finder {
    slots: Vec<u32>,
    shift: u32,
    /// Where the next byte is expected, and how many before it agreed.
    place: usize,
    agreed: usize,
}

impl Finder {
    /// For `count` places.
    pub(crate) fn new(count: usize) -> Self {
        let log = log_of(count);
        Self { slots: vec![0; 1 << log], shift: 64 - log, place: 0, agreed: 0 }
    }

    pub(crate) fn bytes(count: u64) -> u64 {
        4 << log_of(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Every place of `old` can be found from now on.
    pub(crate) fn learn_all(&mut self, old: &[u8]) {
        for (start, window) in old.windows(AGREE_MIN).enumerate() {
            let slot = self.slot(window);
            self.slots[slot] = (start + AGREE_MIN) as u32;
        }
    }

    /// What the byte at `at` of the new image may be.
    pub(crate) fn guess(&mut self, history: History<'_>, at: usize) -> Option<Guess> {
        if self.agreed == 0 {
            self.look(history, at);
        }
        if self.agreed == 0 {
            return None;
        }
        let byte = history.at(self.place)?;
        let bucket = if self.agreed < 16 { self.agreed } else { 16 + (self.agreed - 16) / 24 };
        Some(Guess { byte, bucket: bucket.min(GUESS_BUCKETS - 1) as u8 })
    }

    /// The byte at `at` has become known.
    pub(crate) fn learn(&mut self, history: History<'_>, at: usize) {
        if self.agreed > 0 {
            let right = history.at(self.place) == Some(history.new[at]);
            self.agreed = if right { (self.agreed + 1).min(AGREE_MAX) } else { 0 };
            self.place += 1;
        }
        if let Some(window) = (at + 1).checked_sub(AGREE_MIN).and_then(|start| history.new.get(start..=at)) {
            let slot = self.slot(window);
            self.slots[slot] = (history.old.len() + at + 1) as u32;
        }
    }

    /// What comes next does not follow what came.
    pub(crate) fn forget(&mut self) {
        self.agreed = 0;
    }

    fn look(&mut self, history: History<'_>, at: usize) {
        let Some(window) = at.checked_sub(AGREE_MIN).map(|start| &history.new[start..at]) else { return };
        let place = self.slots[self.slot(window)] as usize;
        let here = history.old.len() + at;
        if place == 0 || place >= here {
            return;
        }
        let counted = (1..=AGREE_MAX.min(at).min(place)).take_while(|back| {
            place - back < here && history.at(place - back) == Some(history.new[at - back])
        });
        let agreed = counted.count();
        if agreed >= AGREE_MIN {
            (self.place, self.agreed) = (place, agreed);
        }
    }

    #[inline]
    fn slot(&self, window: &[u8]) -> usize {
        let sum = window.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        (sum.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }
}

fn log_of(count: usize) -> u32 {
    (usize::BITS - count.leading_zeros()).clamp(8, 21)
}
