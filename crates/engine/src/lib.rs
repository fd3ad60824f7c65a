//! One game's life: check, plan, fetch, apply, ready, seed.
//!
//! Everything that waits is here: sockets, HTTP, timers, the disk threads. What happens is decided in
//! `swarm` and `release`, what stands on the disk is `store`'s, whom to believe `trust`'s.

pub mod diagnose;
pub mod game;
pub mod http;
pub mod piece_store;
pub mod proxy;
pub mod session;
pub mod snapshot;
pub mod torrent_folder;
mod transport;

#[doc(hidden)]
pub use session::fuzzing;
