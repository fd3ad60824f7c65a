//! How many bytes per second, over the last few seconds.

use std::time::Duration;

use crate::Time;

const SLOTS: usize = 8;
const SLOT: Duration = Duration::from_millis(500);

/// Counts bytes in slots of half a second and remembers four seconds of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rate {
    slots: [u64; SLOTS],
    /// Number of the newest slot, counted from the driver's start.
    newest: u64,
    /// When the first byte was counted: a young rate is averaged over its own age.
    began: Option<Time>,
}

impl Rate {
    pub(crate) fn add(&mut self, now: Time, bytes: u64) {
        self.advance(now);
        self.began.get_or_insert(now);
        self.slots[self.newest as usize % SLOTS] += bytes;
    }

    /// Bytes per second.
    pub(crate) fn per_second(&self, now: Time) -> u64 {
        let mut seen = self.clone();
        seen.advance(now);
        let Some(began) = seen.began else { return 0 };
        let current = now.since(Time::from_micros(slot_of(now) * SLOT.as_micros() as u64));
        let window = SLOT * (SLOTS as u32 - 1) + current;
        let span = window.min(now.since(began)).max(SLOT).as_micros() as u64;
        seen.slots.iter().sum::<u64>().saturating_mul(1_000_000) / span
    }

    fn advance(&mut self, now: Time) {
        let slot = slot_of(now);
        for gone in self.newest + 1..=slot.min(self.newest + SLOTS as u64) {
            self.slots[gone as usize % SLOTS] = 0;
        }
        self.newest = self.newest.max(slot);
        if self.slots.iter().all(|bytes| *bytes == 0) {
            self.began = None;
        }
    }
}

fn slot_of(now: Time) -> u64 {
    now.as_micros() / SLOT.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_is_measured_and_an_ended_one_forgotten() {
        let mut rate = Rate::default();
        for tenth in 0..100 {
            rate.add(Time::from_millis(100 * tenth), 1_000);
        }
        let measured = rate.per_second(Time::from_secs(10));
        assert!((9_500..=10_500).contains(&measured), "{measured}");
        assert_eq!(rate.per_second(Time::from_secs(15)), 0);
        rate.add(Time::from_secs(1_000), 5_000);
        assert_eq!(rate.per_second(Time::from_secs(1_001)), 5_000);
    }
}
