//! A download that our own cap slows: what is owed is bounded and owed in turn, and nobody is taken for slow.
//! Time is virtual; the world is one queue that lets a block pass every quarter of a second.
#![expect(clippy::unwrap_used, reason = "a failed expectation ends the test")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use release::layout::{FileEntry, Layout, PieceLayers};
use release::merkle;
use release::path::GamePath;
use swarm::wire::{Message, RESERVED};
use swarm::{Bitfield, Class, Config, Input, Output, PeerKey, Swarm, Time, Via};

const BLOCK: u32 = 16 * 1024;
const PIECE: u32 = 4 * BLOCK;
const PIECES: u32 = 40;
const BLOCKS: u64 = 4 * PIECES as u64;
/// At 64 KiB/s.
const BLOCK_TIME: Duration = Duration::from_millis(250);
const PEERS: u64 = 20;

/// A swarm, seeds, and the cap that all their blocks have to pass.
struct World {
    swarm: Swarm,
    now: Time,
    line: VecDeque<(PeerKey, u32, u32)>,
    /// This one sends nothing of what it is asked for.
    silent: Option<PeerKey>,
    gave: BTreeMap<PeerKey, u64>,
    cancels: usize,
    owed_most: usize,
    data: Bytes,
}

impl World {
    /// All peers have everything, and serve us.
    fn new(ahead: Option<u64>, silent: Option<PeerKey>) -> Self {
        let data = Bytes::from(vec![7; BLOCK as usize]);
        let piece = merkle::root(&[merkle::leaf(&data); 4], 4);
        let layer = vec![piece; PIECES as usize];
        let root = merkle::pieces_root_of_layer(&layer, PIECE);
        let (path, length) = (GamePath::parse("game.bin").unwrap(), u64::from(PIECE * PIECES));
        let file = FileEntry { path, length, pieces_root: Some(root), executable: false };
        let layout = Layout::new(PIECE, vec![file]).unwrap();
        let mut layers = PieceLayers::default();
        layers.insert(&layout, 0, layer).unwrap();
        let config = Config { peer_id: [255; 20], ..Config::default() };
        let swarm = Swarm::new(config, Arc::new(layout), layers, Bitfield::empty(PIECES), 1);
        let mut world = Self {
            swarm,
            now: Time::from_secs(1),
            line: VecDeque::new(),
            silent,
            gave: BTreeMap::new(),
            cancels: 0,
            owed_most: 0,
            data,
        };
        world.give(Input::SetAhead { class: Class::Internet, bytes: ahead, cap: None });
        for peer in 1..=PEERS {
            let (peer, addr) = (PeerKey(peer), format!("192.0.{peer}.2:6881").parse().unwrap());
            let (peer_id, outgoing) = ([peer.0 as u8; 20], true);
            let (class, via, reserved) = (Class::Internet, Via::OWN, RESERVED);
            world.give(Input::PeerConnected { peer, addr, via, outgoing, class, peer_id, reserved });
            world.give(Input::Received { peer, message: Message::HaveAll });
            world.give(Input::Received { peer, message: Message::Unchoke });
        }
        world
    }

    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.swarm.handle(self.now, input);
            while let Some(output) = self.swarm.poll() {
                inputs.extend(self.perform(output));
            }
        }
        self.owed_most = self.owed_most.max(self.line.len());
    }

    fn perform(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { peer, message: Message::Request { index, begin, .. } } => {
                self.line.push_back((peer, index, begin));
                None
            }
            Output::Send { peer, message: Message::Cancel { index, begin, length } } => {
                self.cancels += 1;
                self.line.retain(|asked| *asked != (peer, index, begin));
                let message = Message::Reject { index, begin, length };
                Some(Input::Received { peer, message })
            }
            Output::StoreBlock { piece, block, data } => {
                Some(Input::BlockStored { piece, block, leaf: merkle::leaf(&data) })
            }
            _ => None,
        }
    }

    /// Lets a block pass every quarter of a second until everything is there; how many seconds that took.
    fn run(&mut self) -> u64 {
        let began = self.now;
        while !self.swarm.is_complete() {
            assert!(self.now.since(began).as_secs() < 1_000, "{} pieces missing", self.missing());
            self.now = self.now + BLOCK_TIME;
            if let Some(at) = self.line.iter().position(|(peer, ..)| Some(*peer) != self.silent) {
                let (peer, index, begin) = self.line.remove(at).unwrap();
                *self.gave.entry(peer).or_default() += 1;
                let message = Message::Piece { index, begin, data: self.data.clone() };
                self.give(Input::Received { peer, message });
            }
            self.give(Input::Tick);
        }
        self.now.since(began).as_secs()
    }

    fn missing(&self) -> u32 {
        let stats = self.swarm.stats(self.now);
        stats.pieces_total - stats.pieces_have
    }

    fn wasted(&self) -> u64 {
        self.swarm.stats(self.now).wasted_bytes
    }
}

#[test]
fn few_blocks_are_owed_however_many_peers_there_are_and_they_owe_them_in_turn() {
    let mut world = World::new(Some(6 * u64::from(BLOCK)), None);
    let took = world.run();
    assert_eq!(world.owed_most, 6, "so many blocks at most were to be owed");
    assert_eq!((world.cancels, world.wasted()), (0, 0));
    assert!(took <= BLOCKS / 4 + 1, "the line stood idle: {took} s");
    let (least, most) = (world.gave.values().min(), world.gave.values().max());
    assert!(
        world.gave.len() as u64 == PEERS && most <= least.map(|least| least + 8).as_ref(),
        "{:?}",
        world.gave
    );
}

#[test]
fn under_a_very_low_cap_one_peer_gives_all_and_who_falls_silent_is_left() {
    let mut world = World::new(Some(1), None);
    let took = world.run();
    assert_eq!((world.owed_most, world.gave.len(), world.cancels), (2, 1, 0));
    assert!(took <= BLOCKS / 4 + 1, "the line stood idle: {took} s");
    let mut world = World::new(Some(1), Some(PeerKey(1)));
    let took = world.run();
    assert!(took <= BLOCKS / 4 + 30, "{took} s");
}

#[test]
fn a_bound_that_is_lifted_leaves_everything_to_the_windows() {
    let mut world = World::new(Some(40_000), None);
    world.give(Input::SetAhead { class: Class::Internet, bytes: None, cap: None });
    assert!(world.owed_most as u64 > PEERS, "{} owed", world.owed_most);
    world.run();
}

/// Everybody makes us wait for many seconds, because together they may send no faster.
#[test]
fn whom_our_own_cap_slows_nothing_is_taken_from() {
    let mut world = World::new(Some(u64::from(BLOCK) * 2 * PEERS), None);
    let took = world.run();
    assert!(world.owed_most as u64 > PEERS, "{} owed", world.owed_most);
    assert_eq!((world.cancels, world.wasted()), (0, 0));
    assert!(took <= BLOCKS / 4 + 1, "{took} s");
}

/// One that gives nothing is slow by itself: long before it is snubbed its blocks are given to others.
#[test]
fn who_is_slow_by_itself_is_found_out_under_a_cap_too() {
    let mut world = World::new(Some(u64::from(BLOCK) * 2 * PEERS), Some(PeerKey(3)));
    world.now = Time::from_secs(1);
    let took = world.run();
    assert!(world.cancels > 0 && !world.gave.contains_key(&PeerKey(3)));
    assert!(took <= BLOCKS / 4 + 12, "{took} s");
}
