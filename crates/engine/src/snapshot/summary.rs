//! What the last install, update or repair took, for people to read afterwards.

use super::BySource;
use serde::Serialize;
use ts_rs::TS;

/// The last job that changed the game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct Summary {
    /// The version that stands since.
    pub version: String,
    /// Bytes that came, by source; signed documents count as origin.
    pub downloaded: BySource,
    /// Bytes passed on to others meanwhile.
    #[ts(type = "number")]
    pub uploaded_bytes: u64,
    /// Seconds from its begin to its end, pauses included.
    #[ts(type = "number")]
    pub seconds: u64,
}
