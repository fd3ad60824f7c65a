//! Peers that take from the victim what it needs for an honest one: its memory, its places, its address book, its
//! trust. Each costs a little that is said here, and the honest seed still brings everything.

use bytes::Bytes;
use release::hash::Hash32;
use std::{net::TcpListener, sync::atomic::Ordering, time::Duration};
use swarm::wire::{
    BLOCK_LENGTH, BlockRun, HashRange, LT_DONTHAVE, MAX_BLOCK_RUNS, MU_BLOCKS, Message, block_runs_payload,
    encode, lost_piece_payload,
};
use tests::{
    hostile::{self, Line},
    muster::TorrentPeer,
    share::Share,
    siege::{self, CPU, DELAY_MAX, MEMORY_MIB, SILENT, SOON, Siege},
    tree,
};

const FLOOD: Duration = Duration::from_secs(2);

#[test]
fn a_flood_of_requests_without_listening_is_cut_off() {
    let siege = Siege::lay(84);
    let mut flood = Vec::new();
    for begin in 0..1000 {
        encode(&Message::Request { index: 0, begin: 0, length: 1 + begin }, &mut flood);
    }
    let taken = siege.dial().flood(&flood, hostile::after(FLOOD));
    eprintln!("{taken} bytes of requests taken, memory {}", siege.memory());
    siege.lift().assert_cheap(MEMORY_MIB, CPU + 1.5 * FLOOD.as_secs_f64(), 0);
}

#[test]
fn a_flood_of_hash_requests_without_listening_is_cut_off() {
    let siege = Siege::layered(86);
    let mut flood = Vec::new();
    siege.layer_requests().iter().for_each(|ask| encode(ask, &mut flood));
    let taken = siege.dial().flood(&flood.repeat(100), hostile::after(FLOOD));
    eprintln!("{taken} bytes of hash requests taken, memory {}", siege.memory());
    siege.lift().assert_cheap(MEMORY_MIB, CPU + 1.5 * FLOOD.as_secs_f64(), 0);
}

