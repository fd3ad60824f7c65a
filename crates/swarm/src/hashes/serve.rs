//! Answering hash requests: from piece layers, and from leaves that are remembered or read again by the driver.

use release::hash::Hash32;
use release::merkle::{self, Tree};

use crate::swarm::Swarm;
use crate::wire::{HashRange, MAX_HASHES, Message};
use crate::{Output, PeerKey};

/// Requests that may wait for leaves, in all and of one peer.
const WAITING_MAX: usize = 256;
const WAITING_PER_PEER_MAX: usize = 16;
/// Trees over piece layers that are kept, and their nodes in the layer itself (64 bytes each), one tree excepted.
const TREES_MAX: usize = 8;
const TREE_NODES_MAX: usize = 128 * 1024;

/// Where the nodes asked for lie.
enum Place {
    /// In or above the piece layer of a file.
    Layer { file: usize },
    /// Beneath the hash of one piece.
    Beneath { file: usize, piece: u32 },
}

impl Swarm {
    pub(crate) fn on_hash_request(&mut self, key: PeerKey, range: HashRange) {
        let answer = match self.place(&range) {
            Some(Place::Layer { file }) => self.layer_answer(file, &range),
            Some(Place::Beneath { file, piece }) if self.hashes.leaves.contains_key(&piece) => {
                self.leaf_answer(file, piece, &range)
            }
            Some(Place::Beneath { piece, .. }) if self.may_read_leaves(key, piece) => {
                if !self.hashes.waiting.iter().any(|(_, _, waits)| *waits == piece) {
                    self.put(Output::ReadLeaves { piece });
                }
                self.hashes.waiting.push((key, range, piece));
                return;
            }
            _ => None,
        };
        self.answer(key, range, answer);
    }

    /// The driver has read the leaves of a piece, or could not.
    pub(crate) fn on_leaves(&mut self, piece: u32, leaves: Option<Vec<Hash32>>) {
        if piece >= self.have.len() {
            return;
        }
        let width = self.layout.leaf_width(piece);
        let right = |leaves: &Vec<Hash32>| {
            leaves.len() == self.layout.block_count(piece) as usize
                && self.layers.piece_hash(&self.layout, piece) == Some(merkle::root(leaves, width))
        };
        let is_garbled = leaves.as_ref().is_some_and(|leaves| !right(leaves));
        if let Some(leaves) = leaves.filter(right) {
            self.hashes.remember_leaves(piece, leaves);
        }
        let (ready, waiting) =
            std::mem::take(&mut self.hashes.waiting).into_iter().partition(|(_, _, waits)| *waits == piece);
        self.hashes.waiting = waiting;
        let ready: Vec<(PeerKey, HashRange, u32)> = ready;
        for (key, range, piece) in ready {
            let file = self.layout.piece(piece).file;
            let answer = self.leaf_answer(file, piece, &range);
            self.answer(key, range, answer);
        }
        if is_garbled {
            // The disk does not give back what was verified: who got it from us would take us for a liar.
            self.lose_piece(piece);
        }
    }

    /// A peer that left needs no answers.
    pub(crate) fn forget_hash_questions(&mut self, key: PeerKey) {
        self.hashes.waiting.retain(|(asker, _, _)| *asker != key);
    }

    fn answer(&mut self, key: PeerKey, range: HashRange, hashes: Option<Vec<Hash32>>) {
        let message = match hashes {
            Some(hashes) => Message::Hashes { range, hashes },
            None => Message::HashReject(range),
        };
        self.send(key, message);
    }

    fn may_read_leaves(&self, key: PeerKey, piece: u32) -> bool {
        let waiting = &self.hashes.waiting;
        let own = waiting.iter().filter(|(asker, _, _)| *asker == key).count();
        self.have.get(piece) && waiting.len() < WAITING_MAX && own < WAITING_PER_PEER_MAX
    }

