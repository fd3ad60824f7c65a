//! The router of this network and one port of it: PCP or NAT-PMP (RFC 6887, RFC 6886), else UPnP.

use crab_nat::{
    GatewayAddress, InternetProtocol, MappingFailure, PortMapping, PortMappingOptions, PortMappingType,
    TimeoutConfig, natpmp,
};
use igd_next::{
    AddPortError, PortMappingProtocol, SearchOptions,
    aio::{
        Gateway,
        tokio::{Tokio, search_gateway},
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU16,
    time::Duration,
};
use swarm::address::{Reach, reach};
use tokio::net::UdpSocket;

/// How long a mapping is asked for; it is renewed at half of what it was given for.
const LEASE: Duration = Duration::from_secs(7200);
/// A lease without an end, or of a day and more, is looked at this often.
const LEASE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A lease that a router gives for less is renewed as if it were this.
const LEASE_MIN: Duration = Duration::from_secs(120);
/// A silent gateway is asked three times within about two seconds.
const PATIENCE: TimeoutConfig =
    TimeoutConfig { initial_timeout: Duration::from_millis(250), max_retries: 2, max_retry_timeout: None };
/// How long UPnP routers have to say that they are there.
const SEARCH_TIME: Duration = Duration::from_secs(3);
/// What a router's list of mappings shows.
const DESCRIPTION: &str = "Muster";

/// Why there is no mapping.
#[derive(Debug, thiserror::Error)]
pub(super) enum MapError {
    #[error("the router of this network cannot be told: {0}")]
    NoRouter(String),
    #[error("no way to the router: {0}")]
    Io(#[from] io::Error),
    #[error("the router gives no port: {nat}; {upnp}")]
    Refused { nat: String, upnp: String },
}

/// A port of the router that leads here.
#[derive(Debug)]
pub(super) struct Mapping {
    kind: Kind,
    /// The router's address on the internet, as far as it says.
    pub(super) external_ip: Option<IpAddr>,
    pub(super) external_port: u16,
    lease: Duration,
}

#[derive(Debug)]
enum Kind {
    Nat(Box<PortMapping>),
    Upnp { gateway: Box<Gateway<Tokio>>, local: SocketAddr },
}

impl Mapping {
    /// Asks the router of this network to lead a TCP port of its own, the same number if it can, to `port` here.
    pub(super) async fn open(port: NonZeroU16) -> Result<Self, MapError> {
        let gateway = gateway().await?;
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        // Nothing is sent: this only asks which of our addresses leads there.
        socket.connect((gateway, crab_nat::GATEWAY_PORT)).await?;
        let own = socket.local_addr()?.ip();
        let nat = match Self::open_nat(gateway, own, port).await {
            Ok(mapping) => return Ok(mapping),
            Err(error) => error.to_string(),
        };
        match Self::open_upnp(SocketAddr::new(own, port.get())).await {
            Ok(mapping) => Ok(mapping),
            Err(upnp) => Err(MapError::Refused { nat, upnp }),
        }
    }

    async fn open_nat(gateway: Ipv4Addr, own: IpAddr, port: NonZeroU16) -> Result<Self, MappingFailure> {
        let options = PortMappingOptions {
            external_port: Some(port),
            lifetime_seconds: Some(LEASE.as_secs() as u32),
            timeout_config: Some(PATIENCE),
        };
        let gateway = GatewayAddress::IpV4(gateway);
        let mapping = match PortMapping::new(gateway, own, InternetProtocol::Tcp, port, options).await {
            // Some that know only NAT-PMP are silent to PCP, and not as polite as RFC 6886 wants them.
            Err(MappingFailure::Pcp(error)) => {
                tracing::debug!(%error, "no PCP");
                natpmp::port_mapping(gateway, InternetProtocol::Tcp, port, options).await?
            }
            outcome => outcome?,
        };
        let external_ip = match mapping.mapping_type() {
            PortMappingType::Pcp { external_ip, .. } => Some(external_ip),
            PortMappingType::NatPmp => {
                natpmp::external_address(gateway, Some(PATIENCE)).await.ok().map(IpAddr::V4)
            }
        };
        Ok(Self {
            external_ip: external_ip.filter(|ip| !ip.is_unspecified()),
            external_port: mapping.external_port().get(),
            lease: Duration::from_secs(mapping.lifetime().into()),
            kind: Kind::Nat(Box::new(mapping)),
        })
    }

    async fn open_upnp(local: SocketAddr) -> Result<Self, String> {
        let mut options = SearchOptions::default();
        options.bind_addr = SocketAddr::new(local.ip(), 0);
        options.timeout = Some(SEARCH_TIME);
        options.single_search_timeout = Some(SEARCH_TIME);
        let gateway = search_gateway(options).await.map_err(|error| error.to_string())?;
        let (external_port, lease) = upnp_port(&gateway, local).await?;
        let external_ip = gateway.get_external_ip().await.ok();
        Ok(Self { kind: Kind::Upnp { gateway: Box::new(gateway), local }, external_ip, external_port, lease })
    }

    /// After how long it is to be renewed.
    pub(super) fn renew_after(&self) -> Duration {
        let lease = if self.lease.is_zero() { LEASE_MAX } else { self.lease };
        lease.clamp(LEASE_MIN, LEASE_MAX) / 2
    }

    /// For as long again; the router may give another port.
    pub(super) async fn renew(&mut self) -> Result<(), MapError> {
        let refused = |nat: String, upnp: String| MapError::Refused { nat, upnp };
        match &mut self.kind {
            Kind::Nat(mapping) => {
                mapping.renew().await.map_err(|error| refused(error.to_string(), String::new()))?;
                self.external_port = mapping.external_port().get();
                self.lease = Duration::from_secs(mapping.lifetime().into());
            }
            Kind::Upnp { gateway, local } => {
                let lease = self.lease.as_secs() as u32;
                let protocol = PortMappingProtocol::TCP;
                let renewed =
                    gateway.add_port(protocol, self.external_port, *local, lease, DESCRIPTION).await;
                renewed.map_err(|error| refused(String::new(), error.to_string()))?;
            }
        }
        Ok(())
    }

    /// Gives the port back.
    pub(super) async fn close(self) -> Result<(), MapError> {
        match self.kind {
            Kind::Nat(mapping) => mapping
                .try_drop()
                .await
                .map_err(|(error, _)| MapError::Refused { nat: error.to_string(), upnp: String::new() }),
            Kind::Upnp { gateway, .. } => gateway
                .remove_port(PortMappingProtocol::TCP, self.external_port)
                .await
                .map_err(|error| MapError::Refused { nat: String::new(), upnp: error.to_string() }),
        }
    }

    /// Whether somebody on the internet comes through: not behind a second router, or a carrier's.
    pub(super) fn reaches_the_internet(&self) -> bool {
        self.external_ip.is_none_or(is_public)
    }
}

/// Whether an address is one of the internet's, and not shared by a carrier's customers (RFC 6598).
pub(in super::super) fn is_public(ip: IpAddr) -> bool {
    let shared = matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64);
    reach(ip) == Reach::Global && !shared
}

/// The same number as here, or any; with a lease, or for good where the router knows no leases.
async fn upnp_port(gateway: &Gateway<Tokio>, local: SocketAddr) -> Result<(u16, Duration), String> {
    let mut lease = LEASE;
    loop {
        let (protocol, seconds) = (PortMappingProtocol::TCP, lease.as_secs() as u32);
        match gateway.add_port(protocol, local.port(), local, seconds, DESCRIPTION).await {
            Ok(()) => return Ok((local.port(), lease)),
            Err(AddPortError::OnlyPermanentLeasesSupported) if !lease.is_zero() => lease = Duration::ZERO,
            Err(_) => {
                let any = gateway.add_any_port(protocol, local, seconds, DESCRIPTION).await;
                return any.map(|port| (port, lease)).map_err(|error| error.to_string());
            }
        }
    }
}

/// The IPv4 router that leads out of this network.
async fn gateway() -> Result<Ipv4Addr, MapError> {
    let found = tokio::task::spawn_blocking(netdev::get_default_gateway).await;
    let found = found.map_err(|_| MapError::NoRouter("the program ends".to_owned()))?;
    let found = found.map_err(MapError::NoRouter)?;
    found.ipv4.first().copied().ok_or_else(|| MapError::NoRouter("it has no IPv4 address".to_owned()))
}
