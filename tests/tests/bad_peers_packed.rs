//! Peers that lie in packed blocks (`mu_zstd`): each is banned for its first false message, what it costs the victim is
//! said here, and an honest seed beside it still brings everything and is not banned.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};
use swarm::wire::{
    BLOCK_LENGTH, BlockRun, ExtendedHandshake, MU_ZSTD, Message, PACKED_CONTENT_MAX, Packing, packed_head,
};
use tests::{
    hostile::Line,
    siege::{CPU, DELAY_MAX, MEMORY_MIB, SOON, Siege},
};

/// Requests that a peer which proved nothing is sent before it has answered any, and with some that crossed its answer.
const ASKED_AT_FIRST: usize = 4;
const ASKED_MAX: usize = 16;

#[test]
fn a_packed_message_that_is_no_zstd_bans_its_sender() {
    lie(160, |asked| packed(Packing::Alone, &[asked.run], &[0x66; 900]));
}

#[test]
fn a_packed_bomb_is_not_unpacked_beyond_what_was_asked_for() {
    let bomb = zstd::bulk::compress(&vec![0; 256 << 20], 19).unwrap();
    lie(161, |asked| packed(Packing::Alone, &[asked.run], &bomb));
}

#[test]
fn a_bomb_in_a_stream_is_not_unpacked_beyond_what_was_asked_for() {
    let bomb = zstd::bulk::compress(&vec![0; 256 << 20], 19).unwrap();
    lie(162, |asked| packed(Packing::Begin, &[asked.run], &bomb));
}

#[test]
fn a_stream_with_a_window_beyond_the_bound_bans_its_sender() {
    let mut far = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    far.set_parameter(zstd::zstd_safe::CParameter::WindowLog(27)).unwrap();
    std::io::Write::write_all(&mut far, &vec![7; 1 << 20]).unwrap();
    let far = far.finish().unwrap();
    lie(163, |asked| packed(Packing::Begin, &[asked.run], &far));
}

#[test]
fn a_packed_message_that_covers_blocks_not_asked_for_bans_its_sender() {
    lie(164, |asked| {
        let other = BlockRun { piece: asked.not_asked, first: 0, count: 1 };
        packed(Packing::Alone, &[asked.run, other], &zeros(asked.length + BLOCK_LENGTH))
    });
}

#[test]
fn a_packed_message_that_covers_a_block_twice_bans_its_sender() {
    lie(169, |asked| packed(Packing::Alone, &[asked.run; 2], &zeros(2 * asked.length)));
}

#[test]
fn a_packed_message_that_is_too_short_for_its_blocks_bans_its_sender() {
    lie(165, |asked| packed(Packing::Alone, &[asked.run], &zeros(asked.length - 1)));
}

