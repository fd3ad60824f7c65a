//! How busy the machine is, before a run and during it.

use crate::failure::{AtPath, Failure};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Above this load a run waits.
const LOAD_MAX: f64 = 1.5;
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine as a run found it.
pub(super) struct Before {
    /// Load average of a minute.
    pub(super) load: f64,
}

/// Waits until the machine is calm, or a minute where `wait` says so; the load then is kept with the run.
pub(super) fn settle(stop: &Arc<AtomicBool>, wait: bool) -> Result<Before, Failure> {
    let until = Instant::now() + if wait { PATIENCE } else { Duration::ZERO };
    loop {
        let load = load()?;
        if load <= LOAD_MAX || Instant::now() > until || stop.load(Ordering::Relaxed) {
            return Ok(Before { load });
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn load() -> Result<f64, Failure> {
    let path = "/proc/loadavg";
    let text = std::fs::read_to_string(path).at(path)?;
    text.split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| Failure::Unexpected { what: format!("{path} says {text}") })
}

/// Processor time of the whole machine so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    /// Of programs at ordinary priority, and of the kernel.
    busy: u64,
    /// Of programs that give way to the others.
    giving_way: u64,
    all: u64,
}

/// Shares of the machine's processors, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Programs at ordinary priority, and the kernel.
    pub(super) busy: f64,
    /// Programs that give way to the others (`nice`).
    pub(super) giving_way: f64,
}

impl Ticks {
    /// Until now.
    pub(super) fn now() -> Result<Self, Failure> {
        let path = "/proc/stat";
        let text = std::fs::read_to_string(path).at(path)?;
        let first = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            first.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        // User, nice, system, idle, waiting for disks, and the rest.
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
        let all: u64 = ticks.iter().sum();
        Ok(Self { busy: all - at(1) - at(3) - at(4), giving_way: at(1), all })
    }

    /// What was in use since.
    pub(super) fn shares_since(self) -> Result<Shares, Failure> {
        let now = Self::now()?;
        let all = (now.all - self.all).max(1) as f64;
        Ok(Shares {
            busy: (now.busy - self.busy) as f64 / all,
            giving_way: (now.giving_way - self.giving_way) as f64 / all,
        })
    }
}
