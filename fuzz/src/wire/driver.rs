//! What stands around the swarm: strangers, an honest player, an origin and a disk, and the eyes on what it does.

use crate::{
    goods::{BLOCK, GOODS},
    input::Input,
};
use bytes::Bytes;
use release::{hash::Hash32, layout::PieceLayers, merkle};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::Duration,
};
use swarm::{
    Bitfield, Class, Config, Event, Input as Said, Output, PeerKey, PeerSource, Swarm, Time, Via,
    wire::{Decoder, Message, RESERVED},
};

/// The places of two strangers; who hangs up and comes again is somebody else.
pub(super) const STRANGERS: [PeerKey; 2] = [PeerKey(1), PeerKey(2)];
const HONEST: PeerKey = PeerKey(3);
/// Outputs for one input, and in one run, beyond which something runs away.
const OUTPUTS_MAX: usize = 20_000;
/// Blocks stored in one run at most: hashing is what takes time.
const STORED_MAX: u32 = 120;

pub(super) struct Driver {
    swarm: Swarm,
    now: Time,
    /// By place: the connection's number and what came on it.
    open: BTreeMap<PeerKey, (PeerKey, Decoder)>,
    next_key: u64,
    /// Requests that were said to each place and not served.
    asked: BTreeMap<PeerKey, VecDeque<(u32, u32, u32)>>,
    /// What the disk holds of each block.
    disk: BTreeMap<(u32, u32), Hash32>,
    fetches: BTreeMap<u64, (u32, std::ops::Range<u32>)>,
    /// Connections that sent nothing but what is true.
    honest: BTreeSet<SocketAddr>,
    stored: u32,
    outputs: usize,
    splits: bool,
}

impl Driver {
    pub(super) fn new(input: &mut Input<'_>) -> Self {
        let choices = input.byte();
        let pieces = GOODS.layout.piece_count();
        let have = match choices & 3 {
            0 => Bitfield::empty(pieces),
            1 => Bitfield::full(pieces),
            _ => {
                let mut some = Bitfield::empty(pieces);
                (0..pieces).filter(|piece| piece % 2 == 0).for_each(|piece| {
                    some.set(piece);
                });
                some
            }
        };
        let mut disk = BTreeMap::new();
        for piece in have.iter() {
            for block in 0..GOODS.layout.block_count(piece) {
                disk.insert((piece, block), merkle::leaf(&GOODS.block(piece, block)));
            }
        }
        let layers = if choices & 4 == 0 { GOODS.layers.clone() } else { PieceLayers::default() };
        let config = Config { peer_id: [9; 20], compression: choices & 8 != 0, ..Config::default() };
        let swarm = Swarm::new(config, GOODS.layout.clone(), layers, have, 1);
        let mut driver = Self {
            swarm,
            now: Time::from_secs(1),
            open: BTreeMap::new(),
            next_key: 10,
            asked: BTreeMap::new(),
            disk,
            fetches: BTreeMap::new(),
            honest: BTreeSet::new(),
            stored: 0,
            outputs: 0,
            splits: choices & 64 != 0,
        };
        driver.give(Said::SetOrigin { available: choices & 16 != 0 });
        for place in STRANGERS {
            driver.connect(place, input);
        }
        if choices & 32 != 0 {
            driver.let_in(HONEST, false, RESERVED, 77);
            driver.hear_message(HONEST, Message::HaveAll);
        }
        driver
    }

    pub(super) fn goes_on(&self) -> bool {
        self.stored < STORED_MAX && self.outputs < OUTPUTS_MAX
    }

    /// A stranger opens a connection, or is reached.
    pub(super) fn connect(&mut self, place: PeerKey, input: &mut Input<'_>) {
        let how = input.byte();
        let mut reserved = RESERVED;
        if how & 2 != 0 {
            reserved = input.array();
        }
        self.let_in(place, how & 1 != 0, reserved, how >> 2);
    }

    fn let_in(&mut self, place: PeerKey, outgoing: bool, reserved: [u8; 8], id: u8) {
        self.hang_up(place);
        let peer = PeerKey(self.next_key);
        self.next_key += 1;
        let addr = SocketAddr::from(([192, 0, 2, place.0 as u8 * 16 + id % 16], 6881));
        if place == HONEST {
            self.honest.insert(addr);
        }
        self.open.insert(place, (peer, Decoder::new(GOODS.layout.piece_count())));
        self.asked.insert(place, VecDeque::new());
        let (class, via, peer_id) = (Class::Internet, Via::OWN, [id.max(1); 20]);
        self.give(Said::PeerConnected { peer, addr, via, outgoing, class, peer_id, reserved });
    }

    pub(super) fn hang_up(&mut self, place: PeerKey) {
        if let Some((peer, _)) = self.open.remove(&place) {
            self.give(Said::PeerClosed { peer });
        }
    }

