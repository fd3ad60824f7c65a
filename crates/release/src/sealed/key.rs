//! The key of a sealed release, and the file it is published in.

use super::SealedError;
use crate::{
    id::{GameId, Version},
    limits::UNLOCK_KEY_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The only format this version reads.
const FORMAT: u32 = 1;

/// The key of one release. It is secret until its file is published.
#[derive(Clone, PartialEq, Eq)]
pub struct ReleaseKey {
    game: GameId,
    version: Version,
    secret: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    game: GameId,
    version: Version,
    key: String,
}

impl ReleaseKey {
    /// Of 32 bytes that nobody can guess, drawn for this release alone.
    #[must_use]
    pub fn new(game: GameId, version: Version, secret: [u8; 32]) -> Self {
        Self { game, version, secret }
    }

    /// Reads the key file of this game's release.
    ///
    /// # Errors
    /// [`SealedError::Key`] for anything else.
    pub fn parse(bytes: &[u8], game: &GameId, version: &Version) -> Result<Self, SealedError> {
        let refused = || SealedError::Key { game: game.clone(), version: version.clone() };
        if bytes.len() > UNLOCK_KEY_BYTES_MAX {
            return Err(refused());
        }
        let found: Document = serde_json::from_slice(bytes).map_err(|_| refused())?;
        let mut secret = [0; 32];
        hex::decode_to_slice(&found.key, &mut secret).map_err(|_| refused())?;
        if found.format != FORMAT || found.game != *game || found.version != *version {
            return Err(refused());
        }
        Ok(Self::new(found.game, found.version, secret))
    }

    /// The key file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (game, version) = (self.game.clone(), self.version.clone());
        let document = Document { format: FORMAT, game, version, key: hex::encode(self.secret) };
        serde_json::to_vec(&document).expect("four fields with text keys, which JSON always takes")
    }

    /// The game it is of.
    #[must_use]
    pub fn game(&self) -> &GameId {
        &self.game
    }

    /// The release it is of.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A log is no place for a secret.
        write!(f, "ReleaseKey({} {})", self.game, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_of_another_release_or_with_wrong_bytes_is_refused() {
        let (game, version): (GameId, Version) = ("game".parse().unwrap(), "1.2".parse().unwrap());
        let key = ReleaseKey::new(game.clone(), version.clone(), [9; 32]);
        let bytes = key.encode();
        assert_eq!(ReleaseKey::parse(&bytes, &game, &version).unwrap(), key);
        assert!(!format!("{key:?}").contains("09"));
        let other = ReleaseKey::new(game.clone(), "1.3".parse().unwrap(), [9; 32]).encode();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let cut = &bytes[..bytes.len() - 5];
        let long = [&bytes[..], &[b' '; UNLOCK_KEY_BYTES_MAX]].concat();
        let newer = text.replace("\"format\":1", "\"format\":2").into_bytes();
        let short = text.replace("0909", "09").into_bytes();
        for bad in [&other[..], cut, &long, &newer, &short, b"", b"<html>"] {
            assert_eq!(ReleaseKey::parse(bad, &game, &version).unwrap_err().code(), "UNLOCK_KEY");
        }
    }
}
