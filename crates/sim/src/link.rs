//! One direction of a connection to the network: bytes pass one after another at a rate.

use std::time::Duration;

use swarm::Time;

/// Headers of TCP and IP and of the peer wire cost this much more than the payload, in thousandths.
const OVERHEAD_PER_MILLE: u64 = 47;

#[derive(Debug, Clone)]
pub(crate) struct Link {
    bytes_per_second: u64,
    free_at: Time,
    pub(crate) bytes: u64,
}

impl Link {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: Time::ZERO, bytes: 0 }
    }

    /// Queues bytes that are there at `now`; when the last of them has passed.
    pub(crate) fn pass(&mut self, now: Time, bytes: u64) -> Time {
        let on_wire = bytes + bytes * OVERHEAD_PER_MILLE / 1000;
        let micros = on_wire.saturating_mul(1_000_000) / self.bytes_per_second;
        self.bytes += bytes;
        self.free_at = self.free_at.max(now) + Duration::from_micros(micros);
        self.free_at
    }
}
