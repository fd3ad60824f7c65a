//! A piece on its way: what is known of each of its blocks.
//!
//! Invariant: a block is in exactly one state, and `free` and `stored` count them.

use std::collections::BTreeSet;
use std::ops::Range;

use release::hash::Hash32;

use crate::{PeerKey, Time};

/// Who gave a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Origin,
    Peer(PeerKey),
}

/// Sources of one block in the endgame.
pub(crate) const SOURCES_MAX: usize = 2;

/// Who was asked for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Askers {
    peers: [Option<PeerKey>; SOURCES_MAX],
    pub(crate) origin: bool,
    /// When the first of them was asked.
    since: Time,
}

impl Askers {
    fn new(since: Time) -> Self {
        Self { peers: [None; SOURCES_MAX], origin: false, since }
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerKey> {
        self.peers.into_iter().flatten()
    }

    fn count(&self) -> usize {
        self.peers().count() + usize::from(self.origin)
    }

    /// False if it was asked already, or so many peers were that no other is.
    fn add(&mut self, source: Source) -> bool {
        match source {
            Source::Origin => !std::mem::replace(&mut self.origin, true),
            Source::Peer(key) if self.peers.contains(&Some(key)) => false,
            Source::Peer(key) => match self.peers.iter_mut().find(|place| place.is_none()) {
                Some(place) => {
                    *place = Some(key);
                    true
                }
                None => false,
            },
        }
    }

    fn remove(&mut self, source: Source) {
        match source {
            Source::Origin => self.origin = false,
            Source::Peer(key) => {
                let own = self.peers.iter_mut().find(|place| **place == Some(key));
                own.into_iter().for_each(|place| *place = None);
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Nobody was asked.
    Free,
    /// These were asked, one at least.
    Asked(Askers),
    /// It came and the driver is writing it.
    Storing(Source),
    /// It is written and has this leaf.
    Stored(Source, Hash32),
}

/// What the piece waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Blocks.
    Fetching,
    /// It is whole, but its file's piece layer is not known yet.
    AwaitingLayer,
    /// It is whole and false; peers are asked for its leaves.
    Blaming { asked: Option<PeerKey>, since: Time, tried: BTreeSet<PeerKey> },
}

/// From whom blocks may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Anyone,
    /// One source alone, whoever asks first: if the piece is false again we know who it was.
    One,
    This(Source),
}

/// A block of a false piece, whose giver is judged once the true leaf is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspect {
    pub(crate) block: u32,
    pub(crate) source: Source,
    pub(crate) leaf: Hash32,
}

/// What an arriving block was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is to be stored; these others were asked for it too.
    Fresh { others: Askers },
    /// It is here already.
    Twice,
}

#[derive(Debug)]
pub(crate) struct Partial {
    blocks: Vec<Block>,
    /// The block that is asked for first.
    first: u32,
    free: u32,
    stored: u32,
    pub(crate) progress_at: Time,
    /// The true leaves, once a peer proved them.
    pub(crate) leaves: Option<Vec<Hash32>>,
    /// Somebody is being asked for them so that blocks can be handed on.
    pub(crate) leaves_asked: bool,
    pub(crate) suspects: Vec<Suspect>,
    pub(crate) only: Only,
    pub(crate) stage: Stage,
}

impl Partial {
    pub(crate) fn new(blocks: u32, first: u32, now: Time) -> Self {
        Self {
            first: first.min(blocks),
            blocks: vec![Block::Free; blocks as usize],
            free: blocks,
            stored: 0,
            progress_at: now,
            leaves: None,
            leaves_asked: false,
            suspects: Vec::new(),
            only: Only::Anyone,
            stage: Stage::Fetching,
        }
    }

    /// Marks a block as asked of one more source; false if it need not or cannot be asked of it.
    pub(crate) fn ask(&mut self, block: u32, source: Source, now: Time) -> bool {
        let state = &mut self.blocks[block as usize];
        match state {
            Block::Free => {
                let mut askers = Askers::new(now);
                askers.add(source);
                *state = Block::Asked(askers);
                self.free -= 1;
                true
            }
            Block::Asked(askers) => askers.add(source),
            Block::Storing(_) | Block::Stored(..) => false,
        }
    }

