//! The numbers a swarm is run with. Every default is meant for a home connection.

use std::time::Duration;

/// How a [`crate::Swarm`] behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our own peer id; a peer that bears it is ourselves.
    pub peer_id: [u8; 20],
    /// The name of the program in the extended handshake (BEP 10, `v`).
    pub client: String,
    /// The port peers can reach us on (BEP 10, `p`); `None` if we do not listen.
    pub listen_port: Option<u16>,
    /// Connections at most, both ways. Zero: no peers at all.
    pub connections_max: usize,
    /// Connections we go on looking for by ourselves; above this we only accept.
    pub connections_wanted: usize,
    /// Connection attempts under way at most.
    pub connecting_max: usize,
    /// Connections from one internet address (IPv6: from one /64) at most; loopback and LAN are exempt.
    pub connections_per_ip: usize,
    /// Connections from one range of internet addresses (IPv4: a /24, IPv6: a /48) at most; loopback and LAN are exempt.
    pub connections_per_prefix: usize,
    /// Upload slots that are always given, if anybody is interested.
    pub upload_slots_min: usize,
    /// Upload slots that are given while fewer do not use up the upload.
    pub upload_slots_max: usize,
    /// How often upload slots are dealt anew.
    pub rechoke_interval: Duration,
    /// How long a peer keeps its slot while others wait.
    pub slot_time: Duration,
    /// A peer that has a slot and asks for nothing for so long makes room, if the upload stands idle and others wait.
    pub slot_idle: Duration,
    /// Blocks the driver is asked to send to one peer at a time, at most; bounds its memory.
    pub sending_max: usize,
    /// How much time's worth of a peer's rate the driver is asked to send at a time, at least two blocks. What is at
    /// the driver can hardly be taken back, so little of it wastes little.
    pub sending_queue: Duration,
    /// Requests of one peer that are kept, as we say in `reqq`; more are rejected.
    pub requests_kept_max: usize,
    /// Requests outstanding at one peer at most.
    pub requests_out_max: usize,
    /// Requests outstanding at a peer none of whose blocks was verified yet.
    pub requests_unproven_max: usize,
    /// How much time's worth of a peer's rate is kept requested.
    pub request_queue: Duration,
    /// A peer that owes us blocks and sends none for so long is snubbed: its requests are given to others.
    pub snub_after: Duration,
    /// A single request older than this is given to others.
    pub request_timeout: Duration,
    /// Pieces asked of the origin at the same time, at most, unless they are small. How many really are is felt out:
    /// more while they come within a second, fewer when an origin shared by a crowd takes long.
    pub origin_fetches: usize,
    /// While fewer bytes than these are asked of the origin, more than `origin_fetches` pieces may be.
    pub origin_window_bytes: u64,
    /// Pieces asked of the origin at the same time, at most, however small they are.
    pub origin_fetches_max: usize,
    /// Peers that together give less than this are too slow: the origin helps. Zero: only if nothing is in flight.
    pub origin_floor_bytes_per_second: u64,
    /// How long a player must starve before the origin helps, if there are peers at all. Without any it helps at once.
    pub origin_delay: Duration,
    /// How many of a crowd go to the origin for pieces that hardly anybody has; the others wait for what these pass on.
    /// Zero: everybody.
    pub origin_injectors: u32,
    /// The same for those who have nothing yet.
    pub origin_first: u32,
    /// Pieces that no more of our peers have than this are fetched from the origin by those who go there, although
    /// peers give enough. More makes a crowd faster and the origin busier.
    pub origin_spread: u32,
    /// An origin that sends nothing for so long is given up for this piece.
    pub origin_stall: Duration,
    /// The last pieces are asked of the origin too, if peers make them wait so long.
    pub last_piece_patience: Duration,
    /// Say that we understand packed blocks (`mu_zstd`), and pack for those who do. Only for a driver that can: it is
    /// then asked for [`crate::Output::SendRun`] and [`crate::Output::StorePacked`].
    pub compression: bool,
}

/// What a publisher wants of the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OriginProfile {
    /// Players are done soonest; the origin goes on giving rare pieces as long as it can.
    #[default]
    Fast,
    /// The origin gives each piece about once, and else only to those who starve.
    Thrifty,
}

impl Config {
    /// The same, with the origin used as `profile` says.
    #[must_use]
    pub fn with_origin_profile(mut self, profile: OriginProfile) -> Self {
        let (spread, floor, injectors, first) = match profile {
            OriginProfile::Fast => (FAST_SPREAD, FAST_FLOOR, FAST_INJECTORS, FAST_FIRST),
            OriginProfile::Thrifty => (0, THRIFTY_FLOOR, THRIFTY_INJECTORS, THRIFTY_FIRST),
        };
        (self.origin_spread, self.origin_floor_bytes_per_second) = (spread, floor);
        (self.origin_injectors, self.origin_first) = (injectors, first);
        self
    }
}

/// Bytes per second from peers beneath which the origin helps.
const FAST_FLOOR: u64 = 256 * 1024;
const THRIFTY_FLOOR: u64 = 64 * 1024;
const FAST_SPREAD: u32 = 5;
const FAST_INJECTORS: u32 = 32;
const FAST_FIRST: u32 = 8;
/// More of them fetch the same pieces before they hear of each other: with 4 the origin sent 2.0 copies, with 16 2.4, and
/// a crowd of 16 was done 3 % later (simulated, see docs/origin-profiles.md).
const THRIFTY_INJECTORS: u32 = 4;
const THRIFTY_FIRST: u32 = 2;

impl Default for Config {
    fn default() -> Self {
        Self {
            peer_id: *b"-MU0100-000000000000",
            client: format!("Muster {}", env!("CARGO_PKG_VERSION")),
            listen_port: None,
            connections_max: 80,
            connections_wanted: 40,
            connecting_max: 8,
            connections_per_ip: 4,
            connections_per_prefix: 16,
            upload_slots_min: 4,
            upload_slots_max: 8,
            rechoke_interval: Duration::from_secs(5),
            slot_time: Duration::from_secs(5),
            slot_idle: Duration::from_secs(1),
            sending_max: 16,
            sending_queue: Duration::from_millis(100),
            requests_kept_max: 250,
            requests_out_max: 500,
            requests_unproven_max: 4,
            request_queue: Duration::from_millis(400),
            snub_after: Duration::from_secs(20),
            request_timeout: Duration::from_secs(60),
            origin_fetches: 4,
            origin_window_bytes: 4 * 1024 * 1024,
            origin_fetches_max: 32,
            origin_floor_bytes_per_second: FAST_FLOOR,
            origin_delay: Duration::from_secs(2),
            origin_injectors: FAST_INJECTORS,
            origin_first: FAST_FIRST,
            origin_spread: FAST_SPREAD,
            origin_stall: Duration::from_secs(30),
            last_piece_patience: Duration::from_secs(5),
            compression: false,
        }
    }
}
