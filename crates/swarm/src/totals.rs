//! Payload bytes by where they come from and go to.

use crate::rate::Rate;
use crate::{BySource, Class, Stats, Time};

#[derive(Debug, Default)]
pub(crate) struct Totals {
    down: Meters,
    up: Meters,
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

    pub(crate) fn came(&mut self, now: Time, class: Class, bytes: u64) {
        self.down.add(now, class, bytes);
    }

    pub(crate) fn went(&mut self, now: Time, class: Class, bytes: u64) {
        self.up.add(now, class, bytes);
    }

    /// Bytes per second that peers of any class give us.
    pub(crate) fn rate_from_peers(&self, now: Time) -> u64 {
        self.down.players.per_second(now) + self.down.lan.per_second(now)
    }

    pub(crate) fn report(&self, now: Time, stats: &mut Stats) {
        (stats.downloaded, stats.download_rate) = (self.down.sum, self.down.rates(now));
        (stats.uploaded, stats.upload_rate) = (self.up.sum, self.up.rates(now));
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
