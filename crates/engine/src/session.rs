//! The tokio driver around `swarm`: one listener, one bandwidth tree, an actor for each torrent.

mod announcer;
mod connections;
mod disk;
pub mod fuzzing;
mod handle;
mod happening;
mod lan;
mod limiter;
mod listen;
mod origin;
mod pack;
mod peer;
mod port_map;
mod registry;
mod slabs;
mod tiers;
mod torrent;
mod tracker;
mod unpack;

pub use connections::Connections;
pub use handle::{
    Exchange, OtherRelease, Torrent, TorrentEvent, TorrentHandle, TorrentStatus, TrackerStatus,
};
pub use lan::LanEcho;
pub use limiter::Caps;
pub use origin::{OriginSource, OriginStatus, OriginUse};
pub use port_map::Reachability;
pub use tracker::{TrackerError, is_tracker};

use crate::{http, proxy::Proxy};
use connections::Places;
use futures_util::future::OptionFuture;
use happening::Happening;
use lan::Lan;
use limiter::Limiter;
use port_map::PortMap;
use registry::{Heirs, Registry};
use release::hash::Hash32;
use reqwest::Client;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use swarm::{
    Class, PeerKey,
    wire::{HANDSHAKE_LEN, Handshake},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;
use tracker::Trackers;

/// Time to a connection, and to a whole handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Peer id prefix: `MU`, version 0.1.0.0.
const PEER_ID_PREFIX: &[u8; 8] = b"-MU0100-";

/// How a session listens and what it may use.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Address to listen on; `None`: every interface, both families, any port.
    pub listen: Option<SocketAddr>,
    /// Caps at the start.
    pub caps: Caps,
    /// Discovery on local networks (BEP 14); off, every peer counts as internet.
    pub lan: bool,
    /// Ask the router for a port that leads here (PCP, NAT-PMP or UPnP); never while listening on loopback.
    pub port_mapping: bool,
    /// Peers of each torrent at once; all torrents together have at most four times as many, or as open files allow.
    pub connections: Connections,
    /// Blocks travel compressed between peers that can (ours), wherever that makes them smaller.
    pub compression: bool,
    /// Through what web servers are asked, trackers over HTTP included. Peers and trackers over UDP are spoken to directly.
    pub proxy: Proxy,
}

impl Default for SessionConfig {
    /// Every interface, no caps, discovery on; no router is asked, and blocks travel as they are: how hard to pack is not yet
    /// chosen so well that no line is slower for it.
    fn default() -> Self {
        Self {
            listen: None,
            caps: Caps::default(),
            lan: true,
            port_mapping: false,
            connections: Connections::default(),
            compression: false,
            proxy: Proxy::System,
        }
    }
}

/// Why a session did not start.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The port is taken.
    #[error("address {addr} is in use")]
    AddressInUse {
        /// The address.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// No HTTP client.
    #[error("HTTP cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
}

impl SessionError {
    /// Stable code for people and programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressInUse { .. } => "ADDRESS_IN_USE",
            Self::Listen { .. } => "LISTEN",
            Self::Http(_) => "HTTP",
        }
    }
}

/// A running session. Cheap to clone; it ends with [`Session::close`].
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limiter: Arc<Limiter>,
    connections: Connections,
    compression: bool,
    places: Arc<Places>,
    pool: disk::Pool,
    buffers: Arc<peer::Buffers>,
    client: Client,
    proxy: Proxy,
    trackers: Arc<Trackers>,
    peer_id: [u8; 20],
    /// Tells this session apart at a tracker, whatever its address.
    key: u32,
    local: SocketAddr,
    /// The port that peers reach us at.
    port: watch::Sender<u16>,
    lan: Option<Arc<Lan>>,
    /// None where no router could lead to us.
    port_map: Option<PortMap>,
    /// Somebody on the internet has connected to us.
    reached: AtomicBool,
    next_peer: AtomicU64,
    torrents: Mutex<Registry>,
    ended: CancellationToken,
}

