//! The local networks that this machine is on, as far as discovery may use them.
//!
//! Private, link-local and unique local addresses of interfaces that run; never loopback, a tunnel, or an interface that
//! has global addresses only.

use if_addrs::{IfAddr, IfOperStatus, Interface};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};
use swarm::address::{Reach, reach};

/// Networks that are used at most.
const NETWORKS_MAX: usize = 32;

/// A network with our address in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network {
    /// Our address.
    pub(super) ip: IpAddr,
    prefix: u8,
    /// The interface.
    pub(super) index: u32,
}

/// The networks that there are now and over which somebody can reach an address of `listens`.
pub(super) fn usable(listens: &[SocketAddr]) -> io::Result<Vec<Network>> {
    Ok(select(if_addrs::get_if_addrs()?, listens))
}

/// Every private IPv4 network, and of each interface's IPv6 networks one: a unique local one rather than the link-local.
fn select(interfaces: Vec<Interface>, listens: &[SocketAddr]) -> Vec<Network> {
    let mut v4 = Vec::new();
    let mut v6: BTreeMap<u32, Network> = BTreeMap::new();
    for interface in interfaces {
        let runs = interface.oper_status == IfOperStatus::Up && !interface.is_p2p;
        let (ip, prefix) = match &interface.addr {
            IfAddr::V4(addr) => (IpAddr::V4(addr.ip), addr.prefixlen),
            IfAddr::V6(addr) => (IpAddr::V6(addr.ip), addr.prefixlen),
        };
        let Some(index) = interface.index else { continue };
        if !runs || reach(ip) != Reach::Private || !listens.iter().any(|listen| is_reached(*listen, ip)) {
            continue;
        }
        let network = Network { ip, prefix, index };
        match ip {
            IpAddr::V4(_) => v4.push(network),
            IpAddr::V6(ip) => {
                let link_local = ip.is_unicast_link_local();
                let known = v6.entry(index).or_insert(network);
                if !link_local {
                    *known = network;
                }
            }
        }
    }
    v4.sort_unstable();
    v4.into_iter().chain(v6.into_values()).take(NETWORKS_MAX).collect()
}

/// Whether somebody who connects to `ip` is heard by who listens at `listen`.
fn is_reached(listen: SocketAddr, ip: IpAddr) -> bool {
    listen.ip() == ip || (listen.ip().is_unspecified() && listen.is_ipv4() == ip.is_ipv4())
}

impl Network {
    /// Whether `ip` is on this network.
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
                Ipv4Addr::to_bits(own) & mask == Ipv4Addr::to_bits(ip) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.min(128))).unwrap_or(0);
                Ipv6Addr::to_bits(own) & mask == Ipv6Addr::to_bits(ip) & mask
            }
            _ => false,
        }
    }

    /// `ip` and `port`, on this network's interface where the address alone does not say it.
    pub(super) fn scoped(&self, ip: IpAddr, port: u16) -> SocketAddr {
        match ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() || ip.is_multicast() => {
                SocketAddrV6::new(ip, port, 0, self.index).into()
            }
            ip => SocketAddr::new(ip, port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{Ifv4Addr, Ifv6Addr};

    fn interface(index: u32, addr: &str, up: bool, is_p2p: bool) -> Interface {
        let (ip, prefixlen) = addr.split_once('/').expect("a prefix");
        let prefixlen = prefixlen.parse().expect("a number");
        let addr = match ip.parse().expect("an address") {
            IpAddr::V4(ip) => {
                IfAddr::V4(Ifv4Addr { ip, netmask: Ipv4Addr::UNSPECIFIED, prefixlen, broadcast: None })
            }
            IpAddr::V6(ip) => {
                IfAddr::V6(Ifv6Addr { ip, netmask: Ipv6Addr::UNSPECIFIED, prefixlen, broadcast: None })
            }
        };
        Interface {
            name: format!("if{index}"),
            addr,
            index: Some(index),
            oper_status: if up { IfOperStatus::Up } else { IfOperStatus::Down },
            is_p2p,
            #[cfg(windows)]
            adapter_name: String::new(),
        }
    }

    fn used(listens: &[&str]) -> Vec<String> {
        let interfaces = vec![
            interface(1, "127.0.0.1/8", true, false),
            interface(1, "::1/128", true, false),
            interface(2, "203.0.113.4/24", true, false),
            interface(2, "fe80::2/64", true, false),
            interface(3, "192.168.1.5/24", true, false),
            interface(3, "fe80::3/64", true, false),
            interface(3, "fd00::3/64", true, false),
            interface(3, "2001:db8::3/64", true, false),
            interface(4, "10.8.0.1/24", true, true),
            interface(5, "10.9.0.1/24", false, false),
        ];
        let listens: Vec<SocketAddr> = listens.iter().map(|addr| addr.parse().expect("ok")).collect();
        select(interfaces, &listens).iter().map(|network| network.ip.to_string()).collect()
    }

    #[test]
    fn private_networks_that_run_and_nothing_else() {
        assert_eq!(used(&["0.0.0.0:1", "[::]:1"]), ["192.168.1.5", "fe80::2", "fd00::3"]);
        assert_eq!(used(&["0.0.0.0:1"]), ["192.168.1.5"]);
        assert_eq!(used(&["192.168.1.5:1"]), ["192.168.1.5"]);
        assert!(used(&["127.0.0.1:1"]).is_empty() && used(&["203.0.113.4:1"]).is_empty());
    }

    #[test]
    fn who_is_on_a_network() {
        let network = |text: &str| {
            select(
                vec![interface(9, text, true, false)],
                &["0.0.0.0:1", "[::]:1"].map(|a| a.parse().expect("ok")),
            )[0]
        };
        for (on, ip, expected) in [
            ("192.168.1.5/24", "192.168.1.77", true),
            ("192.168.1.5/24", "192.168.2.77", false),
            ("192.168.1.5/32", "192.168.1.5", true),
            ("10.0.0.1/8", "10.200.0.1", true),
            ("10.0.0.1/0", "8.8.8.8", true),
            ("10.0.0.1/8", "fd00::1", false),
            ("fd00::5/64", "fd00::77", true),
            ("fd00::5/64", "fd00:0:0:1::77", false),
        ] {
            let ip: IpAddr = ip.parse().expect("an address");
            assert_eq!(network(on).contains(ip), expected, "{ip} on {on}");
        }
        let link = network("fe80::5/64").scoped("fe80::7".parse().expect("ok"), 1);
        assert!(matches!(link, SocketAddr::V6(addr) if addr.scope_id() == 9), "{link:?}");
    }
}
