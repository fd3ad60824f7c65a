//! How hard to pack: as hard as the time allows that the line leaves.
//!
//! What counts is the part of the time between the first and the last run that went into packing, waiting for a turn at
//! it included: on a slow line or beside a peer that asks for little it is small and the level rises; where packing
//! keeps the line waiting it is near all of it and the level falls, but not to the lowest while more is delivered than
//! usual lines carry plain: that level's frames are a tenth larger. Packing that takes all of the time is compared with
//! not packing, now and then, by what is delivered. Time comes in from outside.

use std::time::{Duration, Instant};

/// zstd's levels, with the time they take beside the first; what is measured corrects what these foretell.
const LEVELS: [(i32, f64); 5] = [(1, 1.0), (3, 2.0), (6, 4.0), (9, 7.0), (12, 14.0)];
/// Where it begins: at level 3.
const FIRST: usize = 2;
/// Above this part of the time the level falls, and to one that will take less than the second it rises.
const BUSY: f64 = 0.7;
const CALM: f64 = 0.4;
/// A look at it is worth so much time and so many bytes.
const LOOK_TIME: Duration = Duration::from_millis(250);
const LOOK_BYTES: usize = 1 << 20;
/// A pause longer than this is no headroom: nobody asked for anything.
const PAUSE: Duration = Duration::from_secs(1);
/// What a gigabit carries plain, bytes per second, and a little more: who delivers this has no use for the lowest level.
const BRISK: f64 = 130e6;
/// Delivering so much more is worth another way of doing it.
const BETTER: f64 = 1.1;
/// How many looks lie between two comparisons at first, and at most.
const COMPARED_AFTER: u32 = 16;
const COMPARED_SOON: u32 = 2;
const COMPARED_AFTER_MAX: u32 = 256;

/// How hard: zero is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Step(usize);

impl Step {
    /// zstd's level; `None`: plain.
    pub(super) fn level(self) -> Option<i32> {
        self.0.checked_sub(1).map(|at| LEVELS[at].0)
    }

    /// Time beside the lowest level's.
    fn cost(self) -> f64 {
        LEVELS[self.0.max(1) - 1].1
    }
}

/// See the module.
#[derive(Debug)]
pub(in super::super) struct Pace {
    step: Step,
    began: Option<Instant>,
    last: Option<Instant>,
    /// Time that passed in pauses.
    paused: Duration,
    packing: Duration,
    content: usize,
    comparison: Comparison,
}

/// Plain against the lowest level.
#[derive(Debug, Clone, Copy)]
struct Comparison {
    /// The other way and what it delivered, bytes per second, while this one is tried.
    other: Option<(Step, f64)>,
    /// Looks until the next comparison.
    rest: u32,
    /// The rest after the next.
    next_rest: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            step: Step(FIRST),
            began: None,
            last: None,
            paused: Duration::ZERO,
            packing: Duration::ZERO,
            content: 0,
            comparison: Comparison { other: None, rest: COMPARED_AFTER, next_rest: COMPARED_AFTER },
        }
    }
}

impl Pace {
    pub(in super::super) fn step(&self) -> Step {
        self.step
    }

    /// A run of so many bytes went out, and packing it took so long.
    pub(in super::super) fn went(&mut self, content: usize, packing: Duration) {
        self.went_at(Instant::now(), content, packing);
    }

    fn went_at(&mut self, now: Instant, content: usize, packing: Duration) {
        let (Some(began), Some(last)) = (self.began, self.last) else {
            (self.began, self.last) = (Some(now), Some(now));
            return;
        };
        let since = now.duration_since(last);
        self.paused += since.saturating_sub(PAUSE);
        self.last = Some(now);
        self.packing += packing;
        self.content += content;
        let elapsed = now.duration_since(began).saturating_sub(self.paused);
        if elapsed < LOOK_TIME || (self.content < LOOK_BYTES && elapsed < LOOK_TIME * 4) {
            return;
        }
        let share = self.packing.as_secs_f64() / elapsed.as_secs_f64();
        let delivered = self.content as f64 / elapsed.as_secs_f64();
        let before = self.step;
        self.step = self.look(share, delivered);
        if self.step != before {
            tracing::debug!(level = self.step.level(), share, delivered, "packing goes on at another level");
        }
        (self.began, self.paused) = (Some(now), Duration::ZERO);
        (self.packing, self.content) = (Duration::ZERO, 0);
    }

