//! One direction of a node's line to the network: bytes pass one after another at a rate, behind a finite queue.
//!
//! What is sent waits for the bytes before it. A sender hands over more only while fewer bytes wait than the queue
//! holds; at a receiving line a full queue drops, see the module `transport` of the world for what that costs.

use std::time::Duration;

use swarm::Time;

/// Headers of TCP, IP and Ethernet of full packets cost this much more than the payload, in thousandths.
const HEADERS_PER_MILLE: u64 = 47;
/// What a small message costs in headers if it travels alone, bytes.
pub(crate) const SMALL_HEADER: u64 = 66;
/// Acknowledgements on the way back, in thousandths of the bytes that came.
const ACKNOWLEDGEMENTS_PER_MILLE: u64 = 10;

#[derive(Debug, Clone)]
pub(crate) struct Link {
    bytes_per_second: u64,
    queue: Duration,
    free_at: Time,
    /// Bytes that take up the line with the next thing sent: acknowledgements and repeats.
    debt: u64,
    /// Payload of blocks that passed.
    pub(crate) payload: u64,
    /// All bytes that passed, headers included.
    pub(crate) on_wire: u64,
}

impl Link {
    pub(crate) fn new(bytes_per_second: u64, queue: Duration) -> Self {
        let bytes_per_second = bytes_per_second.max(1);
        Self { bytes_per_second, queue, free_at: Time::ZERO, debt: 0, payload: 0, on_wire: 0 }
    }

    /// Queues a block's bytes that are there at `now`; when the last of them has passed.
    pub(crate) fn pass(&mut self, now: Time, payload: u64) -> Time {
        self.payload += payload;
        self.pass_bytes(now, payload + payload * HEADERS_PER_MILLE / 1000)
    }

    /// Queues a message of so many bytes, headers included.
    pub(crate) fn pass_bytes(&mut self, now: Time, bytes: u64) -> Time {
        let bytes = bytes + std::mem::take(&mut self.debt);
        self.on_wire += bytes;
        let micros = bytes.saturating_mul(1_000_000) / self.bytes_per_second;
        self.free_at = self.free_at.max(now) + Duration::from_micros(micros);
        self.free_at
    }

    /// So many payload bytes came the other way and are acknowledged.
    pub(crate) fn acknowledge(&mut self, payload: u64) {
        self.debt += payload * ACKNOWLEDGEMENTS_PER_MILLE / 1000;
    }

    /// These bytes are sent once more.
    pub(crate) fn repeat(&mut self, bytes: u64) {
        self.debt += bytes;
    }

    /// How long a byte that comes at `now` waits.
    pub(crate) fn backlog(&self, now: Time) -> Duration {
        self.free_at.since(now)
    }

    /// When the queue has room, if it has none at `now`.
    pub(crate) fn full_until(&self, now: Time) -> Option<Time> {
        let backlog = self.backlog(now);
        (backlog > self.queue).then(|| now + (backlog - self.queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_the_bytes_before_them_and_for_what_is_owed() {
        let mut link = Link::new(1_000_000, Duration::from_millis(10));
        assert_eq!(link.pass(Time::ZERO, 10_000), Time::from_micros(10_470));
        assert_eq!(link.full_until(Time::ZERO), Some(Time::from_micros(470)));
        link.acknowledge(100_000);
        assert_eq!(link.pass_bytes(Time::ZERO, 1_000), Time::from_micros(12_470));
        assert_eq!((link.payload, link.on_wire), (10_000, 12_470));
        assert_eq!(link.backlog(Time::from_millis(20)), Duration::ZERO);
    }
}
