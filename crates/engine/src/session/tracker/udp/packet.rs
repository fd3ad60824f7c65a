//! The datagrams of BEP 15 and the option of BEP 41, as bytes.

use super::super::{Announce, AnnounceEvent, v4, v6};
use std::net::SocketAddr;
use url::Url;

/// What a connect request carries in place of a connection id.
const PROTOCOL: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const ERROR: u32 = 3;
/// BEP 41: what follows is a part of the URL's path and query.
const OPTION_URL_DATA: u8 = 2;
/// Path and query that are sent at most.
const URL_DATA_MAX: usize = 512;

/// What a tracker answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) enum Reply {
    Connected(u64),
    Announced(Announced),
    /// In the tracker's words.
    Failed(String),
}

/// An announce answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session) struct Announced {
    /// Seconds.
    pub(in crate::session) interval: u32,
    pub(in crate::session) leechers: u32,
    pub(in crate::session) seeders: u32,
    pub(in crate::session) peers: Vec<SocketAddr>,
}

pub(super) fn connect_request(transaction: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    out.extend(PROTOCOL.to_be_bytes());
    out.extend(CONNECT.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out
}

pub(super) fn announce_request(connection: u64, transaction: u32, say: &Announce, url: &Url) -> Vec<u8> {
    let event: u32 = match say.event {
        AnnounceEvent::Interval => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    let mut out = Vec::with_capacity(128);
    out.extend(connection.to_be_bytes());
    out.extend(ANNOUNCE.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out.extend(say.infohash.truncated());
    out.extend(say.peer_id);
    for number in [say.downloaded, say.left, say.uploaded] {
        out.extend(number.to_be_bytes());
    }
    out.extend(event.to_be_bytes());
    // The address is that of the datagram.
    out.extend(0_u32.to_be_bytes());
    out.extend(say.key.to_be_bytes());
    out.extend(say.numwant().to_be_bytes());
    out.extend(say.port.to_be_bytes());
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path = format!("{path}?{query}");
    }
    if !matches!(path.as_str(), "" | "/") && path.len() <= URL_DATA_MAX {
        for part in path.as_bytes().chunks(255) {
            out.extend([OPTION_URL_DATA, part.len() as u8]);
            out.extend(part);
        }
    }
    out
}

/// The action of a request of ours.
pub(super) fn action_of(request: &[u8]) -> u32 {
    u32_at(request, 8).unwrap_or(CONNECT)
}

impl Reply {
    /// What a datagram answers to the request with this action and transaction id; nothing where it is none.
    pub(in crate::session) fn parse(
        datagram: &[u8],
        asked: u32,
        transaction: u32,
        over_v6: bool,
    ) -> Option<Self> {
        let action = u32_at(datagram, 0)?;
        if u32_at(datagram, 4)? != transaction {
            return None;
        }
        match action {
            ERROR => Some(Self::Failed(String::from_utf8_lossy(&datagram[8..]).into_owned())),
            CONNECT if asked == CONNECT => {
                let id = datagram.get(8..16)?.try_into().ok()?;
                Some(Self::Connected(u64::from_be_bytes(id)))
            }
            ANNOUNCE if asked == ANNOUNCE => {
                let (interval, leechers, seeders) =
                    (u32_at(datagram, 8)?, u32_at(datagram, 12)?, u32_at(datagram, 16)?);
                let rows = &datagram[20..];
                let peers = if over_v6 {
                    rows.chunks_exact(18).map(v6).collect()
                } else {
                    rows.chunks_exact(6).map(v4).collect()
                };
                Some(Self::Announced(Announced { interval, leechers, seeders, peers }))
            }
            _ => None,
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;
    use release::hash::Hash32;

    fn say() -> Announce {
        Announce {
            infohash: Hash32([0xaa; 32]),
            peer_id: *b"-MU0100-abcdefghijkl",
            port: 0x1ae1,
            key: 0x0102_0304,
            uploaded: 3,
            downloaded: 1,
            left: 2,
            event: AnnounceEvent::Started,
        }
    }

    #[test]
    fn requests_lie_as_bep_15_says() {
        assert_eq!(
            hex::encode(connect_request(0x0506_0708)),
            "00000417271019800000000005060708",
            "protocol, action, transaction"
        );
        let plain = announce_request(9, 7, &say(), &"udp://t.example:80/".parse().expect("a URL"));
        assert_eq!(plain.len(), 98);
        assert_eq!(&plain[..16], [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7]);
        assert_eq!((&plain[16..36], &plain[36..56]), (&[0xaa; 20][..], &b"-MU0100-abcdefghijkl"[..]));
        assert_eq!(
            &plain[56..80],
            [[0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0, 0, 3]].as_flattened()
        );
        assert_eq!(&plain[80..98], [0, 0, 0, 2, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 50, 0x1a, 0xe1]);
    }

    #[test]
    fn a_path_travels_as_bep_41_says() {
        let url = format!("udp://t.example:80/{}?k=1", "d".repeat(300));
        let long = announce_request(9, 7, &say(), &url.parse().expect("a URL"));
        assert_eq!((long[98], long[99]), (2, 255));
        assert_eq!((long[98 + 257], long[98 + 258]), (2, 50));
        assert!(long.ends_with(b"d?k=1"));
        let huge = format!("udp://t.example:80/{}", "d".repeat(5_000));
        assert_eq!(announce_request(9, 7, &say(), &huge.parse().expect("a URL")).len(), 98);
    }

    #[test]
    fn answers_are_read_by_the_family_of_the_socket() {
        let mut datagram = vec![0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 60, 0, 0, 0, 4, 0, 0, 0, 3];
        datagram.extend([1, 2, 3, 4, 0, 9].repeat(3));
        let announced = |reply| match reply {
            Some(Reply::Announced(announced)) => announced,
            other => panic!("{other:?}"),
        };
        let four = announced(Reply::parse(&datagram, ANNOUNCE, 7, false));
        assert_eq!((four.interval, four.leechers, four.seeders), (60, 4, 3));
        assert_eq!(four.peers, [SocketAddr::from(([1, 2, 3, 4], 9)); 3]);
        let six = announced(Reply::parse(&datagram, ANNOUNCE, 7, true));
        assert_eq!(six.peers.len(), 1, "eighteen bytes are one peer over IPv6");
    }

    #[test]
    fn what_answers_nothing_is_nothing() {
        let good = [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(Reply::parse(&good, CONNECT, 7, false), Some(Reply::Connected(9)));
        assert_eq!(Reply::parse(&good, CONNECT, 8, false), None, "a wrong transaction id");
        assert_eq!(Reply::parse(&good, ANNOUNCE, 7, false), None, "a wrong action");
        assert_eq!(Reply::parse(&good[..15], CONNECT, 7, false), None);
        assert_eq!(Reply::parse(b"<html>", CONNECT, 7, false), None);
        let mut random = fastrand::Rng::with_seed(15);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..4)).collect();
            let _ = Reply::parse(&bytes, random.u32(..2), 0, random.bool());
        }
    }
}
