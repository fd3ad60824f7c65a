//! Connections: how bytes get from one end to the other.
//!
//! A node's connections take turns on its uplink, a block each, while its queue has room. A block that reaches a full
//! downlink queue, or of which a packet gets lost on the way, is late by a round trip, holds up what follows it on its
//! connection, costs the sender's line the repeat, and halves the connection's window.

use super::*;
use crate::flow::{PACKET, Unit};
use crate::link::SMALL_HEADER;

/// A connection attempt to nobody fails after so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The key of a connection's other end.
pub(super) fn other(key: PeerKey) -> PeerKey {
    PeerKey(key.0 ^ 1)
}

/// Whether any packet of so many bytes gets lost.
pub(super) fn loses(rng: &mut Rng, loss: f64, bytes: u64) -> bool {
    loss > 0.0 && rng.f64() >= (1.0 - loss).powi(bytes.div_ceil(PACKET) as i32)
}

impl World {
    fn end(&mut self, key: PeerKey) -> Option<&mut End> {
        self.ends.get_mut(key.0 as usize).filter(|end| end.open)
    }

    fn one_way(&self, key: PeerKey) -> Duration {
        let [here, there] = [key, other(key)].map(|key| self.ends[key.0 as usize].node.0);
        self.nodes[here].spec.delay + self.nodes[there].spec.delay
    }

    pub(super) fn connect(&mut self, from: NodeId, addr: SocketAddr) {
        // A TCP handshake and the BitTorrent handshakes: two round trips.
        let there = self.node_at(addr).map_or(Duration::ZERO, |to| self.nodes[to.0].spec.delay);
        let one_way = self.nodes[from.0].spec.delay + there;
        let life = self.nodes[from.0].life;
        if self.accepts(addr) {
            self.cause(one_way * 4, Happening::Meet { from, life, addr });
        } else {
            self.tell_after(CONNECT_TIMEOUT, from, Input::ConnectFailed { addr });
        }
    }

    fn node_at(&self, addr: SocketAddr) -> Option<NodeId> {
        let IpAddr::V4(ip) = addr.ip() else { return None };
        let at = (u32::from(ip).checked_sub(FIRST_ADDR)? / NETWORK) as usize;
        (addr.port() == PORT && at < self.nodes.len()).then_some(NodeId(at))
    }

    fn accepts(&self, addr: SocketAddr) -> bool {
        let node = self.node_at(addr).map(|to| &self.nodes[to.0]);
        node.is_some_and(|node| node.online && node.spec.reachable)
    }

    pub(super) fn meet(&mut self, from: NodeId, addr: SocketAddr) {
        let Some(to) = self.node_at(addr).filter(|_| self.accepts(addr)) else {
            return self.tell_after(CONNECT_TIMEOUT, from, Input::ConnectFailed { addr });
        };
        let here = PeerKey(self.ends.len() as u64);
        for node in [from, to] {
            self.ends.push(End { node, open: true, flow: Flow::new(self.now) });
        }
        self.nodes[from.0].keys.push(here);
        self.nodes[to.0].keys.push(other(here));
        let callers_port = SocketAddr::new(self.nodes[from.0].addr.ip(), 50_000);
        let incoming = self.connected(from, other(here), callers_port, false);
        let outgoing = self.connected(to, here, addr, true);
        self.handle(from, outgoing);
        self.handle(to, incoming);
    }

    /// The news of a connection to `remote`.
    fn connected(&self, remote: NodeId, peer: PeerKey, addr: SocketAddr, outgoing: bool) -> Input {
        let node = &self.nodes[remote.0];
        let (class, peer_id) = (node.spec.class, node.peer_id);
        let (via, reserved) = (Via::OWN, wire::RESERVED);
        Input::PeerConnected { peer, addr, via, outgoing, class, peer_id, reserved }
    }

    /// This end is done with the connection.
    pub(super) fn close(&mut self, key: PeerKey) {
        let (now, one_way) = (self.now, self.one_way(key));
        let Some(end) = self.end(key) else { return };
        let at = (now + one_way).max(end.flow.arrives_last);
        self.forget(key);
        self.cause_at(at, Happening::Closed { to: other(key) });
    }

    pub(super) fn closed(&mut self, key: PeerKey) {
        let Some(node) = self.end(key).map(|end| end.node) else { return };
        self.forget(key);
        self.handle(node, Input::PeerClosed { peer: key });
    }

    fn forget(&mut self, key: PeerKey) {
        let now = self.now;
        let end = &mut self.ends[key.0 as usize];
        (end.open, end.flow) = (false, Flow::new(now));
        self.nodes[end.node.0].keys.retain(|open| *open != key);
    }

    /// Brings a message of so many bytes to the other end, behind what waits on its connection.
    pub(super) fn carry(&mut self, key: PeerKey, message: Message, bytes: u64) {
        let Some(end) = self.end(key) else { return };
        if end.flow.is_idle() {
            return self.send_small(key, message, bytes);
        }
        end.flow.push_message(message);
        self.let_write(key);
    }

    fn send_small(&mut self, key: PeerKey, message: Message, bytes: u64) {
        let (now, one_way) = (self.now, self.one_way(key));
        let Some(end) = self.end(key) else { return };
        let header = if end.flow.small_at.replace(now) == Some(now) { 0 } else { SMALL_HEADER };
        let from = end.node;
        let left_at = self.nodes[from.0].up.pass_bytes(now, bytes + header);
        let receiver = self.ends[other(key).0 as usize].node;
        let down = &mut self.nodes[receiver.0].down;
        down.repeat(bytes + header);
        let at = left_at + one_way + down.backlog(left_at + one_way);
        let flow = &mut self.ends[key.0 as usize].flow;
        flow.arrives_last = flow.arrives_last.max(at);
        let at = flow.arrives_last;
        self.cause_at(at, Happening::Deliver { to: other(key), message });
    }

