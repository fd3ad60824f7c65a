//! UDP trackers (BEP 15, the path of BEP 41): a socket for each announce and family, bound in time and in answers read.
//!
//! Sent again after 15 and given up after 45 seconds: BEP 15 would go on for hours, which is of no use to somebody who
//! has other trackers or asks again anyway.

pub(in crate::session) mod packet;

use super::{Announce, Answer, TrackerError, believed, clamp_interval, merged, shown};
use packet::{Announced, Reply, announce_request, connect_request};
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::UdpSocket, time::Instant};
use url::Url;

/// How long a connection id holds (BEP 15: one minute for the client).
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
/// Trackers whose connection ids are remembered.
const CONNECTIONS_MAX: usize = 64;
/// Largest datagram there is.
const DATAGRAM_MAX: usize = 64 * 1024;

/// How long an answer is waited for: `first`, and twice as long after each of `tries` attempts.
#[derive(Debug, Clone, Copy)]
struct Patience {
    first: Duration,
    tries: u32,
}

const PATIENCE: Patience = Patience { first: Duration::from_secs(15), tries: 2 };

/// Connection ids that trackers gave us.
#[derive(Debug)]
pub(super) struct Connections {
    v4: bool,
    v6: bool,
    patience: Patience,
    ids: Mutex<BTreeMap<SocketAddr, (u64, Instant)>>,
}

impl Connections {
    /// `listens` are the addresses on which peers reach us.
    pub(super) fn new(listens: &[SocketAddr]) -> Self {
        let v4 = listens.iter().any(SocketAddr::is_ipv4);
        let v6 = listens.iter().any(SocketAddr::is_ipv6);
        Self { v4, v6, patience: PATIENCE, ids: Mutex::default() }
    }

    /// Announces once over each family that both sides have.
    pub(super) async fn announce(&self, url: &Url, say: &Announce) -> Result<Answer, TrackerError> {
        let addrs = addresses(url).await?;
        let asked = self.one_of_each(&addrs).into_iter().map(|addr| self.ask(addr, url, say));
        let outcomes = futures_util::future::join_all(asked).await;
        if outcomes.is_empty() {
            return Err(nowhere(url));
        }
        merged(outcomes)
    }

    /// Whether a tracker gives a connection id, which costs it nothing.
    pub(super) async fn greet(&self, url: &Url) -> Result<(), TrackerError> {
        let addrs = addresses(url).await?;
        let tracker = self.one_of_each(&addrs).first().copied().ok_or_else(|| nowhere(url))?;
        let socket = socket_to(tracker).await?;
        let connected = tokio::time::timeout(self.patience.first, self.connect(&socket, tracker)).await;
        connected.map_err(|_| TrackerError::Late(self.patience.first))?.map(drop)
    }

    /// The first address of each family over which peers reach us, or else the first.
    fn one_of_each(&self, addrs: &[SocketAddr]) -> Vec<SocketAddr> {
        let v4 = addrs.iter().find(|addr| addr.is_ipv4() && self.v4);
        let v6 = addrs.iter().find(|addr| addr.is_ipv6() && self.v6);
        let useful: Vec<SocketAddr> = v4.into_iter().chain(v6).copied().collect();
        if useful.is_empty() { addrs.first().copied().into_iter().collect() } else { useful }
    }

    async fn ask(&self, tracker: SocketAddr, url: &Url, say: &Announce) -> Result<Answer, TrackerError> {
        let socket = socket_to(tracker).await?;
        let mut waited = Duration::ZERO;
        for attempt in 0..self.patience.tries {
            let wait = self.patience.first * 2_u32.pow(attempt);
            match tokio::time::timeout(wait, self.attempt(&socket, tracker, url, say)).await {
                Ok(outcome) => return outcome,
                Err(_) => waited += wait,
            }
        }
        Err(TrackerError::Late(waited))
    }

