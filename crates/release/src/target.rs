//! Names of TUF targets. Flat, because clients disagree on where a folder's hash prefix stands.

use crate::id::{ChannelName, GameId, Version};

/// The channel's pointer: `<game>~<channel>.json`.
#[must_use]
pub fn channel(game: &GameId, channel: &ChannelName) -> String {
    format!("{game}~{channel}.json")
}

/// A release's manifest: `<game>~<version>.manifest`.
#[must_use]
pub fn manifest(game: &GameId, version: &Version) -> String {
    format!("{game}~{version}.manifest")
}

/// A release's metainfo for other clients, with the piece layers: `<game>~<version>.torrent`.
#[must_use]
pub fn torrent(game: &GameId, version: &Version) -> String {
    format!("{game}~{version}.torrent")
}

/// A release's side file for local fill (see [`crate::leaves`]): `<game>~<version>.leaves`.
#[must_use]
pub fn leaves(game: &GameId, version: &Version) -> String {
    format!("{game}~{version}.leaves")
}

/// The description of the patch between two releases: `<game>~<from>~<to>.patch`.
#[must_use]
pub fn patch(game: &GameId, from: &Version, to: &Version) -> String {
    format!("{game}~{from}~{to}.patch")
}

/// The metainfo of that patch's payload, for other clients: `<game>~<from>~<to>.patch.torrent`.
#[must_use]
pub fn patch_torrent(game: &GameId, from: &Version, to: &Version) -> String {
    format!("{game}~{from}~{to}.patch.torrent")
}

/// The metainfo of a sealed bundle, for players with the release `from` or without any:
/// `<game>~<version>.sealed.torrent` or `<game>~<from>~<version>.sealed.torrent`.
#[must_use]
pub fn sealed_torrent(game: &GameId, from: Option<&Version>, version: &Version) -> String {
    match from {
        Some(from) => format!("{game}~{from}~{version}.sealed.torrent"),
        None => format!("{game}~{version}.sealed.torrent"),
    }
}

/// The key of a sealed release: `<game>~<version>.unlock`. It is listed before its file is there.
#[must_use]
pub fn unlock_key(game: &GameId, version: &Version) -> String {
    format!("{game}~{version}.unlock")
}
