//! Prints how a flash crowd goes: `flash_crowd PLAYERS MIB PIECE_KIB seed|http [SEED]`.
#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use sim::{FlashCrowd, OriginKind, flash_crowd};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let http = arguments.get(3).is_some_and(|kind| kind == "http");
    let crowd = FlashCrowd {
        players: number(0, 16) as usize,
        bytes: number(1, 64) * 1024 * 1024,
        piece_length: (number(2, 256) * 1024) as u32,
        origin: if http { OriginKind::Http } else { OriginKind::Seed },
        seed: number(4, 1),
        ..FlashCrowd::default()
    };
    match flash_crowd(&crowd) {
        Some(outcome) => println!(
            "last/bound {:.3}, median/bound {:.3}, origin copies {:.2}: {outcome:?}",
            outcome.last_over_bound(),
            outcome.median_over_bound(),
            outcome.origin_copies
        ),
        None => println!("no layout has such pieces"),
    }
}
