//! How many sources are used side by side: one more while that adds to what comes.
//!
//! Whether the line or the source is what limits cannot be seen, only tried. A width that brings no tenth more than
//! the one below is given up again, and tried anew after a while.

use std::time::Duration;
use tokio::time::Instant;

/// How long one width is looked at.
const EPOCH: Duration = Duration::from_secs(3);
/// How long a width that did not pay is left alone.
const WIDER_AGAIN: Duration = Duration::from_secs(60);
/// How much more the next source must bring.
const GAIN: f64 = 1.1;

/// See the module.
#[derive(Debug)]
pub(super) struct Spread {
    /// Bytes per second seen at each width, the first for one source.
    rates: Vec<f64>,
    width: usize,
    epoch: Instant,
    bytes: u64,
    idle: bool,
    wider_at: Instant,
}

impl Spread {
    pub(super) fn new(now: Instant) -> Self {
        Self { rates: Vec::new(), width: 1, epoch: now, bytes: 0, idle: false, wider_at: now }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn received(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// An epoch in which nothing was asked for at times says nothing.
    pub(super) fn tick(&mut self, now: Instant, usable: usize, busy: bool) {
        self.idle |= !busy;
        let time = now.duration_since(self.epoch);
        if time < EPOCH {
            return;
        }
        let rate = self.bytes as f64 / time.as_secs_f64();
        if !self.idle {
            self.rates.resize(self.width.max(self.rates.len()), rate);
            self.rates[self.width - 1] = rate;
            let below = self.width.checked_sub(2).map(|at| self.rates[at]);
            if below.is_some_and(|below| rate < below * GAIN) {
                self.width -= 1;
                self.wider_at = now + WIDER_AGAIN;
            } else if self.width < usable && now >= self.wider_at {
                self.width += 1;
            }
        }
        self.width = self.width.min(usable.max(1));
        (self.epoch, self.bytes, self.idle) = (now, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Widths over two minutes when `rate` is what a width brings.
    fn widths(usable: usize, rate: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut now = Instant::now();
        let mut spread = Spread::new(now);
        let mut epoch = |_| {
            spread.received(rate(spread.width()) * EPOCH.as_secs());
            now += EPOCH;
            spread.tick(now, usable, true);
            spread.width()
        };
        (0..40).map(&mut epoch).collect()
    }

    #[test]
    fn a_full_line_is_left_to_one() {
        let widths = widths(3, |_| 1_000_000);
        assert!(widths.iter().all(|width| *width <= 2));
        assert!(widths.iter().filter(|width| **width == 2).count() <= 3, "tried now and then: {widths:?}");
    }

    #[test]
    fn slow_sources_are_used_together() {
        let widths = widths(3, |width| width as u64 * 1_000_000);
        assert_eq!(&widths[..3], [2, 3, 3]);
        assert!(widths[2..].iter().all(|width| *width == 3));
    }

    #[test]
    fn what_rests_narrows_it() {
        let mut now = Instant::now();
        let mut spread = Spread::new(now);
        for usable in [2, 2, 1] {
            now += EPOCH;
            spread.received(spread.width() as u64 * 9_000_000);
            spread.tick(now, usable, true);
        }
        assert_eq!(spread.width(), 1);
    }
}
