//! What no scheduler beats: the fluid bound of Kumar and Ross.

use super::Scenario;

/// What a swarm can move, bytes and bytes per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Size of what everybody wants.
    pub bytes: f64,
    /// Those who want it.
    pub players: f64,
    /// The origin's uplink.
    pub origin_up: f64,
    /// The share of the time in which the origin is there, 0 to 1.
    pub origin_share: f64,
    /// The uplinks of all players that upload, together.
    pub players_up: f64,
    /// The slowest player's downlink.
    pub down_min: f64,
}

/// `max(F/us, F/d, N·F/(us + Σu))`, with the origin's uplink counted for as long as it is there.
#[must_use]
pub fn bound_seconds(capacity: &Capacity) -> f64 {
    let Capacity { bytes, players, origin_up, origin_share, players_up, down_min } = *capacity;
    let origin = origin_up * origin_share;
    (bytes / origin).max(bytes / down_min).max(players * bytes / (origin + players_up))
}

impl Scenario {
    /// What this scenario's honest players and its origin can move. Those who fail count once: what they lose is no
    /// part of the bound.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        let kib = |kib: u64| kib as f64 * 1024.0;
        let down = self.origin.down.map_or(0.0, |[from, until]| (until.min(1.0) - from.max(0.0)).max(0.0));
        Capacity {
            bytes: self.bytes() as f64,
            players: self.honest().map(|group| group.count as f64).sum(),
            origin_up: kib(self.origin.up_kib),
            origin_share: 1.0 - down,
            players_up: self.honest().map(|g| kib(g.up_kib) * g.uploading * g.count as f64).sum(),
            down_min: self.honest().map(|group| kib(group.down_kib)).fold(f64::INFINITY, f64::min),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_three_counts() {
        let flash = Capacity {
            bytes: 32.0,
            players: 16.0,
            origin_up: 2.0,
            origin_share: 1.0,
            players_up: 16.0,
            down_min: 8.0,
        };
        assert!((bound_seconds(&flash) - 28.444).abs() < 0.001);
        assert_eq!(bound_seconds(&Capacity { players: 1.0, players_up: 1e9, ..flash }), 16.0);
        assert_eq!(bound_seconds(&Capacity { players_up: 1e9, down_min: 1.0, ..flash }), 32.0);
        assert_eq!(bound_seconds(&Capacity { players: 1.0, origin_share: 0.5, ..flash }), 32.0);
    }
}
