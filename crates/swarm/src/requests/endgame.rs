//! The endgame: a second peer is asked for blocks that make us wait, once nothing else is left to ask for.
//!
//! Invariant: no block is asked of more than two. Those that wait longest come first and peers with room take them in
//! turn; how many pairs of block and peer are looked at is bounded.

use std::time::Duration;

use crate::partial::Source;
use crate::swarm::Swarm;
use crate::{Class, PeerKey, Time};

/// A block asked for so long ago may be asked of another.
const AGE: Duration = Duration::from_secs(1);
/// Peers that are tried for one block, and pairs of block and peer in one go.
const PEERS_TRIED_MAX: usize = 32;
const TRIED_MAX: usize = 4_096;

/// Peers that can take another request, in turn.
struct Ring {
    peers: Vec<(PeerKey, usize)>,
    at: usize,
}

impl Swarm {
    /// Asks a second peer for blocks that make us wait, if all that can be asked for is.
    pub(crate) fn endgame(&mut self) {
        if !self.open.is_empty() || !self.picker.reachable_is_empty() || self.partials.is_empty() {
            return;
        }
        let with_room = self.peers.iter().filter(|(_, peer)| !peer.chokes_us && peer.interests_us);
        let with_room = with_room.map(|(key, peer)| (*key, peer.room(self.blocks_of_piece(), &self.config)));
        let mut ring = Ring { peers: with_room.filter(|(_, room)| *room > 0).collect(), at: 0 };
        if ring.peers.is_empty() {
            return;
        }
        let mut tries = TRIED_MAX;
        for (_, piece, block) in self.waiting_blocks() {
            if ring.peers.is_empty() || tries == 0 {
                return;
            }
            self.ask_a_second(&mut ring, &mut tries, piece, block);
        }
    }

    /// The blocks that one source alone was asked for some time ago, those that wait longest first.
    fn waiting_blocks(&self) -> Vec<(Time, u32, u32)> {
        let classes = [Class::Internet, Class::Lan];
        let is_old = |since: Time| classes.iter().all(|class| self.waited(*class, since) >= AGE);
        let mut waiting: Vec<(Time, u32, u32)> = Vec::new();
        // Who is asked has the piece; if nobody else has it, nobody else can be asked.
        let elsewhere = |piece: &u32| {
            self.picker.availability(*piece) != 1
                || self.peers.values().any(|peer| peer.early.offers_piece(*piece))
        };
        for (piece, partial) in self.partials.iter().filter(|(piece, _)| elsewhere(piece)) {
            let old = partial.asked_of_one_peer().filter(|(_, since)| is_old(*since));
            waiting.extend(old.map(|(block, since)| (since, *piece, block)));
        }
        let alone = |(_, piece, block): &(Time, u32, u32)| {
            self.partials.get(piece).is_some_and(|partial| partial.asked(*block) == 1)
        };
        waiting.extend(self.origin.waiting(self.now, AGE).filter(alone));
        if waiting.len() > TRIED_MAX {
            waiting.select_nth_unstable(TRIED_MAX);
            waiting.truncate(TRIED_MAX);
        }
        waiting.sort_unstable();
        waiting
    }

    fn ask_a_second(&mut self, ring: &mut Ring, tries: &mut usize, piece: u32, block: u32) {
        let turns = ring.peers.len().min(PEERS_TRIED_MAX).min(*tries);
        for _ in 0..turns {
            *tries -= 1;
            ring.at %= ring.peers.len();
            let (key, room) = ring.peers[ring.at];
            let (Some(peer), Some(partial)) = (self.peers.get(&key), self.partials.get(&piece)) else {
                return;
            };
            let useful = peer.has_block(piece, block)
                && !peer.out.contains_key(&(piece, block))
                && self.ahead_left(peer.class) > 0
                && partial.admits(Source::Peer(key));
            if !useful {
                ring.at += 1;
                continue;
            }
            self.ask_block(key, piece, block);
            if room > 1 {
                ring.peers[ring.at].1 -= 1;
                ring.at += 1;
            } else {
                ring.peers.swap_remove(ring.at);
            }
            return;
        }
    }
}
