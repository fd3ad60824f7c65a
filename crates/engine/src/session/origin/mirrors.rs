//! Which source is asked next: ranked by what they were measured to give, rested when they fail.
//!
//! Pure: time, bytes and the random seed come in, a choice goes out. The fastest source is used alone while it fills
//! the line; others join while they add to what comes. A source that was not measured for a while, or rested, gets a
//! small piece of work now and then. A source that lied too often is out for good.

use super::spread::Spread;
use fastrand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// Requests to one source at a time, so that its line never idles between two.
const LANES: usize = 2;
/// … and while they are small, so many: small files and single pieces cost a round trip each.
const LANES_SMALL: usize = 8;
/// … which they are while fewer bytes than these are asked for, or than twice what the line holds.
const SMALL_BYTES: u64 = 1024 * 1024;
/// First rest after a failure; doubles with each that follows.
const REST_MIN: Duration = Duration::from_millis(500);
const REST_DOUBLINGS_MAX: u32 = 7;
/// A server that asks for no rest at all gets this much.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(250);
/// False files or pieces after which a source is out.
const LIES_MAX: u32 = 3;
/// Bytes that one source may make travel for nothing.
const WASTE_MAX: u64 = 8 * 1024 * 1024;
/// How often a source that is not in use is tried.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// The first try; short transfers do without.
const PROBE_FIRST: Duration = Duration::from_secs(2);
/// After so long without use, what a source gave says little.
const STALE_AFTER: Duration = Duration::from_secs(60);
/// Shortest time over which a rate is measured.
const SAMPLE_MIN: Duration = Duration::from_millis(200);
/// How long the past counts in a rate.
const RATE_MEMORY: Duration = Duration::from_secs(3);
/// A request of this size is what ranks are made for.
const TYPICAL_BYTES: f64 = 1024.0 * 1024.0;
/// What an unmeasured source is thought to give, for the size of its first requests.
const UNMEASURED_BYTES_PER_SECOND: u64 = 1024 * 1024;

/// One source's figures.
#[derive(Debug, Default)]
struct Mirror {
    /// Bytes per second while in use.
    rate: Option<f64>,
    first_byte: Option<Duration>,
    measured_at: Option<Instant>,
    rests_until: Option<Instant>,
    failures: u32,
    lies: u32,
    /// It gave something that was asked for: who has nothing is not asked for it many times at once.
    gave: bool,
    waste: u64,
    out: bool,
    lanes: usize,
    asked_bytes: u64,
    busy: Option<Busy>,
    /// The last failure, until it does well again.
    detail: String,
    /// What it can never do.
    flaw: String,
}

/// Since when a source was in use, and what it gave.
#[derive(Debug, Clone, Copy)]
struct Busy {
    since: Instant,
    bytes: u64,
}

/// What people may know about a source.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Figures {
    pub(super) ok: bool,
    pub(super) detail: String,
    /// Measured, in bytes per second; `None` before it was used.
    pub(super) rate: Option<u64>,
    pub(super) first_byte: Option<Duration>,
    pub(super) rests: Option<Duration>,
    pub(super) in_use: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Mirrors {
    list: Vec<Mirror>,
    spread: Spread,
    probe_at: Instant,
    rng: Rng,
}

/// A source chosen for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) mirror: usize,
    /// Only to see how it does: a small request.
    pub(super) probe: bool,
}

/// Why no source was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoChoice {
    /// Those that could are at work.
    Busy,
    /// Those that could rest until then.
    Resting(Instant),
    /// There is none that could.
    Nobody,
}

impl Mirrors {
    pub(super) fn new(count: usize, now: Instant, seed: u64) -> Self {
        Self {
            list: (0..count).map(|_| Mirror::default()).collect(),
            spread: Spread::new(now),
            probe_at: now + PROBE_FIRST,
            rng: Rng::with_seed(seed),
        }
    }

