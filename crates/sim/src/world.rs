//! The world's clock and what happens in it: the driver of many swarms at once.
//!
//! Invariant: what happens at the same time happens in the order in which it was caused, so that a run is a function
//! of its seeds alone.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use release::layout::PieceLayers;
use swarm::wire::{self, Message};
use swarm::{Bitfield, Class, Config, Event, Input, Output, PeerKey, PeerSource, Stats, Swarm, Time};

use crate::Content;
use crate::link::Link;

mod drive;
mod http;

use http::HttpOrigin;

/// A player or seed, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub usize);

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
    /// It sends false blocks and refuses to name leaves.
    pub liar: bool,
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
            liar: false,
            knows_layers: true,
            class: Class::Internet,
            config: Config::default(),
        }
    }
}

#[derive(Debug)]
struct Node {
    swarm: Swarm,
    spec: NodeSpec,
    up: Link,
    down: Link,
    addr: SocketAddr,
    peer_id: [u8; 20],
    peers: BTreeMap<PeerKey, Remote>,
    events: Vec<(Time, Event)>,
    completed: Option<Time>,
    ticking_at: Option<Time>,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Remote {
    node: NodeId,
    key: PeerKey,
    /// Nothing overtakes on a connection: the time its last message arrives there.
    arrives_last: Time,
}

#[derive(Debug)]
enum Happening {
    Handle {
        node: NodeId,
        input: Input,
    },
    /// A message has reached a node's downlink.
    Arrive {
        node: NodeId,
        peer: PeerKey,
        message: Message,
    },
    /// A block has left a node's uplink.
    Left {
        node: NodeId,
        peer: PeerKey,
        piece: u32,
        begin: u32,
        length: u32,
    },
    Meet {
        from: NodeId,
        addr: SocketAddr,
    },
    Tick {
        node: NodeId,
    },
    OriginServes,
}

/// Many swarms, their links, an HTTP origin, and the time.
#[derive(Debug)]
pub struct World {
    content: Content,
    now: Time,
    seed: u64,
    happenings: BTreeMap<(Time, u64), Happening>,
    caused: u64,
    nodes: Vec<Node>,
    by_addr: BTreeMap<SocketAddr, NodeId>,
    connections: u64,
    origin: Option<HttpOrigin>,
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
            happenings: BTreeMap::new(),
            caused: 0,
            nodes: Vec::new(),
            by_addr: BTreeMap::new(),
            connections: 0,
            origin: None,
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Adds a node.
    pub fn add(&mut self, spec: NodeSpec) -> NodeId {
        let id = NodeId(self.nodes.len());
        let number = u32::try_from(id.0).unwrap_or(u32::MAX);
        let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x3000_0000 + number)), 6881);
        let mut peer_id = *b"-MU0100-000000000000";
        peer_id[12..].copy_from_slice(&(0x0101_0101_0101_0101 + id.0 as u64).to_be_bytes());
        let pieces = self.content.layout.piece_count();
        let have = match &spec.start {
            Start::Empty => Bitfield::empty(pieces),
            Start::Complete => Bitfield::full(pieces),
            Start::Pieces(list) => {
                let mut have = Bitfield::empty(pieces);
                for piece in list {
                    have.set(*piece);
                }
                have
            }
        };
        let layers = if spec.knows_layers { self.content.layers.clone() } else { PieceLayers::default() };
        let config = Config { peer_id, listen_port: Some(addr.port()), ..spec.config.clone() };
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(id.0 as u64);
        let swarm = Swarm::new(config, self.content.layout.clone(), layers, have, seed);
        self.nodes.push(Node {
            swarm,
            up: Link::new(spec.up),
            down: Link::new(spec.down),
            spec,
            addr,
            peer_id,
            peers: BTreeMap::new(),
            events: Vec::new(),
            completed: None,
            ticking_at: None,
        });
        self.by_addr.insert(addr, id);
        self.cause(Duration::ZERO, Happening::Tick { node: id });
        id
    }

    /// Gives the world an HTTP origin with this uplink, bytes per second on the wire, and tells every node of it.
    pub fn add_origin(&mut self, up: u64, delay: Duration) {
        self.origin = Some(HttpOrigin::new(up, delay));
        for node in 0..self.nodes.len() {
            self.tell(NodeId(node), Input::SetOrigin { available: true });
        }
    }

    /// Ends the HTTP origin: whatever it was asked fails, whatever it will be asked too.
    pub fn stop_origin(&mut self) {
        for (node, fetch) in self.origin.as_mut().map(HttpOrigin::stop).unwrap_or_default() {
            self.tell(node, Input::OriginFailed { fetch, retry_after: None, permanent: false });
        }
    }

    /// Lets something happen to a node now.
    pub fn tell(&mut self, node: NodeId, input: Input) {
        self.cause(Duration::ZERO, Happening::Handle { node, input });
    }

    /// Tells a node of others, as a tracker would, after `delay`.
    pub fn introduce(&mut self, node: NodeId, others: &[NodeId], delay: Duration) {
        let addrs = others.iter().map(|other| self.nodes[other.0].addr).collect();
        let input = Input::PeersFound { addrs, source: PeerSource::Tracker };
        self.cause(delay, Happening::Handle { node, input });
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
            let Some(next) = self.happenings.first_entry().filter(|entry| entry.key().0 <= limit) else {
                return false;
            };
            let ((at, _), happening) = next.remove_entry();
            self.now = at;
            self.happen(happening);
        }
        true
    }

    /// Lets time pass until every node has everything; whether that came before `limit`.
    pub fn run_to_completion(&mut self, limit: Time) -> bool {
        // Checked through a counter would be faster; a run is dominated by the swarms themselves.
        self.run_until(limit, Self::all_complete)
    }

    /// Whether every node has everything.
    #[must_use]
    pub fn all_complete(&self) -> bool {
        self.nodes.iter().all(|node| node.completed.is_some() || node.swarm.is_complete())
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// A node's figures.
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

    /// Payload bytes that left a node's uplink.
    #[must_use]
    pub fn sent(&self, node: NodeId) -> u64 {
        self.nodes[node.0].up.bytes
    }

    /// Payload bytes that left the HTTP origin.
    #[must_use]
    pub fn origin_sent(&self) -> u64 {
        self.origin.as_ref().map_or(0, HttpOrigin::sent)
    }

    /// A hash of everything every swarm put out and when: equal traces are equal runs.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.trace
    }

    fn cause(&mut self, after: Duration, happening: Happening) {
        self.cause_at(self.now + after, happening);
    }

    fn cause_at(&mut self, at: Time, happening: Happening) {
        self.caused += 1;
        self.happenings.insert((at.max(self.now), self.caused), happening);
    }

    fn record(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
