//! A swarm that is told what happens, and small content for it.

use bytes::Bytes;
use release::hash::Hash32;
use release::layout::{FileEntry, Layout, PieceLayers};
use release::merkle;
use release::path::GamePath;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use swarm::wire::{Message, RESERVED};
use swarm::{Bitfield, Class, CloseReason, Config, Input, Output, PeerKey, Swarm, Time, Via};

pub(crate) const BLOCK: u32 = 16 * 1024;
pub(crate) const PIECE: u32 = 4 * BLOCK;
pub(crate) const PIECES: u32 = 6;
pub(crate) const PEER: PeerKey = PeerKey(1);
pub(crate) const OTHER: PeerKey = PeerKey(2);

/// One file of five and a half pieces; block `n` is filled with `n`.
pub(crate) struct Content {
    pub(crate) layout: Arc<Layout>,
    pub(crate) layers: PieceLayers,
    pub(crate) leaves: Vec<Hash32>,
    pub(crate) root: Hash32,
}

pub(crate) fn block_data(piece: u32, block: u32) -> Bytes {
    Bytes::from(vec![(piece * 4 + block) as u8; BLOCK as usize])
}

pub(crate) fn content() -> Content {
    let leaves: Vec<Hash32> = (0..22).map(|n| merkle::leaf(&block_data(n / 4, n % 4))).collect();
    let layer: Vec<Hash32> = leaves.chunks(4).map(|piece| merkle::root(piece, 4)).collect();
    let root = merkle::pieces_root_of_layer(&layer, PIECE);
    let path = GamePath::parse("game.bin").unwrap();
    let length = u64::from(BLOCK) * 22;
    let file = FileEntry { path, length, pieces_root: Some(root), executable: false };
    let layout = Layout::new(PIECE, vec![file]).unwrap();
    let mut layers = PieceLayers::default();
    layers.insert(&layout, 0, layer).unwrap();
    Content { layout: Arc::new(layout), layers, leaves, root }
}

pub(crate) struct Driver {
    pub(crate) swarm: Swarm,
    pub(crate) now: Time,
}

impl Driver {
    pub(crate) fn new(have: Bitfield) -> Self {
        let content = content();
        let config = Config { peer_id: [5; 20], ..Config::default() };
        Self { swarm: Swarm::new(config, content.layout, content.layers, have, 1), now: Time::from_secs(1) }
    }

    /// One whose driver can pack.
    pub(crate) fn packing(have: Bitfield) -> Self {
        let content = content();
        let config = Config { peer_id: [5; 20], compression: true, ..Config::default() };
        Self { swarm: Swarm::new(config, content.layout, content.layers, have, 1), now: Time::from_secs(1) }
    }

    pub(crate) fn seeding() -> Self {
        Self::new(Bitfield::full(PIECES))
    }

    pub(crate) fn give(&mut self, input: Input) -> Vec<Output> {
        self.swarm.handle(self.now, input);
        std::iter::from_fn(|| self.swarm.poll()).collect()
    }

    pub(crate) fn hear(&mut self, peer: PeerKey, message: Message) -> Vec<Output> {
        self.give(Input::Received { peer, message })
    }

    pub(crate) fn later(&mut self, seconds: u64) -> Vec<Output> {
        self.now = self.now + Duration::from_secs(seconds);
        self.give(Input::Tick)
    }

    pub(crate) fn connect(&mut self, peer: PeerKey, reserved: [u8; 8]) -> Vec<Output> {
        self.connect_as(peer, [peer.0 as u8; 20], false, reserved)
    }

    pub(crate) fn connect_as(
        &mut self,
        peer: PeerKey,
        peer_id: [u8; 20],
        outgoing: bool,
        reserved: [u8; 8],
    ) -> Vec<Output> {
        self.connect_from(
            format!("192.0.2.{}:6881", peer.0).parse().unwrap(),
            peer,
            peer_id,
            outgoing,
            reserved,
        )
    }

    pub(crate) fn connect_from(
        &mut self,
        addr: SocketAddr,
        peer: PeerKey,
        peer_id: [u8; 20],
        outgoing: bool,
        reserved: [u8; 8],
    ) -> Vec<Output> {
        let (class, via) = (Class::Internet, Via::OWN);
        self.give(Input::PeerConnected { peer, addr, via, outgoing, class, peer_id, reserved })
    }

    /// A peer that is interested and has a slot.
    pub(crate) fn served(&mut self, peer: PeerKey) {
        self.connect(peer, RESERVED);
        let said = self.hear(peer, Message::Interested);
        assert!(messages(&said, peer).contains(&Message::Unchoke));
    }
}

pub(crate) fn messages(outputs: &[Output], to: PeerKey) -> Vec<Message> {
    let said = |output: &Output| match output {
        Output::Send { peer, message } if *peer == to => Some(message.clone()),
        _ => None,
    };
    outputs.iter().filter_map(said).collect()
}

pub(crate) fn closed(outputs: &[Output], reason: CloseReason) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Close { reason: why, .. } if *why == reason))
}

pub(crate) fn request(index: u32, begin: u32, length: u32) -> Message {
    Message::Request { index, begin, length }
}

/// Gives every request in `outputs` to the swarm as stored blocks; `false_block` is false.
pub(crate) fn deliver(
    driver: &mut Driver,
    outputs: Vec<Output>,
    false_block: Option<(u32, u32)>,
) -> Vec<Output> {
    let mut all = Vec::new();
    let mut todo = outputs;
    while !todo.is_empty() {
        let mut next = Vec::new();
        for output in &todo {
            let Output::Send { peer, message: Message::Request { index, begin, .. } } = *output else {
                continue;
            };
            let block = begin / BLOCK;
            let data = if false_block == Some((index, block)) {
                Bytes::from(vec![99; BLOCK as usize])
            } else {
                block_data(index, block)
            };
            let leaf = merkle::leaf(&data);
            next.extend(driver.hear(peer, Message::Piece { index, begin, data }));
            next.extend(driver.give(Input::BlockStored { piece: index, block, leaf }));
        }
        all.extend(todo);
        todo = next;
    }
    all
}

pub(crate) fn bits(pieces: &[u32]) -> Bitfield {
    let mut bits = Bitfield::empty(PIECES);
    pieces.iter().for_each(|piece| {
        bits.set(*piece);
    });
    bits
}
