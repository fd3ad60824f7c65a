//! Words about how much the publisher's servers help: a profile, and times.

use crate::{error::CliError, rate};
use clap::Args;
use release::channel::{OriginProfile, OriginSettings};

/// How much the publisher's servers are to help players.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OriginWords {
    /// fast: players are done soonest; thrifty: the publisher's servers send little more than one copy
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    origin_profile: Option<OriginProfile>,
    /// How long a player starves before the publisher's servers help, as 500ms, 2s or 1m; after a comma, when nobody
    /// waits for the download
    #[arg(long, value_name = "TIME[,TIME]", value_parser = delays)]
    origin_delay: Option<Delays>,
    /// The publisher's servers help whoever gets less than this from players; 0: only who gets nothing
    #[arg(long, value_name = "RATE", value_parser = rate::parse)]
    origin_floor: Option<u64>,
}

impl OriginWords {
    /// What was said, for a channel; what was not is found elsewhere.
    pub(crate) fn for_channel(self) -> publisher::Origin {
        publisher::Origin {
            profile: self.origin_profile,
            delay_foreground_ms: self.origin_delay.map(|delays| delays.foreground_ms),
            delay_background_ms: self.origin_delay.and_then(|delays| delays.background_ms),
            floor_bytes_per_second: self.origin_floor,
        }
    }

    /// As settings of their own.
    pub(crate) fn settings(self) -> Result<OriginSettings, CliError> {
        let said = self.for_channel();
        let settings = OriginSettings {
            profile: said.profile.unwrap_or_default(),
            delay_foreground_ms: said.delay_foreground_ms,
            delay_background_ms: said.delay_background_ms,
            floor_bytes_per_second: said.floor_bytes_per_second,
        };
        let wrong = || CliError::usage("the delay is at most an hour, the floor at most 1 GiB/s");
        if settings.is_valid() { Ok(settings) } else { Err(wrong()) }
    }
}

/// Units that a time may have, with their milliseconds.
const UNITS: [(&str, u64); 3] = [("ms", 1), ("s", 1000), ("m", 60_000)];

/// How long the servers wait before they help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delays {
    /// When somebody waits for the download, in milliseconds.
    pub(crate) foreground_ms: u64,
    /// When nobody does, if that was said.
    pub(crate) background_ms: Option<u64>,
}

/// `fast` or `thrifty`.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn profile(text: &str) -> Result<OriginProfile, String> {
    match text {
        "fast" => Ok(OriginProfile::Fast),
        "thrifty" => Ok(OriginProfile::Thrifty),
        _ => Err(format!("{text:?} is no profile: write fast or thrifty")),
    }
}

/// `2s`, or `500ms,1m`.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn delays(text: &str) -> Result<Delays, String> {
    let (foreground, background) = match text.split_once(',') {
        Some((foreground, background)) => (foreground, Some(background)),
        None => (text, None),
    };
    Ok(Delays { foreground_ms: millis(foreground)?, background_ms: background.map(millis).transpose()? })
}

fn millis(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time: write a whole number with ms, s or m");
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, millis)| Some((text.strip_suffix(name)?.trim_end(), *millis)))
        .ok_or_else(wrong)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| number.parse::<u64>().ok()).flatten();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let both = |foreground_ms, background_ms| Ok(Delays { foreground_ms, background_ms });
        assert_eq!(delays("500ms"), both(500, None));
        assert_eq!(delays("2s,1m"), both(2000, Some(60_000)));
        assert_eq!(delays("0s, 10 s"), both(0, Some(10_000)));
        for wrong in ["", "2", "2h", "-1s", "1.5s", "s", "2s,", ",2s", "99999999999999999999s", "+2s"] {
            assert!(delays(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn profiles() {
        assert_eq!(profile("thrifty"), Ok(OriginProfile::Thrifty));
        assert!(profile("Fast").is_err());
    }
}
