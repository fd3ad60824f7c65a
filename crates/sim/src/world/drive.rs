//! Doing what the swarms ask for, as the engine's driver does with real sockets and disks.

use super::*;

/// A fetch that an absent origin was asked for fails after so long.
const REFUSED_AFTER: Duration = Duration::from_millis(50);
/// A fetch request on the wire, bytes.
const FETCH_BYTES: u64 = 300;

impl World {
    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Handle { node, life, input } => {
                if self.lives(node, life) {
                    self.handle(node, input);
                }
            }
            Happening::Deliver { to, message } => self.deliver(to, message),
            Happening::Arrive { to, block, is_true } => self.arrive(to, block, is_true),
            Happening::Sent { by, blocks } => self.blocks_sent(by, blocks),
            Happening::Closed { to } => self.closed(to),
            Happening::Pump { node } => {
                self.nodes[node.0].is_pumping = false;
                self.pump(node);
            }
            Happening::Wake { flow } => self.wake(flow),
            Happening::Meet { from, life, addr } => {
                if self.lives(from, life) {
                    self.meet(from, addr);
                }
            }
            Happening::Tick { node, life } => {
                if self.lives(node, life) {
                    self.nodes[node.0].ticking_at = None;
                    self.nodes[node.0].ticks += 1;
                    self.handle(node, Input::Tick);
                }
            }
            Happening::OriginServes => self.origin_serves(),
            Happening::OriginIs { up } => self.origin_is(up),
            Happening::Join { node } => self.join(node),
            Happening::Leave { node, life } => {
                if self.lives(node, life) {
                    self.leave(node);
                }
            }
            Happening::Fail { node } => self.fail(node),
            Happening::Announce { node, life } => {
                if self.lives(node, life) {
                    self.announce(node);
                }
            }
        }
    }

    fn lives(&self, node: NodeId, life: u32) -> bool {
        self.nodes[node.0].online && self.nodes[node.0].life == life
    }

    pub(super) fn handle(&mut self, id: NodeId, input: Input) {
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
            let life = node.life;
            self.cause_at(deadline, Happening::Tick { node: id, life });
        }
    }

    fn obey(&mut self, id: NodeId, output: Output) {
        self.record(self.now.as_micros() << 20 ^ id.0 as u64);
        match output {
            Output::Send { peer, message } => self.send(id, peer, message),
            Output::SendBlock { peer, piece, begin, length } => {
                self.send_block(id, peer, BlockRange { piece, begin, length });
            }
            Output::SendRun { .. } | Output::StorePacked { .. } => {
                unreachable!("content here cannot be made smaller, and nobody says that it packs")
            }
            Output::CancelBlock { peer, piece, begin, length } => {
                self.cancel_block(id, peer, BlockRange { piece, begin, length });
            }
            Output::Close { peer, .. } => self.close(peer),
            Output::Connect { addr, .. } => self.connect(id, addr),
            Output::StoreBlock { piece, block, data } => self.store(id, piece, block, &data),
            Output::ReadLeaves { piece } => {
                let names = !self.nodes[id.0].spec.conduct.lies();
                let leaves = names.then(|| self.content.leaves(piece));
                let after = self.nodes[id.0].spec.disk.write_time;
                self.tell_after(after, id, Input::PieceLeaves { piece, leaves });
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
        let (now, node) = (self.now, &mut self.nodes[id.0]);
        if !matches!(event, Event::PieceVerified { .. }) {
            node.events.push((now, event));
        }
        if event == Event::Complete && node.completed.is_none() {
            node.completed = Some(now);
            self.awaited -= 1;
            if let WhenDone::Leaves(after) = node.spec.when_done {
                let life = node.life;
                self.cause(after, Happening::Leave { node: id, life });
            }
        }
    }

    fn send(&mut self, id: NodeId, peer: PeerKey, mut message: Message) {
        if self.nodes[id.0].spec.conduct == Conduct::FalseProofs
            && let Message::Hashes { hashes, .. } = &mut message
        {
            hashes.iter_mut().for_each(|hash| hash.0[0] ^= 1);
        }
        self.encoded.clear();
        wire::encode(&message, &mut self.encoded);
        for at in (0..self.encoded.len()).step_by(8) {
            let word = self.encoded[at..].iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.record(word);
        }
        let forbidden =
            self.nodes[id.0].spec.conduct == Conduct::ChokesForever && matches!(message, Message::Unchoke);
        if !forbidden {
            self.carry(peer, message, self.encoded.len() as u64);
        }
    }

    /// What the writer does with a block it is to send depends on whose writer it is.
    fn send_block(&mut self, id: NodeId, peer: PeerKey, block: BlockRange) {
        let BlockRange { piece, begin, length } = block;
        match self.nodes[id.0].spec.conduct {
            Conduct::Silent => {}
            Conduct::ClaimsAll => {
                self.carry(peer, Message::Reject { index: piece, begin, length }, 17);
                self.tell(id, Input::BlockSent { peer, piece, begin, length, wire: length });
            }
            Conduct::Trickles => {
                let data = Content::block(length, true);
                let left_after = Duration::from_secs(u64::from(length));
                let message = Message::Piece { index: piece, begin, data };
                self.cause(left_after, Happening::Deliver { to: transport::other(peer), message });
            }
            Conduct::Honest
            | Conduct::FalseBlocks
            | Conduct::TrueThenFalse { .. }
            | Conduct::OneFalseOf { .. }
            | Conduct::FalseProofs
            | Conduct::ChokesForever => self.write(peer, block),
        }
    }

    fn cancel_block(&mut self, id: NodeId, peer: PeerKey, block: BlockRange) {
        if self.ends[peer.0 as usize].flow.cancel(block) {
            let BlockRange { piece, begin, length } = block;
            self.tell(id, Input::BlockDropped { peer, piece, begin, length });
        }
    }

    /// Writes a block, or fails to: a full disk, a failing one, one that garbles.
    fn store(&mut self, id: NodeId, piece: u32, block: u32, data: &[u8]) {
        let length = data.len() as u64;
        let node = &mut self.nodes[id.0];
        let disk = node.spec.disk;
        if let Some(micros) = (length * 1_000_000).checked_div(disk.bytes_per_second) {
            node.disk_free_at = node.disk_free_at.max(self.now) + Duration::from_micros(micros);
        }
        let done_at = node.disk_free_at.max(self.now) + disk.write_time;
        let full = disk.full_after.is_some_and(|room| node.disk_bytes + length > room);
        let (life, fails) = (node.life, full || chance(&mut self.rng, disk.failing));
        let input = if fails {
            Input::StoreFailed { piece, block }
        } else {
            node.disk_bytes += length;
            let garbled = chance(&mut self.rng, disk.garbling);
            let leaf = self.content.leaf_of(piece, block, data, garbled);
            Input::BlockStored { piece, block, leaf }
        };
        self.cause_at(done_at, Happening::Handle { node: id, life, input });
    }

    fn fetch(&mut self, id: NodeId, fetch: u64, piece: u32, blocks: std::ops::Range<u32>) {
        let (now, delay) = (self.now, self.nodes[id.0].spec.delay);
        let taken = self.origin.as_mut().is_some_and(|origin| origin.ask(id, fetch, piece, blocks));
        if !taken {
            let input = Input::OriginFailed { fetch, retry_after: None, permanent: false };
            return self.tell_after(REFUSED_AFTER, id, input);
        }
        let left_at = self.nodes[id.0].up.pass_bytes(now, FETCH_BYTES);
        if let Some(origin) = &mut self.origin
            && !origin.is_serving
        {
            origin.is_serving = true;
            let there = left_at + origin.delay + delay;
            self.cause_at(there, Happening::OriginServes);
        }
    }

    fn origin_serves(&mut self) {
        let Some(origin) = &mut self.origin else { return };
        let Some((id, fetch, piece, block, left_at)) = origin.serve(self.now, &self.content.layout) else {
            origin.is_serving = false;
            return;
        };
        let round_trip = (origin.delay + self.nodes[id.0].spec.delay) * 2;
        let length = self.content.layout.block_length(piece, block);
        let node = &mut self.nodes[id.0];
        let mut arrives = node.down.pass(left_at + round_trip / 2, u64::from(length));
        node.up.acknowledge(u64::from(length));
        if transport::loses(&mut self.rng, node.spec.loss, u64::from(length)) {
            arrives = arrives + round_trip;
        }
        let (life, data) = (node.life, Content::block(length, true));
        self.cause_at(left_at, Happening::OriginServes);
        let input = Input::OriginBlock { fetch, block, data };
        self.cause_at(arrives, Happening::Handle { node: id, life, input });
    }
}

/// Whether a thing of this chance, 0 to 1, happens. What never happens takes nothing from the dice.
pub(super) fn chance(rng: &mut Rng, chance: f64) -> bool {
    chance > 0.0 && rng.f64() < chance
}
