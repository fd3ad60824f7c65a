//! One announce to one tracker, over HTTP (BEP 3, 7, 23) or UDP (BEP 15, 41), over each address family there is.
//!
//! What a tracker says is a hint: answers are bounded in bytes and in time, numbers clamped, addresses filtered by where
//! the tracker is. Which tracker is asked when is decided in `announcer`.

pub(super) mod http;
pub(super) mod udp;

use crate::{http::HttpError, proxy::Proxy};
use release::hash::Hash32;
use reqwest::Client;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use swarm::address::{Reach, is_players_port, may_name, reach};
use url::Url;

/// Peers taken from one answer at most.
const PEERS_MAX: usize = 200;
/// Peers asked for.
const NUMWANT: u32 = 50;
/// Bounds on the interval that a tracker may ask for.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(3600);
/// Interval where the tracker names none.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1800);
/// Words of a tracker that are shown at most, characters.
const WORDS_MAX: usize = 200;

/// Why we announce (BEP 3 `event`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnnounceEvent {
    Started,
    Interval,
    Completed,
    Stopped,
}

/// What we say of ourselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announce {
    pub(crate) infohash: Hash32,
    pub(crate) peer_id: [u8; 20],
    pub(crate) port: u16,
    /// Tells us apart from others behind the same address, and ourselves after our address changed.
    pub(crate) key: u32,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    pub(crate) left: u64,
    pub(crate) event: AnnounceEvent,
}

impl Announce {
    fn numwant(&self) -> u32 {
        if self.event == AnnounceEvent::Stopped { 0 } else { NUMWANT }
    }
}

/// What the tracker said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) interval: Duration,
    /// The tracker's own bound on how often it may be asked.
    pub(crate) interval_min: Option<Duration>,
    pub(crate) seeders: u32,
    pub(crate) leechers: u32,
}

/// Why a tracker gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum TrackerError {
    /// The request itself.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// No address, no socket, or nobody at the port.
    #[error("{host} cannot be reached: {source}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The system's error.
        source: io::Error,
    },
    /// No whole answer in the time there is.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The answer is not of the expected form.
    #[error("the answer is not a tracker's")]
    Malformed,
    /// The tracker refuses, in its own words.
    #[error("the tracker says: {0}")]
    Refused(String),
    /// Neither http, https nor udp.
    #[error("{0} is no kind of tracker that can be asked")]
    Scheme(String),
}

/// What announces go out with, shared by every torrent of a session.
#[derive(Debug)]
pub(crate) struct Trackers {
    http: http::Clients,
    udp: udp::Connections,
}

impl Trackers {
    /// `listens` are the addresses on which peers reach us: over which families it is worth announcing.
    pub(crate) fn new(client: Client, listens: &[SocketAddr], proxy: Proxy) -> Self {
        let both = listens.iter().any(SocketAddr::is_ipv4) && listens.iter().any(SocketAddr::is_ipv6);
        Self { http: http::Clients::new(client, both, proxy), udp: udp::Connections::new(listens) }
    }

    /// Announces once, over each family that both sides have.
    pub(crate) async fn announce(&self, url: &Url, say: &Announce) -> Result<Answer, TrackerError> {
        match url.scheme() {
            "http" | "https" => self.http.announce(url, say).await,
            "udp" => self.udp.announce(url, say).await,
            other => Err(TrackerError::Scheme(other.to_owned())),
        }
    }

    /// Whether a tracker answers as one; nothing is announced.
    pub(crate) async fn greet(&self, url: &Url) -> Result<(), TrackerError> {
        match url.scheme() {
            "http" | "https" => self.http.greet(url).await,
            "udp" => self.udp.greet(url).await,
            other => Err(TrackerError::Scheme(other.to_owned())),
        }
    }

    /// Whether a tracker's URL is of a kind that can be asked.
    pub(crate) fn takes(url: &Url) -> bool {
        matches!(url.scheme(), "http" | "https" | "udp")
    }
}

/// Whether a tracker with this URL can be asked: `http`, `https` or `udp`.
#[must_use]
pub fn is_tracker(url: &Url) -> bool {
    Trackers::takes(url)
}

/// Keeps the peers that a tracker at `source` may name, and of very many a random part.
fn believed(mut peers: Vec<SocketAddr>, source: Option<IpAddr>) -> Vec<SocketAddr> {
    peers.retain(|peer| match source {
        Some(source) => may_name(source, *peer),
        // Through a proxy nobody knows where the tracker is: only what is near to nobody is believed.
        None => is_players_port(peer.port(), false) && reach(peer.ip()) == Reach::Global,
    });
    if peers.len() > PEERS_MAX {
        // The first of a flood are the tracker's choice, or that of whoever filled it; these are ours.
        fastrand::shuffle(&mut peers);
        peers.truncate(PEERS_MAX);
    }
    peers
}