    /// Connects, unless we are connected, and announces.
    async fn attempt(
        &self,
        socket: &UdpSocket,
        tracker: SocketAddr,
        url: &Url,
        say: &Announce,
    ) -> Result<Answer, TrackerError> {
        let mut known = self.known(tracker);
        loop {
            let connection = match known {
                Some(connection) => connection,
                None => self.connect(socket, tracker).await?,
            };
            let request = |transaction| announce_request(connection, transaction, say, url);
            match exchange(socket, request).await? {
                Reply::Announced(announced) => return Ok(answer(announced, tracker)),
                // The tracker may have forgotten the id, as after a restart.
                Reply::Failed(words) if known.is_some() => {
                    tracing::debug!(words, "connecting anew");
                    self.forget(tracker);
                    known = None;
                }
                Reply::Failed(words) => return Err(TrackerError::Refused(words)),
                Reply::Connected(_) => return Err(TrackerError::Malformed),
            }
        }
    }

    async fn connect(&self, socket: &UdpSocket, tracker: SocketAddr) -> Result<u64, TrackerError> {
        match exchange(socket, connect_request).await? {
            Reply::Connected(connection) => {
                let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                ids.retain(|_, (_, at)| now.duration_since(*at) < CONNECTION_LIFE);
                if ids.len() < CONNECTIONS_MAX {
                    ids.insert(tracker, (connection, now));
                }
                Ok(connection)
            }
            Reply::Failed(words) => Err(TrackerError::Refused(words)),
            Reply::Announced(_) => Err(TrackerError::Malformed),
        }
    }

    fn known(&self, tracker: SocketAddr) -> Option<u64> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, at) = ids.get(&tracker)?;
        (at.elapsed() < CONNECTION_LIFE).then_some(*connection)
    }

    fn forget(&self, tracker: SocketAddr) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&tracker);
    }
}

/// Every address of the tracker's name.
async fn addresses(url: &Url) -> Result<Vec<SocketAddr>, TrackerError> {
    let port = url.port().filter(|port| *port != 0);
    let (Some(host), Some(port)) = (url.host_str(), port) else {
        return Err(TrackerError::Scheme(url.to_string()));
    };
    let unreachable = |source| TrackerError::Unreachable { host: format!("{host}:{port}"), source };
    let name = host.trim_start_matches('[').trim_end_matches(']');
    Ok(tokio::net::lookup_host((name, port)).await.map_err(unreachable)?.collect())
}

/// The name has no address.
fn nowhere(url: &Url) -> TrackerError {
    let host = url.host_str().unwrap_or_default().to_owned();
    TrackerError::Unreachable { host, source: io::ErrorKind::AddrNotAvailable.into() }
}

/// A socket for one tracker.
async fn socket_to(tracker: SocketAddr) -> Result<UdpSocket, TrackerError> {
    let unreachable = |source| TrackerError::Unreachable { host: tracker.to_string(), source };
    let any: SocketAddr = match tracker {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(unreachable)?;
    // Connected: nobody else's datagrams come in, and a closed port is noticed at once.
    socket.connect(tracker).await.map_err(unreachable)?;
    Ok(socket)
}

fn answer(announced: Announced, tracker: SocketAddr) -> Answer {
    Answer {
        peers: believed(announced.peers, Some(tracker.ip())),
        interval: clamp_interval(Some(announced.interval)),
        interval_min: None,
        seeders: announced.seeders,
        leechers: announced.leechers,
    }
}

/// Sends a request and reads until the answer to it; what answers nothing we asked is passed over. Without an end of
/// its own: the caller bounds the time.
async fn exchange(socket: &UdpSocket, request: impl FnOnce(u32) -> Vec<u8>) -> Result<Reply, TrackerError> {
    let failed = |source| TrackerError::Unreachable {
        host: socket.peer_addr().map(|addr| addr.to_string()).unwrap_or_default(),
        source,
    };
    let transaction = fastrand::u32(..);
    let request = request(transaction);
    let action = packet::action_of(&request);
    socket.send(&request).await.map_err(failed)?;
    let mut datagram = vec![0; DATAGRAM_MAX];
    let v6 = socket.peer_addr().is_ok_and(|addr| addr.is_ipv6());
    loop {
        let length = socket.recv(&mut datagram).await.map_err(failed)?;
        match Reply::parse(&datagram[..length], action, transaction, v6) {
            Some(Reply::Failed(words)) => return Ok(Reply::Failed(shown(words.as_bytes()))),
            Some(reply) => return Ok(reply),
            None => tracing::debug!(length, "a datagram that answers nothing we asked"),
        }
    }
}

#[cfg(test)]
mod tests;