    /// Orders a block from a connection's writer.
    pub(super) fn write(&mut self, key: PeerKey, block: BlockRange) {
        let Some(end) = self.end(key) else { return };
        end.flow.push_block(block);
        self.let_write(key);
    }

    fn let_write(&mut self, key: PeerKey) {
        let Some(end) = self.end(key) else { return };
        let (node, blocks) = (end.node, end.flow.write());
        let takes_turn = end.flow.has_more() && !end.flow.is_ready && !end.flow.is_blocked;
        end.flow.is_ready |= takes_turn;
        if !blocks.is_empty() {
            self.cause(Duration::ZERO, Happening::Sent { by: key, blocks });
        }
        if takes_turn {
            self.nodes[node.0].ready.push_back(key);
            self.pump(node);
        }
    }

    pub(super) fn blocks_sent(&mut self, by: PeerKey, blocks: Vec<BlockRange>) {
        for BlockRange { piece, begin, length } in blocks {
            let Some(node) = self.end(by).map(|end| end.node) else { return };
            self.handle(node, Input::BlockSent { peer: by, piece, begin, length, wire: length });
        }
    }

    /// Gives the connections their turns while the uplink's queue has room.
    pub(super) fn pump(&mut self, id: NodeId) {
        while !self.nodes[id.0].is_pumping {
            let Some(key) = self.nodes[id.0].ready.front().copied() else { return };
            if let Some(at) = self.nodes[id.0].up.full_until(self.now) {
                self.nodes[id.0].is_pumping = true;
                return self.cause_at(at + Duration::from_micros(1), Happening::Pump { node: id });
            }
            self.nodes[id.0].ready.pop_front();
            self.take_turn(key);
        }
    }

    /// One connection's turn: the messages in front, then one block.
    fn take_turn(&mut self, key: PeerKey) {
        let now = self.now;
        let Some(end) = self.end(key) else { return };
        end.flow.is_ready = false;
        loop {
            let Some(end) = self.end(key) else { return };
            match end.flow.take(now) {
                Some(Unit::Message(message)) => {
                    self.encoded.clear();
                    wire::encode(&message, &mut self.encoded);
                    self.send_small(key, message, self.encoded.len() as u64);
                }
                Some(Unit::Block(block)) => {
                    self.put_on_line(key, block);
                    break;
                }
                None => break,
            }
        }
        self.plan_wake(key);
        self.let_write(key);
    }

    fn put_on_line(&mut self, key: PeerKey, block: BlockRange) {
        let (now, one_way) = (self.now, self.one_way(key));
        let node = &mut self.nodes[self.ends[key.0 as usize].node.0];
        let left_at = node.up.pass(now, u64::from(block.length));
        let lies = node.spec.conduct.lies_now(node.blocks_sent);
        node.blocks_sent = node.blocks_sent.saturating_add(1);
        node.lied |= lies;
        let is_true = !lies && !drive::chance(&mut self.rng, node.spec.disk.lying);
        self.cause_at(left_at + one_way, Happening::Arrive { to: other(key), block, is_true });
    }

    /// A flow that waits for an acknowledgement goes on when it comes.
    fn plan_wake(&mut self, key: PeerKey) {
        let Some(end) = self.end(key) else { return };
        if end.flow.is_blocked
            && !end.flow.is_waking
            && let Some(at) = end.flow.next_acknowledgement()
        {
            end.flow.is_waking = true;
            self.cause_at(at, Happening::Wake { flow: key });
        }
    }

    pub(super) fn wake(&mut self, key: PeerKey) {
        let Some(end) = self.end(key) else { return };
        (end.flow.is_blocked, end.flow.is_waking) = (false, false);
        self.let_write(key);
    }

    /// A block's last byte has reached the downlink.
    pub(super) fn arrive(&mut self, to: PeerKey, block: BlockRange, is_true: bool) {
        let (now, one_way, from) = (self.now, self.one_way(to), other(to));
        let Some(receiver) = self.end(to).map(|end| end.node) else { return };
        let length = u64::from(block.length);
        let node = &mut self.nodes[receiver.0];
        let overflows = node.down.full_until(now).is_some();
        let lost = loses(&mut self.rng, node.spec.loss, length);
        let mut at = node.down.pass(now, length);
        let disk = node.spec.disk;
        if let Some(queue) = (disk.queue_bytes * 1_000_000).checked_div(disk.bytes_per_second) {
            // A full disk queue stops the reader.
            at = at + node.disk_free_at.since(at).saturating_sub(Duration::from_micros(queue));
        }
        node.up.acknowledge(length);
        let late = if lost || overflows { one_way * 2 } else { Duration::ZERO };
        let acknowledged_at = at + late + one_way + node.up.backlog(now);
        let sender = self.ends[from.0 as usize].node;
        let flow = &mut self.ends[from.0 as usize].flow;
        flow.arrives_last = flow.arrives_last.max(at + late);
        let delivered_at = flow.arrives_last;
        if lost || overflows {
            flow.lost(now, one_way * 2);
            self.nodes[sender.0].up.repeat(if overflows { length } else { PACKET });
        }
        let flow = &mut self.ends[from.0 as usize].flow;
        flow.acknowledged(acknowledged_at, length);
        self.plan_wake(from);
        let BlockRange { piece: index, begin, length } = block;
        let message = Message::Piece { index, begin, data: Content::block(length, is_true) };
        self.cause_at(delivered_at, Happening::Deliver { to, message });
    }

    pub(super) fn deliver(&mut self, to: PeerKey, message: Message) {
        let Some(node) = self.end(to).map(|end| end.node) else { return };
        self.handle(node, Input::Received { peer: to, message });
    }
}
