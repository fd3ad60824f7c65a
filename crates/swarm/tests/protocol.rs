//! One swarm and peers made of messages: what it says to whom, and what it refuses.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use release::hash::Hash32;
use release::layout::{FileEntry, Layout, PieceLayers};
use release::merkle;
use release::path::GamePath;
use swarm::wire::{ExtendedHandshake, HashRange, Message, Pex, RESERVED, UT_PEX};
use swarm::{Bitfield, Class, CloseReason, Config, Event, Input, Output, PeerKey, PeerSource, Swarm, Time};

const BLOCK: u32 = 16 * 1024;
const PIECE: u32 = 4 * BLOCK;
const PIECES: u32 = 6;
const PEER: PeerKey = PeerKey(1);
const OTHER: PeerKey = PeerKey(2);

/// One file of five and a half pieces; block `n` is filled with `n`.
struct Content {
    layout: Arc<Layout>,
    layers: PieceLayers,
    leaves: Vec<Hash32>,
    root: Hash32,
}

fn block_data(piece: u32, block: u32) -> Bytes {
    Bytes::from(vec![(piece * 4 + block) as u8; BLOCK as usize])
}

fn content() -> Content {
    let leaves: Vec<Hash32> = (0..22).map(|n| merkle::leaf(&block_data(n / 4, n % 4))).collect();
    let layer: Vec<Hash32> = leaves.chunks(4).map(|piece| merkle::root(piece, 4)).collect();
    let root = merkle::pieces_root_of_layer(&layer, PIECE);
    let path = GamePath::parse("game.bin").unwrap();
    let length = u64::from(BLOCK) * 22;
    let file = FileEntry { path, length, pieces_root: Some(root), executable: false };
    let layout = Layout::new(PIECE, vec![file]).unwrap();
    let mut layers = PieceLayers::default();
    layers.insert(&layout, 0, layer).unwrap();
    Content { layout: Arc::new(layout), layers, leaves, root }
}

struct Driver {
    swarm: Swarm,
    now: Time,
}

impl Driver {
    fn new(have: Bitfield) -> Self {
        let content = content();
        let config = Config { peer_id: [5; 20], ..Config::default() };
        Self { swarm: Swarm::new(config, content.layout, content.layers, have, 1), now: Time::from_secs(1) }
    }

    fn seeding() -> Self {
        Self::new(Bitfield::full(PIECES))
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        self.swarm.handle(self.now, input);
        std::iter::from_fn(|| self.swarm.poll()).collect()
    }

    fn hear(&mut self, peer: PeerKey, message: Message) -> Vec<Output> {
        self.give(Input::Received { peer, message })
    }

    fn later(&mut self, seconds: u64) -> Vec<Output> {
        self.now = self.now + Duration::from_secs(seconds);
        self.give(Input::Tick)
    }

    fn connect(&mut self, peer: PeerKey, reserved: [u8; 8]) -> Vec<Output> {
        self.connect_as(peer, [peer.0 as u8; 20], false, reserved)
    }

    fn connect_as(
        &mut self,
        peer: PeerKey,
        peer_id: [u8; 20],
        outgoing: bool,
        reserved: [u8; 8],
    ) -> Vec<Output> {
        self.connect_from(
            format!("192.0.2.{}:6881", peer.0).parse().unwrap(),
            peer,
            peer_id,
            outgoing,
            reserved,
        )
    }

    fn connect_from(
        &mut self,
        addr: SocketAddr,
        peer: PeerKey,
        peer_id: [u8; 20],
        outgoing: bool,
        reserved: [u8; 8],
    ) -> Vec<Output> {
        self.give(Input::PeerConnected { peer, addr, outgoing, class: Class::Internet, peer_id, reserved })
    }

    /// A peer that is interested and has a slot.
    fn served(&mut self, peer: PeerKey) {
        self.connect(peer, RESERVED);
        let said = self.hear(peer, Message::Interested);
        assert!(messages(&said, peer).contains(&Message::Unchoke));
    }
}