/// A compact IPv4 peer (BEP 23): six bytes.
fn v4(six: &[u8]) -> SocketAddr {
    let ip = Ipv4Addr::new(six[0], six[1], six[2], six[3]);
    SocketAddr::new(ip.into(), u16::from_be_bytes([six[4], six[5]]))
}

/// A compact IPv6 peer (BEP 7): eighteen bytes.
fn v6(eighteen: &[u8]) -> SocketAddr {
    let mut ip = [0; 16];
    ip.copy_from_slice(&eighteen[..16]);
    SocketAddr::new(Ipv6Addr::from(ip).into(), u16::from_be_bytes([eighteen[16], eighteen[17]]))
}

fn clamp_interval(seconds: Option<u32>) -> Duration {
    seconds
        .map_or(INTERVAL_DEFAULT, |seconds| Duration::from_secs(seconds.into()))
        .clamp(INTERVAL_MIN, INTERVAL_MAX)
}

fn shown(words: &[u8]) -> String {
    String::from_utf8_lossy(words).chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect()
}

/// One answer out of those over several families; an error only where every one failed.
fn merged(outcomes: Vec<Result<Answer, TrackerError>>) -> Result<Answer, TrackerError> {
    let mut merged: Option<Answer> = None;
    let mut failure = None;
    for outcome in outcomes {
        match (outcome, &mut merged) {
            (Ok(answer), None) => merged = Some(answer),
            (Ok(answer), Some(first)) => {
                let new = answer.peers.into_iter().filter(|peer| !first.peers.contains(peer));
                let new: Vec<SocketAddr> = new.collect();
                first.peers.extend(new);
                first.interval = first.interval.max(answer.interval);
                first.interval_min = first.interval_min.max(answer.interval_min);
                first.seeders = first.seeders.max(answer.seeders);
                first.leechers = first.leechers.max(answer.leechers);
            }
            (Err(error), _) => {
                tracing::debug!(%error, "announce over one family");
                failure.get_or_insert(error);
            }
        }
    }
    merged.ok_or_else(|| failure.unwrap_or(TrackerError::Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(peer: &str, interval: u64) -> Answer {
        Answer {
            peers: vec![peer.parse().expect("an address")],
            interval: Duration::from_secs(interval),
            interval_min: None,
            seeders: 1,
            leechers: 2,
        }
    }

    #[test]
    fn answers_over_both_families_are_one() {
        let both = merged(vec![Ok(answer("1.2.3.4:5", 60)), Ok(answer("[2001:db8::1]:5", 120))]);
        let both = both.expect("two answers");
        assert_eq!((both.peers.len(), both.interval), (2, Duration::from_secs(120)));
        let one = merged(vec![Err(TrackerError::Malformed), Ok(answer("1.2.3.4:5", 60))]);
        assert_eq!(one.expect("one is enough"), answer("1.2.3.4:5", 60));
        assert!(merged(vec![Err(TrackerError::Malformed), Err(TrackerError::Malformed)]).is_err());
    }

    #[test]
    fn a_tracker_that_returns_a_million_peers_gives_a_few_of_them() {
        let peers = (0..1_000_000_u32).map(|n| SocketAddr::from(((0x0800_0000 + n).to_be_bytes(), 6881)));
        let taken = believed(peers.collect(), Some("198.51.100.1".parse().expect("an address")));
        assert_eq!(taken.len(), PEERS_MAX);
    }

    #[test]
    fn loopback_and_multicast_addresses_of_a_tracker_are_nobody() {
        let named = [
            "127.0.0.1:6881",
            "[::1]:6881",
            "224.0.0.1:6881",
            "[ff02::1]:6881",
            "0.0.0.0:6881",
            "10.0.0.1:6881",
            "8.8.8.8:0",
        ];
        let named: Vec<SocketAddr> = named.iter().map(|text| text.parse().expect("an address")).collect();
        for source in [None, Some("198.51.100.1".parse().expect("an address"))] {
            assert_eq!(believed(named.clone(), source), []);
        }
        let near = believed(named, Some("127.0.0.1".parse().expect("an address")));
        assert_eq!(
            near.len(),
            3,
            "a tracker on this machine may name this machine and its network: {near:?}"
        );
    }
}
