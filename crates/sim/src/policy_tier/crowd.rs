//! Who is there: players come, find each other, fail and go.

use super::graph::renumber;
use super::*;

impl Tier<'_> {
    pub(super) fn join(&mut self, peer: usize) {
        self.peers[peer].online = true;
        self.peers[peer].joined = self.seconds_now();
        self.seek_neighbours(peer, self.scenario.tracker.answers);
        if self.first_player == 1 {
            self.graph.connect(ORIGIN, peer);
        }
        self.online_at[peer] = self.online.len() as u32;
        self.online.push(peer as u32);
        let neighbours = self.graph.of(peer).to_vec();
        neighbours.into_iter().for_each(|other| self.greet(other as usize));
    }

    /// Somebody new is there to whom a peer may give.
    fn greet(&mut self, peer: usize) {
        if self.peers[peer].uploads && self.peers[peer].slots < self.peers[peer].wanted_slots {
            self.advance(peer);
            self.deal(peer);
            self.plan(peer);
        }
    }

    /// A player with few neighbours asks the tracker again.
    pub(super) fn seek_if_few(&mut self, peer: usize) {
        let starves = self.peers[peer].done == 0.0
            && peer >= self.first_player
            && self.graph.degree(peer) < self.scenario.tracker.starving_below;
        if starves {
            self.seek_neighbours(peer, self.scenario.tracker.answers);
            if self.first_player == 1 {
                self.graph.connect(ORIGIN, peer);
            }
        }
    }

    /// Asks the tracker for so many and connects to those who can be reached.
    fn seek_neighbours(&mut self, peer: usize, answers: usize) {
        let wanted = self.config.connections_wanted.min(self.graph.width);
        for _ in 0..answers {
            if self.online.is_empty() || self.graph.degree(peer) >= wanted {
                return;
            }
            let other = self.online[self.rng.usize(..self.online.len())] as usize;
            if self.peers[other].reachable {
                self.graph.connect(peer, other);
            }
        }
    }

    /// A peer has everything.
    pub(super) fn done(&mut self, peer: usize) {
        self.peers[peer].done = self.seconds_now().max(1e-3);
        self.awaited -= 1;
        let after = self.leaves_after[self.group_of(peer).0];
        if self.first_player == 1 {
            self.put(self.now, Due::Part { peer: peer as u32 });
        }
        if after >= 0.0 {
            self.put(self.now + seconds(f64::from(after)), Due::Leave { peer: peer as u32 });
        }
    }

    /// A peer loses everything and goes on.
    pub(super) fn fail(&mut self, peer: usize) {
        if !self.peers[peer].online || self.peers[peer].done > 0.0 {
            return;
        }
        self.failures += 1;
        self.stop_uploads(peer);
        self.lost_parts += self.holdings.clear(peer);
        self.peers[peer].have = 0;
        let failures = self.group_of(peer).1.failures;
        self.plan_failure(peer, self.now, failures);
    }

    /// What a peer was sending does not come.
    pub(super) fn stop_uploads(&mut self, peer: usize) {
        for at in 0..usize::from(self.peers[peer].slots) {
            let slot = *self.slot(peer, at);
            if slot.active {
                let to = self.graph.of(peer)[usize::from(slot.neighbour)] as usize;
                self.unask(to, &slot);
            }
        }
        (self.peers[peer].slots, self.peers[peer].active) = (0, 0);
        self.peers[peer].version += 1;
    }

    fn unask(&mut self, to: usize, slot: &Slot) {
        self.holdings.unask(to, slot.piece as usize, 1 << slot.part);
        self.peers[to].incoming = self.peers[to].incoming.saturating_sub(1);
    }

    pub(super) fn leave(&mut self, peer: usize) {
        self.stop_uploads(peer);
        self.peers[peer].online = false;
        let at = self.online_at[peer] as usize;
        self.online.swap_remove(at);
        if let Some(moved) = self.online.get(at) {
            self.online_at[*moved as usize] = at as u32;
        }
        let others = self.graph.of(peer).to_vec();
        self.graph.clear(peer);
        for other in others {
            let other = other as usize;
            if self.disconnect(other, peer) && (other != ORIGIN || self.first_player == 0) {
                self.seek_neighbours(other, 2);
            }
        }
    }

    /// A peer forgets another, which goes or has nothing to say; false if it did not know it.
    fn disconnect(&mut self, peer: usize, gone: usize) -> bool {
        self.advance(peer);
        let Some(place) = self.graph.remove(peer, gone) else { return false };
        let last = self.graph.degree(peer);
        let slots = &mut self.slots[peer * self.slots_max..][..usize::from(self.peers[peer].slots)];
        if let Some(at) = renumber(slots, place, last) {
            let slot = *self.slot(peer, at);
            self.peers[peer].active -= u8::from(slot.active);
            if slot.active {
                self.unask(gone, &slot);
            }
            self.remove_slot(peer, at);
        }
        self.deal(peer);
        self.plan(peer);
        true
    }

    /// A seed that is the origin and one that is done part, and somebody else gets the place.
    pub(super) fn part(&mut self, peer: usize) {
        if self.disconnect(ORIGIN, peer) {
            self.disconnect(peer, ORIGIN);
            self.fill_origin();
        }
    }

    /// A seed that is the origin has room again: players that are not done try for it.
    fn fill_origin(&mut self) {
        for _ in 0..8 {
            if self.online.is_empty() || self.graph.is_full(ORIGIN) {
                return;
            }
            let other = self.online[self.rng.usize(..self.online.len())] as usize;
            if self.peers[other].done == 0.0 {
                self.graph.connect(ORIGIN, other);
            }
        }
    }
}
