//! A tracker's side of BEP 15: datagrams in, datagrams out. Pure: time and addresses come by argument.
//!
//! A connection id proves that who asks receives what is sent to its address. It is computed from the address and the
//! minute, so nothing is remembered of who only asks for one.

use super::{
    Answer, NUMWANT_MAX, Refusal,
    announce::{Announce, Event},
};
use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// What a connect request carries in place of a connection id.
const PROTOCOL: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const ERROR: u32 = 3;
/// An announce without options (BEP 41), bytes.
const ANNOUNCE_BYTES: usize = 98;
/// Longest request that is read: options are not, so they may be cut off.
pub(crate) const REQUEST_MAX: usize = 512;

/// Gives connection ids and knows them again.
#[derive(Debug, Default)]
pub(crate) struct Ids(RandomState);

impl Ids {
    /// Good for this minute and the next.
    fn id(&self, from: SocketAddr, now: Duration) -> u64 {
        self.0.hash_one((from, now.as_secs() / 60))
    }

    fn knows(&self, id: u64, from: SocketAddr, now: Duration) -> bool {
        let before = now.checked_sub(Duration::from_secs(60));
        id == self.id(from, now) || before.is_some_and(|before| id == self.id(from, before))
    }
}

/// What a datagram asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Answered at once with these bytes.
    Reply(Vec<u8>),
    /// To be answered by [`announced`].
    Announce { transaction: [u8; 4], say: Announce },
}

/// Reads a datagram; nothing where it deserves no answer: what is no request, or from who has no connection id, is not
/// answered with more than it sent.
pub(crate) fn request(datagram: &[u8], from: SocketAddr, now: Duration, ids: &Ids) -> Option<Request> {
    let id = u64::from_be_bytes(part(datagram, 0)?);
    let action = u32::from_be_bytes(part(datagram, 8)?);
    let transaction: [u8; 4] = part(datagram, 12)?;
    if action == CONNECT {
        let reply = [&CONNECT.to_be_bytes()[..], &transaction, &ids.id(from, now).to_be_bytes()].concat();
        return (id == PROTOCOL).then_some(Request::Reply(reply));
    }
    if !ids.knows(id, from, now) {
        return Some(Request::Reply(failed(transaction, "connect first")));
    }
    if action != ANNOUNCE {
        return Some(Request::Reply(failed(transaction, "only announces are answered")));
    }
    match announce(datagram) {
        Some(Ok(say)) => Some(Request::Announce { transaction, say }),
        Some(Err(refusal)) => Some(Request::Reply(failed(transaction, &refusal.to_string()))),
        None => None,
    }
}

fn announce(datagram: &[u8]) -> Option<Result<Announce, Refusal>> {
    datagram.get(..ANNOUNCE_BYTES)?;
    let port = u16::from_be_bytes(part(datagram, 96)?);
    if port == 0 {
        return Some(Err(Refusal::Malformed("port")));
    }
    let numwant = i32::from_be_bytes(part(datagram, 92)?);
    Some(Ok(Announce {
        infohash: part(datagram, 16)?,
        peer_id: part(datagram, 36)?,
        port,
        left: u64::from_be_bytes(part(datagram, 64)?),
        event: match u32::from_be_bytes(part(datagram, 80)?) {
            1 => Event::Completed,
            2 => Event::Started,
            3 => Event::Stopped,
            _ => Event::None,
        },
        // Minus one is "as many as you like".
        numwant: usize::try_from(numwant).unwrap_or(NUMWANT_MAX),
    }))
}

/// The datagram that answers an announce: peers of the family that was asked over, for it can carry no others.
pub(crate) fn announced(transaction: [u8; 4], outcome: &Result<Answer, Refusal>, over_v6: bool) -> Vec<u8> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(refusal) => return failed(transaction, &refusal.to_string()),
    };
    let mut out = Vec::with_capacity(20 + 18 * answer.peers.len());
    out.extend(ANNOUNCE.to_be_bytes());
    out.extend(transaction);
    for number in [answer.interval.as_secs() as u32, answer.incomplete, answer.complete] {
        out.extend(number.to_be_bytes());
    }
    for peer in answer.peers.iter().filter(|peer| peer.is_ipv6() == over_v6) {
        match peer.ip() {
            IpAddr::V4(ip) => out.extend(ip.octets()),
            IpAddr::V6(ip) => out.extend(ip.octets()),
        }
        out.extend(peer.port().to_be_bytes());
    }
    out
}

