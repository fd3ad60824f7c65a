//! The swarm's policies alone, for very many peers: parts of pieces, no messages, no round trips.
//!
//! Which piece, whom to serve and when the origin helps is asked of [`swarm::policy`], as the swarm itself does. A part
//! stands for one block or a few and comes from one peer; whom that peer serves may ask it for a part before its piece
//! is whole, as the swarm hands on single blocks. An uplink is shared evenly by the parts on it; neighbours know at once
//! what each other has; who loses its slot gets the part that is on its way. A peer's downlink bounds how many parts
//! come to it at the same time. What the web server gives is handed on when its piece is whole. Memory: four bytes a
//! peer and piece, however many parts it has, and some 700 bytes a peer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;
use swarm::{Config, Time};

use crate::scenario::{
    ConductKey, Moment, OriginKind, Presence, Report, Scenario, bound_seconds, exponential, spread,
};

mod crowd;
mod gate;
mod graph;
mod holdings;
mod moves;
mod pick;

use gate::Http;
use graph::Graph;
use holdings::{Holdings, PARTS_MAX, Parts};
use pick::{Begun, PLANES};

/// What a piece costs on the wire beside its bytes: headers, acknowledgements the other way.
const ON_WIRE: f64 = 1.057;
/// Peers are looked at in so many groups, one after the other, so that nothing needs an event of its own.
const WHEEL: u64 = 64;
/// A block, KiB: no part is smaller.
const BLOCK_KIB: u32 = 16;
/// The origin, if it is a seed, has this number.
const ORIGIN: usize = 0;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Which neighbour, by its place in the list.
    neighbour: u8,
    active: bool,
    /// It was lost; the part on its way still comes.
    ending: bool,
    part: u8,
    /// The piece asked for last.
    piece: u32,
    /// Seconds.
    since: f32,
    /// If nothing is on its way: since when, seconds.
    idle_since: f32,
    /// When the part is there, in parts that the uplink gave each.
    finish: f32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Peer {
    /// Parts per second.
    up: f32,
    /// Parts that the uplink gave each transfer since it was last counted anew.
    given: f32,
    given_at: u64,
    version: u32,
    active: u8,
    slots: u8,
    wanted_slots: u8,
    ticks: u8,
    idle_ticks: u8,
    incoming: u8,
    online: bool,
    uploads: bool,
    reachable: bool,
    /// Whole pieces.
    have: u32,
    joined: f32,
    done: f32,
    /// Somebody got a slot since slots were counted last. Who gets one asks a round trip later, so that the uplink stood
    /// idle for a moment.
    changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Uplink { peer: u32, version: u32 },
    Wheel { group: u32 },
    Server { version: u32 },
    Join { peer: u32 },
    Fail { peer: u32 },
    Leave { peer: u32 },
    Part { peer: u32 },
    Origin { up: bool },
    Watch,
}

struct Tier<'a> {
    scenario: &'a Scenario,
    config: Config,
    rng: Rng,
    /// Microseconds.
    now: u64,
    due: BinaryHeap<Reverse<(u64, Due)>>,
    pieces: usize,
    words: usize,
    holdings: Holdings,
    /// The pieces of which the origin, if it is a seed, gave something to somebody.
    given: Vec<u64>,
    peers: Vec<Peer>,
    slots: Vec<Slot>,
    slots_max: usize,
    graph: Graph,
    incoming_max: Vec<u8>,
    http: Option<Http>,
    first_player: usize,
    bound: f64,
    online: Vec<u32>,
    /// Where each is in `online`.
    online_at: Vec<u32>,
    leaves_after: Vec<f32>,
    awaited: usize,
    failures: u64,
    lost_parts: u64,
    wasted_parts: u64,
    origin_parts: u64,
    happenings: u64,
    trace: u64,
    timeline: Vec<Moment>,
    /// Parts that players sent, and of them and of the origin's those seen at the last moment.
    sent_parts: u64,
    seen_parts: [u64; 2],
    /// Room for counting availability.
    planes: Vec<[u64; PLANES]>,
    /// Room for the begun pieces that one peer could give another.
    found: Vec<Begun>,
}

/// Plays a scenario with policies alone. Liars and disks are not modelled: groups that are not honest are left out.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64) -> Report {
    let mut tier = Tier::new(scenario, seed);
    let limit = scenario.limit_seconds * 1_000_000;
    while tier.awaited > 0 {
        let Some(Reverse((at, due))) = tier.due.pop() else { break };
        if at > limit {
            break;
        }
        tier.now = at;
        tier.happen(due);
    }
    tier.report(seed)
}

