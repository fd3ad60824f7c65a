//! A channel: the signed pointer from a name such as `live` to one release.

use crate::{
    hash::Hash32,
    id::{ChannelName, GameId, Version},
    limits::{CHANNEL_BYTES_MAX, LIST_MAX, TEXT_BYTES_MAX},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The only format this version reads.
pub const FORMAT: u32 = 1;

/// What a channel says now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// [`FORMAT`].
    pub format: u32,
    /// Whose channel it is.
    pub game: GameId,
    /// Its name.
    pub channel: ChannelName,
    /// Rises by one with every change; the higher one seen wins.
    pub sequence: u64,
    /// The release it points at.
    pub version: Version,
    /// Percentage of players that are offered the release, 0 to 100.
    #[serde(default = "all")]
    pub rollout_percent: u8,
    /// Patch notes, plain text.
    #[serde(default)]
    pub notes: String,
    /// When it was published, RFC 3339.
    pub published: String,
    /// Trackers; relative entries resolve against the repository's URL. Empty: `announce`.
    #[serde(default)]
    pub trackers: Vec<String>,
    /// Places that carry the content; relative entries likewise. Empty: `content/`.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// How much the publisher's servers are to help. Absent: [`OriginProfile::Fast`] with its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<OriginSettings>,
    /// What the release takes to download, compressed. Absent where an older publisher wrote the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<Downloads>,
    /// Patches that stand in the repository and lead, one after the other, to the release. Older launchers do not know
    /// them and fetch changed files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchOffer>,
    /// Releases that this channel pointed at before, newest first.
    #[serde(default)]
    pub previous: Vec<Version>,
    /// A release that is published sealed, for players to have before its hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upcoming: Option<Upcoming>,
}

/// A release that may be downloaded now and read later: see [`crate::sealed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// The release.
    pub version: Version,
    /// When its key is published, seconds since 1970 (UTC). The key is what opens it; the hour says when to ask.
    pub unlock_seconds: i64,
    /// SHA-256 of its manifest, which is inside what is sealed.
    pub manifest_sha256: Hash32,
    /// What to download beforehand: for players without a release, and for those of older ones.
    pub preloads: Vec<PreloadOffer>,
}

/// A sealed bundle in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreloadOffer {
    /// The release it needs; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Version>,
    /// Pieces root of the sealed bundle, by which content and players have it.
    pub root: Hash32,
    /// Bytes of it, which is what is downloaded.
    pub bytes: u64,
    /// Bytes written beside it when it is opened.
    pub opened_bytes: u64,
}

impl Upcoming {
    /// What a player with this release, or without one, downloads.
    #[must_use]
    pub fn preload(&self, installed: Option<&Version>) -> Option<&PreloadOffer> {
        let own = installed
            .and_then(|version| self.preloads.iter().find(|offer| offer.from.as_ref() == Some(version)));
        own.or_else(|| self.whole())
    }

    /// What needs no other release.
    #[must_use]
    pub fn whole(&self) -> Option<&PreloadOffer> {
        self.preloads.iter().find(|offer| offer.from.is_none())
    }
}

/// What a release takes to download from its publisher's servers, for people: nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Downloads {
    /// Bytes for a player without any release.
    pub fresh_bytes: u64,
    /// Bytes for a player whose files are those of an older release.
    #[serde(default)]
    pub from: BTreeMap<Version, u64>,
}

/// A patch in the repository, with what it takes to download, so that a player can plan before fetching anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchOffer {
    /// The release it starts from.
    pub from: Version,
    /// The release it leads to.
    pub to: Version,
    /// Bytes of its description, which is a target.
    pub description_bytes: u64,
    /// Bytes of its payload.
    pub payload_bytes: u64,
    /// Bytes of new files that it does not make and that are to be fetched as blocks, as stored at an origin.
    #[serde(default)]
    pub uncovered_bytes: u64,
}

impl PatchOffer {
    /// All that a player downloads who goes this way.
    #[must_use]
    pub fn download_bytes(&self) -> u64 {
        self.description_bytes.saturating_add(self.payload_bytes).saturating_add(self.uncovered_bytes)
    }
}

/// Longest that a player may be made to wait for the origin, in milliseconds: an hour.
pub const ORIGIN_DELAY_MS_MAX: u64 = 3_600_000;
/// Highest floor, in bytes per second: 1 GiB/s, which is to say that the origin always helps.
pub const ORIGIN_FLOOR_MAX: u64 = 1 << 30;

/// What the publisher wants of the servers that carry the content: speed for players, or few bytes sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OriginSettings {
    /// The policy, from which absent numbers follow.
    #[serde(default)]
    pub profile: OriginProfile,
    /// How long players starve before the origin helps, when somebody waits for the download, in milliseconds. 0: it
    /// helps at once; at most [`ORIGIN_DELAY_MS_MAX`]. Without any other player it always helps at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_foreground_ms: Option<u64>,
    /// The same when nobody waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_background_ms: Option<u64>,
    /// The origin helps whoever gets less than this from other players, in bytes per second. 0: only who gets nothing;
    /// at most [`ORIGIN_FLOOR_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_bytes_per_second: Option<u64>,
}

/// How the origin is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginProfile {
    /// Players are done soonest.
    #[default]
    Fast,
    /// The origin sends little more than one copy, and else only helps who starves.
    Thrifty,
}

impl OriginSettings {
    /// Whether every number is within its bounds.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let delays = [self.delay_foreground_ms, self.delay_background_ms];
        delays.iter().flatten().all(|delay| *delay <= ORIGIN_DELAY_MS_MAX)
            && self.floor_bytes_per_second.is_none_or(|floor| floor <= ORIGIN_FLOOR_MAX)
    }
}

