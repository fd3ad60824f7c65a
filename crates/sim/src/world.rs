//! The world's clock and what happens in it: the driver of many swarms at once.
//!
//! Invariant: what happens at the same time happens in the order in which it was caused, so that a run is a function
//! of its seeds alone.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fastrand::Rng;
use release::layout::PieceLayers;
use swarm::wire::{self, Message};
use swarm::{Bitfield, Config, Event, Input, Output, PeerKey, PeerSource, Stats, Swarm, Time, Via};

use crate::flow::{BlockRange, Flow};
use crate::link::Link;
use crate::schedule::Schedule;
use crate::{Conduct, Content, NodeSpec, Start, WhenDone};

mod drive;
mod http;
mod lives;
mod tracker;
mod transport;

use http::HttpOrigin;
pub use tracker::TrackerSpec;

/// Addresses of nodes count up from here, each in a network of its own; they are of the internet for the swarm.
const FIRST_ADDR: u32 = 0x3000_0000;
/// From one to the next: a /24.
const NETWORK: u32 = 256;
const PORT: u16 = 6881;

/// A player or seed, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

#[derive(Debug)]
struct Node {
    swarm: Swarm,
    spec: NodeSpec,
    up: Link,
    down: Link,
    addr: SocketAddr,
    peer_id: [u8; 20],
    /// Its connections that stand.
    keys: Vec<PeerKey>,
    /// Connections that wait for their turn on the uplink.
    ready: VecDeque<PeerKey>,
    is_pumping: bool,
    disk_free_at: Time,
    disk_bytes: u64,
    /// Blocks that went onto its line.
    blocks_sent: u32,
    /// One of them was false.
    lied: bool,
    /// How often its swarm was called because its time had come.
    ticks: u64,
    events: Vec<(Time, Event)>,
    completed: Option<Time>,
    ticking_at: Option<Time>,
    online: bool,
    joined_at: Time,
    left_at: Option<Time>,
    /// How often it went or lost everything: what was caused for an earlier life is void.
    life: u32,
    past: Past,
}

/// What earlier lives of a node did.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    wasted_bytes: u64,
    from_origin: u64,
    lost_bytes: u64,
}

/// One end of a connection; the keys of its two ends differ in the last bit.
#[derive(Debug)]
struct End {
    node: NodeId,
    open: bool,
    flow: Flow,
}

#[derive(Debug)]
enum Happening {
    Handle {
        node: NodeId,
        life: u32,
        input: Input,
    },
    /// A message is read from a connection.
    Deliver {
        to: PeerKey,
        message: Message,
    },
    /// A block has reached a node's downlink.
    Arrive {
        to: PeerKey,
        block: BlockRange,
        is_true: bool,
    },
    /// Blocks were handed to a socket.
    Sent {
        by: PeerKey,
        blocks: Vec<BlockRange>,
    },
    /// The other end is gone.
    Closed {
        to: PeerKey,
    },
    /// An uplink has room.
    Pump {
        node: NodeId,
    },
    /// An acknowledgement lets a flow go on.
    Wake {
        flow: PeerKey,
    },
    Meet {
        from: NodeId,
        life: u32,
        addr: SocketAddr,
    },
    Tick {
        node: NodeId,
        life: u32,
    },
    OriginServes,
    OriginIs {
        up: bool,
    },
    Join {
        node: NodeId,
    },
    Leave {
        node: NodeId,
        life: u32,
    },
    Fail {
        node: NodeId,
    },
    Announce {
        node: NodeId,
        life: u32,
    },
}

/// Many swarms, their lines, an HTTP origin, a tracker, and the time.
#[derive(Debug)]
pub struct World {
    content: Content,
    now: Time,
    seed: u64,
    rng: Rng,
    happenings: Schedule<Happening>,
    nodes: Vec<Node>,
    /// Nodes that are awaited to have everything.
    awaited: usize,
    ends: Vec<End>,
    origin: Option<HttpOrigin>,
    tracker: Option<tracker::Tracker>,
    failures: u64,
    encoded: Vec<u8>,
    trace: u64,
}

