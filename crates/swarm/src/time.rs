//! Time as the core knows it: microseconds since the driver's own start.
//!
//! The core never reads a clock. Whoever drives it says what time it is, and a simulator may say anything, as long as
//! it never goes backwards.

use std::ops::Add;
use std::time::Duration;

/// A point in time, in microseconds since the driver's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The driver's start.
    pub const ZERO: Self = Self(0);

    /// A time so many microseconds after the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A time so many milliseconds after the start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A time so many seconds after the start.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The span from `earlier` to this time, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_and_subtracting_saturate() {
        let t = Time::from_millis(5) + Duration::from_micros(7);
        assert_eq!(t.as_micros(), 5_007);
        assert_eq!(t.since(Time::from_millis(5)), Duration::from_micros(7));
        assert_eq!(Time::ZERO.since(t), Duration::ZERO);
        assert_eq!((Time::from_micros(u64::MAX) + Duration::MAX).as_micros(), u64::MAX);
    }
}
