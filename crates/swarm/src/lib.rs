//! Which block next, from whom, and whom do we serve: the swarm core of BitTorrent v2 (BEP 3, 6, 10, 11, 21, 52, 54).
//!
//! Sans-IO: a driver tells a [`Swarm`] what happened and when ([`Input`]), and does what it asks for ([`Output`]).
//! Invariant: the same configuration, seed and inputs give the same outputs. The core has no clock, no sockets, no
//! files and no threads; it never sees bytes of verified pieces, only their hashes.

pub mod address;
pub mod alias;
pub mod bandwidth;
mod bitfield;
mod choker;
mod config;
mod connections;
mod early;
mod first;
mod hashes;
mod io;
mod messages;
mod origin;
mod packs;
mod partial;
mod peer;
mod picker;
pub mod policy;
mod ranks;
mod rate;
mod requests;
mod stats;
mod suggest;
mod swarm;
mod time;
mod totals;
mod upload;
mod verify;
mod wanted;
pub mod wire;

pub use alias::Via;
pub use bitfield::Bitfield;
pub use config::{Config, OriginProfile};
pub use io::{Block, Class, CloseReason, Event, Input, Output, PackedBlock, PeerKey, PeerSource};
pub use stats::{BySource, PeerStats, Stats};
pub use swarm::Swarm;
pub use time::Time;
