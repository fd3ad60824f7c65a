//! Hash requests (BEP 52): piece layers we lack, leaves that name a liar, and what others ask of us.
//!
//! Invariant: no node is believed before it leads to the file's pieces root (layers) or to the piece's hash (leaves).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use release::hash::Hash32;
use release::layout::{Layout, PieceLayers};
use release::merkle::{self, Tree};

use crate::partial::Stage;
use crate::peer::HASH_REJECTS_MAX;
use crate::swarm::Swarm;
use crate::wire::{HashRange, Message};
use crate::{CloseReason, Event, PeerKey};

mod serve;

/// Piece layer nodes of one request, as libtorrent asks.
const LAYER_CHUNK: u32 = 512;
/// Hash requests under way, to all peers and to one.
const OUT_MAX: usize = 32;
const OUT_PER_PEER_MAX: usize = 4;
/// A hash request older than this is asked of another peer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Peers asked for the leaves of a false piece.
const BLAME_PEERS_MAX: usize = 4;
/// Leaves of verified pieces that are remembered, for peers who ask (32 bytes each).
const LEAVES_REMEMBERED_MAX: usize = 65_536;

/// What is known and awaited of merkle trees.
#[derive(Debug)]
pub(crate) struct Hashes {
    file_by_root: BTreeMap<Hash32, usize>,
    /// Files whose piece layer is missing.
    missing: BTreeMap<usize, MissingLayer>,
    leaves: BTreeMap<u32, Vec<Hash32>>,
    leaf_order: VecDeque<u32>,
    leaf_count: usize,
    /// Requests that wait for the driver to read leaves.
    waiting: Vec<(PeerKey, HashRange, u32)>,
    /// Trees over the layers of the files that were asked for last, the latest at the end.
    trees: Vec<(usize, Tree)>,
}

/// A piece layer that comes in parts.
#[derive(Debug)]
struct MissingLayer {
    /// Nodes of the whole layer, padding included.
    nodes: u32,
    /// The parts that came, by their first node.
    parts: BTreeMap<u32, Vec<Hash32>>,
    /// First nodes of the parts that did not come and that nobody is asked for.
    unasked: BTreeSet<u32>,
}

impl MissingLayer {
    fn new(pieces: usize) -> Self {
        let nodes = (pieces as u32).next_power_of_two();
        let step = nodes.min(LAYER_CHUNK);
        Self { nodes, parts: BTreeMap::new(), unasked: (0..nodes).step_by(step as usize).collect() }
    }

    fn part_length(&self) -> u32 {
        self.nodes.min(LAYER_CHUNK)
    }

    fn is_whole(&self) -> bool {
        self.parts.len() as u32 * self.part_length() >= self.nodes
    }
}

impl Hashes {
    pub(crate) fn new(layout: &Layout, layers: &PieceLayers) -> Self {
        let roots = layout.files().iter().enumerate();
        let file_by_root: BTreeMap<Hash32, usize> =
            roots.rev().filter_map(|(at, file)| Some((file.pieces_root?, at))).collect();
        let lacks = |file: &usize| {
            let root = layout.files()[*file].pieces_root;
            // Files with the same content have one layer, asked for once.
            let is_first = root.and_then(|root| file_by_root.get(&root)) == Some(file);
            is_first && layout.has_layer(*file) && root.is_some_and(|root| layers.layer(&root).is_none())
        };
        let layer = |file: usize| (file, MissingLayer::new(layout.pieces_of(file).len()));
        let missing = (0..layout.files().len()).filter(lacks).map(layer).collect();
        Self {
            file_by_root,
            missing,
            leaves: BTreeMap::new(),
            leaf_order: VecDeque::new(),
            leaf_count: 0,
            waiting: Vec::new(),
            trees: Vec::new(),
        }
    }

    pub(crate) fn remember_leaves(&mut self, piece: u32, leaves: Vec<Hash32>) {
        self.leaf_count += leaves.len();
        self.leaf_order.push_back(piece);
        if let Some(old) = self.leaves.insert(piece, leaves) {
            self.leaf_count -= old.len();
        }
        while self.leaf_count > LEAVES_REMEMBERED_MAX {
            let Some(oldest) = self.leaf_order.pop_front() else { return };
            self.forget_leaves(oldest);
        }
    }

    pub(crate) fn forget_leaves(&mut self, piece: u32) {
        if let Some(gone) = self.leaves.remove(&piece) {
            self.leaf_count -= gone.len();
        }
    }
}

impl Swarm {
    /// A whole piece waits for its file's layer.
    pub(crate) fn want_layer(&mut self, file: usize) {
        self.ask_for_layer(file);
    }

