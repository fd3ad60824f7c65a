//! One target under libFuzzer: `MUSTER_FUZZ_TARGET` names it, the arguments are libFuzzer's own.
//!
//! `cargo xtask fuzz` builds it, with coverage counters in the workspace's crates, and runs it.

#![no_main]

use fuzz::Target;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var(fuzz::TARGET_NAME).unwrap_or_default();
    match fuzz::target(&name) {
        Some(target) => target,
        None => panic!("{} names no target: {name:?}", fuzz::TARGET_NAME),
    }
});

fuzz_target!(
    init: {
        let _named = LazyLock::force(&TARGET);
    },
    |data: &[u8]| {
        (TARGET.run)(data);
    }
);
