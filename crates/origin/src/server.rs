//! The HTTP listener: bounded connections, bounded headers, a clean end.

use crate::patient::Patient;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;
/// A request's head has to be there after so long; also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection whose other end takes no byte for so long is dead.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Largest head of a request; hyper's bound on what it buffers to write, too.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// What is under way at the end may go on for so long.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// Both ends of a connection, mapped addresses taken back to IPv4.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// Who asks.
    pub(crate) peer: IpAddr,
    /// Under which of our addresses it reached us.
    pub(crate) local: IpAddr,
}

/// Serves until `stop`.
pub(crate) async fn run(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((socket, peer)) => {
                tasks.spawn(connection(socket, peer, router.clone(), stop.clone(), permit));
            }
            Err(error) => {
                // Out of files or memory: it passes, and until then nobody new comes in.
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    tasks.close();
    if tokio::time::timeout(END_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::info!(connections = tasks.len(), "transfers under way were cut off");
    }
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    if let Err(error) = talk(socket, peer, router, stop).await {
        tracing::debug!(%error, "connection ended");
    }
}

async fn talk(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let local = socket.local_addr()?.ip().to_canonical();
    let service =
        TowerToHyperService::new(router.layer(Extension(Ends { peer: peer.ip().to_canonical(), local })));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(Patient::new(socket, STALL_MAX)), service)
    );
    tokio::select! {
        ended = connection.as_mut() => return ended.map_err(io::Error::other),
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::time::timeout(END_TIMEOUT, connection).await.map_err(io::Error::other)?.map_err(io::Error::other)
}
