//! The publisher's web server, and each peer's decision to ask it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use swarm::policy::{self, Fetching, Need, Supply};

use super::*;

/// How much the newest half second counts in a peer's rate: about four seconds are remembered.
const NEWEST: f32 = 0.125;

#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    /// Parts per second from peers.
    rate: f32,
    came: u16,
    fetches: u8,
    window: u8,
    lot: u32,
    starving_since: Option<u32>,
}

/// Parts of a piece that are on their way; the first there is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fetch {
    /// When they are there, in parts that the server gave each fetch: the bits of a number that is never negative.
    finish: u64,
    /// Microseconds.
    asked_at: u64,
    peer: u32,
    piece: u32,
    parts: Parts,
}

/// A web server whose uplink all fetches share evenly.
#[derive(Debug)]
pub(super) struct Http {
    rate: f64,
    given: f64,
    given_at: u64,
    version: u32,
    down: bool,
    /// The first asked for is the first there.
    fetches: BinaryHeap<Reverse<Fetch>>,
    gates: Vec<Gate>,
}

impl Http {
    pub(super) fn new(rate: f64, peers: usize, rng: &mut Rng) -> Self {
        let gates = (0..peers).map(|_| Gate { window: 2, lot: rng.u32(..), ..Gate::default() }).collect();
        let (given, given_at, version, down) = (0.0, 0, 0, false);
        Self { rate, given, given_at, version, down, fetches: BinaryHeap::new(), gates }
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
        let Reverse(first) = self.fetches.peek()?;
        let left = f64::from_bits(first.finish) - self.given;
        let wait = left.max(0.0) * self.fetches.len() as f64 / self.rate;
        Some(now + (wait * 1e6) as u64 + 1)
    }

    fn take(&mut self) -> Option<Fetch> {
        let Reverse(first) = self.fetches.peek().copied()?;
        (f64::from_bits(first.finish) <= self.given + 1e-9).then(|| {
            self.fetches.pop();
            first
        })
    }

    fn ask(&mut self, peer: usize, (piece, parts): (usize, Parts), now: u64) {
        self.advance(now);
        let finish = (self.given + f64::from(parts.count_ones())).to_bits();
        let (peer, piece) = (peer as u32, piece as u32);
        self.fetches.push(Reverse(Fetch { finish, asked_at: now, peer, piece, parts }));
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
        let there: Vec<Fetch> = std::iter::from_fn(|| http.take()).collect();
        for Fetch { peer, piece, parts, asked_at, .. } in there {
            let peer = peer as usize;
            if let Some(http) = &mut self.http {
                let gate = &mut http.gates[peer];
                gate.fetches = gate.fetches.saturating_sub(1);
                let took = std::time::Duration::from_micros(now - asked_at);
                gate.window = policy::origin_window(usize::from(gate.window), took, &self.config) as u8;
            }
            self.origin_parts += u64::from(parts.count_ones());
            self.peers[peer].incoming += 1;
            self.arrive(peer, piece as usize, parts, peer);
            self.drive_gate(peer);
        }
        self.plan_server();
    }

    /// A peer looks whether it needs the origin, and asks.
    pub(super) fn drive_gate(&mut self, peer: usize) {
        let now = self.time();
        if self.peers[peer].have as usize == self.pieces || !self.peers[peer].online {
            return;
        }
        let Some(http) = self.http.as_mut().filter(|http| !http.down) else { return };
        let piece_bytes = u64::from(self.scenario.content.piece_kib) * 1024;
        let gate = &mut http.gates[peer];
        gate.rate += (f32::from(std::mem::take(&mut gate.came)) * 2.0 - gate.rate) * NEWEST;
        let mut gate = *gate;
        let players = self.awaited as u32;
        let part_bytes = piece_bytes as f64 / f64::from(self.holdings.parts);
        let rate_from_peers = (f64::from(gate.rate) * part_bytes) as u64;
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
            let rare = if need == Need::Unseen { self.config.origin_spread } else { u32::MAX };
            let Some((piece, parts)) = self.pick_for_origin(peer, rare) else { break };
            self.holdings.ask(peer, piece, parts);
            let at = self.now;
            if let Some(http) = &mut self.http {
                http.ask(peer, (piece, parts), at);
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
        self.graph.of(peer).iter().any(|other| self.holdings.is_interested(peer, *other as usize))
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
        for Reverse(Fetch { peer, piece, parts, .. }) in fetches {
            self.holdings.unask(peer as usize, piece as usize, parts);
            if let Some(http) = &mut self.http {
                http.gates[peer as usize].fetches = 0;
            }
        }
    }

    fn halt(&mut self, peer: usize, slots: usize) {
        if slots > 0 {
            self.stop_uploads(peer);
        }
    }
}
