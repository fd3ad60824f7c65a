//! What travels inside extension messages: the extended handshake (BEP 10, 21), peer exchange (BEP 11) and
//! `lt_donthave` (BEP 54).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use release::bencode::{Dict, Value, Writer};
use thiserror::Error;

/// The number under which peers send us peer exchange.
pub const UT_PEX: u8 = 1;
/// The number under which peers tell us of pieces they lost.
pub const LT_DONTHAVE: u8 = 2;
/// The number under which peers tell us of single blocks they verified (`mu_blocks`).
pub const MU_BLOCKS: u8 = 3;
/// The number under which peers send us blocks packed with zstd (`mu_zstd`).
pub const MU_ZSTD: u8 = 4;
/// Most runs of blocks in one message.
pub const MAX_BLOCK_RUNS: usize = 1024;
/// Most peers read from or written to one peer exchange message (BEP 11).
pub const MAX_PEX_PEERS: usize = 50;

/// The payload was not the dictionary it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an extension's payload is not a dictionary in canonical bencode")]
pub struct ExtendedError;

/// The extended handshake (BEP 10) as far as we use it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtendedHandshake {
    /// The sender's number for peer exchange.
    pub ut_pex: Option<u8>,
    /// The sender's number for `lt_donthave`.
    pub lt_donthave: Option<u8>,
    /// The sender's number for single verified blocks (`mu_blocks`, ours).
    pub mu_blocks: Option<u8>,
    /// The sender's number for blocks packed with zstd (`mu_zstd`, ours).
    pub mu_zstd: Option<u8>,
    /// How many outstanding requests the sender keeps.
    pub reqq: Option<u32>,
    /// The sender's program.
    pub version: Option<String>,
    /// The sender wants nothing (BEP 21).
    pub upload_only: bool,
    /// The port the sender listens on.
    pub port: Option<u16>,
    /// The address under which the sender sees us.
    pub yourip: Option<IpAddr>,
}

impl ExtendedHandshake {
    /// Reads a payload; entries of a wrong type count as absent.
    ///
    /// # Errors
    /// [`ExtendedError`] if it is no dictionary.
    pub fn parse(payload: &[u8]) -> Result<Self, ExtendedError> {
        let value = dictionary(payload)?;
        let dict = value.dict().ok_or(ExtendedError)?;
        let messages = dict.find("m").and_then(Value::dict);
        let number = |name| {
            let number = messages?.find(name)?.integer()?;
            u8::try_from(number).ok().filter(|n| *n != 0)
        };
        Ok(Self {
            ut_pex: number("ut_pex"),
            lt_donthave: number("lt_donthave"),
            mu_blocks: number("mu_blocks"),
            mu_zstd: number("mu_zstd"),
            reqq: integer(dict, "reqq"),
            version: dict.find("v").and_then(Value::text).map(|v| v.chars().take(64).collect()),
            upload_only: integer::<u32>(dict, "upload_only").is_some_and(|flag| flag != 0),
            port: integer(dict, "p").filter(|port| *port != 0),
            yourip: dict.find("yourip").and_then(Value::bytes).and_then(ip),
        })
    }

    /// Writes the payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Writer::new();
        out.dict().bytes("m").dict();
        let spoken = [
            ("lt_donthave", self.lt_donthave),
            ("mu_blocks", self.mu_blocks),
            ("mu_zstd", self.mu_zstd),
            ("ut_pex", self.ut_pex),
        ];
        for (name, number) in spoken {
            if let Some(number) = number {
                out.bytes(name).integer(number.into());
            }
        }
        out.end();
        if let Some(port) = self.port {
            out.bytes("p").integer(port.into());
        }
        if let Some(reqq) = self.reqq {
            out.bytes("reqq").integer(reqq.into());
        }
        if self.upload_only {
            out.bytes("upload_only").integer(1);
        }
        if let Some(version) = &self.version {
            out.bytes("v").bytes(version);
        }
        match self.yourip {
            Some(IpAddr::V4(ip)) => drop(out.bytes("yourip").bytes(ip.octets())),
            Some(IpAddr::V6(ip)) => drop(out.bytes("yourip").bytes(ip.octets())),
            None => {}
        }
        out.end();
        out.finish().into()
    }
}

