//! What a swarm has done and does: one snapshot, numbers only.

use std::net::SocketAddr;

use crate::io::{Class, PeerKey};

/// Bytes by where they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BySource {
    /// From the publisher's web server.
    pub origin: u64,
    /// From players on the internet.
    pub players: u64,
    /// From players on a local link.
    pub lan: u64,
}

impl BySource {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.origin + self.players + self.lan
    }
}

/// A snapshot of a swarm. Bytes are payload as it travelled: blocks without headers, and the messages of packed blocks
/// whole; only what is called content is counted as it is when unpacked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    /// Payload bytes that came in.
    pub downloaded: BySource,
    /// Payload bytes that went out (nothing goes to the origin).
    pub uploaded: BySource,
    /// Bytes per second that come in now, over the last seconds.
    pub download_rate: BySource,
    /// Bytes per second that go out now, over the last seconds.
    pub upload_rate: BySource,
    /// Bytes of blocks that peers gave, unpacked.
    pub content_from_peers: u64,
    /// Bytes of blocks that went to peers, unpacked.
    pub content_to_peers: u64,
    /// Bytes of blocks per second that come in now from anywhere, unpacked: the pace of the whole.
    pub content_rate: u64,
    /// Bytes of blocks that came twice or were false.
    pub wasted_bytes: u64,
    /// How often a whole piece was wrong.
    pub failed_pieces: u64,
    /// Pieces that are verified.
    pub pieces_have: u32,
    /// Pieces that are wanted or here.
    pub pieces_total: u32,
    /// Pieces that are neither wanted nor here.
    pub pieces_unwanted: u32,
    /// Bytes of verified pieces.
    pub bytes_have: u64,
    /// Bytes of all pieces that are wanted or here.
    pub bytes_total: u64,
    /// How often the rarest piece stands among connected peers, ourselves excepted.
    pub availability_min: u32,
    /// Missing pieces that no connected peer has.
    pub pieces_unavailable: u32,
    /// Fetches from the origin under way.
    pub origin_fetches: usize,
    /// Addresses we know.
    pub peers_known: usize,
    /// Connection attempts under way.
    pub peers_connecting: usize,
    /// Addresses that are banned.
    pub peers_banned: usize,
    /// Everyone we are connected to.
    pub peers: Vec<PeerStats>,
}

/// One connected peer.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerStats {
    /// The connection.
    pub peer: PeerKey,
    /// The other end of it.
    pub addr: SocketAddr,
    /// Where the peer is.
    pub class: Class,
    /// Whether we opened the connection.
    pub outgoing: bool,
    /// The program it says it is.
    pub client: Option<String>,
    /// Pieces it has.
    pub pieces: u32,
    /// Payload bytes it sent us.
    pub downloaded: u64,
    /// Payload bytes we sent it.
    pub uploaded: u64,
    /// Bytes per second it sends us.
    pub download_rate: u64,
    /// Bytes per second we send it.
    pub upload_rate: u64,
    /// Requests it has not answered.
    pub requests_out: usize,
    /// Requests of it that wait here.
    pub requests_in: usize,
    /// It serves us.
    pub unchokes_us: bool,
    /// It has something we want.
    pub interests_us: bool,
    /// We serve it.
    pub unchoked: bool,
    /// We have something it wants.
    pub interested: bool,
    /// It owes us blocks for too long.
    pub snubbed: bool,
}
