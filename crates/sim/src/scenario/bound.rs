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

/// Somebody who uploads, and while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Presence {
    /// Seconds.
    pub from: f64,
    /// Seconds.
    pub until: f64,
    /// Bytes per second.
    pub up: f64,
}

/// When those present, each while it was, could have moved so many bytes: the bound for a crowd in which some leave
/// and some lose what they have, so that it is moved again. Infinite if they never could.
#[must_use]
pub fn bound_of_present(bytes: f64, present: &[Presence]) -> f64 {
    let mut turns: Vec<(f64, f64)> =
        present.iter().flat_map(|p| [(p.from, p.up), (p.until, -p.up)]).collect();
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut at, mut rate, mut left) = (0.0, 0.0, bytes);
    for (next, change) in turns {
        if rate > 0.0 && left <= rate * (next - at) {
            return at + left / rate;
        }
        left -= rate * (next - at);
        (at, rate) = (next, rate + change);
    }
    f64::INFINITY
}

impl Scenario {
    /// The origin, while it is there, if nothing before `end` ends it.
    #[must_use]
    pub(crate) fn origin_presence(&self, bound: f64, end: f64) -> Vec<Presence> {
        let up = self.origin.up_kib as f64 * 1024.0;
        let [from, until] = self.origin.down.unwrap_or([0.0, 0.0]).map(|share| share * bound);
        vec![
            Presence { from: 0.0, until: from.min(end), up },
            Presence { from: until.min(end), until: end, up },
        ]
    }

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
    fn who_leaves_is_counted_while_there() {
        let stays = Presence { from: 0.0, until: 100.0, up: 1.0 };
        let leaves = Presence { until: 5.0, ..stays };
        assert_eq!(bound_of_present(20.0, &[stays, leaves]), 15.0);
        assert_eq!(bound_of_present(8.0, &[stays, leaves]), 4.0);
        assert!(bound_of_present(1e3, &[stays, leaves]).is_infinite());
    }

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
