//! Everything that strangers may hand to a program of ours, as functions over bytes.
//!
//! A target takes any bytes, gives them to the code that meets them in the field, and panics where a promise does not hold:
//! no panic of ours, no unbounded memory, and what was accepted has the properties that the rest of the product relies on.
//! The same functions run under libFuzzer (`examples/libfuzzer.rs`, by `cargo xtask fuzz`) and in an ordinary test, which
//! replays the corpus and every input that once broke something (`regressions/<target>/<name>`).
//!
//! Invariant: a target is deterministic, needs no network, and writes nowhere but into a temporary folder of its own.
#![expect(
    clippy::unwrap_used,
    reason = "nothing here is shipped: a panic is how a broken promise is reported"
)]

mod bencode;
#[path = "../../src-tauri/signin/callback.rs"]
mod callback;
mod foreign;
mod goods;
mod input;
#[allow(dead_code, reason = "the launcher's, which also opens what is allowed")]
#[path = "../../src-tauri/links.rs"]
mod links;
mod manifest;
mod merkle;
mod metainfo;
mod news;
mod patch;
mod paths;
mod ranges;
mod releases;
mod state;
mod tracker;
mod tuf;
mod wire;

/// The environment variable that tells the libFuzzer program which target to run.
pub const TARGET_NAME: &str = "MUSTER_FUZZ_TARGET";

/// Something that takes bytes from strangers.
#[derive(Debug)]
pub struct Target {
    /// `f1` to `f13`, as the threat model numbers them.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Longest input worth trying, bytes.
    pub bytes_max: usize,
    /// Takes an input; panics where a promise does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target { name: "f1", what: "peer wire", bytes_max: 4096, run: wire::run },
    Target { name: "f2", what: "bencode", bytes_max: 4096, run: bencode::run },
    Target { name: "f3", what: "metainfo", bytes_max: 8192, run: metainfo::run },
    Target { name: "f4", what: "merkle proofs", bytes_max: 1024, run: merkle::run },
    Target { name: "f5", what: "tracker answers", bytes_max: 4096, run: tracker::run },
    Target { name: "f6", what: "manifest, channel", bytes_max: 8192, run: manifest::run },
    Target { name: "f7", what: "patches", bytes_max: 16_384, run: patch::run },
    Target { name: "f8", what: "TUF metadata", bytes_max: 8192, run: tuf::run },
    Target { name: "f9", what: "path rules", bytes_max: 512, run: paths::run },
    Target { name: "f10", what: "state on disk", bytes_max: 8192, run: state::run },
    Target { name: "f11", what: "other programs' strings", bytes_max: 1024, run: foreign::run },
    Target { name: "f12", what: "news feed", bytes_max: 8192, run: news::run },
    Target { name: "f13", what: "range answers", bytes_max: 4096, run: ranges::run },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