/// A peer exchange message (BEP 11).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pex {
    /// Peers the sender has connected to since its last message.
    pub added: Vec<SocketAddr>,
    /// Peers the sender has lost since then.
    pub dropped: Vec<SocketAddr>,
}

impl Pex {
    /// Reads a payload, at most [`MAX_PEX_PEERS`] of each list.
    ///
    /// # Errors
    /// [`ExtendedError`] if it is no dictionary.
    pub fn parse(payload: &[u8]) -> Result<Self, ExtendedError> {
        let value = dictionary(payload)?;
        let dict = value.dict().ok_or(ExtendedError)?;
        let both = |four, six| {
            let list = |key| dict.find(key).and_then(Value::bytes).unwrap_or_default();
            addresses::<6>(list(four)).chain(addresses::<18>(list(six))).take(MAX_PEX_PEERS).collect()
        };
        Ok(Self { added: both("added", "added6"), dropped: both("dropped", "dropped6") })
    }

    /// Writes the payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (added, added6) = compact(&self.added);
        let (dropped, dropped6) = compact(&self.dropped);
        let flags = |count: usize| vec![0; count];
        let mut out = Writer::new();
        out.dict().bytes("added").bytes(&added).bytes("added.f").bytes(flags(added.len() / 6));
        out.bytes("added6").bytes(&added6).bytes("added6.f").bytes(flags(added6.len() / 18));
        out.bytes("dropped").bytes(&dropped).bytes("dropped6").bytes(&dropped6).end();
        out.finish().into()
    }
}

/// Reads the piece of an `lt_donthave` message (BEP 54).
#[must_use]
pub fn lost_piece(payload: &[u8]) -> Option<u32> {
    payload.try_into().ok().map(u32::from_be_bytes)
}

/// The payload of an `lt_donthave` message (BEP 54).
#[must_use]
pub fn lost_piece_payload(piece: u32) -> Bytes {
    Bytes::copy_from_slice(&piece.to_be_bytes())
}

/// Verified blocks of one piece that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRun {
    /// The piece.
    pub piece: u32,
    /// The first block, counted in 16 KiB from the start of the piece.
    pub first: u32,
    /// How many, at least one.
    pub count: u32,
}

/// Reads a `mu_blocks` message: runs of piece (4 bytes), first block and number of blocks (2 bytes each), big endian.
/// `None` if it is anything else or has more than [`MAX_BLOCK_RUNS`].
#[must_use]
pub fn block_runs(payload: &[u8]) -> Option<Vec<BlockRun>> {
    let (runs, rest) = payload.as_chunks::<8>();
    let read = |[a, b, c, d, e, f, g, h]: &[u8; 8]| BlockRun {
        piece: u32::from_be_bytes([*a, *b, *c, *d]),
        first: u16::from_be_bytes([*e, *f]).into(),
        count: u16::from_be_bytes([*g, *h]).into(),
    };
    (rest.is_empty() && runs.len() <= MAX_BLOCK_RUNS).then(|| runs.iter().map(read).collect())
}

/// The payload of a `mu_blocks` message; runs beyond the 65,535th block of a piece are left out.
#[must_use]
pub fn block_runs_payload(runs: &[BlockRun]) -> Bytes {
    let mut out = Vec::with_capacity(runs.len() * 8);
    for run in runs.iter().take(MAX_BLOCK_RUNS) {
        if let (Ok(first), Ok(count)) = (u16::try_from(run.first), u16::try_from(run.count)) {
            out.extend_from_slice(&run.piece.to_be_bytes());
            out.extend_from_slice(&first.to_be_bytes());
            out.extend_from_slice(&count.to_be_bytes());
        }
    }
    out.into()
}