    /// A source that was asked will not deliver; true if the block is free now.
    pub(crate) fn unask(&mut self, block: u32, source: Source) -> bool {
        let Some(state) = self.blocks.get_mut(block as usize) else { return false };
        let Block::Asked(askers) = state else { return false };
        askers.remove(source);
        let free = askers.count() == 0;
        if free {
            *state = Block::Free;
            self.free += 1;
        }
        free
    }

    /// A block came.
    pub(crate) fn arrive(&mut self, block: u32, source: Source, now: Time) -> Arrival {
        let state = &mut self.blocks[block as usize];
        let mut others = match *state {
            Block::Free => {
                self.free -= 1;
                Askers::new(now)
            }
            Block::Asked(askers) => askers,
            Block::Storing(_) | Block::Stored(..) => return Arrival::Twice,
        };
        others.remove(source);
        *state = Block::Storing(source);
        self.progress_at = now;
        Arrival::Fresh { others }
    }

    /// A block was written; its source, if it was awaited.
    pub(crate) fn store(&mut self, block: u32, leaf: Hash32) -> Option<Source> {
        let Some(Block::Storing(source)) = self.blocks.get(block as usize).copied() else { return None };
        self.blocks[block as usize] = Block::Stored(source, leaf);
        self.stored += 1;
        Some(source)
    }

    /// Forgets a block that came.
    pub(crate) fn discard(&mut self, block: u32) {
        let Some(state) = self.blocks.get_mut(block as usize) else { return };
        match state {
            Block::Stored(..) => self.stored -= 1,
            Block::Storing(_) => {}
            Block::Free | Block::Asked(_) => return,
        }
        *state = Block::Free;
        self.free += 1;
    }

    /// Forgets every written block from these sources that is not proved to be right; which these were.
    pub(crate) fn discard_from(&mut self, from: impl Fn(Source) -> bool) -> Vec<u32> {
        let gave =
            |block: &u32| matches!(self.blocks[*block as usize], Block::Stored(source, _) if from(source));
        let unproved = |block: &u32| !self.is_proved(*block);
        let gone: Vec<u32> = (0..self.block_count()).filter(gave).filter(unproved).collect();
        gone.iter().for_each(|block| self.discard(*block));
        gone
    }

