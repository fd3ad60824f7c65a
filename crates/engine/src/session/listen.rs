//! Where a session is reached: its listeners, and the greetings of those who come.
//!
//! A crowd may come at once, and so may many who say nothing: greetings are bounded, and whoever says nothing for longest
//! makes room. Nothing is read here but the handshake.

use super::{Session, SessionError, happening::Happening, port_map, read_handshake};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::atomic::Ordering,
    time::Duration,
};
use swarm::wire::Handshake;
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
        let mut half_open: VecDeque<(Instant, AbortHandle)> = VecDeque::new();
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
                    half_open.push_back((Instant::now(), greeting.abort_handle()));
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

/// Waits until one more greeting may begin. Who says nothing for longest makes room: silence must not keep others out.
async fn make_room(half_open: &mut VecDeque<(Instant, AbortHandle)>) {
    loop {
        half_open.retain(|(_, greeting)| !greeting.is_finished());
        let Some((since, oldest)) = half_open.front().filter(|_| half_open.len() >= HALF_OPEN_MAX) else {
            return;
        };
        if since.elapsed() >= HALF_OPEN_PATIENCE {
            oldest.abort();
            half_open.pop_front();
            return;
        }
        tokio::time::sleep(HALF_OPEN_LOOK).await;
    }
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
