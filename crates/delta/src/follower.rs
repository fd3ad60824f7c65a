//! Foretells literal bytes from the old text that the gap replaces: whoever edits leaves most words standing.

use crate::symbol::{GUESS_BUCKETS, Guess};

/// Bytes that must agree before a place is followed.
const AGREE: usize = 4;
/// How far from the expected place another is looked for.
const BACK: usize = 64;
const AHEAD: usize = 512;

/// A place in the old image, near where the run before the gap ended.
pub(crate) struct Follower {
    place: usize,
    agreed: usize,
    follows: bool,
}

impl Follower {
    /// The run before ends at `place`.
    pub(crate) fn new(place: usize) -> Self {
        Self { place, agreed: 0, follows: false }
    }

    /// What comes after `gap`, the gap's bytes so far.
    pub(crate) fn guess(&mut self, old: &[u8], gap: &[u8]) -> Option<Guess> {
        if !self.follows {
            self.look(old, gap);
        }
        let byte = *old.get(self.place).filter(|_| self.follows)?;
        Some(Guess { byte, bucket: self.agreed.min(GUESS_BUCKETS - 1) as u8 })
    }

    pub(crate) fn learn(&mut self, old: &[u8], byte: u8) {
        if self.follows && old.get(self.place) == Some(&byte) {
            self.agreed += 1;
        } else {
            self.follows = false;
            self.agreed = 0;
        }
        self.place += 1;
    }

    fn look(&mut self, old: &[u8], gap: &[u8]) {
        let Some((_, last)) = gap.split_last_chunk::<AGREE>() else { return };
        let start = self.place.saturating_sub(BACK + AGREE);
        let Some(near) = old.get(start..(self.place + AHEAD).min(old.len())) else { return };
        let expected = self.place - start;
        let found = near.windows(AGREE).enumerate().filter(|(_, window)| window == last);
        let ends = found.map(|(at, _)| at + AGREE);
        if let Some(end) = ends.min_by_key(|end| end.abs_diff(expected)) {
            self.place = start + end;
            self.follows = true;
            self.agreed = 0;
        }
    }
}
