//! Caps on the wire: what a player's line carries, in IP bytes, second by second, is what the player set.
//!
//! The limits here are a little wider than the bars of `cargo xtask bench swarm` (a second at most 1.05, a mean of
//! 0.97 at least), because a test machine does other things meanwhile.

use std::time::{Duration, Instant};
use tests::{
    caps::{self, Capped, SETTLED},
    share::Share,
    wire_meter::{Figures, Way},
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * 1024;

fn check_up(figures: Figures) {
    assert!((0.94..=1.03).contains(&figures.mean), "{figures:?}");
    assert!(figures.second_most <= 1.07, "{figures:?}");
    assert!(figures.tenth_most <= 2.0, "{figures:?}");
}

#[test]
fn an_upload_cap_holds_every_second_with_one_peer_needs_root() {
    let share = Share::large(31, 16 << 20);
    check_up(caps::measure(&share, "up1", Way::Up, 500 * KIB, 1, 8));
}

#[test]
fn an_upload_cap_holds_every_second_with_twenty_peers_needs_root() {
    let share = Share::large(32, 16 << 20);
    check_up(caps::measure(&share, "up20", Way::Up, 500 * KIB, 20, 8));
}

#[test]
fn a_download_cap_holds_every_second_needs_root() {
    let share = Share::large(33, 16 << 20);
    let figures = caps::measure(&share, "down", Way::Down, 500 * KIB, 4, 8);
    assert!((0.90..=1.05).contains(&figures.mean), "{figures:?}");
    assert!(figures.second_most <= 1.12, "{figures:?}");
}

/// Twenty send at once what one line may carry in a moment: without a bound on what they owe together, their windows
/// alone are more than a second's worth.
#[test]
fn a_low_download_cap_holds_every_second_with_twenty_peers_needs_root() {
    let share = Share::large(36, 16 << 20);
    let figures = caps::measure(&share, "down20", Way::Down, 64 * KIB, 20, 8);
    assert!((0.90..=1.05).contains(&figures.mean), "{figures:?}");
    assert!(figures.second_most <= 1.12, "{figures:?}");
}

#[test]
fn a_stop_is_heard_on_the_wire_within_a_tenth_of_a_second_needs_root() {
    let share = Share::large(34, 256 << 20);
    let mut capped = Capped::start(&share, "stop", Way::Up, 5 * MIB, 4);
    let meter = tests::wire_meter::Meter::start(capped.near.id());
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let asked = begun.elapsed();
    capped.near.signal("TERM");
    std::thread::sleep(Duration::from_secs(1));
    capped.near.wait(Duration::from_secs(4));
    let trace = meter.stop();
    assert!(trace.total(Way::Up) > MIB, "something was sent before");
    let silent = trace.last_block(Way::Up).saturating_sub(asked);
    assert!(silent <= Duration::from_millis(100), "blocks went for {silent:?} after the stop");
}

/// Prints every combination of the bar; minutes long, for a machine that does nothing else.
#[test]
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
#[ignore = "the whole matrix is for `cargo xtask bench swarm`, or by hand with --ignored --nocapture"]
fn the_whole_matrix_needs_root() {
    let share = Share::large(35, 256 << 20);
    println!("| way | cap | peers | mean | mean both | second | 100 ms |");
    for way in [Way::Up, Way::Down] {
        for cap in [64 * KIB, 500 * KIB, 5 * MIB] {
            for peers in [1, 20] {
                let figures = caps::measure(&share, &format!("m{way:?}{cap}-{peers}"), way, cap, peers, 10);
                println!(
                    "| {way:?} | {} KiB/s | {peers} | {:.3} | {:.3} | {:.3}–{:.3} | {:.2} |",
                    cap / KIB,
                    figures.mean,
                    figures.mean_both,
                    figures.second_least,
                    figures.second_most,
                    figures.tenth_most
                );
                assert!(figures.mean.is_finite(), "measured after {SETTLED:?}");
            }
        }
    }
}
