//! How a run went, and several runs in a table.

use serde::{Deserialize, Serialize};

use super::{Presence, Scenario, bound_of_present};

/// The crowd at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds.
    pub at: f64,
    /// The share of the uplinks of the players present that carried pieces since the last moment, headers included.
    pub busy: f64,
    /// The same of the origin's.
    pub origin_busy: f64,
    /// The shares of all pieces that the poorest, the middle and the richest player have.
    pub have: [f64; 3],
    /// Players that got everything.
    pub done: usize,
}

/// How one run of a scenario went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// The run's seed.
    pub seed: u64,
    /// Players that were awaited.
    pub players: usize,
    /// Players that got everything.
    pub completed: usize,
    /// No scheduler is faster than this, seconds.
    pub bound_seconds: f64,
    /// The same for those who were there, each while it was, and with what failed players lost moved again. Equal to
    /// `bound_seconds` if nobody left or failed.
    pub bound_present_seconds: f64,
    /// When half, 99 of 100, and all were done, seconds from each one's arrival; absent ones count as the limit.
    pub p50_seconds: f64,
    /// See `p50_seconds`.
    pub p99_seconds: f64,
    /// See `p50_seconds`.
    pub last_seconds: f64,
    /// Copies that the origin sent, headers included.
    pub origin_copies: f64,
    /// Payload that came twice or false, by what everybody wanted.
    pub wasted_share: f64,
    /// How often a player lost everything.
    pub failures: u64,
    /// Copies that were lost so.
    pub lost_copies: f64,
    /// Things that happened in the simulation.
    pub happenings: u64,
    /// A hash of the whole run.
    pub trace: u64,
    /// Real seconds the run took.
    pub wall_seconds: f64,
    /// The crowd from time to time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
}

impl Report {
    /// A report with the times filled in from those who were done, in any order.
    #[must_use]
    pub(crate) fn new(scenario: &Scenario, seed: u64, bound_seconds: f64, mut done: Vec<f64>) -> Self {
        done.sort_by(f64::total_cmp);
        let players: usize = scenario.honest().map(|group| group.count).sum();
        let limit = scenario.limit_seconds as f64;
        let at = |share: f64| {
            let rank = (share * players as f64).ceil() as usize;
            done.get(rank.max(1) - 1).copied().unwrap_or(limit)
        };
        Self {
            scenario: scenario.name.clone(),
            seed,
            players,
            completed: done.len(),
            bound_seconds,
            bound_present_seconds: bound_seconds,
            p50_seconds: at(0.5),
            p99_seconds: at(0.99),
            last_seconds: at(1.0),
            origin_copies: 0.0,
            wasted_share: 0.0,
            failures: 0,
            lost_copies: 0.0,
            happenings: 0,
            trace: 0,
            wall_seconds: 0.0,
            timeline: Vec::new(),
        }
    }

    /// Sets the bound of those present, if that says more than the plain one.
    pub(crate) fn set_present(&mut self, scenario: &Scenario, mut present: Vec<Presence>) {
        let restless = scenario.honest().any(|g| g.failures > 0.0 || g.leaves_after_seconds.is_some());
        if restless {
            present.extend(scenario.origin_presence(self.bound_seconds, scenario.limit_seconds as f64));
            let bytes = scenario.bytes() as f64 * (self.players as f64 + self.lost_copies);
            self.bound_present_seconds = bound_of_present(bytes, &present).max(self.bound_seconds);
        }
    }

    /// The last player's time in multiples of the bound of those present.
    #[must_use]
    pub fn last_of_present(&self) -> f64 {
        self.last_seconds / self.bound_present_seconds
    }

    /// Half of the players' time in multiples of the bound.
    #[must_use]
    pub fn p50(&self) -> f64 {
        self.p50_seconds / self.bound_seconds
    }

    /// 99 of 100 players' time in multiples of the bound.
    #[must_use]
    pub fn p99(&self) -> f64 {
        self.p99_seconds / self.bound_seconds
    }

    /// The last player's time in multiples of the bound.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.last_seconds / self.bound_seconds
    }
}

/// The poorest, the middle and the richest of these shares.
pub(crate) fn spread(mut shares: Vec<f64>) -> [f64; 3] {
    shares.sort_by(f64::total_cmp);
    let at = |index: usize| shares.get(index).copied().unwrap_or(0.0);
    [at(0), at(shares.len() / 2), at(shares.len().saturating_sub(1))]
}

/// Several runs of one scenario: medians, and the spread of the last player.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What the runs are called.
    pub name: String,
    /// Runs.
    pub runs: usize,
    /// Players in each.
    pub players: usize,
    /// The fewest that got everything in any run.
    pub completed_min: usize,
    /// Multiples of the bound.
    pub p50: f64,
    /// Multiples of the bound.
    pub p99: f64,
    /// Multiples of the bound.
    pub last: f64,
    /// The least and the most of `last`.
    pub last_spread: [f64; 2],
    /// Multiples of the bound of those present.
    pub last_of_present: f64,
    /// Copies the origin sent.
    pub origin_copies: f64,
    /// Payload that came twice or false, by what everybody wanted.
    pub wasted_share: f64,
    /// How often a player lost everything.
    pub failures: f64,
    /// Copies that were lost so.
    pub lost_copies: f64,
    /// Real seconds of a run.
    pub wall_seconds: f64,
}

/// The medians of these runs.
#[must_use]
pub fn summarize(name: &str, reports: &[Report]) -> Summary {
    let of = |figure: fn(&Report) -> f64| median(reports.iter().map(figure));
    let last = |pick: fn(f64, f64) -> f64, from| reports.iter().map(Report::last).fold(from, pick);
    Summary {
        name: name.to_owned(),
        runs: reports.len(),
        players: reports.first().map_or(0, |report| report.players),
        completed_min: reports.iter().map(|report| report.completed).min().unwrap_or(0),
        p50: of(Report::p50),
        p99: of(Report::p99),
        last: of(Report::last),
        last_spread: [last(f64::min, f64::INFINITY), last(f64::max, 0.0)],
        last_of_present: of(Report::last_of_present),
        origin_copies: of(|report| report.origin_copies),
        wasted_share: of(|report| report.wasted_share),
        failures: of(|report| report.failures as f64),
        lost_copies: of(|report| report.lost_copies),
        wall_seconds: of(|report| report.wall_seconds),
    }
}

/// The middle of these figures; zero of none.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Summaries as a Markdown table.
#[must_use]
pub fn table(summaries: &[Summary]) -> String {
    let mut text = String::from(
        "| scenario | runs | players | all done | p50 × | p99 × | last × (least–most) | last × present | origin copies | wasted | failures (copies lost) | real s |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for s in summaries {
        let done = if s.completed_min == s.players {
            "yes".to_owned()
        } else {
            format!("{} of {}", s.completed_min, s.players)
        };
        let [least, most] = s.last_spread;
        text += &format!(
            "| {} | {} | {} | {done} | {:.3} | {:.3} | {:.3} ({least:.3}–{most:.3}) | {:.3} | {:.2} | {:.2} % | {:.0} ({:.0}) | {:.1} |\n",
            s.name,
            s.runs,
            s.players,
            s.p50,
            s.p99,
            s.last,
            s.last_of_present,
            s.origin_copies,
            s.wasted_share * 100.0,
            s.failures,
            s.lost_copies,
            s.wall_seconds
        );
    }
    text
}
