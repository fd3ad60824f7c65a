//! A scenario is a file: who, which lines, what goes wrong. TOML; see `crates/sim/scenarios/`.
//!
//! Every key has a default that is a home connection with nothing wrong, so a file says only what is special. Rates
//! are KiB per second on the wire, shares 0 to 1, times in the unit of the key's name. A key that does not exist is
//! an error, not a typing mistake that goes unnoticed.

use std::time::Duration;

use serde::Deserialize;
use swarm::Config;

use crate::{Conduct, Disk, NodeSpec, TrackerSpec, WhenDone};

mod bound;
mod report;
mod run;
mod sweep;

pub use bound::{Capacity, Presence, bound_of_present, bound_seconds};
pub use report::{Moment, Report, Summary, summarize, table};
pub(crate) use report::{median, spread};
pub(crate) use run::exponential;
pub use run::run;
pub use sweep::{SweepError, parse, parse_with};

/// Which simulation plays a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The very swarm that ships, every message and block.
    #[default]
    Full,
    /// Its policies alone, whole pieces, for very many peers.
    Policy,
}

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in tables.
    pub name: String,
    /// What it shows.
    #[serde(default)]
    pub about: String,
    /// Which simulation plays it.
    #[serde(default)]
    pub tier: Tier,
    /// The run's seed, unless another is asked for.
    #[serde(default = "one")]
    pub seed: u64,
    /// Virtual seconds after which a run that is not done is ended.
    #[serde(default = "an_hour")]
    pub limit_seconds: u64,
    /// What everybody wants.
    pub content: ContentSpec,
    /// Where it comes from.
    #[serde(default)]
    pub origin: OriginSpec,
    /// Who wants it.
    pub players: Vec<Group>,
    /// When they come.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Who tells them of each other.
    #[serde(default)]
    pub tracker: TrackerKeys,
    /// What differs from the swarm's defaults.
    #[serde(default)]
    pub swarm: SwarmKeys,
}

/// What everybody wants: one file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentSpec {
    /// Its size in KiB.
    pub kib: u64,
    /// Its piece length in KiB, a power of two of at least 16.
    pub piece_kib: u32,
    /// Into how many parts the policy tier cuts a piece, at most sixteen and one a block; absent: as many as may be.
    /// Fewer take less time.
    #[serde(default)]
    pub parts: Option<u32>,
}

/// What serves the first copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OriginKind {
    /// A peer that has everything.
    Seed,
    /// A plain web server that coordinates nobody.
    Http,
}

/// The origin.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OriginSpec {
    /// What it is.
    pub kind: OriginKind,
    /// Its uplink.
    pub up_kib: u64,
    /// One way from it to the middle of the network.
    pub delay_ms: u64,
    /// What its line's queue holds.
    pub queue_ms: u64,
    /// It is not there between these times, in multiples of the bound.
    pub down: Option<[f64; 2]>,
}

impl Default for OriginSpec {
    fn default() -> Self {
        Self { kind: OriginKind::Seed, up_kib: 2048, delay_ms: 10, queue_ms: 100, down: None }
    }
}

/// Players of one kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// How many.
    pub count: usize,
    /// Their uplink.
    pub up_kib: u64,
    /// Their downlink.
    pub down_kib: u64,
    /// One way from them to the middle of the network.
    pub delay_ms: u64,
    /// Each has up to this much more delay, at random.
    pub delay_spread_ms: u64,
    /// What their lines' queues hold.
    pub queue_ms: u64,
    /// The share of packets lost on the way to them.
    pub loss: f64,
    /// The share of them that others can connect to.
    pub reachable: f64,
    /// The share of them that uploads.
    pub uploading: f64,
    /// How they treat others: honest, false-blocks, claims-all, silent, chokes-forever, trickles. All but the honest
    /// pretend to have everything from the start and are awaited by nobody.
    pub conduct: ConductKey,
    /// They leave so many seconds after they are done; absent: they stay.
    pub leaves_after_seconds: Option<f64>,
    /// How often each loses everything and begins anew, at random, in the time of the bound.
    pub failures: f64,
    /// Their disks.
    pub disk: DiskKeys,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            count: 1,
            up_kib: 1024,
            down_kib: 8192,
            delay_ms: 10,
            delay_spread_ms: 0,
            queue_ms: 100,
            loss: 0.0,
            reachable: 1.0,
            uploading: 1.0,
            conduct: ConductKey::Honest,
            leaves_after_seconds: None,
            failures: 0.0,
            disk: DiskKeys::default(),
        }
    }
}

/// [`Conduct`] as a file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the conduct of the same name")]
pub enum ConductKey {
    Honest,
    FalseBlocks,
    ClaimsAll,
    Silent,
    ChokesForever,
    Trickles,
}

impl From<ConductKey> for Conduct {
    fn from(key: ConductKey) -> Self {
        match key {
            ConductKey::Honest => Self::Honest,
            ConductKey::FalseBlocks => Self::FalseBlocks,
            ConductKey::ClaimsAll => Self::ClaimsAll,
            ConductKey::Silent => Self::Silent,
            ConductKey::ChokesForever => Self::ChokesForever,
            ConductKey::Trickles => Self::Trickles,
        }
    }
}