fn failed(transaction: [u8; 4], words: &str) -> Vec<u8> {
    [&ERROR.to_be_bytes()[..], &transaction, words.as_bytes()].concat()
}

fn part<const N: usize>(datagram: &[u8], at: usize) -> Option<[u8; N]> {
    datagram.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn connect(ids: &Ids, from: SocketAddr, now: Duration) -> u64 {
        let asked = [&PROTOCOL.to_be_bytes()[..], &[0, 0, 0, 0, 1, 2, 3, 4]].concat();
        let Some(Request::Reply(reply)) = request(&asked, from, now, ids) else { panic!("a reply") };
        assert_eq!((reply.len(), &reply[..8]), (16, &[0, 0, 0, 0, 1, 2, 3, 4][..]));
        u64::from_be_bytes(part(&reply, 8).expect("sixteen bytes"))
    }

    fn announce(id: u64, port: u16) -> Vec<u8> {
        let mut asked = [&id.to_be_bytes()[..], &[0, 0, 0, 1, 5, 6, 7, 8], &[7; 20], &[1; 20]].concat();
        asked.extend([0; 8]);
        asked.extend(9_u64.to_be_bytes());
        asked.extend([0; 8]);
        asked.extend([0, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        asked.extend(port.to_be_bytes());
        asked
    }

    #[test]
    fn who_connects_may_announce_for_two_minutes_from_its_own_address() {
        let ids = Ids::default();
        let peer = from("198.51.100.7:5000");
        let id = connect(&ids, peer, at(100));
        let asked = |from, seconds| match request(&announce(id, 6881), from, at(seconds), &ids) {
            Some(Request::Announce { transaction: [5, 6, 7, 8], say }) => Some(say),
            _ => None,
        };
        let say = asked(peer, 130).expect("within the minute");
        let expected = Announce {
            infohash: [7; 20],
            peer_id: [1; 20],
            port: 6881,
            left: 9,
            event: Event::Started,
            numwant: NUMWANT_MAX,
        };
        assert_eq!(say, expected);
        assert!(
            asked(peer, 179).is_some() && asked(peer, 180).is_none(),
            "for the minute after, then no more"
        );
        assert!(asked(from("198.51.100.8:5000"), 130).is_none(), "somebody else's id is none");
    }

    #[test]
    fn what_is_no_request_is_answered_with_little_or_nothing() {
        let ids = Ids::default();
        let peer = from("198.51.100.7:5000");
        let id = connect(&ids, peer, at(1));
        let whole = announce(id, 6881);
        for short in 0..whole.len() {
            assert_eq!(request(&whole[..short], peer, at(1), &ids), None, "{short} bytes");
        }
        let Some(Request::Reply(no_port)) = request(&announce(id, 0), peer, at(1), &ids) else {
            panic!("told")
        };
        assert!(no_port.ends_with(b"malformed"));
        let mut random = fastrand::Rng::with_seed(15);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.usize(..120)).map(|_| random.u8(..)).collect();
            let reply = request(&bytes, peer, at(1), &ids);
            assert!(matches!(&reply, None | Some(Request::Reply(_))), "{reply:?}");
            if let Some(Request::Reply(reply)) = reply {
                assert!(reply.len() <= bytes.len() + 8, "no use for who forges an address");
            }
        }
    }

    #[test]
    fn answers_carry_peers_of_the_family_that_asks() {
        let answer = Answer {
            interval: at(120),
            interval_min: at(5),
            complete: 1,
            incomplete: 2,
            completed: 3,
            peers: vec![from("1.2.3.4:258"), from("[::1]:258")],
        };
        let v4 = announced([1, 2, 3, 4], &Ok(answer.clone()), false);
        assert_eq!(v4, [0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 120, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4, 1, 2]);
        assert_eq!(announced([1, 2, 3, 4], &Ok(answer), true).len(), 20 + 18);
        let refused = announced([1, 2, 3, 4], &Err(Refusal::UnknownTorrent), true);
        assert_eq!(refused[..8], [0, 0, 0, 3, 1, 2, 3, 4]);
    }
}