fn messages(outputs: &[Output], to: PeerKey) -> Vec<Message> {
    let said = |output: &Output| match output {
        Output::Send { peer, message } if *peer == to => Some(message.clone()),
        _ => None,
    };
    outputs.iter().filter_map(said).collect()
}

fn closed(outputs: &[Output], reason: CloseReason) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Close { reason: why, .. } if *why == reason))
}

fn request(index: u32, begin: u32, length: u32) -> Message {
    Message::Request { index, begin, length }
}

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
    let outputs = driver.give(Input::BlockSent { peer, piece, begin, length });
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
    let found = Input::PeersFound { addrs: vec![house(6881)], source: PeerSource::Tracker };
    let dial = Output::Connect { addr: house(6881) };
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
        driver.give(Input::BlockSent { peer: OTHER, piece: 0, begin: 0, length: BLOCK });
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
        let added = (1..=50).map(|port| SocketAddr::from(([198, 51, 100, host], port))).collect();
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
    let mut outputs = driver.give(Input::PeersFound { addrs: vec![addr], source: PeerSource::Tracker });
    let mut attempts = Vec::new();
    for second in 0..2_000 {
        if outputs.contains(&Output::Connect { addr }) {
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

/// Gives every request in `outputs` to the swarm as stored blocks; `false_block` is false.
fn deliver(driver: &mut Driver, outputs: Vec<Output>, false_block: Option<(u32, u32)>) -> Vec<Output> {
    let mut all = Vec::new();
    let mut todo = outputs;
    while !todo.is_empty() {
        let mut next = Vec::new();
        for output in &todo {
            let Output::Send { peer, message: Message::Request { index, begin, .. } } = *output else {
                continue;
            };
            let block = begin / BLOCK;
            let data = if false_block == Some((index, block)) {
                Bytes::from(vec![99; BLOCK as usize])
            } else {
                block_data(index, block)
            };
            let leaf = merkle::leaf(&data);
            next.extend(driver.hear(peer, Message::Piece { index, begin, data }));
            next.extend(driver.give(Input::BlockStored { piece: index, block, leaf }));
        }
        all.extend(todo);
        todo = next;
    }
    all
}

#[test]
fn a_download_from_one_peer_verifies_every_piece_and_tells_of_it() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.connect(OTHER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let outputs = deliver(&mut driver, asked, None);
    assert!(outputs.contains(&Output::Event(Event::Complete)));
    let told = messages(&outputs, OTHER).into_iter().filter(|m| matches!(m, Message::Have { .. })).count();
    assert_eq!(told as u32, PIECES);
    assert!(closed(&outputs, CloseReason::BothSeeds));
}

#[test]
fn a_false_piece_from_one_peer_alone_bans_its_house_and_not_its_name() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let Some(Message::Request { index, begin, .. }) = messages(&asked, PEER).first().cloned() else {
        panic!()
    };
    let outputs = deliver(&mut driver, asked, Some((index, begin / BLOCK)));
    assert!(outputs.contains(&Output::Event(Event::PieceFailed { piece: index })));
    assert!(closed(&outputs, CloseReason::Banned));
    assert!(closed(&driver.connect(PEER, RESERVED), CloseReason::Banned));
    // Its id is a claim: the peer that it was taken from comes in.
    assert!(!closed(&driver.connect_as(OTHER, [1; 20], false, RESERVED), CloseReason::Banned));
}

/// A disk garbled what we have: as soon as that shows we stop offering it, before others ban us for it.
#[test]
fn a_piece_that_the_disk_garbled_is_withdrawn_and_fetched_again() {
    let mut driver = Driver::seeding();
    driver.served(PEER);
    let pieces_root = content().root;
    let asked = HashRange { pieces_root, base_layer: 0, index: 4, length: 4, proof_layers: 0 };
    assert!(driver.hear(PEER, Message::HashRequest(asked)).contains(&Output::ReadLeaves { piece: 1 }));
    let leaves = Some(vec![Hash32([9; 32]); 4]);
    let outputs = driver.give(Input::PieceLeaves { piece: 1, leaves });
    assert_eq!(messages(&outputs, PEER).first(), Some(&Message::HashReject(asked)));
    assert!(outputs.contains(&Output::Event(Event::PieceLost { piece: 1 })));
    let outputs = driver.hear(PEER, request(1, 0, BLOCK));
    assert!(!outputs.iter().any(|output| matches!(output, Output::SendBlock { .. })), "{outputs:?}");
    driver.connect(OTHER, RESERVED);
    driver.hear(OTHER, Message::HaveAll);
    let asked = driver.hear(OTHER, Message::Unchoke);
    assert!(deliver(&mut driver, asked, None).contains(&Output::Event(Event::Complete)));
}

#[test]
fn the_origin_is_left_after_a_refusal_and_asked_again_after_a_pause() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let fetches = |outputs: &[Output]| -> Vec<u64> {
        let id = |o: &Output| if let Output::FetchOrigin { fetch, .. } = o { Some(*fetch) } else { None };
        outputs.iter().filter_map(id).collect()
    };
    let first = fetches(&driver.give(Input::SetOrigin { available: true }));
    assert!(!first.is_empty());
    for fetch in first {
        let retry_after = Some(Duration::from_secs(30));
        let outputs = driver.give(Input::OriginFailed { fetch, retry_after, permanent: false });
        assert_eq!(fetches(&outputs), [0; 0]);
    }
    assert_eq!(fetches(&driver.later(29)), [0; 0]);
    assert!(!fetches(&driver.later(2)).is_empty());
}