/// One tells of very many at which nobody is, another of one honest peer, later.
#[test]
fn peer_exchange_of_a_million_addresses_does_not_hide_an_honest_one() {
    let siege = Siege::lay(88);
    siege::tell_of_nobody(&mut siege.dial(), 20_000);
    let honest = siege.honest_elsewhere();
    let _friend = siege.introduce(&honest.listen);
    let toll = siege.hold_out();
    toll.assert_cheap(MEMORY_MIB, CPU + 4.0, 0);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

/// The same when twenty share the telling and go on being there.
#[test]
fn peer_exchange_of_twenty_liars_does_not_hide_an_honest_one() {
    let siege = Siege::lay(99);
    let mut liars: Vec<Line> = (0..20).map(|_| siege.dial()).collect();
    liars.iter_mut().for_each(|line| siege::tell_of_nobody(line, 1_000));
    let honest = siege.honest_elsewhere();
    let _friend = siege.introduce(&honest.listen);
    let toll = siege.hold_out();
    toll.assert_cheap(MEMORY_MIB, CPU + 4.0, 0);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

/// Addresses at which no peer can be are not even tried. The unspecified one would reach this very machine.
#[test]
fn peer_exchange_of_addresses_that_are_no_peers_is_ignored() {
    let siege = Siege::lay_with(89, &[], &["-vv"]);
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    let hosts = ["0.0.0.0", "[::]", "224.0.0.1", "239.1.2.3", "255.255.255.255", "[ff02::1]"];
    let nobody: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
    let _lines: Vec<Line> = nobody.iter().map(|address| siege.introduce(address)).collect();
    let (toll, log) = siege.lift_logged();
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
    let tried: Vec<_> = nobody.iter().filter(|address| log.contains(&format!("addr={address}"))).collect();
    assert!(trap.accept().is_err() && tried.is_empty(), "tried {tried:?}");
}

/// A hundred that say nothing and want nothing take every place; the honest seed comes later.
#[test]
fn a_crowd_of_idle_peers_makes_room_for_an_honest_one() {
    let siege = Siege::lay(90);
    let crowd: Vec<Line> =
        (0..100).filter_map(|n| siege.hostile.dial_as(&siege.victim.listen, crowd_id(n))).collect();
    let toll = siege.lift_beside(crowd);
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

/// Three may come in, and one of them has to go for the honest seed once it was of no use for a while.
#[test]
fn no_more_peers_come_in_than_were_allowed() {
    let siege = Siege::lay_with(101, &[], &["--connections", "3"]);
    let mut lines: Vec<Line> = (0..8)
        .map(|_| {
            let line = siege.dial();
            std::thread::sleep(Duration::from_millis(50));
            line
        })
        .collect();
    let ended = lines.iter_mut().filter_map(|line| line.ends_within(SOON).then_some(())).count();
    assert_eq!(ended, 5, "of eight");
    let toll = siege.lift_beside(lines);
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
    assert!(toll.time < DELAY_MAX + Duration::from_secs(10), "{toll:?}");
}

/// Two hundred in one moment, more than greetings that may be under way: nobody is turned away for that.
#[test]
fn a_crowd_that_comes_at_once_is_let_in() {
    let siege = Siege::lay_with(102, &[], &["--connections", "300"]);
    let let_in = std::thread::scope(|scope| {
        let dial = |number| {
            let (hostile, victim) = (&siege.hostile, &siege.victim.listen);
            scope.spawn(move || hostile.dial_as(victim, crowd_id(number)))
        };
        let dialling: Vec<_> = (0..200).map(dial).collect();
        dialling.into_iter().filter_map(|line| line.join().unwrap()).collect::<Vec<Line>>()
    });
    assert_eq!(let_in.len(), 200);
    siege.lift_beside(let_in).assert_cheap(MEMORY_MIB, CPU + 1.0, 0);
}

fn crowd_id(number: u8) -> [u8; 20] {
    let mut id = *b"-XX0002-000000000000";
    id[19] = number;
    id
}

/// The liar bears the honest seed's peer id, which anybody can learn from it.
#[test]
fn a_liar_under_the_honest_seeds_name_does_not_get_it_banned() {
    let siege = Siege::lay(91);
    let honest = siege.honest_elsewhere();
    let name = siege.hostile.dial(&honest.listen).peer_id;
    let mut line = siege.hostile.dial_as(&siege.victim.listen, name).unwrap();
    lie(&mut line);
    let _friend = siege.introduce(&honest.listen);
    let toll = siege.hold_out();
    assert_eq!(toll.banned.len(), 1);
}

/// Somebody is there first under the honest seed's peer id.
#[test]
fn a_squatter_under_the_honest_seeds_name_does_not_keep_it_out() {
    let siege = Siege::lay(92);
    let honest = siege.honest_elsewhere();
    let name = siege.hostile.dial(&honest.listen).peer_id;
    let _line = siege.hostile.dial_as(&siege.victim.listen, name).unwrap();
    let _friend = siege.introduce(&honest.listen);
    let toll = siege.hold_out();
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

/// It also says that it listens where the honest seed does.
#[test]
fn a_squatter_that_claims_the_honest_seeds_port_does_not_keep_it_out() {
    let siege = Siege::lay(94);
    let honest = siege.honest_elsewhere();
    let name = siege.hostile.dial(&honest.listen).peer_id;
    let mut line = siege.hostile.dial_as(&siege.victim.listen, name).unwrap();
    line.say(&claim_port_of(&honest));
    let _friend = siege.introduce(&honest.listen);
    let toll = siege.hold_out();
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
    // Its word is believed for ten seconds.
    assert!(toll.time < DELAY_MAX + Duration::from_secs(10), "{toll:?}");
}

/// The liar says in its extended handshake that it listens where the honest seed does.
#[test]
fn a_liar_that_claims_the_honest_seeds_port_does_not_get_it_banned() {
    let siege = Siege::lay(93);
    let honest = siege.honest_elsewhere();
    let mut line = siege.dial();
    line.say(&claim_port_of(&honest));
    lie(&mut line);
    let _friend = siege.introduce(&honest.listen);
    let toll = siege.hold_out();
    assert_eq!(toll.banned.len(), 1);
}

fn claim_port_of(peer: &TorrentPeer) -> Message {
    let port = peer.listen.rsplit_once(':').expect("an address with a port").1;
    Message::Extended { id: 0, payload: Bytes::from(format!("d1:mde1:pi{port}ee")) }
}

fn lie(line: &mut Line) {
    line.pose_as_seed();
    line.answer(
        || false,
        |line, message| match message {
            Message::Request { index, begin, length } => {
                line.say(&Message::Piece { index, begin, data: Bytes::from(vec![0x66; length as usize]) })
            }
            _ => true,
        },
    );
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let siege = Siege::lay(95);
    let silent: Vec<_> = (0..SILENT).map(|_| hostile::connect(&siege.victim.listen)).collect();
    let toll = siege.lift_beside(silent);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}

/// Each pair makes the victim say that it is interested, and that it is not: answers that nobody reads.
#[test]
fn a_flood_of_pieces_that_come_and_go_without_listening_is_cut_off() {
    let siege = Siege::lay(82);
    let mut line = siege.dial();
    let pieces = siege.hostile.layout.piece_count();
    let mut flood = Vec::new();
    for piece in 0..pieces {
        encode(&Message::Have { piece }, &mut flood);
        encode(&Message::Extended { id: LT_DONTHAVE, payload: lost_piece_payload(piece) }, &mut flood);
    }
    let (toll, taken) = siege.lift_during(|over| line.flood(&flood, || over.load(Ordering::Relaxed)));
    eprintln!("{taken} bytes of haves");
    assert!(taken > 100_000, "{taken} bytes are no flood");
    toll.assert_cheap(MEMORY_MIB, CPU + toll.time.as_secs_f64(), 0);
}

/// Offers of single blocks in pieces of 256 blocks: 8 KiB that name a quarter of a million blocks.
#[test]
fn a_flood_of_block_offers_is_borne() {
    const MESSAGES: usize = 200;
    let share = Share::filled(256 * BLOCK_LENGTH as usize, |folder| {
        tree::write(&folder.join("a.bin"), 4 << 20, &mut fastrand::Rng::with_seed(97));
        tree::write(&folder.join("b.bin"), 1 << 20, &mut fastrand::Rng::with_seed(98));
    });
    let siege = Siege::lay_for(share, |share| share.torrent.clone(), &[], &[]);
    let mut line = siege.dial();
    let payload = block_runs_payload(&[BlockRun { piece: 0, first: 0, count: 256 }; MAX_BLOCK_RUNS]);
    let offer = Message::Extended { id: MU_BLOCKS, payload };
    let before = siege.cpu();
    (0..MESSAGES).for_each(|_| assert!(line.say(&offer), "the victim listens"));
    // Answered in order: once this is, the offers were looked at.
    let last = HashRange { pieces_root: Hash32::ZERO, base_layer: 0, index: 0, length: 2, proof_layers: 0 };
    line.say(&Message::HashRequest(last));
    assert!(line.hears(Duration::from_secs(20), |message| *message == Message::HashReject(last)));
    let cpu = siege.cpu() - before;
    eprintln!("{cpu} s of processor time for {MESSAGES} messages");
    assert!(cpu < MESSAGES as f64 * 0.000_5, "{cpu} s of processor time for {MESSAGES} messages");
    siege.lift().assert_cheap(MEMORY_MIB, CPU + cpu, 0);
}

#[test]
fn a_flood_of_haves_is_borne() {
    let siege = Siege::lay(82);
    let mut line = siege.dial();
    let mut flood = Vec::new();
    (0..siege.hostile.layout.piece_count()).for_each(|piece| encode(&Message::Have { piece }, &mut flood));
    let (toll, taken) = siege.lift_during(|over| line.flood(&flood, || over.load(Ordering::Relaxed)));
    eprintln!("{taken} bytes of haves");
    assert!(taken > 100_000, "{taken} bytes are no flood");
    toll.assert_cheap(MEMORY_MIB, CPU + toll.time.as_secs_f64(), 0);
}

/// Every piece suggested again and again; a suggestion binds nobody.
#[test]
fn a_flood_of_suggestions_is_borne() {
    let siege = Siege::lay(96);
    let mut line = siege.dial();
    let mut flood = Vec::new();
    (0..siege.hostile.layout.piece_count()).for_each(|piece| encode(&Message::Suggest { piece }, &mut flood));
    let (toll, taken) = siege.lift_during(|over| line.flood(&flood, || over.load(Ordering::Relaxed)));
    eprintln!("{taken} bytes of suggestions");
    assert!(taken > 100_000, "{taken} bytes are no flood");
    toll.assert_cheap(MEMORY_MIB, CPU + toll.time.as_secs_f64(), 0);
}
