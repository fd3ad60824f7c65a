//! Local service discovery (BEP 14): players on one network find each other without a tracker.
//!
//! One task for a session. It says what the session takes part in on every private network: twice when a torrent is new,
//! then every five minutes, several infohashes in one datagram. It believes only who speaks from an address of such a
//! network. Who is heard for the first time is answered once, to its own address: so both ends know of each other
//! before one connects, without a second datagram for everybody (BEP 14 allows one a minute).
//!
//! It connects to nobody: what it finds goes to the torrents, and [`Lan::heard`] says who counts as LAN.

mod echo;
mod heard;
pub(super) mod message;
mod networks;

pub use echo::LanEcho;
pub(super) use echo::echo;

use super::Session;
use heard::Heard;
use message::{DATAGRAM_MAX, INFOHASHES_MAX, encode, parse};
use networks::Network;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use swarm::address::{Reach, reach};
use tokio::{net::UdpSocket, sync::Notify, time::Instant};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);
const PORT: u16 = 6771;
/// How often a torrent is announced.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(300);
/// No torrent is announced sooner again, and nobody answered sooner again.
const ANNOUNCE_MIN: Duration = Duration::from_secs(60);
/// Who misses three announces is gone.
const HEARD_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a connection from a private address waits for what its other end said before.
const SETTLE_MAX: Duration = Duration::from_millis(500);
/// How often networks are looked for: a cable is plugged in, a radio comes up.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Discovery as the session holds it.
#[derive(Debug)]
pub(super) struct Lan {
    heard: Heard,
    /// What is announced, by the first 20 bytes of the infohash, and for which torrent.
    ours: Mutex<BTreeSet<([u8; 20], [u8; 20])>>,
    news: Notify,
    /// Somebody new was heard.
    noted: Notify,
}

impl Lan {
    pub(super) fn new() -> Self {
        Self {
            heard: Heard::new(HEARD_LIFE),
            ours: Mutex::default(),
            news: Notify::new(),
            noted: Notify::new(),
        }
    }

    /// Whether somebody at this address was heard on a local network.
    pub(super) fn heard(&self, ip: IpAddr) -> bool {
        self.heard.contains(ip.to_canonical(), Instant::now())
    }

    /// Lets who connects from a private address be heard first. It said that it is there before it connected, but
    /// datagrams and connections are not read by the same task.
    pub(super) async fn settle(&self, ip: IpAddr) {
        if reach(ip) != Reach::Private {
            return;
        }
        let heard = async {
            loop {
                let mut noted = pin!(self.noted.notified());
                // From here on, so that nothing is missed between the look and the wait.
                noted.as_mut().enable();
                if self.heard(ip) {
                    return;
                }
                noted.await;
            }
        };
        let _ = tokio::time::timeout(SETTLE_MAX, heard).await;
    }

    /// Whether an infohash is to be announced and found for a torrent, whose own it may be.
    pub(super) fn take_part(&self, infohash: [u8; 20], torrent: [u8; 20], takes_part: bool) {
        let entry = (infohash, torrent);
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if takes_part { ours.insert(entry) } else { ours.remove(&entry) };
        drop(ours);
        if changed && takes_part {
            self.news.notify_one();
        }
    }

    /// A torrent ended.
    pub(super) fn leave(&self, torrent: [u8; 20]) {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, of)| *of != torrent);
    }

    fn ours(&self) -> BTreeSet<[u8; 20]> {
        let ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.iter().map(|(infohash, _)| *infohash).collect()
    }
}

/// Announces and listens until the session ends. `listens` are the addresses on which peers reach us.
pub(super) async fn run(session: Session, lan: Arc<Lan>, listens: Vec<SocketAddr>) {
    let mut talk = Talk {
        session: session.clone(),
        lan: Arc::clone(&lan),
        listens,
        cookie: format!("{:016x}", fastrand::u64(..)),
        ears: [None, None],
        networks: Vec::new(),
        joined: BTreeSet::new(),
        announced: BTreeMap::new(),
        answered: BTreeMap::new(),
    };
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut v4, mut v6) = (vec![0; DATAGRAM_MAX], vec![0; DATAGRAM_MAX]);
    loop {
        let heard = tokio::select! {
            () = session.ended() => return,
            _ = look.tick() => { talk.look().await; None }
            () = lan.news.notified() => None,
            heard = hear(talk.ears[0].as_ref(), &mut v4) => Some((heard, &v4)),
            heard = hear(talk.ears[1].as_ref(), &mut v6) => Some((heard, &v6)),
        };
        match heard {
            Some(((length, from), datagram)) => talk.heard(&datagram[..length], from),
            None => talk.announce(),
        }
    }
}

