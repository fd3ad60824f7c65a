//! A sealed bundle: a release that players download before its hour and can read only afterwards.
//!
//! The plain bundle is a head ([`Head`]: what is inside, and where) and a body: the payload of a patch, then content as the
//! zstd frames that an origin would have. It is cut into segments of [`SEGMENT_BYTES`], each sealed by AES-256-GCM under a
//! key of the bundle's own, which follows from the release's key. The nonce is the segment's number; game, version, the
//! release it starts from, the bundle's length and the segment's number are authenticated with it. So a segment of another
//! bundle, another place, or a bundle cut short does not open.
//!
//! Invariant: a release's key seals one set of bundles and never another: who seals draws a new key each time. This module
//! draws none and reads no file.

mod head;
mod key;

pub use head::{Head, PREFIX_BYTES, Prefix, Run};
pub use key::ReleaseKey;

use crate::id::{GameId, Version};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use std::fmt;

/// Bytes of a segment before it is sealed; the last may have fewer.
pub const SEGMENT_BYTES: u64 = 1024 * 1024;
/// Bytes that sealing adds to a segment.
pub const TAG_BYTES: u64 = 16;

/// Why a bundle or its key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// Not a key file of this format, or another release's.
    #[error("the key is not that of {game} {version}")]
    Key {
        /// The game it should be of.
        game: GameId,
        /// The release it should be of.
        version: Version,
    },
    /// Changed, in another place, of another bundle, or another key.
    #[error("segment {segment} of the preload does not open")]
    Segment {
        /// Counted from 0.
        segment: u64,
    },
    /// What is inside is no bundle, or its numbers cannot be.
    #[error("the preload is malformed: {0}")]
    Malformed(&'static str),
}

impl SealedError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key { .. } => "UNLOCK_KEY",
            Self::Segment { .. } => "PRELOAD_SEGMENT",
            Self::Malformed(_) => "PRELOAD_INVALID",
        }
    }
}

/// Name of a bundle's torrent and of its one file: `<game>-<version>.sealed` or `<game>-<from>-<version>.sealed`.
#[must_use]
pub fn torrent_name(game: &GameId, from: Option<&Version>, version: &Version) -> String {
    match from {
        Some(from) => format!("{game}-{from}-{version}.sealed"),
        None => format!("{game}-{version}.sealed"),
    }
}

/// Bytes of the sealed bundle whose plain form has so many.
#[must_use]
pub fn sealed_bytes(plain: u64) -> u64 {
    plain.saturating_add(plain.div_ceil(SEGMENT_BYTES).saturating_mul(TAG_BYTES))
}

/// Bytes of the plain bundle whose sealed form has so many; `None` where no bundle has.
#[must_use]
pub fn plain_bytes(sealed: u64) -> Option<u64> {
    let segments = sealed.div_ceil(SEGMENT_BYTES + TAG_BYTES);
    sealed.checked_sub(segments * TAG_BYTES).filter(|plain| *plain > 0 && sealed_bytes(*plain) == sealed)
}

/// Offset and length of a segment in the sealed bundle.
#[must_use]
pub fn sealed_span(plain_total: u64, segment: u64) -> (u64, u64) {
    let start = segment.saturating_mul(SEGMENT_BYTES);
    let length = plain_total.saturating_sub(start).min(SEGMENT_BYTES);
    (segment.saturating_mul(SEGMENT_BYTES + TAG_BYTES), length + TAG_BYTES)
}

/// Seals or opens the segments of one bundle.
pub struct BundleCipher {
    key: LessSafeKey,
    /// What is authenticated with each segment, but for its number.
    context: Vec<u8>,
}

impl fmt::Debug for BundleCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleCipher").finish_non_exhaustive()
    }
}

