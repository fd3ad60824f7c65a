//! How much the origin is to help: the publisher's settings as numbers of the swarm core.

use release::channel::{OriginProfile, OriginSettings};
use std::time::Duration;

/// How long players starve before the origin helps, when nobody waits for the download and the publisher says nothing.
const DELAY_BACKGROUND: Duration = Duration::from_secs(30);

/// What the publisher wants, and whether somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OriginUse {
    /// As the signed channel says; the default is the fast profile.
    pub settings: OriginSettings,
    /// Nobody waits: a preload, or a program that works by itself.
    pub background: bool,
}

impl OriginUse {
    /// `config` with the publisher's numbers in place of its own.
    pub(crate) fn applied_to(&self, config: swarm::Config) -> swarm::Config {
        let profile = match self.settings.profile {
            OriginProfile::Fast => swarm::OriginProfile::Fast,
            OriginProfile::Thrifty => swarm::OriginProfile::Thrifty,
        };
        let mut config = config.with_origin_profile(profile);
        let foreground = self.settings.delay_foreground_ms.map_or(config.origin_delay, Duration::from_millis);
        config.origin_delay = if self.background {
            // Whoever does not wait never goes before those who do.
            let delay = self.settings.delay_background_ms.map(Duration::from_millis);
            delay.unwrap_or_else(|| foreground.max(DELAY_BACKGROUND))
        } else {
            foreground
        };
        if let Some(floor) = self.settings.floor_bytes_per_second {
            config.origin_floor_bytes_per_second = floor;
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_publishers_numbers_go_before_the_profiles() {
        let check = |settings: OriginSettings, background: bool, delay_ms: u64, floor: Option<u64>| {
            let config = OriginUse { settings, background }.applied_to(swarm::Config::default());
            assert_eq!(config.origin_delay, Duration::from_millis(delay_ms));
            assert!(floor.is_none_or(|floor| config.origin_floor_bytes_per_second == floor));
        };
        let said = OriginSettings {
            delay_foreground_ms: Some(500),
            delay_background_ms: Some(7000),
            floor_bytes_per_second: Some(1),
            profile: OriginProfile::Thrifty,
        };
        check(said, false, 500, Some(1));
        check(said, true, 7000, Some(1));
        let fast = swarm::Config::default();
        let floor = Some(fast.origin_floor_bytes_per_second);
        check(OriginSettings::default(), false, fast.origin_delay.as_millis() as u64, floor);
        check(OriginSettings::default(), true, 30_000, floor);
        let slow = OriginSettings { delay_foreground_ms: Some(60_000), ..OriginSettings::default() };
        check(slow, true, 60_000, floor);
        let [thrifty, fast] = [OriginProfile::Thrifty, OriginProfile::Fast].map(|profile| {
            let settings = OriginSettings { profile, ..OriginSettings::default() };
            OriginUse { settings, background: false }.applied_to(swarm::Config::default())
        });
        assert!(thrifty.origin_floor_bytes_per_second < fast.origin_floor_bytes_per_second);
    }
}