impl World {
    /// An empty world in which `content` is shared.
    #[must_use]
    pub fn new(content: Content, seed: u64) -> Self {
        Self {
            content,
            now: Time::ZERO,
            seed,
            rng: Rng::with_seed(seed ^ 0x005e_ed0f_7e1d),
            happenings: Schedule::default(),
            nodes: Vec::new(),
            awaited: 0,
            ends: Vec::new(),
            origin: None,
            tracker: None,
            failures: 0,
            encoded: Vec::new(),
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Adds a node, which is there at once.
    pub fn add(&mut self, spec: NodeSpec) -> NodeId {
        let id = self.add_later(spec);
        self.join(id);
        id
    }

    /// Adds a node that joins at a time.
    pub fn add_at(&mut self, spec: NodeSpec, at: Time) -> NodeId {
        let node = self.add_later(spec);
        self.cause_at(at, Happening::Join { node });
        node
    }

    fn add_later(&mut self, spec: NodeSpec) -> NodeId {
        let id = NodeId(self.nodes.len());
        let number = u32::try_from(id.0).unwrap_or(0);
        let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(FIRST_ADDR + number * NETWORK)), PORT);
        let pieces = self.content.layout.piece_count();
        let mut have = Bitfield::empty(pieces);
        match &spec.start {
            Start::Empty => {}
            Start::Complete => have = Bitfield::full(pieces),
            Start::Pieces(list) => list.iter().for_each(|piece| _ = have.set(*piece)),
        }
        self.awaited += usize::from(!have.is_full());
        let peer_id = peer_id(id, 0);
        self.nodes.push(Node {
            swarm: self.swarm_of(id, &spec, have, peer_id, 0),
            up: Link::new(spec.up, spec.queue),
            down: Link::new(spec.down, spec.queue),
            spec,
            addr,
            peer_id,
            keys: Vec::new(),
            ready: VecDeque::new(),
            is_pumping: false,
            disk_free_at: Time::ZERO,
            disk_bytes: 0,
            blocks_sent: 0,
            lied: false,
            ticks: 0,
            events: Vec::new(),
            completed: None,
            ticking_at: None,
            online: false,
            joined_at: Time::ZERO,
            left_at: None,
            life: 0,
            past: Past::default(),
        });
        id
    }

    fn swarm_of(&self, id: NodeId, spec: &NodeSpec, have: Bitfield, peer_id: [u8; 20], life: u32) -> Swarm {
        let layers = if spec.knows_layers { self.content.layers.clone() } else { PieceLayers::default() };
        let config = Config { peer_id, listen_port: Some(PORT), ..spec.config.clone() };
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(id.0 as u64);
        Swarm::new(config, self.content.layout.clone(), layers, have, seed ^ (u64::from(life) << 40))
    }

    /// Gives the world an HTTP origin with this uplink, bytes per second on the wire, and tells every node of it.
    pub fn add_origin(&mut self, up: u64, delay: Duration) {
        self.origin = Some(HttpOrigin::new(up, delay));
        for node in 0..self.nodes.len() {
            if self.nodes[node].online {
                self.tell(NodeId(node), Input::SetOrigin { available: true });
            }
        }
    }

    /// Ends the HTTP origin: whatever it was asked fails, whatever it will be asked too.
    pub fn stop_origin(&mut self) {
        for (node, fetch) in self.origin.as_mut().map(HttpOrigin::stop).unwrap_or_default() {
            self.tell(node, Input::OriginFailed { fetch, retry_after: None, permanent: false });
        }
    }

    /// The HTTP origin does not answer between two times.
    pub fn origin_down_between(&mut self, from: Time, until: Time) {
        self.cause_at(from, Happening::OriginIs { up: false });
        self.cause_at(until, Happening::OriginIs { up: true });
    }

    /// Lets something happen to a node now.
    pub fn tell(&mut self, node: NodeId, input: Input) {
        self.tell_after(Duration::ZERO, node, input);
    }

    /// Tells a node of others, as a tracker would, after `delay`.
    pub fn introduce(&mut self, node: NodeId, others: &[NodeId], delay: Duration) {
        let addrs = others.iter().map(|other| self.nodes[other.0].addr).collect();
        self.tell_after(delay, node, Input::PeersFound { addrs, source: PeerSource::Tracker, via: Via::OWN });
    }

    /// Tells everybody of everybody.
    pub fn introduce_all(&mut self) {
        let all: Vec<NodeId> = (0..self.nodes.len()).map(NodeId).collect();
        for node in all.clone() {
            let others: Vec<NodeId> = all.iter().copied().filter(|other| *other != node).collect();
            self.introduce(node, &others, Duration::ZERO);
        }
    }

    /// Lets time pass until `done` holds or `limit` has come; whether it holds.
    pub fn run_until(&mut self, limit: Time, done: impl Fn(&Self) -> bool) -> bool {
        while !done(self) {
            if self.happenings.next_at().is_none_or(|at| at > limit) {
                return false;
            }
            let Some((at, happening)) = self.happenings.pop() else { return false };
            self.now = at;
            self.happen(happening);
        }
        true
    }

