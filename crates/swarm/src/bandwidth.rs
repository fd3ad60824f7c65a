//! Who may move how many bytes now: a tree of caps, one for each direction, and the queue in front of it.
//!
//! ```text
//! root ─┬─ internet ─┐
//!       ├─ origin ───┼─ background ── game
//!       └─ lan ──────┘     (a LAN that is exempt has its own cap only)
//! ```
//!
//! A grant passes when every node on its path has the bytes. What is counted is what the wire carries: payload, the
//! headers of the packets it travels in ([`Framing`]), and, on the other direction, the acknowledgements. Bursts are
//! small, so that a home uplink does not feel us. Whoever waits is served in turn ([`Queue`]).
//!
//! Pure: the caller says what time it is. Acknowledgements and messages are charged but never held back; they take at most
//! half of a cap, and beyond that they pass uncounted.

mod bucket;
mod queue;

use std::collections::BTreeMap;

use crate::{Class, Time};
use bucket::{Bucket, Offer};

pub use queue::{FlowKey, Queue};

/// One grant carries no more payload than this, in bytes: turns stay short.
const GRANT_MAX: u32 = 64 * 1024;
/// Grants are about this much time at the cap's rate, in thousandths of a second, and at least one packet.
const GRANT_MILLIS: u64 = 5;

/// Which network bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// Peers on the internet.
    Internet,
    /// Peers on a local link.
    Lan,
    /// The publisher's web server.
    Origin,
}

impl From<Class> for Link {
    fn from(class: Class) -> Self {
        match class {
            Class::Internet => Self::Internet,
            Class::Lan => Self::Lan,
        }
    }
}

impl From<Link> for Node {
    fn from(link: Link) -> Self {
        match link {
            Link::Internet => Self::Internet,
            Link::Lan => Self::Lan,
            Link::Origin => Self::Origin,
        }
    }
}

/// A game, by the driver's own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GameKey(pub u32);

/// What matters more when not everything fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Foreground,
    /// Nobody does: it goes after the rest, but never quite without.
    Background,
}

/// A place in the tree that can have a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Everything, but a LAN that is exempt.
    Root,
    /// Peers on the internet.
    Internet,
    /// Peers on a local link.
    Lan,
    /// The publisher's web server.
    Origin,
    /// All that nobody waits for.
    Background,
    /// One game.
    Game(GameKey),
}

/// Where a flow of bytes hangs in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Over which network.
    pub link: Link,
    /// For which game.
    pub game: GameKey,
    /// How urgent.
    pub priority: Priority,
}

/// Which way the bytes go, seen from this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From us.
    Up,
    /// To us.
    Down,
}

impl Direction {
    /// The way that acknowledgements go.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// How payload travels: in segments, each behind a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Payload of a full packet, bytes; at least one.
    pub segment: u32,
    /// IP and TCP header of each packet, options included, bytes.
    pub header: u32,
}

impl Framing {
    /// Bytes on the wire for so much payload, sent at once.
    #[must_use]
    pub fn wire_bytes(self, payload: u32) -> u64 {
        u64::from(payload) + self.packets(payload) * u64::from(self.header)
    }

    /// Bytes of the acknowledgements for so much payload: one for two packets (RFC 5681).
    #[must_use]
    pub fn acknowledgement_bytes(self, payload: u32) -> u64 {
        self.packets(payload) * u64::from(self.header) / 2
    }

    fn packets(self, payload: u32) -> u64 {
        u64::from(payload.div_ceil(self.segment.max(1)))
    }
}

/// An answer to [`Tree::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// So much payload may pass now, at least one byte; it is taken.
    Bytes(u32),
    /// Nothing yet.
    Wait {
        /// The node that is short of bytes. Whatever else passes it has to wait behind this wish.
        node: Node,
        /// When to ask again. `None`: its cap is zero, and only a new cap helps.
        until: Option<Time>,
    },
}

/// The tree of caps.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    sides: [Side; 2],
    lan_capped: bool,
}

#[derive(Debug, Clone, Default)]
struct Side {
    root: Bucket,
    links: [Bucket; 3],
    background: Bucket,
    games: BTreeMap<GameKey, Bucket>,
}

impl Side {
    fn cap(&self, node: Node) -> Option<u64> {
        match node {
            Node::Root => self.root.cap(),
            Node::Internet => self.links[Link::Internet as usize].cap(),
            Node::Lan => self.links[Link::Lan as usize].cap(),
            Node::Origin => self.links[Link::Origin as usize].cap(),
            Node::Background => self.background.cap(),
            Node::Game(game) => self.games.get(&game).and_then(Bucket::cap),
        }
    }

    fn bucket(&mut self, node: Node) -> Option<&mut Bucket> {
        match node {
            Node::Root => Some(&mut self.root),
            Node::Internet => Some(&mut self.links[Link::Internet as usize]),
            Node::Lan => Some(&mut self.links[Link::Lan as usize]),
            Node::Origin => Some(&mut self.links[Link::Origin as usize]),
            Node::Background => Some(&mut self.background),
            Node::Game(game) => self.games.get_mut(&game),
        }
    }
}

impl Tree {
    /// A tree without caps, its LAN exempt from the root's.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a node's cap in bytes per second on the wire; `None` lifts it, zero stops the flow. Holds at once.
    pub fn set_cap(&mut self, node: Node, direction: Direction, cap_bytes_per_second: Option<u64>) {
        let side = &mut self.sides[direction as usize];
        if let Node::Game(game) = node {
            if cap_bytes_per_second.is_none() {
                side.games.remove(&game);
                return;
            }
            side.games.entry(game).or_default();
        }
        if let Some(bucket) = side.bucket(node) {
            bucket.set_cap(cap_bytes_per_second);
        }
    }

