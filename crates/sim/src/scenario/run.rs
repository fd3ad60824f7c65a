//! Plays a scenario with the very swarm that ships.

use std::time::{Duration, Instant};

use fastrand::Rng;
use release::layout::LayoutError;
use swarm::Time;

use super::{
    Arrivals, ConductKey, Moment, OriginKind, Presence, Report, Scenario, Tier, bound_seconds, spread,
};
use crate::{Content, NodeId, NodeSpec, Start, World, policy_tier};

/// Plays a scenario through with this seed.
///
/// # Errors
/// [`LayoutError`] if no layout has such pieces.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Report, LayoutError> {
    let began = Instant::now();
    let mut report = match scenario.tier {
        Tier::Full => full(scenario, seed)?,
        Tier::Policy => policy_tier::run(scenario, seed),
    };
    report.wall_seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// A world with everybody in it who is to come.
struct Cast {
    world: World,
    awaited: Vec<NodeId>,
    seed: Option<NodeId>,
}

fn full(scenario: &Scenario, seed: u64) -> Result<Report, LayoutError> {
    let bound = bound_seconds(&scenario.capacity());
    let content = Content::new(scenario.content.piece_kib * 1024, &[scenario.bytes()], seed)?;
    let mut cast = cast(scenario, content, seed, bound);
    let timeline = watch(scenario, bound, &mut cast);
    Ok(Report { timeline, ..report(scenario, seed, bound, &cast) })
}

/// Lets time pass until everybody is done, and looks at the crowd fifty times in the time of the bound.
fn watch(scenario: &Scenario, bound: f64, cast: &mut Cast) -> Vec<Moment> {
    let limit = Time::from_secs(scenario.limit_seconds);
    let step = Duration::from_secs_f64((bound / 50.0).max(0.01));
    let (mut at, mut sent, mut origin_sent) = (Time::ZERO, 0, 0);
    let mut timeline = Vec::new();
    while at < limit {
        at = (at + step).min(limit);
        let done = cast.world.run_to_completion(at);
        let world = &cast.world;
        let (sent_now, origin_now) =
            (cast.awaited.iter().map(|node| world.sent(*node)).sum::<u64>(), cast.origin_sent());
        let here = |node: &&NodeId| world.left(**node).is_none() && world.spec(**node).uploads;
        let up: u64 = cast.awaited.iter().filter(here).map(|node| world.spec(*node).up).sum();
        let share = |bytes: u64, up: u64| bytes as f64 * 1.047 / (step.as_secs_f64() * up.max(1) as f64);
        let have = |node: &NodeId| f64::from(world.swarm(*node).have().count());
        let pieces = cast.awaited.first().map_or(1.0, |node| f64::from(world.swarm(*node).have().len()));
        timeline.push(Moment {
            at: at.as_micros() as f64 / 1e6,
            busy: share(sent_now - sent, up),
            origin_busy: share(origin_now - origin_sent, scenario.origin.up_kib * 1024),
            have: spread(cast.awaited.iter().map(|node| have(node) / pieces).collect()),
            done: cast.awaited.iter().filter(|node| world.completed(**node).is_some()).count(),
        });
        (sent, origin_sent) = (sent_now, origin_now);
        if done {
            break;
        }
    }
    timeline
}

impl Cast {
    fn origin_sent(&self) -> u64 {
        self.seed.map_or(self.world.origin_sent(), |node| self.world.sent(node))
    }
}

