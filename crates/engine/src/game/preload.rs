//! A release that is downloaded before its hour: what is offered, what is here of it, and when it may be opened.
//!
//! The key decides, not a clock: without its file nothing opens. A clock only says when to ask for it, and the server's
//! own (its `Date` header) counts as much as this machine's: a clock that is wrong here neither asks for ever in vain nor
//! keeps a player out. Before the hour by both, nobody asks, so a key that is there too early is passed over.

mod hour;
mod open;
mod work;

pub(crate) use hour::Hour;
pub(crate) use open::Opening;

use super::error::GameError;
use crate::{
    snapshot::{Preload, PreloadState},
    transport::HttpTransport,
};
use chrono::{DateTime, SecondsFormat, Utc};
use release::{
    channel::{Channel, PreloadOffer, Upcoming},
    id::{GameId, Version},
    limits::{METAINFO_BYTES_MAX, UNLOCK_KEY_BYTES_MAX},
    metainfo::Metainfo,
    sealed::ReleaseKey,
    target,
};
use std::sync::Arc;
use store::staging::Have;

/// One part in this many on top of what is written, for the file system's own blocks, and some for a small game.
const RESERVE_SHARE: u64 = 20;
const RESERVE_BYTES: u64 = 1024 * 1024;

/// What a channel offers to have before its hour.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(crate) upcoming: Upcoming,
    game: GameId,
    /// The channel names the release already: it can be had in the open.
    pub(crate) is_open: bool,
    client: Arc<trust::Client>,
    transport: Arc<HttpTransport>,
}

impl Offered {
    /// What `channel` offers to whom it is something new.
    pub(crate) fn of(
        channel: &Channel,
        installed: Option<&Version>,
        client: &Arc<trust::Client>,
        transport: &Arc<HttpTransport>,
    ) -> Option<Self> {
        let upcoming = channel.upcoming.clone().filter(|found| installed != Some(&found.version))?;
        upcoming.preload(installed)?;
        Some(Self {
            is_open: channel.version == upcoming.version,
            upcoming,
            game: channel.game.clone(),
            client: Arc::clone(client),
            transport: Arc::clone(transport),
        })
    }

    /// The bundle for who has this release, or none.
    pub(crate) fn preload(&self, installed: Option<&Version>) -> Option<&PreloadOffer> {
        self.upcoming.preload(installed)
    }

    /// Seconds until the key is published, by the clock that is further; 0 once it is time to ask.
    pub(crate) fn seconds_left(&self, now: DateTime<Utc>) -> u64 {
        hour::seconds_left(self.upcoming.unlock_seconds, now, self.transport.server_now())
    }

    /// The hour, RFC 3339.
    pub(crate) fn unlock(&self) -> String {
        DateTime::from_timestamp(self.upcoming.unlock_seconds, 0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// How long the server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<std::time::Duration> {
        self.transport.retry_after()
    }

    /// The torrent of a bundle, which is what the channel says.
    pub(crate) async fn torrent(&self, offer: &PreloadOffer) -> Result<Metainfo, GameError> {
        let name = target::sealed_torrent(&self.game, offer.from.as_ref(), &self.upcoming.version);
        let torrent = Metainfo::parse(&self.client.target(&name, METAINFO_BYTES_MAX as u64).await?)?;
        let is_ours = match torrent.layout.files() {
            [only] => only.pieces_root == Some(offer.root) && only.length == offer.bytes,
            _ => false,
        };
        if is_ours && torrent.layers.complete(&torrent.layout) {
            Ok(torrent)
        } else {
            Err(GameError::Mismatch { what: name })
        }
    }

    /// The key, if its hour has come and its file is there.
    pub(crate) async fn key(&self) -> Result<ReleaseKey, GameError> {
        let not_yet =
            || GameError::UnlockNotYet { version: self.upcoming.version.clone(), unlock: self.unlock() };
        if self.seconds_left(Utc::now()) > 0 {
            return Err(not_yet());
        }
        let name = target::unlock_key(&self.game, &self.upcoming.version);
        match self.client.target(&name, UNLOCK_KEY_BYTES_MAX as u64).await {
            Ok(bytes) => Ok(ReleaseKey::parse(&bytes, &self.game, &self.upcoming.version)?),
            Err(trust::Error::NotFound { .. }) => Err(not_yet()),
            // Other bytes than were signed: as good as no key, but worth another word.
            Err(trust::Error::Signature { .. } | trust::Error::Size { .. }) => {
                Err(release::sealed::SealedError::Key {
                    game: self.game.clone(),
                    version: self.upcoming.version.clone(),
                }
                .into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// As people see it, with what is here of it.
    pub(crate) fn view(&self, installed: Option<&Version>, have: &Have) -> Option<Preload> {
        let offer = self.preload(installed)?;
        let have_bytes = have.bytes_of(&offer.root).min(offer.bytes);
        let written = offer.opened_bytes.saturating_add(offer.bytes - have_bytes);
        Some(Preload {
            version: self.upcoming.version.to_string(),
            unlock: self.unlock(),
            state: if have_bytes == offer.bytes { PreloadState::Preloaded } else { PreloadState::Offered },
            bytes: offer.bytes,
            have_bytes,
            need_bytes: written.saturating_add(written / RESERVE_SHARE).saturating_add(RESERVE_BYTES),
        })
    }
}
