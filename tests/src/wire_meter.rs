//! What a program sends and receives, on a wire of its own: two network namespaces, one cable, and its counters.
//!
//! Counted are whole packets as the kernel hands them to the cable (segmentation offload is off, so none is counted
//! short), less the 14 bytes of Ethernet: IP bytes. Needs root. Only the standard library is used, so that the bench
//! can include this file too.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How often the counters are read.
const SAMPLE_EVERY: Duration = Duration::from_millis(5);
/// Ethernet's header, which the counters include, in bytes.
const ETHERNET_HEADER: u64 = 14;
/// One full packet, in bytes: what a window may hold more or less than its share.
const PACKET: f64 = 1500.0;

/// One end of the cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Where the program that is measured runs.
    Near,
    /// Where everybody else runs.
    Far,
}

/// Two namespaces with a cable between them; gone when dropped.
#[derive(Debug)]
pub struct Cable {
    names: [String; 2],
}

impl Cable {
    /// Lays a cable. `tag` tells the cables of one process apart.
    #[must_use]
    pub fn lay(tag: &str) -> Self {
        let id = std::process::id();
        let cable = Self { names: ["near", "far"].map(|end| format!("muster-wire-{id}-{tag}-{end}")) };
        let [near, far] = &cable.names;
        ip(&["netns", "add", near]);
        ip(&["netns", "add", far]);
        for end in [End::Near, End::Far] {
            let off = "for c in all default; do echo 1 > /proc/sys/net/ipv6/conf/$c/disable_ipv6; done";
            let quiet = cable.command(end, "sh").args(["-c", off]).status();
            assert!(quiet.is_ok_and(|status| status.success()), "IPv6 cannot be switched off");
        }
        ip(&["-n", near, "link", "add", "wire0", "type", "veth", "peer", "name", "wire0", "netns", far]);
        for end in [End::Near, End::Far] {
            let name = cable.name(end);
            ip(&["-n", name, "addr", "add", &format!("{}/24", cable.address(end)), "dev", "wire0"]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
            ip(&["-n", name, "link", "set", "wire0", "gso_max_segs", "1"]);
            ip(&["-n", name, "link", "set", "wire0", "up"]);
        }
        cable
    }

    /// An end's address.
    #[must_use]
    pub fn address(&self, end: End) -> &'static str {
        match end {
            End::Near => "10.78.0.1",
            End::Far => "10.78.0.2",
        }
    }

    /// A program that sees only this end.
    #[must_use]
    pub fn command(&self, end: End, program: impl AsRef<OsStr>) -> Command {
        // `ip` becomes the program: the child's id is the program's own.
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", self.name(end)]).arg(program);
        inside
    }

    fn name(&self, end: End) -> &str {
        &self.names[end as usize]
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            let mut delete = Command::new("ip");
            let _absent_when_half_laid =
                delete.args(["netns", "delete", name]).stderr(Stdio::null()).status();
        }
    }
}

fn ip(words: &[&str]) {
    let done = Command::new("ip").args(words).output();
    let done = done.unwrap_or_else(|error| panic!("ip {words:?}: {error}"));
    assert!(done.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Which way, seen from the near end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What the near end sends.
    Up,
    /// What it receives.
    Down,
}

/// IP bytes since the cable was laid, at a moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    sent: u64,
    received: u64,
}

/// Reads the counters of a program's end of the cable until it is stopped.
#[derive(Debug)]
pub struct Meter {
    stop: Arc<AtomicBool>,
    samples: Option<JoinHandle<Vec<Sample>>>,
}

impl Meter {
    /// Begins. `inside` is the id of a program that runs at the near end.
    #[must_use]
    pub fn start(inside: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let samples = std::thread::spawn(move || {
            let (path, mut samples) = (format!("/proc/{inside}/net/dev"), Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                samples.extend(std::fs::read_to_string(&path).ok().as_deref().and_then(read));
                std::thread::sleep(SAMPLE_EVERY);
            }
            samples
        });
        Self { stop, samples: Some(samples) }
    }

    /// Ends and returns what was read.
    #[must_use]
    pub fn stop(mut self) -> Trace {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self.samples.take().and_then(|reader| reader.join().ok()).unwrap_or_default();
        assert!(samples.len() > 1, "the cable's counters cannot be read");
        Trace { samples }
    }
}

/// The row of the cable in a table of `/proc`.
fn read(table: &str) -> Option<Sample> {
    let at = Instant::now();
    let row = table.lines().find_map(|line| line.trim().strip_prefix("wire0:"))?;
    let figures: Vec<u64> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let bytes = |bytes: usize, frames: usize| {
        Some(figures.get(bytes)?.saturating_sub(figures.get(frames)? * ETHERNET_HEADER))
    };
    Some(Sample { at, received: bytes(0, 1)?, sent: bytes(8, 9)? })
}