    pub(crate) fn check_hash_requests(&mut self) {
        let now = self.now;
        let mut late = Vec::new();
        for (key, peer) in &mut self.peers {
            let old = peer.hashes_out.iter().filter(|(_, asked)| now.since(**asked) >= PATIENCE);
            late.extend(old.map(|(range, _)| (*key, *range)));
        }
        late.into_iter().for_each(|(key, range)| self.on_hash_reject(key, range));
        let files: Vec<usize> = self.hashes.missing.keys().copied().take(OUT_MAX).collect();
        files.into_iter().for_each(|file| self.ask_for_layer(file));
        let blamed: Vec<u32> = self
            .partials
            .iter()
            .filter(|(_, partial)| matches!(partial.stage, Stage::Blaming { .. }))
            .map(|(piece, _)| *piece)
            .collect();
        blamed.into_iter().for_each(|piece| self.ask_for_blame(piece));
        if self.connections.banned_any() {
            self.ask_for_all_leaves();
        }
    }

    /// Asks for every part of a file's piece layer that did not come and is not asked for.
    fn ask_for_layer(&mut self, file: usize) {
        let Some(pieces_root) = self.layout.files()[file].pieces_root else { return };
        let base_layer = merkle::piece_height(self.layout.piece_length());
        let pieces = self.layout.pieces_of(file);
        while let Some(layer) = self.hashes.missing.get(&file) {
            let Some(index) = layer.unasked.first().copied() else { return };
            // Enough layers to reach the root; see `HashRange::uncle_count`. Parts that are padding only follow from
            // the others' proofs, but asking keeps the tree whole.
            let proof_layers = layer.nodes.ilog2().saturating_sub(1);
            let range =
                HashRange { pieces_root, base_layer, index, length: layer.part_length(), proof_layers };
            let Some(key) = self.peer_for_hashes(|peer| peer.pieces.has_any_in(pieces.clone())) else {
                return;
            };
            if let Some(layer) = self.hashes.missing.get_mut(&file) {
                layer.unasked.remove(&index);
            }
            self.ask_for_hashes(key, range);
        }
    }

    /// Asks somebody for the leaves of a false piece, or gives up and fetches it again.
    pub(crate) fn ask_for_blame(&mut self, piece: u32) {
        let Some(partial) = self.partials.get(&piece) else { return };
        let Stage::Blaming { asked: None, since, tried } = &partial.stage else { return };
        let (since, mut tried) = (*since, tried.clone());
        let candidate = if tried.len() < BLAME_PEERS_MAX {
            self.peer_for_hashes_except(|key, peer| peer.has(piece) && !tried.contains(key))
        } else {
            None
        };
        let (Some(key), Some(range)) = (candidate, self.leaf_range(piece)) else {
            let waited =
                self.now.since(since) >= PATIENCE || !tried.is_empty() || self.nobody_else_has(piece);
            if waited {
                self.refetch_from_one(piece);
            }
            return;
        };
        tried.insert(key);
        if let Some(partial) = self.partials.get_mut(&piece) {
            partial.stage = Stage::Blaming { asked: Some(key), since, tried };
        }
        self.ask_for_hashes(key, range);
    }

    fn nobody_else_has(&self, piece: u32) -> bool {
        !self.peers.values().any(|peer| peer.has(piece))
    }

    /// The leaves under a piece's hash.
    pub(crate) fn leaf_range(&self, piece: u32) -> Option<HashRange> {
        let file = self.layout.piece(piece).file;
        let pieces_root = self.layout.files()[file].pieces_root?;
        let length = self.layout.leaf_width(piece) as u32;
        let index = (piece - self.layout.pieces_of(file).start) * length;
        Some(HashRange { pieces_root, base_layer: 0, index, length, proof_layers: 0 })
    }

    /// The peer to ask for hashes: one that refused none, of these the one that is asked for least.
    pub(crate) fn peer_for_hashes(&self, fits: impl Fn(&crate::peer::Peer) -> bool) -> Option<PeerKey> {
        self.peer_for_hashes_except(|_, peer| fits(peer))
    }

    fn peer_for_hashes_except(&self, fits: impl Fn(&PeerKey, &crate::peer::Peer) -> bool) -> Option<PeerKey> {
        let under_way: usize = self.peers.values().map(|peer| peer.hashes_out.len()).sum();
        if under_way >= OUT_MAX {
            return None;
        }
        let usable = |peer: &crate::peer::Peer| {
            peer.may_be_asked_for_hashes() && peer.hashes_out.len() < OUT_PER_PEER_MAX
        };
        let peers = self.peers.iter().filter(|(key, peer)| usable(peer) && fits(key, peer));
        peers
            .min_by_key(|(_, peer)| (peer.hash_rejects, peer.hashes_out.len(), !peer.proven))
            .map(|(key, _)| *key)
    }

