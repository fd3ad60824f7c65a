//! One swarm and peers made of messages: what it says to whom, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

mod download;
mod driver;
mod limits;
mod packed;

use std::net::SocketAddr;

use bytes::Bytes;
use driver::*;
use release::hash::Hash32;
use release::merkle;
use swarm::wire::{ExtendedHandshake, HashRange, Message, Pex, RESERVED, UT_PEX};
use swarm::{Bitfield, CloseReason, Event, Input, Output, PeerKey, PeerSource, Via};

#[test]
fn the_first_word_is_what_we_have_in_the_words_the_peer_knows() {
    let mut partly = Bitfield::empty(PIECES);
    partly.set(2);
    let bits = Message::Bitfield(Bytes::copy_from_slice(partly.as_bytes()));
    let full = Message::Bitfield(Bytes::copy_from_slice(Bitfield::full(PIECES).as_bytes()));
    let cases = [
        (Bitfield::full(PIECES), RESERVED, Some(Message::HaveAll)),
        (Bitfield::empty(PIECES), RESERVED, Some(Message::HaveNone)),
        (partly, RESERVED, Some(bits)),
        (Bitfield::full(PIECES), [0; 8], Some(full)),
        (Bitfield::empty(PIECES), [0; 8], None),
    ];
    for (have, reserved, first) in cases {
        let said = Driver::new(have).connect(PEER, reserved);
        assert_eq!(messages(&said, PEER).first(), first.as_ref());
    }
}

#[test]
fn the_extended_handshake_says_what_we_speak() {
    let said = Driver::seeding().connect(PEER, RESERVED);
    let Some(Message::Extended { id: 0, payload }) = messages(&said, PEER).pop() else { panic!("{said:?}") };
    let ours = ExtendedHandshake::parse(&payload).unwrap();
    assert!(ours.upload_only && ours.ut_pex.is_some() && ours.lt_donthave.is_some());
    assert_eq!((ours.reqq, ours.yourip), (Some(250), Some("192.0.2.1".parse().unwrap())));
}

#[test]
fn impossible_words_end_the_connection() {
    let cases = [
        Message::Have { piece: PIECES },
        Message::Bitfield(Bytes::from_static(&[0xff])),
        request(PIECES, 0, BLOCK),
        request(0, 0, BLOCK + 1),
        request(0, 0, 0),
        request(0, PIECE, 1),
        request(0, u32::MAX, 2),
        request(5, BLOCK, BLOCK + 1),
        Message::Piece { index: 0, begin: 0, data: Bytes::from_static(&[1]) },
        Message::Piece { index: PIECES, begin: 0, data: block_data(0, 0) },
    ];
    for message in cases {
        let mut driver = Driver::seeding();
        driver.served(PEER);
        let outputs = driver.hear(PEER, message.clone());
        assert!(closed(&outputs, CloseReason::Protocol), "{message:?} gave {outputs:?}");
    }
}

#[test]
fn requests_are_served_a_few_at_a_time_and_the_excess_is_rejected() {
    let mut driver = Driver::seeding();
    driver.served(PEER);
    let mut at_driver = Vec::new();
    let mut rejected = 0;
    for n in 0..300 {
        let outputs = driver.hear(PEER, request(n % 5, n, 100));
        let is_reject = |message: &&Message| matches!(message, Message::Reject { .. });
        rejected += messages(&outputs, PEER).iter().filter(is_reject).count();
        at_driver.extend(outputs.into_iter().filter(|o| matches!(o, Output::SendBlock { .. })));
    }
    assert_eq!((at_driver.len(), rejected), (2, 48));
    let Some(Output::SendBlock { peer, piece, begin, length }) = at_driver.first().cloned() else { panic!() };
    let outputs = driver.give(Input::BlockSent { peer, piece, begin, length, wire: length });
    assert!(matches!(outputs[..], [Output::SendBlock { .. }]));
    assert_eq!(driver.swarm.stats(driver.now).uploaded.players, 100);
}

