//! The dispatcher: takes what the core asks for, deals it to the sources, and puts what a source did not give back.
//!
//! One task owns queue, ranks and refusals; each request is a lane of its own. The core hears of a failure only when
//! no source is left (for good), or when all that are left rest (until the first one does no more). A piece that came
//! false is the fault of the source that gave it, which `blame` finds; the others go on serving it.

use super::{
    Figures, Order,
    blame::Blame,
    error::Consequence,
    error::OriginError,
    lane::{Ground, Lane},
    mirrors::{Choice, Mirrors, NoChoice},
    queue::{Fetch, Part, Queue},
    run::Run,
};
use crate::session::happening::Happening;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

/// A request asks for at most what its source gives in this time, so that work can be dealt anew.
const PORTION: Duration = Duration::from_secs(2);
/// A request that only tries a source takes no more pieces along than these bytes.
const PROBE_BYTES: u64 = 256 * 1024;
/// How often rates are looked at while anything is asked for.
const TICK: Duration = Duration::from_millis(500);

/// A source and what it does not have, or had wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Refusal {
    File(usize, usize),
    Piece(usize, u32),
}

struct Running {
    mirror: usize,
    run: Arc<Run>,
    /// Pieces of it that were verified meanwhile.
    verified: BTreeSet<u32>,
}

type LaneEnd = (u64, Result<(), OriginError>);

/// See the module.
pub(super) struct Dispatch {
    ground: Arc<Ground>,
    mirrors: Mirrors,
    queue: Queue,
    running: BTreeMap<u64, Running>,
    lanes: JoinSet<LaneEnd>,
    last_lane: u64,
    /// By source: what its gauge said last.
    counted: Vec<(u64, u64, u64)>,
    refusals: BTreeSet<Refusal>,
    blame: Blame,
    wire: mpsc::Sender<Happening>,
    figures: watch::Sender<Vec<Figures>>,
}

impl Dispatch {
    pub(super) fn new(
        ground: Arc<Ground>,
        seed: u64,
        wire: mpsc::Sender<Happening>,
        figures: watch::Sender<Vec<Figures>>,
    ) -> Self {
        let count = ground.sources.len();
        Self {
            ground,
            mirrors: Mirrors::new(count, Instant::now(), seed),
            queue: Queue::default(),
            running: BTreeMap::new(),
            lanes: JoinSet::new(),
            last_lane: 0,
            counted: vec![(0, 0, 0); count],
            refusals: BTreeSet::new(),
            blame: Blame::default(),
            wire,
            figures,
        }
    }

