//! The releases before the one that is fetched or passed on: their players have, or want, much of the same.
//!
//! The channel names them, the signed repository has their manifests as long as the publisher keeps them, and a manifest
//! says all it takes to meet that release's players. This is a help only: it never holds up a transfer, and whatever goes
//! wrong is written down and left at that. Invariant: only older releases are looked for, never newer ones, so that
//! players of two releases who can meet under both infohashes agree on the newer one.

use super::{error::GameError, jobs};
use crate::session::{OtherRelease, TorrentHandle};
use release::{
    channel::Channel,
    id::{GameId, Version},
    layout::Layout,
    limits::MANIFEST_BYTES_MAX,
    manifest::Manifest,
    target,
};
use std::sync::{Arc, Mutex, PoisonError};
use swarm::alias::Alias;
use trust::Client;

/// Older releases whose players are met: each is one more manifest to fetch and one more announce.
const RELEASES_MAX: usize = 2;
/// A release that has less of ours than this, in percent of the bytes, is not worth its announces.
const SHARED_PERCENT_MIN: u64 = 5;

/// What a check of the channel found of older releases. Cheap to clone; clones share what was loaded.
#[derive(Debug, Clone)]
pub(crate) struct Older {
    client: Arc<Client>,
    game: GameId,
    /// Newest first, the one offered included.
    versions: Arc<[Version]>,
    /// For which release of ours the manifests were read last, and what came of it.
    known: Arc<Mutex<Option<Known>>>,
}

/// A release of ours and those that were found to be worth meeting for it.
type Known = (Version, Vec<OtherRelease>);

impl Older {
    /// What `channel` names and `client` vouches for.
    pub(crate) fn new(client: Arc<Client>, channel: &Channel) -> Self {
        let versions = std::iter::once(&channel.version).chain(&channel.previous).cloned().collect();
        Self { client, game: channel.game.clone(), versions, known: Arc::default() }
    }

    /// Lets the torrent of the release `ours` meet the players of those before it, one after the other as their manifests
    /// come, whose bytes are told to `came`.
    pub(crate) async fn join(&self, ours: &Arc<Manifest>, torrent: &TorrentHandle, came: impl Fn(u64)) {
        if let Some(known) = self.known_for(&ours.version) {
            return known.into_iter().for_each(|other| torrent.add_other(other));
        }
        let mut found = Vec::new();
        for version in self.before(&ours.version) {
            match self.load(version, ours, &came).await {
                Ok(Some(other)) => {
                    torrent.add_other(other.clone());
                    found.push(other);
                }
                Ok(None) => {
                    tracing::debug!(%version, "this older release has too little in common with ours")
                }
                Err(error) => tracing::info!(%version, %error, "players of this older release are not met"),
            }
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((ours.version.clone(), found));
    }

    fn known_for(&self, ours: &Version) -> Option<Vec<OtherRelease>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(version, _)| version == ours).map(|(_, found)| found.clone())
    }

    /// The newest releases before `ours` that the repository still has; none if the channel never pointed at `ours`.
    fn before(&self, ours: &Version) -> impl Iterator<Item = &Version> {
        let after = self.versions.iter().skip_while(move |version| *version != ours).skip(1);
        let kept = |version: &&Version| self.client.entry(&target::manifest(&self.game, version)).is_some();
        after.filter(kept).take(RELEASES_MAX)
    }

    async fn load(
        &self,
        version: &Version,
        ours: &Arc<Manifest>,
        came: impl Fn(u64),
    ) -> Result<Option<OtherRelease>, GameError> {
        let name = target::manifest(&self.game, version);
        let bytes = self.client.target(&name, MANIFEST_BYTES_MAX as u64).await?;
        came(bytes.len() as u64);
        let (ours, game, version) = (Arc::clone(ours), self.game.clone(), version.clone());
        jobs::blocking(move || {
            let theirs = Manifest::parse(&bytes)?;
            if theirs.game != game || theirs.version != version {
                return Err(GameError::Mismatch { what: name });
            }
            let (layout, infohash) = (jobs::layout(&ours)?, theirs.infohash()?);
            let alias =
                Alias::new(&layout, &jobs::layout(&theirs)?).filter(|alias| is_worth_it(alias, &layout));
            // The same tree under another version's name is the same torrent.
            let other = alias.filter(|_| ours.infohash().ok() != Some(infohash));
            Ok(other.map(|alias| OtherRelease { infohash, alias: Arc::new(alias) }))
        })
        .await?
    }
}

fn is_worth_it(alias: &Alias, ours: &Layout) -> bool {
    let shared: u64 = alias.shared_ours().map(|piece| u64::from(ours.piece_bytes(piece))).sum();
    u128::from(shared) * 100 >= u128::from(ours.total()) * u128::from(SHARED_PERCENT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::{hash::Hash32, layout::FileEntry};

    fn layout(contents: &[(u8, u64)]) -> Layout {
        let file = |(content, length): &(u8, u64)| FileEntry {
            path: format!("{content:03}").parse().expect("a path"),
            length: *length,
            pieces_root: Some(Hash32([*content; 32])),
            executable: false,
        };
        Layout::new(16_384, contents.iter().map(file).collect()).expect("a layout")
    }

    #[test]
    fn a_release_with_less_than_a_twentieth_of_ours_is_not_worth_it() {
        let ours = layout(&[(1, 5_000), (2, 4_999), (3, 90_001)]);
        let worth = |theirs: &[(u8, u64)]| {
            Alias::new(&ours, &layout(theirs)).is_some_and(|alias| is_worth_it(&alias, &ours))
        };
        assert!(worth(&[(1, 5_000)]) && worth(&[(3, 90_001), (9, 1 << 30)]));
        assert!(!worth(&[(2, 4_999), (9, 1 << 30)]) && !worth(&[(8, 1)]));
    }
}