/// Another of the origin's servers may have it right: a few times, then the piece is left to the players.
#[test]
fn a_piece_that_the_origin_had_wrong_is_asked_of_it_again_within_bounds() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let mut todo = driver.give(Input::SetOrigin { available: true });
    let (mut asked, mut told, mut ticks) = (Vec::new(), 0, 0);
    while ticks < 100 {
        let Some(output) = todo.pop() else {
            ticks += 1;
            todo = driver.later(1);
            continue;
        };
        match output {
            Output::FetchOrigin { fetch, piece, blocks } => {
                asked.push(piece);
                for block in blocks {
                    let wrong = Bytes::from(vec![99; BLOCK as usize]);
                    let data = if piece == 0 { wrong } else { block_data(piece, block) };
                    let leaf = merkle::leaf(&data);
                    todo.extend(driver.give(Input::OriginBlock { fetch, block, data }));
                    todo.extend(driver.give(Input::BlockStored { piece, block, leaf }));
                }
            }
            Output::Event(Event::OriginFalse { piece, block }) => {
                assert_eq!((piece, block), (0, None));
                told += 1;
            }
            _ => {}
        }
    }
    let of_false = asked.iter().filter(|piece| **piece == 0).count();
    assert_eq!((of_false, told), (9, 9), "{asked:?}");
    assert_eq!(driver.swarm.have().count(), PIECES - 1);
}

/// One file is the player's own: nobody fetches it, and the rest is all.
#[test]
fn pieces_that_are_not_wanted_are_not_asked_for_and_not_awaited() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.give(Input::SetUnwanted { unwanted: bits(&[1, 4]) });
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = driver.hear(PEER, Message::Unchoke);
    let outputs = deliver(&mut driver, asked, None);
    let requested = |n| move |o: &Output| matches!(o, Output::Send { message: Message::Request { index, .. }, .. } if *index == n);
    assert!((0..PIECES).all(|n| outputs.iter().any(requested(n)) != [1, 4].contains(&n)));
    assert!(outputs.contains(&Output::Event(Event::Complete)) && driver.swarm.is_complete());
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stats.pieces_have, stats.pieces_total, stats.pieces_unwanted), (4, 4, 2));
    assert_eq!(stats.bytes_have, stats.bytes_total);
    // BEP 21, and a partial bitfield: we have not everything and want nothing.
    assert!(closed(&outputs, CloseReason::BothSeeds));
    let said = messages(&driver.connect(OTHER, RESERVED), OTHER);
    assert_eq!(said[0], Message::Bitfield(Bytes::from_static(&[0b1011_0100])));
    let Some(Message::Extended { id: 0, payload }) = said.get(1) else { panic!("{said:?}") };
    assert!(ExtendedHandshake::parse(payload).unwrap().upload_only);
}

