//! What the system's TCP can be told: where packets end and how much it may hold. The one place with a word for each system.
//!
//! Every setting is a courtesy: a system that refuses it sends less evenly, and nothing else.

use socket2::SockRef;
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use swarm::bandwidth::Framing;
use tokio::net::{TcpSocket, TcpStream};

/// Payload of a packet over Ethernet with the usual options.
const SEGMENT_USUAL: u32 = 1448;
/// The smallest that hosts must take (RFC 9293).
const SEGMENT_MIN: u32 = 536;
/// IP, TCP, and the time stamps (RFC 7323) that all but Windows send.
const HEADER_V4: u32 = if cfg!(windows) { 40 } else { 52 };
const HEADER_V6: u32 = HEADER_V4 + 20;

/// How payload travels over a connection.
pub(super) fn framing(connection: &TcpStream) -> Framing {
    let server = connection.peer_addr().ok().as_ref().map(SocketAddr::ip);
    let usual = usual_framing(server);
    let segment = segment(connection).unwrap_or(usual.segment);
    // Loopback has segments of 64 KiB: portions of that size would be no portions.
    Framing { segment: segment.clamp(SEGMENT_MIN, usual.segment), ..usual }
}

/// The same where the connection is not ours to look at.
pub(super) fn usual_framing(server: Option<IpAddr>) -> Framing {
    match server.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V6(_)) => Framing { segment: SEGMENT_USUAL - 20, header: HEADER_V6 },
        _ => Framing { segment: SEGMENT_USUAL, header: HEADER_V4 },
    }
}

#[cfg(unix)]
fn segment(connection: &TcpStream) -> Option<u32> {
    SockRef::from(connection).tcp_mss().ok()
}

#[cfg(not(unix))]
fn segment(_connection: &TcpStream) -> Option<u32> {
    None
}

/// Lets at most about so many bytes lie unsent in the system; `None`: as many as it likes.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn set_unsent_max(connection: &TcpStream, bytes: Option<u64>) {
    let bytes = bytes.map_or(0, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
    if let Err(error) = SockRef::from(connection).set_tcp_notsent_lowat(bytes) {
        tracing::debug!(%error, "the system's send buffer stays as it is");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn set_unsent_max(_connection: &TcpStream, _bytes: Option<u64>) {}

/// Acknowledges what came by now.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn acknowledge(connection: &TcpStream) {
    if let Err(error) = SockRef::from(connection).set_tcp_quickack(true) {
        tracing::debug!(%error, "the system acknowledges when it likes");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn acknowledge(_connection: &TcpStream) {}

/// Lets the other end send about so many bytes ahead of what is read. A system that sizes windows by itself stops
/// doing so for this connection.
pub(super) fn set_receive_window(connection: &TcpStream, bytes: u64) {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if let Err(error) = SockRef::from(connection).set_recv_buffer_size(bytes) {
        tracing::debug!(%error, "the system's receive buffer stays as it is");
    }
}

/// About what the other end may send ahead of what is read, in bytes.
pub(super) fn receive_window(connection: &TcpStream) -> u64 {
    let size = SockRef::from(connection).recv_buffer_size().unwrap_or(0) as u64;
    // Linux says the size with its own overhead, which is as much again (socket(7)).
    if cfg!(target_os = "linux") { size / 2 } else { size }
}

/// Connects with a receive window of about so many bytes; `None`: as the system likes.
pub(super) async fn connect(addr: SocketAddr, window: Option<u64>) -> io::Result<TcpStream> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(window) = window {
        socket.set_recv_buffer_size(u32::try_from(window).unwrap_or(u32::MAX))?;
    }
    socket.connect(addr).await
}