fn all() -> u8 {
    100
}

/// Why a channel document was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Not JSON of this form.
    #[error("channel: {0}")]
    Json(#[from] serde_json::Error),
    /// Written for a newer launcher.
    #[error("channel format {0} is newer than this program")]
    Format(u32),
    /// Too long, or a number out of range.
    #[error("channel: {0} out of bounds")]
    Bounds(&'static str),
}

impl Channel {
    /// Parses and checks a channel document.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ChannelError> {
        if bytes.len() > CHANNEL_BYTES_MAX {
            return Err(ChannelError::Bounds("size"));
        }
        let channel: Self = serde_json::from_slice(bytes)?;
        if channel.format != FORMAT {
            return Err(ChannelError::Format(channel.format));
        }
        let from = channel.downloads.as_ref().map_or(0, |downloads| downloads.from.len());
        let lists = [
            channel.trackers.len(),
            channel.mirrors.len(),
            channel.previous.len(),
            from,
            channel.patches.len(),
            channel.upcoming.as_ref().map_or(0, |upcoming| upcoming.preloads.len()),
        ];
        if channel.rollout_percent > 100
            || lists.iter().any(|n| *n > LIST_MAX)
            || channel.notes.len() > TEXT_BYTES_MAX
        {
            return Err(ChannelError::Bounds("rollout, list or notes"));
        }
        if !channel.origin.is_none_or(|origin| origin.is_valid()) {
            return Err(ChannelError::Bounds("origin"));
        }
        Ok(channel)
    }

    /// The document as it is signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a channel has only text keys, which JSON always takes")
    }

    /// Trackers, with the default where none are named.
    #[must_use]
    pub fn tracker_entries(&self) -> Vec<String> {
        if self.trackers.is_empty() { vec!["announce".to_owned()] } else { self.trackers.clone() }
    }

    /// Content mirrors, with the default where none are named.
    #[must_use]
    pub fn mirror_entries(&self) -> Vec<String> {
        if self.mirrors.is_empty() { vec!["content/".to_owned()] } else { self.mirrors.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_origin(origin: &str) -> Result<Channel, ChannelError> {
        let text = format!(
            r#"{{"format":1,"game":"g","channel":"live","sequence":1,"version":"1.0","published":"now"{origin}}}"#
        );
        Channel::parse(text.as_bytes())
    }

    #[test]
    fn patches_round_trip_and_are_bounded() {
        let one = r#"{"from":"0.9","to":"1.0","description_bytes":100,"payload_bytes":2000}"#;
        let channel = with_origin(&format!(r#","patches":[{one}]"#)).expect("good");
        assert_eq!(channel.patches[0].download_bytes(), 2100);
        assert_eq!(Channel::parse(&channel.encode()).expect("good"), channel);
        assert!(!String::from_utf8_lossy(&with_origin("").expect("good").encode()).contains("patches"));
        let many = vec![one; LIST_MAX + 1].join(",");
        assert!(with_origin(&format!(r#","patches":[{many}]"#)).is_err());
        assert!(
            with_origin(r#","patches":[{"from":"0.9","to":"..","description_bytes":1,"payload_bytes":1}]"#)
                .is_err()
        );
    }

    #[test]
    fn an_upcoming_release_round_trips_and_its_preloads_are_chosen() {
        let root = "0".repeat(64);
        let preload = format!(r#"{{"root":"{root}","bytes":100,"opened_bytes":200}}"#);
        let from = format!(r#"{{"from":"1.0","root":"{root}","bytes":10,"opened_bytes":20}}"#);
        let with = |preloads: &str| {
            with_origin(&format!(
                r#","upcoming":{{"version":"1.1","unlock_seconds":1796148000,"manifest_sha256":"{root}","preloads":[{preloads}]}}"#
            ))
        };
        let channel = with(&format!("{preload},{from}")).expect("good");
        assert_eq!(Channel::parse(&channel.encode()).expect("good"), channel);
        let upcoming = channel.upcoming.expect("given");
        let bytes = |installed: Option<&str>| {
            let installed = installed.map(|text| text.parse().expect("a version"));
            upcoming.preload(installed.as_ref()).map(|offer| offer.bytes)
        };
        assert_eq!((bytes(None), bytes(Some("1.0")), bytes(Some("0.9"))), (Some(100), Some(10), Some(100)));
        assert!(with(&vec![preload; LIST_MAX + 1].join(",")).is_err());
    }

    #[test]
    fn settings_of_the_origin_round_trip_and_are_bounded() {
        let channel = with_origin("").expect("good");
        assert_eq!(channel.origin, None);
        assert!(!String::from_utf8_lossy(&channel.encode()).contains("origin"));
        let text =
            r#","origin":{"profile":"thrifty","delay_foreground_ms":500,"floor_bytes_per_second":0,"new":1}"#;
        let channel = with_origin(text).expect("an unknown field is no reason to refuse");
        let origin = channel.origin.expect("given");
        assert_eq!((origin.profile, origin.delay_foreground_ms), (OriginProfile::Thrifty, Some(500)));
        assert_eq!((origin.delay_background_ms, origin.floor_bytes_per_second), (None, Some(0)));
        assert_eq!(Channel::parse(&channel.encode()).expect("good"), channel);
        assert_eq!(with_origin(r#","origin":{}"#).expect("good").origin, Some(OriginSettings::default()));
        for bad in [
            r#"{"profile":"greedy"}"#,
            r#"{"delay_foreground_ms":3600001}"#,
            r#"{"delay_background_ms":-1}"#,
            r#"{"floor_bytes_per_second":1073741825}"#,
        ] {
            assert!(with_origin(&format!(r#","origin":{bad}"#)).is_err(), "{bad}");
        }
    }
}