    /// Works until its handle is gone; the lanes end with it.
    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some(order) = order else { return };
                    self.take(order);
                    // What one drain of the core asked for is dealt together.
                    while let Ok(order) = orders.try_recv() {
                        self.take(order);
                    }
                }
                Some(ended) = self.lanes.join_next() => match ended {
                    Ok((lane, outcome)) => self.lane_ended(lane, outcome),
                    Err(error) => tracing::error!(%error, "a lane of the origin broke"),
                },
                _ = tick.tick(), if !self.running.is_empty() => {}
            }
            self.look();
            self.deal().await;
            self.tell();
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Fetch(fetches) => fetches.iter().for_each(|fetch| self.take_fetch(fetch)),
            Order::Cancel(fetch) => {
                let waiting = self.queue.remove(fetch).is_some();
                let _known = waiting || self.running.values().any(|running| running.run.call_off(fetch));
            }
            Order::Verified(piece) => self.was_verified(piece),
            Order::False(piece, block) => self.was_false(piece, block),
        }
    }

    fn take_fetch(&mut self, fetch: &Fetch) {
        match Part::new(&self.ground.layout, fetch) {
            Some(part) => self.queue.push(part),
            None => tracing::error!(?fetch, "a fetch of nothing"),
        }
    }

    fn was_verified(&mut self, piece: u32) {
        self.blame.verified(piece);
        for running in self.running.values_mut().filter(|running| running.run.has(piece)) {
            running.verified.insert(piece);
        }
    }

    /// Whoever gave it is not asked for the piece again.
    fn was_false(&mut self, piece: u32, block: Option<u32>) {
        for Running { mirror, run, .. } in self.running.values() {
            self.blame.gave(*mirror, run.given().filter(|(given, _)| *given == piece));
        }
        let is_known = |mirror| self.refusals.contains(&Refusal::Piece(mirror, piece));
        if let Some(mirror) = self.blame.was_false(piece, block, is_known) {
            self.refusals.insert(Refusal::Piece(mirror, piece));
            self.warn(mirror, "sent false bytes");
            self.mirrors.lied(mirror, "sent false bytes".to_owned());
        }
    }

    fn lane_ended(&mut self, lane: u64, outcome: Result<(), OriginError>) {
        let Some(Running { mirror, run, verified }) = self.running.remove(&lane) else { return };
        let now = Instant::now();
        self.look();
        self.mirrors.ended(mirror, run.bytes(), now);
        self.blame.gave(mirror, run.given().filter(|(piece, _)| !verified.contains(piece)));
        match outcome {
            Ok(()) => self.mirrors.succeeded(mirror),
            Err(error) => self.blame(mirror, run.file, &error, now),
        }
        run.rest().into_iter().for_each(|part| self.queue.push(part));
    }

    fn blame(&mut self, mirror: usize, file: usize, error: &OriginError, now: Instant) {
        let said = error.to_string();
        tracing::debug!(url = %self.ground.sources[mirror].url(), error = %said, "origin");
        match error.consequence() {
            Consequence::Lacks => {
                self.refusals.insert(Refusal::File(mirror, file));
                self.mirrors.lacks(mirror, said);
            }
            Consequence::Lies => {
                self.refusals.insert(Refusal::File(mirror, file));
                self.warn(mirror, &said);
                self.mirrors.lied(mirror, said);
            }
            Consequence::Rest(wait) => self.mirrors.failed(mirror, now, wait, said),
        }
    }

    fn warn(&self, mirror: usize, what: &str) {
        tracing::warn!(url = %self.ground.sources[mirror].url(), what, "a source of content");
    }

    /// Brings the figures up to what the lanes counted.
    fn look(&mut self) {
        let count = |gauge: &super::lane::Gauge| {
            let read = |figure: &std::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
            (read(&gauge.wire_bytes), read(&gauge.waste_bytes), gauge.first_byte.swap(0, Ordering::Relaxed))
        };
        for (mirror, gauge) in self.ground.gauges.iter().enumerate() {
            let (bytes, waste, first_byte) = count(gauge);
            let known = std::mem::replace(&mut self.counted[mirror], (bytes, waste, first_byte));
            self.mirrors.received(mirror, bytes - known.0);
            if first_byte > 0 {
                self.mirrors.answered(mirror, Duration::from_micros(first_byte));
            }
            if waste > known.1 && self.mirrors.wasted(mirror, waste - known.1) {
                self.warn(mirror, "ignores ranges");
            }
        }
        self.mirrors.tick(Instant::now());
    }

    /// Begins what can begin; what cannot within a while is given back to the core.
    async fn deal(&mut self) {
        for fetch in self.queue.by_age() {
            let now = Instant::now();
            let Some(part) = self.queue.get(fetch).cloned() else { continue };
            let chosen = self.choose(&part, now);
            let (retry_after, permanent) = match chosen {
                Ok(choice) => {
                    self.begin(choice, fetch, now);
                    continue;
                }
                Err(NoChoice::Busy) => continue,
                Err(NoChoice::Resting(until)) => (Some(until.duration_since(now)), false),
                Err(NoChoice::Nobody) => (None, true),
            };
            self.queue.remove(fetch);
            // In order behind the blocks that were handed on.
            let failed = Happening::OriginFailed { fetch, retry_after, permanent };
            if self.wire.send(failed).await.is_err() {
                return;
            }
        }
    }

    /// Who fetches a part. Who had to do it alone and cannot makes room for the next.
    fn choose(&mut self, part: &Part, now: Instant) -> Result<Choice, NoChoice> {
        loop {
            let (refusals, alone) = (&self.refusals, self.blame.alone(part.piece));
            let chosen = self.mirrors.choose(now, |mirror| may(refusals, alone, mirror, part));
            if !matches!(chosen, Err(NoChoice::Nobody)) || alone.is_none() {
                return chosen;
            }
            self.blame.skip(part.piece);
        }
    }

    fn begin(&mut self, choice: Choice, fetch: u64, now: Instant) {
        let Choice { mirror, probe } = choice;
        let share = self.queue.bytes() / self.mirrors.free_lanes() as u64;
        let limit = if probe { PROBE_BYTES } else { self.mirrors.portion(mirror, PORTION).min(share) };
        let (refusals, blame) = (&self.refusals, &self.blame);
        let may_come = |part: &Part| may(refusals, blame.alone(part.piece), mirror, part);
        let Some(run) = Run::new(self.queue.take_run(fetch, limit, may_come)) else { return };
        let run = Arc::new(run);
        self.mirrors.started(mirror, run.bytes(), now);
        self.last_lane += 1;
        let lane = self.last_lane;
        let (ground, wire, order) = (Arc::clone(&self.ground), self.wire.clone(), Arc::clone(&run));
        self.running.insert(lane, Running { mirror, run, verified: BTreeSet::new() });
        self.lanes.spawn(async move {
            let outcome = Lane { ground: &ground, mirror, run: &order, wire: &wire }.fetch().await;
            (lane, outcome)
        });
    }

    fn tell(&self) {
        let figures: Vec<Figures> = self.mirrors.figures(Instant::now()).collect();
        self.figures.send_if_modified(|last| {
            let changed = *last != figures;
            if changed {
                *last = figures;
            }
            changed
        });
    }
}

fn may(refusals: &BTreeSet<Refusal>, alone: Option<usize>, mirror: usize, part: &Part) -> bool {
    alone.is_none_or(|alone| alone == mirror)
        && !refusals.contains(&Refusal::File(mirror, part.file))
        && !refusals.contains(&Refusal::Piece(mirror, part.piece))
}
