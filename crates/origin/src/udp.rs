//! The tracker over UDP (BEP 15), at the same port as over HTTP.

use crate::{
    App,
    server::Ends,
    tracker::{
        Refusal,
        udp::{Ids, REQUEST_MAX, Request, announced, request},
    },
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::UdpSocket, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Announces of torrents that are not known and wait for a look at the repository; more are refused at once.
const WAITING_MAX: usize = 64;

/// Answers until `stop`.
pub(crate) async fn run(socket: UdpSocket, app: Arc<App>, stop: CancellationToken) {
    let (socket, ids) = (Arc::new(socket), Ids::default());
    let waiting = Arc::new(Semaphore::new(WAITING_MAX));
    let mut datagram = [0; REQUEST_MAX];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut datagram) => received,
            () = stop.cancelled() => return,
        };
        let (length, addr) = match received {
            Ok(received) => received,
            Err(error) => {
                // Such as an answer that somebody's port is closed; it must not turn into a busy loop.
                tracing::debug!(%error, "UDP tracker");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let from = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        let reply = match request(&datagram[..length], from, app.started.elapsed(), &ids) {
            None => continue,
            Some(Request::Reply(reply)) => reply,
            Some(Request::Announce { transaction, say }) => {
                let ends = Ends { peer: from.ip(), local: local(&socket, from) };
                let outcome = app.announce(&say, ends);
                if outcome == Err(Refusal::UnknownTorrent)
                    && let Ok(permit) = Arc::clone(&waiting).try_acquire_owned()
                {
                    // The first players of a release may be here before it was noticed.
                    let (socket, app) = (Arc::clone(&socket), Arc::clone(&app));
                    tokio::spawn(async move {
                        app.look_now().await;
                        let outcome = app.announce(&say, ends);
                        app.metrics.announce(outcome.is_ok());
                        send(&socket, &announced(transaction, &outcome, from.is_ipv6()), addr).await;
                        drop(permit);
                    });
                    continue;
                }
                app.metrics.announce(outcome.is_ok());
                announced(transaction, &outcome, from.is_ipv6())
            }
        };
        send(&socket, &reply, addr).await;
    }
}

async fn send(socket: &UdpSocket, reply: &[u8], addr: SocketAddr) {
    if let Err(error) = socket.send_to(reply, addr).await {
        tracing::debug!(%error, "UDP tracker");
    }
}

/// Under which of our addresses `from` reaches us: where the socket has all of them, by the way that leads back.
fn local(socket: &UdpSocket, from: SocketAddr) -> IpAddr {
    let bound = socket.local_addr().map(|addr| addr.ip().to_canonical());
    match bound {
        Ok(ip) if !ip.is_unspecified() => ip,
        _ => way_back(from).unwrap_or(from.ip()),
    }
}

fn way_back(from: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr =
        if from.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" }.parse().map_err(io::Error::other)?;
    // Connecting sends nothing: it only chooses the way.
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(from)?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