    /// Whom to ask for something that the sources that `may` have.
    pub(super) fn choose(&mut self, now: Instant, may: impl Fn(usize) -> bool) -> Result<Choice, NoChoice> {
        let able: Vec<usize> = (0..self.list.len()).filter(|at| !self.list[*at].out && may(*at)).collect();
        let (mut ready, resting): (Vec<usize>, Vec<usize>) =
            able.into_iter().partition(|at| self.list[*at].rests_until.is_none_or(|until| until <= now));
        if ready.is_empty() {
            let until = resting.iter().filter_map(|at| self.list[*at].rests_until).min();
            return Err(until.map_or(NoChoice::Nobody, NoChoice::Resting));
        }
        ready.sort_by(|a, b| self.rank(*a).partial_cmp(&self.rank(*b)).unwrap_or(std::cmp::Ordering::Equal));
        let (used, others) = ready.split_at(self.spread.width().min(ready.len()));
        if now >= self.probe_at
            && let Some(mirror) = others.iter().copied().find(|at| self.wants_probe(*at, now))
        {
            self.probe_at = now + self.jittered(PROBE_INTERVAL);
            return Ok(Choice { mirror, probe: true });
        }
        let free = used.iter().copied().find(|at| self.list[*at].has_lane());
        free.map(|mirror| Choice { mirror, probe: false }).ok_or(NoChoice::Busy)
    }

    /// Lower is better: well before failed, measured before not, then by the time a typical request takes.
    fn rank(&self, at: usize) -> (u32, bool, f64, usize) {
        let mirror = &self.list[at];
        let seconds = mirror.rate.map_or(0.0, |rate| {
            mirror.first_byte.unwrap_or_default().as_secs_f64() + TYPICAL_BYTES / rate.max(1.0)
        });
        (mirror.failures, mirror.rate.is_none(), seconds, at)
    }

    fn wants_probe(&self, at: usize, now: Instant) -> bool {
        let mirror = &self.list[at];
        let stale = mirror.measured_at.is_none_or(|measured| now.duration_since(measured) >= STALE_AFTER);
        mirror.lanes == 0 && (stale || mirror.failures > 0)
    }

    /// Bytes that one request to it should ask for at most, so that the work can be dealt anew after `time`.
    pub(super) fn portion(&self, mirror: usize, time: Duration) -> u64 {
        let rate = self.list[mirror].rate.map_or(UNMEASURED_BYTES_PER_SECOND, |rate| rate as u64);
        (rate as f64 * time.as_secs_f64()) as u64
    }

    /// Requests that could begin now at the sources in use, at least one.
    pub(super) fn free_lanes(&self) -> usize {
        let free = |mirror: &Mirror| if mirror.out { 0 } else { LANES.saturating_sub(mirror.lanes) };
        let mut free: Vec<usize> = self.list.iter().map(free).collect();
        free.sort_unstable_by(|a, b| b.cmp(a));
        free.iter().take(self.spread.width()).sum::<usize>().max(1)
    }

    pub(super) fn started(&mut self, mirror: usize, bytes: u64, now: Instant) {
        let mirror = &mut self.list[mirror];
        (mirror.lanes, mirror.asked_bytes) = (mirror.lanes + 1, mirror.asked_bytes + bytes);
        mirror.busy.get_or_insert(Busy { since: now, bytes: 0 });
    }

    pub(super) fn ended(&mut self, mirror: usize, bytes: u64, now: Instant) {
        let mirror = &mut self.list[mirror];
        (mirror.lanes, mirror.asked_bytes) = (mirror.lanes - 1, mirror.asked_bytes - bytes);
        if mirror.lanes == 0 {
            mirror.sample(now);
            mirror.busy = None;
        }
    }

    pub(super) fn received(&mut self, mirror: usize, bytes: u64) {
        if let Some(busy) = &mut self.list[mirror].busy {
            busy.bytes += bytes;
        }
        self.spread.received(bytes);
    }

    pub(super) fn answered(&mut self, mirror: usize, first_byte: Duration) {
        let known = self.list[mirror].first_byte.unwrap_or(first_byte);
        self.list[mirror].first_byte = Some((known * 3 + first_byte) / 4);
    }

    /// Looks at the rates; to be called a few times a second while anything is asked for.
    pub(super) fn tick(&mut self, now: Instant) {
        self.list.iter_mut().for_each(|mirror| mirror.sample(now));
        let usable = |mirror: &&Mirror| !mirror.out && mirror.failures == 0;
        self.spread.tick(now, self.list.iter().filter(usable).count(), self.list.iter().any(|m| m.lanes > 0));
    }

    pub(super) fn succeeded(&mut self, mirror: usize) {
        let mirror = &mut self.list[mirror];
        (mirror.failures, mirror.rests_until, mirror.gave) = (0, None, true);
        mirror.detail.clear();
    }

