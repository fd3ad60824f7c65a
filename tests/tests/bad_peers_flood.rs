//! Peers that flood: what they say is answered within bounds that are said here, and an honest seed beside them still
//! brings everything and is not banned. Lies are in `bad_peers`.

use std::{io::Write, sync::atomic::Ordering, time::Duration};
use swarm::wire::{BLOCK_LENGTH, Message, encode};
use tests::{
    hostile::{self, Heard, Line},
    siege::{self, CPU, DELAY_MAX, MEMORY_MIB, SILENT, SOON, Siege},
};

#[test]
fn garbage_instead_of_handshakes_two_hundred_times() {
    let siege = Siege::lay(80);
    let victim = siege.victim.listen.clone();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(4096).collect();
    let greetings: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody\r\nAccept: */*\r\n\r\n",
        &noise,
        &[0; 68],
        &[0x13; 68],
    ];
    let (toll, ()) = siege.lift_during(|_| {
        for number in 0..200 {
            let mut stream = hostile::connect(&victim);
            // Whoever is refused early sees the write fail.
            let _refused = stream.write_all(greetings[number % 4]);
            assert!(hostile::ends_within(&mut stream, SOON), "greeting {number} is refused");
        }
    });
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

#[test]
fn connections_that_say_nothing_do_not_hinder_those_we_open() {
    let siege = Siege::lay(81);
    let honest = siege.honest_elsewhere();
    let mut friend = siege.introduce(&honest.listen);
    let silent: Vec<_> = (0..SILENT).map(|_| hostile::connect(&siege.victim.listen)).collect();
    let toll = siege.hold_out();
    drop(silent);
    friend.ends_within(SOON);
    assert!(toll.time < Duration::from_secs(10), "{toll:?}");
    toll.assert_cheap(MEMORY_MIB, CPU, 0);
}

/// Who floods and listens gets one short answer to each request, and no block while it is choked.
#[test]
fn a_flood_of_requests_is_answered_shortly() {
    let siege = Siege::lay(83);
    let mut line = siege.dial();
    let mut asked = 0_u32;
    let (toll, answers) = siege.lift_during(|over| {
        let mut answers = 0_u32;
        while !over.load(Ordering::Relaxed) && asked < 200_000 {
            let mut batch = Vec::new();
            for begin in 0..100 {
                encode(
                    &Message::Request { index: 0, begin: begin % 2 * BLOCK_LENGTH, length: 1 + begin },
                    &mut batch,
                );
            }
            if !line.raw(&batch) {
                break;
            }
            asked += 100;
            while let Heard::Message(message) = line.hear(Duration::from_millis(1)) {
                assert!(!matches!(message, Message::Piece { .. }), "nothing is sent to who is choked");
                answers += u32::from(matches!(message, Message::Reject { .. }));
            }
        }
        answers
    });
    eprintln!("{asked} requests, {answers} answers");
    assert!(answers <= asked, "one answer each");
    toll.assert_cheap(MEMORY_MIB, CPU + toll.time.as_secs_f64(), 0);
}

#[test]
fn a_flood_of_hash_requests_is_answered_cheaply() {
    const REQUESTS: usize = 2000;
    let siege = Siege::layered(85);
    let asks = siege.layer_requests();
    let mut line = siege.dial();
    let before = siege.cpu();
    let mut answers = 0;
    for number in 0..REQUESTS {
        line.say(&asks[number % 2]);
        answers += u32::from(
            line.hears(SOON, |message| matches!(message, Message::Hashes { .. } | Message::HashReject(_))),
        );
    }
    let cpu = siege.cpu() - before;
    eprintln!("{answers} answers for {cpu} s of processor time, memory {}", siege.memory());
    assert!(cpu < REQUESTS as f64 * 0.000_5, "{cpu} s of processor time for {REQUESTS} requests");
    siege.lift().assert_cheap(MEMORY_MIB, CPU + 2.0, 0);
}

/// A million addresses at which nobody is, and some at which nobody can be.
#[test]
fn peer_exchange_of_a_million_addresses_is_bounded() {
    let siege = Siege::lay(87);
    siege::tell_of_nobody(&mut siege.dial(), 20_000);
    eprintln!("memory {}", siege.memory());
    siege.lift().assert_cheap(MEMORY_MIB, CPU + 4.0, 0);
}

#[test]
fn twenty_that_claim_all_and_never_answer_are_not_waited_for() {
    let siege = Siege::lay(94);
    let mut lines: Vec<Line> = (0..20).map(|_| siege.dial()).collect();
    lines.iter_mut().for_each(|line| assert!(line.pose_as_seed()));
    std::thread::sleep(Duration::from_millis(500));
    let toll = siege.lift_beside(lines);
    assert!(toll.time < DELAY_MAX, "{toll:?}");
}