/// A peer whose queue is full rejects and yet has the piece: taking it for gone emptied a seed, piece by piece.
#[test]
fn a_reject_from_a_peer_that_serves_others_of_our_requests_does_not_cost_it_the_piece() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let outputs = driver.hear(PEER, Message::Unchoke);
    let asked = messages(&outputs, PEER).into_iter().find_map(|message| match message {
        Message::Request { index, begin, length } => Some((index, begin, length)),
        _ => None,
    });
    let (index, begin, length) = asked.unwrap();
    driver.hear(PEER, Message::Reject { index, begin, length });
    assert_eq!(driver.swarm.stats(driver.now).peers[0].pieces, PIECES);
}

#[test]
fn the_choked_are_rejected_and_a_choke_rejects_what_waits() {
    let mut driver = Driver::seeding();
    driver.connect(PEER, RESERVED);
    let reject = |n| Message::Reject { index: 0, begin: n, length: 100 };
    assert_eq!(messages(&driver.hear(PEER, request(0, 0, 100)), PEER), [reject(0)]);
    driver.hear(PEER, Message::Interested);
    for n in 0..10 {
        driver.hear(PEER, request(0, n, 100));
    }
    let outputs = driver.give(Input::SetUpload { enabled: false });
    let rejects: Vec<Message> = (2..10).map(reject).collect();
    assert_eq!(messages(&outputs, PEER), [&[Message::Choke], &rejects[..]].concat());
}

#[test]
fn a_cancel_is_answered_by_a_reject_or_by_the_block() {
    let mut driver = Driver::seeding();
    driver.served(PEER);
    for n in 0..9 {
        driver.hear(PEER, request(0, n, 100));
    }
    let cancel = |begin| Message::Cancel { index: 0, begin, length: 100 };
    let reject = |begin| Message::Reject { index: 0, begin, length: 100 };
    assert_eq!(messages(&driver.hear(PEER, cancel(8)), PEER), [reject(8)]);
    let at_driver = driver.hear(PEER, cancel(0));
    assert_eq!(at_driver, [Output::CancelBlock { peer: PEER, piece: 0, begin: 0, length: 100 }]);
    let dropped = Input::BlockDropped { peer: PEER, piece: 0, begin: 0, length: 100 };
    assert_eq!(messages(&driver.give(dropped), PEER), [reject(0)]);
}

#[test]
fn an_unreadable_block_is_rejected_and_its_piece_is_lost_to_all() {
    let mut driver = Driver::seeding();
    driver.served(PEER);
    let theirs = ExtendedHandshake { lt_donthave: Some(7), ..ExtendedHandshake::default() };
    driver.hear(PEER, Message::Extended { id: 0, payload: theirs.encode() });
    driver.hear(PEER, request(3, 0, 100));
    let outputs = driver.give(Input::BlockUnreadable { peer: PEER, piece: 3, begin: 0, length: 100 });
    let said = messages(&outputs, PEER);
    assert_eq!(said[0], Message::Reject { index: 3, begin: 0, length: 100 });
    assert_eq!(said[1], Message::Extended { id: 7, payload: Bytes::from_static(&[0, 0, 0, 3]) });
    assert!(outputs.contains(&Output::Event(Event::PieceLost { piece: 3 })));
    let again = driver.hear(PEER, request(3, 0, 100));
    assert_eq!(messages(&again, PEER), [Message::Reject { index: 3, begin: 0, length: 100 }]);
}

#[test]
fn we_are_no_peer_of_ours() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    assert!(closed(&driver.connect_as(PEER, [5; 20], true, RESERVED), CloseReason::Own));
}

fn listens_at(port: u16) -> Message {
    let said = ExtendedHandshake { port: Some(port), ..ExtendedHandshake::default() };
    Message::Extended { id: 0, payload: said.encode() }
}

