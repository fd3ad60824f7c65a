//! What peers do: take a piece, ask for the next, deal slots, come, fail and go.

use super::graph::{NEVER, renumber};
use super::*;
use swarm::policy::{self, Applicant, PiecePlace, SlotUse};

impl Tier<'_> {
    /// A peer's slots that are taken.
    fn slots_of(&self, peer: usize) -> &[Slot] {
        &self.slots[peer * self.slots_max..][..usize::from(self.peers[peer].slots)]
    }

    fn slot(&mut self, peer: usize, at: usize) -> &mut Slot {
        &mut self.slots[peer * self.slots_max + at]
    }

    /// Brings an uplink's clock to now.
    fn advance(&mut self, peer: usize) {
        let (now, p) = (self.now, &mut self.peers[peer]);
        if p.active > 0 {
            p.given += ((now - p.given_at) as f64 / 1e6) as f32 * p.up / f32::from(p.active);
        } else {
            p.given = 0.0;
        }
        p.given_at = now;
    }

    /// Plans when the uplink's next piece is there.
    fn plan(&mut self, peer: usize) {
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
        let mut at = 0;
        let mut wants_deal = false;
        while at < usize::from(self.peers[peer].slots) {
            let slot = *self.slot(peer, at);
            if slot.active && slot.finish <= self.peers[peer].given + 1e-4 {
                self.peers[peer].active -= 1;
                self.slot(peer, at).active = false;
                let to = self.graph.of(peer)[usize::from(slot.neighbour)] as usize;
                let from_origin = peer == ORIGIN && self.first_player == 1;
                self.origin_pieces += u64::from(from_origin);
                self.sent_pieces += u64::from(!from_origin);
                self.arrive(to, usize::from(slot.piece), peer);
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
        }
        self.plan(peer);
    }

    /// A piece is at a peer.
    pub(super) fn arrive(&mut self, to: usize, piece: usize, from: usize) {
        self.peers[to].incoming = self.peers[to].incoming.saturating_sub(1);
        let (word, bit) = (to * self.words + piece / 64, 1 << (piece % 64));
        let wanted = self.asked[word] & bit != 0;
        self.asked[word] &= !bit;
        if !wanted || self.have[word] & bit != 0 {
            self.wasted_pieces += 1;
            return;
        }
        self.have[word] |= bit;
        self.peers[to].have += 1;
        self.trace = (self.trace ^ self.now ^ (to * self.pieces + piece) as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        if let Some(http) = &mut self.http
            && from != to
        {
            http.came_from_peer(to);
        }
        if usize::from(self.peers[to].have) == self.pieces {
            self.done(to);
        }
        self.gained(to);
    }

    fn done(&mut self, peer: usize) {
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

    /// A peer has a piece more to give.
    fn gained(&mut self, peer: usize) {
        if !self.peers[peer].uploads {
            return;
        }
        let idle = self.slots_of(peer).iter().any(|slot| !slot.active);
        let spare = usize::from(self.peers[peer].slots) < usize::from(self.peers[peer].wanted_slots);
        if !idle && !spare {
            return;
        }
        self.advance(peer);
        for at in 0..usize::from(self.peers[peer].slots) {
            if !self.slot(peer, at).active {
                self.ask(peer, at);
            }
        }
        if spare {
            self.deal(peer);
        }
        self.plan(peer);
    }

    /// The holder of a slot asks for its next piece; whether there is one.
    fn ask(&mut self, from: usize, at: usize) -> bool {
        let place = usize::from(self.slot(from, at).neighbour);
        let to = self.graph.of(from)[place] as usize;
        if !self.peers[to].online || self.peers[to].incoming >= self.incoming_max_of(to) {
            return false;
        }
        let Some(piece) = self.pick(to, Some(from)) else { return false };
        self.asked[to * self.words + piece / 64] |= 1 << (piece % 64);
        if from == ORIGIN && self.first_player == 1 {
            self.given[piece / 64] |= 1 << (piece % 64);
        }
        self.peers[to].incoming += 1;
        self.peers[from].active += 1;
        let finish = self.peers[from].given + 1.0;
        let slot = self.slot(from, at);
        (slot.active, slot.piece, slot.finish) = (true, piece as u16, finish);
        true
    }

    fn incoming_max_of(&self, peer: usize) -> u8 {
        self.incoming_max[self.group_of(peer).0]
    }

    /// The piece a peer asks of another, or of the web server.
    pub(super) fn pick(&mut self, to: usize, from: Option<usize>) -> Option<usize> {
        let words = self.words;
        let (mine, mut any) = (to * words, false);
        for word in 0..words {
            let theirs = from.map_or_else(|| self.all_pieces(word), |from| self.have[from * words + word]);
            let wanted = theirs & !self.have[mine + word] & !self.asked[mine + word];
            self.planes[word] = [0; PLANES];
            self.planes[word][0] = wanted;
            any |= wanted != 0;
        }
        if !any {
            return None;
        }
        if from == Some(ORIGIN) && self.first_player == 1 {
            self.heed_suggestions();
        }
        let random = policy::picks_at_random(u32::from(self.peers[to].have));
        if !random {
            self.count(to);
        }
        let mut best: Option<(PiecePlace, usize)> = None;
        for (word, planes) in self.planes.iter().enumerate() {
            let mut wanted = planes[0];
            while wanted != 0 {
                let bit = wanted.trailing_zeros();
                wanted &= wanted - 1;
                let counted =
                    (1..PLANES).map(|plane| ((planes[plane] >> bit & 1) as u32) << (plane - 1)).sum();
                let lot = self.rng.u32(..);
                let availability = if random { 0 } else { counted };
                let place = policy::piece_place(availability, None, lot);
                if best.is_none_or(|(least, _)| place < least) {
                    best = Some((place, word * 64 + bit as usize));
                }
            }
        }
        best.map(|(_, piece)| piece)
    }

    /// A seed suggests what it gave to nobody yet: of what is wanted only that is left, if there is any.
    fn heed_suggestions(&mut self) {
        let fresh = |(word, planes): (usize, &[u64; PLANES])| planes[0] & !self.given[word];
        if self.planes.iter().enumerate().map(fresh).any(|fresh| fresh != 0) {
            for (planes, given) in self.planes.iter_mut().zip(&self.given) {
                planes[0] &= !given;
            }
        }
    }

    /// How many neighbours have the rarest piece that a peer misses and asked nobody for; `None` if there is none.
    pub(super) fn rarest(&mut self, peer: usize) -> Option<u32> {
        let mine = peer * self.words;
        for word in 0..self.words {
            self.planes[word] = [0; PLANES];
            self.planes[word][0] = self.all_pieces(word) & !self.have[mine + word] & !self.asked[mine + word];
        }
        self.count(peer);
        let of_word = |planes: &[u64; PLANES]| {
            let (mut left, mut least) = (planes[0], 0);
            for plane in (1..PLANES).rev() {
                let without = left & !planes[plane];
                (left, least) =
                    if without != 0 { (without, least) } else { (left, least | 1 << (plane - 1)) };
            }
            (planes[0] != 0).then_some(least)
        };
        self.planes.iter().filter_map(of_word).min()
    }

    fn all_pieces(&self, word: usize) -> u64 {
        let last = word + 1 == self.words && !self.pieces.is_multiple_of(64);
        if last { (1 << (self.pieces % 64)) - 1 } else { u64::MAX }
    }

    /// Counts, in binary digits a plane each, how many neighbours have each wanted piece.
    fn count(&mut self, peer: usize) {
        for &other in self.graph.of(peer) {
            for (word, planes) in self.planes.iter_mut().enumerate() {
                let mut carry = self.have[other as usize * self.words + word] & planes[0];
                for plane in &mut planes[1..] {
                    if carry == 0 {
                        break;
                    }
                    (*plane, carry) = (*plane ^ carry, *plane & carry);
                }
            }
        }
    }

    pub(super) fn is_interested(&self, peer: usize, of: usize) -> bool {
        let (theirs, mine) = (of * self.words, peer * self.words);
        (0..self.words).any(|word| self.have[theirs + word] & !self.have[mine + word] != 0)
    }

    /// Deals a peer's slots anew.
    pub(super) fn deal(&mut self, peer: usize) {
        let now = self.time();
        let mut line = Vec::with_capacity(self.graph.degree(peer));
        let interested = self.graph.of(peer).iter().map(|other| *other as usize);
        let near = |other: usize| policy::nearly_done(self.peers[other].have.into(), self.pieces as u32);
        let interested = interested.filter(|other| near(*other) && self.is_interested(*other, peer));
        let nearest = interested.max_by_key(|other| self.peers[*other].have);
        for (place, &other) in self.graph.of(peer).iter().enumerate() {
            let slot =
                self.slots_of(peer).iter().find(|slot| usize::from(slot.neighbour) == place && !slot.ending);
            let interested = self.is_interested(other as usize, peer);
            if !interested && slot.is_none() {
                continue;
            }
            let ended = self.graph.slot_ended(peer, place);
            let applicant = Applicant {
                choked: slot.is_none(),
                interested,
                pieces: u32::from(self.peers[other as usize].have),
                nearest: nearest == Some(other as usize),
                slot_since: Time::from_micros(slot.map_or(0, |slot| seconds(f64::from(slot.since)))),
                slot_ended: (ended != NEVER).then(|| Time::from_millis(u64::from(ended) * 500)),
                idle_since: None,
                passed_at: None,
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
        self.graph.end_slot(peer, place, (self.now / 500_000).min(u64::from(NEVER)) as u16);
        if self.slot(peer, at).active {
            self.slot(peer, at).ending = true;
        } else {
            self.remove_slot(peer, at);
        }
    }

    fn unchoke(&mut self, peer: usize, place: usize) {
        let held = self.slots_of(peer).iter().any(|slot| usize::from(slot.neighbour) == place);
        let at = usize::from(self.peers[peer].slots);
        if held || at >= self.slots_max {
            return;
        }
        let since = self.seconds_now();
        *self.slot(peer, at) = Slot { neighbour: place as u8, since, ..Slot::default() };
        self.peers[peer].slots += 1;
        self.ask(peer, at);
    }

    fn remove_slot(&mut self, peer: usize, at: usize) {
        let last = usize::from(self.peers[peer].slots) - 1;
        *self.slot(peer, at) = *self.slot(peer, last);
        self.peers[peer].slots -= 1;
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
                let starves = self.peers[peer].done == 0.0
                    && peer >= self.first_player
                    && self.graph.degree(peer) < self.scenario.tracker.starving_below;
                if starves && turn.is_multiple_of(20) {
                    self.seek_neighbours(peer, self.scenario.tracker.answers);
                    if self.first_player == 1 {
                        self.graph.connect(ORIGIN, peer);
                    }
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
        p.idle_ticks = p.idle_ticks.saturating_add(u8::from(p.active == 0));
        if !rechoke || p.have == 0 {
            return;
        }
        let p = *p;
        let waits = |other: &u32| {
            let other = *other as usize;
            self.is_interested(other, peer)
                && !self
                    .slots_of(peer)
                    .iter()
                    .any(|s| !s.ending && self.graph.of(peer)[usize::from(s.neighbour)] as usize == other)
        };
        let used = SlotUse {
            slots: usize::from(p.wanted_slots),
            ticks: u32::from(p.ticks),
            idle_ticks: u32::from(p.idle_ticks),
            somebody_waits: self.graph.of(peer).iter().any(waits),
        };
        let wanted = policy::slots(used, &self.config);
        let p = &mut self.peers[peer];
        (p.wanted_slots, p.ticks, p.idle_ticks) = (wanted as u8, 0, 0);
        self.advance(peer);
        self.deal(peer);
        for at in 0..usize::from(self.peers[peer].slots) {
            if !self.slot(peer, at).active {
                self.ask(peer, at);
            }
        }
        self.plan(peer);
    }

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
        neighbours.into_iter().for_each(|other| self.gained(other as usize));
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

    /// A peer loses everything and goes on.
    pub(super) fn fail(&mut self, peer: usize) {
        if !self.peers[peer].online || self.peers[peer].done > 0.0 {
            return;
        }
        self.failures += 1;
        self.lost_pieces += u64::from(self.peers[peer].have);
        self.stop_uploads(peer);
        let mine = peer * self.words;
        self.have[mine..mine + self.words].fill(0);
        self.asked[mine..mine + self.words].fill(0);
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
                self.unask(to, usize::from(slot.piece));
            }
        }
        (self.peers[peer].slots, self.peers[peer].active) = (0, 0);
        self.peers[peer].version += 1;
    }

    fn unask(&mut self, to: usize, piece: usize) {
        self.asked[to * self.words + piece / 64] &= !(1 << (piece % 64));
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
                self.unask(gone, usize::from(slot.piece));
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