    fn look(&mut self, share: f64, delivered: f64) -> Step {
        if let Some((step, other)) = self.comparison.other.take() {
            return self.compare(delivered, step, other);
        }
        let at = self.step.0;
        self.comparison.rest = self.comparison.rest.saturating_sub(1);
        if at > 1 && share > BUSY && (at > FIRST || delivered < BRISK) {
            if at == FIRST {
                // There is little time: whether packing is of any use is soon to be known.
                self.comparison.rest = self.comparison.rest.min(COMPARED_SOON);
            }
            return Step(at - 1);
        }
        if self.comparison.rest == 0 && (at == 0 || share > BUSY) {
            self.comparison.other = Some((self.step, delivered));
            return Step(usize::from(at == 0));
        }
        let fits = |step: &usize| share * Step(*step).cost() / self.step.cost() < CALM;
        let higher = (at.max(1) + 1..=LEVELS.len()).rev().find(fits).filter(|_| at > 0);
        higher.map_or(self.step, Step)
    }

    /// The way that is tried against the one before.
    fn compare(&mut self, delivered: f64, before: Step, other: f64) -> Step {
        if delivered > other * BETTER {
            (self.comparison.rest, self.comparison.next_rest) = (COMPARED_AFTER, COMPARED_AFTER);
            return self.step;
        }
        self.comparison.rest = self.comparison.next_rest;
        self.comparison.next_rest = (self.comparison.next_rest * 2).min(COMPARED_AFTER_MAX);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: usize = 256 * 1024;

    /// Runs on a line of so many bytes of content a second packed and plain, where the lowest level packs so many.
    fn after(seconds: u64, packed_line: f64, plain_line: f64, packs: f64) -> Vec<Option<i32>> {
        let mut pace = Pace::default();
        let (start, mut now) = (Instant::now(), Instant::now());
        let mut levels = Vec::new();
        while now.duration_since(start) < Duration::from_secs(seconds) {
            let level = pace.step().level();
            let packing = level.map_or(0.0, |_| RUN as f64 / packs * pace.step().cost());
            let line = RUN as f64 / if level.is_some() { packed_line } else { plain_line };
            now += Duration::from_secs_f64(packing.max(line));
            pace.went_at(now, RUN, Duration::from_secs_f64(packing));
            levels.push(level);
        }
        levels.split_off(levels.len() / 2)
    }

    fn share(levels: &[Option<i32>], of: Option<i32>) -> f64 {
        levels.iter().filter(|level| **level == of).count() as f64 / levels.len() as f64
    }

    #[test]
    fn a_slow_line_deserves_the_highest_level_and_a_fast_one_the_lowest_or_none() {
        const MB: f64 = 1e6;
        let slow = after(10, 4.0 * MB, 2.0 * MB, 400.0 * MB);
        assert!(share(&slow, Some(12)) > 0.99, "{slow:?}");
        let middling = after(10, 60.0 * MB, 25.0 * MB, 400.0 * MB);
        assert!(share(&middling, Some(3)) + share(&middling, Some(6)) > 0.99, "{middling:?}");
        let gigabit = after(30, 280.0 * MB, 118.0 * MB, 400.0 * MB);
        assert!(share(&gigabit, Some(3)) > 0.8, "{gigabit:?}");
        let with_less_time = after(30, 280.0 * MB, 118.0 * MB, 220.0 * MB);
        assert!(share(&with_less_time, Some(1)) > 0.8, "{with_less_time:?}");
        let loopback = after(30, 5_000.0 * MB, 2_000.0 * MB, 400.0 * MB);
        assert!(share(&loopback, None) > 0.8, "{loopback:?}");
    }

    #[test]
    fn a_pause_is_no_headroom() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for _ in 0..40 {
            // Packing was all there was, between long pauses.
            now += Duration::from_secs(60);
            pace.went_at(now, RUN, Duration::from_millis(990));
        }
        assert_eq!(pace.step().level().filter(|level| *level > 1), None);
    }
}
