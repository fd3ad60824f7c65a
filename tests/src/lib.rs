//! What the whole-product tests share: the programs under test, other people's peers, random trees.
//!
//! Invariants: a missing program fails the test and is named, never skipped; every wait has a bound;
//! every child is ended, by its own id, when its handle is dropped. Helpers panic, because a test
//! that cannot go on has failed.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test helpers fail by panicking")]

pub mod browser;
pub mod caps;
pub mod child;
pub mod cost;
pub mod desktop;
pub mod hostile;
pub mod liar;
pub mod libtorrent;
pub mod muster;
pub mod netns;
#[cfg(target_os = "linux")]
pub mod network_manager;
pub mod nginx;
pub mod opentracker;
#[cfg(unix)]
pub mod played;
pub mod programs;
pub mod proxy;
pub mod secrets;
pub mod share;
pub mod siege;
pub mod sockets;
pub mod studio;
pub mod tree;
pub mod volume;
pub mod web;
pub mod wire_meter;
