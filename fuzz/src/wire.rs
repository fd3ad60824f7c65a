//! F1: the peer wire. A whole swarm (BEP 3, 6, 10, 11, 21, 52, 54 and our own extensions) with two strangers who say
//! anything in portions of any size, one honest player, an origin, a disk, and time.
//!
//! Promised: no panic; nothing is sent to whoever is gone; only verified pieces are read for others, within their bounds; a
//! piece counts as verified only if every block of it is true; the honest player is never banned; the core never asks to be
//! woken in the past.

mod driver;

use crate::{goods::GOODS, input::Input};
use driver::{Driver, STRANGERS};
use swarm::{
    PeerKey,
    wire::{HashRange, Message, encode},
};

/// An input is the opening (one byte of choices, the strangers' feature bits), then steps.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut driver = Driver::new(&mut input);
    while !input.is_empty() && driver.goes_on() {
        step(&mut driver, &mut input);
    }
    driver.settle();
}

fn step(driver: &mut Driver, input: &mut Input<'_>) {
    let step = input.byte();
    let peer = STRANGERS[usize::from(step >> 7)];
    match step & 0x7f {
        0..32 => {
            let portion = usize::from(input.byte());
            driver.hear(peer, input.bytes(portion));
        }
        32..40 => driver.hear(peer, input.stretch()),
        40..56 => say(driver, peer, &message(input)),
        56..64 => {
            let (piece, block, truth) = (input.byte(), input.byte(), input.byte());
            driver.hear_block(peer, piece.into(), block.into(), truth % 4 != 0);
        }
        64..72 => driver.later(u64::from(input.byte()) * 50),
        72..80 => driver.later(u64::from(input.byte()) * 1000),
        80..84 => driver.hang_up(peer),
        84..88 => driver.connect(peer, input),
        88..92 => driver.happen(input),
        92..96 => driver.serve_what_was_asked(peer, input.byte()),
        _ => driver.honest_turn(input.byte()),
    }
}

fn say(driver: &mut Driver, peer: PeerKey, message: &Message) {
    let mut frame = Vec::new();
    encode(message, &mut frame);
    driver.hear(peer, &frame);
}

/// A well-formed message with numbers that are near what there is.
fn message(input: &mut Input<'_>) -> Message {
    let kind = input.byte();
    let index = u32::from(input.byte());
    let piece = index;
    let block = || -> (u32, u32) { (index, u32::from(kind >> 4) * 8192) };
    match kind & 15 {
        0 => Message::Unchoke,
        1 => Message::Choke,
        2 => Message::Interested,
        3 => Message::HaveAll,
        4 => Message::HaveNone,
        5 => Message::Have { piece },
        6 => Message::Suggest { piece },
        7 => Message::AllowedFast { piece },
        8 => Message::Request { index, begin: block().1, length: 16_384 },
        9 => Message::Cancel { index, begin: block().1, length: 16_384 },
        10 => Message::Reject { index, begin: block().1, length: 16_384 },
        11 => Message::Bitfield(bytes::Bytes::copy_from_slice(input.bytes(1))),
        12 => Message::Extended { id: input.byte(), payload: bytes::Bytes::copy_from_slice(input.stretch()) },
        13 => Message::HashRequest(range(input)),
        14 => {
            let range = range(input);
            let count = (range.length.saturating_add(4)).min(40) as usize;
            let hashes = GOODS.leaves.iter().cycle().skip(index as usize).take(count).copied().collect();
            Message::Hashes { range, hashes }
        }
        _ => Message::HashReject(range(input)),
    }
}

fn range(input: &mut Input<'_>) -> HashRange {
    let [base_layer, index, length, proof_layers] = input.array::<4>().map(u32::from);
    HashRange { pieces_root: GOODS.root, base_layer, index, length, proof_layers }
}