    /// It failed, and rests: as long as it said, or twice as long as the last time.
    pub(super) fn failed(&mut self, mirror: usize, now: Instant, wait: Option<Duration>, detail: String) {
        let doublings = self.list[mirror].failures.min(REST_DOUBLINGS_MAX);
        let rest = match wait {
            Some(wait) => wait.max(RETRY_AFTER_MIN),
            None => self.jittered(REST_MIN * 2_u32.pow(doublings)),
        };
        let mirror = &mut self.list[mirror];
        mirror.detail = detail;
        // Requests that were under way together fail together; that counts once.
        if mirror.rests_until.is_none_or(|until| until <= now) {
            mirror.failures += 1;
        }
        mirror.rests_until = mirror.rests_until.max(Some(now + rest));
    }

    /// It does not give something that it should, which says nothing about the rest of it.
    pub(super) fn lacks(&mut self, mirror: usize, what: String) {
        self.list[mirror].flaw = what;
    }

    /// It gave something else than the release has.
    pub(super) fn lied(&mut self, mirror: usize, what: String) {
        let mirror = &mut self.list[mirror];
        mirror.lies += 1;
        mirror.flaw = what;
        mirror.out |= mirror.lies >= LIES_MAX;
    }

    /// Bytes travelled that nobody asked for. True if that were too many by now and it is out.
    pub(super) fn wasted(&mut self, mirror: usize, bytes: u64) -> bool {
        let mirror = &mut self.list[mirror];
        mirror.waste += bytes;
        let out = mirror.waste > WASTE_MAX;
        if out {
            mirror.out = true;
            "ignores ranges: too much would travel for nothing".clone_into(&mut mirror.flaw);
        }
        out
    }

    pub(super) fn figures(&self, now: Instant) -> impl Iterator<Item = Figures> + '_ {
        self.list.iter().map(move |mirror| Figures {
            ok: mirror.failures == 0 && mirror.flaw.is_empty(),
            detail: if mirror.detail.is_empty() { &mirror.flaw } else { &mirror.detail }.clone(),
            rate: mirror.rate.map(|rate| rate as u64),
            first_byte: mirror.first_byte,
            rests: mirror.rests_until.and_then(|until| until.checked_duration_since(now)),
            in_use: mirror.lanes > 0,
        })
    }

    /// Between half of it and all of it, so that many players do not come back at once.
    fn jittered(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(0.5 + self.rng.f64() / 2.0)
    }
}

impl Mirror {
    fn has_lane(&self) -> bool {
        // One that never gave anything, or failed last, has to do well once before it gets more.
        let is_well = self.gave && self.failures == 0;
        let lanes = if is_well { LANES } else { 1 };
        self.lanes < lanes || (is_well && self.lanes < LANES_SMALL && self.asked_bytes < self.small_bytes())
    }

    fn small_bytes(&self) -> u64 {
        let line = self.rate.unwrap_or_default() * self.first_byte.unwrap_or_default().as_secs_f64();
        SMALL_BYTES.max((2.0 * line) as u64)
    }

