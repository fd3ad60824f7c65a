//! A folder as the window shows it to somebody who chooses where a game goes.

use serde::Serialize;
use ts_rs::TS;

/// What choosing a folder would come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FolderLook {
    /// Where the game would stand: the folder asked for, or one of its own inside it.
    pub dir: String,
    /// What is there.
    pub holds: FolderHolds,
    /// Version of the game that stands there, where one of ours does.
    pub version: Option<String>,
    /// Bytes free on its volume.
    #[ts(type = "number")]
    pub free_bytes: u64,
    /// Bytes that an install would need at most, where the release is known already.
    #[ts(type = "number | null")]
    pub need_bytes: Option<u64>,
}

/// What stands in a folder that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum FolderHolds {
    /// Nothing yet.
    Nothing,
    /// This game, kept by a launcher like this one.
    Game,
    /// A copy of this game that something else put there: what of it is right need not be fetched.
    Copy,
}