    /// Whether the LAN counts against the caps of root, background and game. Default: it does not.
    pub fn set_lan_capped(&mut self, capped: bool) {
        self.lan_capped = capped;
    }

    /// The tightest cap on a path in bytes per second, if there is any.
    #[must_use]
    pub fn cap(&self, path: Path, direction: Direction) -> Option<u64> {
        self.tightest(path, direction).map(|(_, cap)| cap)
    }

    /// The node with the tightest cap on a path, and that cap in bytes per second.
    #[must_use]
    pub fn tightest(&self, path: Path, direction: Direction) -> Option<(Node, u64)> {
        let side = &self.sides[direction as usize];
        let capped = self.nodes(path).filter_map(|node| Some((node, side.cap(node)?)));
        capped.min_by_key(|(_, cap)| *cap)
    }

    /// A node's own cap in bytes per second, if it has one.
    #[must_use]
    pub fn node_cap(&self, node: Node, direction: Direction) -> Option<u64> {
        self.sides[direction as usize].cap(node)
    }

    /// Bytes that a node's cap would have let pass so far and that nobody took. A node without a cap has none.
    pub fn idle_bytes(&mut self, now: Time, node: Node, direction: Direction) -> u64 {
        self.sides[direction as usize].bucket(node).map_or(0, |bucket| bucket.idle_bytes(now))
    }

    /// Whether any path over this link may meet a cap.
    #[must_use]
    pub fn may_cap(&self, link: Link, direction: Direction) -> bool {
        let side = &self.sides[direction as usize];
        let shared = side.root.cap().is_some() || side.background.cap().is_some() || !side.games.is_empty();
        side.cap(link.into()).is_some() || (shared && (link != Link::Lan || self.lan_capped))
    }

    /// Takes up to `want` bytes of payload: all of it, a part of whole packets, or nothing yet. Wishing for nothing is
    /// granted as zero bytes.
    pub fn take(
        &mut self,
        now: Time,
        path: Path,
        direction: Direction,
        framing: Framing,
        want: u32,
    ) -> Grant {
        let Some(cap) = self.cap(path, direction) else { return Grant::Bytes(want) };
        let bytes = want.min(grant_bytes(cap, framing));
        let cost = framing.wire_bytes(bytes);
        let (nodes, side) = (self.nodes(path), &mut self.sides[direction as usize]);
        let mut latest: Option<(Node, Time)> = None;
        for node in nodes.clone() {
            match side.bucket(node).map_or(Offer::Now, |bucket| bucket.offer(now, cost)) {
                Offer::Now => {}
                Offer::At(time) if latest.is_some_and(|(_, other)| other >= time) => {}
                Offer::At(time) => latest = Some((node, time)),
                Offer::Never => return Grant::Wait { node, until: None },
            }
        }
        if let Some((node, time)) = latest {
            return Grant::Wait { node, until: Some(time) };
        }
        for node in nodes {
            if let Some(bucket) = side.bucket(node) {
                bucket.spend(cost);
            }
        }
        Grant::Bytes(bytes)
    }

    /// Gives back what was granted and then not moved: of `granted` bytes of payload only `moved` were.
    pub fn give_back(
        &mut self,
        path: Path,
        direction: Direction,
        framing: Framing,
        granted: u32,
        moved: u32,
    ) {
        let surplus = framing.wire_bytes(granted).saturating_sub(framing.wire_bytes(moved));
        let (nodes, side) = (self.nodes(path), &mut self.sides[direction as usize]);
        for node in nodes {
            if let Some(bucket) = side.bucket(node) {
                bucket.refund(surplus);
            }
        }
    }

    /// Counts bytes that pass without a grant: acknowledgements, requests, handshakes, HTTP headers.
    pub fn charge(&mut self, now: Time, path: Path, direction: Direction, wire_bytes: u64) {
        let (nodes, side) = (self.nodes(path), &mut self.sides[direction as usize]);
        for node in nodes {
            if let Some(bucket) = side.bucket(node) {
                bucket.charge(now, wire_bytes);
            }
        }
    }

    /// The nodes that a path passes.
    fn nodes(&self, path: Path) -> impl Iterator<Item = Node> + Clone + use<> {
        let exempt = path.link == Link::Lan && !self.lan_capped;
        let background = path.priority == Priority::Background;
        let shared = [(Node::Game(path.game), true), (Node::Background, background), (Node::Root, true)];
        let shared = shared.into_iter().filter(move |(_, passed)| *passed && !exempt);
        std::iter::once(path.link.into()).chain(shared.map(|(node, _)| node))
    }
}

impl Node {
    fn is_on(self, tree: &Tree, path: Path) -> bool {
        tree.nodes(path).any(|node| node == self)
    }
}

/// Whole packets worth about [`GRANT_MILLIS`].
fn grant_bytes(cap: u64, framing: Framing) -> u32 {
    let segment = framing.segment.max(1);
    let packets = cap.saturating_mul(GRANT_MILLIS) / 1_000 / u64::from(segment + framing.header);
    let most = u64::from((GRANT_MAX / segment).max(1));
    segment.saturating_mul(u32::try_from(packets.clamp(1, most)).unwrap_or(1))
}

#[cfg(test)]
mod tests;
