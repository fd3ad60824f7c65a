//! The publisher's web server, and each peer's decision to ask it.

use std::collections::VecDeque;

use swarm::policy::{self, Fetching, Need, Supply};

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
    lot: u32,
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
    pub(super) fn new(rate: f64, peers: usize, rng: &mut Rng) -> Self {
        let gates = (0..peers).map(|_| Gate { window: 2, lot: rng.u32(..), ..Gate::default() }).collect();
        let (given, given_at, version, down) = (0.0, 0, 0, false);
        Self { rate, given, given_at, version, down, fetches: VecDeque::new(), gates }
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
                gate.window = policy::origin_window(usize::from(gate.window), took, &self.config) as u8;
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
        let now = self.time();
        if usize::from(self.peers[peer].have) == self.pieces || !self.peers[peer].online {
            return;
        }
        let Some(http) = self.http.as_mut().filter(|http| !http.down) else { return };
        let piece_bytes = u64::from(self.scenario.content.piece_kib) * 1024;
        let gate = &mut http.gates[peer];
        gate.rate += (f32::from(std::mem::take(&mut gate.came)) * 2.0 - gate.rate) * NEWEST;
        let mut gate = *gate;
        let players = self.awaited as u32;
        let rate_from_peers = (f64::from(gate.rate) * piece_bytes as f64) as u64;
        let (served, has_nothing) = (self.peers[peer].incoming > 0, self.peers[peer].have == 0);
        let enough = served && rate_from_peers >= self.config.origin_floor_bytes_per_second;
        let going = if has_nothing { self.config.origin_first } else { self.config.origin_injectors };
        // Counting costs more than all the rest, and those who have enough and were not drawn need no count.
        let counts = !enough || policy::goes_first(gate.lot, going, players, 0);
        let supply = Supply {
            own_cap: None,
            promising: served || self.is_promised(peer),
            connecting: 0,
            served,
            rate_from_peers,
            rarest: if counts { self.rarest(peer) } else { None },
            players,
            lot: gate.lot,
            has_nothing,
            starving_since: gate.starving_since.map(|half| Time::from_millis(u64::from(half) * 500)),
        };
        let (need, since) = policy::need(&supply, now, &self.config);
        gate.starving_since = since.map(|since| (since.as_micros() / 500_000) as u32);
        let mut asked = false;
        loop {
            let fetches = usize::from(gate.fetches);
            let fetching = Fetching {
                fetches,
                bytes: fetches as u64 * piece_bytes,
                window: usize::from(gate.window),
                first_of_a_crowd: has_nothing && players > 1,
            };
            if !policy::origin_has_room(need, &fetching, &self.config) {
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
    }

    /// Whether a neighbour has something for a peer.
    fn is_promised(&self, peer: usize) -> bool {
        self.graph.of(peer).iter().any(|other| self.is_interested(peer, *other as usize))
    }

    fn pick_for_origin(&mut self, peer: usize, need: Need) -> Option<usize> {
        let piece = self.pick(peer, None)?;
        let has = self.graph.of(peer).iter().filter(|other| self.has(**other as usize, piece)).count();
        (need != Need::Unseen || has <= self.config.origin_spread as usize).then_some(piece)
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
