//! How far an address reaches, and with it which addresses a source may name.
//!
//! An address is accepted only from a source that reaches no further: a tracker or a peer on the internet cannot send us
//! into our own network or to ourselves. Addresses are judged by their number alone; nothing is looked up here.

use std::net::{IpAddr, SocketAddr};

/// How far an address reaches, from narrow to wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// This network: private (RFC 1918, RFC 4193) or link-local.
    Private,
    /// Everywhere.
    Global,
    /// Nowhere a peer can be: unspecified, multicast, broadcast.
    None,
}

/// How far `ip` reaches; an IPv4 address within IPv6 (`::ffff:…`) counts as itself.
#[must_use]
pub fn reach(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        ip if ip.is_unspecified() || ip.is_multicast() => Reach::None,
        ip if ip.is_loopback() => Reach::Loopback,
        IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0 => Reach::None,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Reach::Private,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Reach::Private,
        _ => Reach::Global,
    }
}

/// Whether a source at `source` may name `peer`.
#[must_use]
pub fn may_name(source: IpAddr, peer: SocketAddr) -> bool {
    let peer_reach = reach(peer.ip());
    peer.port() != 0 && peer_reach != Reach::None && peer_reach >= reach(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_names_an_address_closer_than_itself() {
        let cases = [
            ("127.0.0.1", "127.0.0.1:6881", true),
            ("127.0.0.1", "10.0.0.1:6881", true),
            ("10.0.0.1", "127.0.0.1:6881", false),
            ("10.0.0.1", "192.168.1.4:6881", true),
            ("198.51.100.1", "192.168.1.4:6881", false),
            ("198.51.100.1", "[::1]:6881", false),
            ("198.51.100.1", "[::ffff:127.0.0.1]:6881", false),
            ("198.51.100.1", "203.0.113.9:6881", true),
            ("198.51.100.1", "203.0.113.9:0", false),
            ("127.0.0.1", "255.255.255.255:1", false),
            ("127.0.0.1", "224.0.0.1:1", false),
            ("127.0.0.1", "0.0.0.0:1", false),
            ("192.168.1.2", "[fe80::1]:1", true),
            ("203.0.113.9", "[ff02::1]:1", false),
            ("203.0.113.9", "[::ffff:203.0.113.7]:1", true),
        ];
        for (source, peer, allowed) in cases {
            let (source, peer) = (source.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(may_name(source, peer), allowed, "{source} names {peer}");
        }
    }
}