impl Session {
    /// Listens and waits for torrents. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn start(config: &SessionConfig) -> Result<Self, SessionError> {
        let listeners = listen::listen(config.listen)?;
        let addr = config.listen.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into());
        let listens: Result<Vec<SocketAddr>, io::Error> =
            listeners.iter().map(TcpListener::local_addr).collect();
        let listens = listens.map_err(|source| SessionError::Listen { addr, source })?;
        let local = listens[0];
        let mut peer_id = [0; 20];
        peer_id[..8].copy_from_slice(PEER_ID_PREFIX);
        peer_id[8..].fill_with(|| fastrand::alphanumeric() as u8);
        let client = http::client_through(&config.proxy)?;
        // Who listens on loopback alone is on no network.
        let lan = config.lan && !listens.iter().all(|addr| addr.ip().is_loopback());
        let lan = lan.then(|| Arc::new(Lan::new()));
        let port = watch::Sender::new(local.port());
        // Routers lead to IPv4 addresses: over IPv6 there is nothing to be led.
        let open = listens.iter().any(|addr| addr.is_ipv4() && !addr.ip().is_loopback());
        let mapped = NonZeroU16::new(local.port()).filter(|_| open);
        let port_map = mapped.map(|own| PortMap::start(own, config.port_mapping, port.clone()));
        let session = Self {
            shared: Arc::new(Shared {
                limiter: Limiter::new(config.caps),
                connections: config.connections,
                compression: config.compression,
                places: Places::new(config.connections),
                pool: disk::Pool::new(),
                buffers: Arc::default(),
                trackers: Arc::new(Trackers::new(client.clone(), &listens, config.proxy.clone())),
                client,
                proxy: config.proxy.clone(),
                peer_id,
                key: fastrand::u32(..),
                local,
                port,
                lan: lan.clone(),
                port_map,
                reached: AtomicBool::new(false),
                next_peer: AtomicU64::new(1),
                torrents: Mutex::default(),
                ended: CancellationToken::new(),
            }),
        };
        for listener in listeners {
            tokio::spawn(session.clone().accept(listener));
        }
        if let Some(lan) = lan {
            tokio::spawn(lan::run(session.clone(), lan, listens));
        }
        Ok(session)
    }

    /// Takes part in a torrent.
    #[must_use]
    pub fn add(&self, torrent: Torrent) -> (TorrentHandle, mpsc::UnboundedReceiver<TorrentEvent>) {
        let infohash = torrent.infohash;
        let (handle, events) = torrent::start(self, torrent);
        self.torrents().add(&infohash, handle.clone());
        (handle, events)
    }

    /// Changes the caps; they hold at once, for what waits already too.
    pub fn set_caps(&self, caps: Caps) {
        self.shared.limiter.set_caps(caps);
    }

    /// Bytes that went to peers on the internet so far, headers included.
    #[must_use]
    pub fn internet_upload_bytes(&self) -> u64 {
        self.limiter().sent_abroad()
    }

    /// Whether the router is asked for a port that leads here; one that it gave is given back.
    pub fn set_port_mapping(&self, on: bool) {
        if let Some(port_map) = &self.shared.port_map {
            port_map.set(on);
        }
    }

    /// Whether peers on the internet can connect to us, as far as is known.
    #[must_use]
    pub fn reachability(&self) -> Reachability {
        if self.shared.reached.load(Ordering::Relaxed) {
            return Reachability::Reachable;
        }
        self.shared.port_map.as_ref().map(|port_map| port_map.state().reachability()).unwrap_or_default()
    }

    /// As [`Session::reachability`], once a router that was asked has answered, or should have.
    pub async fn settled_reachability(&self) -> Reachability {
        if let Some(port_map) = &self.shared.port_map {
            port_map.settled().await;
        }
        self.reachability()
    }

    /// The port that peers outside are told.
    #[must_use]
    pub fn outside_port(&self) -> u16 {
        *self.shared.port.borrow()
    }

    /// Whether a tracker answers as one. Nothing is announced.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn greet_tracker(&self, url: &url::Url) -> Result<(), TrackerError> {
        self.shared.trackers.greet(url).await
    }

    /// Says something on every local network and listens whether it is heard.
    pub async fn lan_echo(&self) -> LanEcho {
        match &self.shared.lan {
            Some(_) => lan::echo(self.local_addr()).await,
            None => LanEcho::Off,
        }
    }

    /// The address that peers connect to; with an unspecified IP when every interface is listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// Whether the system allows too few open files for as many peers as a torrent may have.
    #[must_use]
    pub fn open_files_are_few(&self) -> bool {
        self.shared.places.files_are_few()
    }

    /// The HTTP client that everything of this session shares.
    #[must_use]
    pub fn http(&self) -> &Client {
        &self.shared.client
    }

    /// Through what web servers are asked.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.shared.proxy
    }

    /// Stops every torrent and listens no more.
    pub async fn close(&self) {
        let handles = self.torrents().all();
        let stops = futures_util::future::join_all(handles.iter().map(TorrentHandle::stop));
        let unmapped = OptionFuture::from(self.shared.port_map.as_ref().map(PortMap::end));
        tokio::join!(stops, unmapped);
        self.shared.ended.cancel();
    }

    fn pool(&self) -> &disk::Pool {
        &self.shared.pool
    }

    fn buffers(&self) -> &Arc<peer::Buffers> {
        &self.shared.buffers
    }

    fn places(&self) -> &Arc<Places> {
        &self.shared.places
    }

    fn limiter(&self) -> &Arc<Limiter> {
        &self.shared.limiter
    }

    fn peer_id(&self) -> [u8; 20] {
        self.shared.peer_id
    }

    fn trackers(&self) -> &Arc<Trackers> {
        &self.shared.trackers
    }

    fn key(&self) -> u32 {
        self.shared.key
    }

    fn port(&self) -> watch::Receiver<u16> {
        self.shared.port.subscribe()
    }

    /// Where a peer at this address is.
    fn class_of(&self, ip: IpAddr) -> Class {
        match &self.shared.lan {
            Some(lan) if lan.heard(ip) => Class::Lan,
            _ => Class::Internet,
        }
    }

    /// Whether an infohash is to be found on local networks for a torrent.
    fn take_part_on_lan(&self, infohash: &Hash32, torrent: &Hash32, takes_part: bool) {
        if let Some(lan) = &self.shared.lan {
            lan.take_part(infohash.truncated(), torrent.truncated(), takes_part);
        }
    }

    /// Somebody on a local network takes part in a torrent of ours.
    fn found_on_lan(&self, infohash: &[u8; 20], addr: SocketAddr) {
        if let Some(handle) = self.torrents().answers(infohash) {
            handle.found_on_lan(addr, *infohash);
        }
    }

    fn next_peer(&self) -> PeerKey {
        PeerKey(self.shared.next_peer.fetch_add(1, Ordering::Relaxed))
    }

    fn swarm_config(&self) -> swarm::Config {
        let config = swarm::Config {
            peer_id: self.peer_id(),
            listen_port: Some(*self.shared.port.borrow()),
            compression: self.shared.compression,
            ..swarm::Config::default()
        };
        self.shared.connections.applied_to(config, &self.shared.places)
    }

    async fn ended(&self) {
        self.shared.ended.cancelled().await;
    }

    fn torrents(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.shared.torrents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A torrent would meet peers of another release; whether it is the one of this session that does.
    fn answers_for_other(&self, infohash: &Hash32, other: &Hash32, handle: TorrentHandle) -> bool {
        self.torrents().add_other(infohash, other, handle)
    }

    /// A torrent ends. The heirs begin once it has said goodbye.
    fn forget(&self, infohash: &Hash32) -> Heirs {
        if let Some(lan) = &self.shared.lan {
            lan.leave(infohash.truncated());
        }
        self.torrents().forget(infohash)
    }

    fn connect(&self, addr: SocketAddr, infohash: Hash32, done: mpsc::UnboundedSender<Happening>) {
        let session = self.clone();
        tokio::spawn(async move {
            let attempt = session.greet(addr, infohash.truncated());
            let happened = match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
                Ok(Ok((socket, handshake))) => {
                    Happening::Connected { socket, handshake, addr, outgoing: true }
                }
                Ok(Err(error)) => {
                    tracing::debug!(%addr, %error, "no connection");
                    Happening::ConnectFailed { addr }
                }
                Err(_) => Happening::ConnectFailed { addr },
            };
            let _ = done.send(happened);
        });
    }

    async fn greet(&self, addr: SocketAddr, infohash: [u8; 20]) -> io::Result<(TcpStream, Handshake)> {
        let mut socket = self.limiter().connect(addr).await?;
        socket.set_nodelay(true)?;
        socket.write_all(&Handshake::new(infohash, self.peer_id()).encode()).await?;
        let theirs = read_handshake(&mut socket).await?;
        if theirs.infohash != infohash {
            return Err(io::Error::other("another torrent"));
        }
        Ok((socket, theirs))
    }
}

async fn read_handshake(socket: &mut TcpStream) -> io::Result<Handshake> {
    let mut bytes = [0; HANDSHAKE_LEN];
    tokio::time::timeout(CONNECT_TIMEOUT, socket.read_exact(&mut bytes)).await??;
    Handshake::decode(&bytes).map_err(io::Error::other)
}
