//! The publisher's web server, and each peer's decision to ask it.

use std::collections::VecDeque;

use super::rules::{Need, Supply};
use super::*;

/// How much the newest half second counts in a peer's rate: about four seconds are remembered.
const NEWEST: f32 = 0.125;

#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    /// Pieces per second from peers.
    rate: f32,
    came: u16,
    fetches: u8,
    window: u8,
    starving_since: Option<u32>,
}

/// A web server whose uplink all fetches share evenly; the first asked for is the first there.
#[derive(Debug)]
pub(super) struct Http {
    rate: f64,
    given: f64,
    given_at: u64,
    version: u32,
    down: bool,
    /// Who asked for what, when it is there in pieces given, and when it was asked for.
    fetches: VecDeque<(u32, u16, f64, u64)>,
    gates: Vec<Gate>,
}

impl Http {
    pub(super) fn new(rate: f64, peers: usize) -> Self {
        let gate = Gate { window: 2, ..Gate::default() };
        let (given, given_at, version, down) = (0.0, 0, 0, false);
        Self { rate, given, given_at, version, down, fetches: VecDeque::new(), gates: vec![gate; peers] }
    }

    pub(super) fn came_from_peer(&mut self, peer: usize) {
        self.gates[peer].came += 1;
    }

    fn advance(&mut self, now: u64) {
        if !self.fetches.is_empty() {
            self.given += (now - self.given_at) as f64 / 1e6 * self.rate / self.fetches.len() as f64;
        }
        self.given_at = now;
    }

    fn next(&self, now: u64) -> Option<u64> {
        let (_, _, finish, _) = self.fetches.front()?;
        let wait = (finish - self.given).max(0.0) * self.fetches.len() as f64 / self.rate;
        Some(now + (wait * 1e6) as u64 + 1)
    }
}

impl Tier<'_> {
    fn plan_server(&mut self) {
        let now = self.now;
        let Some(http) = &mut self.http else { return };
        http.version += 1;
        let (version, next) = (http.version, http.next(now));
        if let Some(at) = next {
            self.put(at, Due::Server { version });
        }
    }

    pub(super) fn server_gave(&mut self, version: u32) {
        let now = self.now;
        let Some(http) = self.http.as_mut().filter(|http| http.version == version) else { return };
        http.advance(now);
        let mut there = Vec::new();
        while let Some(fetch) = http.fetches.pop_front_if(|(_, _, finish, _)| *finish <= http.given + 1e-9) {
            there.push(fetch);
        }
        for (peer, piece, _, asked_at) in there {
            let peer = peer as usize;
            if let Some(http) = &mut self.http {
                let gate = &mut http.gates[peer];
                gate.fetches = gate.fetches.saturating_sub(1);
                let took = std::time::Duration::from_micros(now - asked_at);
                gate.window = rules::origin_window(usize::from(gate.window), took, &self.config) as u8;
            }
            self.origin_pieces += 1;
            self.peers[peer].incoming += 1;
            self.arrive(peer, usize::from(piece), peer);
            self.drive_gate(peer);
        }
        self.plan_server();
    }

    /// A peer looks whether it needs the origin, and asks.
    pub(super) fn drive_gate(&mut self, peer: usize) {
        let (now, tick) = (self.time(), self.seconds_now());
        if usize::from(self.peers[peer].have) == self.pieces || !self.peers[peer].online {
            return;
        }
        let Some(http) = self.http.as_mut().filter(|http| !http.down) else { return };
        let piece_bytes = u64::from(self.scenario.content.piece_kib) * 1024;
        let gate = &mut http.gates[peer];
        gate.rate += (f32::from(std::mem::take(&mut gate.came)) * 2.0 - gate.rate) * NEWEST;
        let mut gate = *gate;
        let (promising, unseen) = self.offers(peer);
        let supply = Supply {
            promising,
            served: self.peers[peer].incoming > 0,
            rate_from_peers: (f64::from(gate.rate) * piece_bytes as f64) as u64,
            unseen,
            starving_since: gate.starving_since.map(|half| Time::from_millis(u64::from(half) * 500)),
        };
        let (need, since) = rules::need(&supply, now, &self.config);
        gate.starving_since = since.map(|since| (since.as_micros() / 500_000) as u32);
        let mut asked = false;
        loop {
            let fetches = usize::from(gate.fetches);
            let bytes = fetches as u64 * piece_bytes;
            if !rules::origin_has_room(need, fetches, bytes, usize::from(gate.window), &self.config) {
                break;
            }
            let Some(piece) = self.pick_for_origin(peer, need) else { break };
            self.asked[peer * self.words + piece / 64] |= 1 << (piece % 64);
            let at = self.now;
            if let Some(http) = &mut self.http {
                http.advance(at);
                http.fetches.push_back((peer as u32, piece as u16, http.given + 1.0, at));
            }
            (gate.fetches, asked) = (gate.fetches + 1, true);
        }
        if let Some(http) = &mut self.http {
            http.gates[peer] = gate;
        }
        if asked {
            self.plan_server();
        }
        debug_assert!(tick >= 0.0);
    }

    /// Whether a neighbour has something for a peer, and how many of its missing pieces none has.
    fn offers(&self, peer: usize) -> (bool, u32) {
        let mine = peer * self.words;
        let (mut promising, mut unseen) = (false, self.pieces as u32);
        for word in 0..self.words {
            let others = self.graph.of(peer).iter();
            let seen = others.fold(0, |seen, other| seen | self.have[*other as usize * self.words + word]);
            promising |= seen & !self.have[mine + word] != 0;
            unseen -= (seen | self.have[mine + word] | self.asked[mine + word]).count_ones();
        }
        (promising, unseen)
    }

    fn pick_for_origin(&mut self, peer: usize, need: Need) -> Option<usize> {
        let piece = self.pick(peer, None)?;
        let seen = self.graph.of(peer).iter().any(|other| self.has(*other as usize, piece));
        (need != Need::Unseen || !seen).then_some(piece)
    }

    pub(super) fn origin_is(&mut self, up: bool) {
        if self.first_player == 1 {
            self.peers[ORIGIN].uploads = up;
            if !up {
                let slots = usize::from(self.peers[ORIGIN].slots);
                self.halt(ORIGIN, slots);
            }
            return;
        }
        let Some(http) = &mut self.http else { return };
        http.down = !up;
        let fetches = std::mem::take(&mut http.fetches);
        for (peer, piece, _, _) in fetches {
            let (peer, piece) = (peer as usize, usize::from(piece));
            self.asked[peer * self.words + piece / 64] &= !(1 << (piece % 64));
            if let Some(http) = &mut self.http {
                http.gates[peer].fetches = 0;
            }
        }
    }

    fn halt(&mut self, peer: usize, slots: usize) {
        if slots > 0 {
            self.stop_uploads(peer);
        }
    }
}
