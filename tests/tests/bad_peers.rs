//! Peers that lie, oddly or in silence: each costs the victim a little that is said here, and an honest seed beside it
//! still brings everything and is not banned. Floods are in `bad_peers_flood`.

use bytes::Bytes;
use release::{hash::Hash32, layout::PieceLayers};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use swarm::wire::{
    BLOCK_LENGTH, BlockRun, ExtendedHandshake, HANDSHAKE_LEN, Handshake, HashRange, MAX_BLOCK_RUNS,
    MU_BLOCKS, Message, block_runs_payload,
};
use tests::{
    hostile::{self, Hostile, Line},
    muster::TorrentPeer,
    share::Share,
    siege::{CPU, DELAY_MAX, MEMORY_MIB, SOON, Siege},
};

/// Who has proved nothing may have given and owe 64 blocks of pieces as small as these, however fast its line is; it may
/// answer as many again that were taken back from it meanwhile.
const FALSE_MAX: u32 = 128;

#[test]
fn oversized_frames_are_refused_from_their_prefix() {
    let siege = Siege::lay(60);
    let frames: [(u32, u8); 5] = [(u32::MAX, 20), (u32::MAX, 99), (1 << 20, 99), (1 << 20, 5), (1 << 20, 7)];
    for (length, id) in frames {
        let mut line = siege.dial();
        line.raw(&[&length.to_be_bytes()[..], &[id]].concat());
        assert!(line.ends_within(SOON), "message {id} of {length} bytes is refused before its body comes");
    }
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn unknown_messages_are_skipped() {
    let siege = Siege::lay(61);
    let mut line = siege.dial();
    for id in [10, 11, 18, 19, 24, 77, 255] {
        let body = [id; 1001];
        for _ in 0..100 {
            assert!(line.raw(&[&1001_u32.to_be_bytes()[..], &body].concat()), "message {id} is skipped");
        }
    }
    let nonsense = nonsense_range();
    line.say(&Message::HashRequest(nonsense));
    assert!(line.hears(SOON, |message| *message == Message::HashReject(nonsense)), "it still listens");
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

/// The torrent comes without piece layers, so that they must be asked for; the liar is there first.
#[test]
fn wrong_proofs_are_not_believed() {
    let bare = |share: &Share| share.variant("bare.torrent", |bare| bare.layers = PieceLayers::default());
    let siege = Siege::lay_for(Share::mixed(62, 2 << 20), bare, &[], &[]);
    let mut line = siege.dial();
    line.say(&Message::HaveAll);
    let (toll, asked) = siege.lift_after(Duration::from_secs(1), |over| {
        let mut asked = 0;
        line.answer(
            || over.load(Ordering::Relaxed),
            |line, message| match message {
                Message::HashRequest(range) => {
                    asked += 1;
                    line.say(&Message::Hashes {
                        range,
                        hashes: vec![Hash32([7; 32]); range.hash_count() as usize],
                    })
                }
                _ => true,
            },
        );
        asked
    });
    assert!((1..=8).contains(&asked), "asked {asked} times");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn hashes_not_asked_for_are_ignored() {
    let siege = Siege::lay(63);
    let mut line = siege.dial();
    let pieces_root = siege.hostile.layout.files()[0].pieces_root.unwrap();
    for index in 0..1000 {
        let range =
            HashRange { pieces_root, base_layer: 0, index: index * 512, length: 512, proof_layers: 0 };
        if !line.say(&Message::Hashes { range, hashes: vec![Hash32([1; 32]); 512] }) {
            break;
        }
    }
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn pieces_not_asked_for_end_the_connection() {
    let siege = Siege::lay(64);
    let mut line = siege.dial();
    line.pose_as_seed();
    let data = Bytes::from(vec![1; BLOCK_LENGTH as usize]);
    let mut sent = 0;
    while sent < 4096
        && line.say(&Message::Piece { index: 0, begin: sent % 2 * BLOCK_LENGTH, data: data.clone() })
    {
        sent += 1;
    }
    assert!(sent < 4096, "the victim lets go");
    // 512 blocks that nobody asked for are borne, because cancels cross blocks on the way.
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 513 * u64::from(BLOCK_LENGTH));
}

#[test]
fn a_peer_that_chokes_forever_is_not_waited_for() {
    let siege = Siege::lay(65);
    let mut line = siege.dial();
    line.say(&Message::HaveAll);
    let (toll, requests) = siege.lift_during(|over| count_requests(&mut line, over, |_, _| true));
    assert_eq!(requests, 0, "who chokes is not asked");
    assert!(toll.time < DELAY_MAX, "{toll:?}");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn a_peer_that_sends_a_byte_a_second_is_not_waited_for() {
    let siege = Siege::lay(66);
    let mut line = siege.dial();
    line.pose_as_seed();
    let (toll, ()) = siege.lift_after(Duration::from_millis(500), |over| {
        let mut head = [0; 13];
        head[..4].copy_from_slice(&(9 + BLOCK_LENGTH).to_be_bytes());
        head[4] = 7;
        line.raw(&head);
        while !over.load(Ordering::Relaxed) && line.raw(&[0]) {
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    assert!(toll.time < DELAY_MAX, "{toll:?}");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn a_peer_that_claims_all_and_never_answers_is_not_waited_for() {
    let siege = Siege::lay(67);
    let mut line = siege.dial();
    line.pose_as_seed();
    lift_beside_one_that_never_answers(siege, line);
}

#[test]
fn a_peer_that_claims_all_and_rejects_all_is_soon_left_alone() {
    let siege = Siege::lay(68);
    let mut line = siege.dial();
    line.pose_as_seed();
    let pieces = siege.hostile.layout.piece_count();
    let reject =
        |line: &mut Line, (index, begin, length)| line.say(&Message::Reject { index, begin, length });
    let (toll, requests) =
        siege.lift_after(Duration::from_secs(1), |over| count_requests(&mut line, over, reject));
    // A piece counts as gone after the third rejected request for it, when four more may be on their way.
    assert!((1..=7 * pieces).contains(&requests), "{requests} requests for {pieces} pieces");
    assert!(toll.time < DELAY_MAX, "{toll:?}");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn bitfields_that_cannot_be_end_the_connection() {
    let siege = Siege::lay(69);
    let bytes = siege.hostile.layout.piece_count().div_ceil(8) as usize;
    assert!(!siege.hostile.layout.piece_count().is_multiple_of(8), "there are spare bits");
    for bitfield in [vec![0xff; bytes], vec![0; bytes + 1], vec![0; bytes - 1], vec![]] {
        let mut line = siege.dial();
        line.say(&Message::Bitfield(Bytes::from(bitfield)));
        assert!(line.ends_within(SOON));
    }
    let mut line = siege.dial();
    line.say(&Message::HaveAll);
    line.say(&Message::HaveNone);
    assert!(line.ends_within(SOON), "one bitfield only");
    let mut line = siege.dial();
    line.say(&Message::Have { piece: siege.hostile.layout.piece_count() });
    assert!(line.ends_within(SOON), "no such piece");
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn requests_beyond_the_piece_end_the_connection() {
    let share = Share::mixed(70, 2 << 20);
    let seed = TorrentPeer::seed(&share.person("seed"), &share.torrent, &share.seed_dir());
    let hostile = Hostile::of(&share.torrent);
    let (pieces, piece_length) = (hostile.layout.piece_count(), hostile.layout.piece_length());
    let beyond = [
        (pieces, 0, BLOCK_LENGTH),
        (u32::MAX, 0, BLOCK_LENGTH),
        (0, piece_length, BLOCK_LENGTH),
        (0, piece_length - 1, BLOCK_LENGTH),
        (0, u32::MAX, BLOCK_LENGTH),
        (0, u32::MAX - 1, 2),
        (0, 0, 0),
        (0, 0, BLOCK_LENGTH + 1),
        (0, 0, u32::MAX),
    ];
    for (index, begin, length) in beyond {
        let mut line = hostile.dial(&seed.listen);
        line.say(&Message::Interested);
        assert!(line.hears(SOON, |message| *message == Message::Unchoke), "one at a time gets a slot");
        line.say(&Message::Request { index, begin, length });
        assert!(line.ends_within(SOON), "{length} bytes at {begin} of piece {index}");
    }
    let place = share.place("honest");
    let mut honest = TorrentPeer::start(&share.person("a"), &share.torrent, &place, &[&seed.listen], &[]);
    honest.complete(DELAY_MAX);
    share.assert_arrived(&place);
}

#[test]
fn handshakes_of_another_torrent_are_refused() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let listens = other.local_addr().unwrap().to_string();
    let siege = Siege::lay_with(71, &[&listens], &[]);
    // To us: no word comes back.
    let mut stream = hostile::connect(&siege.victim.listen);
    stream.write_all(&Handshake::new([9; 20], *b"-XX0001-abcdefghijkl").encode()).unwrap();
    let mut answer = Vec::new();
    let _reset_or_end = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "whoever asks for another torrent hears nothing");
    // From us: we leave, and do not come back in a hurry.
    let (toll, dialled) = siege.lift_during(|over| {
        let mut dialled = 0;
        while !over.load(Ordering::Relaxed) {
            match other.accept() {
                Ok((mut stream, _)) => {
                    dialled += 1;
                    stream.set_nonblocking(false).unwrap();
                    stream.write_all(&Handshake::new([9; 20], *b"-XX0001-abcdefghijkl").encode()).unwrap();
                    let mut first = [0; HANDSHAKE_LEN];
                    stream.read_exact(&mut first).unwrap();
                    assert!(hostile::ends_within(&mut stream, SOON), "we leave");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        dialled
    });
    assert!((1..=3).contains(&dialled), "dialled {dialled} times");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

/// Lists in lists, dictionaries in dictionaries, lengths and numbers beyond measure, thousands of keys.
#[test]
fn extended_handshakes_that_are_bencode_bombs_are_survived() {
    let siege = Siege::lay(72);
    let many: Vec<u8> = (0..3000).flat_map(|key| format!("5:{key:05}le").into_bytes()).collect();
    let bombs: [Vec<u8>; 9] = [
        b"l".repeat(32_000),
        b"d1:a".repeat(8_000),
        b"d1:md".repeat(6_000),
        b"d1:v99999999999999999999:x".to_vec(),
        b"d1:v4294967295:xe".to_vec(),
        [&b"d4:reqqi"[..], &b"9".repeat(30_000), b"ee"].concat(),
        [&b"d"[..], &many, b"e"].concat(),
        b"d1:md6:ut_pexi1e11:lt_donthavei1eee1:pi0e4:reqqi0e6:yourip3:abce".to_vec(),
        vec![0xff; 32_768],
    ];
    for bomb in &bombs {
        let mut line = siege.dial();
        for _ in 0..20 {
            line.say(&Message::Extended { id: 0, payload: Bytes::copy_from_slice(bomb) });
        }
    }
    let mut line = siege.dial();
    line.raw(&[&(2 + 32 * 1024 + 1_u32).to_be_bytes()[..], &[20, 0]].concat());
    assert!(line.ends_within(SOON), "a larger one is not even read");
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

/// The liar serves at once and false; what it gave is thrown away, it is banned, and the honest seed is not.
#[test]
fn false_blocks_ban_the_liar_and_nobody_else() {
    let siege = Siege::lay(73);
    let mut line = siege.dial();
    line.pose_as_seed();
    lift_beside_a_liar(siege, line);
}

/// Offers of single blocks (`mu_blocks`) that the torrent has no room for.
#[test]
fn offers_of_blocks_that_cannot_be_end_the_connection() {
    let siege = Siege::lay(75);
    let layout = &siege.hostile.layout;
    let (pieces, blocks) = (layout.piece_count(), layout.block_count(0));
    let run = |piece, first, count| block_runs_payload(&[BlockRun { piece, first, count }]);
    let one_run = run(0, 0, 1);
    let offers = [
        run(pieces, 0, 1),
        run(u32::MAX, 0, 1),
        run(0, blocks, 1),
        run(0, 0, blocks + 1),
        run(0, 0xffff, 0xffff),
        one_run.slice(..7),
        Bytes::from(one_run.repeat(MAX_BLOCK_RUNS + 1)),
    ];
    for payload in offers {
        let mut line = siege.dial();
        line.say(&Message::Extended { id: MU_BLOCKS, payload });
        assert!(line.ends_within(SOON));
    }
    siege.lift().assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn blocks_that_are_offered_and_never_given_are_not_waited_for() {
    let siege = Siege::lay(76);
    let mut line = siege.dial();
    offer_every_block(&siege, &mut line);
    lift_beside_one_that_never_answers(siege, line);
}

#[test]
fn blocks_that_are_offered_and_given_false_ban_the_liar_and_nobody_else() {
    let siege = Siege::lay(77);
    let mut line = siege.dial();
    offer_every_block(&siege, &mut line);
    lift_beside_a_liar(siege, line);
}

#[test]
fn a_storm_of_connections_that_come_and_go_is_weathered() {
    let siege = Siege::lay(74);
    let (hostile, victim) = (siege.hostile.clone(), siege.victim.listen.clone());
    let files_before = tests::cost::open_files(siege.victim.program.id());
    let (toll, storms) = siege.lift_during(|over| {
        let mut storms = 0;
        while !over.load(Ordering::Relaxed) {
            let mut line = hostile.dial(&victim);
            line.pose_as_seed();
            if storms % 2 == 0 {
                line.hear(Duration::from_millis(5));
            }
            storms += 1;
        }
        storms
    });
    eprintln!("{storms} connections, {files_before} files open before");
    assert!(storms > 50, "{storms} connections are no storm");
    assert!(toll.time < DELAY_MAX, "{toll:?}");
    toll.assert_cheap(MEMORY_MIB, CPU + storms as f64 / 2000.0, 0);
}

/// It is asked for a little and not waited for.
fn lift_beside_one_that_never_answers(siege: Siege, mut line: Line) {
    let alone = Duration::from_millis(500);
    let (toll, requests) = siege.lift_after(alone, |over| count_requests(&mut line, over, |_, _| true));
    assert!((1..=16).contains(&requests), "{requests} requests to somebody who never answered one");
    assert!(toll.time < DELAY_MAX, "{toll:?}");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

/// It gives false blocks until it is banned, and nobody else is.
fn lift_beside_a_liar(siege: Siege, mut line: Line) {
    let address = line.local();
    let (toll, sent) = siege.lift_during(|over| count_requests(&mut line, over, give_false));
    assert_eq!(toll.banned, [address]);
    assert!(sent <= FALSE_MAX, "{sent} false blocks were taken");
    assert!(toll.wasted <= u64::from(FALSE_MAX * BLOCK_LENGTH), "{} bytes in vain", toll.wasted);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

fn give_false(line: &mut Line, (index, begin, length): (u32, u32, u32)) -> bool {
    line.say(&Message::Piece { index, begin, data: Bytes::from(vec![0x66; length as usize]) })
}

/// Unchokes the victim and says that it has every block, though no piece.
fn offer_every_block(siege: &Siege, line: &mut Line) {
    let layout = &siege.hostile.layout;
    let runs: Vec<BlockRun> = (0..layout.piece_count())
        .map(|piece| BlockRun { piece, first: 0, count: layout.block_count(piece) })
        .collect();
    let handshake = ExtendedHandshake { mu_blocks: Some(MU_BLOCKS), ..ExtendedHandshake::default() }.encode();
    assert!(line.say(&Message::HaveNone) && line.say(&Message::Extended { id: 0, payload: handshake }));
    assert!(line.say(&Message::Extended { id: MU_BLOCKS, payload: block_runs_payload(&runs) }));
    assert!(line.say(&Message::Unchoke));
}

/// Answers requests with `answer` until it is over; how many came.
fn count_requests(
    line: &mut Line,
    over: &AtomicBool,
    answer: impl Fn(&mut Line, (u32, u32, u32)) -> bool,
) -> u32 {
    let mut requests = 0;
    line.answer(
        || over.load(Ordering::Relaxed),
        |line, message| match message {
            Message::Request { index, begin, length } => {
                requests += 1;
                answer(line, (index, begin, length))
            }
            _ => true,
        },
    );
    requests
}

/// Hashes of a file that is not there.
fn nonsense_range() -> HashRange {
    HashRange { pieces_root: Hash32([3; 32]), base_layer: 0, index: 0, length: 2, proof_layers: 0 }
}
