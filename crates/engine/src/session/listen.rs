//! Where a session is reached: its listeners, and the greetings of those who come.
//!
//! A crowd may come at once, and so may many who say nothing: greetings are bounded, and of the range of addresses that has
//! most of them whoever says nothing for longest makes room. Nothing is read here but the handshake.

use super::{Session, SessionError, happening::Happening, port_map, read_handshake};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::Ordering,
    time::Duration,
};
use swarm::{address::neighbourhood, wire::Handshake};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::Instant,
};

/// Incoming connections whose handshake is under way.
const HALF_OPEN_MAX: usize = 128;
/// When so many are, one that said nothing for so long makes room for the next; a crowd that comes at once is heard.
const HALF_OPEN_PATIENCE: Duration = Duration::from_millis(250);
/// How often is looked whether one of them is through.
const HALF_OPEN_LOOK: Duration = Duration::from_millis(2);
/// Connections that the system may keep waiting for us.
const BACKLOG: i32 = 1024;
/// How long is waited before somebody else is let in when the system has no file or memory left.
const PAUSE: Duration = Duration::from_millis(200);

impl Session {
    pub(super) async fn accept(self, listener: TcpListener) {
        let mut half_open: VecDeque<HalfOpen> = VecDeque::new();
        loop {
            let next = async {
                make_room(&mut half_open).await;
                listener.accept().await
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                () = self.ended() => return,
            };
            match accepted {
                Ok((socket, addr)) => {
                    let session = self.clone();
                    let greeting = tokio::spawn(async move {
                        if let Err(error) = session.welcome(socket, addr).await {
                            tracing::debug!(%addr, %error, "no handshake");
                        }
                    });
                    half_open.push_back(HalfOpen {
                        since: Instant::now(),
                        around: neighbourhood(addr.ip()),
                        greeting: greeting.abort_handle(),
                    });
                }
                Err(error) => {
                    // Out of files or memory: it passes, and until then nobody new comes in.
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn welcome(&self, mut socket: TcpStream, addr: SocketAddr) -> io::Result<()> {
        let theirs = read_handshake(&mut socket).await?;
        if port_map::is_public(addr.ip().to_canonical()) {
            self.shared.reached.store(true, Ordering::Relaxed);
        }
        let handle = self.torrents().answers(&theirs.infohash);
        let handle = handle.ok_or_else(|| io::Error::other("not a torrent of ours"))?;
        socket.set_nodelay(true)?;
        socket.write_all(&Handshake::new(theirs.infohash, self.peer_id()).encode()).await?;
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        if let Some(lan) = &self.shared.lan {
            lan.settle(addr.ip()).await;
        }
        handle.deliver(Happening::Connected { socket, handshake: theirs, addr, outgoing: false });
        Ok(())
    }
}

/// A connection whose handshake is under way.
struct HalfOpen {
    since: Instant,
    /// The range of addresses that it came from.
    around: IpAddr,
    greeting: AbortHandle,
}

/// Waits until one more greeting may begin. Silence must not keep others out: who floods loses places to itself.
async fn make_room(half_open: &mut VecDeque<HalfOpen>) {
    loop {
        half_open.retain(|one| !one.greeting.is_finished());
        if half_open.len() < HALF_OPEN_MAX {
            return;
        }
        let silent = half_open.iter().map(|one| one.around).collect::<Vec<_>>();
        if let Some(at) = first_of_most(&silent)
            && half_open[at].since.elapsed() >= HALF_OPEN_PATIENCE
        {
            half_open.remove(at).into_iter().for_each(|one| one.greeting.abort());
            return;
        }
        tokio::time::sleep(HALF_OPEN_LOOK).await;
    }
}

/// Of the range that comes most often, the first.
fn first_of_most(ranges: &[IpAddr]) -> Option<usize> {
    let mut counts: BTreeMap<IpAddr, (usize, usize)> = BTreeMap::new();
    for (at, range) in ranges.iter().enumerate() {
        counts.entry(*range).or_insert((0, at)).0 += 1;
    }
    let most = counts.into_values().max_by_key(|(count, first)| (*count, Reverse(*first)));
    most.map(|(_, first)| first)
}

/// One listener for an address given, else one for each family on the same port.
pub(super) fn listen(addr: Option<SocketAddr>) -> Result<Vec<TcpListener>, SessionError> {
    if let Some(addr) = addr {
        return Ok(vec![listen_on(addr)?]);
    }
    let v4 = listen_on((Ipv4Addr::UNSPECIFIED, 0).into())?;
    let port = v4.local_addr().map(|addr| addr.port()).unwrap_or(0);
    let mut listeners = vec![v4];
    match listen_on((Ipv6Addr::UNSPECIFIED, port).into()) {
        Ok(v6) => listeners.push(v6),
        Err(error) => tracing::info!(%error, "IPv4 only"),
    }
    Ok(listeners)
}

fn listen_on(addr: SocketAddr) -> Result<TcpListener, SessionError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => SessionError::AddressInUse { addr },
        _ => SessionError::Listen { addr, source },
    };
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP)).map_err(failed)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true).map_err(failed)?;
    }
    // On Unix this lets a port be taken again right after its last owner ended; on Windows it would
    // let two programs share one.
    #[cfg(unix)]
    socket.set_reuse_address(true).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.bind(&addr.into()).map_err(failed)?;
    socket.listen(BACKLOG).map_err(failed)?;
    TcpListener::from_std(socket.into()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_floods_makes_room_and_not_who_came_before() {
        let range = |third: u8| IpAddr::from([203, 0, third, 0]);
        for (ranges, makes_room) in [
            (vec![], None),
            (vec![1, 2, 3], Some(0)),
            (vec![1, 2, 2, 3, 2], Some(1)),
            (vec![1, 3, 2, 2, 3, 3], Some(1)),
        ] {
            let ranges: Vec<IpAddr> = ranges.into_iter().map(range).collect();
            assert_eq!(first_of_most(&ranges), makes_room, "{ranges:?}");
        }
    }
}
