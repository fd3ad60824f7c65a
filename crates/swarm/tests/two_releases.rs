//! Peers that are met under another release's infohash: kept apart from ours, and second to them.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use release::hash::Hash32;
use release::layout::{FileEntry, Layout, PieceLayers};
use swarm::wire::{self, ExtendedHandshake, Message, Pex, RESERVED};
use swarm::{Bitfield, Class, CloseReason, Config, Input, Output, PeerKey, PeerSource, Swarm, Time, Via};

const PIECE: u32 = 64 * 1024;
const OTHER: Via = Via(1);
const OLDER: Via = Via(2);
/// The peers' own number for peer exchange.
const THEIR_PEX: u8 = 9;

struct Driver {
    swarm: Swarm,
    now: Time,
}

fn addr(n: u64) -> SocketAddr {
    format!("192.0.2.{n}:6881").parse().unwrap()
}

impl Driver {
    fn new(config: Config) -> Self {
        let file = FileEntry {
            path: "game.bin".parse().unwrap(),
            length: u64::from(PIECE),
            pieces_root: Some(Hash32([1; 32])),
            executable: false,
        };
        let layout = Arc::new(Layout::new(PIECE, vec![file]).unwrap());
        let config = Config { peer_id: [5; 20], ..config };
        let swarm = Swarm::new(config, layout, PieceLayers::default(), Bitfield::empty(1), 1);
        Self { swarm, now: Time::from_secs(1) }
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        self.swarm.handle(self.now, input);
        std::iter::from_fn(|| self.swarm.poll()).collect()
    }

    fn found(&mut self, addrs: &[SocketAddr], via: Via) -> Vec<Output> {
        self.give(Input::PeersFound { addrs: addrs.to_vec(), source: PeerSource::Tracker, via })
    }

    /// Peer `n` under its own id, which listens at `addr(n)` and has the only piece.
    fn connect(&mut self, n: u64, key: u64, via: Via, outgoing: bool) -> Vec<Output> {
        let (peer, class, peer_id) = (PeerKey(key), Class::Internet, [n as u8; 20]);
        let from = if outgoing { addr(n) } else { SocketAddr::new(addr(n).ip(), 50_000) };
        let connected =
            Input::PeerConnected { peer, addr: from, via, outgoing, class, peer_id, reserved: RESERVED };
        let mut outputs = self.give(connected);
        let said = ExtendedHandshake { ut_pex: Some(THEIR_PEX), port: Some(6881), ..Default::default() };
        for message in [Message::HaveAll, Message::Extended { id: 0, payload: said.encode() }] {
            outputs.extend(self.give(Input::Received { peer, message }));
        }
        outputs
    }

    fn later(&mut self, seconds: u64) -> Vec<Output> {
        self.now = self.now + Duration::from_secs(seconds);
        self.give(Input::Tick)
    }
}

fn dialled(outputs: &[Output]) -> Vec<(SocketAddr, Via)> {
    let dial = |output: &Output| match output {
        Output::Connect { addr, via } => Some((*addr, *via)),
        _ => None,
    };
    outputs.iter().filter_map(dial).collect()
}

fn closed(outputs: &[Output]) -> Vec<(u64, CloseReason)> {
    let close = |output: &Output| match output {
        Output::Close { peer, reason } => Some((peer.0, *reason)),
        _ => None,
    };
    outputs.iter().filter_map(close).collect()
}

/// Everybody that a peer was told of.
fn told(outputs: &[Output], to: u64) -> Vec<SocketAddr> {
    let added = |output: &Output| match output {
        Output::Send { peer: PeerKey(peer), message: Message::Extended { id: THEIR_PEX, payload } }
            if *peer == to =>
        {
            Some(Pex::parse(payload).unwrap().added)
        }
        _ => None,
    };
    let mut all: Vec<SocketAddr> = outputs.iter().filter_map(added).flatten().collect();
    all.sort_unstable();
    all
}

#[test]
fn peers_are_told_only_of_those_of_their_own_swarm() {
    let mut driver = Driver::new(Config::default());
    let mut outputs = Vec::new();
    for (n, via) in [(1, Via::OWN), (2, OTHER), (3, Via::OWN), (4, OTHER), (5, OLDER)] {
        outputs.extend(driver.connect(n, n, via, true));
    }
    for _ in 0..130 {
        outputs.extend(driver.later(1));
        for n in 1..=5 {
            let message = Message::KeepAlive;
            outputs.extend(driver.give(Input::Received { peer: PeerKey(n), message }));
        }
    }
    for (to, of) in [(1, vec![3]), (2, vec![4]), (3, vec![1]), (4, vec![2]), (5, vec![])] {
        let of: Vec<SocketAddr> = of.into_iter().map(addr).collect();
        assert_eq!(told(&outputs, to), of, "peer {to}");
    }
}