    pub(crate) fn block_count(&self) -> u32 {
        self.blocks.len() as u32
    }

    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// The first free block that fits, from where this piece begins on.
    pub(crate) fn next_free(&self, fits: impl Fn(u32) -> bool) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let (before, after) = self.blocks.split_at(self.first as usize);
        let mut blocks = (self.first..).zip(after).chain((0u32..).zip(before));
        blocks.find(|(at, block)| **block == Block::Free && fits(*at)).map(|(at, _)| at)
    }

    /// Whether a block is written and matches its proved leaf.
    pub(crate) fn is_proved(&self, block: u32) -> bool {
        let truth = self.leaves.as_ref().and_then(|leaves| leaves.get(block as usize));
        matches!(self.blocks.get(block as usize), Some(Block::Stored(_, leaf)) if Some(leaf) == truth)
    }

    /// How many sources are asked for a block.
    pub(crate) fn asked(&self, block: u32) -> usize {
        if let Some(Block::Asked(askers)) = self.blocks.get(block as usize) { askers.count() } else { 0 }
    }

    /// The blocks that one peer and nobody else is asked for, and since when.
    pub(crate) fn asked_of_one_peer(&self) -> impl Iterator<Item = (u32, Time)> + '_ {
        (0u32..).zip(&self.blocks).filter_map(|(at, block)| match block {
            Block::Asked(askers) if !askers.origin && askers.count() == 1 => Some((at, askers.since)),
            _ => None,
        })
    }

    /// Every peer that is asked for a block, and for which.
    pub(crate) fn asked_of_peers(&self) -> Vec<(PeerKey, u32)> {
        let asked = (0u32..).zip(&self.blocks).filter_map(|(at, block)| match block {
            Block::Asked(askers) => Some((at, askers)),
            _ => None,
        });
        asked.flat_map(|(at, askers)| askers.peers().map(move |key| (key, at))).collect()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.stored == self.block_count()
    }

    pub(crate) fn is_untouched(&self) -> bool {
        self.free == self.block_count() && self.suspects.is_empty() && self.leaves.is_none()
    }

    pub(crate) fn anything_asked(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Asked(_)))
    }

    /// The smallest range that holds every block that did not come.
    pub(crate) fn wanted(&self) -> Range<u32> {
        let open = |block: &Block| matches!(block, Block::Free | Block::Asked(_));
        let first = self.blocks.iter().position(open).unwrap_or(self.blocks.len());
        let end = self.blocks.iter().rposition(open).map_or(first, |last| last + 1);
        first as u32..end as u32
    }

    pub(crate) fn wants(&self, block: u32) -> bool {
        matches!(self.blocks.get(block as usize), Some(Block::Free | Block::Asked(_)))
    }

    /// The leaves of a whole piece.
    pub(crate) fn stored_leaves(&self) -> Vec<Hash32> {
        self.stored_blocks().map(|suspect| suspect.leaf).collect()
    }

    pub(crate) fn stored_blocks(&self) -> impl Iterator<Item = Suspect> + '_ {
        (0u32..).zip(&self.blocks).filter_map(|(block, state)| match *state {
            Block::Stored(source, leaf) => Some(Suspect { block, source, leaf }),
            _ => None,
        })
    }

    pub(crate) fn sources(&self) -> BTreeSet<Source> {
        self.stored_blocks().map(|stored| stored.source).collect()
    }

    /// Whether blocks may be asked of this source.
    pub(crate) fn admits(&self, source: Source) -> bool {
        self.stage == Stage::Fetching
            && match self.only {
                Only::Anyone | Only::One => true,
                Only::This(one) => one == source,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Source = Source::Peer(PeerKey(1));
    const B: Source = Source::Peer(PeerKey(2));

    #[test]
    fn a_block_goes_from_free_to_stored_and_back() {
        let mut partial = Partial::new(3, 0, Time::ZERO);
        assert!(partial.ask(1, A, Time::ZERO) && !partial.ask(1, A, Time::ZERO));
        assert!(partial.ask(1, B, Time::ZERO) && !partial.ask(1, Source::Peer(PeerKey(3)), Time::ZERO));
        assert_eq!((partial.free(), partial.next_free(|_| true), partial.asked(1)), (2, Some(0), 2));
        assert_eq!(partial.asked_of_peers(), [(PeerKey(1), 1), (PeerKey(2), 1)]);
        let Arrival::Fresh { others } = partial.arrive(1, A, Time::ZERO) else { panic!() };
        assert_eq!((others.peers().collect::<Vec<_>>(), others.origin), (vec![PeerKey(2)], false));
        assert_eq!(partial.arrive(1, Source::Origin, Time::ZERO), Arrival::Twice);
        assert_eq!(partial.store(1, Hash32::ZERO), Some(A));
        assert_eq!(partial.store(1, Hash32::ZERO), None);
        assert_eq!((partial.wanted(), partial.wants(1)), (0..3, false));
        assert_eq!(partial.discard_from(|source| source == A), [1]);
        assert!(partial.is_untouched() && partial.free() == 3);
    }

    #[test]
    fn an_asked_block_is_free_when_the_last_asked_gives_up() {
        let mut partial = Partial::new(1, 0, Time::ZERO);
        partial.ask(0, A, Time::ZERO);
        partial.ask(0, Source::Origin, Time::ZERO);
        assert!(!partial.unask(0, B) && !partial.unask(0, A) && partial.unask(0, Source::Origin));
        assert!(!partial.unask(0, A));
        assert_eq!(partial.free(), 1);
    }

    #[test]
    fn a_block_from_one_that_is_not_asked_any_more_leaves_the_others_to_be_told() {
        let mut partial = Partial::new(1, 0, Time::ZERO);
        partial.ask(0, B, Time::ZERO);
        partial.ask(0, Source::Origin, Time::ZERO);
        let Arrival::Fresh { others } = partial.arrive(0, A, Time::ZERO) else { panic!() };
        assert_eq!((others.peers().collect::<Vec<_>>(), others.origin), (vec![PeerKey(2)], true));
    }
}
