//! The 68 bytes both sides send first (BEP 3), with the infohash cut to 20 bytes (BEP 52).

use thiserror::Error;

/// Length of a handshake in bytes.
pub const HANDSHAKE_LEN: usize = 68;

/// The reserved bytes we send: BEP 10 extensions, BEP 6 fast, and the v2 bit as libtorrent sets it.
pub const RESERVED: [u8; 8] = [0, 0, 0, 0, 0, EXTENSIONS, 0, FAST | V2];

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
const EXTENSIONS: u8 = 0x10;
const FAST: u8 = 0x04;
const V2: u8 = 0x10;

/// A peer's opening words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Feature bits.
    pub reserved: [u8; 8],
    /// The SHA-256 infohash's first 20 bytes (BEP 52).
    pub infohash: [u8; 20],
    /// The peer's name for itself.
    pub peer_id: [u8; 20],
}

/// The other side does not speak BitTorrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the other side does not speak the BitTorrent protocol")]
pub struct HandshakeError;

impl Handshake {
    /// Our handshake.
    #[must_use]
    pub fn new(infohash: [u8; 20], peer_id: [u8; 20]) -> Self {
        Self { reserved: RESERVED, infohash, peer_id }
    }

    /// Reads a handshake.
    ///
    /// # Errors
    /// [`HandshakeError`] if the protocol's name is another.
    pub fn decode(bytes: &[u8; HANDSHAKE_LEN]) -> Result<Self, HandshakeError> {
        let (protocol, rest) = bytes.split_at(PROTOCOL.len());
        if protocol != PROTOCOL {
            return Err(HandshakeError);
        }
        let mut handshake = Self { reserved: [0; 8], infohash: [0; 20], peer_id: [0; 20] };
        handshake.reserved.copy_from_slice(&rest[..8]);
        handshake.infohash.copy_from_slice(&rest[8..28]);
        handshake.peer_id.copy_from_slice(&rest[28..]);
        Ok(handshake)
    }

    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut bytes = [0; HANDSHAKE_LEN];
        bytes[..20].copy_from_slice(PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved);
        bytes[28..48].copy_from_slice(&self.infohash);
        bytes[48..].copy_from_slice(&self.peer_id);
        bytes
    }
}

/// Whether the peer speaks the extension protocol (BEP 10).
pub(crate) fn speaks_extensions(reserved: &[u8; 8]) -> bool {
    reserved[5] & EXTENSIONS != 0
}

/// Whether the peer speaks the fast extension (BEP 6).
pub(crate) fn speaks_fast(reserved: &[u8; 8]) -> bool {
    reserved[7] & FAST != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_round_and_sets_the_bits_of_beps_6_10_52() {
        let ours = Handshake::new([7; 20], *b"-MU0100-abcdefghijkl");
        let bytes = ours.encode();
        assert_eq!(&bytes[..28], b"\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x14");
        assert_eq!(Handshake::decode(&bytes), Ok(ours));
        assert!(speaks_fast(&ours.reserved) && speaks_extensions(&ours.reserved));
    }

    #[test]
    fn another_protocol_is_refused() {
        let mut bytes = Handshake::new([0; 20], [0; 20]).encode();
        bytes[1] = b'b';
        assert_eq!(Handshake::decode(&bytes), Err(HandshakeError));
    }
}
