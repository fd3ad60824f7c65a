//! Payload bytes by where they come from and go to, as they travelled and as they are.

use crate::rate::Rate;
use crate::{BySource, Class, Stats, Time};

#[derive(Debug, Default)]
pub(crate) struct Totals {
    down: Meters,
    up: Meters,
    /// From peers, the bytes of blocks themselves.
    content_down: Meters,
    content_up: u64,
    pub(crate) wasted_bytes: u64,
    pub(crate) failed_pieces: u64,
}

#[derive(Debug, Default)]
struct Meters {
    sum: BySource,
    origin: Rate,
    players: Rate,
    lan: Rate,
}

impl Totals {
    pub(crate) fn came_from_origin(&mut self, now: Time, bytes: u64) {
        self.down.sum.origin += bytes;
        self.down.origin.add(now, bytes);
    }

    pub(crate) fn came(&mut self, now: Time, class: Class, wire: u64, content: u64) {
        self.down.add(now, class, wire);
        self.content_down.add(now, class, content);
    }

    pub(crate) fn went(&mut self, now: Time, class: Class, wire: u64, content: u64) {
        self.up.add(now, class, wire);
        self.content_up += content;
    }

    /// Bytes of blocks per second that peers of any class give us, however they are packed.
    pub(crate) fn rate_from_peers(&self, now: Time) -> u64 {
        self.content_down.players.per_second(now) + self.content_down.lan.per_second(now)
    }

    pub(crate) fn report(&self, now: Time, stats: &mut Stats) {
        (stats.downloaded, stats.download_rate) = (self.down.sum, self.down.rates(now));
        (stats.uploaded, stats.upload_rate) = (self.up.sum, self.up.rates(now));
        (stats.content_from_peers, stats.content_to_peers) = (self.content_down.sum.total(), self.content_up);
        stats.content_rate = self.rate_from_peers(now) + self.down.origin.per_second(now);
        stats.wasted_bytes = self.wasted_bytes;
        stats.failed_pieces = self.failed_pieces;
    }
}

impl Meters {
    fn add(&mut self, now: Time, class: Class, bytes: u64) {
        match class {
            Class::Internet => {
                self.sum.players += bytes;
                self.players.add(now, bytes);
            }
            Class::Lan => {
                self.sum.lan += bytes;
                self.lan.add(now, bytes);
            }
        }
    }

    fn rates(&self, now: Time) -> BySource {
        BySource {
            origin: self.origin.per_second(now),
            players: self.players.per_second(now),
            lan: self.lan.per_second(now),
        }
    }
}
