//! Many players at once: everybody is served, near the bound, the same way each time.

use sim::{FlashCrowd, OriginKind, flash_crowd};

const MIB: u64 = 1024 * 1024;

fn crowd() -> FlashCrowd {
    FlashCrowd { players: 12, bytes: 16 * MIB, piece_length: 64 * 1024, ..FlashCrowd::default() }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let first = flash_crowd(&crowd()).unwrap();
    assert_eq!(flash_crowd(&crowd()).unwrap(), first);
    assert_ne!(flash_crowd(&FlashCrowd { seed: 2, ..crowd() }).unwrap().trace, first.trace);
}

#[test]
fn everybody_completes_near_the_bound() {
    for origin in [OriginKind::Seed, OriginKind::Http] {
        let outcome = flash_crowd(&FlashCrowd { origin, ..crowd() }).unwrap();
        assert_eq!(outcome.completed, crowd().players, "{origin:?}: {outcome:?}");
        assert!(outcome.last_over_bound() < 2.0, "{origin:?}: {outcome:?}");
    }
}