/// [`Disk`] as a file names it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskKeys {
    /// What can be written; zero: no limit.
    pub write_kib: u64,
    /// The share of writes that fail.
    pub failing: f64,
    /// The share of blocks that are written wrong.
    pub garbling: f64,
    /// The share of blocks that read back false.
    pub lying: f64,
}

/// When players come.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arrivals {
    /// They come at random within so many seconds; zero: all at once.
    pub over_seconds: f64,
    /// How much the rate swings around its mean in a day, 0 (even) to 1 (nobody comes at the quietest time).
    pub day_swing: f64,
    /// How long a day is, seconds.
    pub day_seconds: f64,
}

/// [`TrackerSpec`] as a file names it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackerKeys {
    /// Peers in an answer at most.
    pub answers: usize,
    /// A node with fewer connections asks again …
    pub starving_below: usize,
    /// … every so many seconds.
    pub starving_seconds: f64,
}

impl Default for TrackerKeys {
    fn default() -> Self {
        Self { answers: 50, starving_below: 5, starving_seconds: 5.0 }
    }
}

impl From<TrackerKeys> for TrackerSpec {
    fn from(keys: TrackerKeys) -> Self {
        Self {
            answers: keys.answers,
            starving_below: keys.starving_below,
            starving_interval: Duration::from_secs_f64(keys.starving_seconds.max(0.1)),
            ..Self::default()
        }
    }
}

/// What differs from [`Config::default`].
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is the field of the same name in the swarm's configuration")]
pub struct SwarmKeys {
    pub connections_max: Option<usize>,
    pub connections_wanted: Option<usize>,
    pub upload_slots_min: Option<usize>,
    pub upload_slots_max: Option<usize>,
    pub rechoke_seconds: Option<f64>,
    pub slot_seconds: Option<f64>,
    pub sending_max: Option<usize>,
    pub request_queue_seconds: Option<f64>,
    pub requests_unproven_max: Option<usize>,
    pub snub_seconds: Option<f64>,
    pub origin_fetches: Option<usize>,
    pub origin_window_kib: Option<u64>,
    pub origin_floor_kib: Option<u64>,
    pub origin_delay_seconds: Option<f64>,
    pub origin_injectors: Option<u32>,
    pub origin_first: Option<u32>,
    pub origin_spread: Option<u32>,
    pub last_piece_patience_seconds: Option<f64>,
}

impl SwarmKeys {
    /// The configuration these make.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        let seconds = |to: &mut Duration, from: Option<f64>| {
            *to = from.map_or(*to, |seconds| Duration::from_secs_f64(seconds.max(0.0)));
        };
        let count = |to: &mut usize, from: Option<usize>| *to = from.unwrap_or(*to);
        count(&mut config.connections_max, self.connections_max);
        count(&mut config.connections_wanted, self.connections_wanted);
        count(&mut config.upload_slots_min, self.upload_slots_min);
        count(&mut config.upload_slots_max, self.upload_slots_max);
        count(&mut config.sending_max, self.sending_max);
        count(&mut config.requests_unproven_max, self.requests_unproven_max);
        count(&mut config.origin_fetches, self.origin_fetches);
        seconds(&mut config.rechoke_interval, self.rechoke_seconds);
        seconds(&mut config.slot_time, self.slot_seconds);
        seconds(&mut config.request_queue, self.request_queue_seconds);
        seconds(&mut config.snub_after, self.snub_seconds);
        seconds(&mut config.origin_delay, self.origin_delay_seconds);
        seconds(&mut config.last_piece_patience, self.last_piece_patience_seconds);
        config.origin_injectors = self.origin_injectors.unwrap_or(config.origin_injectors);
        config.origin_first = self.origin_first.unwrap_or(config.origin_first);
        config.origin_spread = self.origin_spread.unwrap_or(config.origin_spread);
        let kib = |to: &mut u64, from: Option<u64>| *to = from.map_or(*to, |kib| kib * 1024);
        kib(&mut config.origin_floor_bytes_per_second, self.origin_floor_kib);
        kib(&mut config.origin_window_bytes, self.origin_window_kib);
        config
    }
}

impl Group {
    /// A node of this group; shares and spreads are left to the caller's dice.
    #[must_use]
    pub fn node(&self, config: Config) -> NodeSpec {
        let disk = Disk {
            bytes_per_second: self.disk.write_kib * 1024,
            failing: self.disk.failing,
            garbling: self.disk.garbling,
            lying: self.disk.lying,
            ..Disk::default()
        };
        NodeSpec {
            up: self.up_kib * 1024,
            down: self.down_kib * 1024,
            delay: Duration::from_millis(self.delay_ms),
            queue: Duration::from_millis(self.queue_ms),
            loss: self.loss,
            conduct: self.conduct.into(),
            disk,
            when_done: self.leaves_after_seconds.map_or(WhenDone::Stays, |seconds| {
                WhenDone::Leaves(Duration::from_secs_f64(seconds.max(0.0)))
            }),
            config,
            ..NodeSpec::default()
        }
    }
}

impl Scenario {
    /// Size of what everybody wants, bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.content.kib * 1024
    }

    /// Players that are awaited to complete.
    pub fn honest(&self) -> impl Iterator<Item = &Group> {
        self.players.iter().filter(|group| group.conduct == ConductKey::Honest)
    }
}

fn one() -> u64 {
    1
}

fn an_hour() -> u64 {
    3_600
}
