//! One cap: a token bucket that keeps to its rate over any second and to little more over any tenth of one.
//!
//! Two levels fill together: the long one at the cap, the short one a tenth faster but hardly deeper than a grant.
//! Bytes pass only if both have them. So a caller that comes late makes good what it missed, and still sends no burst.
//! A third level bounds what acknowledgements and messages may take: half of the cap, so that blocks always move.

use std::time::Duration;

use crate::Time;

/// How much may be made good at once, in time at the cap's rate: a second carries at most 4 % and a packet more.
const BURST: Duration = Duration::from_millis(40);
/// The same for the fast level: with [`PEAK_PERCENT`] it bounds every tenth of a second.
const PEAK_BURST: Duration = Duration::from_millis(15);
/// The fast level's rate.
const PEAK_PERCENT: i128 = 110;
/// How far acknowledgements may run ahead of their half, in time at half of the cap.
const OVERHEAD_BURST: Duration = Duration::from_millis(250);
/// A packet, which every level has room for besides, however low the cap is, in bytes.
const PACKET_MAX: i128 = 1_600;
/// Levels are in millionths of a byte, so that no fraction is lost between calls.
const MICROS: i128 = 1_000_000;

/// What a bucket says to a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// The bytes are there.
    Now,
    /// They will be.
    At(Time),
    /// The cap is zero.
    Never,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    cap: Option<u64>,
    level: i128,
    peak: i128,
    overhead: i128,
    /// What nobody took while it was there.
    idle: i128,
    filled_at: Time,
}

impl Bucket {
    pub(super) fn cap(&self) -> Option<u64> {
        self.cap
    }

    /// A new cap begins without savings beyond one packet, and with the debt of the old one.
    pub(super) fn set_cap(&mut self, cap: Option<u64>) {
        self.cap = cap;
        self.level = self.level.min(PACKET_MAX * MICROS);
        self.peak = self.peak.min(PACKET_MAX * MICROS);
        self.overhead = self.overhead.clamp(0, self.most(50, OVERHEAD_BURST));
    }

    /// Bytes that the cap would have let pass and that nobody took.
    pub(super) fn idle_bytes(&mut self, now: Time) -> u64 {
        self.fill(now);
        u64::try_from(self.idle / MICROS).unwrap_or(u64::MAX)
    }

    /// Whether `bytes` may pass now. A wish larger than what the bucket holds passes when it is full.
    pub(super) fn offer(&mut self, now: Time, bytes: u64) -> Offer {
        let Some(cap) = self.cap else { return Offer::Now };
        if cap == 0 {
            return Offer::Never;
        }
        self.fill(now);
        let wanted = i128::from(bytes) * MICROS;
        let long = wanted.min(self.most(100, BURST)) - self.level;
        let short = wanted.min(self.most(PEAK_PERCENT, PEAK_BURST)) - self.peak;
        if long <= 0 && short <= 0 {
            return Offer::Now;
        }
        let rate = i128::from(cap);
        let wait = (long.max(0) / rate).max(short.max(0) * 100 / (rate * PEAK_PERCENT)) + 1;
        Offer::At(now + Duration::from_micros(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// Takes what was offered.
    pub(super) fn spend(&mut self, bytes: u64) {
        if self.cap.is_some() {
            self.level -= i128::from(bytes) * MICROS;
            self.peak -= i128::from(bytes) * MICROS;
        }
    }

    /// Gives back what was taken and not used.
    pub(super) fn refund(&mut self, bytes: u64) {
        self.level = (self.level + i128::from(bytes) * MICROS).min(self.most(100, BURST));
        self.peak = (self.peak + i128::from(bytes) * MICROS).min(self.most(PEAK_PERCENT, PEAK_BURST));
    }

    /// Takes what passes without being asked, as far as it fits into half of the cap.
    pub(super) fn charge(&mut self, now: Time, bytes: u64) {
        if self.cap.is_none_or(|cap| cap == 0) {
            return;
        }
        self.fill(now);
        let taken = (i128::from(bytes) * MICROS).min(self.overhead);
        self.overhead -= taken;
        self.level -= taken;
        self.peak -= taken;
    }

    fn fill(&mut self, now: Time) {
        let elapsed = i128::try_from(now.since(self.filled_at).as_micros()).unwrap_or(0);
        self.filled_at = self.filled_at.max(now);
        let gained = i128::from(self.cap.unwrap_or(0)) * elapsed;
        let level = (self.level + gained).min(self.most(100, BURST));
        self.idle += self.level + gained - level;
        self.level = level;
        self.peak = (self.peak + gained * PEAK_PERCENT / 100).min(self.most(PEAK_PERCENT, PEAK_BURST));
        self.overhead = (self.overhead + gained / 2).min(self.most(50, OVERHEAD_BURST));
    }

    fn most(&self, percent: i128, burst: Duration) -> i128 {
        let micros = i128::try_from(burst.as_micros()).unwrap_or(0);
        i128::from(self.cap.unwrap_or(0)) * micros * percent / 100 + PACKET_MAX * MICROS
    }
}