    /// Where the range lies; `None` if it is none that BEP 52 allows.
    fn place(&self, range: &HashRange) -> Option<Place> {
        let shape = (2..=MAX_HASHES).contains(&range.length)
            && range.length.is_power_of_two()
            && range.index.is_multiple_of(range.length)
            && range.base_layer < 32
            && range.proof_layers < 32;
        let file = *self.hashes.file_by_root.get(&range.pieces_root).filter(|_| shape)?;
        let pieces = self.layout.pieces_of(file);
        let height = merkle::piece_height(self.layout.piece_length());
        if self.layout.has_layer(file) && range.base_layer >= height {
            return Some(Place::Layer { file });
        }
        let width = self.layout.leaf_width(pieces.start) as u64;
        let (first, end) =
            (u64::from(range.index) << range.base_layer, u64::from(range.length) << range.base_layer);
        let within = first / width;
        let inside = first % width + end <= width && within < pieces.len() as u64;
        inside.then_some(Place::Beneath { file, piece: pieces.start + within as u32 })
    }

    fn layer_answer(&mut self, file: usize, range: &HashRange) -> Option<Vec<Hash32>> {
        let height = merkle::piece_height(self.layout.piece_length());
        let tree = self.layer_tree(file)?;
        let row = range.base_layer - height;
        let mut hashes = nodes(tree, row, range.index, range.length)?;
        uncles(tree, row, range, &mut hashes)?;
        Some(hashes)
    }

    /// Nodes beneath a piece's hash; uncles from there on come from the piece layer.
    fn leaf_answer(&mut self, file: usize, piece: u32, range: &HashRange) -> Option<Vec<Hash32>> {
        let width = self.layout.leaf_width(piece);
        let mut leaves = self.hashes.leaves.get(&piece)?.clone();
        leaves.resize(width, Hash32::ZERO);
        let tree = Tree::new(leaves, 0);
        let within = piece - self.layout.pieces_of(file).start;
        let own = HashRange { index: range.index - ((within * width as u32) >> range.base_layer), ..*range };
        let mut hashes = nodes(&tree, own.base_layer, own.index, own.length)?;
        uncles(&tree, own.base_layer, &HashRange { proof_layers: range.proof_layers, ..own }, &mut hashes)?;
        let missing = range.hash_count() as usize - hashes.len().min(range.hash_count() as usize);
        if missing > 0 && self.layout.has_layer(file) {
            let tree = self.layer_tree(file)?;
            for row in 0..(missing as u32).min(tree.height()) {
                hashes.push(tree.node(row, ((within >> row) ^ 1) as usize)?);
            }
        }
        (hashes.len() == range.hash_count() as usize).then_some(hashes)
    }

    /// The tree over a file's piece layer. The last few are kept, so that who asks for several files at a time does not
    /// make us hash each again and again.
    fn layer_tree(&mut self, file: usize) -> Option<&Tree> {
        let trees = &mut self.hashes.trees;
        if let Some(at) = trees.iter().position(|(kept, _)| *kept == file) {
            trees[at..].rotate_left(1);
            return trees.last().map(|(_, tree)| tree);
        }
        let root = self.layout.files()[file].pieces_root?;
        let layer = self.layers.layer(&root)?.to_vec();
        let width = |tree: &Tree| 1_usize << tree.height();
        while !trees.is_empty()
            && (trees.len() >= TREES_MAX
                || trees.iter().map(|(_, tree)| width(tree)).sum::<usize>() + layer.len() > TREE_NODES_MAX)
        {
            trees.remove(0);
        }
        let height = merkle::piece_height(self.layout.piece_length());
        trees.push((file, Tree::new(layer, height)));
        trees.last().map(|(_, tree)| tree)
    }
}

fn nodes(tree: &Tree, row: u32, index: u32, length: u32) -> Option<Vec<Hash32>> {
    if row > tree.height() {
        return None;
    }
    (index..index.checked_add(length)?).map(|at| tree.node(row, at as usize)).collect()
}

/// Appends the uncles that a range asks for, as far as this tree reaches.
fn uncles(tree: &Tree, row: u32, range: &HashRange, hashes: &mut Vec<Hash32>) -> Option<()> {
    let first = row + range.length.ilog2();
    for uncle in 0..range.uncle_count() {
        if first + uncle >= tree.height() {
            break;
        }
        let index = (range.index / range.length) >> uncle;
        hashes.push(tree.node(first + uncle, (index ^ 1) as usize)?);
    }
    Some(())
}
