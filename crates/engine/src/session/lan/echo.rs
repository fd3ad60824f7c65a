//! Whether what is said on the local networks is heard: a datagram of our own, by the way that announces take.
//!
//! It asks for a torrent that nobody has, so nobody answers. What stops it stops every announce: a firewall on this machine,
//! a network without multicast.

use super::{
    GROUP_V4, GROUP_V6, PORT, ear_on, join,
    message::{DATAGRAM_MAX, encode, parse},
    networks::{self, Network},
    speak,
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::UdpSocket, time::timeout};

/// What is not heard within this time is not heard.
const ECHO_MAX: Duration = Duration::from_secs(2);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanEcho {
    /// This session discovers nobody.
    Off,
    /// On so many networks, of so many, something was heard.
    Heard {
        /// Networks that this machine is on.
        networks: usize,
        /// Those on which its own words came back.
        heard: usize,
    },
}

/// Speaks on every network over which peers reach `listen`, and listens.
pub(in crate::session) async fn echo(listen: SocketAddr) -> LanEcho {
    let mut listens = vec![listen];
    if listen.ip().is_unspecified() {
        listens.push((Ipv6Addr::UNSPECIFIED, listen.port()).into());
    }
    let usable = tokio::task::spawn_blocking(move || networks::usable(&listens)).await;
    let networks = usable.ok().and_then(Result::ok).unwrap_or_default();
    let ears = [false, true].map(|v6| ear(&networks, v6));
    let cookie = format!("{:016x}", fastrand::u64(..));
    for network in &networks {
        if let Err(error) = say(network, listen.port(), &cookie) {
            tracing::debug!(ip = %network.ip, %error, "this network takes no announce");
        }
    }
    let [v4, v6] = ears.map(|ear| heard(ear, &cookie, &networks));
    let (v4, v6) = tokio::join!(v4, v6);
    LanEcho::Heard { networks: networks.len(), heard: v4 + v6 }
}

/// A socket that hears every network of a family; none where there is none.
fn ear(networks: &[Network], v6: bool) -> Option<UdpSocket> {
    let networks = || networks.iter().filter(|network| network.ip.is_ipv6() == v6);
    networks().next()?;
    let socket = ear_on(v6).inspect_err(|error| tracing::debug!(%error, "no ear")).ok()?;
    for network in networks() {
        if let Err(error) = join(&socket, *network) {
            tracing::debug!(ip = %network.ip, %error, "this network is not listened to");
        }
    }
    Some(socket)
}

fn say(network: &Network, port: u16, cookie: &str) -> std::io::Result<()> {
    let group: IpAddr = if network.ip.is_ipv6() { GROUP_V6.into() } else { GROUP_V4.into() };
    let nobodys: [u8; 20] = std::array::from_fn(|_| fastrand::u8(..));
    let datagram = encode(&SocketAddr::new(group, PORT).to_string(), port, &[nobodys], cookie);
    speak(network, group, &datagram)
}

/// From how many of our own addresses our own words came, in the time there is.
async fn heard(ear: Option<UdpSocket>, cookie: &str, networks: &[Network]) -> usize {
    let Some(ear) = ear else { return 0 };
    let expected = networks.iter().filter(|network| network.ip.is_ipv6() == is_v6(&ear)).count();
    let mut from: BTreeSet<IpAddr> = BTreeSet::new();
    let mut datagram = vec![0; DATAGRAM_MAX];
    let listening = async {
        while from.len() < expected {
            let Ok((length, speaker)) = ear.recv_from(&mut datagram).await else { return };
            let said = parse(&datagram[..length]);
            if said.is_some_and(|said| said.cookie.as_deref() == Some(cookie)) {
                from.insert(speaker.ip().to_canonical());
            }
        }
    };
    // Those who were heard until then count.
    let _ = timeout(ECHO_MAX, listening).await;
    from.len()
}

fn is_v6(ear: &UdpSocket) -> bool {
    ear.local_addr().is_ok_and(|addr| addr.is_ipv6())
}
