//! Uplinks: parts of pieces go out, the next are asked for, slots are dealt.

use super::graph::{Ended, NO_PIECE};
use super::holdings::bits;
use super::*;
use swarm::policy::{self, Applicant, SlotUse};

impl Tier<'_> {
    /// A peer's slots that are taken.
    pub(super) fn slots_of(&self, peer: usize) -> &[Slot] {
        &self.slots[peer * self.slots_max..][..usize::from(self.peers[peer].slots)]
    }

    pub(super) fn slot(&mut self, peer: usize, at: usize) -> &mut Slot {
        &mut self.slots[peer * self.slots_max + at]
    }

    fn slot_count(&self, peer: usize) -> usize {
        usize::from(self.peers[peer].slots)
    }

    /// Who has a slot.
    fn holder(&self, peer: usize, slot: &Slot) -> usize {
        self.graph.of(peer)[usize::from(slot.neighbour)] as usize
    }

    /// Brings an uplink's clock to now.
    pub(super) fn advance(&mut self, peer: usize) {
        let (now, p) = (self.now, &mut self.peers[peer]);
        if p.active > 0 {
            p.given += ((now - p.given_at) as f64 / 1e6) as f32 * p.up / f32::from(p.active);
        } else {
            p.given = 0.0;
        }
        p.given_at = now;
    }

    /// Plans when the uplink's next part is there.
    pub(super) fn plan(&mut self, peer: usize) {
        let next =
            self.slots_of(peer).iter().filter(|s| s.active).map(|s| s.finish).fold(f32::INFINITY, f32::min);
        let p = &mut self.peers[peer];
        p.version += 1;
        if next.is_finite() {
            let wait = f64::from((next - p.given).max(0.0) * f32::from(p.active) / p.up);
            let (at, version) = (self.now + (wait * 1e6) as u64 + 1, p.version);
            self.put(at, Due::Uplink { peer: peer as u32, version });
        }
    }

    pub(super) fn uplink_gave(&mut self, peer: usize) {
        self.advance(peer);
        // Counted anew from here, so that the count stays small and exact.
        let given = std::mem::take(&mut self.peers[peer].given);
        for at in 0..self.slot_count(peer) {
            self.slot(peer, at).finish -= given;
        }
        let mut at = 0;
        let mut wants_deal = false;
        while at < self.slot_count(peer) {
            let slot = *self.slot(peer, at);
            if slot.active && slot.finish <= 1e-4 {
                self.peers[peer].active -= 1;
                let now = self.seconds_now();
                let ended = self.slot(peer, at);
                (ended.active, ended.idle_since) = (false, now);
                let to = self.holder(peer, &slot);
                let from_origin = peer == ORIGIN && self.first_player == 1;
                self.origin_parts += u64::from(from_origin);
                self.sent_parts += u64::from(!from_origin);
                self.arrive(to, slot.piece as usize, 1 << slot.part, peer);
                if slot.ending {
                    self.remove_slot(peer, at);
                    continue;
                }
                wants_deal |= !self.ask(peer, at);
            }
            at += 1;
        }
        if wants_deal {
            self.deal(peer);
            self.widen_if_idle(peer);
        }
        self.plan(peer);
    }

    /// Parts of a piece are at a peer.
    pub(super) fn arrive(&mut self, to: usize, piece: usize, parts: Parts, from: usize) {
        self.peers[to].incoming = self.peers[to].incoming.saturating_sub(1);
        let came = self.holdings.arrive(to, piece, parts);
        self.wasted_parts += u64::from((parts & !came.fresh).count_ones());
        if came.fresh == 0 {
            return;
        }
        self.trace = (self.trace ^ self.now ^ (to * self.pieces + piece) as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        if let Some(http) = &mut self.http
            && from != to
        {
            http.came_from_peer(to);
        }
        if came.whole {
            self.peers[to].have += 1;
            if self.peers[to].have as usize == self.pieces {
                self.done(to);
            }
        }
        // What came from the web server is handed on when its piece is whole: it tells no leaves.
        if from != to || came.whole {
            self.gained(to, piece);
        }
    }

    /// A peer has more of a piece to give.
    fn gained(&mut self, peer: usize, piece: usize) {
        if !self.peers[peer].uploads {
            return;
        }
        let whole = self.holdings.is_whole(peer, piece);
        let mut idle = false;
        for at in 0..self.slot_count(peer) {
            let slot = *self.slot(peer, at);
            let to = self.holder(peer, &slot);
            if !whole && !slot.ending {
                self.holdings.spreads(to, piece);
            }
            idle |= !slot.active && self.offers(peer, to, piece) != 0;
        }
        let spare = self.peers[peer].slots < self.peers[peer].wanted_slots && {
            let holds = |other| self.slots_of(peer).iter().any(|slot| self.holder(peer, slot) == other);
            let mut others = self.graph.of(peer).iter().map(|other| *other as usize);
            others.any(|other| self.offers(peer, other, piece) != 0 && !holds(other))
        };
        if idle || spare {
            self.advance(peer);
            self.ask_all(peer);
            if spare {
                self.deal(peer);
            }
            self.plan(peer);
        }
    }

    /// Those who have a slot and nothing on its way ask.
    fn ask_all(&mut self, peer: usize) {
        for at in 0..self.slot_count(peer) {
            if !self.slot(peer, at).active {
                self.ask(peer, at);
            }
        }
    }

    /// The holder of a slot asks for its next part; whether there is one.
    fn ask(&mut self, from: usize, at: usize) -> bool {
        let slot = *self.slot(from, at);
        let to = self.holder(from, &slot);
        if !self.peers[to].online || self.peers[to].incoming >= self.incoming_max_of(to) {
            return false;
        }
        let Some((piece, part)) = self.pick(to, from, slot.piece) else { return false };
        self.holdings.ask(to, piece, part);
        if from == ORIGIN && self.first_player == 1 {
            self.given[piece / 64] |= 1 << (piece % 64);
        }
        self.peers[to].incoming += 1;
        self.peers[from].active += 1;
        let finish = self.peers[from].given + 1.0;
        let slot = self.slot(from, at);
        (slot.active, slot.piece, slot.part) = (true, piece as u32, part.trailing_zeros() as u8);
        slot.finish = finish;
        true
    }

    fn incoming_max_of(&self, peer: usize) -> u8 {
        self.incoming_max[self.group_of(peer).0]
    }

    /// Deals a peer's slots anew.
    pub(super) fn deal(&mut self, peer: usize) {
        let now = self.time();
        let mut line = Vec::with_capacity(self.graph.degree(peer));
        let interested = self.graph.of(peer).iter().map(|other| *other as usize);
        let near = |other: usize| policy::nearly_done(self.peers[other].have, self.pieces as u32);
        let interested = interested.filter(|other| near(*other) && self.holdings.is_interested(*other, peer));
        let nearest = interested.max_by_key(|other| self.peers[*other].have);
        for (place, &other) in self.graph.of(peer).iter().enumerate() {
            let slot =
                self.slots_of(peer).iter().find(|slot| usize::from(slot.neighbour) == place && !slot.ending);
            let interested = self.holdings.is_interested(other as usize, peer);
            if !interested && slot.is_none() {
                continue;
            }
            let Ended { at: slot_ended, idle } = self.graph.slot_ended(peer, place);
            let at = |seconds: f32| Time::from_micros(super::seconds(f64::from(seconds)));
            let applicant = Applicant {
                choked: slot.is_none(),
                interested,
                pieces: self.peers[other as usize].have,
                nearest: nearest == Some(other as usize),
                slot_since: slot.map_or(Time::ZERO, |slot| at(slot.since)),
                slot_ended,
                idle_since: slot.filter(|slot| !slot.active).map(|slot| at(slot.idle_since)),
                passed_at: slot_ended.filter(|_| idle),
            };
            let lot = self.rng.u32(..);
            line.push((policy::slot_place(&applicant, now, &self.config, lot), place));
        }
        line.sort_unstable();
        let wanted = usize::from(self.peers[peer].wanted_slots).min(line.len());
        for &(_, place) in &line[wanted..] {
            self.choke(peer, place);
        }
        for &(_, place) in &line[..wanted] {
            self.unchoke(peer, place);
        }
    }

    fn choke(&mut self, peer: usize, place: usize) {
        let held = self.slots_of(peer).iter().position(|s| usize::from(s.neighbour) == place && !s.ending);
        let Some(at) = held else { return };
        let idle = {
            let slot = *self.slot(peer, at);
            self.is_idle(slot)
        };
        self.graph.end_slot(peer, place, Ended { at: Some(self.time()), idle });
        if self.slot(peer, at).active {
            self.slot(peer, at).ending = true;
        } else {
            self.remove_slot(peer, at);
        }
    }

    fn is_idle(&self, slot: Slot) -> bool {
        let since = (!slot.active).then(|| Time::from_micros(seconds(f64::from(slot.idle_since))));
        policy::slot_is_idle(since, self.time(), &self.config)
    }

    fn unchoke(&mut self, peer: usize, place: usize) {
        let held = self.slots_of(peer).iter().any(|slot| usize::from(slot.neighbour) == place);
        let at = self.slot_count(peer);
        if held || at >= self.slots_max {
            return;
        }
        let since = self.seconds_now();
        *self.slot(peer, at) =
            Slot { neighbour: place as u8, piece: NO_PIECE, since, idle_since: since, ..Slot::default() };
        self.peers[peer].slots += 1;
        self.peers[peer].changed = true;
        // It hears of every part.
        let to = self.graph.of(peer)[place] as usize;
        for word in 0..self.words {
            for piece in bits(self.holdings.begun(peer, word), word) {
                if self.holdings.have(peer, piece) != 0 {
                    self.holdings.spreads(to, piece);
                }
            }
        }
        self.ask(peer, at);
    }

    pub(super) fn remove_slot(&mut self, peer: usize, at: usize) {
        let last = self.slot_count(peer) - 1;
        *self.slot(peer, at) = *self.slot(peer, last);
        self.peers[peer].slots -= 1;
    }

    /// The uplink stands idle: one more of those who wait is served, or one instead of who asks for nothing.
    fn widen_if_idle(&mut self, peer: usize) {
        if self.peers[peer].active > 0 || !self.peers[peer].uploads {
            return;
        }
        let idles = self.slots_of(peer).iter().any(|slot| self.is_idle(*slot));
        let slots = usize::from(self.peers[peer].wanted_slots);
        let widened = policy::slots_when_idle(slots, idles, &self.config);
        if let Some(slots) = widened.filter(|_| self.somebody_waits(peer)) {
            self.peers[peer].wanted_slots = slots as u8;
            self.deal(peer);
        }
    }

    fn somebody_waits(&self, peer: usize) -> bool {
        let holds = |other: usize| {
            self.slots_of(peer).iter().any(|slot| !slot.ending && self.holder(peer, slot) == other)
        };
        let waits =
            |other: &u32| self.holdings.is_interested(*other as usize, peer) && !holds(*other as usize);
        self.graph.of(peer).iter().any(waits)
    }

    /// One group of peers is looked at: timers of the swarm.
    pub(super) fn turn_wheel(&mut self, group: u64) {
        let tick = 250_000;
        self.put(self.now + tick, Due::Wheel { group: group as u32 });
        let turn = self.now / tick;
        let rechoke = (self.config.rechoke_interval.as_micros() as u64 / tick).max(1);
        let mut peer = group as usize;
        while peer < self.peers.len() {
            if self.peers[peer].online {
                if self.peers[peer].uploads {
                    self.tick(peer, (turn + peer as u64 / WHEEL).is_multiple_of(rechoke));
                }
                if turn.is_multiple_of(20) {
                    self.seek_if_few(peer);
                }
                if self.http.is_some() && turn.is_multiple_of(2) {
                    self.drive_gate(peer);
                }
            }
            peer += WHEEL as usize;
        }
    }

    fn tick(&mut self, peer: usize, rechoke: bool) {
        let p = &mut self.peers[peer];
        p.ticks = p.ticks.saturating_add(1);
        let idle = p.active == 0;
        p.idle_ticks = p.idle_ticks.saturating_add(u8::from(idle));
        if !idle && !rechoke {
            return;
        }
        self.advance(peer);
        self.widen_if_idle(peer);
        if rechoke {
            let p = self.peers[peer];
            let used = SlotUse {
                slots: usize::from(p.wanted_slots),
                ticks: u32::from(p.ticks),
                idle_ticks: u32::from(p.idle_ticks),
                somebody_waits: self.somebody_waits(peer),
            };
            let wanted = if p.changed {
                policy::slots_when_idle(used.slots, false, &self.config).unwrap_or(used.slots)
            } else {
                policy::slots(used, &self.config)
            };
            let p = &mut self.peers[peer];
            (p.wanted_slots, p.ticks, p.idle_ticks, p.changed) = (wanted as u8, 0, 0, false);
            self.deal(peer);
        }
        self.ask_all(peer);
        self.plan(peer);
    }
}