fn cast(scenario: &Scenario, content: Content, seed: u64, bound: f64) -> Cast {
    let mut rng = Rng::with_seed(seed ^ 0x5ce_a210);
    let mut world = World::new(content, seed);
    let config = scenario.swarm.config();
    let origin = &scenario.origin;
    let (origin_up, delay) = (origin.up_kib * 1024, Duration::from_millis(origin.delay_ms));
    let seed_node = (origin.kind == OriginKind::Seed).then(|| {
        let queue = Duration::from_millis(origin.queue_ms);
        let (start, up, down) = (Start::Complete, origin_up, origin_up.max(8 * 1024 * 1024));
        world.add(NodeSpec { start, up, down, delay, queue, config: config.clone(), ..NodeSpec::default() })
    });
    if origin.kind == OriginKind::Http {
        world.add_origin(origin_up, delay);
    }
    if let Some([from, until]) = origin.down {
        let [from, until] = [from, until].map(|share| at_seconds(share * bound));
        match seed_node {
            Some(node) => world.away_between(node, from, until),
            None => world.origin_down_between(from, until),
        }
    }
    world.add_tracker(scenario.tracker.into(), seed_node.into_iter().collect());
    let mut awaited = Vec::new();
    for group in &scenario.players {
        for _ in 0..group.count {
            let mut spec = group.node(config.clone());
            spec.reachable = rng.f64() < group.reachable;
            spec.uploads = rng.f64() < group.uploading;
            spec.delay += Duration::from_micros(rng.u64(..=group.delay_spread_ms * 1000));
            if group.conduct != ConductKey::Honest {
                spec.start = Start::Complete;
            }
            let at = at_seconds(scenario.arrivals.draw(&mut rng));
            let node = world.add_at(spec, at);
            if group.conduct == ConductKey::Honest {
                awaited.push(node);
                plan_failures(&mut world, &mut rng, node, at, group.failures / bound, scenario);
            }
        }
    }
    Cast { world, awaited, seed: seed_node }
}

fn plan_failures(
    world: &mut World,
    rng: &mut Rng,
    node: NodeId,
    from: Time,
    per_second: f64,
    scenario: &Scenario,
) {
    let mut at = from;
    if per_second <= 0.0 {
        return;
    }
    loop {
        at = at + Duration::from_secs_f64(exponential(rng, per_second));
        if at > Time::from_secs(scenario.limit_seconds) {
            return;
        }
        world.fail_at(node, at);
    }
}

impl Arrivals {
    /// When somebody comes, seconds.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng) -> f64 {
        if self.over_seconds <= 0.0 {
            return 0.0;
        }
        loop {
            let at = rng.f64() * self.over_seconds;
            // Thinning: quiet hours turn some away, who try again.
            let day = if self.day_seconds > 0.0 { at / self.day_seconds } else { 0.0 };
            let rate = 1.0 - self.day_swing.clamp(0.0, 1.0) * (day * std::f64::consts::TAU).cos();
            if rng.f64() * 2.0 < rate {
                return at;
            }
        }
    }
}

/// A waiting time for something that happens so often a second.
pub(crate) fn exponential(rng: &mut Rng, per_second: f64) -> f64 {
    -(1.0 - rng.f64()).ln() / per_second
}

fn at_seconds(seconds: f64) -> Time {
    Time::from_micros((seconds.max(0.0) * 1e6) as u64)
}

fn report(scenario: &Scenario, seed: u64, bound: f64, cast: &Cast) -> Report {
    let world = &cast.world;
    let seconds = |node: &NodeId| {
        let done = world.completed(*node)?;
        Some(done.since(world.joined(*node)).as_secs_f64())
    };
    let done: Vec<f64> = cast.awaited.iter().filter_map(seconds).collect();
    let sent = cast.seed.map_or(world.origin_sent_on_wire(), |node| world.sent_on_wire(node));
    let bytes = scenario.bytes() as f64;
    let wasted: u64 = cast.awaited.iter().map(|node| world.wasted(*node)).sum();
    let lost: u64 = cast.awaited.iter().map(|node| world.lost(*node)).sum();
    let limit = scenario.limit_seconds as f64;
    let present = cast.awaited.iter().filter(|node| world.spec(**node).uploads).map(|node| Presence {
        from: world.joined(*node).as_micros() as f64 / 1e6,
        until: world.left(*node).map_or(limit, |at| at.as_micros() as f64 / 1e6),
        up: world.spec(*node).up as f64,
    });
    let mut report = Report {
        players: cast.awaited.len(),
        origin_copies: sent as f64 / bytes,
        wasted_share: wasted as f64 / (bytes * cast.awaited.len().max(1) as f64),
        failures: world.failures(),
        lost_copies: lost as f64 / bytes,
        happenings: world.happenings(),
        trace: world.trace(),
        ..Report::new(scenario, seed, bound, done)
    };
    report.set_present(scenario, present.collect());
    report
}