#[test]
fn whom_a_peer_of_another_swarm_names_is_dialled_under_its_infohash() {
    let mut driver = Driver::new(Config::default());
    driver.connect(1, 1, OTHER, true);
    let payload = Pex { added: vec![addr(7)], dropped: vec![] }.encode();
    let message = Message::Extended { id: wire::UT_PEX, payload };
    let outputs = driver.give(Input::Received { peer: PeerKey(1), message });
    assert_eq!(dialled(&outputs), [(addr(7), OTHER)]);
}

#[test]
fn whoever_is_found_in_both_is_met_under_our_infohash() {
    for order in [[Via::OWN, OTHER], [OTHER, Via::OWN]] {
        let mut driver = Driver::new(Config { connecting_max: 1, ..Config::default() });
        driver.found(&[addr(9)], Via::OWN);
        for via in order {
            assert_eq!(dialled(&driver.found(&[addr(1)], via)), [], "one attempt is under way");
        }
        driver.give(Input::ConnectFailed { addr: addr(9) });
        assert_eq!(dialled(&driver.later(1)), [(addr(1), Via::OWN)], "found in the order {order:?}");
    }
}

#[test]
fn a_better_way_to_the_same_peer_ends_the_worse_one_for_who_dialled() {
    let mut driver = Driver::new(Config::default());
    assert_eq!(closed(&driver.connect(1, 1, OTHER, true)), []);
    // The other end may have a torrent for each: it is not for us to choose.
    assert_eq!(closed(&driver.connect(1, 2, OLDER, false)), []);
    assert_eq!(dialled(&driver.found(&[addr(1)], Via::OWN)), [(addr(1), Via::OWN)]);
    let ended = closed(&driver.connect(1, 3, Via::OWN, true));
    assert_eq!(ended, [(1, CloseReason::Duplicate), (2, CloseReason::Duplicate)]);
    // Who is met in the best way is dialled no more.
    assert_eq!(dialled(&driver.found(&[addr(1)], OTHER)), []);
    assert_eq!(dialled(&driver.later(60)), []);
}

#[test]
fn who_was_not_to_be_met_under_one_infohash_is_tried_under_the_other() {
    let mut driver = Driver::new(Config::default());
    assert_eq!(dialled(&driver.found(&[addr(1)], Via::OWN)), [(addr(1), Via::OWN)]);
    driver.give(Input::ConnectFailed { addr: addr(1) });
    assert_eq!(dialled(&driver.found(&[addr(1)], OTHER)), [(addr(1), OTHER)]);
    driver.give(Input::ConnectFailed { addr: addr(1) });
    assert_eq!(dialled(&driver.later(60)), [(addr(1), Via::OWN)], "each has a delay of its own");
}

#[test]
fn players_of_other_releases_leave_half_of_the_places_to_ours() {
    let config = Config { connections_wanted: 8, connecting_max: 100, ..Config::default() };
    let mut driver = Driver::new(config);
    let others: Vec<SocketAddr> = (100..120).map(addr).collect();
    let outputs = driver.found(&others, OTHER);
    assert_eq!(dialled(&outputs).len(), 4, "{outputs:?}");
    for (key, (met, _)) in (1..).zip(dialled(&outputs)) {
        let n = others.iter().position(|other| *other == met).unwrap() as u64 + 100;
        driver.connect(n, key, OTHER, true);
    }
    assert_eq!(dialled(&driver.later(1)), []);
    let ours: Vec<SocketAddr> = (1..20).map(addr).collect();
    let outputs = driver.found(&ours, Via::OWN);
    assert_eq!(dialled(&outputs).len(), 4);
    assert!(dialled(&outputs).iter().all(|(_, via)| *via == Via::OWN));
}

#[test]
fn who_is_met_better_hears_that_nothing_is_wanted_of_it_here() {
    let said_upload_only = |outputs: &[Output]| {
        let said = |output: &Output| match output {
            Output::Send { message: Message::Extended { id: 0, payload }, .. } => {
                Some(ExtendedHandshake::parse(payload).unwrap().upload_only)
            }
            _ => None,
        };
        outputs.iter().find_map(said).unwrap()
    };
    let mut driver = Driver::new(Config::default());
    assert!(!said_upload_only(&driver.connect(1, 1, OTHER, true)));
    assert!(!said_upload_only(&driver.connect(1, 2, Via::OWN, false)), "this is the best way");
    assert!(said_upload_only(&driver.connect(1, 3, OLDER, false)));
    assert!(!said_upload_only(&driver.connect(2, 4, OLDER, false)), "somebody else");
}