fn house(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// Of two connections that cross, the one that the greater id opened stays, and the other end lets go of none.
#[test]
fn of_crossing_connections_the_greater_ids_own_stays() {
    for (id, is_ours_to_decide) in [([3; 20], true), ([9; 20], false)] {
        for ours_first in [true, false] {
            let mut driver = Driver::new(Bitfield::empty(PIECES));
            let mut outputs = Vec::new();
            let dial = |driver: &mut Driver, outputs: &mut Vec<Output>| {
                outputs.extend(driver.connect_from(house(6881), OTHER, id, true, RESERVED));
            };
            if ours_first {
                dial(&mut driver, &mut outputs);
            }
            outputs.extend(driver.connect_from(house(50_000), PEER, id, false, RESERVED));
            outputs.extend(driver.hear(PEER, listens_at(6881)));
            if !ours_first {
                dial(&mut driver, &mut outputs);
            }
            let let_go = Output::Close { peer: PEER, reason: CloseReason::Duplicate };
            assert_eq!(outputs.contains(&let_go), is_ours_to_decide, "{id:?} {ours_first}");
            assert_eq!(driver.swarm.stats(driver.now).peers.len(), 2 - usize::from(is_ours_to_decide));
        }
    }
}

#[test]
fn who_takes_anothers_id_does_not_keep_it_out() {
    for id in [[3; 20], [9; 20]] {
        let mut driver = Driver::new(Bitfield::empty(PIECES));
        // Elsewhere, in the same house, and by another family's address.
        let squatters = ["192.0.2.7:50000", "192.0.2.1:50000", "[2001:db8::1]:6881"];
        for (number, squatter) in squatters.iter().enumerate() {
            let key = PeerKey(10 + number as u64);
            driver.connect_from(squatter.parse().unwrap(), key, id, false, RESERVED);
            driver.hear(key, listens_at(7000));
        }
        let outputs = driver.connect_from(house(6881), PEER, id, true, RESERVED);
        assert!(!closed(&outputs, CloseReason::Duplicate));
        let outputs = driver.connect_from(house(50_001), OTHER, id, false, RESERVED);
        assert!(!closed(&outputs, CloseReason::Duplicate));
        assert!(!closed(&driver.later(60), CloseReason::Duplicate));
        assert_eq!(driver.swarm.stats(driver.now).peers.len(), 5);
    }
}

/// Somebody who came in says that it listens where the seed does: the seed's own port is tried soon all the same.
#[test]
fn who_claims_anothers_port_does_not_keep_us_from_it() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect_from(house(50_000), PEER, [3; 20], false, RESERVED);
    driver.hear(PEER, listens_at(6881));
    let found = Input::PeersFound { addrs: vec![house(6881)], source: PeerSource::Tracker, via: Via::OWN };
    let dial = Output::Connect { addr: house(6881), via: Via::OWN };
    assert!(!driver.give(found).contains(&dial));
    assert!(!driver.later(5).contains(&dial));
    assert!(driver.later(6).contains(&dial));
    let outputs = driver.connect_from(house(6881), OTHER, [3; 20], true, RESERVED);
    assert!(!outputs.contains(&Output::Close { peer: OTHER, reason: CloseReason::Duplicate }));
}

/// One machine with an address of each family: the connection that serves stays, the other goes.
#[test]
fn of_two_connections_under_one_name_the_useful_one_stays() {
    let by_v6: SocketAddr = "[2001:db8::1]:6881".parse().unwrap();
    for (id, is_ours_to_decide) in [([3; 20], true), ([9; 20], false)] {
        let mut driver = Driver::seeding();
        driver.connect_from(house(50_000), PEER, id, false, RESERVED);
        driver.connect_from(by_v6, OTHER, id, false, RESERVED);
        driver.hear(OTHER, Message::Interested);
        assert!(!closed(&driver.later(12), CloseReason::Duplicate), "neither was of use");
        driver.hear(OTHER, request(0, 0, BLOCK));
        driver.give(Input::BlockSent { peer: OTHER, piece: 0, begin: 0, length: BLOCK, wire: BLOCK });
        let outputs = driver.later(1);
        let let_go = Output::Close { peer: PEER, reason: CloseReason::Duplicate };
        assert_eq!(outputs.contains(&let_go), is_ours_to_decide, "{outputs:?}");
    }
}

/// The first message of a teller is heard, those that follow too soon are not (BEP 11).
#[test]
fn peer_exchange_is_heard_now_and_then() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect_as(PEER, [3; 20], false, RESERVED);
    let tell = |driver: &mut Driver, host: u8| {
        let added = (6001..=6050).map(|port| SocketAddr::from(([198, 51, 100, host], port))).collect();
        let payload = Pex { added, dropped: vec![] }.encode();
        driver.hear(PEER, Message::Extended { id: UT_PEX, payload });
        driver.swarm.stats(driver.now).peers_known
    };
    assert_eq!(tell(&mut driver, 1), 50);
    assert_eq!(tell(&mut driver, 2), 50);
    driver.later(31);
    let known = tell(&mut driver, 3);
    assert!(known <= 50, "{known} are known of one teller");
}

