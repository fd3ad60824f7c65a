//! A deterministic world around the swarm core: a clock, links with rate and delay, disks that never fail, liars.
//!
//! The very same [`swarm::Swarm`] that ships is driven here by virtual time, so thousands of seconds of many players
//! pass in moments and the same seed gives the same run, to the last message. Bytes are not real: a block is a
//! length and a flag that says whether it is true; its leaf is looked up instead of computed. What this world does
//! not model: loss, TCP's own dynamics, CPU and disk time.

mod content;
mod flash_crowd;
mod link;
mod world;

pub use content::Content;
pub use flash_crowd::{FlashCrowd, OriginKind, Outcome, flash_crowd};
pub use world::{NodeId, NodeSpec, Start, World};
