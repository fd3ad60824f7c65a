//! A deterministic world around the swarm core: a clock, lines with rate, delay, queues and loss, disks, liars, churn.
//!
//! The very same [`swarm::Swarm`] that ships is driven here by virtual time, so thousands of seconds of many players
//! pass in moments and the same seed gives the same run, to the last message. Bytes are not real: a block is a
//! length and a flag that says whether it is true; its leaf is looked up instead of computed. TCP is a simple model
//! (see `flow` and `world/transport`). What this world does not model: CPU time, packets smaller than a block, and
//! LAN discovery.

pub mod agreement;
mod content;
mod flash_crowd;
mod flow;
mod link;
mod node_spec;
pub mod plot;
pub mod policy_tier;
pub mod scenario;
mod schedule;
mod world;

pub use content::Content;
pub use flash_crowd::{FlashCrowd, OriginKind, Outcome, flash_crowd};
pub use node_spec::{Conduct, Disk, NodeSpec, Start, WhenDone};
pub use world::{NodeId, TrackerSpec, World};
