//! Bytes of the new image that no run foretells.

use crate::coder::{Coder, Trainer};
use crate::finder::{Finder, History};
use crate::follower::Follower;
use crate::symbol::{Bytes, GUESSES, Pace, inputs, join, table_bytes};

const CONTEXTS: usize = 9;
const INPUTS: usize = inputs(CONTEXTS);
const PACE: Pace = Pace { rate: 10, memory: 30 };
/// Sets of weights: by how far into the gap a byte stands.
const SELECTIONS: usize = 3;
/// 2^18 slots are 16 MiB.
const TABLE_LOG_MAX: u32 = 18;

pub(crate) struct Literals {
    bytes: Bytes<CONTEXTS, INPUTS>,
    finder: Finder,
    /// A hash of the letters since the last that was none.
    word: u32,
}

/// Where a gap's bytes would stand in the old image if the runs around it went on.
#[derive(Clone, Copy)]
pub(crate) struct Neighbours {
    /// Old − new of the run before.
    pub(crate) before: i64,
    /// Old − new of the run after.
    pub(crate) after: i64,
    /// Where the old bytes begin that the gap replaces.
    pub(crate) replaced: usize,
}

impl Literals {
    /// `count` literal bytes will come, after `warm_bytes` to learn from; `old` is searched for what resembles them if `search_old`.
    pub(crate) fn new(count: usize, warm_bytes: usize, old: &[u8], search_old: bool) -> Self {
        let searched = if search_old { old } else { &[] };
        let mut finder = Finder::new(count + searched.len());
        finder.learn_all(searched);
        Self { bytes: Bytes::new(table_log(count + warm_bytes), SELECTIONS, PACE), finder, word: 0 }
    }

    /// Bytes that [`Self::new`] takes.
    pub(crate) fn memory(count: u64, old_len: u64) -> u64 {
        table_bytes(TABLE_LOG_MAX) + Finder::bytes(count + old_len)
    }

    /// Codes `image[start..end]`; what stands there already is not looked at.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        old: &[u8],
        image: &mut [u8],
        (start, end): (usize, usize),
        truth: Option<&[u8]>,
        neighbours: Neighbours,
    ) {
        self.finder.forget();
        self.word = 0;
        let mut follower = Follower::new(neighbours.replaced);
        for at in start..end {
            let wanted = truth.map_or(0, |truth| truth[at]);
            let contexts = self.contexts(old, &image[..at], at, neighbours);
            let guesses = [
                self.finder.guess(History { old, new: &image[..at] }, at),
                follower.guess(old, &image[start..at]),
            ];
            let byte = self.bytes.code(coder, &contexts, guesses, (at - start).min(SELECTIONS - 1), wanted);
            image[at] = byte;
            follower.learn(old, byte);
            self.finder.learn(History { old, new: &image[..=at] }, at);
            self.word = next_word(self.word, byte);
        }
    }

    /// Learns from old bytes: what was written there is like what replaces it.
    pub(crate) fn warm(&mut self, old: &[u8], (from, to): (usize, usize)) {
        self.word = 0;
        let alone = Neighbours { before: 0, after: 0, replaced: 0 };
        for at in from..to {
            let contexts = self.contexts(&[], &old[..at], at, alone);
            self.bytes.code(
                &mut Trainer,
                &contexts,
                [None; GUESSES],
                (at - from).min(SELECTIONS - 1),
                old[at],
            );
            self.word = next_word(self.word, old[at]);
        }
    }

    fn contexts(&self, old: &[u8], done: &[u8], at: usize, neighbours: Neighbours) -> [u32; CONTEXTS] {
        let back = |count: usize| at.checked_sub(count).map_or(0, |place| u32::from(done[place]));
        let aligned = |shift: i64| {
            let place = usize::try_from(at as i64 + shift).ok();
            place.and_then(|place| old.get(place)).map_or(256, |byte| u32::from(*byte))
        };
        let two = back(1) | back(2) << 8;
        let four = two | back(3) << 16 | back(4) << 24;
        let (before, after) = (aligned(neighbours.before), aligned(neighbours.after));
        [
            0,
            back(1),
            two,
            four & 0xff_ffff,
            four,
            join(four, back(5) | back(6) << 8),
            join(before, back(1) | after << 8),
            join(after, two),
            self.word ^ back(1),
        ]
    }
}

fn next_word(word: u32, byte: u8) -> u32 {
    if byte.is_ascii_alphanumeric() || byte >= 128 { join(word.wrapping_add(1), u32::from(byte)) } else { 0 }
}

fn table_log(count: usize) -> u32 {
    (usize::BITS - count.saturating_mul(10).leading_zeros()).clamp(8, TABLE_LOG_MAX)
}