#[test]
fn failed_addresses_wait_longer_each_time_and_are_forgotten() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let addr = "192.0.2.77:1".parse().unwrap();
    let mut outputs =
        driver.give(Input::PeersFound { addrs: vec![addr], source: PeerSource::Tracker, via: Via::OWN });
    let mut attempts = Vec::new();
    for second in 0..2_000 {
        if outputs.contains(&Output::Connect { addr, via: Via::OWN }) {
            attempts.push(second);
            driver.give(Input::ConnectFailed { addr });
        }
        outputs = driver.later(1);
    }
    assert_eq!(attempts.len(), 6, "{attempts:?}");
    assert!(attempts.windows(3).all(|w| w[2] - w[1] >= w[1] - w[0]), "{attempts:?}");
    assert_eq!(driver.swarm.stats(driver.now).peers_known, 0);
}

#[test]
fn a_silent_peer_hears_from_us_and_then_no_more() {
    let mut driver = Driver::seeding();
    driver.connect(PEER, RESERVED);
    assert!(messages(&driver.later(101), PEER).contains(&Message::KeepAlive));
    assert!(closed(&driver.later(60), CloseReason::Silent));
}

#[test]
fn requests_of_a_silent_peer_go_to_another() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    for peer in [PEER, OTHER] {
        driver.connect(peer, RESERVED);
        driver.hear(peer, Message::HaveAll);
    }
    let asked = driver.hear(PEER, Message::Unchoke);
    assert_eq!(messages(&asked, PEER).len(), 4, "an unproven peer gets four requests");
    driver.later(21);
    assert!(driver.swarm.stats(driver.now).peers[0].snubbed);
    let outputs = driver.hear(OTHER, Message::Unchoke);
    assert_eq!(messages(&outputs, OTHER).len(), 4);
}

#[test]
fn layers_and_leaves_are_served_with_proofs_and_nonsense_is_rejected() {
    let content = content();
    let range = |base_layer, index, length, proof_layers| HashRange {
        pieces_root: content.root,
        base_layer,
        index,
        length,
        proof_layers,
    };
    // The file has 22 leaves (5 rows above them), its piece layer is row 2 with 8 nodes.
    let good = [
        range(2, 0, 8, 2),
        range(2, 4, 2, 2),
        range(3, 2, 2, 1),
        range(0, 8, 4, 4),
        range(0, 6, 2, 4),
        range(1, 4, 2, 3),
    ];
    for asked in good {
        let mut driver = Driver::seeding();
        driver.connect(PEER, RESERVED);
        let mut outputs = driver.hear(PEER, Message::HashRequest(asked));
        if let Some(Output::ReadLeaves { piece }) = outputs.first().cloned() {
            let first = piece as usize * 4;
            let leaves = Some(content.leaves[first..(first + 4).min(22)].to_vec());
            outputs = driver.give(Input::PieceLeaves { piece, leaves });
        }
        let Some(Message::Hashes { range, hashes }) = messages(&outputs, PEER).pop() else {
            panic!("{asked:?} gave {outputs:?}");
        };
        assert_eq!((range, hashes.len()), (asked, asked.hash_count() as usize));
        let (nodes, uncles) = hashes.split_at(asked.length as usize);
        assert_eq!(merkle::root_of_span(nodes, asked.index as usize, uncles), content.root, "{asked:?}");
    }
    let elsewhere = HashRange { pieces_root: Hash32([1; 32]), ..range(2, 0, 8, 2) };
    let bad = [
        range(2, 0, 3, 0),
        range(2, 1, 2, 0),
        range(2, 8, 8, 0),
        range(2, 0, 1, 0),
        range(40, 0, 2, 0),
        elsewhere,
        range(0, 24, 4, 0),
        range(2, 0, 1 << 20, 0),
    ];
    for asked in bad {
        let mut driver = Driver::seeding();
        driver.connect(PEER, RESERVED);
        let outputs = driver.hear(PEER, Message::HashRequest(asked));
        assert_eq!(messages(&outputs, PEER), [Message::HashReject(asked)]);
    }
}