    /// Bytes come from a stranger, whole or one by one.
    pub(super) fn hear(&mut self, place: PeerKey, bytes: &[u8]) {
        let portion = if self.splits { 7 } else { bytes.len().max(1) };
        for part in bytes.chunks(portion) {
            let Some((peer, decoder)) = self.open.get_mut(&place) else { return };
            let (peer, mut messages) = (*peer, Vec::new());
            decoder.feed(part);
            let broken = loop {
                match decoder.next() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break false,
                    Err(_) => break true,
                }
            };
            assert!(decoder.buffer().len() < 512 * 1024, "what waits is one frame at most");
            for message in messages {
                if self.open.get(&place).is_some_and(|(now, _)| *now == peer) && self.goes_on() {
                    self.give(Said::Received { peer, message });
                }
            }
            if broken {
                self.hang_up(place);
            }
        }
    }

    fn hear_message(&mut self, place: PeerKey, message: Message) {
        if let Some((peer, _)) = self.open.get(&place) {
            self.give(Said::Received { peer: *peer, message });
        }
    }

    /// A block comes from a stranger, asked for or not.
    pub(super) fn hear_block(&mut self, place: PeerKey, piece: u32, block: u32, is_true: bool) {
        let mut data = GOODS.block(piece, block).to_vec();
        if let Some(first) = data.first_mut().filter(|_| !is_true) {
            *first ^= 1;
        }
        let begin = block * BLOCK;
        self.hear_message(place, Message::Piece { index: piece, begin, data: data.into() });
    }

    /// Some of what was asked of a stranger comes, true.
    pub(super) fn serve_what_was_asked(&mut self, place: PeerKey, most: u8) {
        for _ in 0..most % 24 {
            let asked = self.asked.get_mut(&place).and_then(VecDeque::pop_front);
            let Some((index, begin, _)) = asked else { return };
            let data = GOODS.block(index, begin / BLOCK);
            self.hear_message(place, Message::Piece { index, begin, data });
        }
    }

    pub(super) fn honest_turn(&mut self, choice: u8) {
        match choice % 4 {
            0 => self.hear_message(HONEST, Message::Unchoke),
            1 => self.hear_message(HONEST, Message::Interested),
            _ => self.serve_what_was_asked(HONEST, choice),
        }
    }

    pub(super) fn later(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
        self.give(Said::Tick);
        if let Some(deadline) = self.swarm.deadline() {
            assert!(deadline > self.now, "woken in the past");
        }
    }

    /// Something of our own side's.
    pub(super) fn happen(&mut self, input: &mut Input<'_>) {
        let (what, number) = (input.byte(), input.byte());
        let piece = u32::from(number) % GOODS.layout.piece_count();
        match what % 10 {
            // Only what was verified can be lost.
            0 if !self.swarm.have().get(piece) => {}
            0 => {
                self.disk.retain(|(of, _), _| *of != piece);
                self.give(Said::PiecesLost { pieces: vec![piece] });
            }
            1 => self.give(Said::SetUpload { enabled: number & 1 == 0 }),
            2 => self.give(Said::SetDownload { enabled: number & 1 == 0 }),
            3 => self.give(Said::SetAhead {
                class: Class::Internet,
                bytes: Some(number.into()),
                cap: Some(u64::from(number) * 1000),
            }),
            4 => {
                let addrs = input.stretch().as_chunks::<6>().0.iter().map(|[a, b, c, d, port @ ..]| {
                    SocketAddr::from(([*a, *b, *c, *d], u16::from_be_bytes(*port)))
                });
                self.give(Said::PeersFound {
                    addrs: addrs.collect(),
                    source: PeerSource::Tracker,
                    via: Via::OWN,
                });
            }
            5 => self.give(Said::SetFirst { order: vec![piece, u32::from(what)] }),
            6 => {
                let unwanted = Bitfield::from_bytes(&[number & 0xfe], GOODS.layout.piece_count());
                self.give(Said::SetUnwanted { unwanted: unwanted.unwrap_or(Bitfield::empty(3)) });
            }
            7 => self.origin_answers(false, number),
            8 => self.give(Said::Crowd { players: number.into() }),
            _ => self.origin_answers(true, number),
        }
    }

    fn origin_answers(&mut self, gives: bool, number: u8) {
        let Some((fetch, (piece, blocks))) = self.fetches.pop_first() else { return };
        if !gives {
            let retry_after = (number & 1 == 0).then(|| Duration::from_secs(number.into()));
            return self.give(Said::OriginFailed { fetch, retry_after, permanent: number & 2 != 0 });
        }
        for block in blocks {
            self.give(Said::OriginBlock { fetch, block, data: GOODS.block(piece, block) });
        }
    }

    /// Nothing more comes; the core comes to rest.
    pub(super) fn settle(&mut self) {
        for _ in 0..3 {
            self.later(30_000);
        }
        STRANGERS.into_iter().for_each(|place| self.hang_up(place));
    }

    fn give(&mut self, input: Said) {
        let mut todo = VecDeque::from([input]);
        let mut steps = 0;
        while let Some(input) = todo.pop_front() {
            self.swarm.handle(self.now, input);
            while let Some(output) = self.swarm.poll() {
                steps += 1;
                assert!(steps < OUTPUTS_MAX, "no end of outputs: {output:?}");
                todo.extend(self.act(output));
            }
        }
        self.outputs += steps;
    }

    fn place(&self, peer: PeerKey) -> PeerKey {
        let place = self.open.iter().find(|(_, (open, _))| *open == peer).map(|(place, _)| *place);
        place.expect("whoever is spoken to is there")
    }

    fn act(&mut self, output: Output) -> Vec<Said> {
        match output {
            Output::Send { peer, message } => {
                let place = self.place(peer);
                if let Message::Request { index, begin, length } = message {
                    assert_eq!(
                        length,
                        GOODS.layout.block_length(index, begin / BLOCK),
                        "whole blocks are asked for"
                    );
                    self.asked.entry(place).or_default().push_back((index, begin, length));
                }
                Vec::new()
            }
            Output::SendBlock { peer, piece, begin, length } => {
                self.may_read(peer, piece, begin, length);
                vec![Said::BlockSent { peer, piece, begin, length, wire: length + 13 }]
            }
            Output::SendRun { peer, blocks, .. } => {
                let sent = |block: &swarm::Block| {
                    self.may_read(peer, block.piece, block.begin, block.length);
                    let (piece, begin, length) = (block.piece, block.begin, block.length);
                    Said::BlockSent { peer, piece, begin, length, wire: length }
                };
                blocks.iter().map(sent).collect()
            }
            Output::CancelBlock { .. } | Output::CancelOrigin { .. } | Output::Event(Event::Complete) => {
                Vec::new()
            }
            Output::Close { peer, .. } => {
                let place = self.place(peer);
                self.open.remove(&place);
                vec![Said::PeerClosed { peer }]
            }
            Output::Connect { addr, .. } => vec![Said::ConnectFailed { addr }],
            Output::StoreBlock { piece, block, data } => vec![self.store(piece, block, &data)],
            Output::StorePacked { peer, blocks, data, .. } => self.unpack(peer, &blocks, &data),
            Output::ReadLeaves { piece } => {
                let leaves =
                    (0..GOODS.layout.block_count(piece)).map(|block| self.disk.get(&(piece, block)).copied());
                vec![Said::PieceLeaves { piece, leaves: leaves.collect() }]
            }
            Output::FetchOrigin { fetch, piece, blocks } => {
                assert!(blocks.end <= GOODS.layout.block_count(piece), "blocks that there are");
                self.fetches.insert(fetch, (piece, blocks));
                Vec::new()
            }
            Output::Event(event) => {
                self.see(event);
                Vec::new()
            }
        }
    }

    fn may_read(&self, peer: PeerKey, piece: u32, begin: u32, length: u32) {
        self.place(peer);
        assert!(self.swarm.have().get(piece), "piece {piece} is read for a peer and not verified");
        let end = begin.checked_add(length).expect("no overflow");
        assert!(length > 0 && length <= BLOCK && end <= GOODS.layout.piece_bytes(piece), "{begin}+{length}");
    }

    fn store(&mut self, piece: u32, block: u32, data: &Bytes) -> Said {
        assert_eq!(data.len() as u32, GOODS.layout.block_length(piece, block), "a block has its length");
        self.stored += 1;
        let leaf = merkle::leaf(data);
        self.disk.insert((piece, block), leaf);
        Said::BlockStored { piece, block, leaf }
    }

    /// As the engine does: exactly the bytes of the blocks, or false.
    fn unpack(&mut self, peer: PeerKey, blocks: &[swarm::PackedBlock], data: &Bytes) -> Vec<Said> {
        let length: usize = blocks.iter().map(|block| block.length as usize).sum();
        assert!(length <= swarm::wire::PACKED_CONTENT_MAX as usize, "what is unpacked is bounded");
        let wanted =
            blocks.iter().filter(|block| block.wanted).map(|block| (block.piece, block.block)).collect();
        let Ok(plain) = zstd::bulk::decompress(data, length) else {
            return vec![Said::PackedFalse { peer, blocks: wanted }];
        };
        if plain.len() != length {
            return vec![Said::PackedFalse { peer, blocks: wanted }];
        }
        let (mut plain, mut said) = (Bytes::from(plain), Vec::new());
        for block in blocks {
            let bytes = plain.split_to(block.length as usize);
            if block.wanted {
                said.push(self.store(block.piece, block.block, &bytes));
            }
        }
        said
    }

    fn see(&self, event: Event) {
        match event {
            Event::PieceVerified { piece } => {
                for block in 0..GOODS.layout.block_count(piece) {
                    let is = self.disk.get(&(piece, block)).copied();
                    assert_eq!(
                        is,
                        Some(merkle::leaf(&GOODS.block(piece, block))),
                        "piece {piece}, block {block}"
                    );
                }
            }
            Event::PeerBanned { addr } => assert!(!self.honest.contains(&addr), "an honest player is banned"),
            _ => {}
        }
    }
}
