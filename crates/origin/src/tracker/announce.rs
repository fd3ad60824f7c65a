//! An announce as it travels: the query of BEP 3 in, bencode out, with the compact peers of BEP 23 and BEP 7.
//!
//! `ip`, `key` and `compact` are not read: the address is the connection's, and peers always come compact.

use super::{Answer, NUMWANT_MAX, Refusal};
use crate::unescape::unescape;
use release::bencode::Writer;
use std::net::{IpAddr, SocketAddr};

/// Why a peer announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// As the interval says.
    None,
    Started,
    Completed,
    Stopped,
}

/// A parsed announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announce {
    /// The first 20 bytes of a v2 infohash (BEP 52).
    pub(crate) infohash: [u8; 20],
    pub(crate) peer_id: [u8; 20],
    pub(crate) port: u16,
    /// Bytes that are missing.
    pub(crate) left: u64,
    pub(crate) event: Event,
    pub(crate) numwant: usize,
}

impl Announce {
    /// Reads a query string.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        let find = |wanted: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == wanted).map(|(_, value)| value).next()
        };
        let bytes = |key: &'static str| {
            let unescaped = find(key).and_then(unescape).and_then(|bytes| bytes.try_into().ok());
            unescaped.ok_or(Refusal::Malformed(key))
        };
        let event = match find("event") {
            None | Some("" | "empty") => Event::None,
            Some("started") => Event::Started,
            Some("completed") => Event::Completed,
            Some("stopped") => Event::Stopped,
            // BEP 21 `paused` and whatever comes: the peer is there.
            Some(_) => Event::None,
        };
        let port = find("port").and_then(|text| text.parse().ok()).filter(|port| *port != 0);
        let numwant = find("numwant").and_then(|text| text.parse::<i64>().ok());
        Ok(Self {
            infohash: bytes("info_hash")?,
            peer_id: bytes("peer_id")?,
            port: port.ok_or(Refusal::Malformed("port"))?,
            left: find("left").and_then(|text| text.parse().ok()).ok_or(Refusal::Malformed("left"))?,
            event,
            // Some programs send -1 for "as many as you like".
            numwant: numwant.and_then(|n| usize::try_from(n).ok()).unwrap_or(NUMWANT_MAX),
        })
    }

    /// Whether nothing is missing.
    pub(crate) fn complete(&self) -> bool {
        self.left == 0
    }
}

/// Encodes what a peer is told.
pub(crate) fn encode(outcome: &Result<Answer, Refusal>) -> Vec<u8> {
    let mut out = Writer::new();
    out.dict();
    match outcome {
        Ok(answer) => {
            let (v4, v6) = compact(&answer.peers);
            out.bytes("complete").integer(answer.complete.into());
            out.bytes("downloaded").integer(answer.completed.into());
            out.bytes("incomplete").integer(answer.incomplete.into());
            out.bytes("interval").integer(answer.interval.as_secs() as i64);
            out.bytes("min interval").integer(answer.interval_min.as_secs() as i64);
            out.bytes("peers").bytes(v4);
            if !v6.is_empty() {
                out.bytes("peers6").bytes(v6);
            }
        }
        Err(refusal) => {
            out.bytes("failure reason").bytes(refusal.to_string());
        }
    }
    out.end();
    out.finish()
}

fn compact(peers: &[SocketAddr]) -> (Vec<u8>, Vec<u8>) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for peer in peers {
        let out = match peer.ip() {
            IpAddr::V4(ip) => {
                v4.extend(ip.octets());
                &mut v4
            }
            IpAddr::V6(ip) => {
                v6.extend(ip.octets());
                &mut v6
            }
        };
        out.extend(peer.port().to_be_bytes());
    }
    (v4, v6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const GOOD: &str = "info_hash=%01%02%03%04%05%06%07%08%09%0A%0b%0c%0d%0e%0f+++++&peer_id=-MU0100-abcdefghijkl\
                        &port=6881&left=12&event=started&numwant=-1&ip=10.0.0.1";

    #[test]
    fn a_good_query() {
        let announce = Announce::parse(GOOD).expect("good");
        assert_eq!(announce.infohash, *b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f+++++");
        assert_eq!((announce.port, announce.left, announce.numwant), (6881, 12, 50));
        assert_eq!(announce.event, Event::Started);
    }

    #[test]
    fn broken_queries_are_refused() {
        for (from, to, field) in [
            ("info_hash=%01", "info_hash=%0", "info_hash"),
            ("info_hash=%01", "info_hash=", "info_hash"),
            ("peer_id=-MU", "peer_id=%zz", "peer_id"),
            ("port=6881", "port=0", "port"),
            ("port=6881", "port=70000", "port"),
            ("left=12", "left=-1", "left"),
            ("left=12", "", "left"),
        ] {
            let query = GOOD.replace(from, to);
            assert_eq!(Announce::parse(&query), Err(Refusal::Malformed(field)), "{query}");
        }
        assert!(Announce::parse("").is_err() && Announce::parse("&&==&%").is_err());
    }

    #[test]
    fn no_query_brings_it_down() {
        let mut random = fastrand::Rng::with_seed(52);
        let alphabet: Vec<char> = "%0aZ&=info_hash+peer_id\u{e9}left port".chars().collect();
        for _ in 0..20_000 {
            let query: String = (0..random.usize(..80)).filter_map(|_| random.choice(&alphabet)).collect();
            let _ = Announce::parse(&query);
        }
    }

    #[test]
    fn answers_are_canonical_bencode() {
        let peers = vec!["1.2.3.4:258".parse().expect("ok"), "[::1]:258".parse().expect("ok")];
        let answer = Answer {
            interval: Duration::from_secs(120),
            interval_min: Duration::from_secs(30),
            complete: 1,
            incomplete: 2,
            completed: 3,
            peers,
        };
        let bytes = encode(&Ok(answer));
        let value = release::bencode::Value::decode(&bytes).expect("canonical");
        let dict = value.dict().expect("a dictionary");
        assert_eq!(dict.find("peers").and_then(|v| v.bytes()), Some(&[1, 2, 3, 4, 1, 2][..]));
        assert_eq!(dict.find("peers6").and_then(|v| v.bytes()).map(<[u8]>::len), Some(18));
        assert_eq!(dict.find("min interval").and_then(|v| v.integer()), Some(30));
        assert!(encode(&Err(Refusal::UnknownTorrent)).starts_with(b"d14:failure reason"));
    }
}