    /// Lets time pass until every node has everything; whether that came before `limit`.
    pub fn run_to_completion(&mut self, limit: Time) -> bool {
        self.run_until(limit, Self::all_complete)
    }

    /// Whether every node that began without everything has it.
    #[must_use]
    pub fn all_complete(&self) -> bool {
        self.awaited == 0
    }

    /// A node is not awaited to complete any more: [`World::all_complete`] does without it.
    pub fn do_not_await(&mut self, node: NodeId) {
        if self.nodes[node.0].completed.is_none() && !self.nodes[node.0].swarm.is_complete() {
            self.awaited -= 1;
        }
    }

    /// Whether a node put a false block on its line, because of its conduct.
    #[must_use]
    pub fn lied(&self, node: NodeId) -> bool {
        self.nodes[node.0].lied
    }

    /// How often a node's swarm was called because its time had come.
    #[must_use]
    pub fn ticks(&self, node: NodeId) -> u64 {
        self.nodes[node.0].ticks
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// A node's figures; those of the time since it lost everything, if it did.
    #[must_use]
    pub fn stats(&self, node: NodeId) -> Stats {
        self.nodes[node.0].swarm.stats(self.now)
    }

    /// A node's swarm.
    #[must_use]
    pub fn swarm(&self, node: NodeId) -> &Swarm {
        &self.nodes[node.0].swarm
    }

    /// What a node's swarm told, and when.
    #[must_use]
    pub fn events(&self, node: NodeId) -> &[(Time, Event)] {
        &self.nodes[node.0].events
    }

    /// Where a node can be reached.
    #[must_use]
    pub fn addr(&self, node: NodeId) -> SocketAddr {
        self.nodes[node.0].addr
    }

    /// When a node got its last piece.
    #[must_use]
    pub fn completed(&self, node: NodeId) -> Option<Time> {
        self.nodes[node.0].completed
    }

    /// When a node joined first.
    #[must_use]
    pub fn joined(&self, node: NodeId) -> Time {
        self.nodes[node.0].joined_at
    }

    /// Payload bytes that left a node's uplink.
    #[must_use]
    pub fn sent(&self, node: NodeId) -> u64 {
        self.nodes[node.0].up.payload
    }

    /// All bytes that left a node's uplink, headers, messages and acknowledgements included.
    #[must_use]
    pub fn sent_on_wire(&self, node: NodeId) -> u64 {
        self.nodes[node.0].up.on_wire
    }

    /// Payload bytes a node took in and threw away, in all its lives.
    #[must_use]
    pub fn wasted(&self, node: NodeId) -> u64 {
        self.nodes[node.0].past.wasted_bytes + self.stats(node).wasted_bytes
    }

    /// Bytes that a node had received, and not thrown away, when it failed: what it has to fetch again.
    #[must_use]
    pub fn lost(&self, node: NodeId) -> u64 {
        self.nodes[node.0].past.lost_bytes
    }

    /// Payload bytes that left the HTTP origin.
    #[must_use]
    pub fn origin_sent(&self) -> u64 {
        self.origin.as_ref().map_or(0, |origin| origin.up.payload)
    }

    /// All bytes that left the HTTP origin, headers included.
    #[must_use]
    pub fn origin_sent_on_wire(&self) -> u64 {
        self.origin.as_ref().map_or(0, |origin| origin.up.on_wire)
    }

    /// How often a node failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// How many things were made to happen so far.
    #[must_use]
    pub fn happenings(&self) -> u64 {
        self.happenings.put_in()
    }

    /// A hash of everything every swarm put out and when: equal traces are equal runs.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }

    fn tell_after(&mut self, after: Duration, node: NodeId, input: Input) {
        let life = self.nodes[node.0].life;
        self.cause(after, Happening::Handle { node, life, input });
    }

    fn cause(&mut self, after: Duration, happening: Happening) {
        self.cause_at(self.now + after, happening);
    }

    fn cause_at(&mut self, at: Time, happening: Happening) {
        self.happenings.put(at.max(self.now), happening);
    }

    fn record(&mut self, word: u64) {
        self.trace = (self.trace ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

/// A peer id that no other node and no other life of the node has.
fn peer_id(id: NodeId, life: u32) -> [u8; 20] {
    let mut peer_id = *b"-MU0100-000000000000";
    peer_id[8..12].copy_from_slice(&(0x3030_3030 + life).to_be_bytes());
    peer_id[12..].copy_from_slice(&(0x0101_0101_0101_0101 + id.0 as u64).to_be_bytes());
    peer_id
}
