//! Everybody wants the same release at the same moment.

use std::time::Duration;

use fastrand::Rng;
use swarm::{Config, Time};

pub use crate::scenario::OriginKind;
use crate::{Content, NodeId, NodeSpec, Start, World};

/// A flash crowd: one origin, many players, all at once.
#[derive(Debug, Clone)]
pub struct FlashCrowd {
    /// Players.
    pub players: usize,
    /// Size of what they want, bytes.
    pub bytes: u64,
    /// Piece length, bytes.
    pub piece_length: u32,
    /// What serves the first copy.
    pub origin: OriginKind,
    /// The origin's uplink, bytes per second on the wire.
    pub origin_up: u64,
    /// A player's uplink, bytes per second on the wire.
    pub player_up: u64,
    /// A player's downlink, bytes per second on the wire.
    pub player_down: u64,
    /// One way from a node to the middle of the network.
    pub delay: Duration,
    /// Others that each player is told of at most.
    pub neighbours: usize,
    /// The swarms' configuration.
    pub config: Config,
    /// The run's seed.
    pub seed: u64,
    /// Virtual seconds after which a run that is not done is ended.
    pub limit_seconds: u64,
}

impl Default for FlashCrowd {
    fn default() -> Self {
        Self {
            players: 16,
            bytes: 64 * 1024 * 1024,
            piece_length: 256 * 1024,
            origin: OriginKind::Seed,
            origin_up: 2 * 1024 * 1024,
            player_up: 1024 * 1024,
            player_down: 8 * 1024 * 1024,
            delay: Duration::from_millis(10),
            neighbours: 50,
            config: Config::default(),
            seed: 1,
            limit_seconds: 3_600,
        }
    }
}

/// How a flash crowd went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Players that got everything.
    pub completed: usize,
    /// No scheduler is faster than this, in seconds (fluid bound of Kumar and Ross).
    pub bound_seconds: f64,
    /// When the median player was done, in seconds.
    pub median_seconds: f64,
    /// When the last player was done, in seconds.
    pub last_seconds: f64,
    /// Copies of the release that the origin sent, headers and messages included.
    pub origin_copies: f64,
    /// Payload bytes players took in and threw away.
    pub wasted_bytes: u64,
    /// A hash of the whole run.
    pub trace: u64,
}

impl Outcome {
    /// The last player's time in multiples of the bound.
    #[must_use]
    pub fn last_over_bound(&self) -> f64 {
        self.last_seconds / self.bound_seconds
    }

    /// The median player's time in multiples of the bound.
    #[must_use]
    pub fn median_over_bound(&self) -> f64 {
        self.median_seconds / self.bound_seconds
    }
}

/// Plays a flash crowd through; `None` if no layout has such pieces.
#[must_use]
pub fn flash_crowd(crowd: &FlashCrowd) -> Option<Outcome> {
    let content = Content::new(crowd.piece_length, &[crowd.bytes], crowd.seed).ok()?;
    let mut world = World::new(content, crowd.seed);
    let mut rng = Rng::with_seed(crowd.seed);
    let player = NodeSpec {
        up: crowd.player_up,
        down: crowd.player_down,
        delay: crowd.delay,
        config: crowd.config.clone(),
        ..NodeSpec::default()
    };
    let players: Vec<NodeId> = (0..crowd.players).map(|_| world.add(player.clone())).collect();
    let mut everybody = players.clone();
    let seed = (crowd.origin == OriginKind::Seed)
        .then(|| world.add(NodeSpec { start: Start::Complete, up: crowd.origin_up, ..player.clone() }));
    everybody.extend(seed);
    for &node in &everybody {
        let mut others: Vec<NodeId> = players.iter().copied().filter(|other| *other != node).collect();
        rng.shuffle(&mut others);
        others.truncate(crowd.neighbours);
        others.extend(seed.filter(|seed| *seed != node));
        world.introduce(node, &others, Duration::from_millis(rng.u64(..100)));
    }
    if crowd.origin == OriginKind::Http {
        world.add_origin(crowd.origin_up, crowd.delay);
    }
    world.run_to_completion(Time::from_secs(crowd.limit_seconds));
    Some(outcome(crowd, &world, &players, seed))
}

fn outcome(crowd: &FlashCrowd, world: &World, players: &[NodeId], seed: Option<NodeId>) -> Outcome {
    let seconds = |time: Time| time.as_micros() as f64 / 1e6;
    let mut done: Vec<f64> = players.iter().filter_map(|node| world.completed(*node)).map(seconds).collect();
    done.sort_by(f64::total_cmp);
    let limit = crowd.limit_seconds as f64;
    let at = |index: usize| done.get(index).copied().unwrap_or(limit);
    let sent = seed.map_or(world.origin_sent_on_wire(), |seed| world.sent_on_wire(seed));
    Outcome {
        completed: done.len(),
        bound_seconds: bound(crowd),
        median_seconds: at(crowd.players / 2),
        last_seconds: at(crowd.players.saturating_sub(1)),
        origin_copies: sent as f64 / crowd.bytes as f64,
        wasted_bytes: players.iter().map(|node| world.stats(*node).wasted_bytes).sum(),
        trace: world.trace(),
    }
}

/// max(F/us, F/d, N·F/(us + N·u)), bytes on the wire taken as payload.
fn bound(crowd: &FlashCrowd) -> f64 {
    let bytes = crowd.bytes as f64;
    let (players, origin) = (crowd.players as f64, crowd.origin_up as f64);
    let all = players * bytes / (origin + players * crowd.player_up as f64);
    (bytes / origin).max(bytes / crowd.player_down as f64).max(all)
}