impl<'a> Tier<'a> {
    fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let config = scenario.swarm.config();
        let players: usize = scenario.honest().map(|group| group.count).sum();
        let is_seed = scenario.origin.kind == OriginKind::Seed;
        let first_player = usize::from(is_seed);
        let count = players + first_player;
        let pieces = (scenario.content.kib / u64::from(scenario.content.piece_kib)) as usize;
        let words = pieces.div_ceil(64);
        let blocks = (scenario.content.piece_kib / BLOCK_KIB).max(1);
        let parts = scenario.content.parts.unwrap_or(PARTS_MAX).clamp(1, PARTS_MAX.min(blocks));
        // Slots that end linger for a part.
        let slots_max = config.upload_slots_max.max(config.upload_slots_min) + 4;
        let mut tier = Self {
            scenario,
            rng: Rng::with_seed(seed),
            now: 0,
            due: BinaryHeap::new(),
            pieces,
            words,
            holdings: Holdings::new(count, pieces, parts),
            given: vec![0; words],
            peers: vec![Peer::default(); count],
            slots: vec![Slot::default(); count * slots_max],
            slots_max,
            graph: Graph::new(count, config.connections_max.min(255)),
            incoming_max: vec![u8::MAX; scenario.players.len()],
            http: None,
            first_player,
            bound: bound_seconds(&scenario.capacity()),
            online: Vec::with_capacity(players),
            online_at: vec![0; count],
            leaves_after: Vec::new(),
            awaited: players,
            failures: 0,
            lost_parts: 0,
            wasted_parts: 0,
            origin_parts: 0,
            happenings: 0,
            trace: seed,
            timeline: Vec::new(),
            sent_parts: 0,
            seen_parts: [0; 2],
            planes: vec![[0; PLANES]; words],
            found: Vec::new(),
            config,
        };
        tier.populate();
        tier
    }

    /// Parts per second.
    fn rate(&self, up_kib: u64) -> f64 {
        let part_kib = f64::from(self.scenario.content.piece_kib) / f64::from(self.holdings.parts);
        up_kib as f64 / (part_kib * ON_WIRE)
    }

    fn populate(&mut self) {
        let scenario = self.scenario;
        let origin_rate = self.rate(scenario.origin.up_kib);
        if self.first_player == 1 {
            self.holdings.fill(ORIGIN);
            let wanted_slots = self.config.upload_slots_min as u8;
            self.peers[ORIGIN] = Peer {
                up: origin_rate as f32,
                wanted_slots,
                online: true,
                uploads: true,
                reachable: true,
                have: self.pieces as u32,
                ..Peer::default()
            };
        } else {
            self.http = Some(Http::new(origin_rate, self.peers.len(), &mut self.rng));
        }
        if let Some([from, until]) = scenario.origin.down {
            self.put(seconds(from * self.bound), Due::Origin { up: false });
            self.put(seconds(until * self.bound), Due::Origin { up: true });
        }
        let mut at = self.first_player;
        for (number, group) in scenario.players.iter().enumerate() {
            if group.conduct != ConductKey::Honest {
                continue;
            }
            let share = group.up_kib.max(1) as f64 / self.config.upload_slots_min.max(1) as f64;
            self.incoming_max[number] = (group.down_kib as f64 / share).clamp(1.0, 255.0) as u8;
            for _ in 0..group.count {
                let joins = seconds(scenario.arrivals.draw(&mut self.rng)) + self.rng.u64(..100_000);
                self.peers[at] = Peer {
                    up: self.rate(group.up_kib) as f32,
                    wanted_slots: self.config.upload_slots_min as u8,
                    uploads: self.rng.f64() < group.uploading,
                    reachable: self.rng.f64() < group.reachable,
                    ..Peer::default()
                };
                self.put(joins, Due::Join { peer: at as u32 });
                self.plan_failure(at, joins, group.failures);
                at += 1;
            }
        }
        self.leaves_after =
            scenario.honest().map(|group| group.leaves_after_seconds.unwrap_or(-1.0) as f32).collect();
        self.put(seconds((self.bound / 50.0).max(0.01)), Due::Watch);
        for group in 0..WHEEL {
            self.put(250_000 * group / WHEEL, Due::Wheel { group: group as u32 });
        }
    }

    fn plan_failure(&mut self, peer: usize, after: u64, failures: f64) {
        if failures > 0.0 {
            let wait = exponential(&mut self.rng, failures / self.bound);
            self.put(after + seconds(wait), Due::Fail { peer: peer as u32 });
        }
    }

    /// The number of an honest peer's group among the honest ones, and the group.
    fn group_of(&self, peer: usize) -> (usize, &'a crate::scenario::Group) {
        let mut left = peer - self.first_player;
        let mut last = None;
        for (number, group) in self.scenario.honest().enumerate() {
            last = Some((number, group));
            if left < group.count {
                break;
            }
            left -= group.count;
        }
        // There is a group, or there would be no peer.
        last.unwrap_or((0, &self.scenario.players[0]))
    }

    fn put(&mut self, at: u64, due: Due) {
        self.due.push(Reverse((at, due)));
    }

    fn happen(&mut self, due: Due) {
        self.happenings += 1;
        match due {
            Due::Uplink { peer, version } => {
                if self.peers[peer as usize].version == version {
                    self.uplink_gave(peer as usize);
                }
            }
            Due::Wheel { group } => self.turn_wheel(u64::from(group)),
            Due::Server { version } => self.server_gave(version),
            Due::Join { peer } => self.join(peer as usize),
            Due::Fail { peer } => self.fail(peer as usize),
            Due::Leave { peer } => self.leave(peer as usize),
            Due::Part { peer } => self.part(peer as usize),
            Due::Origin { up } => self.origin_is(up),
            Due::Watch => self.watch(),
        }
    }

    /// Looks at the crowd, fifty times in the time of the bound.
    fn watch(&mut self) {
        let step = (self.bound / 50.0).max(0.01);
        let players = &self.peers[self.first_player..];
        let up: f64 = players.iter().filter(|p| p.online && p.uploads).map(|p| f64::from(p.up)).sum();
        let origin_up = self.rate(self.scenario.origin.up_kib);
        let sent = [self.sent_parts, self.origin_parts];
        let share = |at: usize, up: f64| (sent[at] - self.seen_parts[at]) as f64 / (step * up.max(1e-9));
        let have = |peer: &Peer| f64::from(peer.have) / self.pieces as f64;
        let moment = Moment {
            at: self.now as f64 / 1e6,
            busy: share(0, up),
            origin_busy: share(1, origin_up),
            have: spread(players.iter().map(have).collect()),
            done: players.iter().filter(|peer| peer.done > 0.0).count(),
        };
        self.timeline.push(moment);
        self.seen_parts = sent;
        self.put(self.now + seconds(step), Due::Watch);
    }

    fn seconds_now(&self) -> f32 {
        (self.now as f64 / 1e6) as f32
    }

    fn time(&self) -> Time {
        Time::from_micros(self.now)
    }

    fn report(&self, seed: u64) -> Report {
        let players = &self.peers[self.first_player..];
        let done = players.iter().filter(|peer| peer.done > 0.0);
        let done: Vec<f64> = done.map(|peer| f64::from(peer.done - peer.joined)).collect();
        let copy = self.pieces as f64 * f64::from(self.holdings.parts);
        let wanted = copy * players.len().max(1) as f64;
        let limit = self.scenario.limit_seconds as f64;
        let present = players.iter().enumerate().filter(|(_, peer)| peer.uploads).map(|(at, peer)| {
            let (number, group) = self.group_of(at + self.first_player);
            let stays = f64::from(self.leaves_after[number]);
            let leaves = peer.done > 0.0 && stays >= 0.0;
            let until = if leaves { f64::from(peer.done) + stays } else { limit };
            Presence { from: f64::from(peer.joined), until, up: group.up_kib as f64 * 1024.0 }
        });
        let mut report = Report {
            origin_copies: self.origin_parts as f64 * ON_WIRE / copy,
            wasted_share: self.wasted_parts as f64 / wanted,
            failures: self.failures,
            lost_copies: self.lost_parts as f64 / copy,
            happenings: self.happenings,
            trace: self.trace,
            timeline: self.timeline.clone(),
            ..Report::new(self.scenario, seed, self.bound, done)
        };
        report.set_present(self.scenario, present.collect());
        report
    }
}

fn seconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e6) as u64
}
