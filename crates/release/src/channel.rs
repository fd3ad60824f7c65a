//! A channel: the signed pointer from a name such as `live` to one release.

use crate::{
    id::{ChannelName, GameId, Version},
    limits::{CHANNEL_BYTES_MAX, LIST_MAX, TEXT_BYTES_MAX},
};
use serde::{Deserialize, Serialize};

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
    /// Releases that this channel pointed at before, newest first.
    #[serde(default)]
    pub previous: Vec<Version>,
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
        let lists = [channel.trackers.len(), channel.mirrors.len(), channel.previous.len()];
        if channel.rollout_percent > 100
            || lists.iter().any(|n| *n > LIST_MAX)
            || channel.notes.len() > TEXT_BYTES_MAX
        {
            return Err(ChannelError::Bounds("rollout, list or notes"));
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