/// What the cable carried over time.
#[derive(Debug)]
pub struct Trace {
    samples: Vec<Sample>,
}

/// How well a cap was kept: shares of it, one packet already granted to each window.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Over the whole time.
    pub mean: f64,
    /// The same with the bytes of the other way, acknowledgements above all, added.
    pub mean_both: f64,
    /// The fullest second, wherever it begins.
    pub second_most: f64,
    /// The emptiest second.
    pub second_least: f64,
    /// The fullest tenth of a second.
    pub tenth_most: f64,
}

impl Trace {
    /// IP bytes in all that went this way.
    #[must_use]
    pub fn total(&self, way: Way) -> u64 {
        let (first, last) = (self.samples.first(), self.samples.last());
        first.zip(last).map_or(0, |(first, last)| last.of(way) - first.of(way))
    }

    /// How long after the start of the meter the last packet that was larger than an acknowledgement went.
    #[must_use]
    pub fn last_block(&self, way: Way) -> Duration {
        let moved = |pair: &&[Sample]| pair[1].of(way) - pair[0].of(way) >= 500;
        let last = self.samples.windows(2).rfind(moved);
        last.map_or(Duration::ZERO, |pair| pair[1].at - self.samples[0].at)
    }

    /// How a cap in bytes per second was kept from `after` the start on.
    #[must_use]
    pub fn against(&self, cap: u64, way: Way, after: Duration) -> Figures {
        let begin = self.samples[0].at + after;
        let seen: Vec<Sample> = self.samples.iter().filter(|sample| sample.at >= begin).copied().collect();
        assert!(seen.len() > 1, "measured for less than {after:?}");
        let (first, last) = (seen[0], seen[seen.len() - 1]);
        let whole = (last.at - first.at).as_secs_f64() * cap as f64;
        let moved = (last.of(way) - first.of(way)) as f64;
        let other = match way {
            Way::Up => last.received - first.received,
            Way::Down => last.sent - first.sent,
        };
        let seconds = shares(&seen, way, Duration::from_secs(1), cap);
        let tenths = shares(&seen, way, Duration::from_millis(100), cap);
        let packet = |window: f64| PACKET / (window * cap as f64);
        Figures {
            mean: moved / whole,
            mean_both: (moved + other as f64) / whole,
            second_most: seconds.1 - packet(1.0),
            second_least: seconds.0 + packet(1.0),
            tenth_most: tenths.1 - packet(0.1),
        }
    }
}

impl Sample {
    fn of(&self, way: Way) -> u64 {
        match way {
            Way::Up => self.sent,
            Way::Down => self.received,
        }
    }
}

/// The least and the most of all windows of this length, as shares of what the cap allows.
fn shares(samples: &[Sample], way: Way, window: Duration, cap: u64) -> (f64, f64) {
    let (mut least, mut most, mut end) = (f64::INFINITY, 0.0_f64, 0);
    for begin in samples {
        while end < samples.len() && samples[end].at - begin.at < window {
            end += 1;
        }
        let Some(last) = samples.get(end) else { break };
        // A reader that comes late makes a longer window: what it holds is compared with its own length.
        let share = (last.of(way) - begin.of(way)) as f64 / ((last.at - begin.at).as_secs_f64() * cap as f64);
        (least, most) = (least.min(share), most.max(share));
    }
    (least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_taken_wherever_they_begin_and_ethernet_is_not_counted() {
        let table = "Inter-|\n face |\n wire0: 15140 10 0 0 0 0 0 0 30140 10 0 0 0 0 0 0\n";
        let sample = read(table).expect("a row");
        assert_eq!((sample.received, sample.sent), (15_000, 30_000));

        let begin = Instant::now();
        // Ten packets in the first tenth of each second, nothing in the rest.
        let sent = |tenth: u64| 15_000 * (tenth / 10 + u64::from(!tenth.is_multiple_of(10)));
        let at = |tenth: u64| begin + Duration::from_millis(100 * tenth);
        let samples = (0..=40).map(|tenth| Sample { at: at(tenth), sent: sent(tenth), received: 0 });
        let trace = Trace { samples: samples.collect() };
        let figures = trace.against(15_000, Way::Up, Duration::ZERO);
        assert!((figures.mean - 1.0).abs() < 0.01, "{figures:?}");
        assert!((figures.tenth_most - 9.0).abs() < 0.01, "{figures:?}");
        assert!(figures.second_most <= 1.0, "{figures:?}");
        assert_eq!(trace.last_block(Way::Up), Duration::from_millis(3100));
    }
}