impl BundleCipher {
    /// For the bundle from `from` (or from nothing) to the key's release, of so many plain bytes.
    #[must_use]
    pub fn new(key: &ReleaseKey, from: Option<&Version>, plain_total: u64) -> Self {
        let mut context = b"muster sealed bundle 1\0".to_vec();
        // None of these can hold a zero byte.
        for text in [key.game().as_str(), key.version().as_str(), from.map_or("", Version::as_str)] {
            context.extend_from_slice(text.as_bytes());
            context.push(0);
        }
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.secret()), &context);
        context.extend_from_slice(&plain_total.to_be_bytes());
        let key = UnboundKey::new(&AES_256_GCM, derived.as_ref())
            .expect("HMAC-SHA256 yields the 32 bytes that AES-256 takes");
        Self { key: LessSafeKey::new(key), context }
    }

    /// Seals a segment in place; the tag is appended.
    ///
    /// # Errors
    /// [`SealedError::Segment`] only where the segment is far longer than any may be.
    pub fn seal(&self, segment: u64, data: &mut Vec<u8>) -> Result<(), SealedError> {
        let sealed = self.key.seal_in_place_append_tag(nonce(segment), self.authenticated(segment), data);
        sealed.map_err(|_| SealedError::Segment { segment })
    }

    /// Opens a segment in place and returns what it holds.
    ///
    /// # Errors
    /// [`SealedError::Segment`] for any byte that is not as it was sealed.
    pub fn open<'a>(&self, segment: u64, data: &'a mut [u8]) -> Result<&'a mut [u8], SealedError> {
        let opened = self.key.open_in_place(nonce(segment), self.authenticated(segment), data);
        opened.map_err(|_| SealedError::Segment { segment })
    }

    fn authenticated(&self, segment: u64) -> Aad<Vec<u8>> {
        Aad::from([&self.context[..], &segment.to_be_bytes()].concat())
    }
}

/// Distinct for each segment under the bundle's key.
fn nonce(segment: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - 8..].copy_from_slice(&segment.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(version: &str, byte: u8) -> ReleaseKey {
        ReleaseKey::new("game".parse().unwrap(), version.parse().unwrap(), [byte; 32])
    }

    #[test]
    fn sizes_fit_each_other() {
        for plain in [1, 100, SEGMENT_BYTES, SEGMENT_BYTES + 1, 5 * SEGMENT_BYTES, 7 * SEGMENT_BYTES + 17] {
            let sealed = sealed_bytes(plain);
            assert_eq!(plain_bytes(sealed), Some(plain));
            let last = plain.div_ceil(SEGMENT_BYTES) - 1;
            let (offset, length) = sealed_span(plain, last);
            assert_eq!(offset + length, sealed);
        }
        for none in [0, 1, TAG_BYTES, SEGMENT_BYTES + TAG_BYTES + 3] {
            assert_eq!(plain_bytes(none), None, "{none}");
        }
    }

    #[test]
    fn a_segment_opens_only_in_its_place_and_as_it_was_sealed() {
        let cipher = BundleCipher::new(&key("1.2", 7), None, 3000);
        let mut sealed = b"the plain words".to_vec();
        cipher.seal(1, &mut sealed).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"plain"));
        assert_eq!(cipher.open(1, &mut sealed.clone()).unwrap(), b"the plain words");
        let from: Version = "1.1".parse().unwrap();
        let refused = [
            (BundleCipher::new(&key("1.2", 7), None, 3000), 2),
            (BundleCipher::new(&key("1.2", 7), None, 2999), 1),
            (BundleCipher::new(&key("1.2", 7), Some(&from), 3000), 1),
            (BundleCipher::new(&key("1.3", 7), None, 3000), 1),
            (BundleCipher::new(&key("1.2", 8), None, 3000), 1),
        ];
        for (cipher, segment) in &refused {
            let error = cipher.open(*segment, &mut sealed.clone()).unwrap_err();
            assert_eq!(error.code(), "PRELOAD_SEGMENT");
        }
        for byte in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[byte] ^= 1;
            assert!(cipher.open(1, &mut changed).is_err(), "byte {byte}");
        }
        assert!(cipher.open(1, &mut sealed[..10].to_vec()).is_err(), "cut short");
    }
}