#[test]
fn what_is_not_wanted_any_more_is_taken_back_and_what_is_wanted_again_is_asked_for() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = messages(&driver.hear(PEER, Message::Unchoke), PEER);
    let Some(Message::Request { index, .. }) = asked.first().cloned() else { panic!("{asked:?}") };
    let outputs = driver.give(Input::SetUnwanted { unwanted: bits(&[index]) });
    let cancelled = |m: &&Message| matches!(m, Message::Cancel { index: gone, .. } if *gone == index);
    let said = messages(&outputs, PEER);
    assert_eq!(said.iter().filter(cancelled).count(), asked.len());
    assert!(said.iter().any(|m| matches!(m, Message::Request { index: other, .. } if *other != index)));
    // A block that was on its way is thrown away, not begun anew.
    let late = driver.hear(PEER, Message::Piece { index, begin: 0, data: block_data(index, 0) });
    assert!(!late.iter().any(|o| matches!(o, Output::StoreBlock { .. })));
    let others: Vec<u32> = (0..PIECES).filter(|piece| *piece != index).collect();
    let outputs = driver.give(Input::SetUnwanted { unwanted: bits(&others) });
    assert!(messages(&outputs, PEER).iter().all(|m| !matches!(m, Message::NotInterested)));
    let again = driver.later(30);
    let of = |m: &Message| matches!(m, Message::Request { index: now, .. } if *now == index);
    assert!(messages(&outputs, PEER).iter().chain(&messages(&again, PEER)).any(of));
}

#[test]
fn nothing_wanted_is_no_interest_and_no_origin_and_a_twin_is_had_all_the_same() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    let outputs = driver.give(Input::SetUnwanted { unwanted: Bitfield::full(PIECES) });
    assert_eq!(outputs, [Output::Event(Event::Complete)]);
    assert_eq!(driver.give(Input::SetOrigin { available: true }), []);
    driver.connect(PEER, RESERVED);
    let outputs = driver.give(Input::PieceAvailable { piece: 2 });
    assert!(messages(&outputs, PEER).contains(&Message::Have { piece: 2 }));
    assert!(!outputs.contains(&Output::Event(Event::Complete)), "it was complete before");
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stats.pieces_have, stats.pieces_total, stats.pieces_unwanted), (1, 1, PIECES - 1));
    let outputs = driver.hear(PEER, Message::Have { piece: 3 });
    assert_eq!(messages(&outputs, PEER), []);
    driver.give(Input::PiecesLost { pieces: vec![2] });
    assert!(driver.swarm.is_complete());
}

/// Blocks on their way when a download is paused are kept: they were paid for.
#[test]
fn blocks_that_come_after_a_pause_are_stored_and_not_fetched_twice() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let asked = messages(&driver.hear(PEER, Message::Unchoke), PEER);
    driver.give(Input::SetDownload { enabled: false });
    let mut stored = Vec::new();
    for message in &asked {
        let Message::Request { index, begin, .. } = *message else { continue };
        let data = block_data(index, begin / BLOCK);
        let leaf = merkle::leaf(&data);
        let outputs = driver.hear(PEER, Message::Piece { index, begin, data });
        assert!(outputs.iter().any(|o| matches!(o, Output::StoreBlock { .. })), "{outputs:?}");
        driver.give(Input::BlockStored { piece: index, block: begin / BLOCK, leaf });
        stored.push((index, begin));
    }
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stored.len(), stats.wasted_bytes), (4, 0));
    let again = driver.give(Input::SetDownload { enabled: true });
    let outputs = deliver(&mut driver, again, None);
    let twice = |m: &Message| matches!(m, Message::Request { index, begin, .. } if stored.contains(&(*index, *begin)));
    assert!(!messages(&outputs, PEER).iter().any(twice));
    assert!(driver.swarm.is_complete());
}

fn bits(pieces: &[u32]) -> Bitfield {
    let mut bits = Bitfield::empty(PIECES);
    pieces.iter().for_each(|piece| {
        bits.set(*piece);
    });
    bits
}
