//! When a key is asked for. Pure: clocks and random numbers come in.

use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};

/// Players spread their first question over so long, so that not all ask at once, in milliseconds.
pub(crate) const SPREAD_MS: u64 = 10_000;
/// Pause after the first time that a key was not there; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Whole seconds until `unlock` by the clock that is further, rounded up; 0 once either says that it is time.
pub(super) fn seconds_left(unlock: i64, own: DateTime<Utc>, server: Option<DateTime<Utc>>) -> u64 {
    let left = |clock: DateTime<Utc>| unlock.saturating_sub(clock.timestamp());
    let nearest = server.map_or_else(|| left(own), |server| left(own).min(left(server)));
    u64::try_from(nearest).unwrap_or(0)
}

/// What keeps a game from asking, or from preloading, too often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hour {
    /// After the hour, this game's own share of the spread.
    delay: Duration,
    /// When the hour came.
    came: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
}

impl Hour {
    /// With a number drawn at random.
    pub(crate) fn new(random: u64) -> Self {
        Self { delay: Duration::from_millis(random % SPREAD_MS), came: None, failures: 0, not_before: None }
    }

    /// Whether it is time to try, with so many seconds left by the clocks. A wait is no time, so that clocks may jump.
    pub(crate) fn may_ask(&mut self, seconds_left: u64, now: Instant) -> bool {
        if seconds_left > 0 {
            self.came = None;
            return false;
        }
        let came = *self.came.get_or_insert(now);
        now >= came + self.delay && self.may_try(now)
    }

    /// Whether the pause after a failure is over.
    pub(crate) fn may_try(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| now >= at)
    }

    /// It did not work: try again later, and not before the server wants it.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>, now: Instant) {
        let pause =
            PAUSE_FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(PAUSE_MAX);
        self.failures += 1;
        self.not_before = Some(now + pause.max(retry_after.unwrap_or_default()));
    }

    /// It worked.
    pub(crate) fn succeeded(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    #[test]
    fn a_wrong_clock_neither_waits_for_ever_nor_asks_before_both_say_so() {
        let hour = 1_000_000;
        assert_eq!(seconds_left(hour, at(hour - 60), None), 60);
        assert_eq!(seconds_left(hour, at(hour - 60), Some(at(hour - 3600))), 60);
        // Days behind, but the server knows.
        assert_eq!(seconds_left(hour, at(hour - 400_000), Some(at(hour))), 0);
        // Far ahead: it asks, and without a key gets nothing.
        assert_eq!(seconds_left(hour, at(hour + 400_000), Some(at(hour - 3600))), 0);
        assert_eq!(seconds_left(i64::MAX, at(-5), None), i64::MAX as u64);
        assert_eq!(seconds_left(i64::MIN, at(5), None), 0);
    }

    #[test]
    fn the_first_question_is_spread_and_the_next_ones_come_slower() {
        let mut now = Instant::now();
        let mut hour = Hour::new(7_000);
        assert!(!hour.may_ask(1, now));
        assert!(!hour.may_ask(0, now), "the hour has come, its own turn has not");
        now += Duration::from_secs(7);
        assert!(hour.may_ask(0, now));
        let mut pauses = Vec::new();
        for _ in 0..9 {
            hour.failed(None, now);
            let pause = (0..1000).find(|s| hour.may_ask(0, now + Duration::from_secs(*s)));
            pauses.push(pause.expect("it asks again"));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        hour.succeeded();
        hour.failed(Some(Duration::from_secs(120)), now);
        assert!(!hour.may_ask(0, now + Duration::from_secs(119)));
        assert!(hour.may_ask(0, now + Duration::from_secs(120)), "retry-after is honoured");
        for random in [0, 9_999, 10_000, u64::MAX] {
            assert!(Hour::new(random).delay < Duration::from_millis(SPREAD_MS));
        }
    }
}
