//! How many of one address, of one household and of one neighbourhood come in, whom we let nobody send us to, and that a
//! liar's whole household is known again.

use std::net::SocketAddr;

use super::driver::*;
use swarm::wire::{Message, Pex, RESERVED, UT_PEX};
use swarm::{Bitfield, CloseReason, Input, Output, PeerKey, PeerSource, Via};

/// How many of those who come from these addresses are let in.
fn let_in(addrs: impl Iterator<Item = String>) -> usize {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    for (number, addr) in (1..).zip(addrs) {
        driver.connect_from(
            addr.parse().unwrap(),
            PeerKey(number),
            [100 + number as u8; 20],
            false,
            RESERVED,
        );
    }
    driver.swarm.stats(driver.now).peers.len()
}

#[test]
fn four_of_one_address_are_let_in() {
    assert_eq!(let_in((0..20).map(|n| format!("203.0.113.7:{}", 5_000 + n))), 4);
    assert_eq!(let_in((0..20).map(|n| format!("[::ffff:203.0.113.7]:{}", 5_000 + n))), 4);
}

#[test]
fn a_household_of_ipv6_is_one_address() {
    assert_eq!(let_in((1..=20).map(|n| format!("[2001:db8:1:2::{n:x}]:6881"))), 4);
    assert_eq!(let_in((1..=10).map(|n| format!("[2001:db8:1:{n:x}::1]:6881"))), 10);
}

#[test]
fn sixteen_of_a_neighbourhood_are_let_in_and_others_besides() {
    assert_eq!(let_in((1..=60).map(|n| format!("203.0.113.{n}:6881"))), 16);
    assert_eq!(let_in((1..=60).map(|n| format!("[2001:db8:1:{n:x}::1]:6881"))), 16);
    assert_eq!(let_in((1..=60).map(|n| format!("203.0.{n}.7:6881"))), 60);
}

/// Many play at one place: a LAN party, a laboratory, a test on one machine.
#[test]
fn near_addresses_are_not_counted() {
    assert_eq!(let_in((1..=60).map(|n| format!("192.168.1.{n}:6881"))), 60);
    assert_eq!(let_in((1..=60).map(|n| format!("127.0.0.1:{}", 5_000 + n))), 60);
}

/// Once those who fill a neighbourhood's places were of no use for a while, they make room.
#[test]
fn a_neighbourhood_of_idlers_makes_room() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let come = |driver: &mut Driver, host: u64| {
        let addr = format!("203.0.113.{host}:6881").parse().unwrap();
        driver.connect_from(addr, PeerKey(host), [100 + host as u8; 20], false, RESERVED)
    };
    (1..=16).for_each(|host| _ = come(&mut driver, host));
    assert!(closed(&come(&mut driver, 17), CloseReason::Limit), "no place");
    driver.later(40);
    let outputs = come(&mut driver, 18);
    assert!(!outputs.contains(&Output::Close { peer: PeerKey(18), reason: CloseReason::Limit }));
    assert_eq!(driver.swarm.stats(driver.now).peers.len(), 16);
}

/// A liar with the 2⁶⁴ addresses that every customer has does not come back under the next one.
#[test]
fn a_liars_whole_household_is_banned_and_no_other() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let come = |driver: &mut Driver, key: u64, addr: &str| {
        driver.connect_from(addr.parse().unwrap(), PeerKey(key), [100 + key as u8; 20], false, RESERVED)
    };
    come(&mut driver, 1, "[2001:db8:1:2::1]:6881");
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let Some(Message::Request { index, begin, .. }) = messages(&asked, PEER).first().cloned() else {
        panic!("{asked:?}")
    };
    deliver(&mut driver, asked, Some((index, begin / BLOCK)));
    assert!(closed(&come(&mut driver, 2, "[2001:db8:1:2::2]:6881"), CloseReason::Banned));
    assert!(!closed(&come(&mut driver, 3, "[2001:db8:1:3::1]:6881"), CloseReason::Banned));
    let next = "[2001:db8:1:2:ffff::3]:6881".parse().unwrap();
    let found = Input::PeersFound { addrs: vec![next], source: PeerSource::Tracker, via: Via::OWN };
    assert!(!driver.give(found).iter().any(|output| matches!(output, Output::Connect { .. })), "nor dialled");
}

/// A peer of the internet names services, our own network and this machine; none of them is dialled.
#[test]
fn peers_send_us_to_players_only() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect_as(PEER, [3; 20], false, RESERVED);
    let nobodys = [
        "203.0.113.9:25",
        "203.0.113.9:443",
        "203.0.113.9:1023",
        "127.0.0.1:6881",
        "10.0.0.1:6881",
        "100.64.0.1:6881",
        "169.254.169.254:6881",
        "224.0.0.1:6881",
        "240.0.0.1:6881",
        "[::1]:6881",
        "[fe80::1]:6881",
        "[64:ff9b::a00:1]:6881",
    ];
    let mut added: Vec<SocketAddr> = nobodys.iter().map(|addr| addr.parse().unwrap()).collect();
    let player: SocketAddr = "203.0.113.9:6881".parse().unwrap();
    added.push(player);
    let payload = Pex { added, dropped: vec![] }.encode();
    let mut outputs = driver.hear(PEER, Message::Extended { id: UT_PEX, payload });
    (0..60).for_each(|_| outputs.extend(driver.later(1)));
    let dialled: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Connect { addr, .. } => Some(*addr),
            _ => None,
        })
        .collect();
    assert_eq!(dialled, [player]);
}
