//! Doing what the swarms ask for, as the engine's driver does with real sockets and disks.

use super::*;

/// Time to hash and write a block.
const STORE_TIME: Duration = Duration::from_micros(500);
/// A connection attempt to nobody fails after so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Handle { node, input } => self.handle(node, input),
            Happening::Arrive { node, peer, message } => self.handle(node, Input::Received { peer, message }),
            Happening::Left { node, peer, piece, begin, length } => {
                self.block_left(node, peer, piece, begin, length)
            }
            Happening::Meet { from, addr } => self.meet(from, addr),
            Happening::Tick { node } => {
                self.nodes[node.0].ticking_at = None;
                self.handle(node, Input::Tick);
            }
            Happening::OriginServes => self.origin_serves(),
        }
    }

    fn handle(&mut self, id: NodeId, input: Input) {
        if let Input::PeerClosed { peer } = &input {
            self.nodes[id.0].peers.remove(peer);
        }
        let now = self.now;
        self.nodes[id.0].swarm.handle(now, input);
        while let Some(output) = self.nodes[id.0].swarm.poll() {
            self.obey(id, output);
        }
        let node = &mut self.nodes[id.0];
        if let Some(deadline) = node.swarm.deadline().map(|at| at.max(now))
            && node.ticking_at.is_none_or(|at| at > deadline)
        {
            node.ticking_at = Some(deadline);
            self.cause_at(deadline, Happening::Tick { node: id });
        }
    }

    fn obey(&mut self, id: NodeId, output: Output) {
        self.record(&self.now.as_micros().to_be_bytes());
        self.record(&id.0.to_be_bytes());
        match output {
            Output::Send { peer, message } => self.send(id, peer, message),
            Output::SendBlock { peer, piece, begin, length } => {
                let left_at = self.nodes[id.0].up.pass(self.now, u64::from(length));
                self.cause_at(left_at, Happening::Left { node: id, peer, piece, begin, length });
            }
            Output::CancelBlock { .. } => {}
            Output::Close { peer, .. } => self.close(id, peer),
            Output::Connect { addr } => self.connect(id, addr),
            Output::StoreBlock { piece, block, data } => {
                let leaf = self.content.leaf(piece, block, &data);
                let input = Input::BlockStored { piece, block, leaf };
                self.cause(STORE_TIME, Happening::Handle { node: id, input });
            }
            Output::ReadLeaves { piece } => {
                let leaves = (!self.nodes[id.0].spec.liar).then(|| self.content.leaves(piece));
                self.cause(
                    STORE_TIME,
                    Happening::Handle { node: id, input: Input::PieceLeaves { piece, leaves } },
                );
            }
            Output::FetchOrigin { fetch, piece, blocks } => self.fetch(id, fetch, piece, blocks),
            Output::CancelOrigin { fetch } => {
                if let Some(origin) = &mut self.origin {
                    origin.cancel(id, fetch);
                }
            }
            Output::Event(event) => self.note(id, event),
        }
    }

    fn note(&mut self, id: NodeId, event: Event) {
        let node = &mut self.nodes[id.0];
        node.events.push((self.now, event));
        if event == Event::Complete {
            node.completed.get_or_insert(self.now);
        }
    }

    fn send(&mut self, id: NodeId, peer: PeerKey, message: Message) {
        let mut bytes = Vec::new();
        wire::encode(&message, &mut bytes);
        self.record(&bytes);
        self.carry(id, peer, message);
    }

    /// Brings a message to the other end, in order.
    fn carry(&mut self, id: NodeId, peer: PeerKey, message: Message) {
        let Some(remote) = self.nodes[id.0].peers.get(&peer).copied() else { return };
        let delay = self.nodes[id.0].spec.delay + self.nodes[remote.node.0].spec.delay;
        let mut arrives = (self.now + delay).max(remote.arrives_last);
        if let Message::Piece { data, .. } = &message {
            arrives = self.nodes[remote.node.0].down.pass(arrives, data.len() as u64);
        }
        if let Some(known) = self.nodes[id.0].peers.get_mut(&peer) {
            known.arrives_last = arrives;
        }
        self.cause_at(arrives, Happening::Arrive { node: remote.node, peer: remote.key, message });
    }

    fn block_left(&mut self, id: NodeId, peer: PeerKey, piece: u32, begin: u32, length: u32) {
        let data = Content::block(length, !self.nodes[id.0].spec.liar);
        self.carry(id, peer, Message::Piece { index: piece, begin, data });
        self.handle(id, Input::BlockSent { peer, piece, begin, length });
    }

    fn close(&mut self, id: NodeId, peer: PeerKey) {
        let Some(remote) = self.nodes[id.0].peers.remove(&peer) else { return };
        let at = (self.now + self.nodes[id.0].spec.delay).max(remote.arrives_last);
        let input = Input::PeerClosed { peer: remote.key };
        self.cause_at(at, Happening::Handle { node: remote.node, input });
    }

    fn connect(&mut self, from: NodeId, addr: SocketAddr) {
        let Some(to) = self.by_addr.get(&addr).copied() else {
            return self.cause(
                CONNECT_TIMEOUT,
                Happening::Handle { node: from, input: Input::ConnectFailed { addr } },
            );
        };
        // A TCP handshake and the BitTorrent handshakes: two round trips.
        let one_way = self.nodes[from.0].spec.delay + self.nodes[to.0].spec.delay;
        self.cause(one_way * 4, Happening::Meet { from, addr });
    }

    fn meet(&mut self, from: NodeId, addr: SocketAddr) {
        let Some(to) = self.by_addr.get(&addr).copied() else { return };
        let (here, there) = (PeerKey(self.connections), PeerKey(self.connections + 1));
        self.connections += 2;
        let arrives_last = self.now;
        self.nodes[from.0].peers.insert(here, Remote { node: to, key: there, arrives_last });
        self.nodes[to.0].peers.insert(there, Remote { node: from, key: here, arrives_last });
        let callers_port = SocketAddr::new(self.nodes[from.0].addr.ip(), 50_000);
        let incoming = self.connected(from, there, callers_port, false);
        let outgoing = self.connected(to, here, addr, true);
        self.handle(from, outgoing);
        self.handle(to, incoming);
    }

    /// The news of a connection to `remote`.
    fn connected(&self, remote: NodeId, peer: PeerKey, addr: SocketAddr, outgoing: bool) -> Input {
        let node = &self.nodes[remote.0];
        let (class, peer_id) = (node.spec.class, node.peer_id);
        Input::PeerConnected { peer, addr, outgoing, class, peer_id, reserved: wire::RESERVED }
    }

    fn fetch(&mut self, id: NodeId, fetch: u64, piece: u32, blocks: std::ops::Range<u32>) {
        let taken = self.origin.as_mut().is_some_and(|origin| origin.ask(id, fetch, piece, blocks));
        if !taken {
            let input = Input::OriginFailed { fetch, retry_after: None, permanent: false };
            return self.cause(Duration::from_millis(50), Happening::Handle { node: id, input });
        }
        if let Some(origin) = &mut self.origin
            && !origin.is_serving
        {
            origin.is_serving = true;
            let delay = origin.delay + self.nodes[id.0].spec.delay;
            self.cause(delay, Happening::OriginServes);
        }
    }

    fn origin_serves(&mut self) {
        let Some(origin) = &mut self.origin else { return };
        let Some((node, fetch, piece, block, left_at)) = origin.serve(self.now, &self.content.layout) else {
            origin.is_serving = false;
            return;
        };
        let delay = origin.delay + self.nodes[node.0].spec.delay;
        let length = u64::from(self.content.layout.block_length(piece, block));
        let arrives = self.nodes[node.0].down.pass(left_at + delay, length);
        self.cause_at(left_at, Happening::OriginServes);
        let data = Content::block(self.content.layout.block_length(piece, block), true);
        let input = Input::OriginBlock { fetch, block, data };
        self.cause_at(arrives, Happening::Handle { node, input });
    }
}
