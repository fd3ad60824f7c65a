//! Blocks that travel packed: who is asked for runs, what is taken, and what it costs who lies.

use bytes::Bytes;
use release::merkle;
use swarm::wire::{
    BlockRun, ExtendedHandshake, MU_ZSTD, Message, Packing, RESERVED, packed_head, stream_lost_payload,
};
use swarm::{Bitfield, Block, Event, Input, Output, PackedBlock, PeerKey};

use crate::driver::*;

/// The peer's number for packed blocks.
const THEIRS: u8 = 9;

fn driver(have: Bitfield) -> Driver {
    let mut driver = Driver::packing(have);
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, speaks(Some(THEIRS)));
    driver
}

fn speaks(mu_zstd: Option<u8>) -> Message {
    Message::Extended { id: 0, payload: ExtendedHandshake { mu_zstd, ..Default::default() }.encode() }
}

fn packed(packing: Packing, runs: &[BlockRun]) -> Message {
    let payload = [&packed_head(packing, runs)[..], b"zstd"].concat();
    Message::Extended { id: MU_ZSTD, payload: payload.into() }
}

/// A swarm that has nothing and was told that it may ask; with what it asked for.
fn asking() -> (Driver, Vec<(u32, u32)>) {
    let mut driver = driver(Bitfield::empty(PIECES));
    driver.hear(PEER, Message::HaveAll);
    let outputs = driver.hear(PEER, Message::Unchoke);
    let asked = requests(&outputs);
    assert_eq!(asked.len(), 4);
    (driver, asked)
}

fn requests(outputs: &[Output]) -> Vec<(u32, u32)> {
    let request = |message| match message {
        Message::Request { index, begin, .. } => Some((index, begin / BLOCK)),
        _ => None,
    };
    messages(outputs, PEER).into_iter().filter_map(request).collect()
}

fn run((piece, first): (u32, u32)) -> BlockRun {
    BlockRun { piece, first, count: 1 }
}

fn is_banned(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Event(Event::PeerBanned { .. })))
}

#[test]
fn only_who_speaks_it_is_sent_runs_and_only_who_can_says_so() {
    for (packing, speaks_it) in [(true, true), (true, false), (false, true)] {
        let full = Bitfield::full(PIECES);
        let mut driver = if packing { Driver::packing(full) } else { Driver::new(full) };
        let said = driver.connect(PEER, RESERVED);
        let Some(Message::Extended { payload, .. }) = messages(&said, PEER).pop() else { panic!() };
        assert_eq!(ExtendedHandshake::parse(&payload).unwrap().mu_zstd.is_some(), packing);
        driver.hear(PEER, speaks(speaks_it.then_some(THEIRS)));
        driver.hear(PEER, Message::Interested);
        let outputs = driver.hear(PEER, request(0, 0, BLOCK));
        let run = matches!(outputs[..], [Output::SendRun { id: THEIRS, solid: true, .. }]);
        assert_eq!(run, packing && speaks_it, "{outputs:?}");
    }
}

#[test]
fn requests_gather_while_a_run_is_on_its_way_and_odd_ones_go_alone() {
    let mut driver = driver(Bitfield::full(PIECES));
    driver.hear(PEER, Message::Interested);
    driver.hear(PEER, request(0, 0, BLOCK));
    assert_eq!(driver.hear(PEER, request(0, BLOCK, BLOCK)), [], "one block more is not worth it");
    let outputs = driver.hear(PEER, request(0, 2 * BLOCK, BLOCK));
    let [Output::SendRun { blocks, .. }] = &outputs[..] else { panic!("{outputs:?}") };
    let block = |number: u32| Block { piece: 0, begin: number * BLOCK, length: BLOCK };
    assert_eq!(blocks[..], [block(1), block(2)]);
    driver.hear(PEER, request(0, 100, 100));
    let cancel = Message::Cancel { index: 0, begin: 2 * BLOCK, length: BLOCK };
    let cancelled = Output::CancelBlock { peer: PEER, piece: 0, begin: 2 * BLOCK, length: BLOCK };
    assert_eq!(driver.hear(PEER, cancel), [cancelled], "until it is packed");
    let sent = |begin, wire| Input::BlockSent { peer: PEER, piece: 0, begin, length: BLOCK, wire };
    driver.give(sent(0, 700));
    driver.give(sent(BLOCK, 0));
    let last = driver.give(sent(2 * BLOCK, 800));
    assert_eq!(last, [Output::SendBlock { peer: PEER, piece: 0, begin: 100, length: 100 }]);
    let stats = driver.swarm.stats(driver.now);
    assert_eq!((stats.uploaded.players, stats.content_to_peers), (1_500, u64::from(3 * BLOCK)));
}

#[test]
fn who_is_lost_gets_no_stream_and_neither_does_a_crowd() {
    let solid = |outputs: &[Output]| match outputs {
        [Output::SendRun { solid, .. }] => *solid,
        _ => panic!("{outputs:?}"),
    };
    let mut lost = driver(Bitfield::full(PIECES));
    lost.hear(PEER, Message::Interested);
    lost.hear(PEER, Message::Extended { id: MU_ZSTD, payload: stream_lost_payload() });
    assert!(!solid(&lost.hear(PEER, request(0, 0, BLOCK))));
    let mut crowd = driver(Bitfield::full(PIECES));
    crowd.hear(PEER, Message::Interested);
    for number in 11..=14 {
        crowd.connect(PeerKey(number), RESERVED);
        crowd.hear(PeerKey(number), Message::Interested);
    }
    assert!(!solid(&crowd.hear(PEER, request(0, 0, BLOCK))));
}