#[test]
fn a_false_block_in_a_packed_message_bans_its_giver_and_nobody_else() {
    let siege = Siege::lay_with(166, &[], &["--compression"]);
    let mut line = pose_as_one_that_packs(&siege);
    let address = line.local();
    let pieces = siege.hostile.layout.piece_count();
    let liar = |asked: &Asked| packed(Packing::Alone, &[asked.run], &zeros(asked.length));
    let (toll, _) = siege.lift_during(|over| answer(&mut line, pieces, over, liar));
    assert_eq!(toll.banned, [address]);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

#[test]
fn packed_blocks_that_do_not_exist_or_are_too_many_end_the_connection() {
    let siege = Siege::lay_with(167, &[], &["--compression"]);
    let pieces = siege.hostile.layout.piece_count();
    let run = |piece, first, count| packed(Packing::Alone, &[BlockRun { piece, first, count }], b"zstd");
    let far = vec![BlockRun { piece: 0, first: 0, count: 1 }; 513];
    let many = [&packed_head(Packing::Alone, &far)[..], b"zstd"].concat();
    let messages = [
        run(pieces, 0, 1),
        run(0, 0, 0),
        run(0, u32::from(u16::MAX), 1),
        run(0, 0, PACKED_CONTENT_MAX / BLOCK_LENGTH + 1),
        Message::Extended { id: MU_ZSTD, payload: many.into() },
        Message::Extended { id: MU_ZSTD, payload: Bytes::from_static(&[9, 0, 1]) },
    ];
    for message in messages {
        let mut line = siege.dial();
        line.say(&message);
        assert!(line.ends_within(SOON), "{message:?}");
    }
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

/// A peer that packs goes on from a stream it never began: the victim says that it is lost, bans nobody, and takes the
/// blocks from whoever gives them.
#[test]
fn a_stream_that_never_began_is_not_followed_and_nobody_is_banned() {
    let siege = Siege::lay_with(168, &[], &["--compression"]);
    let mut line = pose_as_one_that_packs(&siege);
    let (toll, lost) = siege.lift_during(|over| {
        let mut lost = false;
        answer_all(&mut line, over, |line, message| match message {
            Message::Request { index, begin, .. } => {
                let run = BlockRun { piece: index, first: begin / BLOCK_LENGTH, count: 1 };
                if !lost {
                    line.say(&packed(Packing::Next, &[run], b"what follows"));
                }
            }
            Message::Extended { id: OUR_NUMBER, payload } => lost |= payload[..] == [3],
            _ => {}
        });
        lost
    });
    assert!(lost, "it says that it is lost");
    assert_eq!(toll.banned, []);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

/// The number under which the victim sends packed blocks to the hostile peer.
const OUR_NUMBER: u8 = 77;

/// A block that the victim asked for, and a piece that it did not ask for.
struct Asked {
    run: BlockRun,
    length: u32,
    not_asked: u32,
}

fn packed(packing: Packing, runs: &[BlockRun], data: &[u8]) -> Message {
    let payload = [&packed_head(packing, runs)[..], data].concat();
    Message::Extended { id: MU_ZSTD, payload: payload.into() }
}

fn zeros(length: u32) -> Vec<u8> {
    zstd::bulk::compress(&vec![0; length as usize], 3).unwrap()
}

/// One that has everything, serves everybody and packs.
fn pose_as_one_that_packs(siege: &Siege) -> Line {
    let mut line = siege.dial();
    let handshake = ExtendedHandshake { mu_zstd: Some(OUR_NUMBER), ..ExtendedHandshake::default() }.encode();
    assert!(line.say(&Message::Extended { id: 0, payload: handshake }) && line.pose_as_seed());
    line
}

/// The first request is answered with a lie: the liar is banned for it, cheaply.
fn lie(seed: u64, lie: impl Fn(&Asked) -> Message + Send) {
    let siege = Siege::lay_with(seed, &[], &["--compression"]);
    let mut line = pose_as_one_that_packs(&siege);
    let address = line.local();
    let pieces = siege.hostile.layout.piece_count();
    let (toll, requests) = siege.lift_during(|over| answer(&mut line, pieces, over, lie));
    assert!((1..=ASKED_MAX).contains(&requests), "{requests} requests");
    assert_eq!(toll.banned, [address]);
    assert!(toll.memory <= MEMORY_MIB << 20, "{toll:?}");
    assert!(toll.cpu <= CPU, "{toll:?}");
    assert!(toll.wasted <= u64::from(PACKED_CONTENT_MAX), "{toll:?}");
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

/// Answers the first requests once all of them are heard, and then each; how many there were.
fn answer(line: &mut Line, pieces: u32, over: &AtomicBool, answer: impl Fn(&Asked) -> Message) -> usize {
    let mut asked = BTreeMap::new();
    answer_all(line, over, |line, message| {
        let Message::Request { index, begin, length } = message else { return };
        asked.insert((index, begin), length);
        if asked.len() < ASKED_AT_FIRST {
            return;
        }
        let not_asked = (0..pieces).find(|piece| asked.keys().all(|(other, _)| other != piece)).unwrap();
        let ((index, begin), length) = asked.iter().next_back().unwrap();
        let run = BlockRun { piece: *index, first: begin / BLOCK_LENGTH, count: 1 };
        line.say(&answer(&Asked { run, length: *length, not_asked }));
    });
    asked.len()
}

fn answer_all(line: &mut Line, over: &AtomicBool, mut hear: impl FnMut(&mut Line, Message)) {
    line.answer(
        || over.load(Ordering::Relaxed),
        |line, message| {
            hear(line, message);
            true
        },
    );
}
