//! Bytes of the new image that no run foretells.

use crate::coder::{Coder, Trainer};
use crate::finder::{Finder, History};
use crate::follower::Follower;
use crate::symbol::{Bytes, GUESSES, inputs, join, table_bytes};

const CONTEXTS: usize = 6;
const INPUTS: usize = inputs(CONTEXTS);
/// How fast the weights learn.
const RATE: i32 = 10;
/// Sets of weights: by how far into the gap a byte stands.
const SELECTIONS: usize = 3;
/// 2^15 lines are 2 MiB: what a processor's second cache holds, nearly.
const TABLE_LOG_MAX: u32 = 15;

pub(crate) struct Literals {
    bytes: Bytes<CONTEXTS, INPUTS>,
    finder: Finder,
    /// A hash of the letters since the last that was none.
    word: u32,
}

impl Literals {
    /// `count` literal bytes will come, after `warm_bytes` to learn from; `old` is searched for what resembles them if `search_old`.
    pub(crate) fn new(count: usize, warm_bytes: usize, old: &[u8], search_old: bool) -> Self {
        let searched = if search_old { old } else { &[] };
        let mut finder = Finder::new(count + searched.len());
        finder.learn_all(searched);
        Self { bytes: Bytes::new(table_log(count + warm_bytes), SELECTIONS, RATE), finder, word: 0 }
    }

    /// Bytes that [`Self::new`] takes.
    pub(crate) fn memory(count: u64, old_len: u64) -> u64 {
        table_bytes(TABLE_LOG_MAX) + Finder::bytes(count + old_len)
    }

    /// Codes `image[start..end]`; what stands there already is not looked at. `replaced`: where the old text begins that
    /// the gap replaces.
    pub(crate) fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        old: &[u8],
        image: &mut [u8],
        (start, end): (usize, usize),
        truth: Option<&[u8]>,
        replaced: Option<usize>,
    ) {
        self.finder.forget();
        self.word = 0;
        let mut follower = replaced.map(Follower::new);
        for at in start..end {
            let wanted = truth.map_or(0, |truth| truth[at]);
            let contexts = self.contexts(&image[..at], at);
            let guesses = [
                self.finder.guess(History { old, new: &image[..at] }, at),
                follower.as_mut().and_then(|follower| follower.guess(old, &image[start..at])),
            ];
            let byte = self.bytes.code(coder, &contexts, guesses, (at - start).min(SELECTIONS - 1), wanted);
            image[at] = byte;
            if let Some(follower) = &mut follower {
                follower.learn(old, byte);
            }
            self.finder.learn(History { old, new: &image[..=at] }, at);
            self.word = next_word(self.word, byte);
        }
    }

    /// Learns from old bytes: what was written there is like what replaces it.
    pub(crate) fn warm(&mut self, old: &[u8], (from, to): (usize, usize)) {
        self.word = 0;
        for at in from..to {
            let contexts = self.contexts(&old[..at], at);
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

    fn contexts(&self, done: &[u8], at: usize) -> [u32; CONTEXTS] {
        let back = |count: usize| at.checked_sub(count).map_or(0, |place| u32::from(done[place]));
        let two = back(1) | back(2) << 8;
        let four = two | back(3) << 16 | back(4) << 24;
        [0, back(1), two, four & 0xff_ffff, join(four, back(5)), self.word ^ back(1)]
    }
}

fn next_word(word: u32, byte: u8) -> u32 {
    if byte.is_ascii_alphanumeric() || byte >= 128 { join(word.wrapping_add(1), u32::from(byte)) } else { 0 }
}

fn table_log(count: usize) -> u32 {
    (usize::BITS - count.saturating_mul(2).leading_zeros()).clamp(6, TABLE_LOG_MAX)
}