#[test]
fn packed_blocks_that_were_asked_for_are_stored_and_count_as_they_travelled() {
    let (mut driver, asked) = asking();
    let outputs = driver.hear(PEER, packed(Packing::Begin, &[run(asked[0]), run(asked[1])]));
    let stored = outputs.iter().find_map(|output| match output {
        Output::StorePacked { peer: PEER, packing: Packing::Begin, blocks, data } => Some((blocks, data)),
        _ => None,
    });
    let (blocks, data) = stored.unwrap();
    let block = |(piece, block)| PackedBlock { piece, block, length: BLOCK, wanted: true };
    assert_eq!((&blocks[..], &data[..]), (&[block(asked[0]), block(asked[1])][..], &b"zstd"[..]));
    assert_eq!(requests(&outputs).len(), 2, "it is asked for as many more");
    let stats = driver.swarm.stats(driver.now);
    let wire = 6 + 3 + 2 * 8 + 4;
    assert_eq!((stats.downloaded.players, stats.content_from_peers), (wire, u64::from(2 * BLOCK)));
    for (piece, block) in [asked[0], asked[1]] {
        let leaf = merkle::leaf(&block_data(piece, block));
        driver.give(Input::BlockStored { piece, block, leaf });
    }
    assert_eq!(driver.swarm.stats(driver.now).wasted_bytes, 0);
}

#[test]
fn what_was_not_asked_for_or_comes_twice_in_one_message_bans_its_sender() {
    let (_, asked) = asking();
    let other = (0..PIECES).find(|piece| asked.iter().all(|(at, _)| at != piece)).unwrap();
    for second in [(other, 0), asked[0]] {
        let (mut driver, asked) = asking();
        let outputs = driver.hear(PEER, packed(Packing::Alone, &[run(asked[0]), run(second)]));
        assert!(is_banned(&outputs), "{outputs:?}");
        assert!(!outputs.iter().any(|output| matches!(output, Output::StorePacked { .. })));
    }
}

#[test]
fn an_answer_that_crosses_a_cancel_is_no_lie() {
    let (mut driver, asked) = asking();
    driver.give(Input::SetDownload { enabled: false });
    let outputs = driver.hear(PEER, packed(Packing::Alone, &[run(asked[0])]));
    let wanted = |output: &Output| matches!(output, Output::StorePacked { blocks, .. } if blocks[0].wanted);
    assert!(!is_banned(&outputs) && outputs.iter().any(wanted), "{outputs:?}");
}

#[test]
fn what_is_no_bytes_of_its_blocks_is_fetched_again_and_its_sender_banned() {
    let (mut driver, asked) = asking();
    driver.hear(PEER, packed(Packing::Alone, &[run(asked[0])]));
    let outputs = driver.give(Input::PackedFalse { peer: PEER, blocks: vec![asked[0]] });
    assert!(is_banned(&outputs));
    driver.connect(OTHER, RESERVED);
    driver.hear(OTHER, Message::HaveAll);
    let mut outputs = driver.hear(OTHER, Message::Unchoke);
    let mut again = Vec::new();
    while !outputs.is_empty() {
        again.extend(outputs.iter().filter_map(|output| match output {
            Output::Send { peer: OTHER, message: Message::Request { index, begin, .. } } => {
                Some((*index, begin / BLOCK))
            }
            _ => None,
        }));
        outputs = deliver_once(&mut driver, &outputs);
    }
    assert!(again.contains(&asked[0]));
    assert_eq!(driver.swarm.stats(driver.now).pieces_have, PIECES);
}

fn deliver_once(driver: &mut Driver, outputs: &[Output]) -> Vec<Output> {
    let mut next = Vec::new();
    for output in outputs {
        let Output::Send { peer, message: Message::Request { index, begin, .. } } = *output else { continue };
        let data = block_data(index, begin / BLOCK);
        let leaf = merkle::leaf(&data);
        next.extend(driver.hear(peer, Message::Piece { index, begin, data }));
        next.extend(driver.give(Input::BlockStored { piece: index, block: begin / BLOCK, leaf }));
    }
    next
}

#[test]
fn a_stream_that_is_lost_is_said_once_and_its_blocks_are_asked_for_again() {
    let (mut driver, asked) = asking();
    driver.hear(PEER, packed(Packing::Next, &[run(asked[0])]));
    let outputs = driver.give(Input::PackedLost { peer: PEER, blocks: vec![asked[0]] });
    let lost = Message::Extended { id: THEIRS, payload: stream_lost_payload() };
    assert!(messages(&outputs, PEER).contains(&lost) && !is_banned(&outputs));
    driver.hear(PEER, packed(Packing::Next, &[run(asked[1])]));
    let outputs = driver.give(Input::PackedLost { peer: PEER, blocks: vec![asked[1]] });
    assert!(!messages(&outputs, PEER).contains(&lost));
    let left = driver.swarm.stats(driver.now).peers[0].requests_out;
    assert_eq!(left, 4, "what was lost is asked for anew");
}

#[test]
fn who_was_not_told_that_we_can_and_packs_all_the_same_is_left() {
    let mut driver = Driver::new(Bitfield::empty(PIECES));
    driver.connect(PEER, RESERVED);
    driver.hear(PEER, Message::HaveAll);
    let payload = Bytes::from_static(&[0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    let outputs = driver.hear(PEER, Message::Extended { id: MU_ZSTD, payload });
    assert!(closed(&outputs, swarm::CloseReason::Protocol));
}
