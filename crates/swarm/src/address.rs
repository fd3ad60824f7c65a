//! How far an address reaches, and with it which addresses a source may name; which addresses are one household's.
//!
//! An address is accepted only from a source that reaches no further: a tracker or a peer on the internet cannot send us
//! into our own network or to ourselves. Nor can it send us to the ports of other services, on which no player listens.
//! Addresses are judged by their number alone; nothing is looked up here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Ports below are those of web, mail and other servers: a crowd sent there by hearsay would be an attack on them.
pub const PORT_MIN: u16 = 1024;

/// How far an address reaches, from narrow to wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// This network: private (RFC 1918, RFC 4193), link-local, or a provider's own (RFC 6598).
    Private,
    /// Everywhere.
    Global,
    /// Nowhere a peer can be: unspecified, multicast, broadcast, reserved.
    None,
}

/// How far `ip` reaches; an IPv4 address within IPv6 (mapped, or behind a translator) counts as itself.
#[must_use]
pub fn reach(ip: IpAddr) -> Reach {
    match embedded(ip) {
        ip if ip.is_unspecified() || ip.is_multicast() => Reach::None,
        ip if ip.is_loopback() => Reach::Loopback,
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// Whether a source at `source` may name `peer`. It may name a port below [`PORT_MIN`] on its own machine only.
#[must_use]
pub fn may_name(source: IpAddr, peer: SocketAddr) -> bool {
    let own = source.to_canonical() == peer.ip().to_canonical();
    is_players_port(peer.port(), own) && reaches_as_far(source, peer.ip())
}

/// Whether `ip` is an address of a machine that reaches as far as `source`, or further.
#[must_use]
pub fn reaches_as_far(source: IpAddr, ip: IpAddr) -> bool {
    let reached = reach(ip);
    reached != Reach::None && reached >= reach(source)
}

/// Whether a player may listen at a port that somebody told of, who may be that player itself.
#[must_use]
pub fn is_players_port(port: u16, own: bool) -> bool {
    port >= PORT_MIN || (own && port != 0)
}

/// What one household has: an IPv4 address, or the /64 that a provider gives each customer at least (RFC 6177).
#[must_use]
pub fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => masked(ip, 64),
        v4 => v4,
    }
}

/// What one who rents many addresses has side by side: an IPv4 /24, or an IPv6 /48.
#[must_use]
pub fn neighbourhood(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & 0xffff_ff00).into(),
        IpAddr::V6(ip) => masked(ip, 48),
    }
}

fn masked(ip: Ipv6Addr, bits: u32) -> IpAddr {
    Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - bits))).into()
}

/// The IPv4 address that a connection to this one ends at, where it is a mapped (RFC 4291), translated (NAT64, RFC 6052) or
/// tunnelled (6to4, RFC 3056) one.
fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else { return ip.to_canonical() };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        _ => IpAddr::V6(v6),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        // "This network", and the reserved block with the broadcast address.
        [0 | 240.., ..] => Reach::None,
        [100, 64..=127, ..] => Reach::Private,
        _ if ip.is_private() || ip.is_link_local() => Reach::Private,
        _ => Reach::Global,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    match ip.segments() {
        // What is left of the block of mapped and compatible addresses, and the discard prefix (RFC 6666).
        [0, 0, 0, 0, 0, 0, ..] | [0x100, 0, 0, 0, ..] => Reach::None,
        // Site-local (RFC 3879).
        [0xfec0..=0xfeff, ..] => Reach::Private,
        _ if ip.is_unique_local() || ip.is_unicast_link_local() => Reach::Private,
        _ => Reach::Global,
    }
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
            ("127.0.0.1", "255.255.255.255:6881", false),
            ("127.0.0.1", "224.0.0.1:6881", false),
            ("127.0.0.1", "0.0.0.0:6881", false),
            ("127.0.0.1", "250.1.2.3:6881", false),
            ("192.168.1.2", "[fe80::1]:6881", true),
            ("203.0.113.9", "[ff02::1]:6881", false),
            ("203.0.113.9", "[::ffff:203.0.113.7]:6881", true),
            // Other spellings of a private address, and networks of providers.
            ("203.0.113.9", "[64:ff9b::7f00:1]:6881", false),
            ("203.0.113.9", "[64:ff9b::c0a8:1]:6881", false),
            ("203.0.113.9", "[64:ff9b::cb00:7101]:6881", true),
            ("203.0.113.9", "[2002:c0a8:1::1]:6881", false),
            ("203.0.113.9", "[2002:cb00:7101::1]:6881", true),
            ("203.0.113.9", "[::127.0.0.1]:6881", false),
            ("203.0.113.9", "[fec0::1]:6881", false),
            ("203.0.113.9", "100.64.0.1:6881", false),
            ("203.0.113.9", "100.63.255.1:6881", true),
            ("100.64.0.9", "100.64.0.1:6881", true),
        ];
        for (source, peer, allowed) in cases {
            let (source, peer) = (source.parse().unwrap(), peer.parse().unwrap());
            assert_eq!(may_name(source, peer), allowed, "{source} names {peer}");
        }
    }

    #[test]
    fn nobody_sends_players_to_the_ports_of_other_services() {
        let names = |source: &str, peer: &str| may_name(source.parse().unwrap(), peer.parse().unwrap());
        for port in [1, 22, 25, 53, 80, 443, 1023] {
            assert!(!names("203.0.113.9", &format!("198.51.100.7:{port}")), "{port}");
            assert!(names("203.0.113.9", &format!("203.0.113.9:{port}")), "{port} of its own");
            assert!(names("203.0.113.9", &format!("[::ffff:203.0.113.9]:{port}")), "{port} of its own");
        }
        assert!(names("203.0.113.9", "198.51.100.7:1024") && !names("203.0.113.9", "203.0.113.9:0"));
    }

    #[test]
    fn households_and_neighbourhoods() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (address, house, around) in [
            ("203.0.113.9", "203.0.113.9", "203.0.113.0"),
            ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
        ] {
            assert_eq!((household(ip(address)), neighbourhood(ip(address))), (ip(house), ip(around)));
        }
    }
}
