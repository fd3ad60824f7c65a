//! How far ahead of a download cap may be asked and sent: little, or seconds fill with what came for later ones, but
//! enough for the line.
//!
//! How long the line is shows in the cap: where it is not reached although peers send, windows are too small, and are
//! stretched. Where it is reached for long they are relaxed again.

use super::Limiter;
use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};
use swarm::{
    Time,
    bandwidth::{Direction, Node, Path},
};

/// How often the use of a download cap is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So much of the cap left over, while peers send, means that windows are too small for the line.
const MISSED_SHARE: f64 = 0.2;
/// Looks without anything missed after which windows are halved again.
const RELAX_AFTER: u32 = 30;
/// The most that windows are stretched: to more than a second's worth.
const STRETCH_MAX: u64 = 16;

/// How the caps are used, by the node that has the cap.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    looks: BTreeMap<Node, Look>,
}

#[derive(Debug)]
struct Look {
    at: Time,
    /// Bytes that had passed unused by then.
    idle: u64,
    /// Looks since the cap was missed.
    reached: u32,
    stretch: u64,
}

impl Default for Look {
    fn default() -> Self {
        Self { at: Time::ZERO, idle: 0, reached: 0, stretch: 1 }
    }
}

impl Look {
    /// True if the stretch changed.
    fn look(&mut self, now: Time, idle: u64, cap: u64) -> bool {
        let (elapsed, before) = (now.since(self.at), self.stretch);
        let unused = idle.saturating_sub(self.idle) as f64 / (cap as f64 * elapsed.as_secs_f64()).max(1.0);
        (self.at, self.idle) = (now, idle);
        // Nobody read for a while: the cap was missed for lack of anything to fetch.
        if unused > MISSED_SHARE && elapsed < LOOK_EVERY * 2 {
            self.reached = 0;
            self.stretch = (self.stretch * 2).min(STRETCH_MAX);
        } else {
            self.reached += 1;
            if self.reached.is_multiple_of(RELAX_AFTER) {
                self.stretch = (self.stretch / 2).max(1);
            }
        }
        self.stretch != before
    }
}

impl Stretches {
    /// How many times as far ahead as on a short line.
    fn of(&self, node: Node) -> u64 {
        self.looks.get(&node).map_or(1, |look| look.stretch)
    }

    /// A node that has no cap any more.
    pub(super) fn forget(&mut self, node: Node) {
        self.looks.remove(&node);
    }
}

impl Limiter {
    /// Looks how far the download cap of a path is reached while its peers send.
    pub(super) fn look(&self, path: Path) {
        let mut guard = self.lock();
        let (inner, now) = (&mut *guard, self.now());
        let Some((node, cap)) = inner.queue.tree.tightest(path, Direction::Down) else { return };
        let look = inner.stretches.looks.entry(node).or_default();
        if now.since(look.at) < LOOK_EVERY {
            return;
        }
        let idle = inner.queue.tree.idle_bytes(now, node, Direction::Down);
        if look.look(now, idle, cap) {
            drop(guard);
            self.epoch.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What may be under way on a path in `millis` milliseconds at its download cap, in bytes; `None`: as much as there is.
    pub(super) fn ahead(&self, path: Path, millis: u64) -> Option<u64> {
        let inner = self.lock();
        let (node, cap) = inner.queue.tree.tightest(path, Direction::Down)?;
        Some(cap.saturating_mul(millis * inner.stretches.of(node)) / 1_000)
    }

    /// The tightest download cap of a path, bytes per second.
    pub(super) fn cap(&self, path: Path) -> Option<u64> {
        self.lock().queue.tree.tightest(path, Direction::Down).map(|(_, cap)| cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_that_is_missed_stretches_and_one_that_is_reached_relaxes_in_time() {
        const CAP: u64 = 100_000;
        let (mut look, mut now, mut idle) = (Look::default(), Time::from_secs(100), 0);
        assert!(!look.look(now, idle, CAP), "a first look sees nothing");
        let mut seconds = |count: u32, unused: u64| {
            for _ in 0..count {
                (now, idle) = (now + LOOK_EVERY, idle + unused);
                look.look(now, idle, CAP);
            }
            look.stretch
        };
        assert_eq!(seconds(1, CAP / 10), 1);
        assert_eq!(seconds(2, CAP / 2), 4);
        assert_eq!(seconds(9, CAP), STRETCH_MAX);
        assert_eq!(seconds(RELAX_AFTER, 0), STRETCH_MAX / 2);
        assert_eq!(seconds(RELAX_AFTER * 9, 0), 1);
        // A pause is no sign of anything.
        (now, idle) = (now + LOOK_EVERY * 60, idle + 60 * CAP);
        assert!(!look.look(now, idle, CAP));
    }
}
