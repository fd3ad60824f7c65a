//! What a node is: its line, its disk, its manners.

use std::time::Duration;

use swarm::{Class, Config};

/// What a node has at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Nothing.
    Empty,
    /// Everything.
    Complete,
    /// These pieces.
    Pieces(Vec<u32>),
}

/// How a node treats others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conduct {
    /// As the swarm core wants.
    #[default]
    Honest,
    /// Sends false blocks and refuses to name leaves.
    FalseBlocks,
    /// Gives so many true blocks, and then false ones alone; names no leaves.
    TrueThenFalse {
        /// Blocks that are true.
        blocks: u32,
    },
    /// One block of so many is false; names no leaves.
    OneFalseOf {
        /// Blocks of which the last is false.
        blocks: u32,
    },
    /// Gives true blocks, and false hashes to whoever asks for any.
    FalseProofs,
    /// Says it has everything and rejects every request.
    ClaimsAll,
    /// Says it has everything, takes requests, and answers none.
    Silent,
    /// Says it has everything and never lets anybody ask.
    ChokesForever,
    /// Sends one byte a second.
    Trickles,
}

impl Conduct {
    /// Whether it sends false blocks, sooner or later.
    #[must_use]
    pub fn lies(self) -> bool {
        matches!(self, Self::FalseBlocks | Self::TrueThenFalse { .. } | Self::OneFalseOf { .. })
    }

    /// Whether the block that it sends after so many others is false.
    pub(crate) fn lies_now(self, sent: u32) -> bool {
        match self {
            Self::FalseBlocks => true,
            Self::TrueThenFalse { blocks } => sent >= blocks,
            Self::OneFalseOf { blocks } => (sent + 1).is_multiple_of(blocks.max(1)),
            _ => false,
        }
    }
}

/// A node's disk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disk {
    /// What each block costs to hash and write, besides the rate.
    pub write_time: Duration,
    /// Bytes per second that can be written; zero: no limit. While more than [`Disk::queue_bytes`] wait, the node
    /// reads no more from its connections.
    pub bytes_per_second: u64,
    /// Bytes that may wait to be written.
    pub queue_bytes: u64,
    /// The share of writes that fail, 0 to 1.
    pub failing: f64,
    /// Bytes after which every write fails; `None`: never.
    pub full_after: Option<u64>,
    /// The share of blocks that are written wrong, 0 to 1: their hash is false at once.
    pub garbling: f64,
    /// The share of blocks that read back false when others ask for them, 0 to 1.
    pub lying: f64,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            write_time: Duration::from_micros(500),
            bytes_per_second: 0,
            queue_bytes: 8 * 1024 * 1024,
            failing: 0.0,
            full_after: None,
            garbling: 0.0,
            lying: 0.0,
        }
    }
}

/// What a node does once it has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenDone {
    /// Stays and serves.
    #[default]
    Stays,
    /// Goes after so long.
    Leaves(Duration),
}

/// A player or seed to be added to a world.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// What it has.
    pub start: Start,
    /// Its uplink, bytes per second on the wire.
    pub up: u64,
    /// Its downlink, bytes per second on the wire.
    pub down: u64,
    /// One way from it to the middle of the network.
    pub delay: Duration,
    /// What its line's queues hold, in time at the line's rate, each way.
    pub queue: Duration,
    /// The share of packets that get lost on the way to it, 0 to 1.
    pub loss: f64,
    /// Whether others can open connections to it.
    pub reachable: bool,
    /// Whether it uploads at all.
    pub uploads: bool,
    /// How it treats others.
    pub conduct: Conduct,
    /// Its disk.
    pub disk: Disk,
    /// What it does once it has everything.
    pub when_done: WhenDone,
    /// It knows the piece layers from the start.
    pub knows_layers: bool,
    /// How its peers are classed by others.
    pub class: Class,
    /// Its swarm's configuration; the peer id is set by the world.
    pub config: Config,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            start: Start::Empty,
            up: 1024 * 1024,
            down: 8 * 1024 * 1024,
            delay: Duration::from_millis(10),
            queue: Duration::from_millis(100),
            loss: 0.0,
            reachable: true,
            uploads: true,
            conduct: Conduct::Honest,
            disk: Disk::default(),
            when_done: WhenDone::Stays,
            knows_layers: true,
            class: Class::Internet,
            config: Config::default(),
        }
    }
}