    fn sample(&mut self, now: Instant) {
        let Some(busy) = self.busy else { return };
        let time = now.duration_since(busy.since);
        if time < SAMPLE_MIN {
            return;
        }
        let rate = busy.bytes as f64 / time.as_secs_f64();
        let past = (-time.as_secs_f64() / RATE_MEMORY.as_secs_f64()).exp();
        self.rate = Some(self.rate.map_or(rate, |known| known * past + rate * (1.0 - past)));
        self.measured_at = Some(now);
        self.busy = Some(Busy { since: now, bytes: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn serve(mirrors: &mut Mirrors, now: Instant, mirror: usize, rate: u64) {
        mirrors.started(mirror, rate, now);
        mirrors.received(mirror, rate);
        mirrors.ended(mirror, rate, now + SECOND);
        mirrors.succeeded(mirror);
    }

    fn chosen(mirrors: &mut Mirrors, now: Instant) -> Option<usize> {
        mirrors.choose(now, |_| true).ok().map(|choice| choice.mirror)
    }

    #[test]
    fn the_fastest_is_asked_first_and_others_now_and_then() {
        let start = Instant::now();
        let mut mirrors = Mirrors::new(3, start, 1);
        assert_eq!(chosen(&mut mirrors, start), Some(0), "the publisher's order, before anything is known");
        serve(&mut mirrors, start, 0, 1_000_000);
        let now = start + 3 * SECOND;
        assert_eq!(mirrors.choose(now, |_| true), Ok(Choice { mirror: 1, probe: true }));
        serve(&mut mirrors, now, 1, 9_000_000);
        assert_eq!(chosen(&mut mirrors, now), Some(1));
        let later = now + 20 * SECOND;
        assert_eq!(mirrors.choose(later, |_| true), Ok(Choice { mirror: 2, probe: true }));
        serve(&mut mirrors, later, 2, 5_000);
        assert_eq!(chosen(&mut mirrors, later), Some(1));
        // Nothing is probed that was measured a moment ago.
        assert_eq!(chosen(&mut mirrors, later + 20 * SECOND), Some(1));
        // The time to the first byte counts too.
        (0..40).for_each(|_| mirrors.answered(1, 5 * SECOND));
        assert_eq!(chosen(&mut mirrors, later), Some(0));
    }

    #[test]
    fn who_fails_rests_longer_each_time_and_others_go_on() {
        let start = Instant::now();
        let mut mirrors = Mirrors::new(2, start, 7);
        let mut now = start;
        let mut rests = Vec::new();
        for _ in 0..12 {
            mirrors.failed(0, now, None, "broke".into());
            let rest = mirrors.figures(now).next().and_then(|figures| figures.rests).expect("it rests");
            rests.push(rest);
            assert_eq!(chosen(&mut mirrors, now), Some(1));
            now += rest;
        }
        for (doublings, rest) in rests.iter().enumerate() {
            let whole = REST_MIN * 2_u32.pow((doublings as u32).min(REST_DOUBLINGS_MAX));
            assert!((whole / 2..=whole).contains(rest), "{doublings}: {rest:?}");
        }
        let same = |seed| {
            let mut mirrors = Mirrors::new(1, start, seed);
            mirrors.failed(0, start, None, String::new());
            mirrors.choose(start, |_| true)
        };
        assert_eq!(same(3), same(3), "the seed decides");
        assert_ne!(same(3), same(4));
    }

    #[test]
    fn retry_after_is_kept_to_the_moment() {
        let start = Instant::now();
        let mut mirrors = Mirrors::new(1, start, 7);
        mirrors.failed(0, start, Some(30 * SECOND), "busy".into());
        assert_eq!(mirrors.choose(start, |_| true), Err(NoChoice::Resting(start + 30 * SECOND)));
        let just_before = start + 30 * SECOND - Duration::from_millis(1);
        assert!(mirrors.choose(just_before, |_| true).is_err());
        assert_eq!(chosen(&mut mirrors, start + 30 * SECOND), Some(0));
    }

    #[test]
    fn liars_and_wasters_are_out_for_good() {
        let start = Instant::now();
        let mut mirrors = Mirrors::new(2, start, 7);
        (0..LIES_MAX).for_each(|_| mirrors.lied(0, "false".into()));
        mirrors.succeeded(0);
        assert_eq!(chosen(&mut mirrors, start + 3600 * SECOND), Some(1));
        assert!(!mirrors.wasted(1, WASTE_MAX));
        assert!(mirrors.wasted(1, 1));
        assert_eq!(mirrors.choose(start, |_| true), Err(NoChoice::Nobody));
    }

    #[test]
    fn two_requests_at_a_time_and_more_while_they_are_small() {
        let start = Instant::now();
        let lanes = |gave: bool, bytes: u64| {
            let mut mirrors = Mirrors::new(1, start, 7);
            if gave {
                mirrors.succeeded(0);
            }
            (0..100)
                .take_while(|_| {
                    chosen(&mut mirrors, start).is_some_and(|at| {
                        mirrors.started(at, bytes, start);
                        true
                    })
                })
                .count()
        };
        assert_eq!((lanes(true, 16 << 20), lanes(true, 16 << 10)), (LANES, LANES_SMALL));
        assert_eq!((lanes(false, 16 << 20), lanes(false, 16 << 10)), (1, 1), "it may have nothing");
        // A fast line of a tenth of a second holds five MiB: two requests of one MiB would leave it idle.
        let mut far = Mirrors::new(1, start, 7);
        serve(&mut far, start, 0, 50 << 20);
        (0..40).for_each(|_| far.answered(0, Duration::from_millis(100)));
        let mut asked = 0;
        while chosen(&mut far, start).is_some() {
            far.started(0, 1 << 20, start);
            asked += 1;
        }
        assert_eq!(asked, LANES_SMALL);
    }
}
