//! Where a game comes from, and what the trust in it begins with.

use release::{
    hash::Hash32,
    id::{ChannelName, GameId},
};
use std::{path::Path, sync::Arc};
use store::{fs::RealFs, glance::Glance, state::FolderState};
use url::Url;

/// Where a game comes from.
#[derive(Debug, Clone)]
pub struct GameLink {
    /// The repository's URL; made to end in `/`.
    pub repository: Url,
    /// The game.
    pub game: GameId,
    /// The channel followed.
    pub channel: ChannelName,
    /// What its trust begins with.
    pub root: TrustedRoot,
}

impl GameLink {
    /// Where the game of a folder comes from, as the folder says; nothing where what it says is no address.
    #[must_use]
    pub fn of(state: &FolderState) -> Option<Self> {
        Some(Self {
            repository: state.repository_url.parse().ok()?,
            game: state.game.clone(),
            channel: state.channel.clone(),
            root: TrustedRoot::Pinned(state.root_sha256),
        })
    }

    /// As [`GameLink::of`], for the folder itself, looked at without its lock; nothing where none of ours stands there.
    #[must_use]
    pub fn of_folder(dir: &Path) -> Option<Self> {
        Glance::at(Arc::new(RealFs), dir).ok().and_then(|glance| Self::of(glance.state()))
    }
}

/// What the trust in a repository begins with.
#[derive(Debug, Clone)]
pub enum TrustedRoot {
    /// This root, which came with the launcher or from the publisher.
    Given(Vec<u8>),
    /// The root with this SHA-256, pinned earlier.
    Pinned(Hash32),
    /// The first one found, over https or on this machine.
    PinOnFirstUse,
}