fn dictionary(payload: &[u8]) -> Result<Value<'_>, ExtendedError> {
    Value::decode_prefix(payload).map(|(value, _)| value).map_err(|_| ExtendedError)
}

fn integer<T: TryFrom<i64>>(dict: &Dict<'_>, key: &str) -> Option<T> {
    T::try_from(dict.find(key)?.integer()?).ok()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|b| Ipv4Addr::from(b).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|b| Ipv6Addr::from(b).into()),
        _ => None,
    }
}

fn addresses<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> + '_ {
    bytes.as_chunks::<N>().0.iter().filter_map(|entry| {
        let (host, port) = entry.split_last_chunk::<2>()?;
        Some(SocketAddr::new(ip(host)?, u16::from_be_bytes(*port))).filter(|addr| addr.port() != 0)
    })
}

fn compact(peers: &[SocketAddr]) -> (Vec<u8>, Vec<u8>) {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for peer in peers.iter().take(MAX_PEX_PEERS) {
        let out = match peer.ip() {
            IpAddr::V4(ip) => {
                four.extend_from_slice(&ip.octets());
                &mut four
            }
            IpAddr::V6(ip) => {
                six.extend_from_slice(&ip.octets());
                &mut six
            }
        };
        out.extend_from_slice(&peer.port().to_be_bytes());
    }
    (four, six)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extended_handshake_goes_round() {
        let ours = ExtendedHandshake {
            ut_pex: Some(UT_PEX),
            lt_donthave: Some(LT_DONTHAVE),
            mu_blocks: Some(MU_BLOCKS),
            mu_zstd: Some(MU_ZSTD),
            reqq: Some(250),
            version: Some("Muster 0.1".into()),
            upload_only: true,
            port: Some(6881),
            yourip: Some(Ipv4Addr::LOCALHOST.into()),
        };
        assert_eq!(ExtendedHandshake::parse(&ours.encode()), Ok(ours));
        let nothing = ExtendedHandshake::default();
        assert_eq!(&nothing.encode()[..], b"d1:mdee");
        assert_eq!(ExtendedHandshake::parse(b"d1:mdee"), Ok(nothing));
    }

    #[test]
    fn odd_entries_count_as_absent() {
        let seen = ExtendedHandshake::parse(b"d1:md6:ut_pexi300ee1:pi70000e4:reqqi-1e1:vi3ee").unwrap();
        assert_eq!(seen, ExtendedHandshake::default());
        assert_eq!(ExtendedHandshake::parse(b"le"), Err(ExtendedError));
        assert_eq!(ExtendedHandshake::parse(b"d1:m"), Err(ExtendedError));
    }

    #[test]
    fn peer_exchange_goes_round_and_is_bounded() {
        let addr = |n: u16| SocketAddr::new(Ipv4Addr::new(10, 0, 0, 1).into(), n);
        let pex = Pex { added: vec![addr(1), "[::1]:9".parse().unwrap()], dropped: vec![addr(2)] };
        assert_eq!(Pex::parse(&pex.encode()), Ok(pex));
        let many = Pex { added: (1..=200).map(addr).collect(), dropped: vec![] };
        assert_eq!(Pex::parse(&many.encode()).unwrap().added.len(), MAX_PEX_PEERS);
    }

    #[test]
    fn runs_of_blocks_go_round_and_are_bounded() {
        let runs =
            [BlockRun { piece: 70_000, first: 3, count: 2 }, BlockRun { piece: 1, first: 0, count: 256 }];
        assert_eq!(block_runs(&block_runs_payload(&runs)).as_deref(), Some(&runs[..]));
        assert_eq!(block_runs(&[0; 9]), None);
        assert_eq!(block_runs(&vec![0; 8 * (MAX_BLOCK_RUNS + 1)]), None);
    }

    #[test]
    fn a_lost_piece_is_four_bytes() {
        assert_eq!(lost_piece(&lost_piece_payload(77)), Some(77));
        assert_eq!(lost_piece(&[1, 2, 3]), None);
    }
}