    pub(crate) fn ask_for_hashes(&mut self, key: PeerKey, range: HashRange) {
        let now = self.now;
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.hashes_out.insert(range, now);
            self.send(key, Message::HashRequest(range));
        }
    }

    pub(crate) fn on_hashes(&mut self, key: PeerKey, range: HashRange, hashes: &[Hash32]) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.hashes_out.contains_key(&range) {
            return;
        }
        if hashes.len() != range.hash_count() as usize {
            return self.close(key, CloseReason::Protocol);
        }
        let believed = match self.hashes.file_by_root.get(&range.pieces_root).copied() {
            Some(file) if self.is_layer(file, &range) => self.take_layer_part(file, &range, hashes),
            Some(file) => self.take_leaves(file, &range, hashes),
            None => false,
        };
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if believed {
            peer.hashes_out.remove(&range);
            if let Some(file) = self.hashes.file_by_root.get(&range.pieces_root).copied() {
                self.ask_for_layer(file);
            }
        } else {
            peer.hash_rejects += HASH_REJECTS_MAX;
            self.on_hash_reject(key, range);
        }
    }

    fn is_layer(&self, file: usize, range: &HashRange) -> bool {
        self.layout.has_layer(file) && range.base_layer == merkle::piece_height(self.layout.piece_length())
    }

    fn take_layer_part(&mut self, file: usize, range: &HashRange, hashes: &[Hash32]) -> bool {
        let (nodes, uncles) = hashes.split_at(range.length as usize);
        if merkle::root_of_span(nodes, range.index as usize, uncles) != range.pieces_root {
            return false;
        }
        let Some(missing) = self.hashes.missing.get_mut(&file) else { return true };
        missing.unasked.remove(&range.index);
        missing.parts.insert(range.index, nodes.to_vec());
        if !missing.is_whole() {
            return true;
        }
        let pieces = self.layout.pieces_of(file).len();
        let mut layer: Vec<Hash32> = missing.parts.values().flatten().copied().collect();
        layer.truncate(pieces);
        if self.layers.insert(&self.layout, file, layer).is_err() {
            // Every part led to the root, so the whole does; if not, all of it is asked for again.
            self.hashes.missing.insert(file, MissingLayer::new(pieces));
            return false;
        }
        self.hashes
            .missing
            .retain(|other, _| self.layout.files()[*other].pieces_root != Some(range.pieces_root));
        self.event(Event::LayerVerified { file });
        let waiting: Vec<u32> = self
            .partials
            .iter()
            .filter(|(_, partial)| partial.stage == Stage::AwaitingLayer)
            .map(|(piece, _)| *piece)
            .collect();
        waiting.into_iter().for_each(|piece| self.check_piece(piece));
        true
    }

    /// The piece whose leaves these are.
    fn piece_of_leaves(&self, file: usize, range: &HashRange) -> Option<u32> {
        self.layout.pieces_of(file).nth((range.index / range.length) as usize)
    }

    fn take_leaves(&mut self, file: usize, range: &HashRange, hashes: &[Hash32]) -> bool {
        let Some(piece) = self.piece_of_leaves(file, range) else { return false };
        let width = self.layout.leaf_width(piece);
        let hash = self.layers.piece_hash(&self.layout, piece);
        if hashes.len() != width || hash != Some(merkle::root(hashes, width)) {
            return false;
        }
        let blaming = |stage: &Stage| matches!(stage, Stage::Blaming { .. });
        let blocks = self.layout.block_count(piece) as usize;
        match self.partials.get(&piece) {
            Some(partial) if blaming(&partial.stage) => self.blame(piece, hashes[..blocks].to_vec()),
            Some(_) => self.on_leaves_proved(piece, hashes[..blocks].to_vec()),
            None => {}
        }
        true
    }

    /// A hash request was refused, or not answered in time: somebody else is asked.
    pub(crate) fn on_hash_reject(&mut self, key: PeerKey, range: HashRange) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.hashes_out.remove(&range).is_none() {
            return;
        }
        peer.hash_rejects += 1;
        self.hash_request_ended(key, range);
    }

    /// A hash request will not be answered by this peer.
    pub(crate) fn hash_request_ended(&mut self, key: PeerKey, range: HashRange) {
        let Some(file) = self.hashes.file_by_root.get(&range.pieces_root).copied() else { return };
        if self.is_layer(file, &range) {
            if let Some(missing) = self.hashes.missing.get_mut(&file)
                && !missing.parts.contains_key(&range.index)
            {
                missing.unasked.insert(range.index);
            }
            return self.ask_for_layer(file);
        }
        if let Some(piece) = self.piece_of_leaves(file, &range)
            && let Some(partial) = self.partials.get_mut(&piece)
        {
            partial.leaves_asked = false;
        }
        let waiting: Vec<u32> = self
            .partials
            .iter_mut()
            .filter_map(|(piece, partial)| match &mut partial.stage {
                Stage::Blaming { asked, .. } if *asked == Some(key) => {
                    *asked = None;
                    Some(*piece)
                }
                _ => None,
            })
            .collect();
        waiting.into_iter().for_each(|piece| self.ask_for_blame(piece));
    }
}