/// The next datagram; never without a socket.
async fn hear(socket: Option<&UdpSocket>, datagram: &mut [u8]) -> (usize, SocketAddr) {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        match socket.recv_from(datagram).await {
            Ok(heard) => return heard,
            Err(error) => {
                // Such as an answer that somebody's port was closed; it must not turn into a busy loop.
                tracing::debug!(%error, "local discovery");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Talk {
    session: Session,
    lan: Arc<Lan>,
    listens: Vec<SocketAddr>,
    cookie: String,
    /// Where announces are heard: IPv4, IPv6.
    ears: [Option<UdpSocket>; 2],
    networks: Vec<Network>,
    joined: BTreeSet<Network>,
    /// When each torrent was announced last, and how often.
    announced: BTreeMap<[u8; 20], (Instant, u32)>,
    answered: BTreeMap<IpAddr, Instant>,
}

impl Talk {
    /// Looks which networks there are now; a new one has to hear of everything.
    async fn look(&mut self) {
        let listens = self.listens.clone();
        let looked = tokio::task::spawn_blocking(move || networks::usable(&listens)).await;
        let networks = match looked {
            Ok(Ok(networks)) => networks,
            Ok(Err(error)) => return tracing::warn!(%error, "the networks of this machine cannot be listed"),
            // The program ends.
            Err(_) => return,
        };
        if networks != self.networks {
            tracing::info!(networks = ?networks.iter().map(|n| n.ip).collect::<Vec<_>>(), "local discovery");
            self.announced.clear();
            self.networks = networks;
            self.joined.retain(|network| self.networks.contains(network));
        }
        for network in self.networks.clone() {
            if !self.joined.contains(&network) {
                match self.join(network) {
                    Ok(()) => _ = self.joined.insert(network),
                    Err(error) => tracing::info!(ip = %network.ip, %error, "this network is not listened to"),
                }
            }
        }
    }

    fn join(&mut self, network: Network) -> io::Result<()> {
        let ear = &mut self.ears[usize::from(network.ip.is_ipv6())];
        let socket = match ear {
            Some(socket) => socket,
            None => ear.insert(ear_on(network.ip.is_ipv6())?),
        };
        join(socket, network)
    }

    /// Announces what is due, on every network.
    fn announce(&mut self) {
        let now = Instant::now();
        let ours = self.lan.ours();
        self.announced.retain(|infohash, (at, _)| ours.contains(infohash) || at.elapsed() < ANNOUNCE_MIN);
        let is_due = |infohash: &[u8; 20]| {
            self.announced.get(infohash).is_none_or(|(at, times)| {
                let since = now.duration_since(*at);
                // One datagram is easily lost, over the air above all: a new torrent is said twice. What comes due
                // before the next look goes out with this one.
                since + LOOK_INTERVAL / 2 >= ANNOUNCE_INTERVAL || (*times < 2 && since >= ANNOUNCE_MIN)
            })
        };
        let due: Vec<[u8; 20]> = ours.into_iter().filter(is_due).collect();
        if due.is_empty() || self.networks.is_empty() {
            return;
        }
        for network in &self.networks {
            for few in due.chunks(INFOHASHES_MAX) {
                if let Err(error) = self.say(network, None, few) {
                    tracing::debug!(ip = %network.ip, %error, "this network takes no announce");
                }
            }
        }
        for infohash in due {
            let announced = self.announced.entry(infohash).or_insert((now, 0));
            *announced = (now, announced.1.saturating_add(1));
        }
    }

    /// To everybody on a network, or to one address.
    fn say(&self, network: &Network, to: Option<IpAddr>, infohashes: &[[u8; 20]]) -> io::Result<()> {
        let v6 = network.ip.is_ipv6();
        let group = if v6 { IpAddr::V6(GROUP_V6) } else { IpAddr::V4(GROUP_V4) };
        let datagram = encode(
            &SocketAddr::new(group, PORT).to_string(),
            self.session.local_addr().port(),
            infohashes,
            &self.cookie,
        );
        speak(network, to.unwrap_or(group), &datagram)
    }

    fn heard(&mut self, datagram: &[u8], from: SocketAddr) {
        let ip = from.ip().to_canonical();
        // Where it speaks from is what counts: not on one of our private networks, not on our link.
        let Some(network) = self.networks.iter().find(|network| network.contains(ip)).copied() else {
            return;
        };
        let Some(said) = parse(datagram).filter(|said| said.cookie.as_ref() != Some(&self.cookie)) else {
            return;
        };
        let ours = self.lan.ours();
        let shared: Vec<[u8; 20]> =
            said.infohashes.into_iter().filter(|infohash| ours.contains(infohash)).collect();
        if shared.is_empty() {
            return;
        }
        if self.lan.heard.note(ip, Instant::now()) {
            tracing::info!(%ip, "a player on the local network");
            self.lan.noted.notify_waiters();
        }
        self.answer(&network, ip, &shared);
        let addr = network.scoped(ip, said.port);
        for infohash in shared {
            self.session.found_on_lan(&infohash, addr);
        }
    }

    /// Tells who spoke that we are here too, before we connect to it.
    fn answer(&mut self, network: &Network, ip: IpAddr, shared: &[[u8; 20]]) {
        self.answered.retain(|_, at| at.elapsed() < ANNOUNCE_MIN);
        // Only who is remembered is answered, and so both lists have one bound.
        if self.answered.contains_key(&ip) || !self.lan.heard(ip) {
            return;
        }
        self.answered.insert(ip, Instant::now());
        if let Err(error) = self.say(network, Some(ip), shared) {
            tracing::debug!(%ip, %error, "no answer");
        }
    }
}

/// Hears a network's announces from now on.
fn join(socket: &UdpSocket, network: Network) -> io::Result<()> {
    let joined = match network.ip {
        IpAddr::V4(ip) => socket.join_multicast_v4(GROUP_V4, ip),
        IpAddr::V6(_) => socket.join_multicast_v6(&GROUP_V6, network.index),
    };
    match joined {
        // A membership outlives an address that comes back.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        joined => joined,
    }
}

/// A datagram to an address of a network, from our address in it: by that others judge who speaks.
fn speak(network: &Network, to: IpAddr, datagram: &[u8]) -> io::Result<()> {
    let socket = Socket::new(domain(network.ip.is_ipv6()), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&network.scoped(network.ip, 0).into())?;
    match network.ip {
        IpAddr::V4(ip) => socket.set_multicast_if_v4(&ip)?,
        IpAddr::V6(_) => socket.set_multicast_if_v6(network.index)?,
    }
    socket.send_to(datagram, &network.scoped(to, PORT).into())?;
    Ok(())
}

/// The socket on which announces of a family are heard, shared with other programs that do the same.
fn ear_on(v6: bool) -> io::Result<UdpSocket> {
    let any: IpAddr = if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = Socket::new(domain(v6), Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    // The BSDs, and so macOS, ask for this besides; on Linux it would keep out those who set the other alone.
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(any, PORT).into())?;
    UdpSocket::from_std(socket.into())
}

fn domain(v6: bool) -> Domain {
    if v6 { Domain::IPV6 } else { Domain::IPV4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_infohash_is_announced_as_long_as_any_torrent_takes_part_in_it() {
        let lan = Lan::new();
        let (old, new) = ([1; 20], [2; 20]);
        for (infohash, torrent) in [(new, new), (old, new), (old, old)] {
            lan.take_part(infohash, torrent, true);
        }
        lan.leave(old);
        assert_eq!(lan.ours(), BTreeSet::from([old, new]));
        lan.take_part(old, new, false);
        assert_eq!(lan.ours(), BTreeSet::from([new]));
    }
}
